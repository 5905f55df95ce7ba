"""One slice inside one store: its document, the deltas that wait for others, and its rebirth.

A delta whose dependencies are missing is held, and tried again when what it lacks may have come.
What comes from peers is held up to a bound, beyond which the newest is let go: it waits for what
came before, and its sender has it. What storage holds is held whole, for nobody else may have it. A
document that broke is replaced by a new one, under a new session id, from the storage's
records, which are what counts; work that never reached them was never shown to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from crdtstore.document import Broken, Document, new_client_id
from crdtstore.errors import UpdateError
from crdtstore.slice import Slice
from crdtstore.updates import Id, Update

__all__ = ["Slot"]

MOST_HELD = 256
MOST_HELD_BYTES = 8 << 20


class Slot:
    """A slice, its document and what is held for it. Guarded by the store's lock."""

    __slots__ = ("_schema", "document", "held", "held_bytes", "replica", "slice")

    def __init__(self, of: Slice[Any], replica: str, client: int) -> None:
        self.slice = of
        self.replica = replica
        self.document = Document(of.shape, client, replica)
        self.held: dict[bytes, tuple[Id, ...]] = {}  # and what they lack
        self.held_bytes = 0
        self._schema: dict[str, str] | None = None

    def schema(self) -> dict[str, str]:
        """Return the kind of every place of the slice, which never changes."""
        if self._schema is None:
            self._schema = self.slice.schema()
        return dict(self._schema)

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
                self.merge(delta, bounded=False)
            except (Broken, UpdateError):
                self._renew_with([d for d in stored if d is not delta])
                return

    def merge(
        self,
        delta: bytes,
        update: Update | None = None,
        *,
        repair: bool = False,
        bounded: bool = True,
    ) -> tuple[list[bytes], bool]:
        """Merge a delta; return the deltas that got applied, in order, and if it lacks others.

        Deltas held earlier that fit now are applied too; ``update`` is what ``Document.inspect``
        read in the delta, and ``bounded`` whether one more may be too many to hold. Raises
        ``UpdateError`` and ``Broken``.
        """
        if update is None:
            update = self.document.inspect(delta)
        result = self.document.merge(delta, update, repair=repair)
        if result.missing:
            self._hold(delta, update, bounded)
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

    def _hold(self, delta: bytes, update: Update, bounded: bool) -> None:
        size = len(delta)
        full = len(self.held) >= MOST_HELD or self.held_bytes + size > MOST_HELD_BYTES
        if delta in self.held or (bounded and full):
            return
        self.held[delta] = update.missing
        self.held_bytes += size

    def _retry(self) -> list[bytes]:
        applied: list[bytes] = []
        progress = True
        while progress:
            progress = False
            for delta, lacking in list(self.held.items()):
                if self.document.lacks(lacking):
                    continue
                try:
                    update = self.document.inspect(delta)
                    result = self.document.merge(delta, update)
                except UpdateError:  # contradicts what came meanwhile: its sender must send anew
                    self._release(delta)
                    continue
                except Broken:
                    self._release(delta)
                    raise
                if result.missing:
                    self.held[delta] = update.missing
                else:
                    self._release(delta)
                    progress = True
                    if result.changed:
                        applied.append(delta)
        return applied

    def _release(self, delta: bytes) -> None:
        del self.held[delta]
        self.held_bytes -= len(delta)
