"""Values that state can hold, drawn at random; and an oracle that compares them exactly.

The oracle, ``exactly``, knows nothing of the package's own notions of equality. The time zones are
made here, so that no test depends on the time zone data of the machine.
"""

from __future__ import annotations

import atexit
import shutil
import struct
import tempfile
import zoneinfo
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from crdtstore.values import Codec

__all__ = [
    "CODEC",
    "ZONES",
    "Color",
    "Level",
    "Mood",
    "Weight",
    "exactly",
    "hashables",
    "naturals",
    "scalars",
    "twins",
    "values",
]


class Color(Enum):
    RED = 1
    GREEN = 2
    CRIMSON = 1  # noqa: PIE796 - an alias, as a renamed member leaves behind


class Mood(str, Enum):  # noqa: UP042 - the spelling of the many who support Python 3.10
    GOOD = "good"
    RED = "red"


class Level(IntEnum):
    LOW = 0
    HIGH = 5


class Weight(float, Enum):
    HALF = 0.5
    FIVE = 5.0


ENUMS: tuple[type[Enum], ...] = (Color, Mood, Level, Weight)
CODEC = Codec.of(Color | dict[str, Mood | Level] | list[Weight | None])

_RULES = {
    "Test/Turning": "CET-1CEST,M3.5.0,M10.5.0/3",
    "Test/Turning_too": "CET-1CEST,M3.5.0,M10.5.0/3",
    "Test/Half": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "Test/Still": "<-03>3",
}
ZONES = tuple(_RULES)


def _tzif(rule: str) -> bytes:
    """Write the TZif file (RFC 8536) of a zone that is all rule, without transitions."""
    body = struct.pack(">lbb", 0, 0, 0) + b"LMT\0"
    head = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return head + body + head + body + f"\n{rule}\n".encode()


def _install_zones() -> None:
    folder = Path(tempfile.mkdtemp(prefix="zones-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for key, rule in _RULES.items():
        path = folder / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_tzif(rule))
    zoneinfo.reset_tzpath(to=[str(folder), *zoneinfo.TZPATH])


_install_zones()


def exactly(a: Any, b: Any) -> bool:
    """Say whether two values cannot be told apart, frozen and plain containers aside."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(exactly, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(exactly(a[key], b[key]) for key in a)
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(exactly, a, b))
    if isinstance(a, Enum):
        return a is b
    if isinstance(a, datetime | time):
        return (repr(a), a.fold, a.tzinfo) == (repr(b), b.fold, b.tzinfo)
    return repr(a) == repr(b)


ints = st.integers() | st.builds(
    lambda bits, more, sign: sign * (2**bits + more),
    st.sampled_from([31, 32, 53, 63, 64, 4095]),
    st.integers(-2, 2),
    st.sampled_from([1, -1]),
)
floats = st.floats(allow_nan=False) | st.integers(-(2**60), 2**60).map(float)
decimals = st.decimals(allow_nan=False) | st.builds(
    lambda sign, digits, exponent: Decimal((sign, digits, exponent)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=40).map(tuple),
    st.integers(-60, 60) | st.sampled_from([10**17, -(10**17)]),
)
offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
    timezone
) | st.sampled_from([UTC, timezone(timedelta(hours=1))])
zones = offsets | st.sampled_from(ZONES).map(ZoneInfo)

# Around the nights on which the clocks of Test/Turning go forward and back in 2024.
_turns = st.sampled_from([datetime(2024, 3, 31), datetime(2024, 10, 27)])
_nights = st.builds(
    lambda night, minutes: night + timedelta(minutes=minutes), _turns, st.integers(0, 300)
)
aware = st.builds(
    lambda wall, zone, fold: wall.replace(tzinfo=zone, fold=fold),
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)) | _nights,
    zones,
    st.integers(0, 1),
)
times = st.builds(
    lambda wall, zone, fold: wall.replace(tzinfo=zone, fold=fold),
    st.times() | st.integers(0, 23).map(time),
    st.none() | offsets,
    st.integers(0, 1),
)
members = st.sampled_from([member for enum in ENUMS for member in enum])

hashable_scalars = st.one_of(
    st.none(),
    st.booleans(),
    ints,
    st.integers(-3, 6),
    floats,
    st.text(),
    st.sampled_from(["good", "red", "GOOD", "1", "", "true", "x" * 64, "x" * 65]),
    st.binary(),
    decimals,
    st.integers(-3, 6).map(Decimal),
    aware,
    st.dates(),
    times,
    st.timedeltas(),
    st.uuids(),
    members,
)
scalars = hashable_scalars
hashables = st.recursive(
    hashable_scalars, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8
)


def _twins_of(value: Any) -> st.SearchStrategy[Any]:
    """Draw something that is, or nearly is, equal to ``value``."""
    others: list[Any] = [value]
    if isinstance(value, int | float):
        others += [int(value), float(value), Decimal(value), Decimal(value) * Decimal("1.00")]
        others += [bool(value), -value, str(value), Level.HIGH, Weight.FIVE]
    elif isinstance(value, str):
        others += [value.upper(), value.encode(), *Mood, (value,)]
    elif isinstance(value, datetime):
        others += [value.replace(fold=1 - value.fold), value.replace(microsecond=0)]
        zones = [UTC, timezone(timedelta(hours=1)), *map(ZoneInfo, ZONES)]
        others += [value.astimezone(zone) for zone in zones]
        others += [value.replace(tzinfo=zone) for zone in zones]
    elif isinstance(value, time):
        zone = timezone(timedelta(hours=1))
        others += [value.replace(fold=1 - value.fold), value.replace(tzinfo=zone)]
        others += [value.replace(tzinfo=zone, hour=(value.hour + 1) % 24)]
    return st.sampled_from(others)


twins: st.SearchStrategy[tuple[Any, Any]] = st.one_of(
    st.integers(-3, 6),
    st.integers(-(2**60), 2**60),
    st.floats(-1e6, 1e6),
    st.sampled_from(["good", "red", "x" * 70]),
    aware,
    times,
).flatmap(lambda value: st.tuples(_twins_of(value), _twins_of(value)))
"""Pairs of scalars that are equal, the same, or just not."""

_keys = st.text(max_size=8) | st.sampled_from(["a", "b", "c"])


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(_keys, inner, max_size=5)
    )


values = st.recursive(scalars, _containers, max_leaves=20)

_natural_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not x.is_integer())
    | st.text()
)
naturals = st.recursive(
    _natural_scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(_keys, inner, max_size=5).map(lambda pairs: dict(sorted(pairs.items())))
    ),
    max_leaves=20,
)
