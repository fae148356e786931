// The map: one column, the stream as a thick line on the left, the branches on its right.

function drawMap() {
  const rows = [];
  const box = (label, target, y, choice = {}, x = 20, width = 290) => {
    const link = element("a@svg", { href: `#${target}`, "data-target": target, "aria-label": label,
      onclick: event => { event.preventDefault(); choose(choice); goTo(target); } });
    link.append(element("rect", { x, y, width, height: 26, rx: 5 }), element("text", { x: x + 8, y: y + 17 }, label));
    if ("block" in choice) link.dataset.block = choice.block;
    rows.push(link);
  };
  const wire = (d, kind = "wire") => rows.unshift(element("path", { d, class: kind }));
  box(`text to ids: ${n} tokens`, "text", 4);
  box(`wte [${config.n_vocab}, ${config.n_embd}] + wpe [${config.n_ctx}, ${config.n_embd}]`, "embed", 44);
  let y = 86;
  for (let block = 0; block < config.n_layer; block++, y += 72) {
    wire(`M40 ${y - 2}H75V${y + 13}H110M110 ${y + 26}H40`);
    wire(`M40 ${y + 33}H75V${y + 46}H110M110 ${y + 60}H40`);
    rows.push(element("text", { x: 2, y: y + 32 }, String(block)));
    box(`attention, ${config.n_head} heads of ${config.n_head_dim}`, "ln_1", y, { block }, 90, 220);
    box(`MLP, ${data.shapes["h.0.mlp.c_fc"].at(-1)} neurons`, "mlp", y + 34, { block }, 90, 220);
  }
  wire(`M40 70V${y + 72}`, "stream");
  box("all heads", "attention", y, {}, 90, 220);
  box("the lens: what would it say?", "lens", y + 34, {}, 90, 220);
  y += 72;
  box("last norm and logits" + (config.tied ? ", wte again" : ""), "ln_f", y);
  box("the next token", "next", y + 36);
  box("what it wrote", "written", y + 72);
  document.getElementById("map").append(element("svg", { viewBox: `0 0 320 ${y + 102}`, role: "group", "aria-label": "The forward pass as a drawing" }, ...rows));
}

function goTo(target) {
  const section = document.getElementById(target);
  section.setAttribute("tabindex", -1);
  section.scrollIntoView();
  section.focus({ preventScroll: true });
}
