"""Computing items and keeping their results in a file, so that an interrupted run can go on.

The file has one JSON line for the run and one for each item, written when its batch is done. The
first line holds a hash of the weights and of all requests, which depend on data, protocol and
tokenizer.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from ..config import flatten
from ..files import parse_json
from ..weights.activation_functions import function_name
from .request import Request, reply
from .score import TOKENS_AT_ONCE


def fingerprint(params: dict, n_head: int, items: Sequence[Sequence[Request]], banned) -> str:
    """A hash of everything that the results depend on."""
    hashed = hashlib.sha256(repr((n_head, function_name(params), sorted(banned))).encode())
    for name, array in sorted(flatten(params).items()):
        hashed.update(name.encode() + memoryview(np.ascontiguousarray(array)).cast("B"))
    for requests in items:
        for request in requests:
            hashed.update(np.array([request.n_scored, *request.ids], np.uint32))
    return hashed.hexdigest()


def batches(items: Sequence[Sequence[Request]], done: Collection[int]) -> list[list[int]]:
    """The numbers of the items in each batch: items of about equal length, the longest first."""
    longest = [max(len(request.ids) for request in requests) for requests in items]
    left = [i for i in sorted(range(len(items)), key=lambda i: -longest[i]) if i not in done]
    found = []
    while left:
        n = max(1, TOKENS_AT_ONCE // (longest[left[0]] * len(items[left[0]])))
        found.append(left[:n])
        left = left[n:]
    return found


def run(
    items: Sequence[Sequence[Request]],
    params: dict,
    n_head: int,
    *,
    banned: Collection[int] = (),
    out: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict]:
    """For each item {"logprobs": [n_requests] sums in nats, "greedy": [n_requests]}.

    out: where the results are kept. Raises ValueError if it holds those of another run.
    """
    results: dict[int, dict] = {}
    file = None
    if out is not None:
        name = fingerprint(params, n_head, items, banned)
        results = _read(out, name, items)
        file = open(out, "a", encoding="utf-8")
    try:
        if file and not file.tell():
            file.write(json.dumps({"run": name}) + "\n")
        for group in batches(items, results):
            requests = [request for i in group for request in items[i]]
            replies = iter(reply(requests, params, n_head, banned))
            for i in group:
                mine = [next(replies) for _ in items[i]]
                logprobs = [float(r.logprobs.sum(dtype="float64")) for r in mine]
                results[i] = {"logprobs": logprobs, "greedy": [r.greedy for r in mine]}
                if file:
                    file.write(json.dumps({"item": i} | results[i]) + "\n")
            if file:
                file.flush()
            on_progress(len(results), len(items))
    finally:
        if file:
            file.close()
    return [results[i] for i in range(len(items))]


def _read(out: Path, name: str, items: Sequence[Sequence[Request]]) -> dict[int, dict]:
    """The results in a file. If its last line is not complete, it is removed."""
    if not out.exists():
        return {}
    data = out.read_bytes()
    complete = data[: data.rfind(b"\n") + 1]
    results = {}
    for number, line in enumerate(complete.splitlines(), 1):
        try:
            row = parse_json(line)
            if number == 1:
                if row != {"run": name}:
                    raise ValueError("belongs to another run (model, data or protocol)")
                continue
            i = _number(row, items)
            results[i] = {key: row[key] for key in ("logprobs", "greedy")}
        except ValueError as error:
            raise ValueError(f"{out}: line {number}: {error}") from None
    if data and not complete:
        raise ValueError(f"{out}: holds no results of an evaluation, and is not overwritten")
    if len(complete) < len(data):
        with open(out, "r+b") as file:
            file.truncate(len(complete))
    return results


def _number(row: dict, items: Sequence[Sequence[Request]]) -> int:
    """The number of the item in a line of results. Raises ValueError if the line makes no sense."""
    i = row.get("item")
    if type(i) is int and 0 <= i < len(items) and set(row) == {"item", "logprobs", "greedy"}:
        kinds = {"logprobs": float, "greedy": bool}
        if all(
            type(row[key]) is list
            and len(row[key]) == len(items[i])
            and all(type(value) is kind for value in row[key])
            for key, kind in kinds.items()
        ):
            return i
    raise ValueError("is not the result of an item")
