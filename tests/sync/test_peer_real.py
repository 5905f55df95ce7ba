"""Peers over real stores: every kind, files, restarts, threads, and bytes no store wrote."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crdtstore import (
    Commit,
    Counter,
    List,
    Map,
    Set,
    Store,
    Table,
    Text,
    configure_store,
    create_slice,
)
from sync import Peer
from sync.frames import Delta, Diff, Entry, State
from sync.port import ReplicatedStore
from tests.sync.stranger import Stranger
from tests.sync.watch import FAST, PATIENCE, Watch, until

LOOPBACK = "tcp://127.0.0.1:0"


@dataclass
class Task:
    """A row."""

    title: Text = Text()
    done: bool = False
    votes: Counter = Counter(0)


@dataclass
class Board:
    """One of every kind."""

    name: str = "board"
    notes: Text = Text()
    visits: Counter = Counter(0)
    order: List[Task] = List()
    tasks: Table[Task] = Table()
    tags: Set[str] = Set()
    settings: Map[int] = Map()


board = create_slice(name="board", initial_state=Board(), share_payloads=True)
counts = create_slice(name="counts", initial_state={"n": Counter(0)})
log = create_slice(name="log", initial_state={"entries": 0})


@counts.reducer
def count(state: Any, by: int) -> None:
    state.n += by


@board.reducer
def visit(state: Board, by: int = 1) -> None:
    state.visits += by


@board.reducer
def fill(state: Board, who: str) -> None:
    state.name = who
    state.notes.insert(0, f"{who} was here. ")
    state.order.append(Task(who))
    state.tasks[who] = Task(f"for {who}")
    state.tags.add(who)
    state.settings[who] = len(who)


@board.reducer
def clean(state: Board, who: str) -> None:
    state.tags.discard(who)
    del state.tasks[who]
    del state.settings[who]


def has_visits(store: Store, count: int) -> bool:
    return store[board].visits == count


def open_store(path: Path | None = None) -> Store:
    return configure_store([board], storage=None if path is None else str(path))


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Everything entered here is left when the test ends."""
    with contextlib.ExitStack() as stack:
        yield stack


def test_a_store_is_what_a_peer_needs() -> None:
    """The type checker agrees, and so does the running program."""
    with open_store() as store:
        port: ReplicatedStore = store
        assert port.schema().keys() == port.state_vectors().keys() == port.digests().keys()


def test_every_kind_converges_over_tcp() -> None:
    """Offline work of both sides, removals included, ends in one state on both."""
    with open_store() as one, open_store() as two:
        for store, who in ((one, "ada"), (two, "björn")):
            store.dispatch(fill(who))
            store.dispatch(visit(3))
        with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
            second.synced().wait(PATIENCE)
            assert one.digest() == two.digest()
            assert one[board] == two[board]
            assert one[board].visits == 6
            assert set(one[board].tags) == {"ada", "björn"}
            two.dispatch(clean("ada"))
            second.replicated().wait(PATIENCE)
            assert one[board] == two[board]
            assert set(one[board].tags) == {"björn"}


def test_a_commit_tells_who_did_what() -> None:
    """The action’s type, replica and payload travel with its deltas."""
    with open_store() as one, open_store() as two:
        commits: list[Commit] = []
        two.on_commit(commits.append)
        with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
            second.synced().wait(PATIENCE)
            one.dispatch(visit(2))
            first.replicated().wait(PATIENCE)
        (commit,) = commits
        assert commit.info is not None
        assert commit.info.type == "board/visit"
        assert commit.info.replica == one.replica
        assert commit.info.payload is not None
        assert commit.origin.replica == one.replica


def test_files_survive_restarts_and_catch_up(tmp_path: Path) -> None:
    """What was acknowledged is in the other file; what was missed is fetched after reopening."""
    with open_store(tmp_path / "one.db") as one:
        with open_store(tmp_path / "two.db") as two, Peer(one, listen=LOOPBACK) as first:
            with Peer(two, connect=first.addresses) as second:
                second.synced().wait(PATIENCE)
                for _ in range(50):
                    one.dispatch(visit())
                first.replicated().wait(PATIENCE)
            two.dispatch(fill("offline"))
        one.dispatch(fill("alone"))
        with (
            open_store(tmp_path / "two.db") as two,
            Peer(one, listen=LOOPBACK) as first,
            Peer(two, connect=first.addresses) as second,
        ):
            assert two[board].visits == 50
            second.synced().wait(PATIENCE)
            assert one.digest() == two.digest()
            assert set(one[board].tags) == {"offline", "alone"}


