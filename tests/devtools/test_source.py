"""A store as the tools see it: what it tells, what it answers, and what it keeps to itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from crdtstore import (
    Action,
    ActionInfo,
    Counter,
    List,
    Map,
    Slice,
    Store,
    Table,
    Text,
    configure_store,
    create_slice,
)
from sync.devtools import source as module
from sync.devtools.log import Log
from sync.devtools.source import Source
from sync.devtools.told import read_join, read_record, read_status
from sync.status import LinkStatus, PeerStatus
from sync.watermarks import Origin, Watermarks


@dataclass
class Task:
    title: str = ""
    done: bool = False


@dataclass
class Board:
    name: str = ""
    votes: Counter = Counter(0)
    note: Text = Text()
    tasks: Table[Task] = Table()
    plan: List[Task] = List()
    prefs: Map[Any] = Map()


def make(**options: Any) -> Slice[Board]:
    """A board, with all that is done to one here."""
    board: Slice[Board] = Slice("board", Board(), **options)

    @board.reducer
    def add(state: Board, id: str, title: str) -> None:
        state.tasks[id] = Task(title)
        state.votes += 1

    @board.reducer
    def finish(state: Board, id: str) -> None:
        state.tasks[id].done = True

    @board.reducer
    def rename(state: Board, name: str) -> None:
        state.name = name

    @board.reducer
    def plan(state: Board, title: str) -> None:
        state.plan.append(Task(title))

    @board.reducer
    def retitle(state: Board, index: int, title: str) -> None:
        state.plan[index].title = title

    @board.reducer
    def write(state: Board, text: str) -> None:
        state.note.insert(len(state.note), text)

    @board.reducer
    def like(state: Board, more: dict[str, Any]) -> None:
        state.prefs.update(more)

    @board.reducer
    def fail(state: Board) -> None:
        raise RuntimeError("not today")

    return board


board = make()
do = board.actions


class Clock:
    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


@contextmanager
def watched(
    of: Slice[Board] = board, *, limit: int = 100, **options: Any
) -> Iterator[tuple[Store, Source, Clock]]:
    """A store with a log and a source, and a clock that stands."""
    clock = Clock()
    with configure_store([of], clock=clock) as store:
        log = Log(store, limit=limit)
        yield store, Source(store, log, name="A", **options), clock


def ask(source: Source, what: str, **more: Any) -> Any:
    """Ask, and return what is answered, which is JSON."""
    response = source.answer({"type": "request", "id": 7, "what": what, **more})
    assert json.loads(json.dumps(response, allow_nan=False)) == response
    assert (response["type"], response["id"], response["ok"]) == ("response", 7, True), response
    return response["value"]


def refused(source: Source, what: str, **more: Any) -> str:
    """Ask for what is refused, and return the reason."""
    response = source.answer({"type": "request", "id": 7, "what": what, **more})
    assert set(response) == {"type", "id", "ok", "error"}
    assert response["ok"] is False
    error: str = response["error"]
    return error


def test_a_source_introduces_its_store() -> None:
    """What it is called, what it knows already, and what it can do."""
    with configure_store([board]) as store:
        store.dispatch(do.rename("before"))
        source = Source(store, Log(store), name="A")
        join = source.join()
        assert json.loads(json.dumps(join)) == join
        client = str(int(store.session, 36))
        assert join["clocks"]["board"][client] > 0
        assert join["features"] == {"dispatch": True, "revert": True}
        assert join["kinds"]["board"]["tasks/*/done"] == "register"
        read = read_join(join)
        assert (read.replica, read.session, read.name) == (store.replica, store.session, "A")
        assert (read.client, read.first, read.slices) == (client, 0, {"board"})


def test_records_tell_who_did_what_when() -> None:
    """An own action, with what is shown of it, the deltas' sizes and ranges."""
    with watched() as (store, source, clock):
        clock.now = 2000
        store.dispatch(do.add("a", "milk"))
        store.dispatch(do.finish("a"))
        first, second = source.records(0)
        assert json.loads(json.dumps(first)) == first
        client = str(int(store.session, 36))
        ((told, start, end),) = first["slices"]["board"]["ranges"]
        assert (told, start) == (client, 0)
        assert second["slices"]["board"]["ranges"][0][:2] == [client, end]
        assert second["slices"]["board"]["bytes"] > 0
        del first["slices"]
        assert first == {
            "number": 0,
            "local": True,
            "action": "board/add",
            "label": "board/add(id='a', title='milk')",
            "author": store.replica,
            "at": 2000,
            "time": 2000,
            "via": "",
            "paths": [["board", "tasks", "a"]],
            "changed": 2,
        }
        assert second["paths"] == [["board", "tasks", "a", "done"]]
        assert read_record(second).label == "board/finish('a')"
        assert source.records(1) == [second]
        assert [each["number"] for each in source.records(-1, 1)] == [0]
        assert source.records(2) == []


