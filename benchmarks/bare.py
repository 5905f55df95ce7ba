"""The floors: what the same costs with nothing but pycrdt, through its public API."""

from __future__ import annotations

from collections.abc import Iterable

from pycrdt import Doc, Map, Text, TransactionEvent

__all__ = ["BareMap", "BareText", "apply_all", "apply_snapshot"]

STAMP = 1_795_326_996_221  # ms, as large as the stamps in cells


class BareMap:
    """A map set key by key, each in its own transaction, with the update read: a delta to send."""

    def __init__(self, keys: int = 1) -> None:
        self.keys = [f"tasks/k{number}/6cafe5b4d2c8/done@2gosa7pa2gv" for number in range(keys)]
        self.doc: Doc[Map[object]] = Doc()
        self.map: Map[object] = self.doc.get("cells", type=Map)
        self.updates: list[bytes] = []
        with self.doc.transaction():
            for key in self.keys:
                self.map[key] = [STAMP, False]
        self._subscription = self.doc.observe(self._keep)

    def _keep(self, event: TransactionEvent) -> None:
        self.updates.append(event.update)

    def run(self, numbers: range) -> None:
        """Set one key for each number."""
        doc, cells, keys, updates = self.doc, self.map, self.keys, self.updates
        count = len(keys)
        for number in numbers:
            with doc.transaction():
                cells[keys[number * 7919 % count]] = [STAMP, number]
            updates.clear()


class BareText:
    """A text patched at code points, each patch in its own transaction, with the update read.

    pycrdt counts in UTF-8 bytes, so whoever has code points keeps the text as a ``str`` beside it.
    """

    def __init__(self, content: str = "") -> None:
        self.doc: Doc[Text] = Doc()
        self.text: Text = self.doc.get("text", type=Text)
        self.mirror = content
        self.updates: list[bytes] = []
        self._subscription = self.doc.observe(self._keep)
        if content:
            self.text += content

    def _keep(self, event: TransactionEvent) -> None:
        self.updates.append(event.update)

    def patch(self, at: int, deleted: int, inserted: str) -> None:
        """Replace ``deleted`` characters at ``at``."""
        mirror, text = self.mirror, self.text
        before = mirror[:at]
        start = len(before.encode())
        with self.doc.transaction():
            if deleted:
                del text[start : start + len(mirror[at : at + deleted].encode())]
            if inserted:
                text.insert(start, inserted)
        self.mirror = before + inserted + mirror[at + deleted :]
        self.updates.clear()


def apply_all(updates: Iterable[bytes]) -> Doc[Map[object]]:
    """Apply updates one by one, in one transaction, to a new document."""
    doc: Doc[Map[object]] = Doc()
    with doc.transaction():
        for update in updates:
            doc.apply_update(update)
    return doc


def apply_snapshot(snapshot: bytes) -> Doc[Map[object]]:
    """Load one snapshot into a new document."""
    doc: Doc[Map[object]] = Doc()
    doc.apply_update(snapshot)
    return doc
