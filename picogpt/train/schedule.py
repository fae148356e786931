"""How large the steps are: a learning rate that rises quickly and then falls slowly."""

import math


def learning_rate(step: int, *, steps: int, warmup: int, peak: float, least: float) -> float:
    """The rate of a step, counted from 0: a line up to the peak, then half a cosine down.

    During warm-up AdamW's moments still know too few gradients to be trusted with large steps.
    The peak is reached at step warmup; a step number `steps` would have the least rate.

    Source: Radford et al. 2018, section 4.1; Loshchilov & Hutter 2017, equation 5, one cycle.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    progress = (step - warmup) / (steps - warmup)
    return least + 0.5 * (peak - least) * (1 + math.cos(math.pi * progress))
