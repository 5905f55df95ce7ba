"""Tests of labels made harmless, measured and cut."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdtstore.testing.diagram.lettering import cells, lines, shorten, visible, wrap
from tests.testing_diagram.histories import LABELS


@given(LABELS)
def test_visible_text_moves_nothing(text: str) -> None:
    """No control, no half of a pair and no mark of direction is left."""
    shown = visible(text)
    assert all(unicodedata.category(char) not in {"Cc", "Cs", "Zl", "Zp"} for char in shown)
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )
    assert visible(text, ascii=True).isascii()
    shown.encode()


@given(LABELS)
def test_visible_text_stays_as_it_is(text: str) -> None:
    """Making it visible twice changes no more."""
    assert visible(visible(text)) == visible(text)


def test_escapes_are_those_of_python() -> None:
    """One who reads a label can type it."""
    assert visible("a\n\x1b\u202e\ud800ß") == "a\\n\\x1b\\u202e\\ud800ß"
    assert visible("ß🎉", ascii=True) == "\\xdf\\U0001f389"
    assert lines("a\n\tb\r\nc") == ["a", "    b\\r", "c"]


@given(LABELS, st.integers(3, 40), st.booleans())
def test_a_shortened_text_fits(text: str, width: int, ascii: bool) -> None:
    """It is the text itself if that fits, else a beginning of it with an ellipsis."""
    text = visible(text)
    short = shorten(text, width, ascii=ascii)
    assert cells(short) <= width
    mark = "..." if ascii else "…"
    assert short == text or (short.endswith(mark) and text.startswith(short.removesuffix(mark)))
    assert (short == text) or cells(text) > width


@given(LABELS, st.integers(2, 40))
def test_wrapped_text_fits_and_loses_only_blanks(text: str, width: int) -> None:
    """Every line fits, and together they say what the text says."""
    text = visible(text)
    wrapped = wrap(text, width)
    assert all(cells(line) <= width for line in wrapped)
    assert "".join(wrapped).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("👩\u200d👧", 4), ("", 0)]
)
def test_widths_are_those_of_a_terminal(text: str, width: int) -> None:
    """Wide letters take two cells, marks on a letter none."""
    assert cells(text) == width
