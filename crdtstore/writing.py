"""How changes become cells: the rules of the cell model for local writes.

Each function here takes one change to a ``Target``, the document inside its transaction: it puts
our own cell and deletes the others it sees, opens and clears incarnations of rows, keeps list
occurrences, and plants the content of defaults before their first edit. What the document's
primitives do is not decided here, and what these rules mean when read is in ``cells``.

Rule numbers refer to docs/cell-model.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol, cast

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
    total,
)
from crdtstore.changes import ABSENT, Add, Arrange, Change, Insert, Move, Path, Put, Remove, Splice
from crdtstore.order import Occurrence, Order
from crdtstore.paths import base36, below, list_root, text_root
from crdtstore.persistent import SortedMap
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
from crdtstore.snapshot import chosen_hash, list_hash, row_places, text_hash
from crdtstore.values import ANY, canonical
from crdtstore.views import read_field

__all__ = ["Genesis", "Located", "Target", "fixed", "locate", "write"]


class Genesis(NamedTuple):
    """The content of a default, to be written the same way by whoever edits it first.

    ``client`` hashes the content, so two replicas that write it write the same bytes.
    """

    client: int
    texts: list[tuple[str, str]]
    cells: list[tuple[str, Cell]]
    occurrences: list[tuple[str, list[Occurrence]]]


class Located(NamedTuple):
    """A place of the state: its shape, where its cells are, what shows by default.

    For a map entry or set element ``shape`` is that of the container and ``entry`` its key.
    ``path`` leads here.
    """

    shape: Shape
    places: list[Place]
    default: Any
    entry: str | None
    path: Path


class Target(Protocol):
    """What writing needs of a document; all methods work inside its open transaction."""

    shape: Shape
    writer: str

    @property
    def cells(self) -> Mapping[str, Cells]:
        """The live cells by path."""

    def under(self, path: str) -> Iterable[str]:
        """Return every path below ``path`` that holds cells."""

    def locate(self, path: Path) -> Located:
        """Find a place; ``KeyError`` if a row on the way is not there."""

    def mark(self, path: str) -> None:
        """Note that what is read at ``path`` changed."""

    def new_incarnation(self) -> str:
        """Return a fresh random name."""

    def put(self, path: str, cell: Cell) -> None:
        """Write our own cell."""

    def drop(self, path: str, writer: str) -> None:
        """Delete anybody's cell."""

    def splice(self, root: str, index: int, deleted: int, inserted: str) -> None:
        """Edit a text."""

    def follow(self, root: str) -> Order:
        """Return the order of a list."""

    def insert_occurrence(self, root: str, index: int, item: Occurrence) -> None:
        """Put an occurrence at an array index."""

    def delete_occurrences(self, root: str, index: int, count: int) -> list[Occurrence]:
        """Delete the occurrences from an array index on."""

    def plant(self, genesis: Genesis) -> None:
        """Write a default's content, unless it is there."""


def fixed(place: Located) -> Iterator[Located]:
    """Yield ``place`` and all places below it that stay what they are: no row is on the way."""
    yield place
    shape, places, default, _, path = place
    if isinstance(shape, RecordShape):
        for name, field in shape.fields.items():
            shown = read_field(default, name)
            yield from fixed(Located(field, child(places, name), shown, None, (*path, name)))


def locate(start: Located, path: Path, cells: Mapping[str, Cells]) -> Located:
    """Find the place at ``path``; ``start`` is a place on the way there.

    Raises ``KeyError`` naming the first segment that is not there.
    """
    shape, places, default, _, known = start
    for depth in range(len(known), len(path)):
        segment = path[depth]
        if isinstance(shape, RecordShape):
            if segment not in shape.fields:
                raise KeyError(segment)
            places = child(places, segment)
            default = read_field(default, segment)
            shape = shape.fields[segment]
        elif isinstance(shape, (TableShape, ListShape)):
            defaults = default._rows if isinstance(shape, TableShape) else SortedMap.EMPTY
            row = row_places(shape, places[0][0], segment, defaults, cells)
            if row is None:
                raise KeyError(segment)
            places, default = row
            shape = shape.element
        elif isinstance(shape, (MapShape, SetShape)) and depth == len(path) - 1:
            return Located(shape, child(places, segment), default, segment, path)
        else:
            raise KeyError(segment)
    return Located(shape, places, default, None, path)


