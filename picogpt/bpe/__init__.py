"""Byte-level byte-pair encoding: text to token ids and back.

To read in this order: pretokenize.py, merges.py, tokenizer.py, openai_vocab.py,
tokenizer_json.py, vocabulary.py;
and learn.py for where the merges come from.
"""

from .tokenizer import StreamDecoder, Tokenizer
from .vocabulary import load_tokenizer

__all__ = ["StreamDecoder", "Tokenizer", "load_tokenizer"]
