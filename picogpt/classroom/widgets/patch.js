// A map of cells to patch: each is a button; the answer of the model with the patch stands below.

const { depths, tokens, effect, chances, answers } = data;
const grid = element("div", { role: "group", "aria-label": "Cells to patch",
  style: `display:grid;grid-template-columns:5.5rem repeat(${tokens.length},minmax(3.4rem,6rem));gap:3px` });
const result = element("div", { "aria-live": "polite" });
const largest = Math.max(...effect.flat().map(Math.abs));
const buttons = [];

function choosePatch(i, j) {
  for (const button of buttons) {
    const chosen = button.i === i && button.j === j;
    button.element.setAttribute("aria-pressed", chosen);
    button.element.style.border = chosen ? "3px solid var(--ink)" : "3px solid transparent";
  }
  const rows = [["the first text, as it is", depths.length], ["the first text, patched", i], ["the second text, as it is", depths.length + 1]];
  result.replaceChildren(
    element("p", {}, `After ${depths[i]}, at ${tokens[j]}: ${effect[i][j].toFixed(2)} of the way, the mean of all pairs. In the first pair:`),
    table("Answers", ["", ...answers, ""], rows.map(([name, row]) => {
      const p = chances[row][j];
      return [name, ...p.map(percent), bar(p[1] / (p[0] + p[1]))];
    }), 1),
    element("p", {}, `The bar is the share of "${answers[1]}" in the two.`));
}

for (let i = depths.length - 1; i >= 0; i--) { // the end of the model on top
  grid.append(element("span", { style: "align-self:center" }, depths[i]));
  tokens.forEach((token, j) => {
    const [red, green, blue] = colour(-effect[i][j] / largest, false); // blue above 0, as in the notebook's picture
    const button = element("button", { "aria-label": `after ${depths[i]}, at ${token}`, onclick: () => choosePatch(i, j),
      style: `background:rgb(${red},${green},${blue});color:${green < 140 ? "#fff" : "#000"};padding:.25rem` }, effect[i][j].toFixed(2));
    buttons.push({ element: button, i, j });
    grid.append(button);
  });
}
grid.append(element("span"), ...tokens.map(token => element("span", { style: "text-align:center" }, token)));
document.getElementById("widget").append(element("h3", {}, "Choose a cell to patch"), grid, result);
choosePatch(0, 0);
