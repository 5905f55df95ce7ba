"""Immutable maps and sequences with cheap single changes, for snapshots of 100 000 rows.

CPython copies a list of a few hundred pointers in less time than it needs for one function call,
so two levels are enough: the entries lie in chunks of about the same size, a change copies one
chunk and the short list of chunks, and everything else is shared with the version before. A chunk
that grows beyond its load is cut in two and one that shrinks below a quarter of it is joined with
a neighbour, so whatever the order of insertions and removals, an operation copies O(sqrt n)
pointers at the sizes this is made for, and iteration runs through plain lists at C speed.

Nothing reachable from a ``SortedMap`` or a ``Vector`` is ever written after it was made. So what
two versions of a map share need not be looked at to tell what differs: ``changes_since`` compares
the chunks by identity. Whoever derives something from a map and wants to bring it up to date that
way keeps it by the map's ``lineage``, which lives as long as any of the versions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, chain, compress, count, pairwise
from operator import is_, is_not
from threading import Lock
from typing import Any, ClassVar, Final, TypeVar, overload

__all__ = ["MISSING", "Lineage", "SortedMap", "Vector"]

D = TypeVar("D")

MAP_LOAD = 256
VECTOR_LOAD = 768


class _Missing:
    """Stands for "no entry" in what `SortedMap.evolve` is given; equal only to itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


class Lineage:
    """What versions of a map have in common that were made one from another; equal to itself."""

    __slots__ = ("__weakref__",)


_naming = Lock()


