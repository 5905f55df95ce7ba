"""Selectors of entities: of the root state or the slice's, memoised, immutable, also of drafts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crdtstore import Store, Table, configure_store, create_slice, current
from crdtstore.entities import EntitySelectors, Many, Update, create_entity_adapter
from crdtstore.entities import selectors as selectors_module
from tests.entities.shelves import (
    ANIMAL_FARM,
    CLOCKWORK_ORANGE,
    GATSBY,
    REDUCERS,
    Book,
    Note,
    Notes,
    by_title,
)

adapter = create_entity_adapter(
    Note,
    select_id=lambda note: note.key,
    sort_key=lambda note: -note.rank,
    indexes={"by_status": lambda note: note.status, "by_tag": Many(lambda note: note.tags)},
)
notes = create_slice(
    name="notes",
    initial_state=Notes(),
    reducers={name: getattr(adapter, name) for name in REDUCERS},
)
selectors = adapter.get_selectors(notes.select_slice)


@pytest.fixture
def store() -> Iterator[Store]:
    """A store with three notes."""
    made = configure_store([notes])
    made.dispatch(
        notes.actions.add_many(
            [
                Note("a", "A", tags={"x"}, rank=1),
                Note("b", "B", tags={"x", "y"}, rank=3),
                Note("c", "C", status="done", rank=2),
            ]
        )
    )
    yield made
    made.close()


def update(store: Store, key: str, **changes: Any) -> None:
    """Dispatch an update."""
    store.dispatch(notes.actions.update_one(Update(key, changes)))


BOOKS = [CLOCKWORK_ORANGE, ANIMAL_FARM, GATSBY]


@pytest.mark.parametrize("comparer", [None, by_title])
@pytest.mark.parametrize("composed", [False, True])
@pytest.mark.parametrize("plain", [False, True])
def test_selectors_take_the_state_or_what_it_is_in(
    comparer: Callable[[Book, Book], float] | None, composed: bool, plain: bool
) -> None:
    """A snapshot or plain data; with ``select_state`` whatever that takes."""
    books = create_entity_adapter(Book, sort_comparer=comparer)
    state: Any = books.get_initial_state(None, BOOKS)
    if not plain:
        state = create_slice(name="books", initial_state=state).get_initial_state()
    found: EntitySelectors[Book, Any]
    if composed:
        found = books.get_selectors(lambda root: root["books"])
        state = {"books": state}
    else:
        found = books.get_selectors()
    assert found.select_ids(state) == ["aco", "af", "tgg"]
    assert found.select_entities(state) == {book.id: book for book in BOOKS}
    assert found.select_all(state) == BOOKS
    assert found.select_total(state) == 3
    assert found.select_by_id(state, "aco") == CLOCKWORK_ORANGE
    for nobody in ("nobody", "", 5, None):
        assert found.select_by_id(state, nobody) is None  # type: ignore[arg-type]
    assert found.select_by_ids(state, ["tgg", "nobody", "af"]) == (GATSBY, ANIMAL_FARM)


def test_entities_are_the_snapshots_of_the_state(store: Store) -> None:
    """Nothing is copied."""
    table = store.state.notes.entities
    assert selectors.select_entities(store.state) is table
    assert selectors.select_by_id(store.state, "a") is table["a"]
    assert all(row is table[row.key] for row in selectors.select_all(store.state))
    assert selectors.select_by(store.state, "by_status", "done")[0] is table["c"]


def test_orders_and_indexes_follow_the_state(store: Store) -> None:
    """Groups are sorted as everything is."""
    assert selectors.select_ids(store.state) == ["b", "c", "a"]
    assert [n.key for n in selectors.select_by(store.state, "by_status", "open")] == ["b", "a"]
    update(store, "a", rank=9, status="done")
    assert selectors.select_ids(store.state) == ["a", "b", "c"]
    assert [n.key for n in selectors.select_by(store.state, "by_status", "done")] == ["a", "c"]
    index = selectors.select_index(store.state, "by_tag")
    assert {tag: [n.key for n in group] for tag, group in index.items()} == {
        "x": ["a", "b"],
        "y": ["b"],
    }
    assert selectors.select_by(store.state, "by_status", "nothing") == []


def test_results_stay_the_same_object_while_nothing_in_them_changes(store: Store) -> None:
    """Each by itself."""

    def results() -> dict[str, Any]:
        state = store.state
        return {
            "all": selectors.select_all(state),
            "ids": selectors.select_ids(state),
            "entities": selectors.select_entities(state),
            "open": selectors.select_by(state, "by_status", "open"),
            "done": selectors.select_by(state, "by_status", "done"),
            "tags": selectors.select_index(state, "by_tag"),
            "some": selectors.select_by_ids(state, ["a", "b"]),
        }

    def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
        return {name for name in before if before[name] is not after[name]}

    first = results()
    assert changed(first, results()) == set()
    update(store, "c", body="more")
    second = results()
    assert changed(first, second) == {"all", "entities", "done"}
    update(store, "a", body="more")
    third = results()
    assert changed(second, third) == {"all", "entities", "open", "tags", "some"}
    store.dispatch(notes.actions.add_one(Note("d", status="new")))
    fourth = results()
    assert changed(third, fourth) == {"all", "ids", "entities"}
    store.dispatch(notes.actions.remove_one("nobody"))
    assert changed(fourth, results()) == set()


def test_other_parts_of_the_state_do_not_matter(store: Store) -> None:
    """The slice changes, the table does not."""

    def load(state: Notes) -> None:
        state.loading = "done"

    loading = create_slice(name="notes", initial_state=Notes(), reducers={"load": load})
    with configure_store([loading]) as other:
        every = adapter.get_selectors(loading.select_slice)
        before = every.select_all(other.state), every.select_ids(other.state)
        other.dispatch(loading.actions.load())
        assert other.state.notes.loading == "done"
        assert (every.select_all(other.state), every.select_ids(other.state)) == before
        assert every.select_all(other.state) is before[0]


def test_what_was_selected_stays_as_it_was(store: Store) -> None:
    """A page of an older state is still that page."""
    index: Any = selectors.select_index(store.state, "by_tag")
    old = selectors.select_all(store.state), index
    texts = [str(note.body) for note in old[0]]
    update(store, "a", body="changed", rank=10, tags=set())
    store.dispatch(notes.actions.remove_one("b"))
    assert [str(note.body) for note in old[0]] == texts
    assert sorted(old[1]) == ["x", "y"]
    assert selectors.select_index(store.state, "by_tag") == {}


def test_two_stores_do_not_disturb_one_another(store: Store) -> None:
    """Each goes on from its own last state; merges are changes like others."""
    other = configure_store([notes])
    other.merge(store.deltas_since(other.state_vectors()))
    assert selectors.select_all(other.state) == selectors.select_all(store.state)
    for at in range(5):
        mine, others = selectors.select_all(store.state), selectors.select_all(other.state)
        update(store, "a", rank=at + 20)
        assert selectors.select_all(other.state) is others
        assert selectors.select_all(store.state) is not mine
        update(other, "b", rank=at + 20)
        assert selectors.select_ids(store.state) != selectors.select_ids(other.state)
    store.merge(other.deltas_since(store.state_vectors()))
    other.merge(store.deltas_since(other.state_vectors()))
    assert selectors.select_ids(store.state) == selectors.select_ids(other.state) == list("abc")
    other.close()


def test_several_adapters_may_read_one_table(store: Store) -> None:
    """Each in its own order."""
    rising = create_entity_adapter(
        Note, select_id=lambda note: note.key, sort_comparer=lambda a, b: a.rank - b.rank
    ).get_selectors(notes.select_slice)
    assert rising.select_ids(store.state) == selectors.select_ids(store.state)[::-1]
    update(store, "a", rank=10)
    assert rising.select_ids(store.state) == selectors.select_ids(store.state)[::-1]


def test_some_are_selected_by_their_ids(store: Store) -> None:
    """In the order of the ids, and the same object for the same ids."""
    some = selectors.select_by_ids(store.state, iter(["c", "a", "c"]))
    assert [note.key for note in some] == ["c", "a", "c"]
    update(store, "b", rank=7)
    assert selectors.select_by_ids(store.state, ["c", "a", "c"]) is some
    update(store, "a", rank=7)
    assert selectors.select_by_ids(store.state, ["c", "a", "c"]) is not some
    for at in range(3 * selectors_module.MOST_PICKED):
        selectors.select_by_ids(store.state, [str(at)])
    rows: Any = store.state.notes.entities
    assert len(selectors._picked[rows._rows.lineage]) <= selectors_module.MOST_PICKED


def test_a_slice_may_offer_them_as_its_own() -> None:
    """Selectors of the state itself are what ``create_slice`` takes."""
    own = adapter.get_selectors()
    made = create_slice(
        name="notes",
        initial_state=adapter.get_initial_state(Notes(), [Note("a"), Note("b", rank=1)]),
        selectors={"all": own.select_all, "by_id": own.select_by_id, "by": own.select_by},
    )
    with configure_store([made]) as opened:
        assert made.selectors["all"](opened.state) == [Note("b", rank=1), Note("a")]
        assert made.selectors["by_id"](opened.state, "a") == Note("a")
        assert len(made.selectors["by"](opened.state, "by_status", "open")) == 2


# Drafts


def test_inside_reducers_selectors_see_what_was_done_so_far() -> None:
    """As snapshots, that nothing done afterwards changes."""
    seen: list[Any] = []
    inside = adapter.get_selectors()

    def run(state: Notes) -> None:
        seen.append(inside.select_all(state))
        adapter.add_one(state, {"key": "z", "rank": 99})
        seen.append(inside.select_all(state))
        seen.append(inside.select_ids(state.entities))
        adapter.update_one(state, Update("a", {"rank": 100, "status": "done"}))
        seen.append(inside.select_by(state, "by_status", "done"))
        seen.append(inside.select_by_id(state, "a"))
        seen.append(inside.select_by_id(state, "nobody"))
        seen.append(inside.select_by_ids(state, ["a"]))
        seen.append(inside.select_entities(state))
        adapter.remove_all(state)
        seen.append(inside.select_total(state))
        seen.append(inside.select_all(state))

    made = create_slice(
        name="notes",
        initial_state=adapter.get_initial_state(Notes(), [Note("a"), Note("b", rank=5)]),
        reducers={"run": run},
    )
    with configure_store([made]) as opened:
        before = opened.state
        opened.dispatch(made.actions.run())
        assert inside.select_all(opened.state.notes) == []
        first, added, ids, done, a, nobody, some, entities, total, rest = seen
        assert first == inside.select_all(before.notes) == [Note("b", rank=5), Note("a")]
        assert [note.key for note in added] == ["z", "b", "a"]
        assert ids == ["z", "b", "a"]
        assert done == [Note("a", status="done", rank=100)] == [a] == list(some)
        assert nobody is None
        assert list(entities) == ["a", "b", "z"]
        assert (total, rest) == (0, [])


def test_of_an_untouched_draft_they_return_what_they_return_of_the_state() -> None:
    """The very same objects."""
    seen: list[Any] = []

    def look(state: Notes) -> None:
        seen.append(adapter.get_selectors().select_all(state))
        seen.append(adapter.get_selectors().select_all(current(state)))

    made = create_slice(
        name="notes",
        initial_state=adapter.get_initial_state(Notes(), [Note("a")]),
        reducers={"look": look},
    )
    with configure_store([made]) as opened:
        expected = adapter.get_selectors().select_all(opened[made])
        opened.dispatch(made.actions.look())
        assert seen[0] is seen[1] is expected


# What can go wrong


def test_a_failing_function_leaves_the_state_right() -> None:
    """Dispatching goes on; reading says for which entity, and works again once that is mended."""
    fragile = create_entity_adapter(
        Note,
        select_id=lambda note: note.key,
        sort_comparer=lambda a, b: 1 / a.rank - 1 / b.rank,
        indexes={"inverse": lambda note: 1 // note.rank},
    )
    every = fragile.get_selectors(notes.select_slice)
    with configure_store([notes]) as opened:
        opened.dispatch(notes.actions.add_many([Note("a", rank=1), Note("b", rank=2)]))
        assert every.select_ids(opened.state) == ["b", "a"]
        update(opened, "a", rank=0)
        assert opened.state.notes.entities["a"].rank == 0
        for read in (
            lambda: every.select_all(opened.state),
            lambda: every.select_ids(opened.state),
            lambda: every.select_by(opened.state, "inverse", 0),
        ):
            with pytest.raises(ZeroDivisionError) as raised:
                read()
            assert any("'a'" in note for note in raised.value.__notes__)
        assert every.select_total(opened.state) == 2
        assert every.select_by_id(opened.state, "a") == Note("a", rank=0)
        update(opened, "a", rank=4)
        assert every.select_ids(opened.state) == ["a", "b"]


def test_a_state_without_entities_is_refused() -> None:
    """The message says what a state with entities is."""
    wrong: list[Any] = [None, {"notes": {}}, Note("a")]
    for state in wrong:
        with pytest.raises(TypeError, match="a Table, or a state whose field 'entities' is one"):
            adapter.get_selectors().select_all(state)
    with pytest.raises(ValueError, match="no index named 'by'; indexes: by_status, by_tag"):
        adapter.get_selectors().select_by(Table[Note](), "by", 1)  # type: ignore[arg-type]


def test_readers_and_writers_may_be_in_different_threads(store: Store) -> None:
    """Whoever reads a state gets what belongs to that state."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                state = store.state
                rows = state.notes.entities
                everything = selectors.select_all(state)
                expected = sorted(rows.values(), key=lambda note: (-note.rank, note.key))
                assert everything == expected
                assert selectors.select_ids(state) == [note.key for note in expected]
                opened = [note for note in expected if note.status == "open"]
                assert selectors.select_by(state, "by_status", "open") == opened
                assert selectors.select_all(state) is everything
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for at in range(150):
        store.dispatch(notes.actions.upsert_one({"key": f"k{at % 20}", "rank": at * 7 % 50}))
        update(store, f"k{at * 3 % 20}", status="done" if at % 2 else "open")
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
