"""Added tokens, BERT's WordPiece, and files that are damaged at random.

The ids are compared with Hugging Face's in tests/judges; here is what they mean, by hand.
"""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_files import refused
from support import error, random_params

import picogpt
from picogpt.bpe import ByteLevelBPE, StreamDecoder, load_tokenizer
from picogpt.bpe.added_tokens import AddedToken, AddedTokens
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.saved import save_huggingface_tokenizer
from picogpt.bpe.wordpiece import Cleaning, WordPiece
from picogpt.config import Config
from picogpt.explain.trace import trace
from picogpt.weights.model_folder import read_model

N = 257  # the bytes and a merge
ADDED = [
    AddedToken("<end>", N + 1),
    AddedToken("[PAD]", N + 2, lstrip=True),
    AddedToken("[PAD]2", N + 3, rstrip=True),
    AddedToken("cow", N + 4, single_word=True),
    AddedToken("Éa", N + 5, normalized=True),
]
BPE_TOKENS = [*ALPHABET, "ow", "<unused>", *(token.content for token in ADDED)]
WORDS = "[PAD] [UNK] [CLS] [SEP] hug ##ging ##s a b 中 国 , . $ e é σ 1 ##σ".split()


def byte_level(**options) -> ByteLevelBPE:
    encoder = {token: i for i, token in enumerate(BPE_TOKENS)}
    return ByteLevelBPE(encoder, [("o", "w")], AddedTokens(ADDED, "<end>", "[PAD]"), **options)


def patterned() -> ByteLevelBPE:
    """With a pattern of its own, and a token before every text."""
    tokenizer = byte_level(form="NFC", pattern=r"\p{N}{1,3}|\s?[^\s\p{N}]+|\s")
    tokenizer.added.add_bos_token = True
    return tokenizer


def wordpiece(**cleaning) -> WordPiece:
    encoder = {token: i for i, token in enumerate(WORDS)}
    added = [AddedToken(token, encoder[token]) for token in WORDS[:4]]
    return WordPiece(encoder, AddedTokens(added, "[SEP]", "[CLS]"), Cleaning(**cleaning), longest=9)


def tokens(tokenizer, text: str, **options) -> list[str]:
    names = {i: token for token, i in tokenizer.encoder.items()}
    return [names[i] for i in tokenizer.encode(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now<end>", "n ow < e n d >"),  # the end is text, unless it is allowed
        ("a \n[PAD] b", "a [PAD] Ġ b"),
        ("a [PAD]2 \n", "a Ġ [PAD]2"),
        (" [PAD] [PAD]", "[PAD] [PAD]"),
        ("cow cows_cow.cow", "cow Ġ c ow s _ c ow . cow"),
        ("E\u0301a", "Éa"),
        ("[PAD", "[ P A D"),
    ],
)
def test_added_tokens(text, expected):
    assert tokens(byte_level(form="NFC"), text) == expected.split()


def test_the_end_only_where_it_is_allowed():
    assert tokens(byte_level(), "a<end>b", allow_endoftext=True) == ["a", "<end>", "b"]
    assert byte_level().endoftext == N + 1
    assert byte_level().bos == N + 2
    assert byte_level().decode([N + 1, N + 5, N]) == "<end>Éa<unused>"


def test_a_space_before_the_text_and_after_added_tokens():
    bare = byte_level(add_prefix_space=True)
    assert tokens(bare, "a[PAD]b") == ["Ġ", "a", "[PAD]", "Ġ", "b"]
    assert tokens(bare, " a") == ["Ġ", "a"]
    assert tokens(bare, "") == []


def test_explain_shows_added_tokens():
    assert byte_level().explain("[PAD]now") == (
        "'[PAD]'\n          [PAD]\n     ids  259\n"
        "'now'\n          n o w\n       0  n ow\n     ids  110 256"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hugging hugs", "hug ##ging hug ##s"),
        ("hugx a", "[UNK] a"),
        ("huggingss a", "hug ##ging ##s ##s a"),
        ("huggingsss a", "[UNK] a"),  # longer than the longest
        ("a中国b", "a 中 国 b"),
        ("É\u200d\x00a,$.", "[UNK] , $ ."),
        ("É AΣ", "e a ##σ"),
        ("Σ\t\u3000\n1", "σ 1"),
        ("[SEP] [CLS]a[PAD]", "[UNK] [UNK] [UNK] [CLS] a [PAD]"),
        ("\ufffd \x7f", ""),
    ],
)
def test_wordpiece(text, expected):
    assert tokens(wordpiece(), text) == expected.split()


