"""What selectors return: immutable sequences over chunks that versions of the state share.

The chunks are lists that nobody changes any more, so a sequence is made without copying, its first
page costs no more than the page, and to iterate goes through plain lists.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from itertools import accumulate, chain
from operator import index as as_index
from typing import Any, TypeVar, overload

from crdtstore.kinds import ListView
from crdtstore.values import to_plain

__all__ = ["EntitySequence"]

T = TypeVar("T", covariant=True)


class EntitySequence(Sequence[T]):
    """Entities, or their ids, in an order; equal to a list or tuple of the same.

    Slices and copies are plain lists. ``pick`` says what of an item in the chunks is shown.
    """

    __slots__ = ("_chunks", "_length", "_pick", "_starts")
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        chunks: list[list[Any]],
        length: int,
        pick: Callable[[Any], T] | None = None,
    ) -> None:
        self._chunks = chunks
        self._length = length
        self._pick = pick
        self._starts: list[int] | None = None

    @property
    def chunks(self) -> list[list[Any]]:
        """What is shown, as it is kept; to be read only."""
        return self._chunks

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        items = chain.from_iterable(self._chunks)
        return items if self._pick is None else map(self._pick, items)

    def __reversed__(self) -> Iterator[T]:
        items = chain.from_iterable(map(reversed, reversed(self._chunks)))
        return items if self._pick is None else map(self._pick, items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            part = range(*index.indices(self._length))
            if not part:
                return []
            low, high = sorted((part[0], part[-1]))
            found = self._between(low, high + 1)
            return found if part.step == 1 else found[:: part.step]
        at = as_index(index)
        if at < 0:
            at += self._length
        if not 0 <= at < self._length:
            raise IndexError("index out of range")
        return self._between(at, at + 1)[0]

    def _between(self, start: int, stop: int) -> list[T]:
        """Return the items from ``start`` to ``stop``, of which there is at least one."""
        at, first = 0, 0
        if start >= len(self._chunks[0]):  # not the first page, for which no chunk is counted
            if self._starts is None:
                self._starts = list(accumulate(map(len, self._chunks[:-1]), initial=0))
            at = bisect_right(self._starts, start) - 1
            first = self._starts[at]
        items = self._chunks[at][start - first : stop - first]
        while len(items) < stop - start:
            at += 1
            items += self._chunks[at][: stop - start - len(items)]
        return items if self._pick is None else list(map(self._pick, items))

    def __contains__(self, item: object) -> bool:
        return any(item is each or item == each for each in self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, (list, tuple, ListView, EntitySequence)):
            return NotImplemented
        return len(self) == len(other) and all(
            a is b or a == b for a, b in zip(self, other, strict=True)
        )

    def __repr__(self) -> str:
        return repr(list(self))

    def __copy__(self) -> list[T]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[T]:
        return [deepcopy(item, memo) for item in self]

    def __reduce__(self) -> tuple[Any, ...]:
        return sequence_of, (list(self),)

    def to_plain(self) -> list[Any]:
        """Return a JSON-ready copy."""
        return [to_plain(item) for item in self]


def sequence_of(items: Iterable[T]) -> EntitySequence[T]:
    """Return a sequence of ``items``."""
    listed = list(items)
    return EntitySequence([listed] if listed else [], len(listed))
