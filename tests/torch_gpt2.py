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


@torch.no_grad()
def torch_beams(
    model: GPT2LMHeadModel,
    ids: list[int],
    n: int,
    n_beams: int,
    length_penalty: float,
    early_stopping: bool,
) -> list[tuple[list[int], float]]:
    """What beam search finds after ids: at most n ids, without the end of text, and the scores."""
    prompt = torch.tensor([ids])
    end = model.config.eos_token_id
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=n,
        num_beams=n_beams,
        num_return_sequences=n_beams,
        length_penalty=length_penalty,
        early_stopping=early_stopping,
        do_sample=False,
        pad_token_id=end,
        return_dict_in_generate=True,
        output_scores=True,
    )
    found = [row[len(ids) :] for row in out.sequences.tolist()]
    found = [new[: new.index(end)] if end in new else new for new in found]
    if n_beams == 1:  # that is greedy decoding there, which gives no score
        logprobs = model.compute_transition_scores(
            out.sequences, out.scores, normalize_logits=True
        )[0]
        n_scored = min(len(found[0]) + 1, n)
        return [(found[0], logprobs[:n_scored].sum().item() / n_scored**length_penalty)]
    return list(zip(found, out.sequences_scores.tolist(), strict=True))
