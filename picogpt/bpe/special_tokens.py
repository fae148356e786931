"""The files beside a tokenizer in Hugging Face's folders: the added tokens and what they mean.

tokenizer_config.json, and special_tokens_map.json in older folders, name the tokens (bos_token,
eos_token, pad_token, ...); added_tokens.json, or added_tokens_decoder in tokenizer_config.json,
gives ids to those beyond the vocabulary; so does tokenizer.json itself.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..files import brief, read_json
from .added_tokens import ENDOFTEXT, AddedToken, AddedTokens

# What one can do if the tokenizer is refused.
INSTEAD = (
    "; use transformers' tokenizer, and the model without one "
    '(README, "Which models can be loaded")'
)
CLASSES = {
    "BPE": ("GPT2Tokenizer", "GPT2TokenizerFast"),
    "WordPiece": ("BertTokenizer", "BertTokenizerFast"),
}
ANY_CLASS = ("PreTrainedTokenizerFast", "TokenizersBackend", None)
SETTINGS = ("special_tokens_map.json", "tokenizer_config.json")  # the last word is the second's
MORE_TOKENS = ("additional_special_tokens", "extra_special_tokens")
BOOLEANS = ("add_bos_token", "add_prefix_space")
BOOLEANS += ("do_lower_case", "tokenize_chinese_chars", "strip_accents")
FLAGS = ("lstrip", "rstrip", "single_word", "normalized")


class Settings(NamedTuple):
    """What the files beside a tokenizer say."""

    options: dict
    added: list[AddedToken]  # the tokens to which they give ids
    named: list[tuple[str, AddedToken]]  # name and token; the ids are not known yet


def read_settings(folder: Path, kind: str) -> Settings:
    """What the files beside a tokenizer of a kind, "BPE" or "WordPiece", say.

    Raises ValueError for a damaged file, or one that asks for ids that picogpt would not give.
    """
    settings = Settings({}, [], [])
    for name in SETTINGS:
        if (folder / name).is_file():
            found = {k: x for k, x in read_json(folder / name).items() if x is not None}
            try:
                check_tokenizer_config(found, kind)
                settings.added.extend(tokens_with_ids(found.get("added_tokens_decoder", {})))
                settings.named.extend(named_tokens(found))
            except ValueError as error:
                raise ValueError(f"{folder / name}: {error}") from None
            settings.options.update(found)
    if (folder / "added_tokens.json").is_file():
        for content, i in read_json(folder / "added_tokens.json").items():
            try:
                settings.added.append(read_token("the file", content, i))
            except ValueError as error:
                raise ValueError(f"{folder / 'added_tokens.json'}: {error}") from None
    return settings


def check_tokenizer_config(settings: dict, kind: str) -> None:
    """Raise ValueError if a setting asks for ids that picogpt would not give."""
    expected = CLASSES[kind]
    if (found := settings.get("tokenizer_class")) not in (*expected, *ANY_CLASS):
        raise ValueError(f"tokenizer_class is {brief(found)}, expected {expected[0]}{INSTEAD}")
    unknown = ("add_eos_token",) if kind == "BPE" else ("add_eos_token", "add_bos_token")
    for name in unknown:
        if settings.get(name, False) is not False:
            raise ValueError(
                f"{name} is {brief(settings[name])}, but picogpt does not add that token: "
                "set it to false, and put the id beside the others yourself"
            )
    for name in BOOLEANS:
        if type(value := settings.get(name, False)) is not bool:
            raise ValueError(f"{name} is {brief(value)}, expected true or false")


def tokens_with_ids(decoder) -> Iterator[AddedToken]:
    """The tokens of an added_tokens_decoder: {"50257": {"content": "[PAD]", ...}}."""
    if not isinstance(decoder, dict):
        raise ValueError(f"added_tokens_decoder is {brief(decoder)}, expected an object")
    for key, token in decoder.items():
        is_id = len(key) < 10 and key.isascii() and key.isdecimal()
        yield read_token("added_tokens_decoder", token, int(key) if is_id else key)


def named_tokens(settings: dict) -> Iterator[tuple[str, AddedToken]]:
    """The name and the token, for each token that has a name or is in a list that has one."""
    for name, token in settings.items():
        if name.endswith("_token") and not isinstance(token, bool):
            yield name, read_token(name, token, 0)
    for name in MORE_TOKENS:
        tokens = settings.get(name, [])
        tokens = list(tokens.values()) if isinstance(tokens, dict) else tokens
        for token in tokens if isinstance(tokens, list) else [tokens]:
            yield name, read_token(name, token, 0)


def read_token(where: str, token, i) -> AddedToken:
    """A token, given as an object or a text, with an id. Raises ValueError if it is not one."""
    content = token.get("content") if isinstance(token, dict) else token
    if not isinstance(content, str) or not content:
        raise ValueError(f"{where:.80} has {brief(token)}, expected a token")
    if type(i) is not int:
        raise ValueError(f"{where:.80} gives {brief(content)} the id {brief(i)}")
    flags = {name: token.get(name, False) for name in FLAGS} if isinstance(token, dict) else {}
    for name, value in flags.items():
        if type(value) is not bool:
            raise ValueError(f"{where:.80} gives {brief(content)} {name} {brief(value)}")
    return AddedToken(content, i, **flags)


def added_tokens(
    found: list[AddedToken], settings: Settings, encoder: dict[str, int]
) -> AddedTokens:
    """The added tokens of a vocabulary, which get their ids in the encoder.

    found: those of tokenizer.json. A named token without an id is left out. The token that ends a
    text is eos_token, or else the first of <|endoftext|>, [SEP] and </s> that there is.
    Raises ValueError if there is none of these.
    """
    tokens = {token.content: token for token in [*found, *settings.added]}
    encoder |= {content: token.id for content, token in tokens.items()}
    names: dict[str, str] = {}
    for name, token in settings.named:
        names[name] = token.content
        if token.content in encoder:
            tokens.setdefault(token.content, token._replace(id=encoder[token.content]))
    if (eos := names.get("eos_token", "")) and eos not in encoder:
        raise ValueError(f"eos_token is {brief(eos)}, which has no id")
    eos = eos or first_of((ENDOFTEXT, names.get("sep_token", "[SEP]"), "</s>"), encoder)
    if not eos:
        raise ValueError("no token ends a text: name one as eos_token in tokenizer_config.json")
    bos = first_of((names.get("bos_token", ""), names.get("cls_token", "[CLS]"), eos), encoder)
    for content in (eos, bos):
        tokens.setdefault(content, AddedToken(content, encoder[content]))
    return AddedTokens(tokens.values(), eos, bos)


def first_of(contents: tuple[str, ...], encoder: dict[str, int]) -> str:
    """The first of these tokens that the vocabulary has, or ""."""
    return next((content for content in contents if content in encoder), "")
