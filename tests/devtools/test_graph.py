"""The causal graph: what it draws, what it waits for, and what it does with what comes late.

That it is right about before, concurrent, known and conflicts is tested against an oracle, in
properties/test_timeline.py.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from sync.devtools.graph import Graph
from sync.devtools.told import ToldError
from sync.devtools.waiting import GRACE, HOLD, LONGEST_HOLD
from tests.devtools.telling import Told, joining, lines


@pytest.fixture
def graph() -> Graph:
    return Graph(clock=lambda: 5000)


def about(graph: Graph, name: str) -> dict[str, Any]:
    """Return what viewers are told of a replica."""
    return next(each for each in graph.replicas() if each["name"] == name)


def test_acts_and_deliveries_are_drawn_with_their_causes(graph: Graph) -> None:
    """An arrow goes from the previous event of the replica, and from each act that arrives."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    first = a.act()
    b.act()
    b.deliver(first)
    assert lines(graph) == [
        "0 A join <-",
        "1 B join <-",
        "2 A act <- 0",
        "3 B act <- 1",
        "4 B deliver <- 2 3",
    ]
    assert graph.event(4).acts == [2]
    assert graph.concurrent(2) == [3]
    assert graph.before(2, 4)
    assert not graph.before(2, 3)


def test_events_are_told_as_the_pages_read_them(graph: Graph) -> None:
    """All members of an event are there, and nothing else."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    b.deliver(a.act("todos.title"), paths=["todos.title"])
    assert graph.event(3).as_json() == {
        "n": 3,
        "kind": "deliver",
        "replica": "BBBB",
        "peer": "AAAA",
        "label": "todos/add()",
        "action": "todos/add",
        "at": 1001,
        "time": 1000,
        "causes": [1, 2],
        "slices": ["todos"],
        "bytes": 40,
        "changed": 1,
        "conflicts": [],
        "acts": [2],
        "number": 0,
        "via": "",
    }


def test_a_delivery_waits_for_its_act(graph: Graph) -> None:
    """What B got from A is drawn after A has told of it, though B tells first."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    elsewhere = Told(Graph(), "A", 1)
    act = elsewhere.act()
    b.deliver(act)
    b.act()
    assert graph.holding
    assert len(graph.events) == 2
    a.act()
    assert not graph.holding
    assert lines(graph)[2:] == ["2 A act <- 0", "3 B deliver <- 1 2", "4 B act <- 3"]
    assert not graph.amended


def test_a_delivery_waits_only_so_long(graph: Graph) -> None:
    """An act that its author does not tell is drawn from the delivery, and filled in later."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    b.deliver(Told(Graph(), "A", 1).act())
    graph.tick(HOLD - 0.1)
    assert graph.holding
    graph.tick(HOLD)
    assert lines(graph)[2:] == ["2 A act <- 0", "3 B deliver <- 1 2"]
    assert graph.event(2).number is None
    a.act("todos.title", now=HOLD + 1)
    assert graph.event(2).number == 0
    assert graph.amended == {2}
    assert len(graph.events) == 4


def test_who_tells_something_is_waited_for_longer(graph: Graph) -> None:
    """An author whose records still come is not given up, but not for ever either."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    late = Told(Graph(), "A", 1)
    late.act()
    act = late.act()
    b.deliver(act)
    a.act(now=HOLD - 1)
    graph.tick(HOLD + 1)
    assert graph.holding
    graph.tick(2 * HOLD)
    assert not graph.holding
    third = late.act()
    b.deliver(third, now=100)
    for now in range(100, 100 + int(LONGEST_HOLD)):
        a.tell([a.record(True, "x", "AAAA", {"notes": [("1", now, now + 1)]}, (), 1)], now)
        graph.tick(now)
    assert graph.holding
    graph.tick(100 + LONGEST_HOLD)
    assert not graph.holding


