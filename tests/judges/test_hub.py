"""The Hub and its cache: huggingface_hub fetches from the same server, and shares the folders."""

import os
from pathlib import Path

os.environ["HF_HUB_DISABLE_XET"] = "1"  # before the import: the server has no other protocol

import hub_server
import huggingface_hub
import numpy as np
import pytest
from hub_server import COMMIT, files_of
from transformers import AutoTokenizer, GPT2LMHeadModel

import picogpt
from picogpt.weights.hub_cache import HubName, find_snapshot, own_cache

NAME = "ada/fairytale"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "shared"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with hub_server.serving() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        hub.publish(NAME, files_of(picogpt.weights.find.find_model("fairytale", offline=True)))
        yield hub


def test_what_huggingface_hub_has_fetched(hub, tmp_path):
    options = {"endpoint": hub.url, "cache_dir": tmp_path / "shared", "token": False}
    for file in hub.published[NAME]:
        path = huggingface_hub.hf_hub_download(NAME, file, **options)
    assert find_snapshot(HubName(NAME)) == Path(path).parent
    n_requests = len(hub.log)
    ours, expected = picogpt.load(NAME, offline=True), picogpt.load("fairytale")
    assert np.array_equal(ours.params["wte"], expected.params["wte"])
    assert len(hub.log) == n_requests


def test_what_picogpt_has_fetched(hub):
    """huggingface_hub finds each file, and transformers loads them."""
    model = picogpt.load(NAME)
    for file in ("config.json", "model.safetensors", "tokenizer.json"):
        found = huggingface_hub.try_to_load_from_cache(NAME, file, cache_dir=own_cache())
        assert found == str(own_cache() / "models--ada--fairytale" / "snapshots" / COMMIT / file)
    options = {"cache_dir": own_cache(), "local_files_only": True}
    judge = GPT2LMHeadModel.from_pretrained(NAME, **options)
    assert np.array_equal(
        judge.transformer.wte.weight.float().detach().numpy(), model.params["wte"]
    )
    tokenizer = AutoTokenizer.from_pretrained(NAME, **options)
    text = "The king had three sons."
    assert tokenizer(text).input_ids == model.tokenizer.encode(text)
