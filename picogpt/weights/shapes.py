"""Whether a checkpoint's tensors are those that its sizes ask for."""

from collections.abc import Callable

from ..config import Config
from .errors import CheckpointError

N_LISTED = 3  # names of each kind in an error

Shapes = dict[str, tuple[int, ...]]  # by the tensors' names


def check_shapes(
    found: Shapes, config: Config, expected: Callable[[Config], Shapes], source: str
) -> None:
    """Raises CheckpointError, which names what is missing, unexpected or misshapen.

    expected: the shapes that sizes ask for; source: the name of the file with the sizes.
    """
    if config.n_layer > len(found):  # before a list of a billion names is made
        raise CheckpointError(
            f"{len(found)} tensors are too few for n_layer {config.n_layer} in {source}"
        )
    wanted = expected(config)
    missing = [name for name in wanted if name not in found]
    unexpected = [f"{name!a:.80}" for name in found if name not in wanted]
    misshapen = [
        f"{name} {list(found[name])}, expected {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    lists = {"missing": missing, "unexpected": unexpected, "misshapen": misshapen}
    problems = []
    for problem, names in lists.items():
        if names:
            more = ", ..." if len(names) > N_LISTED else ""
            problems.append(f"{len(names)} {problem}: {', '.join(names[:N_LISTED])}{more}")
    if problems:
        raise CheckpointError(f"tensors differ from {source}: " + "; ".join(problems))
