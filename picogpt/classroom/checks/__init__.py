"""The checks of the notebooks' exercises: check_3_1 is that of notebook 3, exercise 1.

verdict.py: how a check says what is missing, and how an answer is read.
reading.py, parts.py, writing.py: notebooks 0 and 1, 2 to 4, 5 and 6.
training.py, inside.py, use.py: notebooks 7, 11 and 12, notebook 8, 9 and 10.

A check raises NotYet, with a message for the person who answered, unless the answer is right.
"""
