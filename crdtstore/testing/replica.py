"""One replica of a test: a real store over a storage that can crash, with a clock one can set.

Everything that a store would draw at random (its session's id, the names of rows and elements) is
counted or hashed here, so that the same steps give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from typing import Any
from unittest import mock

from crdtstore.combine import Sliceable
from crdtstore.configure import configure_store
from crdtstore.replication import Commit
from crdtstore.store import Store
from crdtstore.testing.storage import CrashingStorage
from crdtstore.updates import read_state_vector

__all__ = ["Message", "Replica", "open_store"]

_LAST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Message:
    """Deltas on their way: who sent them, the event that made them, where its log then stood."""

    sender: Replica
    event: int
    deltas: Mapping[str, bytes]
    storage: CrashingStorage
    seq: int


def open_store(
    slices: Sliceable,
    storage: CrashingStorage,
    session: str,
    clock: Callable[[], float],
    token: Callable[[], str],
) -> Store:
    """Open a store in which nothing is random; ``session`` is hashed into its session's id."""
    digest = blake2b(session.encode(), digest_size=8).digest()
    client = int.from_bytes(digest, "big") % (_LAST - 1) + 1
    # A mock object would cost more than the store does.
    with mock.patch("crdtstore.store.new_client_id", lambda: client):  # noqa: PT008
        store = configure_store(slices, storage=storage, clock=clock, token=token, auto_batch=False)
    for slot in store._slots.values():
        slot.document._token = token
    return store


@dataclass(eq=False)
class Replica:
    """A store, what it is kept in, and what is on its way to it."""

    name: str
    slices: Sliceable
    ticks: Callable[[], int]
    """Milliseconds that have passed for everybody."""
    offset: int = 0
    """What this replica's clock is ahead, in ms."""
    inbox: list[Message] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    last: int | None = None
    """The number of its last event."""
    up: bool = True
    asked: Any = None
    """The state that invariants were asked about last."""
    store: Store = field(init=False)
    storage: CrashingStorage = field(init=False)

    def __post_init__(self) -> None:
        self._openings = count(1)
        self._tokens = count(1)
        self.open(CrashingStorage(self.name))

    def open(self, storage: CrashingStorage) -> None:
        """Open a storage, in a new session."""
        session = f"{self.name}{next(self._openings)}"
        self.store = open_store(self.slices, storage, session, self.now, self._token)
        self.storage = storage
        self.up = True
        self.store.on_commit(self._note)

    def _note(self, commit: Commit) -> None:
        if commit.local:
            self.commits.append(commit)

    def _token(self) -> str:
        return f"{self.name}{next(self._tokens)}"

    def now(self) -> float:
        """Return what its clock says, in ms; never before 1970."""
        return min(max(self.ticks() + self.offset, 0), _LAST)

    def close(self) -> None:
        """Let go of the store; in memory that is what a crash comes to as well."""
        self.store.close()
        self.up = False

    def clocks(self) -> dict[str, int]:
        """Return how much this session has written, by slice."""
        client = int(self.store.session, 36)
        vectors = self.store.state_vectors()
        return {name: read_state_vector(v).get(client, 0) for name, v in vectors.items()}

    def copied(self) -> Store:
        """Open a store of its own from a copy of what the storage holds now."""
        storage = self.storage.copy()
        return open_store(self.slices, storage, f"{self.name} copied", self.now, self._token)
