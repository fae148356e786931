"""Preparing a run: a new one from texts, or an earlier one from its folder."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..bpe import Tokenizer
from ..config import Config, flatten
from ..evaluate.documents import cut_documents, encode_documents, split_documents
from . import run_folder
from .adamw import zero_moments
from .data import hold_out
from .loop import Run, trainable
from .muon import is_hidden_matrix
from .recipe import Recipe


@dataclass(frozen=True)
class Texts:
    """The texts to learn from and to evaluate with."""

    learn: list[str]  # the files' contents
    valid: str | None  # a file's contents; None: a fraction of the documents is held out
    held_out_fraction: float


def token_arrays(
    texts: Texts, config: Config, tokenizer: Tokenizer, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens to learn from and those held out: [n_tokens] each.

    Raises ValueError if there is too little text for either.
    """
    learn = [document for text in texts.learn for document in split_documents(text)]
    if not learn:
        raise ValueError("the texts to learn from are empty")
    if texts.valid is None:
        learn, valid = hold_out(learn, texts.held_out_fraction, seed)
    else:
        valid = split_documents(texts.valid)
        if not valid:
            raise ValueError("the text of --valid is empty")
    tokens = encode_documents(learn, tokenizer)
    if len(tokens) <= config.n_ctx:
        raise ValueError(
            f"the texts to learn from make {len(tokens)} tokens, expected at least "
            f"{config.n_ctx + 1}: one window of n_ctx = {config.n_ctx}, and the token after it"
        )
    return tokens, encode_documents(valid, tokenizer)


def all_settings(
    texts: Texts, recipe: Recipe, config: Config, tokenizer: Tokenizer, init: str | None
) -> dict:
    """Everything that decides what a run computes, under the names that the user knows."""

    def digest(*parts: str) -> str:
        digests = [hashlib.sha256(part.encode()).digest() for part in parts]
        return hashlib.sha256(b"".join(digests)).hexdigest()

    vocabulary = sorted(tokenizer.encoder, key=tokenizer.encoder.__getitem__)
    merges = [" ".join(pair) for pair in getattr(tokenizer, "ranks", ())]  # WordPiece has none
    return {
        "SHA-256 of the texts": digest(*texts.learn),
        "SHA-256 of --valid": None if texts.valid is None else digest(texts.valid),
        "SHA-256 of the vocabulary": digest(*vocabulary, *merges),
        "--held-out": texts.held_out_fraction,
        "--init": init,
        **asdict(config),
        **{f"--{name.replace('_', '-')}": value for name, value in asdict(recipe).items()},
    }


def first_moments(learning: dict, recipe: Recipe) -> dict:
    """What a run remembers of the parameters in learning: kind -> path -> array.

    "m" of all, "v" of those of AdamW, and, where it is asked for, their "average".
    """
    moments = zero_moments(learning)
    if recipe.average is not None:
        moments["average"] = {path: np.zeros_like(x) for path, x in learning.items()}
    if recipe.optimizer == "muon":
        for path, x in learning.items():
            if is_hidden_matrix(path, x):
                del moments["v"][path]
    return moments


@contextmanager
def open_run(
    out: Path,
    resume: bool,
    settings: dict,
    texts: Texts,
    recipe: Recipe,
    config: Config,
    tokenizer: Tokenizer,
    params: dict,
) -> Iterator[Run]:
    """A run in the folder `out`, which no other process can use meanwhile.

    resume: go on from the checkpoint, whose values replace those of params. A new run checks all
    its input before it writes anything.
    Raises ValueError for too little text, for settings that the run was not begun with, and for
    damaged files.
    """
    if (recipe.freeze or 0) > config.n_layer:
        raise ValueError(f"--freeze is {recipe.freeze}, and the model has {config.n_layer} blocks")
    arrays = None if resume else token_arrays(texts, config, tokenizer, recipe.seed)
    state, weights = run_folder.State(), flatten(params)
    moments = first_moments(trainable(params, recipe.freeze), recipe)
    folder = out / "run"
    with run_folder.alone(out):
        run_folder.find_run(out, resume)  # once more: another process may have begun one meanwhile
        if resume:
            run_folder.check_settings(folder, settings)
            state = run_folder.read_checkpoint(folder / run_folder.CHECKPOINT, weights, moments)
            if recipe.steps < state.step:
                raise ValueError(f"--steps is {recipe.steps}, and {state.step} are done already")
            run_folder.write_settings(folder, settings)
            run_folder.cut_log(folder / run_folder.LOG, state.log_bytes)
        else:
            run_folder.write_tokens(folder, *arrays)
            run_folder.write_checkpoint(folder / run_folder.CHECKPOINT, weights, moments, state)
            run_folder.write_settings(folder, settings)
        tokens, valid = run_folder.read_tokens(folder)
        held_out = cut_documents(valid, config.n_ctx, tokenizer.endoftext)
        yield Run(out, recipe, config, tokenizer, tokens, held_out, params, moments, state)
