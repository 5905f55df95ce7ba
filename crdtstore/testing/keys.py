"""Keys that exist: what ``key_of`` marks in a reducer's annotations, and how it is looked up.

Rows are only hit if their keys are known, and keys are made while replicas run. So what is drawn
is a number, and it becomes a key late, when the action is dispatched, from what the acting replica
holds then: the same number finds something in a shorter history too, which is what makes examples
shrink. This module needs nothing but the store: reducers of a program may import it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from crdtstore.kinds import ListView

__all__ = ["KeyOf", "Pick", "Unresolved", "key_of", "lookup", "resolved"]


@dataclass(frozen=True, slots=True)
class KeyOf:
    """The mark that ``key_of`` makes."""

    path: str


def key_of(path: str) -> KeyOf:
    """Mark a reducer's parameter as a key of what is at ``path`` in its slice's state.

    ``key: Annotated[str, key_of("items")]`` draws keys of a table or map, elements of a set, and
    lasting keys (``key_at``) of a list; ``index: Annotated[int, key_of("items")]`` indices of a
    list. ``path`` may be dotted, ``"board.cards"``; ``"*"`` stands for every row,
    ``"items.*.tags"``; it may begin with the name of another slice. Now and then the key is one
    that is not there.
    """
    if not isinstance(path, str) or not all(path.split(".")):
        raise ValueError(f'key_of takes a field of the state, as in key_of("items"); got {path!r}')
    return KeyOf(path)


@dataclass(frozen=True, slots=True)
class Pick:
    """A key to be found later: number ``number`` of those there are, or one that is not there."""

    path: str
    number: int
    known: bool = True
    index: bool = False
    """Whether a position is wanted, where there are positions."""


class Unresolved(LookupError):
    """There is no key to pick yet."""


def lookup(pick: Pick, root: Mapping[str, Any], slice_path: str) -> Any:
    """Return the key that ``pick`` means in a root state, for an action of a slice.

    Raises ``Unresolved`` where there is none, and ``LookupError`` where no state has such a place.
    """
    keys = [key for place in _places(root, slice_path, pick) for key in _keys(place, pick)]
    if pick.known:
        if not keys:
            raise Unresolved(f"nothing is in {pick.path!r} yet")
        return keys[pick.number % len(keys)]
    if pick.index:
        return len(keys) + pick.number
    return next(key for key in _unknown(pick.number) if key not in keys)


def _unknown(number: int) -> Iterator[str]:
    yield from "abc"[number % 3 :]
    while True:
        number += 1
        yield f"k{number}"


def _places(root: Mapping[str, Any], slice_path: str, pick: Pick) -> list[Any]:
    segments = pick.path.split(".")
    own = root[slice_path] if slice_path in root else None  # noqa: SIM401 — or a slice "get"
    if segments[0] != "*" and not _has(own, segments[0]) and segments[0] in root:
        own, segments = root[segments[0]], segments[1:]
    places = [own]
    for segment in segments:
        if segment == "*":
            places = [row for place in places for row in _rows(place)]
            continue
        for place in places:
            if not _has(place, segment):
                raise LookupError(
                    f"key_of({pick.path!r}): the state of {slice_path!r} has no {segment!r} there"
                )
        places = [_get(place, segment) for place in places]
    return places


def _has(place: Any, name: str) -> bool:
    return hasattr(place, name) or (isinstance(place, Mapping) and name in place)


def _get(place: Any, name: str) -> Any:
    if isinstance(place, Mapping) and name in place:
        return place[name]
    return getattr(place, name)


def _rows(place: Any) -> list[Any]:
    # By the class: a field may be called "values".
    return list(ValuesView(place) if isinstance(place, Mapping) else place)


def _keys(place: Any, pick: Pick) -> list[Any]:
    if isinstance(place, ListView):
        if pick.index:
            return list(range(len(place)))
        return [place.key_at(index) for index in range(len(place))]
    if isinstance(place, (Mapping, AbstractSet)):
        return list(place)
    if isinstance(place, Sequence):
        return list(range(len(place)))
    raise LookupError(
        f"key_of({pick.path!r}): expected a List, Table, Map or Set there, got "
        f"{type(place).__name__}"
    )


def resolved(value: Any, pick: Callable[[Pick], Any]) -> Any:
    """Return ``value`` with every ``Pick`` in it replaced by what ``pick`` says; else itself."""
    if isinstance(value, Pick):
        return pick(value)
    if isinstance(value, (list, tuple, set, frozenset)) and not hasattr(value, "_fields"):
        items = [resolved(item, pick) for item in value]
        unchanged = all(new is old for new, old in zip(items, value, strict=True))
        return value if unchanged else type(value)(items)
    if type(value) is dict:
        return {resolved(key, pick): resolved(item, pick) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {
            field.name: new
            for field in dataclasses.fields(value)
            if field.init
            for old in [getattr(value, field.name, None)]
            for new in [resolved(old, pick)]
            if new is not old and new != old
        }
        return dataclasses.replace(value, **changes) if changes else value
    return value
