"""Rows and columns of a diagram made of characters: which lines run where, and for how long.

An arrow whose source is still the sender's latest event when it arrives leaves the sender's lane
level with its target. Any other would seem to start too late, so it runs down a channel of its own
beside the lane, from its source to its targets. Channels of one gap are coloured greedily, as
intervals; a gap too narrow for another one leaves it out, and the number of the source is said in
words instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from crdtstore.testing.diagram.excerpt import Run
from crdtstore.testing.diagram.layout import Layout

NARROWEST_LABEL = 28
_WIDEST_GAP = 9
_ROOMY_LABEL = 40

Item = int | Run


@dataclass(slots=True)
class Channel:
    """A line beside a lane, from below one item down to the items where its effects arrive."""

    item: int
    lane: int
    side: int
    """1: to the right of the lane; -1: to the left."""
    targets: list[int] = field(default_factory=list)
    place: int = -1
    """Which of its gap's channels it is, from the left; -1 if there was no room for it."""
    start: int = 0
    end: int = 0

    @property
    def gap(self) -> int:
        return self.lane if self.side > 0 else self.lane - 1


@dataclass(slots=True)
class Tracks:
    """Where the items of an excerpt and the lines between them go."""

    row: list[int]
    """Of each item, and at last the row below all."""
    breaks: int
    """The row where the break is said; -1 if nothing broke."""
    direct: dict[int, list[int]]
    """By item, the lanes from which an arrow comes level."""
    channels: list[Channel]
    column: list[int] = field(default_factory=list)
    """Of each lane."""
    words: int = 0
    """The column at which the words start."""

    def x(self, channel: Channel) -> int:
        """The column of a channel."""
        return self.column[channel.gap] + 2 + channel.place

    def rows(self, item: int) -> range:
        """The rows of an item, those below it that belong to it included."""
        return range(self.row[item], self.row[item + 1])


def places(items: Sequence[Item]) -> Iterator[tuple[int, range]]:
    """Every item with the places in the history that it stands for."""
    for item, what in enumerate(items):
        if isinstance(what, Run):
            yield item, range(what.first, what.last + 1)
        else:
            yield item, range(what, what + 1)


def lay_tracks(
    layout: Layout,
    items: Sequence[Item],
    broken_after: int | None,
    break_height: Callable[[int], int],
    *,
    margin: int,
    room: int,
) -> Tracks:
    """Find rows and columns.

    ``broken_after`` is the item after which it breaks (the number of items: at the end);
    ``break_height`` says how many rows that takes if the words start at a column. ``margin`` is the
    column of the first lane, ``room`` the column that lanes must leave to the words that are no
    labels.
    """
    tracks = _arrows(layout, items)
    _lay_rows(tracks, layout, items, broken_after, 1)
    _lay_columns(tracks, layout, margin, room)
    # The rows of the break push others down but change no order, so channels stay apart.
    _lay_rows(tracks, layout, items, broken_after, break_height(tracks.words))
    return tracks


def _arrows(layout: Layout, items: Sequence[Item]) -> Tracks:
    item_of = {place: item for item, found in places(items) for place in found}
    busy: dict[int, list[int]] = {}
    for item, found in places(items):
        for lane in sorted({layout.lane[place] for place in found}):
            busy.setdefault(lane, []).append(item)
    direct: dict[int, list[int]] = {}
    channels: dict[tuple[int, int, int], Channel] = {}
    for arrow in layout.arrows:
        source, target = item_of[arrow.source], item_of[arrow.target]
        lane, to = layout.lane[arrow.source], layout.lane[arrow.target]
        if isinstance(items[target], Run):
            continue
        if any(source < item < target for item in busy[lane]):
            key = (source, lane, 1 if to > lane else -1)
            targets = channels.setdefault(key, Channel(*key)).targets
            if target not in targets:
                targets.append(target)
        elif lane not in direct.setdefault(target, []):
            direct[target].append(lane)
    return Tracks([], -1, direct, [channels[key] for key in sorted(channels)])


def _sides(tracks: Tracks, layout: Layout, items: Sequence[Item], item: int) -> set[int]:
    """On which sides the row of an item is taken already by what arrives there."""
    what = items[item]
    if isinstance(what, Run):
        return {
            -1
        }  # so that what leaves to the left does so one row below what leaves to the right
    lane = layout.lane[what]
    coming = list(tracks.direct.get(item, ()))
    coming += [channel.lane for channel in tracks.channels if item in channel.targets]
    return {1 if other > lane else -1 for other in coming}


def _lay_rows(
    tracks: Tracks, layout: Layout, items: Sequence[Item], broken_after: int | None, height: int
) -> None:
    row = 0
    tracks.row = []
    leaving: dict[int, list[Channel]] = {}
    for channel in tracks.channels:
        leaving.setdefault(channel.item, []).append(channel)
    for item in range(len(items)):
        tracks.row.append(row)
        taken = _sides(tracks, layout, items, item)
        below = False
        for channel in leaving.get(item, ()):
            channel.start = row + (channel.side in taken)
            below = below or channel.side in taken
        row += 1 + below
        if item == broken_after:
            tracks.breaks = row
            row += height
    if broken_after == len(items):
        tracks.breaks = row
        row += height
    tracks.row.append(row)
    for channel in tracks.channels:
        channel.end = max(tracks.row[target] for target in channel.targets)


def _lay_columns(tracks: Tracks, layout: Layout, margin: int, room: int) -> None:
    gaps = max(0, len(layout.lanes) - 1)
    inside = room - margin - len(layout.lanes)
    widest = max(1, (inside - NARROWEST_LABEL) // gaps) if gaps else 0
    usual = max(
        1, min(3, widest), min(_WIDEST_GAP, widest, (inside - _ROOMY_LABEL) // max(1, gaps))
    )
    walled = {cut.left for cut in layout.cuts if cut.right == cut.left + 1}
    ends: dict[tuple[int, int], int] = {}
    needed = [0] * gaps
    for channel in tracks.channels:
        spare = 3 if channel.gap in walled else 2
        place = 0
        while ends.get((channel.gap, place), -1) >= channel.start:
            place += 1
        if place + 1 + spare <= widest:
            ends[channel.gap, place] = channel.end
            channel.place = place
            needed[channel.gap] = max(needed[channel.gap], place + 1 + spare)
    column = margin
    tracks.column = []
    for lane in range(len(layout.lanes)):
        tracks.column.append(column)
        if lane < gaps:
            column += 1 + max(usual, needed[lane])
    tracks.words = column + 3
