"""What the notebooks need besides the library, so that they run in any folder. In reading order:

texts.py: a tale that no model has seen; data/, the other texts and files.
checks/: the verdict on the answers to the exercises.
quiz.py: five quick questions for each notebook.
widgets/: small pages with a slider or cells to click, inside a notebook.
plots.py, drawings.py: what draws. They need Matplotlib, which comes with the extra "notebooks".
"""
