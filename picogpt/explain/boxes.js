// What fills each box, and the choices that the whole page follows.

const state = { position: data.n_prompt - 1, block: data.blocks[0] ?? 0, head: 0 };
const sliders = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const { config, ids } = data;
const n = ids.length;
const stream = block => block === 0 ? "embed" : `h.${block - 1}.resid`;
const at = name => row(array(name), state.position).values;

function fill(id, ...parts) {
  const section = document.getElementById(id);
  section.querySelector(".numbers")?.remove();
  section.append(element("div", { class: "numbers" }, ...parts));
  const footer = section.querySelector("details.source");
  if (footer) section.append(footer);
}

const statistics = name => {
  const [mean, deviation, length] = row(data.statistics[name], state.position).values;
  return element("p", { class: "statistics" }, `mean ${show(mean)}, standard deviation ${show(deviation)}, length ${show(length)}`);
};

function fillText() {
  const lines = data.words.map(word => [
    word.text.replace(/ /g, "␣").replace(/\n/g, "⏎"),
    word.bytes.map(b => b.toString(16).padStart(2, "0")).join(" "),
    [word.symbols.join(" "), ...word.merges.map(([rank, symbols]) => `${rank}: ${symbols.join(" ")}`)].join("\n"),
    word.ids.join(" "),
  ]);
  fill("text", table("Words of the prompt", ["word", "bytes", "rank of the merge: pieces after it", "ids"], lines));
}

function fillEmbed() {
  fill("embed", strip(`wte, row ${ids[state.position]}`, at("wte")),
    strip(`wpe, row ${state.position}`, at("wpe")),
    strip("embed, their sum", at("embed")), statistics("embed"));
}

// The boxes that show the chosen block.
const BLOCK_BOXES = ["ln_1", "qkv", "scores", "heads", "resid_mid", "mlp", "resid"];
const someShown = boxes => !data.boxes || boxes.some(id => data.boxes.includes(id));

function fillBlock() {
  const { block, head } = state;
  const kept = data.blocks.includes(block);
  document.querySelector(".block-number").textContent = block;
  document.querySelector(".missing").hidden = kept || !someShown(BLOCK_BOXES);
  for (const id of BLOCK_BOXES)
    document.getElementById(id).hidden = !kept;
  if (!kept) return;
  const name = part => `h.${block}.${part}`;
  const d = config.n_head_dim;
  const headPart = (values, i) => values.subarray((i * config.n_head + head) * d, (i * config.n_head + head + 1) * d);
  fill("ln_1", statistics(stream(block)), strip("ln_1: the stream, normed", at(name("ln_1"))));
  const qkv = at(name("attn.c_attn"));
  fill("qkv", ...["q", "k", "v"].map((x, i) => strip(`${x} of head ${head}`, headPart(qkv, i))));
  fillScores();
  fill("heads", strip(`head ${head}: the weighted values`, headPart(at(name("attn.merged")), 0)),
    strip("merged: all heads side by side", at(name("attn.merged"))),
    strip("c_proj: what is added to the stream", at(name("attn.c_proj"))));
  fill("resid_mid", strip("resid_mid: the stream after attention", at(name("resid_mid"))), statistics(name("resid_mid")));
  fillMlp(name);
  fill("resid", strip("resid: the stream after the block", at(name("resid"))), statistics(name("resid")));
}

function fillScores() {
  const products = row(inBlock(state.block, "products"), state.head).values;
  const scaled = products.map(x => x / Math.sqrt(config.n_head_dim));
  const masked = scaled.map((x, i) => i % n > Math.floor(i / n) ? -Infinity : x);
  const weights = row(data.maps[state.block], state.head).values;
  fill("scores", element("div", { class: "matrices" },
    square("q times k", products), square(`divided by √${config.n_head_dim} = ${show(Math.sqrt(config.n_head_dim))}, same scale`, scaled, products),
    square("scores, with the mask", masked), square("weights, after the softmax", weights)));
}

