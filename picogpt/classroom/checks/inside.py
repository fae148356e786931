"""The exercises of notebook 8: looking inside."""

import numpy as np

from ...lens import put
from ...ops import layer_norm
from ...tap import edit, record
from .verdict import expect, numbers


def check_8_1(function, stream, parts, towards, ln_f) -> None:
    """What each part adds to the difference of two logits.

    stream: [n_embd], the sum of the parts, a dict; towards: [n_embd], the difference of two rows
    of wte; ln_f: its gain and bias.
    """
    expect(np.any(numbers(function(stream)) != 0), "no answer yet")
    size = np.abs(numbers(function(stream)))
    nothing = np.abs(numbers(function(np.zeros_like(stream))))
    expect(nothing < 1e-4 * max(1, size), "ln_f's bias belongs to no part: leave it out")
    level = numbers(function(np.ones_like(stream)))
    expect(np.abs(level) < 1e-4 * max(1, size), "the norm subtracts the mean of each part, too")
    total = sum(float(numbers(function(part))) for part in parts.values())
    expected = float(layer_norm(stream, **ln_f) @ towards) - float(ln_f["b"] @ towards)
    one, two, *_ = parts.values()
    apart, together = numbers(function(one)) + numbers(function(two)), numbers(function(one + two))
    linear = np.isclose(apart, together, rtol=1e-3, atol=1e-3)
    expect(linear, "it must be linear: no standard deviation of the part itself")
    same = np.isclose(total, expected, rtol=1e-3, atol=1e-3)
    expect(same, "the parts must add up to he minus she, without the share of ln_f's bias")


def check_8_2(edits, model, he_ids, she_ids) -> None:
    """One activation at one position that turns the answer of one run into the other's."""
    expect(isinstance(edits, dict), "expected the edits that lens.patch makes")
    expect(len(edits) > 0, "no answer yet")
    expect(len(edits) == 1, "one activation, please")
    (name,) = edits
    expect(name not in ("wte", "wpe", "embed"), "after at least one block")
    expect(name != "logits", "the logits are the answer itself: patch what they are made from")
    before, wanted, found = model(he_ids), model(she_ids), model(he_ids, tap=edit(edits))
    limit = 1e-5 * np.ptp(wanted)
    reached = np.abs(found[:, -1] - wanted[:, -1]).max() < limit
    expect(reached, "the last logits are not the queen's")
    kept = np.abs(found[:, :-1] - before[:, :-1]).max() < limit
    expect(kept, "right, but at more than one position")


def check_8_3(answer, model, pairs, text, heads) -> None:
    """How far heads move the answer in another sentence: text with {} for the noun of a pair."""
    answer = float(numbers(answer))
    encode = model.tokenizer.encode
    he_ids, she_ids = (np.array([encode(text.format(pair[i])) for pair in pairs]) for i in (0, 1))
    seen = {}
    she_logits = model(she_ids, tap=record(seen))
    edits = {}
    for block in {block for block, _ in heads}:
        where = (..., [head for i, head in heads if i == block], -1, slice(None))
        name = f"h.{block}.attn.heads"
        edits[name] = put(where, seen[name][where])
    he, she = encode(" he")[0], encode(" she")[0]
    before, after, patched = (
        logits[:, -1, he] - logits[:, -1, she]
        for logits in (model(he_ids), she_logits, model(he_ids, tap=edit(edits)))
    )
    gone, way = before - patched, before - after
    shares = gone.mean() / way.mean(), (gone / way).mean()  # two ways to take the mean
    percent = np.isclose(answer, 100 * np.array(shares), atol=0.5).any() and abs(answer) > 1.5
    expect(not percent, "a share, not a percentage")
    close = np.isclose(answer, shares, atol=2e-3) | np.isclose(answer, np.round(shares, 2))
    expect(close.any(), "we get another number; both runs are of the new sentence")
