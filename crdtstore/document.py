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
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from pycrdt import Doc

from crdtstore.cells import (
    REMOVED,
    VIRTUAL,
    Cell,
    Cells,
    Place,
    bases_of,
    child,
    next_stamp,
    number,
    parse_cell,
    total,
)
from crdtstore.changes import ABSENT, Add, Change, Insert, Move, Path, Put, Remove, Splice
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
    list_root,
    root_path,
    split,
    split_key,
    text_root,
    unescape,
)
from crdtstore.persistent import Vector
from crdtstore.shapes import (
    ListShape,
    MapShape,
    RecordShape,
    SetShape,
    Shape,
    TableShape,
    content_hash,
    row_base,
    row_entries,
    row_texts,
)
from crdtstore.snapshot import (
    ROOT,
    chosen_hash,
    conflicts,
    entry_conflicts,
    list_hash,
    patch,
    read,
    row_places,
    text_hash,
)
from crdtstore.updates import Known, Update, read_state_vector, read_update, write_state_vector
from crdtstore.values import ANY, canonical
from crdtstore.views import read_field

__all__ = ["Broken", "Document", "Merge", "new_client_id"]

_CELLS = "cells"
_BATCH = 512


class Broken(CrdtstoreError, RuntimeError):
    """A transaction failed half way: discard this document and rebuild it from the log."""


class Merge(NamedTuple):
    """What became of a delta: ``changed`` if it held news, ``missing`` dependencies if it waits."""

    changed: bool
    missing: bool


