"""Attention and GPT-2: a3_1_attention.py, a3_assignment.py; with ALiBi, with parallel blocks."""
