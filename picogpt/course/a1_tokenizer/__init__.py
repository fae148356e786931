"""Byte-level BPE: a1_1_tokens.py, a1_2_ids.py, a1.py (learning); a1_reference.py, a1_variants.py."""
