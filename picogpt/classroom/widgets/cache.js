// The cache while a text is written: which positions are filled, and what one pass has to compute.

const { n_ctx, n_prompt } = data;

// What happens in the pass that reads token number n_text: the states of decoding/loop.py.
function passes(last) {
  const found = [];
  let start = 0, filled = 0;
  for (let n_text = n_prompt; n_text <= last; n_text++) {
    const full = n_text - start > n_ctx;
    if (full) [start, filled] = [n_text - Math.ceil(n_ctx / 2), 0];
    found.push({ n_text, start, full, filled, read: n_text - start - filled });
    filled = n_text - start;
  }
  return found;
}

const last = 2 * n_ctx;
const all = passes(last);
const slider = element("input", { type: "range", min: n_prompt, max: last, value: n_prompt, "aria-label": "tokens in the text" });
const count = element("output");
const cells = element("div", { style: `display:grid;grid-template-columns:4.5rem repeat(${n_ctx},minmax(0,1fr));gap:2px;max-width:52rem` });
const words = element("div", { "aria-live": "polite" });

function fillCells(pass) {
  cells.replaceChildren();
  for (const kind of ["position", "keys", "values"]) {
    cells.append(element("span", {}, kind));
    for (let i = 0; i < n_ctx; i++) {
      const here = i < pass.filled + pass.read, isNew = here && i >= pass.filled;
      const style = "text-align:center;border-radius:3px;font-size:.8rem;padding:.1rem 0;" + (kind === "position" ? ""
        : `border:1px ${here ? "solid" : "dashed"} var(--line);` + (isNew ? "background:#c65f00;color:#fff"
        : here ? "background:var(--bar);color:#fff" : ""));
      cells.append(element("span", { style }, kind === "position" ? String(i) : here ? String(pass.start + i + 1) : "\u00a0"));
    }
  }
}

function update() {
  const pass = all[slider.value - n_prompt];
  const sum = all.slice(0, slider.value - n_prompt + 1).reduce((total, p) => total + p.read, 0);
  const without = all.slice(0, slider.value - n_prompt + 1).reduce((total, p) => total + Math.min(p.n_text, n_ctx), 0);
  count.textContent = `${pass.n_text} tokens in the text`;
  fillCells(pass);
  const what = pass.full ? `No room is left. The older half of the text is forgotten, every token moves to another position, and all ${pass.read} are read again.`
    : pass.n_text === n_prompt ? `The prompt: its ${pass.read} tokens are read in one pass.`
    : `One token is read. Its query meets ${pass.filled + 1} keys, of which ${pass.filled} were in the cache.`;
  words.replaceChildren(element("p", {}, what),
    element("p", {}, `Tokens read so far: ${sum} with the cache, ${without} without one.`));
}

slider.addEventListener("input", update);
document.getElementById("widget").append(element("h3", {}, `A cache with room for ${n_ctx} tokens`),
  element("label", { style: "display:block;max-width:52rem" }, count, slider),
  element("p", {}, "Orange: computed in this pass. Blue: kept from earlier ones. The number in a cell says which token of the text it belongs to."),
  cells, words);
slider.style.width = "100%";
update();
