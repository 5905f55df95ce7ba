"""What a slice's state is made of: shapes, and how plain Python data takes their form.

A shape says how one place of the state is stored and merged (a register, a counter, a record …)
and what it holds by default. ``freeze_element`` turns plain data of a shape into the snapshot that
every replica will read, validated all the way down; ``row_base``, ``row_texts`` and
``row_entries`` turn such a snapshot into what travels when a row is inserted.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Union

from crdtstore.errors import StateValueError
from crdtstore.kinds import Kind, TextView
from crdtstore.paths import escape
from crdtstore.persistent import MISSING, SortedMap, Vector
from crdtstore.values import ANY, Codec, Encoded, canonical, element_key, same, written
from crdtstore.views import (
    ListSnapshot,
    MapSnapshot,
    SetSnapshot,
    TableSnapshot,
    read_field,
    read_fields,
    record_class,
)

__all__ = [
    "CounterShape",
    "ListShape",
    "MapShape",
    "RecordShape",
    "RegisterShape",
    "SetShape",
    "Shape",
    "TableShape",
    "TextShape",
    "check_key",
    "check_no_more_fields",
    "check_number",
    "check_text",
    "checked",
    "content_hash",
    "describe",
    "freeze_element",
    "freeze_list",
    "freeze_map",
    "freeze_set",
    "freeze_table",
    "row_base",
    "row_entries",
    "row_texts",
    "same_state",
]

Path = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class RegisterShape:
    """One plain value; the later write wins."""

    codec: Codec
    default: Any
    kind: typing.ClassVar[str] = "register"


@dataclass(frozen=True, slots=True)
class CounterShape:
    """A number that changes by differences; ``number`` is ``int`` or ``float``."""

    number: type
    default: Any
    kind: typing.ClassVar[str] = "counter"


@dataclass(frozen=True, slots=True)
class TextShape:
    """A string merged character by character."""

    default: TextView
    kind: typing.ClassVar[str] = "text"


@dataclass(frozen=True, slots=True)
class SetShape:
    """A set of plain values; adding wins over a concurrent removal."""

    codec: Codec
    default: SetSnapshot
    kind: typing.ClassVar[str] = "set"


@dataclass(frozen=True, slots=True)
class MapShape:
    """Plain values by string key."""

    codec: Codec
    default: MapSnapshot
    kind: typing.ClassVar[str] = "map"


@dataclass(frozen=True, slots=True)
class RecordShape:
    """Named fields, each with a shape of its own; ``cls`` is the user's dataclass, if any."""

    cls: type | None
    fields: Mapping[str, Shape]
    default: Any
    kind: typing.ClassVar[str] = "record"

    def build(self, values: list[Any]) -> Any:
        """Make a snapshot of this record from its fields' values, in declaration order."""
        return record_class(self.cls, tuple(self.fields))(values)


@dataclass(frozen=True, slots=True)
class ListShape:
    """An ordered list of records or plain values."""

    element: RecordShape | RegisterShape
    default: ListSnapshot
    kind: typing.ClassVar[str] = "list"


@dataclass(frozen=True, slots=True)
class TableShape:
    """Records by string key."""

    element: RecordShape
    default: TableSnapshot
    kind: typing.ClassVar[str] = "table"


Shape = Union[  # noqa: UP007 — evaluated at run time, with a forward reference
    RegisterShape, CounterShape, TextShape, SetShape, MapShape, RecordShape, ListShape, TableShape
]


