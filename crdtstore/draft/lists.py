"""Drafts of lists: the whole mutable-sequence protocol, recorded as inserts, removals and moves.

Elements keep their keys: assigning to an element edits it, sorting and slices move elements rather
than remove and insert them, and assigning a whole list matches the new elements with the old ones
first. So what another replica does to an element at the same time still finds it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, cast, overload

from crdtstore.changes import Arrange, Insert, Move, Path, Put, Remove
from crdtstore.difference import longest_increasing
from crdtstore.draft.records import assign, detach, lend_row, open_record, succeed
from crdtstore.draft.scope import Lent, Scope, stored
from crdtstore.errors import ReducerError, StateValueError, format_path
from crdtstore.kinds import ListView
from crdtstore.persistent import Vector
from crdtstore.shapes import ListShape, RecordShape, content_hash, freeze_element
from crdtstore.values import same, to_plain
from crdtstore.views import FrozenRecord

__all__ = ["ListDraft"]

_MOST_MOVES = 200


class ListDraft(ListView[Any]):
    """A list inside a reducer."""

    __slots__ = ("_base", "_keys", "_kids", "_over", "_records", "base", "path", "scope", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, scope: Scope, shape: ListShape, path: Path, base: Any) -> None:
        self.scope = scope
        self.shape = shape
        self.path = path
        self.base = base
        self._keys: Vector = base._keys
        self._base = base._rows
        self._over: dict[str, Any] = {}
        self._kids: dict[str, Any] = {}
        self._records = isinstance(shape.element, RecordShape)

    # Reading

    def _where(self, *more: object) -> tuple[object, ...]:
        return (self.scope.root, *self.path, *more)

    def element(self, key: str) -> Any:
        """Return the element with this key, as a reducer gets it."""
        scope = self.scope
        if scope.revoked:
            scope.check()
        if not self._records:
            return scope.thaw(
                (*self.path, key), self._value(key), lambda copy: self._edit(key, copy)
            )
        kid = self._kids.get(key)
        if kid is None:
            shape = cast("RecordShape", self.shape.element)
            kid = open_record(scope, shape, (*self.path, key), self._value(key))
            self._kids[key] = kid
        if scope.lent and (*self.path, key) in scope.lent:
            scope.catch_up(scope, (*self.path, key), kid)
        return kid

    def _value(self, key: str) -> Any:
        over = self._over
        return over[key] if key in over else self._base[key]

    def _now(self, key: str) -> Any:
        """Return an element as a snapshot, edits included."""
        if self._records and (key in self._kids or (*self.path, key) in self.scope.lent):
            return freeze_element(self.shape.element, self.element(key), ())
        return self._value(key)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        self.scope.check()
        if isinstance(index, slice):
            return [self.element(key) for key in list(self._keys)[index]]
        return self.element(self._keys[operator.index(index)])

    def __len__(self) -> int:
        self.scope.check()
        return len(self._keys)

    def __iter__(self) -> Iterator[Any]:
        self.scope.check()
        index = 0
        while index < len(self._keys):  # like a list, tolerates changes under way
            yield self.element(self._keys[index])
            index += 1

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, ListView)):
            return NotImplemented
        return self is other or (
            len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        )

    def __repr__(self) -> str:
        return "<revoked draft>" if self.scope.revoked else repr(list(self))

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

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        self.scope.check()
        return [
            deepcopy(self._now(key) if self._records else self.element(key)) for key in self._keys
        ]

    def __reduce__(self) -> Any:
        raise TypeError("a draft cannot be pickled; take current(draft)")

    def twin(self) -> ListDraft:
        """Return a draft that goes on from here; the elements' drafts are its own now."""
        self.scope.write_back(self.path)
        twin = ListDraft(self.scope, self.shape, self.path, self.base)
        twin._keys = self._keys
        twin._over = dict(self._over)
        twin._kids = self._kids
        self._kids = dict(self._kids)
        return twin

    # Writing

    def insert(self, index: int, value: Any) -> None:
        self.scope.check()
        index = operator.index(index)
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
        self.scope.check()
        times = operator.index(times)
        if times <= 0:
            self.clear()
        else:
            self.extend(list(self) * (times - 1))
        return self

    def _insert(self, index: int, value: Any) -> None:
        row = freeze_element(self.shape.element, value, self._where(index))
        key = self.scope.token()
        after = self._keys[index - 1] if index else None
        self._over[key] = row
        self._keys = self._keys.insert(index, key)
        self.scope.changes.append(Insert((*self.path, key), row, after))
        self._follow(key, value, row)

    def _follow(self, key: str, value: Any, row: Any) -> None:
        """Let later edits of an object that became an element be edits of the element."""
        path = (*self.path, key)
        if self._records:
            lend_row(self.scope, self.shape.element, path, value, row)
        elif type(value) is list or type(value) is dict:
            self.scope.alias(path, row, value, lambda copy: self._edit(key, copy))

    def _remove(self, index: int) -> None:
        key = self._keys[index]
        was = self._now(key)
        after = self._keys[index - 1] if index else None
        kid = self._kids.pop(key, None)
        if kid is None:
            self.scope.forget((*self.path, key))
        else:
            detach(kid, self.scope.detach())
        self._over.pop(key, None)
        self._keys = self._keys.remove(index)
        self.scope.changes.append(Remove((*self.path, key), was, after=after))

    def _edit(self, key: str, value: Any) -> Any:
        """Assign to an element; returns what a plain one shows afterwards."""
        if self._records:
            kid = self._kids.get(key)
            if kid is None:
                kid = self.element(key)
            elif value is kid:
                return None
            else:
                kid = self._kids[key] = succeed(kid)
            assign(kid, value)
            return None
        scope = self.scope
        path = (*self.path, key)
        before = self._value(key)
        if scope.thawed and scope.written(path, value):
            return before
        codec = self.shape.element.codec  # type: ignore[union-attr]
        encoded, shown = stored(codec, value, self._where(key))
        if same(before, shown):
            shown = before
        else:
            self._over[key] = shown
            scope.changes.append(Put(path, shown, before, encoded))
        self._follow(key, value, shown)
        return shown

    @overload
    def __setitem__(self, index: int, value: Any) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Any]) -> None: ...
    def __setitem__(self, index: int | slice, value: Any) -> None:
        self.scope.check()
        if not isinstance(index, slice):
            self._edit(self._keys[operator.index(index)], value)
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
        index = operator.index(index)
        length = len(self._keys)
        if not -length <= index < length:
            raise IndexError("list assignment index out of range")
        self._remove(index % length)

    def pop(self, index: int = -1) -> Any:
        self.scope.check()
        index = operator.index(index)
        length = len(self._keys)
        if not length:
            raise IndexError("pop from empty list")
        if not -length <= index < length:
            raise IndexError("pop index out of range")
        value = self.element(self._keys[index % length])
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
        elements = {k: self.element(k) for k in keys}
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
        self.scope.changes.append(Move((*self.path, key), after, was))

    def restore(self, index: int, key: str, row: Any) -> None:
        """Insert an element that was removed before position ``index``, under the key it had."""
        self.scope.check()
        after = self._keys[index - 1] if index else None
        self._over[key] = row
        self._keys = self._keys.insert(index, key)
        self.scope.changes.append(Insert((*self.path, key), row, after))

    def _reorder(self, wanted: list[str]) -> None:
        """Bring the keys into this order with the fewest moves: a longest increasing run stays.

        Beyond some hundred moves the order is written anew, as a whole.
        """
        current = list(self._keys)
        if wanted == current:
            return
        position = {key: index for index, key in enumerate(current)}
        staying = longest_increasing([position[key] for key in wanted])
        stay = {wanted[index] for index in staying}
        if len(current) - len(stay) > _MOST_MOVES:
            self.scope.changes.append(Arrange(self.path, tuple(wanted), tuple(current)))
            self._keys = Vector.of(wanted)
            return
        was = {key: current[index - 1] if index else None for index, key in enumerate(current)}
        previous: str | None = None
        for key in wanted:
            if key not in stay:
                self.scope.changes.append(Move((*self.path, key), previous, was[key]))
            previous = key
        self._keys = Vector.of(wanted)

    def assign(self, value: Any) -> None:
        """Make the whole list equal ``value``."""
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
            raise StateValueError(
                self._where(),
                f"expected an iterable of elements, got {type(value).__name__}: {value!r:.80}",
            )
        values = list(value)
        self._replace(0, len(self._keys), values)
        if isinstance(value, (list, ListDraft)):
            self.scope.lend(self.path, Lent(self.shape, value, values, self._keys))

    def catch_up(self, lent: Lent) -> None:
        """Take over what was done to the list that was assigned to this place."""
        values = list(lent.value)
        if len(values) == len(lent.then) and all(map(operator.is_, values, lent.then)):
            return
        if self._keys is not lent.mark:
            raise ReducerError(
                f"{format_path(self._where())}: a reducer changed this list, and also the list it "
                "had assigned to it; change it in one of these ways"
            )
        self._replace(0, len(self._keys), values)
        self.scope.lend(self.path, Lent(self.shape, lent.value, values, self._keys))

    def _replace(self, start: int, stop: int, values: list[Any]) -> None:
        """Make the elements from ``start`` to ``stop`` equal ``values``, keeping what can be kept.

        An element of this list (its draft, or its snapshot) keeps its key; so does the first
        unclaimed element that is equal. The rest is removed and inserted.
        """
        old = list(self._keys)[start:stop]
        free = dict.fromkeys(old)
        own = self._own_keys(values)
        chosen: list[str | None] = []
        for value in values:
            key = own.get(id(value))
            if key in free:
                del free[key]
            else:
                key = None
            chosen.append(key)
        if free and None in chosen:
            self._match_equal(values, chosen, free)
        for position in range(start + len(old) - 1, start - 1, -1):
            if old[position - start] in free:
                self._remove(position)
        kept = [key for key in chosen if key is not None]
        keys = list(self._keys)
        self._reorder([*keys[:start], *kept, *keys[start + len(kept) :]])
        for offset, (value, key) in enumerate(zip(values, chosen, strict=True)):
            if key is None:
                self._insert(start + offset, value)

    def _own_keys(self, values: list[Any]) -> dict[int, str]:
        """Return the keys of those values that are elements of this list, by identity."""
        own = {id(kid): key for key, kid in self._kids.items()}
        if any(isinstance(value, FrozenRecord) for value in values):
            own.update((id(self._value(key)), key) for key in self._keys if key not in self._kids)
        return own

    def _match_equal(
        self, values: list[Any], chosen: list[str | None], free: dict[str, None]
    ) -> None:
        element = self.shape.element
        by_content: dict[str, list[str]] = {}
        for key in reversed(free):
            by_content.setdefault(content_hash(element, [self._now(key)]), []).append(key)
        for index, value in enumerate(values):
            if chosen[index] is None:
                row = freeze_element(element, value, self._where(index))
                equal = by_content.get(content_hash(element, [row]))
                if equal:
                    key = equal.pop()
                    chosen[index] = key
                    del free[key]
                    self._follow(key, value, self._now(key))
