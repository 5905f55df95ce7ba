"""Five lines that find, shrink and draw what concurrency breaks."""

from __future__ import annotations

import json
import unittest
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from crdtstore import Table, create_slice
from crdtstore.testing import ConvergenceError, History, convergence_test, counted, kept
from crdtstore.testing.report import ARTIFACTS, REPLAY
from tests.testing.samples import (
    add,
    failure_of,
    never_below_zero,
    quick,
    shop,
    sold,
    todos,
    vote,
)

test_a_right_slice_passes = convergence_test(
    [todos], intent=[kept("items"), kept("rows")], settings=settings(max_examples=50)
)


class TestInAClass(unittest.TestCase):
    """The function is a method where it is assigned in a class."""

    test_shop = convergence_test([shop], settings=settings(quick, max_examples=10))


few_steps = settings(quick, max_examples=300)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConvergenceError]:
    """What the test of the shop finds."""
    folder = tmp_path_factory.mktemp("artifacts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ARTIFACTS, str(folder))
        test = convergence_test([shop], invariants=[never_below_zero], settings=quick)
        error = failure_of(test)
        assert {Path(file).parent for file in error.files} == {folder}
        yield error


def test_a_planted_bug_is_found_shrunk_and_drawn(found: ConvergenceError) -> None:
    """Two replicas sell the last piece: two acts and a delivery, as text and in files."""
    error = found
    assert [event.kind for event in error.history.events] == ["act", "act", "deliver"]
    assert {event.label for event in error.history.events[:2]} == {"sold(pieces=1)"}
    (broken,) = error.history.broken
    assert (broken.what, broken.event) == ("never_below_zero", 2)
    said = str(error)
    assert said.startswith("never_below_zero at ")
    assert "state.shop.pieces >= 0" in said
    assert said.count("sold(pieces=1)") >= 2
    html, data = map(Path, error.files)
    assert (html.suffix, data.suffix) == (".html", ".json")
    assert "sold(pieces=1)" in html.read_text("utf-8")
    assert History.from_json(data.read_text("utf-8")) == error.history
    assert str(html) in said


@dataclass
class Range:
    low: int = 0
    high: int = 3
    views: int = 0
    names: tuple[str, ...] = ()


limits = create_slice(name="limits", initial_state=Range())


@limits.reducer
def lowered(state: Range, to: int) -> None:
    if to >= state.low:
        state.high = to


@limits.reducer
def raised(state: Range, to: int) -> None:
    if to <= state.high:
        state.low = to


@limits.reducer
def viewed(state: Range) -> None:
    state.views = state.views + 1


@limits.reducer
def named(state: Range, name: str) -> None:
    state.names = (*state.names, name)


@dataclass
class User:
    name: str = ""


@dataclass
class Users:
    users: Table[User] = Table()


users = create_slice(name="users", initial_state=Users())


@users.reducer
def registered(state: Users, key: str, name: str) -> None:
    if all(user.name != name for user in state.users.values()):
        state.users[key] = User(name)


def low_is_below_high(state: Any) -> bool:
    return bool(state.limits.low <= state.limits.high)


def names_are_unique(state: Any) -> None:
    names = [user.name for user in state.users.users.values()]
    assert len(names) == len(set(names)), f"two are called alike: {names}"


@pytest.mark.parametrize(
    ("slices", "promises", "acts"),
    [
        ([limits], {"invariants": [low_is_below_high]}, 2),
        ([users], {"at_quiescence": [names_are_unique]}, 2),
        ([limits], {"intent": [counted("views")]}, 2),
        ([limits], {"intent": [kept("names")]}, 2),
    ],
    ids=["two fields", "unique names", "lost update", "lost row"],
)
def test_mistakes_of_several_sorts_are_found(
    slices: list[Any], promises: dict[str, Any], acts: int
) -> None:
    """Each shrinks to the two acts that did not know of each other."""
    error = failure_of(convergence_test(slices, **promises, steps=10, settings=few_steps))
    done = [event for event in error.history.events if event.kind == "act"]
    assert len(done) == acts
    assert len({event.replica for event in done}) == 2
    assert error.history.replicas == ("A", "B")


def test_the_same_seed_gives_the_same_history() -> None:
    """Nothing but the seed decides, down to the file."""
    test = convergence_test([shop], invariants=[never_below_zero], steps=10, settings=few_steps)
    one, other = failure_of(test), failure_of(test)
    assert one.history.to_json() == other.history.to_json()


def test_a_failure_is_played_again_by_its_blob(
    found: ConvergenceError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed line holds all of the example: no search, the same history."""
    first, _, blob = found.replay.partition(" --crdtstore-replay=")
    asked = count()

    def counting(state: Any) -> None:
        next(asked)
        never_below_zero(state)

    again = convergence_test([shop], invariants=[counting], settings=quick)
    monkeypatch.setenv(REPLAY, blob)
    second = failure_of(again)
    assert next(asked) < 10, "it searched"
    assert second.history.events == found.history.events
    assert second.replay.endswith(
        f"::test_a_failure_is_played_again_by_its_blob --crdtstore-replay={blob}"
    )
    assert first.startswith("pytest ")


def test_a_rule_that_depends_on_something_else_is_called_irreproducible() -> None:
    """Where the same steps give another result, the message says what that means."""
    calls = count()

    def sometimes(state: Any) -> bool:
        return next(calls) != 40

    error = failure_of(convergence_test([shop], invariants=[sometimes], settings=quick))
    assert "another result when they were played again" in str(error)


def test_chance_in_a_reducer_is_fine() -> None:
    """What a reducer did is what travels, so it may ask the time or throw dice (samples.put)."""
    only = dict.fromkeys((f"todos/{name}" for name in todos.actions if name != "put"), None)
    convergence_test([todos], actions=only, settings=settings(quick, max_examples=20))()


def test_faults_can_be_chosen() -> None:
    """Without faults, only acts, deliveries in order and syncs happen."""
    seen: set[str] = set()

    def look(run: Any) -> None:
        seen.update(act.replica for act in run.acts)

    error = failure_of(
        convergence_test(
            [users], faults=(), at_quiescence=[names_are_unique], steps=10, settings=few_steps
        )
    )
    assert {event.kind for event in error.history.events} <= {"act", "deliver", "sync"}
    convergence_test(
        [todos], intent=[look], replicas=4, steps=20, settings=settings(quick, max_examples=30)
    )()
    assert seen == {"A", "B", "C", "D"}


def test_every_fault_is_drawn() -> None:
    """All kinds of events happen in some run."""
    kinds: set[str] = set()

    def remember(self: Any, world: Any) -> None:
        kinds.update(event.kind for event in world.history.events)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crdtstore.testing.convergence.Search.watch", remember)
        convergence_test([todos], settings=settings(quick, max_examples=60))()
    assert kinds == {
        "act",
        "deliver",
        "sync",
        "cut",
        "heal",
        "crash",
        "restart",
        "restore",
        "clone",
        "clock",
    }


def test_setup_comes_first() -> None:
    """What setup dispatches is there when the first step is played."""
    starts: list[int] = []

    def look(run: Any) -> None:
        starts.append(len(run.start.todos.items))

    def setup(store: Any) -> None:
        store.dispatch(add("x"))

    chosen = settings(quick, max_examples=5)
    convergence_test([todos], setup=setup, intent=[look], settings=chosen)()
    assert set(starts) == {1}


def test_overrides_reach_the_draw() -> None:
    """A strategy of one's own for one action is what is drawn of it."""
    error = failure_of(
        convergence_test(
            [shop],
            actions={sold: st.builds(sold, st.just(1))},
            invariants=[never_below_zero],
            steps=10,
            settings=few_steps,
        )
    )
    assert "sold(pieces=1)" in str(error)


def test_wrong_arguments_are_refused_when_the_test_is_made() -> None:
    """A misspelt fault, impossible numbers, and overrides of nothing are named at once."""
    with pytest.raises(ValueError, match="faults are some of duplicate, reorder"):
        convergence_test([shop], faults=("crush",))
    with pytest.raises(ValueError, match="replicas is a number"):
        convergence_test([shop], replicas=0)
    with pytest.raises(ValueError, match="replicas is a number"):
        convergence_test([shop], replicas=(3, 2))
    with pytest.raises(InvalidArgument, match="leaves out 'shop/sould'"):
        convergence_test([shop], actions={"shop/sould": None})
    with pytest.raises(TypeError, match="a check is a plain function"):
        convergence_test([shop], invariants=["never_below_zero"])  # type: ignore[list-item]


def test_the_test_says_what_it_promises() -> None:
    """Its docstring names the slices and the checks, and it stands where it was made."""
    test: Any = convergence_test([shop], invariants=[never_below_zero], intent=[counted("pieces")])
    assert test.__doc__ == (
        "Replicas of shop converge and keep never_below_zero, counted('pieces')."
    )
    assert test.__module__ == __name__
    assert test.place_as.__code__.co_filename == __file__


def test_rows_are_hit() -> None:
    """Marked keys find rows often enough: most votes count."""
    votes: list[bool] = []

    def look(run: Any) -> None:
        votes.extend(act.action.type == vote.type for act in run.acts)

    only = dict.fromkeys((f"todos/{n}" for n in todos.actions if n not in ("add", "vote")), None)
    chosen = settings(quick, max_examples=40)
    convergence_test([todos], actions=only, intent=[look], faults=(), settings=chosen)()
    assert sum(votes) > len(votes) / 5


def test_failures_may_carry_a_users_own_exception() -> None:
    """An invariant that fails in itself is shown with its own traceback."""
    error = failure_of(
        convergence_test([shop], invariants=[lambda s: s.shop.peaces >= 0], settings=quick)
    )
    assert isinstance(error.__cause__, AttributeError)
    assert "it raised AttributeError" in str(error)
    assert json.loads(error.history.to_json())["broken"]
