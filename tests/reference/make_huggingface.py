"""Make huggingface/: folders that transformers saved, and what transformers computes with them.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_huggingface.py

plain/      float32, one file, with tokenizer.json for the vocabulary of bpe/
sharded/    bfloat16, several files and their index, the output matrix not tied
bare/       float16, of a GPT2Model without head and prefix, with the masks of older files
logits.npz  for each folder, the logits of the ids 0 to 11, computed in float32
dtypes.safetensors, dtypes.npz  tensors of odd shapes, and their values in float32
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from support import random_params
from torch_gpt2 import torch_gpt2, torch_logits
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

from picogpt.config import Config

REFERENCE = Path("tests/reference")
FOLDER = REFERENCE / "huggingface"
SMALL = Config(n_vocab=40, n_ctx=12, n_embd=8, n_head=2, n_layer=2)
IDS = [list(range(12))]


def make_plain(folder: Path) -> None:
    config = Config(n_vocab=800, n_ctx=12, n_embd=8, n_head=2, n_layer=2)
    torch_gpt2(config, random_params(config, seed=1)).save_pretrained(folder)
    files = {"vocab": "encoder.json", "merges": "vocab.bpe"}
    files = {name: str(REFERENCE / "bpe" / file) for name, file in files.items()}
    GPT2Tokenizer(**files).save_pretrained(folder)


def make_sharded(folder: Path) -> None:
    tied = torch_gpt2(SMALL, random_params(SMALL, seed=2))
    options = tied.config.to_dict() | {"tie_word_embeddings": False}
    model = GPT2LMHeadModel(GPT2Config(**options))
    model.load_state_dict(tied.state_dict())
    torch.manual_seed(3)
    torch.nn.init.normal_(model.lm_head.weight)
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="2KB")


def make_bare(folder: Path) -> None:
    model = torch_gpt2(SMALL, random_params(SMALL, seed=4), torch.float16)
    model.transformer.save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    mask = torch.ones(SMALL.n_ctx, SMALL.n_ctx).tril()[None, None]
    for i, dtype in enumerate((torch.uint8, torch.bool)):
        tensors[f"h.{i}.attn.bias"] = mask.to(dtype)
        tensors[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(tensors, path, metadata={"format": "pt"})


def make_dtypes(folder: Path) -> None:
    torch.manual_seed(5)
    tensors = {
        "float32": torch.randn(3, 5),
        "float16": torch.randn(2, 3, 4).to(torch.float16),
        "bfloat16": torch.randn(7).to(torch.bfloat16),
        "scalar": torch.tensor(0.1),
        "empty": torch.zeros(0, 3),
        "special": torch.tensor([0.0, -0.0, torch.inf, -torch.inf, 2.0**-24]).to(torch.float16),
    }
    save_file(tensors, folder / "dtypes.safetensors")
    np.savez(folder / "dtypes.npz", **{name: x.float().numpy() for name, x in tensors.items()})


if __name__ == "__main__":
    shutil.rmtree(FOLDER, ignore_errors=True)
    logits = {}
    for name, make in (("plain", make_plain), ("sharded", make_sharded), ("bare", make_bare)):
        make(FOLDER / name)
        (FOLDER / name / "generation_config.json").unlink(missing_ok=True)
        model = GPT2LMHeadModel.from_pretrained(FOLDER / name, dtype=torch.float32).eval()
        logits[name] = torch_logits(model, IDS)
    np.savez(FOLDER / "logits.npz", **logits)
    make_dtypes(FOLDER)
