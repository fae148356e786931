"""Folders go both ways between picogpt and transformers."""

import itertools
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import error, random_params
from tokenizers import ByteLevelBPETokenizer
from tokenizers import Tokenizer as TokenizerFile
from torch_gpt2 import torch_gpt2, torch_greedy, torch_logits, torch_name
from transformers import AutoConfig, AutoTokenizer, GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

import picogpt
from picogpt.bpe import load_tokenizer
from picogpt.config import Config, flatten
from picogpt.model import gpt2
from picogpt.weights import CheckpointError
from picogpt.weights.activation_functions import FUNCTIONS
from picogpt.weights.export import save_huggingface
from picogpt.weights.huggingface import read_huggingface
from picogpt.weights.safetensors import read_safetensors, write_safetensors

REFERENCE = Path(__file__).parents[1] / "reference"
CONFIG = Config(n_vocab=800, n_ctx=24, n_embd=12, n_head=3, n_layer=2)
IDS = np.arange(24)[None] * 33
HARD_STRINGS = [row[0] for row in json.loads((REFERENCE / "bpe" / "encoded.json").read_text())]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(REFERENCE / "bpe")


def untied(seed: int) -> dict:
    """Parameters with an output matrix of their own."""
    rng = np.random.default_rng(seed)
    head = rng.standard_normal((CONFIG.n_vocab, CONFIG.n_embd), np.float32)
    return random_params(CONFIG, seed) | {"lm_head": head}


def judge(params: dict, dtype=torch.float32) -> GPT2LMHeadModel:
    """transformers' model with these parameters, tied or not."""
    tied = torch_gpt2(CONFIG, {name: x for name, x in params.items() if name != "lm_head"}, dtype)
    if "lm_head" not in params:
        return tied
    options = tied.config.to_dict() | {"tie_word_embeddings": False}
    model = GPT2LMHeadModel(GPT2Config(**options)).to(dtype).eval()
    model.load_state_dict(tied.state_dict() | {"lm_head.weight": torch.tensor(params["lm_head"])})
    return model


# From picogpt to transformers


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("make", [lambda: random_params(CONFIG, 1), lambda: untied(2)])
def test_transformers_loads_what_picogpt_saved(
    tmp_path, tokenizer, make, dtype, caplog, monkeypatch
):
    params = make()
    save_huggingface(tmp_path, CONFIG, params, tokenizer, dtype)
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)  # for caplog
    model, loaded = GPT2LMHeadModel.from_pretrained(
        tmp_path, dtype=torch.float32, output_loading_info=True
    )
    assert not any(loaded.values()), loaded
    assert not caplog.records
    assert model.config.tie_word_embeddings == ("lm_head" not in params)
    if dtype == "float16":
        _, params = read_huggingface(tmp_path)
    expected = gpt2(IDS, **params, n_head=CONFIG.n_head)
    assert error(torch_logits(model.eval(), IDS), expected) < 1e-5


def test_transformers_keeps_the_dtype_of_the_file(tmp_path, tokenizer):
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 1), tokenizer, "float16")
    assert GPT2LMHeadModel.from_pretrained(tmp_path).dtype == torch.float16


def test_transformers_reads_the_config(tmp_path, tokenizer):
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 1), tokenizer)
    config = AutoConfig.from_pretrained(tmp_path)
    assert config.architectures == ["GPT2LMHeadModel"]
    assert config.eos_token_id == config.bos_token_id == tokenizer.endoftext
    default = GPT2Config().to_dict()
    ours = config.to_dict()
    different = {key for key in default if default[key] != ours[key]}
    sizes = {"vocab_size", "n_positions", "n_embd", "n_head", "n_layer"}
    named = {"architectures", "bos_token_id", "eos_token_id", "dtype", "_name_or_path"}
    assert different <= sizes | named
    assert ours.keys() - default.keys() <= {"n_ctx"}


def test_both_write_the_same_text(tmp_path, tokenizer):
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 5), tokenizer)
    ours = picogpt.load(tmp_path)
    ids = ours.prompt_ids("The river")
    new = torch_greedy(GPT2LMHeadModel.from_pretrained(tmp_path), ids, 15)
    new = list(itertools.takewhile(lambda id: id != tokenizer.endoftext, new))
    theirs = AutoTokenizer.from_pretrained(tmp_path).decode(new)
    assert ours.generate("The river", 15) == theirs != ""


