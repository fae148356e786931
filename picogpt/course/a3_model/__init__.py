"""Attention and GPT-2: a3_inputs.py, a3_1_attention.py, a3_assignment.py; and two variants, with ALiBi
and with parallel blocks.
"""
