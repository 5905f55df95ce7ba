"""The store: dispatching, subscribing, merging, and what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crdtstore import (
    Action,
    ActionInfo,
    ClosedError,
    Commit,
    Conflict,
    Counter,
    DispatchError,
    ForkedStoreError,
    List,
    Map,
    Merged,
    StateValueError,
    StorageError,
    StorageLockedError,
    Store,
    Table,
    Text,
    UpdateError,
    configure_store,
    create_action,
    create_reducer,
    create_slice,
)
from crdtstore.document import Document
from crdtstore.storage import MemoryStorage, Record

TIMEOUT = 30


@dataclass
class Row:
    name: str = ""
    n: Counter = Counter(0)


@dataclass
class State:
    n: Counter = Counter(0)
    name: str = "start"
    title: Text = Text()
    rows: Table[Row] = Table()
    items: List[Row] = List()
    entries: Map[Any] = Map()


@dataclass
class Log:
    lines: List[str] = List()


main = create_slice(name="main", initial_state=State())
log = create_slice(name="log", initial_state=Log())
reset = create_action("reset")


@main.reducer
def add(state: State, by: int = 1) -> None:
    state.n += by


@main.reducer
def rename(state: State, name: str) -> None:
    state.name = name


@main.reducer
def put(state: State, key: str, name: str) -> None:
    state.rows[key] = Row(name)


@main.reducer
def fail(state: State) -> None:
    state.n += 100
    raise ZeroDivisionError


@main.reducer
def run(state: State, program: Callable[[State], Any]) -> Any:
    return program(state)


@main.add_case(reset)
def reset_main(state: State, action: Action[Any]) -> State:
    return State()


@log.add_case(add)
def note(state: Log, action: Action[int]) -> None:
    state.lines.append(f"+{action.payload}")
    if action.payload == 13:
        raise ValueError("unlucky")


def opened(**options: Any) -> Store:
    """Open a store of both slices."""
    return configure_store([main, log], **options)


def sync(*stores: Store) -> None:
    """Let every store have what the others have."""
    for source in stores:
        for target in stores:
            target.merge(source.deltas_since(target.state_vectors()))


# Dispatching


def test_a_dispatch_changes_the_state_before_it_returns() -> None:
    """``dispatch`` returns the action, and the state is the new one."""
    with opened() as store:
        assert store.dispatch(add(2)) == add(2)
        assert (store.state.main.n, store[main].n, store.get_state().main.n) == (2, 2, 2)
        assert list(store[log].lines) == ["+2"]


def test_an_action_happens_in_all_slices_or_in_none() -> None:
    """If one slice's reducer raises, no slice has changed."""
    with opened() as store:
        before, digest = store.state, store.digest()
        with pytest.raises(ValueError, match="unlucky"):
            store.dispatch(add(13))
        assert store.state is before
        assert store.digest() == digest
        store.dispatch(add(1))
        assert (store[main].n, list(store[log].lines)) == (1, ["+1"])


def test_a_reducer_that_raises_leaves_the_store_usable() -> None:
    """The exception is the dispatcher's, and the next action works."""
    with opened() as store:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                store.dispatch(fail())
        store.dispatch(add())
        assert store[main].n == 1


def test_dispatching_and_merging_inside_a_reducer_are_refused() -> None:
    """Reducers only change their state, as in Redux."""
    with opened() as store, opened() as other:
        other.dispatch(add(5))
        deltas = other.deltas_since({})
        with pytest.raises(DispatchError, match="'main/add' was dispatched inside a reducer"):
            store.dispatch(run(lambda state: store.dispatch(add())))
        with pytest.raises(DispatchError, match="merge was called inside a reducer"):
            store.dispatch(run(lambda state: store.merge(deltas)))
        with pytest.raises(DispatchError, match="'counts' was dispatched inside"):
            store.dispatch(run(lambda state: store.dispatch({"type": "counts"})))
        with pytest.raises(DispatchError, match="close was called inside a reducer"):
            store.dispatch(run(lambda state: store.close()))
        assert store[main].n == 0
        store.merge(deltas)
        assert store[main].n == 5


def test_another_store_may_be_used_inside_a_reducer() -> None:
    """The guard belongs to one store."""
    with opened() as store, opened() as other:
        store.dispatch(run(lambda state: other.dispatch(add(2)) and None))
        assert (store[main].n, other[main].n) == (0, 2)


