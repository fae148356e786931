"""Continuations by two models, in random order, for readers who do not know which is whose."""

import argparse
import json
import random
from pathlib import Path

import picogpt

PROMPTS = Path(__file__).parent / "prompts.txt"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("models", nargs=2, help="names or folders of the two models")
    p.add_argument("--out", type=Path, required=True, help="the folder for sheet.md and key.json")
    args = p.parse_args()
    models = [picogpt.load(name) for name in args.models]
    rng = random.Random(1)
    parts, key = [], []
    for number, prompt in enumerate(PROMPTS.read_text("utf-8").splitlines(), 1):
        order = rng.sample(range(2), 2)
        parts.append(f"## {number}\n")
        for letter, which in zip("AB", order):
            text = models[which].generate(prompt, max_new_tokens=120, temperature=0.7, seed=1)
            parts.append(f"**{letter}** {prompt}{text}\n")
        key.append(dict(zip("AB", (args.models[which] for which in order))))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "sheet.md").write_text("\n".join(parts), "utf-8")
    (args.out / "key.json").write_text(json.dumps(key, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
