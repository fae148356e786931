"""Make bpe/: a small vocabulary, with what tokenizers and tiktoken make of hard strings and ids.

Run from the repository's root, in the reference environment:

    PYTHONPATH=.:tests python tests/reference/make_bpe.py

encoder.json and vocab.bpe have OpenAI's form. But the ids are given in the order of the tokens'
text, not in that of the merges, so that a test notices if id, rank and place are mixed up.
encoded.json holds lists [text, words, ids], where the words are what the text is cut into first,
and decoded.json lists [ids, text] of ids that nobody encoded.
"""

import json
import random
from pathlib import Path

import tiktoken
from tiktoken_ext.openai_public import r50k_pat_str
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from picogpt.bpe.pretokenize import to_bytes

FOLDER = Path("tests/reference/bpe")
ENDOFTEXT = "<|endoftext|>"

# Written for this file.
TEXT = """
A miller had three sons and one cat, and the cat was the cleverest of the five. "What will
become of us when the mill stands still?" the eldest asked. "We'll be poor," said the second.
"We're poor already," said the third, "and I've nothing but the cat." The cat, who hadn't said a
word for seven years, looked up from the stove. "You'd better listen to me then," it said. "The
river that turned the wheel has been stolen, and I know where it's hidden."

So they went out in the morning, the three brothers and the cat before them, up the valley where
the river had been. They found stones, they found boats lying on the stones, and fish that were
walking about on their fins and complaining of the dust. "How far is it?" the brothers asked. "It
is 7 miles to the mountain, 12 miles over the mountain, and 365 days around it," said the cat.
"We shall go over." And the eldest said that he was tired, and the second said that he was hungry,
and the third said nothing and went on.

On the mountain there lived an old woman who collected things that run: 40 clocks, 1001 mice, a
rumour, 3 rivers. The rivers lay rolled up on a shelf like ribbons. "Which one is yours?" she
asked the third brother. "If you choose wrongly you'll stay here and wind the clocks." The cat
walked along the shelf, and at the second river it began to purr, because a river in which you
have fished for years smells of home. "That one," said the third brother. And the old woman
laughed, and gave it to him, and he carried it home under his arm, and wherever a drop of it fell
the grass was green again. When the wheel turned the brothers were there, and the fish, and all of
them said that they had always known how it would end. The cat said nothing for seven years.

Der Müller hörte das Rad und lief über die Brücke. „Schön“, sagte er, „daß der Fluß wieder fließt.“
Le meunier était très étonné : où donc était passée la rivière ? « Là-bas », répondit le garçon.
El niño soñó que el río cantaba. ¿Qué cantaba? ¡Mañana, mañana!
Мельник спросил кота, где река. Кот молчал. Река текла, и мельница снова работала.
Ο μυλωνάς ρώτησε τη γάτα πού είναι το ποτάμι, και η γάτα δεν είπε τίποτα.
הטוחן שאל את החתול איפה הנהר, והחתול שתק.
سأل الطحان القط أين النهر، والقط لم يقل شيئا.
चक्की वाले ने बिल्ली से पूछा कि नदी कहाँ है, और बिल्ली चुप रही।
水车又转了，河水回来了。猫什么也没说。
水車がまた回りました。川が帰ってきました。猫は何も言いませんでした。
물레방아가 다시 돌았습니다. 고양이는 아무 말도 하지 않았습니다.
🐈 🐈‍⬛ 🐟🐟🐟 👩‍🌾👨‍🌾 🏔️ 1️⃣2️⃣3️⃣ ☀️☀️ 🇫🇷🇩🇪 ❤️

def river(miles: int) -> float:
    if miles > 7:
        return 0.5 * miles ** 2  # over the mountain
    return miles / 365
"""


