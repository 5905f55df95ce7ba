"""Keeping logs short: snapshots are verified, and what waits for other work is left alone."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crdtstore import Counter, Store, Table, Text, configure_store, create_slice, housekeeping
from crdtstore.document import Document
from crdtstore.errors import StorageError
from crdtstore.storage import MemoryStorage

TIMEOUT = 60


@dataclass
class Row:
    title: Text = Text()
    n: Counter = Counter(0)


@dataclass
class State:
    n: Counter = Counter(0)
    name: str = ""
    rows: Table[Row] = Table()


main = create_slice(name="main", initial_state=State())
other = create_slice(name="other", initial_state=State())


@main.reducer
def add(state: State) -> None:
    state.n += 1


@main.reducer
def rename(state: State, name: str) -> None:
    state.name = name
    state.rows[name[:1]] = Row(name)


@other.reducer
def touch(state: State) -> None:
    state.n += 1


def opened(storage: Any) -> Store:
    """Open a store of both slices."""
    return configure_store([main, other], storage=storage)


def records(storage: Any) -> dict[str, int]:
    """How many records lie in the log, by slice."""
    return {name: size.records for name, size in storage.log_size().items()}


@pytest.mark.parametrize("on_disk", [True, False])
def test_compacting_keeps_everything_and_empties_the_log(tmp_path: Path, on_disk: bool) -> None:
    """State, digest and lasting name survive, before and after another opening."""
    storage: Any = tmp_path / "store.db" if on_disk else MemoryStorage()
    with opened(storage) as store:
        for n in range(50):
            store.dispatch(rename(str(n)))
        before = (store.state, store.digest(), store.state_vectors())
        store.flush().wait(TIMEOUT)
        assert records(store._storage)["main"] == 50
        store.compact().wait(TIMEOUT)
        assert records(store._storage).get("main", 0) == 0
        assert (store.state, store.digest(), store.state_vectors()) == before
        store.dispatch(add())
        after = (store.state, store.digest())
    with opened(storage) as store:
        assert (store.state, store.digest()) == after
        store.compact().wait(TIMEOUT)  # right after opening, without any work of its own
        assert records(store._storage).get("main", 0) == 0
    with opened(storage) as store:
        assert (store.state, store.digest()) == after


def test_a_peer_can_be_served_after_compacting() -> None:
    """Nothing that a peer may still need goes with the log."""
    with opened(None) as store, opened(None) as peer:
        store.dispatch(rename("a"))
        peer.merge(store.deltas_since({}))
        store.dispatch(rename("b"))
        store.compact().wait(TIMEOUT)
        peer.merge(store.deltas_since(peer.state_vectors()))
        assert peer.digest() == store.digest()


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_log_that_has_grown_is_compacted_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_disk: bool
) -> None:
    """While many threads go on dispatching, logs shrink and nothing is lost."""
    monkeypatch.setattr(housekeeping, "CHECK_EVERY", 16)
    monkeypatch.setattr(housekeeping, "MOST_RECORDS", 30)
    storage: Any = tmp_path / "store.db" if on_disk else MemoryStorage()
    compacted: list[str] = []
    compact = housekeeping.Housekeeper._compact

    def spied(self: Any, name: str) -> None:
        compact(self, name)
        compacted.append(name)

    monkeypatch.setattr(housekeeping.Housekeeper, "_compact", spied)
    with opened(storage) as store:

        def work(number: int) -> None:
            for n in range(60):
                store.dispatch(rename(f"{number}.{n}"))
                store.dispatch(add())

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store._keeper.stop()
        assert set(compacted) == {"main"}
        assert store[main].n == 240
        assert records(store._storage).get("main", 0) < 480
        digest = store.digest()
    with opened(storage) as store:
        assert store.digest() == digest
        assert store[main].n == 240


def test_a_log_is_compacted_when_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes count as well as records, and a large snapshot may be followed by a larger log."""
    monkeypatch.setattr(housekeeping, "CHECK_EVERY", 1)
    monkeypatch.setattr(housekeeping, "MOST_BYTES", 50_000)
    with opened(None) as store:
        store.dispatch(rename("x" * 60_000))
        store._keeper.stop()
        assert records(store._storage).get("main", 0) == 0
        assert store._keeper._limits["main"][1] > 4 * 60_000
        store.dispatch(rename("y" * 60_000))
        store._keeper.stop()
        assert records(store._storage)["main"] == 1


