"""Writing a tokenizer as Hugging Face's files (tokenizer_json.py reads them).

tokenizer.json holds everything; vocab.json and merges.txt, or vocab.txt, are for older programs,
and tokenizer_config.json is for transformers' classes.
"""

import json
from pathlib import Path

from ..files import replacing, write_json
from .byte_level import ByteLevelBPE
from .openai_vocab import write_merges
from .tokenizer import Tokenizer
from .wordpiece import WordPiece


def save_huggingface_tokenizer(folder: Path, tokenizer: Tokenizer, n_ctx: int) -> None:
    """Write the tokenizer's files into a folder.

    n_ctx: the longest text, in tokens, that transformers accepts without a warning.
    """
    encoder = dict(sorted(tokenizer.encoder.items(), key=lambda item: item[1]))
    added = tokenizer.added
    settings: dict = {"eos_token": added.eos, "bos_token": added.bos, "model_max_length": n_ctx}
    if isinstance(tokenizer, ByteLevelBPE):
        with replacing(folder / "vocab.json") as file:
            file.write(json.dumps(encoder, ensure_ascii=False).encode("utf-8"))
        write_merges(folder / "merges.txt", tokenizer)
        described = describe_bpe(tokenizer)
        # transformers' class for GPT-2 would forget them.
        other = tokenizer.form or tokenizer.pattern
        name = "PreTrainedTokenizerFast" if other else "GPT2Tokenizer"
        settings |= {"unk_token": added.eos, "add_prefix_space": tokenizer.add_prefix_space}
        if added.add_bos_token:
            settings["add_bos_token"] = True
    elif isinstance(tokenizer, WordPiece):
        if not tokenizer.unused:  # whose lines are the ids
            with replacing(folder / "vocab.txt") as file:
                file.write("".join(f"{token}\n" for token in encoder).encode("utf-8"))
        described = describe_wordpiece(tokenizer)
        name = "BertTokenizer"
        settings |= {"unk_token": tokenizer.unk, "do_lower_case": tokenizer.cleaning.lowercase}
        settings |= {"tokenize_chinese_chars": tokenizer.cleaning.handle_chinese_chars}
        settings |= {"strip_accents": tokenizer.cleaning.strip_accents}
    described["model"]["vocab"] = encoder
    described["added_tokens"] = [token._asdict() | {"special": True} for token in added.tokens]
    write_json(folder / "tokenizer.json", HEAD | described)
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": name} | settings)


HEAD = {"version": "1.0", "truncation": None, "padding": None, "post_processor": None}


def describe_bpe(tokenizer: ByteLevelBPE) -> dict:
    """A byte-level tokenizer as tokenizer.json describes it, but for its vocabulary."""
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": tokenizer.add_prefix_space,
        "trim_offsets": True,
        "use_regex": not tokenizer.pattern,
    }
    split = {"type": "Split", "pattern": {"Regex": tokenizer.pattern}}
    split |= {"behavior": "Isolated", "invert": False}
    cut = {"type": "Sequence", "pretokenizers": [split, byte_level]}
    return {
        "normalizer": {"type": tokenizer.form} if tokenizer.form else None,
        "pre_tokenizer": cut if tokenizer.pattern else byte_level,
        "post_processor": begin_with(tokenizer) if tokenizer.added.add_bos_token else None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "merges": [" ".join(pair) for pair in tokenizer.ranks],
        },
    }


def begin_with(tokenizer: Tokenizer) -> dict:
    """What puts the token that begins a text before it."""
    bos, text = tokenizer.added.bos, [{"Sequence": {"id": "A", "type_id": 0}}]
    first = [{"SpecialToken": {"id": bos, "type_id": 0}}]
    second = [{"SpecialToken": {"id": bos, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {
        "type": "TemplateProcessing",
        "single": first + text,
        "pair": first + text + second,
        "special_tokens": {bos: {"id": bos, "ids": [tokenizer.bos], "tokens": [bos]}},
    }


def describe_wordpiece(tokenizer: WordPiece) -> dict:
    """A WordPiece tokenizer as tokenizer.json describes it, but for its vocabulary."""
    return {
        "normalizer": {"type": "BertNormalizer"} | tokenizer.cleaning._asdict(),
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": tokenizer.prefix, "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": tokenizer.unk,
            "continuing_subword_prefix": tokenizer.prefix,
            "max_input_chars_per_word": tokenizer.longest,
        },
    }
