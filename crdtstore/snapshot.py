"""Reading a document into the immutable state people hold, whole or only where it changed.

``read`` builds the snapshot of a shape from live cells, texts and list orders; ``patch`` takes the
snapshot before and the paths that changed, reads only those again, and keeps every other object.
Local dispatches and merges both end in ``patch``, and the invariant, searched for by the property
tests, is that the patched snapshot always equals a full ``read``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

from crdtstore.cells import (
    Cell,
    Cells,
    Place,
    age,
    bases_of,
    candidates,
    child,
    entry,
    increments,
    number,
    places_of,
    total,
)
from crdtstore.changes import ABSENT, Path
from crdtstore.kinds import TextView
from crdtstore.paths import below, list_root, text_root, unescape
from crdtstore.persistent import SortedMap, Vector
from crdtstore.shapes import (
    CounterShape,
    ListShape,
    MapShape,
    RecordShape,
    RegisterShape,
    SetShape,
    Shape,
    TableShape,
    TextShape,
)
from crdtstore.values import REMOVED, Codec, element_key, same
from crdtstore.views import (
    FrozenRecord,
    ListSnapshot,
    MapSnapshot,
    SetSnapshot,
    TableSnapshot,
    read_field,
    read_fields,
    replace_field,
)

__all__ = [
    "ROOT",
    "Source",
    "chosen_hash",
    "conflicts",
    "entry_conflicts",
    "is_value",
    "kept",
    "list_hash",
    "patch",
    "patch_value",
    "read",
    "row_places",
    "text_hash",
]

ROOT: list[Place] = [("", 0, "", ABSENT)]
"""The places of a slice's state itself."""

Dirty = Sequence[tuple[str, ...]]


class Source(Protocol):
    """What reading needs of a document."""

    @property
    def cells(self) -> Mapping[str, Cells]:
        """The live cells by path."""

    def children(self, path: str) -> Iterable[str]:
        """Return the paths one segment below ``path`` that hold cells."""

    def text(self, root: str) -> TextView:
        """Return the content of a text root."""

    def order(self, root: str) -> Mapping[str, object]:
        """Return the keys that the order of a list shows."""

    def shown(self, root: str) -> Vector:
        """Return those keys in order."""


# The whole state


def read(shape: Shape, places: Sequence[Place], default: Any, source: Source) -> Any:
    """Read the state at ``places`` in full; ``default`` is what shows where nothing is written."""
    return _READERS[type(shape)](shape, places, default, source)


def _read_register(
    shape: RegisterShape, places: Sequence[Place], default: Any, source: Source
) -> Any:
    own = source.cells.get(places[0][0], ())
    if len(own) == 1 and len(places) == 1 and own[0][3] is None:  # nearly always
        encodings = [own[0][2]]
    else:
        encodings = [candidate[3] for candidate in candidates(places, source.cells)]
    for encoded in encodings:
        try:
            return shape.codec.decode(encoded)
        except ValueError:  # written by a newer version, or removed: not for this field
            continue
    return default


def _read_counter(
    shape: CounterShape, places: Sequence[Place], default: Any, source: Source
) -> Any:
    base = places[0][3]
    initial = None if base is ABSENT else number(shape, base)
    return total(default if initial is None else initial, increments(shape, places, source.cells))


def _read_text(shape: TextShape, places: Sequence[Place], default: Any, source: Source) -> Any:
    default_hash = text_hash(places[0], default, source.cells)
    if default_hash is None:
        return default
    return source.text(text_root(places[0][0], default_hash))


def text_hash(place: Place, default: str, cells: Mapping[str, Cells]) -> str | None:
    """Return which default the text's root started from; ``None`` while only the default shows."""
    path, _, _, base = place
    chosen = chosen_hash(cells.get(path, ()))
    if chosen is not None:
        return chosen
    return "" if base is not ABSENT or not default else None


def list_hash(path: str, default: ListSnapshot, cells: Mapping[str, Cells]) -> str | None:
    """Return which default the list's order started from; ``None`` while only that shows."""
    chosen = chosen_hash(cells.get(path, ()))
    if chosen is not None:
        return chosen
    return None if len(default) else ""


