"""Slices: names, reducers in both forms, cases of other slices, selectors."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import (
    Action,
    Counter,
    FrozenStateError,
    List,
    Set,
    ShapeError,
    Slice,
    Table,
    Text,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.slice import reset_all


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
        ({"reducers": 5}, "reducers maps names to functions, got int: 5"),
        ({"selectors": [1]}, "selectors maps names to functions, got list"),
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


# Instances, resetting, laziness


@dataclass
class Tally:
    n: Counter = Counter(3)
    rows: Table[Count] = Table({"first": Count()})
    tags: Set[str] = Set({"old"})
    note: Text = Text("hello")


def tallies() -> Any:
    made = create_slice(name="tally", initial_state=Tally())

    @made.reducer
    def bump(state: Tally, by: int = 1) -> None:
        state.n += by
        state.rows[f"row{by}"] = Count(by)
        state.rows.pop("first", None)
        state.tags |= {"new"}
        state.note.insert(0, "! ")

    @made.selector
    def size(state: Tally, more: int = 0) -> int:
        return state.n + more

    return made


def test_an_instance_answers_only_its_own_actions() -> None:
    """It has the same reducers and selectors under another name."""
    left = tallies()
    right = left.instance("right")
    with configure_store([left, right]) as store:
        store.dispatch(left.actions.bump())
        assert (store[left].n, store[right].n) == (4, 3)
        store.dispatch(right.actions.bump(5))
        assert (store[left].n, store[right].n) == (4, 8)
        assert right.actions.bump.type == "right/bump"
        assert right.selectors.size(store.state, more=1) == 9
        assert right.selectors.size.unwrapped(Tally()) == 3
        assert repr(right) == "<slice right>"


def test_what_is_added_later_the_instances_get_too() -> None:
    """Reducers, extra reducers, matchers and selectors, also for instances of instances."""
    left = tallies()
    right = left.instance("right")
    third = right.instance("third")
    ping = create_action("ping")

    @left.reducer
    def zero(state: Tally) -> None:
        state.n = 0

    @left.add_case(ping)
    def on_ping(state: Tally) -> None:
        state.n += 100

    @left.add_matcher(lambda action: action.type.endswith("/zero"))
    def after_zero(state: Tally, action: Action[Any]) -> None:
        state.n += 1

    @left.add_default_case
    def otherwise(state: Tally, action: Action[Any]) -> None:
        state.n = -1

    @left.selector
    def doubled(state: Tally) -> int:
        return state.n * 2

    with configure_store([left, right, third]) as store:
        store.dispatch(ping())
        assert [store[s].n for s in (left, right, third)] == [103, 103, 103]
        store.dispatch(third.actions.zero())
        assert [store[s].n for s in (left, right, third)] == [104, 104, 1]
        assert third.selectors.doubled(store.state) == 2
        store.dispatch(Action("nobody knows this"))
        assert [store[s].n for s in (left, right, third)] == [-1, -1, -1]
        assert on_ping.__name__ == "on_ping"  # the decorators leave the function as it is
        assert otherwise.__name__ == "otherwise"


def test_an_instance_at_another_path_shares_the_actions() -> None:
    """With the same name it answers the same actions, at its own place."""
    one = tallies()
    two = one.instance("tally", reducer_path="elsewhere")
    with configure_store([one, two]) as store:
        store.dispatch(one.actions.bump())
        assert store.state.tally.n == store.state.elsewhere.n == 4
    assert repr(two) == "<slice tally at elsewhere>"


def test_the_place_in_the_state_may_differ_from_the_name() -> None:
    """``reducer_path`` is the attribute and what peers know; ``name`` prefixes the actions."""
    made = create_slice(
        name="a name/with anything",
        initial_state=0,
        reducers={"up": lambda s: s + 1},
        reducer_path="place",
        selectors={"whole": lambda state: state},
    )
    with configure_store([made]) as store:
        store.dispatch(made.actions.up())
        assert made.actions.up.type == "a name/with anything/up"
        assert (store.state.place, store[made]) == (1, 1)
        assert made.selectors.whole(store.state) == 1
        assert store.slices == ("place",)
        assert set(store.digests()) == {"place"}
    with pytest.raises(ShapeError, match="reducer_path is an identifier"):
        create_slice(name="x", initial_state=0, reducer_path="no path")
    with pytest.raises(ShapeError, match="a slice's name is an identifier"):
        create_slice(name="", initial_state=0, reducer_path="path")


def test_reset_returns_to_the_initial_state() -> None:
    """Every kind, through the slice's own action or the one for all slices."""
    one, two = tallies(), tallies().instance("two")
    with configure_store([one, two]) as store:
        for reset in (one.reset, reset_all):
            store.dispatch(one.actions.bump())
            store.dispatch(two.actions.bump())
            store.dispatch(reset())
            assert store[one] == Tally()
        assert store[two] == Tally()
    assert one.reset.type == "tally/@@reset"
    assert one.reset.match(one.reset())
    with pytest.raises(TypeError, match="reset takes no payload"):
        one.reset(1)  # type: ignore[call-arg]


