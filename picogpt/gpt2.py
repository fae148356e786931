"""The class GPT2: sizes, parameters and tokenizer in one place, and `load`, which finds them.

Its methods only prepare arguments and call the functions of the other modules.
"""

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .bpe import StreamDecoder, Tokenizer, load_tokenizer
from .bpe.files import check_free
from .config import SIZES, Config
from .decoding.beam import beam_search
from .decoding.lookup import Lookup
from .decoding.loop import Sample, Step, no_draft, token_steps
from .decoding.sampling import Sampling, choose_token
from .decoding.stopping import pieces_of_text, stop_place, stop_strings, until_stop
from .evaluate.score import Score, cut_document, score, token_lengths
from .model import gpt2
from .tap import Tap, no_tap
from .weights import CheckpointError, Unreachable
from .weights.cache import is_complete, model_folder
from .weights.download import download
from .weights.folder import read_model
from .weights.huggingface import save_huggingface

DEFAULT = "124M"  # what `load` prefers where no model is named
BUNDLED = "fairytale"  # the small model that comes with the package
NAMES = (*SIZES, BUNDLED)


class GPT2:
    """A model ready to use. config, params (see config.py) and tokenizer are its whole state."""

    def __init__(self, config: Config, params: dict, tokenizer: Tokenizer):
        self.config = config
        self.params = params
        self.tokenizer = tokenizer

    def __call__(self, ids, tap: Tap = no_tap) -> np.ndarray:
        """Logits for the token after each: ids [n_seq] or [n_batch, n_seq] -> [..., n_vocab].

        Raises ValueError for rows of different lengths, ids outside the vocabulary, or more
        positions than n_ctx.
        """
        try:
            ids = np.asarray(ids)
        except ValueError:  # NumPy speaks of an inhomogeneous shape
            lengths = sorted({len(row) for row in ids})
            raise ValueError(f"rows of ids have different lengths: {lengths}") from None
        return gpt2(ids, **self.params, n_head=self.config.n_head, tap=tap)

    def generate(self, prompt: str, max_new_tokens: int = 100, **options) -> str:
        """The text that continues the prompt. Takes the keyword arguments of `stream`."""
        return "".join(self.stream(prompt, max_new_tokens, **options))

    def stream(
        self, prompt: str, max_new_tokens: int = 100, *, stop: str | Sequence[str] = (), **options
    ) -> Iterator[str]:
        """Yield the text that continues the prompt, piece by piece, as it is written.

        stop: a string, or several, before which the text ends; they are not part of it.
        Takes the keyword arguments of `steps`, too. To stop it, close it or let go of it.
        Raises ValueError, at once, for a bad argument.
        """
        stop = stop_strings(stop)
        ids = (step.id for step in self.steps(prompt, max_new_tokens, **options))
        return until_stop(pieces_of_text(ids, StreamDecoder(self.tokenizer)), stop)

    def steps(
        self,
        prompt: str,
        max_new_tokens: int = 100,
        *,
        seed: int | None = None,
        lookup: bool = False,
        **sampling,
    ) -> Iterator[Step]:
        """Yield each token that continues the prompt, with what else the model had in mind.

        seed: the same seed gives the same text; None draws a new one each time.
        lookup: write faster where the text repeats itself, by guessing from what was there. The
            text is the same, but for rounding: several tokens are read in one matrix product, and
            where two candidates are equally likely to the last digits, it may prefer the other.
        sampling: temperature, top_k, top_p, min_p, repetition_penalty, logit_bias, banned, as in
            sampling.Sampling. Without any, the likeliest token is always taken (greedy).

        The text ends after max_new_tokens, or before <|endoftext|>. It may outgrow n_ctx: then its
        older part is forgotten (decoding/loop.py says how), and a warning says so. An empty prompt
        starts from <|endoftext|>, which is what stands before every document the model was trained
        on.
        Raises ValueError, at once, for a bad argument.
        """
        samples = self._samples([prompt], 1, max_new_tokens, seed, sampling)
        draft = Lookup() if lookup else no_draft
        steps = token_steps(
            samples, self.params, self.config, endoftext=self.tokenizer.endoftext, draft=draft
        )
        return (step for _, step in steps)

    def generate_batch(
        self,
        prompts: Sequence[str],
        max_new_tokens: int = 100,
        *,
        num_samples: int = 1,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        **sampling,
    ) -> list[list[str]]:
        """num_samples continuations of each prompt, all written at the same time.

        Each is what `generate` writes alone, but for rounding (see `steps`), and takes less time:
        the weights are read once for all. Sample 0 of a prompt is the one of `generate` with the
        same seed. Takes the keyword arguments of `generate`, except lookup.
        """
        if isinstance(prompts, str):
            raise TypeError("prompts is one string, expected a list of them")
        if num_samples < 1:
            raise ValueError(f"num_samples is {num_samples}, expected at least 1")
        stop = stop_strings(stop)
        samples = self._samples(prompts, num_samples, max_new_tokens, seed, sampling)
        texts = {id(sample): "" for sample in samples}
        for sample, _ in token_steps(
            samples, self.params, self.config, endoftext=self.tokenizer.endoftext
        ):
            n_prompt = sample.end - max_new_tokens
            text = self.tokenizer.decode(sample.ids[n_prompt:])
            texts[id(sample)] = text[: stop_place(text, stop)]
            sample.done = len(texts[id(sample)]) < len(text)
        written = [texts[id(sample)] for sample in samples]
        return [written[i : i + num_samples] for i in range(0, len(written), num_samples)]

    def _samples(
        self,
        prompts: Sequence[str],
        num_samples: int,
        max_new_tokens: int,
        seed: int | None,
        sampling: dict,
    ) -> list[Sample]:
        """What token_steps is to write. The i-th sample of each prompt draws by (seed, i)."""
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, expected at least 1")
        settings = Sampling(**sampling)
        settings.check_ids(self.config.n_vocab)
        seed = np.random.SeedSequence(seed).entropy  # a new one for None
        samples = []
        for prompt in prompts:
            ids = self.prompt_ids(prompt)
            for i in range(num_samples):
                rng = np.random.default_rng([seed, i])
                choose = partial(choose_token, sampling=settings, rng=rng)
                samples.append(Sample([*ids], choose=choose, end=len(ids) + max_new_tokens))
        return samples

    def beam_search(
        self,
        prompt: str,
        max_new_tokens: int = 100,
        *,
        n_beams: int = 4,
        n_best: int = 1,
        length_penalty: float = 1.0,
        early_stopping: bool = False,
    ) -> list[tuple[str, float]]:
        """The n_best likeliest continuations that beam search finds, and their scores: see decoding/beam.py.

        Raises ValueError for a bad argument.
        """
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, expected at least 1")
        if not 1 <= n_best <= n_beams:
            raise ValueError(f"n_best is {n_best}, expected 1 to n_beams, which is {n_beams}")
        found = beam_search(
            self.prompt_ids(prompt),
            self.params,
            self.config,
            n_beams=n_beams,
            max_new_tokens=max_new_tokens,
            endoftext=self.tokenizer.endoftext,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
        )
        return [(self.tokenizer.decode(ids), total) for ids, total in found[:n_best]]

    def score(self, text: str) -> Score:
        """The log-probability of each of the text's tokens, and its perplexity: see evaluate/score.py.

        A text may be longer than n_ctx. Raises ValueError for an empty one.
        """
        ids = np.array([self.tokenizer.endoftext, *self.tokenizer.encode(text)])
        if len(ids) == 1:
            raise ValueError("the text to score is empty")
        windows = cut_document(ids, min(self.config.n_ctx, len(ids) - 1))  # no longer than needed
        return score(windows, self.params, self.config.n_head, token_lengths(self.tokenizer))

    def prompt_ids(self, prompt: str) -> list[int]:
        """The prompt's token ids; those of the empty prompt are <|endoftext|> alone."""
        return self.tokenizer.encode(prompt) or [self.tokenizer.endoftext]

    def save(self, folder: str | Path, dtype: str = "float32") -> None:
        """Write a model folder in Hugging Face's layout, for `load`, transformers or vLLM.

        dtype: how numbers are stored; "float16" takes half the space and keeps three digits.
        Raises FileExistsError if something is there already; ValueError for another dtype, or
        for weights that float16 cannot hold.
        """
        check_free(Path(folder))
        save_huggingface(folder, self.config, self.params, self.tokenizer, dtype)


