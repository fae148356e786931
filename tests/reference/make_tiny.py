"""Make tiny/: a whole model folder written by TensorFlow, and what transformers makes of it.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_tiny.py

tiny/ is laid out as OpenAI's releases, with the vocabulary of bpe/ and random weights.
tiny.json holds pairs of a prompt and its greedy continuation, with their ids.
"""

import json
from pathlib import Path

from support import random_params
from tf_writer import write_model_folder
from tokenizers import ByteLevelBPETokenizer
from torch_gpt2 import torch_gpt2, torch_greedy

from picogpt.config import Config

FOLDER = Path("tests/reference")
PROMPTS = ["The river", "Der Müller hörte", "猫", ""]
N_NEW = 40

if __name__ == "__main__":
    vocabulary = FOLDER / "bpe"
    files = [str(vocabulary / name) for name in ("encoder.json", "vocab.bpe")]
    tokenizer = ByteLevelBPETokenizer(*files)
    n_vocab = tokenizer.get_vocab_size()
    config = Config(n_vocab=n_vocab, n_ctx=64, n_embd=24, n_head=3, n_layer=2)
    params = random_params(config, seed=5)  # a seed whose greedy texts do not soon repeat
    write_model_folder(FOLDER / "tiny", config, params, vocabulary)
    model = torch_gpt2(config, params)
    expected = []
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt).ids or [tokenizer.token_to_id("<|endoftext|>")]
        new = torch_greedy(model, ids, N_NEW)
        text = tokenizer.decode(new, skip_special_tokens=False)
        expected.append({"prompt": prompt, "ids": ids, "new_ids": new, "text": text})
    (FOLDER / "tiny.json").write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
