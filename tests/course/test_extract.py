"""What is taken of a hand-in, and what is left out."""

import json

import pytest

from picogpt.course.grader.cells import cells
from picogpt.course.grader.extract import extract, run, solution_imports


def namespace(name: str, source: str) -> tuple[dict, list[str]]:
    """What a file leaves behind, and all notes."""
    statements, notes = extract(cells(name, source.encode("utf-8")))
    found = {}
    notes += [note for x in statements if (note := run(x, found))]
    found.pop("__builtins__", None)
    return found, notes


def notebook(*sources) -> str:
    cells = [{"cell_type": "code", "source": source} for source in sources]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "text"}, *cells]})


@pytest.mark.parametrize(
    "statement",
    [
        "x = 1",
        "x: int = 1",
        "x = y = 1",
        "x, y = 1, (2, 3)",
        "import math; x = math.sqrt(2.0 / math.pi)",
        "import numpy as np; x = np.array([1, 2], np.float32)",
        "x = [i * i for i in range(3)]",
        "x = tuple(chr(i) for i in range(3))",
        "x = lambda y: print(y)",
        "x = input",
        "x = {'a': 1, **{}}",
        "def x(): print(1)",
        "async def x(): pass",
        "class x: pass",
        "from math import pi as x",
        "try:\n    import numpy as x\nexcept ImportError:\n    x = None",
        "try:\n    import fractions as x\nexcept ImportError:\n    raise",
        "if 1 < 2:\n    'text'\n    def x(): pass\nelse:\n    pass",
        "import logging\nx = logging.getLogger('a')",
        "x = (1).to_bytes(8, 'little')",
        "import struct\nx = struct.pack('<I', 1)",
        "x = 'a b'.split()",
        "x = ['a', *'b c'.split()].copy()",
        "from functools import partial\nx = partial(print, 1)",
        "import functools\nx = functools.partial(print, 1)",
        "import numpy as np\nx = np.arange(6).reshape(2, 3).T.copy()",
        "[x, *y] = 1, 2",
    ],
)
def test_imports_constants_and_definitions_are_taken(statement):
    found, notes = namespace("a.py", statement)
    assert "x" in found
    assert notes == []


@pytest.mark.parametrize(
    "statement",
    [
        "x = print(1)",
        "x = [train() for _ in range(3)]",
        "x = train().loss",
        "x = {'a': f'{train()}'}",
        "x = (lambda: 1)()",
        "for x in range(3): pass",
        "while False: pass",
        "with open('a') as x: pass",
        "try: x = train()\nexcept: pass",
        "if train(): x = 1",
        "if True: train()",
        "x = np.zeros(train())",
        "x = 'a'.join(train())",
        "x = model.fit()",
        "x = partial(train)()",
        "x = functools.reduce(train, [1, 2])",
        "x = getattr(np, 'a')()",
        "assert True",
        "del x",
        "x += 1",
        "x.y = 1",
        "x[0] = 1",
    ],
)
def test_anything_else_is_left_out_with_a_note(statement):
    found, notes = namespace("a.py", f"\n{statement}")
    assert found == {}
    assert notes == ["a.py, line 2: left out, since it is no import, constant or definition"]


@pytest.mark.parametrize(
    "statement",
    [
        '"""Text."""',
        "print('PASS')",
        "main()",
        "if __name__ == '__main__': main()",
        "from picogpt.course import check",
    ],
)
def test_what_nobody_expects_is_left_out_silently(statement):
    assert namespace("a.py", statement) == ({}, [])


def test_a_statement_that_fails_harms_no_other():
    found, notes = namespace("a.py", "x = 1 / 0\nimport math.nothing\ny = 2")
    assert found == {"y": 2}
    assert notes == [
        "a.py, line 1: left out, ZeroDivisionError: division by zero",
        "a.py, line 2: left out, ModuleNotFoundError: No module named 'math.nothing';"
        " 'math' is not a package",
    ]


def test_a_later_definition_counts():
    assert namespace("a.py", "x = 1\nx = 2")[0] == {"x": 2}


def test_a_future_import_holds_for_all_that_follows():
    source = "from __future__ import annotations\ndef f(x: Undefined): pass"
    found, notes = namespace("a.py", source)
    assert notes == []
    assert found["f"].__annotations__ == {"x": "Undefined"}


@pytest.mark.parametrize("name", ["pytest", "mylib", "scipy.stats", ".ops"])
def test_what_is_not_there_in_grading_is_not_there_in_the_check(name):
    found, (note,) = namespace("a.py", f"from {name} import something\ny = 2")
    assert found == {"y": 2}
    assert note.startswith(f"a.py, line 1: left out, {name} is neither Python's own nor NumPy")


def test_a_syntax_error_costs_the_statement_that_it_is_in():
    source = """x = 1
def f(:
    return 2
@staticmethod
def g():
    return 3

class A:
    pass
print("1"
y = [
    4,
]
"""
    found, notes = namespace("a.py", source)
    assert (found["x"], found["y"], found["g"]()) == (1, [4], 3)
    assert "A" in found
    assert notes == [
        "a.py cannot be read, line 2: invalid syntax",
        "a.py cannot be read, line 10: '(' was never closed",
    ]
    statements, _ = extract(cells("a.py", source.encode()))
    assert [x.node.lineno for x in statements] == [1, 5, 8, 11]


