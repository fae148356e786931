"""The published protocols against lm-evaluation-harness, with its own transformers model."""

import json
import math
import random
from pathlib import Path

import pytest

pytest.importorskip("lm_eval")
import torch
import yaml
from lm_eval import tasks as harness_tasks
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks.hellaswag.utils import preprocess
from lm_eval.tasks.wikitext.preprocess_wikitext import process_results, wikitext_detokenizer
from lm_eval_model import PicoGPT
from support import random_params
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

import picogpt
from picogpt.config import Config
from picogpt.evaluate.__main__ import main
from picogpt.evaluate.protocols import STOP_WORDS, clean_hellaswag
from picogpt.evaluate.wikitext import detokenize
from picogpt.weights.export import save_huggingface

FOLDER = Path(picogpt.__file__).parent / "bundled" / "fairytale"
PASSAGES = [
    "The king had three sons, and the youngest of them was the king",
    "“Come in,” said the old woman, and gave the boy an apple. The boy ate the apple",
    "A fox met a crow. The crow held a piece of cheese in her beak, and the fox wanted the cheese",
    "Once upon a time there was a poor miller who had a daughter. He loved his daughter.",
] + [
    f"The {a} said to the {b} that he would give her a ring. She took the ring"
    for a, b in [("prince", "maid"), ("wolf", "goat"), ("giant", "queen"), ("tailor", "witch")]
]
ENDINGS = ["went home.", "ate  all [step] the bread.", "sang [title] Then he slept.", "é!"]
WORDS = ["a", "s '", "@-@", "@,@", "@.@", ":", ";", ".", "!", "?", ",", "(", ")", "[", "]", "{", "}",
         '"', "'", "=", "N", "'s", "°", "é", "/' 3/", "\n", "  ", "12", "<unk>", "word"]  # fmt: skip
PAGE = """ = The Old Mill = \n \n The mill , which stood by a well @-@ known river , had 1 @,@ 200 stones . \n
 = = Story = = \n \n " Grind , " said the miller 's wife ( who was old ) , and the mill ground . \n"""


@pytest.fixture(scope="module")
def judge():
    model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(FOLDER)
    return HFLM(pretrained=model, tokenizer=tokenizer, device="cpu", batch_size=1)


@pytest.fixture(scope="module")
def own():
    return PicoGPT(picogpt.load(FOLDER))


def ask(lm, pairs):
    requests = [Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)]
    return lm.loglikelihood(requests, disable_tqdm=True)


def command(tmp_path, capsys, task, name, content, *options, folder=FOLDER):
    """The figures of our command, and the results of its items."""
    (tmp_path / name).write_text(content, "utf-8")
    data = [str(tmp_path / name)] if task == "text" else ["--data", str(tmp_path / name)]
    out = tmp_path / f"{name}.results"
    argv = [task, *data, "-m", str(folder), "--json", "--out", str(out), *options]
    assert main(argv) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    return json.loads(capsys.readouterr().out), sorted(rows, key=lambda row: row["item"])


def published_task(name):
    """The file in which lm-evaluation-harness defines a task, without its functions."""
    path = Path(harness_tasks.__file__).parent / name

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: node.value)
    return yaml.load(path.read_text(), Loader)


def test_lambada(judge, own, tmp_path, capsys):
    task = published_task("lambada/lambada_openai.yaml")
    from jinja2 import Template

    pairs = [tuple(Template(task[key]).render(text=text) for key in ("doc_to_text", "doc_to_target"))
             for text in PASSAGES]  # fmt: skip
    expected = ask(judge, pairs)
    content = "".join(json.dumps({"text": text}) + "\n" for text in PASSAGES)
    figures, rows = command(tmp_path, capsys, "lambada", "lambada.jsonl", content)
    for row, (logprob, greedy) in zip(rows, expected, strict=True):
        assert row["logprobs"][0] == pytest.approx(logprob, abs=1e-4)
        assert row["greedy"][0] == greedy
    assert figures["accuracy"] == sum(greedy for _, greedy in expected) / len(PASSAGES)
    nats = -sum(logprob for logprob, _ in expected) / len(PASSAGES)
    assert figures["perplexity"] == pytest.approx(math.exp(nats), rel=1e-5)
    for (a, b), (c, d) in zip(ask(own, pairs), expected):
        assert a == pytest.approx(c, abs=1e-4)
        assert b == d


