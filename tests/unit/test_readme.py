"""What the README shows as the source is the source."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_gpt2_on_one_screen_is_plain_py():
    chapter = (ROOT / "README.md").read_text("utf-8").split("## GPT-2 on one screen")[1]
    shown = chapter.split("```python\n")[1].split("```")[0]
    docstring, code = (ROOT / "picogpt" / "plain.py").read_text("utf-8").split('"""\n\n', 1)
    assert docstring.startswith('"""GPT-2')
    assert shown == code
