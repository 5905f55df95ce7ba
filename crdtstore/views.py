"""The immutable state people read: records, lists, tables, maps and sets that share structure.

A record snapshot is an instance of a generated subclass of the user's own class, so ``isinstance``,
methods, properties and ``match`` work; its fields are slots, so reading one costs an attribute
read. Containers wrap persistent maps and vectors: changing one entry makes a new view and leaves
all the others the same objects, which is what ``is`` comparisons in selectors rely on. Every
snapshot can be referred to weakly, so that what was computed from it can go when it goes.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache
from operator import attrgetter
from typing import Any, NoReturn, cast, overload

from crdtstore.kinds import ListView, MapView, SetView, TableView, TextView, frozen_error
from crdtstore.persistent import SortedMap, Vector
from crdtstore.values import FrozenDict, FrozenList, element_key, to_plain

__all__ = [
    "FrozenRecord",
    "ListSnapshot",
    "MapSnapshot",
    "Record",
    "SetSnapshot",
    "TableSnapshot",
    "comparisons",
    "fields_of",
    "plain",
    "read_field",
    "read_fields",
    "record_class",
    "replace_field",
]


def _refuse(*_: object, **__: object) -> NoReturn:
    raise frozen_error()


class FrozenRecord:
    """The common base of all record snapshots."""

    __slots__ = ()
    _crdt_names: tuple[str, ...] = ()


class Record(FrozenRecord, Mapping[str, Any]):
    """A record declared by a plain dict: fields read as attributes and as items."""

    __slots__ = ("__weakref__", "_crdt_values")
    _crdt_values: dict[str, Any]

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_crdt_values", dict(values))

    def __getattr__(self, name: str) -> Any:
        try:
            return self._crdt_values[name]
        except KeyError:
            raise AttributeError(
                f"the state has no field {name!r}; fields: {', '.join(self._crdt_values)}"
            ) from None

    def __getitem__(self, key: str) -> Any:
        return self._crdt_values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._crdt_values)

    def __len__(self) -> int:
        return len(self._crdt_values)

    def __setattr__(self, name: str, value: object) -> None:
        raise frozen_error()

    def __delattr__(self, name: str) -> None:
        raise frozen_error()

    def __setitem__(self, key: str, value: object) -> None:
        raise frozen_error()

    def __delitem__(self, key: str) -> None:
        raise frozen_error()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        mine = self._crdt_values
        return self is other or (
            len(mine) == len(other)
            and all(name in other and value == other[name] for name, value in mine.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Record({self._crdt_values!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (None, tuple(self._crdt_values), tuple(self._crdt_values.values())))

    def __copy__(self) -> dict[str, Any]:
        return dict(self._crdt_values)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {name: _mutable(value) for name, value in self._crdt_values.items()}

    def to_plain(self) -> Any:
        """Return a JSON-ready copy."""
        return to_plain(self)


@cache
def record_class(cls: type | None, names: tuple[str, ...]) -> Callable[[Sequence[Any]], Any]:
    """Return a function that builds a frozen record of ``cls`` from its field values, in order.

    ``cls`` is the user's dataclass, or ``None`` for a record declared by a dict.
    """
    if cls is None:
        hidden = {name: _item(name) for name in names if hasattr(Record, name)}
        kind = type("Record", (Record,), {"__slots__": (), **hidden}) if hidden else Record
        return lambda values: kind(dict(zip(names, values, strict=True)))
    namespace: dict[str, Any] = {
        "__slots__": names,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "_crdt_names": names,
        "_crdt_class": cls,
        "__new__": _new,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__reduce__": _reduce,
        "__copy__": _copy,
        "__deepcopy__": _deepcopy,
        **comparisons(cls),
    }
    frozen: Any = type(cls)(cls.__name__, (FrozenRecord, cls), namespace)
    build, replace = _makers(frozen, names)
    frozen._crdt_replace = staticmethod(replace)
    if len(names) == 1:
        frozen._crdt_read = staticmethod(lambda record: (getattr(record, names[0]),))
    else:
        frozen._crdt_read = (
            staticmethod(attrgetter(*names)) if names else staticmethod(lambda _: ())
        )
    return build


def _makers(frozen: type, names: tuple[str, ...]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Write ``build(values)`` and ``replace(record, name, value)`` for a class, field by field.

    Every change makes a record or two; a loop over the fields would take three times as long.
    """
    setters = {name: frozen.__dict__[name].__set__ for name in names}
    numbered = list(enumerate(names))
    source = ["def build(values):", " record = new(frozen)"]
    source += [f" {''.join(f'v{at}, ' for at, _ in numbered)} = values"] if names else []
    source += [f" set{at}(record, v{at})" for at, _ in numbered]
    source += [" return record", "def replace(old, name, value):", " record = new(frozen)"]
    source += [f" set{at}(record, old.{name})" for at, name in numbered]
    source += [" setters[name](record, value)", " return record"]
    names_used: dict[str, Any] = {"new": object.__new__, "frozen": frozen, "setters": setters}
    names_used |= {f"set{at}": setters[name] for at, name in numbered}
    exec("\n".join(source), names_used)
    return names_used["build"], names_used["replace"]


