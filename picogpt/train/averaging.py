"""The moving average of the weights, which a run with --average evaluates and keeps.

At a high learning rate the weights jump around a point that is better than any they reach. Their
average comes closer to it, as they would if the rate fell. The training itself is unchanged.

Source: Polyak & Juditsky 1992; with exponential weights as in torch.optim.swa_utils.get_ema_avg_fn.
"""


def average(averages: dict, params: dict, step: int, beta: float) -> None:
    """Move the averages towards the params, in place. Both: path -> array; step: 1 for the first.

    beta: what remains of the average in each step, so that it covers about 1 / (1 - beta) steps.
    It begins with the weights after the first step.
    """
    for path, x in params.items():
        averages[path] += (1.0 if step == 1 else 1.0 - beta) * (x - averages[path])
