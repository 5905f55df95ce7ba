"""Read-only lists and dicts, and the way into and out of them.

State that people read must not change under them, and must still be what it looks like: a
``FrozenList`` *is* a list and a ``FrozenDict`` *is* a dict (equality, ``isinstance``, ``match``,
``json``, ``dataclasses.asdict``), only every mutator raises. Copies are plain and mutable, since
whoever copies wants to change the copy; pickling keeps them frozen.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from types import NoneType
from typing import Any, Generic, NoReturn, TypeVar

from crdtstore.errors import FrozenStateError, StateValueError

__all__ = [
    "MAX_DEPTH",
    "FrozenDict",
    "FrozenList",
    "freeze",
    "is_text",
    "plain_text",
    "thaw",
]

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

_ATOMS = frozenset({NoneType, bool, int, float, str, bytes})

MAX_DEPTH = 64
"""How many containers may lie inside one another: ``[]`` is 1 deep, ``[[]]`` 2."""


def _read_only(self: object, *args: Any, **kwargs: Any) -> NoReturn:
    raise FrozenStateError("store.state is read-only; change it in a reducer")


class FrozenList(list[T], Generic[T]):
    """A list whose mutators raise `FrozenStateError`; copies and slices of it are plain lists."""

    __slots__ = ("__weakref__",)

    __setitem__ = _read_only
    __delitem__ = _read_only
    __iadd__ = _read_only
    __imul__ = _read_only
    append = _read_only
    clear = _read_only
    extend = _read_only
    insert = _read_only
    pop = _read_only
    remove = _read_only
    reverse = _read_only
    sort = _read_only

    def __copy__(self) -> list[T]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[T]:
        return [thaw(item) for item in self]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return FrozenList, (list(self),)


class FrozenDict(dict[K, V], Generic[K, V]):
    """A dict whose mutators raise `FrozenStateError`; copies of it are plain dicts."""

    __slots__ = ("__weakref__",)

    __setitem__ = _read_only
    __delitem__ = _read_only
    __ior__ = _read_only
    clear = _read_only
    pop = _read_only
    popitem = _read_only
    setdefault = _read_only
    update = _read_only

    @classmethod
    def fromkeys(cls, keys: Iterable[Any], value: Any = None, /) -> FrozenDict[Any, Any]:
        """Make a frozen dict that maps each of ``keys`` to ``value``."""
        return cls(dict.fromkeys(keys, value))

    def __copy__(self) -> dict[K, V]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[K, V]:
        return {key: thaw(item) for key, item in self.items()}

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def is_text(kind: type) -> bool:
    """Say whether ``kind`` is str or a str class that stands for text of the state.

    Such a class (the view of a Text field, say) carries ``__crdtstore_text__ = True``; its
    instances are stored and compared as the plain str they show.
    """
    return kind is str or (
        issubclass(kind, str) and getattr(kind, "__crdtstore_text__", False) is True
    )


def plain_text(value: str) -> str:
    """Return the characters of any str, of a subclass too, as an exact ``str``."""
    return str.__str__(value)


def freeze(value: Any) -> Any:
    """Return ``value`` with every list and dict in it, at any depth, replaced by a frozen one.

    Tuples keep their type and get frozen items; marked text becomes plain str; anything else is
    returned as it is, and what is frozen already is returned itself. Subclasses of list, dict and
    tuple are not state and are left alone. Raises `StateValueError` beyond `MAX_DEPTH` containers,
    which is also how a value that contains itself ends.
    """
    return _freeze(value, 0)


def _freeze(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is list or kind is FrozenList:
        _check_depth(depth)
        items = [item if type(item) in _ATOMS else _freeze(item, depth + 1) for item in value]
        if kind is FrozenList and all(map(is_, items, value)):
            return value
        return FrozenList(items)
    if kind is dict or kind is FrozenDict:
        _check_depth(depth)
        pairs = {
            key: item if type(item) in _ATOMS else _freeze(item, depth + 1)
            for key, item in value.items()
        }
        if kind is FrozenDict and all(map(is_, pairs.values(), value.values())):
            return value
        return FrozenDict(pairs)
    if kind is tuple:
        _check_depth(depth)
        items = [item if type(item) in _ATOMS else _freeze(item, depth + 1) for item in value]
        return value if all(map(is_, items, value)) else tuple(items)
    return value if kind in _ATOMS or not is_text(kind) else plain_text(value)


def thaw(value: Any) -> Any:
    """Return a deep copy of ``value`` in plain, mutable lists and dicts: the reverse of `freeze`.

    Tuples keep their type and get thawed items; marked text becomes plain str; anything else is
    returned as it is. Raises `StateValueError` beyond `MAX_DEPTH` containers.
    """
    return _thaw(value, 0)


def _thaw(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is list or kind is FrozenList:
        _check_depth(depth)
        return [item if type(item) in _ATOMS else _thaw(item, depth + 1) for item in value]
    if kind is dict or kind is FrozenDict:
        _check_depth(depth)
        return {
            key: item if type(item) in _ATOMS else _thaw(item, depth + 1)
            for key, item in value.items()
        }
    if kind is tuple:
        _check_depth(depth)
        return tuple([item if type(item) in _ATOMS else _thaw(item, depth + 1) for item in value])
    return value if kind in _ATOMS or not is_text(kind) else plain_text(value)


def _check_depth(depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise StateValueError(
            (),
            f"expected at most {MAX_DEPTH} containers inside one another, got more (or a value "
            "that contains itself); keep the nested parts in a Table or Map of their own",
        )
