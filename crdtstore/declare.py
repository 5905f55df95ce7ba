"""How a slice declares its state: the rules that compile an initial state into a shape.

The initial state, a dataclass instance or a plain dict, is compiled once, in ``create_slice``.
Everything that could not be replicated faithfully is refused there, with the field's path and what
to write instead, rather than at the first dispatch.
"""

from __future__ import annotations

import collections
import dataclasses
import typing
from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, get_args, get_origin

from crdtstore.errors import ShapeError, format_path
from crdtstore.kinds import Counter, Kind, List, Map, Set, Table, Text, TextView
from crdtstore.persistent import MISSING
from crdtstore.shapes import (
    CounterShape,
    ListShape,
    MapShape,
    Path,
    RecordShape,
    RegisterShape,
    SetShape,
    Shape,
    TableShape,
    TextShape,
    check_no_more_fields,
    checked,
    freeze_list,
    freeze_map,
    freeze_set,
    freeze_table,
)
from crdtstore.values import Codec
from crdtstore.views import FrozenRecord, Record, record_class

__all__ = ["compile_state"]

MAX_DEPTH = 32
_WRONG_TYPES: Mapping[Any, str] = MappingProxyType(
    {
        list: "from crdtstore import List, and write List[...]",
        dict: "from crdtstore import Map (or Table, for records), and write Map[...]",
        set: "from crdtstore import Set, and write Set[...]",
        frozenset: "from crdtstore import Set, and write Set[...]",
        collections.Counter: "from crdtstore import Counter (one number) or Map (many)",
        collections.deque: "from crdtstore import List, and write List[...]",
        collections.OrderedDict: "from crdtstore import Map, and write Map[...]",
        collections.defaultdict: "from crdtstore import Map, and write Map[...]",
    }
)


def compile_state(name: str, initial: Any) -> Shape:
    """Compile a slice's initial state into its shape.

    ``initial`` is an instance of an ordinary dataclass, a plain dict, a kind (``Counter(0)``,
    ``Table[Todo]()``), or a plain value. Raises ``ShapeError`` for declarations that cannot be
    replicated and ``StateValueError`` for defaults that state cannot hold; both name the field.
    """
    root: Path = (name,)
    if isinstance(initial, FrozenRecord) and not isinstance(initial, Record):
        initial = deepcopy(initial)  # a state that was read: as an instance of its class again
    if isinstance(initial, Kind):
        return _kind_shape(_annotation_of(initial), initial, root, in_row=False)
    if dataclasses.is_dataclass(initial):
        if isinstance(initial, type):
            raise ShapeError(
                f"{name}: initial_state is the class {initial.__name__}; pass an instance: "
                f"{initial.__name__}()"
            )
        return _record_shape(type(initial), initial, root, in_row=False)
    if isinstance(initial, Mapping) and initial:
        return _dict_shape(initial, root)
    return _inferred_shape(initial, root)


# Declarations: dataclasses


def _record_shape(cls: type, instance: Any, path: Path, *, in_row: bool) -> RecordShape:
    """Compile a dataclass; ``instance`` gives the defaults, or the class does if it is None."""
    if len(path) > MAX_DEPTH:
        raise ShapeError(
            f"{format_path(path[:3])}…: {cls.__name__} is nested in itself; keep its instances in "
            "a Table and refer to them by key"
        )
    _check_class(cls, path)
    hints = _hints(cls, path)
    fields: dict[str, Shape] = {}
    for field in dataclasses.fields(cls):
        where = (*path, field.name)
        if hints[field.name] is str and str(field.type).rpartition(".")[2] == "Text":
            raise ShapeError(
                f"{format_path(where)}: typing.Text is another name of str, which does not merge; "
                "from crdtstore import Text"
            )
        default = _field_default(cls, field) if instance is None else getattr(instance, field.name)
        if isinstance(field.default, Kind):
            _check_annotated(hints[field.name], field.default, where)
        fields[field.name] = _field_shape(hints[field.name], default, where, in_row=in_row)
    return _record(cls, fields, path)


def _record(cls: type | None, fields: dict[str, Shape], path: Path) -> RecordShape:
    if not fields:
        raise ShapeError(f"{format_path(path)}: a record needs at least one field")
    build = record_class(cls, tuple(fields))
    return RecordShape(
        cls, MappingProxyType(fields), build([field.default for field in fields.values()])
    )


