"""A history as a diagram for a terminal: one lane a replica, one line an event, time goes down.

The lanes are narrow and stand on the left, the words on the right, so that five replicas fit into
eighty columns. Lines that join show a corner or a branch; an arrow that merely crosses a lane
passes behind it. So a path leads from one event to another exactly if the second could know of the
first.
"""

from __future__ import annotations

import shutil

from crdtstore.testing.diagram.canvas import DOWN, UP, Canvas, styled
from crdtstore.testing.diagram.excerpt import Run, excerpt, headline, said
from crdtstore.testing.diagram.layout import LINKS, breaking_places, lay_out
from crdtstore.testing.diagram.lettering import cells, shorten, wrap
from crdtstore.testing.diagram.sections import (
    Manner,
    broken_later,
    broken_words,
    held,
    in_full,
    pairs,
    replay,
)
from crdtstore.testing.diagram.tracks import lay_tracks, places
from crdtstore.testing.history import Event, History

_NARROWEST = 60
_LONGEST_NAME = 8
_NEWS = frozenset({"act", "deliver", "sync"})

_SIGNS = {
    "act": ("●", "an action"),
    "deliver": ("○", "something arrives"),
    "sync": ("○", "something arrives"),
    "crash": ("✗", "a crash"),
    "restart": ("▲", "a restart"),
    "restore": ("↺", "a backup restored"),
    "clone": ("◈", "a file copied"),
    "clock": ("◷", "the clock jumps"),
}
_NOTHING = ("◌", "changed nothing")


def as_text(
    history: History, *, width: int | None = None, colour: bool = False, ascii: bool = False
) -> str:
    """The history as a diagram for a terminal, ``width`` columns wide (at least 60).

    Above all what broke; then one line an event, in the order of the run; then the actions of which
    neither knew of the other, what each replica holds at the break and at the end, the labels that
    did not fit, and the line that runs it again. ``width`` defaults to that of the terminal;
    ``colour`` adds ANSI escapes; ``ascii`` uses no other characters. Of more than 60 events, those
    far from the break are left out. Raises ValueError for a history in which an event stands before
    its cause.
    """
    if width is None:
        width = shutil.get_terminal_size().columns
    manner = Manner(max(_NARROWEST, width), colour, ascii)
    layout = lay_out(history)
    page = _head(history, manner)
    shortened: list[Event] = []
    if history.events:
        page += ["", *_Drawing(history, manner, shortened).page()]
    page += pairs(history, layout, manner)
    page += broken_later(history, manner)
    page += held(history, manner)
    page += in_full(shortened, manner)
    page += replay(history, manner)
    return "\n".join(page) + "\n"


def _head(history: History, manner: Manner) -> list[str]:
    sign = manner.own("✗ ") if history.broken else ""
    style = "loud" if history.broken else "bold"
    return [
        styled(line, style, manner.colour)
        for line in wrap(sign + manner.given(headline(history)), manner.width)
    ]


