"""The backward pass and AdamW: a5_1_ops.py to a5_5_adamw.py, a5_assignment.py; RMSNorm, Lion."""
