"""GPT-2 on one screen: against transformers, and everything else in the package against it."""

import ast
import inspect

import numpy as np
import pytest
from generation import NO_END, growing_text
from small_model import CONFIG, GOLDEN, IDS, PARAMS, run
from support import error, part_of, random_params

from picogpt import backward, ops, plain
from picogpt.config import flatten, unflatten
from picogpt.decoding.loop import token_steps
from picogpt.kv_cache import KVCache

N_LINES = 60  # of code


def lines_of_code(source: str) -> set[int]:
    """The numbers of the lines that hold code, and not only comments or docstrings."""
    tree = ast.parse(source)
    (docstring,) = [x for x in tree.body if isinstance(x, ast.Expr)]
    lines = {x.lineno for x in ast.walk(tree) if hasattr(x, "lineno")}
    return lines - set(range(docstring.lineno, docstring.end_lineno + 1))


def test_it_fits_on_one_screen():
    assert len(lines_of_code(inspect.getsource(plain))) <= N_LINES


def test_logits_equal_transformers():
    for ids, logits in zip(IDS, GOLDEN["logits"], strict=True):
        assert error(plain.gpt2(ids, **PARAMS, n_head=CONFIG.n_head), logits) < 1e-5


def test_greedy_ids_equal_transformers():
    n_new = len(GOLDEN["greedy"])
    ids = plain.generate(IDS[0, :4], n_new, PARAMS, CONFIG.n_head)
    assert ids == [*IDS[0, :4], *GOLDEN["greedy"]]


@pytest.mark.parametrize("name", ["gelu", "softmax", "layer_norm", "linear"])
def test_ops_equal_pytorch(name):
    arguments = part_of(GOLDEN, f"ops/{name}/")
    expected = arguments.pop("out")
    assert error(getattr(plain, name)(**arguments), expected) < 1e-6


def test_attention_agrees():
    q, k, v = np.random.default_rng(0).standard_normal((3, 9, 8), np.float32)
    assert error(ops.causal_attention(2 * q, k, v), plain.causal_attention(2 * q, k, v)) < 1e-6


@pytest.mark.parametrize("untied", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_agrees(untied, dtype):
    params = PARAMS | ({"lm_head": random_params(CONFIG, seed=5)["wte"]} if untied else {})
    params = unflatten({path: x.astype(dtype) for path, x in flatten(params).items()})
    ids = IDS[1]
    expected = plain.gpt2(ids, **params, n_head=CONFIG.n_head)
    assert error(run(ids, params), expected) < 1e-6
    assert expected.dtype == dtype
    cache = KVCache(CONFIG, dtype=dtype)
    parts = [run(part, params, cache=cache) for part in np.split(ids, [1, 2, 9])]
    assert error(np.concatenate(parts), expected) < 1e-6


def test_the_loop_agrees():
    ids = IDS[0, :4].tolist()
    text = growing_text(ids, 12)
    for _ in token_steps([text], PARAMS, CONFIG, endoftext=NO_END):
        pass
    assert text.ids == plain.generate(ids, 12, PARAMS, CONFIG.n_head)


def quoted_lines() -> list[str]:
    """The forward lines above the gradients."""
    lines = map(str.strip, inspect.getsource(backward).splitlines())
    return [line.removeprefix("# forward: ") for line in lines if line.startswith("# forward: ")]


def test_the_backward_pass_quotes_the_forward_pass():
    forward = (inspect.getsource(plain) + inspect.getsource(ops)).splitlines()
    code = {line.split("  #")[0].strip() for line in forward}
    assert len(quoted_lines()) >= 18
    for line in quoted_lines():
        assert line in code
