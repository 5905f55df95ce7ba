"""Slices: names, reducers in both forms, cases of other slices, selectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import (
    Action,
    Counter,
    FrozenStateError,
    ShapeError,
    Slice,
    configure_store,
    create_action,
    create_slice,
)


@dataclass
class Count:
    n: Counter = Counter(0)
    last: str = ""


def add(state: Count, by: int = 1) -> None:
    state.n += by


def counts(name: str = "counts", **options: Any) -> Slice[Count]:
    """Make a slice with two reducers, the Redux Toolkit way."""
    return create_slice(
        name=name,
        initial_state=Count(),
        reducers={
            "add": add,
            "label": {
                "reducer": lambda state, action: setattr(state, "last", action.payload),
                "prepare": lambda text: {"payload": text.strip()},
            },
        },
        **options,
    )


def test_reducers_given_as_a_dict_are_actions_and_case_reducers() -> None:
    """``slice.actions.name`` creates, ``slice.case_reducers`` holds the functions."""
    made = counts()
    assert made.actions.add(2) == Action("counts/add", 2)
    assert made.actions["label"](" x ") == Action("counts/label", "x")
    assert list(made.actions) == dir(made.actions) == ["add", "label"]
    assert len(made.actions) == 2
    assert made.case_reducers["add"] is add
    with configure_store([made]) as store:
        store.dispatch(made.actions.add(2))
        store.dispatch(made.actions.label(" x "))
        assert store[made] == Count(2, "x")


def test_an_unknown_action_says_which_there_are() -> None:
    """``slice.actions.typo`` is an ``AttributeError`` with the names."""
    with pytest.raises(AttributeError, match="no reducer named 'ad'; there are: add, label"):
        _ = counts().actions.ad
    with pytest.raises(AttributeError, match="there are: none"):
        _ = create_slice(name="s", initial_state=0).actions.ad


def test_the_decorator_makes_the_function_its_creator() -> None:
    """``@slice.reducer`` with and without arguments adds a reducer, also to an open store."""
    made = counts()
    store = configure_store([made])

    @made.reducer
    def double(state: Count) -> None:
        state.n *= 2

    @made.reducer(name="reset")
    def anything(state: Count) -> Count:
        return Count()

    store.dispatch(made.actions.add(3))
    store.dispatch(double())
    assert store[made].n == 6
    assert double.type == "counts/double"
    assert anything.type == "counts/reset"
    store.dispatch(made.actions.reset())
    assert store[made].n == 0
    store.close()


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "a.b", "a/b", None, 5, "ä b"])
def test_a_name_that_is_no_identifier_is_refused(name: Any) -> None:
    """A slice's name is an attribute of ``store.state``."""
    with pytest.raises(ShapeError, match="a slice's name is an identifier"):
        create_slice(name=name, initial_state=0)


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "größe", "_x", "s2"])
def test_names_may_hide_the_methods_of_mappings(name: str) -> None:
    """``store.state.items`` is the slice of that name."""
    made = counts(name)
    with configure_store([made]) as store:
        store.dispatch(made.actions.add(2))
        assert getattr(store.state, name) == Count(2)
        assert store.state[name] is store[made]
        assert store.state.to_plain() == {name: {"n": 2, "last": ""}}


def test_a_second_reducer_of_one_name_is_refused() -> None:
    """Neither a reducer nor a case can be declared twice."""
    made = counts()
    with pytest.raises(ShapeError, match="'counts' has a reducer named 'add' already"):
        made.reducer(add)
    ping = create_action("ping")
    made.add_case(ping)(lambda state, action: None)
    with pytest.raises(ShapeError, match="'counts' has a reducer for 'ping' already"):
        made.add_case("ping")(lambda state, action: None)
    made.add_case("counts/later")(lambda state, action: None)
    with pytest.raises(ShapeError, match="'counts' has a reducer for 'counts/later' already"):
        made.reducer(name="later")(add)


