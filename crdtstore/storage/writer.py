"""The thread that writes: it takes whatever waits, stores it as one group, and tells who asked.

While one group is being synced the next one gathers in the queue, so the cost of a sync is shared
by all who came meanwhile, and whoever appends never waits for the disk. The queue is bounded: past
its limit appending blocks until there is room.

If writing fails, what was taken stays in memory in its order and is tried again with whatever comes
next, and every second besides. The thread has the only reference to the journal, in its own frame:
a forked child has no such thread and thus no way to reach, let alone close, the parent's file.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from crdtstore.errors import ClosedError, CrdtstoreError, ForkedStoreError, StorageError
from crdtstore.storage.listeners import DurableListeners
from crdtstore.storage.port import LogSize, Opened, Record

__all__ = ["Batch", "Journal", "Writer"]

logger = logging.getLogger("crdtstore.storage")

T = TypeVar("T")

Batch = tuple[int, tuple[Record, ...], int]  # the number of its last record, all, and their bytes

_RETRY_SECONDS = 1.0
_GROUP_RECORDS = 4096
_GROUP_BYTES = 8 << 20
_RECORD_BYTES = 64  # what a record costs in memory besides its bytes, roughly
_BATCH_BYTES_MOST = 500_000_000  # SQLite takes 1 000 000 000 bytes a row at most


class Journal(Protocol):
    """What the writer writes to; used by its thread alone, but for ``sizes``."""

    seq: int
    sizes: dict[str, LogSize]

    def write(self, batches: Iterable[Batch]) -> None:
        """Store batches, all or none, as durable as was asked for."""
        ...

    def compact(
        self, upto: int, snapshots: Mapping[str, bytes], generations: Mapping[str, int]
    ) -> None:
        """Replace log by snapshots."""
        ...

    def read(self, slice: str) -> list[tuple[int, Record]]:
        """What is stored of one slice."""
        ...

    def recover(self) -> None:
        """Prepare for another try after a failure."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@dataclass(frozen=True, slots=True)
class _Task(Generic[T]):
    """Something to do when all that was queued before it has been stored, or could not be."""

    run: Callable[[Journal], T]
    future: Future[T]
    needs_all_stored: bool
    stops: bool = False


# Threads that are to finish their work before the interpreter ends, forgotten stores' among them.
_running: set[Writer] = set()


