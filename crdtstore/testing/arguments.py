"""From the annotation of a parameter to a Hypothesis strategy of small values that collide.

Concurrency bugs need two replicas to mean the same thing, so values are few: three letters, single
digits, days next to each other. Whatever is not known here is left to ``st.from_type``, and so to
what users registered there.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st

from crdtstore.kinds import Counter, List, Map, Set, Table, Text, TextView
from crdtstore.testing.keys import KeyOf, Pick

__all__ = ["existing_key", "plain_values", "values_of"]

_DAY = datetime(2024, 2, 28, 12, tzinfo=UTC)
_FEW = st.integers(0, 3)

_strings = st.text("abc", max_size=3)
_integers = st.integers(-1, 5)
_floats = st.sampled_from([0.0, 1.0, 0.5, -1.5, 1e9])

plain_values: st.SearchStrategy[Any] = st.one_of(
    st.integers(0, 3), st.text("abc", max_size=2), st.booleans(), st.none()
)
"""What is drawn for a parameter without an annotation."""

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    None: st.none(),
    type(None): st.none(),
    Any: plain_values,
    object: plain_values,
    bool: st.booleans(),
    int: _integers,
    float: _floats,
    str: _strings,
    Text: _strings,
    TextView: _strings,
    bytes: st.binary(max_size=2),
    Decimal: st.sampled_from([Decimal(0), Decimal("0.1"), Decimal("-2.50")]),
    datetime: _FEW.map(lambda days: _DAY + timedelta(days)),
    date: _FEW.map(lambda days: _DAY.date() + timedelta(days)),
    time: _FEW.map(lambda hours: time(hours, tzinfo=UTC)),
    timedelta: _FEW.map(timedelta),
    UUID: _FEW.map(lambda number: UUID(int=number)),
    Counter: _integers,
}

_LISTS = (list, List, Sequence, Collection, Iterable, typing.MutableSequence)
_SETS = (set, Set, AbstractSet, typing.MutableSet)
_MAPPINGS = (dict, Map, Table, Mapping, MutableMapping)


def existing_key(path: str, *, index: bool = False) -> st.SearchStrategy[Any]:
    """Draw keys of what is at ``path``, for strategies of one's own; see ``key_of``.

    They stand for keys until the action is dispatched: give them to an action creator without
    ``prepare``, as in ``st.builds(vote, existing_key("items"))``. ``index`` asks for positions.
    """
    return st.builds(
        Pick,
        st.just(path),
        st.integers(0, 15),
        st.sampled_from([True] * 15 + [False]),
        st.just(index),
    )


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for what a parameter or field with this annotation takes."""
    if isinstance(annotation, NewType):
        return values_of(annotation.__supertype__)
    if isinstance(annotation, TypeVar):
        return _of_variable(annotation)
    try:
        if annotation in _SCALARS:
            return _SCALARS[annotation]
    except TypeError:  # not hashable: Annotated with a list, say
        pass
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotated(annotation)
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    if origin in (Union, types.UnionType):
        sides = sorted(get_args(annotation), key=lambda side: side is not type(None))
        return st.one_of(*map(values_of, sides))
    kind = origin or annotation
    container = _container(kind, get_args(annotation))
    if container is not None:
        return container
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return st.deferred(lambda: _records(kind))
    return st.from_type(annotation)


def _of_variable(variable: Any) -> st.SearchStrategy[Any]:
    if variable.__constraints__:
        return st.one_of(*map(values_of, variable.__constraints__))
    return values_of(variable.__bound__ or Any)


def _annotated(annotation: Any) -> st.SearchStrategy[Any]:
    of, *marks = get_args(annotation)
    for mark in marks:
        if isinstance(mark, KeyOf):
            return existing_key(mark.path, index=of is int)
        if isinstance(mark, st.SearchStrategy):
            return mark
    if any(type(mark).__module__ == "annotated_types" or callable(mark) for mark in marks):
        return st.from_type(annotation)
    return values_of(of)


def _container(kind: Any, args: tuple[Any, ...]) -> st.SearchStrategy[Any] | None:
    if kind is tuple:
        if len(args) == 2 and args[1] is ...:
            return st.lists(values_of(args[0]), max_size=3).map(tuple)
        return st.tuples(*map(values_of, args)) if args else st.just(())
    if kind is Counter:
        return values_of(args[0])
    if kind in _LISTS:
        return st.lists(_item(args), max_size=3)
    if kind in _SETS:
        return st.sets(_hashable(args), max_size=3)
    if kind is frozenset:
        return st.frozensets(_hashable(args), max_size=3)
    if kind in _MAPPINGS:
        keys = values_of(args[0]) if len(args) == 2 else _strings
        return st.dictionaries(keys, _item(args[-1:]), max_size=2)
    return None


def _item(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return values_of(args[0]) if args else plain_values


def _hashable(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return values_of(args[0]) if args else _strings


@cache
def _records(kind: Callable[..., Any]) -> st.SearchStrategy[Any]:
    """Draw instances of a dataclass: fields with a default are left out now and then."""
    hints = typing.get_type_hints(kind, include_extras=True)
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.init:
            missing = dataclasses.MISSING
            has_default = field.default is not missing or field.default_factory is not missing
            (optional if has_default else required)[field.name] = values_of(hints[field.name])
    given = st.fixed_dictionaries(required, optional=optional)
    return given.map(lambda fields: kind(**fields))
