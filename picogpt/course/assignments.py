"""All assignments and their variants, by name."""

from .a1_tokenizer.a1_assignment import A1
from .a1_tokenizer.a1_variants import A1_LONGEST, A1_WORDPIECE
from .a2_operations.a2_assignment import A2
from .a2_operations.a2_variants import A2_RMSNORM, A2_SMOOTHING
from .a3_model.a3_alibi import A3_ALIBI
from .a3_model.a3_assignment import A3
from .a3_model.a3_parallel import A3_PARALLEL
from .a4_decoding.a4_assignment import A4
from .a4_decoding.a4_typical import A4_TYPICAL
from .a4_decoding.a4_window import A4_WINDOW
from .a5_training.a5_assignment import A5
from .a5_training.a5_lion import A5_LION
from .a5_training.a5_rmsnorm import A5_RMSNORM
from .a6_checkpoint.a6_assignment import A6
from .a6_checkpoint.a6_half import A6_HALF
from .a6_checkpoint.a6_shards import A6_SHARDS

ALL = (
    *(A1, A1_LONGEST, A1_WORDPIECE),
    *(A2, A2_RMSNORM, A2_SMOOTHING),
    *(A3, A3_ALIBI, A3_PARALLEL),
    *(A4, A4_WINDOW, A4_TYPICAL),
    *(A5, A5_RMSNORM, A5_LION),
    *(A6, A6_SHARDS, A6_HALF),
)
ASSIGNMENTS = {assignment.name: assignment for assignment in ALL}
