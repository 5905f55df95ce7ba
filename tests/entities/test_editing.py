"""What an adapter's reducers write: as little as leads to the state, so that others' work stays."""

from __future__ import annotations

from typing import Any

from crdtstore import Store, configure_store, create_slice
from crdtstore.entities import Update, create_entity_adapter
from tests.entities.shelves import REDUCERS, Note, Notes

adapter = create_entity_adapter(Note, select_id=lambda note: note.key)
notes = create_slice(
    name="notes",
    initial_state=Notes(),
    reducers={name: getattr(adapter, name) for name in REDUCERS},
)


def peers(*given: Note) -> tuple[Store, Store]:
    """Return two stores that both have some notes."""
    a, b = configure_store([notes]), configure_store([notes])
    a.dispatch(notes.actions.add_many(list(given)))
    sync(a, b)
    return a, b


def sync(a: Store, b: Store) -> Any:
    """Bring two stores together; return what both have then."""
    b.merge(a.deltas_since(b.state_vectors()))
    a.merge(b.deltas_since(a.state_vectors()))
    assert a.digest() == b.digest()
    assert a.state == b.state
    return a.state.notes.entities


def cells(store: Store) -> int:
    """Return how many bytes somebody who has nothing would be sent."""
    return sum(map(len, store.deltas_since({}).values()))


def test_updates_write_only_the_fields_they_name() -> None:
    """Two peers update different fields of one entity, and both count."""
    a, b = peers(Note("n", "body"))
    a.dispatch(notes.actions.update_one(Update("n", {"status": "done"})))
    b.dispatch(notes.actions.update_one(Update("n", {"rank": 7})))
    merged = sync(a, b)["n"]
    assert (merged.status, merged.rank) == ("done", 7)


def test_upserting_a_mapping_writes_only_its_fields() -> None:
    """The other fields are nobody's business."""
    a, b = peers(Note("n", "body"))
    a.dispatch(notes.actions.upsert_one({"key": "n", "status": "done"}))
    b.dispatch(notes.actions.upsert_one({"key": "n", "rank": 7}))
    merged = sync(a, b)["n"]
    assert (merged.status, merged.rank) == ("done", 7)


def test_setting_an_entity_keeps_its_row() -> None:
    """One peer sets the whole entity, another edits other fields of it: nothing is lost."""
    a, b = peers(Note("n", "one two", likes=3, tags={"x"}, rank=1))
    a.dispatch(notes.actions.set_one(Note("n", "one two!", likes=4, tags={"x"}, rank=2)))
    b.dispatch(notes.actions.update_one(Update("n", {"status": "done", "likes": 13})))
    b.dispatch(notes.actions.update_one(Update("n", {"tags": {"x", "y"}, "body": "zero one two"})))
    merged = sync(a, b)["n"]
    assert merged == Note("n", "zero one two!", 14, {"x", "y"}, "done", 2)


def test_setting_an_entity_leaves_it_as_it_was_given() -> None:
    """Locally nothing of the old one is left, whatever its fields are."""
    a, _ = peers(Note("n", "body", 3, {"x"}, "done", 7))
    a.dispatch(notes.actions.set_one({"key": "n"}))
    assert a.state.notes.entities["n"] == Note("n")


def test_setting_all_writes_nothing_for_equal_entities() -> None:
    """Nothing changes, so nothing travels, and an entity that one peer removes stays removed."""
    a, b = peers(Note("a", "A"), Note("b", "B"))
    before = cells(a), a.state
    a.dispatch(notes.actions.set_all([Note("b", "B"), Note("a", "A")]))
    assert (cells(a), a.state) == before
    assert a.state is before[1]
    b.dispatch(notes.actions.remove_one("a"))
    assert list(sync(a, b)) == ["b"]


def test_setting_all_removes_only_what_is_seen() -> None:
    """An entity that another peer adds at the same time is not among the removed."""
    a, b = peers(Note("a"), Note("b"))
    a.dispatch(notes.actions.set_all([Note("a", "new")]))
    b.dispatch(notes.actions.add_one(Note("c")))
    b.dispatch(notes.actions.update_one(Update("a", {"rank": 5})))
    merged = sync(a, b)
    assert list(merged) == ["a", "c"]
    assert (merged["a"].body, merged["a"].rank) == ("new", 5)


