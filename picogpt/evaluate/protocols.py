"""LAMBADA, HellaSwag and CBT: how each file is read, and what each protocol asks of an item.

An item is a list of requests (see request.py) with the number of the right one. An item of LAMBADA,
where there is nothing to choose from, is one request.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..bpe import Tokenizer
from ..files import brief, parse_json, read_text
from .request import Request, cut_request, ending_request

# Words that cannot be the last of a LAMBADA passage: the paper rules them out as predictions. Its
# own list is not published; this is the shortest that serves.
STOP_WORDS = """a about after again all am an and any are as at be been before being but by can could
did do does for from had has have he her here hers him his how i if in into is it its just me more
my no not now of off on only or our out over own she should so some such than that the their them
then there these they this those through to too under up very was we were what when where which
while who whom why will with would you your""".split()


class Item(NamedTuple):
    """requests: one for each ending; lengths: what acc_norm divides by; right: which is right."""

    requests: list[Request]
    lengths: list[int]
    right: int = 0


def lambada_texts(path: Path) -> list[str]:
    """The passages of a file: JSON lines with a key "text", or plain lines."""
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    if path.suffix != ".jsonl":
        return lines
    return [field(path, i, row, "text", str) for i, row in json_lines(path)]


def json_lines(path: Path) -> Iterator[tuple[int, dict]]:
    """The objects in a file of JSON lines, with the number of each line.

    Raises ValueError, with its number, for a line that is not a JSON object.
    """
    for i, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            try:
                yield i, parse_json(line)
            except ValueError as error:
                raise ValueError(f"{path}: line {i}: {error}") from None


def field(path: Path, line: int, row: dict, key: str, kind: type):
    """row[key]. Raises ValueError if it is missing or of another type."""
    if type(row.get(key)) is not kind:
        found = brief(row[key]) if key in row else "missing"
        raise ValueError(f"{path}: line {line}: {key} is {found}, expected {kind.__name__}")
    return row[key]


def lambada(path: Path, protocol: str, tokenizer: Tokenizer, n_ctx: int) -> Iterator[Item]:
    """Each passage's last word, or last token.

    last-word: all but the last word, then a space and the last word (lm-evaluation-harness).
    openai: the same after OpenAI's preprocessing as community code has it (openai/gpt-2 #131):
        straight quotes, a line feed before the stripped text. The caller bans the stop words;
        which ones OpenAI's filter had is not known, so this is a reconstruction.
    """
    for text in lambada_texts(path):
        if protocol == "openai":
            text = "\n" + text.translate(str.maketrans("“”‘’", "\"\"''")).strip()
        if protocol == "last-token":
            request = cut_request([tokenizer.endoftext, *tokenizer.encode(text)], 1, n_ctx)
        else:
            context, _, word = text.rpartition(" ")
            request = ending_request(context, " " + word, tokenizer, n_ctx)
        yield Item([request], [1])


def stop_word_ids(tokenizer: Tokenizer) -> list[int]:
    """The stop words that are one token with the space before them."""
    encoded = [tokenizer.encode(" " + word) for word in STOP_WORDS]
    return [ids[0] for ids in encoded if len(ids) == 1]


def clean_hellaswag(text: str) -> str:
    """Without WikiHow's marks, as lm-evaluation-harness has it: "Cut [step] it" -> "Cut it"."""
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def hellaswag(path: Path, protocol: str, tokenizer: Tokenizer, n_ctx: int) -> Iterator[Item]:
    """Four endings of a context.

    lm-eval: the activity and the context, cleaned; acc_norm divides by the characters.
    llm.c: the context as it is; context and ending are encoded apart; divides by the tokens.
    """
    for line, row in json_lines(path):
        endings = field(path, line, row, "endings", list)
        label = row.get("label")
        if str(label) not in [str(i) for i in range(len(endings))]:
            raise ValueError(
                f"{path}: line {line}: label is {brief(label)}, expected the number of an ending"
            )
        requests, lengths = [], []
        for ending in map(str, endings):
            if protocol == "llm.c":
                context = tokenizer.encode(field(path, line, row, "ctx", str))
                ids = tokenizer.encode(" " + ending)
                requests.append(cut_request(context + ids, len(ids), n_ctx))
                lengths.append(len(ids))
            else:
                ctx_a, ctx_b, label_text = (
                    field(path, line, row, key, str) for key in ("ctx_a", "ctx_b", "activity_label")
                )
                query = clean_hellaswag(f"{label_text}: {ctx_a} {ctx_b.capitalize()}")
                ending = clean_hellaswag(ending)
                requests.append(ending_request(query, " " + ending, tokenizer, n_ctx))
                lengths.append(len(ending))
        yield Item(requests, lengths, int(label))


def cbt(path: Path, protocol: str, tokenizer: Tokenizer, n_ctx: int) -> Iterator[Item]:
    """Each candidate in place of XXXXX, and the rest of the sentence after it (the paper, 3.2).

    The file: lines "1 ..." to "20 ...", then "21 query<tab>answer<tab><tab>candidates with |".
    """
    story: list[str] = []
    for i, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            story = []
            continue
        number, _, text = line.partition(" ")
        if number != "21":
            story.append(text.strip())
            continue
        parts = text.split("\t")
        candidates = parts[-1].split("|")
        if len(parts) != 4 or "XXXXX" not in parts[0] or parts[1] not in candidates:
            raise ValueError(f"{path}: line {i}: expected query, answer and candidates after tabs")
        before, _, after = parts[0].partition("XXXXX")
        context = " ".join([*story, before.strip()]).strip()
        requests = [ending_request(context, f" {c}{after}", tokenizer, n_ctx) for c in candidates]
        yield Item(requests, [r.n_scored for r in requests], candidates.index(parts[1]))


def choice_figures(items: list[Item], results: list[dict]) -> dict:
    """acc, and acc_norm: how often the right ending is the likeliest, as it is or by its length."""
    sums = [result["logprobs"] for result in results]
    plain = [first_largest(row) == item.right for item, row in zip(items, sums)]
    scaled = [[x / max(n, 1) for x, n in zip(row, item.lengths)] for item, row in zip(items, sums)]
    norm = [first_largest(row) == item.right for item, row in zip(items, scaled)]
    return {"items": len(items), "acc": sum(plain) / len(items), "acc_norm": sum(norm) / len(items)}


def lambada_figures(items: list[Item], results: list[dict]) -> dict:
    """How often the greedy choice is right at every token of the target; perplexity of targets."""
    nats = -sum(result["logprobs"][0] for result in results) / len(items)
    return {
        "items": len(items),
        "accuracy": sum(result["greedy"][0] for result in results) / len(items),
        "perplexity": math.exp(nats) if nats < 700 else math.inf,
    }


def first_largest(values: list[float]) -> int:
    """The index of the largest value, the first one if there are several."""
    return max(range(len(values)), key=values.__getitem__)
