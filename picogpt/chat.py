"""The command `python -m picogpt.chat`: a conversation with a model, turn by turn."""

import argparse
import sys
from pathlib import Path

from . import command
from .decoding.conversation import Chat, transcript
from .decoding.sampling import Sampling
from .files import parse_json, replacing
from .gpt2 import load
from .interactive import ask_for_lines
from .weights.find import NAMES, find_model

DESCRIPTION = """\
Talk with a model. This is meant for models that were trained on dialogues, such as DialoGPT. Any
other model is shown a conversation as an example, and continues it.

  python -m picogpt.chat -m microsoft/DialoGPT-small"""

HELP = """\
Say something. Ctrl-C ends an answer, Ctrl-D the conversation. /undo forgets the last turn, /reset
forgets all of them, and /save FILE writes them to a file."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The arguments of the command. Exits with status 2 if they are wrong."""
    p = command.Parser(prog="python -m picogpt.chat", description=DESCRIPTION)
    add = p.add_argument
    add("-m", "--model", help=f"{', '.join(NAMES)}, ORG/NAME on the Hub, or a model folder")
    add("-n", "--max-new-tokens", type=int, default=60, metavar="N", help="of an answer: 60")
    add("-t", "--temperature", type=float, default=0.7, metavar="T", help="default: 0.7")
    add("-k", "--top-k", type=int, default=40, metavar="K", help="default: 40")
    add("-p", "--top-p", type=float, metavar="P", help="default: off")
    add("--seed", type=int, metavar="N", help="the same answers each time")
    args = p.parse_args(argv)
    if args.max_new_tokens < 1:
        p.error(f"--max-new-tokens is {args.max_new_tokens}, expected at least 1")
    if args.seed is not None and args.seed < 0:
        p.error(f"--seed is {args.seed}, expected at least 0")
    args.settings = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
    if args.temperature == 0:
        args.settings = {"temperature": 0.0}  # the likeliest token is taken anyway
    try:
        Sampling(**args.settings)
    except (ValueError, TypeError) as error:
        p.error(str(error))
    return args


def is_dialogue_model(folder: Path) -> bool:
    """Whether the config of a model says that it was trained on dialogues, as DialoGPT's does."""
    path = folder / "config.json"
    if not path.is_file():
        return False
    tasks = parse_json(path.read_bytes()).get("task_specific_params")
    return isinstance(tasks, dict) and "conversational" in tasks


def perform(args: argparse.Namespace) -> None:
    """Load the model, and answer until Ctrl-D."""
    folder = find_model(args.model, offline=False)
    model = load(folder)
    dialogue = is_dialogue_model(folder)
    chat = model.chat(
        dialogue=dialogue, max_new_tokens=args.max_new_tokens, seed=args.seed, **args.settings
    )
    if not dialogue:
        command.say("this model was not trained on dialogues: it continues an example conversation")
    print(HELP)
    ask_for_lines(lambda line: answer(chat, line))


def answer(chat: Chat, line: str) -> None:
    """Carry out a command, or answer what was said."""
    word, _, rest = line.partition(" ")
    if word == "/undo":
        chat.undo()
    elif word == "/reset":
        chat.reset()
    elif word == "/save":
        save(chat, Path(rest.strip()))
    elif word.startswith("/"):
        print(HELP)
    elif line.strip():
        pieces = chat.stream(line)
        try:
            for piece in pieces:
                print(piece, end="", flush=True)
        finally:
            pieces.close()
            print()


def save(chat: Chat, path: Path) -> None:
    """Write the conversation to a new file."""
    if path == Path():
        raise ValueError("/save needs the name of a file")
    if path.exists():
        raise FileExistsError(f"{path} is there already, and nothing is overwritten")
    with replacing(path) as file:
        file.write(transcript(chat.turns).encode("utf-8", "replace"))
    print(f"saved: {path}")


def main(argv: list[str] | None = None) -> int:
    """The command `python -m picogpt.chat`. Returns its exit status."""
    args = parse(argv)
    return command.finish(lambda: perform(args))


if __name__ == "__main__":
    sys.exit(main())
