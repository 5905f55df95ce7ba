"""Making any text harmless to show, and measuring how wide a terminal or a monospaced font sets it.

A label comes from the user's own values: it may hold escape sequences, line ends, text from right
to left, or ten thousand characters. What could move the cursor, reorder the line or end a document
is spelled out as an escape; the rest is kept. Widths are in cells, by the Unicode East Asian Width
property (UAX #11).
"""

from __future__ import annotations

import unicodedata

_SPELLED_OUT = frozenset("\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e")
_SPELLED_OUT |= frozenset("\u2066\u2067\u2068\u2069\ufeff\ufffe\uffff")


def visible(text: str, *, ascii: bool = False) -> str:
    """The text on one line, with all that could disturb its surroundings as Python escapes."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            _escaped(char) if _disturbs(char) or (ascii and not char.isascii()) else char
            for char in text
        )
    return text


def lines(text: str, *, ascii: bool = False) -> list[str]:
    """The lines of a text of several, each made visible."""
    return [visible(line.expandtabs(4), ascii=ascii) for line in text.split("\n")]


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(_cell(char) for char in text)


def shorten(text: str, width: int, *, ascii: bool = False) -> str:
    """The text if it fits into so many cells, else its beginning and an ellipsis."""
    if len(text) <= width and cells(text) <= width:
        return text
    mark = "..." if ascii else "…"
    room = width - cells(mark)
    kept = _fitting(text, room)
    return text[:kept] + mark


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most so many cells, broken after a space where there is one."""
    wrapped: list[str] = []
    while text:
        end = max(1, _fitting(text, width))
        if end < len(text):
            space = text.rfind(" ", end // 2, end + 1)
            if space > 0:
                end = space
        wrapped.append(text[:end].rstrip(" "))
        text = text[end:].lstrip(" ")
    return wrapped or [""]


def _fitting(text: str, width: int) -> int:
    """How many characters of the text fit; marks stay with the letter they stand on."""
    used = 0
    for index, char in enumerate(text):
        used += _cell(char)
        if used > width:
            return index
    return len(text)


def _disturbs(char: str) -> bool:
    return char in _SPELLED_OUT or unicodedata.category(char) in {"Cc", "Cs"}


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def _cell(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
