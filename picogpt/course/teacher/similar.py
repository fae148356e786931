"""Hand-ins that look alike: a copy is found though it was renamed, reordered and laid out anew.

What two hand-ins have in common of their shapes (grader/shapes.py) counts the more, the larger a part
is and the fewer others have it. That two are alike proves nothing: short functions have few forms. It
says where to look.
"""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from ..grader.process import Ended, Submission, are_shapes, ask_once
from ..grader.starter import LIMITS, Starter

Part = tuple[str, int]  # digest, and size in nodes


def parts(submissions: dict[str, Submission]) -> Iterator[tuple[str, Counter[Part] | str]]:
    """(student, the parts of the hand-in and how often each is there, or why they are not known).

    They are found in processes with limits, which a hand-in may exceed or end.
    """
    with Starter() as starter:
        for student, (name, data) in submissions.items():
            try:
                found = ask_once(starter, LIMITS, "shapes", are_shapes, name=name, data=data)
                yield student, Counter({(digest, size): n for digest, size, n in found})
            except Ended as end:
                yield student, f"it {end}"


def alike(found: dict[str, Counter[Part]], least: float) -> Iterator[tuple[float, str, str]]:
    """(share, one, other): pairs that have at least this share of the smaller one in common.

    The share is that of the parts' sizes, each weighted by how rare it is in this class.
    """
    owners = Counter(part for counts in found.values() for part in counts)

    def weight(counts: Counter) -> float:
        return sum(
            n * part[1] * math.log((len(found) + 1) / owners[part]) for part, n in counts.items()
        )

    total = {student: weight(counts) for student, counts in found.items()}
    pairs = []
    for one, other in combinations(found, 2):
        smaller = min(total[one], total[other])
        share = weight(found[one] & found[other]) / smaller if smaller else 0.0
        if share >= least:
            pairs.append((share, one, other))
    yield from sorted(pairs, reverse=True)
