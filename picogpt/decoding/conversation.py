"""Dialogue: the turns so far are a prompt, and the next turn is what the model writes after it.

A model that was trained on dialogues (DialoGPT: Zhang et al. 2020) ends each turn with its end
token. Any other model is shown a transcript that begins with a few lines of somebody else's
conversation, and the line that it writes next is its answer.
"""

from collections.abc import Iterator

EXAMPLE = """\
Two friends are talking.

A: “Good morning! Did you sleep well?”
B: “Good morning. Yes, thank you, I slept very well.”
A: “What would you like to do today?”
B: “I would like to go to the river, if it does not rain.”
"""


class Chat:
    """A conversation with a model. Make one with `GPT2.chat`.

    turns: what was said so far, alternately by the person and the model; the person begins.
    """

    def __init__(self, model, dialogue: bool, max_new_tokens: int, options: dict):
        self.model, self.dialogue, self.turns = model, dialogue, []
        self.max_new_tokens, self.options = max_new_tokens, options

    def say(self, text: str) -> str:
        """The model's answer to a turn. Raises what `stream` raises."""
        return "".join(self.stream(text))

    def stream(self, text: str) -> Iterator[str]:
        """Yield the model's answer piece by piece.

        What was written becomes a turn, even if the iterator is closed before the end.

        Raises ValueError if the turn is empty, or too long for the context.
        """
        if not text.strip():
            raise ValueError("the turn is empty")
        ids = self.prompt_ids([*self.turns, text])
        stop = () if self.dialogue else ("”", "\n")
        pieces = self.model.stream(ids, self.max_new_tokens, stop=stop, **self.options)
        return self._answer(text, pieces)

    def _answer(self, text: str, pieces: Iterator[str]) -> Iterator[str]:
        answer = ""
        try:
            for piece in pieces:
                piece = piece if answer else piece.lstrip()
                answer += piece
                if piece:
                    yield piece
        finally:
            self.turns += [text, answer]

    def prompt_ids(self, turns: list[str]) -> list[int]:
        """The ids after which the answer to the last turn follows.

        If they are too many for the context, the oldest turns are left out, two at a time.
        Raises ValueError if the last turn alone is too long.
        """
        n_free = self.model.config.n_ctx - self.max_new_tokens
        for start in range(0, len(turns), 2):
            ids = self._ids(turns[start:])
            if len(ids) <= n_free:
                return ids
        raise ValueError(f"the turn takes {len(ids)} tokens, expected at most {max(n_free, 0)}")

    def _ids(self, turns: list[str]) -> list[int]:
        tokenizer = self.model.tokenizer
        if self.dialogue:
            return [i for turn in turns for i in (*tokenizer.encode(turn), tokenizer.endoftext)]
        return self.model.prompt_ids(f"{EXAMPLE}{transcript(turns)}B: “")

    def undo(self) -> None:
        """Forget the last turn and its answer. Raises ValueError if there is none."""
        if not self.turns:
            raise ValueError("nothing was said yet")
        del self.turns[-2:]

    def reset(self) -> None:
        """Begin a new conversation."""
        self.turns.clear()


def transcript(turns: list[str]) -> str:
    """The turns as lines, A: “...” and B: “...”; a turn of several lines becomes one.

    The quotation marks make a model speak at once, and show where its answer ends.
    """
    return "".join(f"{'AB'[i % 2]}: “{' '.join(turn.split())}”\n" for i, turn in enumerate(turns))