def test_wordpiece_with_accents():
    assert tokens(wordpiece(lowercase=False), "é É") == ["é", "[UNK]"]
    assert tokens(wordpiece(strip_accents=False), "é É") == ["é", "é"]


def test_wordpiece_decodes_with_spaces_between_words():
    ours = wordpiece()
    ids = ours.encode("a hugging, 中国 b.")
    assert ours.decode(ids) == " a hugging,中国 b."
    decoder = StreamDecoder(ours)
    assert "".join(map(decoder.push, ids)) + decoder.flush() == ours.decode(ids)
    assert ours.explain("hugs") == "'hugs'\n          hug ##s\n     ids  4 6"


@pytest.mark.parametrize("make", [byte_level, wordpiece, patterned])
def test_saved_and_read_again(tmp_path, make):
    ours = make()
    save_huggingface_tokenizer(tmp_path, ours, 512)
    text = "A cow<end>[PAD] , hugging 中国 É [SEP]"
    for name in ("", "tokenizer.json"):  # the second time from the older files
        if name:
            (tmp_path / name).unlink()
            added = {str(t.id): t._asdict() for t in ours.added.tokens}
            path = tmp_path / "tokenizer_config.json"
            settings = json.loads(path.read_text("utf-8"))
            path.write_text(json.dumps(settings | {"added_tokens_decoder": added}), "utf-8")
        read = load_tokenizer(tmp_path)
        if make is wordpiece:
            read.longest = 9  # vocab.txt does not say
        assert (read.endoftext, read.bos) == (ours.endoftext, ours.bos)
        assert read.encode(text, allow_endoftext=True) == ours.encode(text, allow_endoftext=True)


@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.model"])
def test_sentencepiece_is_refused_and_the_model_works_without(tmp_path, name):
    config = Config(n_vocab=N + 6, n_ctx=8, n_embd=4, n_head=2, n_layer=1)
    picogpt.GPT2(config, random_params(config, 1), byte_level()).save(tmp_path)
    expected = picogpt.load(tmp_path)([1, 2])
    for path in ("tokenizer.json", "vocab.json", "merges.txt"):
        (tmp_path / path).unlink()
    (tmp_path / name).write_bytes(b"\n\x0e\n\x05<unk>")
    message = refused(picogpt.load, tmp_path, name)
    assert message.startswith(f"/{name}: is SentencePiece's, which picogpt does not read; use")
    assert error(picogpt.GPT2(*read_model(tmp_path), None)([1, 2]), expected) < 1e-6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[UNK]\n[SEP]\na\n[SEP]\n", "the token '[SEP]' is on two lines"),
        ("[SEP]\na\n", "the token '[UNK]' has no id"),
        ("[UNK]\na\n", "no token ends a text: name one as eos_token"),
    ],
)
def test_vocab_txt_is_refused(tmp_path, text, message):
    (tmp_path / "vocab.txt").write_text(text, "utf-8")
    assert message in refused(load_tokenizer, tmp_path, "vocab.txt")


NASTY = (None, True, -1, 2**70, 1e400, "", "\ud800", "Sequence", "a b", [], {}, [[]], {"type": []})


def mutate_json(rng: random.Random, value):
    """A value from JSON, with something in it changed."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.9:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(keys)
        if rng.random() < 0.1:
            del value[key]
        elif rng.random() < 0.1:
            another = rng.choice([*value.values()] if isinstance(value, dict) else value)
            value[key] = copy.deepcopy(another)  # or the value could hold itself
        else:
            value[key] = mutate_json(rng, value[key])
        return value
    return rng.choice(NASTY)


def mutate_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes with some of them changed, doubled or cut out."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        i, j = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        j = min(j, i + rng.choice([1, 3, 30]))
        changed[i:j] = rng.choice([b"", changed[i:j] * 2, rng.randbytes(1), b'"', b"\n", b"[[{"])
    return bytes(changed)


def mutated(rng: random.Random, folder: Path, make: Callable) -> str:
    """Write a tokenizer into a folder, with one of its files damaged. Returns that file's name."""
    for path in folder.iterdir():
        path.unlink()
    save_huggingface_tokenizer(folder, make(), 512)
    if rng.random() < 0.4:
        (folder / "tokenizer.json").unlink()
    path = rng.choice(sorted(folder.iterdir()))
    if path.suffix == ".json" and rng.random() < 0.7:
        value = json.loads(path.read_text("utf-8"))
        for _ in range(rng.randrange(1, 3)):
            value = mutate_json(rng, value)
        path.write_text(json.dumps(value), "utf-8")
    else:
        path.write_bytes(mutate_bytes(rng, path.read_bytes()))
    return path.name


