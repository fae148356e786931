"""How well a model predicts. To read in this order:

score.py: the log-probability of every token of a text, and what follows from it.
documents.py: a file of documents as windows.
request.py: the one question of all protocols, an ending after a context, in batches.
protocols.py: LAMBADA, HellaSwag and CBT: their files, and what each protocol asks.
wikitext.py: perplexity of WikiText and of any text, by several protocols.
results.py: items computed one after the other, and kept, so that a run can go on.
published.py: the published figures of OpenAI's models; data_files.py: where the files are.
"""
