"""The public face: load a folder, compute, write. The judge is transformers (make_tiny.py)."""

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generation import choice, float64_params, plain_steps, record_passes
from hypothesis import given, settings
from hypothesis import strategies as st
from support import error

import picogpt
from picogpt import plain
from picogpt.bpe import ByteLevelBPE
from picogpt.bpe.pretokenize import ALPHABET
from picogpt.bpe.tokenizer import ENDOFTEXT
from picogpt.config import Config, activation_shapes, flatten
from picogpt.decoding.sampling import Sampling
from picogpt.decoding.stopping import stop_position
from picogpt.gpt2 import GPT2
from picogpt.tap import edit, record
from picogpt.weights import released
from picogpt.weights.export import save_huggingface

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "tiny.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def model():
    return picogpt.load(REFERENCE / "tiny")


@pytest.fixture
def folder(tmp_path):
    """A copy of the model's folder, to be damaged."""
    return Path(shutil.copytree(REFERENCE / "tiny", tmp_path / "model"))


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: repr(expected["prompt"]))
def test_greedy_text_equals_transformers(model, expected):
    assert model.prompt_ids(expected["prompt"]) == expected["ids"]
    assert model.generate(expected["prompt"], max_new_tokens=40) == expected["text"]
    assert "".join(model.stream(expected["prompt"], max_new_tokens=40)) == expected["text"]
    steps = model.steps(expected["prompt"], max_new_tokens=40)
    assert [step.id for step in steps] == expected["new_ids"]


def test_greedy_batch_equals_transformers(model):
    texts = model.generate_batch([expected["prompt"] for expected in EXPECTED], 40)
    assert texts == [[expected["text"]] for expected in EXPECTED]


def test_config_and_params(model):
    hparams = json.loads((REFERENCE / "tiny" / "hparams.json").read_text("utf-8"))
    assert {name: getattr(model.config, name) for name in hparams} == hparams
    assert model.params["h"][1]["attn"]["c_attn"]["w"].shape == (24, 72)


def test_logits_of_lists(model):
    logits = model([1, 2, 3])
    assert logits.shape == (3, model.config.n_vocab)
    assert logits.dtype == np.float32
    batch = model([[1, 2, 3], [4, 5, 6]])
    assert batch.shape == (2, 3, model.config.n_vocab)
    assert error(batch[0], logits) < 1e-6


def test_tap(model):
    seen = {}
    model([1, 2, 3], tap=record(seen))
    assert seen.keys() == activation_shapes(model.config, 3).keys()


def test_same_seed_same_text(model):
    write = lambda seed: model.generate("The river", 30, temperature=1.0, seed=seed)
    assert write(1) == write(1)
    assert write(1) != write(2)
    assert write(None) != write(None)


def test_sampling_arguments_are_used(model):
    greedy = model.generate("The river", 20)
    assert model.generate("The river", 20, temperature=2.0, top_k=1, seed=1) == greedy
    assert model.generate("The river", 20, temperature=2.0, top_p=1e-9, seed=1) == greedy
    assert model.generate("The river", 20, temperature=2.0, min_p=1, seed=1) == greedy
    assert model.generate("The river", 20, temperature=2.0, seed=1) != greedy
    first, *_ = EXPECTED[0]["new_ids"]
    assert not model.generate("The river", 20, banned=[first]).startswith(greedy[:2])
    assert model.generate("The river", 3, logit_bias={65: 1e6}) == 3 * model.tokenizer.decode([65])
    assert model.generate("The river", 20, repetition_penalty=1e6) != greedy


def test_lookup_changes_nothing_but_the_work(model, monkeypatch):
    plain = model.generate("cat cat cat cat", 60)
    passes = record_passes(monkeypatch)
    assert model.generate("cat cat cat cat", 60, lookup=True) == plain
    assert max(shape[0] for shape in passes[1:]) > 1


def test_stop_strings(model):
    text = model.generate("The river", 40)
    middle = text[-12:-8]
    assert any(c in text[: text.index(middle)] for c in middle)  # the whole string stops, no letter
    assert model.generate("The river", 40, stop=middle) == text[: text.index(middle)]
    assert model.generate("The river", 40, stop=["not there", middle]) == text[: text.index(middle)]