def chosen_hash(cells: Cells) -> str | None:
    """Return the default that the newest of a text's or list's own cells names, if any does."""
    newest: Cell | None = None
    for cell in cells:
        if type(cell[2]) is str and cell[3] is None and (not newest or age(cell) > age(newest)):
            newest = cell
    return cast(str, newest[2]) if newest else None


def _read_set(shape: SetShape, places: Sequence[Place], default: Any, source: Source) -> Any:
    return SetSnapshot(_read_entries(places, default._items, source, _set_reader(shape.codec)))


def _read_map(shape: MapShape, places: Sequence[Place], default: Any, source: Source) -> Any:
    return MapSnapshot(_read_entries(places, default._rows, source, _map_reader(shape.codec)))


EntryReader = Callable[[str, Sequence[Cell]], Any]


def _map_reader(codec: Codec) -> EntryReader:
    def read_value(key: str, cells: Sequence[Cell]) -> Any:
        for cell in cells:
            try:
                return codec.decode(cell[2])
            except ValueError:
                continue
        return ABSENT

    return read_value


def _set_reader(codec: Codec) -> EntryReader:
    def read_value(key: str, cells: Sequence[Cell]) -> Any:
        for cell in cells:
            try:
                value = codec.decode(cell[2])
                if element_key(value, ()) == key:
                    return value
            except ValueError:
                continue
        return ABSENT

    return read_value


def _read_entry(
    places: Sequence[Place], key: str, defaults: SortedMap, source: Source, reader: EntryReader
) -> Any:
    found, touched = entry(places, key, source.cells)
    if touched:
        return reader(key, found)
    return defaults.get(key, ABSENT) if places[0][3] is ABSENT else ABSENT


def _read_entries(
    places: Sequence[Place], defaults: SortedMap, source: Source, reader: EntryReader
) -> SortedMap:
    keys = {unescape(p.rpartition("/")[2]) for place in places for p in source.children(place[0])}
    if places[0][3] is ABSENT:
        keys.update(defaults)
    values = {key: _read_entry(places, key, defaults, source, reader) for key in keys}
    return SortedMap.of({key: value for key, value in values.items() if value is not ABSENT})


def _read_record(shape: RecordShape, places: Sequence[Place], default: Any, source: Source) -> Any:
    fields = shape.fields
    return shape.build(
        [
            _READERS[type(fields[name])](fields[name], child(places, name), shown, source)
            for name, shown in zip(fields, read_fields(default), strict=True)
        ]
    )


def row_places(
    shape: TableShape | ListShape,
    path: str,
    key: str,
    default: SortedMap,
    cells: Mapping[str, Cells],
) -> tuple[list[Place], Any] | None:
    """Return the places of a row and its default, or ``None`` if there is no such row."""
    row_path = below(path, key)
    own = cells.get(row_path, ())
    bases = bases_of(shape.element, own) if own else []
    if bases:
        return places_of(row_path, bases), shape.element.default
    if own or key not in default:
        return None
    return places_of(row_path, ()), default[key]


def _read_row(
    shape: TableShape | ListShape, path: str, key: str, default: SortedMap, source: Source
) -> Any:
    found = row_places(shape, path, key, default, source.cells)
    return ABSENT if found is None else read(shape.element, found[0], found[1], source)


def _read_table(shape: TableShape, places: Sequence[Place], default: Any, source: Source) -> Any:
    path = places[0][0]
    keys = {unescape(p.rpartition("/")[2]) for p in source.children(path)}
    keys.update(default)
    rows = {key: _read_row(shape, path, key, default._rows, source) for key in keys}
    return TableSnapshot(SortedMap.of({k: row for k, row in rows.items() if row is not ABSENT}))


def _read_list(shape: ListShape, places: Sequence[Place], default: Any, source: Source) -> Any:
    path = places[0][0]
    default_hash = list_hash(path, default, source.cells)
    if default_hash is None:
        return default
    root = list_root(path, default_hash)
    keys = source.shown(root)
    rows = {key: _read_row(shape, path, key, _NO_DEFAULT, source) for key in keys}
    return ListSnapshot(keys, SortedMap.of(rows), root)