def _item(name: str) -> property:
    """Let a field that is named like a method of mappings, ``items`` say, hide it."""
    return property(lambda record: record._crdt_values[name])


def comparisons(cls: type) -> dict[str, Any]:
    """Return the methods by which snapshots and drafts of ``cls`` compare.

    Those that ``@dataclass`` generates want two instances of the very same class; in their place
    these take an instance of ``cls``, a draft or a snapshot. A user's own methods are left alone.
    """
    names = tuple(field.name for field in dataclasses.fields(cls) if field.compare)

    def comparison(compare: Callable[[Any, Any], bool]) -> Any:
        def method(self: Any, other: object) -> Any:
            if not isinstance(other, cls):
                return NotImplemented
            mine = tuple([getattr(self, name) for name in names])
            return compare(mine, tuple([getattr(other, name) for name in names]))

        return method

    made = {
        name: comparison(getattr(operator, name)) for name in _COMPARED if _generated(cls, name)
    }
    if "__eq__" in made:
        return {**made, "__hash__": None}
    return {**made, "__eq__": cls.__eq__, "__hash__": cls.__hash__}


_COMPARED = ("__eq__", "__lt__", "__le__", "__gt__", "__ge__")


def _generated(cls: type, name: str) -> bool:
    """Tell a method that ``@dataclass`` wrote from one that the user did."""
    code = getattr(getattr(cls, name), "__code__", None)
    return code is not None and code.co_filename == "<string>"


def fields_of(record: Any) -> tuple[tuple[str, Any], ...]:
    """Return the (name, value) pairs of a record snapshot, in declaration order."""
    if isinstance(record, Record):
        return tuple(record._crdt_values.items())
    return tuple((name, getattr(record, name)) for name in record._crdt_names)


def read_field(record: Any, name: str) -> Any:
    """Read one field of a record snapshot."""
    return getattr(record, name) if record._crdt_names else record._crdt_values[name]


def read_fields(record: Any) -> tuple[Any, ...]:
    """Read all fields of a record snapshot, in declaration order."""
    if isinstance(record, Record):
        return tuple(record._crdt_values.values())
    values: tuple[Any, ...] = record._crdt_read(record)
    return values


def replace_field(record: Any, name: str, value: Any) -> Any:
    """Return ``record`` with one field replaced, all others the same objects."""
    if record._crdt_names:
        return record._crdt_replace(record, name, value)
    return type(record)({**record._crdt_values, name: value})


def _reduce(self: Any) -> tuple[Any, ...]:
    return (_restore, (self._crdt_class, self._crdt_names, self._crdt_read(self)))


def _restore(cls: type | None, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return record_class(cls, names)(values)


def _new(cls: Any, *args: Any, **kwargs: Any) -> Any:
    """Calling a snapshot's class, as ``dataclasses.replace`` does, makes an ordinary instance."""
    return cls._crdt_class(*args, **kwargs)


def _copy(self: Any) -> Any:
    return _thawed(self, lambda value: value)


def _deepcopy(self: Any, memo: dict[int, Any]) -> Any:
    return _thawed(self, _mutable)


def _thawed(record: Any, copy: Callable[[Any], Any]) -> Any:
    """Build an ordinary, mutable instance of the user's class, without running its ``__init__``."""
    thawed = object.__new__(record._crdt_class)
    for name, value in fields_of(record):
        object.__setattr__(thawed, name, copy(value))
    return thawed


def _mutable(value: Any) -> Any:
    """Copy state deeply, with records as ordinary instances of the user's classes."""
    if isinstance(value, Record):
        return {name: _mutable(item) for name, item in value._crdt_values.items()}
    if isinstance(value, FrozenRecord):
        return _thawed(value, _mutable)
    if isinstance(value, ListView):
        return [_mutable(item) for item in value]
    if isinstance(value, TableView):
        return {key: _mutable(item) for key, item in value.items()}
    return plain(value)


def plain(value: Any) -> Any:
    """Copy state into ordinary mutable Python data: records as dicts, views as list, dict, set."""
    if isinstance(value, FrozenRecord):
        return {name: plain(item) for name, item in fields_of(value)}
    if isinstance(value, TextView):
        return str(value)
    if isinstance(value, (ListView, FrozenList)):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, (TableView, MapView, FrozenDict)):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, SetView):
        return set(value)
    return value