def test_ends_before_endoftext(model, monkeypatch):
    third = EXPECTED[0]["new_ids"][2]
    monkeypatch.setattr(model.tokenizer, "endoftext", third)
    first_two = model.tokenizer.decode(EXPECTED[0]["new_ids"][:2])
    assert third not in EXPECTED[0]["new_ids"][:2]
    assert model.generate("The river", 40) == first_two


def test_endoftext_in_a_prompt_is_text(model):
    assert model.tokenizer.endoftext not in model.prompt_ids("<|endoftext|>")


@pytest.mark.parametrize("prompt", ["The river", "cat " * 64])
def test_goes_on_beyond_the_context(model, prompt):
    ids = model.prompt_ids(prompt)
    with pytest.warns(UserWarning, match="the text outgrew the context of 64 tokens") as record:
        steps = [step.id for step in model.steps(prompt, 100)]
    assert len(record) == 1
    assert steps == [i for i, _ in plain_steps(ids, 100, model.params, model.config)]


def test_closing_a_stream_stops_the_work(model, monkeypatch):
    passes = record_passes(monkeypatch)
    for write in (model.stream, model.steps):
        writing = write("The river", 40)
        next(writing)
        writing.close()
        n_passes = len(passes)
        assert n_passes < 10
        assert list(writing) == []
        assert len(passes) == n_passes
        passes.clear()


BYTES = ByteLevelBPE({token: i for i, token in enumerate([*ALPHABET, ENDOFTEXT])}, [])
SMALL = Config(n_vocab=257, n_ctx=12, n_embd=16, n_head=2, n_layer=2)
LETTERS = GPT2(SMALL, float64_params(SMALL, seed=0), BYTES)
# a model of a few letters, which soon writes a stop string or the end
FEW = {"logit_bias": {i: 12.0 for i in [*BYTES.encode("abcé"), BYTES.endoftext]}}


def alone(prompt: str, n_new: int, i: int, stop, seed: int, sampling: dict) -> str:
    """What sample i of a prompt should be."""
    choose = choice(Sampling(**sampling), [seed, i])
    ids = LETTERS.prompt_ids(prompt)
    steps = plain_steps(ids, n_new, LETTERS.params, SMALL, choose, BYTES.endoftext)
    text = BYTES.decode([token for token, _ in steps])
    return text[: stop_position(text, stop)]


@pytest.mark.filterwarnings("ignore:the text outgrew")
@given(
    prompts=st.lists(st.sampled_from(["", "a", "abc", "é", "long" * 4, "longer" * 9]), max_size=4),
    num_samples=st.integers(1, 3),
    n_new=st.integers(1, 20),
    stop=st.sampled_from([(), ("ab",), ("ca", "bba"), ("c",)]),
    seed=st.integers(0, 9),
    sampling=st.sampled_from([FEW, FEW | {"temperature": 1.0}, {"temperature": 0.7, "top_k": 5}]),
)
@settings(max_examples=40)
def test_every_batch_gives_what_each_gives_alone(prompts, num_samples, n_new, stop, seed, sampling):
    texts = LETTERS.generate_batch(
        prompts, n_new, num_samples=num_samples, stop=stop, seed=seed, **sampling
    )
    assert texts == [
        [alone(prompt, n_new, i, stop, seed, sampling) for i in range(num_samples)]
        for prompt in prompts
    ]
    for prompt, (first, *_) in zip(prompts, texts, strict=True):
        assert LETTERS.generate(prompt, n_new, stop=stop, seed=seed, **sampling) == first


def test_some_of_these_texts_end_early():
    options = {"num_samples": 40, "seed": 0, "temperature": 1.0, "max_new_tokens": 9} | FEW
    (plain,) = LETTERS.generate_batch(["a"], **options)
    (stopped,) = LETTERS.generate_batch(["a"], stop="b", **options)
    assert sum(len(text.encode()) < 9 for text in plain) > 5
    assert sum(len(text.encode()) == 9 for text in plain) > 5
    assert 5 < sum(text != cut for text, cut in zip(plain, stopped, strict=True)) < 35
    assert stopped == [text.split("b")[0] for text in plain]


