"""Writing several tokens with one forward pass, where a text repeats itself.

Names, phrases and quotations come back. If the last three tokens occurred in the text before, the
next ones may well be those that followed them then. The model reads such a guess in one pass, as
if it were a prompt, and its logits show how much of the guess is right. That much is kept, and it
is what the model would have written token by token, but for rounding.

A pass over sixteen tokens costs more than a pass over one, so guesses must pay for themselves.

Source: Leviathan et al. 2023 (speculative decoding); Saxena 2023 (prompt lookup).
"""

from collections.abc import Sequence

N_GRAM = 3  # how many tokens must match before a guess is made
N_GUESS = 15  # with the last token 16 rows: up to that many a pass costs about as much as with 2
COST = 2.0  # the extra cost of a pass with a guess, counted in ordinary passes
EARNED = 0.03  # for each pass, so that guesses that are all wrong cost 3 % more time


class Lookup:
    """Guesses how a text goes on. One Lookup is the `make_guess` of loop.token_steps for one text.

    It keeps an account, in forward passes: a guess costs COST, each token of it that was right
    saves one pass, and nothing is guessed while the account holds less than COST. It starts with
    enough for one guess. Its savings are limited, so that it soon gives up when a text stops
    repeating itself.
    """

    def __init__(self):
        self.account = COST
        self.ends = {}  # n-gram -> where it ended last
        self.n_seen = 0
        self.guessed = False

    def __call__(self, ids: Sequence[int]) -> list[int]:
        """The next tokens as they were after the last occurrence of the last N_GRAM: [n_seq] ->
        [N_GUESS] or []."""
        n_new = len(ids) - self.n_seen
        if self.guessed:
            self.account += n_new - 1 - COST
        self.account = min(self.account + EARNED, 4 * COST)
        for end in range(max(self.n_seen, N_GRAM), len(ids)):
            self.ends[tuple(ids[end - N_GRAM : end])] = end
        self.n_seen = len(ids)
        end = self.ends.get(tuple(ids[-N_GRAM:]))
        self.guessed = end is not None and self.account >= COST
        if not self.guessed:
            return []
        period = len(ids) - end  # a guess that reaches the end of the text repeats itself
        return [ids[end + i % period] for i in range(N_GUESS)]
