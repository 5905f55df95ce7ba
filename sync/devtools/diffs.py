"""What an act changed, place by place, as it is shown.

The places are those that ``crdtstore.differences`` finds by identity, so a change of one row in a
hundred thousand costs one row. Where the user's sanitizer stands between the state and those who
look at it, what it returned before and after is compared instead, value by value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from crdtstore import RootState, differences

__all__ = ["Change", "Kinds", "changes", "diff", "diff_plain"]


class Change(NamedTuple):
    """One place that changed: the way to it, as text, and its values, ``None`` where it was not.

    ``kind`` is ``"added"``, ``"removed"`` or ``"changed"``; what moved in a list is removed at one
    index and added at another.
    """

    path: tuple[str, ...]
    kind: str
    before: Any
    after: Any


def changes(before: RootState, after: RootState) -> Iterator[Change]:
    """Yield what changed between two states of one store."""
    for path, _, kind, was, now in differences(before, after):
        yield Change(
            tuple([part if type(part) is str else _text(part) for part in path]), kind, was, now
        )


def diff(before: RootState, after: RootState) -> list[Change]:
    """Return what changed between two states of one store."""
    return list(changes(before, after))


def _text(part: object) -> str:
    """Name an index, or what is in a set."""
    return str.__str__(part) if isinstance(part, str) else repr(part)


def diff_plain(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[Change]:
    """Yield what differs between two JSON values; items of lists are matched by their index."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            if key not in after:
                yield Change((*path, key), "removed", before[key], None)
            elif key not in before:
                yield Change((*path, key), "added", None, after[key])
            else:
                yield from diff_plain(before[key], after[key], (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            inner = (*path, str(at))
            if at >= len(after):
                yield Change(inner, "removed", before[at], None)
            elif at >= len(before):
                yield Change(inner, "added", None, after[at])
            else:
                yield from diff_plain(before[at], after[at], inner)
    elif type(before) is not type(after) or before != after:
        yield Change(path, "changed", before, after)


class Kinds:
    """The kinds of the places of a store, by the path patterns of its schema.

    Of two acts that wrote one register at the same time one is not seen any more, which is worth
    telling; so a place is of interest if it is a register, an entry of a map, or a row of a table
    that was put there as a whole. Counters, texts, sets and lists merge, and are not.
    """

    __slots__ = ("_slices",)

    def __init__(self, schema: Mapping[str, Mapping[str, str]]) -> None:
        self._slices = {name: _tree(patterns) for name, patterns in schema.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._slices

    def is_register(self, place: tuple[str, ...], kind: str) -> bool:
        """Tell whether who changes this place at the same time as another is in conflict with it.

        ``place`` is that of a difference, with lasting keys, and ``kind`` its kind.
        """
        tree = self._slices.get(place[0])
        if tree is None:
            return False
        above = ""
        for part in place[1:]:
            above = tree.kind
            below = tree.below.get(part) or tree.below.get("*")
            if below is None:  # inside of what is written as one
                return above == "map"
            tree = below
        if tree.kind == "register":
            return above != "list" or kind == "changed"
        return above == "table" and kind == "added"


class _Tree:
    """A place, and what is below it by name."""

    __slots__ = ("below", "kind")

    def __init__(self) -> None:
        self.kind = ""
        self.below: dict[str, _Tree] = {}


def _tree(patterns: Mapping[str, str]) -> _Tree:
    root = _Tree()
    for pattern, kind in patterns.items():
        tree = root
        for part in pattern.split("/") if pattern else ():
            tree = tree.below.setdefault(part, _Tree())
        tree.kind = kind
    return root
