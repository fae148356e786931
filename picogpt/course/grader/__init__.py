"""Asking a student's functions, and marking the answers.

To read in this order: show.py and compare.py, values as people see them; channel.py, values as bytes
between processes; extract.py, what is taken of a file; perform.py, calling it; asking.py, a question
and its hints; marking.py, the points; report.py. For oneself: local.py, checking.py. For a class:
excerpts.py, what a student's process may know; walls.py, what it cannot reach; child.py, starter.py and
process.py, that process; grading.py, all hand-ins.
"""
