"""The page of a 124M that TensorFlow wrote, in a browser: its numbers are those of PyTorch."""

import shutil

import numpy as np
import pytest
import torch
from browsing import chromium, close, read, visit  # noqa: F401
from support import random_params
from tf_writer import write_model_folder
from torch_gpt2 import torch_gpt2

import picogpt
from picogpt.config import SIZES

PROMPT = "The king had three sons. The youngest"
LARGEST = 6_000_000  # bytes

pytestmark = pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("chromium-browser")), reason="needs chromium"
)


@pytest.fixture(scope="module")
def large(tmp_path_factory, openai_files):
    """The model, PyTorch's hidden states, attentions and logits, and the page's address."""
    folder = tmp_path_factory.mktemp("large")
    params = random_params(SIZES["124M"], seed=5)
    write_model_folder(folder, SIZES["124M"], params, vocabulary=openai_files)
    model = picogpt.load(folder)
    n_prompt = len(model.prompt_ids(PROMPT))
    path = model.explain(PROMPT, 20 - n_prompt).save(folder / "page.html")
    assert path.stat().st_size < LARGEST
    ids = model.prompt_ids(PROMPT) + [step.id for step in model.steps(PROMPT, 20 - n_prompt)]
    judge = torch_gpt2(SIZES["124M"], params)
    judge.set_attn_implementation("eager")
    with torch.no_grad():
        out = judge(torch.tensor([ids]), output_hidden_states=True, output_attentions=True)
    yield out, path.as_uri()
    shutil.rmtree(folder)


def test_the_numbers_are_those_of_pytorch(visit, large):  # noqa: F811
    out, address = large
    page = visit(address)
    assert page.locator("#grid button").count() == 144
    page.locator("#tokens button").nth(11).click()
    page.select_option("#head", "7")
    for block in (0, 4, 10):  # the last block's hidden state is normed
        page.select_option("#block", str(block))
        stream = out.hidden_states[block + 1][0, 11].numpy()
        resolution = np.abs(stream).max() / 127  # eight bits
        shown = read(page, "resid:", 60)
        np.testing.assert_allclose(shown, stream[:60], atol=0.51 * resolution)
        weights = out.attentions[block][0, 7, -1].numpy()
        close(read(page, "weights, after", 20), weights)
    logits = page.locator("#ln_f .numbers tbody td:last-child").all_inner_texts()
    expected = np.sort(out.logits[0, 11].numpy())[::-1][: len(logits)]
    close([float(x) for x in logits], expected)
