"""What a viewer knows of a feed."""

from __future__ import annotations

from typing import Any

import pytest

from sync.watch.model import FeedError, Model
from tests.watch.feed import (
    LINK,
    PEERS,
    STORY,
    A,
    B,
    act,
    event,
    events,
    hello,
    replica,
    replicas,
    story,
    told,
)


def test_a_feed_is_known_after_it_was_told() -> None:
    """Replicas with their links, and events with everything in them."""
    model = story()
    assert [each.n for each in model] == list(range(9))
    assert model.server == "the server"
    assert (model.name(A), model.name("f" * 32), model.name("")) == ("A", "f" * 8, "?")
    (link,) = model.replicas[A].links
    assert (link.to, link.behind, link.round_trip) == (B, 3, 0.0012)
    delivered = model.event(5)
    assert delivered is not None
    assert (delivered.kind, delivered.peer, delivered.work) == ("deliver", B, (3,))
    assert model.event(99) is None


def test_replicas_are_found_by_name_or_the_beginning_of_their_id() -> None:
    """An ambiguous beginning finds none."""
    model = told(hello(), replicas(*PEERS, replica("ab" * 16, "D")))
    assert [model.find(text) for text in ("B", "bbb", "aaa", "a", "Z", "")] == [
        B,
        B,
        A,
        None,
        None,
        None,
    ]


def test_events_that_come_again_are_no_news() -> None:
    """After a reconnect the same server tells everything again."""
    model = story()
    model.receive(hello())
    news = model.receive(events(*STORY, act(9, A, "todos/clear", 8)))
    assert [each.n for each in news.fresh] == [9]
    assert not news.restarted
    assert not news.amended
    assert len(model) == 10


def test_another_server_begins_anew() -> None:
    """Its first events are other ones, so nothing of the former one is kept."""
    model = story()
    model.receive(hello())
    news = model.receive(events(event(0, "join", B), act(1, B, "todos/add", 0)))
    assert news.restarted
    assert [each.n for each in news.fresh] == [0, 1]
    assert [each.replica for each in model] == [B, B]


def test_what_came_too_late_is_asked_for_once() -> None:
    """A gap is filled, or accepted if the server does not know any more either."""
    model = told(hello(), events(event(0, "join", A)))
    later = events(act(5, A, "todos/add"))
    assert model.receive(later).ask_since == 1
    news = model.receive(later)
    assert (news.ask_since, [each.n for each in news.fresh]) == (None, [5])
    assert model.event(5) is not None
    assert model.event(3) is None


def test_an_amended_event_replaces_the_former_one() -> None:
    """And only if it differs, and is known."""
    model = story()
    conflicts = [{"path": ["todos", "title"], "with": 4}]
    now = {**STORY[8], "conflicts": conflicts}
    news = model.receive({"type": "amended", "events": [now, dict(STORY[2]), event(99, "act", A)]})
    ((before, after),) = news.amended
    assert (before.conflicts, after.conflicts[0].rival) == ((), 4)
    assert model.event(8) is after


def test_the_oldest_events_are_forgotten() -> None:
    """When there are more than the limit."""
    model = Model(limit=3)
    for n in range(5):
        model.receive(events(event(n, "act", A)))
    assert [each.n for each in model] == [2, 3, 4]
    assert model.end == 5


def test_what_is_missing_has_a_default() -> None:
    """A later server may leave things out, and send types that are not known yet."""
    model = told(
        hello(),
        {"type": "replicas", "replicas": [{"id": A, "links": [{}]}]},
        {"type": "events", "events": [{"n": 0, "kind": "act", "replica": A}]},
        {"type": "weather", "sun": True},
    )
    assert model.replicas[A].lag is None
    assert len(model) == 1


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ([], "expected a JSON object, got list"),
        (hello(version=2), "version 2 of the feed"),
        ({"type": "events", "events": {}}, "expected list as 'events'"),
        ({"type": "events", "events": [1]}, "expected objects in 'events'"),
        (events(event(0, "act", A, bytes=True)), "expected int as 'bytes', got bool"),
        (events(event(0, "act", A, causes=["x"])), "expected numbers in 'causes'"),
        (events(event(0, "act", A, at="noon")), "expected milliseconds as 'at'"),
        ({"type": "events", "events": [{"kind": "act"}]}, "an event with a number"),
        (replicas(replica(A, "A", links=[{**LINK, "to": 1}])), "expected str as 'to'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_feed_is_refused(message: Any, words: str) -> None:
    """With what was expected and what came."""
    with pytest.raises(FeedError, match=words):
        Model().receive(message)


def test_names_and_labels_are_made_harmless() -> None:
    """They were chosen by other programs."""
    model = told(
        hello(), replicas(replica(A, "A\x1b[2J")), events(act(0, A, "todos/add('\x1b]0;x\x07')"))
    )
    (known,) = model
    assert known.label == r"todos/add('\x1b]0;x\x07')"
    assert model.name(A) == r"A\x1b[2J"
