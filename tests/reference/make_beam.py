"""Make beam.json: what transformers' beam search finds, for tests that run without it.

Run from the repository's root, in the reference environment, after make_model.py:

    PYTHONPATH=.:tests python tests/reference/make_beam.py

The models are that of model.npz, more and more inclined to end: the logit of the last token, which
is <|endoftext|>, is larger by "bias". "found" holds pairs of new ids and score, the best first.
"""

import itertools
import json
from pathlib import Path

import numpy as np
from generation import with_bias
from make_model import CONFIG
from support import part_of
from torch_gpt2 import torch_beams, torch_gpt2

from picogpt.config import unflatten

FOLDER = Path("tests/reference")
PROMPTS = [[5], [1, 2, 3], [7, 7, 2, 9]]
N_NEW = 8

if __name__ == "__main__":
    golden = np.load(FOLDER / "model.npz")
    params = unflatten(part_of(golden, "params/"))
    searches = []
    for bias in (6.0, 7.0, 8.0):
        model = torch_gpt2(CONFIG, with_bias(params, CONFIG.n_vocab - 1, bias))
        for prompt, n_beams, length_penalty, early_stopping in itertools.product(
            PROMPTS, (1, 2, 4), (0.0, 1.0, 2.0), (False, True)
        ):
            options = {
                "n_beams": n_beams,
                "length_penalty": length_penalty,
                "early_stopping": early_stopping,
            }
            found = torch_beams(model, prompt, N_NEW, **options)
            options["max_new_tokens"] = N_NEW
            searches.append({"bias": bias, "prompt": prompt, "options": options, "found": found})
    lines = ",\n".join(map(json.dumps, searches))
    (FOLDER / "beam.json").write_text(f"[\n{lines}\n]\n", "utf-8")
