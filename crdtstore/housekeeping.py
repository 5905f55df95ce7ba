"""Keeping logs short: when a slice's log has outgrown its content, replace it by a snapshot.

A snapshot is made under the store's lock, with the number of the last record it includes; a second
document, made from its bytes alone, must have the same state vector and digest before the storage
is asked to put it in the log's place. Slices that wait for damaged or missing work are left alone:
their log is all there is. The work is done on a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from crdtstore.document import Document, new_client_id
from crdtstore.errors import StorageError
from crdtstore.notify import logger
from crdtstore.slot import Slot
from crdtstore.storage import Storage

__all__ = ["Housekeeper"]

CHECK_EVERY = 512
MOST_RECORDS = 20_000
MOST_BYTES = 4 << 20


def _log_failure(done: Future[None]) -> None:
    """Say that a compaction nobody waits for has failed."""
    error = done.exception()
    if error is not None:
        logger.error("compaction failed; the log stays as it is", exc_info=error)


class Housekeeper:
    """Compacts a store's logs, when asked and by itself."""

    def __init__(self, lock: Any, storage: Storage, slots: Mapping[str, Slot], seq: int) -> None:
        self._lock = lock
        self._storage = storage
        self._slots = slots
        self._seq = seq
        self._since = 0
        self._limits: dict[str, tuple[int, int]] = {}
        self._thread: threading.Thread | None = None

    def after_commit(self, seq: int) -> None:
        """Note a commit, and start compacting now and then if it is worth it."""
        self._seq = seq
        self._since += 1
        if self._since < CHECK_EVERY:
            return
        self._since = 0
        due = [name for name in self._slots if self._due(name)]
        if due and (self._thread is None or not self._thread.is_alive()):
            self._start(due).add_done_callback(_log_failure)

    def _due(self, name: str) -> bool:
        size = self._storage.log_size().get(name)
        if size is None or self._slots[name].held:
            return False
        records, amount = self._limits.get(name, (MOST_RECORDS, MOST_BYTES))
        return size.records > records or size.bytes > amount

    def compact(self) -> Future[None]:
        """Compact every slice that can be."""
        with self._lock:
            names = [name for name, slot in self._slots.items() if not slot.held]
        return self._start(names)

    def _start(self, names: list[str]) -> Future[None]:
        done: Future[None] = Future()
        with self._lock:
            self._thread = threading.Thread(
                target=self._run,
                args=(names, done, self._thread),
                name="crdtstore-compaction",
                daemon=True,
            )
            self._thread.start()
        return done

    def _run(self, names: list[str], done: Future[None], before: threading.Thread | None) -> None:
        if before is not None:  # one at a time
            before.join()
        try:
            for name in names:
                self._compact(name)
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _compact(self, name: str) -> None:
        slot = self._slots[name]
        with self._lock:
            seq = self._seq
            if not seq or slot.held:
                return
            document = slot.document
            snapshot = document.whole()
            vector, digest = document.state_vector(), document.digest()
        copy = Document(slot.slice.shape, new_client_id(), slot.replica)
        try:
            copy.load([snapshot])
            if (copy.state_vector(), copy.digest()) != (vector, digest):
                raise StorageError(
                    f"the snapshot of the slice {name!r} does not read back as the state it was "
                    "made from; the log stays as it is"
                )
        finally:
            copy.close()
        self._storage.compact(seq, {name: snapshot}).result()
        # A log as long as what it leads to: opening takes twice as long at most, and many more
        # writes than cells share the cost of a snapshot.
        most = max(MOST_RECORDS, len(document.cells))
        self._limits[name] = (most, max(MOST_BYTES, 4 * len(snapshot)))

    def stop(self) -> None:
        """Wait for a compaction under way."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
