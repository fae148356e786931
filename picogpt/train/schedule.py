"""How large the steps are: a learning rate that rises quickly and then falls slowly."""

import math


def learning_rate(
    step: int, *, steps: int, warmup: int, peak: float, least: float, decay: int | None = None
) -> float:
    """The rate of a step, counted from 0: a line up to the peak, then half a cosine down.

    During warm-up AdamW's moments still know too few gradients to be trusted with large steps.
    The peak is reached at step warmup; a step number `steps` would have the least rate. The cosine
    takes the last `decay` steps, by default all after the warm-up. With fewer the rate first stays
    at its peak (warm-up, stable, decay), and the length of the run can be settled on the way.

    Source: Radford et al. 2018, section 4.1; Loshchilov & Hutter 2017, equation 5, one cycle;
    Hu et al. 2024 (MiniCPM), section 4.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if decay is None:
        decay = steps - warmup
    if step < steps - decay:
        return peak
    progress = (step - (steps - decay)) / decay
    return least + 0.5 * (peak - least) * (1 + math.cos(math.pi * progress))
