"""Drafts behave as the plain containers they look like, and what they record is what was done.

Each property runs the same random program on a draft, inside a reducer, and on the plain Python
object, and compares every result, every exception and the content after every step. Then the new
snapshot, and that of a second store that merges the delta, must equal the plain object too.
"""

from __future__ import annotations

import copy
import dataclasses
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import crdtstore
from crdtstore import (
    Counter,
    RevokedDraftError,
    Slice,
    Store,
    Table,
    Text,
    configure_store,
    create_slice,
    current,
    original,
)
from crdtstore.changes import Move, Splice
from crdtstore.draft import record
from crdtstore.values import thaw
from properties.state_values import exactly

Step = Callable[[Any], Any]
ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def bare(value: Any) -> Any:
    """Copy whatever a draft or a snapshot gives into plain Python data, types kept."""
    if type(value) in ATOMS:
        return value
    if isinstance(value, crdtstore.TextView):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: bare(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: bare(value[key]) for key in value}
    if isinstance(value, Set):
        return set(value)
    if isinstance(value, tuple):
        return tuple(bare(item) for item in value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [bare(item) for item in value]
    return thaw(value)


def alike(a: Any, b: Any) -> bool:
    """Compare content exactly; the order of mappings is not content, equal set elements are one."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, Set) and isinstance(b, Set):
        return a == b
    return exactly(a, b)


def outcome(step: Step, target: Any) -> tuple[str, Any]:
    """Run one step and say what came of it: a value, or the type of an exception."""
    try:
        result = step(target)
    except RevokedDraftError:
        raise
    except Exception as error:
        return "raised", type(error)
    return "returned", bare(result)


def both(step: Step, draft: Any, plain: Any) -> None:
    """Run one step on both, and compare what came of it and what they hold afterwards."""
    wanted = outcome(step, plain)
    found = outcome(step, draft)
    assert found[0] == wanted[0], (found, wanted)
    assert alike(found[1], wanted[1]), (found, wanted)
    assert alike(bare(draft), bare(plain)), (bare(draft), bare(plain))


@lru_cache(maxsize=None)
def slice_of(initial: Callable[[], Any]) -> tuple[Slice[Any], Any]:
    """Make a slice whose one reducer runs the program that is its payload."""
    made: Slice[Any] = create_slice(name="s", initial_state=initial())

    @made.reducer
    def run(state: Any, program: Step) -> None:
        program(state)

    return made, run


def stores(initial: Callable[[], Any]) -> tuple[Store, Store, Callable[[Step], None]]:
    """Open a store and a peer; return them, and what dispatches a program."""
    made, run = slice_of(initial)
    store, peer = configure_store([made]), configure_store([made])

    def dispatch(program: Step) -> None:
        store.dispatch(run(program))
        peer.merge(store.deltas_since(peer.state_vectors()))
        assert peer.digest() == store.digest()

    return store, peer, dispatch


def differential(initial: Callable[[], Any], plain: Any, programs: list[list[Step]]) -> None:
    """Run programs, one a dispatch, on the field ``x`` of a state and on a plain container."""
    store, peer, dispatch = stores(initial)
    held = Holder(plain)
    for program in programs:

        def run(state: Any, program: list[Step] = program) -> None:
            for step in program:
                both(lambda holder: step(holder), state, held)

        dispatch(run)
        for each in (store, peer):
            assert alike(bare(each.state.s), bare(held))
        held.x = unshared(held.x)


@dataclass
class Holder:
    """The plain counterpart of a state: one field ``x``."""

    x: Any


def on(step: Callable[..., Any], *arguments: Any) -> Step:
    """Make a step that works on the container in ``x``; its arguments are copied for each side."""

    def run(holder: Any) -> Any:
        return step(holder.x, *copy.deepcopy(arguments))

    run.__qualname__ = f"{step.__qualname__}{arguments!r}"
    return run


def inplace(function: Callable[[Any, Any], Any]) -> Callable[[Any], Step]:
    """Make steps of an in-place operator: ``holder.x += value`` binds the result again."""

    def make(value: Any) -> Step:
        def run(holder: Any) -> None:
            holder.x = function(holder.x, copy.deepcopy(value))

        return run

    return make


def bind(value: Any) -> Step:
    """Make the step that assigns a whole new value."""

    def run(holder: Any) -> None:
        holder.x = copy.deepcopy(value)

    return run


def programs(*steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[list[Step]]]:
    """Draw a few programs of a few steps each."""
    return st.lists(st.lists(st.one_of(*steps), max_size=6), max_size=4)


def draws(function: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> Any:
    """Draw steps that call ``function`` on the container with drawn arguments."""
    return st.builds(on, st.just(function), *strategies)


# Lists of plain values


@dataclass
class Listed:
    x: crdtstore.List[Any] = crdtstore.List([3, 1, 2])


atoms = st.integers(0, 4) | st.sampled_from(["a", "b", "", None, True, 1.0, 2.5])
elements = atoms | st.lists(atoms, max_size=2) | st.dictionaries(st.sampled_from("ab"), atoms)
indices = st.integers(-6, 6)
bounds = st.none() | indices
slices = st.builds(slice, bounds, bounds, st.sampled_from([None, None, 1, 2, -1, -2, 3, 0]))
lists = st.lists(elements, max_size=5)
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
    draws(lambda c: c.extend(c)).filter(lambda _: True),
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
    draws(lambda c: sorted(reversed(c))),
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


letters = st.sampled_from(["a", "b", "\0", "é", "e\u0301", "🙂", "👩‍👩‍👧", "\u200d", "\n", "\u2028"])
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


# Records: whole programs on a dataclass, on a draft of it and on a plain instance


@dataclass
class Address:
    street: str = "high street"
    visits: Counter = Counter(0)
    notes: crdtstore.Map[Any] = crdtstore.Map()


@dataclass
class Todo:
    title: Text = Text()
    rank: int = 0
    votes: Counter = Counter(0)
    tags: crdtstore.Set[str] = crdtstore.Set()
    extra: Any = None
    address: Address = field(default_factory=Address)

    def __repr__(self) -> str:  # a user's own, which tells rows apart badly
        return "<a todo>"

    def promote(self, by: int) -> int:
        self.rank = self.rank + by
        self.tags.add("promoted")
        return self.rank

    @property
    def label(self) -> str:
        return f"{self.title} ({self.rank})"

    @label.setter
    def label(self, label: str) -> None:
        self.title, _, rank = label.partition(" ")
        self.rank = len(rank)


def three() -> list[Todo]:
    return [Todo("one", 1), Todo("two", 2, tags={"x"}), Todo("three", 3, votes=3)]


@dataclass
class Board:
    todo: crdtstore.List[Todo] = crdtstore.List(three())
    done: crdtstore.List[Todo] = crdtstore.List()
    rows: Table[Todo] = Table({"a": Todo("row a"), "b": Todo("row b", 7)})
    best: Todo = field(default_factory=lambda: Todo("best"))
    worst: Todo = field(default_factory=lambda: Todo("worst", -1))
    names: crdtstore.Map[Any] = crdtstore.Map({"x": [1]})
    spare: crdtstore.Map[Any] = crdtstore.Map()
    tags: crdtstore.Set[str] = crdtstore.Set({"t"})
    ghosts: crdtstore.Set[str] = crdtstore.Set({"g"})
    note: Text = Text("note")
    aside: Text = Text("aside")
    memo: Any = None


def pick(things: Any, at: int) -> Any:
    return things[at % len(things)]


todos = st.builds(
    lambda title, rank, votes, tags: Todo(title, rank, votes, tags),
    st.text(alphabet="xyé", max_size=3),
    st.integers(0, 3),
    st.integers(0, 2),
    st.sets(st.sampled_from("pq")),
)
places = st.sampled_from(["todo", "done"])
row_keys = st.sampled_from(["a", "b", "c"])


def swap_elements(s: Any, i: int, j: int) -> None:
    c = s.todo
    i, j = i % len(c), j % len(c)
    c[i], c[j] = c[j], c[i]


def swap_fields(s: Any, pair: tuple[str, str]) -> None:
    a, b = pair
    x, y = getattr(s, a), getattr(s, b)
    setattr(s, a, y)
    setattr(s, b, x)


def rotate(s: Any) -> None:
    s.done, s.todo = s.todo, []


def hand_over(s: Any) -> None:
    old = s.todo
    s.todo = []
    s.done = old


def pop_and_append(s: Any, i: int) -> None:
    item = s.todo.pop(i)
    s.done.append(item)
    item.rank = item.rank + 10
    s.done[-1].votes += 1


def append_then_edit(s: Any, item: Todo) -> None:
    s.todo.append(item)
    item.rank = 99
    item.tags.add("late")
    item.votes += 2


def put_row_then_edit(s: Any, key: str, item: Todo) -> None:
    s.rows[key] = item
    item.title = "edited later"
    item.address.street = "moved"


def assign_record_then_edit(s: Any, item: Todo) -> None:
    s.best = item
    item.rank = 42
    item.address.notes["late"] = 1


def old_record_is_let_go(s: Any, item: Todo) -> None:
    old = s.best
    s.best = item
    old.rank = 1000
    old.tags.add("gone")
    assert s.best.rank == item.rank


def old_row_is_let_go(s: Any, key: str) -> None:
    old = s.rows.pop(key)
    old.rank = -5
    old.extra = [old.rank]
    s.memo = [old.rank, old.title + "!", sorted(old.tags), old.extra]


def keep_some(s: Any, floor: int) -> None:
    kept = [item for item in s.todo if item.rank >= floor]
    s.todo = kept
    for item in kept:
        item.votes += 1


def edit_register_in_place(s: Any, key: str) -> None:
    s.memo = {"k": []}
    s.memo["k"].append(key)
    s.names.setdefault(key, []).append(1)
    s.best.extra = [1]
    s.best.extra.append({"deep": []})
    s.best.extra[1]["deep"].append(2)


def register_alias(s: Any) -> None:
    kept: list[Any] = []
    s.memo = kept
    s.names["alias"] = kept2 = {"n": 1}
    kept.append(1)
    kept2["m"] = 2


def replace_row(s: Any, key: str) -> None:
    s.rows[key] = dataclasses.replace(s.rows[key], rank=12)


def copy_rows(s: Any, key: str) -> None:
    twin = copy.deepcopy(s.rows[key])
    twin.rank += 1
    s.rows["copy"] = twin


record_steps = st.one_of(
    st.builds(
        lambda t: lambda s: s.todo.append(t()), todos.map(lambda t: lambda: copy.deepcopy(t))
    ),
    *(
        st.builds(
            lambda f, args: lambda s: f(s, *copy.deepcopy(args)),
            st.just(function),
            st.tuples(*arguments),
        )
        for function, arguments in (
            (swap_elements, (indices, indices)),
            (
                swap_fields,
                (
                    st.sampled_from(
                        [
                            ("todo", "done"),
                            ("best", "worst"),
                            ("names", "spare"),
                            ("tags", "ghosts"),
                            ("note", "aside"),
                        ]
                    ),
                ),
            ),
            (rotate, ()),
            (hand_over, ()),
            (pop_and_append, (indices,)),
            (append_then_edit, (todos,)),
            (put_row_then_edit, (row_keys, todos)),
            (assign_record_then_edit, (todos,)),
            (old_record_is_let_go, (todos,)),
            (old_row_is_let_go, (row_keys,)),
            (keep_some, (st.integers(0, 3),)),
            (edit_register_in_place, (row_keys,)),
            (register_alias, ()),
            (replace_row, (row_keys,)),
            (copy_rows, (row_keys,)),
            (lambda s, i, t: operator.setitem(s.todo, i, t), (indices, todos)),
            (lambda s, v, t: operator.setitem(s.todo, v, [t]), (slices, todos)),
            (lambda s, i, n: pick(s.todo, i).promote(n), (indices, indices)),
            (lambda s, i: setattr(pick(s.todo, i), "label", "new label"), (indices,)),
            (lambda s, i: pick(s.todo, i).label, (indices,)),
            (
                lambda s, i, n: operator.setitem(pick(s.todo, i).address.notes, "n", n),
                (indices, atoms),
            ),
            (lambda s: s.todo.sort(key=lambda t: (-t.rank, t.title)), ()),
            (lambda s: s.todo.reverse(), ()),
            (lambda s: setattr(s, "todo", sorted(s.todo, key=lambda t: t.title)), ()),
            (lambda s: setattr(s, "todo", [*s.todo, *s.done]) or s.done.clear(), ()),
            (lambda s, i: s.todo.remove(pick(s.todo, i)), (indices,)),
            (lambda s, i: operator.delitem(s.todo, i), (indices,)),
            (lambda s, t: (t in s.todo, s.todo.count(t)), (todos,)),
            (lambda s, v: operator.delitem(s.todo, v), (slices,)),
            (lambda s, k, t: operator.setitem(s.rows, k, t), (row_keys, todos)),
            (lambda s, k: operator.delitem(s.rows, k), (row_keys,)),
            (lambda s, k, t: s.rows.setdefault(k, t).promote(1), (row_keys, todos)),
            (lambda s, k: s.rows[k].promote(2), (row_keys,)),
            (lambda s, k, t: s.rows.update({k: t}), (row_keys, todos)),
            (lambda s: s.rows.clear(), ()),
            (lambda s, t: setattr(s, "rows", {"only": t, **s.rows}), (todos,)),
            (lambda s, k: s.rows.get(k) is not None and s.rows[k].tags.add(k), (row_keys,)),
            (lambda s, n: setattr(s.best.address, "visits", n), (indices,)),
            (lambda s: setattr(s.best, "address", copy.deepcopy(s.worst.address)), ()),
            (lambda s: setattr(s.best, "title", s.best.title + s.worst.title), ()),
            (lambda s, t: setattr(s.best, "tags", t), (st.sets(st.sampled_from("pqr")),)),
            (lambda s: s.tags.update(s.best.tags), ()),
            (lambda s: dataclasses.asdict(s.best), ()),
            (lambda s: s.best == s.worst, ()),
            (lambda s: setattr(s, "typo", 1) if isinstance(s, tuple) else None, ()),
        )
    ),
)


@given(st.lists(st.lists(record_steps, max_size=5), max_size=3))
def test_a_reducer_does_to_a_draft_what_it_does_to_a_plain_instance(
    written: list[list[Step]],
) -> None:
    """Programs over nested records, lists, tables and what they hold end in the same state."""
    store, peer, dispatch = stores(Board)
    plain = Board()
    for program in written:

        def run(state: Any, program: list[Step] = program) -> None:
            for step in program:
                assert len(plain.todo) + len(plain.done) < 60
                both(step, state, plain)

        dispatch(run)
        for each in (store, peer):
            assert alike(bare(each.state.s), bare(plain))
        plain = unshared(plain)


def unshared(value: Any) -> Any:
    """Copy a state as the store holds it after a reducer: as a tree, in which nothing is shared."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made = object.__new__(type(value))
        for each in dataclasses.fields(value):
            setattr(made, each.name, unshared(getattr(value, each.name)))
        return made
    if isinstance(value, dict):
        return {key: unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unshared(item) for item in value]
    return copy.copy(value)


# What is recorded


def state_of(titles: list[str]) -> tuple[Any, Any]:
    """Return the shape and the state of a board with these todos."""
    made = create_slice(name="s", initial_state=Board(todo=[Todo(t) for t in titles]))
    return made.shape, made.shape.default


def longest_increasing(numbers: list[int]) -> int:
    """The length of a longest increasing subsequence, by the table."""
    best: list[int] = []
    for at, number in enumerate(numbers):
        best.append(1 + max((best[i] for i in range(at) if numbers[i] < number), default=0))
    return max(best, default=0)


@given(st.lists(st.integers(0, 5), max_size=8), st.booleans())
def test_sorting_moves_the_fewest_elements(ranks: list[int], reverse: bool) -> None:
    """A sort records a move for every element outside a longest run that is in order already."""
    shape, state = state_of([str(rank) for rank in ranks])
    changes = record(
        shape,
        state,
        lambda s: s.todo.sort(key=lambda t: t.title, reverse=reverse),
        token=iter("").__next__,
    )
    order = sorted(range(len(ranks)), key=ranks.__getitem__, reverse=reverse)
    assert all(isinstance(change, Move) for change in changes)
    assert len(changes) == len(ranks) - longest_increasing(order)


orders = st.permutations(range(6))


@given(orders, st.sampled_from(["assign", "slice", "sort", "move"]))
def test_elements_that_change_places_keep_their_keys(order: list[int], how: str) -> None:
    """Sorting, moving and assigning the elements in another order keeps every element's key."""
    made = create_slice(name="s", initial_state=Board(todo=[Todo(str(n)) for n in range(6)]))

    @made.reducer
    def run(state: Any, program: Step) -> None:
        program(state)

    def permute(state: Any) -> None:
        if how == "assign":
            state.todo = [state.todo[n] for n in order]
        elif how == "slice":
            state.todo[:] = [state.todo[n] for n in order]
        elif how == "sort":
            state.todo.sort(key=lambda t: order.index(int(t.title)))
        else:
            for place, n in enumerate(order):
                at = next(i for i, t in enumerate(state.todo) if t.title == str(n))
                state.todo.move(at, place)

    with configure_store([made]) as store:
        before = {t.title: store.state.s.todo.key_at(i) for i, t in enumerate(store.state.s.todo)}
        store.dispatch(run(permute))
        after = store.state.s.todo
        assert [t.title for t in after] == [str(n) for n in order]
        assert {t.title: after.key_at(i) for i, t in enumerate(after)} == before


idle_steps = st.one_of(
    *(
        st.builds(
            lambda f, args: lambda s: f(s, *copy.deepcopy(args)),
            st.just(function),
            st.tuples(*arguments),
        )
        for function, arguments in (
            (lambda s, i: operator.setitem(s.todo, i % 3, three()[i % 3]), (indices,)),
            (lambda s: setattr(s, "todo", three()), ()),
            (lambda s: setattr(s, "todo", s.todo), ()),
            (lambda s: setattr(s, "todo", list(s.todo)), ()),
            (lambda s: operator.setitem(s.todo, slice(1, 2), [s.todo[1]]), ()),
            (lambda s: s.todo.sort(key=lambda t: t.rank), ()),
            (lambda s: s.todo.extend([]), ()),
            (lambda s: s.done.clear(), ()),
            (lambda s, i: s.todo.move(i % 3, i % 3), (indices,)),
            (lambda s: s.todo.append(Todo("passing")) or s.todo.pop(), ()),
            (lambda s: operator.setitem(s.rows, "a", Todo("row a")), ()),
            (lambda s: operator.setitem(s.rows, "a", s.rows["a"]), ()),
            (
                lambda s: operator.setitem(s.rows, "p", Todo("p")) or operator.delitem(s.rows, "p"),
                (),
            ),
            (lambda s: s.rows.update(dict(s.rows)), ()),
            (lambda s: setattr(s, "rows", {k: copy.deepcopy(r) for k, r in s.rows.items()}), ()),
            (lambda s: setattr(s, "best", Todo("best")), ()),
            (lambda s: setattr(s, "best", s.best), ()),
            (lambda s: setattr(s, "names", {"x": [1]}), ()),
            (lambda s: operator.setitem(s.names, "x", [1]), ()),
            (lambda s: s.names["x"].append(2) or s.names["x"].pop(), ()),
            (lambda s: s.names.update(y=1) or s.names.pop("y"), ()),
            (lambda s: setattr(s, "tags", {"t"}), ()),
            (lambda s: s.tags.add("t") or s.tags.discard("u"), ()),
            (lambda s: s.tags.add("u") or s.tags.remove("u"), ()),
            (lambda s: s.tags.discard("t") or s.tags.add("t"), ()),
            (lambda s: setattr(s, "note", "note"), ()),
            (lambda s: s.note.insert(0, "") or s.note.splice(0, 1, "n"), ()),
            (lambda s: setattr(s, "memo", None), ()),
            (lambda s: setattr(s, "memo", 1) or setattr(s, "memo", None), ()),
            (lambda s: setattr(s.best, "votes", s.best.votes), ()),
            (lambda s: s.best.address.__setattr__("visits", s.best.address.visits + 0), ()),
            (lambda s: (s.todo[0], s.rows["a"].tags, s.names["x"], current(s), original(s)), ()),
        )
    ),
)


@given(st.lists(idle_steps, max_size=4))
def test_what_changes_nothing_records_nothing(program: list[Step]) -> None:
    """Equal assignments and what a reducer takes back itself leave the very state, and no delta."""
    made, run = slice_of(Board)
    with configure_store([made]) as store:
        commits: list[Any] = []
        store.on_commit(commits.append)
        before = store.state
        store.dispatch(run(lambda state: [step(state) for step in program] and None))
        assert commits == []
        assert store.state is before


@given(st.lists(record_steps, max_size=4))
def test_a_reducer_that_raises_changes_nothing(program: list[Step]) -> None:
    """Whatever a reducer did before it raised, the state is the very object it was."""
    made, run = slice_of(Board)
    with configure_store([made]) as store:
        commits: list[Any] = []
        store.on_commit(commits.append)
        before, digest = store.state, store.digest()

        def fail(state: Any) -> None:
            for step in program:
                outcome(step, state)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.dispatch(run(fail))
        assert store.state is before
        assert store.digest() == digest
        assert commits == []


@given(st.lists(st.lists(record_steps, max_size=4), max_size=3))
def test_returning_a_new_state_is_as_good_as_mutating_the_draft(written: list[list[Step]]) -> None:
    """A reducer that returns what another would have made of its draft ends in the same state."""
    made: Slice[Board] = create_slice(name="s", initial_state=Board())

    @made.reducer
    def run(state: Any, program: Step) -> Any:
        return program(state)

    with configure_store([made]) as mutating, configure_store([made]) as returning:
        for program in written:

            def mutate(state: Any, program: list[Step] = program) -> None:
                for step in program:
                    outcome(step, state)

            mutating.dispatch(run(mutate))
            wanted = bare(mutating.state.s)
            returning.dispatch(run(lambda _, wanted=wanted: wanted))
            assert alike(bare(returning.state.s), wanted)
            returning.dispatch(run(lambda _: unshared(copy.deepcopy(mutating.state.s))))
            assert alike(bare(returning.state.s), wanted)
            returning.dispatch(run(lambda _: mutating.state.s))
            assert alike(bare(returning.state.s), wanted)


@given(st.lists(record_steps, max_size=5))
def test_current_shows_the_edits_and_original_does_not(program: list[Step]) -> None:
    """``current`` equals what the plain instance holds, ``original`` is the snapshot before."""
    made, run = slice_of(Board)
    plain = Board()
    kept: list[Any] = []
    with configure_store([made]) as store:
        before = store.state.s

        def check(state: Any) -> None:
            for step in program:
                both(step, state, plain)
                shown = current(state)
                kept.append((shown, bare(shown)))
                assert alike(bare(shown), bare(plain))
                assert original(state) is before

        store.dispatch(run(check))
    for shown, content in kept:  # still readable, and not what came later
        assert alike(bare(shown), content)


@given(st.lists(record_steps, max_size=4))
def test_unchanged_parts_keep_their_identity(program: list[Step]) -> None:
    """Rows and fields that a dispatch left equal are the same objects as before, here and merged."""
    store, peer, dispatch = stores(Board)
    before = [each.state.s for each in (store, peer)]
    dispatch(lambda state: [outcome(step, state) for step in program] and None)
    for old, each in zip(before, (store, peer), strict=True):
        new = each.state.s
        for each_field in dataclasses.fields(Board):
            a, b = getattr(old, each_field.name), getattr(new, each_field.name)
            if each_field.name in ("rows", "todo", "done"):
                for x, y in shared_entries(a, b):
                    assert (x is y) == alike(bare(x), bare(y))
            elif each_field.name not in ("note", "aside", "memo"):
                assert (a is b) == alike(bare(a), bare(b))


def shared_entries(a: Any, b: Any) -> list[tuple[Any, Any]]:
    """Pair the rows that both have, by key."""
    if isinstance(a, Mapping):
        return [(a[key], b[key]) for key in a if key in b]
    mine = {a.key_at(i): item for i, item in enumerate(a)}
    theirs = {b.key_at(i): item for i, item in enumerate(b)}
    return [(mine[key], theirs[key]) for key in mine if key in theirs]


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