_NO_DEFAULT = SortedMap.EMPTY
_READERS: dict[type, Callable[..., Any]] = {
    RegisterShape: _read_register,
    CounterShape: _read_counter,
    TextShape: _read_text,
    SetShape: _read_set,
    MapShape: _read_map,
    RecordShape: _read_record,
    TableShape: _read_table,
    ListShape: _read_list,
}


_VALUE_READERS: dict[type, Callable[..., Any]] = {
    kind: _READERS[kind] for kind in (RegisterShape, CounterShape, TextShape)
}


# Only what changed


def is_value(shape: Shape) -> bool:
    """Tell whether a shape is that of a register, counter or text."""
    return type(shape) in _VALUE_READERS


def patch_value(
    before: Any, path: Path, shape: Shape, places: Sequence[Place], default: Any, source: Source
) -> Any:
    """Read one register, counter or text again, and return the state ``before`` with it.

    ``path`` has no incarnations; ``places`` and ``default`` are those of the value.
    """
    return _replaced(before, path, 0, _VALUE_READERS[type(shape)](shape, places, default, source))


def _replaced(before: Any, path: Path, depth: int, value: Any) -> Any:
    """Return ``before`` with ``value`` at ``path``, or ``before`` itself if that is the same."""
    if depth == len(path):
        return before if before is value or same(before, value) else value
    key = path[depth]
    if isinstance(before, FrozenRecord):
        old = read_field(before, key)
        new = _replaced(old, path, depth + 1, value)
        return before if new is old else replace_field(before, key, new)
    old = before._rows.get(key, ABSENT)
    if old is ABSENT:  # an element that no order shows
        return before
    new = _replaced(old, path, depth + 1, value)
    if new is old:
        return before
    rows = before._rows.set(key, new)
    if type(before) is TableSnapshot:
        return TableSnapshot(rows)
    return ListSnapshot(before._keys, rows, before._root)


def patch(
    shape: Shape,
    before: Any,
    places: Sequence[Place],
    default: Any,
    dirty: Dirty,
    depth: int,
    source: Source,
) -> Any:
    """Read again what ``dirty`` names, and return ``before`` itself where nothing differs.

    ``dirty`` are paths in segments, incarnations included; ``depth`` is how many of their segments
    led to ``places``.
    """
    kind = type(shape)
    if kind is RecordShape:
        if len(dirty) == 1:
            return _patch_field(shape, before, places, default, dirty[0], depth, source)  # type: ignore[arg-type]
        return _patch_record(shape, before, places, default, dirty, depth, source)  # type: ignore[arg-type]
    patcher = _PATCHERS.get(kind)
    if patcher is None:  # one value
        after = read(shape, places, default, source)
        return before if before is after or same(before, after) else after
    return patcher(shape, before, places, default, dirty, depth, source)


def _patch_field(
    shape: RecordShape,
    before: Any,
    places: Sequence[Place],
    default: Any,
    path: tuple[str, ...],
    depth: int,
    source: Source,
) -> Any:
    """Patch what one path names: nearly every dispatch."""
    if len(path) <= depth:
        return before
    name = path[depth]
    field = shape.fields.get(name)
    if field is None:  # a field of another version
        return before
    old = read_field(before, name)
    inner = child(places, name)
    reader = _VALUE_READERS.get(type(field))
    if reader is not None:
        new = reader(field, inner, read_field(default, name), source)
        if new is old or same(old, new):
            return before
    else:
        new = patch(field, old, inner, read_field(default, name), (path,), depth + 1, source)
        if new is old:
            return before
    return replace_field(before, name, new)


def _grouped(dirty: Dirty, depth: int) -> Mapping[str | None, Dirty]:
    if len(dirty) == 1:
        path = dirty[0]
        return {path[depth] if len(path) > depth else None: dirty}
    groups: dict[str | None, list[tuple[str, ...]]] = {}
    for path in dirty:
        key = path[depth] if len(path) > depth else None
        groups.setdefault(key, []).append(path)
    return groups


