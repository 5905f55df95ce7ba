"""Books, and shelves: states of them that an adapter's reducers are run on in three ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crdtstore import Action, Counter, Set, Table, Text, configure_store, create_slice
from crdtstore.entities import EntityAdapter, create_entity_adapter

__all__ = [
    "ANIMAL_FARM",
    "CLOCKWORK_ORANGE",
    "GATSBY",
    "HOBBIT",
    "SHELVES",
    "Book",
    "Note",
    "Notes",
    "Shelf",
    "by_title",
    "dispatching",
    "editing",
    "pure",
    "sorted_books",
    "unsorted_books",
]


@dataclass
class Book:
    """A row with an author that not every book has."""

    id: str
    title: str = ""
    author: str | None = None


GATSBY = Book("tgg", "The Great Gatsby")
CLOCKWORK_ORANGE = Book("aco", "A Clockwork Orange")
ANIMAL_FARM = Book("af", "Animal Farm")
HOBBIT = Book("th", "The Hobbit", "J. R. R. Tolkien")


@dataclass
class Note:
    """A row with a field of many kinds, and an id of another name."""

    key: str
    body: Text = Text()
    likes: Counter = Counter(0)
    tags: Set[str] = Set()
    status: str = "open"
    rank: int = 0


@dataclass
class Notes:
    """A state whose entities are one field of several."""

    entities: Table[Note] = Table()
    loading: str = "idle"


def by_title(a: Book, b: Book) -> int:
    """Compare two books as a sort comparer does."""
    return (a.title > b.title) - (a.title < b.title)


def sorted_books() -> EntityAdapter[Book]:
    """Create an adapter that sorts by title."""
    return create_entity_adapter(Book, select_id=lambda book: book.id, sort_comparer=by_title)


def unsorted_books() -> EntityAdapter[Book]:
    """Create an adapter that does not sort."""
    return create_entity_adapter(Book)


@dataclass
class Shelf:
    """The state of an adapter's entities; ``run`` calls one of its reducers on it, by name."""

    adapter: EntityAdapter[Any]
    run: Callable[..., Any]
    state: Any

    def __getattr__(self, name: str) -> Callable[..., Shelf]:
        def call(*arguments: Any) -> Shelf:
            self.state = self.run(name, *arguments)
            return self

        return call

    @property
    def ids(self) -> Any:
        """All ids in order."""
        return self.adapter.get_selectors().select_ids(self.state)

    @property
    def all(self) -> Any:
        """All entities in order."""
        return self.adapter.get_selectors().select_all(self.state)

    @property
    def entities(self) -> Any:
        """All entities by id."""
        return self.state.entities


REDUCERS = [
    f"{verb}_{how}"
    for verb in ("add", "set", "upsert", "update", "remove")
    for how in ("one", "many", "all")
    if how != "all" or verb in ("set", "remove")
]


def pure(adapter: EntityAdapter[Any]) -> Shelf:
    """Run reducers on snapshots, without a store."""
    made = create_slice(name="books", initial_state=adapter.get_initial_state())
    shelf = Shelf(adapter, lambda: None, made.get_initial_state())
    shelf.run = lambda name, *arguments: getattr(adapter, name)(shelf.state, *arguments)
    return shelf


def dispatching(adapter: EntityAdapter[Any]) -> Shelf:
    """Run reducers as the case reducers of a slice in a store."""
    books = create_slice(
        name="books",
        initial_state=adapter.get_initial_state(),
        reducers={name: getattr(adapter, name) for name in REDUCERS},
    )
    store = configure_store([books])

    def run(name: str, *arguments: Any) -> Any:
        if arguments and isinstance(arguments[0], Action):
            arguments = (arguments[0].payload,)
        store.dispatch(books.actions[name](*arguments))
        return store.state.books

    return Shelf(adapter, run, store.state.books)


def editing(adapter: EntityAdapter[Any]) -> Shelf:
    """Run reducers as helpers inside another reducer."""

    given: tuple[Any, ...] = ()

    def edit(state: Any, name: str) -> None:
        assert getattr(adapter, name)(state, *given) is state

    books = create_slice(
        name="books", initial_state=adapter.get_initial_state(), reducers={"edit": edit}
    )
    store = configure_store([books])

    def run(name: str, *arguments: Any) -> Any:
        nonlocal given
        given = arguments
        store.dispatch(books.actions.edit(name))
        return store.state.books

    return Shelf(adapter, run, store.state.books)


SHELVES = [pure, dispatching, editing]
