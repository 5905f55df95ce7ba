"""Where entities are in a state, and what editing them returns."""

from __future__ import annotations

from typing import Any

import pytest

from crdtstore import FrozenStateError, Table, create_slice
from crdtstore.entities import Update
from crdtstore.entities.ids import Ids
from crdtstore.entities.state import edited_state, located, snapshot_of
from tests.entities.shelves import GATSBY, HOBBIT, Book, sorted_books, unsorted_books

adapter = unsorted_books()
ids = Ids(Book, None)


def snapshot(initial: Any) -> Any:
    """Return the state of a slice that begins with ``initial``."""
    return create_slice(name="books", initial_state=initial).get_initial_state()


STATES: dict[str, Any] = {
    "a mapping": {"entities": {"tgg": GATSBY}},
    "an initial state": adapter.get_initial_state(None, [GATSBY]),
    "the declaration of a table": Table[Book]({"tgg": GATSBY}),
    "a snapshot": snapshot(adapter.get_initial_state({"loading": "idle"}, [GATSBY])),
    "the snapshot of a table": snapshot(Table[Book]({"tgg": GATSBY})),
}


@pytest.mark.parametrize("name", STATES)
def test_editing_returns_a_state_of_the_same_kind(name: str) -> None:
    """The old one stays as it was, and rows that did not change are the same rows."""
    state = STATES[name]
    before = snapshot_of(ids, located(state))
    after = adapter.add_one(state, HOBBIT)
    assert type(after) is type(state)
    found = snapshot_of(ids, located(after))
    assert dict(found.items()) == {"tgg": GATSBY, "th": HOBBIT}
    assert dict(snapshot_of(ids, located(state)).items()) == {"tgg": GATSBY}
    assert adapter.remove_one(after, "nobody") is after
    assert adapter.update_one(state, Update("tgg", {"title": GATSBY.title})) is state
    if "snapshot" in name:
        assert found["tgg"] is before["tgg"]


def test_editing_a_snapshot_costs_what_changes() -> None:
    """All other rows, and what selectors derived of them, are shared."""
    books = sorted_books()
    state = snapshot(
        books.get_initial_state(None, [Book(f"b{i}", f"{i:04d}") for i in range(2000)])
    )
    selectors = books.get_selectors()
    before = selectors.select_ids(state)
    for after in (
        books.update_one(state, Update("b7", {"author": "A"})),
        books.set_one(state, Book("b7", "0007", "A")),
        books.set_all(state, [Book(f"b{i}", f"{i:04d}") for i in range(1999, -1, -1)]),
        books.remove_one(books.add_one(state, Book("new")), "new"),
    ):
        same = sum(after.entities[id] is state.entities[id] for id in before)
        assert same >= 1999
        assert selectors.select_ids(after) == before


def test_a_snapshot_itself_is_never_written_to() -> None:
    """Whoever wants to change the state of a store dispatches an action."""
    state = STATES["a snapshot"]
    with pytest.raises(FrozenStateError, match=r"store\.state is read-only"):
        state.entities["th"] = HOBBIT
    edited = edited_state(ids, state, lambda table: table.clear())
    assert len(edited.entities) == 0
    assert edited.loading == "idle"
    assert list(state.entities) == ["tgg"]


def test_plain_entities_are_validated() -> None:
    """As in ``create_slice``."""
    with pytest.raises(ValueError, match="expected Book, got int: 5"):
        adapter.get_selectors().select_all({"entities": {"a": 5}})  # type: ignore[arg-type]