def test_fewer_samples_are_the_first_of_more(model):
    options = {"temperature": 1.0, "seed": 4, "max_new_tokens": 8}
    (five,) = model.generate_batch(["The river"], num_samples=5, **options)
    assert len({*five}) == 5
    for n in range(1, 5):
        assert model.generate_batch(["x", "The river"], num_samples=n, **options)[1] == five[:n]


def test_samples_that_are_stopped_cost_no_more_work(model, monkeypatch):
    passes = record_passes(monkeypatch)
    options = {"num_samples": 6, "seed": 4, "temperature": 1.0, "max_new_tokens": 20}
    (texts,) = model.generate_batch(["The river"], **options)
    n_rows = [sum(shape[0] for shape in passes)]
    stop = min(text[4] for text in texts)
    passes.clear()
    model.generate_batch(["The river"], stop=stop, **options)
    n_rows.append(sum(shape[0] for shape in passes))
    assert n_rows[1] < 0.8 * n_rows[0]


def test_batches_of_nothing(model):
    assert model.generate_batch([]) == []
    with pytest.raises(TypeError, match="prompts is one string, expected a list of them"):
        model.generate_batch("The river")
    with pytest.raises(ValueError, match="num_samples is 0, expected at least 1"):
        model.generate_batch(["The river"], num_samples=0)


def test_beam_search(model):
    four = model.beam_search("The river", 12, n_beams=4, n_best=4)
    assert [score for _, score in four] == sorted((score for _, score in four), reverse=True)
    assert model.beam_search("The river", 12) == four[:1]
    assert model.beam_search("The river", 12, n_best=2) == four[:2]
    ((text, score),) = model.beam_search("The river", 12, n_beams=1, length_penalty=0.0)
    assert text == model.generate("The river", 12)
    logprobs = [step.logprob for step in model.steps("The river", 12)]
    assert score == pytest.approx(sum(logprobs), rel=1e-5)
    assert four[0][1] > score / 12  # it found what greedy decoding misses
    assert model.beam_search("The river", 12, length_penalty=2.0)[0][1] > four[0][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"n_best": 5}, "n_best is 5, expected 1 to n_beams, which is 4"),
        ({"n_best": 0}, "n_best is 0, expected at least 1"),
        ({"n_beams": 0}, "n_beams is 0, expected at least 1"),
    ],
)
def test_bad_arguments_of_beam_search(model, options, message):
    with pytest.raises(ValueError, match=message):
        model.beam_search("The river", **options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -1}, "temperature is -1"),
        ({"top_k": 0}, "top_k is 0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"stop": ["a", ""]}, "a stop string is empty"),
        ({"min_p": 2}, "min_p is 2"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0"),
        ({"logit_bias": {1000000: 1.0}}, "token 1000000 is not in the vocabulary"),
        ({"banned": [-1]}, "token -1 is not in the vocabulary"),
    ],
)
def test_bad_arguments_are_refused_at_once(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        model.stream(**({"prompt": "The river"} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_new_tokens": 2.0}, "max_new_tokens is 2.0, expected a whole number"),
        ({"max_new_tokens": "2"}, "max_new_tokens is '2', expected a whole number"),
        ({"prompt": None}, "the prompt is None, expected a text or a list of token ids"),
        ({"prompt": 3}, "the prompt is 3, expected a text"),
        ({"prompt": ["a", "b"]}, "the prompt is \\['a', 'b'\\], expected a text"),
        ({"prompt": [1.5]}, "the prompt is \\[1.5\\], expected a text"),
        ({"temperature": "hot"}, "temperature is 'hot', expected a number"),
        ({"top_k": 2.5}, "top_k is 2.5, expected a whole number"),
        ({"seed": "x"}, "seed is 'x', expected a whole number"),
        ({"stop": [3]}, "a stop string is 3, expected a text"),
        (
            {"max_length": 5},
            r"stream\(\) has no argument 'max_length'; did you mean max_new_tokens",
        ),
        ({"temprature": 1}, r"stream\(\) has no argument 'temprature'; did you mean temperature"),
        ({"do_sample": True}, "did you mean temperature"),
        ({"num_return_sequences": 3}, "did you mean generate_batch"),
    ],
)
def test_arguments_of_another_kind_or_name(model, arguments, message):
    with pytest.raises(TypeError, match=message):
        model.stream(**({"prompt": "The river"} | arguments))


def test_numpys_numbers_serve_as_pythons_own(model):
    expected = model.generate("The river", 12, temperature=0.5, top_k=4, seed=3, banned=[7])
    options = {"temperature": np.float32(0.5), "top_k": np.int64(4), "seed": np.uint8(3)}
    banned = np.array([7])
    assert model.generate("The river", np.int64(12), banned=banned, **options) == expected


def test_one_banned_token_in_an_array_is_banned(model):
    (first,) = model.steps("The river", 1)
    (other,) = model.steps("The river", 1, banned=np.array([first.id]))
    assert other.id != first.id


def test_ids_serve_as_a_prompt(model):
    ids = model.tokenizer.encode("The river")
    expected = model.generate("The river", 8)
    for prompt in (ids, tuple(ids), np.array(ids)):
        assert model.generate(prompt, 8) == expected
    with pytest.raises(ValueError, match="id 100000 is not in the vocabulary"):
        model.generate([100000], 8)


@pytest.mark.parametrize("setting", [{"top_k": 4}, {"top_p": 0.5}, {"min_p": 0.1}])
def test_a_setting_without_effect_is_warned_of(model, setting):
    with pytest.warns(UserWarning, match=f"{next(iter(setting))} has no effect at temperature 0"):
        model.generate("The river", 1, **setting)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["generate", "beam_search", "generate_batch"])
