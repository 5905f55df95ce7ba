"""Worlds of light stores: operations that mean nothing, and the plainest oracle of them.

All that any session ever did is kept here, and each store must have, of each session, a beginning
of that, to the byte. Nothing in it may lack what it needs, and the digest kept step by step must be
the one of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from crdtstore.storage import Storage

from .disk import Seen
from .light_store import LightStore
from .operations import operation, read

__all__ = ["LightStores"]

SLICES = ["a", "b", "c", "d"]


class LightStores:
    """See ``stores.Stores``."""

    injected = "extra"
    can_spoil = True

    def __init__(self, rng: Random) -> None:
        self._random = rng.random
        self._bytes = rng.randbytes
        self.slices = SLICES[: rng.choice([1, 3, 4])]
        self._large = rng.choice([0.0, 0.01, 0.1])
        """How likely an operation is to be larger than the others."""
        self._after = rng.choice([0.0, 0.1, 0.5])
        """How likely one is to need another."""
        self._done: dict[int, dict[str, list[bytes]]] = {}
        """What every session did."""

    def open(
        self,
        slices: Iterable[str],
        storage: Storage,
        clock: Callable[[], float] | None = None,
        token: Callable[[], str] | None = None,
    ) -> LightStore:
        return LightStore(slices, storage=storage, clock=clock or (lambda: 0.0))

    def inject(self, store: LightStore, name: str) -> None:
        store.inject(name)

    def act(self, store: LightStore, tell: Callable[[str], None] | None) -> None:
        random = self._random
        names = store.slices
        payloads = {names[int(random() * len(names))]: self._payload()}
        if random() < 0.3:
            payloads[names[int(random() * len(names))]] = self._payload()
        done = store.write(payloads, after=random() < self._after)
        ours = self._done.setdefault(store._client, {})
        for name, data in done.items():
            ours.setdefault(name, []).append(data)
        if tell is not None:
            sizes = ", ".join(f"{len(data)} bytes in {name}" for name, data in done.items())
            tell(f"writes {sizes}")

    def _payload(self) -> bytes:
        random = self._random
        if random() < self._large:
            return self._bytes(int(random() * 2000))
        return self._bytes(8 + int(random() * 32))

    def seen(self, store: LightStore) -> Seen:
        return store.seen()

    def same(self, one: LightStore, other: LightStore) -> bool:
        return one.state == other.state

    def spoil(self, store: LightStore, name: str, client: int, clock: int) -> Callable[[], None]:
        slot = store._slots[name]
        data = slot.spoil(client, clock)
        store._state = None

        def mend() -> None:
            if slot.holes:
                slot.merge(data, [operation(data)], repair=True)
                store._state = None

        return mend

    def ranges(self, delta: bytes) -> Iterable[tuple[int, int, int]]:
        return [(op.client, op.clock, op.clock + 1) for op in read(delta)]

    def check(self, store: LightStore) -> str:
        for name, slot in store._slots.items():
            hashed = 0
            for client, log in slot.logs.items():
                if log != self._done.get(client, {}).get(name, [])[: len(log)]:
                    return f"what session {client} did in {name} is not what is here"
                for op in map(operation, log):
                    other, clock = op.needs
                    if other and slot.clocks.get(other, 0) <= clock:
                        return f"{op.clock} of {client} in {name} is here, and not what it needs"
                    hashed ^= op.hash
            if hashed != slot.hashed:
                return f"the digest of {name} is not that of its operations"
        return ""

    def waits(self, store: LightStore) -> bool:
        return bool(store._commits._undurable or store._commits._news.items)

    def holds(self, store: LightStore) -> bool:
        return any(slot.held for slot in store._slots.values())

    def free(self, store: LightStore) -> None:
        """Nothing holds on to anything."""
