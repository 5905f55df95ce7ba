"""The board of the demo: its reducers say what they found, and sign for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from crdtstore import Commit, Store, configure_store
from sync.demo.slices import board, tally


@pytest.fixture
def store() -> Iterator[Store]:
    """A board of one person."""
    with configure_store([board, tally]) as opened:
        yield opened


def _do(store: Store, kind: str, n: int = 1, **payload: Any) -> dict[str, Any]:
    store.dispatch(board.actions[kind]("A", n, **payload))
    return store[board].journal["A"]


def test_an_action_changes_both_slices_in_one_commit(store: Store) -> None:
    """So that neither can be lost without the other."""
    commits: list[Commit] = []
    store.on_commit(commits.append)
    _do(store, "write", words=["tea.A1", "rice.A1"], where=0.0)
    assert [set(commit.deltas) for commit in commits] == [{"board", "tally"}]
    assert (store[tally].actions, store[tally].typed) == (1, 2)


def test_a_signature_tells_what_was_seen_before(store: Store) -> None:
    """Everybody's last step in the state that the reducer worked on, its own not included."""
    assert _do(store, "write", 1, words=["tea.A1"], where=0.0)["seen"] == {}
    with configure_store([board, tally]) as other:
        other.dispatch(board.actions["write"]("B", 1, words=["rice.B1"], where=0.0))
        store.merge(other.deltas_since(store.state_vectors()))
    assert _do(store, "strike", 2, word="rice.B1")["seen"] == {"A": 1, "B": 1}


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("vote", {"id": "A9", "votes": 1}),
        ("remove", {"id": "A9"}),
        ("move", {"id": "A9", "where": 0.5}),
        ("retitle", {"id": "A9", "words": ["x.A1"]}),
        ("shorten", {"id": "welcome", "word": "x.A1"}),
        ("untag", {"id": "welcome", "tag": "home"}),
        ("leave", {"name": "Ada"}),
        ("work", {"name": "Ada", "hours": 1.0}),
        ("forget", {"name": "Ada", "skill": "knots"}),
        ("strike", {"word": "x.A1"}),
        ("cancel", {"day": "friday"}),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(
    store: Store, kind: str, payload: dict[str, Any]
) -> None:
    """Nothing but the signature and the tally changes then."""
    before = store[board]
    assert _do(store, kind, **payload)["found"] is False
    after = store[board]
    assert after.todos is before.todos
    assert (after.people, after.notes, after.meetings) == (
        before.people,
        before.notes,
        before.meetings,
    )


def test_words_are_struck_whole(store: Store) -> None:
    """A word that ends like another one does not take that one's end with it."""
    _do(store, "write", 1, words=["green.A1", "en.A1"], where=0.999)
    assert _do(store, "strike", 2, word="en.A1")["found"] is True
    assert store[board].notes == "Notes: green.A1 "


def test_words_are_typed_between_words(store: Store) -> None:
    """Wherever the typist points, also behind characters of several bytes."""
    for n in range(1, 40):
        _do(store, "write", n, words=[f"寿司🍋.A{n}"], where=n / 40)
    words = store[board].notes.split(" ")
    assert sorted(words) == sorted(["", "Notes:", *(f"寿司🍋.A{n}" for n in range(1, 40))])
