"""The names that other libraries use.

People who come from transformers, tiktoken or OpenAI's API type the names that they know. Here
each thing has one name, and whoever types another is told which.
"""

from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from inspect import signature

# What they call an argument of generate.
ARGUMENTS = {
    **dict.fromkeys(
        ("max_length", "max_tokens", "max_output_tokens", "n_tokens"), "max_new_tokens"
    ),
    "do_sample": "temperature (0 is greedy, above 0 draws)",
    **dict.fromkeys(
        ("num_return_sequences", "n", "n_samples"), "generate_batch(..., num_samples=)"
    ),
    "num_beams": "beam_search(prompt, n_beams=)",
    **dict.fromkeys(("stop_strings", "stop_sequences"), "stop"),
    "bad_words_ids": "banned",
    "random_state": "seed",
    "prompt_lookup_num_tokens": "lookup",
}

# What they call a part of a model, and a part of a tokenizer.
MODEL_NAMES = {
    **dict.fromkeys(("num_parameters", "n_parameters", "num_params"), "model.n_params"),
    **dict.fromkeys(("from_pretrained", "load"), "picogpt.load(name_or_folder)"),
    "save_pretrained": "model.save(folder)",
    **dict.fromkeys(("forward", "logits"), "model(ids)"),
    **dict.fromkeys(("encode", "tokenize"), "model.tokenizer.encode(text)"),
    "decode": "model.tokenizer.decode(ids)",
    **dict.fromkeys(("vocab_size", "n_vocab"), "model.config.n_vocab"),
    **dict.fromkeys(("eos_token_id", "eos_token"), "model.tokenizer.endoftext"),
    "bos_token_id": "model.tokenizer.bos",
    **dict.fromkeys(("state_dict", "parameters", "weights"), "model.params"),
    **dict.fromkeys(("perplexity", "loss"), "model.score(text).perplexity"),
}
TOKENIZER_NAMES = {
    **dict.fromkeys(
        ("eos_token_id", "eot_token", "eos_token"),
        "tokenizer.endoftext, the id of <|endoftext|>",
    ),
    "bos_token_id": "tokenizer.bos, the id of the token that begins a text",
    **dict.fromkeys(("vocab_size", "get_vocab_size"), "tokenizer.n_vocab"),
    **dict.fromkeys(("vocab", "get_vocab"), "tokenizer.encoder, token -> id"),
    **dict.fromkeys(("tokenize", "encode_ordinary", "encode_batch"), "tokenizer.encode(text)"),
    "batch_decode": "tokenizer.decode(ids), for each row",
    **dict.fromkeys(("from_pretrained", "from_file"), "picogpt.load(name_or_folder).tokenizer"),
}


def unknown_attribute(owner: object, name: str, ours: dict[str, str]) -> AttributeError:
    """The error for an attribute that an object does not have.

    ours: the name in another library -> our name.
    """
    message = f"a {type(owner).__name__} has no attribute {name!r}"
    known = [attribute for attribute in dir(owner) if not attribute.startswith("_")]
    if name in ours:
        message += f"; in picogpt that is {ours[name]}"
    elif nearest := get_close_matches(name, known, n=1):
        message += f"; did you mean {nearest[0]}?"
    return AttributeError(message)


def hint_arguments(function: Callable) -> Callable:
    """The same function, but the TypeError for an unknown argument names the right one."""
    known = list(signature(function).parameters)

    @wraps(function)
    def checked(*args, **kwargs):
        for name in kwargs.keys() - known:
            message = f"{function.__name__}() has no argument {name!r}"
            if name in ARGUMENTS:
                message += f"; did you mean {ARGUMENTS[name]}?"
            elif nearest := get_close_matches(name, known, n=1):
                message += f"; did you mean {nearest[0]}?"
            raise TypeError(message)
        return function(*args, **kwargs)

    return checked
