"""The live cells of one document, by path, with what every path has under it and a digest of all.

The document holds cells by key; reading needs them by path, removing a row needs everything under
it, and comparing replicas needs a digest that does not depend on order. The digest is a sum of one
hash per cell, kept lazily: a change costs a dictionary entry, and the hashing waits until somebody
asks (Bellare and Micciancio's AdHash, EUROCRYPT '97; it detects faults, not forgery).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from crdtstore.cells import Cell, Cells
from crdtstore.paths import cell_key
from crdtstore.values import canonical

__all__ = ["DIGEST_SIZE", "Index", "hash_item"]

DIGEST_SIZE = 16
_MODULUS = 1 << (8 * DIGEST_SIZE)
_NONE: Cells = ()
_MOST_DIRTY = 10_000
_MOST_HASHED = 1024


def hash_item(name: str, content: bytes) -> int:
    """Hash one named piece of content, as a number to be summed."""
    key = name.encode("utf-8", "surrogatepass")
    data = len(key).to_bytes(4, "big") + key + content
    return int.from_bytes(blake2b(data, digest_size=DIGEST_SIZE).digest(), "big")


class Index:
    """Cells by path; ``cells`` may be read freely and is written only through the methods."""

    __slots__ = ("_children", "_dirty", "_hashed", "_sum", "cells")

    def __init__(self) -> None:
        self.cells: dict[str, Cells] = {}
        self._children: dict[str, dict[str, None]] = {}
        self._dirty: dict[str, Cells] = {}  # what was at a path when the sum was taken
        self._hashed: dict[str, int] = {}  # what paths that changed of late add to the sum
        self._sum = 0

    def put(self, path: str, cell: Cell) -> None:
        """Put a writer's cell at ``path``, in place of its earlier one."""
        old = self.cells.get(path, _NONE)
        self._touch(path, old)
        if not old:
            self.cells[path] = (cell,)
            self._link(path)
        elif len(old) == 1 and old[0][1] == cell[1]:
            self.cells[path] = (cell,)
        else:
            kept = [other for other in old if other[1] != cell[1]]
            self.cells[path] = tuple(sorted([*kept, cell], key=_writer))

    def fill(self, found: Iterable[tuple[str, Cell]]) -> None:
        """Put many cells, each of another key, into an empty index."""
        cells = self.cells
        for path, cell in found:
            old = cells.get(path)
            if old is None:
                cells[path] = (cell,)
                self._link(path)
            else:
                cells[path] = tuple(sorted([*old, cell], key=_writer))
        self._dirty = dict.fromkeys(cells, _NONE)

    def drop(self, path: str, writer: str) -> None:
        """Remove a writer's cell, if it is there."""
        old = self.cells.get(path, _NONE)
        kept = tuple(cell for cell in old if cell[1] != writer)
        if len(kept) == len(old):
            return
        self._touch(path, old)
        if kept:
            self.cells[path] = kept
        else:
            del self.cells[path]
            self._unlink(path)

    def under(self, path: str) -> Iterator[str]:
        """Yield every path below ``path`` that holds cells."""
        for below in tuple(self._children.get(path, ())):
            if below in self.cells:
                yield below
            yield from self.under(below)

    def children(self, path: str) -> Iterator[str]:
        """Yield the paths one segment below ``path`` that hold cells, or have such below them."""
        return iter(tuple(self._children.get(path, ())))

    def digest(self) -> int:
        """Return the sum of the hashes of all live cells."""
        total = self._sum
        hashed = self._hashed
        if len(hashed) + len(self._dirty) > _MOST_HASHED:
            hashed.clear()
        few = len(self._dirty) <= _MOST_HASHED
        for path, before in self._dirty.items():
            known = hashed.get(path)
            if known is None:
                known = sum([_hash_cell(path, cell) for cell in before])
            now = sum([_hash_cell(path, cell) for cell in self.cells.get(path, _NONE)])
            total += now - known
            if few:
                hashed[path] = now
        self._dirty.clear()
        self._sum = total % _MODULUS
        return self._sum

    def _touch(self, path: str, before: Cells) -> None:
        dirty = self._dirty
        if len(dirty) > len(self.cells) + _MOST_DIRTY:  # of paths that are gone
            self.digest()
        dirty.setdefault(path, before)

    def _link(self, path: str) -> None:
        children = self._children
        while path:
            parent = path.rpartition("/")[0]
            siblings = children.get(parent)
            if siblings is None:
                children[parent] = {path: None}
            elif path in siblings:
                return
            else:
                siblings[path] = None
                return
            if parent in self.cells:
                return
            path = parent

    def _unlink(self, path: str) -> None:
        children = self._children
        while path and path not in self.cells and path not in children:
            parent = path.rpartition("/")[0]
            siblings = children.get(parent)
            if siblings is not None:
                siblings.pop(path, None)
                if not siblings:
                    del children[parent]
            path = parent


def _writer(cell: Cell) -> str:
    return cell[1]


def _hash_cell(path: str, cell: Cell) -> int:
    stamp, writer, value, inc = cell
    key = cell_key(path, writer)
    return hash_item(key, canonical([stamp, value, inc] if inc is not None else [stamp, value]))