def describe(shape: Shape, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path pattern, kind) for every place of a shape; rows and elements read as ``*``."""
    if shape.kind != "record":
        yield path, shape.kind
    if isinstance(shape, RecordShape):
        for name, field in shape.fields.items():
            yield from describe(field, f"{path}/{name}" if path else name)
    elif isinstance(shape, (ListShape, TableShape)):
        yield from describe(shape.element, f"{path}/*" if path else "*")


# Turning plain Python data into snapshots of a shape: defaults, and rows that reducers insert


def checked(codec: Codec, value: Any, path: Path) -> Any:
    """Return ``value`` as every replica will read it."""
    return codec.decode(written(codec, value, path)[1])


def freeze_set(codec: Codec, values: Any, path: Path) -> SetSnapshot:
    """Make the snapshot of a set."""
    return SetSnapshot(
        SortedMap.of({element_key(v, path): checked(codec, v, path) for v in values})
    )


def freeze_map(codec: Codec, values: Any, path: Path) -> MapSnapshot:
    """Make the snapshot of a map."""
    for key in values:
        check_key(key, path)
    return MapSnapshot(SortedMap.of({k: checked(codec, v, (*path, k)) for k, v in values.items()}))


def freeze_list(element: Shape, values: Any, path: Path) -> ListSnapshot:
    """Make the snapshot of a default list; its content names its elements, the same everywhere."""
    rows = [freeze_element(element, v, (*path, index)) for index, v in enumerate(values)]
    name = content_hash(element, rows)
    keys = [f"{name}x{index}" for index in range(len(rows))]
    return ListSnapshot(Vector.of(keys), SortedMap.of(dict(zip(keys, rows, strict=True))))


def content_hash(shape: Shape, contents: Iterable[Any]) -> str:
    """Name a default by its content, so that code versions with other defaults do not mix."""
    parts = [
        [row_base(shape, item), [*row_texts(shape, item, "")], [*row_entries(shape, item, "")]]
        for item in contents
    ]
    return blake2b(canonical(_listed(parts)), digest_size=8).hexdigest()


def _listed(parts: Any) -> Any:
    """Turn the tuples in ``parts`` into lists, as document values have them."""
    if isinstance(parts, (list, tuple)):
        return [_listed(part) for part in parts]
    return str(parts) if isinstance(parts, str) else parts


def freeze_table(element: RecordShape, values: Any, path: Path) -> TableSnapshot:
    """Make the snapshot of a table."""
    for key in values:
        check_key(key, path)
    return TableSnapshot(
        SortedMap.of({k: freeze_element(element, v, (*path, k)) for k, v in values.items()})
    )


def check_key(key: object, path: Path) -> None:
    """Refuse keys of maps and tables that are not plain strings."""
    if type(key) is not str:
        hint = "; write str(key)" if isinstance(key, (int, float)) else ""
        raise StateValueError(
            path, f"expected a str as the key, got {type(key).__name__}: {key!r:.80}{hint}"
        )
    if not key.isascii():
        Codec.of(str).encode(key, path)


def freeze_element(shape: Shape, value: Any, path: Path) -> Any:
    """Make the snapshot of one value of any shape, validated all the way down.

    Raises ``StateValueError`` with the path of the first part that state cannot hold.
    """
    if isinstance(shape, RegisterShape):
        return checked(shape.codec, value, path)
    if isinstance(value, Kind):
        value = value.default
    if isinstance(shape, RecordShape):
        read = _field_reader(shape, value, path)
        return shape.build(
            [
                field.default
                if (item := read(name)) is MISSING
                else freeze_element(field, item, (*path, name))
                for name, field in shape.fields.items()
            ]
        )
    if isinstance(shape, CounterShape):
        return check_number(shape, value, path)
    if isinstance(shape, TextShape):
        if not isinstance(value, str):
            raise StateValueError(
                path, f"expected str for a Text, got {type(value).__name__}: {value!r:.80}"
            )
        return TextView(check_text(value, path))
    if isinstance(shape, SetShape):
        return freeze_set(shape.codec, value, path)
    if isinstance(shape, MapShape):
        return freeze_map(shape.codec, value, path)
    if isinstance(shape, ListShape):
        return freeze_list(shape.element, value, path)
    return freeze_table(shape.element, value, path)


def check_text(value: str, path: Path) -> str:
    """Return a text as a plain str, refusing what UTF-8 cannot carry."""
    text = str(value)
    if not text.isascii():
        Codec.of(str).encode(text, path)
    return text


def check_number(shape: CounterShape, value: Any, path: Path) -> Any:
    """Refuse what a counter cannot hold."""
    kind = type(value)
    if kind is not int and (kind is not float or shape.number is int):
        what = "an int" if shape.number is int else "an int or a float"
        raise StateValueError(
            path, f"expected {what} for a Counter, got {kind.__name__}: {value!r:.80}"
        )
    ANY.encode(value, path)
    if kind is float and abs(value) == float("inf"):
        raise StateValueError(path, f"a Counter stays finite, got {value!r}")
    return value


def check_no_more_fields(cls: type, value: Any, path: Path) -> None:
    """Refuse an instance of a subclass of ``cls`` whose own fields would be dropped."""
    if value.__dataclass_fields__ is not cls.__dataclass_fields__:  # type: ignore[attr-defined]
        own = [
            f.name
            for f in dataclasses.fields(value)
            if f.name not in {g.name for g in dataclasses.fields(cls)}
        ]
        if own:
            raise StateValueError(
                path,
                f"expected {cls.__name__}, got its subclass {type(value).__name__}, whose fields "
                f"{', '.join(own)} would be lost; declare the place with that class",
            )


def _field_reader(shape: RecordShape, value: Any, path: Path) -> Any:
    if shape.cls is not None and isinstance(value, shape.cls):
        check_no_more_fields(shape.cls, value, path)
        return lambda name: getattr(value, name)
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in shape.fields]
        if unknown:
            raise StateValueError(
                path, f"unknown field {unknown[0]!r}; fields: {', '.join(shape.fields)}"
            )
        # A record may have a field called "get".
        return lambda name: value[name] if name in value else MISSING  # noqa: SIM401
    expected = shape.cls.__name__ if shape.cls is not None else "a dict"
    raise StateValueError(path, f"expected {expected}, got {type(value).__name__}: {value!r:.80}")


def same_state(shape: Shape, a: Any, b: Any) -> bool:
    """Tell whether two snapshots of one shape read alike, types included, whatever ``==`` says."""
    if a is b:
        return True
    if isinstance(shape, RecordShape):
        return all(map(same_state, shape.fields.values(), read_fields(a), read_fields(b)))
    if isinstance(shape, (SetShape, MapShape)):
        mine, theirs = _entries(a), _entries(b)
        return len(mine) == len(theirs) and all(
            mine_key == their_key and same(value, other)
            for (mine_key, value), (their_key, other) in zip(
                mine.items(), theirs.items(), strict=True
            )
        )
    if isinstance(shape, ListShape):
        return len(a) == len(b) and all(
            same_state(shape.element, x, y) for x, y in zip(a, b, strict=True)
        )
    if isinstance(shape, TableShape):
        return list(a) == list(b) and all(same_state(shape.element, a[key], b[key]) for key in a)
    return str(a) == str(b) if isinstance(shape, TextShape) else same(a, b)


def _entries(snapshot: SetSnapshot | MapSnapshot) -> SortedMap:
    return snapshot._items if isinstance(snapshot, SetSnapshot) else snapshot._rows


# Rows as they travel


def row_base(shape: Shape, row: Any) -> Encoded:
    """Encode the base of a row: registers, initial counters and nested records by name.

    Texts, sets and maps appear as ``0``: the row knows them, so no default shows through; their
    content travels in roots and cells of its own (``row_texts``, ``row_entries``).
    """
    if isinstance(shape, RegisterShape):
        return shape.codec.encode(row, ())
    if isinstance(shape, CounterShape):
        return ANY.encode(row, ())
    if isinstance(shape, RecordShape):
        return {name: row_base(f, read_field(row, name)) for name, f in shape.fields.items()}
    return 0


def row_texts(shape: Shape, row: Any, path: str) -> Iterable[tuple[str, str]]:
    """Yield (path, content) for every text that is not empty."""
    if isinstance(shape, TextShape):
        if row:
            yield path, row
    elif isinstance(shape, RecordShape):
        for name, field in shape.fields.items():
            if isinstance(field, (TextShape, RecordShape)):
                yield from row_texts(field, read_field(row, name), f"{path}/{escape(name)}")


def row_entries(shape: Shape, row: Any, path: str) -> Iterable[tuple[str, Encoded]]:
    """Yield (path, encoded value) for every set element and map entry."""
    if isinstance(shape, SetShape):
        for key, value in row._items.items():
            yield f"{path}/{escape(key)}", shape.codec.encode(value, ())
    elif isinstance(shape, MapShape):
        for key, value in row._rows.items():
            yield f"{path}/{escape(key)}", shape.codec.encode(value, ())
    elif isinstance(shape, RecordShape):
        for name, field in shape.fields.items():
            if isinstance(field, (SetShape, MapShape, RecordShape)):
                yield from row_entries(field, read_field(row, name), f"{path}/{escape(name)}")