function fillMlp(name) {
  const inputs = at(name("mlp.c_fc"));
  const strongest = Array.from(inputs.keys()).sort((a, b) => Math.abs(gelu(inputs[b])) - Math.abs(gelu(inputs[a]))).slice(0, 10);
  fill("mlp", strip("ln_2: the stream, normed again", at(name("ln_2"))), strip("c_fc: the hidden layer, before GELU", inputs),
    strip("gelu: the hidden layer, after GELU", inputs.map(gelu)),
    element("h4", {}, "The strongest neurons of this token"),
    element("div", { class: "matrices" },
      table("Strongest neurons", ["neuron", "in", "after GELU"], strongest.map(i => [String(i), show(inputs[i]), show(gelu(inputs[i]))])),
      geluCurve(strongest.map(i => inputs[i]))),
    strip("c_proj: what is added to the stream", at(name("mlp.c_proj"))));
}

// The pattern that gets more than half of a head's attention, and its share.
const mainPattern = patterns => Object.entries(patterns).find(([, share]) => share >= 0.5) ?? ["", 0];

// For each pattern the head that gives it most: [pattern, head, share].
function champions() {
  const all = data.patterns.flatMap((heads, block) => heads.flatMap((patterns, head) =>
    Object.entries(patterns).map(([pattern, share]) => [pattern, `block ${block}, head ${head}`, share])));
  return [...new Set(all.map(([pattern]) => pattern))].map(pattern =>
    all.filter(x => x[0] === pattern).reduce((best, x) => x[2] > best[2] ? x : best));
}

function fillAttention() {
  const grid = element("div", { id: "grid", style: `grid-template-columns: repeat(${config.n_head}, minmax(2rem, 7rem))` });
  data.maps.forEach((maps, block) => data.patterns[block].forEach((patterns, head) => {
    const canvas = element("canvas", { "aria-hidden": "true" });
    paint(canvas, row(maps, head).values, n, n);
    const [pattern, share] = mainPattern(patterns);
    const text = `${block}.${head} ${pattern}`;
    const label = `${text}: block ${block}, head ${head}${pattern ? `, ${percent(share)}` : ""}`;
    grid.append(element("button", { "aria-label": label, title: label, "data-head": `${block}.${head}`, onclick: () => choose({ block, head }) },
      canvas, text));
  }));
  fill("attention", grid, table("Patterns", ["pattern", "the head that gives it most", "share of its attention"],
    champions().map(([pattern, head, share]) => [pattern, head, percent(share)])), element("div", { id: "large" }));
}

function showLarge() {
  const { block, head, position } = state;
  const weights = row(data.maps[block], head).values;
  const [pattern, share] = mainPattern(data.patterns[block][head]);
  const shares = Array.from(weights.subarray(position * n, (position + 1) * n));
  const most = Array.from(shares.keys()).sort((a, b) => shares[b] - shares[a]).slice(0, Math.min(3, position + 1));
  document.getElementById("large").replaceChildren(
    element("h4", {}, `Block ${block}, head ${head}: ${pattern ? `${pattern}, ${percent(share)} of its attention` : "no pattern with a name"}`),
    element("p", { class: "most" }, `${tokenText(ids[position])} looks most at: ${most.map(j => `${j} ${tokenText(ids[j])} ${percent(shares[j])}`).join(", ")}`),
    arcs(shares, position), square("weights", weights));
  const arcsBox = document.querySelector("#large .scroll");
  arcsBox.scrollLeft = arcsBox.scrollWidth; // where the chosen token stands
  for (const button of document.querySelectorAll("#grid button"))
    button.setAttribute("aria-pressed", button.dataset.head === `${block}.${head}`);
}

function fillLens() {
  const lines = Array.from({ length: config.n_layer + 1 }, (_, depth) => {
    const best = row(row(data.lens.ids, depth), state.position).values;
    const probs = row(row(data.lens.probs, depth), state.position).values;
    return [depth === 0 ? "embedding" : `block ${depth - 1}`, depth === 0 ? "" : percent(row(data.lens.moved, depth).values[state.position]),
      ...Array.from(best, (id, i) => `${tokenText(id)} ${percent(probs[i])}`)];
  });
  fill("lens", table("The lens", ["after", "moved", "likeliest", "second", "third", "fourth"], lines, state.block + 1));
}