def write(doc: Target, changes: Sequence[Change], now: int) -> Located | None:
    """Write changes at ``now`` ms, one after another.

    Returns the place where one register, counter or text lives, if that is all that was written.

    Inserts and removals of one list that follow each other are done together: their occurrences
    then lie side by side in the document, which otherwise slows down with every one.
    """
    if len(changes) == 1 and type(changes[0]) in _VALUE_WRITERS:
        return _VALUE_WRITERS[type(changes[0])](doc, changes[0], now)
    run: list[Any] = []
    for change in changes:
        if run and (type(change) is not type(run[0]) or change.path[:-1] != run[0].path[:-1]):
            _write_run(doc, run, now)
            run = []
        if type(change) is Insert or (type(change) is Remove and change.encoded is None):
            run.append(change)
        else:
            _WRITERS[type(change)](doc, change, now)
    if run:
        _write_run(doc, run, now)
    return None


def _write_run(doc: Target, run: list[Any], now: int) -> None:
    """Write several inserts, or several removals, of the rows of one table or list."""
    path = run[0].path[:-1]
    shape, places, default, _, _ = doc.locate(path)
    container = places[0][0]
    if isinstance(shape, ListShape):
        _seed_list(doc, shape, container, default, now)
        root = list_root(container, list_hash(container, default, doc.cells) or "")
        if isinstance(run[0], Insert):
            _insert_elements(doc, shape, container, root, run, now)
        else:
            for change in run:
                _clear_row(doc, below(container, change.path[-1]), virtual=False)
            _delete_occurrences(doc, root, {change.path[-1] for change in run})
        doc.mark(container)
    else:
        rows = cast("TableShape", shape)
        for change in run:
            if isinstance(change, Insert):
                _insert_row(doc, rows, container, default, change, now)
            else:
                _remove_row(doc, container, change.path[-1], default, now)
    for change in run:
        doc.mark(below(container, change.path[-1]))


def _stamp(doc: Target, places: list[Place], now: int) -> int:
    """Return the stamp of a write that knows all that takes part in reading a place (rule 3)."""
    if len(places) == 1:
        return next_stamp(now, places, doc.cells.get(places[0][0], ()))
    cells = doc.cells
    return next_stamp(now, places, [c for place in places for c in cells.get(place[0], ())])


def _replace(doc: Target, places: list[Place], value: Any, now: int) -> None:
    """Put our own cell in every place (rule 5), and delete every other live cell (rule 3)."""
    writer = doc.writer
    cell = (_stamp(doc, places, now), writer, value, None)
    for place in places:
        path = place[0]
        for other in doc.cells.get(path, ()):
            if other[1] != writer:
                doc.drop(path, other[1])
        doc.put(path, cell)


def _drop_all(doc: Target, path: str) -> None:
    for cell in doc.cells.get(path, ()):
        doc.drop(path, cell[1])


def _found(doc: Target, path: Path, now: int) -> Located:
    """Find a place to write to; a list's default becomes content before its elements are."""
    try:
        return doc.locate(path)
    except KeyError:
        for depth in range(1, len(path)):
            shape, places, default, _, _ = doc.locate(path[:depth])
            if isinstance(shape, ListShape):
                _seed_list(doc, shape, places[0][0], default, now)
                return doc.locate(path)
        raise


def _put(doc: Target, change: Put, now: int) -> Located | None:
    found = _found(doc, change.path, now)
    shape, places, _, entry, _ = found
    encoded = change.encoded
    if encoded is None and change.value is not None:
        encoded = shape.codec.encode(change.value, change.path)  # type: ignore[union-attr]
    _replace(doc, places, encoded, now)
    doc.mark(places[0][0])
    return found if entry is None else None


def _add(doc: Target, change: Add, now: int) -> Located:
    found = _found(doc, change.path, now)
    shape, places, _, _, _ = found
    path = places[0][0]  # rule 5: the newest incarnation only
    amount = change.amount
    for cell in doc.cells.get(path, ()):
        if cell[1] == doc.writer:
            amount = total(number(shape, cell[2]) or 0, [amount])  # type: ignore[arg-type]
    encoded = ANY.encode(amount, change.path)
    doc.put(path, (_stamp(doc, places, now), doc.writer, encoded, None))
    doc.mark(path)
    return found