def test_who_has_left_is_not_waited_for(graph: Graph) -> None:
    """With its source gone, an act is drawn from what others tell of it."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    b.deliver(Told(Graph(), "A", 1).act())
    a.leave()
    assert lines(graph)[2:] == ["2 A leave <- 0", "3 A act <- 2", "4 B deliver <- 1 3"]


def test_an_author_without_a_source_is_drawn_from_the_first_delivery(graph: Graph) -> None:
    """Each of its acts is there once, after the one before, and the replica is not attached."""
    b, c = Told(graph, "B", 2), Told(graph, "C", 3)
    x = Told(Graph(), "X", 9)
    first, second = x.act(), x.act()
    for record in (first, second):
        b.deliver(record)
        c.deliver(record)
    graph.tick(GRACE)
    assert lines(graph)[2:] == [
        "2 XXXX act <-",
        "3 C deliver <- 1 2",
        "4 XXXX act <- 2",
        "5 C deliver <- 3 4",
        "6 B deliver <- 0 2",
        "7 B deliver <- 4 6",
    ]
    assert graph.event(2).number is None
    assert about(graph, "XXXX")["attached"] is False
    assert about(graph, "XXXX")["lag"] is None


def test_an_author_who_joins_at_once_is_not_drawn_twice(graph: Graph) -> None:
    """A delivery of a stranger's work waits a moment for it to join."""
    b = Told(graph, "B", 2)
    b.deliver(Told(Graph(), "A", 1).act())
    a = Told(graph, "A", 1, now=GRACE / 2)
    a.act(now=GRACE / 2)
    assert lines(graph) == ["0 B join <-", "1 A join <-", "2 A act <- 1", "3 B deliver <- 0 2"]
    assert not graph.amended


def test_a_catch_up_of_strangers_has_no_acts(graph: Graph) -> None:
    """Nobody says whose it was, so nothing but the delivery is drawn."""
    b = Told(graph, "B", 2)
    x = Told(Graph(), "X", 9)
    b.deliver(x.act(), x.act())
    graph.tick(GRACE)
    assert lines(graph) == ["0 B join <-", "1 B deliver <- 0"]
    assert graph.event(1).acts == []
    assert [each["name"] for each in graph.replicas()] == ["B"]


def test_a_catch_up_names_all_its_acts_and_points_from_the_last(graph: Graph) -> None:
    """Of one author's acts that arrive together, the last has the others before it."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    b.deliver(a.act(), a.act(), a.act())
    event = graph.event(5)
    assert event.acts == [2, 3, 4]
    assert event.causes == [1, 4]
    assert graph.before(2, 5)


def test_the_content_of_a_default_is_nobodys_act(graph: Graph) -> None:
    """Two replicas that write the same default did not do the same act."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    default = ("777", 0, 5)
    one = a.record(True, "x", "AAAA", {"todos": [("1", 0, 2), default]}, (), 1)
    two = b.record(True, "x", "BBBB", {"todos": [("2", 0, 2), default]}, (), 1)
    a.tell([one])
    b.tell([two])
    b.deliver(one)
    assert lines(graph)[2:] == ["2 A act <- 0", "3 B act <- 1", "4 B deliver <- 2 3"]
    assert graph.event(4).acts == [2]


def test_strangers_who_write_the_same_default_are_told_apart(graph: Graph) -> None:
    """That the same default came with both does not make one act of two."""
    c = Told(graph, "C", 3)
    x, y = Told(Graph(), "X", 8), Told(Graph(), "Y", 9)
    default = ("777", 0, 5)
    one = x.record(True, "x", "XXXX", {"todos": [("8", 0, 2), default]}, (), 1)
    two = y.record(True, "x", "YYYY", {"todos": [("9", 0, 2), default]}, (), 2)
    c.deliver(one)
    c.deliver(two)
    graph.tick(GRACE)
    acts = [event for event in graph.events if event.kind == "act"]
    assert [event.replica for event in acts] == ["XXXX", "YYYY"]
    assert [event.acts for event in graph.events if event.kind == "deliver"] == [
        [acts[0].n],
        [acts[1].n],
    ]