def test_a_concurrent_increment_survives_a_reset() -> None:
    """A counter is set back by what this replica saw of it."""
    made = tallies()
    with configure_store([made]) as a, configure_store([made]) as b:
        a.dispatch(made.actions.bump(10))
        b.merge(a.deltas_since(b.state_vectors()))
        a.dispatch(made.reset())
        b.dispatch(made.actions.bump(1))
        a.merge(b.deltas_since(a.state_vectors()))
        b.merge(a.deltas_since(b.state_vectors()))
        assert a.state == b.state
        assert a[made].n == 4
        assert "row1" in a[made].rows
        assert "row10" not in a[made].rows


def test_a_slice_may_answer_the_resets_in_its_own_way() -> None:
    """An own case takes the place of the built-in one."""
    made = create_slice(name="kept", initial_state=Count())

    @made.reducer
    def add(state: Count, n: int) -> None:
        state.n += n

    @made.add_case(reset_all)
    def keep(state: Count) -> None:
        state.last = "kept"

    with configure_store([made]) as store:
        store.dispatch(add(2))
        store.dispatch(reset_all())
        assert store[made] == Count(2, "kept")
        store.dispatch(made.reset())
        assert store[made] == Count()


def test_the_initial_state_may_come_from_a_function() -> None:
    """Which is called when a store is opened, and only once."""
    calls: list[int] = []

    def initial() -> Count:
        calls.append(1)
        return Count(7)

    made = create_slice(name="lazy", initial_state=initial)
    assert not calls
    with configure_store([made]) as a, configure_store([made]) as b:
        assert a[made].n == b[made].n == 7
    assert calls == [1]
    assert made.get_initial_state().n == 7
    assert create_slice(name="cls", initial_state=Count).get_initial_state() == Count()


def test_slices_may_answer_each_other() -> None:
    """A builder runs when it is needed, so it may name a slice that is defined below."""
    first = create_slice(
        name="first",
        initial_state="",
        reducers={"something": lambda state: "first something"},
        extra_reducers=lambda builder: builder.add_case(
            second.actions.other, lambda state: "first other"
        ),
    )
    second = create_slice(
        name="second",
        initial_state="",
        reducers={"other": lambda state: "second other"},
        extra_reducers=lambda builder: builder.add_case(
            first.actions.something, lambda state: "second something"
        ),
    )
    with configure_store([first, second]) as store:
        store.dispatch(first.actions.something())
        assert store.state == {"first": "first something", "second": "second something"}
        store.dispatch(second.actions.other())
        assert store.state == {"first": "first other", "second": "second other"}