class _Drawing:
    """The lanes, the arrows between them and the words beside them."""

    def __init__(self, history: History, manner: Manner, shortened: list[Event]) -> None:
        self.history, self.manner, self.shortened = history, manner, shortened
        self.layout = lay_out(history, one_a_row=True)
        self.items = excerpt(history, self.layout)
        found = breaking_places(history)
        self.broken = next(iter(found.values()), [])
        after: int | None = None
        if found:
            first = next(iter(found))
            after = self.items.index(first) if first < len(history.events) else len(self.items)
        numbers = max(len(str(event.number)) for event in history.events)
        self.naming = min(
            _LONGEST_NAME, max(cells(manner.given(name)) for name in history.replicas)
        )
        self.tracks = lay_tracks(
            self.layout,
            self.items,
            after,
            lambda words: len(self._broken_words(words)),
            margin=numbers + 2,
            room=manner.width - self.naming - 5,
        )
        self.label = max(16, manner.width - self.tracks.words - self.naming - 2)
        self.canvas = Canvas()

    def page(self) -> list[str]:
        """The names of the lanes, the lanes, and what the signs mean."""
        self._draw_cuts()
        self._draw_lanes()
        self._draw_channels()
        for item, what in enumerate(self.items):
            if isinstance(what, Run):
                self._draw_run(item, what)
            else:
                self._draw_event(item, self.history.events[what])
        self._draw_break()
        drawn = self.canvas.lines(
            range(self.tracks.row[-1]), colour=self.manner.colour, ascii=self.manner.ascii
        )
        return [self._names(), *drawn, "", *self._legend()]

    def _names(self) -> str:
        line = ""
        columns = [*self.tracks.column, self.tracks.column[-1] + _LONGEST_NAME + 1]
        for name, column, following in zip(self.layout.lanes, columns, columns[1:], strict=False):
            line += " " * (column - cells(line)) + self.manner.short(name, following - column - 1)
        return self.manner.own(line, "bold")

    def _draw_cuts(self) -> None:
        occupied = {channel.gap for channel in self.tracks.channels if channel.place >= 0}
        for cut in self.layout.cuts:
            if cut.right != cut.left + 1:
                continue
            left, right = self.tracks.column[cut.left], self.tracks.column[cut.right]
            middle = (left + right) // 2
            columns = (
                range(middle, middle + 1) if right - left < 5 else range(middle - 1, middle + 2)
            )
            if cut.left in occupied:
                columns = range(right - 2, right - 1)
            for item, found in places(self.items):
                if cut.first < found[-1] < cut.last:
                    for row in self.tracks.rows(item):
                        for column in columns:
                            self.canvas.fill(row, column, "░")

    def _draw_lanes(self) -> None:
        for item, found in places(self.items):
            for lane, column in enumerate(self.tracks.column):
                gaps = [gap for gap in self.layout.gaps if gap.lane == lane]
                down = any(gap.first < found[-1] < gap.last for gap in gaps)
                falls = any(gap.first == found[-1] for gap in gaps)
                for row in self.tracks.rows(item):
                    if down or (falls and row > self.tracks.row[item]):
                        self.canvas.fill(row, column, "┊")
                    else:
                        self.canvas.vertical(row, column, UP | DOWN)

    def _draw_channels(self) -> None:
        for channel in self.tracks.channels:
            if channel.place < 0:
                continue
            column, lane = self.tracks.x(channel), self.tracks.column[channel.lane]
            self.canvas.horizontal(channel.start, lane, column, "arrow")
            self.canvas.join(channel.start, lane)
            for row in range(channel.start, channel.end + 1):
                directions = (UP if row > channel.start else 0) | (DOWN if row < channel.end else 0)
                self.canvas.vertical(row, column, directions, "arrow")
            self.canvas.join(channel.start, column)
            for target in channel.targets:
                self._arrive(target, column)

    def _arrive(self, item: int, column: int) -> None:
        """Draw the last, level part of an arrow, from a column to the event."""
        what = self.items[item]
        assert isinstance(what, int)
        row, end = self.tracks.row[item], self.tracks.column[self.layout.lane[what]]
        self.canvas.horizontal(row, column, end, "arrow")
        if column in self.tracks.column:
            self.canvas.vertical(row, column, UP | DOWN)  # also where the lane has a gap
        self.canvas.join(row, column)
        beside, head = (end - 1, "▶") if column < end else (end + 1, "◀")
        self.canvas.sign(row, beside, head, "arrow")

    def _draw_run(self, item: int, run: Run) -> None:
        row = self.tracks.row[item]
        for column in self.tracks.column:
            self.canvas.sign(row, column, "⋮", "dim")
        first, last = self.history.events[run.first], self.history.events[run.last]
        text = f"{len(run)} events left out ({first.number} to {last.number})"
        self.canvas.text(row, self.tracks.words, text, "dim")

    def _draw_event(self, item: int, event: Event) -> None:
        row = self.tracks.row[item]
        place = self.items[item]
        assert isinstance(place, int)
        column = self.tracks.column[self.layout.lane[place]]
        for lane in self.tracks.direct.get(item, ()):
            self._arrive(item, self.tracks.column[lane])
        if event.kind in LINKS:
            self._draw_link(row, column, event)
        else:
            self.canvas.sign(row, column, *_sign(event))
        self.canvas.text(row, 0, str(event.number).rjust(self.tracks.column[0] - 2), "dim")
        style = "" if event.changed else "dim"
        name = self.manner.short(event.replica, self.naming)
        self.canvas.text(row, self.tracks.words, name, style or "bold")
        label = self._undrawn(item) + self.manner.given(said(event))
        short = shorten(label, self.label, ascii=self.manner.ascii)
        if short != label:
            self.shortened.append(event)
        if event.kind not in _NEWS:
            style = style or "fault"
        self.canvas.text(row, self.tracks.words + self.naming + 2, short, style)

    def _undrawn(self, item: int) -> str:
        """In words, the arrows to an event for which there was no room."""
        sources = [
            self.items[channel.item]
            for channel in self.tracks.channels
            if channel.place < 0 and item in channel.targets
        ]
        numbers = [
            str(self.history.events[what.last if isinstance(what, Run) else what].number)
            for what in sources
        ]
        return f"after {', '.join(numbers)}: " if numbers else ""

    def _draw_link(self, row: int, column: int, event: Event) -> None:
        """Draw a cut or a heal across the lanes of its two replicas."""
        if event.peer not in self.layout.lanes or event.peer == event.replica:
            self.canvas.sign(row, column, "×" if event.kind == "cut" else "═", "fault")
            return
        other = self.tracks.column[self.layout.lanes.index(event.peer)]
        left, right = sorted((column, other))
        between = [each for each in range(left + 1, right) if each not in self.tracks.column]
        for each in between:
            self.canvas.fill(row, each, "╌" if event.kind == "cut" else "═", "fault")
        self.canvas.sign(row, left, "├", "fault")
        self.canvas.sign(row, right, "┤", "fault")
        inside = [each for each in self.tracks.column if left <= each <= right]
        half = (len(inside) - 1) // 2
        middle = (inside[half] + inside[half + 1]) // 2
        free = [each for each in between if self.canvas.is_free(row, each)]
        if event.kind == "cut" and free:
            self.canvas.fill(row, min(free, key=lambda each: abs(each - middle)), "×", "fault")

    def _draw_break(self) -> None:
        row = self.tracks.breaks
        if row < 0:
            return
        crossed = set(self.tracks.column)
        for channel in self.tracks.channels:
            if channel.place >= 0 and channel.start < row < channel.end:
                crossed.add(self.tracks.x(channel))
        for column in range(self.tracks.words - 1):
            self.canvas.sign(row, column, "┿" if column in crossed else "━", "loud")
        for offset, text in enumerate(self._broken_words(self.tracks.words)):
            self.canvas.text(row + offset, self.tracks.words, text, "loud")

    def _broken_words(self, column: int) -> list[str]:
        return broken_words(
            self.history, self.broken, self.manner, max(16, self.manner.width - column)
        )

    def _legend(self) -> list[str]:
        shown = [self.history.events[what] for what in self.items if isinstance(what, int)]
        used = {_sign(event)[0] for event in shown if event.kind not in LINKS}
        known = dict([*_SIGNS.values(), _NOTHING])
        parts = [f"{sign} {meaning}" for sign, meaning in known.items() if sign in used]
        # The blanks inside a part keep it on one line.
        text = "   ".join(part.replace(" ", "\u2007") for part in parts)
        return [
            self.manner.own(line.replace("\u2007", " "), "dim")
            for line in wrap(text, self.manner.width)
        ]


def _sign(event: Event) -> tuple[str, str]:
    if not event.changed and event.kind in _NEWS:
        return _NOTHING[0], "dim"
    sign = _SIGNS.get(event.kind, ("○", ""))[0]
    if event.kind == "act":
        return sign, "act"
    return sign, "arrow" if event.kind in _NEWS else "fault"
