"""The class GPT2: sizes, parameters and tokenizer in one place, and `load`, which finds them.

Its methods only prepare arguments and call the functions of the other modules.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .bpe import StreamDecoder, Tokenizer, load_tokenizer
from .config import SIZES, Config
from .generate import pieces_of_text, token_steps, until_stop
from .model import gpt2
from .sampling import check_sampling, choose_token
from .tap import Tap, no_tap
from .weights import CheckpointError
from .weights.cache import is_complete, model_folder
from .weights.download import download
from .weights.folder import read_model


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

    def generate(self, prompt: str, max_new_tokens: int = 100, **sampling) -> str:
        """The text that continues the prompt. Takes the keyword arguments of `stream`."""
        return "".join(self.stream(prompt, max_new_tokens, **sampling))

    def stream(
        self,
        prompt: str,
        max_new_tokens: int = 100,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] = (),
    ) -> Iterator[str]:
        """Yield the text that continues the prompt, piece by piece, as it is written.

        temperature: 0 always takes the likeliest token (greedy); 1 draws from the model's own
            distribution; in between, likely tokens are favoured.
        top_k: draw from the k likeliest tokens only.
        top_p: draw from the fewest likeliest tokens that together have this probability.
        seed: the same seed gives the same text; None draws a new one each time.
        stop: a string, or several, before which the text ends; they are not part of it.

        The text also ends before <|endoftext|>, after max_new_tokens, and when prompt and text
        together fill the context of n_ctx tokens. An empty prompt starts from <|endoftext|>,
        which is what stands before every document the model was trained on.
        Raises ValueError, at once, for a bad argument or a prompt that leaves no room in n_ctx.
        """
        check_sampling(temperature, top_k, top_p)
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, expected at least 1")
        stop = (stop,) if isinstance(stop, str) else tuple(stop)
        if "" in stop:
            raise ValueError("a stop string is empty")
        ids = self.prompt_ids(prompt)
        if len(ids) >= self.config.n_ctx:
            raise ValueError(
                f"the prompt has {len(ids)} tokens and leaves no room for more: "
                f"n_ctx is {self.config.n_ctx}"
            )
        choose = partial(
            choose_token,
            rng=np.random.default_rng(seed),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
        )
        tokens = token_steps(
            ids,
            self.params,
            self.config,
            choose=choose,
            max_new_tokens=max_new_tokens,
            endoftext=self.tokenizer.endoftext,
        )
        return until_stop(pieces_of_text(tokens, StreamDecoder(self.tokenizer)), stop)

    def prompt_ids(self, prompt: str) -> list[int]:
        """The prompt's token ids; those of the empty prompt are <|endoftext|> alone."""
        return self.tokenizer.encode(prompt) or [self.tokenizer.endoftext]


def load(model: str | Path = "124M", *, offline: bool = False) -> GPT2:
    """A model by name, or from a folder laid out as OpenAI's or Hugging Face's.

    model: "124M", "355M", "774M" or "1558M", which are downloaded once and then found in the
        cache; or a folder with hparams.json, encoder.json, vocab.bpe and model.ckpt.*, or with
        config.json, model.safetensors and tokenizer.json.
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


def find_model(model: str | Path, offline: bool) -> Path:
    """The folder of a model, downloaded if need be. Raises as `load` does."""
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
            f"no model {str(model)!r}: neither a folder nor one of {', '.join(SIZES)}"
        )
    return folder
