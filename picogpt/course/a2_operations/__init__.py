"""The operations: a2_1_ops.py, a2_2_loss.py, a2.py (all of them); a2_variants.py."""
