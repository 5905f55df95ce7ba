"""A replicated store whose slices are sets of numbered deltas: an oracle of what a store is.

It is to ``sync`` what ``crdtstore.Store`` is, by the contract of the port, with the same hooks, log
and housekeeping; only there are no documents. A slice has, for each session, the operations that
the session did, in order. That is its whole state; so two stores with equal vectors are equal, and
what is lost on the way to that can only have been lost by ``sync`` or the storage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from threading import RLock
from typing import Any

from crdtstore import ActionInfo, ClosedError, UpdateError, Waitable, housekeeping
from crdtstore.commits import CommitHooks
from crdtstore.document import new_client_id
from crdtstore.notify import Listeners
from crdtstore.paths import base36
from crdtstore.replication import Commit, Merged
from crdtstore.slot import MOST_HELD
from crdtstore.storage import Record, Storage
from crdtstore.updates import write_state_vector
from sync import vectors as sv

from .disk import Seen
from .operations import NOTHING, Operation, operation, read, write

__all__ = ["LightSlot", "LightStore"]

KINDS = {"deltas": "light"}


class LightSlot:
    """One slice, and what is held for it."""

    __slots__ = ("_seen", "_vector", "clocks", "hashed", "held", "holes", "last", "logs")

    def __init__(self) -> None:
        self.logs: dict[int, list[bytes]] = {}
        """For each session its operations; an empty one lost its content, but not its place."""
        self.clocks: dict[int, int] = {}
        """How many those are."""
        self.hashed = 0
        """The sum (exclusive or) of the hashes of all operations."""
        self.held: dict[bytes, list[tuple[int, int]]] = {}
        """Deltas that wait, and what they lack."""
        self.holes = 0
        """How many operations lost their content."""
        self.last = NOTHING
        """The operation that came last."""
        self._vector: bytes | None = None
        self._seen: dict[int, int] | None = None

    # ---- what is here ----

    @property
    def vector(self) -> bytes:
        """The state vector."""
        if self._vector is None:
            self._vector = write_state_vector(self.clocks)
        return self._vector

    @property
    def seen(self) -> dict[int, int]:
        """A copy of the clocks, which nobody changes."""
        if self._seen is None:
            self._seen = self.clocks.copy()
        return self._seen

    def since(self, theirs: Mapping[int, int]) -> bytes:
        """What one with these clocks lacks, empty if that is nothing."""
        lacking = [c for c, clock in self.clocks.items() if theirs.get(c, 0) < clock]
        lacking.sort()
        return b"".join([b"".join(self.logs[c][theirs.get(c, 0) :]) for c in lacking])

    # ---- what comes ----

    def add(self, ops: Iterable[Operation]) -> None:
        """Take in operations that fit, in order."""
        logs, clocks, hashed = self.logs, self.clocks, self.hashed
        for client, clock, _, data, mine in ops:
            if clock:
                logs[client].append(data)
            else:
                logs[client] = [data]
            clocks[client] = clock + 1
            hashed ^= mine
            self.last = (client, clock)
        self.hashed = hashed
        self._vector = self._seen = None

    def load(self, deltas: list[bytes]) -> None:
        """Take in what storage holds; what waits for a damaged record is held, all of it."""
        whole = b"".join(deltas)
        if whole and self._take(whole, read(whole), bounded=False)[1]:
            self.held.clear()
            for delta in deltas:
                if delta:  # a snapshot of nothing is none
                    self.merge(delta, read(delta), bounded=False)

    def merge(
        self, delta: bytes, ops: list[Operation], *, repair: bool = False, bounded: bool = True
    ) -> tuple[list[bytes], bool]:
        """Merge a delta, whose operations are ``ops``; which deltas were applied, and if it lacks.

        Held ones that fit now are applied too. A delta that lacks anything is held, whole.
        """
        changed, lacks = self._take(delta, ops, repair=repair, bounded=bounded)
        if not changed:
            return [], lacks
        done = [delta]
        progress = bool(self.held)
        while progress:
            progress = False
            for waiting, lacking in list(self.held.items()):
                if all(self.clocks.get(client, 0) > clock for client, clock in lacking):
                    del self.held[waiting]
                    changed, still = self._take(waiting, read(waiting), bounded=False)
                    progress = progress or not still
                    if changed:
                        done.append(waiting)
        return done, lacks

    def _take(
        self, delta: bytes, ops: list[Operation], *, repair: bool = False, bounded: bool = True
    ) -> tuple[bool, bool]:
        clocks = self.clocks
        fits: list[Operation] = []
        lacking: list[tuple[int, int]] = []
        wanted: list[tuple[int, int]] = []
        ends: dict[int, int] = {}
        for op in ops:
            client, clock, needs, _, _ = op
            have = ends.get(client)
            if have is None:
                have = clocks.get(client, 0)
            if clock == have:
                if needs is not NOTHING and clocks.get(needs[0], 0) <= needs[1]:
                    wanted.append(needs)
                ends[client] = clock + 1
                fits.append(op)
            elif clock > have:
                lacking.append((client, clock - 1))
        if wanted:  # it may stand in the same delta, before or behind
            lacking += [need for need in wanted if ends.get(need[0], 0) <= need[1]]
        if lacking:
            if delta not in self.held and not (bounded and len(self.held) >= MOST_HELD):
                self.held[delta] = lacking
            return False, True
        if fits:
            self.add(fits)
        return (repair and self.holes > 0 and self._repair(ops)) or bool(fits), False

    def _repair(self, ops: list[Operation]) -> bool:
        """Fill the places that lost their content."""
        filled = False
        for op in ops:
            if not self.logs[op.client][op.clock]:
                self.logs[op.client][op.clock] = op.data
                self.hashed ^= op.hash
                self.holes -= 1
                filled = True
        return filled

    def spoil(self, client: int, clock: int) -> bytes:
        """Lose the content of an operation, as a document with a bug would; return it."""
        data = self.logs[client][clock]
        self.logs[client][clock] = b""
        self.hashed ^= operation(data).hash
        self.holes += 1
        return data


class _Keeper(housekeeping.Housekeeper):
    """Shortens logs by snapshots, which here are the operations themselves: not read back."""

    def _compact(self, name: str) -> None:
        slot: Any = self._slots[name]
        if self._seq and not slot.held and not slot.holes:
            self._storage.compact(self._seq, {name: slot.since({})}).result()
            most = max(housekeeping.MOST_RECORDS, sum(slot.clocks.values()))
            self._limits[name] = (most, housekeeping.MOST_BYTES)


class LightStore:
    """What ``sync`` needs of a store, and the simulation; for one thread."""

    def __init__(
        self, slices: Iterable[str], *, storage: Storage, clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._storage = storage
        self._closed = False
        self._commits = CommitHooks(storage)
        self._inject_hooks: Listeners[str] = Listeners()
        opened = storage.open()
        self.replica = opened.replica
        self._client = new_client_id()
        self.session = base36(self._client)
        self._slots: dict[str, LightSlot] = {name: LightSlot() for name in slices}
        for name, slot in self._slots.items():
            slot.load([delta for _, (of, delta, _) in opened.records if of == name])
        self._state: dict[str, dict[int, list[bytes]]] | None = None
        slots: Any = self._slots
        self._keeper = _Keeper(RLock(), storage, slots, storage.durable_seq)

    # ---- reading ----

    @property
    def slices(self) -> tuple[str, ...]:
        """The names of the slices."""
        return tuple(self._slots)

    @property
    def state(self) -> dict[str, dict[int, list[bytes]]]:
        """Every operation by slice and session; nobody changes it."""
        if self._state is None:
            self._state = {
                name: {client: slot.logs[client].copy() for client in sorted(slot.logs)}
                for name, slot in self._slots.items()
            }
        return self._state

    def seen(self) -> Seen:
        """For each slice, the clock of each session."""
        return {name: slot.seen for name, slot in self._slots.items()}

    # ---- local work ----

    def write(self, payloads: Mapping[str, bytes], *, after: bool) -> dict[str, bytes]:
        """Do something in some slices, all in one commit, and return the operations.

        With ``after`` each of them needs what came last to its slice.
        """
        self._check()
        client = self._client
        done: dict[str, bytes] = {}
        for name, payload in payloads.items():
            slot = self._slots[name]
            needs = slot.last if after and slot.last[0] != client else NOTHING
            data = write(client, slot.clocks.get(client, 0), needs, payload)
            slot.add((operation(data),))
            done[name] = data
        at = int(self._clock())
        info = ActionInfo("write", self.replica, at)
        self._commit(list(done.items()), [done], info, None, at, local=True)
        return done

    def inject(self, name: str) -> None:
        """Add a slice: it has what storage holds of it."""
        self._check()
        if name in self._slots:
            return
        slot = LightSlot()
        slot.load([delta for _, (_, delta, _) in self._storage.read(name)])
        self._slots[name] = slot
        self._state = None
        self._inject_hooks(name)

    def _commit(
        self,
        named: list[tuple[str, bytes]],
        groups: list[dict[str, bytes]],
        info: ActionInfo | None,
        origin: Any,
        at: int,
        *,
        local: bool,
    ) -> None:
        seq = self._storage.append([Record(name, delta, b"") for name, delta in named])
        self._state = None
        commits = self._commits
        if commits.wanted:
            for group in groups:
                commits.put(Commit(seq, group, info, origin, at, local))
        self._keeper.after_commit(seq)
        commits.tell()

    # ---- replication ----

    def schema(self) -> dict[str, dict[str, str]]:
        """Every slice has one place, of one kind."""
        return dict.fromkeys(self._slots, KINDS)

    def state_vectors(self) -> dict[str, bytes]:
        """What this store holds, by slice."""
        self._check()
        return {name: slot.vector for name, slot in self._slots.items()}

    def digests(self) -> dict[str, bytes]:
        """16 bytes for each slice, equal where the content is equal."""
        return {name: slot.hashed.to_bytes(16, "big") for name, slot in self._slots.items()}

    def digest(self) -> str:
        """One digest of everything, in hex."""
        whole = blake2b(digest_size=16)
        for name, digest in sorted(self.digests().items()):
            whole.update(name.encode() + b"\0" + digest)
        return whole.hexdigest()

    def deltas_since(self, vectors: Mapping[str, bytes]) -> dict[str, bytes]:
        """What a store with ``vectors`` lacks, by slice; raises UpdateError for malformed ones."""
        self._check()
        found: dict[str, bytes] = {}
        for name, slot in self._slots.items():
            vector = vectors.get(name, sv.EMPTY)
            if vector != slot.vector:
                try:
                    delta = slot.since(sv.decode(vector))
                except ValueError as error:
                    raise UpdateError("vector", str(error)) from None
                if delta:
                    found[name] = delta
        return found

    def merge(
        self,
        deltas: Mapping[str, bytes],
        *,
        info: ActionInfo | None = None,
        origin: Any = None,
        repair: bool = False,
    ) -> Merged:
        """Merge deltas, in any order, any number of times; none of them if one is malformed."""
        self._check()
        given: list[tuple[str, LightSlot, bytes, list[Operation]]] = []
        unknown: list[str] = []
        for name, delta in deltas.items():
            slot = self._slots.get(name)
            if slot is None:
                unknown.append(name)
            else:
                given.append((name, slot, delta, self._inspect(slot, delta)))
        named: list[tuple[str, bytes]] = []
        groups: list[dict[str, bytes]] = []
        changed: list[str] = []
        missing: list[str] = []
        for name, slot, delta, ops in given:
            done, lacks = slot.merge(delta, ops, repair=repair)
            if done:
                changed.append(name)
                for each in done:
                    named.append((name, each))
                    _group(groups, name, each)
            if lacks:
                missing.append(name)
        if named:
            self._commit(named, groups, info, origin, int(self._clock()), local=False)
        return Merged(frozenset(changed), frozenset(missing), frozenset(unknown))

    def _inspect(self, slot: LightSlot, delta: bytes) -> list[Operation]:
        ops = read(delta)
        for op in ops:
            if op.client == self._client and op.clock >= slot.clocks.get(op.client, 0):
                raise UpdateError("session-reused", "work of this very session that it never did")
        return ops

    def on_commit(
        self, callback: Callable[[Any], Any], *, durable: bool = False
    ) -> Callable[[], None]:
        """Call ``callback`` with every commit, at once or when it is durable."""
        return self._commits.add(callback, durable=durable)

    def on_inject(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call ``callback`` with the name of every slice that is injected."""
        return self._inject_hooks.add(callback)

    # ---- life ----

    def flush(self) -> Waitable[None]:
        """Done when everything so far is durable."""
        return Waitable(self._storage.flush(), "store.flush()")

    def compact(self) -> Waitable[None]:
        """Replace the log by snapshots."""
        self._check()
        return Waitable(self._keeper.compact(), "store.compact()")

    def close(self) -> None:
        """Write everything out and let go of the storage."""
        if not self._closed:
            self._closed = True
            self._keeper.stop()
            self._storage.close()

    def _check(self) -> None:
        if self._closed:
            raise ClosedError("the store is closed")


def _group(groups: list[dict[str, bytes]], name: str, delta: bytes) -> None:
    """Put a delta into the first group that has none for its slice: each becomes a commit."""
    for group in groups:
        if name not in group:
            group[name] = delta
            return
    groups.append({name: delta})
