"""A page of characters on which lines are drawn that may join or cross.

A cell knows the directions in which a vertical line and a horizontal line leave it, and whether the
two are joined. Joined lines show as a corner, a branch or a cross; lines that merely cross show the
vertical one, and the horizontal one passes behind it. So a reader can tell "starts here" from "goes
past here".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crdtstore.testing.diagram.lettering import cells

UP, RIGHT, DOWN, LEFT = 1, 2, 4, 8

_LINES = " ╵╶╰╷│╭├╴╯─┴╮┤┬┼"
_ASCII_LINES = " |-+||++-+-+++++"

_ASCII_SIGNS = {
    "●": "*",
    "○": "o",
    "◌": ".",
    "✗": "X",
    "▲": "^",
    "↺": "@",
    "◈": "#",
    "◷": "t",
    "▶": ">",
    "◀": "<",
    "┊": ":",
    "⋮": ":",
    "░": "/",
    "╌": "-",
    "×": "x",
    "═": "=",
    "━": "=",
    "┿": "+",
    "∥": "||",
    "·": "-",
}

_STYLES = {
    "dim": "2",
    "bold": "1",
    "loud": "1;31",
    "arrow": "36",
    "act": "1;32",
    "fault": "33",
}


def to_ascii(text: str) -> str:
    """The signs of this package in ASCII."""
    table = dict(zip(_LINES, _ASCII_LINES, strict=True)) | _ASCII_SIGNS
    return "".join(table.get(char, char) for char in text)


@dataclass(slots=True)
class _Cell:
    vertical: int = 0
    horizontal: int = 0
    joined: bool = False
    sign: str = ""
    fill: str = ""
    style: str = ""


class Canvas:
    """Rows of cells, and beside each row a text."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], _Cell] = {}
        self._texts: dict[int, list[tuple[int, str, str]]] = {}

    def sign(self, row: int, column: int, sign: str, style: str = "") -> None:
        """Put a sign over whatever lines pass there."""
        cell = self._at(row, column)
        cell.sign, cell.style = sign, style

    def fill(self, row: int, column: int, sign: str, style: str = "dim") -> None:
        """Put a sign under whatever lines pass there."""
        cell = self._at(row, column)
        cell.fill = sign
        if not (cell.vertical or cell.horizontal or cell.sign):
            cell.style = style

    def vertical(self, row: int, column: int, directions: int, style: str = "") -> None:
        """Let a vertical line pass or end in a cell."""
        cell = self._at(row, column)
        cell.vertical |= directions
        cell.style = style

    def horizontal(self, row: int, start: int, end: int, style: str = "") -> None:
        """Draw a line from one column to another, both included, that joins nothing yet."""
        left, right = sorted((start, end))
        for column in range(left, right + 1):
            cell = self._at(row, column)
            cell.horizontal |= (LEFT if column > left else 0) | (RIGHT if column < right else 0)
            if not cell.vertical:
                cell.style = style

    def join(self, row: int, column: int) -> None:
        """Join the lines that meet in a cell."""
        self._at(row, column).joined = True

    def is_free(self, row: int, column: int) -> bool:
        """Whether no line passes there, so that a fill would be seen."""
        cell = self._at(row, column)
        return not (cell.vertical or cell.horizontal or cell.sign)

    def text(self, row: int, column: int, text: str, style: str = "") -> None:
        """Write a text; texts of one row are written from left to right."""
        self._texts.setdefault(row, []).append((column, text, style))

    def lines(self, rows: Iterable[int], *, colour: bool, ascii: bool) -> list[str]:
        """The page, row by row, without blanks at the ends."""
        by_row: dict[int, dict[int, _Cell]] = {}
        for (row, column), cell in self._cells.items():
            by_row.setdefault(row, {})[column] = cell
        return [self._line(row, by_row.get(row, {}), colour, ascii) for row in rows]

    def _line(self, row: int, found: dict[int, _Cell], colour: bool, ascii: bool) -> str:
        pieces: list[tuple[int, str, str]] = [
            (column, _shown(cell, ascii), cell.style) for column, cell in found.items()
        ]
        pieces = sorted(pieces) + self._texts.get(row, [])
        line: list[str] = []
        used = 0
        for column, text, style in sorted(pieces, key=lambda piece: piece[0]):
            line.append(" " * (column - used) + styled(text, style, colour))
            used = column + cells(text)
        return "".join(line).rstrip(" ")

    def _at(self, row: int, column: int) -> _Cell:
        return self._cells.setdefault((row, column), _Cell())


def styled(text: str, style: str, colour: bool) -> str:
    """The text in a style of its own, for a terminal that knows colours."""
    if not (colour and style and text.strip(" ")):
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def _shown(cell: _Cell, ascii: bool) -> str:
    if cell.sign:
        sign = cell.sign
    elif cell.joined:
        sign = _LINES[cell.vertical | cell.horizontal]
    elif cell.vertical or cell.horizontal:
        sign = _LINES[cell.vertical or cell.horizontal]
    else:
        sign = cell.fill or " "
    return to_ascii(sign) if ascii else sign