function fillLast() {
  const best = candidates(state.position).filter(c => c.id !== null).slice(0, 10);
  document.querySelector(".tied").textContent = config.tied
    ? "These rows are wte again, the table from the beginning: the two ends are tied." : "This model has a matrix of its own for this.";
  fill("ln_f", strip("ln_f", at("ln_f")),
    table("The largest logits", ["token", "id", "logit"], best.map(c => [tokenText(c.id), String(c.id), show(c.logit)])));
}

function fillNext() {
  const slider = (key, label, max, step, describe) => {
    const output = element("output", {}, describe(sliders[key]));
    const input = element("input", { type: "range", min: 0, max, step, value: sliders[key], "data-slider": key,
      oninput: event => { sliders[key] = Number(event.target.value); output.textContent = describe(sliders[key]); showDistribution(); } });
    return element("label", {}, label, output, input);
  };
  const off = value => value === 0 ? "off" : String(value);
  fill("next", element("div", { class: "sliders" },
    slider("temperature", "temperature", 2, 0.05, x => x === 0 ? "0, the likeliest" : String(x)),
    slider("topK", "top-k", 100, 1, off),
    slider("topP", "top-p", 1, 0.01, x => x === 1 ? "off" : String(x)),
    slider("minP", "min-p", 1, 0.01, off)),
  element("p", {}, element("button", { id: "die", onclick: drawToken }, "⚄ Draw a token"), " ", element("output", { id: "drawn", "aria-live": "polite" })),
  element("div", { id: "distribution" }));
  showDistribution();
}

// top-p of 0 would keep nothing: the likeliest always stays
const current = () => distribution(candidates(state.position), { ...sliders, topP: Math.max(sliders.topP, 1e-9) });

function showDistribution() {
  const plain = distribution(candidates(state.position), { temperature: 1, topK: 0, topP: 1, minP: 0 });
  const kept = current();
  const others = kept.slice(15).reduce((total, c) => total + c.p, 0);
  const lines = kept.slice(0, 15).map((c, i) => [c.id === null ? `${c.count} rarer tokens` : tokenText(c.id), percent(plain[i].p), c.p ? percent(c.p) : "removed", c.p ? bar(c.p) : ""]);
  const left = kept.filter(c => c.p > 0).reduce((total, c) => total + c.count, 0);
  document.getElementById("distribution").replaceChildren(
    table("The distribution", ["token", "model's", "with the sliders", "as a bar"], lines),
    element("p", {}, `All other tokens together: ${percent(others)} (the model's: ${percent(plain.slice(15).reduce((total, c) => total + c.p, 0))}). Tokens that may be drawn: ${left}.`));
}

function drawToken() {
  const drawn = drawFrom(current(), Math.random());
  document.getElementById("drawn").textContent = `${drawn.id === null ? `one of ${drawn.count} rarer tokens` : tokenText(drawn.id)} (one draw by chance; the text stays as it is)`;
}

function fillWritten() {
  const lines = ids.slice(data.n_prompt).map((id, i) => {
    const position = data.n_prompt + i - 1;
    const all = distribution(candidates(position), { temperature: 1, topK: 0, topP: 1, minP: 0 });
    const own = all.find(c => c.id === id);
    const button = element("button", { class: "token", onclick: () => choose({ position }) }, tokenText(id));
    return [button, own ? percent(own.p) : "rare", ...all.slice(0, 4).map(c => `${tokenText(c.id)} ${percent(c.p)}`)];
  });
  fill("written", lines.length ? table("What it wrote", ["token", "probability", "likeliest", "second", "third", "fourth"],
    lines, state.position - data.n_prompt + 1) : "Nothing was written.");
}

// Under each box: the names and shapes of its activations, and the source of its functions.
function addSources() {
  for (const section of document.querySelectorAll("section[data-source]")) {
    const details = element("details", { class: "source" }, element("summary", {}, "For programmers: names, shapes and source"));
    details.append(element("div", { class: "shapes" }));
    for (const name of section.dataset.source.split(" ")) {
      const [file, text] = data.sources[name];
      details.append(element("h4", {}, `${name}, in ${file}`),
        element("pre", { tabindex: 0, role: "group", "aria-label": `Source of ${name}` }, text));
    }
    section.append(details);
  }
}

