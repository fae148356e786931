"use strict";
// The data of the page, and arrays out of their base64.

const data = JSON.parse(document.getElementById("data").textContent);
const KINDS = { f4: Float32Array, i4: Int32Array, i2: Int16Array, i1: Int8Array };

// A packed array as {shape, values}; whole numbers are multiplied by the scale of their row.
function unpack(packed) {
  if (packed.values) return packed;
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
  const whole = new KINDS[packed.kind](bytes(packed.data));
  packed.values = whole;
  if (packed.scale) {
    const scale = new Float32Array(bytes(packed.scale));
    const width = packed.shape.at(-1);
    packed.values = Float32Array.from(whole, (x, i) => x * scale[Math.floor(i / width)]);
  }
  return packed;
}

// One index of the first axis: [n, ...] -> [...], without a copy.
function row(packed, i) {
  const { shape, values } = unpack(packed);
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return { shape: shape.slice(1), values: values.subarray(i * size, (i + 1) * size) };
}

const array = name => data.arrays[name];
const inBlock = (block, name) => array(`h.${block}.${name}`);
const gelu = x => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const show = x => x === -Infinity ? "−∞" : x === 0 ? "0" : x.toPrecision(4);
const percent = p => `${(100 * p).toFixed(p < 0.001 ? 4 : 2)} %`;

// A token as text that can be seen: spaces and line ends have signs of their own.
function tokenText(id) {
  if (id === data.endoftext) return "<|endoftext|>";
  return (data.texts[id] ?? `#${id}`).replace(/ /g, "␣").replace(/\n/g, "⏎").replace(/\t/g, "⇥")
    .replace(/[\u0000-\u001f]/g, c => String.fromCharCode(0x2400 + c.charCodeAt(0))) || "∅";
}
