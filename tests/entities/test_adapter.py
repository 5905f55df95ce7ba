"""The adapter's reducers do what Redux Toolkit's do: as functions, as reducers, inside reducers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import (
    Action,
    StateValueError,
    Table,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.entities import EntityAdapter, Many, Update, create_entity_adapter
from tests.entities.shelves import (
    ANIMAL_FARM,
    CLOCKWORK_ORANGE,
    GATSBY,
    HOBBIT,
    SHELVES,
    Book,
    Note,
    Notes,
    Shelf,
    by_title,
    pure,
    sorted_books,
    unsorted_books,
)

Make = Callable[[EntityAdapter[Any]], Shelf]


@pytest.fixture(params=SHELVES, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Make:
    """One of the ways to run reducers."""
    found: Make = request.param
    return found


@pytest.fixture(params=[sorted_books, unsorted_books], ids=["sorted", "unsorted"])
def books(request: pytest.FixtureRequest, make: Make) -> Shelf:
    """An empty shelf of an adapter that sorts, or does not: then books go by their ids."""
    return make(request.param())


@pytest.fixture
def shelf(make: Make) -> Shelf:
    """An empty shelf of an adapter that sorts by title."""
    return make(sorted_books())


def in_order(shelf: Shelf, *expected: Book) -> bool:
    """Tell whether these are all books there are, and in the order that the adapter is to show."""
    order = by_title if shelf.adapter.sort_comparer else None
    given = list(expected)
    if order is None:
        given.sort(key=lambda book: book.id)
    return bool(
        shelf.ids == [book.id for book in given]
        and shelf.all == given
        and shelf.entities == {book.id: book for book in given}
    )


# Adding


def test_an_entity_is_added(books: Shelf) -> None:
    """``add_one`` puts a row there under the entity's id."""
    assert in_order(books.add_one(GATSBY), GATSBY)


def test_an_entity_is_added_by_an_action(books: Shelf) -> None:
    """The payload of an action is as good as the payload."""
    action = create_action("books/add")
    assert in_order(books.add_one(action(GATSBY)), GATSBY)


def test_adding_what_is_there_is_no_change(books: Shelf) -> None:
    """The id decides, and the very same state comes back."""
    state = books.add_one(GATSBY).state
    assert books.add_one(GATSBY).state is state
    assert books.add_one(Book("tgg", "Another")).state is state


def test_many_are_added(books: Shelf) -> None:
    """Those that are there stay as they are; order is the adapter's."""
    books.add_one(GATSBY).add_many([CLOCKWORK_ORANGE, ANIMAL_FARM, Book("tgg", "Another")])
    assert in_order(books, CLOCKWORK_ORANGE, ANIMAL_FARM, GATSBY)


def test_many_are_added_from_a_mapping(books: Shelf) -> None:
    """Its keys do not matter; ids come from the entities."""
    books.add_one(GATSBY).add_many({"aco": CLOCKWORK_ORANGE, "x": ANIMAL_FARM})
    assert in_order(books, CLOCKWORK_ORANGE, ANIMAL_FARM, GATSBY)


def test_of_several_added_under_one_id_the_first_counts(books: Shelf) -> None:
    """The second finds it there already."""
    assert in_order(books.add_many([Book("a", "1"), Book("a", "2")]), Book("a", "1"))


# Setting


def test_setting_all_removes_the_others(books: Shelf) -> None:
    """What is not among the new is gone, from a sequence or a mapping."""
    for given in ([CLOCKWORK_ORANGE, ANIMAL_FARM], {"1": CLOCKWORK_ORANGE, "2": ANIMAL_FARM}):
        books.set_all([]).add_one(GATSBY).set_all(given)
        assert in_order(books, CLOCKWORK_ORANGE, ANIMAL_FARM)


