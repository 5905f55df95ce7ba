"""The groups of an index: an immutable mapping from any hashable values, with cheap single changes.

The entries lie in buckets, plain dicts, by their hash; a change copies one bucket and the list of
buckets. There are about as many buckets as entries in each, so an index of as many groups as rows
costs a change no more than one of three.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from crdtstore.entities.sequences import EntitySequence

__all__ = ["Groups"]

T = TypeVar("T")

BUCKET = 64
"""Entries in a bucket when buckets are laid out; four times as many and they are laid out anew."""


class Groups(Mapping[Hashable, EntitySequence[T]]):
    """The entities of each group, in their order; the groups in that of their first entities."""

    __slots__ = ("_buckets", "_length", "_order")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, groups: Iterable[tuple[Hashable, EntitySequence[T]]] = ()) -> None:
        found = dict(groups)
        self._length = len(found)
        self._order: list[Hashable] | None = None
        size = 1
        while size * BUCKET < len(found):
            size *= 2
        self._buckets: list[dict[Hashable, EntitySequence[T]]] = [{} for _ in range(size)]
        for value, group in found.items():
            self._buckets[hash(value) & (size - 1)][value] = group

    def evolve(self, changes: Mapping[Hashable, EntitySequence[T]]) -> Groups[T]:
        """Return these groups with some replaced; an empty one is none."""
        if not changes:
            return self
        buckets = self._buckets[:]
        copied: set[int] = set()
        length = self._length
        for value, group in changes.items():
            at = hash(value) & (len(buckets) - 1)
            if at not in copied:
                buckets[at] = buckets[at].copy()
                copied.add(at)
            length -= value in buckets[at]
            if group:
                buckets[at][value] = group
                length += 1
            else:
                buckets[at].pop(value, None)
        if length > 4 * BUCKET * len(buckets):
            return Groups(chain.from_iterable(bucket.items() for bucket in buckets))
        evolved: Groups[T] = object.__new__(Groups)
        evolved._buckets = buckets
        evolved._length = length
        evolved._order = None
        return evolved

    def __getitem__(self, value: Hashable) -> EntitySequence[T]:
        return self._buckets[hash(value) & (len(self._buckets) - 1)][value]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Hashable]:
        if self._order is None:
            self._order = sorted(chain.from_iterable(self._buckets), key=self._place)
        return iter(self._order)

    def _place(self, value: Hashable) -> tuple[Any, str]:
        return self[value].chunks[0][0][0], repr(value)

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)