def _splice(doc: Target, change: Splice, now: int) -> Located:
    found = _found(doc, change.path, now)
    shape, places, default, _, _ = found
    place = places[0]
    path = place[0]
    name = text_hash(place, default, doc.cells)
    if name is None:  # rule 9: the default becomes content at its first edit
        name = content_hash(shape, [default])
        root = text_root(path, name)
        client = _genesis_client([root, str(default)])
        doc.plant(Genesis(client, [(root, str(default))], [], []))
    if place[3] is ABSENT and chosen_hash(doc.cells.get(path, ())) is None:
        doc.put(path, (next_stamp(now, (), ()), doc.writer, name, None))
    doc.splice(text_root(path, name), change.at, len(change.deleted), change.inserted)
    doc.mark(path)
    return found


def _remove_entry(doc: Target, change: Remove, now: int) -> None:
    path, key = change.path[:-1], change.path[-1]
    shape, places, default, _, _ = _found(doc, path, now)
    if isinstance(shape, (MapShape, SetShape)):
        defaults = default._rows if isinstance(shape, MapShape) else default._items
        entries = child(places, key)
        if places[0][3] is ABSENT and key in defaults:  # rule 6
            _replace(doc, entries, REMOVED, now)
        else:
            for place in entries:
                _drop_all(doc, place[0])
        doc.mark(entries[0][0])
        return


def _remove_row(doc: Target, container: str, key: str, default: Any, now: int) -> None:
    row_path = below(container, key)
    seen = _clear_row(doc, row_path, virtual=key in default)
    if key in default:  # rule 6
        doc.put(row_path, (next_stamp(now, (), seen), doc.writer, REMOVED, None))


def _clear_row(doc: Target, row_path: str, *, virtual: bool) -> Cells:
    """Delete a row's cells and all cells under the incarnations they are bases of (rule 4)."""
    cells = doc.cells.get(row_path, ())
    incarnations = [cell[3] for cell in cells if cell[3] is not None]
    if virtual:
        incarnations.append(VIRTUAL)
    for inc in incarnations:
        place = f"{row_path}/{inc}"
        for inner in (place, *doc.under(place)):
            _drop_all(doc, inner)
    for cell in cells:
        doc.drop(row_path, cell[1])
    return cells


def _insert_row(
    doc: Target,
    shape: ListShape | TableShape,
    container: str,
    default: Any,
    change: Insert,
    now: int,
) -> tuple[int, str]:
    """Open a fresh incarnation of a row (rule 4); return its stamp and name."""
    key = change.path[-1]
    row_path = below(container, key)
    seen = _clear_row(doc, row_path, virtual=key in default)
    inc = doc.new_incarnation()
    stamp = next_stamp(now, (), seen)
    doc.put(row_path, (stamp, doc.writer, row_base(shape.element, change.row), inc))
    place = f"{row_path}/{inc}"
    for at, text in row_texts(shape.element, change.row, place):
        doc.splice(text_root(at), 0, 0, text)
    for at, encoded in row_entries(shape.element, change.row, place):
        doc.put(at, (stamp, doc.writer, encoded, None))
    return stamp, inc


def _insert_elements(
    doc: Target, shape: ListShape, container: str, root: str, run: list[Insert], now: int
) -> None:
    """Insert list elements: their rows, then their occurrences (rule 7)."""
    opened = [_insert_row(doc, shape, container, (), change, now) for change in run]
    order = doc.follow(root)
    again = {change.path[-1] for change in run if order.positions_of(change.path[-1])}
    if again:
        _delete_occurrences(doc, root, again)
    before: str | None = None
    index = 0
    for change, (stamp, inc) in zip(run, opened, strict=True):
        follows = before is not None and change.after == before
        index = index + 1 if follows else order.index_after(change.after)
        doc.insert_occurrence(root, index, (change.path[-1], inc, stamp, doc.writer))
        before = change.path[-1]


def _move(doc: Target, change: Move, now: int) -> None:
    path, key = change.path[:-1], change.path[-1]
    _move_elements(doc, path, [key], now, lambda order: order.index_after(change.after))