def test_setting_all_to_what_is_there_is_no_change(books: Shelf) -> None:
    """Rows that stay equal are the same rows."""
    state = books.set_all([GATSBY, HOBBIT]).state
    assert books.set_all([HOBBIT, GATSBY]).state is state
    hobbit = books.entities["th"]
    assert books.set_all([HOBBIT]).entities["th"] is hobbit


@pytest.mark.parametrize("name", ["set_many", "set_all"])
def test_of_several_set_under_one_id_the_last_counts(books: Shelf, name: str) -> None:
    """There is one entity then, and one id."""
    books.run(name, [])
    getattr(books, name)([Book("a", "first"), Book("a", "second")])
    assert in_order(books, Book("a", "second"))


def test_setting_one_adds_it(shelf: Shelf) -> None:
    """A new entity goes to its place in the order."""
    shelf.set_all([ANIMAL_FARM, HOBBIT]).set_one(GATSBY)
    assert in_order(shelf, ANIMAL_FARM, GATSBY, HOBBIT)


def test_setting_one_replaces_it(books: Shelf) -> None:
    """An entity is replaced whole: a field that is not given has its default."""
    books.set_one(HOBBIT).set_one({"id": "th", "title": "Silmarillion"})
    assert in_order(books, Book("th", "Silmarillion"))


def test_setting_none_is_no_change(books: Shelf) -> None:
    """An empty sequence sets nothing, and upserts nothing."""
    state = books.set_all([GATSBY]).state
    assert books.set_many([]).upsert_many([]).add_many({}).update_many([]).state is state


@pytest.mark.parametrize("shape", ["sequence", "mapping"])
def test_many_are_set(shelf: Shelf, shape: str) -> None:
    """Some are replaced, some are new."""
    given = [Book("th", "Silmarillion"), CLOCKWORK_ORANGE]
    shelf.set_all([HOBBIT]).set_many(given if shape == "sequence" else dict(enumerate(given)))
    assert in_order(shelf, CLOCKWORK_ORANGE, Book("th", "Silmarillion"))


# Removing


def test_an_entity_is_removed(books: Shelf) -> None:
    """By its id."""
    assert in_order(books.add_one(GATSBY).remove_one("tgg"))


def test_many_are_removed(books: Shelf) -> None:
    """By their ids; ids that are not there do not matter."""
    books.set_all([GATSBY, CLOCKWORK_ORANGE, ANIMAL_FARM])
    assert in_order(books.remove_many(["tgg", "nobody", "aco", "tgg"]), ANIMAL_FARM)


def test_removing_what_is_not_there_is_no_change(books: Shelf) -> None:
    """The very same state comes back."""
    state = books.add_one(GATSBY).state
    assert books.remove_one("nobody").remove_many([]).remove_many(["x", "y"]).state is state


def test_many_are_removed_by_their_fields(books: Shelf) -> None:
    """All fields must be equal, types included; no fields mean no entities."""
    a, b, c = Book("a", "T", "X"), Book("b", "T", "Y"), Book("c", "U", "X")
    books.set_all([a, b, c]).remove_many({"where": {}})
    assert len(books.ids) == 3
    assert in_order(books.remove_many({"where": {"title": "T", "author": "X"}}), b, c)
    assert in_order(books.remove_many({"where": {"author": None}}), b, c)
    assert in_order(books.remove_many({"where": {"author": "X"}}), b)


def test_all_are_removed(books: Shelf) -> None:
    """Nothing is left."""
    assert in_order(books.set_all([GATSBY, CLOCKWORK_ORANGE, ANIMAL_FARM]).remove_all())
    state = books.state
    assert books.remove_all().state is state


# Updating


def test_an_entity_is_updated(books: Shelf) -> None:
    """Its other fields stay."""
    books.add_one(HOBBIT).update_one({"id": "th", "changes": {"title": "A New Hope"}})
    assert in_order(books, Book("th", "A New Hope", HOBBIT.author))


