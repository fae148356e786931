"""The moving average of the weights against PyTorch's AveragedModel."""

import numpy as np
import pytest
import torch
from support import error
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from picogpt.train.averaging import average


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.99])
def test_average(beta):
    rng = np.random.default_rng(0)
    model = torch.nn.Linear(5, 3, dtype=torch.float64)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(beta))
    ours = {"weight": np.zeros((3, 5)), "bias": np.zeros(3)}
    for step in range(1, 12):
        params = {path: rng.standard_normal(x.shape) for path, x in ours.items()}
        model.load_state_dict({path: torch.tensor(x) for path, x in params.items()})
        theirs.update_parameters(model)
        average(ours, params, step, beta)
        for path, x in ours.items():
            assert error(x, getattr(theirs.module, path).detach().numpy()) < 1e-12, (path, step)