function showShapes() {
  for (const section of document.querySelectorAll("section[data-tap]")) {
    const names = section.dataset.tap.split(" ").map(name => name.replace("N", state.block));
    section.querySelector(".shapes").replaceChildren(table("Shapes", ["name", "shape"],
      names.map(name => [name, `[${data.shapes[name].join(", ")}]`])));
  }
}

function drawChoices() {
  const tokens = document.getElementById("tokens");
  ids.forEach((id, position) => tokens.append(element("button", {
    class: `token${position < data.n_prompt ? "" : " written"}${id === data.endoftext ? " special" : ""}`,
    "data-position": position, "aria-label": `Token ${position}: ${tokenText(id)}, id ${id}${position < data.n_prompt ? "" : ", written by the model"}`,
    onclick: () => choose({ position }) }, tokenText(id))));
  for (const [key, count] of [["block", config.n_layer], ["head", config.n_head]]) {
    const select = document.getElementById(key);
    for (let i = 0; i < count; i++) select.append(element("option", { value: i }, String(i)));
    select.addEventListener("change", () => choose({ [key]: Number(select.value) }));
  }
}

function choose(choice) {
  Object.assign(state, choice);
  for (const key of ["block", "head"]) document.getElementById(key).value = state[key];
  const tokens = document.getElementById("tokens");
  for (const button of tokens.children) {
    button.setAttribute("aria-pressed", Number(button.dataset.position) === state.position);
    if (Number(button.dataset.position) === state.position)
      tokens.scrollLeft = button.offsetLeft - tokens.offsetLeft - tokens.clientWidth / 2;
  }
  for (const link of document.querySelectorAll("#map a[data-block]"))
    link.setAttribute("aria-current", Number(link.dataset.block) === state.block);
  document.getElementById("chosen").textContent = `Token ${state.position} ${tokenText(ids[state.position])}, id ${ids[state.position]}`;
  const focused = document.activeElement?.closest?.("#written") ? state.position : null;
  fillEmbed();
  fillBlock();
  showLarge();
  fillLens();
  fillLast();
  fillNext();
  fillWritten();
  showShapes();
  if (focused !== null) document.querySelectorAll("#written button")[focused - data.n_prompt + 1]?.focus();
}

function redraw() {
  fillAttention();
  choose({});
}

// Only a part of the page, for a notebook.
function showOnly(boxes) {
  for (const section of document.querySelectorAll("main > section"))
    section.classList.toggle("left-out", !boxes.includes(section.id));
  for (const link of document.querySelectorAll("#map a"))
    link.classList.toggle("left-out", !boxes.includes(link.dataset.target));
  document.getElementById("map").classList.toggle("left-out", !boxes.includes("map"));
  for (const other of document.querySelectorAll("header, main > h2"))
    other.classList.add("left-out");
  for (const label of document.querySelectorAll("#choices label"))
    label.classList.toggle("left-out", !someShown([...BLOCK_BOXES, "attention"]));
}

// A formula may be wider than a telephone, and is then moved with the arrow keys.
document.querySelectorAll("math").forEach(formula => formula.setAttribute("tabindex", 0));
drawMap();
drawChoices();
addSources();
fillText();
redraw();
if (data.boxes) showOnly(data.boxes);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
const say = (selector, text) => document.querySelectorAll(selector).forEach(place => { place.textContent = text; });
say("#model", `The model of this page is a GPT-2 of ${config.n_layer} blocks with ${config.n_head} heads each. Its lists have ` +
  `${config.n_embd} numbers, and it knows ${config.n_vocab} tokens.`);
say(".width", config.n_embd);
say(".head-width", config.n_head_dim);
say(".hidden-width", data.shapes["h.0.mlp.c_fc"].at(-1));
say(".drawn", data.drawn ? "Each was drawn by chance, with just this probability, so unlikely ones come too." : "Each time the likeliest was taken.");
say("#about", "Exact to float32: probabilities, logits, mean, deviation and length of the stream, and the lens. " +
  `Attention weights and products are stored in 16 bits, and all other numbers in ${data.bits} bits, with a scale for each row. ` +
  `Beyond the ${unpack(data.likeliest.ids).shape[1]} likeliest tokens, logits are kept in ${unpack(data.likeliest.bin_counts).shape[0]} groups.`);
