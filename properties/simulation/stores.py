"""The kinds of stores that a world can be made of, as a protocol: what the simulation does to them.

``real`` stores are what is shipped. ``light`` ones keep numbered deltas and nothing else, so that
the same steps search the sync layer faster. All else is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from crdtstore.storage import Storage
from sync.port import ReplicatedStore

from .disk import Seen

__all__ = ["SimulatedStore", "Stores"]


class SimulatedStore(ReplicatedStore, Protocol):
    """What both kinds of stores have besides the surface that ``sync`` uses."""

    @property
    def slices(self) -> tuple[str, ...]: ...
    @property
    def state(self) -> Any:
        """Equal for equal content, and the same object as long as there was no commit."""
        ...

    def digest(self) -> str: ...
    def compact(self) -> Any: ...
    def close(self) -> None: ...


class Stores(Protocol):
    """The stores of one world, and what they do."""

    @property
    def slices(self) -> Sequence[str]:
        """The slices that every process begins with."""
        ...

    @property
    def injected(self) -> str:
        """The slice that is injected now and then."""
        ...

    def open(
        self,
        slices: Iterable[str],
        storage: Storage,
        clock: Callable[[], float] | None = None,
        token: Callable[[], str] | None = None,
    ) -> Any:
        """Open a store on a storage."""
        ...

    def inject(self, store: Any, name: str) -> None:
        """Add a slice to an open store."""
        ...

    def act(self, store: Any, tell: Callable[[str], None] | None) -> None:
        """Let a store do something, and tell what, if anybody wants to hear."""
        ...

    def seen(self, store: Any) -> Seen:
        """For each slice, the clocks of a store's state vector; nobody changes what is inside."""
        ...

    def same(self, one: Any, other: Any) -> bool:
        """Whether two stores show the same, down to the types of values and the order of keys."""
        ...

    @property
    def can_spoil(self) -> bool:
        """Whether ``spoil`` does anything."""
        ...

    def spoil(self, store: Any, name: str, client: int, clock: int) -> Callable[[], None]:
        """Lose the content of one change, in memory, but not its place; return what undoes that."""
        ...

    def ranges(self, delta: bytes) -> Iterable[tuple[int, int, int]]:
        """The client, first clock and end of everything that a delta holds."""
        ...

    def check(self, store: Any) -> str:
        """What is wrong with the content of a store, and with how it is read; empty if nothing."""
        ...

    def waits(self, store: Any) -> bool:
        """Whether commits wait to be told, or to become durable."""
        ...

    def holds(self, store: Any) -> bool:
        """Whether deltas are held that wait for others."""
        ...

    def free(self, store: Any) -> None:
        """Let go of what a store that was not closed holds."""
        ...