def test_an_update_may_be_a_tuple(books: Shelf) -> None:
    """``Update`` names its parts."""
    books.add_one(HOBBIT).update_one(Update("th", {"title": "A New Hope"}))
    assert books.entities["th"].title == "A New Hope"


def test_updating_what_is_not_there_is_no_change(books: Shelf) -> None:
    """The very same state comes back, as it does where the values are there already."""
    state = books.add_one(GATSBY).state
    assert books.update_one(Update("nobody", {"title": "x"})).state is state
    assert books.update_one(Update("tgg", {"title": GATSBY.title})).state is state


def test_many_are_updated(shelf: Shelf) -> None:
    """Each finds its place."""
    shelf.set_all([GATSBY, CLOCKWORK_ORANGE])
    shelf.update_many([Update("tgg", {"title": "Zack"}), Update("aco", {"title": "Aaron"})])
    assert in_order(shelf, Book("aco", "Aaron"), Book("tgg", "Zack"))


def test_updates_of_one_entity_are_taken_together(shelf: Shelf) -> None:
    """Different fields all count, of one field the last change does."""
    shelf.set_all([GATSBY, CLOCKWORK_ORANGE, Book("th", "The Hobbit")]).update_many(
        [
            {"id": "th", "changes": {"title": "First Change"}},
            {"id": "tgg", "changes": {"title": "Second Change"}},
            {"id": "aco", "changes": {"title": "Third Change"}},
            {"id": "th", "changes": {"author": "Fourth Change"}},
        ]
    )
    assert shelf.ids == ["th", "tgg", "aco"]
    assert shelf.entities["th"] == Book("th", "First Change", "Fourth Change")


def test_a_sort_key_that_changes_moves_the_entity(shelf: Shelf) -> None:
    """And the ids with it."""
    shelf.set_all([GATSBY, ANIMAL_FARM, CLOCKWORK_ORANGE])
    shelf.update_one(Update("tgg", {"title": "A New Hope"}))
    assert in_order(shelf, CLOCKWORK_ORANGE, Book("tgg", "A New Hope"), ANIMAL_FARM)


def test_ids_stay_the_same_object_while_their_order_does(books: Shelf) -> None:
    """An update that moves nothing changes the entities and not the ids."""
    before, all_before = books.set_all([GATSBY, CLOCKWORK_ORANGE, ANIMAL_FARM]).ids, books.all
    books.update_one(Update("tgg", {"title": "The Great Gatsby II"}))
    assert books.ids is before
    assert books.all is not all_before
    books.update_one(Update("tgg", {"author": "F. Scott Fitzgerald"}))
    assert books.ids is before


@pytest.mark.parametrize("order", [[1, 2, 3, 3, 3], [1, 1, 1, 1, 1], [3, 3, 2, 2, 1]])
def test_equals_keep_their_order(order: list[int]) -> None:
    """Ties go by id, so an update of another field moves nothing."""
    notes = create_entity_adapter(
        Note, select_id=lambda note: note.key, sort_comparer=lambda a, b: a.rank - b.rank
    )
    shelf = pure(notes).set_all([Note(k, rank=r) for k, r in zip("ABCDE", order, strict=True)])
    before = shelf.ids
    assert before == [k for _, k in sorted(zip(order, "ABCDE", strict=True))]
    for key in "CEABD":
        assert shelf.update_one(Update(key, {"status": "done"})).ids is before


# Changing ids


def test_an_update_may_change_the_id(books: Shelf) -> None:
    """The entity is at its new id then, with all that it was."""
    books.add_one(HOBBIT).update_one(Update("th", {"id": "A New Id"}))
    assert in_order(books, Book("A New Id", HOBBIT.title, HOBBIT.author))


def test_a_changed_id_replaces_the_entity_that_had_it(books: Shelf) -> None:
    """One entity is left of the two, the one that was updated."""
    books.set_all([Book("a", "First"), Book("b", "Second", "B"), Book("c", "Third", "C")])
    books.update_one(Update("b", {"id": "c"}))
    assert in_order(books, Book("a", "First"), Book("c", "Second", "B"))


