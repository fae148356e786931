"""Byte-level BPE. To read in this order: a1_1_tokens.py, a1_2_ids.py and a1_assignment.py, the
questions; a1_reference.py, the answers that the library does not have; a1_variants.py.
"""