class SortedMap:
    """An immutable mapping from str to any object, iterated in the order of its keys.

    Made by `SortedMap.of` and from one another; ``SortedMap.EMPTY`` is the empty one. A change
    returns a new map, or the same one if it changed nothing; "nothing" compares values with ``is``.
    """

    # Parallel lists of chunks: keys, and values in their order; _firsts are the first keys of the
    # chunks. There is no empty chunk. Replacing values shares _firsts and all of _keys.
    # A list of values belongs to one list of keys: versions that share the one hold the same keys.
    __slots__ = ("__weakref__", "_firsts", "_keys", "_len", "_lineage", "_values")
    __hash__ = None  # type: ignore[assignment]

    EMPTY: ClassVar[SortedMap]

    _firsts: list[str]
    _keys: list[list[str]]
    _values: list[list[Any]]
    _len: int
    _lineage: Lineage | None

    @staticmethod
    def of(mapping: Mapping[str, Any] | SortedMap) -> SortedMap:
        """Return a map with the entries of ``mapping``."""
        if isinstance(mapping, SortedMap):
            return mapping
        keys = sorted(mapping)
        values = [mapping[key] for key in keys]
        return _map(_cut(keys, MAP_LOAD), _cut(values, MAP_LOAD))

    def __getitem__(self, key: str) -> Any:
        at = bisect_right(self._firsts, key) - 1
        if at >= 0:
            keys = self._keys[at]
            slot = bisect_right(keys, key) - 1
            if keys[slot] == key:
                return self._values[at][slot]
        raise KeyError(key)

    @overload
    def get(self, key: str) -> Any: ...
    @overload
    def get(self, key: str, default: D) -> Any | D: ...
    def get(self, key: str, default: Any = None) -> Any:
        """Return the value at ``key``, or ``default``."""
        at = bisect_right(self._firsts, key) - 1
        if at >= 0:
            keys = self._keys[at]
            slot = bisect_right(keys, key) - 1
            if keys[slot] == key:
                return self._values[at][slot]
        return default

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, MISSING) is not MISSING

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return chain.from_iterable(map(reversed, reversed(self._keys)))

    def keys(self) -> Iterator[str]:
        """Iterate over the keys in their order, once."""
        return chain.from_iterable(self._keys)

    def values(self) -> Iterator[Any]:
        """Iterate over the values in the order of their keys, once."""
        return chain.from_iterable(self._values)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the pairs of key and value in the order of the keys, once."""
        return chain.from_iterable(map(zip, self._keys, self._values))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SortedMap):
            return NotImplemented
        return self is other or (
            self._len == other._len
            and (self._keys is other._keys or list(self) == list(other))
            and list(self.values()) == list(other.values())
        )

    def __repr__(self) -> str:
        return f"SortedMap({dict(self.items())!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SortedMap.of, (dict(self.items()),)

    def set(self, key: str, value: Any) -> SortedMap:
        """Return a map with ``value`` at ``key``; the same map if that is there already."""
        at = bisect_right(self._firsts, key) - 1
        if at < 0:
            if not self._keys:
                return _map([[key]], [[value]])
            at = 0
        keys = self._keys[at]
        slot = bisect_left(keys, key)
        if slot == len(keys) or keys[slot] != key:
            return self._insert(at, slot, key, value)
        values = self._values[at]
        if values[slot] is value:
            return self
        values = values[:]
        values[slot] = value
        outer = self._values[:]
        outer[at] = values
        return _sorted_map(self._firsts, self._keys, outer, self._len, self._lineage)

    def _insert(self, at: int, slot: int, key: str, value: Any) -> SortedMap:
        chunk, values = self._keys[at][:], self._values[at][:]
        chunk.insert(slot, key)
        values.insert(slot, value)
        keys, outer, firsts = self._keys[:], self._values[:], self._firsts
        if len(chunk) > 2 * MAP_LOAD:
            keys[at : at + 1] = chunk[:MAP_LOAD], chunk[MAP_LOAD:]
            outer[at : at + 1] = values[:MAP_LOAD], values[MAP_LOAD:]
            firsts = firsts[:]
            firsts[at : at + 1] = chunk[0], chunk[MAP_LOAD]
        else:
            keys[at] = chunk
            outer[at] = values
            if slot == 0:
                firsts = firsts[:]
                firsts[at] = key
        return _sorted_map(firsts, keys, outer, self._len + 1, self._lineage)

    def remove(self, key: str) -> SortedMap:
        """Return a map without ``key``. Raises `KeyError` if it is not there."""
        at = bisect_right(self._firsts, key) - 1
        if at < 0:
            raise KeyError(key)
        chunk = self._keys[at]
        slot = bisect_right(chunk, key) - 1
        if chunk[slot] != key:
            raise KeyError(key)
        if len(chunk) <= (MAP_LOAD // 2 if len(self._keys) > 1 else 1):
            return self.evolve({key: MISSING})
        firsts, keys, values = self._firsts, self._keys[:], self._values[:]
        keys[at] = chunk[:slot] + chunk[slot + 1 :]
        values[at] = values[at][:slot] + values[at][slot + 1 :]
        if slot == 0:
            firsts = firsts[:]
            firsts[at] = keys[at][0]
        return _sorted_map(firsts, keys, values, self._len - 1, self._lineage)

    def evolve(self, changes: Mapping[str, Any]) -> SortedMap:
        """Return a map with all ``changes`` made: a new value each, or ``MISSING`` to remove.

        Removing what is not there is no change; without any change the same map is returned.
        Efficient for one change as for very many.
        """
        if len(changes) == 1:
            ((key, value),) = changes.items()
            if value is not MISSING:
                return self.set(key, value)
        if not self._keys:
            new = {k: v for k, v in changes.items() if v is not MISSING}
            return SortedMap.of(new) if new else self
        firsts, keys, values = self._firsts, self._keys, self._values[:]
        ordered = sorted(changes)
        size = self._len
        changed = small = False
        stop = len(ordered)
        # From the last chunk to the first, so that positions to the left stay what they are.
        while stop:
            at = max(bisect_right(self._firsts, ordered[stop - 1]) - 1, 0)
            start = bisect_left(ordered, self._firsts[at], 0, stop) if at else 0
            old_keys, old_values = self._keys[at], self._values[at]
            new_keys, new_values = _merge(old_keys, old_values, ordered[start:stop], changes)
            stop = start
            if new_values is old_values:
                continue
            changed = True
            if new_keys is old_keys:
                values[at] = new_values
                continue
            size += len(new_keys) - len(old_keys)
            if keys is self._keys:
                firsts, keys = firsts[:], keys[:]
            pieces = _cut(new_keys, MAP_LOAD)
            keys[at : at + 1] = pieces
            values[at : at + 1] = _cut(new_values, MAP_LOAD)
            firsts[at : at + 1] = [piece[0] for piece in pieces]
            small = small or len(new_keys) < MAP_LOAD // 2
        if not changed:
            return self
        if small and len(keys) > 1:
            keys, values = _join(keys, MAP_LOAD), _join(values, MAP_LOAD)
            firsts = [chunk[0] for chunk in keys]
        return _sorted_map(firsts, keys, values, size, self._lineage)

    def transform(self, function: Callable[[str, Any], Any]) -> SortedMap:
        """Return a map, of no lineage yet, with ``function(key, value)`` in place of each value."""
        values = [
            list(map(function, *chunks)) for chunks in zip(self._keys, self._values, strict=True)
        ]
        return _sorted_map(self._firsts, self._keys, values, self._len)

    @property
    def chunks(self) -> tuple[list[list[str]], list[list[Any]]]:
        """The keys and the values in parallel lists of chunks, to be read only."""
        return self._keys, self._values

    @property
    def lineage(self) -> Lineage:
        """What this version shares with those that are made from it from now on.

        A map made from scratch, or from an empty one, begins another; so versions of one lineage
        mostly share their chunks. Weak references to it last as long as any of them.
        """
        if self._lineage is None:
            with _naming:
                self._lineage = self._lineage or Lineage()
        return self._lineage

    def twin(self) -> SortedMap:
        """Return another map with the same content, all of it shared, that is of no lineage."""
        return _sorted_map(self._firsts, self._keys, self._values, self._len)

    def unshared(self, other: SortedMap) -> int:
        """Return about how many chunks the two do not share: what ``changes_since`` has to read."""
        start, mine, others = _differing(self._values, other._values)
        return mine + others - 2 * start

    def changes_since(self, old: SortedMap) -> Iterator[tuple[str, Any, Any]]:
        """Yield (key, old value, new value) for every key whose value is another, in their order.

        ``MISSING`` stands for no entry, and values are compared with ``is``. Between versions of
        one lineage this takes the time of what changed, and of comparing two lists of chunks.
        """
        if self._keys is old._keys:
            for at in compress(count(), map(is_not, self._values, old._values)):
                before, after = old._values[at], self._values[at]
                for slot in compress(count(), map(is_not, before, after)):
                    yield self._keys[at][slot], before[slot], after[slot]
            return
        start, mine, others = _differing(self._values, old._values)
        if mine - start <= _FEW and others - start <= _FEW:
            past, present = _unlike_entries(old, others, self, mine, start)
        else:
            shared = {id(chunk) for chunk in self._values[start:mine]}
            shared.intersection_update(map(id, old._values[start:others]))
            past = _entries(old, start, others, shared)
            present = _entries(self, start, mine, shared)
        for key in sorted(past.keys() | present.keys()):
            was, now = past.get(key, MISSING), present.get(key, MISSING)
            if was is not now:
                yield key, was, now


def _sorted_map(
    firsts: list[str],
    keys: list[list[str]],
    values: list[list[Any]],
    size: int,
    lineage: Lineage | None = None,
) -> SortedMap:
    new = object.__new__(SortedMap)
    new._firsts = firsts
    new._keys = keys
    new._values = values
    new._len = size
    new._lineage = lineage
    return new


def _map(keys: list[list[str]], values: list[list[Any]]) -> SortedMap:
    return _sorted_map([chunk[0] for chunk in keys], keys, values, sum(map(len, keys)))


def _differing(a: list[Any], b: list[Any]) -> tuple[int, int, int]:
    """Return the start and both ends of the parts outside which two lists hold the same."""
    shorter = min(len(a), len(b))
    start = next(compress(count(), map(is_not, a, b)), shorter)
    back = next(compress(count(), map(is_not, reversed(a), reversed(b))), shorter)
    back = min(back, shorter - start)
    return start, len(a) - back, len(b) - back


_FEW = 2  # chunks: what one insertion or removal makes of one


def _unlike_entries(
    a: SortedMap, a_stop: int, b: SortedMap, b_stop: int, start: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the entries of some chunks of two maps, but those that both begin or end with.

    An insertion into a chunk is found like this without a look at the other entries, one by one.
    """
    (keys, values), (other_keys, other_values) = (
        [list(chain.from_iterable(chunks[start:stop])) for chunks in (of._keys, of._values)]
        for of, stop in ((a, a_stop), (b, b_stop))
    )
    by_key = _differing(keys, other_keys)
    by_value = _differing(values, other_values)
    begin = min(by_key[0], by_value[0])
    end, other_end = max(by_key[1], by_value[1]), max(by_key[2], by_value[2])
    return (
        dict(zip(keys[begin:end], values[begin:end], strict=True)),
        dict(zip(other_keys[begin:other_end], other_values[begin:other_end], strict=True)),
    )


