"""Excerpts of the library, made from its source."""

import ast
import sys

import numpy as np
import pytest

from picogpt import model, ops
from picogpt.bpe import pretokenize
from picogpt.course.grader.excerpts import compiled, pruned


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
    from picogpt.course.grader.child import find

    codes = compiled((ops.causal_attention, pretokenize.split))
    for name in [name for name in sys.modules if name.split(".")[0] == "picogpt"]:
        monkeypatch.delitem(sys.modules, name)
    places = [["picogpt.ops", "causal_attention"], ["picogpt.bpe.pretokenize", "split"]]
    before = [*sys.meta_path]
    found = find(codes, places)
    assert sys.meta_path == before
    for name in [name for name in sys.modules if name.split(".")[0] == "picogpt"]:
        monkeypatch.delitem(sys.modules, name)
    assert found["causal_attention"] is not ops.causal_attention
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert np.array_equal(found["causal_attention"](x, x, x), ops.causal_attention(x, x, x))
    assert [*found["split"]("I'll go")] == ["I", "'ll", " go"]