def test_threads_on_a_ring_lose_nothing(stack: contextlib.ExitStack, tmp_path: Path) -> None:
    """Increments of several threads on three files in a cycle all arrive everywhere."""
    stores = [stack.enter_context(open_store(tmp_path / f"{n}.db")) for n in range(3)]
    peers: list[Peer] = []
    for store in stores:
        connect = [peer.addresses[0] for peer in peers]
        peer = Peer(store, listen=LOOPBACK, connect=connect, limits=FAST)
        peers.append(stack.enter_context(peer))

    def work(store: Store) -> None:
        for number in range(100):
            store.dispatch(visit(number))

    threads = [threading.Thread(target=work, args=(store,)) for store in stores * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = 6 * sum(range(100))
    for store in stores:
        until(store, partial(has_visits, store, total))
    for peer in peers:
        peer.synced().wait(PATIENCE)
    assert all(one.digest() == two.digest() for one, two in pairwise(stores))


def test_a_copied_file_is_another_session_and_still_converges(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two openings of one replica’s work merge like any two, with a warning."""
    with open_store(tmp_path / "one.db") as one:
        one.dispatch(fill("before"))
    shutil.copyfile(tmp_path / "one.db", tmp_path / "two.db")
    with open_store(tmp_path / "one.db") as one, open_store(tmp_path / "two.db") as two:
        one.dispatch(visit())
        two.dispatch(visit())
        with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
            second.synced().wait(PATIENCE)
            assert one[board] == two[board]
            assert one[board].visits == 2
    assert any("copied file" in record.message for record in caplog.records)


def test_programs_with_different_slices_share_what_both_have() -> None:
    """A slice that one program does not have is left alone."""
    with configure_store([board, log]) as one, open_store() as two:
        two.dispatch(visit())
        with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
            second.synced().wait(PATIENCE)
            assert one[board].visits == 1
            assert first.status.links[0].unshared == ("log",)


@pytest.mark.parametrize("listener_first", [True, False])
def test_an_injected_slice_gets_what_peers_hold(
    stack: contextlib.ExitStack, listener_first: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Both ways, live, whoever of the two learns of the slice first; the link begins anew."""
    caplog.set_level(logging.WARNING, "crdtstore.sync")
    one, two = open_store(), open_store()
    stack.callback(one.close)
    stack.callback(two.close)
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    second = stack.enter_context(Peer(two, connect=first.addresses, limits=FAST))
    second.synced().wait(PATIENCE)
    here, there = (one, two) if listener_first else (two, one)
    here.inject(counts)
    here.dispatch(count(2))
    there.inject(counts)
    until(there, lambda: there.state.counts.n == 2)
    there.dispatch(count(3))
    until(here, lambda: here.state.counts.n == 5)
    there.dispatch(visit())
    first.synced().wait(PATIENCE)
    assert one.digest() == two.digest()
    assert not first.status.links[0].unshared
    assert not caplog.records


def test_work_goes_on_while_slices_are_injected(stack: contextlib.ExitStack) -> None:
    """Links begin anew many times in the middle of it, and nothing is lost."""
    stores = [open_store() for _ in range(3)]
    for store in stores:
        stack.callback(store.close)
    first = stack.enter_context(Peer(stores[0], listen=LOOPBACK, limits=FAST))
    peers = [
        stack.enter_context(Peer(store, connect=first.addresses, limits=FAST))
        for store in stores[1:]
    ]
    late = [create_slice(name=f"late{n}", initial_state={"n": Counter(0)}) for n in range(5)]
    for each in late:
        for store in stores:
            store.dispatch(visit())
            store.inject(each)
    for store in stores:
        until(store, lambda store=store: store[board].visits == 15)  # type: ignore[misc]
    for peer in (first, *peers):
        peer.synced().wait(PATIENCE)
    assert len({store.digest() for store in stores}) == 1
    assert all(len(store.slices) == 6 for store in stores)


def test_a_changed_kind_is_refused(stack: contextlib.ExitStack) -> None:
    """The same field as a counter here and a register there closes the link by name."""

    other = create_slice(name="board", initial_state={"visits": 0})
    one = stack.enter_context(open_store())
    two = stack.enter_context(configure_store([other]))
    watch = Watch()
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    stack.enter_context(Peer(two, connect=first.addresses, limits=FAST, on_status=watch))
    assert "board.visits" in watch.error("schema")


@pytest.mark.parametrize(
    "update",
    [
        b"",
        b"rubbish",
        b"\x00",
        b"\xff" * 14,
        b"\x01\x01\x01\x00\x04\x01\x05other\x01x\x00",
        b"\x01\x80\x80\x80\x80\x08\x01\x00",
    ],
)
def test_an_update_that_no_store_wrote_closes_its_link_alone(
    update: bytes, stack: contextlib.ExitStack
) -> None:
    """The store does not change, and the honest peer beside it goes on."""
    real, honest = stack.enter_context(open_store()), stack.enter_context(open_store())
    real.dispatch(fill("ada"))
    hub = stack.enter_context(Peer(real, listen=LOOPBACK, limits=FAST))
    good = stack.enter_context(Peer(honest, connect=hub.addresses, limits=FAST))
    good.synced().wait(PATIENCE)
    before = real.digest()
    with Stranger(hub.addresses[0], {"board": {}}) as stranger:
        stranger.send(Delta(1, {"board": update}, None))
        assert stranger.bye().reason == "bad-update"
    assert real.digest() == before
    honest.dispatch(visit())
    good.replicated().wait(PATIENCE)
    assert real[board].visits == 1


@pytest.mark.parametrize("vector", [b"", b"\x01", b"\x05\xff\xff\xff\x7f", b"\xff" * 9])
def test_a_vector_that_no_store_wrote_closes_its_link(
    vector: bytes, stack: contextlib.ExitStack
) -> None:
    """Five bytes that claim a gigabyte are read as five bytes."""
    real = stack.enter_context(open_store())
    hub = stack.enter_context(Peer(real, listen=LOOPBACK, limits=FAST))
    with Stranger(hub.addresses[0], {"board": {}}) as stranger:
        stranger.send(State(1, {"board": Entry(vector, None)}))
        assert stranger.bye().reason in ("malformed", "bad-update")


def test_a_stranger_gets_what_it_asks_for(stack: contextlib.ExitStack) -> None:
    """PROTOCOL.md is enough to read a store: a handshake, a STATE, and its DIFF."""
    real, copy = stack.enter_context(open_store()), stack.enter_context(open_store())
    real.dispatch(fill("ada"))
    hub = stack.enter_context(Peer(real, listen=LOOPBACK, limits=FAST))
    with Stranger(hub.addresses[0], {"board": {}}) as stranger:
        stranger.send(State(1, {"board": Entry(b"\x00", None)}))
        diff = stranger.until(lambda event: isinstance(event, Diff))
        assert isinstance(diff, Diff)
        assert (diff.number, diff.answers, diff.verdicts) == (1, 1, {})
        copy.merge(diff.deltas)
    assert copy.digest() == real.digest()


def test_closing_the_store_stops_its_peer() -> None:
    """However the ``with`` blocks are nested, nothing hangs and nothing is raised."""
    watch = Watch()
    one = open_store()
    with (
        open_store() as two,
        Peer(two, listen=LOOPBACK, limits=FAST) as hub,
        Peer(one, connect=hub.addresses, limits=FAST, on_status=watch) as peer,
    ):
        peer.synced().wait(PATIENCE)
        one.close()
        two.dispatch(visit())
        assert watch.until(lambda s: s.state == "stopped").last_error == "the store was closed"


def test_everything_can_be_awaited() -> None:
    """One event loop, its own tasks, and two peers beside it."""

    async def main() -> None:
        async with (
            open_store() as one,
            open_store() as two,
            Peer(one, listen="memory://awaited") as first,
            Peer(two, connect=first.addresses) as second,
        ):
            await second.synced()
            one.dispatch(visit())
            await first.replicated(to=1)
            assert two[board].visits == 1

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_nothing_is_logged_when_all_goes_well(caplog: pytest.LogCaptureFixture) -> None:
    """A quiet log means that nothing went wrong."""
    caplog.set_level(logging.WARNING, "crdtstore")
    with (
        open_store() as one,
        open_store() as two,
        Peer(one, listen=LOOPBACK) as first,
        Peer(two, connect=first.addresses) as second,
    ):
        second.synced().wait(PATIENCE)
        one.dispatch(visit())
        first.replicated().wait(PATIENCE)
    assert caplog.records == []
