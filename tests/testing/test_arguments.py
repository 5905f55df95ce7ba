"""Strategies from annotations."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, TypeVar
from uuid import UUID

import pytest
from hypothesis import find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from crdtstore import Counter, List, Map, Set, Table, Text
from crdtstore.testing.arguments import existing_key, values_of
from crdtstore.testing.keys import Pick, key_of


class Size(enum.Enum):
    S = 1
    L = 2


@dataclass
class Row:
    name: Text = Text()
    votes: Counter[int] = Counter(0)
    tags: Set[str] = Set()


@dataclass
class Nested:
    number: int
    row: Row
    rows: list[Row] = field(default_factory=list)
    owner: Annotated[str, key_of("users")] = ""


Name = NewType("Name", str)
Bound = TypeVar("Bound", bound=int)
Either = TypeVar("Either", int, str)

search = settings(database=None, derandomize=True, max_examples=300)
thorough = settings(search, max_examples=5_000)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, int),
        (str, str),
        (bool, bool),
        (float, float),
        (bytes, bytes),
        (None, type(None)),
        (Decimal, Decimal),
        (UUID, UUID),
        (dt.date, dt.date),
        (dt.time, dt.time),
        (dt.timedelta, dt.timedelta),
        (Size, Size),
        (list[int], list),
        (Sequence[str], list),
        (set[str], set),
        (frozenset[int], frozenset),
        (tuple[int, str], tuple),
        (tuple[int, ...], tuple),
        (dict[str, int], dict),
        (Mapping[str, int], dict),
        (Name, str),
        (Row, Row),
        (Nested, Nested),
        (Text, str),
        (Counter, int),
        (Counter[int], int),
        (List[int], list),
        (Set[str], set),
        (Map[int], dict),
        (Table[Row], dict),
        (Bound, int),
        (complex, complex),
    ],
)
def test_values_are_of_the_annotated_type(annotation: Any, kind: type) -> None:
    """Each annotation draws values of its type, and never others."""
    values = values_of(annotation)
    assert isinstance(find(values, lambda _: True, settings=search), kind)
    with pytest.raises(NoSuchExample):
        find(values, lambda value: not isinstance(value, kind), settings=search)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int | None, int),
        (int | None, type(None)),
        (int | str, int),
        (int | str, str),
        (Either, int),
        (Either, str),
    ],
)
def test_both_sides_of_a_union_are_drawn(annotation: Any, kind: type) -> None:
    """Optional draws None and values; a union both sides; constrained variables each type."""
    assert type(find(values_of(annotation), lambda v: type(v) is kind, settings=search)) is kind


def test_literals_are_drawn_as_they_stand() -> None:
    """Every value of a Literal comes, and nothing else."""
    values = values_of(Literal["all", "done"])
    assert find(values, lambda v: v == "done", settings=search) == "done"
    with pytest.raises(NoSuchExample):
        find(values, lambda v: v not in ("all", "done"), settings=search)


def test_datetimes_are_aware() -> None:
    """Naive datetimes, which state refuses, are not drawn."""
    values = values_of(dt.datetime)
    with pytest.raises(NoSuchExample):
        find(values, lambda moment: moment.tzinfo is None, settings=search)


def test_values_are_few_enough_to_collide() -> None:
    """Two of a handful of strings or numbers are soon the same."""
    for annotation in (int, str, UUID, dt.datetime):
        values = st.lists(values_of(annotation), min_size=5, max_size=5)
        find(values, lambda many: len(set(many)) == 1 and many[0], settings=thorough)


def test_marked_parameters_draw_keys() -> None:
    """Annotated with key_of, a str draws a key and an int an index, now and then an unknown one."""
    keys = values_of(Annotated[str, key_of("items")])
    assert find(keys, lambda _: True, settings=search) == Pick("items", 0)
    assert not find(keys, lambda pick: not pick.known, settings=search).known
    index = find(values_of(Annotated[int, key_of("items")]), lambda _: True, settings=search)
    assert index == Pick("items", 0, index=True)
    assert find(existing_key("a.b"), lambda _: True, settings=search) == Pick("a.b", 0)


def test_keys_are_drawn_inside_of_records() -> None:
    """A marked field of a dataclass is drawn as a key, too."""
    nested = find(values_of(Nested), lambda v: isinstance(v.owner, Pick), settings=search)
    assert nested.owner == Pick("users", 0)


def test_a_strategy_in_the_annotation_is_used() -> None:
    """Annotated with a strategy, a parameter draws from it."""
    assert find(values_of(Annotated[int, st.just(77)]), lambda _: True, settings=search) == 77


def test_types_that_users_registered_are_used() -> None:
    """What is unknown here is asked of Hypothesis."""

    class Money:
        pass

    st.register_type_strategy(Money, st.just("registered"))
    assert find(values_of(Money), lambda _: True, settings=search) == "registered"
