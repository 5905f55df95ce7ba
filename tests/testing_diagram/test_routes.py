"""Tests of boxes and arrows in pixels."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.testing.diagram.layout import lay_out
from crdtstore.testing.diagram.routes import BOX, EDGE, GAP, TALL, plan
from crdtstore.testing.history import History
from tests.testing_diagram.histories import histories, two_sales

HANGING = st.dictionaries(st.integers(0, 10), st.floats(0, 60), max_size=3)


@given(histories(st.just("")), HANGING)
def test_arrows_only_go_down(history: History, below: dict[int, float]) -> None:
    """A line never runs back up in time, and ends below where it began."""
    for route in plan(lay_out(history), below).routes:
        heights = [y for _, y in route.points]
        assert heights == sorted(heights)
        assert heights[0] < heights[-1]


@given(histories(st.just("")), HANGING)
def test_arrows_meet_no_box_but_their_own(history: History, below: dict[int, float]) -> None:
    """Where an arrow crosses a lane, no event stands, nor what hangs below one."""
    layout = lay_out(history)
    measures = plan(layout, below)
    for route in measures.routes:
        for (x1, y1), (x2, y2) in itertools.pairwise(route.points):
            lanes = [lane for lane in measures.lanes if min(x1, x2) < lane < max(x1, x2)]
            for lane in lanes:
                assert y1 == y2
                own = measures.lanes.index(lane)
                for row, other in zip(layout.row, layout.lane, strict=True):
                    top = measures.rows[row] - TALL / 2
                    assert other != own or not (top <= y1 <= top + TALL + below.get(row, 0.0))


@given(histories(st.just("")), HANGING)
def test_boxes_do_not_overlap(history: History, below: dict[int, float]) -> None:
    """Boxes of one lane keep a distance, what hangs below them included; lanes do, too."""
    layout = lay_out(history)
    measures = plan(layout, below)
    for row, (one, other) in enumerate(itertools.pairwise(measures.rows)):
        assert other - one >= TALL + below.get(row, 0.0) + 10
    assert all(other - one == BOX + GAP for one, other in itertools.pairwise(measures.lanes))
    assert measures.lanes[0] - BOX / 2 == EDGE
    assert measures.lanes[-1] + BOX / 2 + EDGE == measures.width
    assert measures.row(-1) < measures.row(0) <= measures.row(layout.rows) < measures.height + 1


def test_an_arrow_leaves_one_box_and_enters_the_other() -> None:
    """From the lower half of one side to the upper half of the other."""
    measures = plan(lay_out(two_sales()), {})
    (route,) = measures.routes
    left, right = measures.lanes
    assert [x for x, _ in route.points] == [left + BOX / 2, right - BOX / 2]
    assert measures.rows[0] < route.points[0][1] < measures.rows[0] + TALL / 2
    assert measures.rows[1] - TALL / 2 < route.points[1][1] < measures.rows[1]
