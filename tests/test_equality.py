"""The two equalities of state."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from crdtstore.equality import element_key, same
from crdtstore.errors import StateValueError
from crdtstore.frozen import freeze
from properties.state_values import Color, Level, Mood, Weight

HOUR = timedelta(hours=1)
CET = timezone(HOUR)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
TURNING = ZoneInfo("Test/Turning")
NIGHT = datetime(2024, 10, 27, 2, 30, tzinfo=TURNING)  # the clock shows it twice


class Title(str):
    __slots__ = ()
    __crdtstore_text__ = True


class Perm(Flag):
    READ = 1
    WRITE = 2


class Bits(IntFlag):
    ONE = 1
    TWO = 2


class Day(date, Enum):
    FIRST = (2024, 1, 1)


class Odd(Enum):
    A = 1

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = Enum.__hash__


class Unhashable(Enum):
    A = 1

    __hash__ = None  # type: ignore[assignment]


class Broken(str, Enum):  # noqa: UP042 - as in properties.state_values
    A = "\ud800"


class Name(bytes, Enum):
    A = b"a"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        (1, Decimal(1)),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("0"), Decimal("-0")),
        ("a", b"a"),
        ("red", Mood.RED),
        (5, Level.HIGH),
        (None, False),
        ([1], (1,)),
        ([1, 2], [2, 1]),
        ([1], [1.0]),
        ([1], [1, 1]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1, "b": 1}, {"b": 1, "a": 1}),
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1, "b": 1}),
        (NOON, NOON.astimezone(CET)),
        (NIGHT, NIGHT.replace(fold=1)),
        (NOON, NOON.replace(fold=1)),
        (NIGHT, NIGHT.replace(tzinfo=ZoneInfo("Test/Turning_too"))),
        (time(1), time(1, fold=1)),
        (time(1), time(1, tzinfo=UTC)),
        (date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
        (datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
        (Color.RED, Color.GREEN),
    ],
)
def test_values_that_read_back_differently_are_not_the_same(a: Any, b: Any) -> None:
    """Assigning one over the other is a change."""
    assert not same(a, b)
    assert not same(b, a)
    assert not same([{"k": (a,)}], [{"k": (b,)}])
    assert same(a, a)


def test_frozen_and_plain_and_marked_and_plain_are_the_same() -> None:
    """What comes back the same is the same, whoever holds it."""
    plain = {"a": [1, (2.5, [None])], "b": "text"}
    assert same(plain, freeze(plain))
    assert same(freeze(plain), plain)
    assert same(Title("a"), "a")
    assert same(["a"], [Title("a")])
    assert same(NOON, datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(0), "other name")))
    assert same(Color.RED, Color.CRIMSON)
    assert same(2**70, 2**70)
    assert same(datetime(2024, 1, 1), datetime(2024, 1, 1))


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True, Decimal(1), Decimal("1.00")),
        (0, 0.0, -0.0, False, Decimal("-0"), Decimal("0E+5"), Level.LOW),
        (5, 5.0, Decimal("5"), Decimal("0.5E+1"), Level.HIGH, Weight.FIVE),
        (0.5, Decimal("0.5"), Weight.HALF),
        (10**30, Decimal("1E+30"), Decimal(10**30)),
        (int(1e300), 1e300, Decimal.from_float(1e300)),
        (float("inf"), Decimal("Infinity")),
        (float("-inf"), Decimal("-Infinity")),
        ("red", Mood.RED, Title("red")),
        (b"a", Name.A),
        (NOON, NOON.astimezone(CET), NOON.replace(fold=1)),
        (NIGHT, NIGHT.replace(fold=1)),
        (time(1, tzinfo=UTC), time(2, tzinfo=CET), time(1, tzinfo=UTC, fold=1)),
        ((1, (2.0,)), (1.0, (Decimal(2),)), (True, (2,))),
        (Color.RED, Color.CRIMSON),
    ],
)
def test_equal_elements_share_one_key(values: tuple[Hashable, ...]) -> None:
    """What Python calls equal is one element of a set."""
    assert all(value == values[0] for value in values)
    assert len({element_key(value, ()) for value in values}) == 1


def test_numbers_are_compared_exactly() -> None:
    """A float is the number it holds, not the one it was written as, and so is its key."""
    assert element_key(1e30, ()) != element_key(10**30, ())
    assert element_key(0.1, ()) != element_key(Decimal("0.1"), ())
    assert element_key(2**53, ()) == element_key(2.0**53, ()) != element_key(2**53 + 1, ())


def test_keys_of_unequal_elements_differ() -> None:
    """No two of these are equal in Python, so no two share a key."""
    values: list[Hashable] = [
        *(None, 0, 1, -1, 10, 0.1, Decimal("0.1"), float("inf"), float("-inf"), 10**20, 10**21),
        *("", "0", "1", "none", "n:1", "x" * 64, "x" * 65, "y" * 65, b"", b"1", b"x" * 80),
        *(Color.RED, Color.GREEN, "Color.RED", Perm.READ),
        *(date(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=CET)),
        *(time(0), time(0, tzinfo=UTC), time(0, tzinfo=CET), timedelta(0), timedelta(1)),
        *(NIGHT, NIGHT.astimezone(UTC), NIGHT.replace(fold=1).astimezone(UTC)),
        NIGHT.replace(tzinfo=ZoneInfo("Test/Turning_too")),
        *(UUID(int=0), UUID(int=1)),
        *((), (0,), (0, 0), ((0,),), ("0",), ("a", "b"), ("a,b",), ("a", ("b",))),
    ]
    keys = [element_key(value, ()) for value in values]
    assert len(set(keys)) == len(set(values)) == len(values)


def test_keys_are_readable_where_they_are_short_and_bounded_where_they_are_not() -> None:
    """A short text can be read in its key; no key is longer than a line."""
    assert element_key("milk", ()) == "s:milk"
    assert element_key(-12, ()) == "n:-12"
    assert element_key(100.0, ()) == "n:100"
    assert element_key(2.5, ()) == "n:25e-1"
    assert element_key(True, ()) == "n:1"
    assert element_key(None, ()) == "none"
    assert element_key(Color.CRIMSON, ()) == "e:5=Color,3=RED"
    assert element_key(("a", 1), ()) == "t:3=s:a,3=n:1"
    assert element_key("x" * 64, ()) == "s:" + "x" * 64
    for long in ("x" * 65, "x" * 100_000, 2**4095 + 1, b"x" * 1000, tuple("abcdefghijklmnop")):
        key = element_key(long, ())
        assert key[1] == "~"
        assert len(key) == 42


def test_keys_never_change_between_versions() -> None:
    """Keys are stored in documents: these are for ever."""
    assert element_key("x" * 65, ()) == "s~c65cc1fb3d5a25c8a59454831f10b91cd7ff1c74"
    assert element_key(NOON, ()) == "i:1714564800000000"
    assert element_key(NIGHT, ()) == "w:2024-10-27T02:30:00[Test/Turning]"
    assert element_key(date(2024, 5, 1), ()) == "d:2024-05-01"
    assert element_key(time(1, 2), ()) == "c:01:02:00"
    assert element_key(time(1, 2, tzinfo=CET), ()) == "o:120.000000"
    assert element_key(timedelta(seconds=-1), ()) == "l:-1000000"
    assert element_key(UUID(int=5), ()) == "u:00000000000000000000000000000005"
    assert element_key(b"\x01\xff", ()) == "b:01ff"
    assert element_key(Decimal("12.50"), ()) == "n:125e-1"
    assert element_key(float("-inf"), ()) == "n:-inf"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], r"^tags: expected a set element that can be hashed, got list; store tuple\(value\)"),
        ({}, r"^tags: expected .* got dict; use a Map or a Table instead"),
        (freeze([1]), r"^tags: expected .* got crdtstore\.frozen\.FrozenList; store tuple"),
        ((1, [2]), r"^tags\[1\]: expected a set element that can be hashed, got list"),
        ({1}, r"^tags: expected a value that state can hold, got set; declare the field"),
        (float("nan"), r"^tags: expected a number, got NaN"),
        ((0, Decimal("NaN")), r"^tags\[1\]: expected a number, got NaN"),
        (datetime(2024, 1, 1), r"^tags: expected an aware datetime, got the naive"),
        ("\ud800", r"^tags: expected text, got the lone surrogate '\\ud800' at index 0"),
        (Title("\ud800"), r"^tags: expected text, got the lone surrogate"),
        (Broken.A, r"^tags: expected text, got the lone surrogate"),
        (1 << 4096, r"^tags: expected an int of at most 4096 bits, got one of 4097 bits"),
        (object(), r"^tags: expected a value that state can hold, got object; state holds None"),
        (Perm.READ | Perm.WRITE, r"^tags: expected a member of .*Perm, got a combination"),
        (Bits.ONE | Bits.TWO, r"^tags: expected a member of .*Bits, got a combination of its fl"),
        (Day.FIRST, r"^tags: expected an Enum member that compares as Enum, str, .*Day, which"),
        (Unhashable.A, r"Unhashable, which compares in its own way"),
        (Odd.A, r"Odd, which compares in its own way; store its \.value or \.name"),
    ],
)
def test_what_cannot_be_an_element_is_refused_with_its_path(value: Any, message: str) -> None:
    """The error names the path, what came and what to do."""
    with pytest.raises(StateValueError, match=message):
        element_key(value, ("tags",))


def test_endless_tuples_are_refused() -> None:
    """64 tuples inside one another have a key, 65 have none."""
    deep: tuple[Any, ...] = ()
    for _ in range(63):
        deep = (deep,)
    assert element_key(deep, ()).startswith("t:")
    with pytest.raises(StateValueError, match="at most 64 tuples inside one another"):
        element_key((deep,), ())


def test_plain_int_enums_and_flags_key_as_ints() -> None:
    """An Enum that compares as an int is one element with that int."""

    class Size(IntEnum):
        SMALL = 1

    assert element_key(Size.SMALL, ()) == element_key(1, ()) == element_key(Bits.ONE, ())
    assert element_key(Perm.READ, ()) != element_key(1, ())