def test_safetensors_reads_what_picogpt_wrote(tmp_path):
    tensors = {
        "matrix": np.random.default_rng(1).standard_normal((3, 4), np.float32),
        "scalar": np.float32(2.5).reshape(()),
        "empty": np.zeros((2, 0), np.float32),
    }
    for dtype in ("float32", "float16"):
        write_safetensors(tmp_path / dtype, tensors, dtype)
        read = safetensors.torch.load_file(tmp_path / dtype)
        assert read.keys() == tensors.keys()
        for name, x in tensors.items():
            assert read[name].dtype == getattr(torch, dtype)
            assert np.array_equal(read[name].numpy(), x.astype(dtype))


# From transformers to picogpt


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("max_shard_size", ["5GB", "20KB"])
@pytest.mark.parametrize("kind", ["tied", "untied", "without head", "with masks"])
def test_picogpt_reads_what_transformers_saved(tmp_path, dtype, max_shard_size, kind):
    model = judge(untied(3) if kind == "untied" else random_params(CONFIG, 4), dtype)
    saved = model.transformer if kind == "without head" else model
    saved.save_pretrained(tmp_path, max_shard_size=max_shard_size)
    paths = sorted(tmp_path.glob("*.safetensors"))
    assert len(paths) > 1 if max_shard_size == "20KB" else len(paths) == 1
    if kind == "with masks":
        add_masks(paths)
    config, params = read_huggingface(tmp_path)
    assert config == CONFIG
    assert ("lm_head" in params) == (kind == "untied")
    state = model.state_dict()
    for path, x in flatten(params).items():
        name = "lm_head.weight" if path == "lm_head" else torch_name(path)
        assert x.tobytes() == state[name].float().numpy().tobytes(), path
    expected = torch_logits(model.to(torch.float32), IDS)
    assert error(gpt2(IDS, **params, n_head=CONFIG.n_head), expected) < 1e-5


def add_masks(paths: list[Path]) -> None:
    """What files of transformers before 4.31 also hold, in the types of different years."""
    n_ctx = CONFIG.n_ctx
    mask = torch.ones(n_ctx, n_ctx, dtype=torch.bool).tril().view(1, 1, n_ctx, n_ctx)
    masks = {
        "transformer.h.0.attn.bias": mask,
        "transformer.h.0.attn.masked_bias": torch.tensor(-1e4),
        "transformer.h.1.attn.bias": mask.to(torch.uint8),
        "transformer.h.1.attn.masked_bias": torch.tensor(-1e4, dtype=torch.float16),
    }
    tensors = safetensors.torch.load_file(paths[0])
    safetensors.torch.save_file(tensors | masks, paths[0], metadata={"format": "pt"})
    index = paths[0].parent / "model.safetensors.index.json"
    if index.exists():
        whole = json.loads(index.read_text())
        whole["weight_map"] |= dict.fromkeys(masks, paths[0].name)
        index.write_text(json.dumps(whole))


def test_rows_without_a_token(tmp_path, tokenizer):
    """As of a vocabulary that was rounded up: the logits of the others are transformers'."""
    rounded = Config(n_vocab=832, n_ctx=24, n_embd=12, n_head=3, n_layer=2)
    save_huggingface(tmp_path, rounded, random_params(rounded, 1), tokenizer)
    with pytest.warns(UserWarning, match="832 rows for 800 tokens"):
        found = picogpt.load(tmp_path)([1, 2, 3])
    with torch.no_grad():
        expected = GPT2LMHeadModel.from_pretrained(tmp_path)(torch.tensor([[1, 2, 3]])).logits
    assert error(found, expected[0, :, :800].numpy()) < 1e-5


def test_scores_divided_by_the_number_of_the_block(tmp_path, tokenizer):
    config = Config(n_vocab=800, n_ctx=24, n_embd=12, n_head=3, n_layer=3)
    save_huggingface(tmp_path, config, random_params(config, 2), tokenizer)
    options = json.loads((tmp_path / "config.json").read_text())
    options["scale_attn_by_inverse_layer_idx"] = True
    (tmp_path / "config.json").write_text(json.dumps(options))
    with torch.no_grad():
        judge = GPT2LMHeadModel.from_pretrained(tmp_path)
        expected = judge(torch.tensor([[5, 7, 1, 2, 9]])).logits[0].numpy()
    assert error(picogpt.load(tmp_path)([5, 7, 1, 2, 9]), expected) < 1e-5


