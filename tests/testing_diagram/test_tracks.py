"""Tests of rows and columns: lines beside a lane never lie on each other."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.testing.diagram.excerpt import excerpt
from crdtstore.testing.diagram.layout import lay_out
from crdtstore.testing.diagram.tracks import Tracks, lay_tracks
from crdtstore.testing.history import History
from tests.testing_diagram.histories import histories, long_one


def tracks_of(history: History, room: int, after: int | None, height: int) -> Tracks:
    layout = lay_out(history, one_a_row=True)
    items = excerpt(history, layout)
    return lay_tracks(layout, items, after, lambda words: height, margin=4, room=room)


@given(histories(st.just(""), most=40), st.integers(40, 150), st.data())
def test_channels_lie_between_lanes_and_apart(
    history: History, room: int, data: st.DataObject
) -> None:
    """Two channels that share a row have different columns, away from lanes and arrowheads."""
    after = data.draw(st.none() | st.integers(0, len(history.events)))
    tracks = tracks_of(history, room, after, data.draw(st.integers(1, 4)))
    placed = [channel for channel in tracks.channels if channel.place >= 0]
    for channel in placed:
        left, right = tracks.column[channel.gap], tracks.column[channel.gap + 1]
        assert left + 1 < tracks.x(channel) < right - 1
        assert channel.start < channel.end
        assert all(channel.start < tracks.row[target] for target in channel.targets)
    for one, other in itertools.combinations(placed, 2):
        if tracks.x(one) == tracks.x(other):
            assert one.end < other.start or other.end < one.start
    assert tracks.column == sorted(set(tracks.column))


@given(histories(st.just(""), most=40), st.integers(60, 150))
def test_lanes_leave_room_for_words(history: History, room: int) -> None:
    """However many arrows there are, labels keep the room they need."""
    tracks = tracks_of(history, room, None, 0)
    assert tracks.words <= room - 28 + 3 + len(history.replicas)


def test_an_arrow_from_the_latest_event_needs_no_channel() -> None:
    """It leaves the lane level with its target."""
    tracks = tracks_of(long_one(20, 20), 80, None, 0)
    assert tracks.channels == []
    assert sum(len(lanes) for lanes in tracks.direct.values()) == 10


def test_rows_of_the_break_push_the_others_down() -> None:
    """What is said where it breaks has rows of its own."""
    tracks = tracks_of(long_one(5, 2), 80, 2, 3)
    assert tracks.breaks == 3
    assert tracks.row == [0, 1, 2, 6, 7, 8]