def _entries(of: SortedMap, start: int, stop: int, without: set[int]) -> dict[str, Any]:
    """Return the entries of some chunks, but not of those whose lists of values are named."""
    found: dict[str, Any] = {}
    for keys, values in zip(of._keys[start:stop], of._values[start:stop], strict=True):
        if id(values) not in without:
            found.update(zip(keys, values, strict=True))
    return found


def _merge(
    keys: list[str], values: list[Any], todo: list[str], changes: Mapping[str, Any]
) -> tuple[list[str], list[Any]]:
    """Make those of ``changes`` listed in ``todo`` in one chunk; what stays equal stays itself."""
    new_keys, new_values = keys, values
    if len(todo) * 4 > len(keys):
        merged = dict(zip(keys, values, strict=True))
        for key in todo:
            value = changes[key]
            if value is MISSING:
                merged.pop(key, None)
            else:
                merged[key] = value
        new_keys = sorted(merged)
        new_values = [merged[key] for key in new_keys]
        if new_keys == keys:
            new_keys = keys
            if all(map(is_, new_values, values)):
                new_values = values
        return new_keys, new_values
    for key in todo:
        value = changes[key]
        slot = bisect_left(new_keys, key)
        present = slot < len(new_keys) and new_keys[slot] == key
        if value is MISSING if not present else value is new_values[slot]:
            continue
        if new_values is values:
            new_values = values[:]
        if present and value is not MISSING:
            new_values[slot] = value
            continue
        if new_keys is keys:
            new_keys = keys[:]
        if present:
            del new_keys[slot], new_values[slot]
        else:
            new_keys.insert(slot, key)
            new_values.insert(slot, value)
    return new_keys, new_values


