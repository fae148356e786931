"""GPT-2 as a course: assignments around the functions of the library, checked and graded.

To read in this order: assignment.py, what an assignment is; a1_tokenizer/ to a6_checkpoint/, each
with its text, its questions and its variants; assignments.py, all of them by name; grader/, which
asks and marks; handout/, what students get. How to use it: picogpt/course/README.md.
"""

from .grader.checking import check

__all__ = ["check"]