def _patch_record(
    shape: RecordShape,
    before: Any,
    places: Sequence[Place],
    default: Any,
    dirty: Dirty,
    depth: int,
    source: Source,
) -> Any:
    for name, paths in _grouped(dirty, depth).items():
        field = shape.fields.get(name) if name is not None else None
        if name is None or field is None:  # a field of another version
            continue
        old = read_field(before, name)
        new = patch(
            field, old, child(places, name), read_field(default, name), paths, depth + 1, source
        )
        if new is not old:
            before = replace_field(before, name, new)
    return before


def _patch_entries(
    before: SortedMap,
    places: Sequence[Place],
    defaults: SortedMap,
    dirty: Dirty,
    depth: int,
    source: Source,
    reader: EntryReader,
) -> SortedMap:
    changes: dict[str, Any] = {}
    for path in dirty:
        if len(path) > depth:
            key = path[depth]
            old = before.get(key, ABSENT)
            new = _read_entry(places, key, defaults, source, reader)
            if new is not old and not same(old, new):
                changes[key] = new
    return _evolved(before, changes)


def _evolved(before: SortedMap, changes: Mapping[str, Any]) -> SortedMap:
    if len(changes) > 1:
        return before.evolve(changes)
    for key, value in changes.items():
        return before.remove(key) if value is ABSENT else before.set(key, value)
    return before


def _patch_set(
    shape: SetShape, before: Any, places: Any, default: Any, dirty: Any, depth: int, source: Source
) -> Any:
    reader = _set_reader(shape.codec)
    items = _patch_entries(before._items, places, default._items, dirty, depth, source, reader)
    return before if items is before._items else SetSnapshot(items)


def _patch_map(
    shape: MapShape, before: Any, places: Any, default: Any, dirty: Any, depth: int, source: Source
) -> Any:
    reader = _map_reader(shape.codec)
    rows = _patch_entries(before._rows, places, default._rows, dirty, depth, source, reader)
    return before if rows is before._rows else MapSnapshot(rows)


def _patch_row(
    shape: TableShape | ListShape,
    old: Any,
    path: str,
    key: str,
    default: SortedMap,
    dirty: Dirty,
    depth: int,
    source: Source,
) -> Any:
    found = row_places(shape, path, key, default, source.cells)
    if found is None:
        return ABSENT
    places, row_default = found
    if old is ABSENT or any(len(p) <= depth for p in dirty):  # the row itself
        return kept(old, read(shape.element, places, row_default, source))
    live = [place[0].rpartition("/")[2] for place in places]
    inside = [p for p in dirty if p[depth] in live]
    return patch(shape.element, old, places, row_default, inside, depth + 1, source)


def kept(old: Any, new: Any) -> Any:
    """Return ``new`` with every part that equals its part of ``old`` replaced by that very part."""
    if old is ABSENT or type(old) is not type(new):
        return new
    if isinstance(new, FrozenRecord):
        names = new._crdt_names or tuple(cast("Mapping[str, Any]", new))
        changed = False
        for name in names:
            before, after = read_field(old, name), read_field(new, name)
            best = kept(before, after)
            if best is not after:
                new = replace_field(new, name, best)
            changed = changed or best is not before
        return new if changed else old
    if isinstance(new, SetSnapshot):
        items = _kept_items(old._items, new._items)
        return old if items is old._items else SetSnapshot(items)
    if isinstance(new, MapSnapshot):
        rows = _kept_items(old._rows, new._rows)
        return old if rows is old._rows else MapSnapshot(rows)
    return old if same(old, new) else new


def _kept_items(old: SortedMap, new: SortedMap) -> SortedMap:
    changes = {key: v for key, v in new.items() if not same(old.get(key, ABSENT), v)}
    changes.update({key: ABSENT for key in old if key not in new})
    return _evolved(old, changes)


def _patch_table(
    shape: TableShape,
    before: Any,
    places: Any,
    default: Any,
    dirty: Any,
    depth: int,
    source: Source,
) -> Any:
    rows = before._rows
    changes: dict[str, Any] = {}
    for key, paths in _grouped(dirty, depth).items():
        if key is None:
            continue
        old = rows.get(key, ABSENT)
        new = _patch_row(shape, old, places[0][0], key, default._rows, paths, depth + 1, source)
        if new is not old:
            changes[key] = new
    after = _evolved(rows, changes)
    return before if after is rows else TableSnapshot(after)