@pytest.mark.parametrize("make", [byte_level, wordpiece, patterned])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_read_or_refused(tmp_path, monkeypatch, make, seed):
    # What is written here is lost with the folder: it need not reach the disk.
    monkeypatch.setattr("os.fsync", lambda file: None)
    try_damaged(random.Random(seed), tmp_path, make, 60)


def try_damaged(rng: random.Random, folder: Path, make: Callable, times: int) -> int:
    """Damage a tokenizer's files so many times. Returns how often they were refused."""
    n_refused = 0
    for _ in range(times):
        mutated(rng, folder, make)
        try:
            ours = load_tokenizer(folder)
        except (ValueError, FileNotFoundError) as refusal:
            assert "\n" not in str(refusal)
            assert len(str(refusal)) < len(str(folder)) + 400
            n_refused += 1
        else:
            try:
                assert isinstance(ours.decode(ours.encode("A cow, [PAD] 中国 <end> hugs")), str)
                ours.explain("a cow[PAD]")
            except ValueError as refusal:
                assert str(refusal).startswith("the pattern finds no word in ")
    assert 0 < n_refused < times
    return n_refused


def with_gaps() -> ByteLevelBPE:
    """The ids 100 and 260 have no token, and the end is 270."""
    encoder = {token: i + (i >= 100) for i, token in enumerate([*ALPHABET, "ow"])}
    return ByteLevelBPE(
        encoder | {"<end>": 270},
        [("o", "w")],
        AddedTokens([AddedToken("<end>", 270)], "<end>", "<end>"),
    )


def test_ids_that_no_token_has_are_never_written(tmp_path):
    tokenizer = with_gaps()
    assert tokenizer.unused == (100, *range(258, 270))
    config = Config(n_vocab=271, n_ctx=30, n_embd=4, n_head=2, n_layer=1)
    params = random_params(config, 1)
    # Without a mask they would be the likeliest of all by far.
    params["ln_f"]["b"] += 10
    params["wte"][[100, 262]] = 5
    model = picogpt.GPT2(config, params, tokenizer)
    assert model([1, 2])[-1].argmax() in (100, 262)
    written = [step.id for step in model.steps([1, 2], 20)]
    written += [step.id for step in model.steps([1, 2], 20, temperature=1.0, seed=1, banned=[5])]
    assert written and not {*written} & {*tokenizer.unused}
    # a token that is unused has no text
    assert all(
        text
        for texts in model.generate_batch([[1], [2]], 1, num_samples=9, temperature=1.0)
        for text in texts
    )
    assert all(text for text, _ in model.beam_search([1, 2], 6, n_best=4))
    ids = trace([1, 2], 6, config, params, tokenizer)["ids"]
    ids += trace([1, 2], 6, config, params, tokenizer, seed=3)["ids"]
    assert not {*ids} & {*tokenizer.unused}
    save_huggingface_tokenizer(tmp_path, tokenizer, 30)
    assert load_tokenizer(tmp_path).encoder == tokenizer.encoder
    assert load_tokenizer(tmp_path).unused == tokenizer.unused


def test_vocab_txt_cannot_have_gaps(tmp_path):
    encoder = {token: i + (i > 5) for i, token in enumerate(WORDS)}
    ours = WordPiece(encoder, wordpiece().added, Cleaning())
    save_huggingface_tokenizer(tmp_path, ours, 30)
    assert not (tmp_path / "vocab.txt").exists()
    assert load_tokenizer(tmp_path).encoder == encoder
