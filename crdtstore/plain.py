"""State made JSON-ready, for logs, DevTools and web pages: readable, and not meant to come back.

What JSON has no form for gets the form most readers expect, so types are lost: use pickle, or the
store itself, to keep them.
"""

from __future__ import annotations

import dataclasses
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

from crdtstore.equality import element_key
from crdtstore.errors import StateValueError
from crdtstore.frozen import MAX_DEPTH
from crdtstore.packed import MAX_INT_BITS, decimal_text
from crdtstore.scalars import KeyPath, describe, refusal

__all__ = ["to_plain"]

_MAX_DEPTH = 2 * MAX_DEPTH  # records and tables around the deepest value


def to_plain(value: object) -> Any:
    """Return ``value`` in dicts, lists, str, int, float, bool and None, new ones throughout.

    ``json.dumps(to_plain(state), allow_nan=False)`` succeeds for all state: bytes become base64
    text; datetime, date and time ISO 8601; a timedelta its seconds (int or float); UUID and Decimal
    text; infinite floats ``"Infinity"`` and ``"-Infinity"``; an Enum member its value made plain,
    or its name where that fails; tuples and other sequences lists; sets lists in the order of
    their element keys; dataclass instances and snapshots dicts of their fields, mappings dicts in
    their own order. Raises `StateValueError` for anything else.
    """
    return _plain(value, (), 0)


def _plain(value: Any, path: KeyPath, depth: int) -> Any:
    kind = type(value)
    if kind is bool or value is None:
        return value
    if issubclass(kind, Enum):
        try:
            return _plain(value._value_, path, depth)
        except StateValueError:
            return value._name_
    for base, make in _SCALARS:
        if issubclass(kind, base):
            return make(value, path)
    if depth >= _MAX_DEPTH:
        raise StateValueError(
            (),
            f"expected at most {_MAX_DEPTH} containers inside one another, got more (or a value "
            "that contains itself)",
        )
    depth += 1
    if dataclasses.is_dataclass(kind):
        return {
            field.name: _plain(getattr(value, field.name), (*path, field.name), depth)
            for field in dataclasses.fields(kind)
        }
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(value[key], (*path, key), depth) for key in value}
    if isinstance(value, Set):
        value = sorted(value, key=lambda item: element_key(item, path))
    elif not isinstance(value, Sequence):
        raise refusal(value, path)
    return [_plain(item, (*path, at), depth) for at, item in enumerate(value)]


def _key(key: object, path: KeyPath) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise StateValueError(
        path, f"expected a mapping with str keys, got a key of type {describe(type(key))}"
    )


def _int(value: int, path: KeyPath) -> int:
    if value.bit_length() > MAX_INT_BITS:  # which str(), and so JSON, may refuse
        raise StateValueError(path, f"expected an int of at most {MAX_INT_BITS} bits")
    return int.__int__(value)


def _float(value: float, path: KeyPath) -> float | str:
    if isfinite(value):
        return float.__float__(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _seconds(value: timedelta, path: KeyPath) -> float:
    if value.microseconds:
        return value.total_seconds()
    return value.days * 86400 + value.seconds


_SCALARS: tuple[tuple[type | tuple[type, ...], Callable[[Any, KeyPath], Any]], ...] = (
    (str, lambda value, path: str.__str__(value)),
    (int, _int),
    (float, _float),
    ((bytes, bytearray), lambda value, path: b64encode(value).decode()),
    ((datetime, date, time), lambda value, path: value.isoformat()),
    (timedelta, _seconds),
    (Decimal, lambda value, path: decimal_text(value)),
    (UUID, lambda value, path: str(value)),
)