def test_one_act_in_two_slices_may_arrive_in_two_parts(graph: Graph) -> None:
    """Its arrow goes to both deliveries, and it is known when both have come."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    act = a.act(slices=["todos", "notes"])
    for slice in ("todos", "notes"):
        part = deepcopy(act)
        part["slices"] = {slice: act["slices"][slice]}
        assert graph.lag("BBBB") == 1
        b.deliver(part)
    assert graph.lag("BBBB") == 0
    assert [event.acts for event in graph.events if event.kind == "deliver"] == [[2], [2]]


def test_a_new_session_goes_on_in_the_lane_of_its_replica(graph: Graph) -> None:
    """A restart is a leave and a join, and what it knows comes from the clocks it joins with."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    act = a.act()
    b.deliver(act)
    b.leave()
    again = Told(graph, "B", 22, clocks={"todos": {"1": 2}})
    again.act()
    assert lines(graph)[3:] == [
        "3 B deliver <- 1 2",
        "4 B leave <- 3",
        "5 B join <- 2 4",
        "6 B act <- 5",
    ]
    assert graph.lag("BBBB") == 0
    assert about(graph, "B")["sessions"] == ["2", "m"]


def test_a_reconnection_tells_nothing_twice(graph: Graph) -> None:
    """The same session joins again and tells its log from the start: only the rest is new."""
    a = Told(graph, "A", 1)
    records = [a.act(), a.act()]
    a.leave()
    assert about(graph, "A")["online"] is False
    back = Told(graph, "A", 1)
    more = a.record(True, "x", "AAAA", {"todos": [("1", 4, 6)]}, (), 1)
    back.tell([*records, more])
    assert lines(graph)[3:] == ["3 A leave <- 2", "4 A join <- 3", "5 A act <- 4"]
    assert about(graph, "A")["online"] is True


def test_records_that_were_lost_leave_the_knowledge_unsure(graph: Graph) -> None:
    """Without them nobody can tell the lag, until the source says again what it knows."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    acts = [a.act("todos.title") for _ in range(4)]
    b.deliver(acts[0])
    b.number = 10
    b.act("todos.title")
    assert graph.lag("BBBB") is None
    assert graph.event(graph.end - 1).conflicts == []
    graph.join(joining("B", 2, first=20, clocks={"todos": {"1": 6, "2": 2}}), 0.0)
    assert graph.lag("BBBB") == 1
    b.number = 20
    b.act("todos.title")
    assert graph.event(graph.end - 1).conflicts == [(("todos", "title"), 5)]


def test_a_late_source_may_have_told_only_a_part(graph: Graph) -> None:
    """What it did before is drawn from deliveries, before its join, which then follows it."""
    b = Told(graph, "B", 2)
    x = Told(Graph(), "A", 1)
    old = x.act()
    Told(graph, "A", 1, first=0, clocks={"todos": {"1": 2}})
    b.deliver(old)
    assert lines(graph) == ["0 B join <-", "1 A join <- 2", "2 A act <-", "3 B deliver <- 0 2"]
    assert graph.amended == {1}
    assert graph.before(2, 1)
    assert graph.sequence() == [0, 2, 1, 3]


def test_writes_of_the_same_register_are_in_conflict(graph: Graph) -> None:
    """Neither knew the other; the one that becomes known later says so."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    one = a.act("todos.title")
    two = b.act("todos.title", "todos.done")
    assert graph.event(3).conflicts == [(("todos", "title"), 2)]
    assert graph.rivals(2) == [(("todos", "title"), 3)]
    a.deliver(two, paths=["todos.title"])
    a.act("todos.title")
    assert graph.event(5).conflicts == []
    assert graph.won(3, 2, ("todos", "title")) is True
    assert graph.won(2, 3, ("todos", "title")) is False
    b.deliver(one)
    assert graph.won(2, 3, ("todos", "title")) is False


