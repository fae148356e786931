"""The operations: a2_1_ops.py, a2_2_loss.py, a2_assignment.py (all of them); a2_variants.py."""
