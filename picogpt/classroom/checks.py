"""The verdict on an exercise."""

from collections.abc import Callable


def attempt(check: Callable, *answers) -> None:
    """Say whether the answers to an exercise pass its check, a function that asserts.

    An exercise that nobody has solved yet must not keep the cells below it from running.
    """
    try:
        check(*answers)
    except Exception as error:  # noqa: BLE001 - an answer can be wrong in any way
        print(f"Not yet: {error or type(error).__name__}")
    else:
        print("Right!")
