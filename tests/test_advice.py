"""The advice on ``+=``: given for increments of registers, once a field, and for nothing else."""

from __future__ import annotations

import dis
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crdtstore import Counter, Table, configure_store, create_slice
from crdtstore.advice import _offsets
from crdtstore.errors import CrdtstoreWarning

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Row:
    n: int = 0

    def bump(self) -> None:
        self.n += 1


@dataclass
class State:
    n: int = 0
    f: float = 0.5
    flag: bool = False
    text: str = ""
    items: Any = None
    votes: Counter = Counter(0)
    rows: Table[Row] = Table({"a": Row(), "b": Row()})


def advice(*programs: Callable[[Any], Any], initial: Any = None) -> list[str]:
    """Run programs, one a dispatch, on a fresh slice and return the warnings' texts."""
    made: Any = create_slice(name="s", initial_state=initial if initial is not None else State())
    run = made.reducer(name="run")(lambda state, program: program(state))
    with (
        configure_store([made], middleware=lambda _: []) as store,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        for program in programs:
            store.dispatch(run(program))
    assert all(each.category is CrdtstoreWarning for each in caught)
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught]


def increment(state: Any) -> None:
    state.n += 1


def decrement(state: Any) -> None:
    state.f -= 0.5


def by_a_long_way(state: Any) -> None:
    state.n += sum(x for x in range(3)) if state.flag else len([1, 2])


def in_a_row(state: Any) -> None:
    state.rows["a"].n += 1


def in_the_other_row(state: Any) -> None:
    state.rows["b"].n += 1


def in_a_method(state: Any) -> None:
    state.rows["a"].bump()


def in_a_loop(state: Any) -> None:
    for row in state.rows.values():
        row.n += 1


def as_an_item(state: Any) -> None:
    state["n"] += 1


def as_an_attribute_of_a_dict(state: Any) -> None:
    state.n += 1


@pytest.mark.parametrize(
    ("program", "field", "initial"),
    [
        (increment, "n", None),
        (decrement, "f", None),
        (by_a_long_way, "n", None),
        (in_a_row, "n", None),
        (in_a_method, "n", None),
        (in_a_loop, "n", None),
        (as_an_item, "n", {"n": 0}),
        (as_an_attribute_of_a_dict, "n", {"n": 0}),
    ],
)
def test_an_increment_of_a_register_is_advised_on(program: Any, field: str, initial: Any) -> None:
    """``+=`` and ``-=`` on a number say what is lost, and name Counter."""
    assert advice(program, program, program, initial=initial) == [
        f"s: '{field}' is a register, so of two concurrent increments one is lost; "
        f"declare it as a Counter ({field}: Counter = Counter(0)) and both count"
    ]


def test_the_warning_points_at_the_line() -> None:
    """File and line are those of the ``+=`` in the user's reducer."""
    made: Any = create_slice(name="s", initial_state=State())
    run = made.reducer(name="run")(increment)
    with (
        configure_store([made], middleware=lambda _: []) as store,
        pytest.warns(CrdtstoreWarning) as caught,
    ):
        store.dispatch(run())
    line = increment.__code__.co_firstlineno + 1
    assert [(each.filename, each.lineno) for each in caught] == [(__file__, line)]


def test_advice_is_given_once_for_each_field() -> None:
    """Other places that increment the same field stay silent, another field does not."""
    assert len(advice(increment, by_a_long_way, increment)) == 1
    assert len(advice(increment, decrement, increment, decrement)) == 2
    assert len(advice(in_a_row, in_the_other_row, in_a_method)) == 1
    assert len(advice(increment, in_a_row)) == 2
    assert len(advice(increment)) == 1  # a slice of its own


def plain_assignment(state: Any) -> None:
    state.n = 5


def computed(state: Any) -> None:
    state.n = state.n + 1


def local(state: Any) -> None:
    n = state.n
    n += 1
    state.n = n


def other_operators(state: Any) -> None:
    state.n *= 3
    state.n |= 4
    state.n //= 1
    state.n **= 2


def other_types(state: Any) -> None:
    state.text += "x"
    state.items = [1]
    state.items += [2]
    state.flag |= True
    state.flag ^= True


def a_counter(state: Any) -> None:
    state.votes += 1
    state.votes -= 2


def nothing(state: Any) -> None:
    state.n += 0


def elsewhere(state: Any) -> None:
    class Local:
        n = 0

    mine, values = Local(), {"n": 0}
    mine.n += 1
    values["n"] += 1
    state.n = mine.n + values["n"]


def by_name(state: Any) -> None:
    setattr(state, "n", state.n + 1)  # noqa: B010


def whole(state: Any) -> Any:
    return State(n=state.n + 1)


def row_anew(state: Any) -> None:
    row = Row(state.rows["a"].n)
    row.n += 1
    state.rows["a"] = row


@pytest.mark.parametrize(
    "program",
    [
        plain_assignment,
        computed,
        local,
        other_operators,
        other_types,
        a_counter,
        nothing,
        elsewhere,
        by_name,
        whole,
        row_anew,
    ],
)
def test_nothing_else_is_advised_on(program: Any) -> None:
    """Assignments, other operators, other types, counters and other objects are left alone."""
    assert advice(program, program) == []


def test_only_places_that_store_an_increment_are_found() -> None:
    """In a function that does both, the one offset of the increment is found."""

    def both(state: Any) -> None:
        state.n = 1
        state.n += 1
        state["k"] -= 2
        state.n = state.n + 1
        state.m *= 2
        total = 0
        total += 1
        state.n = total

    stores = [i for i in dis.get_instructions(both) if i.opname in ("STORE_ATTR", "STORE_SUBSCR")]
    assert sorted(_offsets(both.__code__)) == [stores[1].offset, stores[2].offset]


def test_functions_with_many_names_are_understood() -> None:
    """Beyond 256 names the bytecode has extended arguments."""
    many = "".join(f"    state.a{n} = 0\n" for n in range(300))
    scope: dict[str, Any] = {}
    exec(f"def large(state):\n{many}    state.last += 1\n", scope)
    code = scope["large"].__code__
    (offset,) = _offsets(code)
    last = [i for i in dis.get_instructions(code) if i.opname == "STORE_ATTR"][-1]
    assert offset == last.offset


def test_the_advice_can_be_made_an_error_or_silenced() -> None:
    """It is an ordinary warning with a category of its own."""
    made: Any = create_slice(name="s", initial_state=State())
    run = made.reducer(name="run")(increment)
    with configure_store([made], middleware=lambda _: []) as store:
        before = store.state
        with warnings.catch_warnings():
            warnings.simplefilter("error", CrdtstoreWarning)
            with pytest.raises(CrdtstoreWarning):
                store.dispatch(run())
        assert store.state is before
        store.dispatch(run())
        assert store.state.s.n == 1


def test_there_is_no_advice_in_optimised_runs() -> None:
    """``python -O`` leaves it out."""
    code = (
        "from crdtstore import *\n"
        "made = create_slice(name='s', initial_state={'n': 0})\n"
        "@made.reducer\n"
        "def increment(state): state.n += 1\n"
        "store = configure_store([made], middleware=lambda _: [])\n"
        "store.dispatch(increment())\n"
        "print(store.state.s.n)\n"
    )
    for options, warned in (((), True), (("-O",), False)):
        done = subprocess.run(
            [sys.executable, *options, "-c", code],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=True,
        )
        assert done.stdout == "1\n"
        assert ("CrdtstoreWarning: s: 'n' is a register" in done.stderr) == warned