@pytest.mark.parametrize("between", ["own", "other"])
def test_who_won_is_not_said_where_it_does_not_show(graph: Graph, between: str) -> None:
    """Another write in between, or one that came along, hides which of two was newer."""
    a, b, c = Told(graph, "A", 1), Told(graph, "B", 2), Told(graph, "C", 3)
    a.act("todos.title")
    two = b.act("todos.title")
    assert graph.won(4, 3, ("todos", "title")) is None
    if between == "own":
        a.act("todos.title")
        a.deliver(two, paths=["todos.title"])
    else:
        a.deliver(two, c.act("todos.title"), paths=["todos.title"])
    assert graph.won(4, 3, ("todos", "title")) is None


def test_a_broken_link_is_told_once(graph: Graph) -> None:
    """Both sides report it; it is back when both say so."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    a.status({"B": "open"})
    b.status({"A": "open"})
    a.status({"B": "connecting"})
    b.status({"A": "closed"})
    b.status({})
    a.status({"B": "open"})
    assert [event.kind for event in graph.events] == ["join", "join", "cut"]
    b.status({"A": "open"})
    assert lines(graph)[2:] == ["2 A cut <- 0", "3 B heal <- 1"]
    a.act()
    assert graph.event(4).causes == [0]
    assert not graph.before(2, 4)
    assert graph.before(0, 2)
    assert (graph.event(2).peer, graph.event(3).peer) == ("BBBB", "AAAA")


def test_a_replica_that_left_has_no_broken_links(graph: Graph) -> None:
    """That it left says it all, and coming back is a join."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    a.status({"B": "open"})
    b.status({"A": "open"})
    b.leave()
    a.status({"B": "connecting"})
    Told(graph, "B", 2).status({"A": "open"})
    a.status({"B": "open"})
    assert [event.kind for event in graph.events] == ["join", "join", "leave", "join"]


def test_lag_counts_acts_that_a_replica_has_not_got(graph: Graph) -> None:
    """Its own are not among them, and those of slices that it does not have neither."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2, slices=["todos"])
    one = a.act()
    a.act(slices=["notes"])
    a.act()
    b.act()
    assert graph.lag("BBBB") == 2
    assert graph.lag("AAAA") == 1
    b.deliver(one)
    assert about(graph, "B")["lag"] == 1


def test_digests_are_compared_where_the_same_is_known(graph: Graph) -> None:
    """Equal clocks and different digests are a divergence; different clocks say nothing."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    act = a.act()
    a.status()
    b.status(digests={"todos": "other", "notes": "d"})
    assert about(graph, "A")["agrees"] is True  # of the notes, of which both know nothing
    b.deliver(act)
    assert about(graph, "B")["agrees"] is None  # its digests are of before
    b.status(digests={"todos": "other", "notes": "d"})
    assert (about(graph, "A")["agrees"], about(graph, "B")["agrees"]) == (False, False)
    b.status()
    assert (about(graph, "A")["agrees"], about(graph, "B")["agrees"]) == (True, True)
    b.leave()
    assert about(graph, "A")["agrees"] is None


def test_the_oldest_events_are_let_go() -> None:
    """Numbers go on, and what is left is still right."""
    graph = Graph(limit=100)
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    for _ in range(200):
        b.deliver(a.act("todos.title"))
    assert graph.end == 402
    assert len(graph.events) <= 100
    assert graph.events[0].n == graph.first > 300
    with pytest.raises(KeyError):
        graph.event(graph.first - 1)
    last = graph.end - 1
    assert graph.before(graph.first, last)
    assert graph.concurrent(last) == []
    assert graph.lag("BBBB") == 0
    one = a.act("todos.title")
    assert b.act("todos.title")
    assert graph.event(graph.end - 1).conflicts == [(("todos", "title"), graph.end - 2)]
    b.deliver(one)
    assert graph.lag("BBBB") == 0


