"""OpenAI's vocabulary against tiktoken and tokenizers, live."""

import json
import random
from pathlib import Path

import pytest
import regex
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tiktoken_ext.openai_public import r50k_pat_str
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from unicode_versions import EVERY, NEWER, tiktoken_matches

from picogpt.bpe import StreamDecoder, load_tokenizer
from picogpt.bpe.merges import merge
from picogpt.bpe.pretokenize import split, to_symbols

FOLDER = Path(__file__).parents[1] / "reference" / "bpe"  # see make_bpe.py
HARD_STRINGS = [text for text, _, _ in json.loads((FOLDER / "encoded.json").read_text("ascii"))]


@pytest.fixture(scope="module")
def ours(openai_files):
    return load_tokenizer(openai_files)


@pytest.fixture(scope="module")
def gpt2(openai_files):
    """tiktoken's gpt2, made from local files: tiktoken_ext.openai_public.gpt2 would download."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", "")  # reads the files without a copy elsewhere
        ranks = data_gym_to_mergeable_bpe_ranks(
            str(openai_files / "vocab.bpe"), str(openai_files / "encoder.json")
        )
    return tiktoken.Encoding(
        "gpt2",
        explicit_n_vocab=50257,
        pat_str=r50k_pat_str,
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": 50256},
    )


@pytest.fixture(scope="module")
def hugging_face(openai_files):
    model = models.BPE.from_file(
        str(openai_files / "encoder.json"), str(openai_files / "vocab.bpe")
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def test_published_ids(ours):
    assert ours.n_vocab == 50257
    assert ours.endoftext == 50256
    # minGPT
    text = "Hello!! I'm Andrej Karpathy. It's 2022. w00t :D 🤗"
    ids = "15496 3228 314 1101 10948 73 509 5117 10036 13 632 338 33160 13 266 405 83 1058 35 12520"
    assert ours.encode(text) == [*map(int, ids.split()), 97, 245]
    # tiktoken
    assert ours.encode("hello <|endoftext|>", allow_endoftext=True) == [31373, 220, 50256]
    # fastGPT
    assert ours.encode("San Francisco is") == [15017, 6033, 318]
    assert ours.encode("Cars are") == [34, 945, 389]


@pytest.mark.parametrize("text", HARD_STRINGS, ids=range(len(HARD_STRINGS)))
def test_hard_strings(ours, gpt2, text):
    ids = ours.encode(text)
    assert ids == gpt2.encode(text, disallowed_special=())
    assert ours.decode(ids) == gpt2.decode(ids)
    allowed = ours.encode(text, allow_endoftext=True)
    assert allowed == gpt2.encode(text, allowed_special="all")


@pytest.mark.parametrize(
    "text",
    [
        "\ud83d\udc08 \ud83d\udc08\udc08",
        "\ud83d\ud83d\udc08",
        "\ufeff\ud800\ufeff",
        "<|endoftext|>\ud800<|endoftext|>\udc00 ",
        "a" * 100_000,
        "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=100_000)),
        "".join(random.Random(1).choices("etaoins", k=100_000)),
        "".join(random.Random(2).choices(" \n\t\u3000", k=100_000)),
        "🐈" * 20_000,
        "=" * 100_000 + "-" * 3001,
        "7" * 100_000,
        "水" * 70_000 + " 水" * 70_000,
    ],
    ids=range(12),
)
def test_surrogates_and_long_words(ours, gpt2, text):
    assert ours.encode(text) == gpt2.encode(text, disallowed_special=())
    assert ours.encode(text, allow_endoftext=True) == gpt2.encode(text, allowed_special="all")


# Characters of every sort, surrogates included; and few sorts in close company.
any_text = st.text(st.characters(exclude_characters=NEWER))
crowded_text = st.text(
    st.sampled_from(
        " \t\n\r\0\x1c\x85\xa0\u200b\u2028\u3000'’stmdlrevSTaZ<|>79½٣.!-_é\u0301ßяש水ー🐈\u200d\ud83d\udc08"
    ),
    max_size=60,
)
contractions = st.lists(
    st.sampled_from(["'s", "'ll", "'LL", "'", "a", " ", "  ", "\n", "re", "'ve", "7", "."])
).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=any_text | crowded_text | contractions)
def test_random_strings(ours, gpt2, text):
    ids = ours.encode(text)
    assert ids == gpt2.encode(text, disallowed_special=())
    assert ours.decode(ids) == gpt2.decode(ids)
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    text = gpt2.decode(ids)  # surrogates are beyond Hugging Face's
    words = [word for word, _ in splitter.pre_tokenize_str(text)]
    assert [to_symbols(word) for word in split(text)] == words


def test_random_code_points(ours, gpt2, hugging_face):
    """Drawn evenly from all of Unicode, in words with what a word may begin and end with."""
    rng = random.Random(0)
    characters = sorted({*EVERY} - NEWER)
    around = ["", "", " ", "a", "7", ".", "\n", "'s", "\u0301"]
    text = "".join(c + rng.choice(around) for c in rng.choices(characters, k=30_000))
    assert ours.encode(text) == gpt2.encode(text, disallowed_special=())
    assert ours.encode(text) == hugging_face.encode(text).ids


@pytest.mark.parametrize("pattern", [r"\p{L}", r"\p{N}", r"\s"])
def test_every_character_that_the_judge_knows_is_of_the_same_kind(pattern):
    judges, ours = tiktoken_matches(pattern), {*regex.findall(pattern, EVERY)}
    assert judges - NEWER == ours - NEWER
    assert judges


def test_every_token_encodes_to_itself(ours):
    """Which proves that tiktoken, whose merges are all pairs that make a token, merges as we do.

    Suppose that in some word two neighbours x and y made a token xy, but were no pair in the list.
    Nothing around them has touched their bytes, so the word xy alone would come to x, y as well,
    and stop there instead of at xy.
    """
    tokens = [token for token in ours.encoder if token != "<|endoftext|>"]
    assert [token for token in tokens if merge(token, ours.ranks) != [token]] == []


@settings(deadline=None)
@given(ids=st.lists(st.integers(0, 50256)) | st.lists(st.integers(94, 255)))
def test_decode_of_any_ids(ours, gpt2, ids):
    assert ours.decode_bytes(ids) == gpt2.decode_bytes(ids)
    assert ours.decode(ids) == gpt2.decode(ids)
    decoder = StreamDecoder(ours)
    pieces = [decoder.push(i) for i in ids]
    assert "".join([*pieces, decoder.flush()]) == gpt2.decode(ids)


def test_english(ours, gpt2, hugging_face, test_data):
    path = test_data / "corpus" / "fairy-tales-valid.txt"
    text = path.read_bytes().decode("utf-8")
    ids = ours.encode(text)
    assert ids == gpt2.encode(text, disallowed_special=())
    assert ids == hugging_face.encode(text).ids
    assert ours.decode(ids) == text


@pytest.mark.parametrize("seed", range(10))
def test_merges_in_any_order(seed):
    """Merges that no text could teach in this order, against Hugging Face's merging."""
    rng = random.Random(seed)
    for _ in range(200):
        tokens, pairs = ["a", "b"], []
        for _ in range(rng.randrange(1, 30)):
            pair = (rng.choice(tokens), rng.choice(tokens))
            pairs.append(pair)
            tokens.append("".join(pair))
        pairs = rng.sample(list(dict.fromkeys(pairs)), k=len(set(pairs)))
        encoder = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
        judge = Tokenizer(models.BPE(encoder, pairs))
        ranks = {pair: rank for rank, pair in enumerate(pairs)}
        word = "".join(rng.choices("ab", k=rng.randrange(1, 40)))
        assert merge(word, ranks) == judge.encode(word).tokens
