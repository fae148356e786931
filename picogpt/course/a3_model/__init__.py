"""Attention and GPT-2: a3_inputs.py, a3_1_attention.py, a3_assignment.py.

Two variants: with ALiBi, and with parallel blocks.
"""