def test_state_that_cannot_be_held_changes_nothing() -> None:
    """A refused value is found before any document is touched."""
    with opened() as store:
        before = store.state
        with pytest.raises(StateValueError, match=r"^main\.name: "):
            store.dispatch(rename(object()))  # type: ignore[arg-type]
        assert store.state is before


def test_no_increment_of_many_threads_is_lost() -> None:
    """Threads dispatch at the same time; commits are in order and complete."""
    threads, each = 8, 60
    with opened() as store:
        commits: list[int] = []
        heard: list[int] = []
        store.on_commit(lambda commit: commits.append(commit.seq))
        store.subscribe(lambda state: state.main.n, lambda value, previous: heard.append(value))
        start = threading.Barrier(threads)

        def work() -> None:
            start.wait()
            for _ in range(each):
                store.dispatch(add())

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert store[main].n == len(store[log].lines) == threads * each
        assert commits == sorted(set(commits))
        assert len(commits) == threads * each
        assert heard == list(range(1, threads * each + 1))


def test_a_slice_that_is_not_here_is_named() -> None:
    """``store[other]`` says which slices there are."""
    with opened() as store, pytest.raises(KeyError, match="no slice 'other'; slices: main, log"):
        _ = store[create_slice(name="other", initial_state=0)]


# Subscribing


def test_a_listener_is_told_after_every_change_until_it_stops() -> None:
    """``subscribe`` returns what ends the subscription, harmless to call twice."""
    with opened() as store:
        heard: list[int] = []
        stop = store.subscribe(lambda: heard.append(store[main].n))
        store.dispatch(add())
        store.dispatch(rename("start"))  # no change
        store.dispatch(Action("nobody/cares"))
        store.dispatch(add())
        stop()
        stop()
        store.dispatch(add())
        assert heard == [1, 2]


def test_a_selector_s_listener_hears_only_of_changes_of_what_it_selects() -> None:
    """It gets the value and the one before; an equal value is no change."""
    with opened() as store:
        heard: list[tuple[Any, Any]] = []
        store.subscribe(lambda state: state.main.name, lambda *news: heard.append(news))
        store.subscribe(
            lambda state: [row.name for row in state.main.rows.values()],
            lambda *news: heard.append(news),
        )
        store.dispatch(add())
        store.dispatch(rename("a"))
        store.dispatch(put("k", "row"))
        store.dispatch(rename("b"))
        assert heard == [("a", "start"), (["row"], []), ("b", "a")]


def test_a_subscriber_may_dispatch() -> None:
    """Its action is told after the present one, to everybody, in order."""
    with opened() as store:
        first: list[int] = []
        second: list[int] = []

        def again(value: int, previous: int) -> None:
            first.append(value)
            if value < 3:
                store.dispatch(add())

        store.subscribe(lambda state: state.main.n, again)
        store.subscribe(lambda state: state.main.n, lambda value, _: second.append(value))
        store.dispatch(add())
        assert (first, second) == ([1, 2, 3], [1, 2, 3])


def test_a_new_subscriber_is_told_nothing_that_it_knows_already() -> None:
    """News that waits while somebody subscribes is older than what the newcomer starts from."""
    with opened() as store:
        heard: list[tuple[int, int]] = []
        calls: list[int] = []

        def first(value: int, previous: int) -> None:
            if value == 1:
                store.dispatch(add(10))
                store.dispatch(add(100))
                store.subscribe(lambda state: state.main.n, lambda *news: heard.append(news))
                store.subscribe(lambda: calls.append(store[main].n))

        store.subscribe(lambda state: state.main.n, first)
        store.dispatch(add(1))
        assert (heard, calls) == ([], [])
        store.dispatch(add(1000))
        assert (heard, calls) == ([(1111, 111)], [1111])