class ListSnapshot(ListView[Any]):
    """A list as read: the order of lasting keys, and the elements by key.

    ``_root`` names the order it was read from; it is empty while only the default shows.
    """

    __slots__ = ("__weakref__", "_keys", "_root", "_rows")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, keys: Vector, rows: SortedMap, root: str = "") -> None:
        self._keys = keys
        self._rows = rows
        self._root = root

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            rows = self._rows
            return [rows[key] for key in list(self._keys)[index]]
        return self._rows[self._keys[operator.index(index)]]

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Any]:
        return map(self._rows.__getitem__, self._keys)

    def __reversed__(self) -> Iterator[Any]:
        return map(self._rows.__getitem__, reversed(list(self._keys)))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, (list, ListView)):
            return NotImplemented
        return len(self) == len(other) and all(
            a is b or a == b for a, b in zip(self, other, strict=True)
        )

    def __repr__(self) -> str:
        return repr(list(self))

    def key_at(self, index: int) -> str:
        return cast(str, self._keys[index])

    def index_of(self, key: str) -> int:
        if key not in self._rows:
            raise KeyError(key)
        return list(self._keys).index(key)

    def to_plain(self) -> list[Any]:
        return cast("list[Any]", to_plain(self))

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return cast("list[Any]", plain(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_list, (list(self._keys), dict(self._rows.items())))

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    insert = append = extend = pop = remove = clear = reverse = sort = move = _refuse


def _restore_list(keys: list[str], rows: dict[str, Any]) -> ListSnapshot:
    return ListSnapshot(Vector.of(keys), SortedMap.of(rows))


class _MappingSnapshot:
    """What tables and maps share when read."""

    __slots__ = ("__weakref__", "_rows")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, rows: SortedMap) -> None:
        self._rows = rows

    def __getitem__(self, key: str) -> Any:
        try:
            return self._rows[key]
        except TypeError:  # no str, and so not comparable with one
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Mapping):
            return NotImplemented
        return len(self) == len(other) and all(
            key in other and (value is other[key] or value == other[key])
            for key, value in self._rows.items()
        )

    def __repr__(self) -> str:
        return repr(dict(self._rows.items()))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the entry at ``key``, or ``default``."""
        return self._rows.get(key, default) if isinstance(key, str) else default

    def copy(self) -> dict[str, Any]:
        """Return a plain dict of the entries."""
        return dict(self._rows.items())

    def to_plain(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return cast("dict[str, Any]", to_plain(self))

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return cast("dict[str, Any]", plain(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_mapping, (type(self), self.copy()))

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse


def _restore_mapping(cls: Callable[[SortedMap], Any], rows: dict[str, Any]) -> Any:
    return cls(SortedMap.of(rows))


class TableSnapshot(_MappingSnapshot, TableView[Any]):
    """A table as read: records by key, in key order."""

    __slots__ = ()


class MapSnapshot(_MappingSnapshot, MapView[Any]):
    """A map as read: values by key, in key order."""

    __slots__ = ()


class SetSnapshot(SetView[Any]):
    """A set as read: its values by canonical key, in the order of those keys."""

    __slots__ = ("__weakref__", "_items")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: SortedMap) -> None:
        self._items = items

    def __contains__(self, value: object) -> bool:
        try:
            return element_key(value, ()) in self._items
        except ValueError:  # not a value that state can hold, so not in here
            return False

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items.values())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AbstractSet):
            return NotImplemented
        return self is other or (len(self) == len(other) and all(v in self for v in other))

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self)) + "}" if self._items else "set()"

    def to_plain(self) -> list[Any]:
        return cast("list[Any]", to_plain(self))

    def __copy__(self) -> set[Any]:
        return set(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> set[Any]:
        return set(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore_set, (dict(self._items.items()),))

    add = discard = remove = pop = clear = _refuse
    update = difference_update = intersection_update = symmetric_difference_update = _refuse
    __ior__ = __iand__ = __ixor__ = __isub__ = _refuse


def _restore_set(items: dict[str, Any]) -> SetSnapshot:
    return SetSnapshot(SortedMap.of(items))
