"""Tests of the places of events: causes first, lanes in order, concurrency kept."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from crdtstore.testing.diagram.layout import (
    LINKS,
    WHOLE,
    Cut,
    Gap,
    Layout,
    breaking_places,
    lay_out,
    unaware,
)
from crdtstore.testing.history import Broken, Event, History
from tests.testing_diagram.histories import Run, histories, two_sales, with_faults


def known(history: History) -> set[tuple[int, int]]:
    """Which event happened before which, by going through all causes again and again."""
    events = history.events
    pairs: set[tuple[int, int]] = set()
    for event in events:
        for cause in event.causes:
            same = events[cause].replica == event.replica
            if same or not {events[cause].kind, event.kind} & LINKS:
                pairs.add((cause, event.number))
            link = events[cause] if events[cause].kind in LINKS else None
            if event.kind in WHOLE and link and event.peer in (link.replica, link.peer):
                pairs |= {
                    (other.number, event.number)
                    for other in events[: cause + 1]
                    if other.replica == event.peer
                }
    for one, other in itertools.combinations(events, 2):
        if one.replica == other.replica:
            pairs.add((one.number, other.number))
    return closed(pairs)


def closed(pairs: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The transitive closure of a relation."""
    while True:
        more = {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs
        if not more:
            return pairs
        pairs = pairs | more


def drawn(layout: Layout) -> set[tuple[int, int]]:
    """Between which events a path of lanes and arrows leads down."""
    pairs = {(arrow.source, arrow.target) for arrow in layout.arrows}
    for one, other in itertools.combinations(range(len(layout.row)), 2):
        if layout.lane[one] == layout.lane[other]:
            pairs.add((one, other))
    return closed(pairs)


@given(histories(most=12))
def test_paths_lead_exactly_from_causes_to_effects(history: History) -> None:
    """Two events are joined by a path if and only if one could know of the other."""
    for one_a_row in (False, True):
        assert drawn(lay_out(history, one_a_row=one_a_row)) == known(history)


@given(histories(most=12))
def test_concurrency_is_what_no_path_joins(history: History) -> None:
    """``before`` and ``concurrent`` say what the paths say."""
    layout, before = lay_out(history), known(history)
    for one, other in itertools.permutations(range(len(history.events)), 2):
        assert layout.before(one, other) == ((one, other) in before)
        assert layout.concurrent(one, other) == (not {(one, other), (other, one)} & before)


@given(histories())
def test_every_cause_stands_above_its_effect(history: History) -> None:
    """Time goes down along lanes and arrows, also where knowledge does not count."""
    for one_a_row in (False, True):
        layout = lay_out(history, one_a_row=one_a_row)
        for event in history.events:
            assert all(layout.row[c] < layout.row[event.number] for c in event.causes)
        assert all(layout.row[a.source] < layout.row[a.target] for a in layout.arrows)


@given(histories())
def test_no_two_events_of_a_lane_share_a_row(history: History) -> None:
    """Boxes of one lane never overlap, in the order of the run."""
    layout = lay_out(history)
    for lane in range(len(layout.lanes)):
        rows = [row for row, own in zip(layout.row, layout.lane, strict=True) if own == lane]
        assert rows == sorted(set(rows))
    assert layout.rows == max(layout.row, default=-1) + 1


@given(histories())
def test_a_cut_has_its_row_for_itself_in_both_lanes(history: History) -> None:
    """What happened before a cut is drawn above it at both ends, and what came later below."""
    layout = lay_out(history)
    lanes = {name: lane for lane, name in enumerate(layout.lanes)}
    for index, event in enumerate(history.events):
        if event.kind in LINKS and event.peer:
            for other in range(len(history.events)):
                if layout.lane[other] == lanes[event.peer] and other != index:
                    assert (layout.row[other] < layout.row[index]) == (other < index)


@given(histories())
def test_the_same_history_is_placed_the_same(history: History) -> None:
    """A layout depends on its history alone."""
    assert lay_out(history) == lay_out(History.from_json(history.to_json()))


def test_concurrent_events_share_a_row() -> None:
    """Two sales of which neither seller knew stand side by side."""
    layout = lay_out(two_sales())
    assert layout.row == (0, 0, 1)
    assert [(a.source, a.target) for a in layout.arrows] == [(0, 2)]


def test_of_several_causes_at_one_replica_only_the_last_is_drawn() -> None:
    """Who has the second action of a replica has the first, too."""
    run = Run("A", "B")
    first, second = run.act("A"), run.act("A")
    got = run.deliver("B", first, second)
    layout = lay_out(run.history())
    assert [(a.source, a.target) for a in layout.arrows] == [(second, got)]


def test_a_delivery_of_what_is_known_is_drawn_all_the_same() -> None:
    """A duplicate is an arrow of its own, though it adds nothing to what is known."""
    run = Run("A", "B")
    sent = run.act("A")
    once, twice = run.deliver("B", sent), run.deliver("B", sent, changed=False)
    layout = lay_out(run.history())
    assert [(a.source, a.target) for a in layout.arrows] == [(sent, once), (sent, twice)]


def test_a_cut_tells_nobody_anything() -> None:
    """What two replicas did stays concurrent though a cut names the last events of both."""
    run = Run("A", "B")
    one, other = run.act("A"), run.act("B")
    cut = run.add("cut", "A", "cut A–B", other, peer="B")
    later = run.add("act", "B", "sold()", cut)
    layout = lay_out(run.history())
    assert layout.arrows == ()
    assert layout.concurrent(one, later)
    assert layout.row[later] > layout.row[cut] > layout.row[other]


def test_a_copy_holds_what_its_source_had_done_before_a_cut() -> None:
    """Though the last that is known of the source is a cut, its own last event is the cause."""
    run = Run("A", "B", "C")
    act = run.act("C")
    cut = run.add("cut", "B", "cut B–C", act, peer="C")
    copy = run.add("clone", "A", "copy of C's file", cut, peer="C")
    got = run.add("deliver", "A", "from C: 1 delta", cut, peer="C")
    layout = lay_out(run.history())
    assert [(a.source, a.target) for a in layout.arrows] == [(act, copy)]
    assert layout.before(act, got)
    assert not layout.before(cut, copy)


def test_links_and_lanes_have_their_gaps() -> None:
    """A cut lasts to its heal, a crash to the restart, and a clone's lane begins with it."""
    layout = lay_out(with_faults(), one_a_row=True)
    assert layout.cuts == (Cut(0, 1, 3, 14),)
    assert layout.gaps == (Gap(2, 7, 9),)
    run = Run("A", "B")
    run.add("clone", "B", "copy of A's file", peer="A")
    run.add("crash", "A", "crash")
    run.add("cut", "B", "cut", peer="A")
    layout = lay_out(run.history(), one_a_row=True)
    assert layout.gaps == (Gap(0, 1, 3), Gap(1, -1, 0))
    assert layout.cuts == (Cut(0, 1, 2, 3),)


def test_only_actions_before_the_break_are_called_unaware() -> None:
    """An action that changed nothing, or that the broken replica never heard of, is not named."""
    assert unaware(two_sales(), lay_out(two_sales())) == [(0, 1)]
    run = Run("A", "B", "C")
    one, _, _, last = (
        run.act("A"),
        run.act("B"),
        run.act("C", changed=False),
        run.act("C", "own()"),
    )
    got = run.deliver("C", one)
    at = run.history(broken=(Broken(got, "C", "x", ""),))
    assert unaware(at, lay_out(at)) == [(one, last)]
    at = run.history(broken=(Broken(99, "", "x", ""),))
    assert unaware(at, lay_out(at)) == [(1, 3), (0, 3), (0, 1)]
    assert unaware(run.history(), lay_out(run.history())) == []


def test_breaks_are_found_by_the_numbers_of_events() -> None:
    """What names no event broke once all was quiet; the first break comes first."""
    history = History(
        ("A",),
        (Event(4, "act", "A", ""), Event(7, "act", "A", "", (4,))),
        broken=(Broken(8, "", "a", ""), Broken(7, "A", "b", ""), Broken(7, "A", "c", "")),
    )
    assert list(breaking_places(history).items()) == [(1, [1, 2]), (2, [0])]


def test_a_history_that_no_run_can_have_made_is_refused() -> None:
    """An effect before its cause, or a replica unknown, is named and not drawn."""
    with pytest.raises(ValueError, match="event 0 names 1 as its cause"):
        lay_out(History(("A",), (Event(0, "act", "A", "", (1,)), Event(1, "act", "A", ""))))
    with pytest.raises(ValueError, match="event 0 names 0 as its cause"):
        lay_out(History(("A",), (Event(0, "act", "A", "", (0,)),)))
    with pytest.raises(ValueError, match="'Z', expected one of the history's replicas: A"):
        lay_out(History(("A",), (Event(0, "act", "Z", ""),)))
