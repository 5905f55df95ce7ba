"""Which single values state can hold, and what is said of all the others."""

from __future__ import annotations

import array
import fractions
import pathlib
import types
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from crdtstore.errors import StateValueError
from crdtstore.scalars import CHECKS, HELD, check_member, describe, refusal


def made(name: str, *bases: type, module: str = "elsewhere", **members: Any) -> type:
    return type(name, bases, {"__module__": module, **members})


class Shade(Enum):
    DARK = 1


class Perm(Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int


@dataclass
class Todo:
    title: str


class Zone(tzinfo):
    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> None:
        return None


class Raising(Zone):
    def utcoffset(self, when: datetime | None) -> timedelta:
        raise RuntimeError("no idea")


class Vague(Zone):
    def utcoffset(self, when: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        (None, 0),
        (True, 0),
        (1, 0),
        (2**4095, 512),
        (-(2**4096) + 1, 512),
        (-0.0, 0),
        (float("inf"), 0),
        ("", 0),
        ("ab", 2),
        ("é€𝄞", 9),
        (b"abc", 3),
        (Decimal("1.50"), 3),
        (Decimal("-Infinity"), 1),
        (datetime(2024, 1, 1, tzinfo=UTC), 0),
        (datetime(2024, 1, 1, tzinfo=ZoneInfo("Test/Turning")), 0),
        (date(2024, 1, 1), 0),
        (time(1), 0),
        (time(1, tzinfo=UTC), 0),
        (time(1, tzinfo=timezone(timedelta(hours=1))), 0),
        (timedelta.max, 0),
        (UUID(int=0), 0),
    ],
)
def test_what_is_held_has_a_weight(value: Any, weight: int) -> None:
    """A check passes and returns the bytes beyond those of any item."""
    assert CHECKS[type(value)](value, ()) == weight


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "a.b: expected a number, got NaN, which is not even equal to itself; store"),
        (Decimal("NaN"), "a.b: expected a number, got NaN"),
        (Decimal("-sNaN7"), "a.b: expected a number, got NaN"),
        (
            "ok\udcff",
            "a.b: expected text, got the lone surrogate '\\udcff' at index 2, which no UTF-8 can "
            "carry; store bytes",
        ),
        (
            "x" * (1 << 24) + "x",
            "a.b: expected a value of at most 16777216 bytes, got text of length 16777217; keep it "
            "in a file",
        ),
        (bytes((1 << 24) + 1), "a.b: expected a value of at most 16777216 bytes, got bytes of len"),
        (
            1 << 4096,
            "a.b: expected an int of at most 4096 bits, got one of 4097 bits; store its bytes",
        ),
        (
            Decimal("1" * 4097),
            "a.b: expected a Decimal of at most 4096 digits, got 4097; round it or store str(",
        ),
        (
            datetime(2024, 1, 1),
            "a.b: expected an aware datetime, got the naive datetime.datetime(2024, 1, 1, 0, 0); "
            "use datetime.now(timezone.utc), or value.astimezone() if it is local time",
        ),
        (datetime(2024, 1, 1, tzinfo=Vague()), "a.b: expected an aware datetime, got the naive"),
        (
            datetime(2024, 1, 1, tzinfo=Raising()),
            "a.b: expected a time zone that knows its offset, got tests.test_scalars.Raising, which"
            " raised RuntimeError('no idea'); use datetime.timezone or zoneinfo.ZoneInfo",
        ),
        (
            time(1, tzinfo=ZoneInfo("Test/Turning")),
            "a.b: expected a naive time or one with a fixed offset, got datetime.time(1, 0, "
            "tzinfo=zoneinfo.ZoneInfo(key='Test/Turning')), whose offset depends on the day; store "
            "an aware datetime",
        ),
        (time(1, tzinfo=Raising()), "a.b: expected a time zone that knows its offset"),
    ],
    ids=lambda part: f"{type(part).__name__}",
)
def test_what_cannot_be_carried_is_refused(value: Any, message: str) -> None:
    """The error names the path, what was expected, what came and what to do."""
    with pytest.raises(StateValueError) as caught:
        CHECKS[type(value)](value, ("a", "b"))
    assert str(caught.value).startswith(message)
    assert caught.value.path == ("a", "b")


def test_a_combination_of_flags_has_no_name_to_be_stored_by() -> None:
    """Single members pass; unions and the empty flag are refused."""
    assert check_member(Perm.READ, ()) == check_member(Shade.DARK, ()) == 0
    for value in (Perm.READ | Perm.WRITE, Perm(0)):
        with pytest.raises(
            StateValueError,
            match=r"^a: expected a member of tests\.test_scalars\.Perm, got a combination of its "
            r"flags; store value\.value in an int field$",
        ):
            check_member(value, ("a",))


