"""State made JSON-ready."""

from __future__ import annotations

import json
from collections import OrderedDict, deque, namedtuple
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, localcontext
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from crdtstore.errors import StateValueError
from crdtstore.frozen import freeze
from crdtstore.plain import to_plain
from properties.state_values import Color, Level, Mood


class Thing(Enum):
    OPAQUE = object()
    PAIR = (1, b"a")
    LOOP = [1]  # noqa: RUF012 - an Enum may have a mutable value


circle: Any = Thing.LOOP.value
circle.append(circle)


class View(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return {"b": 1, "a": 2}[key]

    def __iter__(self) -> Iterator[str]:
        return iter("ba")

    def __len__(self) -> int:
        return 2


class Row(Sequence[Any]):
    def __getitem__(self, index: Any) -> Any:
        return [b"a", 2][index]

    def __len__(self) -> int:
        return 2


class Tags(Set[Any]):
    def __contains__(self, value: object) -> bool:
        return value in ("b", "a")

    def __iter__(self) -> Iterator[str]:
        return iter("ba")

    def __len__(self) -> int:
        return 2


@dataclass
class Inner:
    when: date
    tags: Any


@dataclass
class Outer:
    name: str
    inner: Inner


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (5, 5),
        (-(2**4000), -(2**4000)),
        (2.5, 2.5),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ("text", "text"),
        (b"\x00\xff", "AP8="),
        (bytearray(b"a"), "YQ=="),
        (datetime(2024, 5, 1, 12, tzinfo=UTC), "2024-05-01T12:00:00+00:00"),
        (date(2024, 5, 1), "2024-05-01"),
        (time(1, 2, 3, 4), "01:02:03.000004"),
        (timedelta(days=1, seconds=1), 86401),
        (timedelta(microseconds=-500_000), -0.5),
        (Decimal("1.50"), "1.50"),
        (Decimal("-Infinity"), "-Infinity"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Color.RED, 1),
        (Mood.GOOD, "good"),
        (Level.HIGH, 5),
        (Thing.PAIR, [1, "YQ=="]),
        (Thing.OPAQUE, "OPAQUE"),
        (Thing.LOOP, "LOOP"),
        ((1, [2, {"a": (3,)}]), [1, [2, {"a": [3]}]]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset([2, 1]), [1, 2]),
        (View(), {"b": 1, "a": 2}),
        (Row(), ["YQ==", 2]),
        (Tags(), ["a", "b"]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (deque([1]), [1]),
        (Point(1, b"a"), [1, "YQ=="]),
        (range(2), [0, 1]),
        (
            Outer("x", Inner(date(2024, 5, 1), {b"a"})),
            {"name": "x", "inner": {"when": "2024-05-01", "tags": ["YQ=="]}},
        ),
        (freeze({"a": [1]}), {"a": [1]}),
    ],
)
def test_values_become_what_json_readers_expect(value: Any, plain: Any) -> None:
    """Each kind of value has one plain form, which JSON writes as it is."""
    result = to_plain(value)
    assert result == plain
    assert type(result) is type(plain)
    assert json.loads(json.dumps(result, allow_nan=False)) == plain


def test_dicts_keep_their_order_and_nothing_is_shared() -> None:
    """The copy is plain at any depth, in the order of the original."""
    value = freeze({"b": [1], "a": {"z": 1, "y": 2}})
    plain = to_plain(value)
    assert list(plain) == ["b", "a"]
    assert list(plain["a"]) == ["z", "y"]
    assert type(plain) is dict
    plain["b"].append(2)
    assert value["b"] == [1]


def test_text_views_and_str_enums_become_plain_str() -> None:
    """A subclass of str leaves only its characters behind, as a key too."""
    text = type("Text", (str,), {})("a")
    assert type(to_plain(text)) is str
    assert [type(key) for key in to_plain({text: 1})] == [str]


def test_the_decimal_context_of_the_caller_does_not_matter() -> None:
    """A Decimal is written the same whatever the context says."""
    with localcontext(Context(prec=2, capitals=0)):
        assert to_plain(Decimal("1.2345E+50")) == "1.2345E+50"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [object()]}, r"^a\[0\]: expected a value that state can hold, got object"),
        ({"a": {1: 2}}, r"^a: expected a mapping with str keys, got a key of type int"),
        (Inner(date(2024, 5, 1), 1j), r"^tags: expected .* got complex; store \(value\.real"),
        (2**5000, r"^the value: expected an int of at most 4096 bits"),
        (int, r"^the value: expected a value that state can hold, got type; store its name"),
    ],
)
def test_what_is_no_state_is_refused_with_its_path(value: Any, message: str) -> None:
    """The error names the path, what came and what to do."""
    with pytest.raises(StateValueError, match=message):
        to_plain(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """Endless nesting is an error that says so."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(StateValueError, match=r"at most 128 containers .* contains itself"):
        to_plain(circle)
