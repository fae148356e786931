"""Looking and replacing."""

import numpy as np
import pytest

from picogpt.tap import edit, no_tap, record, under


def test_record_keeps_and_passes_on():
    seen, x = {}, np.ones(3)
    tap = record(seen)
    assert tap("a", x) is x
    assert seen["a"] is x


def test_edit_replaces_only_what_it_names():
    tap, x = edit({"a": lambda x: 2 * x}), np.ones(3)
    assert tap("a", x).tolist() == [2, 2, 2]
    assert tap("b", x) is x


@pytest.mark.parametrize("bad", [lambda x: x[:2], lambda x: x.astype(np.float64)])
def test_edit_may_not_change_shape_or_dtype(bad):
    message = r"edit of a returned float\d\d \[\d\], expected float32 \[3\]"
    with pytest.raises(ValueError, match=message):
        edit({"a": bad})("a", np.ones(3, np.float32))


def test_under_prefixes_names():
    seen = {}
    under("attn.", under("h.3.", record(seen)))("q", np.ones(1))
    assert list(seen) == ["h.3.attn.q"]


def test_under_costs_nothing_without_a_tap():
    assert under("h.3.", no_tap) is no_tap
