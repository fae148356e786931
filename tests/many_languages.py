"""Texts in several languages, about a megabyte in all, made of what is on every machine.

Words are drawn from short lists, and joined to new ones as these languages do; code is Python's own
standard library. What a tokenizer must get right is in them: umlauts, both forms of accents, spaces
of every kind, ideographs, numbers, quotation marks, and characters from all over Unicode.
"""

import random
import unicodedata
from pathlib import Path

GERMAN = (
    "der die das und nicht über Straße Mädchen König Königin Übermut äußerst heißt Größe Fluß zwölf "
    "Donau Dampf Schiff Fahrts Gesellschaft Kapitän schön grün müde ging sprach wäre könnte Öl Ärger"
).split()
FRENCH = (
    "le la les l'œuvre d'été où ça être élève garçon français naïf Noël c'est qu'il n'y aujourd'hui "
    "cœur bœuf hôpital forêt déjà très après peut-être vingt-et-un Île À Ça Éric « » voilà règle"
).split()
CHINESE = (
    "的一是不了在人有我他这中大来上国和说们为子年那你，。？！、：；「」《》國龍漢字㐀䶵𠀀豈ーカな한"
)
ENDS = [". ", ", ", "; ", "! ", "? ", ": ", "\n", "\n\n", " – ", "\u202f!", "\xa0; ", "... ", "\t"]
SIZE = 120_000  # characters of each; a megabyte in all


def words(rng: random.Random, known: list[str]) -> str:
    """Sentences of known words, now and then two of them joined, or in capitals."""
    parts = []
    while sum(map(len, parts)) < SIZE:
        word = rng.choice(known)
        word += rng.choice(known).lower() if rng.random() < 0.3 else ""
        word = rng.choice([word.upper(), word.title()]) if rng.random() < 0.1 else word
        word = str(rng.randrange(10_000)) if rng.random() < 0.05 else word
        word = unicodedata.normalize("NFD", word) if rng.random() < 0.1 else word
        parts = ["".join(parts)] if len(parts) > 500 else parts
        parts += [word, rng.choice(ENDS) if rng.random() < 0.15 else " "]
    return "".join(parts)


def chinese(rng: random.Random) -> str:
    """Ideographs, the frequent ones often, with a few Latin words and numbers among them."""
    every = "".join(map(chr, range(0x4E00, 0x9FA6)))
    parts = rng.choices([CHINESE, every], [4, 1], k=SIZE)
    rare = ["GPT-2", " 2023年", "Ａ１", "\u3000", "\n", "hello", "ﬁ", "①"]
    return "".join(rng.choice(rare) if rng.random() < 0.03 else rng.choice(part) for part in parts)


def known_to_all() -> list[str]:
    """The characters of Unicode 3.2 that are today what they were then: all tables have them."""
    old, new = unicodedata.ucd_3_2_0.category, unicodedata.category
    every = map(chr, range(0x110000))
    return [c for c in every if old(c) == new(c) not in ("Cn", "Cs")]


def anything(rng: random.Random) -> str:
    """Characters from all of Unicode, few in a row of one kind."""
    around = ["", " ", "a", "7", ".", "\n", "'s", "\u0301", "é", "##"]
    return "".join(c + rng.choice(around) for c in rng.choices(known_to_all(), k=SIZE // 3))


def code() -> str:
    """A part of Python's standard library."""
    library = Path(random.__file__).parent
    text = "".join(
        (library / f"{name}.py").read_text("utf-8")
        for name in ("argparse", "inspect", "random", "textwrap", "tarfile", "typing")
    )
    return text[: 2 * SIZE]


def texts() -> dict[str, str]:
    """Language -> text; always the same on one machine."""
    rng = random.Random(0)
    return {
        "German": words(rng, GERMAN),
        "French": words(rng, FRENCH),
        "Chinese": chinese(rng),
        "code": code(),
        "anything": anything(rng),
    }
