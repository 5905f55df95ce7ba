"""One line an event."""

from __future__ import annotations

from sync.watch.lines import event_line, lines_of
from sync.watch.model import Model, News
from sync.watch.words import clock
from tests.watch.feed import NOON, PEERS, STORY, A, B, deliver, event, events, hello, replicas, told


def _lines(*, peer: str = "", slices: tuple[str, ...] = ()) -> list[str]:
    model = told(hello(), replicas(*PEERS))
    news = model.receive(events(*STORY))
    return lines_of(news, model, peer=peer, slices=slices)


def test_every_event_is_a_line() -> None:
    """When, where, what, from whom, and how much."""
    lines = _lines()
    assert len(lines) == len(STORY)
    assert lines[0] == f"#0  {clock(NOON)}  A         join"
    assert lines[5] == (
        f"#5  {clock(NOON + 5)}  A         deliver   from B  todos/add(title='eggs')  "
        "1 change  12 B"
    )
    assert lines[7] == f"#7  {clock(NOON + 7)}  A         cut       with B"


def test_a_catch_up_says_how_many_acts_it_brought() -> None:
    """It is one delivery."""
    model = told(events(deliver(7, A, [3, 4], B, "@@sync/merged")))
    (known,) = model
    assert "@@sync/merged  2 acts  1 change" in event_line(known, model)


def test_lines_are_those_of_one_peer_if_it_is_wanted() -> None:
    """Cuts from either end; nothing while there is no such peer."""
    numbers = [line.split()[0] for line in _lines(peer="B")]
    assert numbers == ["#1", "#3", "#4", "#6", "#7"]
    assert _lines(peer="Z") == []


def test_lines_are_those_of_some_slices_if_they_are_wanted() -> None:
    """And those of no slice."""
    assert [line.split()[0] for line in _lines(slices=("notes",))] == ["#7"]
    assert len(_lines(slices=("notes", "todos"))) == len(STORY)


def test_a_conflict_found_later_is_a_line_too() -> None:
    """With whose act it is in conflict; other amendments are not."""
    model = told(hello(), replicas(*PEERS), events(*STORY))
    conflicts = [{"path": ["todos", "title"], "with": 4}, {"path": ["todos", "x"], "with": 77}]
    amended = [{**STORY[8], "conflicts": conflicts}, {**STORY[2], "changed": 9}]
    news = model.receive({"type": "amended", "events": amended})
    (line,) = lines_of(news, model)
    assert line.endswith("todos/title with #4 of B, todos/x with #77")
    assert lines_of(news, model, peer="B") == []


def test_another_server_is_told() -> None:
    """As the numbers begin again."""
    model = Model()
    fresh = model.receive(events(event(0, "join", A))).fresh
    lines = lines_of(News(fresh=fresh, restarted=True), model)
    assert lines[0] == "-- another server answers; its events begin here --"
    assert len(lines) == 2
