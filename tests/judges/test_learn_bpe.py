"""Learning the merges, against Hugging Face's trainer, live."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from unicode_versions import NEWER

from picogpt.bpe import load_tokenizer
from picogpt.bpe.learn import count_words, learn_bpe, learn_merges
from picogpt.bpe.openai_vocab import save_tokenizer
from picogpt.bpe.tokenizer import ENDOFTEXT


def judge(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return tokenizer


def judged(texts: list[str], n_vocab: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Encoder and merges as Hugging Face learns them; n_vocab counts <|endoftext|>, too."""
    tokenizer = judge(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab - 1,
        special_tokens=[],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    documents = [document for text in texts for document in text.split(ENDOFTEXT)]
    tokenizer.train_from_iterator(documents, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    encoder = model["vocab"] | {ENDOFTEXT: n_vocab - 1}
    return encoder, [tuple(pair) for pair in model["merges"]]


@pytest.fixture(scope="module")
def corpus(test_data) -> str:
    """The first megabyte of the tales."""
    path = test_data / "corpus" / "fairy-tales-train.txt"
    with path.open("rb") as file:
        return file.read(1_000_000).decode("utf-8", errors="ignore")


@pytest.mark.parametrize("n_vocab", [257, 258, 1000, 4096])
def test_english(corpus, n_vocab):
    ours = learn_bpe([corpus], n_vocab)
    assert (ours.encoder, [*ours.ranks]) == judged([corpus], n_vocab)


def test_until_no_pair_is_left(corpus):
    encoder, merges = judged([corpus], 1_000_000)
    assert list(learn_merges(count_words([corpus]))) == merges
    with pytest.raises(ValueError, match=f"can fill a vocabulary of at most {len(encoder)} tokens"):
        learn_bpe([corpus], len(encoder) + 1)


def test_ids_by_the_saved_files(corpus, test_data, tmp_path):
    save_tokenizer(tmp_path, learn_bpe([corpus], 3000))
    ours = load_tokenizer(tmp_path)
    files = map(str, (tmp_path / "encoder.json", tmp_path / "vocab.bpe"))
    theirs = judge(models.BPE.from_file(*files))
    theirs.add_special_tokens([ENDOFTEXT])
    path = test_data / "corpus" / "fairy-tales-valid.txt"
    text = path.read_bytes().decode("utf-8") + "Ελληνικά 水车 🐈\u200d⬛ \t\r\n  \0"
    ids = ours.encode(text, allow_endoftext=True)
    assert ids == theirs.encode(text).ids
    assert 2999 in ids
    assert ours.decode(ids) == text


SCRIPTS = {
    "Latin": "aäbcdeéfghiıjklmnoöpqrstuüß '",
    "Greek": "αβγδεζηθικλμνξοπρστυφχψωάέή ;",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюя -",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשתםןץףך\u05b8\u05b9 ",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي\u064e\u0650 ،",
    "Devanagari": "अआइईउकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह\u093e\u093f\u0940\u094d ।",
    "Thai": "กขคงจฉชซฌญดตถทธนบปผฝพฟภมยรลวศษสหอฮ\u0e31\u0e34\u0e48",
    "Chinese": "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道，。",
    "Korean": "가나다라마바사아자차카타파하고노도로모보소오조초코토포호 .",
    "emoji": "🐈🐟🏔👩👨🌾\u200d\ufe0f❤☀ !",
    "digits": "0123456789½²٣३ .,-",
    "white space": " \t\n\r\u00a0\u3000\u2028a",
    "two letters": "ab",
    "letters and spaces": "abc  ",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_and_ties(script):
    """Letters drawn at random, so that most counts have their equals."""
    rng = random.Random(script)
    texts = ["".join(rng.choices(SCRIPTS[script], k=n)) for n in (1, 2, 3, 10, 100, 1000, 3000)]
    ours = learn_bpe(texts, 550)
    assert (ours.encoder, [*ours.ranks]) == judged(texts, 550)


any_text = st.text(st.characters(exclude_characters=NEWER, exclude_categories=["Cs"]))
few_letters = st.text("ab ", max_size=100) | st.text("aб水\n '", max_size=60)


@settings(max_examples=300, deadline=None)
@given(st.lists(few_letters | any_text | st.just(ENDOFTEXT), max_size=8))
def test_random_texts(texts):
    _, merges = judged(texts, 10_000)
    assert list(learn_merges(count_words(texts))) == merges


def test_long_words():
    rng = random.Random(0)
    texts = ["a" * 10_000, "".join(rng.choices("ACGT", k=20_000)), "水" * 5000 + " " * 5000]
    _, merges = judged(texts, 1500)
    assert list(learn_bpe(texts, 1500).ranks) == merges
