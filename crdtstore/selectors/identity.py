"""When two arguments are the same one, and what a memory of an argument may hold.

State is immutable and keeps its identity where nothing changed, so "the same" means ``is``. Two
kinds of object want another rule: small values that are made anew all the time (``"all"``, ``7``)
are the same if type and value are, and drafts, which change under one identity, are never the same
as anything, not even as themselves a moment ago.
"""

from __future__ import annotations

from enum import Enum
from sys import getsizeof
from types import NoneType
from typing import Any, TypeVar

from crdtstore.draft import current, is_draft
from crdtstore.frozen import FrozenDict, FrozenList
from crdtstore.kinds import TextView

__all__ = ["Held", "held_as", "kibibytes", "reference_equality_check", "undrafted", "value_key"]

T = TypeVar("T")


class Held(Enum):
    """How a memory of arguments holds one."""

    BY_VALUE = "the same if type and value are; kept alive"
    WEAKLY = "the same if it is the very object; not kept alive"
    STRONGLY = "the same if it is the very object; kept alive, as it allows no weak reference"
    NOT_AT_ALL = "a draft"


_VALUES = frozenset({NoneType, bool, int, float, str, bytes, TextView})
_SIZED = _VALUES | {list, dict, set, frozenset, tuple, FrozenList, FrozenDict}

_MOST_TYPES = 4096
_known: dict[type, Held] = {}


def held_as(value: object) -> Held:
    """Tell how an argument is held; its type decides, so this is a look-up."""
    kind = type(value)
    held = _known.get(kind)
    if held is None:
        if is_draft(value):
            held = Held.NOT_AT_ALL
        elif kind in _VALUES:
            held = Held.BY_VALUE
        else:
            held = Held.WEAKLY if kind.__weakrefoffset__ else Held.STRONGLY
        if len(_known) >= _MOST_TYPES:  # classes made at run time, again and again
            _known.clear()
        _known[kind] = held
    return held


def value_key(value: Any) -> Any:
    """Return what tells a value from others of its type: itself, and the sign of a float zero."""
    return value if value or type(value) is not float else repr(value)


def kibibytes(value: object) -> int:
    """Return how many full KiB a plain value or container takes, its elements not counted."""
    return getsizeof(value) >> 10 if type(value) in _SIZED else 0


def undrafted(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return ``values`` with a snapshot of what it shows now in the place of every draft."""
    for value in values:
        if held_as(value) is Held.NOT_AT_ALL:
            return tuple([current(each) if is_draft(each) else each for each in values])
    return values


def reference_equality_check(a: object, b: object) -> bool:
    """Tell whether two arguments are the same object, or plain values of the same type and value.

    ``1``, ``True`` and ``1.0`` differ, and so do ``0.0`` and ``-0.0``.
    """
    if a is b:
        return True
    kind = type(a)
    return kind is type(b) and kind in _VALUES and bool(value_key(a) == value_key(b))
