"""The learning rate against PyTorch's schedulers."""

import pytest
import torch

from picogpt.train.schedule import learning_rate


@pytest.mark.parametrize(
    ("steps", "warmup", "least"), [(200, 20, 3e-4), (50, 1, 0.0), (7, 6, 1e-4), (100, 0, 3e-3)]
)
def test_warmup_and_cosine(steps, warmup, least):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3e-3)
    schedulers = torch.optim.lr_scheduler
    rise = schedulers.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
    fall = schedulers.CosineAnnealingLR(optimizer, T_max=steps - warmup, eta_min=least)
    schedule = schedulers.SequentialLR(optimizer, [rise, fall], milestones=[warmup])
    if warmup == 0:
        schedule = schedulers.CosineAnnealingLR(optimizer, T_max=steps, eta_min=least)
    for step in range(steps):
        expected = optimizer.param_groups[0]["lr"]
        found = learning_rate(step, steps=steps, warmup=warmup, peak=3e-3, least=least)
        assert found == pytest.approx(expected, rel=1e-9), step
        optimizer.step()
        schedule.step()
