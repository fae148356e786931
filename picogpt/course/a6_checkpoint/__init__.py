"""The checkpoint. To read in this order: a6_1_bytes.py to a6_5_tensors.py and a6_assignment.py, the
questions; a6_reference.py, the answers; a6_writer.py, which writes files to ask about; a6_half.py
and a6_shards.py, the variants.
"""
