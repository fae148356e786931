"""All assignments and their variants, by name."""

from .a1 import A1
from .a1_variants import A1_LONGEST, A1_WORDPIECE
from .a2 import A2
from .a2_variants import A2_RMSNORM, A2_SMOOTHING
from .a3 import A3
from .a3_alibi import A3_ALIBI
from .a3_parallel import A3_PARALLEL

ALL = (
    *(A1, A1_LONGEST, A1_WORDPIECE),
    *(A2, A2_RMSNORM, A2_SMOOTHING),
    *(A3, A3_ALIBI, A3_PARALLEL),
)
ASSIGNMENTS = {assignment.name: assignment for assignment in ALL}
