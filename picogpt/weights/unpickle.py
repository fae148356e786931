"""Reading a pickle without running it.

A pickle is a program for a small stack machine. Most of its instructions push a value, or build a
list, tuple or dict from what is on the stack; a "memo" keeps values that are used again. One
instruction fetches any function of any module by its name, and another calls it. That is how a
pickle can do whatever it likes to the computer that loads it. The machine here has only the
harmless instructions, and a short list of names, each of which stands for a function of ours.
Everything else is refused, and the error names it.

Source: Python's pickletools.py, which describes every instruction.
"""

import struct
from collections.abc import Callable

from .errors import CheckpointError

MAX_INSTRUCTIONS = 1_000_000  # of one pickle; the largest GPT-2 with its optimizer has 100,000
KEYS = (str, int, float, bool, type(None))  # the types that a key of a dict may have


class Called:
    """What the pickle gets for a name on the list; call is our function."""

    def __init__(self, name: str, call: Callable):
        self.name, self.call = name, call


class Machine:
    """Runs the pickles in data, one after the other.

    names: "module name" -> the function that stands for it; load: turns a
    "persistent id", by which a pickle names something that lies outside of it, into a value.
    """

    def __init__(self, data: bytes, names: dict[str, Callable], load: Callable):
        self.data, self.at = data, 0
        self.names, self.load = names, load

    def run(self) -> object:
        """The value that the next pickle makes; self.at is then the position after it.

        Raises CheckpointError for anything that is not allowed or makes no sense.
        """
        self.stack, self.marks, self.memo = [], [], {}
        for _ in range(MAX_INSTRUCTIONS):
            opcode = self.take(1)[0]
            if opcode == ord("."):
                return self.pop()
            if opcode not in INSTRUCTIONS:
                raise CheckpointError(
                    f"the pickle has the instruction {bytes([opcode])!r} at byte {self.at - 1}, "
                    "which no file of weights needs"
                )
            INSTRUCTIONS[opcode](self)
        raise CheckpointError(f"the pickle has more than {MAX_INSTRUCTIONS:,} instructions")

    def take(self, n: int) -> bytes:
        if n > len(self.data) - self.at:
            raise CheckpointError(f"the pickle ends at byte {len(self.data)}, in an instruction")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, kind: str):
        """The next number, of a kind that struct knows."""
        return struct.unpack(kind, self.take(struct.calcsize(kind)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.at, self.at + 1000)
        if end < 0:
            raise CheckpointError(f"the pickle has no end of the line at byte {self.at}")
        return self.take(end + 1 - self.at)[:-1].decode("utf-8")

    def push(self, value) -> None:
        self.stack.append(value)

    def pop(self):
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise CheckpointError("the pickle takes from an empty stack")
        return self.stack.pop()

    def pop_to_mark(self) -> list:
        if not self.marks:
            raise CheckpointError("the pickle looks for a mark that is not there")
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def top(self, kind: type):
        value = self.pop()
        if type(value) is not kind:
            raise CheckpointError(f"the pickle expects a {kind.__name__}, found {describe(value)}")
        self.push(value)
        return value

    def remember(self, i: int) -> None:
        value = self.pop()
        self.memo[i] = value
        self.push(value)

    def recall(self, i: int) -> None:
        if i not in self.memo:
            raise CheckpointError(f"the pickle recalls value {i}, which it never kept")
        self.push(self.memo[i])

    def push_text(self, n: int) -> None:
        self.push(self.take(n).decode("utf-8"))

    def push_tuple(self, n: int) -> None:
        self.push(tuple([self.pop() for _ in range(n)][::-1]))

    def add_to_list(self, values: list) -> None:
        self.top(list).extend(values)

    def add_to_dict(self, values: list) -> None:
        if len(values) % 2:
            raise CheckpointError("the pickle has a key without a value")
        target = self.top(dict)
        for key, value in zip(values[::2], values[1::2]):
            if type(key) not in KEYS:
                raise CheckpointError(f"the pickle has {describe(key)} as a key")
            target[key] = value

    def push_name(self, name: str) -> None:
        if name not in self.names:
            raise CheckpointError(f"the pickle asks for {name!r:.80}, which is not run")
        self.push(Called(name, self.names[name]))

    def call(self) -> None:
        args, function = self.pop(), self.pop()
        if type(function) is not Called or type(args) is not tuple:
            raise CheckpointError(f"the pickle calls {describe(function)}")
        try:
            self.push(function.call(*args))
        except (TypeError, ValueError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(
                f"the pickle calls {function.name} with wrong arguments"
            ) from None

    def set_state(self) -> None:
        """Attributes: those of an OrderedDict of weights say nothing about the weights."""
        self.pop()
        self.top(dict)

    def push_name_from_stack(self) -> None:
        name, module = self.pop(), self.pop()
        if type(name) is not str or type(module) is not str:
            raise CheckpointError("the pickle asks for a name that is not a text")
        self.push_name(f"{module} {name}")


def describe(value) -> str:
    """A value in a message, only by its type if it is a list or a dict, which may hold itself."""
    if type(value) in KEYS:
        return f"{value!r:.80}"
    return value.name if type(value) is Called else f"a {type(value).__name__}"


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


# Opcode -> what it does to the machine. The names in the comments are pickletools'.
INSTRUCTIONS: dict[int, Callable[[Machine], object]] = {
    ord(opcode): run
    for opcode, run in {
        "\x80": lambda m: m.take(1),  # PROTO
        "\x95": lambda m: m.take(8),  # FRAME
        "(": lambda m: m.marks.append(len(m.stack)),  # MARK
        "0": lambda m: m.pop(),  # POP
        "N": lambda m: m.push(None),  # NONE
        "\x88": lambda m: m.push(True),  # NEWTRUE
        "\x89": lambda m: m.push(False),  # NEWFALSE
        "J": lambda m: m.push(m.number("<i")),  # BININT
        "K": lambda m: m.push(m.number("<B")),  # BININT1
        "M": lambda m: m.push(m.number("<H")),  # BININT2
        "\x8a": lambda m: m.push(_signed(m.take(m.number("<B")))),  # LONG1
        "G": lambda m: m.push(m.number(">d")),  # BINFLOAT
        "X": lambda m: m.push_text(m.number("<I")),  # BINUNICODE
        "\x8c": lambda m: m.push_text(m.number("<B")),  # SHORT_BINUNICODE
        "U": lambda m: m.push_text(m.number("<B")),  # SHORT_BINSTRING, of Python 2
        "T": lambda m: m.push_text(m.number("<I")),  # BINSTRING, of Python 2
        "]": lambda m: m.push([]),  # EMPTY_LIST
        "}": lambda m: m.push({}),  # EMPTY_DICT
        ")": lambda m: m.push(()),  # EMPTY_TUPLE
        "\x85": lambda m: m.push_tuple(1),  # TUPLE1
        "\x86": lambda m: m.push_tuple(2),  # TUPLE2
        "\x87": lambda m: m.push_tuple(3),  # TUPLE3
        "t": lambda m: m.push(tuple(m.pop_to_mark())),  # TUPLE
        "l": lambda m: m.push(m.pop_to_mark()),  # LIST
        "a": lambda m: m.add_to_list([m.pop()]),  # APPEND
        "e": lambda m: m.add_to_list(m.pop_to_mark()),  # APPENDS
        "s": lambda m: m.add_to_dict([m.pop(), m.pop()][::-1]),  # SETITEM
        "u": lambda m: m.add_to_dict(m.pop_to_mark()),  # SETITEMS
        "q": lambda m: m.remember(m.number("<B")),  # BINPUT
        "r": lambda m: m.remember(m.number("<I")),  # LONG_BINPUT
        "\x94": lambda m: m.remember(len(m.memo)),  # MEMOIZE
        "h": lambda m: m.recall(m.number("<B")),  # BINGET
        "j": lambda m: m.recall(m.number("<I")),  # LONG_BINGET
        "c": lambda m: m.push_name(f"{m.line()} {m.line()}"),  # GLOBAL
        "\x93": lambda m: m.push_name_from_stack(),  # STACK_GLOBAL
        "R": lambda m: m.call(),  # REDUCE
        "b": lambda m: m.set_state(),  # BUILD
        "Q": lambda m: m.push(m.load(m.pop())),  # BINPERSID
    }.items()
}
