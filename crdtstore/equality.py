"""The two equalities of state: ``same`` for registers, ``element_key`` for set elements.

Python calls 1, 1.0, True and Decimal(1) equal. As elements of a set they are one, so
``element_key`` gives every class of equal values one key: ``a == b`` exactly when
``element_key(a) == element_key(b)``. As values of a register they differ, and assigning one over
the other is a change, so ``same`` tells apart whatever reads back differently.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from math import copysign
from types import NoneType
from typing import Any
from uuid import UUID

from crdtstore.errors import StateValueError
from crdtstore.frozen import MAX_DEPTH, FrozenDict, FrozenList, is_text, plain_text
from crdtstore.packed import datetime_text, decimal_text, time_text, zone_key
from crdtstore.scalars import CHECKS, KeyPath, check_member, check_text, describe, refusal

__all__ = ["element_key", "same"]

_LONGEST = 64  # characters of a key that is shown as it is
_DIGEST = 20  # bytes
_PLAIN_DIGITS = 20
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)

_SMALL = 10**_PLAIN_DIGITS


def same(a: Any, b: Any) -> bool:
    """Say whether ``a`` and ``b`` read back alike: equal, and of the same types all the way down.

    So ``1``, ``1.0`` and ``True`` differ, as do ``0.0`` and ``-0.0``, ``Decimal("1.0")`` and
    ``Decimal("1.00")``, dicts with another order of keys, and datetimes of one instant in two
    zones. Frozen and plain containers do not differ, nor do text and its marked str classes.
    """
    if a is b:
        return True
    kind = type(a)
    if kind is type(b) and kind in _BY_VALUE:
        return bool(a == b)
    kind, other = _kind(kind), _kind(type(b))
    if kind is not other:
        return False
    if kind is list or kind is tuple:
        return _same_items(a, b)
    if kind is dict:
        return list(a) == list(b) and _same_items(a.values(), b.values())
    if kind is float:
        return a == b and copysign(1.0, a) == copysign(1.0, b)
    told = _TELLS_APART.get(kind)
    if told is not None:
        return bool(told(a) == told(b))
    return bool(a == b)


def _kind(kind: type) -> type:
    if kind is FrozenList:
        return list
    if kind is FrozenDict:
        return dict
    if kind is not str and is_text(kind):
        return str
    return kind


def _same_items(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


_BY_VALUE = frozenset({str, int, bool})

_TELLS_APART: Mapping[type, Callable[[Any], object]] = {
    Decimal: decimal_text,
    datetime: lambda value: datetime_text(value) if value.tzinfo else value,
    time: time_text,
}


def element_key(value: object, path: KeyPath) -> str:
    """Return the key of a set element: one per class of values that Python calls equal.

    Short text stays readable (``s:milk``); beyond 64 characters a key ends in a hash (``s~9f…``).
    The key depends on the value alone, never on this process. Datetimes are equal by instant, but
    in an hour that their time zone repeats or skips, as in Python, by wall time and zone. Raises
    `StateValueError` for what state cannot hold and for lists and dicts, which cannot be hashed;
    that the field's annotation names the Enum of a member is for the codec to check.
    """
    return _element_key(value, path, 0)


def _element_key(value: Any, path: KeyPath, depth: int) -> str:
    kind = type(value)
    check = CHECKS.get(kind)
    if check is not None:
        check(value, path)
        return _KEYS[kind](value)
    if kind is tuple:
        if depth >= MAX_DEPTH:
            raise StateValueError(
                path, f"expected at most {MAX_DEPTH} tuples inside one another, got more"
            )
        keys = [_element_key(item, (*path, at), depth + 1) for at, item in enumerate(value)]
        return _key("t", _joined(keys))
    if issubclass(kind, Enum):
        check_member(value, path)
        return _enum_key(value, path, depth)
    if is_text(kind):
        text = plain_text(value)
        check_text(text, path)
        return _key("s", text)
    if kind in (list, dict, FrozenList, FrozenDict):
        advice = "store tuple(value)" if issubclass(kind, list) else "use a Map or a Table instead"
        raise StateValueError(
            path, f"expected a set element that can be hashed, got {describe(kind)}; {advice}"
        )
    raise refusal(value, path)


def _key(prefix: str, text: str) -> str:
    if len(text) <= _LONGEST:
        return f"{prefix}:{text}"
    return f"{prefix}~{blake2b(text.encode(), digest_size=_DIGEST).hexdigest()}"


def _joined(parts: Iterable[str]) -> str:
    """Join parts so that different ones never read alike, whatever characters are in them."""
    return ",".join(f"{len(part)}={part}" for part in parts)


def _int_key(value: int) -> str:
    if -_SMALL < value < _SMALL:
        return f"n:{value}"
    return _number_key(value < 0, str(abs(value)), 0)


def _float_key(value: float) -> str:
    if value.is_integer() and -_SMALL < value < _SMALL:
        return f"n:{int(value)}"
    return _decimal_key(Decimal.from_float(value))


def _decimal_key(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return "n:-inf" if sign else "n:inf"
    return _number_key(bool(sign), "".join(map(str, digits)), exponent)


def _number_key(negative: bool, digits: str, exponent: int) -> str:
    """Write digits · 10**exponent in the one form that all equal numbers share."""
    digits = digits.lstrip("0")
    stripped = digits.rstrip("0")
    if not stripped:
        return "n:0"
    exponent += len(digits) - len(stripped)
    sign = "-" if negative else ""
    if 0 <= exponent <= _PLAIN_DIGITS - len(stripped):
        return f"n:{sign}{stripped}{'0' * exponent}"
    return _key("n", f"{sign}{stripped}e{exponent}")


def _datetime_key(value: datetime) -> str:
    offset = value.utcoffset()
    assert offset is not None  # checked before
    wall = value.replace(tzinfo=None)
    zone = zone_key(value.tzinfo)
    if zone is not None and value.replace(fold=1 - value.fold).utcoffset() != offset:
        # A wall time whose offset depends on fold. Python (PEP 495) calls it equal to the same
        # wall time in the same zone, whatever the fold, and to nothing else.
        return _key("w", f"{wall.isoformat()}[{zone}]")
    return f"i:{(wall - _EPOCH - offset) // _MICROSECOND}"


def _time_key(value: time) -> str:
    offset = value.utcoffset()
    if offset is None:
        return f"c:{value.isoformat()}"
    # As Python compares them: not around midnight, and without an offset's fraction of a second.
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    seconds -= offset.days * 86400 + offset.seconds
    return f"o:{seconds}.{value.microsecond:06d}"


def _enum_key(value: Any, path: KeyPath, depth: int) -> str:
    """Key a member as the plain value it equals; one of a plain Enum equals only itself."""
    kind: Any = type(value)
    if kind.__hash__ is not None:
        if kind.__eq__ is object.__eq__:
            return _key("e", _joined((kind.__name__, value._name_)))
        for base, plain in _COMPARED_AS:
            if kind.__eq__ is base.__eq__:
                return _element_key(plain(value), path, depth)
    raise StateValueError(
        path,
        "expected an Enum member that compares as Enum, str, int, float or bytes do, got one of "
        f"{describe(kind)}, which compares in its own way; store its .value or .name",
    )


_COMPARED_AS: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, bytes.__bytes__),
)

_KEYS: Mapping[type, Callable[[Any], str]] = {
    NoneType: lambda value: "none",
    bool: lambda value: "n:1" if value else "n:0",
    int: _int_key,
    float: _float_key,
    str: lambda value: _key("s", value),
    bytes: lambda value: _key("b", value.hex()),
    Decimal: _decimal_key,
    datetime: _datetime_key,
    date: lambda value: f"d:{value.isoformat()}",
    time: _time_key,
    timedelta: lambda value: f"l:{value // _MICROSECOND}",
    UUID: lambda value: f"u:{value.hex}",
}
