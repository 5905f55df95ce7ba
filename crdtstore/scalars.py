"""Which single values state can hold, and what to say of all the others.

One check a type: it raises with the key path, or returns what the value weighs beyond the cost of
an item. A refusal says what was expected, what came and what to do; it looks at the type alone,
never at the value's own methods, since the value may be anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, TypeAlias
from uuid import UUID

from crdtstore.errors import StateValueError
from crdtstore.packed import MAX_COST, MAX_DIGITS, MAX_INT_BITS

__all__ = ["CHECKS", "KeyPath", "check_member", "check_text", "describe", "refusal"]

KeyPath: TypeAlias = tuple[object, ...]

# Checks


def check_text(value: str, path: KeyPath) -> int:
    """Return the length of ``value`` in UTF-8 bytes."""
    if len(value) > MAX_COST:
        raise _too_big(path, "text", len(value))
    if value.isascii():
        return len(value)
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        at = error.start
        raise StateValueError(
            path,
            f"expected text, got the lone surrogate {value[at]!a} at index {at}, which no UTF-8 "
            "can carry; store bytes, or value.encode(errors='replace').decode()",
        ) from None


def check_member(value: Enum, path: KeyPath) -> int:
    """Check that an Enum member has a name to be found by; a union of flags has none."""
    kind = type(value)
    if kind.__members__.get(value._name_) is not value:
        raise StateValueError(
            path,
            f"expected a member of {describe(kind)}, got a combination of its flags; store "
            "value.value in an int field",
        )
    return 0


def _check_int(value: int, path: KeyPath) -> int:
    bits = value.bit_length()
    if bits > MAX_INT_BITS:
        raise StateValueError(
            path,
            f"expected an int of at most {MAX_INT_BITS} bits, got one of {bits} bits; store its "
            "bytes (value.to_bytes)",
        )
    return bits >> 3


def _check_float(value: float, path: KeyPath) -> int:
    if value != value:
        raise _nan(path)
    return 0


def _check_bytes(value: bytes, path: KeyPath) -> int:
    if len(value) > MAX_COST:
        raise _too_big(path, "bytes", len(value))
    return len(value)


def _check_decimal(value: Decimal, path: KeyPath) -> int:
    if value.is_nan():
        raise _nan(path)
    digits = len(value.as_tuple().digits)
    if digits > MAX_DIGITS:
        raise StateValueError(
            path,
            f"expected a Decimal of at most {MAX_DIGITS} digits, got {digits}; round it or store "
            "str(value)",
        )
    return digits


def _check_datetime(value: datetime, path: KeyPath) -> int:
    if _offset(value, path) is None:
        raise StateValueError(
            path,
            f"expected an aware datetime, got the naive {value!r}; use datetime.now(timezone.utc), "
            "or value.astimezone() if it is local time",
        )
    return 0


def _check_time(value: time, path: KeyPath) -> int:
    if value.tzinfo is not None and _offset(value, path) is None:
        raise StateValueError(
            path,
            f"expected a naive time or one with a fixed offset, got {value!r}, whose offset "
            "depends on the day; store an aware datetime, or the time and the zone's name apart",
        )
    return 0


def _offset(value: datetime | time, path: KeyPath) -> timedelta | None:
    try:
        return value.utcoffset()
    except Exception as error:
        raise StateValueError(
            path,
            f"expected a time zone that knows its offset, got {describe(type(value.tzinfo))}, "
            f"which raised {error!r:.100}; use datetime.timezone or zoneinfo.ZoneInfo",
        ) from error


def _check_nothing(value: object, path: KeyPath) -> int:
    return 0


CHECKS: Mapping[type, Callable[[Any, KeyPath], int]] = {
    NoneType: _check_nothing,
    bool: _check_nothing,
    int: _check_int,
    float: _check_float,
    str: check_text,
    bytes: _check_bytes,
    Decimal: _check_decimal,
    datetime: _check_datetime,
    date: _check_nothing,
    time: _check_time,
    timedelta: _check_nothing,
    UUID: _check_nothing,
}
"""The check of every exact type that is held whatever the annotation says."""


def _nan(path: KeyPath) -> StateValueError:
    return StateValueError(
        path, "expected a number, got NaN, which is not even equal to itself; store None"
    )


def _too_big(path: KeyPath, what: str, size: int) -> StateValueError:
    return StateValueError(
        path,
        f"expected a value of at most {MAX_COST} bytes, got {what} of length {size}; keep it in a "
        "file and store its name or hash",
    )


# Refusals by type

HELD = (
    "None, bool, int, float, str, bytes, list, tuple, dict with str keys, aware datetime, date, "
    "time, timedelta, UUID, Decimal, or a member of an Enum that the field's annotation names"
)

_ADVICE: tuple[tuple[type, str], ...] = (
    (bytearray, "store bytes(value)"),
    (memoryview, "store bytes(value)"),
    (complex, "store (value.real, value.imag)"),
    (Set, "declare the field as crdtstore.Set[...], or store sorted(value)"),
    (range, "store list(value)"),
    (BaseException, "store str(value), or the parts of it that matter"),
    (type, "store its name"),
)

_PLAIN_OF: tuple[tuple[type, str], ...] = (
    (str, "str(value)"),
    (int, "int(value)"),
    (float, "float(value)"),
    (bytes, "bytes(value)"),
    (list, "list(value)"),
    (tuple, "tuple(value)"),
    (dict, "dict(value)"),
    (datetime, "a plain datetime, such as datetime.fromtimestamp(value.timestamp(), timezone.utc)"),
    (date, "date.fromordinal(value.toordinal())"),
    (time, "time.fromisoformat(value.isoformat())"),
    (timedelta, "timedelta(value.days, value.seconds, value.microseconds)"),
    (Decimal, "Decimal(value)"),
    (UUID, "UUID(int=value.int)"),
)


def describe(kind: type) -> str:
    """Name a type the way one would import it."""
    name = kind.__qualname__
    return name if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{name}"


def refusal(value: object, path: KeyPath) -> StateValueError:
    """Return the error that refuses ``value`` at ``path`` because of its type."""
    kind = type(value)
    return StateValueError(
        path, f"expected a value that state can hold, got {describe(kind)}; {_advice(kind)}"
    )


def _advice(kind: type) -> str:
    if issubclass(kind, Enum):
        return (
            f"name {kind.__name__} in the field's annotation, or store the member's .value or .name"
        )
    if kind.__module__.partition(".")[0] in ("numpy", "cupy", "torch", "jax", "jaxlib"):
        return "store value.item() for one number, value.tolist() for an array"
    if kind.__module__.partition(".")[0] == "pandas":
        return "store a plain value: .to_pydatetime(), .item() or .tolist() make one"
    if dataclasses.is_dataclass(kind):
        return (
            f"annotate the field as {kind.__name__} to make it a nested record, or store "
            "dataclasses.asdict(value)"
        )
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return "store tuple(value) or value._asdict()"
    for base, advice in _ADVICE:
        if issubclass(kind, base):
            return advice
    for base, plain in _PLAIN_OF:
        if issubclass(kind, base):
            return f"it is a subclass of {base.__name__}, which would not come back: store {plain}"
    if issubclass(kind, Mapping):
        return "store dict(value)"
    return f"state holds {HELD}; convert it to one of these"