SortedMap.EMPTY = _sorted_map([], [], [], 0)


class Vector:
    """An immutable sequence of any objects.

    Made by `Vector.of` and from one another; ``Vector.EMPTY`` is the empty one. Indices of changes
    count from the start, and one outside raises `IndexError`; reading takes negative ones as well.
    """

    # _starts[i] is the index of the first item of chunk i. There is no empty chunk.
    __slots__ = ("_chunks", "_len", "_starts")
    __hash__ = None  # type: ignore[assignment]

    EMPTY: ClassVar[Vector]

    _chunks: list[list[Any]]
    _starts: list[int]
    _len: int

    @staticmethod
    def of(items: Iterable[Any]) -> Vector:
        """Return a sequence of ``items``."""
        if isinstance(items, Vector):
            return items
        chunks = _cut(list(items), VECTOR_LOAD)
        return _vector(chunks, _starts(chunks, 0))

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(index)
        if index < 0:
            index += self._len
        if not 0 <= index < self._len:
            raise IndexError("index out of range")
        at = bisect_right(self._starts, index) - 1
        return self._chunks[at][index - self._starts[at]]

    def _slice(self, index: slice) -> list[Any]:
        start, stop, step = index.indices(self._len)
        if step != 1:
            return list(self)[index]
        out: list[Any] = []
        if start < stop:
            for at in range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, stop)):
                first = self._starts[at]
                out += self._chunks[at][max(start - first, 0) : stop - first]
        return out

    def __len__(self) -> int:
        return self._len

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self._chunks)

    def __reversed__(self) -> Iterator[Any]:
        return chain.from_iterable(map(reversed, reversed(self._chunks)))

    def __contains__(self, item: object) -> bool:
        return any(item in chunk for chunk in self._chunks)

    def index_of(self, item: object) -> int:
        """Return the index of the first item equal to ``item``, found by looking at each one.

        Raises `ValueError` if there is none.
        """
        for chunk, start in zip(self._chunks, self._starts, strict=True):
            if item in chunk:
                return start + chunk.index(item)
        raise ValueError(f"{item!r:.80} is not in the sequence")

    def unlike(self, other: Vector) -> tuple[int, int, int]:
        """Return where two begin to differ, and where the parts that differ end: own, other's.

        What is before and behind them is the same, item by item. Chunks that both share are not
        looked into.
        """
        start, mine, others = _differing(self._chunks, other._chunks)
        own = list(chain.from_iterable(self._chunks[start:mine]))
        their = list(chain.from_iterable(other._chunks[start:others]))
        begin, own_end, their_end = _differing(own, their)
        before = self._starts[start] if start < len(self._starts) else self._len
        return before + begin, before + own_end, before + their_end

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vector):
            return NotImplemented
        return self is other or (self._len == other._len and list(self) == list(other))

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Vector.of, (list(self),)

    def set(self, index: int, item: Any) -> Vector:
        """Return a sequence with ``item`` at ``index``; the same one if that is there already."""
        if not 0 <= index < self._len:
            raise IndexError("index out of range")
        at = bisect_right(self._starts, index) - 1
        chunk = self._chunks[at]
        slot = index - self._starts[at]
        if chunk[slot] is item:
            return self
        chunk = chunk[:]
        chunk[slot] = item
        chunks = self._chunks[:]
        chunks[at] = chunk
        return _vector(chunks, self._starts)

    def insert(self, index: int, item: Any) -> Vector:
        """Return a sequence with ``item`` before ``index``, or at the end for ``len``."""
        if not 0 <= index <= self._len:
            raise IndexError("index out of range")
        at = bisect_right(self._starts, index) - 1
        if at < 0 or len(self._chunks[at]) >= 2 * VECTOR_LOAD:
            return self.splice(index, 0, (item,))
        chunk = self._chunks[at][:]
        chunk.insert(index - self._starts[at], item)
        return self._replaced(at, chunk, 1)

    def append(self, item: Any) -> Vector:
        """Return a sequence with ``item`` at its end."""
        return self.insert(self._len, item)

    def remove(self, index: int) -> Vector:
        """Return a sequence without the item at ``index``."""
        if not 0 <= index < self._len:
            raise IndexError("index out of range")
        at = bisect_right(self._starts, index) - 1
        if len(self._chunks[at]) <= (VECTOR_LOAD // 2 if len(self._chunks) > 1 else 1):
            return self.splice(index, 1, ())
        chunk = self._chunks[at][:]
        del chunk[index - self._starts[at]]
        return self._replaced(at, chunk, -1)

    def _replaced(self, at: int, chunk: list[Any], grown: int) -> Vector:
        chunks, starts = self._chunks[:], self._starts
        chunks[at] = chunk
        if at + 1 < len(starts):
            starts = starts[: at + 1]
            starts += [start + grown for start in self._starts[at + 1 :]]
        return _vector(chunks, starts)

    def splice(self, index: int, deleted: int, items: Iterable[Any]) -> Vector:
        """Return a sequence with ``items`` in the place of the ``deleted`` ones from ``index`` on.

        Raises `IndexError` unless all of those are there.
        """
        end = index + deleted
        if not 0 <= index <= end <= self._len:
            raise IndexError(f"expected a part of 0..{self._len}, got {index}..{end}")
        new = list(items)
        if not new and not deleted:
            return self
        if not self._len:
            return Vector.of(new)
        old_chunks, old_starts = self._chunks, self._starts
        grown = len(new) - deleted
        # The chunks that hold the borders of the part; at the very end that is the last one.
        first = bisect_right(old_starts, index) - 1
        last = bisect_right(old_starts, end) - 1
        chunk = old_chunks[first][:]
        if first == last:
            chunk[index - old_starts[first] : end - old_starts[first]] = new
        else:
            del chunk[index - old_starts[first] :]
            chunk += new
            chunk += old_chunks[last][end - old_starts[last] :]
        if len(chunk) < VECTOR_LOAD // 2:
            if last + 1 < len(old_chunks):
                last += 1
                chunk += old_chunks[last]
            elif first:
                first -= 1
                chunk = old_chunks[first] + chunk
        pieces = _cut(chunk, VECTOR_LOAD)
        chunks = old_chunks[:]
        chunks[first : last + 1] = pieces
        starts = old_starts[:first]
        starts += _starts(pieces, old_starts[first])
        starts += [start + grown for start in old_starts[last + 1 :]]
        return _vector(chunks, starts)


def _vector(chunks: list[list[Any]], starts: list[int]) -> Vector:
    new = object.__new__(Vector)
    new._chunks = chunks
    new._starts = starts
    new._len = starts[-1] + len(chunks[-1]) if chunks else 0
    return new


def _starts(chunks: list[list[Any]], start: int) -> list[int]:
    return list(accumulate(map(len, chunks[:-1]), initial=start)) if chunks else []


Vector.EMPTY = _vector([], [])


# Chunks


def _cut(items: list[Any], load: int) -> list[list[Any]]:
    """Cut ``items`` into chunks of about ``load``, unless they fit in one of at most twice that.

    The sizes depend on the number of items alone, so parallel lists are cut alike.
    """
    size = len(items)
    if size <= 2 * load:
        return [items] if items else []
    pieces = size // load
    bounds = [size * i // pieces for i in range(pieces + 1)]
    return [items[start:stop] for start, stop in pairwise(bounds)]


def _join(chunks: list[list[Any]], load: int) -> list[list[Any]]:
    """Join every chunk of less than half the load with a neighbour, and cut again where needed."""
    out: list[list[Any]] = []
    for chunk in chunks:
        if out and (len(chunk) < load // 2 or len(out[-1]) < load // 2):
            out[-1:] = _cut(out[-1] + chunk, load)
        else:
            out.append(chunk)
    return out
