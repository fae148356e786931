"""Wrong functions that the assignments do not name as mistakes, and right ones in unusual forms.

Each is decorated with the assignment and the function that it is written for.
"""

PLANTED = []  # (assignment's name, name of the function, what is written, whether it is right)


def wrong(assignment, function, is_right=False):
    def plant(written):
        PLANTED.append((assignment, function.__name__, written, is_right))
        return written

    return plant


def right(assignment, function):
    return wrong(assignment, function, is_right=True)
