"""Which reducers run: exact cases, then matchers in order, a default only if nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import Action, ShapeError, create_action
from crdtstore.cases import Cases

up = create_action("up")
down = create_action("down")


@dataclass
class Fake:
    """Something with the action creators of an async thunk."""

    pending: Any = create_action("t/pending")
    fulfilled: Any = create_action("t/fulfilled")
    rejected: Any = create_action("t/rejected")

    def settled(self, action: Any) -> bool:
        """Match both ends."""
        return action.type in ("t/fulfilled", "t/rejected")


def note(name: str) -> Any:
    """Return a case reducer that says it ran."""
    return lambda state, action: state.append(name)


def ran(cases: Cases[Any], action: Action[Any]) -> list[str]:
    """Return the names of the case reducers that ran, in order."""
    out: list[str] = []
    for case in cases.select(action):
        case(out, action)
    return out


def test_the_exact_case_runs_before_the_matchers_in_their_order() -> None:
    """Every matcher that says yes runs, and those that say no do not."""
    cases: Cases[Any] = (
        Cases()
        .add_case(up, note("exact"))
        .add_case("down", note("down"))
        .add_matcher(lambda action: action.type == "up", note("first"))
        .add_matcher(down, note("never for up"))
        .add_matcher(up.match, note("second"))
    )
    assert ran(cases, up()) == ["exact", "first", "second"]
    assert ran(cases, down()) == ["down", "never for up"]
    assert ran(cases, Action("other")) == []


def test_the_default_case_runs_only_if_nothing_else_did() -> None:
    """A matching matcher is enough to keep it from running."""
    cases: Cases[Any] = (
        Cases()
        .add_case(up, note("exact"))
        .add_matcher(down, note("matcher"))
        .add_default_case(note("default"))
    )
    assert [ran(cases, a) for a in (up(), down(), Action("x"))] == [
        ["exact"],
        ["matcher"],
        ["default"],
    ]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda b: b.add_matcher(up, note("")).add_case(down, note("")),
            "add_case comes before add_matcher",
        ),
        (
            lambda b: b.add_default_case(note("")).add_case(down, note("")),
            "add_case comes before add_default_case",
        ),
        (
            lambda b: b.add_default_case(note("")).add_matcher(down, note("")),
            "add_matcher comes before add_default_case",
        ),
        (
            lambda b: b.add_default_case(note("")).add_default_case(note("")),
            "a default case already",
        ),
        (
            lambda b: b.add_case(up, note("")).add_case("up", note("")),
            "has a reducer for 'up' already",
        ),
        (
            lambda b: b.add_matcher(up, note("")).add_async_thunk(Fake(), pending=note("")),
            "add_case comes before add_matcher",
        ),
        (
            lambda b: b.add_matcher(up, note("")).add_async_thunk(Fake(), settled=note("")),
            "add_case comes before add_matcher",
        ),
    ],
)
def test_a_nonsensical_order_is_refused(build: Any, message: str) -> None:
    """Cases, matchers and the default are added in the order in which they run, and once."""
    with pytest.raises(ShapeError, match=message):
        build(Cases())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda b: b.add_case("", note("")), "a non-empty str"),
        (lambda b: b.add_case(5, note("")), "an action creator or an action type"),
        (lambda b: b.add_case(up, None), "a case reducer is a function, got None"),
        (lambda b: b.add_case(up, lambda a, b, c: None), r"takes \(state, action\)"),
        (lambda b: b.add_case(up, lambda: None), r"takes \(state, action\)"),
        (lambda b: b.add_matcher(5, note("")), "a matcher is a function of an action"),
        (lambda b: b.add_default_case("x"), "a case reducer is a function"),
    ],
)
def test_what_is_no_case_is_refused_when_it_is_added(build: Any, message: str) -> None:
    """The message says what was expected and what came."""
    with pytest.raises(TypeError, match=message):
        build(Cases())


def test_a_reducer_may_take_only_the_state() -> None:
    """As in JavaScript, where the action may be left out."""

    def grow(state: list[str]) -> None:
        state.append("grown")

    assert ran(Cases().add_case(up, grow), up()) == ["grown"]


def test_builtins_work_as_reducers() -> None:
    """A callable without a signature gets both arguments."""
    seen: list[Any] = []
    cases: Cases[Any] = Cases().add_case(
        up, type("C", (), {"__call__": lambda *a: seen.append(a)})()
    )
    cases.select(up())[0]("state", up())
    assert seen[0][1:] == ("state", up())
    case = Cases[Any]().add_case("x", max).select(Action("x"))[0]
    assert case(1, 2) == 2  # type: ignore[arg-type]


def test_the_cases_of_a_thunk_are_added_at_once() -> None:
    """One reducer for each of its actions, and one for both ends."""
    cases: Cases[Any] = Cases().add_async_thunk(
        Fake(),
        pending=note("pending"),
        fulfilled=note("fulfilled"),
        rejected=note("rejected"),
        settled=note("settled"),
    )
    assert ran(cases, Action("t/pending")) == ["pending"]
    assert ran(cases, Action("t/fulfilled")) == ["fulfilled", "settled"]
    assert ran(cases, Action("t/rejected")) == ["rejected", "settled"]


def test_own_matchers_come_before_the_others_whenever_they_are_added() -> None:
    """A slice's own thunks are settled before what answers them from outside."""
    cases: Cases[Any] = Cases().add_matcher(up, note("late"))
    cases.own_matcher(up, note("own"))
    cases.own_matcher(up, note("own too"))
    assert ran(cases, up()) == ["own", "own too", "late"]


def test_a_built_in_case_gives_way_to_ones_own() -> None:
    """And it keeps the default case from running, as it answers the action."""
    cases: Cases[Any] = Cases().add_default_case(note("default"))
    cases.builtin["up"] = note("built in")
    assert ran(cases, up()) == ["built in"]
    cases.own("up", note("mine"))
    assert ran(cases, up()) == ["mine"]


def test_taking_other_cases_keeps_their_order() -> None:
    """The taken matchers stand before those added one by one; nothing may be there twice."""
    cases: Cases[Any] = Cases("a").add_matcher(up, note("decorated"))
    cases.take(Cases[Any]("b").add_case(up, note("exact")).add_matcher(up, note("built")))
    assert ran(cases, up()) == ["exact", "built", "decorated"]
    with pytest.raises(ShapeError, match="a has a reducer for 'up' already"):
        cases.take(Cases[Any]("b").add_case(up, note("again")))
    cases.add_default_case(note("default"))
    with pytest.raises(ShapeError, match="two default cases"):
        cases.take(Cases[Any]("b").add_default_case(note("again")))


def test_every_addition_is_counted() -> None:
    """Stores look at the count to notice reducers added while they are open."""
    counts = [Cases.revision]
    cases: Cases[Any] = Cases()
    for add in (
        lambda: cases.add_case(up, note("")),
        lambda: cases.own_matcher(up, note("")),
        lambda: cases.add_matcher(up, note("")),
        lambda: cases.add_default_case(note("")),
        lambda: cases.take(Cases()),
    ):
        add()
        counts.append(Cases.revision)
    assert counts == sorted(set(counts))
