"""A store's file as a source: what happened in it, act by act, without opening it.

The file is read through SQLite's backup, which a process that has it open does not notice, and only
the copy is opened; so nothing is locked, put right or compacted. Deltas alone say how large they
are and whose; what they changed is known only by merging them one after another into a store of the
same slices, which the user has to name. What was compacted away is gone: history then begins with
the snapshot.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import msgpack

from crdtstore import (
    Action,
    ActionInfo,
    Commit,
    Conflict,
    CrdtstoreError,
    RootState,
    Slice,
    StorageCorruptError,
    StorageError,
    Store,
    clock_ranges,
    combine_slices,
    configure_store,
)
from crdtstore.storage import Opened, Record, SqliteStorage
from sync.devtools.log import LIMIT
from sync.devtools.source import Source
from sync.vectors import encode

__all__ = ["StoredSource", "load_slices"]

NO_STATE = (
    "a file holds deltas, and what they make of the state only the slices know: name them with "
    "--slices package.module:name"
)

_NOTICE = RootState({"notice": NO_STATE})


class StoredSource(Source):
    """What lies in a store's file at the time of the call; see ``Source``.

    ``slices`` are those of the program that wrote it; without them there are no states and no
    differences to be shown. ``limit`` acts are kept, the newest. ``quarantined`` tells what of the
    file could not be read.

    Raises ``StorageCorruptError`` for a file that is no store, ``StorageError`` for one that cannot
    be read.
    """

    live = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        slices: Sequence[Slice[Any]] = (),
        *,
        name: str | None = None,
        limit: int = LIMIT,
        action_sanitizer: Callable[[Action[Any]], Any] | None = None,
        state_sanitizer: Callable[[Any], Any] | None = None,
    ) -> None:
        opened = read_file(path)
        self.quarantined = opened.quarantined
        self._rendered = bool(slices)
        written = _Rendered(opened, slices, limit) if slices else _Written(opened, limit)
        super().__init__(
            written,
            written,
            name=Path(path).name if name is None else name,
            action_sanitizer=action_sanitizer,
            state_sanitizer=state_sanitizer,
        )

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a request; see ``Source.answer``."""
        response = super().answer(request)
        if response["ok"] and request.get("what") == "detail" and not self._rendered:
            response["value"]["notice"] = NO_STATE
        return response


def read_file(path: str | os.PathLike[str]) -> Opened:
    """Read a store's file without locking or changing it, whoever has it open.

    Raises ``StorageCorruptError`` for a file that is no store, ``StorageError`` for one that cannot
    be read.
    """
    given = os.path.realpath(path)
    if not os.path.isfile(given):
        what = "is a folder" if os.path.isdir(given) else "does not exist"
        raise StorageError(f"{given} {what}: expected the file of a store")
    with tempfile.TemporaryDirectory(prefix="crdtstore-") as folder:
        copy = os.path.join(folder, "copy")
        _copy(given, copy)
        storage = SqliteStorage(copy, durability="normal")
        try:
            opened = storage.open()
        except CrdtstoreError as error:
            raise type(error)(str(error).replace(copy, given)) from error
        storage.close()
    if opened.created:
        raise StorageCorruptError(f"{given} is empty: no store has been opened there yet")
    return opened


