"""Make pytorch/: files that torch.save writes, for tests that run without it.

Run from the repository's root, in the reference environment, after make_model.py:

    PYTHONPATH=.:tests python tests/reference/make_pytorch.py

All hold the same small GPT-2, whose numbers safetensors has written beside them.
"""

import json
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file
from support import random_params
from torch_gpt2 import torch_gpt2

from picogpt.config import Config

FOLDER = Path("tests/reference/pytorch")
CONFIG = Config(n_vocab=13, n_ctx=6, n_embd=4, n_head=2, n_layer=2)


def views(state: dict) -> dict:
    """The same tensors, of which some share a storage and some lie column after column."""
    row = torch.cat([x.flatten() for x in state.values()])
    found, at = OrderedDict(), 0
    for name, x in state.items():
        found[name] = row[at : at + x.numel()].view(x.shape)
        at += x.numel()
    name = "transformer.h.0.mlp.c_fc.weight"
    found[name] = found[name].t().contiguous().t()
    return found


def nanogpt(state: dict) -> dict:
    """As nanoGPT's train.py saves it: compiled, with Linear's matrices and surplus rows."""
    model = OrderedDict()
    for name, x in state.items():
        transposed = x.dim() == 2 and name.split(".")[-2].startswith("c_")
        model[f"_orig_mod.{name}"] = x.t().contiguous() if transposed else x
    sizes = {"n_layer": 2, "n_head": 2, "n_embd": 4, "block_size": 6, "vocab_size": 13}
    args = sizes | {"bias": True, "dropout": 0.0}
    loss = torch.tensor(2.5)
    return {
        "model": model,
        "model_args": args,
        "iter_num": 7,
        "best_val_loss": loss,
        "config": args,
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    model = torch_gpt2(CONFIG, random_params(CONFIG, 3))
    state = OrderedDict((name, x.detach()) for name, x in model.state_dict().items())
    save_file(
        {name: x.contiguous().clone() for name, x in state.items()}, FOLDER / "model.safetensors"
    )
    torch.save(state, FOLDER / "zip.bin")
    torch.save(state, FOLDER / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(views(state), FOLDER / "views.bin")
    torch.save({name: x.half() for name, x in state.items()}, FOLDER / "half.bin")
    torch.save({name: x.bfloat16() for name, x in state.items()}, FOLDER / "bfloat16.bin")
    torch.save({name: x.double() for name, x in state.items()}, FOLDER / "double.bin")
    torch.save(nanogpt(state), FOLDER / "ckpt.pt")
    names = sorted(state)
    files = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    weight_map = {name: files[i % 2] for i, name in enumerate(names)}
    for file in files:
        torch.save({n: state[n].clone() for n in names if weight_map[n] == file}, FOLDER / file)
    index = {"metadata": {}, "weight_map": weight_map}
    (FOLDER / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")
    model.config.to_json_file(FOLDER / "config.json")
