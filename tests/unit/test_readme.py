"""What the README shows as the source is the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Bare(ast.NodeTransformer):
    """Leaves out what the README leaves out: docstrings and type hints."""

    def visit_FunctionDef(self, node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node):
        node.annotation = None
        return node


def functions(source: str) -> dict[str, str]:
    tree = Bare().visit(ast.parse(source))
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


def shown() -> dict[str, str]:
    chapter = (ROOT / "README.md").read_text("utf-8").split("## GPT-2 on one screen")[1]
    return functions(chapter.split("```python")[1].split("```")[0])


@pytest.mark.parametrize("name", shown())
def test_the_code_shown_is_the_code_that_runs(name):
    sources = [(ROOT / "picogpt" / f"{file}.py").read_text("utf-8") for file in ("ops", "model")]
    assert shown()[name] == functions("".join(sources))[name]


def test_the_whole_forward_pass_is_shown():
    assert {"causal_attention", "self_attention", "transformer_block", "gpt2"} <= shown().keys()
