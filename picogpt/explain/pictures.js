// Pictures of numbers. Each can be read with the pointer and with the arrow keys.

function element(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "rect", "circle", "text", "a@svg"].includes(name);
  const made = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name.split("@")[0])
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

// Blue below zero, orange above: the colour-blind can tell these apart. Zero is the paper.
function colour(share, isDark) {
  const paper = isDark ? [23, 23, 27] : [255, 255, 255];
  const end = share < 0 ? (isDark ? [110, 180, 255] : [0, 70, 150]) : isDark ? [255, 170, 70] : [170, 75, 0];
  const strength = Math.min(1, Math.sqrt(Math.abs(share)));
  return paper.map((from, i) => from + (end[i] - from) * strength);
}

// [rows, columns] on a canvas, a pixel for each number. The largest number of `scale` has the full colour.
function paint(canvas, values, rows, columns, scale = values) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const isDark = dark(); // once: asking for every number would take a second
  let largest = 1e-30;
  for (const x of scale) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  values.forEach((x, i) => image.data.set([...colour(Number.isFinite(x) ? x / largest : 0, isDark), 255], 4 * i));
  context.putImageData(image, 0, 0);
}

// A picture of values with a line below it that says the number under the pointer or the cursor.
// say(row, column) is how its place is called.
function picture(label, values, rows, columns, say, scale = values) {
  values = Array.from(values);
  const canvas = element("canvas", { tabindex: 0, role: "img", "aria-label": `${label}. Arrow keys read its numbers.` });
  const output = element("output", { "aria-live": "polite" });
  let [i, j] = [rows > 1 ? rows - 1 : 0, 0];
  const tell = () => { output.textContent = `${say(i, j)}: ${show(values[i * columns + j])}`; };
  const bound = (x, n) => Math.max(0, Math.min(n - 1, x));
  canvas.addEventListener("pointermove", event => {
    const box = canvas.getBoundingClientRect();
    i = bound(Math.floor((event.clientY - box.top) / box.height * rows), rows);
    j = bound(Math.floor((event.clientX - box.left) / box.width * columns), columns);
    tell();
  });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    [i, j] = [bound(i + step[0], rows), bound(j + step[1], columns)];
    tell();
  });
  canvas.addEventListener("focus", tell);
  paint(canvas, values, rows, columns, scale);
  if (rows > 1) canvas.style.width = `${Math.max(7, Math.min(22, 300 / columns)) * columns}px`;
  const finite = values.filter(Number.isFinite);
  const range = `${label} (${show(Math.min(...finite))} to ${show(Math.max(...finite))})`;
  return element("div", { class: rows > 1 ? "picture" : "picture strip" }, element("h4", {}, range), canvas, output);
}

const strip = (label, values) => picture(label, values, 1, values.length, (_, j) => `number ${j}`);

// Attention of all positions to all positions, the row of the chosen one in a frame.
function square(label, values, scale) {
  const made = picture(label, values, n, n, (i, j) => `${i} ${tokenText(ids[i])} looks at ${j} ${tokenText(ids[j])}`, scale);
  const canvas = made.querySelector("canvas");
  const frame = element("div", { class: "frame", style: `top:${100 * state.position / n}%;height:${100 / n}%` });
  const place = element("div", { class: "place" });
  canvas.replaceWith(place);
  place.append(canvas, frame);
  return made;
}

// Arcs from one token to those that it looks at, the wider the larger the share.
function arcs(shares, position) {
  const step = 56, width = step * (position + 1);
  const svg = element("svg", { viewBox: `0 0 ${width} 110`, width, role: "img",
    "aria-label": `Arcs from token ${position} to those it looks at` });
  for (let j = 0; j <= position; j++) {
    const [from, to] = [step * (position + .5), step * (j + .5)];
    const height = Math.min(78, 12 + (from - to) / 4);
    const text = tokenText(data.ids[j]);
    const path = j < position ? `M${from} 85 Q${(from + to) / 2} ${85 - 2 * height} ${to} 85`
      : `M${from - 6} 85 C${from - 26} 45 ${from + 26} 45 ${from + 6} 85`; // a loop: it looks at itself
    svg.append(element("path", { class: "arc", "stroke-width": 8 * shares[j], d: path }));
    svg.append(element("text", { x: to, y: 100, "text-anchor": "middle" }, text.length > 7 ? text.slice(0, 6) + "…" : text));
  }
  return element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Arcs" }, svg);
}

// GELU as a curve, with points for some of the inputs.
function geluCurve(inputs) {
  const x = value => 150 + 29 * Math.max(-5, Math.min(5, value));
  const y = value => 160 - 29 * Math.min(5, value);
  const points = Array.from({ length: 101 }, (_, i) => -5 + i / 10);
  const svg = element("svg", { viewBox: "0 0 300 180", width: 300, role: "img",
    "aria-label": "GELU as a curve, with the strongest neurons of this token on it" });
  svg.append(element("line", { class: "wire", x1: 0, x2: 300, y1: 160, y2: 160 }),
    element("line", { class: "wire", x1: 150, x2: 150, y1: 10, y2: 180 }),
    ...[-5, 5].map(i => element("text", { x: x(i) - 6, y: 176 }, String(i))),
    element("text", { x: 156, y: y(5) + 6 }, "5"),
    element("path", { class: "curve", d: "M" + points.map(p => `${x(p)} ${y(gelu(p))}`).join("L") }));
  for (const input of inputs) svg.append(element("circle", { class: "dot", r: 3.5, cx: x(input), cy: y(gelu(input)) }));
  return svg;
}

// Rows of cells; a number stands at the right, an element as it is. The first column is a header.
function table(caption, heads, rows, here = -1) {
  const cell = (x, i) => i === 0 ? element("th", { scope: "row" }, x)
    : element("td", x instanceof Element && x.className === "bar" ? { class: "bars" } : {}, x);
  return element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption },
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map(x => element("th", { scope: "col" }, x)))),
      element("tbody", {}, ...rows.map((cells, i) =>
        element("tr", i === here ? { class: "here" } : {}, ...cells.map(cell))))));
}

const bar = share => element("span", { class: "bar", style: `width:${100 * share}%` });