HARD_STRINGS = [
    "",
    "a",
    " ",
    "\n",
    "The cat said nothing for seven years.",
    "the  cat   and\tthe\t\triver \n\n said\r\n\r\nnothing \r \n  ",
    "    if miles > 7:\n        return miles ** 2\n\n\n",
    "I'm you're he's we've I'll they'd isn't",
    "I'M YOU'RE HE'S WE'VE I'LL THEY'D ISN'T I'm'll've ''s 'sss '  'll",
    "cat’s ‘cat’ “river”",
    "7 77 365days days365 3.14 1,001 1_000 ½ ² ٣٦٥ ३६५ ၃ 三六五 Ⅷ 𝟟 ①",
    "MILLER Miller mIlLeR riverriverriver cat!cat?cat... !!!??? --- _river_ @cat #7 <b>river</b>",
    "<|endoftext|>",
    "river<|endoftext|><|endoftext|> <|endoftext|>cat <|endoftext| <|<|endoftext|>|>",
    "".join(map(chr, range(0x80))),
    "".join(map(chr, range(0x80, 0x250))),
    "a\0b\0\0 \0c",
    "\x1b[31mred\x1b[0m \x07\x7f \x1c\x1d\x1e\x1f a\x1fb a  \x1f\n\x1c",
    "a\u0085b \u0085 \u0085\u0085c",
    "a\u00a0b \u00a0 \u00a0\u00a0c \u00a0",
    "a\u2028b\u2029c \u2028 \u2029\u2029 d",
    "\u1680a\u2000\u2001b\u200a c\u202fd\u205fe\u3000\u3000f \u3000",
    "a\u180eb \u200b c\u200bd\u2060e\ufeff f\u00ad g",
    "\ufeffriver",
    "          river          cat          ",
    " " * 300 + "x" + " " * 300,
    "\n" * 100 + " x" + "\t\n" * 50,
    "\u3000" * 40 + "x",
    "é e\u0301 ñ n\u0303 å A\u030a ﬁ ß ẞ İ ı Å",
    "e\u0301\u0302\u0303\u0304 \u0301 \u0301\u0302 a \u0301b \u20dd",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "Der Müller hörte die Brücke; daß der Fluß wieder fließt. ÄÖÜ",
    "où était passée la rivière ? L'été, l'école, aujourd'hui",
    "река и кот молчал Ελληνικά ποτάμι τίποτα. Հայերեն ქართული",
    "השמיני שָׁלוֹם \u200fהנהר\u200e (abc) \u202b1234\u202c",
    "النهر القط لم يقل شيئا \u0640\u0640 ﷽ 123 abc",
    "नदी क्षत्रिय नमस्ते कहाँ ட்தமிழ் ภาษาไทยไม่มีช่องว่าง ཨོཾ ខ្មែរ မြန်မာ",
    "水车又转了，河水回来了。猫 什么也没说。「水車」が・回りました。々〆〇",
    "고양이는 아무 말도 ᄒ\u1161\u11ab 물레방아가",
    "𠀀𪚥 𐍈𐍉 𝔉𝔯𝔞𝔨𝔱𝔲𝔯 𝓼𝓬𝓻𝓲𝓹𝓽 𓀀𓀁 𞤀𞤁 \U000e0001\U000e0041 \U0010fffd \uffff \ufdd0",
    "🐈🐟 👩‍🌾 👨‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🇫🇷🇩🇪🇫 ❤️ ☀ ☀️ 1️⃣ 👍🏽👍🏿 🐈‍⬛cat 🐈 cat",
    "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋ ≠ ½ ± √2 → ∞; €5 £3 ¥100 ₿ ©®™ §¶ †‡ ‰",
    "https://example.org/~cat?river=7&x=%20#a user@example.org C:\\Users\\cat\\n",
    '{"river": [1, 2.5, null], "cat": {"said": "\\u0000"}}',
    "\t\tif (x<0||y>=1) {\r\n\t\t\treturn &x[i++] ^ ~0x7fff; // cat\r\n\t\t}\r\n",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAA aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa rrrrrrrrrr eeeeeeeee",
    "Donaudampfschiffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    # Letters and numbers of Unicode 16, which Unicode 15 does not know.
    "a\u1c89b \ua7cb x\U000105c0y \U00010d40\U00010d69 \U00016d40z 7\U0001ccf07",
]

# What UTF-8 cannot write: tokenizers gets what tiktoken makes of it. (A pair of surrogates in the
# right order is not here, because reading JSON would join it.)
SURROGATES = ["\ud800", "a\udfffb", "river\udc00\ud83d cat \ud83d", "\ud83d\ud83d 7", "\udc00's"]


def learn() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Encoder and merges, learned by Hugging Face's trainer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=800,
        special_tokens=[ENDOFTEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    ids = {token: i for i, token in enumerate(sorted(model["vocab"]))}
    encoder = {token: ids[token] for token in model["vocab"]}
    return encoder, [tuple(pair) for pair in model["merges"]]


def tokenizers_encode(encoder: dict, merges: list, text: str) -> tuple[list[str], list[int]]:
    """Words and ids."""
    tokenizer = Tokenizer(models.BPE(encoder, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = tokenizer.pre_tokenizer.pre_tokenize_str(text)
    return [text[start:end] for _, (start, end) in words], tokenizer.encode(text).ids


def tiktoken_encoding(encoder: dict, merges: list) -> tuple[tiktoken.Encoding, list[int]]:
    """tiktoken takes a token's rank for its id: an encoding with ranks, and rank -> id."""
    made = [*(token for token in encoder if len(token) == 1), *map("".join, merges)]
    encoding = tiktoken.Encoding(
        "small",
        pat_str=r50k_pat_str,
        mergeable_ranks={to_bytes(token): rank for rank, token in enumerate(made)},
        special_tokens={ENDOFTEXT: len(made)},
    )
    return encoding, [encoder[token] for token in [*made, ENDOFTEXT]]


def random_ranks(rng: random.Random) -> list[int]:
    """Up to 30 tokens, those of one byte (ranks below 256) as frequent as the others."""
    return [rng.choice([rng.randrange(256), rng.randrange(800)]) for _ in range(rng.randrange(30))]


def write_lines(name: str, lists: list[list]) -> None:
    lines = ",\n".join(map(json.dumps, lists))
    (FOLDER / name).write_text(f"[\n{lines}\n]\n", encoding="ascii")


if __name__ == "__main__":
    encoder, merges = learn()
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "encoder.json").write_text(json.dumps(encoder), encoding="ascii")
    lines = ["#version: 0.2", *map(" ".join, merges)]
    (FOLDER / "vocab.bpe").write_bytes(("\n".join(lines) + "\n").encode("utf-8"))

    encoding, ids_by_rank = tiktoken_encoding(encoder, merges)
    encoded = []
    for text in HARD_STRINGS + SURROGATES:
        ranks = encoding.encode(text, disallowed_special=())
        ids = [ids_by_rank[rank] for rank in ranks]
        words, their_ids = tokenizers_encode(encoder, merges, encoding.decode(ranks))
        if their_ids != ids:
            raise SystemExit(f"tokenizers and tiktoken do not agree on {text!r}")
        encoded.append([text, words, ids])
    write_lines("encoded.json", encoded)

    samples = [random_ranks(random.Random(seed)) for seed in range(100)]
    decoded = [[[ids_by_rank[r] for r in ranks], encoding.decode(ranks)] for ranks in samples]
    write_lines("decoded.json", decoded)