def test_registers_in_lists_are_named_by_lasting_keys() -> None:
    """An index would be another one elsewhere; counters and texts are in no conflict at all."""
    with watched() as (store, source, _):
        store.dispatch(do.plan("one"))
        store.dispatch(do.write("hello"))
        store.dispatch(do.retitle(0, "two"))
        store.dispatch(do.like({"p": 1}))
        key = store[board].plan.key_at(0)
        assert [each["paths"] for each in source.records(0)] == [
            [],
            [],
            [["board", "plan", key, "title"]],
            [["board", "prefs", "p"]],
        ]
        assert [each["changed"] for each in source.records(0)] == [1, 1, 1, 1]


def test_what_was_merged_is_told_with_its_author() -> None:
    """Its type and time, and its payload only where the slice shares it."""
    for sharing in (False, True):
        of = make(share_payloads=sharing)
        with watched(of) as (store, source, _), configure_store([of], clock=lambda: 500) as other:
            commits: list[Any] = []
            other.on_commit(commits.append)
            other.dispatch(of.actions.rename("theirs"))
            store.merge(commits[0].deltas, info=commits[0].info)
            other.dispatch(of.actions.rename("more"))
            store.merge(other.deltas_since(store.state_vectors()))
            one, many = source.records(0)
            assert one["label"] == ("board/rename('theirs')" if sharing else "board/rename")
            assert (one["local"], one["author"]) == (False, other.replica)
            assert (one["at"], one["time"]) == (500, 1000)
            assert (many["action"], many["label"], many["author"]) == ("@@sync/merged",) * 2 + ("",)
            detail = ask(source, "detail", number=0)
            assert detail["payload_shared"] is sharing
            assert detail["payload"] == ("theirs" if sharing else None)


def test_what_came_over_a_link_names_its_other_end() -> None:
    """Whose work it is and whom it came from are two things."""
    with watched() as (store, source, _), configure_store([board]) as other:
        other.dispatch(do.rename("x"))
        marks = Watermarks()
        origin = Origin("f" * 32, b"link", {}, marks, 1)
        store.merge(other.deltas_since(store.state_vectors()), origin=origin)
        (record,) = source.records(0)
        assert (record["via"], record["author"]) == ("f" * 32, "")


def test_a_peer_cannot_tell_what_is_no_time_and_no_payload() -> None:
    """Whatever it says, records stay what they are."""
    with watched() as (store, source, _), configure_store([board]) as other:
        other.dispatch(do.rename("x"))
        info = ActionInfo("t" * 500, "r" * 5000, -5, b"\xc1")
        store.merge(other.deltas_since(store.state_vectors()), info=info)
        (record,) = source.records(0)
        assert read_record(record).at == 0
        assert len(record["label"]) == 120
        assert ask(source, "detail", number=0)["payload_shared"] is False


def test_it_says_when_older_records_are_gone() -> None:
    """The first after the gap does; and who joins then learns what was known before it."""
    with watched(limit=3) as (store, source, _), configure_store([board]) as other:
        other.dispatch(do.rename("theirs"))
        theirs = str(int(other.session, 36))
        store.merge(other.deltas_since(store.state_vectors()))
        for at in range(4):
            store.dispatch(do.rename(str(at)))
        found = source.records(0)
        assert [each["number"] for each in found] == [2, 3, 4]
        assert [each.get("dropped", False) for each in found] == [True, False, False]
        assert "dropped" not in source.records(2)[0]
        join = source.join()
        client, start, _ = found[0]["slices"]["board"]["ranges"][0]
        assert join["first"] == 2
        assert join["clocks"]["board"][client] == start
        assert join["clocks"]["board"][theirs] > 0


def test_very_many_places_are_counted_and_not_all_named() -> None:
    """Fifty are enough to see what it is about."""
    with watched() as (store, source, _):
        store.dispatch(do.like({f"k{at:03}": at for at in range(300)}))
        (record,) = source.records(0)
        assert record["changed"] == 300
        assert len(record["paths"]) == module.MOST_PATHS
        detail = ask(source, "detail", number=0)
        assert len(detail["diff"]) == module.MOST_CHANGES
        assert detail["truncated"] == 100