@pytest.mark.parametrize(
    ("value", "got", "advice"),
    [
        (bytearray(b"a"), "bytearray", "store bytes(value)"),
        (memoryview(b"a"), "memoryview", "store bytes(value)"),
        ({1}, "set", "declare the field as crdtstore.Set[...], or store sorted(value)"),
        (frozenset(), "frozenset", "declare the field as crdtstore.Set[...]"),
        ({}.keys(), "dict_keys", "declare the field as crdtstore.Set[...]"),
        (1j, "complex", "store (value.real, value.imag)"),
        (Point(1), "tests.test_scalars.Point", "store tuple(value) or value._asdict()"),
        (namedtuple("P", "x")(1), "tests.test_scalars.P", "store tuple(value) or value._asdict()"),
        (OrderedDict(), "collections.OrderedDict", "a subclass of dict, which would not come ba"),
        (defaultdict(list), "collections.defaultdict", "dict, which would not come back: store d"),
        (Counter(), "collections.Counter", "it is a subclass of dict"),
        (types.MappingProxyType({}), "mappingproxy", "store dict(value)"),
        (Todo("x"), "tests.test_scalars.Todo", "annotate the field as Todo to make it a nested re"),
        (made("S", str)("a"), "elsewhere.S", "subclass of str, which would not come back: store s"),
        (made("I", int)(1), "elsewhere.I", "int(value)"),
        (made("F", float)(1), "elsewhere.F", "float(value)"),
        (made("B", bytes)(b""), "elsewhere.B", "bytes(value)"),
        (made("L", list)(), "elsewhere.L", "list(value)"),
        (made("T", tuple)([]), "elsewhere.T", "tuple(value)"),
        (made("D", datetime)(2024, 1, 1), "elsewhere.D", "datetime.fromtimestamp(value.timestamp"),
        (made("D", date)(2024, 1, 1), "elsewhere.D", "date.fromordinal(value.toordinal())"),
        (made("T", time)(1), "elsewhere.T", "time.fromisoformat(value.isoformat())"),
        (made("D", timedelta)(1), "elsewhere.D", "timedelta(value.days, value.seconds, value.mic"),
        (made("D", Decimal)(1), "elsewhere.D", "Decimal(value)"),
        (made("U", UUID)(int=1), "elsewhere.U", "UUID(int=value.int)"),
        (Shade.DARK, "tests.test_scalars.Shade", "name Shade in the field's annotation, or store"),
        (made("float64", float, module="numpy")(1), "numpy.float64", "store value.item() for one"),
        (made("ndarray", module="numpy")(), "numpy.ndarray", "value.tolist() for an array"),
        (
            made("Timestamp", datetime, module="pandas._libs")(2024, 1, 1),
            "pandas._libs.Timestamp",
            "store a plain value: .to_pydatetime()",
        ),
        (range(3), "range", "store list(value)"),
        (ValueError("x"), "ValueError", "store str(value), or the parts of it that matter"),
        (int, "type", "store its name"),
        (object(), "object", f"state holds {HELD}; convert it to one of these"),
        (len, "builtin_function_or_method", "state holds None, bool, int"),
        (iter([]), "list_iterator", "state holds None, bool, int"),
        (deque(), "collections.deque", "state holds None, bool, int"),
        (array.array("b"), "array.array", "state holds None, bool, int"),
        (fractions.Fraction(1), "fractions.Fraction", "state holds None, bool, int"),
        (pathlib.PurePath("a"), "pathlib.", "state holds None, bool, int"),
    ],
    ids=lambda part: type(part).__name__ if not isinstance(part, str) else part[:30],
)
def test_a_refusal_says_what_came_and_what_to_do(value: Any, got: str, advice: str) -> None:
    """Every other type is refused with advice of its own."""
    error = refusal(value, ("items", 0))
    start = f"items[0]: expected a value that state can hold, got {got}"
    assert str(error).startswith(start)
    assert advice in str(error).partition("; ")[2]
    assert error.path == ("items", 0)


def test_a_refusal_never_touches_the_value() -> None:
    """A value that fights back is refused like any other."""

    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

        __repr__ = __str__ = __eq__ = __hash__ = __getattribute__  # type: ignore[assignment]

    assert "got tests.test_scalars.test_a_refusal" in str(refusal(Hostile(), ()))


def test_the_advice_makes_values_that_are_held() -> None:
    """What the messages propose for subclasses does give the plain type."""
    value: Any = made("D", datetime)(2024, 1, 1, tzinfo=UTC)
    plain = datetime.fromtimestamp(value.timestamp(), UTC)
    assert type(plain) is datetime
    assert plain == value
    for base, convert, sample in (
        (str, str, "a"),
        (int, int, 1),
        (float, float, 1.5),
        (bytes, bytes, b"a"),
        (Decimal, Decimal, "1.5"),
    ):
        value = made("X", base)(sample)
        assert type(convert(value)) is base
        assert convert(value) == value


def test_builtin_types_are_named_without_their_module() -> None:
    """A type is named the way one would import it."""
    assert describe(set) == "set"
    assert describe(UUID) == "uuid.UUID"
