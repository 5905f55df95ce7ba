"""What stands below the lanes of a text diagram: who knew of whom, what replicas hold, how to run
it again.

Each function gives the lines of one section, or none if there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crdtstore.testing.diagram.canvas import styled, to_ascii
from crdtstore.testing.diagram.excerpt import alike, said, where_broken
from crdtstore.testing.diagram.layout import Layout, breaking_places, unaware
from crdtstore.testing.diagram.lettering import cells, lines, shorten, visible, wrap
from crdtstore.testing.history import Event, History

MOST_LINES = 40
"""Of what one replica holds, or one check says."""
_MOST_PAIRS = 3


@dataclass(frozen=True, slots=True)
class Manner:
    """How to write for one terminal."""

    width: int
    colour: bool
    ascii: bool

    def own(self, text: str, style: str = "") -> str:
        """Words of ours, with our signs."""
        return styled(to_ascii(text) if self.ascii else text, style, self.colour)

    def given(self, text: str) -> str:
        """Words of the user's, on one line."""
        return visible(text, ascii=self.ascii)

    def short(self, text: str, width: int) -> str:
        """Words of the user's, on one line of so many cells."""
        return shorten(self.given(text), width, ascii=self.ascii)


def broken_words(history: History, which: Sequence[int], manner: Manner, width: int) -> list[str]:
    """What is said where it breaks, in lines of at most so many cells."""
    words: list[str] = []
    for each in which:
        broken = history.broken[each]
        where = where_broken(history, broken.event, broken.replica)
        if "after" in where:
            where = f"at {broken.replica}" if broken.replica else "between replicas"
        words += wrap(manner.given(f"BROKEN {where}: {broken.what}"), width)
        for line in lines(broken.message, ascii=manner.ascii)[:MOST_LINES]:
            words += [piece for piece in wrap(line, width) if piece]
    return words


def pairs(history: History, layout: Layout, manner: Manner) -> list[str]:
    """The actions before the break of which neither knew of the other."""
    found = unaware(history, layout)
    if not found:
        return []
    page = ["", manner.own("Neither knew of the other", "bold")]
    for pair in found[:_MOST_PAIRS]:
        events = [history.events[place] for place in pair]
        both = [
            manner.short(f"{event.number} {event.replica} {said(event)}", (manner.width - 7) // 2)
            for event in events
        ]
        page.append("  " + manner.own(" ∥ ").join(both))
    if len(found) > _MOST_PAIRS:
        page.append(manner.own(f"  and {len(found) - _MOST_PAIRS} pairs more", "dim"))
    return page


def broken_later(history: History, manner: Manner) -> list[str]:
    """What broke after the first break."""
    later = [which for found in list(breaking_places(history).values())[1:] for which in found]
    if not later:
        return []
    page = ["", manner.own("Broken later", "bold")]
    for which in later[:MOST_LINES]:
        broken = history.broken[which]
        where = where_broken(history, broken.event, broken.replica)
        line = f"{broken.what} {where}: {broken.message}"
        page.append("  " + manner.short(line, manner.width - 2))
    if len(later) > MOST_LINES:
        page.append(manner.own(f"  and {len(later) - MOST_LINES} more", "dim"))
    return page


def held(history: History, manner: Manner) -> list[str]:
    """What each replica holds at the break and at the end; those that hold the same are named
    together."""
    page: list[str] = []
    at_break = dict(history.holds_at_break)
    for title, holds in (("At the break", at_break), ("At the end", dict(history.holds))):
        groups = alike(holds, history.replicas)
        if not groups:
            continue
        if title == "At the end" and holds == at_break:
            page += ["", manner.own("At the end the same", "bold")]
            continue
        page += ["", manner.own(title, "bold")]
        names = [manner.short(name, manner.width // 3) for name, _ in groups]
        indent = max(cells(name) for name in names)
        for name, (_, text) in zip(names, groups, strict=True):
            page += _beside(name, indent, _wrapped(text, manner, manner.width - indent - 4))
    return page


def in_full(events: Sequence[Event], manner: Manner) -> list[str]:
    """The labels that did not fit, by the numbers of their events."""
    if not events:
        return []
    page = ["", manner.own("In full", "bold")]
    indent = max(len(str(event.number)) for event in events)
    for event in events:
        label = wrap(manner.given(said(event)), manner.width - indent - 4)
        page += _beside(str(event.number), indent, label)
    return page


def replay(history: History, manner: Manner) -> list[str]:
    """The line that runs it again, never broken into two."""
    if not history.replay:
        return []
    return ["", manner.own("Replay", "bold"), "  " + manner.given(history.replay)]


def _wrapped(text: str, manner: Manner, width: int) -> list[str]:
    whole = [piece for line in lines(text, ascii=manner.ascii) for piece in wrap(line, width)]
    if len(whole) > MOST_LINES:
        return [*whole[:MOST_LINES], manner.own(f"{len(whole) - MOST_LINES} lines more", "dim")]
    return whole


def _beside(name: str, indent: int, text: Sequence[str]) -> list[str]:
    first = "  " + name + " " * (indent - cells(name) + 2)
    return [
        ((" " * (indent + 4) if number else first) + line).rstrip(" ")
        for number, line in enumerate(text)
    ]
