"""The kit as a state machine."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from crdtstore.testing import ConvergenceError, ConvergenceMachine, kept
from crdtstore.testing.report import ARTIFACTS, REPLAY
from tests.testing.samples import add, failure_of, never_below_zero, quick, shop, todos

few = settings(quick, max_examples=20, stateful_step_count=15)
short = settings(quick, stateful_step_count=10)


class TodosMachine(ConvergenceMachine):
    slices = (todos,)
    intent = (kept("items"),)

    @rule(title=st.just("mine"))
    def write(self, title: str) -> None:
        self.dispatch("A", add(title))

    @invariant()
    def names_are_those_of_the_replicas(self) -> None:
        assert set(self.stores) <= {"A", "B", "C"}


TestTodos = TodosMachine.TestCase
TestTodos.settings = few  # type: ignore[attr-defined]


class ShopMachine(ConvergenceMachine):
    slices = (shop,)
    state_invariants = (never_below_zero,)
    replicas = 2
    faults = ()


class WrongRule(ConvergenceMachine):
    slices = (todos,)

    def setup(store: Any) -> None:
        store.dispatch(add("first"))

    @rule()
    def look(self) -> None:
        for store in self.stores.values():
            assert len(store.state.todos.items) < 2, "there are two"


@pytest.fixture(scope="module")
def found() -> Iterator[ConvergenceError]:
    """What the machine of the shop finds."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setenv(ARTIFACTS, folder)
        yield failure_of(lambda: ShopMachine.run(short))


def test_a_machine_finds_what_the_test_finds(found: ConvergenceError) -> None:
    """The same steps, checks and diagram; it shrinks as far."""
    error = found
    assert [event.kind for event in error.history.events] == ["act", "act", "deliver"]
    assert str(error).startswith("never_below_zero at ")
    assert len(error.files) == 2


def test_rules_of_ones_own_are_drawn_as_well() -> None:
    """A rule that fails is shown with the history that led to it, and its own traceback."""
    error = failure_of(lambda: WrongRule.run(quick))
    (broken,) = error.history.broken
    assert broken.what == "a rule of WrongRule"
    assert broken.message.startswith("there are two")
    assert [event.kind for event in error.history.events] == ["act"]
    assert isinstance(error.__cause__, AssertionError)


def test_a_machine_is_played_again_by_its_blob(
    found: ConvergenceError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The printed line replays a machine's failure, and leaves no trace on the class."""
    monkeypatch.setenv(REPLAY, found.replay.rpartition("--crdtstore-replay=")[2])
    second = failure_of(lambda: ShopMachine.run(short))
    assert second.history.events == found.history.events
    assert not hasattr(ShopMachine, "_hypothesis_internal_use_reproduce_failure")


def test_test_cases_are_made_once_for_each_machine() -> None:
    """Settings assigned to a machine's test case stay there, and are not its parent's."""

    class Other(ShopMachine):
        replicas = 3

    assert ShopMachine.TestCase is ShopMachine.TestCase
    assert Other.TestCase is not ShopMachine.TestCase
    assert issubclass(Other.TestCase, unittest.TestCase)
