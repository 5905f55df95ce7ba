"""The timeline in characters: one column a replica, time goes down, as ``git log --graph`` draws.

An act is a mark in its replica's column, and a delivery a line from the column of who made it. The
column of a replica that is offline is broken. Rows are drawn one by one from the event alone, and
from who was online then, so a window of a long list costs no more than itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from unicodedata import east_asian_width

from sync.watch.model import Event

__all__ = ["ASCII", "UNICODE", "Cell", "Lanes", "Marks"]


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters that are drawn with, each one column wide."""

    act: str
    deliver: str
    cut: str
    heal: str
    join: str
    leave: str
    online: str
    offline: str
    line: str
    crossing: str
    concurrent: str
    arrow: str
    to: str
    more: str
    rule: str
    separator: str


UNICODE = Marks("●", "○", "×", "◇", "┬", "┴", "│", "┊", "─", "┼", "‖", "←", "→", "…", "─", "·")
ASCII = Marks("*", "o", "x", "+", "v", "^", "|", ":", "-", "+", "=", "<", "->", "~", "-", "-")
"""For terminals that know no others."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A character of a row; ``replica`` is whose colour it has, or ``""``."""

    mark: str
    replica: str


class Lanes:
    """The columns of ``replicas``, from left to right, in at most ``width`` characters.

    If not all fit, ``focus`` and the ones before it do. With ``merged``, only events of ``focus``
    are in the list, and a delivery shows the act that it brought as well.
    """

    def __init__(
        self, replicas: Sequence[str], focus: str, width: int, marks: Marks, *, merged: bool
    ) -> None:
        self.marks = marks
        self._merged = merged
        self._gap = 1 if 2 * len(replicas) <= width else 0
        fit = max(1, width // (1 + self._gap))
        shown = list(replicas[:fit])
        if focus in replicas and focus not in shown:
            shown[-1] = focus
        self.replicas = tuple(shown)
        self._column = {replica: at for at, replica in enumerate(shown)}
        self.width = len(shown) * (1 + self._gap)

    def heading(self, names: Sequence[str]) -> list[Cell]:
        """Return the row above all others: of each name the first letter that differs."""
        letters = zip(*names, strict=False) if len(names) > 1 else ()
        same = sum(1 for _ in takewhile(lambda each: len(set(each)) == 1, letters))
        cells: list[Cell] = []
        for replica, name in zip(self.replicas, names, strict=True):
            letter = name[same : same + 1] or name[:1] or "?"
            wide = east_asian_width(letter) in "WF"  # of two columns
            cells.append(Cell(self.marks.more if wide else letter, replica))
            cells += [Cell(" ", "")] * self._gap
        return cells

    def row(self, event: Event, online: Collection[str]) -> list[Cell]:
        """Draw one event; ``online`` is who was, just after it."""
        marks = self.marks
        line = {at: self._idle(replica, online) for at, replica in enumerate(self.replicas)}
        bar: tuple[int, int, str] | None = None
        here = self._column.get(event.replica)
        there = self._column.get(event.peer)
        own = {
            "act": marks.act,
            "deliver": marks.deliver,
            "cut": marks.cut,
            "heal": marks.heal,
            "join": marks.join,
            "leave": marks.leave,
        }
        if here is not None:
            line[here] = Cell(own.get(event.kind, marks.offline), event.replica)
        if here is not None and there is not None and here != there:
            if event.kind == "deliver":
                bar = (min(here, there), max(here, there), event.peer)
                if self._merged:
                    line[there] = Cell(marks.act, event.peer)
            elif event.kind in ("cut", "heal"):
                line[there] = Cell(own[event.kind], event.peer)
                if event.kind == "heal":
                    bar = (min(here, there), max(here, there), "")
        return self._join(line, bar)

    def _idle(self, replica: str, online: Collection[str]) -> Cell:
        return Cell(self.marks.online if replica in online else self.marks.offline, replica)

    def _join(self, line: dict[int, Cell], bar: tuple[int, int, str] | None) -> list[Cell]:
        cells: list[Cell] = []
        for at in range(len(self.replicas)):
            if bar is not None and bar[0] < at < bar[1]:
                cells.append(Cell(self.marks.crossing, bar[2]))
            else:
                cells.append(line[at])
            if self._gap:
                inside = bar is not None and bar[0] <= at < bar[1]
                cells.append(Cell(self.marks.line, bar[2]) if bar and inside else Cell(" ", ""))
        return cells