def test_hellaswag(judge, tmp_path, capsys):
    docs = [
        {"activity_label": "Baking bread", "ctx_a": text, "ctx_b": "the [header] baker",
         "ctx": text, "endings": random.Random(i).sample(ENDINGS, 4), "label": i % 4}
        for i, text in enumerate(PASSAGES)
    ]  # fmt: skip
    plain = norm = 0
    expected = []
    for doc in docs:
        query = preprocess(f"{doc['activity_label']}: {doc['ctx_a']} {doc['ctx_b'].capitalize()}")
        choices = [preprocess(ending) for ending in doc["endings"]]
        sums = [logprob for logprob, _ in ask(judge, [(query, " " + c) for c in choices])]
        expected += sums
        plain += max(range(4), key=lambda i: sums[i]) == doc["label"]
        norm += max(range(4), key=lambda i: sums[i] / len(choices[i])) == doc["label"]
    content = "\n".join(map(json.dumps, docs))
    figures, rows = command(tmp_path, capsys, "hellaswag", "hellaswag.jsonl", content)
    assert [x for row in rows for x in row["logprobs"]] == pytest.approx(expected, abs=1e-4)
    assert (figures["acc"], figures["acc_norm"]) == (plain / len(docs), norm / len(docs))


def test_wikitext(judge, tmp_path, capsys):
    pages = [PAGE + PAGE.split("\n", 1)[1] * 11, PAGE.replace("The Old Mill", "A Ring")]
    texts = [wikitext_detokenizer({"page": page}) for page in pages]
    requests = [Instance("loglikelihood_rolling", {}, (text,), i) for i, text in enumerate(texts)]
    sums = judge.loglikelihood_rolling(requests, disable_tqdm=True)
    counts = [process_results({"page": p}, (s,)) for p, s in zip(pages, sums)]
    words = sum(count["word_perplexity"][1] for count in counts)
    n_bytes = sum(count["bits_per_byte"][1] for count in counts)
    figures, rows = command(tmp_path, capsys, "wikitext", "wiki.test.tokens", "".join(pages))
    assert len(rows) > len(pages)  # several windows in a page
    assert -sum(row["logprobs"][0] for row in rows) == pytest.approx(-sum(sums), rel=1e-6)
    assert figures["perplexity per word"] == pytest.approx(math.exp(-sum(sums) / words), rel=1e-5)
    assert figures["bits per byte"] == pytest.approx(-sum(sums) / math.log(2) / n_bytes, rel=1e-5)


def test_detokenizers_on_hard_lines():
    draw = random.Random(1)
    for _ in range(2000):
        line = draw.choice(["", " "]).join(draw.choices(WORDS + [" "] * 20, k=30))
        assert detokenize(line) == wikitext_detokenizer({"page": line})
        line = line.replace("word", "[title]").replace("12", "[x [y]")
        assert clean_hellaswag(line) == preprocess(line)


@pytest.mark.parametrize("stride", [256, 100])
@torch.no_grad()
def test_the_page_of_transformers(judge, tmp_path, capsys, stride):
    text = PAGE * 15
    ids = torch.tensor([judge.tokenizer(text)["input_ids"]])
    nll, n_tokens, previous_end = 0.0, 0, 0
    for begin in range(0, ids.shape[1], stride):
        end = min(begin + 256, ids.shape[1])
        window, labels = ids[:, begin:end], ids[:, begin:end].clone()
        labels[:, : -(end - previous_end)] = -100
        n_loss = int((labels != -100).sum()) - 1
        nll += judge.model(window, labels=labels).loss.item() * n_loss
        n_tokens += n_loss
        previous_end = end
        if end == ids.shape[1]:
            break
    options = ["--protocol", "stream", "--stride", str(stride)]
    figures, _ = command(tmp_path, capsys, "text", "text.txt", text, *options)
    assert figures["perplexity per token"] == pytest.approx(math.exp(nll / n_tokens), rel=1e-5)


