"""The judge of training: gradients and AdamW steps of transformers' GPT-2 on PyTorch."""

from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from torch_gpt2 import torch_gpt2, torch_name
from transformers import GPT2LMHeadModel

from picogpt.config import Config, flatten


def torch_trainable(config: Config, params: dict, dtype=torch.float32) -> GPT2LMHeadModel:
    """A GPT2LMHeadModel in training mode, without dropout, with tied or untied head."""
    tied = {name: tree for name, tree in params.items() if name != "lm_head"}
    model = torch_gpt2(config, tied, dtype).train()
    if "lm_head" in params:
        model.lm_head.weight = torch.nn.Parameter(torch.tensor(params["lm_head"], dtype=dtype))
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def torch_parameters(model: GPT2LMHeadModel, params: dict) -> dict[str, torch.nn.Parameter]:
    """Our path -> PyTorch's parameter."""
    named = dict(model.named_parameters())
    return {
        path: named["lm_head.weight" if path == "lm_head" else torch_name(path)]
        for path in flatten(params)
    }


def torch_loss(model: GPT2LMHeadModel, ids, targets) -> torch.Tensor:
    logits = model(torch.as_tensor(ids)).logits
    return F.cross_entropy(logits.flatten(0, -2), torch.as_tensor(targets).flatten())


def torch_gradients(
    config: Config, params: dict, ids, targets, masks: list[np.ndarray] = ()
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss and the gradient of every parameter, path -> array, by autograd.

    masks: what the activations are multiplied with instead of dropout, in the order of the
    forward pass: the embeddings, and of each block the weights and what the two branches add.
    """
    model = torch_trainable(config, params)
    if masks:
        model.set_attn_implementation("eager")  # the fused kernel never shows its weights
    queue = iter(masks)
    drop = lambda x, **_: x * torch.tensor(next(queue)) if masks else x
    with mock.patch.object(F, "dropout", lambda x, *_, **options: drop(x, **options)):
        loss = torch_loss(model, ids, targets)
    assert next(queue, None) is None, "PyTorch's model drops in fewer places"
    loss.backward()
    parameters = torch_parameters(model, params)
    return loss.item(), {path: p.grad.numpy() for path, p in parameters.items()}


def torch_losses(
    config: Config, params: dict, ids, targets, n_steps: int, decays, max_norm=None, **rates
) -> list[float]:
    """The loss before each of n_steps AdamW steps on one batch.

    decays(path, x) says which parameters decay; max_norm clips; rates: lr, betas, eps,
    weight_decay.
    """
    model = torch_trainable(config, params)
    parameters = torch_parameters(model, params)
    weight_decay = rates.pop("weight_decay")
    groups = [
        {
            "params": [p for path, p in parameters.items() if decays(path, p) is decayed],
            "weight_decay": weight_decay if decayed else 0.0,
        }
        for decayed in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, **rates)
    losses = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = torch_loss(model, ids, targets)
        loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return losses