def _arrange(doc: Target, change: Arrange, now: int) -> None:
    _move_elements(doc, change.path, list(change.keys), now, lambda order: 0)


def _move_elements(
    doc: Target, path: Path, keys: list[str], now: int, find: Callable[[Order], int]
) -> None:
    """Move list elements so that they lie side by side, in the order of ``keys``."""
    found = doc.locate(path)
    shape = cast("ListShape", found.shape)
    container = found.places[0][0]
    _seed_list(doc, shape, container, found.default, now)
    root = list_root(container, list_hash(container, found.default, doc.cells) or "")
    order = doc.follow(root)
    gone: dict[str, list[Cell]] = {}
    for key, _, stamp, writer in _delete_occurrences(doc, root, set(keys)):
        gone.setdefault(key, []).append((stamp, writer, None, None))
    index = find(order)
    for offset, key in enumerate(keys):
        bases = bases_of(shape.element, doc.cells.get(below(container, key), ()))
        if not bases:
            raise KeyError(key)
        stamp = next_stamp(now, (), [*bases, *gone.get(key, ())])
        item = (key, bases[0][3] or "", stamp, doc.writer)
        doc.insert_occurrence(root, index + offset, item)
        doc.mark(below(container, key))
    doc.mark(container)


def _delete_occurrences(doc: Target, root: str, keys: set[str]) -> list[Occurrence]:
    """Delete all occurrences of these elements, those side by side at once."""
    order = doc.follow(root)
    if len(keys) == 1:
        positions = order.positions_of(next(iter(keys)))
    else:
        items = order.items
        positions = [i for i in range(len(items) - 1, -1, -1) if items[i][0] in keys]
    gone: list[Occurrence] = []
    start = 0
    while start < len(positions):  # from the end of the list to its front
        stop = start + 1
        while stop < len(positions) and positions[stop] == positions[stop - 1] - 1:
            stop += 1
        gone += doc.delete_occurrences(root, positions[stop - 1], stop - start)
        start = stop
    return gone


def _seed_list(doc: Target, shape: ListShape, path: str, default: Any, now: int) -> None:
    """Write a list's default elements, order and rows, before the list's first edit (rule 9)."""
    if chosen_hash(doc.cells.get(path, ())) is not None:
        return
    name = ""
    if len(default):
        name = content_hash(shape.element, default)
        doc.plant(_list_genesis(shape, path, list_root(path, name), default))
    doc.put(path, (next_stamp(now, (), ()), doc.writer, name, None))
    doc.mark(path)


def _list_genesis(shape: ListShape, path: str, root: str, default: Any) -> Genesis:
    element = shape.element
    keys = list(default._keys)
    content: list[Any] = [root]
    for key, row in zip(keys, default, strict=True):
        texts = [[at, str(text)] for at, text in row_texts(element, row, "")]
        entries = [[at, value] for at, value in row_entries(element, row, "")]
        content.append([key, row_base(element, row), texts, entries])
    client = _genesis_client(content)
    writer = base36(client)
    genesis = Genesis(client, [], [], [])
    for key, row in zip(keys, default, strict=True):
        row_path = below(path, key)
        place = f"{row_path}/{key}"
        genesis.cells.append((row_path, (0, writer, row_base(element, row), key)))
        for at, text in row_texts(element, row, place):
            genesis.texts.append((text_root(at), str(text)))
        for at, encoded in row_entries(element, row, place):
            genesis.cells.append((at, (0, writer, encoded, None)))
    genesis.occurrences.append((root, [(key, key, 0, writer) for key in keys]))
    return genesis


def _genesis_client(content: list[Any]) -> int:
    """Name the client that writes a default by what it writes."""
    data = blake2b(canonical(content), digest_size=8).digest()
    return int.from_bytes(data, "big") % (2**53 - 2) + 1


_VALUE_WRITERS: dict[type, Callable[[Any, Any, int], Located | None]] = {
    Put: _put,
    Add: _add,
    Splice: _splice,
}
_WRITERS: dict[type, Callable[[Any, Any, int], Located | None]] = {
    **_VALUE_WRITERS,
    Remove: _remove_entry,
    Move: _move,
    Arrange: _arrange,
}
