"""What students get. pieces.py: the parts of a handout; forms.py: text, Python file, notebook."""