def logprob_and_greedy(judge, ids, n_scored, banned=()):
    """The sum of the last n_scored tokens' log-probabilities, by transformers, and their greed."""
    with torch.no_grad():
        logits = judge.model(torch.tensor([ids[:-1]])).logits[0, -n_scored:].double()
    targets = torch.tensor(ids[-n_scored:])
    logprobs = torch.log_softmax(logits, -1)[torch.arange(n_scored), targets]
    logits[0, [*banned]] = -math.inf
    return logprobs.sum().item(), bool((logits.argmax(-1) == targets).all())


def test_lambada_last_token(judge, tmp_path, capsys):
    encode, start = judge.tokenizer.encode, judge.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    expected = [logprob_and_greedy(judge, [start, *encode(text)], 1) for text in PASSAGES]
    content = "\n".join(PASSAGES)
    options = ["--protocol", "last-token"]
    figures, rows = command(tmp_path, capsys, "lambada", "lambada.txt", content, *options)
    assert [row["logprobs"][0] for row in rows] == pytest.approx([x for x, _ in expected], abs=1e-4)
    assert figures["accuracy"] == sum(greedy for _, greedy in expected) / len(expected)


def test_lambada_openai(judge, tmp_path, capsys):
    """Quotes made straight, a line feed first, and no stop word as the first token of an answer."""
    encode = judge.tokenizer.encode
    banned = [ids[0] for word in STOP_WORDS if len(ids := encode(" " + word)) == 1]
    expected = []
    for text in PASSAGES:
        for curly, straight in zip("“”‘’", "\"\"''"):
            text = text.replace(curly, straight)
        before, _, word = f"\n{text.strip()}".rpartition(" ")
        n_scored = len(encode(f"{before} {word}")) - len(encode(before))
        expected.append(logprob_and_greedy(judge, encode(f"{before} {word}"), n_scored, banned))
    content = "\n".join(PASSAGES)
    options = ["--protocol", "openai"]
    figures, rows = command(tmp_path, capsys, "lambada", "lambada.txt", content, *options)
    assert [row["logprobs"][0] for row in rows] == pytest.approx([x for x, _ in expected], abs=1e-4)
    assert [row["greedy"][0] for row in rows] == [greedy for _, greedy in expected]


def test_hellaswag_of_llm_c(judge, tmp_path, capsys):
    """As llm.c's hellaswag.py: the mean loss over the tokens of " " + ending after ctx."""
    encode = judge.tokenizer.encode
    docs = [{"ctx": text, "endings": ENDINGS, "label": i % 4} for i, text in enumerate(PASSAGES)]
    sums, means = [], []
    for doc in docs:
        endings = [encode(" " + ending) for ending in doc["endings"]]
        row = [logprob_and_greedy(judge, encode(doc["ctx"]) + e, len(e))[0] for e in endings]
        sums.append(row)
        means.append([x / len(e) for x, e in zip(row, endings)])
    content = "\n".join(map(json.dumps, docs))
    options = ["--protocol", "llm.c"]
    figures, rows = command(tmp_path, capsys, "hellaswag", "hellaswag.jsonl", content, *options)
    assert [x for row in rows for x in row["logprobs"]] == pytest.approx(sum(sums, []), abs=1e-4)
    for name, scores in ("acc", sums), ("acc_norm", means):
        right = [max(range(4), key=row.__getitem__) == d["label"] for row, d in zip(scores, docs)]
        assert figures[name] == sum(right) / len(docs)