def test_id_and_sort_key_may_change_together(shelf: Shelf) -> None:
    """The new row is in the new place."""
    shelf.set_all([GATSBY, ANIMAL_FARM, CLOCKWORK_ORANGE])
    shelf.update_one(Update("tgg", {"id": "A New Id", "title": "A New Hope"}))
    assert in_order(shelf, CLOCKWORK_ORANGE, Book("A New Id", "A New Hope"), ANIMAL_FARM)


def test_of_several_new_ids_the_last_counts(books: Shelf) -> None:
    """Renaming one entity twice in one call leaves one."""
    books.add_one(Book("a", "First"))
    books.update_many([Update("a", {"id": "b"}), Update("a", {"id": "c"})])
    assert in_order(books, Book("c", "First"))


def test_updates_that_rename_run_one_after_the_other(books: Shelf) -> None:
    """An update of an id that the one before gave away finds what is there then."""
    books.set_all([Book("a", "A"), Book("b", "B")])
    books.update_many([Update("a", {"id": "b"}), Update("b", {"id": "c"})])
    assert in_order(books, Book("c", "A"))


def test_an_update_of_an_id_that_comes_to_be_only_now_does_nothing(books: Shelf) -> None:
    """Updates are for what was there before the call."""
    books.add_one(Book("a", "A"))
    books.update_many([Update("a", {"id": "b"}), Update("b", {"title": "B"})])
    assert in_order(books, Book("b", "A"))


def test_a_row_whose_id_field_was_wrong_before_stays_where_it_is() -> None:
    """Only changes of the id move an entity: the key is what counts."""
    adapter = unsorted_books()
    state: Any = {"entities": Table[Book]({"key": Book("other", "x")})}
    made = create_slice(name="books", initial_state=state).get_initial_state()
    after: Any = adapter.update_one(made, Update("key", {"title": "y"}))
    assert after.entities == {"key": Book("other", "y")}
    after = adapter.update_one(made, Update("key", {"id": "new"}))
    assert after.entities == {"new": Book("new", "x")}


# Initial states


def test_more_fields_are_given_by_name_or_as_a_mapping() -> None:
    """Or as both; a dataclass has its own and takes no others."""
    adapter = unsorted_books()
    for given in (
        adapter.get_initial_state({"loading": "idle", "page": 2}, [GATSBY]),
        adapter.get_initial_state(loading="idle", page=2, entities=[GATSBY]),
        adapter.get_initial_state({"loading": "busy", "page": 2}, [GATSBY], loading="idle"),
    ):
        state: Any = create_slice(name="books", initial_state=given).get_initial_state()
        assert (state.loading, state.page, list(state.entities)) == ("idle", 2, ["tgg"])
    notes: Any = create_entity_adapter(Note, select_id=lambda note: note.key)
    with pytest.raises(TypeError, match=r"Notes\(\.\.\.\) takes no more fields: .*; got page"):
        notes.get_initial_state(Notes(), page=2)


# Upserting


def test_upserting_adds(books: Shelf) -> None:
    """What is not there yet is put there."""
    assert in_order(books.upsert_one(GATSBY), GATSBY)


def test_upserting_writes_the_given_fields(books: Shelf) -> None:
    """A mapping gives some; an instance gives all that its class has."""
    books.add_one(HOBBIT).upsert_one({"id": "th", "title": "A New Hope"})
    assert in_order(books, Book("th", "A New Hope", HOBBIT.author))
    assert in_order(books.upsert_one(Book("th", "There")), Book("th", "There"))


@pytest.mark.parametrize("shape", ["sequence", "mapping"])
def test_many_are_upserted(shelf: Shelf, shape: str) -> None:
    """Some are updated, some are new."""
    given = [{"id": "tgg", "title": "Zack"}, CLOCKWORK_ORANGE]
    shelf.set_all([GATSBY]).upsert_many(given if shape == "sequence" else dict(enumerate(given)))
    assert in_order(shelf, CLOCKWORK_ORANGE, Book("tgg", "Zack"))