def _patch_list(
    shape: ListShape,
    before: Any,
    places: Any,
    default: Any,
    dirty: Any,
    depth: int,
    source: Source,
) -> Any:
    path = places[0][0]
    default_hash = list_hash(path, default, source.cells)
    if default_hash is None:
        return before
    root = list_root(path, default_hash)
    if before._root != root:
        after = _read_list(shape, places, default, source)
        same_rows = {k: kept(before._rows.get(k, ABSENT), row) for k, row in after._rows.items()}
        return ListSnapshot(after._keys, SortedMap.of(same_rows), root)
    groups = _grouped(dirty, depth)
    order = source.order(root)
    keys = before._keys
    if None in groups and (shown := source.shown(root)) != keys:
        keys = shown
    changes: dict[str, Any] = {}
    rows = before._rows
    for key, paths in groups.items():
        if key is not None:
            old = rows.get(key, ABSENT)
            new: Any = ABSENT
            if key in order:
                new = _patch_row(shape, old, path, key, _NO_DEFAULT, paths, depth + 1, source)
            if new is not old:
                changes[key] = new
    evolved = _evolved(rows, changes)
    if evolved is rows and keys is before._keys:
        return before
    return ListSnapshot(keys, evolved, root)


_PATCHERS: dict[type, Callable[..., Any]] = {
    SetShape: _patch_set,
    MapShape: _patch_map,
    TableShape: _patch_table,
    ListShape: _patch_list,
}


# What merging could not decide


def conflicts(
    shape: Shape, places: Sequence[Place], default: Any, source: Source
) -> list[tuple[Any, str, int]]:
    """Return the concurrent values of a place as (value, writer, stamp), newest first.

    One entry or none means that nothing is in conflict.
    """
    found: list[tuple[Any, str, int]] = []
    if isinstance(shape, RegisterShape):
        for stamp, _, writer, encoded in candidates(places, source.cells):
            try:
                value = shape.codec.decode(encoded)
            except ValueError:
                continue
            if not any(same(value, other[0]) for other in found):
                found.append((value, writer, stamp))
    elif isinstance(shape, TextShape):
        for place in places:
            path, stamp, writer, _ = place
            named = [c for c in source.cells.get(path, ()) if type(c[2]) is str and c[3] is None]
            for cell in sorted(named, key=age, reverse=True):
                text = source.text(text_root(path, cast(str, cell[2])))
                if all(text != other[0] for other in found):
                    found.append((text, cell[1], cell[0]))
            if not named and text_hash(place, default, source.cells) is not None:
                text = source.text(text_root(path))
                if all(text != other[0] for other in found):
                    found.append((text, writer, stamp))
    elif isinstance(shape, ListShape):
        path = places[0][0]
        named = [c for c in source.cells.get(path, ()) if type(c[2]) is str and c[3] is None]
        seen: set[str] = set()
        for cell in sorted(named, key=age, reverse=True):
            root = list_root(path, cast(str, cell[2]))
            if root not in seen:
                seen.add(root)
                keys = source.shown(root)
                rows = {key: _read_row(shape, path, key, _NO_DEFAULT, source) for key in keys}
                found.append((ListSnapshot(keys, SortedMap.of(rows), root), cell[1], cell[0]))
    return found


def entry_conflicts(
    shape: MapShape | SetShape, places: Sequence[Place], source: Source
) -> list[tuple[Any, str, int]]:
    """Return the concurrent values of a map entry as (value, writer, stamp), newest first."""
    cells = [cell for place in places for cell in source.cells.get(place[0], ())]
    found: list[tuple[Any, str, int]] = []
    for stamp, writer, encoded, _ in sorted(cells, key=age, reverse=True):
        if encoded == REMOVED:
            continue
        try:
            value = shape.codec.decode(encoded)
        except ValueError:
            continue
        if not any(same(value, other[0]) for other in found):
            found.append((value, writer, stamp))
    return found
