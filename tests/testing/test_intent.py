"""What users meant, against what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import Counter, create_slice
from crdtstore.testing import ConvergenceError, Run, World, counted, kept
from tests.testing.samples import Todo, add, label, paint, put, remove, todos


@dataclass
class Plain:
    names: tuple[str, ...] = ()
    n: int = 0
    counter: Counter = Counter(10)


plain = create_slice(name="plain", initial_state=Plain())


@plain.reducer
def named(state: Plain, name: str) -> None:
    state.names = (*state.names, name)


@plain.reducer
def grown(state: Plain, by: int) -> None:
    state.n = state.n + by
    state.counter += by


def test_kept_passes_where_everything_added_is_there() -> None:
    """Lists, tables, maps and sets keep what two replicas add at once."""
    everything = [kept(name) for name in ("items", "rows", "labels", "todos.names")]
    with World([todos, plain], replicas=2, intent=everything) as world:
        for name in ("A", "B"):
            world.act(name, add("x"))
            world.act(name, put(Todo("x")))
            world.act(name, label(name, 1))
            world.act(name, paint(todos.get_initial_state().colour, name))
        world.settle()


def test_kept_excuses_what_somebody_removed() -> None:
    """A row that any replica removed need not be there."""
    with World([todos], replicas=2, intent=[kept("rows")]) as world:
        world.act("A", put(Todo("x")))
        (key,) = world.stores["A"].state.todos.rows
        world.deliver("B")
        world.act("B", remove(key))
        world.settle()


def test_kept_finds_what_a_whole_assignment_lost() -> None:
    """A register that holds a list keeps only one of two concurrent assignments."""
    with World([plain], replicas=2, intent=[kept("names")]) as world:
        world.act("A", named("x"))
        world.act("B", named("y"))
        with pytest.raises(ConvergenceError, match=r"kept\('names'\).*added to names by named\("):
            world.settle()


def test_kept_excuses_what_was_lost_before_anybody_had_it() -> None:
    """An act that a crash took with it was never kept by anybody."""
    with World([todos], replicas=2, intent=[kept("items")]) as world:
        world.act("A", add("x"))
        world.crash("A", 1)
        world.settle()
        assert not world.stores["A"].state.todos.items


def test_counted_compares_with_the_sum_of_all_steps() -> None:
    """A counter passes; a register that two replicas add to at once does not."""
    with World([plain], replicas=2, intent=[counted("counter")]) as world:
        world.act("A", grown(1))
        world.act("B", grown(2))
        world.settle()
    with World([plain], replicas=2, intent=[counted("plain.n")]) as world:
        world.act("A", grown(1))
        world.act("B", grown(2))
        with pytest.raises(
            ConvergenceError, match=r"\+1 by grown\(1\) at A, \+2 by grown\(2\) at B"
        ):
            world.settle()


def test_an_intent_of_ones_own_sees_the_whole_run() -> None:
    """It gets the start, every act with the state before and after, and the end."""
    runs: list[Run] = []

    def look(run: Run) -> Any:
        runs.append(run)
        return len(run.acts) < 2

    with World([plain], replicas=2, intent=[look]) as world:
        world.act("A", grown(3))
        world.settle()
        (run,) = runs
        (act,) = run.acts
        assert (act.number, act.replica, act.action) == (0, "A", grown(3))
        assert [state.plain.n for state in (run.start, act.before, act.after, run.final)] == [
            0,
            0,
            3,
            3,
        ]
        world.act("B", grown(1))
        with pytest.raises(ConvergenceError, match="look"):
            world.settle()


@pytest.mark.parametrize(
    ("path", "said"),
    [("nothing", "no slices have a field 'nothing'"), ("n", "kept.. takes a List")],
)
def test_wrong_paths_are_named(path: str, said: str) -> None:
    """A path that leads nowhere, or to no container, is reported."""
    with World([plain], replicas=2, intent=[kept(path)]) as world:
        world.act("A", grown(1))
        with pytest.raises(ConvergenceError, match=said):
            world.settle()
