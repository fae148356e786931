"""How well a model predicts. To read in this order:

score.py: the log-probability of every token of a text, and what follows from it.
documents.py: the same for a file of documents, in bits per byte.
"""
