"""Published figures of OpenAI's models, by task and protocol, each with its source.

Sizes without a published figure are left out. "paper" is Radford et al. 2019, Table 3.
"""

from ..config import SIZES

# (task, protocol): (what, the figures of SIZES or fewer, source)
PUBLISHED = {
    ("lambada", "openai"): [
        ("accuracy", ("45.99", "55.48", "60.12", "63.24"), "paper"),
        ("perplexity", ("35.13", "15.60", "10.87", "8.63"), "paper"),
    ],
    ("lambada", "last-token"): [("accuracy", ("46.67",), "transformers #13761")],
    ("lambada", "last-word"): [
        ("accuracy", ("32.56",), "lm-evaluation-harness #2159"),
        ("perplexity", ("40.06",), "lm-evaluation-harness #2159"),
        ("accuracy", ("32.3", "42.6", "48.8", "52.3"), "nanochat"),
    ],
    ("hellaswag", "lm-eval"): [
        ("acc", ("28.92", "", "", "40.04"), "lm-evaluation-harness"),
        ("acc_norm", ("31.14", "", "", "50.89"), "lm-evaluation-harness"),
    ],
    ("hellaswag", "llm.c"): [
        ("acc", ("28.59", "", "", "38.42"), "llm.c"),
        ("acc_norm", ("29.55", "", "", "48.93"), "llm.c"),
    ],
    ("wikitext", "paper"): [
        ("WikiText-2, per word", ("29.41", "22.76", "19.93", "18.34"), "paper"),
        ("WikiText-103, per word", ("37.50", "26.37", "22.05", "17.48"), "paper"),
    ],
    ("wikitext", "lm-eval"): [("WikiText-2, per word", ("37.37",), "lm-evaluation-harness")],
    ("wikitext", "transformers"): [
        ("WikiText-2, per token", ("29.94",), "transformers #13761"),
        ("WikiText-2, per token", ("", "", "19.44"), "transformers' page on perplexity"),
    ],
    ("cbt", "paper"): [
        ("common nouns", ("87.65", "92.35", "93.45", "93.30"), "paper"),
        ("named entities", ("83.4", "87.1", "88.0", "89.05"), "paper"),
    ],
}

# Why one model has several figures: "They differ because ..."
WHY_THEY_DIFFER = {
    "lambada": "last-token asks for the last token alone, and last-word for all tokens of the last "
    "word; openai straightens quotes and rules out words that cannot end a sentence",
    "wikitext": "paper and lm-eval undo WikiText's spaces around punctuation and divide by the "
    "file's words, while transformers takes the text as it is and divides by tokens",
    "hellaswag": "lm-eval puts the activity before the context, removes WikiHow's marks and "
    "divides by characters, while llm.c does none of that and divides by tokens",
}


def other_protocols(task: str, protocol: str, model: str | None) -> list[str]:
    """Lines with the figures for a model by the other protocols of a task."""
    others = [name for of, name in PUBLISHED if of == task and name != protocol]
    return [f"{name}: {line}" for name in others for line in published(task, name, model)]


def published(task: str, protocol: str, model: str | None) -> list[str]:
    """Lines with the figures for a model, or none: "accuracy 45.99 (paper)"."""
    if model not in SIZES:
        return []
    size = list(SIZES).index(model)
    return [
        f"{what} {figures[size]} ({source})"
        for what, figures, source in PUBLISHED.get((task, protocol), [])
        if size < len(figures) and figures[size]
    ]