def test_a_circle_that_somebody_claims_is_cut() -> None:
    """Two acts that each have the other before them: an order is given all the same."""
    graph = Graph()
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    mine, yours = Told(Graph(), "A", 1).act(), Told(Graph(), "B", 2).act()
    a.deliver(yours)
    b.deliver(mine)
    graph.tick(LONGEST_HOLD)
    a.act(now=LONGEST_HOLD)
    b.act(now=LONGEST_HOLD)
    assert sorted(graph.sequence()) == list(range(graph.end))
    for n in range(graph.end):
        assert n not in graph.concurrent(n)


def test_two_parts_of_a_strangers_act_are_one(graph: Graph) -> None:
    """What comes with the first slice is drawn; the other one is added to it."""
    b, c = Told(graph, "B", 2), Told(graph, "C", 3)
    act = Told(Graph(), "X", 9).act(slices=["todos", "notes"])
    part = deepcopy(act)
    part["slices"] = {"todos": act["slices"]["todos"]}
    b.deliver(part)
    graph.tick(GRACE)
    c.deliver(act, now=GRACE)
    acts = [event for event in graph.events if event.kind == "act"]
    assert [(event.replica, event.slices) for event in acts] == [("XXXX", ("notes", "todos"))]
    assert (graph.lag("BBBB"), graph.lag("CCCC")) == (1, 0)


