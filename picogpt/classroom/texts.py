"""What the notebooks read: a tale that no model has seen, and the folder of their other files."""

from pathlib import Path

DATA = Path(__file__).with_name("data")  # its README says what is in it

# To measure on.
TALE = """\
Once upon a time there was a king who had three daughters, and he loved the youngest more than all \
the gold in his castle. One winter morning she went out into the forest to look for her golden \
ball, and there she met an old woman who sat under a tree and wept.

'Why do you weep, good mother?' asked the princess.

'Because I am hungry and cold,' said the old woman, 'and nobody gives me a piece of bread.'

Then the princess gave her all the bread that she had, and her red cloak too. The old woman \
laughed, and in a moment she was no longer old, but a beautiful fairy. 'You have a good heart,' \
said the fairy. 'Whatever you wish for shall be yours.'
"""