def _check_class(cls: type, path: Path) -> None:
    where = format_path(path)
    if "__slots__" in vars(cls):
        raise ShapeError(
            f"{where}: {cls.__name__} is declared with slots; write @dataclass without slots=True "
            "(snapshots and drafts bring their own storage)"
        )
    if cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise ShapeError(
            f"{where}: {cls.__name__} is a frozen dataclass; write @dataclass without frozen=True "
            "(snapshots are frozen anyway, and reducers need to assign)"
        )
    for field in dataclasses.fields(cls):
        if field.name.startswith("_crdt_"):
            raise ShapeError(f"{where}: the field name {field.name!r} is reserved")


def _hints(cls: type, path: Path) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise ShapeError(
            f"{format_path(path)}: cannot resolve the annotations of {cls.__name__}: {error}; "
            "a class defined inside a function cannot be found under 'from __future__ import "
            "annotations': move it to module level"
        ) from error


def _field_default(cls: type, field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return MISSING


def _field_shape(hint: Any, default: Any, path: Path, *, in_row: bool) -> Shape:
    bare = _strip(hint)
    origin = get_origin(bare) or bare
    if isinstance(origin, type) and issubclass(origin, Kind):
        return _kind_shape(bare, default, path, in_row=in_row)
    wrong = _WRONG_TYPES.get(origin)
    if wrong is not None:
        raise ShapeError(f"{format_path(path)}: {bare!r} does not merge; {wrong}")
    if dataclasses.is_dataclass(origin) and isinstance(origin, type):
        instance = None if default is MISSING else default
        if instance is not None and not isinstance(instance, origin):
            raise ShapeError(
                f"{format_path(path)}: expected an instance of {origin.__name__} as the default, "
                f"got {type(instance).__name__}; write field(default_factory={origin.__name__})"
            )
        if instance is not None:
            check_no_more_fields(origin, instance, path)
        return _record_shape(origin, instance, path, in_row=in_row)
    for part in get_args(bare):
        if dataclasses.is_dataclass(part):
            raise ShapeError(
                f"{format_path(path)}: {bare!r} would hold a whole record in one value; a nested "
                f"record is always there (annotate it {getattr(part, '__name__', part)}), and "
                "records that come and go live in a Table or a List"
            )
    codec = _codec(bare, path)
    value = None if default is MISSING else default
    return RegisterShape(codec, checked(codec, value, path))


def _check_annotated(hint: Any, kind: Kind, path: Path) -> None:
    """Refuse a field whose default is a kind that its annotation is not."""
    bare = _strip(hint)
    if (get_origin(bare) or bare) is not type(kind):
        name = type(kind).__name__
        raise ShapeError(
            f"{format_path(path)}: the default is a {name} but the field is annotated "
            f"{getattr(bare, '__name__', bare)}; annotate it {name}"
        )


def _strip(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint


def _codec(annotation: Any, path: Path) -> Codec:
    try:
        return Codec.of(annotation)
    except TypeError as error:
        raise ShapeError(f"{format_path(path)}: {error}") from error


# Declarations: kinds


def _annotation_of(kind: Kind) -> Any:
    return getattr(kind, "__orig_class__", type(kind))


def _kind_shape(annotation: Any, default: Any, path: Path, *, in_row: bool) -> Shape:
    kind = get_origin(annotation) or annotation
    args = get_args(annotation)
    if isinstance(default, Kind):
        if not args:
            args = get_args(_annotation_of(default))
        default = default.default
    if kind is Counter:
        number = args[0] if args else (float if isinstance(default, float) else int)
        return _counter_shape(number, 0 if default is MISSING else default, path)
    if kind is Text:
        if default is not MISSING and not isinstance(default, str):
            raise ShapeError(f"{format_path(path)}: a Text starts as str, got {default!r:.80}")
        text = "" if default is MISSING else str(default)
        Codec.of(str).encode(text, path)
        return TextShape(TextView(text))
    if kind is Set:
        codec = _codec(args[0] if args else Any, path)
        return SetShape(codec, freeze_set(codec, () if default is MISSING else default, path))
    if kind is Map:
        if args and dataclasses.is_dataclass(args[0]):
            raise ShapeError(
                f"{format_path(path)}: a Map holds plain values; for records of "
                f"{args[0].__name__} write Table[{args[0].__name__}]"  # type: ignore[union-attr]
            )
        codec = _codec(args[0] if args else Any, path)
        return MapShape(codec, freeze_map(codec, {} if default is MISSING else default, path))
    if in_row:
        raise ShapeError(
            f"{format_path(path)}: a {kind.__name__} inside a row or list element is not "
            "supported; keep a second Table beside the first, with the row's key as a field "
            "(a foreign key)"
        )
    element = _element_shape(kind, args, default, path)
    if kind is List:
        return ListShape(element, freeze_list(element, () if default is MISSING else default, path))
    assert isinstance(element, RecordShape)
    return TableShape(element, freeze_table(element, {} if default is MISSING else default, path))


def _counter_shape(number: Any, default: Any, path: Path) -> CounterShape:
    if number not in (int, float):
        raise ShapeError(f"{format_path(path)}: Counter counts in int or float, not {number!r}")
    if type(default) not in (int, float) or default != default or abs(default) == float("inf"):
        raise ShapeError(f"{format_path(path)}: a Counter starts as a finite number: {default!r}")
    if number is int and type(default) is float:
        raise ShapeError(
            f"{format_path(path)}: the Counter starts at the float {default!r}; "
            "write Counter[float] to count in floats"
        )
    Codec.of(number).encode(default, path)
    return CounterShape(number, default)


def _element_shape(kind: Any, args: tuple[Any, ...], default: Any, path: Path) -> Any:
    where = (*path, "*")
    element = _strip(args[0]) if args else None
    if element is None and default is not MISSING:  # Table({"a": Todo()}): the rows say it
        rows = list(default.values() if isinstance(default, Mapping) else default)
        if rows and dataclasses.is_dataclass(rows[0]):
            element = type(rows[0])
    origin = get_origin(element) or element  # Box[int] is a Box
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        return _record_shape(origin, None, where, in_row=True)
    if kind is Table:
        raise ShapeError(
            f"{format_path(path)}: a Table needs the dataclass of its rows: Table[Todo]; "
            "for plain values write Map[...]"
        )
    if isinstance(origin, type) and issubclass(origin, Kind):
        raise ShapeError(
            f"{format_path(path)}: the elements of a List are records or plain values, not "
            f"{origin.__name__}; put it into a dataclass"
        )
    codec = _codec(Any if element is None else element, where)
    return RegisterShape(codec, None)


# Declarations: plain dicts


def _dict_shape(initial: Mapping[str, Any], path: Path) -> RecordShape:
    fields: dict[str, Shape] = {}
    for name, value in initial.items():
        if not isinstance(name, str):
            raise ShapeError(f"{format_path(path)}: field names are str, got {name!r}")
        if name.startswith("_crdt_"):
            raise ShapeError(f"{format_path(path)}: the field name {name!r} is reserved")
        where = (*path, name)
        if isinstance(value, Kind):
            fields[name] = _kind_shape(_annotation_of(value), value, where, in_row=False)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields[name] = _record_shape(type(value), value, where, in_row=False)
        elif isinstance(value, Mapping) and value:
            fields[name] = _dict_shape(value, where)
        else:
            fields[name] = _inferred_shape(value, where)
    return _record(None, fields, path)


def _inferred_shape(value: Any, path: Path) -> Shape:
    """In a plain initial state an empty dict is a Map, a list a List, a set a Set."""
    if isinstance(value, Mapping):
        return MapShape(Codec.of(Any), freeze_map(Codec.of(Any), value, path))
    if isinstance(value, list):
        if value and dataclasses.is_dataclass(value[0]):
            return _kind_shape(List, List(value), path, in_row=False)
        element = RegisterShape(Codec.of(Any), None)
        return ListShape(element, freeze_list(element, value, path))
    if isinstance(value, (set, frozenset)):
        return SetShape(Codec.of(Any), freeze_set(Codec.of(Any), value, path))
    codec = Codec.of(type(value))
    return RegisterShape(codec, checked(codec, value, path))