def test_a_subscriber_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The state is committed, the others are told, the failure is logged."""
    with opened() as store, caplog.at_level(logging.ERROR, logger="crdtstore"):
        heard: list[int] = []
        store.subscribe(lambda: 1 // 0)
        store.subscribe(lambda state: 1 // (state.main.n - 1), lambda *_: None)
        store.subscribe(lambda: heard.append(store[main].n))
        store.dispatch(add())
        assert heard == [1]
    assert caplog.text.count("a listener failed; the state is committed all the same") == 2


@pytest.mark.parametrize("wrong", [(5,), (None,), (len, 5), ("main.n", len)])
def test_subscribing_something_else_is_refused(wrong: Any) -> None:
    """``subscribe`` takes functions."""
    with opened() as store, pytest.raises(TypeError, match="subscribe takes a listener, or a"):
        store.subscribe(*wrong)


def test_a_batch_is_told_once() -> None:
    """Inside of ``batch`` the state changes at once, and subscribers hear of it at the end."""
    with opened() as store:
        heard: list[int] = []
        store.subscribe(lambda: heard.append(store[main].n))
        with store.batch():
            store.dispatch(add())
            with store.batch():
                store.dispatch(add())
            assert store[main].n == 2
            assert heard == []
        with store.batch():
            pass
        with store.batch():
            store.dispatch(rename("start"))
        with pytest.raises(ZeroDivisionError), store.batch():
            store.dispatch(lambda dispatch, get_state: dispatch(add()) and 1 // 0)
        assert heard == [2, 3]


def test_overlapping_batches_of_threads_lose_no_news() -> None:
    """What one thread did in its batch is told when the last of the overlapping ones ends."""
    with opened() as store:
        heard: list[int] = []
        store.subscribe(lambda: heard.append(store[main].n))
        entered, leave = threading.Event(), threading.Event()

        def other() -> None:
            with store.batch():
                entered.set()
                assert leave.wait(TIMEOUT)

        thread = threading.Thread(target=other)
        with store.batch():
            store.dispatch(add())
            thread.start()
            assert entered.wait(TIMEOUT)
        assert heard == []
        leave.set()
        thread.join()
        assert heard == [1]


def test_notify_sends_listeners_elsewhere() -> None:
    """``notify`` is given the function that tells, once for each change."""
    jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    with opened(notify=jobs.put) as store:
        heard: list[int] = []
        store.dispatch(add())  # nobody listens yet
        assert jobs.empty()
        store.subscribe(lambda: heard.append(threading.get_ident()))
        store.dispatch(add())
        store.dispatch(Action("nobody/cares"))
        assert heard == []
        thread = threading.Thread(target=jobs.get_nowait())
        thread.start()
        thread.join()
        assert len(heard) == 1
        assert heard != [threading.get_ident()]
        assert jobs.empty()


def test_notify_into_an_event_loop() -> None:
    """``notify=loop.call_soon_threadsafe`` runs listeners on the loop, whoever commits."""

    async def program() -> list[tuple[int, int]]:
        loop = asyncio.get_running_loop()
        heard: list[tuple[int, int]] = []
        done = asyncio.Event()

        def hear(value: int, previous: int) -> None:
            heard.append((value, threading.get_ident()))
            if value == 3:
                done.set()

        with opened(notify=loop.call_soon_threadsafe) as store:
            store.subscribe(lambda state: state.main.n, hear)
            await asyncio.to_thread(lambda: [store.dispatch(add()) for _ in range(3)])
            await asyncio.wait_for(done.wait(), TIMEOUT)
        return heard

    assert asyncio.run(program()) == [(n, threading.get_ident()) for n in (1, 2, 3)]


def test_a_notify_that_fails_does_not_fail_the_dispatch(caplog: pytest.LogCaptureFixture) -> None:
    """The work is committed; what could not be told is told when it works again."""
    broken = True

    def notify(tell: Callable[[], None]) -> None:
        if broken:
            raise RuntimeError("Event loop is closed")
        tell()

    with opened(notify=notify) as store, caplog.at_level(logging.ERROR, logger="crdtstore"):
        heard: list[int] = []
        store.subscribe(lambda state: state.main.n, lambda value, _: heard.append(value))
        store.dispatch(add())
        assert store[main].n == 1
        assert "notify= failed" in caplog.text
        broken = False
        store.dispatch(add())
        assert heard == [1, 2]


# Commits


def test_a_commit_tells_what_was_done_by_whom() -> None:
    """All slices of one action are one commit, with the deltas as they go to peers."""
    with opened(clock=lambda: 1234) as store, opened() as peer:
        commits: list[Commit] = []
        stop = store.on_commit(commits.append)
        store.dispatch(add(2))
        (commit,) = commits
        assert set(commit.deltas) == {"main", "log"}
        assert commit.info == ActionInfo("main/add", store.replica, 1234)
        assert (commit.origin, commit.at) == (None, 1234)
        peer.merge(commit.deltas)
        assert peer.digest() == store.digest()
        stop()
        store.dispatch(add(2))
        assert len(commits) == 1


def test_a_merged_commit_carries_its_origin_and_is_relayed_as_received() -> None:
    """``merge`` passes on what it was told of the action, and the very bytes."""
    with opened() as source, opened() as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        source.dispatch(add(2))
        deltas = source.deltas_since({})
        info = ActionInfo("main/add", source.replica, 5)
        store.merge(deltas, info=info, origin="a link")
        (commit,) = commits
        assert (commit.info, commit.origin) == (info, "a link")
        assert dict(commit.deltas) == deltas
        store.merge(deltas, info=info, origin="a link")
        assert len(commits) == 1


def test_payloads_are_shared_only_where_a_slice_says_so() -> None:
    """``share_payloads`` puts the action's payload beside its type, if it can be."""
    shared = create_slice(name="shared", initial_state=State(), share_payloads=True)
    put_shared = shared.reducer(name="put")(
        lambda state, value: setattr(state, "name", repr(value))
    )
    with configure_store([shared]) as store:
        infos: list[Any] = []
        store.on_commit(lambda commit: infos.append(commit.info))
        store.dispatch(put_shared({"a": [1]}))
        store.dispatch(put_shared(object()))
    assert [info.payload for info in infos] == [b"\x81\xa1a\x91\x01", None]


