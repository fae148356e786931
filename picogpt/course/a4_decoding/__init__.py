"""The KV cache and decoding. To read in this order: a4_1_cache.py, a4_2_sampling.py, a4_3_choice.py
and a4_assignment.py, the questions; a4_reference.py, the answers; a4_typical.py and a4_window.py,
the variants.
"""