def load(model: str | Path | None = None, *, offline: bool = False) -> GPT2:
    """A model by name, or from a folder laid out as OpenAI's or Hugging Face's.

    model: "124M", "355M", "774M" or "1558M", which are downloaded once and then found in the
        cache; "fairytale", the small model that comes with picogpt; or a folder with
        hparams.json, encoder.json, vocab.bpe and model.ckpt.*, or with config.json,
        model.safetensors and tokenizer.json. None is "124M", or, where that can be had neither
        from the cache nor from the network, "fairytale"; a line on stderr says so.
    offline: never touch the network.

    float32 weights are not read but mapped: the operating system fetches each part of the file
    when the mathematics first needs it.
    Raises FileNotFoundError if there is no such model, weights.DownloadError if it cannot be
    had, weights.CheckpointError or ValueError if a file is not what it should be.
    """
    folder = find_model(model, offline)
    config, params = read_model(folder)
    tokenizer = load_tokenizer(folder)
    if tokenizer.n_vocab != config.n_vocab:
        raise CheckpointError(
            f"{folder}: the tokenizer has {tokenizer.n_vocab} tokens, the model {config.n_vocab}; "
            "in transformers, model.resize_token_embeddings makes them fit"
        )
    return GPT2(config, params, tokenizer)


def find_model(model: str | Path | None, offline: bool) -> Path:
    """The folder of a model, downloaded if need be. Raises as `load` does."""
    if model is None:
        return find_default(offline)
    if model == BUNDLED:
        return Path(__file__).parent / "bundled" / BUNDLED
    if model in SIZES:
        if is_complete(model):
            return model_folder(model)
        if offline:
            raise FileNotFoundError(
                f"{model} is not in the cache ({model_folder(model)}), and offline was asked for"
            )
        return download(model)
    folder = Path(model)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"no model {str(model)!r}: neither a folder nor one of {', '.join(NAMES)}"
        )
    return folder


def find_default(offline: bool) -> Path:
    """The folder of the 124M, or of the bundled model where the network is absent or forbidden."""
    if is_complete(DEFAULT):
        return model_folder(DEFAULT)
    problem = "is not in the cache"
    if not offline:
        try:
            return download(DEFAULT)
        except Unreachable:
            problem = "cannot be downloaded, because no server answers"
    print(f"picogpt: GPT-2 {DEFAULT} {problem}: the small {BUNDLED} writes", file=sys.stderr)
    return find_model(BUNDLED, offline)
