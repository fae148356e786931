"""Hand-ins as people write them: not in the library's way, and not the known mistakes' way."""

from . import a1, a2, a3, a4, a5, a6

SOLUTIONS = {
    "a1": a1.SOLUTION,
    "a2": a2.SOLUTION,
    "a3": a3.SOLUTION,
    "a4": a4.SOLUTION,
    "a5": a5.SOLUTION,
    "a6": a6.SOLUTION,
    "a6-half": a6.HALF,
    "a6-shards": a6.SHARDS,
}

# assignment, what is written instead, titles of the questions that it costs, part of the first hint
MISTAKES = [
    *a1.MISTAKES,
    *a2.MISTAKES,
    *a3.MISTAKES,
    *a4.MISTAKES,
    *a5.MISTAKES,
    *a6.MISTAKES,
]
