"""python -m picogpt.evaluate, against the functions that it calls."""

from pathlib import Path

import pytest

import picogpt
from picogpt.evaluate.__main__ import main
from picogpt.evaluate.documents import bits_per_byte

TINY = Path(__file__).parents[1] / "reference" / "tiny"


def test_the_figures(tmp_path, capsys):
    path = tmp_path / "tales.txt"
    path.write_text("One tale.\n<|endoftext|>\nAnother one.\n", "utf-8")
    assert main([str(path), "-m", str(TINY)]) == 0
    model = picogpt.load(TINY)
    documents = ["One tale.", "Another one."]
    bits, nats = bits_per_byte(model.params, model.config, model.tokenizer, documents)
    assert capsys.readouterr().out == f"bits per byte: {bits:.4f}\nnats per token: {nats:.4f}\n"


@pytest.mark.parametrize(
    ("content", "message"), [(b" \n", "there is no text in it"), (b"\xff", "not UTF-8")]
)
def test_what_cannot_be_scored(tmp_path, capsys, content, message):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    assert main([str(path), "-m", str(TINY)]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"picogpt: {path}: ")
    assert message in err