def test_the_status_tells_of_digests_and_links() -> None:
    """What the peer says of its links, and nothing of them where there is no peer."""
    link = LinkStatus(
        "127.0.0.1:1", True, "open", "b" * 32, "s", in_sync=True, unacked_frames=2,
        unacked_bytes=90, round_trip=0.5, last_error="oops",
    )  # fmt: skip
    status = PeerStatus("a" * 32, "s", "default", "running", (), (link,))
    with watched(peer=SimpleNamespace(status=status)) as (store, source, _):
        told = source.status()
        assert told == {
            "type": "status",
            "digest": store.digest(),
            "digests": {"board": store.digests()["board"].hex()},
            "in_sync": True,
            "links": [
                {
                    "to": "b" * 32,
                    "address": "127.0.0.1:1",
                    "state": "open",
                    "in_sync": True,
                    "behind": 2,
                    "behind_bytes": 90,
                    "round_trip": 0.5,
                    "error": "oops",
                }
            ],
            "end": 0,
            "locked": False,
        }
        read_status(told)
        store.dispatch(do.rename("x"))
        source.locked = True
        again = source.status()
        assert again["digest"] == store.digest() != told["digest"]
        assert (again["end"], again["locked"]) == (1, True)
    with watched() as (_, source, _):
        assert source.status()["links"] == []
        assert source.status()["in_sync"] is False


def test_digests_are_not_taken_again_while_nothing_changes() -> None:
    """A status costs next to nothing while the store rests."""
    with watched() as (store, source, _):
        taken: list[str] = []
        digest = store.digest

        def counted() -> str:
            taken.append("")
            return digest()

        store.digest = counted  # type: ignore[method-assign]
        source.status()
        source.status()
        store.dispatch(do.rename("x"))
        source.status()
        assert len(taken) == 2


def test_details_have_the_payload_and_what_changed() -> None:
    """Own payloads are shown whether or not the slice shares them with peers."""
    with watched() as (store, source, _):
        store.dispatch(do.add("a", "milk"))
        store.dispatch(Action("board/rename", "x", {"from": "here"}))
        detail = ask(source, "detail", number=0)
        assert detail["payload"] == {"id": "a", "title": "milk"}
        assert detail["payload_shared"] is True
        assert detail["meta"] is None
        assert detail["truncated"] == 0
        assert detail["diff"] == [
            {"path": ["board", "votes"], "kind": "changed", "before": 0, "after": 1},
            {
                "path": ["board", "tasks", "a"],
                "kind": "added",
                "before": None,
                "after": {"title": "milk", "done": False},
            },
        ]
        commit = source._log.commit(0)
        assert commit is not None
        delta = commit.deltas["board"]
        assert detail["deltas"] == {"board": {"bytes": len(delta), "hex": delta[:512].hex()}}
        assert ask(source, "detail", number=1)["meta"] == {"from": "here"}


def test_states_are_those_after_each_record() -> None:
    """-1 is the one before them all."""
    with watched(limit=2) as (store, source, _):
        for name in ("one", "two", "three"):
            store.dispatch(do.rename(name))
        names = [
            ask(source, "state", number=number)["state"]["board"]["name"]
            for number in (-1, 0, 1, 2)
        ]
        assert names == ["", "one", "two", "three"]
        assert refused(source, "state", number=3) == (
            "there is no record 3: the next one will have the number 3"
        )
        store.dispatch(do.rename("four"))
        assert "not kept any more" in refused(source, "state", number=0)
        assert "not kept any more" in refused(source, "detail", number=1)


def test_a_text_is_parsed_and_dispatched() -> None:
    """Nothing in it is run; what is no action is refused with a reason."""
    with watched() as (store, source, _):
        value = ask(source, "dispatch", text="{type: 'board/rename', payload: 'x'}")
        assert value == {"action": {"type": "board/rename", "payload": "x"}, "changed": True}
        value = ask(source, "dispatch", text="{type: 'board/nosuch'}")
        assert value == {"action": {"type": "board/nosuch"}, "changed": False}
        assert store[board].name == "x"
        assert refused(source, "dispatch", text="alert(1)")
        assert refused(source, "dispatch", text="{payload: 1}")
        assert "is a text" in refused(source, "dispatch")
        assert "not today" in refused(source, "dispatch", text="{type: 'board/fail'}")
        assert len(source.records(0)) == 1


def test_a_lock_refuses_changes() -> None:
    """Looking is allowed."""
    with watched() as (store, source, _):
        store.dispatch(do.rename("x"))
        source.locked = True
        text = "{type: 'board/rename', payload: 'y'}"
        assert "locked" in refused(source, "dispatch", text=text)
        assert "locked" in refused(source, "revert", number=0)
        assert ask(source, "state", number=0)
        assert store[board].name == "x"