def test_logits_that_are_no_numbers_are_named(model, value, method):
    damaged = model.params | {"wte": np.full_like(model.params["wte"], value)}
    broken = GPT2(model.config, damaged, model.tokenizer)
    prompt = [[1, 2, 3]] if method == "generate_batch" else [1, 2, 3]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="the logits for token 3 of"):
        getattr(broken, method)(prompt)


def test_steps_tell_their_text(model):
    for step in model.steps("The river", 5):
        assert step.text == model.tokenizer.decode([step.id])
        best = step.likeliest(1)[0]
        assert (best.id, best.text) == (step.id, step.text)


def test_a_text_where_ids_are_expected(model):
    with pytest.raises(TypeError, match=r"expected token ids, not a text: .*encode\(text\)"):
        model("The river")


def test_the_model_says_what_it_is(model):
    n = sum(x.size for x in flatten(model.params).values())
    assert f"n_embd=24, n_head=3, n_layer=2: {n:,} parameters)" in repr(model)
    assert model.n_params == n
    assert model.activation_names == [*activation_shapes(model.config, 1)]


def test_names_of_other_libraries_are_answered_with_ours(model):
    with pytest.raises(
        AttributeError, match="no attribute 'vocab_size'; in picogpt that is model."
    ):
        model.vocab_size  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean generate"):
        model.generat  # noqa: B018
    assert not hasattr(model, "device")
    assert copy.copy(model).config == model.config


def test_an_activation_that_does_not_exist_is_an_error(model):
    for name in ("h.1.attn.headz", "h.99.attn.heads", "blocks.1.attn.heads"):
        with pytest.raises(ValueError, match=f"no activation '{name}'; .*'h.1.attn.heads'"):
            model([1, 2, 3], tap=edit({name: lambda x: x}))


def test_ragged_batch(model):
    with pytest.raises(ValueError, match=r"rows of ids have different lengths: \[2, 3\]"):
        model([[1, 2, 3], [4, 5]])


def test_id_out_of_range(model):
    with pytest.raises(ValueError, match="id 100000 is not in the vocabulary"):
        model([100000])