@pytest.mark.parametrize(
    "options",
    [
        *({"n_inner": n} for n in (1, 20, 47, 49, 130)),
        *({"activation_function": name} for name in FUNCTIONS),
        {"n_inner": 61, "activation_function": "relu"},
    ],
    ids=str,
)
def test_other_mlps(tmp_path, tokenizer, options):
    """Of other widths, with other activation functions, with large weights and biases."""
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 2), tokenizer)
    theirs = GPT2LMHeadModel(
        GPT2Config(**judge(random_params(CONFIG, 2)).config.to_dict() | options)
    )
    torch.manual_seed(1)
    with torch.no_grad():
        for x in theirs.parameters():
            x.normal_(0, 0.3)
    theirs.eval().save_pretrained(tmp_path)
    ours = picogpt.load(tmp_path)
    assert error(ours(IDS[0]), torch_logits(theirs, IDS)[0]) < 1e-5
    ours.save(tmp_path / "again")
    again = GPT2LMHeadModel.from_pretrained(tmp_path / "again").eval()
    assert error(torch_logits(again, IDS), torch_logits(theirs, IDS)) < 1e-6


@pytest.mark.parametrize("zipped", [True, False])
def test_pytorch_model_bin(tmp_path, tokenizer, zipped):
    """What torch.save writes, in both of its formats, against torch.load by transformers."""
    config = Config(n_vocab=800, n_ctx=24, n_embd=12, n_head=3, n_layer=2)
    save_huggingface(tmp_path, config, random_params(config, 3), tokenizer)
    judge = GPT2LMHeadModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    path = tmp_path / "pytorch_model.bin"
    torch.save(judge.state_dict(), path, _use_new_zipfile_serialization=zipped)
    model = picogpt.load(tmp_path)
    for name, x in torch.load(path, weights_only=True).items():
        if name.startswith("transformer.h.1.mlp.c_fc"):
            kind = name[-4:].replace("ight", "w").replace("bias", "b")[-1]
            assert np.array_equal(model.params["h"][1]["mlp"]["c_fc"][kind], x.numpy())
    with torch.no_grad():
        expected = judge(torch.tensor([[5, 7, 1]])).logits[0].numpy()
    assert error(model([5, 7, 1]), expected) < 1e-5


def test_options_that_picogpt_refuses_do_change_the_mathematics():
    """And those that it accepts do not: transformers' logits with each."""
    params = random_params(CONFIG, 6)
    expected = torch_logits(judge(params), IDS)

    def differ(**options) -> float:
        model = GPT2LMHeadModel(GPT2Config(**judge(params).config.to_dict() | options)).eval()
        model.load_state_dict(judge(params).state_dict())
        return error(torch_logits(model, IDS), expected)

    for refused in (
        {"activation_function": "swish"},
        {"layer_norm_epsilon": 1e-3},
        {"scale_attn_weights": False},
        {"is_causal": False},
    ):
        assert differ(**refused) > 1e-5, refused
    for accepted in (
        {"activation_function": "gelu_pytorch_tanh"},
        {"activation_function": "gelu_fast"},
        {"reorder_and_upcast_attn": True, "attn_implementation": "eager"},
        {"n_inner": 48},
    ):
        assert differ(**accepted) < 1e-5, accepted


WHOLE = (REFERENCE / "huggingface" / "bare" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "model.safetensors"


@given(st.lists(st.tuples(st.integers(0, 3500), st.binary(max_size=2)), max_size=2), st.booleans())
def test_what_picogpt_accepts_safetensors_accepts(fuzzed, changes, plain):
    data = DTYPES if plain else WHOLE
    for at, new in changes:
        at %= 400 if plain else len(data)
        data = data[:at] + new + data[at + max(1, len(new)) :]
    fuzzed.write_bytes(data)
    try:
        ours = read_safetensors(fuzzed)
    except CheckpointError:
        return
    theirs = safetensors.torch.load_file(fuzzed)
    assert {name: x.tobytes() for name, x in ours.items()} == {
        name: x.float().numpy().tobytes() for name, x in theirs.items()
    }


DTYPES = (REFERENCE / "huggingface" / "dtypes.safetensors").read_bytes()


# Tokenizers


def can_be_written(text: str) -> bool:
    """Whether UTF-8 can write it: with surrogates, only tiktoken knows what to do."""
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


def check_ids(ours, theirs) -> None:
    """The ids, and the text they stand for, are the same for all hard strings."""
    for text in filter(can_be_written, HARD_STRINGS):
        # transformers takes <|endoftext|> in a text for the token, unless told otherwise
        ids = ours.encode(text, allow_endoftext=True)
        assert theirs(text)["input_ids"] == ids, text
        assert theirs(text, split_special_tokens=True)["input_ids"] == ours.encode(text), text
        assert theirs.decode(ids, clean_up_tokenization_spaces=False) == ours.decode(ids), text


def check_special_tokens(ours, theirs, n_ctx: int) -> None:
    assert theirs.eos_token_id == theirs.bos_token_id == theirs.unk_token_id == ours.endoftext
    assert theirs.all_special_tokens == ["<|endoftext|>"]
    assert len(theirs) == ours.n_vocab
    assert theirs.model_max_length == n_ctx


@pytest.mark.parametrize("kept", [None, "tokenizer.json", "vocab.json merges.txt"])
def test_transformers_reads_the_tokenizer(tmp_path, tokenizer, kept):
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 1), tokenizer)
    if kept:
        for name in {"tokenizer.json", "vocab.json", "merges.txt"} - {*kept.split()}:
            (tmp_path / name).unlink()
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    check_special_tokens(tokenizer, theirs, CONFIG.n_ctx)
    check_ids(tokenizer, theirs)
    assert load_tokenizer(tmp_path).encoder == tokenizer.encoder