def test_a_revert_is_a_new_action() -> None:
    """It takes back one record, and says what it could not."""
    with watched() as (store, source, _):
        store.dispatch(do.add("a", "milk"))
        store.dispatch(do.finish("a"))
        value = ask(source, "revert", number=1)
        assert store[board].tasks["a"].done is False
        assert value["action"]["type"] == "@@devtools/revert"
        assert value["action"]["payload"] == {
            "type": "board/finish",
            "replica": store.replica,
            "at": 1000,
        }
        assert (value["changed"], value["skipped"]) == (True, [])
        assert source.records(2)[0]["label"].startswith("@@devtools/revert(type='board/finish'")
        ask(source, "revert", number=0)
        assert not store[board].tasks
        value = ask(source, "revert", number=1)
        assert (value["changed"], value["skipped"]) == (False, [["board", "tasks", "a"]])
        assert "there is no record 99" in refused(source, "revert", number=99)
        ask(source, "revert", number=3)
        assert store[board].tasks["a"].title == "milk"


def test_conflicts_are_those_that_are_there_now() -> None:
    """Both values of a register, the one that is seen first; settled by the next write."""
    with watched() as (store, source, clock), configure_store([board], clock=Clock()) as other:
        store.dispatch(do.add("a", "milk"))
        other.merge(store.deltas_since(other.state_vectors()))
        clock.now = 3000
        store.dispatch(do.rename("mine"))
        other.dispatch(do.rename("theirs"))
        store.merge(other.deltas_since(store.state_vectors()))
        (conflict,) = ask(source, "conflicts")["conflicts"]
        assert conflict == {
            "path": ["board", "name"],
            "values": [
                {"value": "mine", "replica": store.replica, "at": 3000, "won": True},
                {"value": "theirs", "replica": other.replica, "at": 1000, "won": False},
            ],
        }
        store.dispatch(do.rename("settled"))
        assert ask(source, "conflicts") == {"conflicts": []}


def test_what_sanitizers_hide_is_nowhere() -> None:
    """Not in records, details, states or answers, deltas included."""

    def action(given: Action[Any]) -> Any:
        return {"type": given.type, "payload": "hidden"}

    def state(given: Any) -> Any:
        return {"names": len(given.board.name)}

    options: Any = {"action_sanitizer": action, "state_sanitizer": state}
    with watched(**options) as (store, source, _), configure_store([board]) as other:
        other.dispatch(do.rename("secret theirs"))
        store.dispatch(do.rename("secret"))
        store.merge(other.deltas_since(store.state_vectors()))
        answers = [
            source.records(0),
            ask(source, "detail", number=0),
            ask(source, "state", number=0),
            ask(source, "dispatch", text="{type: 'board/rename', payload: 'secret'}"),
            ask(source, "conflicts"),
        ]
        assert "secret" not in json.dumps(answers)
        assert b"secret".hex() not in json.dumps(answers)
        assert answers[0][0]["label"] == "board/rename('hidden')"
        assert answers[1]["payload"] == "hidden"
        assert answers[1]["diff"] == [
            {"path": ["names"], "kind": "changed", "before": 0, "after": 6}
        ]
        assert answers[2] == {"state": {"names": 6}}


def test_what_fails_is_told_and_never_raised() -> None:
    """Sanitizers that raise, requests that make no sense, a store that is closed."""

    def fail(_: Any) -> Any:
        raise RuntimeError("sanitizer")

    options: Any = {"action_sanitizer": fail, "state_sanitizer": fail}
    with watched(**options) as (store, source, _):
        store.dispatch(do.rename("x"))
        assert "sanitizer" in source.records(0)[0]["label"]
        assert "sanitizer" in ask(source, "detail", number=0)["payload"]
        assert "sanitizer" in ask(source, "state", number=0)["state"]
        assert "nothing that a store can be asked" in refused(source, "explode")
        assert "has a number" in refused(source, "detail", number="1")
        assert "has a number" in refused(source, "state")
        store.close()
        text = "{type: 'board/rename', payload: 'y'}"
        assert "closed" in refused(source, "dispatch", text=text)
        assert "closed" in refused(source, "revert", number=0)
        assert len(source.records(0)) == 1
        assert source.join()["replica"] == store.replica
        assert source.status()["end"] == 1


def test_a_slice_that_comes_later_is_told_of() -> None:
    """Its registers too, from its first record on."""
    with watched() as (store, source, _):
        source.records(0)
        more = create_slice(
            name="more", initial_state={"n": 0}, reducers={"put": lambda s, n: setattr(s, "n", n)}
        )
        store.inject(more)
        store.dispatch(more.actions.put(1))
        assert source.records(0)[0]["paths"] == [["more", "n"]]
        assert "more" in source.join()["slices"]
