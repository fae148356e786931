// From logits to probabilities, as picogpt/decoding/sampling.py does it, in the same order.

// The logits after a position: the largest one by one, all others in bins of many tokens each.
function candidates(position) {
  const ids = Array.from(row(data.likeliest.ids, position).values);
  const logits = Array.from(row(data.likeliest.logits, position).values);
  const found = ids.map((id, i) => ({ id, count: 1, logit: logits[i] }));
  const counts = unpack(data.likeliest.bin_counts).values;
  row(data.likeliest.bin_logits, position).values.forEach((logit, i) =>
    found.push({ id: null, count: counts[i], logit }));
  return found;
}

// Each candidate with p, the probability of all its tokens together; removed ones have 0.
function distribution(found, { temperature, topK, topP, minP }) {
  if (temperature === 0) return found.map((c, i) => ({ ...c, p: i === 0 ? 1 : 0 }));
  let kept = found.map(c => ({ ...c, p: c.count * Math.exp((c.logit - found[0].logit) / temperature) }));
  const normalise = () => {
    const sum = kept.reduce((total, c) => total + c.p, 0);
    kept.forEach(c => { c.p /= sum; });
  };
  if (topK) kept.forEach(c => { if (c.id === null || c.logit < found[Math.min(topK, found.length) - 1].logit) c.p = 0; });
  normalise();
  if (topP < 1) {
    let before = 0;
    for (const c of kept) {
      const p = c.p;
      const needed = Math.ceil((topP - before) / (p / c.count)); // so many of a bin's tokens
      c.p = p === 0 || before >= topP ? 0 : p * Math.min(1, Math.max(1, needed) / c.count);
      before += p;
    }
    normalise();
  }
  const least = minP * Math.max(...kept.map(c => c.p / c.count));
  kept.forEach(c => { if (c.p / c.count < least) c.p = 0; });
  normalise();
  return kept;
}

function drawFrom(kept, random) {
  let at = random;
  for (const c of kept) {
    if (c.p > 0 && at < c.p) return c;
    at -= c.p;
  }
  return kept.findLast(c => c.p > 0);
}