def test_counters_and_texts_are_written_as_what_changed() -> None:
    """Setting a counter is a difference, setting a text the fewest edits, sets are edited."""
    a, b = peers(Note("n", "the cat", 10, {"x"}))
    a.dispatch(
        notes.actions.update_one(Update("n", {"likes": 15, "body": "the black cat", "tags": {"y"}}))
    )
    b.dispatch(
        notes.actions.update_one(
            Update("n", {"likes": 8, "body": "the cat sat", "tags": {"x", "z"}})
        )
    )
    merged = sync(a, b)["n"]
    assert merged.likes == 13
    assert merged.body == "the black cat sat"
    assert merged.tags == {"y", "z"}


def test_adding_at_the_same_time_keeps_one_row() -> None:
    """Two peers add the same id: one entity shows, the same for both."""
    a, b = peers()
    a.dispatch(notes.actions.add_one(Note("n", "A")))
    b.dispatch(notes.actions.add_one(Note("n", "B", status="done")))
    assert sync(a, b)["n"].body in {"A", "B"}


def test_removing_wins_over_edits_inside_the_row() -> None:
    """As for every row; to set the entity again brings it back."""
    a, b = peers(Note("n", "body"))
    a.dispatch(notes.actions.remove_all())
    b.dispatch(notes.actions.update_one(Update("n", {"rank": 1})))
    assert len(sync(a, b)) == 0
    b.dispatch(notes.actions.set_one(Note("n")))
    assert list(sync(a, b)) == ["n"]


def test_a_new_id_is_a_new_row() -> None:
    """The content moves; what others do to the old row at the same time does not."""
    a, b = peers(Note("old", "body", 5, {"x"}))
    a.dispatch(notes.actions.update_one(Update("old", {"key": "new", "status": "done"})))
    b.dispatch(notes.actions.update_one(Update("old", {"rank": 1})))
    assert sync(a, b) == {"new": Note("new", "body", 5, {"x"}, "done")}


def test_taking_the_id_of_another_entity_edits_its_row() -> None:
    """The entity that was there is replaced, and what others do to other fields of it stays."""
    a, b = peers(Note("one", "1", rank=1), Note("two", "2", rank=2))
    a.dispatch(notes.actions.update_one(Update("one", {"key": "two"})))
    assert a.state.notes.entities == {"two": Note("two", "1", rank=1)}
    b.dispatch(notes.actions.update_one(Update("two", {"status": "done"})))
    assert sync(a, b) == {"two": Note("two", "1", status="done", rank=1)}


def test_an_entity_given_to_a_draft_is_followed_as_any_object_is() -> None:
    """What a reducer does to it afterwards is done to the state."""

    def add_and_edit(state: Notes, note: Note) -> None:
        adapter.add_one(state, note)
        note.rank = 9
        adapter.update_one(state, Update(note.key, {"status": "done"}))

    made = create_slice(name="notes", initial_state=Notes(), reducers={"run": add_and_edit})
    with configure_store([made]) as store:
        store.dispatch(made.actions.run(Note("n")))
        assert store.state.notes.entities == {"n": Note("n", status="done", rank=9)}


def test_a_reducer_that_is_refused_something_changes_nothing() -> None:
    """Also what it did before."""
    a, _ = peers(Note("n"))
    before = a.state
    for refused in (
        notes.actions.add_many([Note("x"), 5]),
        notes.actions.update_many([Update("n", {"rank": 1}), Update("n", {"nothing": 1})]),
        notes.actions.set_all([Note("y"), Note("n", status=float("nan"))]),
        notes.actions.update_one(Update("n", {"key": 5})),
    ):
        try:
            a.dispatch(refused)
        except ValueError:
            assert a.state is before
        else:
            raise AssertionError(refused)


def test_an_id_is_written_once_with_its_row() -> None:
    """It is the row's key, and the field that it came from; edits name the row and no more."""
    a, _ = peers()
    a.dispatch(notes.actions.add_one(Note("a-rather-long-id")))
    seen: list[bytes] = []
    a.on_commit(lambda commit: seen.append(commit.deltas["notes"]))
    a.dispatch(notes.actions.add_one(Note("another-long-id")))
    a.dispatch(notes.actions.update_one(Update("another-long-id", {"rank": 1})))
    a.dispatch(notes.actions.set_one(Note("another-long-id", rank=2)))
    inserted, *edited = [delta.count(b"another-long-id") for delta in seen]
    assert inserted == 2
    assert max(edited) <= 1
