"""Drafts of lists: the whole mutable-sequence protocol, recorded as inserts, removals and moves.

Elements keep their keys: assigning to an element edits it, sorting and slices move elements rather
than remove and insert them, and assigning a whole list matches the new elements with the old ones
first. So what another replica does to an element at the same time still finds it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast, overload

from crdtstore.changes import Insert, Move, Path, Put, Remove
from crdtstore.draft.records import RecordDraft, assign, detach, open_record
from crdtstore.draft.scope import Scope, display
from crdtstore.errors import StateValueError
from crdtstore.kinds import ListView
from crdtstore.persistent import Vector
from crdtstore.shapes import ListShape, RecordShape, freeze_element
from crdtstore.values import same, to_plain
from crdtstore.views import FrozenRecord

__all__ = ["ListDraft"]


class ListDraft(ListView[Any]):
    """A list inside a reducer."""

    __slots__ = ("_base", "_keys", "_kids", "_over", "_path", "_records", "_shape", "base", "scope")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, scope: Scope, shape: ListShape, path: Path, base: Any) -> None:
        self.scope = scope
        self._shape = shape
        self._path = path
        self.base = base
        self._keys: Vector = base._keys
        self._base = base._rows
        self._over: dict[str, Any] = {}
        self._kids: dict[str, Any] = {}
        self._records = isinstance(shape.element, RecordShape)

    # Reading

    def _where(self, *more: object) -> tuple[object, ...]:
        return (self.scope.root, *self._path, *more)

    def _element(self, key: str) -> Any:
        if not self._records:
            return self.scope.thaw(
                (*self._path, key), self._value(key), lambda copy: self._edit(key, copy)
            )
        kid = self._kids.get(key)
        if kid is None:
            shape = cast("RecordShape", self._shape.element)
            kid = open_record(self.scope, shape, (*self._path, key), self._value(key))
            self._kids[key] = kid
        return kid

    def _value(self, key: str) -> Any:
        over = self._over
        return over[key] if key in over else self._base[key]

    def _now(self, key: str) -> Any:
        """Return an element as a snapshot, edits included."""
        kid = self._kids.get(key)
        return self._value(key) if kid is None else freeze_element(self._shape.element, kid, ())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        self.scope.check()
        if isinstance(index, slice):
            return [self._element(key) for key in list(self._keys)[index]]
        return self._element(self._keys[index])

    def __len__(self) -> int:
        self.scope.check()
        return len(self._keys)

    def __iter__(self) -> Iterator[Any]:
        self.scope.check()
        index = 0
        while index < len(self._keys):  # like a list, tolerates changes under way
            yield self._element(self._keys[index])
            index += 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, ListView)):
            return NotImplemented
        return self is other or (
            len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        )

    def __repr__(self) -> str:
        return "<revoked draft>" if self.scope.revoked else repr(list(self))

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other] if isinstance(other, (list, ListView)) else NotImplemented

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self] if isinstance(other, list) else NotImplemented

    def __mul__(self, times: int) -> list[Any]:
        return list(self) * times

    def copy(self) -> list[Any]:
        """Return a plain list of the elements."""
        return list(self)

    def key_at(self, index: int) -> str:
        self.scope.check()
        return cast(str, self._keys[index])

    def index_of(self, key: str) -> int:
        self.scope.check()
        try:
            return list(self._keys).index(key)
        except ValueError:
            raise KeyError(key) from None

    def to_plain(self) -> list[Any]:
        return cast("list[Any]", to_plain(self))

    # Writing

    def insert(self, index: int, value: Any) -> None:
        self.scope.check()
        length = len(self._keys)
        if index < 0:
            index = max(0, length + index)
        self._insert(min(index, length), value)

    def append(self, value: Any) -> None:
        self.scope.check()
        self._insert(len(self._keys), value)

    def extend(self, values: Iterable[Any]) -> None:
        self.scope.check()
        for value in list(values):
            self._insert(len(self._keys), value)

    def __iadd__(self, values: Iterable[Any]) -> Any:
        self.extend(values)
        return self

    def __imul__(self, times: int) -> Any:
        if times <= 0:
            self.clear()
        else:
            self.extend([self._now(key) for key in self._keys] * (times - 1))
        return self

    def _insert(self, index: int, value: Any) -> None:
        row = freeze_element(self._shape.element, value, self._where(index))
        key = self.scope.token()
        after = self._keys[index - 1] if index else None
        self._over[key] = row
        self._keys = self._keys.insert(index, key)
        self.scope.changes.append(Insert((*self._path, key), row, after))

    def _remove(self, index: int) -> None:
        key = self._keys[index]
        was = self._now(key)
        after = self._keys[index - 1] if index else None
        kid = self._kids.pop(key, None)
        if kid is not None:
            detach(kid, self.scope.detach())
        self.scope.forget((*self._path, key))
        self._over.pop(key, None)
        self._keys = self._keys.remove(index)
        self.scope.changes.append(Remove((*self._path, key), was, after=after))

    def _edit(self, key: str, value: Any) -> None:
        if self._records:
            kid = self._element(key)
            if value is not kid:
                assign(kid, value)
            return
        scope = self.scope
        path = (*self._path, key)
        if scope.thawed and scope.written(path, value):
            return
        codec = self._shape.element.codec  # type: ignore[union-attr]
        encoded = codec.encode(value, self._where(key))
        shown = display(encoded, value, codec.decode)
        before = self._value(key)
        if not same(before, shown):
            self._over[key] = shown
            scope.changes.append(Put(path, shown, before, encoded))

    @overload
    def __setitem__(self, index: int, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, index: int | slice, value: Any) -> None:
        self.scope.check()
        if not isinstance(index, slice):
            self._edit(self._keys[index], value)
            return
        values = list(value)
        positions = range(len(self._keys))[index]
        if index.step not in (None, 1):
            if len(values) != len(positions):
                raise ValueError(
                    f"attempt to assign sequence of size {len(values)} to extended slice of size "
                    f"{len(positions)}"
                )
            keys = [self._keys[position] for position in positions]
            for key, item in zip(keys, values, strict=True):
                self._edit(key, item)
            return
        start = positions.start
        self._replace(start, max(start, positions.stop), values)

    def __delitem__(self, index: int | slice) -> None:
        self.scope.check()
        if isinstance(index, slice):
            for position in sorted(range(len(self._keys))[index], reverse=True):
                self._remove(position)
            return
        length = len(self._keys)
        if not -length <= index < length:
            raise IndexError("list assignment index out of range")
        self._remove(index % length)

    def pop(self, index: int = -1) -> Any:
        self.scope.check()
        length = len(self._keys)
        if not length:
            raise IndexError("pop from empty list")
        if not -length <= index < length:
            raise IndexError("pop index out of range")
        value = self._element(self._keys[index % length])
        self._remove(index % length)
        return value

    def clear(self) -> None:
        self.scope.check()
        for index in range(len(self._keys) - 1, -1, -1):
            self._remove(index)

    def reverse(self) -> None:
        self.scope.check()
        self._reorder(list(self._keys)[::-1])

    def sort(self, *, key: Callable[[Any], Any] | None = None, reverse: bool = False) -> None:
        """Sort in place, stably; elements that are out of order move, the others stay."""
        self.scope.check()
        keys = list(self._keys)
        elements = {k: self._element(k) for k in keys}
        ranks = elements if key is None else {k: key(element) for k, element in elements.items()}
        self._reorder(sorted(keys, key=ranks.__getitem__, reverse=reverse))

    def move(self, index: int, to: int) -> None:
        self.scope.check()
        length = len(self._keys)
        for position in (index, to):
            if not -length <= position < length:
                raise IndexError(f"cannot move {index} to {to}: the list has {length} elements")
        keys = self._keys
        key = keys[index % length]
        self._move(key, index % length, to % length)

    def _move(self, key: str, index: int, to: int) -> None:
        if index == to:
            return
        was = self._keys[index - 1] if index else None
        self._keys = self._keys.remove(index).insert(to, key)
        after = self._keys[to - 1] if to else None
        self.scope.changes.append(Move((*self._path, key), after, was))

    def _reorder(self, wanted: list[str]) -> None:
        """Bring the keys into this order with the fewest moves: a longest increasing run stays."""
        current = list(self._keys)
        if wanted == current:
            return
        position = {key: index for index, key in enumerate(current)}
        staying = _longest_increasing([position[key] for key in wanted])
        stay = {current[index] for index in staying}
        was = {key: current[index - 1] if index else None for index, key in enumerate(current)}
        previous: str | None = None
        for key in wanted:
            if key not in stay:
                self.scope.changes.append(Move((*self._path, key), previous, was[key]))
            previous = key
        self._keys = Vector.of(wanted)

    def _assign(self, value: Any) -> None:
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise StateValueError(
                self._where(),
                f"expected an iterable of elements, got {type(value).__name__}: {value!r:.80}",
            )
        self._replace(0, len(self._keys), list(value))

    def _replace(self, start: int, stop: int, values: list[Any]) -> None:
        """Make the elements from ``start`` to ``stop`` equal ``values``, keeping what can be kept.

        An element of this list (its draft, or its snapshot) keeps its key; so does the first
        unclaimed element that is equal. The rest is removed and inserted.
        """
        old = list(self._keys)[start:stop]
        free = dict.fromkeys(old)
        chosen: list[str | None] = []
        for value in values:
            key = self._own_key(value)
            if key in free:
                del free[key]
            else:
                key = None
            chosen.append(key)
        if free and None in chosen:
            self._match_equal(values, chosen, free)
        for key in [key for key in old if key in free]:
            self._remove(self._keys_index(key, start))
        kept = [key for key in chosen if key is not None]
        keys = list(self._keys)
        self._reorder([*keys[:start], *kept, *keys[start + len(kept) :]])
        for offset, (value, key) in enumerate(zip(values, chosen, strict=True)):
            if key is None:
                self._insert(start + offset, value)

    def _keys_index(self, key: str, start: int) -> int:
        return list(self._keys).index(key, start)

    def _own_key(self, value: Any) -> str | None:
        if isinstance(value, RecordDraft):
            path = value._crdt.path
            if path[:-1] == self._path and self._kids.get(path[-1]) is value:
                return path[-1]
        elif isinstance(value, FrozenRecord):
            return next((key for key, row in self._base.items() if row is value), None)
        return None

    def _match_equal(
        self, values: list[Any], chosen: list[str | None], free: dict[str, None]
    ) -> None:
        by_print: dict[str, list[str]] = {}
        for key in reversed(free):
            by_print.setdefault(_print(self._now(key)), []).append(key)
        for index, value in enumerate(values):
            if chosen[index] is None:
                row = freeze_element(self._shape.element, value, self._where(index))
                same_print = by_print.get(_print(row))
                if same_print:
                    key = same_print.pop()
                    chosen[index] = key
                    del free[key]


def _print(row: Any) -> str:
    return repr(row)


def _longest_increasing(numbers: list[int]) -> list[int]:
    """Return a longest increasing subsequence (patience sorting, Fredman 1975)."""
    tails: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for index, value in enumerate(numbers):
        slot = bisect_left(tails, value)
        if slot == len(tails):
            tails.append(value)
            at.append(index)
        else:
            tails[slot] = value
            at[slot] = index
        before.append(at[slot - 1] if slot else -1)
    out: list[int] = []
    index = at[-1] if at else -1
    while index >= 0:
        out.append(numbers[index])
        index = before[index]
    return out[::-1]
