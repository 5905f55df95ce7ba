"""A reducer does to a draft what it does to a plain instance, and records what it did, no more.

Random programs over nested records, lists and tables run on a draft and on an ordinary instance of
the same dataclass. Elements are swapped, popped and put in again, assigned and edited afterwards
through whatever name they have: all that must end in the state that plain Python ends in.
"""

from __future__ import annotations

import copy
import dataclasses
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import crdtstore
from crdtstore import Counter, Slice, Table, Text, configure_store, create_slice, current, original
from crdtstore.changes import Move
from crdtstore.draft import record
from properties.plain_twin import (
    Step,
    alike,
    atoms,
    bare,
    both,
    indices,
    outcome,
    slice_of,
    slices,
    stores,
    unshared,
)


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

        def run(state: Any, program: list[Step] = program, plain: Board = plain) -> None:
            for step in program:
                both(step, state, plain)

        dispatch(run)
        for each in (store, peer):
            assert alike(bare(each.state.s), bare(plain))
        plain = unshared(plain)


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
    """Rows and fields that a dispatch left equal are the very objects, here and after a merge."""
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