def test_extra_reducers_answer_other_slices_actions() -> None:
    """By creator, by type, by decorator; they get the whole action."""
    ping = create_action("ping")
    first = counts("first")
    second = create_slice(
        name="second",
        initial_state=Count(),
        extra_reducers={
            first.actions.add: lambda state, action: setattr(state, "last", f"+{action.payload}"),
            "ping": lambda state, action: setattr(state, "last", "pong"),
        },
    )

    @second.add_case(first.actions.label)
    def labelled(state: Count, action: Action[str]) -> None:
        state.last = action.payload
        state.n += 1

    with configure_store([first, second]) as store:
        store.dispatch(first.actions.add(4))
        assert (store[first].n, store[second].last) == (4, "+4")
        store.dispatch(ping())
        assert store[second].last == "pong"
        store.dispatch(first.actions.label("x"))
        assert store[second] == Count(1, "x")
    labelled(Count(), Action("any", "still a function"))


@pytest.mark.parametrize("key", [5, None, lambda: None])
def test_extra_reducers_are_keyed_by_actions(key: Any) -> None:
    """Anything else as a key is refused."""
    with pytest.raises(TypeError, match="a case is for an action creator or an action type"):
        create_slice(name="s", initial_state=0, extra_reducers={key: lambda state, action: None})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reducers": {"a": 5}}, "the reducer 's/a' is no function: 5"),
        ({"reducers": {"a": {"prepare": dict}}}, "the reducer 's/a' is no function: None"),
        ({"extra_reducers": 5}, "extra_reducers is a function of a builder, or a dict"),
    ],
)
def test_wrong_arguments_say_what_to_write(options: Any, message: str) -> None:
    """What is no function is refused when the slice is made."""
    with pytest.raises(TypeError, match=message):
        create_slice(name="s", initial_state=0, **options)
    with pytest.raises(TypeError, match=r"got 'name'; write @counts\.reducer, or @counts\.reducer"):
        counts().reducer("name")  # type: ignore[call-overload]


def test_selectors_are_called_with_the_root_state() -> None:
    """``slice.selectors.name`` picks its slice out of the root state; ``unwrapped`` does not."""
    made = counts(selectors={"tenfold": lambda state, plus=0: state.n * 10 + plus})
    with configure_store([made]) as store:
        store.dispatch(made.actions.add(2))
        assert made.selectors["tenfold"](store.state) == 20
        assert made.selectors["tenfold"](store.state, plus=1) == 21
        assert made.selectors["tenfold"].unwrapped(store[made]) == 20  # type: ignore[attr-defined]


def test_the_initial_state_is_a_snapshot() -> None:
    """``get_initial_state`` equals what was declared, and is not affected by it later."""
    declared = Count(last="start")
    made = create_slice(name="s", initial_state=declared)
    declared.last = "changed"
    assert made.get_initial_state() == Count(last="start")
    with pytest.raises(FrozenStateError):
        made.get_initial_state().last = "x"
    with configure_store([made]) as store:
        assert store.state.s == Count(last="start")


@pytest.mark.parametrize(
    ("initial", "reducer", "expected"),
    [
        (Counter(1), lambda n: n + 2, 3),
        (Counter(1), lambda n: None, 1),
        (Counter(1), lambda n: n, 1),
        (0.5, lambda x: x * 2, 1.0),
        ("a", lambda text: text + "b", "ab"),
        (None, lambda _: {"user": [1]}, {"user": [1]}),
        ((1, 2), lambda pair: (*pair, 3), (1, 2, 3)),
    ],
)
def test_a_slice_of_one_value_is_changed_by_returning(
    initial: Any, reducer: Any, expected: Any
) -> None:
    """A reducer of a number, str or other plain value returns the next one."""
    made: Any = create_slice(name="s", initial_state=initial)
    change = made.reducer(name="change")(reducer)
    with configure_store([made]) as store, configure_store([made]) as peer:
        store.dispatch(change())
        peer.merge(store.deltas_since({}))
        for each in (store, peer):
            assert each.state.s == expected
            assert type(each.state.s) is type(expected) or isinstance(expected, dict)


def test_one_slice_can_be_in_many_stores() -> None:
    """A slice holds no state; each store has its own."""
    made = counts()
    with configure_store([made]) as one, configure_store([made]) as two:
        one.dispatch(made.actions.add(5))
        assert (one[made].n, two[made].n) == (5, 0)


def test_a_slice_shows_its_name_and_describes_its_shape() -> None:
    """``repr`` and ``schema``, which peers compare."""
    made = counts()
    assert repr(made) == "<slice counts>"
    assert made.schema() == {"n": "counter", "last": "register"}
