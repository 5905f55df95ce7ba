"""The hub between sources and viewers, with real stores as sources where something is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crdtstore import Counter, Store, configure_store, create_slice
from crdtstore.testing import History
from sync.devtools.feed import (
    MOST_AMENDED,
    MOST_ASKING,
    MOST_BACKLOG,
    MOST_CONNECTIONS,
    MOST_EVENTS,
    MOST_MESSAGES,
    PAUSE,
    SLOW_PAUSE,
    TIMEOUT,
    Feed,
    SourceConnection,
    ViewerConnection,
)
from sync.devtools.log import Log
from sync.devtools.source import Source
from tests.devtools.telling import Told, joining

todos = create_slice(
    name="todos",
    initial_state={"title": "", "votes": Counter(0)},
    reducers={
        "named": lambda state, to: setattr(state, "title", to),
        "voted": lambda state: setattr(state, "votes", state.votes + 1),
    },
)
named, voted = todos.actions.named, todos.actions.voted


class Time:
    """What passes only when told to."""

    def __init__(self) -> None:
        self.now = 0.0


class Viewer:
    """A viewer that keeps what it is sent."""

    def __init__(self, world: World, **rest: Any) -> None:
        self.world = world
        self.got: list[dict[str, Any]] = []
        self.open = True
        self.connection: ViewerConnection = world.feed.add_viewer(self._send, self._close, **rest)

    def _send(self, message: Any) -> None:
        assert self.open
        self.got.append(json.loads(json.dumps(message)))

    def _close(self) -> None:
        self.open = False

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What came of one type."""
        return [message for message in self.got if message["type"] == kind]

    def events(self) -> dict[int, dict[str, Any]]:
        """All events as they are known now."""
        found: dict[int, dict[str, Any]] = {}
        for message in self.got:
            if message["type"] in ("events", "amended"):
                found |= {event["n"]: event for event in message["events"]}
        return found

    def say(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.connection.receive({"type": kind, **fields}, self.world.time.now)

    def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask, let sources answer, and return the response."""
        self.say(kind, id=7, **fields)
        self.world.settle()
        return self.of("response").pop()

    def value(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask and return the value."""
        response = self.ask(kind, **fields)
        assert response["ok"], response["error"]
        value: dict[str, Any] = response["value"]
        return value


class Peer:
    """A real store with its source, as the server's other side has it."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.store: Store = configure_store([todos], clock=world.clock)
        self.log = Log(self.store)
        self.source = Source(self.store, self.log, name=name)
        self.asked: list[dict[str, Any]] = []
        self.watched = False
        self.silent = False
        self.sent = 0
        self.connection = world.feed.add_source(self._receive)
        self.say(self.source.join())

    def _receive(self, message: Any) -> None:
        message = json.loads(json.dumps(message))
        if message["type"] == "watch":
            self.watched = message["on"]
        else:
            self.asked.append(message)

    def say(self, message: dict[str, Any]) -> None:
        self.connection.receive(json.loads(json.dumps(message)), self.world.time.now)

    def work(self) -> bool:
        """Tell what is new and answer what is asked; return whether there was anything."""
        asked, self.asked = self.asked, []
        if not self.silent:
            for request in asked:
                self.say(self.source.answer(request))
        records = self.source.records(self.sent) if self.watched else []
        if records:
            self.sent += len(records)
            self.say({"type": "records", "records": records})
        return bool(asked or records)


class World:
    """A feed, its time, and real stores."""

    def __init__(self) -> None:
        self.time = Time()
        self.at = 1_000_000
        self.feed = Feed("here", redux=lambda: True, clock=self.clock)
        self.peers: list[Peer] = []

    def clock(self) -> int:
        self.at += 1
        return self.at

    def peer(self, name: str) -> Peer:
        made = Peer(self, name)
        self.peers.append(made)
        return made

    def settle(self) -> None:
        """Let everybody say what there is to say, and viewers get it."""
        while any(peer.work() for peer in self.peers):
            pass
        for _ in range(8):
            self.time.now += SLOW_PAUSE
            self.feed.tick(self.time.now)

    def exchange(self) -> None:
        """Let all stores have all work."""
        for one in self.peers:
            for other in self.peers:
                deltas = other.store.deltas_since(one.store.state_vectors())
                if deltas:
                    one.store.merge(deltas)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    for peer in made.peers:
        peer.store.close()


def test_a_viewer_is_greeted_and_gets_what_happened(world: World) -> None:
    """First who serves, then who is there, then what happened; each event once."""
    a, b = world.peer("A"), world.peer("B")
    viewer = Viewer(world)
    a.store.dispatch(named("milk"))
    world.settle()
    world.exchange()
    world.settle()
    assert viewer.got[0] == {"type": "hello", "version": 1, "server": "here", "redux": True}
    assert [each["name"] for each in viewer.of("replicas")[-1]["replicas"]] == ["A", "B"]
    assert viewer.of("replicas")[-1]["replicas"][1]["lag"] == 0
    assert [event["kind"] for event in viewer.events().values()] == [
        "join",
        "join",
        "act",
        "deliver",
    ]
    assert sum(len(message["events"]) for message in viewer.of("events")) == 4
    assert viewer.events()[2]["label"] == "todos/named('milk')"
    assert b.store[todos].title == "milk"


def test_sources_are_watched_while_somebody_looks(world: World) -> None:
    """From the first viewer to the last, and a source that comes meanwhile too."""
    a = world.peer("A")
    assert not a.watched
    one, other = Viewer(world), Viewer(world)
    assert a.watched
    b = world.peer("B")
    assert b.watched
    one.connection.closed()
    assert a.watched
    other.connection.closed()
    other.connection.closed()
    assert (a.watched, b.watched, world.feed.viewers) == (False, False, 0)


def test_batches_are_apart_and_bounded(world: World) -> None:
    """Nothing is sent again before the pause is over, and large histories come in pieces."""
    told = Told(world.feed.graph, "A", 1)
    records = [
        told.record(True, "x", "AAAA", {"todos": [("1", n, n + 1)]}, (), 1) for n in range(4999)
    ]
    told.tell(records)
    viewer = Viewer(world)
    world.feed.tick(1.0)
    world.feed.tick(1.0 + PAUSE)
    assert [len(message["events"]) for message in viewer.of("events")] == (
        [MOST_EVENTS] * MOST_MESSAGES
    )
    world.feed.tick(1.0 + PAUSE * 1.9)
    assert len(viewer.of("events")) == MOST_MESSAGES
    for step in range(2, 6):
        world.feed.tick(1.0 + PAUSE * step * 1.01)
    assert len(viewer.events()) == 5000
    assert [message["first"] for message in viewer.of("events")] == list(range(0, 5000, 500))


def test_what_is_amended_is_sent_again(world: World) -> None:
    """An event that changed after it was sent comes again, one that did not go out does not."""
    graph = world.feed.graph
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    b.deliver(Told(world.feed.graph.__class__(), "A", 1).act())
    viewer = Viewer(world)
    world.time.now = 10
    world.settle()
    assert viewer.events()[2]["number"] is None
    a.act(now=world.time.now)
    world.settle()
    (amended,) = viewer.of("amended")
    assert [(event["n"], event["number"]) for event in amended["events"]] == [(2, 0)]
    late = Viewer(world)
    world.settle()
    assert late.of("amended") == []
    assert late.events() == viewer.events()


def test_a_viewer_says_what_it_has_already(world: World) -> None:
    """After a reconnection only the rest is sent; nonsense is made the nearest that is there."""
    told = Told(world.feed.graph, "A", 1)
    for _ in range(9):
        told.act()
    for since, expected in [(7, 7), (-5, 0), (10**9, None)]:
        viewer = Viewer(world)
        viewer.say("since", n=since)
        world.settle()
        firsts = [message["first"] for message in viewer.of("events")]
        assert firsts == ([] if expected is None else [expected])


def test_a_slow_viewer_is_sent_nothing_until_it_has_read(world: World) -> None:
    """Its backlog stays bounded, others do not wait for it, and it misses nothing in the end."""
    backlog = [0]
    told = Told(world.feed.graph, "A", 1)
    slow, fast = Viewer(world, backlog=lambda: backlog[0]), Viewer(world)
    world.settle()
    backlog[0] = MOST_BACKLOG + 1
    before = len(slow.got)
    for _ in range(10):
        told.act()
    world.settle()
    assert len(slow.got) == before
    assert len(fast.events()) == 11
    backlog[0] = 0
    world.settle()
    assert slow.events() == fast.events()


def test_a_slow_viewer_gets_all_again_where_too_much_changed(world: World) -> None:
    """What is remembered for it is bounded: beyond that it is sent from the first change on."""
    backlog = [0]
    told = Told(world.feed.graph, "A", 1)
    for _ in range(MOST_AMENDED + 10):
        told.act()
    viewer = Viewer(world, backlog=lambda: backlog[0])
    for _ in range(10):
        world.settle()
    assert len(viewer.events()) == MOST_AMENDED + 11
    backlog[0] = MOST_BACKLOG + 1
    world.feed.graph.amended = set(range(5, MOST_AMENDED + 8))
    world.settle()
    backlog[0] = 0
    viewer.got.clear()
    for _ in range(10):
        world.settle()
    assert viewer.of("amended") == []
    assert min(viewer.events()) == 5
    assert max(viewer.events()) == MOST_AMENDED + 10


def test_details_come_from_the_source(world: World) -> None:
    """The payload, the diff and the bytes, with what the graph adds."""
    a, _ = world.peer("A"), world.peer("B")
    viewer = Viewer(world)
    a.store.dispatch(named("milk"))
    world.settle()
    detail = viewer.value("detail", n=2)
    assert (detail["payload"], detail["payload_shared"]) == ("milk", True)
    assert detail["diff"] == [
        {"path": ["todos", "title"], "kind": "changed", "before": "", "after": "milk"}
    ]
    assert detail["deltas"]["todos"]["hex"]
    assert detail["event"] == viewer.events()[2]
    assert detail["concurrent"] == []
    assert viewer.value("detail", n=0)["diff"] == []


def test_details_of_a_conflict_have_all_values(world: World) -> None:
    """Who wrote what, from the source of each, and who won where it showed."""
    a, b = world.peer("A"), world.peer("B")
    viewer = Viewer(world)
    a.store.dispatch(named("milk"))
    b.store.dispatch(named("eggs"))
    world.settle()
    for one, other in [(2, 3), (3, 2)]:
        detail = viewer.value("detail", n=one)
        assert detail["concurrent"] == [other]
        (conflict,) = detail["conflicts"]
        assert conflict["path"] == ["todos", "title"]
        assert {value["value"]: value["won"] for value in conflict["values"]} == {
            "milk": None,
            "eggs": None,
        }
        assert [value["n"] for value in conflict["values"]] == [one, other]
    world.exchange()
    world.settle()
    (conflict,) = viewer.value("detail", n=2)["conflicts"]
    won = {value["value"]: value["won"] for value in conflict["values"]}
    assert won == {value: value == a.store[todos].title for value in ("milk", "eggs")}
    assert a.store[todos].title == "eggs"  # the later one


def test_a_witness_is_asked_where_the_author_is_not_here(world: World) -> None:
    """Of an act whose process has gone, a delivery that brought it alone tells."""
    a, b = world.peer("A"), world.peer("B")
    viewer = Viewer(world)
    infos = []
    a.store.on_commit(infos.append)
    a.store.dispatch(named("milk"))
    world.settle()
    b.store.merge(infos[0].deltas, info=infos[0].info)
    world.settle()
    a.connection.closed(world.time.now)
    world.peers.remove(a)
    detail = viewer.value("detail", n=2)
    assert detail["event"]["n"] == 2
    assert detail["payload_shared"] is False
    assert detail["diff"][0]["after"] == "milk"
    b.connection.closed(world.time.now)
    assert "cannot be asked" in viewer.ask("detail", n=2)["error"]
    a.store.close()


def test_states_are_asked_of_the_replica(world: World) -> None:
    """After an event, before all, or now."""
    a = world.peer("A")
    viewer = Viewer(world)
    for word in ("milk", "eggs"):
        a.store.dispatch(named(word))
    world.settle()

    def title(**fields: Any) -> Any:
        return viewer.value("state", **fields)["state"]["todos"]["title"]

    assert [title(n=n) for n in (0, 1, 2)] == ["", "milk", "eggs"]
    assert title(replica=a.store.replica) == "eggs"
    assert title(replica=a.store.replica, number=-1) == ""
    assert title(replica=a.store.replica, n=1, number=0) == "milk"


def test_actions_are_dispatched_and_reverted_where_they_belong(world: World) -> None:
    """Both are new actions of that store, and show up as such."""
    a, b = world.peer("A"), world.peer("B")
    viewer = Viewer(world)
    text = "{type: 'todos/named', payload: 'milk'}"
    assert (
        viewer.value("dispatch", replica=b.store.replica, text=text)["action"]["payload"] == "milk"
    )
    assert (a.store[todos].title, b.store[todos].title) == ("", "milk")
    world.settle()
    assert viewer.value("revert", n=2)["changed"] is True
    assert b.store[todos].title == ""
    world.settle()
    assert len(viewer.events()) == 4
    assert viewer.value("conflicts", replica=b.store.replica) == {"conflicts": []}
    assert viewer.ask("dispatch", replica=b.store.replica, text="alert(1)")["ok"] is False


@pytest.mark.parametrize(
    ("kind", "fields", "why"),
    [
        ("detail", {}, "number"),
        ("detail", {"n": 99}, "no event 99"),
        ("detail", {"n": True}, "number"),
        ("state", {"replica": "nobody"}, "not here"),
        ("state", {"replica": 3}, "not here"),
        ("state", {"n": "x"}, "number"),
        ("dispatch", {"replica": "nobody", "text": "{}"}, "not here"),
        ("dispatch", {"text": 3}, "text"),
        ("revert", {"n": 0}, "cannot be asked"),
        ("conflicts", {}, "not here"),
        ("export", {"format": "pdf"}, "format"),
        ("export", {"format": "log", "replica": "nobody"}, "not here"),
        ("export", {"format": "test", "slices": "import os"}, "slices="),
        ("mystery", {}, "mystery"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_answered_says_why(
    world: World, kind: str, fields: dict[str, Any], why: str
) -> None:
    """The connection stays open."""
    world.peer("A")
    viewer = Viewer(world)
    world.settle()
    response = viewer.ask(kind, **fields)
    assert response["ok"] is False
    assert why in response["error"]
    assert viewer.open


def test_answers_that_do_not_come_are_errors(world: World) -> None:
    """In time, and at once if the source goes away."""
    a = world.peer("A")
    a.silent = True
    viewer = Viewer(world)
    a.store.dispatch(named("milk"))
    world.settle()
    viewer.say("detail", id=1, n=1)
    viewer.say("state", id=2, n=1)
    world.feed.tick(world.time.now + TIMEOUT - 0.1)
    assert viewer.of("response") == []
    world.feed.tick(world.time.now + TIMEOUT)
    assert [(r["id"], r["ok"]) for r in viewer.of("response")] == [(1, False), (2, False)]
    assert "10 seconds" in viewer.of("response")[0]["error"]
    viewer.say("state", id=3, n=1)
    a.connection.closed(world.time.now)
    assert "gone" in viewer.of("response")[2]["error"]


def test_too_many_questions_at_once_are_refused(world: World) -> None:
    """One viewer cannot have a source do more than that."""
    a = world.peer("A")
    a.silent = True
    viewer = Viewer(world)
    a.store.dispatch(named("milk"))
    world.settle()
    for number in range(MOST_ASKING + 5):
        viewer.say("state", id=number, n=1)
    assert [response["id"] for response in viewer.of("response")] == list(
        range(MOST_ASKING, MOST_ASKING + 5)
    )


def test_a_source_that_goes_is_seen_to(world: World) -> None:
    """Its replica is offline; what it told stays."""
    a = world.peer("A")
    viewer = Viewer(world)
    a.store.dispatch(named("milk"))
    world.settle()
    a.connection.closed(world.time.now)
    world.settle()
    assert viewer.of("replicas")[-1]["replicas"][0]["online"] is False
    assert [event["kind"] for event in viewer.events().values()] == ["join", "act", "leave"]


def test_the_newest_connection_of_a_session_counts(world: World) -> None:
    """A source that connects anew before the old connection is seen to be broken has not left."""
    closed = []
    old = world.feed.add_source(bool, lambda: closed.append("old"))
    old.receive(joining("A", 1), 0.0)
    new = world.feed.add_source(bool, lambda: closed.append("new"))
    new.receive(joining("A", 1), 0.0)
    assert closed == ["old"]
    old.closed(0.0)
    assert [event.kind for event in world.feed.graph.events] == ["join"]
    new.receive({"type": "leave"}, 0.0)
    assert closed == ["old", "new"]
    assert [event.kind for event in world.feed.graph.events] == ["join", "leave"]


Opener = Callable[[World, list[str]], "SourceConnection | ViewerConnection"]


def joined(world: World, closed: list[str]) -> SourceConnection:
    """A source that has joined."""
    made = world.feed.add_source(bool, lambda: closed.append("closed"))
    made.receive(joining("H", 666), 0.0)
    return made


def unjoined(world: World, closed: list[str]) -> SourceConnection:
    """A source that has not."""
    return world.feed.add_source(bool, lambda: closed.append("closed"))


def viewing(world: World, closed: list[str]) -> ViewerConnection:
    """A viewer."""
    return world.feed.add_viewer(bool, lambda: closed.append("closed"))


@pytest.mark.parametrize(
    ("opener", "message"),
    [
        (unjoined, None),
        (unjoined, []),
        (unjoined, {"type": "records", "records": []}),
        (unjoined, {"type": "join"}),
        (unjoined, {"type": "response", "id": 1}),
        (joined, "text"),
        (joined, {"type": "records", "records": [{}]}),
        (joined, {"type": "response", "id": "x"}),
        (joined, {"type": "mystery"}),
        (joined, joining("H", 667)),
        (viewing, 3),
        (viewing, {"type": "detail"}),
        (viewing, {"type": "since", "n": "x"}),
        (viewing, {"type": "since", "id": 1}),
        (viewing, {"id": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:30]),
)
def test_a_hostile_message_closes_its_connection_only(
    world: World, opener: Opener, message: Any
) -> None:
    """Whoever sends what nobody of ours does is sent away; all others go on."""
    a = world.peer("A")
    viewer = Viewer(world)
    closed: list[str] = []
    connection = opener(world, closed)
    connection.receive(message, 0.0)
    assert closed == ["closed"]
    connection.receive({"type": "leave"}, 0.0)  # what is still under way is not heeded
    connection.closed(0.0) if isinstance(connection, SourceConnection) else connection.closed()
    a.store.dispatch(named("milk"))
    world.settle()
    assert any(event["label"] == "todos/named('milk')" for event in viewer.events().values())


def test_there_are_not_too_many_connections(world: World) -> None:
    """One too many is closed at once, and harms nobody."""
    viewers = [Viewer(world) for _ in range(MOST_CONNECTIONS + 1)]
    assert [viewer.open for viewer in viewers] == [True] * MOST_CONNECTIONS + [False]
    closed: list[str] = []
    for _ in range(MOST_CONNECTIONS + 1):
        world.feed.add_source(bool, lambda: closed.append("closed"))
    assert closed == ["closed"]


def test_files_are_exported(world: World) -> None:
    """A history, a test that replays it and a log for Redux DevTools."""
    a, b = world.peer("A"), world.peer("B")
    viewer = Viewer(world)
    for number in range(100):
        a.store.dispatch(named(str(number)))
    world.settle()
    world.exchange()
    world.settle()
    value = viewer.value("export", format="history")
    assert value["name"] == "crdtstore-history.json"
    history = History.from_json(value["text"])
    assert len(history.events) == 101
    assert json.loads(history.holds["A"])["todos"]["title"] == "99"
    value = viewer.value("export", format="test", slices="tests.devtools.test_feed:slices")
    assert value["name"] == "test_replay.py"
    assert value["text"].count("run.act(") == 100
    assert "import slices as slices_1" in value["text"]
    value = viewer.value("export", format="log", replica=a.store.replica)
    log = json.loads(value["text"])
    assert value["name"] == "redux-log-A.json"
    assert json.loads(log["preloadedState"])["todos"]["title"] == ""
    assert [action["payload"] for action in json.loads(log["payload"])] == [
        str(number) for number in range(100)
    ]
    log = json.loads(viewer.value("export", format="log", replica=b.store.replica)["text"])
    assert json.loads(log["payload"])[0]["type"] == "@@sync/merged"


def test_an_export_without_anybody_left_has_what_is_known(world: World) -> None:
    """The history is complete; the test says what it lacks."""
    a = world.peer("A")
    viewer = Viewer(world)
    a.store.dispatch(voted())
    world.settle()
    a.connection.closed(world.time.now)
    assert History.from_json(viewer.value("export", format="history")["text"]).events
    text = viewer.value("export", format="test")["text"]
    assert "# A also did todos/voted()" in text
    assert "1 action left out" in text


def test_names_go_to_the_sources_that_keep_them(world: World) -> None:
    """And come back with the join at the next server."""
    told: list[Any] = []
    source = world.feed.add_source(told.append)
    source.receive(joining("A", 1, names={"CCCC": "carol", "D": 7}, tools="t"), 0.0)
    world.feed.tick(1.0)
    assert told[-1] == {"type": "names", "names": {"CCCC": "carol", "AAAA": "A"}}
    count = len(told)
    world.feed.tick(2.0)
    assert len(told) == count


def test_a_second_source_of_one_store_is_refused(world: World) -> None:
    """Other tools of it are there; the same, back again, take the place of their old connection."""
    said: list[str] = []
    first = world.feed.add_source(bool, lambda: said.append("first closed"), said.append)
    first.receive(joining("A", 1, tools="one"), 0.0)
    second = world.feed.add_source(bool, bool, said.append)
    second.receive(joining("A", 1, tools="two"), 0.0)
    assert said == ["this store is shown here already, by other tools"]
    again = world.feed.add_source(bool, bool, said.append)
    again.receive(joining("A", 1, tools="one"), 0.0)
    assert said[1:] == ["first closed"]
    again.closed(1.0)
    third = world.feed.add_source(bool, bool, said.append)
    third.receive(joining("A", 1, tools="two"), 0.0)
    assert len(said) == 2
    strange = world.feed.add_source(bool, bool, said.append)
    strange.receive(joining("B", 1), 0.0)
    assert "is not understood: session 1 is one of replica AAAA" in said[2]