def test_a_builder_that_is_wrong_says_so_each_time() -> None:
    """Nothing of it is taken, and the message names the slice."""
    made = create_slice(
        name="s",
        initial_state=0,
        extra_reducers=lambda b: b.add_case("x", lambda s: s).add_case("x", lambda s: s),
    )
    for _ in range(2):
        with pytest.raises(ShapeError, match="extra_reducers of the slice 's' has a reducer for"):
            made.reduce(0, Action("x"))
        assert not made._cases.exact


def test_a_builder_adds_matchers_and_a_default() -> None:
    """The slice's own reducer first, then the matchers, the default only for the rest."""
    made = create_slice(
        name="s",
        initial_state=1,
        reducers={"double": lambda state: state * 2},
        extra_reducers=lambda b: (
            b.add_case("plus", lambda state: state + 1)
            .add_matcher(lambda action: "u" in action.type, lambda state: state * 10)
            .add_default_case(lambda state, action: -1)
        ),
    )
    assert made.reduce(1, made.actions.double()) == 20
    assert made.reduce(1, Action("plus")) == 20
    assert made.reduce(1, Action("x")) == -1
    with configure_store([made]) as store:
        store.dispatch(made.actions.double())
        assert store.state.s == 20
        store.dispatch(Action("x"))
        assert store.state.s == -1


def test_reducers_may_come_from_a_function_of_create() -> None:
    """With prepared ones, as Redux Toolkit's creator callback makes them."""
    made = create_slice(
        name="s",
        initial_state=Count(),
        reducers=lambda create: {
            "add": create.reducer(lambda state, n: setattr(state, "n", state.n + n)),
            "label": create.prepared_reducer(
                lambda text, *, loud: {"payload": text.upper() if loud else text, "meta": {"m": 1}},
                lambda state, action: setattr(state, "last", f"{action.payload}{action.meta['m']}"),
            ),
        },
    )
    with configure_store([made]) as store:
        store.dispatch(made.actions.add(2))
        store.dispatch(made.actions.label("x", loud=True))
        assert store[made] == Count(2, "X1")


def test_selectors_take_the_root_state_or_whatever_is_said() -> None:
    """``get_selectors`` without an argument takes the slice's own state."""
    made = tallies()
    state = made.get_initial_state()
    assert made.selectors.size({"tally": state}, 1) == 4
    assert made.get_selectors().size(state, more=2) == 5
    assert made.get_selectors(lambda root: root["deep"]).size({"deep": state}) == 3
    assert made.select_slice({"tally": state}) is state
    assert list(made.selectors) == ["size"]
    assert "size" in repr(made.selectors["size"])
    with pytest.raises(AttributeError, match="no selector named 'sise'; there are: size"):
        _ = made.selectors.sise
    with pytest.raises(ShapeError, match="has a selector named 'size' already"):
        made.selector(made.selectors.size.unwrapped)
    with pytest.raises(TypeError, match="is no function"):
        create_slice(name="s", initial_state=0, selectors={"x": 5})  # type: ignore[dict-item]


def test_an_unwrapped_selector_keeps_what_hangs_on_it() -> None:
    """As the original's do: a memoised one keeps its counters."""

    def multiple(state: int, n: int) -> int:
        return state * n

    multiple.test = 0  # type: ignore[attr-defined]
    made = create_slice(name="s", initial_state=42, selectors={"multiple": multiple})
    assert made.selectors.multiple.unwrapped.test == 0  # type: ignore[attr-defined]
    assert made.selectors.multiple({"s": 42}, 2) == 84


# Thunks inside a slice


@dataclass
class Page:
    log: List[str] = List()
    text: str = ""


def noted(state: Page, action: Action[Any]) -> None:
    """Write down that an action came."""
    state.log.append(action.type.rpartition("/")[2])


def settled(state: Page) -> None:
    """Answer both ends."""
    state.log.append("settled")


async def load(arg: str, api: Any) -> str:
    """Fail for one argument."""
    if arg == "bad":
        raise ValueError(arg)
    return arg.upper()


