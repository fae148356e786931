"""The class GPT2: sizes, parameters and tokenizer in one place, and `load`, which finds them.

Its methods only prepare arguments and call the functions of the other modules.
"""

import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .bpe import Tokenizer, load_tokenizer
from .config import Config, activation_names, flatten
from .decoding.beam import beam_search
from .decoding.conversation import Chat
from .decoding.lookup import Lookup
from .decoding.loop import GrowingText, Step, no_guess, token_steps
from .decoding.sampling import Sampling, choose_token, whole_number
from .decoding.stopping import TextWriter, pieces_of_text, stop_strings
from .evaluate.score import Score, cut_document, score, token_lengths
from .files import check_free
from .model import check_ids, gpt2
from .other_names import MODEL_NAMES, hint_arguments, unknown_attribute
from .tap import Tap, no_tap
from .weights import CheckpointError
from .weights.find import find_model
from .weights.model_folder import read_model, without_surplus

if TYPE_CHECKING:
    from .explain.assembly import Explanation


class GPT2:
    """A model, ready for use: its config, its params (see config.py) and its tokenizer."""

    def __init__(self, config: Config, params: dict, tokenizer: Tokenizer):
        self.config = config
        self.params = params
        self.tokenizer = tokenizer

    def __call__(self, ids, tap: Tap = no_tap) -> np.ndarray:
        """Logits for the token after each: ids [n_seq] or [n_batch, n_seq] -> [..., n_vocab].

        Raises ValueError for rows of different lengths, ids outside the vocabulary, or more
        positions than n_ctx; TypeError for a text.
        """
        if isinstance(ids, str):
            raise TypeError("expected token ids, not a text: model(model.tokenizer.encode(text))")
        try:
            ids = np.asarray(ids)
        except ValueError:  # NumPy speaks of an inhomogeneous shape
            lengths = sorted({len(row) for row in ids})
            raise ValueError(f"rows of ids have different lengths: {lengths}") from None
        return gpt2(ids, **self.params, n_head=self.config.n_head, tap=tap)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}={n}" for name, n in asdict(self.config).items())
        return f"GPT2({sizes}: {self.n_params:,} parameters)"

    def __getattr__(self, name: str):
        raise unknown_attribute(self, name, MODEL_NAMES)

    @property
    def n_params(self) -> int:
        """How many numbers the model has learned."""
        return sum(x.size for x in flatten(self.params).values())

    @property
    def activation_names(self) -> list[str]:
        """The names under which a tap sees the activations, in the order of computation."""
        return activation_names(self.config.n_layer)

    @hint_arguments
    def generate(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 100,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        logit_bias: Mapping[int, float] | None = None,
        banned: Collection[int] = (),
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        lookup: bool = False,
    ) -> str:
        """The text that continues the prompt.

        prompt: a text, or token ids. If it is empty, the text starts from <|endoftext|>, which
            stood before every document that the model was trained on.
        temperature to banned: how each token is chosen, see decoding/sampling.py. Without them
            the likeliest token is always taken (greedy).
        stop: a string, or several. The text ends before the first of them.
        seed: the same seed gives the same text; None draws a new one each time.
        lookup: write faster where the text repeats itself, by guessing from what came before. The
            text is the same, but for rounding: several tokens are read in one matrix product, and
            of two candidates that are equally likely to the last digits, it may choose the other.

        The text ends after max_new_tokens, or before <|endoftext|>. If it outgrows n_ctx, its
        older part is forgotten (see decoding/loop.py), and a warning says so.
        Raises ValueError or TypeError for a bad argument.

        >>> model.generate("Once upon a time", 40, temperature=0.8, top_k=40, seed=1)
        """
        return "".join(
            self.stream(
                prompt,
                max_new_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                min_p=min_p,
                repetition_penalty=repetition_penalty,
                logit_bias=logit_bias,
                banned=banned,
                stop=stop,
                seed=seed,
                lookup=lookup,
            )
        )

    @hint_arguments
    def stream(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 100,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        logit_bias: Mapping[int, float] | None = None,
        banned: Collection[int] = (),
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        lookup: bool = False,
    ) -> Iterator[str]:
        """Yield the text that continues the prompt, piece by piece, as it is written.

        The arguments are those of `generate`. To stop early, close the iterator or drop
        it. Raises ValueError or TypeError, at once, for a bad argument.
        """
        writer = TextWriter(self.tokenizer, stop_strings(stop))
        steps = self.steps(
            prompt,
            max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            logit_bias=logit_bias,
            banned=banned,
            seed=seed,
            lookup=lookup,
        )
        return pieces_of_text((step.id for step in steps), writer)

    @hint_arguments
    def steps(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 100,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        logit_bias: Mapping[int, float] | None = None,
        banned: Collection[int] = (),
        seed: int | None = None,
        lookup: bool = False,
    ) -> Iterator[Step]:
        """Yield each token that continues the prompt, with what else the model had in mind.

        The arguments are those of `generate`.
        Raises ValueError or TypeError, at once, for a bad argument.

        >>> for step in model.steps("The king had three", 5):
        ...     print(step.text, step.logprob, step.likeliest(3))
        """
        banned = [*banned, *self.tokenizer.unused]
        sampling = Sampling(
            temperature, top_k, top_p, min_p, repetition_penalty, logit_bias or {}, banned
        )
        samples = self._samples([prompt], 1, max_new_tokens, seed, sampling)
        steps = token_steps(
            samples,
            self.params,
            self.config,
            endoftext=self.tokenizer.endoftext,
            make_guess=Lookup() if lookup else no_guess,
            decode=self.tokenizer.decode,
        )
        return (step for _, step in steps)

    @hint_arguments
    def generate_batch(
        self,
        prompts: Sequence[str | Sequence[int]],
        max_new_tokens: int = 100,
        *,
        num_samples: int = 1,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = 1.0,
        logit_bias: Mapping[int, float] | None = None,
        banned: Collection[int] = (),
        stop: str | Sequence[str] = (),
        seed: int | None = None,
    ) -> list[list[str]]:
        """num_samples continuations of each prompt, all written at the same time.

        Each is what `generate` would write, but for rounding (see there). Together they take less
        time, since the weights are read once for all of them. With the same seed, sample 0 of a
        prompt is what `generate` writes. The other arguments are those of `generate`.
        """
        if isinstance(prompts, str):
            raise TypeError("prompts is one string, expected a list of them")
        num_samples = whole_number("num_samples", num_samples, 1)
        stop = stop_strings(stop)
        banned = [*banned, *self.tokenizer.unused]
        sampling = Sampling(
            temperature, top_k, top_p, min_p, repetition_penalty, logit_bias or {}, banned
        )
        samples = self._samples(prompts, num_samples, max_new_tokens, seed, sampling)
        writers = {id(sample): TextWriter(self.tokenizer, stop) for sample in samples}
        texts = {id(sample): "" for sample in samples}
        for sample, step in token_steps(
            samples, self.params, self.config, endoftext=self.tokenizer.endoftext
        ):
            texts[id(sample)] += writers[id(sample)].push(step.id)
            sample.done = writers[id(sample)].stopped
        written = [texts[id(sample)] + writers[id(sample)].finish() for sample in samples]
        return [written[i : i + num_samples] for i in range(0, len(written), num_samples)]

    def _samples(
        self,
        prompts: Sequence[str | Sequence[int]],
        num_samples: int,
        max_new_tokens: int,
        seed: int | None,
        sampling: Sampling,
    ) -> list[GrowingText]:
        """The texts for token_steps to continue. Sample i of a prompt draws with (seed, i)."""
        max_new_tokens = whole_number("max_new_tokens", max_new_tokens, 1)
        if seed is not None:
            seed = whole_number("seed", seed, 0)
        sampling.check_ids(self.config.n_vocab)
        entropy = int.from_bytes(os.urandom(16)) if seed is None else seed
        samples = []
        for prompt in prompts:
            ids = self.prompt_ids(prompt)
            for i in range(num_samples):
                rng = np.random.default_rng([entropy, i])
                choose = partial(choose_token, sampling=sampling, rng=rng)
                samples.append(GrowingText([*ids], choose=choose, end=len(ids) + max_new_tokens))
        return samples

    @hint_arguments
    def beam_search(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 100,
        *,
        n_beams: int = 4,
        n_best: int = 1,
        length_penalty: float = 1.0,
        early_stopping: bool = False,
    ) -> list[tuple[str, float]]:
        """The n_best likeliest continuations that beam search finds, and their scores.

        See decoding/beam.py. Raises ValueError or TypeError for a bad argument.
        """
        n_beams = whole_number("n_beams", n_beams, 1)
        n_best = whole_number("n_best", n_best, 1)
        if n_best > n_beams:
            raise ValueError(f"n_best is {n_best}, expected 1 to n_beams, which is {n_beams}")
        found = beam_search(
            self.prompt_ids(prompt),
            self.params,
            self.config,
            n_beams=n_beams,
            max_new_tokens=whole_number("max_new_tokens", max_new_tokens, 1),
            endoftext=self.tokenizer.endoftext,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
            banned=self.tokenizer.unused,
        )
        return [(self.tokenizer.decode(ids), total) for ids, total in found[:n_best]]

    def score(self, text: str) -> Score:
        """The log-probability of each of the text's tokens, and its perplexity.

        See evaluate/score.py. A text may be longer than n_ctx. Raises ValueError for an empty
        text, TypeError for anything that is not a text.
        """
        if not isinstance(text, str):
            raise TypeError(f"the text to score is {text!r:.80}, expected a text")
        ids = np.array([self.tokenizer.bos, *self.tokenizer.encode(text)])
        if len(ids) == 1:
            raise ValueError("the text to score is empty")
        windows = cut_document(ids, min(self.config.n_ctx, len(ids) - 1))  # no longer than needed
        return score(windows, self.params, self.config.n_head, token_lengths(self.tokenizer))

    def prompt_ids(self, prompt: str | Sequence[int]) -> list[int]:
        """The token ids of a prompt, which is a text or ids. An empty one becomes <|endoftext|>.

        A text begins with the token that begins texts if the tokenizer was made so.
        Raises TypeError for anything else, ValueError for an id outside the vocabulary.
        """
        if isinstance(prompt, str):
            first = [self.tokenizer.bos] if self.tokenizer.added.add_bos_token else []
            return first + self.tokenizer.encode(prompt) or [self.tokenizer.bos]
        try:
            ids = [index(i) for i in prompt]
        except TypeError:
            raise TypeError(
                f"the prompt is {prompt!r:.80}, expected a text or a list of token ids"
            ) from None
        if ids:
            check_ids(ids, self.config.n_vocab)
        return ids or [self.tokenizer.bos]

    def chat(
        self,
        *,
        dialogue: bool = False,
        max_new_tokens: int = 60,
        temperature: float = 0.7,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Chat:
        """A conversation: its `say` answers, its `stream` does so piece by piece.

        dialogue: the model was trained on dialogues whose turns end with its end token, as
            DialoGPT was. Otherwise it is given a transcript to continue.

        >>> model.chat(dialogue=True).say("Does money buy happiness?")
        """
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
        max_new_tokens = whole_number("max_new_tokens", max_new_tokens, 1)
        return Chat(self, dialogue, max_new_tokens, options)

    def explain(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 8,
        *,
        seed: int | None = None,
        blocks: Sequence[int] | None = None,
        boxes: Sequence[str] | None = None,
    ) -> "Explanation":
        """A page on which the prompt and its continuation can be followed through every operation.

        seed: draws the tokens; None takes the likeliest.
        blocks: those whose numbers are kept; None keeps all, or as many as a page can hold.
        boxes: the parts of the page to show, such as ["scores", "heads"]; None shows all.
        Raises ValueError if the text is too long, or for a block or a box that does not exist.

        >>> model.explain("The king had three sons").save("page.html")
        """
        from .explain.assembly import Explanation  # here, so that `import picogpt` stays quick
        from .explain.trace import trace

        ids = self.prompt_ids(prompt)
        max_new_tokens = whole_number("max_new_tokens", max_new_tokens, 0)
        traced = trace(
            ids, max_new_tokens, self.config, self.params, self.tokenizer, seed=seed, blocks=blocks
        )
        return Explanation(traced, boxes)

    def keep_blocks(self, blocks: Sequence[int]) -> "GPT2":
        """A model with only these blocks, in this order. It shares its arrays with this one.

        Each block only adds to the residual stream, so the model still works without some of
        them, though less well. Raises ValueError for no block, or one that does not exist.

        >>> model.keep_blocks([0, 1, 2, 4, 5])  # without block 3
        """
        blocks = [index(i) for i in blocks]
        n_layer = self.config.n_layer
        if not blocks or not all(0 <= i < n_layer for i in blocks):
            raise ValueError(f"blocks is {blocks!r:.80}, expected some of 0 to {n_layer - 1}")
        kept = self.params | {"h": [self.params["h"][i] for i in blocks]}
        return GPT2(replace(self.config, n_layer=len(blocks)), kept, self.tokenizer)

    def save(self, folder: str | Path, dtype: str = "float32") -> None:
        """Write a model folder in Hugging Face's layout, for `load`, transformers or vLLM.

        dtype: how numbers are stored; "float16" takes half the space and keeps three digits,
            "bfloat16" keeps two, "int8" takes a quarter of the space, and only picogpt reads it.
        Raises FileExistsError if something is there already; ValueError for another dtype, or
        for weights that float16 cannot hold.
        """
        from .weights.export import save_huggingface  # here, so that `import picogpt` stays quick

        check_free(Path(folder))
        save_huggingface(Path(folder), self.config, self.params, self.tokenizer, dtype)


def load(
    name_or_folder: str | Path | None = None,
    *,
    offline: bool = False,
    verify: bool = True,
    dtype: str | None = None,
) -> GPT2:
    """A model by name, or from a folder laid out as OpenAI's or Hugging Face's.

    name_or_folder: "124M", "355M", "774M" or "1558M", which are downloaded once and then found in
        the cache; "fairytale", the small model that comes with picogpt; "org/name", a model of
        the Hugging Face Hub; or a folder with hparams.json, encoder.json, vocab.bpe and
        model.ckpt.*, with config.json, model.safetensors and tokenizer.json, or nanoGPT's. None
        means "124M", or "fairytale" if that cannot be had; a warning says why.
    offline: never touch the network.
    verify: compare the checksums in a TensorFlow checkpoint, and refuse weights that are NaN or
        infinite. This reads the whole file, at a few gigabytes a second. Without it, float32
        weights are only mapped, and each part of the file is read when it is first needed (but a
        small model is copied, see weights/layout.py).
    dtype: how matrices are kept: "float32"; "float16" or "bfloat16" for half the memory; "int8" for
        a quarter (weights/compact.py). Everything is computed in float32. Matrices are compressed
        one at a time, so that the float32 model is never in memory. None means float32, or int8 for
        a folder that was saved that way.

    A mapped file must not be changed while the model is in use.
    Raises FileNotFoundError if there is no such model, weights.DownloadError if it cannot be
    downloaded, weights.CheckpointError or ValueError if a file is not what it should be.
    """
    folder = find_model(name_or_folder, offline)
    config, params = read_model(folder, verify, dtype)
    tokenizer = load_tokenizer(folder)
    if tokenizer.n_vocab < config.n_vocab:
        surplus = f"{config.n_vocab} rows for {tokenizer.n_vocab} tokens"
        warnings.warn(f"{folder}: the model has {surplus}; the last are left out", stacklevel=2)
        config, params = without_surplus(config, params, tokenizer.n_vocab)
    if tokenizer.n_vocab > config.n_vocab:
        raise CheckpointError(
            f"{folder}: the tokenizer has {tokenizer.n_vocab} tokens, the model {config.n_vocab}; "
            "in transformers, model.resize_token_embeddings makes them fit"
        )
    return GPT2(config, params, tokenizer)