def test_a_snapshot_that_does_not_read_back_is_not_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log stays when a document made from the snapshot alone is not the same."""
    with opened(None) as store, opened(None) as stranger:
        stranger.dispatch(rename("not ours"))
        wrong = stranger.deltas_since({})["main"]
        store.dispatch(rename("ours"))
        monkeypatch.setattr(Document, "whole", lambda self: wrong)
        with pytest.raises(StorageError, match="'main' does not read back as the state it was"):
            store.compact().wait(TIMEOUT)
        monkeypatch.undo()
        assert records(store._storage)["main"] == 1
        store.compact().wait(TIMEOUT)
        assert store[main].name == "ours"


def test_a_slice_that_waits_for_missing_work_is_left_alone() -> None:
    """Its log is all there is; the others are compacted."""
    with opened(None) as source, opened(None) as store:
        deltas: list[Any] = []
        source.on_commit(lambda commit: deltas.append(commit.deltas))
        source.dispatch(add())
        source.dispatch(add())
        store.dispatch(add())
        store.dispatch(touch())
        assert store.merge(deltas[1]).missing == {"main"}
        store.compact().wait(TIMEOUT)
        assert records(store._storage) == {"main": 1}
        store.merge(deltas[0])
        assert store[main].n == 3
        store.compact().wait(TIMEOUT)
        assert records(store._storage).get("main", 0) == 0


def test_compactions_run_one_at_a_time_and_close_waits_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several requests queue up behind one another."""
    running = threading.Semaphore(1)
    overlaps: list[str] = []
    compact = housekeeping.Housekeeper._compact

    def alone(self: Any, name: str) -> None:
        if not running.acquire(blocking=False):
            overlaps.append(name)
            return
        compact(self, name)
        running.release()

    monkeypatch.setattr(housekeeping.Housekeeper, "_compact", alone)
    with opened(None) as store:
        store.dispatch(rename("x"))
        waiting = [store.compact() for _ in range(6)]
    assert all(each.done() for each in waiting)
    assert overlaps == []


def test_a_compaction_that_fails_by_itself_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody waits for it, so the log says so; the store works on."""
    monkeypatch.setattr(housekeeping, "CHECK_EVERY", 1)
    monkeypatch.setattr(housekeeping, "MOST_RECORDS", 1)
    storage: Any = MemoryStorage()
    failed: Future[None] = Future()
    failed.set_exception(StorageError("disk full"))
    storage.compact = lambda *_: failed
    with opened(storage) as store, caplog.at_level(logging.ERROR, logger="crdtstore"):
        store.dispatch(add())
        store.dispatch(add())
        store._keeper.stop()
        assert "compaction failed; the log stays as it is" in caplog.text
        assert "disk full" in caplog.text
        assert store[main].n == 2


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_is_committed_during_a_compaction_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_disk: bool
) -> None:
    """A snapshot stands for what it was made of, and for nothing later."""
    storage: Any = tmp_path / "store.db" if on_disk else MemoryStorage()
    load = Document.load
    with opened(storage) as store:
        store.dispatch(add())

        def meanwhile(self: Document, deltas: Any) -> None:
            monkeypatch.setattr(Document, "load", load)
            store.dispatch(add())
            load(self, deltas)

        monkeypatch.setattr(Document, "load", meanwhile)
        store.compact().wait(TIMEOUT)
        assert records(store._storage)["main"] == 1
    with opened(storage) as store:
        assert store[main].n == 2