class _Box:
    """What observers write to; it holds no document, so an observer leaks none."""

    __slots__ = ("arrays", "cells", "remote", "update")

    def __init__(self) -> None:
        self.remote = False
        self.update = b""
        self.cells: dict[str, Any] = {}
        self.arrays: dict[str, list[list[dict[str, Any]]]] = {}


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
        self._token = token
        self._raw: Any = Doc(client_id=client)._doc
        self._box = _Box()
        self._index = Index()
        self._known: Known | None = Known()
        self._texts: dict[str, TextView] = {}
        self._text_handles: dict[str, Any] = {}
        self._orders: dict[str, Order] = {}
        self._array_handles: dict[str, Any] = {}
        self._lists: dict[str, ListShape] = dict(_lists(shape, ""))
        self._located: dict[Path, tuple[Shape, list[Place], Any]] = {}
        self._dirty: list[tuple[str, ...]] = []
        self._root_hashes: dict[str, int] = {}
        self._dirty_roots: set[str] = set()
        self._session_written = False
        self._wrote = False
        box = self._box
        self._subscriptions = [self._raw.observe(lambda event: _keep_update(box, event))]
        txn = self._raw.create_transaction()
        self._map: Any = self._raw.get_or_insert_map(txn, _CELLS)
        txn.commit()
        txn.drop()
        self._subscriptions.append(self._map.observe(lambda event: _keep_cells(box, event)))

    # Reading (the Source that snapshot needs)

    @property
    def cells(self) -> Mapping[str, Cells]:
        """The live cells by path."""
        return self._index.cells

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
        return self._order(root).places

    def shown(self, root: str) -> Vector:
        """Return the keys that the list order ``root`` shows, in order."""
        return self._order(root).shown

    def conflicts(self, path: Path) -> list[tuple[Any, str, int]]:
        """Return the concurrent values at ``path`` as (value, writer, stamp), newest first."""
        shape = self._shape_at(path[:-1])
        if isinstance(shape, (MapShape, SetShape)):
            _, places, _ = self._locate(path[:-1])
            return entry_conflicts(shape, places, path[-1], self)
        shape, places, default = self._locate(path)
        return conflicts(shape, places, default, self)

    def replica_of(self, writer: str) -> str:
        """Return the lasting name of the replica that a session's id belonged to."""
        for _, owner, value, _ in self._index.cells.get(SESSION_PATH, ()):
            if owner == writer and isinstance(value, str):
                return value
        return ""

    # Local work

    def apply(self, changes: Iterable[Change], now: int) -> bytes:
        """Apply a reducer's changes at ``now`` ms, patch ``state``, and return the delta.

        Raises ``Broken`` if the document failed half way.
        """
        box = self._box
        box.update = b""
        self._wrote = False
        dirty = self._dirty
        dirty.clear()
        raw = self._raw
        txn = raw.create_transaction()
        try:
            for change in changes:
                _APPLY[type(change)](self, txn, change, now)
            if not (self._wrote and self._session_written):
                self._put_session(txn, now)
            txn.commit()
        except BaseException as error:
            raise Broken(f"a local transaction failed: {error!r}") from error
        finally:
            txn.drop()
        for order in self._orders.values():
            order.settle()
        self.state = patch(self.shape, self.state, ROOT, self.shape.default, dirty, 0, self)
        return box.update

    def _put(self, txn: Any, path: str, cell: Cell) -> None:
        stamp, writer, value, inc = cell
        self._map.insert(
            txn, f"{path}@{writer}", [stamp, value] if inc is None else [stamp, value, inc]
        )
        self._wrote = True
        if self._known is not None:
            self._known.advance(self.client, _CELLS, 1)
        self._index.put(path, cell)

    def _drop(self, txn: Any, path: str, writer: str) -> None:
        self._map.remove(txn, cell_key(path, writer))
        self._index.drop(path, writer)

    def _replace(self, txn: Any, path: str, stamp: int, value: Any) -> None:
        """Put our own cell and delete every other live cell of the path (observed remove)."""
        writer = self.writer
        for cell in self._index.cells.get(path, ()):
            if cell[1] != writer:
                self._drop(txn, path, cell[1])
        self._put(txn, path, (stamp, writer, value, None))

    def _drop_all(self, txn: Any, path: str) -> None:
        for cell in self._index.cells.get(path, ()):
            self._drop(txn, path, cell[1])

    def _put_session(self, txn: Any, now: int) -> None:
        stamp = next_stamp(now, self._index.cells.get(SESSION_PATH, ()))
        self._put(txn, SESSION_PATH, (stamp, self.writer, self.replica, None))
        self._session_written = True

    def _shape_at(self, path: Path) -> Shape:
        shape = self.shape
        for segment in path:
            if isinstance(shape, RecordShape):
                shape = shape.fields[segment]
            elif isinstance(shape, (TableShape, ListShape)):
                shape = shape.element
        return shape

    def _locate(self, path: Path) -> tuple[Shape, list[Place], Any]:
        """Return the shape, places and default at ``path``; rows on the way must be there."""
        found = self._located.get(path)
        if found is not None:
            return found
        shape: Shape = self.shape
        places: list[Place] = ROOT
        default = shape.default
        static = True
        for segment in path:
            if isinstance(shape, RecordShape):
                if segment not in shape.fields:
                    raise KeyError(segment)
                places = child(places, segment)
                default = read_field(default, segment)
                shape = shape.fields[segment]
            elif isinstance(shape, (TableShape, ListShape)):
                static = False
                rows = default._rows if isinstance(shape, TableShape) else _NO_ROWS
                row = row_places(shape, places[0][0], segment, rows, self._index.cells)
                if row is None:
                    raise KeyError(segment)
                places, default = row
                shape = shape.element
            else:
                raise KeyError(segment)
        found = shape, places, default
        if static:
            self._located[path] = found
        return found

    def _mark(self, place: Place, *more: str) -> None:
        self._dirty.append((*split(place[0]), *more))

    def _apply_put(self, txn: Any, change: Put, now: int) -> None:
        path = change.path
        shape = self._shape_at(path[:-1])
        cells = self._index.cells
        if isinstance(shape, (MapShape, SetShape)):
            _, owners, _ = self._locate(path[:-1])
            places = child(owners, path[-1])
            encoded = change.encoded
            if encoded is None and change.value is not None:
                encoded = shape.codec.encode(change.value, path)
            stamp = next_stamp(now, *[cells.get(place[0], ()) for place in places])
        else:
            register, places, _ = self._locate(path)
            encoded = change.encoded
            if encoded is None and change.value is not None:
                encoded = register.codec.encode(change.value, path)  # type: ignore[union-attr]
            bases = [place for place in places if place[3] is not ABSENT]
            stamp = next_stamp(now, bases, *[cells.get(place[0], ()) for place in places])
        for place in places:
            self._replace(txn, place[0], stamp, encoded)
        self._mark(places[0])

    def _apply_add(self, txn: Any, change: Add, now: int) -> None:
        shape, places, _ = self._locate(change.path)
        path = places[0][0]
        own = self._index.cells.get(path, ())
        before: int | float = 0
        for cell in own:
            if cell[1] == self.writer:
                before = number(shape, cell[2]) or 0  # type: ignore[arg-type]
        bases = [place for place in places if place[3] is not ABSENT]
        stamp = next_stamp(now, bases, *[self._index.cells.get(p[0], ()) for p in places])
        amount = ANY.encode(total(before, [change.amount]), change.path)
        self._put(txn, path, (stamp, self.writer, amount, None))
        self._mark(places[0])

    def _apply_splice(self, txn: Any, change: Splice, now: int) -> None:
        shape, places, default = self._locate(change.path)
        place = places[0]
        path = place[0]
        default_hash = text_hash(place, default, self._index.cells)
        if default_hash is None:
            default_hash = content_hash(shape, [default])
            self._seed_text(txn, text_root(path, default_hash), default)
        if place[3] is ABSENT and chosen_hash(self._index.cells.get(path, ())) is None:
            stamp = next_stamp(now)
            self._put(txn, path, (stamp, self.writer, default_hash, None))
        root = text_root(path, default_hash)
        self._splice(txn, root, change.index, len(change.deleted), change.inserted)
        self._mark(place)

    def _splice(self, txn: Any, root: str, index: int, deleted: int, inserted: str) -> None:
        text = self._texts.get(root)
        if text is None:
            text = TextView(self._read_text(root, txn))
        handle = self._text_handle(txn, root)
        before = text[:index]
        at = index if text.isascii() else len(before.encode())
        if deleted:
            gone = text[index : index + deleted]
            handle.remove_range(txn, at, len(gone.encode()))
        if inserted:
            handle.insert(txn, at, inserted)
            self._wrote = True
            if self._known is not None:
                self._known.advance(self.client, root, utf16_length(inserted))
        self._texts[root] = TextView(before + inserted + text[index + deleted :])
        self._dirty_roots.add(root)

    def _apply_remove(self, txn: Any, change: Remove, now: int) -> None:
        path, key = change.path[:-1], change.path[-1]
        shape, places, default = self._locate(path)
        cells = self._index.cells
        if isinstance(shape, (MapShape, SetShape)):
            defaults = default._rows if isinstance(shape, MapShape) else default._items
            virtual = places[0][3] is ABSENT and key in defaults
            entries = child(places, key)
            if virtual:
                stamp = next_stamp(now, *[cells.get(place[0], ()) for place in entries])
                for place in entries:
                    self._replace(txn, place[0], stamp, REMOVED)
            else:
                for place in entries:
                    self._drop_all(txn, place[0])
            self._mark(entries[0])
            return
        if isinstance(shape, ListShape):
            self._seed_list(txn, shape, places[0][0], default, now)
        self._remove_row(txn, shape, places[0][0], key, default, now)

    def _remove_row(
        self, txn: Any, shape: Shape, path: str, key: str, default: Any, now: int
    ) -> None:
        row_path = below(path, key)
        self._clear_row(txn, row_path, isinstance(shape, TableShape) and key in default)
        if isinstance(shape, ListShape):
            root = self._list_root(shape, path)
            order = self._order(root, txn)
            self._delete_occurrences(txn, root, order, key)
            self._dirty.append(split(path))
        elif key in default:
            stamp = next_stamp(now)
            self._put(txn, row_path, (stamp, self.writer, REMOVED, None))
        self._dirty.append((*split(path), key))

    def _clear_row(self, txn: Any, row_path: str, virtual: bool) -> Cells:
        """Delete a row's cells and all cells under the incarnations they are bases of."""
        cells = self._index.cells.get(row_path, ())
        incarnations = [cell[3] for cell in cells if cell[3] is not None]
        if virtual:
            incarnations.append(VIRTUAL)
        for inc in incarnations:
            for inner in tuple(self._index.under(f"{row_path}/{inc}")):
                self._drop_all(txn, below)
            inner = f"{row_path}/{inc}"
            if inner in self._index.cells:
                self._drop_all(txn, inner)
        for cell in cells:
            self._drop(txn, row_path, cell[1])
        return cells

    def _apply_insert(self, txn: Any, change: Insert, now: int) -> None:
        path, key = change.path[:-1], change.path[-1]
        shape, places, default = self._locate(path)
        container = places[0][0]
        row_path = below(container, key)
        element = shape.element  # type: ignore[union-attr]
        is_list = isinstance(shape, ListShape)
        if is_list:
            self._seed_list(txn, shape, container, default, now)
        seen = self._clear_row(txn, row_path, not is_list and key in default)
        inc = self._token()
        stamp = next_stamp(now, seen)
        writer = self.writer
        self._put(txn, row_path, (stamp, writer, row_base(element, change.row), inc))
        place = f"{row_path}/{inc}"
        for at, text in row_texts(element, change.row, place):
            self._splice(txn, text_root(at), 0, 0, text)
        for at, encoded in row_entries(element, change.row, place):
            self._put(txn, at, (stamp, writer, encoded, None))
        if is_list:
            root = self._list_root(shape, container)
            order = self._order(root, txn)
            self._delete_occurrences(txn, root, order, key)
            self._put_occurrence(txn, root, order, (key, inc, stamp, writer), change.after)
            self._dirty.append(split(container))
        self._dirty.append((*split(container), key))

    def _apply_move(self, txn: Any, change: Move, now: int) -> None:
        path, key = change.path[:-1], change.path[-1]
        shape, places, default = self._locate(path)
        container = places[0][0]
        self._seed_list(txn, shape, container, default, now)  # type: ignore[arg-type]
        bases = bases_of(
            shape.element,  # type: ignore[union-attr]
            self._index.cells.get(below(container, key), ()),
        )
        if not bases:
            return
        root = self._list_root(shape, container)  # type: ignore[arg-type]
        order = self._order(root, txn)
        gone = self._delete_occurrences(txn, root, order, key)
        stamp = next_stamp(now, bases, [(item[2], item[3], None, None) for item in gone])
        inc = bases[0][3] or ""
        self._put_occurrence(txn, root, order, (key, inc, stamp, self.writer), change.after)
        self._dirty.append(split(container))
        self._dirty.append((*split(container), key))

    def _delete_occurrences(
        self, txn: Any, root: str, order: Order, key: str
    ) -> list[Occurrence]:
        gone: list[Occurrence] = []
        for index in order.positions_of(key):
            self._array_handles[root].remove_range(txn, index, 1)
            gone += order.delete(index, 1)
        order.settle()
        self._dirty_roots.add(root)
        return gone

    def _put_occurrence(
        self, txn: Any, root: str, order: Order, item: Occurrence, after: str | None
    ) -> None:
        index = order.index_after(after)
        self._array_handles[root].insert(txn, index, list(item))
        self._wrote = True
        if self._known is not None:
            self._known.advance(self.client, root, 1)
        order.insert(index, (item,))
        order.settle()
        self._dirty_roots.add(root)

    # Defaults that several replicas edit: genesis updates

    def _seed_text(self, txn: Any, root: str, default: str) -> None:
        """Write a text's default the same way everywhere: by a client named for its content."""
        client = _genesis_client(root, default)
        if self._holds(txn, client):
            return
        genesis = Doc(client_id=client)._doc
        seed = genesis.create_transaction()
        genesis.get_or_insert_text(seed, root).insert(seed, 0, str(default))
        seed.commit()
        seed.drop()
        self._apply_genesis(txn, genesis)
        self._texts[root] = TextView(default)
        self._dirty_roots.add(root)

    def _seed_list(
        self, txn: Any, shape: ListShape, path: str, default: Any, now: int
    ) -> None:
        """Write a list's default elements, order and rows, before the first edit of the list."""
        if chosen_hash(self._index.cells.get(path, ())) is not None:
            return
        name = content_hash(shape.element, default) if len(default) else ""
        if name:
            root = list_root(path, name)
            client = _genesis_client(root, repr(list(default._keys)))
            if not self._holds(txn, client):
                self._write_genesis(txn, client, shape, path, root, default)
        self._put(txn, path, (next_stamp(now), self.writer, name, None))
        self._dirty.append(split(path))

    def _write_genesis(
        self, txn: Any, client: int, shape: ListShape, path: str, root: str, default: Any
    ) -> None:
        writer = base36(client)
        genesis = Doc(client_id=client)._doc
        seed = genesis.create_transaction()
        cells = genesis.get_or_insert_map(seed, _CELLS)
        array = genesis.get_or_insert_array(seed, root)
        order = self._order(root, txn)

        def put(at: str, cell: Cell) -> None:
            stamp, _, value, inc = cell
            raw = [stamp, value] if inc is None else [stamp, value, inc]
            cells.insert(seed, cell_key(at, writer), raw)
            self._index.put(at, cell)

        for index, (key, row) in enumerate(zip(default._keys, default, strict=True)):
            inc = key
            row_path = below(path, key)
            put(row_path, (0, writer, row_base(shape.element, row), inc))
            place = f"{row_path}/{inc}"
            for at, text in row_texts(shape.element, row, place):
                genesis.get_or_insert_text(seed, text_root(at)).insert(seed, 0, str(text))
                self._texts[text_root(at)] = TextView(text)
                self._dirty_roots.add(text_root(at))
            for at, encoded in row_entries(shape.element, row, place):
                put(at, (0, writer, encoded, None))
            array.insert(seed, index, [key, inc, 0, writer])
            order.insert(index, ((key, inc, 0, writer),))
        seed.commit()
        seed.drop()
        self._apply_genesis(txn, genesis)
        self._dirty_roots.add(root)

    def _apply_genesis(self, txn: Any, genesis: Any) -> None:
        reading = genesis.create_transaction()
        update = genesis.get_update(reading, b"\x00")
        reading.drop()
        self._raw.apply_update(txn, update)
        if self._known is not None:
            self._known.add(read_update(update, self._known))

    def _holds(self, txn: Any, client: int) -> bool:
        if self._known is not None:
            return client in self._known.clocks
        return client in read_state_vector(self._raw.get_state(txn))

    # Remote work

    def merge(self, delta: bytes, *, repair: bool = False) -> Merge:
        """Apply a peer's delta and patch ``state``.

        Raises ``UpdateError`` if no honest replica writes such bytes (nothing is changed then),
        ``Broken`` if the document failed half way. ``repair`` applies it even if its writers'
        clocks say that nothing in it is new.
        """
        known = self._know()
        update = self.inspect(delta)
        if update.missing:
            return Merge(changed=False, missing=True)
        if not (update.new or repair):
            return Merge(changed=False, missing=False)
        self._dirty.clear()
        self._receive((delta,))
        known.add(update)
        self._absorb(update.roots)
        before = self.state
        self.state = patch(self.shape, before, ROOT, self.shape.default, self._dirty, 0, self)
        return Merge(changed=update.new or before is not self.state, missing=False)

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

    def load(self, deltas: Iterable[bytes]) -> None:
        """Take in deltas from the replica's own storage, which are trusted, and read the state.

        Raises ``Broken`` if they do not apply.
        """
        self._known = None  # derived when the first merge needs it
        batch: list[bytes] = []
        for delta in deltas:
            batch.append(delta)
            if len(batch) == _BATCH:
                self._load(batch)
                batch = []
        if batch:
            self._load(batch)
        txn = self._raw.create_transaction()
        roots = set(self._raw.roots(txn)) - {_CELLS}
        txn.drop()
        for root in roots:
            self._dirty_roots.add(root)
        self._dirty.clear()
        self.state = read(self.shape, ROOT, self.shape.default, self)

    def _load(self, batch: list[bytes]) -> None:
        self._receive(batch)
        self._absorb_cells()

    def _receive(self, deltas: Iterable[bytes]) -> None:
        box = self._box
        box.remote = True
        box.cells.clear()
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

    def _absorb_cells(self) -> None:
        index = self._index
        for key, event in self._box.cells.items():
            path, writer = split_key(key)
            cell = parse_cell(writer, event.get("newValue"))
            if cell is None:
                index.drop(path, writer)
            else:
                index.put(path, cell)

    def _absorb(self, roots: Iterable[str]) -> None:
        """Bring the mirror up to date with what the last transaction changed."""
        dirty = self._dirty
        self._absorb_cells()
        rows: list[tuple[str, str]] = []
        for key in self._box.cells:
            path = split_key(key)[0]
            parent, _, name = path.rpartition("/")
            if parent in self._lists:
                rows.append((parent, name))
            dirty.append(split(path))
        for root in roots:
            if root.startswith("text/"):
                self._dirty_roots.add(root)
                self._texts.pop(root, None)
                dirty.append(split(root_path(root)))
            elif root.startswith("list/"):
                self._dirty_roots.add(root)
                path = split(root_path(root))
                dirty.append(path)
                if root in self._orders:
                    dirty += [(*path, key) for key in self._follow(root)]
        for root, order in self._orders.items():
            container = root_path(root)
            for parent, name in rows:
                if parent == container:
                    order.bases_changed(unescape(name))
            order.settle()

    def _follow(self, root: str) -> set[str]:
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
        return write_state_vector(self._clocks())

    def delta_since(self, vector: bytes) -> bytes | None:
        """Return what a peer with ``vector`` lacks, or ``None`` if it lacks nothing.

        Raises ``UpdateError`` if the vector is malformed.
        """
        theirs = read_state_vector(vector)
        ours = self._clocks()
        if all(theirs.get(client, 0) >= clock for client, clock in ours.items()):
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
        txn = self._raw.create_transaction()
        try:
            return read_state_vector(self._raw.get_state(txn))
        finally:
            txn.drop()

    def _get_update(self, vector: bytes) -> bytes:
        txn = self._raw.create_transaction()
        try:
            update: bytes = self._raw.get_update(txn, vector)
        finally:
            txn.drop()
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

    def _read_text(self, root: str, txn: Any = None) -> str:
        if txn is not None:
            return str(self._text_handle(txn, root).get_string(txn))
        txn = self._raw.create_transaction()
        try:
            return str(self._text_handle(txn, root).get_string(txn))
        finally:
            txn.drop()

    def _read_array(self, root: str, txn: Any = None) -> list[Any]:
        mine = self._raw.create_transaction() if txn is None else txn
        try:
            handle = self._array_handles.get(root)
            if handle is None:
                handle = self._raw.get_or_insert_array(mine, root)
            items = json.loads(handle.to_json(mine))
        finally:
            if txn is None:
                mine.drop()
        return items if isinstance(items, list) else []

    def _list_root(self, shape: ListShape, path: str) -> str:
        name = list_hash(path, shape.default, self._index.cells)
        return list_root(path, name or "")

    def _order(self, root: str, txn: Any = None) -> Order:
        """Return the order kept for a list's root, following the array from now on."""
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
        items = self._read_array(root, txn)
        order.insert(0, map(parse_occurrence, items))
        order.settle()
        mine = self._raw.create_transaction() if txn is None else txn
        handle = self._raw.get_or_insert_array(mine, root)
        if txn is None:
            mine.commit()
            mine.drop()
        box = self._box
        self._subscriptions.append(handle.observe(lambda event: _keep_array(box, root, event)))
        self._array_handles[root] = handle
        self._orders[root] = order
        return order


_NO_ROWS: dict[str, Any] = {}
_APPLY: dict[type, Callable[[Document, Any, Any, int], None]] = {
    Put: Document._apply_put,
    Add: Document._apply_add,
    Splice: Document._apply_splice,
    Remove: Document._apply_remove,
    Insert: Document._apply_insert,
    Move: Document._apply_move,
}


def _keep_update(box: _Box, event: Any) -> None:
    if not box.remote:
        box.update = event.update


def _keep_cells(box: _Box, event: Any) -> None:
    if box.remote:
        box.cells.update(event.keys)


def _keep_array(box: _Box, root: str, event: Any) -> None:
    if box.remote:
        box.arrays.setdefault(root, []).append(event.delta)


def _lists(shape: Shape, path: str) -> Iterator[tuple[str, ListShape]]:
    if isinstance(shape, ListShape):
        yield path, shape
    elif isinstance(shape, RecordShape):
        for name, field in shape.fields.items():
            yield from _lists(field, f"{path}/{escape(name)}" if path else escape(name))


def _genesis_client(root: str, content: str) -> int:
    data = json.dumps([root, content]).encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") % (2**53 - 2) + 1


def utf16_length(text: str) -> int:
    """Return how many clocks a text insert takes: its length in UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
