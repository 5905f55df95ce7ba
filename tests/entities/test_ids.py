"""What an entity's id is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from crdtstore import ShapeError, StateValueError, configure_store, create_slice
from crdtstore.entities import create_entity_adapter
from crdtstore.entities.ids import Ids
from tests.entities.shelves import GATSBY, Book, Note

T = TypeVar("T")


@dataclass
class Box(Generic[T]):
    """A row of any class."""

    id: str
    value: Any = None


@dataclass
class Place:
    """A row whose id follows from its fields."""

    row: int
    column: int = 0

    @property
    def id(self) -> str:
        """The place in one word."""
        return f"{self.row}-{self.column}"


@dataclass
class Nested:
    """A row that cannot be one."""

    id: str
    inner: list[int] = None  # type: ignore[assignment]


def test_it_is_the_field_id() -> None:
    """Of an instance or of a mapping."""
    ids = Ids(Book, None)
    assert ids.of(GATSBY, ()) == "tgg"
    assert ids.of({"id": "x", "title": "y"}, ()) == "x"
    assert ids.select_id(GATSBY) == "tgg"


def test_it_is_what_select_id_returns() -> None:
    """For a mapping too, whose other fields have their defaults then."""
    ids = Ids(Note, lambda note: f"{note.key}/{note.status}")
    assert ids.of(Note("a", status="done"), ()) == "a/done"
    assert ids.of({"key": "a"}, ()) == "a/open"
    with pytest.raises(StateValueError, match="unknown field 'kye'"):
        ids.of({"kye": "a"}, ())


def test_it_may_be_a_property() -> None:
    """Then a field that it follows from moves the row."""
    places = create_entity_adapter(Place)
    board = create_slice(
        name="board",
        initial_state=places.get_initial_state(),
        reducers={"put": places.add_many, "moved": places.update_one},
    )
    with configure_store([board]) as store:
        store.dispatch(board.actions.put([Place(1, 2), {"row": 3}]))
        assert list(store[board].entities) == ["1-2", "3-0"]
        store.dispatch(board.actions.moved({"id": "3-0", "changes": {"column": 9}}))
        assert store[board].entities == {"1-2": Place(1, 2), "3-9": Place(3, 9)}


def test_entities_may_be_of_a_generic_class() -> None:
    """With its argument, or as it is."""
    for entity in (Box, Box[int]):
        boxes = create_entity_adapter(entity)
        state = boxes.get_initial_state(None, [Box("a", 1), {"id": "b"}])
        assert boxes.get_selectors().select_ids(state) == ["a", "b"]


def test_other_ids_than_strings_are_refused() -> None:
    """With the hint how to make a string of one."""
    with pytest.raises(
        StateValueError, match=r"select_id returned 5 \(int\).*return str\("
    ) as raised:
        Ids(Book, None).of({"id": 5}, ("books", "entities"))
    assert raised.value.path == ("books", "entities")
    with pytest.raises(StateValueError, match=r"returned None \(NoneType\)"):
        Ids(Note, lambda note: None).of(Note("a"), ())  # type: ignore[arg-type, return-value]
    with pytest.raises(StateValueError, match="got int: 5"):
        Ids(Book, None).check(5, ())


def test_a_class_that_can_be_no_row_is_refused() -> None:
    """Where its shape is needed, with the field's path."""
    adapter = create_entity_adapter(Nested)
    with pytest.raises(ShapeError, match="inner"):
        create_slice(name="nested", initial_state=adapter.get_initial_state())
