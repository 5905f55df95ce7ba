"""One slice's document: changes in, deltas out; deltas in, changed paths out. Alone knows pycrdt.

Everything pycrdt does that a state store must not see stops here. A transaction that raises is not
rolled back, so values are encoded before one opens, and a document that failed inside one is
``Broken`` and is rebuilt from the log by its owner. Out-of-order and hostile bytes are unsafe, so
``merge`` reads every delta strictly first (``updates``) and holds nothing: a delta whose
dependencies are missing is reported, not applied. Text positions are UTF-8 bytes, observers must
not hold the document, and root handles are the only ones kept.

The mirror of the document in Python (cells by path, texts, list orders) is what gets read; it is
written in the same steps as the document, or from the document's events after a merge.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from pycrdt import Doc, merge_updates

from crdtstore.cells import Cell, Cells, bases_of, next_stamp, parse_cell
from crdtstore.changes import Change, Path
from crdtstore.errors import CrdtstoreError, UpdateError
from crdtstore.index import DIGEST_SIZE, Index, hash_item
from crdtstore.kinds import TextView
from crdtstore.order import Occurrence, Order, parse_occurrence
from crdtstore.paths import (
    SESSION_PATH,
    base36,
    below,
    cell_key,
    escape,
    root_path,
    split,
    split_key,
    unescape,
)
from crdtstore.persistent import Vector
from crdtstore.shapes import ListShape, MapShape, RecordShape, SetShape, Shape
from crdtstore.snapshot import ROOT, conflicts, entry_conflicts, is_value, patch, patch_value, read
from crdtstore.updates import Id, Known, Update, read_state_vector, read_update, write_state_vector
from crdtstore.values import canonical
from crdtstore.writing import Genesis, Located, fixed, locate, write

__all__ = ["Broken", "Document", "Merge", "new_client_id"]

T = TypeVar("T")

_CELLS = "cells"
_BATCH = 512
_MOST_RECENT = 256
_LONGEST_RECENT = 1024


class Broken(CrdtstoreError, RuntimeError):
    """A transaction failed half way: discard this document and rebuild it from the log."""


class Merge(NamedTuple):
    """What became of a delta: ``changed`` if it held news, ``missing`` dependencies if it waits."""

    changed: bool
    missing: bool


_CHANGED, _UNCHANGED = Merge(changed=True, missing=False), Merge(changed=False, missing=False)
_LACKING = Merge(changed=False, missing=True)


class _Box:
    """What observers write to; it holds no document, so an observer leaks none."""

    __slots__ = ("arrays", "cells", "remote", "update")

    def __init__(self) -> None:
        self.remote = False
        self.update = b""
        self.cells: dict[str, Any] = {}
        self.arrays: dict[str, list[list[dict[str, Any]]]] = {}

    def keep_update(self, event: Any) -> None:
        """Keep the bytes of a local transaction."""
        if not self.remote:
            self.update = event.update

    def keep_cells(self, event: Any) -> None:
        """Keep which cells an update changed."""
        self.cells.update(event.keys)


def new_client_id() -> int:
    """Return a fresh client id for one session: random, never used before, never used again."""
    return secrets.randbelow(2**53 - 2) + 1


class Document:
    """The replicated state of one slice.

    ``client`` is this session's id, ``replica`` the store's lasting name. ``state`` is the
    snapshot. Not thread-safe: its store's lock guards it.
    """

    def __init__(
        self,
        shape: Shape,
        client: int,
        replica: str,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self.shape = shape
        self.client = client
        self.writer = base36(client)
        self.replica = replica
        self.state: Any = shape.default
        self._default: Any = shape.default
        self._token = token
        self._raw: Any = Doc(client_id=client)._doc
        self._box = _Box()
        self._index = Index()
        self.cells: Mapping[str, Cells] = self._index.cells
        self._known: Known | None = Known()
        self._texts: dict[str, TextView] = {}
        self._text_handles: dict[str, Any] = {}
        self._last_edits: dict[str, tuple[int, int]] = {}  # code point and byte
        self._orders: dict[str, Order] = {}
        self._array_handles: dict[str, Any] = {}
        self._lists: dict[str, ListShape] = dict(_lists(shape, ""))
        top = Located(shape, ROOT, shape.default, None, ())
        self._fixed: dict[Path, Located] = {place.path: place for place in fixed(top)}
        self._txn: Any = None
        self._pieces: list[bytes] = []
        self._steps = 0
        self._dirty: list[str] = []
        self._root_hashes: dict[str, int] = {}
        self._dirty_roots: set[str] = set()
        self._session_written = False
        self._wrote = False
        self._recent: dict[bytes, None] = {}  # the last deltas, in order
        box = self._box
        self._subscriptions = [self._raw.observe(box.keep_update)]
        txn = self._raw.create_transaction()
        self._map: Any = self._raw.get_or_insert_map(txn, _CELLS)
        txn.commit()
        txn.drop()

    # Reading (the Source that snapshot needs)

    def children(self, path: str) -> Iterator[str]:
        """Yield the paths one segment below ``path`` that hold cells."""
        return self._index.children(path)

    def text(self, root: str) -> TextView:
        """Return the content of a text root."""
        text = self._texts.get(root)
        if text is None:
            text = self._texts[root] = TextView(self._read_text(root))
        return text

    def order(self, root: str) -> Mapping[str, object]:
        """Return the keys that the list order ``root`` shows."""
        return self.follow(root).places

    def shown(self, root: str) -> Vector:
        """Return the keys that the list order ``root`` shows, in order."""
        return self.follow(root).shown

    def conflicts(self, path: Path) -> list[tuple[Any, str, int]]:
        """Return the concurrent values at ``path`` as (value, writer, stamp), newest first."""
        try:
            shape, places, default, entry, _ = self.locate(path)
        except KeyError:  # in a default list that nobody has touched
            return []
        if entry is not None and isinstance(shape, (MapShape, SetShape)):
            return entry_conflicts(shape, places, self)
        return conflicts(shape, places, default, self)

    def replica_of(self, writer: str) -> str:
        """Return the lasting name of the replica that a session's id belonged to."""
        for _, owner, value, _ in self._index.cells.get(SESSION_PATH, ()):
            if owner == writer and isinstance(value, str):
                return value
        return ""

    # Local work

    def apply(self, changes: Sequence[Change], now: int) -> bytes:
        """Apply a reducer's changes at ``now`` ms, patch ``state``, and return the delta.

        Raises ``Broken`` if the document failed half way.
        """
        box = self._box
        box.update = b""
        self._wrote = False
        self._dirty.clear()
        self._pieces.clear()
        self._steps = 0
        self._txn = self._raw.create_transaction()
        try:
            value = write(self, changes, now)
            if not (self._wrote and self._session_written):  # rule 8: every delta moves our clock
                stamp = next_stamp(now, (), self._index.cells.get(SESSION_PATH, ()))
                self.put(SESSION_PATH, (stamp, self.writer, self.replica, None))
                self._session_written = True
            self._txn.commit()
        except BaseException as error:
            raise Broken(f"a local transaction failed: {error!r}") from error
        finally:
            txn, self._txn = self._txn, None
            txn.drop()
        for order in self._orders.values():
            order.settle()
        self._patch(value)
        delta: bytes = merge_updates(*self._pieces, box.update) if self._pieces else box.update
        self._remember(delta)
        return delta

    def _step(self) -> None:
        """Start another transaction now and then: texts and arrays slow down in a long one."""
        self._steps += 1
        if self._steps < _BATCH:
            return
        self._steps = 0
        self._txn.commit()
        self._txn.drop()
        self._pieces.append(self._box.update)
        self._box.update = b""
        self._txn = self._raw.create_transaction()

    def _patch(self, value: Located | None = None) -> None:
        """Read again what changed in the last transaction, which may have been one ``value``."""
        dirty = self._dirty
        if len(dirty) == 1:
            value = value or self._fixed.get(split(dirty[0]))
            if value is not None and is_value(value.shape):
                shape, places, default, _, path = value
                self.state = patch_value(self.state, path, shape, places, default, self)
                return
        paths = [split(path) for path in dirty]
        self.state = patch(self.shape, self.state, ROOT, self._default, paths, 0, self)

    def locate(self, path: Path) -> Located:
        """Find a place; ``KeyError`` if a row on the way is not there."""
        found = self._fixed.get(path)
        if found is None:
            start = self._fixed.get(path[:1]) or self._fixed[()]
            found = locate(start, path, self.cells)
        return found

    def under(self, path: str) -> tuple[str, ...]:
        """Return every path below ``path`` that holds cells."""
        return tuple(self._index.under(path))

    def mark(self, path: str) -> None:
        """Note that what is read at ``path`` changed."""
        self._dirty.append(path)

    def new_incarnation(self) -> str:
        """Return a fresh random name."""
        return self._token()

    def put(self, path: str, cell: Cell) -> None:
        """Write our own cell."""
        stamp, writer, value, inc = cell
        raw = [stamp, value] if inc is None else [stamp, value, inc]
        self._map.insert(self._txn, f"{path}@{writer}", raw)
        self._wrote = True
        if self._known is not None:
            self._known.advance(self.client, _CELLS, 1)
        self._index.put(path, cell)

    def drop(self, path: str, writer: str) -> None:
        """Delete anybody's cell."""
        self._map.remove(self._txn, cell_key(path, writer))
        self._index.drop(path, writer)

    def splice(self, root: str, index: int, deleted: int, inserted: str) -> None:
        """Edit a text; positions in code points, which pycrdt wants in UTF-8 bytes."""
        self._step()
        txn = self._txn
        text = self._texts.get(root)
        if text is None:
            text = TextView(self._read_text(root))
        handle = self._text_handle(txn, root)
        at = self._byte_at(root, text, index)
        end = index + deleted
        if deleted:
            handle.remove_range(txn, at, len(text[index:end].encode()))
        if inserted:
            handle.insert(txn, at, inserted)
            self._wrote = True
            if self._known is not None:
                self._known.advance(self.client, root, utf16_length(inserted), inserted)
        self._texts[root] = TextView(f"{text[:index]}{inserted}{text[end:]}")
        self._dirty_roots.add(root)

    def _byte_at(self, root: str, text: str, index: int) -> int:
        """Return where a code point is in UTF-8, counted from where the last edit was."""
        known, at = self._last_edits.get(root, (0, 0))
        if text.isascii():
            at = index
        elif index < known:
            at -= len(text[index:known].encode())
        else:
            at += len(text[known:index].encode())
        self._last_edits[root] = (index, at)
        return at

    def insert_occurrence(self, root: str, index: int, item: Occurrence) -> None:
        """Put an occurrence at an array index."""
        self._step()
        order = self.follow(root)
        self._array_handles[root].insert(self._txn, index, list(item))
        self._wrote = True
        if self._known is not None:
            self._known.advance(self.client, root, 1)
        order.insert(index, (item,))
        order.settle()
        self._dirty_roots.add(root)

    def delete_occurrences(self, root: str, index: int, count: int) -> list[Occurrence]:
        """Delete the occurrences from an array index on."""
        self._step()
        order = self.follow(root)
        self._array_handles[root].remove_range(self._txn, index, count)
        gone = order.delete(index, count)
        order.settle()
        self._dirty_roots.add(root)
        return gone

    def plant(self, genesis: Genesis) -> None:
        """Write a default's content as its own client, unless it is there (rule 9)."""
        if genesis.client in self._clocks():
            return
        scratch = Doc(client_id=genesis.client)._doc
        txn = scratch.create_transaction()
        if genesis.cells:
            cells = scratch.get_or_insert_map(txn, _CELLS)
            for path, cell in genesis.cells:
                cells.insert(txn, cell_key(path, cell[1]), _raw_cell(cell))
                self._index.put(path, cell)
        for root, text in genesis.texts:
            scratch.get_or_insert_text(txn, root).insert(txn, 0, text)
            self._texts[root] = TextView(text)
            self._dirty_roots.add(root)
        for root, items in genesis.occurrences:
            array = scratch.get_or_insert_array(txn, root)
            order = self.follow(root)
            for index, item in enumerate(items):
                array.insert(txn, index, list(item))
            order.insert(0, items)
            order.settle()
            self._dirty_roots.add(root)
        txn.commit()
        txn.drop()
        txn = scratch.create_transaction()
        update = scratch.get_update(txn, b"\x00")
        txn.drop()
        self._raw.apply_update(self._txn, update)
        if self._known is not None:
            self._known.add(read_update(update, self._known))

    # Remote work

    def merge(self, delta: bytes, update: Update | None = None, *, repair: bool = False) -> Merge:
        """Apply a peer's delta and patch ``state``; ``update`` is what ``inspect`` read in it.

        Raises ``UpdateError`` if no honest replica writes such bytes (nothing is changed then),
        ``Broken`` if the document failed half way. ``repair`` applies it even if its writers'
        clocks say that nothing in it is new.
        """
        if update is None:
            update = self.inspect(delta)
        if update.missing:
            return _LACKING
        if not (update.new or repair):
            return _UNCHANGED
        held = self.digest() if repair else b""
        self._dirty.clear()
        self._box.cells.clear()
        watching = self._map.observe(self._box.keep_cells)
        try:
            self._receive((delta,))
        finally:
            watching.drop()
        self._know().add(update)
        self._absorb(update.roots)
        self._patch()
        self._remember(delta)
        return _CHANGED if update.new or self.digest() != held else _UNCHANGED

    def has(self, delta: bytes) -> bool:
        """Tell if this very delta was merged or made not long ago, so that it holds no news.

        In a mesh most deltas come over every link; this saves reading them again.
        """
        return delta in self._recent

    def _remember(self, delta: bytes) -> None:
        recent = self._recent
        if len(delta) <= _LONGEST_RECENT:
            recent[delta] = None
            if len(recent) > _MOST_RECENT:
                del recent[next(iter(recent))]

    def inspect(self, delta: bytes) -> Update:
        """Read a delta strictly, without applying it; ``UpdateError`` as for ``merge``."""
        known = self._know()
        update = read_update(delta, known)
        for client, _, end in update.ranges:
            if client == self.client and end > known.clocks.get(client, 0):
                raise UpdateError(
                    "session-reused",
                    "the update holds work of this very session that it never did; the store's "
                    "file or memory was copied while it was open",
                )
        return update

    def lacks(self, missing: Iterable[Id]) -> bool:
        """Tell whether any of what an update was said to lack is still not there."""
        clocks = self._clocks()
        return any(clocks.get(client, 0) <= clock for client, clock in missing)

    def load(self, deltas: Iterable[bytes]) -> None:
        """Take in deltas from the replica's own storage, which are trusted, and read the state.

        Raises ``Broken`` if they do not apply.
        """
        self._known = None  # derived when the first merge needs it
        rest = iter(deltas)
        while batch := list(islice(rest, _BATCH)):
            self._receive(batch)
        self._reading(self._mirror)
        self.state = read(self.shape, ROOT, self.shape.default, self)

    def _mirror(self, txn: Any) -> None:
        self._dirty_roots.update(set(self._raw.roots(txn)) - {_CELLS})
        self._index.fill(self._live_cells(txn))

    def _live_cells(self, txn: Any) -> Iterator[tuple[str, Cell]]:
        get = self._map.get
        for key in self._map.keys(txn):
            path, writer = split_key(key)
            cell = parse_cell(writer, get(txn, key))
            if cell is not None:
                yield path, cell

    def _receive(self, deltas: Iterable[bytes]) -> None:
        box = self._box
        box.remote = True
        box.arrays.clear()
        raw = self._raw
        txn = raw.create_transaction()
        try:
            for delta in deltas:
                raw.apply_update(txn, delta)
            txn.commit()
        except BaseException as error:
            raise Broken(f"an update failed half way: {error!r}") from error
        finally:
            txn.drop()
            box.remote = False

    def _absorb_cells(self) -> list[str]:
        index = self._index
        paths: list[str] = []
        for key, event in self._box.cells.items():
            path, writer = split_key(key)
            paths.append(path)
            cell = parse_cell(writer, event.get("newValue"))
            if cell is None:
                index.drop(path, writer)
            else:
                index.put(path, cell)
        return paths

    def _absorb(self, roots: Iterable[str]) -> None:
        """Bring the mirror up to date with what the last transaction changed."""
        dirty = self._dirty
        rows: list[tuple[str, str]] = []
        for path in self._absorb_cells():
            parent, _, name = path.rpartition("/")
            if parent in self._lists:
                rows.append((parent, name))
            dirty.append(path)
        for root in roots:
            if root == _CELLS:
                continue
            self._dirty_roots.add(root)
            place = root_path(root)
            dirty.append(place)
            if root.startswith("text/"):
                self._texts.pop(root, None)
                self._last_edits.pop(root, None)
            elif root in self._orders:
                dirty += [below(place, key) for key in self._replay(root)]
        for root, order in self._orders.items():
            container = root_path(root)
            for parent, name in rows:
                if parent == container:
                    order.bases_changed(unescape(name))
            order.settle()

    def _replay(self, root: str) -> set[str]:
        """Apply the array's own events to a list's order; return the elements they touched."""
        order = self._orders[root]
        touched: set[str] = set()
        for delta in self._box.arrays.pop(root, ()):
            index = 0
            for step in delta:
                if "retain" in step:
                    index += int(step["retain"])
                elif "delete" in step:
                    touched.update(item[0] for item in order.delete(index, int(step["delete"])))
                else:
                    added = [parse_occurrence(raw) for raw in step["insert"]]
                    touched.update(item[0] for item in added)
                    order.insert(index, added)
                    index += len(added)
        return touched

    # What peers ask for

    def state_vector(self) -> bytes:
        """Return the Yjs state vector: for each session, how much of its work is here."""
        known = self._known
        return write_state_vector(self._clocks()) if known is None else known.vector

    def delta_since(self, vector: bytes) -> bytes | None:
        """Return what a peer with ``vector`` lacks, or ``None`` if it lacks nothing.

        Raises ``UpdateError`` if the vector is malformed.
        """
        known = self._know()
        theirs = known.within(read_state_vector(vector))
        if all(theirs.get(client, 0) >= clock for client, clock in known.clocks.items()):
            return None
        return self._get_update(write_state_vector(theirs))

    def whole(self) -> bytes:
        """Return everything as one delta."""
        return self._get_update(b"\x00")

    def digest(self) -> bytes:
        """Return 16 bytes that are equal on replicas with equal content, and else differ."""
        for root in self._dirty_roots:
            content = self._root_content(root)
            self._root_hashes[root] = hash_item(root, content) if content else 0
        self._dirty_roots.clear()
        whole = self._index.digest() + sum(self._root_hashes.values())
        return (whole % (1 << (8 * DIGEST_SIZE))).to_bytes(DIGEST_SIZE, "big")

    def close(self) -> None:
        """Stop observing, so that the document can be freed."""
        for subscription in self._subscriptions:
            subscription.drop()
        self._subscriptions.clear()

    def _clocks(self) -> Mapping[int, int]:
        if self._known is not None:
            return self._known.clocks
        return read_state_vector(self._reading(self._raw.get_state))

    def _get_update(self, vector: bytes) -> bytes:
        update: bytes = self._reading(lambda txn: self._raw.get_update(txn, vector))
        return update

    def _know(self) -> Known:
        known = self._known
        if known is None:
            known = Known()
            known.add(read_update(self.whole(), known))
            self._known = known
        return known

    def _root_content(self, root: str) -> bytes:
        if root.startswith("text/"):
            return self._read_text(root).encode()
        items = self._read_array(root)
        return canonical(items) if items else b""

    # Roots

    def _text_handle(self, txn: Any, root: str) -> Any:
        handle = self._text_handles.get(root)
        if handle is None:
            if len(self._text_handles) > _BATCH:
                self._text_handles.clear()
            handle = self._text_handles[root] = self._raw.get_or_insert_text(txn, root)
        return handle

    def _read_text(self, root: str) -> str:
        return self._reading(lambda txn: str(self._text_handle(txn, root).get_string(txn)))

    def _read_array(self, root: str) -> list[Any]:
        raw = self._raw
        items = json.loads(
            self._reading(lambda txn: raw.get_or_insert_array(txn, root).to_json(txn))
        )
        return items if isinstance(items, list) else []

    def _reading(self, read: Callable[[Any], T]) -> T:
        """Call ``read`` with the open transaction, or with one to read with."""
        if self._txn is not None:
            return read(self._txn)
        txn = self._raw.create_transaction()
        try:
            return read(txn)
        finally:
            txn.drop()

    def follow(self, root: str) -> Order:
        """Return the order of a list's root, kept up to date with the array from now on."""
        order = self._orders.get(root)
        if order is not None:
            return order
        path = root_path(root)
        shape = self._lists[path]
        cells = self._index.cells

        def is_live(key: str, inc: str) -> bool:
            bases = bases_of(shape.element, cells.get(below(path, key), ()))
            return any(base[3] == inc for base in bases)

        order = Order(is_live)
        order.insert(0, map(parse_occurrence, self._read_array(root)))
        order.settle()
        box = self._box
        handle = self._reading(lambda txn: self._raw.get_or_insert_array(txn, root))
        self._subscriptions.append(handle.observe(lambda event: _keep_array(box, root, event)))
        self._array_handles[root] = handle
        self._orders[root] = order
        return order


def _keep_array(box: _Box, root: str, event: Any) -> None:
    if box.remote:
        box.arrays.setdefault(root, []).append(event.delta)


def _lists(shape: Shape, path: str) -> Iterator[tuple[str, ListShape]]:
    if isinstance(shape, ListShape):
        yield path, shape
    elif isinstance(shape, RecordShape):
        for name, field in shape.fields.items():
            yield from _lists(field, f"{path}/{escape(name)}" if path else escape(name))


def _raw_cell(cell: Cell) -> list[Any]:
    stamp, _, value, inc = cell
    return [stamp, value] if inc is None else [stamp, value, inc]


def utf16_length(text: str) -> int:
    """Return how many clocks a text insert takes: its length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