class Writer:
    """A queue in front of a journal; every method but ``start`` from any thread."""

    def __init__(
        self, name: str, open_journal: Callable[[], tuple[Journal, Opened]], limit: int
    ) -> None:
        self.durable_seq = 0
        self._name = name
        self._open_journal = open_journal
        self._limit = limit
        # Re-entrant: the garbage collector may call `release` on a thread that holds it.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._jobs: queue.SimpleQueue[Batch | _Task[Any]] = queue.SimpleQueue()
        self._seq = 0
        self._queued = 0  # bytes not yet stored, in the queue or with the thread
        self._refusal: CrdtstoreError | None = None
        self._failure: StorageError | None = None
        self._stop: Future[None] | None = None
        self._released = False
        self._backlog: list[Batch] = []  # taken from the queue and not stored; the thread's own
        self._sizes: Callable[[], dict[str, LogSize]] = dict
        self._listeners = DurableListeners(self.durable_seq)
        self._thread = threading.Thread(target=self._main, name="crdtstore-storage", daemon=True)
        self._started: Future[Opened] = Future()

    def start(self) -> Opened:
        """Open the journal on the thread; raises what opening raises."""
        _running.add(self)
        started = self._started
        self._thread.start()
        try:
            return started.result()
        except BaseException:
            self.release()
            raise
        finally:
            self._started = Future()  # or what was opened would stay in memory

    def append(self, records: Iterable[Record]) -> int:
        """Queue a batch and return the number of its last record."""
        batch = tuple(records)
        count = len(batch)
        size = count * _RECORD_BYTES
        for record in batch:
            size += len(record.delta) + len(record.meta)
        with self._lock:
            if self._refusal is not None or self._queued >= self._limit or size > _BATCH_BYTES_MOST:
                self._wait_for_room(size)
            if not count:
                return self._seq
            # No call may come between these lines: a signal handler could raise after it, and leave
            # a number given out that no record has.
            self._queued += size
            self._seq = last = self._seq + count
            self._jobs.put((last, batch, size))
        return last

    def on_durable(self, callback: Callable[[int], None]) -> None:
        """Call ``callback`` on the thread after each group."""
        with self._lock:
            self._check_usable()
            self._listeners.add(callback)

    def flush(self) -> Future[None]:
        """Done when all that was appended so far is stored."""
        return self._submit(lambda _: None, needs_all_stored=True)

    def compact(
        self, upto: int, snapshots: Mapping[str, bytes], generations: Mapping[str, int]
    ) -> Future[None]:
        """Compact after all that was appended so far is stored."""
        with self._lock:
            self._check_usable()
            if not 0 <= upto <= self._seq:
                raise ValueError(f"upto={upto}: the last record has number {self._seq}")
        copies = dict(snapshots)
        return self._submit(
            lambda journal: journal.compact(upto, copies, generations), needs_all_stored=True
        )

    def read(self, slice: str) -> list[tuple[int, Record]]:
        """What is stored of a slice, and what waits."""
        if threading.current_thread() is self._thread:
            raise StorageError("read() was called from a durable callback, which must not wait")
        return self._submit(
            lambda journal: journal.read(slice) + self._waiting(slice), needs_all_stored=False
        ).result()

    def log_size(self) -> dict[str, LogSize]:
        """What is stored in the log."""
        with self._lock:
            self._check_usable()
        return self._sizes()

    def close(self) -> None:
        """Store what waits, end the thread and let go of the file; see ``Storage.close``."""
        with self._lock:
            if isinstance(self._refusal, ForkedStoreError):
                return
            stop = self._request_stop()
        if threading.current_thread() is self._thread:
            return  # it ends as soon as the callback that called this has returned
        stop.result()
        self._thread.join()

    def release(self) -> None:
        """Have the thread end when it has stored what waits; returns at once."""
        with self._lock:
            if not isinstance(self._refusal, ForkedStoreError):
                self._released = True
                self._request_stop()

    def _request_stop(self) -> Future[None]:
        if self._stop is None:
            self._refusal = ClosedError("this store was closed: open it again to go on")
            self._stop = Future()
            self._jobs.put(_Task(lambda _: None, self._stop, needs_all_stored=True, stops=True))
            self._room.notify_all()
        return self._stop

    def _submit(self, run: Callable[[Journal], T], *, needs_all_stored: bool) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # it cannot be cancelled: others may wait for it too
        with self._lock:
            self._check_usable()
            self._jobs.put(_Task(run, future, needs_all_stored))
        return future

    def _check_usable(self) -> None:
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)  # or it would grow with every call

    def _wait_for_room(self, size: int) -> None:
        if size > _BATCH_BYTES_MOST:
            raise StorageError(
                f"a batch of {size} bytes is more than the {_BATCH_BYTES_MOST} that can be stored"
            )
        # The thread itself is here when a callback appends; it cannot wait for itself.
        while self._queued >= self._limit and threading.current_thread() is not self._thread:
            self._check_usable()
            before = self._failure
            if before is not None:  # there may be space again: try now
                self._jobs.put(_Task(lambda _: None, Future(), needs_all_stored=False))
            while self._failure is before and self._refusal is None and self._queued >= self._limit:
                self._room.wait()
            if self._failure is not None and self._failure is not before:
                raise self._failure.with_traceback(None)
        self._check_usable()

    # What follows runs on the thread.

    def _main(self) -> None:
        try:
            journal, opened = self._open_journal()
        except BaseException as error:
            self._refusal = ClosedError("this store could not be opened")
            self._stop = Future()
            self._stop.set_result(None)
            _running.discard(self)
            self._started.set_exception(error)
            return
        self._seq = self.durable_seq = journal.seq
        self._listeners = DurableListeners(self.durable_seq)
        self._sizes = lambda: dict(journal.sizes)
        self._started.set_result(opened)
        del opened  # it is as large as the store
        try:
            while not self._turn(journal):
                pass
        finally:
            try:
                journal.close()
            finally:
                self._end()

    def _end(self) -> None:
        """Let go whoever waits; where the thread ends by a bug, nobody may wait for it for ever."""
        _running.discard(self)
        with self._lock:
            if self._stop is None:
                self._stop = Future()
                self._refusal = StorageError(f"the thread that writes {self._name} has died")
            self._room.notify_all()
        if not self._stop.done():
            self._stop.set_result(None)

    def _turn(self, journal: Journal) -> bool:
        """Store what waits and do what comes next; whether that was the end."""
        task = self._take()
        self._store(journal)
        if task is None:
            return self._released and not self._backlog
        if task.needs_all_stored and self._backlog:
            if task.stops:
                self._go_on()
            task.future.set_exception(self._failure)
        elif task.stops:
            return True
        else:
            try:
                result = task.run(journal)
            except Exception as error:
                journal.recover()
                task.future.set_exception(self._as_storage_error(error, ""))
            else:
                task.future.set_result(result)
        return False

    def _take(self) -> _Task[Any] | None:
        """Take a group of batches from the queue, or fewer and the task behind them."""
        records = size = 0
        try:
            job = self._jobs.get(timeout=_RETRY_SECONDS if self._backlog else None)
            while isinstance(job, tuple):
                self._backlog.append(job)
                records += len(job[1])
                size += job[2]
                if records >= _GROUP_RECORDS or size >= _GROUP_BYTES:
                    return None
                job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        return job

    def _store(self, journal: Journal) -> None:
        while self._backlog:
            group = self._group()
            try:
                journal.write(group)
            except Exception as error:
                self._fail(error)
                journal.recover()
                return
            del self._backlog[: len(group)]
            with self._lock:
                self.durable_seq = group[-1][0]
                self._queued -= sum(size for _, _, size in group)
                self._failure = None
                # Before the callbacks: they may want a lock that somebody holds who waits here.
                self._room.notify_all()
            self._listeners.tell(lambda: self.durable_seq)

    def _group(self) -> list[Batch]:
        """The head of the backlog: not so much that its first waits long for its last."""
        records = size = 0
        for place, (_, batch, bytes) in enumerate(self._backlog, 1):
            records += len(batch)
            size += bytes
            if records >= _GROUP_RECORDS or size >= _GROUP_BYTES:
                return self._backlog[:place]
        return self._backlog[:]

    def _fail(self, error: Exception) -> None:
        count = sum(len(batch) for _, batch, _ in self._backlog)
        note = f"; {count} records wait in memory, nothing is lost yet, and writing is tried again"
        failure = self._as_storage_error(error, note)
        if self._failure is None:
            logger.error("%s", failure)
        with self._lock:
            self._failure = failure
            self._room.notify_all()

    def _as_storage_error(self, error: Exception, note: str) -> StorageError:
        if isinstance(error, StorageError) and not note:
            return error
        failure = StorageError(f"cannot write to {self._name}: {error}{note}")
        failure.__cause__ = error
        return failure

    def _go_on(self) -> None:
        """The work could not be ended, so the store is as open as before."""
        with self._lock:
            self._stop = None
            if not self._released:
                self._refusal = None

    def _waiting(self, slice: str) -> list[tuple[int, Record]]:
        return [
            (last - len(batch) + place, record)
            for last, batch, _ in self._backlog
            for place, record in enumerate(batch, 1)
            if record.slice == slice
        ]

    def _abandon(self) -> None:
        """Called in a forked child, which has neither the thread nor its journal."""
        # Another thread of the parent may have held the lock.
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._refusal = ForkedStoreError(
            f"{self._name} was opened before this process was forked and belongs to the parent: "
            "open a store of its own here"
        )


def _finish_all() -> None:
    for writer in list(_running):
        try:
            writer.close()
        except StorageError as error:
            logger.error("at the end of the program: %s", error)


def _after_fork_in_child() -> None:
    for writer in list(_running):
        writer._abandon()
    _running.clear()


atexit.register(_finish_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
