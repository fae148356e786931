"""Looking inside: on the small model whose logits transformers has confirmed, and by hand."""

import numpy as np
import pytest
from small_model import CONFIG, GOLDEN, IDS, PARAMS
from support import error

from picogpt import lens
from picogpt.model import gpt2
from picogpt.tap import edit, record

ONE, OTHER = IDS


def run(ids, edits=None, params=PARAMS) -> np.ndarray:
    return gpt2(ids, **params, n_head=CONFIG.n_head, tap=edit(edits or {}))


def record_run(ids, params=PARAMS) -> dict[str, np.ndarray]:
    activations = {}
    gpt2(ids, **params, n_head=CONFIG.n_head, tap=record(activations))
    return activations


def fewer_blocks(n: int) -> dict:
    return PARAMS | {"h": PARAMS["h"][:n]}


@pytest.mark.parametrize("ids", [ONE, IDS])
def test_the_lens_reads_what_a_model_of_fewer_blocks_says(ids):
    logits = lens.logit_lens(record_run(ids), PARAMS)
    for n in range(CONFIG.n_layer + 1):
        assert error(logits[n], run(ids, params=fewer_blocks(n))) < 1e-6
    assert len(logits) == CONFIG.n_layer + 1
    assert error(logits[1], logits[2]) > 1e-2


def test_the_lens_ends_in_the_logits_that_transformers_computed():
    assert error(lens.logit_lens(record_run(IDS), PARAMS)[-1], GOLDEN["logits"]) < 1e-5


def test_the_lens_reads_with_a_head_of_its_own():
    params = PARAMS | {"lm_head": PARAMS["wte"][::-1]}
    logits = lens.logit_lens(record_run(IDS, params), params)
    assert error(logits[-1], run(IDS, params=params)) < 1e-6


@pytest.mark.parametrize("ids", [ONE, IDS])
def test_attention_maps_are_the_weights_of_every_block(ids):
    activations = record_run(ids)
    maps = lens.attention_maps(activations, CONFIG.n_layer)
    assert maps.shape == (CONFIG.n_layer, *ids.shape[:-1], CONFIG.n_head, 20, 20)
    for layer, weights in enumerate(maps):
        assert np.array_equal(weights, activations[f"h.{layer}.attn.weights"])
        heads = weights @ activations[f"h.{layer}.attn.v"]
        assert error(heads, activations[f"h.{layer}.attn.heads"]) < 1e-6


def test_lookback_by_hand():
    maps = np.array([[[1.0, 0, 0], [0.3, 0.7, 0], [0.2, 0.5, 0.3]]])
    assert lens.lookback(maps, 0).tolist() == [[1.0, 0.7, 0.3]]
    assert lens.lookback(maps, 1).tolist() == [[0.3, 0.5]]
    assert lens.lookback(maps, 2).tolist() == [[0.2]]


def induction_head(n_seq: int, period: int) -> np.ndarray:
    """Each position looks at the successor of its last occurrence, the first ones at themselves."""
    weights = np.zeros((n_seq, n_seq))
    for i in range(n_seq):
        weights[i, i if i < period else i - period + 1] = 1.0
    return weights


@pytest.mark.parametrize("period", [1, 2, 4, 7])
def test_a_perfect_induction_head_scores_1_and_others_0(period):
    n_seq = 8
    perfect, itself = induction_head(n_seq, period), np.eye(n_seq)
    previous = np.eye(n_seq, k=-1)
    duplicate = np.eye(n_seq, k=-period)
    scores = lens.induction_scores(np.array([perfect, itself, previous, duplicate]), period)
    # With period 1 the successor of the last occurrence is the token itself, with 2 the previous.
    assert scores.tolist() == [1, period == 1, period == 2, 0]


def test_induction_scores_of_uniform_attention():
    weights = np.tril(np.ones((4, 4))) / np.arange(1, 5)[:, None]
    expected = (1 / 3 + 1 / 4) / 2  # positions 2 and 3 give every key the same
    assert lens.induction_scores(weights, 2) == pytest.approx(expected)


def without_rows(layer: int, heads: list[int], constants: np.ndarray) -> dict:
    """Parameters in which c_proj does not read some heads, but constants [n_head, n_head_dim]."""
    c_proj = PARAMS["h"][layer]["attn"]["c_proj"]
    w = c_proj["w"].reshape(CONFIG.n_head, CONFIG.n_head_dim, -1).copy()
    b = c_proj["b"] + sum(constants[head] @ w[head] for head in heads)
    w[heads] = 0
    new = {"w": w.reshape(c_proj["w"].shape), "b": b.astype(np.float32)}
    blocks = list(PARAMS["h"])
    blocks[layer] = blocks[layer] | {"attn": blocks[layer]["attn"] | {"c_proj": new}}
    return PARAMS | {"h": blocks}


@pytest.mark.parametrize("heads", [[0], [2], [0, 2], [0, 1, 2]])
@pytest.mark.parametrize("layer", [0, 1])
def test_a_silent_head_is_one_whose_output_is_not_read(layer, heads):
    edits = lens.ablate_heads([(layer, head) for head in heads], CONFIG)
    zeros = np.zeros((CONFIG.n_head, CONFIG.n_head_dim))
    expected = run(IDS, params=without_rows(layer, heads, zeros))
    assert error(run(IDS, edits), expected) < 1e-5
    assert error(expected, run(IDS)) > 1e-2


