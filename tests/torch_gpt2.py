"""The judge of the whole model: transformers' GPT-2 on PyTorch, with given parameters."""

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from picogpt.config import Config, flatten

SUFFIXES = {"w": "weight", "g": "weight", "b": "bias", "wte": "wte.weight", "wpe": "wpe.weight"}


def torch_name(path: str) -> str:
    """The name of a parameter in transformers: "h.3.attn.c_attn.w" -> "...c_attn.weight"."""
    *parents, leaf = path.split(".")
    return ".".join(["transformer", *parents, SUFFIXES[leaf]])


def torch_gpt2(config: Config, params: dict, dtype=torch.float32) -> GPT2LMHeadModel:
    """A GPT2LMHeadModel in evaluation mode that computes with params."""
    sizes = GPT2Config(
        vocab_size=config.n_vocab,
        n_positions=config.n_ctx,
        n_embd=config.n_embd,
        n_head=config.n_head,
        n_layer=config.n_layer,
        bos_token_id=config.n_vocab - 1,
        eos_token_id=config.n_vocab - 1,
    )
    model = GPT2LMHeadModel(sizes).to(dtype).eval()
    state = {torch_name(path): torch.tensor(x) for path, x in flatten(params).items()}
    state["lm_head.weight"] = state["transformer.wte.weight"]
    model.load_state_dict(state)
    return model


@torch.no_grad()
def torch_logits(model: GPT2LMHeadModel, ids) -> np.ndarray:
    """ids [n_batch, n_seq] -> logits [n_batch, n_seq, n_vocab]."""
    return model(torch.as_tensor(ids)).logits.numpy()


@torch.no_grad()
def torch_greedy(model: GPT2LMHeadModel, ids: list[int], n: int) -> list[int]:
    """The n ids that greedy decoding appends to ids, end of text or not."""
    prompt = torch.tensor([ids])
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=n,
        min_new_tokens=n,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return out[0, len(ids) :].tolist()