def test_what_changes_and_changes_back_is_no_change(books: Shelf) -> None:
    """The very same state comes back."""
    state = books.set_all([GATSBY, HOBBIT]).state
    back = {"id": "tgg", "title": "".join(list(GATSBY.title))}
    assert books.upsert_many([{"id": "tgg", "title": "x"}, back]).state is state


def test_of_several_upserted_under_one_id_the_later_ones_update(books: Shelf) -> None:
    """The first adds."""
    books.upsert_many([Book("a", "1", "X"), {"id": "a", "title": "2"}, {"id": "b", "title": "3"}])
    assert in_order(books, Book("a", "2", "X"), Book("b", "3"))


# In slices


def test_reducers_are_given_to_a_slice_as_they_are() -> None:
    """In ``reducers`` they get the payload, in ``extra_reducers`` the action."""
    adapter = unsorted_books()
    upserted, logged_out = create_action("other/upsert"), create_action("logged_out")
    books = create_slice(
        name="books",
        initial_state=adapter.get_initial_state(),
        reducers={
            "added": adapter.add_one,
            "removed": lambda state, id: adapter.remove_one(state, id),
            "cleared": adapter.remove_all,
        },
        extra_reducers=lambda builder: builder.add_case(upserted, adapter.upsert_one).add_case(
            logged_out, adapter.remove_all
        ),
    )
    store = configure_store([books])
    store.dispatch(books.actions.added(Book("a", "First")))
    assert store.state.books.entities == {"a": Book("a", "First")}
    store.dispatch(books.actions.removed("a"))
    assert len(store.state.books.entities) == 0
    store.dispatch(upserted(Book("a", "First")))
    store.dispatch(upserted({"id": "a", "title": "Second"}))
    assert store.state.books.entities == {"a": Book("a", "Second")}
    store.dispatch(logged_out("ignored"))
    assert len(store.state.books.entities) == 0
    store.dispatch(books.actions.added(entity=Book("b")))
    store.dispatch(books.actions.cleared())
    assert len(store.state.books.entities) == 0
    store.close()


def test_a_helper_shows_its_work_inside_the_reducer() -> None:
    """The state that it returns is the draft, edited; to return it from there is allowed too."""
    adapter = unsorted_books()

    def add(state: Any, action: Action[Book]) -> Any:
        result = adapter.add_one(state, action)
        assert len(result.entities) == 1
        return result

    books = create_slice(
        name="books", initial_state=adapter.get_initial_state(), extra_reducers={"add": add}
    )
    with configure_store([books]) as store:
        store.dispatch(Action("add", Book("a", "First")))
        assert store.state.books.entities["a"].title == "First"


def test_the_entities_may_be_the_whole_state_or_one_of_many_tables() -> None:
    """A table is a state too: that of a slice, or any inside a larger one."""
    adapter = unsorted_books()
    whole = create_slice(
        name="books", initial_state=Table[Book](), reducers={"added": adapter.add_one}
    )
    many = create_slice(
        name="library",
        initial_state={"lent": Table[Book](), "there": Table[Book]()},
        reducers={
            "added": lambda state, book: adapter.add_one(state["there"], book) and None,
            "lent": lambda state, id: (
                adapter.add_one(state["lent"], state["there"].pop(id)) and None
            ),
        },
    )
    with configure_store([whole, many]) as store:
        store.dispatch(whole.actions.added(HOBBIT))
        assert store.state.books == {"th": HOBBIT}
        store.dispatch(many.actions.added(HOBBIT))
        store.dispatch(many.actions.lent("th"))
        assert store.state.library.lent == {"th": HOBBIT}
        assert len(store.state.library.there) == 0


# Initial states


