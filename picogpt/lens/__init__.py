"""Looking inside a model. To read in this order:

reading.py: the logit lens and the attention maps, from the activations that a tap has recorded.
editing.py: heads silenced and activations patched, as edits for a tap.
"""

from .editing import ablate_heads, patch, put
from .reading import attention_maps, induction_scores, logit_lens, lookback

__all__ = [
    "ablate_heads",
    "attention_maps",
    "induction_scores",
    "logit_lens",
    "lookback",
    "patch",
    "put",
]
