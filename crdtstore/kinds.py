"""The field kinds users write in their state classes, and the views those fields read as.

A kind is a descriptor, the way SQLAlchemy's ``Mapped`` is: ``votes: Counter = Counter(0)`` declares
a counter, and ``state.votes`` reads as an ``int``. On a plain instance of the class the descriptor
keeps ordinary Python values; snapshots and drafts replace it by views with the matching Python
protocol. The view classes here say what can be done; ``views`` (frozen) and ``draft`` (recording)
say how.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
)
from collections.abc import Set as AbstractSet
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Generic, NoReturn, overload

from crdtstore.errors import FrozenStateError

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
    N = TypeVar("N", int, float, default=int)
else:
    from typing import TypeVar

    T = TypeVar("T")
    N = TypeVar("N")

__all__ = [
    "Counter",
    "Kind",
    "List",
    "ListView",
    "Map",
    "MapView",
    "Set",
    "SetView",
    "Table",
    "TableView",
    "Text",
    "TextView",
    "frozen_error",
]

_MISSING: Any = object()


def frozen_error() -> FrozenStateError:
    """The one error for every write to a snapshot."""
    return FrozenStateError("store.state is read-only; change it in a reducer")


class TextView(str):
    """What a ``Text`` field reads as: a ``str`` that a reducer can also edit in place.

    Positions and lengths are in code points, as everywhere in Python. The ``str`` methods are
    pure; ``insert``, ``delete`` and ``splice`` change the state (inside reducers only).
    """

    __slots__ = ()
    __crdtstore_text__ = True

    def insert(self, index: int, text: str) -> None:
        """Insert ``text`` before position ``index`` (negative counts from the end)."""
        raise frozen_error()

    def delete(self, index: int, length: int = 1) -> None:
        """Delete ``length`` code points from position ``index`` on."""
        raise frozen_error()

    def splice(self, index: int, delete: int, insert: str = "") -> None:
        """Delete ``delete`` code points at ``index`` and put ``insert`` in their place."""
        raise frozen_error()

    def __reduce__(self) -> tuple[Any, ...]:
        return (TextView, (str(self),))

    def __copy__(self) -> str:
        return str(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> str:
        return str(self)


class ListView(MutableSequence[T]):
    """What a ``List`` field reads as: a list whose elements keep their identity when they move."""

    __slots__ = ()

    @abstractmethod
    def sort(self, *, key: Callable[[T], Any] | None = None, reverse: bool = False) -> None:
        """Sort in place, stably; elements that are out of order move, the others stay."""

    @abstractmethod
    def move(self, index: int, to: int) -> None:
        """Move the element at ``index`` so that it ends at position ``to``."""

    @abstractmethod
    def key_at(self, index: int) -> str:
        """Return the lasting key of the element at ``index``: it survives moves and merges."""

    @abstractmethod
    def index_of(self, key: str) -> int:
        """Return the position of the element with this key; ``KeyError`` if it is gone."""

    @abstractmethod
    def to_plain(self) -> list[Any]:
        """Return a JSON-ready copy."""

    def copy(self) -> list[T]:
        """Return a plain list of the elements."""
        return list(self)

    def __add__(self, other: list[T] | ListView[T]) -> list[T]:
        return [*self, *other] if isinstance(other, (list, ListView)) else NotImplemented

    def __radd__(self, other: list[T]) -> list[T]:
        return [*other, *self] if isinstance(other, list) else NotImplemented

    def __mul__(self, times: int) -> list[T]:
        return list(self) * times

    __rmul__ = __mul__

    def __lt__(self, other: list[T] | ListView[T]) -> bool:
        return list(self) < list(other) if isinstance(other, (list, ListView)) else NotImplemented

    def __le__(self, other: list[T] | ListView[T]) -> bool:
        return list(self) <= list(other) if isinstance(other, (list, ListView)) else NotImplemented

    def __gt__(self, other: list[T] | ListView[T]) -> bool:
        return list(self) > list(other) if isinstance(other, (list, ListView)) else NotImplemented

    def __ge__(self, other: list[T] | ListView[T]) -> bool:
        return list(self) >= list(other) if isinstance(other, (list, ListView)) else NotImplemented


class _EntriesView(MutableMapping[str, T]):
    """What tables and maps have in common: the rest of what a dict can do."""

    __slots__ = ()

    @abstractmethod
    def to_plain(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""

    def copy(self) -> dict[str, T]:
        """Return a plain dict of the entries."""
        return dict(self)

    def __or__(self, other: Mapping[str, T]) -> dict[str, T]:
        return {**self, **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, T]) -> dict[str, T]:
        return {**other, **self} if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Mapping[str, T] | Iterable[tuple[str, T]]) -> Self:
        self.update(other)
        return self

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self))


class TableView(_EntriesView[T]):
    """What a ``Table`` field reads as: records by key, iterated in key order."""

    __slots__ = ()


class MapView(_EntriesView[T]):
    """What a ``Map`` field reads as: plain values by key, iterated in key order."""

    __slots__ = ()


class SetView(MutableSet[T]):
    """What a ``Set`` field reads as, iterated in a canonical order.

    As with ``set``, operators take sets and methods any iterable; both return plain sets.
    """

    __slots__ = ()

    @classmethod
    def _from_iterable(cls, it: Iterable[Any]) -> Any:
        return set(it)

    @abstractmethod
    def to_plain(self) -> list[Any]:
        """Return a JSON-ready copy."""

    @abstractmethod
    def update(self, *others: Iterable[T]) -> None:
        """Add all values of ``others``."""

    @abstractmethod
    def difference_update(self, *others: Iterable[Any]) -> None:
        """Remove all values of ``others``."""

    @abstractmethod
    def intersection_update(self, *others: Iterable[Any]) -> None:
        """Keep only what is in all ``others``."""

    @abstractmethod
    def symmetric_difference_update(self, other: Iterable[T]) -> None:
        """Add what is only in ``other``, remove what is in both."""

    def union(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set of the values of this and all ``others``."""
        return set(self).union(*others)

    def intersection(self, *others: Iterable[Any]) -> set[T]:
        """Return a plain set of the values in this and in all ``others``."""
        return set(self).intersection(*others)

    def difference(self, *others: Iterable[Any]) -> set[T]:
        """Return a plain set of the values in this and in none of ``others``."""
        return set(self).difference(*others)

    def symmetric_difference(self, other: Iterable[T]) -> set[T]:
        """Return a plain set of the values in exactly one of the two."""
        return set(self).symmetric_difference(other)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Tell whether every value is in ``other``."""
        return set(self).issubset(other)

    def issuperset(self, other: Iterable[Any]) -> bool:
        """Tell whether every value of ``other`` is in this."""
        return set(self).issuperset(other)

    def isdisjoint(self, other: Iterable[Any]) -> bool:
        """Tell whether no value is in ``other``."""
        return set(self).isdisjoint(other)

    def copy(self) -> set[T]:
        """Return a plain set of the values."""
        return set(self)

    def __or__(self, other: AbstractSet[Any]) -> set[Any]:
        return {*self, *other} if isinstance(other, AbstractSet) else NotImplemented

    def __ror__(self, other: AbstractSet[Any]) -> set[Any]:
        return {*other, *self} if isinstance(other, AbstractSet) else NotImplemented

    def __and__(self, other: AbstractSet[Any]) -> set[T]:
        return set(self).intersection(other) if isinstance(other, AbstractSet) else NotImplemented

    __rand__ = __and__

    def __sub__(self, other: AbstractSet[Any]) -> set[T]:
        return set(self).difference(other) if isinstance(other, AbstractSet) else NotImplemented

    def __rsub__(self, other: AbstractSet[Any]) -> set[Any]:
        return set(other).difference(self) if isinstance(other, AbstractSet) else NotImplemented

    def __xor__(self, other: AbstractSet[Any]) -> set[Any]:
        return set(self) ^ set(other) if isinstance(other, AbstractSet) else NotImplemented

    __rxor__ = __xor__


class Kind:
    """The common part of the kinds: a named place in an instance's ``__dict__``.

    What can be set includes the kind itself, since that is what ``__init__`` of a dataclass passes
    on as the default.
    """

    def __init__(self, default: Any) -> None:
        self._default = default
        self._name = ""

    @property
    def default(self) -> Any:
        """The declared default, as plain Python data."""
        return self._default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def _plain(self, value: Any) -> Any:
        """Copy ``value`` into what a plain instance of the state class holds."""
        return value

    def _read(self, obj: object) -> Any:
        value = vars(obj).get(self._name, _MISSING)
        if value is _MISSING:
            raise AttributeError(
                f"{type(obj).__name__!r} object has no attribute {self._name!r} yet"
            )
        return value

    def _write(self, obj: object, value: Any) -> None:
        if isinstance(value, Kind):  # the dataclass default is the kind itself
            value = value.default and deepcopy(value.default)
        vars(obj)[self._name] = self._plain(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._default!r})"


class Counter(Kind, Generic[N]):
    """A number that only ever changes by differences: concurrent increments add up.

    ``state.n += 1`` and ``state.n = 5`` both record a difference. ``Counter[float]`` counts in
    floats, summed exactly with ``math.fsum``.
    """

    def __init__(self, default: N = 0) -> None:
        super().__init__(default)

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type[Any]) -> N: ...
    def __get__(self, obj: object, owner: type[Any]) -> Any:
        return self if obj is None else self._read(obj)

    def __set__(self, obj: object, value: N | Self) -> None:
        self._write(obj, value)


class Text(Kind):
    """A string edited by several people at once: every typed character survives a merge."""

    def __init__(self, default: str = "") -> None:
        super().__init__(default)

    def _plain(self, value: Any) -> Any:
        return str(value) if isinstance(value, str) else value

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type[Any]) -> TextView: ...
    def __get__(self, obj: object, owner: type[Any]) -> Any:
        return self if obj is None else self._read(obj)

    def __set__(self, obj: object, value: str | Self) -> None:
        self._write(obj, value)


class List(Kind, Generic[T]):
    """An ordered list of records or plain values: inserts, moves and edits merge."""

    def __init__(self, default: Iterable[T] = ()) -> None:
        super().__init__(_listed(default, "List"))

    def _plain(self, value: Any) -> Any:
        return _listed(value, "List")

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type[Any]) -> ListView[T]: ...
    def __get__(self, obj: object, owner: type[Any]) -> Any:
        return self if obj is None else self._read(obj)

    def __set__(self, obj: object, value: Iterable[T] | Self) -> None:
        self._write(obj, value)


class Table(Kind, Generic[T]):
    """Records by string key: rows are added, removed and edited field by field, independently."""

    def __init__(self, default: Mapping[str, T] | None = None) -> None:
        super().__init__(_mapped(default or {}, "Table"))

    def _plain(self, value: Any) -> Any:
        return _mapped(value, "Table")

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type[Any]) -> TableView[T]: ...
    def __get__(self, obj: object, owner: type[Any]) -> Any:
        return self if obj is None else self._read(obj)

    def __set__(self, obj: object, value: Mapping[str, T] | Self) -> None:
        self._write(obj, value)


class Map(Kind, Generic[T]):
    """Plain values by string key: each key is written and removed independently."""

    def __init__(self, default: Mapping[str, T] | None = None) -> None:
        super().__init__(_mapped(default or {}, "Map"))

    def _plain(self, value: Any) -> Any:
        return _mapped(value, "Map")

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type[Any]) -> MapView[T]: ...
    def __get__(self, obj: object, owner: type[Any]) -> Any:
        return self if obj is None else self._read(obj)

    def __set__(self, obj: object, value: Mapping[str, T] | Self) -> None:
        self._write(obj, value)


class Set(Kind, Generic[T]):
    """A set of plain hashable values: adding wins over a concurrent removal."""

    def __init__(self, default: Iterable[T] = ()) -> None:
        super().__init__(_setted(default, "Set"))

    def _plain(self, value: Any) -> Any:
        return _setted(value, "Set")

    @overload
    def __get__(self, obj: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, obj: object, owner: type[Any]) -> SetView[T]: ...
    def __get__(self, obj: object, owner: type[Any]) -> Any:
        return self if obj is None else self._read(obj)

    def __set__(self, obj: object, value: Iterable[T] | Self) -> None:
        self._write(obj, value)


def _refuse(kind: str, expected: str, value: object) -> NoReturn:
    raise TypeError(f"{kind} expects {expected}, got {type(value).__name__}: {value!r:.80}")


def _listed(value: Any, kind: str) -> list[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        _refuse(kind, "an iterable of elements", value)
    return list(value)


def _mapped(value: Any, kind: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        _refuse(kind, "a mapping of str keys", value)
    return dict(value)


def _setted(value: Any, kind: str) -> set[Any]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        _refuse(kind, "an iterable of elements", value)
    return set(value)