def test_an_initial_state_is_empty_or_has_entities() -> None:
    """It is a state for ``create_slice``, and one that reducers take."""
    adapter = sorted_books()
    for given in ([GATSBY, HOBBIT], {"x": GATSBY, "y": HOBBIT}):
        initial = adapter.get_initial_state(None, given)
        made = create_slice(name="books", initial_state=initial).get_initial_state()
        assert made.entities == {"tgg": GATSBY, "th": HOBBIT}
        assert adapter.get_selectors().select_ids(initial) == ["tgg", "th"]
    empty = create_slice(name="books", initial_state=adapter.get_initial_state())
    assert len(empty.get_initial_state().entities) == 0


def test_an_initial_state_takes_more_fields() -> None:
    """Those of a mapping stand beside the entities."""
    initial = sorted_books().get_initial_state({"is_hydrated": True}, [GATSBY])
    made: Any = create_slice(name="books", initial_state=initial).get_initial_state()
    assert made == {"is_hydrated": True, "entities": {"tgg": GATSBY}}


def test_an_initial_state_may_be_a_dataclass() -> None:
    """An instance is given back with the entities in it; the one that was given stays empty."""
    adapter = create_entity_adapter(Note, select_id=lambda note: note.key)
    given = Notes(loading="soon")
    initial = adapter.get_initial_state(given, [Note("a")])
    assert isinstance(initial, Notes)
    assert initial.loading == "soon"
    assert list(initial.entities) == ["a"]
    assert len(given.entities) == 0
    notes = create_slice(name="notes", initial_state=initial, reducers={"added": adapter.add_one})
    with configure_store([notes]) as store:
        store.dispatch(notes.actions.added(Note("b")))
        assert list(store[notes].entities) == ["a", "b"]


# What is refused


@pytest.mark.parametrize("name", ["add", "set", "upsert"])
@pytest.mark.parametrize("payload", [None, 5, "text", ["a"]])
def test_what_is_no_entity_is_refused(books: Shelf, name: str, payload: Any) -> None:
    """Alone or among several, and then nothing is changed."""
    before = books.state
    with pytest.raises(StateValueError, match="expected Book or a mapping of its fields, got"):
        books.run(f"{name}_one", payload)
    with pytest.raises(StateValueError, match="expected Book"):
        books.run(f"{name}_many", [GATSBY, payload])
    assert books.run("remove_many", []) is before


@pytest.mark.parametrize("name", ["add_many", "set_all", "upsert_many", "update_many"])
@pytest.mark.parametrize("payload", [None, 5, "abc", b"abc"])
def test_what_are_not_several_is_refused(books: Shelf, name: str, payload: Any) -> None:
    """The message says what was expected, and where."""
    with pytest.raises(StateValueError, match=r"entities.*expected several .*, got") as raised:
        books.run(name, payload)
    assert raised.value.path[-1] == "entities"


@pytest.mark.parametrize("id", [5, None, b"a", ("a",)])
def test_ids_are_strings(books: Shelf, id: Any) -> None:
    """Where entities have them and where one names them."""
    with pytest.raises(StateValueError, match="ids are str, as they are the keys of the table"):
        books.run("add_one", Book(id))
    with pytest.raises(StateValueError, match="ids are str"):
        books.run("add_one", {"id": id, "title": "x"})
    with pytest.raises(StateValueError, match="ids are str"):
        books.run("remove_one", id)
    with pytest.raises(StateValueError, match="ids are str"):
        books.run("update_one", {"id": id, "changes": {}})


def test_an_entity_needs_an_id(books: Shelf) -> None:
    """A mapping without one is refused."""
    with pytest.raises(StateValueError, match="select_id returned None"):
        books.run("add_one", {"title": "x"})


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "th",
        {"id": "th"},
        {"id": "th", "changes": None},
        ("th", {}, 1),
        {"th": {}},
        ("th", []),
    ],
)
def test_what_is_no_update_is_refused(books: Shelf, payload: Any) -> None:
    """The message says how to write one."""
    with pytest.raises(StateValueError, match=r"expected Update\(id, changes\) or"):
        books.run("update_one", payload)


