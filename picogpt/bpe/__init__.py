"""Text to token ids and back: byte-level byte-pair encoding, and the other tokenizers of GPT-2s.

To read in this order: pretokenize.py, pattern.py, merges.py, added_tokens.py, tokenizer.py,
byte_level.py, openai_vocab.py; wordpiece.py, BERT's; special_tokens.py, tokenizer_json.py and
saved.py, Hugging Face's files; vocabulary.py, a folder of any of these; and learn.py for where the
merges come from.
"""

from .byte_level import ByteLevelBPE
from .tokenizer import StreamDecoder, Tokenizer
from .vocabulary import load_tokenizer

__all__ = ["ByteLevelBPE", "StreamDecoder", "Tokenizer", "load_tokenizer"]
