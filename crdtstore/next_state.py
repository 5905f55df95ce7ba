"""Changing a copy of plain data in place, and keeping all of the original that did not change.

The recipe gets a copy of every list, dict, set, tuple and dataclass instance in the data, however
deep; all else is shared. Afterwards each copy that came out as it went in gives way to its
original, from the leaves up, wherever the recipe may have moved it to. So what did not change keeps
its identity, as with Immer's ``produce``. It costs a walk through all of the data, twice.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar, cast

from crdtstore.equality import same
from crdtstore.errors import ReducerError, StateValueError
from crdtstore.frozen import MAX_DEPTH
from crdtstore.scalars import CHECKS
from crdtstore.views import FrozenRecord, ListSnapshot, MapSnapshot, SetSnapshot, TableSnapshot

__all__ = ["create_next_state"]

T = TypeVar("T")

_SNAPSHOTS = (FrozenRecord, ListSnapshot, TableSnapshot, MapSnapshot, SetSnapshot)


def create_next_state(base: T, recipe: Callable[[T], T | None]) -> T:
    """Return what ``recipe`` makes of ``base``, which stays as it is.

    The recipe changes what it is given, or returns the next state, never both; where nothing
    changed, ``base`` itself comes back. What comes back is as mutable as what went in, except that
    changed parts of frozen lists and dicts are plain ones. Raises ``ReducerError`` for a recipe
    that does both, ``StateValueError`` for data nested more than 64 deep, ``TypeError`` for a
    snapshot of a store's state: that is changed by reducers (``slice.reducer(state, action)``).
    """
    if isinstance(base, _SNAPSHOTS):
        raise TypeError(
            "create_next_state takes plain data, got a snapshot of a store's state; let a reducer "
            "change it (todos.reducer(state, action)), or take copy.deepcopy(state)"
        )
    copies = _Copies()
    draft = copies.of(base, 0)
    result = recipe(cast(T, draft))
    if result is None or result is draft:
        return cast(T, copies.settled(draft, 0))
    if copies.settled(draft, 0) is not base:
        raise ReducerError(
            "the recipe changed its draft and also returned a value "
            f"({type(result).__name__}); mutate the draft or return a new state, never both"
        )
    return cast(T, copies.settled(result, 0))


class _Copies:
    """The copies that a recipe may change, and what each is a copy of."""

    __slots__ = ("_originals",)

    def __init__(self) -> None:
        self._originals: dict[int, tuple[Any, Any]] = {}  # by id of the copy, which is kept alive

    def of(self, value: Any, depth: int) -> Any:
        """Return a deep copy."""
        if isinstance(value, set):
            made = copy.copy(value)
        else:
            parts = _parts(value, depth)
            if parts is None:
                return value
            copied = [(key, item, self.of(item, depth + 1)) for key, item in parts]
            if isinstance(value, tuple):
                made = _tuple_of(value, [item for _, _, item in copied])
            else:
                made = copy.copy(value)  # of a frozen list or dict this is a plain one
                _put(made, copied)
        if made is not value:
            self._originals[id(made)] = (made, value)
        return made

    def settled(self, value: Any, depth: int) -> Any:
        """Return ``value`` with originals in place of all copies that came out as they went in."""
        _, original = self._originals.get(id(value), (None, None))
        if isinstance(value, set):
            return value if original is None or value != original else original
        parts = _parts(value, depth)
        if parts is None:
            return value
        settled = [(key, item, self.settled(item, depth + 1)) for key, item in parts]
        if original is not None and _unchanged(_parts(original, depth), settled):
            return original
        if isinstance(value, tuple):
            return _tuple_of(value, [item for _, _, item in settled])
        _put(value, settled)
        return value


_Part = tuple[Any, Any]


def _parts(value: Any, depth: int) -> list[_Part] | None:
    """Return what a list, dict, tuple or dataclass instance holds, and ``None`` of all else."""
    kind = type(value)
    if kind in CHECKS:
        return None
    parts: list[_Part]
    if isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    elif isinstance(value, dict):
        parts = list(value.items())
    elif is_dataclass(kind) and not isinstance(value, FrozenRecord):
        parts = [(n, getattr(value, n)) for n in kind.__dataclass_fields__ if hasattr(value, n)]
    else:
        return None
    if depth >= MAX_DEPTH:
        raise StateValueError(
            (),
            f"expected at most {MAX_DEPTH} containers inside one another, got more (or a value "
            "that contains itself)",
        )
    return parts


def _put(value: Any, parts: list[tuple[Any, Any, Any]]) -> None:
    """Write the third of each triple where the second was."""
    for key, before, item in parts:
        if item is before:
            continue
        if isinstance(value, (list, dict)):
            value[key] = item
        elif key in getattr(value, "__dict__", ()):
            vars(value)[key] = item  # neither frozen, nor copied by the descriptor of a kind
        else:
            object.__setattr__(value, key, item)


def _tuple_of(value: Any, items: list[Any]) -> Any:
    if all(item is before for item, before in zip(items, value, strict=True)):
        return value
    kind = type(value)
    return kind._make(items) if hasattr(kind, "_make") else kind(items)


def _unchanged(before: list[_Part] | None, after: list[tuple[Any, Any, Any]]) -> bool:
    return (
        before is not None
        and len(before) == len(after)
        and all(
            key == key_now and (item is now or (type(item) in CHECKS and same(item, now)))
            for (key, item), (key_now, _, now) in zip(before, after, strict=True)
        )
    )
