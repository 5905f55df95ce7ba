"""Drafts behave as the plain containers they look like: list, dict, set, str and number.

Each property runs the same random program on a draft, inside a reducer, and on the plain Python
object, and compares every result, every exception and the content after every step. Then the new
snapshot, and that of a second store that merges the delta, must equal the plain object too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import crdtstore
from crdtstore import Counter, Text, create_slice
from crdtstore.changes import Splice
from crdtstore.draft import record
from properties.plain_twin import (
    Holder,
    Step,
    alike,
    atoms,
    bare,
    bind,
    differential,
    draws,
    elements,
    indices,
    inplace,
    lists,
    outcome,
    programs,
    slices,
    stores,
)

# Lists of plain values


@dataclass
class Listed:
    x: crdtstore.List[Any] = crdtstore.List([3, 1, 2])


wrong = st.sampled_from(["a", 1.5, None, (1,)])


def grow_while_iterating(c: Any) -> list[Any]:
    seen = []
    for item in c:
        seen.append(bare(item))
        if len(c) < 8:
            c.append("new")
    return seen


def shrink_while_iterating(c: Any) -> list[Any]:
    seen = []
    for item in c:
        seen.append(bare(item))
        c.remove(item)
    return seen


def sort_with_a_failing_key(c: Any) -> None:
    c.sort(key=lambda item: 1 // (len(c) - len(c)))


list_steps = (
    draws(lambda c, v: c.append(v), elements),
    draws(lambda c, vs: c.extend(vs), lists),
    draws(lambda c, vs: c.extend(iter(vs)), lists),
    draws(lambda c: c.extend(c)),
    draws(lambda c, i, v: c.insert(i, v), indices, elements),
    draws(lambda c: c.pop()),
    draws(lambda c, i: c.pop(i), indices),
    draws(lambda c, v: c.remove(v), elements),
    draws(lambda c: c.clear()),
    draws(lambda c: c.reverse()),
    draws(lambda c, r: c.sort(key=repr, reverse=r), st.booleans()),
    draws(lambda c, r: c.sort(key=lambda v: len(repr(v)), reverse=r), st.booleans()),
    draws(sort_with_a_failing_key),
    draws(lambda c, i: c[i], indices),
    draws(lambda c, s: c[s], slices),
    draws(lambda c, i, v: operator.setitem(c, i, v), indices, elements),
    draws(lambda c, s, vs: operator.setitem(c, s, vs), slices, lists),
    draws(lambda c, s: operator.setitem(c, s, c), slices),
    draws(lambda c, s, t: operator.setitem(c, s, c[t]), slices, slices),
    draws(lambda c, i: operator.delitem(c, i), indices),
    draws(lambda c, s: operator.delitem(c, s), slices),
    draws(lambda c, v: c.index(v), elements),
    draws(lambda c, v, i, j: c.index(v, i, j), elements, indices, indices),
    draws(lambda c, v: c.count(v), elements),
    draws(lambda c, v: v in c, elements),
    draws(lambda c: (len(c), bool(c), list(c), list(reversed(c)), c.copy(), repr(c))),
    draws(lambda c, vs: (c + vs, vs + c, c == vs, vs == c, c != vs), lists),
    draws(lambda c: (c == list(c), list(c) == c, c != list(c), c == tuple(c), c + c, c == c)),
    draws(lambda c, n: (c * n, n * c), st.integers(-1, 2)),
    draws(lambda c, vs: (c < vs, c <= vs, c > vs, c >= vs), st.lists(st.integers(0, 4))),
    draws(grow_while_iterating),
    draws(shrink_while_iterating),
    draws(lambda c, i, v: c[i].append(v), indices, atoms),
    draws(lambda c, i, v: c[i].update(a=v), indices, atoms),
    draws(lambda c, w: c[w], wrong),
    draws(lambda c, w: operator.setitem(c, w, 1), wrong),
    draws(lambda c, w: operator.delitem(c, w), wrong),
    draws(lambda c, w: c.insert(w, 1), wrong),
    draws(lambda c, w: c.pop(w), st.sampled_from(["a", 1.5, (1,)])),
    draws(lambda c: c.extend(5)),
    draws(lambda c: c.sort(None)),
    draws(lambda c: operator.setitem(c, slice(0, 1), 5)),
    draws(lambda c: hash(c)),
    draws(lambda c, i, j: c.__setitem__(i, c[j]), indices, indices),
    st.builds(inplace(operator.iadd), lists),
    st.builds(inplace(operator.imul), st.integers(-1, 2)),
    st.builds(inplace(operator.imul), st.sampled_from([0.5, "a", None])),
    st.builds(inplace(operator.iadd), st.sampled_from([5, None])),
    st.builds(bind, lists),
)


def short(program: Iterable[Step]) -> list[Step]:
    """Keep lists from doubling for ever."""

    def guard(step: Step) -> Step:
        def run(holder: Any) -> Any:
            return step(holder) if len(holder.x) < 40 else holder.x.clear()

        return run

    return [guard(step) for step in program]


@given(programs(*list_steps))
def test_a_list_draft_behaves_as_a_list(written: list[list[Step]]) -> None:
    """Every operation of list gives the same result or exception and leaves the same content."""
    differential(Listed, [3, 1, 2], [short(program) for program in written])


# Maps


@dataclass
class Mapped:
    x: crdtstore.Map[Any] = crdtstore.Map({"a": 1, "b": [1]})


keys = st.sampled_from(["a", "b", "c", "", "é", "a/b", "@", "🙂"])
dicts = st.dictionaries(keys, elements, max_size=4)


def take_any(c: Any) -> Any:
    """``popitem`` gives some entry, and which one is not promised; both sides lose the same."""
    key = min(c)
    return key, c.pop(key)


map_steps = (
    draws(lambda c, k: c[k], keys),
    draws(lambda c, k, v: operator.setitem(c, k, v), keys, elements),
    draws(lambda c, k: operator.delitem(c, k), keys),
    draws(lambda c, k: (k in c, c.get(k), c.get(k, 7)), keys),
    draws(lambda c, k: c.pop(k), keys),
    draws(lambda c, k, v: c.pop(k, v), keys, elements),
    draws(lambda c, k, v: c.setdefault(k, v), keys, elements),
    draws(lambda c, k, v: c.setdefault(k, []).append(v), keys, atoms),
    draws(lambda c, k: c.setdefault(k), keys),
    draws(lambda c, d: c.update(d), dicts),
    draws(lambda c, d: c.update(list(d.items())), dicts),
    draws(lambda c, v: c.update(a=v, z=v), elements),
    draws(lambda c, d, v: c.update(d, b=v), dicts, elements),
    draws(lambda c: c.clear()),
    draws(take_any),
    draws(lambda c: (len(c), bool(c), sorted(c), sorted(c.keys()), c.copy())),
    draws(lambda c: sorted(map(repr, c.values()))),
    draws(lambda c: sorted(map(repr, c.items()))),
    draws(lambda c: sorted(list(reversed(c)))),  # noqa: C414 — that a draft can be reversed is the point
    draws(lambda c: sorted(c.keys() | {"q"}) + sorted(c.keys() & {"a"}) + sorted(c.keys() - {"a"})),
    draws(lambda c, d: (c | d, d | c, c == d, d == c, c != d), dicts),
    draws(lambda c: (c == dict(c), dict(c) == c, {**c}, c == c)),
    draws(lambda c, k, v: c[k].append(v), keys, atoms),
    draws(lambda c, k, v: c[k].update(n=v), keys, atoms),
    draws(lambda c, k, j: operator.setitem(c, k, c[j]), keys, keys),
    draws(lambda c, k: c.pop(k, 1, 2), keys),
    draws(lambda c: c.update(5)),
    draws(lambda c: c | 5),
    draws(lambda c: hash(c)),
    draws(lambda c: c < {}),
    st.builds(inplace(operator.ior), dicts),
    st.builds(inplace(operator.ior), dicts.map(lambda d: list(d.items()))),
    st.builds(inplace(operator.ior), st.just(5)),
    st.builds(bind, dicts),
)


@given(programs(*map_steps))
def test_a_map_draft_behaves_as_a_dict(written: list[list[Step]]) -> None:
    """Every operation of dict gives the same result or exception and leaves the same content."""
    differential(Mapped, {"a": 1, "b": [1]}, written)


@given(dicts)
def test_popitem_removes_an_entry_until_none_is_left(content: dict[str, Any]) -> None:
    """``popitem`` gives every entry once, then raises ``KeyError``."""
    store, _, dispatch = stores(Mapped)

    def run(state: Any) -> None:
        state.x = content
        popped = [state.x.popitem() for _ in content]
        assert alike(bare(dict(popped)), content)
        with pytest.raises(KeyError):
            state.x.popitem()

    dispatch(run)
    assert store.state.s.x == {}


# Sets


@dataclass
class Setted:
    x: crdtstore.Set[Any] = crdtstore.Set({1, "a"})


hashable = st.integers(0, 3) | st.sampled_from(["a", "b", None, True, 1.0, 2.5, (1, "a"), b"a"])
sets = st.sets(hashable, max_size=4)
iterables = sets | st.lists(hashable, max_size=4)

set_steps = (
    draws(lambda c, v: c.add(v), hashable),
    draws(lambda c, v: c.discard(v), hashable),
    draws(lambda c, v: c.remove(v), hashable),
    draws(lambda c, v: v in c, hashable),
    draws(lambda c: c.clear()),
    draws(lambda c: (len(c), bool(c), set(c), c.copy(), frozenset(c))),
    draws(lambda c, v: c.update(v), iterables),
    draws(lambda c, v, w: c.update(v, w), iterables, iterables),
    draws(lambda c, v, w: c.difference_update(v, w), iterables, iterables),
    draws(lambda c, v, w: c.intersection_update(v, w), iterables, iterables),
    draws(lambda c, v: c.symmetric_difference_update(v), iterables),
    draws(lambda c: c.update()),
    draws(lambda c: c.intersection_update()),
    draws(lambda c, v, w: (c.union(v, w), c.intersection(v, w)), iterables, iterables),
    draws(lambda c, v, w: c.difference(v, w), iterables, iterables),
    draws(lambda c, v: c.symmetric_difference(v), iterables),
    draws(lambda c, v: (c.issubset(v), c.issuperset(v), c.isdisjoint(v)), iterables),
    draws(lambda c, v: (c | v, c & v, c - v, c ^ v), sets),
    draws(lambda c, v: (v | c, v & c, v - c, v ^ c), sets),
    draws(lambda c, v: (c == v, v == c, c != v, c <= v, c < v, c >= v, c > v), sets),
    draws(lambda c, v: (v <= c, v < c, v >= c, v > c), sets),
    draws(lambda c: (c == set(c), set(c) == c, c <= c, c == c, c == list(c))),
    draws(lambda c, v: c | v, st.lists(hashable)),
    draws(lambda c, v: c - v, st.lists(hashable)),
    draws(lambda c: "ab" | c),
    draws(lambda c: c < 5),
    draws(lambda c: c.update(5)),
    draws(lambda c: hash(c)),
    draws(lambda c: c.difference_update(c)),
    draws(lambda c: c.symmetric_difference_update(c)),
    draws(lambda c: [c.remove(v) for v in list(c)] and None),
    *(
        st.builds(inplace(function), sets | st.sampled_from(["abc", [1], 5, {"a": 1}]))
        for function in (operator.ior, operator.iand, operator.isub, operator.ixor)
    ),
    st.builds(bind, sets),
    draws(lambda c: operator.ior(c, c) is c),
)


@given(programs(*set_steps))
def test_a_set_draft_behaves_as_a_set(written: list[list[Step]]) -> None:
    """Every operation of set gives the same result or exception and leaves the same content."""
    differential(Setted, {1, "a"}, written)


@given(sets)
def test_set_pop_removes_an_element_until_none_is_left(content: set[Any]) -> None:
    """``pop`` gives every element once, then raises ``KeyError``."""
    store, _, dispatch = stores(Setted)

    def run(state: Any) -> None:
        state.x = content
        assert {state.x.pop() for _ in content} == content
        with pytest.raises(KeyError):
            state.x.pop()

    dispatch(run)
    assert store.state.s.x == set()


# Texts


@dataclass
class Texted:
    x: Text = Text("héllo 🙂")


class Editor:
    """The plain counterpart of a text: a str, and the edits spelled out on it."""

    def __init__(self, value: str) -> None:
        self.x = value


letters = st.sampled_from(
    ["a", "b", "\0", "é", "e\u0301", "🙂", "👩‍👩‍👧", "\u200d", "\n", "\u2028"]
)
words = st.lists(letters, max_size=6).map("".join)

Edit = Callable[[Any, bool], Any]


def edit_insert(index: int, text: str) -> Edit:
    def run(target: Any, is_draft: bool) -> None:
        if is_draft:
            target.x.insert(index, text)
        else:
            letters_of = list(target.x)
            letters_of.insert(index, text)
            target.x = "".join(letters_of)

    return run


def edit_splice(index: int, delete: int, insert: str) -> Edit:
    def run(target: Any, is_draft: bool) -> None:
        length = len(target.x)
        start = index + length if index < 0 else index
        if not is_draft and (not 0 <= start <= length or delete < 0 or start + delete > length):
            raise IndexError
        if is_draft:
            target.x.splice(index, delete, insert)
        else:
            target.x = target.x[:start] + insert + target.x[start + delete :]

    return run


def edit_delete(index: int, length: int) -> Edit:
    splice = edit_splice(index, length, "")

    def run(target: Any, is_draft: bool) -> None:
        if is_draft:
            target.x.delete(index, length)
        else:
            splice(target, False)

    return run


def edit_assign(text: str) -> Edit:
    def run(target: Any, _: bool) -> None:
        target.x = text

    return run


def edit_append(text: str) -> Edit:
    def run(target: Any, _: bool) -> None:
        target.x += text

    return run


def edit_with(method: Callable[[str], str]) -> Edit:
    def run(target: Any, _: bool) -> None:
        target.x = method(target.x)

    return run


edits = st.one_of(
    st.builds(edit_insert, indices, words),
    st.builds(edit_delete, indices, st.integers(-1, 4)),
    st.builds(edit_splice, indices, st.integers(-1, 4), words),
    st.builds(edit_assign, words),
    st.builds(edit_append, words),
    st.builds(
        edit_with,
        st.sampled_from([str.upper, str.title, lambda s: s[::-1], lambda s: s.replace("a", "bb")]),
    ),
)


@given(st.lists(st.lists(edits, max_size=6), max_size=4))
def test_a_text_draft_is_edited_as_a_str_is(written: list[list[Edit]]) -> None:
    """Edits count in code points, negative positions from the end, and every replica agrees."""
    store, peer, dispatch = stores(Texted)
    plain = Editor("héllo 🙂")
    for program in written:

        def run(state: Any, program: list[Edit] = program) -> None:
            for edit in program:
                wanted = outcome(lambda target, edit=edit: edit(target, False), plain)
                assert outcome(lambda target, edit=edit: edit(target, True), state) == wanted
                assert state.x == plain.x
                assert (len(state.x), str(state.x)) == (len(plain.x), plain.x)

        dispatch(run)
        for each in (store, peer):
            assert each.state.s.x == plain.x


def common_subsequence(a: str, b: str) -> int:
    """The length of a longest common subsequence, by the table."""
    row = [0] * (len(b) + 1)
    for x in a:
        above = row
        row = [0]
        for j, y in enumerate(b):
            row.append(above[j] + 1 if x == y else max(above[j + 1], row[j]))
    return row[-1]


small = st.text(alphabet="abé🙂", max_size=14)


@given(small, small)
def test_assigning_a_text_inserts_and_deletes_the_fewest_characters(a: str, b: str) -> None:
    """Whole assignment becomes the splices of a shortest edit script, which do what they say."""
    shape = create_slice(name="s", initial_state=TextOnly(a)).shape

    def assign(state: Any) -> None:
        state.x = b

    changes = record(shape, shape.default, assign, token=iter("").__next__)
    text = a
    cost = 0
    for change in changes:
        assert isinstance(change, Splice)
        at, gone, new = change.at, change.deleted, change.inserted
        assert text[at : at + len(gone)] == gone
        text = text[:at] + new + text[at + len(gone) :]
        cost += len(gone) + len(new)
    assert text == b
    assert cost == len(a) + len(b) - 2 * common_subsequence(a, b)


@dataclass
class TextOnly:
    x: Text = Text()


# Counters


@dataclass
class Counted:
    x: Counter = Counter(3)


@dataclass
class Measured:
    x: Counter[float] = Counter(0.5)


def compute(function: Callable[[Any, Any], Any]) -> Callable[[Any], Step]:
    def make(amount: Any) -> Step:
        def run(holder: Any) -> None:
            holder.x = function(holder.x, amount)

        return run

    return make


amounts = st.integers(-5, 5) | st.sampled_from([2**53, -(2**53), 2**70])
counter_steps = (
    *(
        st.builds(compute(function), amounts)
        for function in (operator.iadd, operator.isub, operator.imul, lambda a, b: b)
    ),
    st.builds(compute(lambda a, b: a // b), st.integers(-2, 2)),
)


@given(programs(*counter_steps))
def test_a_counter_follows_the_arithmetic_of_int(written: list[list[Step]]) -> None:
    """Sums, differences, products and assignments read back exactly, however big."""
    differential(Counted, 3, written)


eighths = st.integers(-40, 40).map(lambda n: n / 8)


@given(
    programs(
        *(
            st.builds(compute(function), eighths | st.integers(-5, 5))
            for function in (operator.iadd, operator.isub, lambda a, b: b)
        )
    )
)
def test_a_float_counter_follows_the_arithmetic_of_float(written: list[list[Step]]) -> None:
    """Sums that are exact in floats read back as they are (up to int and float of one number)."""
    store, peer, dispatch = stores(Measured)
    plain = Holder(0.5)
    for program in written:

        def run(state: Any, program: list[Step] = program) -> None:
            for step in program:
                step(state)
                step(plain)
                assert state.x == plain.x

        dispatch(run)
        assert store.state.s.x == peer.state.s.x == plain.x


# Moving


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(-4, 4), st.integers(-4, 4))
def test_move_puts_one_element_at_its_place(ranks: list[int], index: int, to: int) -> None:
    """``move(i, j)`` is ``insert(j, pop(i))``, with the element's key kept."""
    assume(ranks)
    store, _, dispatch = stores(Listed)
    dispatch(lambda state: setattr(state, "x", ranks))
    length = len(ranks)
    keys_before = [store.state.s.x.key_at(i) for i in range(length)]
    plain = list(zip(keys_before, ranks, strict=True))

    def run(state: Any) -> None:
        if -length <= index < length and -length <= to < length:
            state.x.move(index, to)
            plain.insert(to % length, plain.pop(index))
        else:
            with pytest.raises(IndexError):
                state.x.move(index, to)

    dispatch(run)
    x = store.state.s.x
    assert [(x.key_at(i), v) for i, v in enumerate(x)] == plain
    assert all(x.index_of(key) == i for i, (key, _) in enumerate(plain))
    assert all(a != b for a, b in pairwise(sorted(keys_before)))
