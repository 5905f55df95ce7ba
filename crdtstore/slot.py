"""One slice inside one store: its document, the deltas that wait for others, and its rebirth.

A delta whose dependencies are missing is held, bounded, and tried again after every delta that is
applied. A document that broke is replaced by a new one, under a new session id, from the storage's
records, which are what counts; work that never reached them was never shown to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crdtstore.document import Broken, Document, new_client_id
from crdtstore.errors import UpdateError
from crdtstore.slice import Slice
from crdtstore.updates import Update

__all__ = ["Slot"]

MOST_HELD = 256
MOST_HELD_BYTES = 8 << 20


class Slot:
    """A slice, its document and what is held for it. Guarded by the store's lock."""

    __slots__ = ("document", "held", "held_bytes", "replica", "slice")

    def __init__(self, of: Slice[Any], replica: str, client: int) -> None:
        self.slice = of
        self.replica = replica
        self.document = Document(of.shape, client, replica)
        self.held: dict[bytes, None] = {}
        self.held_bytes = 0

    @property
    def state(self) -> Any:
        """The slice's snapshot."""
        return self.document.state

    def load(self, deltas: Iterable[bytes], *, damaged: bool = False) -> None:
        """Take in what storage holds; with ``damaged`` records around, only what fits together."""
        stored = list(deltas)
        if not damaged:
            try:
                self.document.load(stored)
                return
            except Broken:
                self._renew()
        for delta in stored:
            try:
                self.merge(delta)
            except (Broken, UpdateError):
                self._renew_with([d for d in stored if d is not delta])
                return

    def merge(
        self, delta: bytes, update: Update | None = None, *, repair: bool = False
    ) -> tuple[list[bytes], bool]:
        """Merge a delta; return the deltas that got applied, in order, and if it lacks others.

        Deltas held earlier that fit now are applied too; ``update`` is what ``Document.inspect``
        read in the delta. Raises ``UpdateError`` and ``Broken``.
        """
        result = self.document.merge(delta, update, repair=repair)
        if result.missing:
            self._hold(delta)
            return [], True
        applied = [delta] if result.changed else []
        if applied and self.held:
            applied += self._retry()
        return applied, False

    def rebuild(self, deltas: Iterable[bytes]) -> None:
        """Replace a broken document by a new one made of stored deltas."""
        self._renew()
        self.load(deltas)

    def _renew(self) -> None:
        self.document.close()
        self.document = Document(self.slice.shape, new_client_id(), self.replica)

    def _renew_with(self, deltas: list[bytes]) -> None:
        self._renew()
        self.load(deltas, damaged=True)

    def _hold(self, delta: bytes) -> None:
        if delta in self.held:
            return
        self.held[delta] = None
        self.held_bytes += len(delta)
        while len(self.held) > MOST_HELD or self.held_bytes > MOST_HELD_BYTES:
            oldest = next(iter(self.held))
            del self.held[oldest]
            self.held_bytes -= len(oldest)

    def _retry(self) -> list[bytes]:
        applied: list[bytes] = []
        progress = True
        while progress:
            progress = False
            for delta in list(self.held):
                try:
                    result = self.document.merge(delta)
                except UpdateError:  # contradicts what came meanwhile: its sender must send anew
                    self._release(delta)
                    continue
                except Broken:
                    self._release(delta)
                    raise
                if not result.missing:
                    self._release(delta)
                    progress = True
                    if result.changed:
                        applied.append(delta)
        return applied

    def _release(self, delta: bytes) -> None:
        del self.held[delta]
        self.held_bytes -= len(delta)