def _copy(path: str, copy: str) -> None:
    """Copy a database, with what its write-ahead log holds.

    That log has an index beside it while anybody has the database open, and after they were killed;
    then SQLite reads along with them. Without an index nobody has it open. SQLite would make one to
    read the log, so both files are copied as they are; and where there is no log either, it is told
    that nobody else uses the file, or it would prepare for them.
    """
    used = os.path.exists(path + "-shm")
    try:
        if not used and _size(path + "-wal"):
            shutil.copyfile(path, copy)
            shutil.copyfile(path + "-wal", copy + "-wal")
            return
        with (
            closing(_connect(path, "ro" if used else "ro&immutable=1")) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
    except (sqlite3.OperationalError, OSError) as error:
        raise StorageError(f"{path} cannot be read: {error}") from error
    except sqlite3.Error as error:
        raise StorageCorruptError(
            f"{path} is not the file of a store, or its first page is damaged ({error})"
        ) from error


def _connect(path: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{Path(path).as_uri()}?mode={mode}", uri=True)


def _size(path: str) -> int:
    with suppress(OSError):
        return os.path.getsize(path)
    return 0


def _acts(records: Iterable[Record]) -> Iterator[tuple[dict[str, bytes], ActionInfo | None]]:
    """Group the records of one act: they follow each other, and say the same of it.

    So do merges of which nothing is known, of one slice and then of another: they count as one.
    """
    deltas: dict[str, bytes] = {}
    last = b""
    for name, delta, meta in records:
        if deltas and (meta != last or name in deltas):
            yield deltas, _info(last)
            deltas = {}
        deltas[name] = delta
        last = meta
    if deltas:
        yield deltas, _info(last)


def _info(meta: bytes) -> ActionInfo | None:
    try:
        kind, replica, at, payload = msgpack.unpackb(meta)
    except Exception:  # nothing, or what another version wrote
        return None
    if type(kind) is str and type(replica) is str and type(at) is int:
        return ActionInfo(kind, replica, at, payload if type(payload) is bytes else None)
    return None


class _Written:
    """A file's acts, as a log that nothing is added to and a store that nobody can change."""

    def __init__(self, opened: Opened, limit: int) -> None:
        self.replica = opened.replica
        self.session = "0"  # no client has this id: this is nobody's opening
        snapshots = len(opened.generations)
        stored = [record for _, record in opened.records]
        self._acts: deque[Commit] = deque(maxlen=limit)
        self._vectors: dict[str, dict[int, int]] = {}
        self.end = 0
        self._begin(stored[:snapshots])
        self.initial = self.state
        self.vectors = {name: encode(clocks) for name, clocks in self._vectors.items()}
        at = 0
        for deltas, info in _acts(stored[snapshots:]):
            at = at if info is None else info.at
            self._take(deltas, info, at)
        self.slices = tuple(self._vectors)

    def _begin(self, snapshots: list[Record]) -> None:
        for name, delta, _ in snapshots:
            self._know(name, delta)

    def _take(self, deltas: dict[str, bytes], info: ActionInfo | None, at: int) -> None:
        self._append(deltas, info, at, self.state, self.state)

    def _append(
        self,
        deltas: dict[str, bytes],
        info: ActionInfo | None,
        at: int,
        previous: RootState,
        state: RootState,
    ) -> None:
        for name, delta in deltas.items():
            self._know(name, delta)
        local = info is not None and info.replica == self.replica
        self._acts.append(Commit(self.end, deltas, info, None, at, local, state, previous))
        self.end += 1

    def _know(self, name: str, delta: bytes) -> None:
        clocks = self._vectors.setdefault(name, {})
        with suppress(CrdtstoreError):
            for client, (_, end) in clock_ranges(delta).items():
                clocks[client] = max(end, clocks.get(client, 0))

    # As a log

    @property
    def first(self) -> int:
        return self.end - len(self._acts)

    def since(self, number: int, count: int = LIMIT) -> list[tuple[int, Commit]]:
        skip = max(0, number - self.first)
        found = islice(self._acts, skip, skip + count)
        return list(enumerate(found, self.first + skip))

    def commit(self, number: int) -> Commit | None:
        at = number - self.first
        return self._acts[at] if 0 <= at < len(self._acts) else None

    # As a store

    @property
    def state(self) -> RootState:
        return _NOTICE

    def schema(self) -> dict[str, dict[str, str]]:
        return {}

    def state_vectors(self) -> dict[str, bytes]:
        return {name: encode(clocks) for name, clocks in self._vectors.items()}

    def digests(self) -> dict[str, bytes]:
        return {}

    def digest(self) -> str:
        return ""

    def conflicts(self, of: str, *path: object) -> tuple[Conflict, ...]:
        return ()

    def dispatch(self, action: Action[Any], /) -> Action[Any]:
        raise StorageError("a file cannot be dispatched to")


class _Rendered(_Written):
    """The same with a store in memory that has lived through it."""

    def __init__(self, opened: Opened, slices: Sequence[Slice[Any]], limit: int) -> None:
        self._store: Store = configure_store(slices, middleware=lambda _: [])
        super().__init__(opened, limit)

    def _begin(self, snapshots: list[Record]) -> None:
        super()._begin(snapshots)
        for name, delta, _ in snapshots:
            self._merge({name: delta})

    def _take(self, deltas: dict[str, bytes], info: ActionInfo | None, at: int) -> None:
        before = self.state
        self._merge(deltas)
        self._append(deltas, info, at, before, self.state)

    def _merge(self, deltas: dict[str, bytes]) -> None:
        """Merge what one act wrote; what cannot be is shown with no effect."""
        with suppress(CrdtstoreError):
            self._store.merge(deltas)

    @property
    def state(self) -> RootState:
        return self._store.state

    def schema(self) -> dict[str, dict[str, str]]:
        return self._store.schema()

    def digests(self) -> dict[str, bytes]:
        return self._store.digests()

    def digest(self) -> str:
        return self._store.digest()

    def conflicts(self, of: str, *path: object) -> tuple[Conflict, ...]:
        return self._store.conflicts(of, *path)


def load_slices(names: str) -> list[Slice[Any]]:
    """Import slices by name: ``package.module:name``, several with commas between them.

    A name may be that of a slice, of a list or dict of slices, or of ``combine_slices(…)``.
    Importing runs the module. Raises ``ValueError`` for what is no such name.
    """
    found: dict[str, Slice[Any]] = {}
    for name in names.split(","):
        for each in _slices_of(name.strip()):
            found[each.reducer_path] = each
    return list(found.values())


def _slices_of(name: str) -> list[Slice[Any]]:
    module, _, path = name.partition(":")
    if not module or not path:
        raise ValueError(f"expected package.module:name, got {name!r}")
    try:
        value: Any = importlib.import_module(module)
    except Exception as error:  # whatever the module does when it is imported
        raise ValueError(f"cannot import {module}: {type(error).__name__}: {error}") from error
    for part in path.split("."):
        try:
            value = getattr(value, part)
        except AttributeError:
            raise ValueError(f"{module} has nothing called {path}") from None
    if isinstance(value, Slice):
        return [value]
    try:
        return list(combine_slices(*value) if isinstance(value, list) else combine_slices(value))
    except (TypeError, ValueError):
        raise ValueError(f"{name} is no slice and no list of slices, but {value!r:.80}") from None
