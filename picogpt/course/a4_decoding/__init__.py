"""Decoding: a4_1_cache.py, a4_2_sampling.py, a4_3_choice.py, a4.py; a4_reference.py; variants."""
