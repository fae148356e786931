"""The checkpoint: a6_1_bytes.py to a6_5_tensors.py, a6.py; a6_reference.py, a6_writer.py; variants."""