def test_durable_commits_come_in_order_after_they_are_stored(tmp_path: Path) -> None:
    """``on_commit(durable=True)`` tells every commit once, in order, when it is in the file."""
    told: list[tuple[int, bool]] = []
    with opened(storage=tmp_path / "store.db") as store:
        storage = store._storage
        store.on_commit(
            lambda commit: told.append((commit.seq, storage.durable_seq >= commit.seq)),
            durable=True,
        )
        threads = [
            threading.Thread(target=lambda: [store.dispatch(rename(f"{n}")) for n in range(40)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.flush().wait(TIMEOUT)
        seqs = [seq for seq, _ in told]
        assert seqs == sorted(set(seqs))
        assert all(stored for _, stored in told)
        last = store._keeper._seq
    assert told[-1][0] == last


def test_durable_commits_keep_their_order_whoever_reports_them() -> None:
    """The thread that commits and the storage's own may both notice; nothing is overtaken."""
    with opened() as store:
        order: list[int] = []
        store.on_commit(lambda commit: order.append(commit.seq), durable=True)
        for start in range(0, 2000, 20):
            store._commits._undurable.extend(
                Commit(seq, {}, None, None, 0) for seq in range(start, start + 20)
            )
            barrier = threading.Barrier(3)

            def report(upto: int, barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                store._commits.durable(upto)

            threads = [
                threading.Thread(target=report, args=(start + upto,)) for upto in (10, 19, 19)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert order == list(range(2000))


# Merging


def test_two_increments_make_two() -> None:
    """Concurrent work of two stores adds up, and both end in the same state."""
    with opened() as a, opened() as b:
        a.dispatch(add())
        b.dispatch(add())
        a.dispatch(put("x", "from a"))
        b.dispatch(put("y", "from b"))
        sync(a, b)
        assert a.digest() == b.digest()
        assert a.state == b.state
        assert a[main].n == 2
        assert set(a[main].rows) == {"x", "y"}


def test_merge_says_what_became_of_the_deltas() -> None:
    """Changed, waiting for earlier work, or of slices that are not here."""
    with opened() as source, opened() as store:
        deltas: list[Mapping[str, bytes]] = []
        source.on_commit(lambda commit: deltas.append(commit.deltas))
        source.dispatch(rename("first"))
        source.dispatch(rename("second"))
        first, second = deltas
        assert store.merge(second) == Merged(missing=frozenset({"main"}))
        assert store[main].name == "start"
        assert store.merge({**first, "strange": b"\0"}) == Merged(
            changed=frozenset({"main"}), unknown=frozenset({"strange"})
        )
        assert store[main].name == "second"
        assert store.merge(first) == Merged()
        assert store.merge({}) == Merged()


def test_malformed_deltas_are_refused_and_none_is_merged() -> None:
    """One bad delta in a frame spoils the frame, not the store."""
    with opened() as source, opened() as store:
        source.dispatch(add(2))
        good = source.deltas_since({})
        for bad in (b"", b"\xff", good["main"][:-1], b"\x01" * 40):
            with pytest.raises(UpdateError):
                store.merge({"log": good["log"], "main": bad})
            assert store[log].lines == []
        for wrong in ("text", 5, None, [1]):
            with pytest.raises(TypeError, match="a delta is bytes, got"):
                store.merge({"main": wrong})  # type: ignore[dict-item]
        store.merge({name: bytearray(delta) for name, delta in good.items()})
        assert store[main].n == 2
        with pytest.raises(UpdateError):
            store.deltas_since({"main": b"\xff\xff\xff\xff\xff"})


def test_conflicts_show_the_loser_until_the_next_write() -> None:
    """The later write wins a register; ``conflicts`` keeps the other."""
    with opened(clock=lambda: 10) as a, opened(clock=lambda: 20) as b:
        a.dispatch(rename("early"))
        b.dispatch(rename("late"))
        sync(a, b)
        assert a[main].name == b[main].name == "late"
        assert a.conflicts(main, "name") == (
            Conflict("late", b.replica, 20),
            Conflict("early", a.replica, 10),
        )
        assert a.conflicts("main", "name") == b.conflicts(main, "name")
        assert a.conflicts(main, "n") == ()
        b.dispatch(rename("settled"))
        sync(a, b)
        assert a.conflicts(main, "name") == ()


# Preloaded state


def test_preloaded_state_is_brought_into_an_empty_store(tmp_path: Path) -> None:
    """It is dispatched once; a store that holds something keeps what it has."""
    path = tmp_path / "store.db"
    preloaded = {"main": State(name="preloaded", rows={"k": Row("r")})}
    with opened(storage=path, preloaded_state=preloaded) as store:
        assert store[main].name == "preloaded"
        assert store[main].rows["k"].name == "r"
        store.dispatch(rename("changed"))
    with opened(storage=path, preloaded_state=preloaded) as store:
        assert store[main].name == "changed"
    with opened(preloaded_state={"main": {"name": "from a dict"}, "log": None}) as store:
        assert (store[main].name, store[main].n) == ("from a dict", 0)


@pytest.mark.parametrize(
    ("preloaded", "error", "message"),
    [
        ({"man": State()}, DispatchError, "preloaded_state has no slice 'man'; slices: main, log"),
        ({"main": 5}, StateValueError, "main: expected State, got int"),
        ({"main": {"nme": 1}}, StateValueError, "main: unknown field 'nme'; fields: n, name"),
    ],
)
def test_wrong_preloaded_state_is_refused_and_the_file_let_go(
    tmp_path: Path, preloaded: Any, error: type[Exception], message: str
) -> None:
    """A failed ``configure_store`` leaves nothing behind."""
    path = tmp_path / "store.db"
    with pytest.raises(error, match=message):
        opened(storage=path, preloaded_state=preloaded)
    with opened(storage=path) as store:
        assert store[main] == State()


# Life


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([], {"reducer": {}}, r"takes slices, not reducer=: configure_store\(\[todos\]\)"),
        ([[main]], {"reducer": {}}, r"takes slices, not reducer="),
        ([[main]], {"reducers": {}}, "got an unexpected argument 'reducers'"),
        ([[main]], {"dev_tools": True}, "got an unexpected argument 'dev_tools'"),
        ([main], {}, r"takes a list of slices: configure_store\(\[todos\]\)"),
        ([[State]], {}, "takes slices, got type"),
        ([[main, None]], {}, "takes slices, got NoneType"),
        ([[main.actions]], {}, "takes slices, got "),
        ([{"main": main.reducer}], {}, "give the slice itself at 'main', and not its reducer"),
        ([create_reducer(0, lambda builder: None)], {}, "give the reducer a name"),
        ([[main]], {"notify": 5}, "notify= is a function of the function that notifies, got int"),
        ([[main]], {"clock": None}, "clock= is a function that returns ms, got NoneType"),
        ([[main]], {"token": "x"}, "token= is a function that returns a new str, got str"),
        ([[main]], {"storage": 5}, "storage= is the path of a file, or a Storage, got int: 5"),
        ([[main]], {"preloaded_state": 5}, "preloaded_state= maps slice names to states, got int"),
        ([[main]], {"middleware": 5}, "middleware= is a list to add to the default one.*got int"),
        (
            [[main]],
            {"middleware": lambda defaults: defaults.append(None)},
            "got NoneType: None from the function",
        ),
    ],
)
def test_wrong_arguments_of_configure_store_say_what_to_write(
    arguments: list[Any], options: dict[str, Any], message: str
) -> None:
    """Habits of Redux Toolkit are met with the way it is done here."""
    with pytest.raises(TypeError, match=message):
        configure_store(*arguments, **options)


def test_an_unknown_durability_is_refused_with_or_without_a_file() -> None:
    """Not only when there is a file."""
    with pytest.raises(ValueError, match="durability= is 'full' or 'normal', got 'x'"):
        configure_store([main], durability="x")


def test_two_slices_of_one_name_are_refused() -> None:
    """Names are what peers match; a store of nothing is refused too."""
    with pytest.raises(ValueError, match="two slices are named 'main'; names are what peers match"):
        configure_store([main, create_slice(name="main", initial_state=0)])
    with pytest.raises(ValueError, match="configure_store needs at least one slice"):
        configure_store([])


def test_slices_may_be_given_as_a_mapping_or_any_iterable() -> None:
    """A dict says where each slice lives; otherwise it is the slice itself that does."""
    for given in ((main, log), iter([main, log]), {"main": main, "log": log}):
        with configure_store(given) as store:
            assert store.slices == ("main", "log")
            assert repr(store) == (
                f"<Store main, log: replica {store.replica[:8]}, session {store.session}>"
            )
    with configure_store({"x": main, "y": log}) as store:
        assert store.slices == ("x", "y")
        store.dispatch(add())
        assert store.state.x.n == 1


def test_a_closed_store_can_be_read_and_nothing_else() -> None:
    """Every use after ``close`` says so; closing again is harmless."""
    store = opened()
    store.dispatch(add(2))
    deltas = store.deltas_since({})
    store.close()
    store.close()
    assert store.state.main.n == 2
    assert "closed" in repr(store)
    for use in (
        lambda: store.dispatch(add()),
        lambda: store.merge(deltas),
        lambda: store.merge({}),
        lambda: store.flush(),
        lambda: store.compact(),
        lambda: store.batch().__enter__(),
        lambda: store.dispatch(lambda dispatch, get_state: dispatch(add())),
    ):
        with pytest.raises(ClosedError):
            use()
    assert store.state.main.n == 2


def test_a_store_is_a_context_manager_of_both_sorts(tmp_path: Path) -> None:
    """``with`` and ``async with`` close it, also when the body raises."""
    path = tmp_path / "store.db"

    async def program() -> None:
        async with opened(storage=path) as store:
            store.dispatch(add())

    asyncio.run(program())
    with pytest.raises(ZeroDivisionError), opened(storage=path) as store:
        1 // (store[main].n - 1)
    with opened(storage=path):
        pass


def test_a_reopened_store_is_the_same_replica_with_another_session(tmp_path: Path) -> None:
    """State, digest and lasting name stay; the id of the session is new."""
    path = tmp_path / "store.db"
    with opened(storage=path) as store:
        store.dispatch(add(3))
        store.dispatch(put("k", "row"))
        before = (store.state, store.digest(), store.replica, store.session)
    with opened(storage=str(path)) as store:
        assert (store.state, store.digest(), store.replica) == before[:3]
        assert store.session != before[3]
        store.dispatch(add(1))
        assert store[main].n == 4


def test_the_schema_is_told_by_slice_and_place() -> None:
    """Peers compare it when they meet."""
    with opened() as store:
        assert store.schema()["log"] == {"lines": "list", "lines/*": "register"}
        assert store.schema()["main"]["rows/*/n"] == "counter"


# What goes wrong


@dataclass
class FailingStorage:
    """A memory storage whose appends can be made to fail."""

    inner: MemoryStorage = field(default_factory=MemoryStorage)
    failing: BaseException | None = None
    after: bool = False

    def append(self, records: Sequence[Record]) -> int:
        """Fail before or after the records are kept."""
        if self.failing is not None and not self.after:
            raise self.failing
        seq = self.inner.append(records)
        if self.failing is not None:
            raise self.failing
        return seq

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize("error", [StorageError("disk full"), KeyboardInterrupt(), MemoryError()])
def test_a_storage_that_takes_no_more_work_leaves_the_state(error: BaseException) -> None:
    """What was not logged is not shown, not told, not kept; the store works on."""
    storage = FailingStorage()
    with opened(storage=storage) as store, opened() as peer:
        heard: list[Any] = []
        store.dispatch(add(1))
        store.on_commit(heard.append)
        store.subscribe(lambda: heard.append("told"))
        before, digest = store.state, store.digest()
        peer.dispatch(add(10))
        deltas = peer.deltas_since({})
        storage.failing = error
        with pytest.raises(type(error)):
            store.dispatch(add(2))
        with pytest.raises(type(error)):
            store.merge(deltas)
        assert store.state == before
        assert store.digest() == digest
        assert heard == []
        storage.failing = None
        store.dispatch(add(4))
        store.merge(deltas)
        assert store[main].n == 15
        sync(store, peer)
        assert store.digest() == peer.digest()


def test_work_that_was_logged_is_shown_even_if_the_storage_raises_afterwards() -> None:
    """What the log holds and what the store shows never differ."""
    storage = FailingStorage(after=True)
    with opened(storage=storage) as store:
        store.dispatch(add(1))
        storage.failing = StorageError("after all")
        with pytest.raises(StorageError):
            store.dispatch(add(2))
        storage.failing = None
        shown = store[main].n
        digest = store.digest()
    with opened(storage=storage) as again:
        assert (again[main].n, again.digest()) == (shown, digest)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_in_the_middle_of_applying_leaves_the_state(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException], moment: str
) -> None:
    """Ctrl-C inside a document: the action happened in no slice, and the store works on."""
    apply = Document.apply
    hit: list[int] = []

    def interrupted(self: Document, changes: Any, now: int) -> bytes:
        hit.append(1)
        if len(hit) < 2:  # the first slice is applied, the second is hit
            return apply(self, changes, now)
        if moment == "after":
            apply(self, changes, now)
        raise error

    with opened() as store, opened() as peer:
        store.dispatch(add(1))
        sync(store, peer)
        commits: list[Commit] = []
        store.on_commit(commits.append)
        before, digest = store.state, store.digest()
        monkeypatch.setattr(Document, "apply", interrupted)
        with pytest.raises(error):
            store.dispatch(add(2))
        monkeypatch.undo()
        assert store.state == before
        assert store.digest() == digest
        assert commits == []
        store.dispatch(add(4))
        sync(store, peer)
        assert peer[main].n == store[main].n == 5
        assert list(store[log].lines) == list(peer[log].lines) == ["+1", "+4"]
        assert store.digest() == peer.digest()


def test_an_interrupt_while_merging_leaves_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that is hit between two slices happened in neither."""
    merge = Document.merge
    hit: list[int] = []

    def interrupted(self: Document, *args: Any, **options: Any) -> Any:
        hit.append(1)
        result = merge(self, *args, **options)
        if len(hit) == 2:
            raise KeyboardInterrupt
        return result

    with opened() as store, opened() as peer:
        store.dispatch(add(1))
        peer.dispatch(add(2))
        deltas = peer.deltas_since({})
        before, digest = store.state, store.digest()
        monkeypatch.setattr(Document, "merge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.merge(deltas)
        monkeypatch.undo()
        assert (store.state, store.digest()) == (before, digest)
        store.merge(deltas)
        sync(store, peer)
        assert store[main].n == 3
        assert store.digest() == peer.digest()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # hit in a finaliser
def test_interrupts_at_random_moments_never_tear_an_action() -> None:
    """Real signals during dispatches: each action is done in both slices or in none."""

    armed = False

    def interrupt(*_: Any) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    done = 0
    try:
        with opened() as store:
            for moment in range(120):
                with contextlib.suppress(KeyboardInterrupt):
                    armed = True
                    signal.setitimer(signal.ITIMER_REAL, 2e-5 + moment * 3e-6)
                    store.dispatch(add(1))
                    done += 1
                    armed = False
                lines = len(store[log].lines)
                assert store[main].n == lines >= done
                done = lines
            store.dispatch(add(1))
            assert store[main].n == done + 1
            with opened() as peer:
                peer.merge(store.deltas_since({}))
                assert peer.digest() == store.digest()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_a_close_that_could_not_store_everything_can_be_tried_again() -> None:
    """The store stays open then, and nothing is lost."""
    storage: Any = FailingStorage()
    close = storage.inner.close
    failures = [StorageError("disk full")]

    def failing() -> None:
        if failures:
            raise failures.pop()
        close()

    storage.inner.close = failing
    store = opened(storage=storage)
    store.dispatch(add())
    with pytest.raises(StorageError, match="disk full"):
        store.close()
    assert "closed" not in repr(store)
    store.close()
    assert "closed" in repr(store)


# Forks


@contextlib.contextmanager
def forked(child: Callable[[], None]) -> Iterator[None]:
    """Run ``child`` in a forked process; it must end well."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            child()
            code = 0
        finally:
            os._exit(code)
    yield
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("on_disk", [True, False])
def test_a_forked_child_may_read_but_not_write(tmp_path: Path, on_disk: bool) -> None:
    """The child is told to open a store of its own; the parent notices nothing."""
    path = tmp_path / "store.db"
    with opened(storage=path if on_disk else None) as store:
        store.dispatch(add(2))
        deltas = store.deltas_since({})
        store.flush().wait(TIMEOUT)

        def child() -> None:
            assert store.state.main.n == 2
            assert store.digest()
            assert store.deltas_since({})
            for write in (
                lambda: store.dispatch(add()),
                lambda: store.merge(deltas),
                lambda: store.flush(),
                lambda: store.compact(),
            ):
                with pytest.raises(ForkedStoreError, match=r"opened before os\.fork"):
                    write()
            with opened(storage=tmp_path / "child.db") as own:
                own.merge(deltas)
                own.dispatch(add(5))
                assert own[main].n == 7
                assert own.session != store.session
            if on_disk:
                with pytest.raises(ForkedStoreError):
                    opened(storage=path)
            store.close()

        with forked(child):
            store.dispatch(add(1))
        store.dispatch(add(1))
        store.flush().wait(TIMEOUT)
        assert store[main].n == 4
        if on_disk:
            with pytest.raises(StorageLockedError):
                opened(storage=path)
    if on_disk:
        with opened(storage=path) as again:
            assert again[main].n == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_holds_the_lock_does_not_hang_the_child() -> None:
    """The child gets a lock of its own."""
    inside, leave = threading.Event(), threading.Event()

    def hold(state: Any) -> None:
        inside.set()
        assert leave.wait(TIMEOUT)

    with opened() as store:
        thread = threading.Thread(target=lambda: store.dispatch(run(hold)))
        thread.start()
        assert inside.wait(TIMEOUT)

        def child() -> None:
            signal.alarm(20)
            with pytest.raises(ForkedStoreError):
                store.dispatch(add())
            assert store.digest()

        with forked(child):
            leave.set()
            thread.join()


def test_the_result_of_flush_can_be_waited_for_or_awaited(tmp_path: Path) -> None:
    """``flush`` returns a ``Waitable``; afterwards everything is in the file."""

    async def program(store: Store) -> None:
        await store.flush()

    with opened(storage=tmp_path / "store.db") as store:
        store.dispatch(add())
        store.flush().wait(TIMEOUT)
        assert store._storage.durable_seq == store._keeper._seq
        asyncio.run(program(store))


def test_a_future_of_the_storage_that_fails_is_raised_by_flush() -> None:
    """Whoever waits learns that his work is not durable."""
    storage: Any = FailingStorage()
    future: Future[None] = Future()
    future.set_exception(StorageError("disk full"))
    storage.flush = lambda: future
    with opened(storage=storage) as store, pytest.raises(StorageError, match="disk full"):
        store.flush().wait(TIMEOUT)


def test_resetting_by_returning_the_initial_state() -> None:
    """The usual ``reset`` action works across slices."""
    with opened() as store:
        store.dispatch(add(2))
        store.dispatch(put("k", "row"))
        store.dispatch(reset())
        assert store[main] == State()
        assert len(store[log].lines) == 1


def test_the_digest_of_a_store_says_which_slice_holds_what() -> None:
    """The same content in another slice is another state."""
    twin = create_slice(name="twin", initial_state=State())
    with (
        configure_store([main, twin]) as writer,
        configure_store([main, twin]) as here,
        configure_store([main, twin]) as there,
    ):
        writer.dispatch(rename("x"))
        delta = writer.deltas_since({})["main"]
        here.merge({"main": delta})
        there.merge({"twin": delta})
        assert (here[main], here[twin]) == (there[twin], there[main])
        assert here.digests()["main"] == there.digests()["twin"]
        assert here.digest() != there.digest()


@pytest.mark.parametrize("durable", [False, True])
def test_commits_that_a_hook_makes_are_told_in_their_order(durable: bool) -> None:
    """The hook is told of its own work after what it is told of now, the oldest first."""
    with opened() as store:
        seen: list[int] = []

        def work(commit: Commit) -> None:
            seen.append(commit.seq)
            if len(seen) == 1:
                for number in range(3):
                    store.dispatch(rename(str(number)))

        store.on_commit(work, durable=durable)
        store.dispatch(rename("first"))
        assert len(seen) == 4
        assert seen == sorted(seen)


def test_what_belongs_together_is_stored_as_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash leaves all slices of a dispatch or a merge, or none of them."""
    storage = MemoryStorage()
    batches: list[list[str]] = []
    append = storage.append

    def spied(records: Sequence[Record]) -> int:
        batches.append([record.slice for record in records])
        return append(records)

    monkeypatch.setattr(storage, "append", spied)
    with opened(storage=storage) as store, opened() as peer:
        store.dispatch(add())
        peer.dispatch(add())
        store.merge(peer.deltas_since(store.state_vectors()))
    assert batches == [["main", "log"], ["main", "log"]]
