"""A storage in one SQLite file, written by a thread of its own.

``opening`` and ``journal`` know the file and ``writer`` knows time; this module joins them to a
path. A store that is forgotten without being closed is stored and closed by the writer, when the
garbage collector finds it or when the program ends.

A copy of the file made while it is closed is a store too. Both have the same replica id, which
decides nothing: every opening writes under a client id of its own.
"""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import get_args

from crdtstore.errors import StorageError
from crdtstore.storage.journal import Durability
from crdtstore.storage.opening import open_journal
from crdtstore.storage.port import LogSize, Opened, Record
from crdtstore.storage.writer import Writer

__all__ = ["SqliteStorage"]

_QUEUE_BYTES = 64 << 20


class SqliteStorage:
    """A file that keeps a store, on Linux, macOS and Windows.

    ``durability="full"`` means synced to the disk, in groups: what is durable survives the power.
    ``"normal"`` means handed to the system: it survives the death of the process, ``kill -9``
    included, and the power cut only as far as the last checkpoint. ``queue_bytes`` is how much may
    wait to be written before ``append`` blocks.

    The constructor touches nothing; ``open`` makes the file where there is none, in a folder that
    must exist. Symbolic links are followed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "full",
        queue_bytes: int = _QUEUE_BYTES,
    ) -> None:
        given = os.fspath(path)
        if durability not in get_args(Durability):
            raise ValueError(f'durability={durability!r}: expected "full" or "normal"')
        if queue_bytes < 1:
            raise ValueError(f"queue_bytes={queue_bytes}: expected at least 1")
        if not isinstance(given, str):
            raise TypeError(f"path={given!r}: expected a str or a path of str")
        if not given or given == ":memory:" or given.startswith("file:"):
            raise ValueError(
                f"path={given!r}: expected the path of a file; for a store that lives in memory "
                "leave out storage"
            )
        # The same file by any name is the same lock. Symlinks may change, so only once.
        self._path = os.path.realpath(given)
        self._durability: Durability = durability
        self._queue_bytes = queue_bytes
        self._writer: Writer | None = None

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._path

    @property
    def durable_seq(self) -> int:
        """The number of the last durable record."""
        return 0 if self._writer is None else self._writer.durable_seq

    def open(self) -> Opened:
        """Lock, verify and read the file, or make it; see ``Storage.open``."""
        folder = os.path.dirname(self._path)
        if not os.path.isdir(folder):
            raise StorageError(f"the folder {folder} does not exist: create it first")
        if os.path.isdir(self._path):
            raise StorageError(f"{self._path} is a folder: expected the path of a file")
        writer = Writer(
            self._path,
            functools.partial(open_journal, self._path, self._durability),
            self._queue_bytes,
        )
        opened = writer.start()
        self._writer = writer
        # Not at exit: the writer sees to that itself.
        weakref.finalize(self, writer.release).atexit = False
        return opened

    def append(self, records: Iterable[Record]) -> int:
        """Queue a batch; see ``Storage.append``."""
        return self._opened().append(records)

    def on_durable(self, callback: Callable[[int], None]) -> None:
        """Have ``callback`` told from the writer's thread; see ``Storage.on_durable``."""
        self._opened().on_durable(callback)

    def flush(self) -> Future[None]:
        """Done when all appended so far is stored; see ``Storage.flush``."""
        return self._opened().flush()

    def compact(
        self,
        upto: int,
        snapshots: Mapping[str, bytes],
        generations: Mapping[str, int] | None = None,
    ) -> Future[None]:
        """Replace log by snapshots; see ``Storage.compact``."""
        return self._opened().compact(upto, snapshots, generations or {})

    def read(self, slice: str) -> Sequence[tuple[int, Record]]:
        """What is kept of one slice; see ``Storage.read``."""
        return self._opened().read(slice)

    def log_size(self) -> Mapping[str, LogSize]:
        """What lies in the log, of what is durable; see ``Storage.log_size``."""
        return self._opened().log_size()

    def close(self) -> None:
        """Flush, end the thread and unlock the file; see ``Storage.close``."""
        if self._writer is not None:
            self._writer.close()

    def _opened(self) -> Writer:
        if self._writer is None:
            raise StorageError("this storage was not opened yet: call open() first")
        return self._writer
