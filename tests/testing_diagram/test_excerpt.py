"""Tests of what is left out of a long history, and of what is said about one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdtstore.testing.diagram.excerpt import Run, alike, excerpt, headline, said
from crdtstore.testing.diagram.layout import lay_out
from crdtstore.testing.history import Broken, Event, History
from tests.testing_diagram.histories import long_one


@given(st.integers(1, 400), st.data())
def test_an_excerpt_says_or_counts_every_event(count: int, data: st.DataObject) -> None:
    """Events and runs follow each other without a hole; what broke is always shown."""
    history = long_one(count, data.draw(st.integers(0, count)))
    items = excerpt(history, lay_out(history))
    told: list[int] = []
    for item in items:
        told += range(item.first, item.last + 1) if isinstance(item, Run) else [item]
    assert told == list(range(count))
    assert history.broken[0].event in [*items, count]
    assert all(len(item) >= 3 for item in items if isinstance(item, Run))
    assert len(items) <= 70


def test_a_short_history_is_told_whole() -> None:
    """Nothing is left out of what fits onto a page."""
    history = long_one(60, 3)
    assert excerpt(history, lay_out(history)) == list(range(60))
    history = long_one(61, 61)
    assert excerpt(history, lay_out(history))[4] == Run(4, 24)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ((), "nothing broke"),
        ((Broken(0, "A", "x", ""),), "x broke at A after event 0"),
        ((Broken(1, "A", "x", ""),), "x broke at A once all was quiet"),
        (
            (Broken(1, "", "x", ""), Broken(0, "", "y", "")),
            "y broke between replicas after event 0",
        ),
    ],
)
def test_the_headline_names_what_broke_first(broken: tuple[Broken, ...], says: str) -> None:
    """One sentence says what, where and when."""
    history = History(("A",), (Event(0, "act", "A", "act()"),), broken)
    assert headline(history) == says


def test_an_event_without_a_label_says_its_kind() -> None:
    """Every event says something."""
    assert said(Event(0, "crash", "A", "")) == "crash"
    assert (
        said(Event(0, "deliver", "A", "", peer="B", changed=False)) == "deliver B (changed nothing)"
    )


def test_replicas_that_hold_the_same_are_named_together() -> None:
    """In the order of the replicas; one that the history does not name comes last."""
    holds = {"C": "x", "A": "x", "Z": "z", "B": "y"}
    assert alike(holds, ("A", "B", "C")) == [("A, C", "x"), ("B", "y"), ("Z", "z")]