def test_no_such_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="no model '125M': neither a folder, nor .* nor one of 124M"
    ):
        picogpt.load("125M")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *[("gpt2", "124M"), ("124m", "124M"), ("117M", "124M"), ("openai-community/gpt2", "124M")],
        *[("gpt2-medium", "355M"), ("345M", "355M"), ("GPT2-Large", "774M"), ("gpt2-xl", "1558M")],
    ],
)
def test_other_names_of_the_released_models(tmp_path, monkeypatch, name, size):
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"^{size} is not in the cache"):
        picogpt.load(name, offline=True)


def test_offline_never_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path))
    monkeypatch.setattr(
        "picogpt.weights.download.download", lambda size: pytest.fail("it downloads")
    )
    with pytest.raises(FileNotFoundError, match="124M is not in the cache .* offline"):
        picogpt.load("124M", offline=True)


def test_a_size_is_downloaded_and_then_cached(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PICOGPT_HOME", str(tmp_path / "home"))
    sizes = {path.name: released.Published(path.stat().st_size) for path in folder.iterdir()}
    monkeypatch.setitem(released.RELEASED, "124M", sizes)

    def download(size):
        return Path(shutil.copytree(folder, released.released_folder(size)))

    monkeypatch.setattr("picogpt.weights.download.download", download)
    assert picogpt.load("124M").config.n_embd == 24
    monkeypatch.setattr(
        "picogpt.weights.download.download", lambda size: pytest.fail("it downloads again")
    )
    assert picogpt.load("124M").config.n_embd == 24
    assert picogpt.load("124M", offline=True).config.n_embd == 24


def test_a_vocabulary_with_more_tokens_than_the_model_has_rows(folder):
    path = folder / "hparams.json"
    model = picogpt.load(folder)
    path = folder.parent / "fewer"
    config = replace(model.config, n_vocab=model.config.n_vocab - 1)
    save_huggingface(
        path, config, model.params | {"wte": model.params["wte"][:-1]}, model.tokenizer
    )
    n = config.n_vocab
    with pytest.raises(ValueError, match=f"the tokenizer has {n + 1} tokens, the model {n}"):
        picogpt.load(path)


def test_rows_without_a_token_are_left_out(folder):
    model = picogpt.load(folder)
    path = folder.parent / "rounded"
    n, width = model.config.n_vocab, model.config.n_embd
    rows = np.concatenate([model.params["wte"], np.full((32, width), 9.0, np.float32)])
    config = replace(model.config, n_vocab=n + 32)
    save_huggingface(path, config, model.params | {"wte": rows}, model.tokenizer)
    with pytest.warns(UserWarning, match=f"{n + 32} rows for {n} tokens; the last are left out"):
        found = picogpt.load(path)
    assert found.config == model.config
    assert np.array_equal(found([1, 2, 3]), model([1, 2, 3]))


@pytest.mark.parametrize("blocks", [[0], [1], [1, 0], [0, 0, 1], np.array([1])])
def test_keep_blocks(model, blocks):
    kept = model.keep_blocks(blocks)
    assert kept.config == replace(model.config, n_layer=len(blocks))
    params = model.params | {"h": [model.params["h"][i] for i in blocks]}
    ids = np.arange(9)
    expected = plain.gpt2(ids, **params, n_head=model.config.n_head)
    assert error(kept(ids), expected) < 1e-5
    assert error(kept(ids), model(ids)) > 1e-3
    assert kept.params["wte"] is model.params["wte"]
    assert kept.activation_names[-3] == f"h.{len(blocks) - 1}.resid"


@pytest.mark.parametrize("blocks", [[], [2], [0, -1]])
def test_keep_blocks_that_are_not_there(model, blocks):
    with pytest.raises(ValueError, match=r"blocks is \[.*\], expected some of 0 to 1"):
        model.keep_blocks(blocks)


@pytest.mark.parametrize(
    "name",
    [
        "hparams.json",
        "encoder.json",
        "vocab.bpe",
        "model.ckpt.index",
        "model.ckpt.data-00000-of-00001",
    ],
)
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        picogpt.load(folder)
