"""From logits to text. To read in this order:

sampling.py: from the logits for the next token to one token.
loop.py: from token to token, for one text or several at once.
stopping.py: from tokens to text, ended before a stop string.
lookup.py: several tokens with one forward pass, where a text repeats itself.
beam.py: the likeliest text instead of the likeliest next token.
conversation.py: turn after turn.
"""
