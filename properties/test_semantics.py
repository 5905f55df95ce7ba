"""What docs/state.md says of concurrent work, each sentence against an account of a few lines.

`model` knows every kind in every history; here each promise stands alone, with an oracle so small
that it is the sentence itself: some replicas start from the same, act without knowing of one
another, and then hear of everybody in orders of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtstore import Counter, List, Map, Set, Store, Table, Text, configure_store, create_slice


@dataclass
class Row:
    """A row of the table."""

    name: str = ""
    votes: Counter = Counter(0)
    title: Text = Text()


@dataclass
class State:
    """One of each that has a promise."""

    color: str = ""
    tags: Set[str] = Set()
    notes: Map[int] = Map()
    rows: Table[Row] = Table()
    items: List[str] = List()
    page: Text = Text()


things = create_slice(name="things", initial_state=State())


@things.reducer
def change(state: State, work: Callable[[State], object]) -> None:
    """Do what the test says."""
    work(state)


Act = Callable[[Any], object]


def merged(
    start: Act,
    acts: Sequence[Sequence[Act]],
    orders: Sequence[Sequence[int]],
    clocks: Sequence[int],
) -> State:
    """Do ``start``, then each replica's acts without knowledge of the others'; return what all see.

    Each hears of the others' acts in an order of its own, and all must see the same.
    """
    with ExitStack() as stack:
        now = dict.fromkeys(range(len(acts)), 1_000)

        def opened(at: int) -> Store:
            store = configure_store([things], clock=lambda: now[at])
            return stack.enter_context(store)

        stores = [opened(at) for at in range(len(acts))]
        stores[0].dispatch(change(start))
        for store in stores[1:]:
            store.merge(stores[0].deltas_since(store.state_vectors()))
        sent: list[list[Any]] = []
        for at, (store, own) in enumerate(zip(stores, acts, strict=True)):
            deltas: list[Any] = []
            stop = store.on_commit(lambda commit, deltas=deltas: deltas.append(commit.deltas))
            now[at] = clocks[at]
            for act in own:
                store.dispatch(change(act))
            stop()
            sent.append(deltas)
        for at, (store, order) in enumerate(zip(stores, orders, strict=True)):
            for other in order:
                if other != at:
                    for deltas in sent[other]:
                        store.merge(deltas)
        digests = {store.digest() for store in stores}
        assert len(digests) == 1
        return stores[0][things]


def orders_of(count: int) -> st.SearchStrategy[list[list[int]]]:
    """An order in which each of ``count`` replicas hears of the others."""
    return st.lists(st.permutations(range(count)), min_size=count, max_size=count)


def clocks_of(count: int) -> st.SearchStrategy[list[int]]:
    """What the clock of each replica says; they need not agree on anything."""
    return st.lists(st.integers(2_000, 9_000), min_size=count, max_size=count)


three = {"orders": orders_of(3), "clocks": clocks_of(3)}


@given(**three, added=st.lists(st.booleans(), min_size=3, max_size=3), again=st.booleans())
def test_add_wins(
    orders: list[list[int]], clocks: list[int], added: list[bool], again: bool
) -> None:
    """What anybody adds while others remove it is there, whatever the clocks say.

    Adding what is there is no change, so who adds has taken it out before.
    """

    def start(state: State) -> None:
        if again:
            state.tags.add("x")
            state.notes["x"] = 0
            state.rows["x"] = Row("first")

    def remove(state: State) -> None:
        state.tags.discard("x")
        state.notes.pop("x", None)
        state.rows.pop("x", None)

    def add(state: State) -> None:
        state.tags.add("x")
        state.notes["x"] = 1
        state.rows["x"] = Row("again")

    acts = [[remove, add] if one else [remove] for one in added]
    found = merged(start, acts, orders, clocks)
    there = any(added)
    assert ("x" in found.tags, "x" in found.notes, "x" in found.rows) == (there, there, there)


@given(**three, edits=st.lists(st.sampled_from(["name", "votes", "title"]), max_size=4))
def test_remove_wins_over_edits_of_the_removed_row(
    orders: list[list[int]], clocks: list[int], edits: list[str]
) -> None:
    """A row that somebody removes stays removed, however others edit it at the same time."""

    def edit(name: str) -> Act:
        def work(state: State) -> None:
            if name == "title":
                state.rows["x"].title.insert(0, "t")
            else:
                setattr(state.rows["x"], name, "n" if name == "name" else 5)

        return work

    def start(state: State) -> None:
        state.rows["x"] = Row("first")
        state.rows["y"] = Row("other")

    def remove(state: State) -> None:
        del state.rows["x"]

    def elsewhere(state: State) -> None:
        state.rows["y"].votes += 1

    acts = [[remove], [edit(name) for name in edits], [elsewhere, *map(edit, edits)]]
    found = merged(start, acts, orders, clocks)
    assert list(found.rows) == ["y"]
    assert found.rows["y"].votes == 1


@given(**three, values=st.lists(st.text("abc", min_size=1), min_size=3, max_size=3))
def test_the_later_write_wins(
    orders: list[list[int]], clocks: list[int], values: list[str]
) -> None:
    """A register shows what was written when the clock said most."""

    def write(value: str) -> Act:
        return lambda state: setattr(state, "color", value)

    found = merged(lambda state: None, [[write(value)] for value in values], orders, clocks)
    last = max(clocks)
    assert found.color in {value for value, at in zip(values, clocks, strict=True) if at == last}


@given(
    **three,
    moves=st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=4),
        min_size=3,
        max_size=3,
    ),
)
def test_moves_do_not_duplicate(
    orders: list[list[int]], clocks: list[int], moves: list[list[tuple[int, int]]]
) -> None:
    """However many move the same elements at the same time, each is there once."""

    def move(at: int, to: int) -> Act:
        return lambda state: state.items.move(at, to)

    acts = [[move(at, to) for at, to in own] for own in moves]
    found = merged(lambda state: state.items.extend("abcde"), acts, orders, clocks)
    assert sorted(found.items) == list("abcde")
    if sum(map(len, moves)) == 1:  # nobody else had a say
        (((at, to),),) = [own for own in moves if own]
        alone = list("abcde")
        alone.insert(to, alone.pop(at))
        assert list(found.items) == alone


runs = st.lists(st.integers(1, 4), min_size=1, max_size=5)


@given(**three, start=st.text("._", max_size=4), data=st.data())
def test_runs_typed_together_do_not_interleave(
    orders: list[list[int]], clocks: list[int], start: str, data: st.DataObject
) -> None:
    """What each types on and on at one place stays together, whoever else types there too.

    In pieces of any length, a dispatch each. (That it holds for typing forward is a property of the
    order that YATA gives: Nicolaescu et al., "Near Real-Time Peer-to-Peer Shared Editing on
    Extensible Data Types", 2016.)
    """
    place = data.draw(st.integers(0, len(start)))
    typed: list[str] = []
    acts: list[list[Act]] = []
    for letter, pieces in zip("ABC", data.draw(st.tuples(runs, runs, runs)), strict=True):
        own: list[Act] = []
        at = place
        text = ""
        for size in pieces:
            piece = "".join(f"{letter}{len(text) + n:02}"[-3:] for n in range(size))
            own.append(lambda state, at=at, piece=piece: state.page.insert(at, piece))
            at += len(piece)
            text += piece
        acts.append(own)
        typed.append(text)
    found = str(merged(lambda state: state.page.insert(0, start), acts, orders, clocks).page)
    for text in typed:
        assert text in found
    assert len(found) == len(start) + sum(map(len, typed))
    assert found.startswith(start[:place])
    assert found.endswith(start[place:])
