"""Stubs and excerpts of the library, made from its source."""

import ast
import inspect
import sys

import numpy as np
import pytest

from picogpt import model, ops
from picogpt.bpe import pretokenize
from picogpt.course.library import pruned, stub, without

FUNCTIONS = [ops.gelu, ops.softmax, ops.layer_norm, ops.causal_attention, model.split_heads]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_stub_is_signature_and_docstring(function):
    made = {}
    exec("from picogpt.tap import Tap, no_tap\nimport numpy as np\n" + stub(function), made)  # noqa: S102
    written = made[function.__name__]
    assert inspect.signature(written) == inspect.signature(function)
    assert written.__doc__ == function.__doc__
    with pytest.raises(NotImplementedError):
        written(*inspect.signature(function).parameters)


def test_backslashes_of_a_docstring_stay():
    made = {}
    exec(stub(pretokenize.to_bytes), made)  # noqa: S102
    assert made["to_bytes"].__doc__ == pretokenize.to_bytes.__doc__
    assert r"\\xc3" in stub(pretokenize.to_bytes)


def test_parameters_are_left_out_with_what_is_said_of_them():
    text = stub(model.gpt2, {"cache", "tap", "lm_head", "at"})
    (node,) = ast.parse(text).body
    assert [x.arg for x in node.args.args + node.args.kwonlyargs] == [
        *("ids", "wte", "wpe", "h", "ln_f", "n_head"),
    ]
    for word in ("cache", "tap", "lm_head", "KVCache"):
        assert word not in text
    assert "Raises ValueError for an id outside the vocabulary" in text


def test_a_word_of_one_function():
    assert "n_past" not in stub(model.embed, {"embed.n_past", "tap"})
    assert "n_past" in stub(ops.causal_mask, {"embed.n_past"})


@pytest.mark.parametrize(
    ("doc", "left"),
    [
        ('"""One thing. Another tap here. A third."""', '"""One thing. A third."""'),
        ('"""a: [n]; b tap: [n]; c: [n].\n    Raises E."""', '"""a: [n]; c: [n]. Raises E."""'),
        ('"""a: [n]; tap: [n].\n    Raises E."""', '"""a: [n]. Raises E."""'),
        ('"""a.\n\n    About tap.\n\n    b.\n    """', '"""a.\n\n    b.\n    """'),
        ('"""taps\n    are not one."""', '"""taps\n    are not one."""'),
    ],
)
def test_sentences(doc, left):
    assert without({"tap"}, doc) == left


def test_classes_have_no_stubs():
    with pytest.raises(TypeError, match="KVCache is no function"):
        stub(model.KVCache)


def test_an_excerpt_holds_what_is_needed_and_no_more():
    sources = pruned((ops.causal_attention, model.multilayer_perceptron))
    assert sources["picogpt"] == ""
    assert "def layer_norm(" not in sources["picogpt.ops"]
    made = {name: ast.parse(text) for name, text in sources.items()}
    defined = {x.name for tree in made.values() for x in tree.body if hasattr(x, "name")}
    assert defined == {
        *("causal_attention", "causal_mask", "softmax", "no_tap"),
        *("multilayer_perceptron", "linear", "project", "gelu"),
    }


def test_excerpts_run(monkeypatch):
    """As they do in a student's process, where picogpt itself is not to be found."""
    pytest.importorskip("resource", reason="students' processes need POSIX")
    from picogpt.course.child import Library, find

    sources = pruned((ops.causal_attention, pretokenize.split))
    for name in [name for name in sys.modules if name.split(".")[0] == "picogpt"]:
        monkeypatch.delitem(sys.modules, name)
    places = [["picogpt.ops", "causal_attention"], ["picogpt.bpe.pretokenize", "split"]]
    monkeypatch.setattr(sys, "meta_path", [Library(sources), *sys.meta_path])
    found = find(places)
    for name in [name for name in sys.modules if name.split(".")[0] == "picogpt"]:
        monkeypatch.delitem(sys.modules, name)
    assert found["causal_attention"] is not ops.causal_attention
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert np.array_equal(found["causal_attention"](x, x, x), ops.causal_attention(x, x, x))
    assert [*found["split"]("I'll go")] == ["I", "'ll", " go"]
