"""Boxes and arrows in pixels, for pictures: lanes side by side, time down.

An arrow leaves the lower half of its source's side and enters the upper half of its target's, and
passes every lane between them through the corridor below some row, where no box stands. Corridors
are chosen in proportion to the way, so an arrow never runs back up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crdtstore.testing.diagram.layout import Arrow, Layout

BOX = 192.0
"""Width of an event's box; of a lane, too."""
TALL = 28.0
GAP = 76.0
ROW = 48.0
EDGE = 24.0
HEAD = 52.0
"""Above the first row: the replicas' names."""
_LEAVES = 6.0
_SLOTS = (0.0, 5.0, -5.0)

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Route:
    """An arrow and the corners of its line."""

    arrow: Arrow
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A picture's measures in pixels: centres of lanes and rows, and the arrows' lines."""

    width: float
    height: float
    lanes: tuple[float, ...]
    rows: tuple[float, ...]
    routes: tuple[Route, ...]

    def row(self, row: int) -> float:
        """The centre of a row; of -1 the top of the lanes, of the row after the last their end."""
        if row < 0:
            return HEAD - 8
        return self.rows[row] if row < len(self.rows) else self.height - EDGE / 2


def plan(layout: Layout, below: Mapping[int, float]) -> Plan:
    """Measure a picture; ``below`` says how much room a row needs below its boxes."""
    lanes = tuple(EDGE + BOX / 2 + lane * (BOX + GAP) for lane in range(len(layout.lanes)))
    rows: list[float] = []
    top = HEAD
    for row in range(layout.rows):
        rows.append(top + ROW / 2)
        top += ROW + below.get(row, 0.0)
    used: dict[int, int] = {}
    routes = [_route(layout, arrow, lanes, rows, used) for arrow in layout.arrows]
    width = 2 * EDGE + len(lanes) * BOX + max(0, len(lanes) - 1) * GAP
    return Plan(width, top + EDGE, lanes, tuple(rows), tuple(routes))


def _route(
    layout: Layout,
    arrow: Arrow,
    lanes: tuple[float, ...],
    rows: list[float],
    used: dict[int, int],
) -> Route:
    start, end = layout.lane[arrow.source], layout.lane[arrow.target]
    first, last = layout.row[arrow.source], layout.row[arrow.target]
    side = 1 if end > start else -1
    points: list[Point] = [(lanes[start] + side * BOX / 2, rows[first] + _LEAVES)]
    slots: dict[int, float] = {}
    steps = abs(end - start)
    for step in range(1, steps):
        row = min(last - 1, first + step * (last - first) // steps)
        if row not in slots:
            used[row] = used.get(row, -1) + 1
            slots[row] = _SLOTS[used[row] % len(_SLOTS)]
        # Right above the next row's boxes, where nothing hangs down from those of this row.
        y = rows[row + 1] - ROW / 2 + slots[row]
        lane = lanes[start + side * step]
        points += [(lane - side * BOX / 2, y), (lane + side * BOX / 2, y)]
    points.append((lanes[end] - side * BOX / 2, rows[last] - _LEAVES))
    return Route(arrow, tuple(points))