def test_tokenizers_reads_tokenizer_json(tmp_path, tokenizer):
    """The library below transformers, which believes the file alone."""
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 1), tokenizer)
    theirs = TokenizerFile.from_file(str(tmp_path / "tokenizer.json"))
    for text in filter(can_be_written, HARD_STRINGS):
        ids = tokenizer.encode(text, allow_endoftext=True)
        assert theirs.encode(text).ids == ids, text
        assert theirs.decode(ids, skip_special_tokens=False) == tokenizer.decode(ids), text
    assert theirs.decode([tokenizer.endoftext]) == ""  # which is special


def test_transformers_reads_gpt2s_own_tokenizer(tmp_path, openai_files):
    tokenizer = load_tokenizer(openai_files)
    config = Config(n_vocab=50257, n_ctx=1024, n_embd=2, n_head=1, n_layer=1)
    save_huggingface(tmp_path, config, random_params(config, 1), tokenizer)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    check_special_tokens(tokenizer, theirs, 1024)
    check_ids(tokenizer, theirs)
    assert theirs("Hello, world")["input_ids"] == [15496, 11, 995]


def test_picogpt_reads_what_transformers_saved_as_tokenizer(tmp_path, tokenizer):
    files = {"vocab": "encoder.json", "merges": "vocab.bpe"}
    files = {name: str(REFERENCE / "bpe" / file) for name, file in files.items()}
    theirs = GPT2Tokenizer(**files, pad_token="<|endoftext|>")
    theirs("The river", truncation=True, max_length=1, padding="max_length")  # it remembers that
    theirs.save_pretrained(tmp_path)
    read = load_tokenizer(tmp_path)
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)


def test_picogpt_reads_what_tokenizers_saved(tmp_path, tokenizer):
    files = [str(REFERENCE / "bpe" / name) for name in ("encoder.json", "vocab.bpe")]
    theirs = ByteLevelBPETokenizer(*files)
    theirs.save_model(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"vocab.json", "merges.txt"}
    read = load_tokenizer(tmp_path)
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)
    theirs.save(str(tmp_path / "tokenizer.json"))
    read = load_tokenizer(tmp_path)
    assert (read.encoder, read.ranks) == (tokenizer.encoder, tokenizer.ranks)


@pytest.mark.parametrize("token", ["<pad>", "cat"])
def test_tokens_that_transformers_added(tmp_path, tokenizer, token):
    save_huggingface(tmp_path, CONFIG, random_params(CONFIG, 1), tokenizer)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    theirs.add_special_tokens({"pad_token": token})
    theirs.save_pretrained(tmp_path)
    text = "a cat<pad> and concatenated <pad> cats"
    ids = load_tokenizer(tmp_path).encode(text)
    assert ids == theirs.encode(text)
    assert theirs.pad_token_id in ids


def test_transformers_does_not_take_int8_for_the_weights(tmp_path):
    tiny = picogpt.load(Path(__file__).parents[1] / "reference" / "tiny")
    tiny.save(tmp_path, "int8")
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        GPT2LMHeadModel.from_pretrained(tmp_path)


def test_transformers_reads_bfloat16(tmp_path):
    tiny = picogpt.load(Path(__file__).parents[1] / "reference" / "tiny")
    tiny.save(tmp_path, "bfloat16")
    theirs = GPT2LMHeadModel.from_pretrained(tmp_path, dtype=torch.float32).state_dict()
    wte = torch.from_numpy(np.array(tiny.params["wte"])).to(torch.bfloat16).float()
    assert torch.equal(theirs["transformer.wte.weight"], wte)