def take(state: Page, action: Action[str]) -> None:
    """Keep the payload."""
    noted(state, action)
    state.text = action.payload


CASES: Any = {"pending": noted, "fulfilled": take, "rejected": noted, "settled": settled}


def by_create() -> tuple[Any, Any]:
    made = create_slice(
        name="page",
        initial_state=Page(),
        reducers=lambda create: {"load": create.async_thunk(load, **CASES)},
    )
    return made, made.actions.load


def by_a_dict() -> tuple[Any, Any]:
    made = create_slice(
        name="page",
        initial_state=Page(),
        reducers=lambda create: {
            "load": create.async_thunk(load, {**CASES, "options": {"id_generator": lambda: "id"}})
        },
    )
    return made, made.actions.load


def by_decorator() -> tuple[Any, Any]:
    made = create_slice(name="page", initial_state=Page())
    return made, made.async_thunk(**CASES)(load)


@pytest.mark.parametrize("make", [by_create, by_decorator, by_a_dict])
def test_a_thunk_of_a_slice_has_its_reducers_there(make: Any) -> None:
    """One for each of its actions, and one for both ends, which comes after."""
    made, thunk = make()
    with configure_store([made]) as store:
        end = store.dispatch(thunk("x")).wait(30)
        assert end.type == "page/load/fulfilled"
        assert store[made] == Page(["pending", "fulfilled", "settled"], "X")
        store.dispatch(thunk("bad")).wait(30)
        assert store[made].log[3:] == ["pending", "rejected", "settled"]
    assert made.actions.load is thunk
    assert made.case_reducers["load"] == CASES


def test_an_instance_has_thunks_of_its_own() -> None:
    """With its own types, also for a thunk that was added later."""
    made = create_slice(name="page", initial_state=Page())
    other = made.instance("other")

    @made.async_thunk(name="fetch", fulfilled=take, condition=lambda arg: arg != "never")
    def load_plainly(arg: str) -> str:
        return arg * 2

    with configure_store([made, other]) as store:
        store.dispatch(other.actions.fetch("x")).wait(30)
        store.dispatch(load_plainly("never")).wait(30)
        assert (store[made].text, store[other].text) == ("", "xx")
        store.dispatch(load_plainly("y")).wait(30)
        assert (store[made].text, store[other].text) == ("yy", "xx")
    assert load_plainly.type_prefix == "page/fetch"


def test_the_names_of_thunks_and_reducers_are_one_namespace() -> None:
    """A second definition is refused before anything is added."""
    made, _ = by_create()
    with pytest.raises(ShapeError, match="has a reducer named 'load' already"):
        made.async_thunk()(load)
    with pytest.raises(ShapeError, match="has a reducer named 'load' already"):
        made.reducer(name="load")(lambda state: None)
    with pytest.raises(TypeError, match="a case reducer is a function, got 5"):
        made.async_thunk(name="second", pending=noted, fulfilled=5)(load)
    assert "second" not in made.actions
    assert "page/second/pending" not in made.cases.exact


def test_a_builder_answers_the_thunk_of_another_slice() -> None:
    """``add_async_thunk`` adds all its cases at once."""
    _, thunk = by_decorator()
    other = create_slice(
        name="other",
        initial_state=Page(),
        extra_reducers=lambda builder: builder.add_async_thunk(thunk, **CASES),
    )
    with configure_store([other]) as store:
        store.dispatch(thunk("x")).wait(30)
        assert store[other].log == ["pending", "fulfilled", "settled"]


@pytest.mark.parametrize("name", ["items", "get", "keys", "values"])
def test_actions_and_selectors_may_be_called_like_methods_of_mappings(name: str) -> None:
    """What is there hides the method, as for the fields of a record."""
    made = create_slice(
        name="s",
        initial_state=1,
        reducers={name: lambda state, by: state + by},
        selectors={name: lambda state: state * 10},
    )
    with configure_store([made]) as store:
        store.dispatch(getattr(made.actions, name)(4))
        assert getattr(made.selectors, name)(store.state) == 50
        assert made.actions[name].type == f"s/{name}"
        assert list(made.actions) == [name]


