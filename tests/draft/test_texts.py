"""Drafts of texts: a str edited in place, and whole assignment as minimal edits."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from crdtstore import RevokedDraftError, StateValueError, TextView, current, original
from crdtstore.changes import Splice
from crdtstore.draft.texts import edits
from tests.draft.running import changes_of, opened, state_after


def splices(program: Any) -> list[tuple[int, str, str]]:
    """What a program records of the text ``title``: (at, deleted, inserted)."""
    changes = changes_of(program)
    assert all(isinstance(change, Splice) and change.path == ("title",) for change in changes)
    return [(change.at, change.deleted, change.inserted) for change in changes]  # type: ignore[union-attr]


def test_a_text_is_a_str_whose_methods_stay_pure() -> None:
    """Reading, slicing, formatting and every str method work, and change nothing."""

    def program(state: Any) -> None:
        title = state.title
        assert isinstance(title, str)
        assert isinstance(title, TextView)
        assert title == "title"
        assert f"{title:>7}" == "  title"
        assert (title.upper(), title[1:3], title + "!", len(title)) == ("TITLE", "it", "title!", 5)
        assert hash(title) == hash("title")
        assert {title: 1}["title"] == 1
        match title:
            case "title":
                pass
            case _:
                raise AssertionError

    assert changes_of(program) == []


def test_insert_delete_and_splice_edit_in_place() -> None:
    """Positions count code points, negative ones from the end, as in Python."""

    def program(state: Any) -> None:
        state.title.insert(0, "a ")
        state.title.insert(-1, "🙂")
        state.title.insert(99, "!")
        state.title.delete(0, 2)
        state.title.delete(-1)
        state.title.splice(0, 1, "T")

    assert state_after(program).title == "Titl🙂e"


def test_an_edit_through_one_reading_is_seen_by_the_next() -> None:
    """A text that was read keeps its content as a str, while its edits go to the state."""

    def program(state: Any) -> None:
        before = state.title
        before.insert(0, "1")
        before.insert(0, "2")
        assert before == "title"
        assert state.title == "21title"

    assert state_after(program).title == "21title"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.delete(5), "cannot edit 1 characters at 5: the text has 5 characters"),
        (lambda t: t.delete(0, 6), "cannot edit 6 characters at 0"),
        (lambda t: t.delete(-6), "cannot edit 1 characters at -6"),
        (lambda t: t.delete(0, -1), "cannot edit -1 characters at 0"),
        (lambda t: t.splice(6, 0, "x"), "cannot edit 0 characters at 6"),
    ],
)
def test_an_edit_outside_of_the_text_is_refused(edit: Any, message: str) -> None:
    """Deleting what is not there raises ``IndexError`` and names the length."""
    with pytest.raises(IndexError, match=message):
        state_after(lambda state: edit(state.title))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.insert(0, 5), "expected str to insert, got int"),
        (lambda t: t.splice(0, 1, None), "expected str to insert, got NoneType"),
        (lambda t: t.insert(0, "\ud800"), "title: .*surrogate"),
    ],
)
def test_only_text_can_be_inserted(edit: Any, message: str) -> None:
    """What is no str, or no UTF-8, is refused with the place."""
    with pytest.raises(StateValueError, match=message):
        state_after(lambda state: edit(state.title))


def test_a_lone_surrogate_cannot_be_assigned() -> None:
    """Half of a character beyond the basic plane is no text."""
    with pytest.raises(StateValueError, match=r"s\.title: .*surrogate"):
        state_after(lambda state: setattr(state, "title", "a\udc00"))


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ("title", []),
        ("titles", [(5, "", "s")]),
        ("subtitle", [(0, "", "sub")]),
        ("tile", [(2, "t", "")]),
        ("", [(0, "title", "")]),
        ("total", [(1, "i", "o"), (3, "", "a"), (5, "e", "")]),
    ],
)
def test_assignment_records_what_differs(new: str, expected: list[tuple[int, str, str]]) -> None:
    """Assigning a whole text keeps the characters that both have."""
    found = splices(lambda state: setattr(state, "title", new))
    text = "title"
    for at, deleted, inserted in found:
        assert text[at : at + len(deleted)] == deleted
        text = text[:at] + inserted + text[at + len(deleted) :]
    assert text == new
    assert sum(len(d) + len(i) for _, d, i in found) == sum(len(d) + len(i) for _, d, i in expected)


def test_appending_with_plus_records_only_the_addition() -> None:
    """``state.title += x`` does not touch what was there."""

    def program(state: Any) -> None:
        state.title += " and more"

    assert splices(program) == [(5, "", " and more")]


def test_very_different_texts_are_replaced_between_what_they_share() -> None:
    """Beyond some hundred differences the middle goes in one edit, which bounds the work."""
    old, new = "same" + "a" * 3000 + "end", "same" + "b" * 3000 + "end"
    assert list(edits(old, new)) == [(4, 3000, "b" * 3000)]


def test_edits_that_change_nothing_are_not_recorded() -> None:
    """Replacing characters by themselves and inserting nothing records nothing."""

    def program(state: Any) -> None:
        state.title = "title"
        state.title.insert(2, "")
        state.title.delete(2, 0)
        state.title.splice(0, 2, "ti")

    assert changes_of(program) == []


def test_a_slice_can_be_one_text() -> None:
    """A slice whose whole state is a Text is edited in place or replaced by a returned str."""
    from crdtstore import Text

    assert state_after(lambda text: text.insert(0, "> "), initial=Text("a")) == "> a"
    assert state_after(lambda text: text + "!", initial=Text("a")) == "a!"
    assert state_after(lambda text: text, initial=Text("a")) == "a"


def test_current_and_original_of_a_text() -> None:
    """``current`` shows the edits so far, ``original`` does not."""

    def program(state: Any) -> None:
        state.title.insert(0, "x")
        assert (current(state.title), original(state.title)) == ("xtitle", "title")
        assert type(current(state.title)) is TextView

    state_after(program)


def test_an_escaped_text_cannot_be_edited_but_is_still_a_str() -> None:
    """After the reducer a text draft is revoked; what it read is a plain str for ever."""
    kept: list[Any] = []
    _, dispatch = opened()
    dispatch(lambda state: kept.append(state.title))
    (title,) = kept
    for edit in (
        lambda: title.insert(0, "x"),
        lambda: title.delete(0),
        lambda: title.splice(0, 0, "x"),
        lambda: current(title),
        lambda: original(title),
    ):
        with pytest.raises(RevokedDraftError):
            edit()
    assert title == "title"
    assert pickle.loads(pickle.dumps(title)) == "title"