def test_a_syntax_error_or_a_magic_costs_its_cell_only():
    cells = "x = 1", "def (:", "%%bash\nz = 1", ["%matplotlib inline\n", "!ls\n", "y = 2"]
    found, notes = namespace("a.ipynb", notebook(*cells))
    assert found == {"x": 1, "y": 2}
    assert notes == ["code cell 2 cannot be read, line 1: invalid syntax"]


@pytest.mark.parametrize(
    "source",
    [
        "%%time\nx = 1",
        "%%capture out --no-stderr\nx = 1",
        "files = !ls\nx = 1",
        "t = %timeit -o f()\nx = 1",
        "x = 1\nsoftmax?",
        "x = 1\n?np.exp\nnp.exp??",
        "!pip install \\\n    numpy\nx = 1",
        "if 1:\n    %timeit f()\n    x = 1",
        "for i in range(3):\n    %timeit f()\nx = 1",
        'x = 1\ndef f():\n    """\n%time is no magic here\n    """',
    ],
)
def test_what_only_jupyter_understands_costs_nothing(source):
    found, _ = namespace("a.ipynb", notebook(source))
    assert found["x"] == 1


def test_a_text_with_a_percent_sign_stays_as_it_is():
    source = 'x = """\n%time\n!ls\n"""'
    assert namespace("a.ipynb", notebook(source))[0] == {"x": "\n%time\n!ls\n"}


def test_a_notebook_in_format_3():
    cells = [{"cell_type": "code", "input": ["x = 1\n", "y = 2"]}, {"cell_type": "markdown"}]
    data = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]})
    assert namespace("a.ipynb", data)[0] == {"x": 1, "y": 2}


def test_a_file_in_the_encoding_that_it_says():
    data = "#!/usr/bin/python\n# -*- coding: latin-1 -*-\nx = 'café'".encode("latin-1")
    (statement,), notes = extract(cells("a.py", data))
    assert run(statement, found := {}) is None
    assert (found["x"], notes) == ("café", [])


@pytest.mark.parametrize("source", ["-" * 90_000 + "1", "(" * 1000, "1" + "+1" * 40_000, "\0"])
def test_sources_that_no_parser_can_take(source):
    found, (note,) = namespace("a.ipynb", notebook("x = 1", source))
    assert found == {"x": 1}
    assert note.startswith("code cell 2 cannot be read, ")
    assert ("null bytes" in note) == (source == "\0")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.py", b"caf\xe9", "a.py is not UTF-8: .* at byte 3"),
        ("a.ipynb", b"caf\xe9", "a.ipynb is not UTF-8"),
        ("a.py", b"# coding: latin-9000\n", "a.py is in latin-9000, an encoding of no text"),
        ("a.ipynb", b"x = 1", "a.ipynb is no Jupyter notebook"),
        ("a.ipynb", b"[]", "a.ipynb is no Jupyter notebook"),
        ("a.ipynb", b'{"cells": [1]}', "a.ipynb is no Jupyter notebook"),
        ("a.ipynb", b'{"cells": [{"cell_type": "code"}]}', "a.ipynb is no Jupyter notebook"),
        ("a.ipynb", b"[" * 100_000, "a.ipynb is no Jupyter notebook"),
    ],
)
def test_files_that_cannot_be_read(name, data, message):
    with pytest.raises(ValueError, match=message):
        extract(cells(name, data))


def test_a_byte_order_mark_is_none_of_the_program():
    statements, _ = extract(cells("a.py", b"\xef\xbb\xbfx = 1"))
    assert len(statements) == 1


def test_imports_of_the_solution_are_noticed():
    source = """
from picogpt.course import check
from picogpt.ops import gelu, softmax
def f():
    import picogpt.model as m, picogpts
    from picogpt import load, model, ops
"""
    statements, _ = extract(cells("a.py", source.encode()))
    rest = "is picogpt's own, and not there when a submission is graded"
    assert list(solution_imports(statements, {"gelu": "picogpt.ops"})) == [
        f"a.py, line 3: softmax {rest}",
        f"a.py, line 5: picogpt.model {rest}",
        "a.py, line 5: picogpts is neither Python's own nor NumPy, and not there when a submission"
        " is graded",
        f"a.py, line 6: load {rest}",
        f"a.py, line 6: model {rest}",
        "a.py, line 6: ops holds the given functions alone when a submission is graded",
    ]


def test_more_code_than_anybody_writes():
    """Pictures in the outputs of a notebook may be large, its code may not."""
    cell = {"cell_type": "code", "source": "x = 1", "outputs": ["a" * 1_000_000]}
    assert cells("a.ipynb", json.dumps({"cells": [cell]}).encode()) == [("code cell 1", "x = 1")]
    source = "x = 1\n" * 20_000
    for name, data in (("a.py", source), ("a.ipynb", notebook(source))):
        with pytest.raises(
            ValueError, match=f"{name} has 120000 characters of code, expected 1000"
        ):
            cells(name, data.encode())