def test_a_sole_parameter_called_action_gets_the_whole_action() -> None:
    """As ported from Redux Toolkit, without annotations; a payload has another name."""
    made = create_slice(
        name="s",
        initial_state={"value": 0, "seen": ""},
        reducers={
            "by_action": lambda state, action: setattr(state, "value", action.payload),
            "by_payload": lambda state, payload: setattr(state, "value", payload),
        },
    )

    @made.reducer
    def seen(state: Any, action) -> None:  # type: ignore[no-untyped-def]
        state.seen = action.type

    with configure_store([made]) as store:
        store.dispatch(made.actions.by_action(5))
        assert store.state.s.value == 5
        store.dispatch(made.actions.by_payload(6))
        assert store.state.s.value == 6
        store.dispatch(seen())
        assert store.state.s.seen == "s/seen"


def test_a_builder_that_is_wrong_is_noticed_when_a_store_is_made() -> None:
    """Or when the slice is injected, not at the first action of somebody else."""
    wrong = create_slice(
        name="wrong",
        initial_state=0,
        extra_reducers=lambda b: b.add_matcher(str, lambda s: s).add_case("x", lambda s: s),
    )
    with pytest.raises(ShapeError, match="extra_reducers of the slice 'wrong': add_case comes"):
        configure_store([counts(), wrong])
    with configure_store([counts()]) as store:
        with pytest.raises(ShapeError, match="add_case comes before"):
            store.inject(wrong)
        assert store.slices == ("counts",)


def test_an_instance_answers_its_own_thunk_where_the_slice_answers_its() -> None:
    """Also in cases that are added one by one; so it is with resets. Other actions are shared."""
    made, _ = by_create()
    other = made.instance("other")
    ping = create_action("page/ping")
    seen = create_slice(name="seen", initial_state=Page())
    twin = seen.instance("twin")

    @seen.async_thunk()
    async def fetch(arg: str) -> str:
        return arg

    @seen.add_case(fetch.fulfilled)
    def fetched(state: Page, action: Action[str]) -> None:
        state.text = action.payload

    @seen.add_case(seen.reset)
    def reset(state: Page) -> None:
        state.log.append("reset")

    for action in (ping, other.actions.load.fulfilled):

        @seen.add_case(action)
        def shared(state: Page) -> None:
            state.log.append("shared")

    with configure_store([made, other, seen, twin]) as store:
        store.dispatch(fetch("a")).wait(30)
        store.dispatch(twin.actions.fetch("b")).wait(30)
        assert (store[seen].text, store[twin].text) == ("a", "b")
        store.dispatch(twin.reset())
        store.dispatch(ping())
        store.dispatch(other.actions.load("x")).wait(30)
        assert store[seen].log == ["shared", "shared"]
        assert store[twin].log == ["reset", "shared", "shared"]


def test_a_slice_may_be_used_first_by_several_threads_at_once() -> None:
    """Its initial state and its builder are run once."""
    ran: list[str] = []
    slowly = threading.Event()

    def initial() -> Count:
        ran.append("initial")
        slowly.wait(0.05)
        return Count(1)

    def build(builder: Any) -> None:
        ran.append("builder")
        slowly.wait(0.05)
        builder.add_case("up", lambda state: setattr(state, "n", state.n + 1))

    made = create_slice(name="s", initial_state=initial, extra_reducers=build)
    start = threading.Barrier(4)

    def use() -> int:
        start.wait(30)
        with configure_store([made]) as store:
            store.dispatch(Action("up"))
            return int(store[made].n)

    with ThreadPoolExecutor(4) as pool:
        assert [each.result(30) for each in [pool.submit(use) for _ in range(4)]] == [2] * 4
    assert ran == ["initial", "builder"]
