"""GPT-2 as a course: assignments around the functions of the library, checked and graded.

To read in this order: assignment.py and assignments/, asking.py, marking.py, local.py,
checking.py; child.py, process.py and grading.py for a whole class; library.py and handout.py for
what is handed out. How to use it: picogpt/course/texts/README.md.
"""

from .checking import check

__all__ = ["check"]