def test_a_document_that_was_replaced_goes_on_under_another_client(graph: Graph) -> None:
    """What a store does itself is its own, whoever the client is."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    renewed = a.record(True, "x", "AAAA", {"todos": [("77", 0, 2)]}, (), 1)
    a.tell([renewed])
    b.deliver(renewed)
    assert lines(graph)[2:] == ["2 A act <- 0", "3 B deliver <- 1 2"]
    assert graph.lag("BBBB") == 0


def test_an_act_that_is_there_is_not_drawn_again(graph: Graph) -> None:
    """Nor is one that wrote nothing of its own."""
    a = Told(graph, "A", 1)
    act = a.act()
    a.tell([act | {"number": 1}, a.record(True, "x", "AAAA", {}, (), 1) | {"number": 2}])
    a.number = 3
    a.act()
    assert lines(graph) == ["0 A join <-", "1 A act <- 0", "2 A act <- 1"]


def test_a_session_waits_for_the_one_before_it(graph: Graph) -> None:
    """A replica does not go on before what it did last time has been drawn."""
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    b.deliver(Told(Graph(), "A", 1).act())
    b.leave()
    Told(graph, "B", 22, clocks={"todos": {"1": 2}}).act()
    assert len(graph.events) == 2
    assert about(graph, "B")["online"] is True
    a.act()
    assert lines(graph)[2:] == [
        "2 A act <- 0",
        "3 B deliver <- 1 2",
        "4 B leave <- 3",
        "5 B join <- 2 4",
        "6 B act <- 5",
    ]


def test_there_are_not_too_many_sessions(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """What strangers can make us remember has a bound."""
    monkeypatch.setattr("sync.devtools.graph.MOST_SESSIONS", 2)
    Told(graph, "A", 1)
    b = Told(graph, "B", 2)
    with pytest.raises(ToldError, match="too many"):
        Told(graph, "C", 3)
    b.deliver(Told(Graph(), "X", 9).act())
    graph.tick(GRACE)
    assert lines(graph) == ["0 A join <-", "1 B join <-", "2 B deliver <- 1"]


def wrong(path: str, value: Any) -> Any:
    """A parameter: what is wrong in a message, and where."""
    return pytest.param(path, value, id=f"{path}={value!r:.20}")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        wrong("version", 2),
        wrong("session", "Ü!"),
        wrong("session", None),
        wrong("replica", "x" * 1000),
        wrong("slices", "todos"),
        wrong("slices", [1]),
        wrong("clocks", []),
        wrong("clocks", {"todos": {"x": 1}}),
        wrong("clocks", {"todos": {"1": -1}}),
        wrong("clocks", {"todos": {"1": True}}),
        wrong("first", -1),
        wrong("pid", "1"),
        wrong("features", 3),
    ],
)
def test_a_wrong_join_changes_nothing(graph: Graph, path: str, value: Any) -> None:
    """It is refused with the member that is wrong."""
    with pytest.raises(ToldError, match=path):
        graph.join(joining("A", 1) | {path: value}, 0.0)
    assert graph.events == []
    assert graph.replicas() == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        wrong("number", -1),
        wrong("number", 1.5e300),
        wrong("local", 1),
        wrong("action", None),
        wrong("author", 7),
        wrong("at", "now"),
        wrong("slices", []),
        wrong("slices", {"todos": 3}),
        wrong("ranges", {"todos": {"bytes": 1, "ranges": [["1", 2]]}}),
        wrong("ranges", {"todos": {"bytes": 1, "ranges": [["1", 2, 1]]}}),
        wrong("ranges", {"todos": {"bytes": 1, "ranges": [[1, 0, 1]]}}),
        wrong("ranges", {"todos": {"bytes": 1, "ranges": [["٣", 0, 1]]}}),
        wrong("paths", [["a"]] * 1000),
        wrong("paths", [[]]),
        wrong("paths", [[1]]),
        wrong("changed", None),
    ],
)
def test_wrong_records_change_nothing(graph: Graph, path: str, value: Any) -> None:
    """None of a message is taken, not those before the wrong one either."""
    a = Told(graph, "A", 1)
    good = a.record(True, "x", "AAAA", {"todos": [("1", 0, 2)]}, (), 1)
    bad = a.record(True, "x", "AAAA", {"todos": [("1", 2, 4)]}, (), 1)
    bad["slices" if path == "ranges" else path] = value
    with pytest.raises(ToldError, match=path):
        a.tell([good, bad])
    assert len(graph.events) == 1
    a.tell([good])
    assert len(graph.events) == 2


@pytest.mark.parametrize(
    "message",
    [
        {"type": "records"},
        {"type": "records", "records": [3]},
        {"type": "status", "links": [{}], "digests": {}},
        {"type": "status", "links": 3},
        {"type": "mystery"},
        {},
    ],
    ids=lambda message: str(message)[:40],
)
def test_other_wrong_messages_are_refused(graph: Graph, message: dict[str, Any]) -> None:
    """Whatever it is, nothing but ToldError is raised."""
    a = Told(graph, "A", 1)
    with pytest.raises(ToldError):
        graph.receive(a.session, message, 0.0)


def test_a_session_is_of_one_replica(graph: Graph) -> None:
    """Nobody joins with the session of another."""
    Told(graph, "A", 1)
    with pytest.raises(ToldError, match="replica"):
        Told(graph, "B", 1)


def test_a_catch_up_is_its_only_authors_or_who_handed_it_on(graph: Graph) -> None:
    """Whose it was is seen from what came, and where that is several's, from whom it came."""
    a, b, c = Told(graph, "A", 1), Told(graph, "B", 2), Told(graph, "C", 3)
    first, second, other = a.act(), a.act(), b.act()
    c.deliver(first, second)
    assert graph.event(graph.end - 1).peer == "AAAA"
    d = Told(graph, "D", 4)
    d.tell([{**d.delivery(first, second, other), "via": "CCCC"}])
    assert graph.event(graph.end - 1).peer == "CCCC"


def test_names_heard_elsewhere_are_used(graph: Graph) -> None:
    """Of whom nobody tells here, the name is known, and the colour stays as it was."""
    graph.hear({"AAAA": "alice", "BBBB": "bob"})
    b = Told(graph, "B", 2)
    act = Told(Graph(), "A", 1).act()
    b.deliver(act)
    graph.leave(b.session, 0.0)
    graph.tick(1_000.0)
    told = {each["id"]: (each["name"], each["colour"]) for each in graph.replicas()}
    assert told == {"BBBB": ("B", 1), "AAAA": ("alice", 0)}
    assert graph.names() == {"AAAA": "alice", "BBBB": "B"}
    assert graph.name("AAAA") == "alice"
    graph.hear({"AAAA": "mallory"})
    assert graph.name("AAAA") == "alice"
