"""Worlds of the stores that are shipped, with real documents in them.

What they show is read again in full, and counted against the ledger: the clocks of its writers tell
how many actions each store has, and its counter must show as many.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from random import Random

from crdtstore import Store, configure_store
from crdtstore.snapshot import ROOT, read
from crdtstore.storage import Storage
from crdtstore.updates import Known, read_update

from .disk import Seen
from .workload import INJECTED, LEDGER, SLICES, Workload

__all__ = ["RealStores"]

_BY_NAME = {of.reducer_path: of for of in (*SLICES, INJECTED)}


class RealStores:
    """See ``stores.Stores``."""

    injected = INJECTED.reducer_path
    can_spoil = False  # a Yjs document gives no way to it

    def __init__(self, rng: Random) -> None:
        self._workload = Workload(rng)
        self.slices = [of.reducer_path for of in self._workload.slices]
        self._acts: dict[int, list[int]] = {}
        """For each session, its clock in the ledger after each action that the ledger counts."""

    def open(
        self,
        slices: Iterable[str],
        storage: Storage,
        clock: Callable[[], float] | None = None,
        token: Callable[[], str] | None = None,
    ) -> Store:
        given = {} if clock is None or token is None else {"clock": clock, "token": token}
        return configure_store(
            [_BY_NAME[name] for name in slices],
            storage=storage,
            middleware=lambda _: [],
            **given,  # type: ignore[arg-type]
        )

    def inject(self, store: Store, name: str) -> None:
        store.inject(_BY_NAME[name])

    def act(self, store: Store, tell: Callable[[str], None] | None) -> None:
        action, counted = self._workload.action(store.slices)
        if tell is not None:
            tell(f"{action.type} {action.payload!r:.60}")
        store.dispatch(action)
        if counted:
            client = store._client
            clocks = store._slots[LEDGER].document._clocks()
            self._acts.setdefault(client, []).append(clocks[client])

    def seen(self, store: Store) -> Seen:
        return {name: dict(slot.document._clocks()) for name, slot in store._slots.items()}

    def same(self, one: Store, other: Store) -> bool:
        return one.state == other.state and repr(one.state) == repr(other.state)

    def spoil(self, store: Store, name: str, client: int, clock: int) -> Callable[[], None]:
        raise NotImplementedError

    def ranges(self, delta: bytes) -> Iterable[tuple[int, int, int]]:
        return read_update(delta, Known()).ranges

    def check(self, store: Store) -> str:
        return self._check_ledger(store) or self._check_reading(store)

    def _check_ledger(self, store: Store) -> str:
        clocks = store._slots[LEDGER].document._clocks()
        expected = sum(
            bisect_right(self._acts.get(client, []), clock) for client, clock in clocks.items()
        )
        found = store.state.ledger.done
        if found != expected:
            return f"the ledger counts {found}, and its writers' clocks say {expected}"
        return ""

    def _check_reading(self, store: Store) -> str:
        for name, slot in store._slots.items():
            document = slot.document
            full = read(document.shape, ROOT, document.shape.default, document)
            if full != document.state or repr(full) != repr(document.state):
                return f"the patched state of {name} differs from a full reading"
        return ""

    def waits(self, store: Store) -> bool:
        return bool(store._commits._undurable or store._commits._news.items)

    def holds(self, store: Store) -> bool:
        return any(slot.held for slot in store._slots.values())

    def free(self, store: Store) -> None:
        for slot in store._slots.values():
            slot.document.close()