def test_unknown_fields_are_refused(books: Shelf) -> None:
    """By whatever reducer, with the fields that there are; nothing is changed."""
    before = books.add_one(HOBBIT).state
    message = "unknown field 'titel'; fields: id, title, author"
    with pytest.raises(StateValueError, match=message):
        books.run("update_one", Update("th", {"title": "x", "titel": "y"}))
    for name in ("upsert_one", "set_one"):
        with pytest.raises(StateValueError, match=message):
            books.run(name, {"id": "th", "titel": "y"})
    with pytest.raises(StateValueError, match=message):
        books.run("add_one", {"id": "new", "titel": "y"})
    with pytest.raises(StateValueError, match=message):
        books.run("remove_many", {"where": {"titel": "y"}})
    assert books.run("remove_many", []) is before


def test_a_single_id_is_not_several(books: Shelf) -> None:
    """Its letters are not meant."""
    books.add_many([Book("a"), Book("b")])
    with pytest.raises(StateValueError, match="expected several ids"):
        books.run("remove_many", "ab")


def test_a_state_without_entities_is_refused() -> None:
    """The message says what a state with entities is."""
    adapter = unsorted_books()
    wrong: list[Any] = [{}, {"books": {}}, None, 5, Book("a"), [Book("a")]]
    for state in wrong:
        with pytest.raises(TypeError, match="a Table, or a state whose field 'entities' is one"):
            adapter.add_one(state, GATSBY)
    with pytest.raises(TypeError, match="a mapping or an instance of a dataclass"):
        adapter.get_initial_state(5)


def test_a_wrong_declaration_is_refused() -> None:
    """Where the adapter is created."""
    create: Any = create_entity_adapter
    with pytest.raises(TypeError, match="takes the dataclass of its entities first"):
        create(dict)
    with pytest.raises(TypeError, match="takes the dataclass of its entities first"):
        create(Book("a"))
    with pytest.raises(TypeError, match="Note has no field 'id'; tell what its id is"):
        create(Note)
    with pytest.raises(TypeError, match="sort_comparer or sort_key, not both"):
        create(Book, sort_comparer=by_title, sort_key=lambda book: book.title)
    with pytest.raises(TypeError, match="the index 'by_title' is no function: 'title'"):
        create(Book, indexes={"by_title": "title"})


def test_an_adapter_shows_what_it_was_made_of() -> None:
    """As attributes, and its class in its repr."""
    adapter = sorted_books()
    assert adapter.select_id(GATSBY) == "tgg"
    assert unsorted_books().select_id(GATSBY) == "tgg"
    assert adapter.sort_comparer is by_title
    assert adapter.sort_key is None
    assert adapter.entity is Book
    assert repr(adapter) == "<entity adapter of Book>"
    assert repr(Many(str)) == "Many(function=<class 'str'>)"


# Plain data


def test_plain_data_is_a_state_too() -> None:
    """A mapping or an instance is left as it was; a copy with other entities comes back."""
    adapter = create_entity_adapter(Note, select_id=lambda note: note.key)
    given = Notes(loading="x")
    after = adapter.add_many(given, [Note("a"), {"key": "b"}])
    assert isinstance(after, Notes)
    assert (list(after.entities), after.loading) == (["a", "b"], "x")
    assert len(given.entities) == 0
    assert adapter.remove_one(after, "nobody") is after
    plain = {"entities": {"a": Note("a")}, "n": 1}
    assert adapter.remove_all(plain) == {"entities": {}, "n": 1}
    assert list(plain["entities"]) == ["a"]  # type: ignore[call-overload]
    table = Table[Note]()
    assert adapter.add_one(table, Note("a")).default == {"a": Note("a")}
    assert table.default == {}
