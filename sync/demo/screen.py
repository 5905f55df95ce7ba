"""What the audience sees: the port, and lines of plain text for pipes, logs and small terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import fill
from typing import Protocol, TextIO

__all__ = ["HEADER", "Phase", "PlainScreen", "Screen", "View", "numbers", "tail_of"]


@dataclass(slots=True)
class View:
    """What is known of one peer."""

    name: str
    state: str = "starting"
    """``starting``, ``online``, ``cut off`` or ``killed``."""
    links: int = 0
    cables: int = 0
    """How many links it has now, and should have."""
    todos: int = 0
    people: int = 0
    votes: int = 0
    words: int = 0
    tail: str = ""
    digest: str = ""
    seen: Mapping[str, int] = field(default_factory=dict)
    """How many steps of each peer are in its state."""
    behind: int = 0
    """How many steps of the others it lacks."""
    made: int = 0
    merged: int = 0
    worked: float = 0.0
    changed: float = 0.0

    @property
    def done(self) -> int:
        """How many steps of its own are in its state."""
        return self.seen.get(self.name, 0)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the story, in words."""

    number: int
    title: str
    story: str


class Screen(Protocol):
    """Where the director shows things."""

    def begin(self, heading: str, story: str) -> None:
        """Say what this is about."""

    def phase(self, phase: Phase) -> None:
        """Begin a part of the story."""

    def say(self, text: str) -> None:
        """Tell something that happened."""

    def show(self, views: Sequence[View], wire: int) -> None:
        """Show what everybody holds just now, and the bytes on the wire; called often."""

    def pause(self, views: Sequence[View], wire: int) -> None:
        """Show what everybody holds at the end of a part."""

    def end(self, lines: Sequence[tuple[str, str]], problems: Sequence[str]) -> None:
        """Show the result: labelled lines, and what is wrong, if anything."""

    def hold(self, tools: str) -> None:
        """Return when people have looked at everything, with the tools at that URL; at the end."""

    def close(self) -> None:
        """Give the terminal back; harmless when called twice."""


HEADER = "peer  state     cables  todos  people  votes  words   did  lacks  digest"


def numbers(view: View) -> str:
    """Return the numbers of a peer, below the middle of ``HEADER``."""
    return f"{view.todos:5}  {view.people:6}  {view.votes:5}  {view.words:5}  {view.done:4}"


def tail_of(text: str, width: int) -> str:
    """Return the end of a text that fits into ``width`` characters."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


class PlainScreen:
    """Lines of text, 80 columns wide."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def _print(self, text: str = "") -> None:
        print(text, file=self._out, flush=True)

    def begin(self, heading: str, story: str) -> None:
        self._print(heading)
        self._print()
        self._print(fill(story, 80))

    def phase(self, phase: Phase) -> None:
        self._print()
        self._print(f"{phase.number}. {phase.title}")
        self._print(fill(phase.story, 80, initial_indent="   ", subsequent_indent="   "))

    def say(self, text: str) -> None:
        self._print(fill(text, 80, initial_indent="   * ", subsequent_indent="     "))

    def show(self, views: Sequence[View], wire: int) -> None:
        """Nothing: lines do not move."""

    def pause(self, views: Sequence[View], wire: int) -> None:
        self._print(f"   {HEADER}")
        for view in views:
            self._print(
                f"   {view.name:4}  {view.state:8}  {f'{view.links}/{view.cables}':6}  "
                f"{numbers(view)}  {view.behind:5}  {view.digest[:8]}"
            )
        for view in views:
            self._print(f"   {view.name}'s notes: {tail_of(view.tail.strip(), 66)}")

    def end(self, lines: Sequence[tuple[str, str]], problems: Sequence[str]) -> None:
        self._print()
        for label, text in lines:
            self._print(fill(text, 80, initial_indent=f"{label:14} ", subsequent_indent=" " * 15))
        for problem in problems:
            # Paths stay whole, so that they can be copied.
            self._print(
                fill(
                    problem,
                    80,
                    initial_indent="  !  ",
                    subsequent_indent="     ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )

    def hold(self, tools: str) -> None:
        """Nobody says when, so at once."""

    def close(self) -> None:
        """Nothing to give back."""
