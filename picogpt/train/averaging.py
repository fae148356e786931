"""The moving average of the weights: what a run evaluates and keeps, where it is asked to.

At a high learning rate the weights jump about a place that is better than where they stand at any
time. Their average comes closer to it, as it would if the rate fell, and the run goes on unchanged.

Source: Polyak & Juditsky 1992; with exponential weights as in torch.optim.swa_utils.get_ema_avg_fn.
"""


def average(averages: dict, params: dict, step: int, beta: float) -> None:
    """Move the averages towards the params, in place. Both: path -> array; step: 1 for the first.

    beta is what stays of an average in each step: it looks back over about 1 / (1 - beta) steps.
    It begins with the weights after the first step.
    """
    for path, x in params.items():
        averages[path] += (1.0 if step == 1 else 1.0 - beta) * (x - averages[path])
