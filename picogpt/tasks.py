"""What people ask of GPT-2: each task is a prompt, which can be shown, and a cut of the answer.

They run with every model, but need one that has seen such texts: the bundled `fairytale` cannot
translate, answer questions or write code. The figures are the paper's (Radford et al. 2019, 3.6 to
3.8).

  python -m picogpt.tasks summarize article.txt -m 774M
  python -m picogpt.tasks translate "the cat" -m 1558M --show-prompt
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import regex

from . import command
from .evaluate.request import ending_request, reply
from .files import read_text
from .gpt2 import GPT2, load
from .weights.find import NAMES

PAIRS = (("good morning", "bonjour"), ("where is the house?", "où est la maison ?"),
         ("i am hungry.", "j'ai faim."), ("the book is red.", "le livre est rouge."))  # fmt: skip


def sentences(text: str, n: int) -> str:
    """The first n sentences: "One. Two! Three", 2 -> "One. Two!"."""
    ends = [match.end() for match in regex.finditer(r"[.!?]+[\"'”’)]*(?=\s|$)", text)]
    return text[: ends[n - 1]].strip() if len(ends) >= n else text.strip()


def summary_prompt(article: str) -> str:
    """The article, then "TL;DR:"."""
    return f"{article.strip()}\nTL;DR:"


def summarize(model: GPT2, article: str, seed: int | None = None) -> str:
    """Top-k 2, 100 tokens, the first three sentences. 1558M: ROUGE-1/2/L 29.34 / 8.27 / 26.58."""
    return sentences(
        model.generate(summary_prompt(article), 100, temperature=1.0, top_k=2, seed=seed), 3
    )


def translation_prompt(text: str, pairs: Sequence[tuple[str, str]] = PAIRS) -> str:
    """Lines "english = french", and one that the model is to complete."""
    return "".join(f"{a} = {b}\n" for a, b in pairs) + f"{text} ="


def translate(model: GPT2, text: str, pairs: Sequence[tuple[str, str]] = PAIRS) -> str:
    """The first sentence, greedy. 1558M: BLEU 5 to French, 11.5 from it (swap the pairs).

    The paper's own example pairs are not published.
    """
    return sentences(model.generate(translation_prompt(text, pairs), 60, stop="\n"), 1)


def answer_prompt(passage: str, question: str, dialogue: Sequence[tuple[str, str]] = ()) -> str:
    """The passage, the questions and answers so far, the question, "A:"."""
    before = "".join(f"Q: {q}\nA: {a}\n" for q, a in dialogue)
    return f"{passage.strip()}\n{before}Q: {question}\nA:"


def answer(
    model: GPT2, passage: str, question: str, dialogue: Sequence[tuple[str, str]] = ()
) -> str:
    """One line, greedy. CoQA, 1558M: 55 F1."""
    return model.generate(answer_prompt(passage, question, dialogue), 40, stop="\n").strip()


def classify(
    model: GPT2, prompt: str, labels: Sequence[str], empty_prompt: str | None = None
) -> list[float]:
    """How probable each label is after the prompt: [n_labels], with a sum of 1.

    empty_prompt: the prompt without the text to classify. Each label's log-probability after it is
        subtracted, so that a label that is likely anyway has no advantage (Zhao et al. 2021).
    Raises ValueError for fewer than two labels, or an empty one.
    """
    if len(labels) < 2 or not all(label.strip() for label in labels):
        raise ValueError(
            f"labels are {list(labels)!r:.80}, expected at least two, none of them empty"
        )
    scores = _label_logprobs(model, prompt, labels)
    if empty_prompt is not None:
        scores = scores - _label_logprobs(model, empty_prompt, labels)
    exp = np.exp(scores - scores.max())
    return (exp / exp.sum()).tolist()


def _label_logprobs(model: GPT2, prompt: str, labels: Sequence[str]) -> np.ndarray:
    n_ctx = model.config.n_ctx
    requests = [ending_request(prompt, f" {label}", model.tokenizer, n_ctx) for label in labels]
    replies = reply(requests, model.params, model.config.n_head)
    return np.array([r.logprobs.sum(dtype=np.float64) for r in replies])


def complete_code(model: GPT2, code: str) -> str:
    """The rest of a function, greedy: up to the first line that is not indented.

    The paper has no figure: WebText holds some code, by accident.
    """
    text = model.generate(code, 120)
    end = regex.search(r"\n(?=\S)", text)
    return text[: end.start()] if end else text


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.tasks", description=__doc__)
    tasks = p.add_subparsers(dest="task", required=True, metavar="TASK")
    for name in ("summarize", "translate", "answer", "classify", "complete_code"):
        t = tasks.add_parser(name)
        if name in ("summarize", "answer", "complete_code"):
            t.add_argument("file", type=Path, help="the article, passage or code, UTF-8")
        else:
            t.add_argument("text")
        if name == "answer":
            t.add_argument("question")
        if name == "classify":
            t.add_argument(
                "--label",
                action="append",
                required=True,
                help="one of the labels; give this option at least twice",
            )
            t.add_argument("--empty-prompt", help="the prompt without its text, to calibrate by")
        if name == "summarize":
            t.add_argument("--seed", type=int)
        t.add_argument("-m", "--model", help=f"{', '.join(NAMES)}, or a model folder")
        t.add_argument("--show-prompt", action="store_true", help="print the prompt first")
    return p.parse_args(argv)


def perform(args: argparse.Namespace) -> None:
    """Print what the model answers."""
    text = read_text(args.file) if hasattr(args, "file") else args.text
    if args.show_prompt:
        make = {"summarize": summary_prompt, "translate": translation_prompt}
        whole = {"answer": lambda text: answer_prompt(text, args.question)} | make
        print(whole.get(args.task, str)(text))
    model = load(args.model)
    if args.task == "classify":
        chances = classify(model, text, args.label, args.empty_prompt)
        for label, chance in zip(args.label, chances):
            print(f"{chance:.4f} {label}")
    elif args.task == "answer":
        print(answer(model, text, args.question))
    elif args.task == "summarize":
        print(summarize(model, text, args.seed))
    else:
        print({"translate": translate, "complete_code": complete_code}[args.task](model, text))


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.tasks`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: perform(args))


if __name__ == "__main__":
    sys.exit(main())
