"""A small honest store: per slice a grow-only log of ``(client, clock, payload)``.

It has all that replication can meet: a causal gate (a client's operations apply in their order),
state vectors, digests, commits that become durable later, content that can be spoiled behind the
back of the state vector, and a crash that keeps only what was durable.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgpack

from crdtstore import ActionInfo, ClosedError, UpdateError, Waitable
from sync import vectors as sv

Op = tuple[int, int, bytes]  # client, clock, payload

_clients = itertools.count(1)
_replicas = itertools.count(1)


@dataclass(frozen=True, slots=True)
class FakeCommit:
    """One change of a fake store."""

    seq: int
    deltas: Mapping[str, bytes]
    info: ActionInfo | None
    origin: object


@dataclass(frozen=True, slots=True)
class FakeMerged:
    """What a merge did."""

    changed: frozenset[str]
    missing: frozenset[str]
    unknown: frozenset[str]


@dataclass
class _Slice:
    logs: dict[int, list[bytes | None]] = field(default_factory=dict)  # None: spoiled
    held: list[Op] = field(default_factory=list)
    hashed: int = 0

    def ops(self) -> Iterator[Op]:
        for client, log in self.logs.items():
            for clock, payload in enumerate(log):
                if payload is not None:
                    yield client, clock, payload


def pack(ops: list[Op]) -> bytes:
    """A delta of these operations."""
    packed: bytes = msgpack.packb(ops)
    return packed


def unpack(delta: bytes) -> list[Op]:
    """The operations of a delta, strictly."""
    try:
        items = msgpack.unpackb(delta, use_list=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise UpdateError("malformed", str(error)) from None
    if type(items) is not tuple:
        raise UpdateError("malformed")
    for op in items:
        if type(op) is not tuple or [type(x) for x in op] != [int, int, bytes]:
            raise UpdateError("malformed")
    return list(items)


def _hash(client: int, clock: int, payload: bytes) -> int:
    key = b"%d/%d/" % (client, clock)
    return int.from_bytes(blake2b(key + payload, digest_size=16).digest(), "big")


class FakeStore:
    """``durable``: "auto" (at once), "manual" (by ``settle``) or "thread" (a moment later)."""

    def __init__(
        self,
        *slices: str,
        replica: str | None = None,
        durable: str = "auto",
        schema: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.client = next(_clients)
        self.replica = replica or f"replica-{next(_replicas)}"
        self.session = f"s{self.client}"
        self.merges = 0
        self.incurable = False
        self._schema = schema or {name: {"log": "register"} for name in slices or ("a",)}
        self._slices = {name: _Slice() for name in self._schema}
        self._lock = threading.RLock()
        self._seq = 0
        self._durable_seq = 0
        self._mode = durable
        self._undurable: list[FakeCommit] = []
        self._on_applied: list[Callable[[FakeCommit], None]] = []
        self._on_durable: list[Callable[[FakeCommit], None]] = []
        self._flushes: list[tuple[int, Future[None]]] = []
        self._closed = False
        self._stored: dict[str, dict[int, int]] = {name: {} for name in self._schema}
        self._queue: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if durable == "thread":
            self._thread = threading.Thread(target=self._write, daemon=True)
            self._thread.start()

    # ---- the surface sync uses ----

    @property
    def slices(self) -> tuple[str, ...]:
        return tuple(self._schema)

    def schema(self) -> Mapping[str, Mapping[str, str]]:
        return self._schema

    def state_vectors(self) -> dict[str, bytes]:
        with self._lock:
            self._check()
            return {n: sv.encode(self._clocks(s)) for n, s in self._slices.items()}

    def digests(self) -> dict[str, bytes]:
        with self._lock:
            self._check()
            return {n: s.hashed.to_bytes(16, "big") for n, s in self._slices.items()}

    def digest(self) -> str:
        return b"".join(d for _, d in sorted(self.digests().items())).hex()

    def deltas_since(self, vectors: Mapping[str, bytes]) -> dict[str, bytes]:
        with self._lock:
            self._check()
            out = {}
            for name, slice in self._slices.items():
                try:
                    known = sv.decode(vectors.get(name, sv.EMPTY))
                except ValueError as error:
                    raise UpdateError("vector", str(error)) from None
                ops = [
                    (client, clock, payload)
                    for client, log in slice.logs.items()
                    for clock, payload in enumerate(
                        log[known.get(client, 0) :], known.get(client, 0)
                    )
                    if payload is not None
                ]
                if ops:
                    out[name] = pack(ops)
            return out

    def merge(
        self,
        deltas: Mapping[str, bytes],
        *,
        info: ActionInfo | None = None,
        origin: object = None,
        repair: bool = False,
    ) -> FakeMerged:
        with self._lock:
            self._check()
            self.merges += 1
            unpacked = {n: unpack(d) for n, d in deltas.items() if n in self._slices}
            applied: dict[str, list[Op]] = {}
            missing = set()
            for name, ops in unpacked.items():
                slice = self._slices[name]
                held, slice.held = slice.held, []
                done = applied[name] = []
                todo = sorted(held + ops)
                for op in todo:
                    client, clock, payload = op
                    log = slice.logs.setdefault(client, [])
                    if clock == len(log):
                        log.append(payload)
                    elif clock < len(log):
                        if not repair or log[clock] is not None or self.incurable:
                            continue
                        log[clock] = payload
                    else:
                        slice.held.append(op)
                        continue
                    slice.hashed ^= _hash(*op)
                    done.append(op)
                if any(op in slice.held for op in ops):
                    missing.add(name)
                slice.held = slice.held[-100:]
                slice.logs = {c: log for c, log in slice.logs.items() if log}
            changed = {n for n, done in applied.items() if done}
            if changed:
                # The bytes as received, and with them what they let go.
                out = {
                    n: deltas[n]
                    if set(applied[n]) <= set(unpacked[n])
                    else pack(sorted({*applied[n], *unpacked[n]} - set(self._slices[n].held)))
                    for n in sorted(changed)
                }
                self._commit(out, info, origin)
            unknown = frozenset(deltas.keys() - self._slices.keys())
            return FakeMerged(frozenset(changed), frozenset(missing), unknown)

    def on_commit(
        self, callback: Callable[[Any], None], *, durable: bool = False
    ) -> Callable[[], None]:
        callbacks = self._on_durable if durable else self._on_applied
        callbacks.append(callback)
        return lambda: callbacks.remove(callback)

    def on_inject(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        return lambda: None

    def flush(self) -> Waitable[None]:
        future: Future[None] = Future()
        with self._lock:
            if self._durable_seq >= self._seq:
                future.set_result(None)
            else:
                self._flushes.append((self._seq, future))
        return Waitable(future, "the flush")

    # ---- what tests do ----

    def add(self, payload: bytes, *names: str, info: ActionInfo | None = None) -> None:
        """A local change of one or several slices."""
        with self._lock:
            self._check()
            deltas = {}
            for name in names or tuple(self._slices)[:1]:
                slice = self._slices[name]
                log = slice.logs.setdefault(self.client, [])
                op = (self.client, len(log), payload)
                log.append(payload)
                slice.hashed ^= _hash(*op)
                deltas[name] = pack([op])
            self._commit(deltas, info, None)

    def content(self, name: str = "a") -> set[Op]:
        """Every operation this store has."""
        with self._lock:
            return set(self._slices[name].ops())

    def stored(self, name: str = "a") -> set[tuple[int, int]]:
        """Client and clock of every operation that a crash would keep."""
        with self._lock:
            counts = self._stored[name].items()
            return {(client, clock) for client, count in counts for clock in range(count)}

    def spoil(self, name: str = "a") -> bool:
        """Lose the content of one operation, but not its place in the state vector."""
        with self._lock:
            for client, clock, payload in self._slices[name].ops():
                self._slices[name].logs[client][clock] = None
                self._slices[name].hashed ^= _hash(client, clock, payload)
                return True
            return False

    def lie(self, delta: bytes, name: str = "a") -> None:
        """Tell of a commit with these bytes, as a broken or hostile program would."""
        with self._lock:
            self._seq += 1
            commit = FakeCommit(self._seq, {name: delta}, None, None)
        for callback in (*self._on_applied, *self._on_durable):
            callback(commit)

    def settle(self, count: int | None = None) -> None:
        """Make the next ``count`` commits durable, or all."""
        with self._lock:
            done = self._undurable[:count]
            del self._undurable[:count]
            for commit in done:
                self._durable_seq = commit.seq
                for name, delta in commit.deltas.items():
                    stored = self._stored[name]
                    for client, clock, _ in unpack(delta):
                        stored[client] = max(stored.get(client, 0), clock + 1)
            flushed = [f for seq, f in self._flushes if seq <= self._durable_seq]
            self._flushes = [(s, f) for s, f in self._flushes if s > self._durable_seq]
        for commit in done:
            for callback in tuple(self._on_durable):
                callback(commit)
        for future in flushed:
            future.set_result(None)

    def crashed(self) -> FakeStore:
        """What opening the same file after a crash gives: durable content, a new session."""
        with self._lock:
            again = FakeStore(replica=self.replica, durable=self._mode, schema=self._schema)
            for name, slice in self._slices.items():
                new = again._slices[name]
                for client, count in self._stored[name].items():
                    new.logs[client] = slice.logs[client][:count]
                for op in new.ops():
                    new.hashed ^= _hash(*op)
                again._stored[name] = dict(self._stored[name])
            return again

    def close(self) -> None:
        """Refuse everything from now on."""
        with self._lock:
            self._closed = True
        if self._thread is not None:
            self._queue.put(False)
            self._thread.join()
            self._thread = None

    def _check(self) -> None:
        if self._closed:
            raise ClosedError("the store is closed")

    @staticmethod
    def _clocks(slice: _Slice) -> dict[int, int]:
        return {client: len(log) for client, log in slice.logs.items() if log}

    def _commit(self, deltas: Mapping[str, bytes], info: ActionInfo | None, origin: object) -> None:
        self._seq += 1
        commit = FakeCommit(self._seq, deltas, info, origin)
        self._undurable.append(commit)
        for callback in tuple(self._on_applied):
            callback(commit)
        if self._mode == "auto":
            self.settle()
        elif self._mode == "thread":
            self._queue.put(True)

    def _write(self) -> None:
        while self._queue.get():
            self.settle()