@pytest.mark.parametrize("reference", [ONE, IDS])
def test_the_mean_of_a_head_over_texts_and_positions(reference):
    activations = record_run(reference)
    outputs = activations["h.1.attn.heads"].reshape(-1, CONFIG.n_head, 20, CONFIG.n_head_dim)
    means = sum(outputs[i, :, t] for i in range(len(outputs)) for t in range(20))
    means = means / (20 * len(outputs))
    edits = lens.ablate_heads([(1, 2), (1, 0)], CONFIG, mean_of=activations)
    expected = run(OTHER[:9], params=without_rows(1, [0, 2], means))
    assert error(run(OTHER[:9], edits), expected) < 1e-5


def test_heads_of_several_blocks_at_once():
    both = lens.ablate_heads([(0, 1), (1, 2)], CONFIG)
    apart = lens.ablate_heads([(0, 1)], CONFIG) | lens.ablate_heads([(1, 2)], CONFIG)
    assert error(run(IDS, both), run(IDS, apart)) < 1e-6
    assert lens.ablate_heads([], CONFIG) == {}


@pytest.mark.parametrize("name", ["embed", "h.0.resid_mid", "h.1.resid"])
def test_patching_the_whole_stream_gives_the_other_run(name):
    edits = lens.patch(record_run(OTHER), [name])
    assert error(run(ONE, edits), run(OTHER)) < 1e-6


def test_patching_all_positions_by_number_gives_the_other_run():
    edits = lens.patch(record_run(OTHER), ["h.0.resid"], positions=range(20))
    assert error(run(ONE, edits), run(OTHER)) < 1e-6


def test_patching_one_position_changes_that_token():
    changed = ONE.copy()
    changed[7] = OTHER[7]
    edits = lens.patch(record_run(OTHER), ["embed"], positions=[7])
    assert error(run(ONE, edits), run(changed)) < 1e-6


def test_patching_several_activations():
    source = record_run(OTHER)
    edits = lens.patch(source, ["h.0.attn.c_proj", "h.1.mlp.gelu"], positions=[3, 5])
    seen = {}
    tap = edit(edits)
    gpt2(ONE, **PARAMS, n_head=3, tap=lambda name, x: seen.setdefault(name, tap(name, x)))
    own = record_run(ONE)
    for name in edits:
        assert np.array_equal(seen[name][[3, 5]], source[name][[3, 5]])
    kept = [i for i in range(20) if i not in (3, 5)]
    assert error(seen["h.0.attn.c_proj"][kept], own["h.0.attn.c_proj"][kept]) < 1e-6


def test_looking_and_editing_leave_what_was_recorded_as_it_was():
    activations = record_run(IDS)
    copies = {name: x.copy() for name, x in activations.items()}
    lens.logit_lens(activations, PARAMS)
    lens.induction_scores(lens.attention_maps(activations, 2), 10)
    edits = lens.ablate_heads([(0, 1)], CONFIG, mean_of=activations)
    edits |= lens.patch(activations, ["h.1.resid"], positions=[3])
    for name, new in edits.items():
        new(activations[name])
    assert all(np.array_equal(activations[name], copies[name]) for name in copies)


MAPS = np.zeros((3, 5, 5))
LONG, SHORT = record_run(ONE), record_run(ONE[:5])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: lens.attention_maps({}, 2), r"no activation 'h.0.attn.weights' was recorded"),
        (lambda: lens.logit_lens({}, PARAMS), r"no activation 'embed' was recorded"),
        (lambda: lens.lookback(MAPS, 5), r"there is no distance 5, expected 0 to 4"),
        (lambda: lens.lookback(MAPS, -1), r"there is no distance -1, expected 0 to 4"),
        (lambda: lens.induction_scores(MAPS, 5), r"the period is 5, expected 1 to 4"),
        (lambda: lens.induction_scores(MAPS, 0), r"the period is 0, expected 1 to 4"),
        (lambda: lens.ablate_heads([(2, 0)], CONFIG), r"there is no block 2, expected 0 to 1"),
        (lambda: lens.ablate_heads([(0, -1)], CONFIG), r"there is no head -1, expected 0 to 2"),
        (lambda: lens.ablate_heads([(0, 0)], CONFIG, {}), r"no activation 'h.0.attn.heads'"),
        (lambda: lens.patch({}, ["h.9.resid"]), r"no activation 'h.9.resid' was recorded"),
        (lambda: lens.patch(SHORT, ["embed"], [5]), r"there is no position 5, expected 0 to 4"),
        (lambda: run(ONE, lens.patch(SHORT, ["embed"])), r"edit of embed returned float32 \[5, 24"),
        (lambda: run(ONE[:5], lens.patch(LONG, ["embed"], [5])), r"an edit of \[5, 24\]: index 5"),
    ],
)
def test_bad_input(act, message):
    with pytest.raises(ValueError, match=message):
        act()
