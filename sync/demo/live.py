"""The screen for terminals, with rich: the story scrolls by above a table that is always current.

Words in the notes have the colour of whoever typed them, and digests that are equal have the same
colour, so one sees copies part and come together again. Needs the ``cli`` extra.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sync.demo.screen import HEADER, Phase, View, numbers

__all__ = ["LiveScreen"]

_AUTHORS = ("cyan", "magenta", "yellow", "blue", "green", "red")
_DIGESTS = ("yellow", "magenta", "cyan", "blue", "red")
_STATES = {"online": "green", "cut off": "yellow", "killed": "bold white on red"}
_BAR = 20
_REFRESH = 12  # a second


class LiveScreen:
    """Draws on a terminal of any width from 80 columns on; ``total`` is all actions together."""

    def __init__(self, total: int, console: Console | None = None) -> None:
        self._console = Console(highlight=False) if console is None else console
        self._total = total
        self._views: Sequence[View] = ()
        self._wire = 0
        self._live = Live(
            get_renderable=self._table, console=self._console, refresh_per_second=_REFRESH
        )

    def begin(self, heading: str, story: str) -> None:
        self._console.print(Text(heading, "bold"))
        self._console.print(story)
        self._live.start()

    def phase(self, phase: Phase) -> None:
        self._console.print()
        self._console.print(Text(f"{phase.number}. {phase.title}", "bold cyan"))
        self._console.print(Padding(phase.story, (0, 0, 0, 3)))

    def say(self, text: str) -> None:
        self._console.print(Padding(Text(text, "italic"), (0, 0, 0, 3)))

    def show(self, views: Sequence[View], wire: int) -> None:
        self._views, self._wire = views, wire

    def pause(self, views: Sequence[View], wire: int) -> None:
        self.show(views, wire)

    def end(self, lines: Sequence[tuple[str, str]], problems: Sequence[str]) -> None:
        self.close()
        self._console.print()
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column()
        for label, text in lines:
            verdict = label.startswith("digest") or label == "account"
            style = ("bold red" if problems else "green") if verdict else ""
            grid.add_row(label, Text(text, style))
        self._console.print(grid)
        for problem in problems:
            self._console.print(Padding(Text(problem, "red"), (0, 0, 0, 3)))

    def hold(self, tools: str) -> None:
        if not sys.stdin.isatty():
            return
        self._console.print()
        self._console.print(
            Text(f"All of them are still there to be looked at: {tools}timeline"), soft_wrap=True
        )
        with suppress(EOFError, KeyboardInterrupt):  # Ctrl-C says the same, after a result
            self._console.input(Text("Enter ends it. ", "bold"))

    def close(self) -> None:
        self._live.stop()

    # The table

    def _table(self) -> RenderableType:
        views = list(self._views)
        if not views:
            return Text("starting the processes…", "dim")
        width = self._console.width
        lines = [Text(), Text(HEADER, "dim", no_wrap=True)]
        colours = _colours(views)
        # Notes too, if the terminal is high enough to show them without scrolling.
        notes = self._console.height >= 2 * len(views) + 5
        for view in views:
            lines.append(_row(view, colours[view.digest]))
            if notes:
                lines.append(_notes(view.tail, width))
        did = sum(view.done for view in views)
        filled = _BAR * did // max(self._total, 1)
        progress = Text("━" * filled, "cyan", no_wrap=True)
        progress.append("━" * (_BAR - filled), "dim")
        progress.append(f" {did} of {self._total} actions, {self._wire:,} bytes on the wire", "dim")
        lines.append(progress)
        return Group(*lines)


def _colours(views: Sequence[View]) -> dict[str, str]:
    digests = list(dict.fromkeys(view.digest for view in views))
    if len(digests) == 1:
        return {digests[0]: "bold green"}
    return {digest: _DIGESTS[at % len(_DIGESTS)] for at, digest in enumerate(digests)}


def _row(view: View, colour: str) -> Text:
    row = Text(no_wrap=True)
    row.append(f"{view.name:4}  ", f"bold {_author(view.name)}")
    row.append(view.state, _STATES.get(view.state, "dim"))
    row.append(" " * (10 - len(view.state)))
    row.append("●" * view.links, "green")
    row.append("○" * max(0, view.cables - view.links), "red")
    row.append(" " * max(0, 6 - max(view.cables, view.links)))
    row.append(f"  {numbers(view)}  ")
    row.append(f"{view.behind:5}", "yellow" if view.behind else "")
    row.append(f"  {view.digest[:8]}", colour)
    return row


def _notes(tail: str, width: int) -> Text:
    """Return the end of the notes that fits on a line, each word in the colour of its author."""
    room = width - 8
    shown: list[str] = []
    for word in reversed(tail.split()):
        room -= cell_len(word) + 1
        if room < 0:
            break
        shown.append(word)
    line = Text("      …", "dim", no_wrap=True)
    for word in reversed(shown):
        line.append(" ")
        line.append(word, _author(word.rpartition(".")[2]))
    return line


def _author(mark: str) -> str:
    """Return the colour of the peer whose letter a name begins with."""
    return _AUTHORS[(ord(mark[:1] or "A") - ord("A")) % len(_AUTHORS)]