def test_cbt(judge, tmp_path, capsys):
    encode = judge.tokenizer.encode
    story = ["The king had a ring .", "The cat stole it ."]
    names = ["king", "cat", "ring", "old miller"]
    content = "".join(f"{i} {line}\n" for i, line in enumerate(story, 1))
    content += f"21 Then the XXXXX ran away .\tcat\t\t{'|'.join(names)}\n"
    context = " ".join([*story, "Then the"])
    expected = []
    for name in names:
        ids = encode(f"{context} {name} ran away .")
        expected.append(logprob_and_greedy(judge, ids, len(ids) - len(encode(context)))[0])
    figures, rows = command(tmp_path, capsys, "cbt", "cbt.txt", content)
    assert rows[0]["logprobs"] == pytest.approx(expected, abs=1e-4)
    assert figures["acc"] == float(max(range(4), key=expected.__getitem__) == 1)


def test_wikitext_of_transformers(judge, tmp_path, capsys):
    """transformers' page: the lines joined by blank lines, windows of n_ctx side by side."""
    lines = [line + "\n" if line.strip() else "" for line in (PAGE * 12).split("\n")[:-1]]
    ids = torch.tensor([judge.tokenizer("\n\n".join(lines))["input_ids"]])
    nll, n_tokens = 0.0, 0
    with torch.no_grad():
        for begin in range(0, ids.shape[1], 256):
            window = ids[:, begin : begin + 256]
            n = window.shape[1] - 1
            if n:
                nll += judge.model(window, labels=window).loss.item() * n
                n_tokens += n
    options = ["--protocol", "transformers"]
    figures, _ = command(tmp_path, capsys, "wikitext", "wiki.test.raw", PAGE * 12, *options)
    assert figures["perplexity per token"] == pytest.approx(math.exp(nll / n_tokens), rel=1e-5)


def test_wikitext_of_the_paper(judge, tmp_path, capsys):
    """One detokenized stream; per word of the file, each line's end being one."""
    text = PAGE * 12
    start = judge.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    ids = [start, *judge.tokenizer.encode(wikitext_detokenizer({"page": text}))]
    nats, done = 0.0, 1
    for begin in range(0, len(ids), 128):  # windows that overlap by half score what is new
        end = min(begin + 257, len(ids))
        if end > done:
            nats -= logprob_and_greedy(judge, ids[begin:end], end - done)[0]
        done = end
        if end == len(ids):
            break
    options = ["--protocol", "paper"]
    figures, _ = command(tmp_path, capsys, "wikitext", "wiki.test.tokens", text, *options)
    n_words = len(text.split()) + text.count("\n")
    assert figures["perplexity per word"] == pytest.approx(math.exp(nats / n_words), rel=1e-5)


def test_a_model_of_full_size(openai_files, tmp_path_factory, tmp_path, capsys):
    """GPT-2 124M's sizes and vocabulary with lively random weights, by the harness and by us."""
    folder = tmp_path_factory.mktemp("full") / "model"
    config = Config(n_vocab=50257, n_ctx=1024, n_embd=768, n_head=12, n_layer=12)
    tokenizer = picogpt.bpe.load_tokenizer(openai_files)
    save_huggingface(folder, config, random_params(config, 1), tokenizer)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    words = PreTrainedTokenizerFast.from_pretrained(folder)
    harness = HFLM(pretrained=model, tokenizer=words, device="cpu", batch_size=1)
    pairs = [(text.rpartition(" ")[0], " " + text.rpartition(" ")[2]) for text in PASSAGES]
    expected = ask(harness, pairs)
    content = "\n".join(PASSAGES)
    _, rows = command(tmp_path, capsys, "lambada", "lambada.txt", content, folder=folder)
    assert [row["logprobs"][0] for row in rows] == pytest.approx([x for x, _ in expected], rel=1e-5)
    assert [row["greedy"][0] for row in rows] == [greedy for _, greedy in expected]
    text = PASSAGES[0] * 200
    requests = [Instance("loglikelihood_rolling", {}, (text,), 0)]
    (nats,) = harness.loglikelihood_rolling(requests, disable_tqdm=True)
    options = ["--protocol", "rolling"]
    figures, rows = command(tmp_path, capsys, "text", "text.txt", text, *options, folder=folder)
    assert len(rows) > 1
    assert sum(row["logprobs"][0] for row in rows) == pytest.approx(nats, rel=1e-5)
