"""What the development checks notice in actions, say once, and cost nobody in production."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import uuid
import warnings
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from crdtstore import (
    Action,
    Counter,
    CrdtstoreWarning,
    DispatchError,
    List,
    Map,
    Middleware,
    Set,
    Store,
    Table,
    Text,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore import checks as module
from crdtstore.bindings import bind_action_creators
from crdtstore.checks import (
    NonSerializableValue,
    create_action_creator_invariant_middleware,
    create_serializable_state_invariant_middleware,
    find_non_serializable_value,
    is_plain,
)
from crdtstore.dynamic import create_dynamic_middleware
from crdtstore.listeners import add_listener, create_listener_middleware, remove_listener
from crdtstore.middleware import thunk_middleware
from crdtstore.thunks import create_async_thunk
from crdtstore.values import freeze

Dispatch = Callable[[Any], Any]


class Colour(Enum):
    RED = "red"


class Rights(Flag):
    READ = 1
    WRITE = 2


Point = namedtuple("Point", "x y")


@dataclass
class Row:
    title: Text = Text()
    votes: Counter = Counter(0)
    tags: Set[str] = Set()
    colour: Colour = Colour.RED


@dataclass
class Board:
    rows: Table[Row] = Table()
    order: List[str] = List()
    sizes: Map[int] = Map()
    tags: Set[str] = Set()


board = create_slice(name="board", initial_state=Board())


@board.reducer
def fill(state: Board, key: str) -> None:
    state.rows[key] = Row("title")
    state.order.append(key)
    state.sizes[key] = 1
    state.tags.add(key)


@dataclass(frozen=True, slots=True)
class Wrapper:
    inner: Any


def checked(middleware: Middleware) -> Dispatch:
    """Return a dispatch function with nothing but this middleware in it, which returns actions."""
    return middleware(None)(lambda action: action)  # type: ignore[arg-type]


def opened(**options: Any) -> Store:
    check = create_serializable_state_invariant_middleware(**options)
    return configure_store([board], middleware=lambda _: [thunk_middleware(), check])


# is_plain and find_non_serializable_value


DATA = {
    "None": None,
    "bool": True,
    "int": 1,
    "float": 0.5,
    "nan": float("nan"),
    "str": "text",
    "bytes": b"bytes",
    "Decimal": Decimal("1.5"),
    "datetime": datetime.now(UTC),
    "date": date(2024, 1, 1),
    "time": time(1, 2),
    "timedelta": timedelta(1),
    "UUID": uuid.UUID(int=1),
    "Enum": Colour.RED,
    "Flag": Rights.READ | Rights.WRITE,
    "list": [1],
    "tuple": (1,),
    "dict": {"a": 1},
    "int keys": {1: 2},
    "set": {1},
    "frozenset": frozenset({1}),
    "OrderedDict": OrderedDict(a=1),
    "defaultdict": defaultdict(list, a=[1]),
    "mapping proxy": MappingProxyType({"a": 1}),
    "namedtuple": Point(1, 2),
    "frozen": freeze({"a": [1, (2,)]}),
    "dataclass": Row("x"),
    "slotted dataclass": Wrapper(1),
}


@pytest.mark.parametrize("value", DATA.values(), ids=DATA)
def test_data_is_plain(value: object) -> None:
    """What state can hold is, and so is what holds such values."""
    assert is_plain(value)
    assert find_non_serializable_value([{"a": (value,)}]) is None


async def _coroutine() -> None:
    """Do nothing."""


def _generator() -> Iterator[int]:
    yield 1


NO_DATA: dict[str, Callable[[], Any]] = {
    "object": object,
    "function": lambda: print,
    "lambda": lambda: lambda: None,
    "method": lambda: [].append,
    "class": lambda: int,
    "generator": _generator,
    "lock": threading.Lock,
    "event": asyncio.Event,
    "regex": lambda: re.compile("x"),
    "exception": lambda: ValueError("x"),
    "path": lambda: Path("x"),
    "bytearray": lambda: bytearray(b"x"),
    "memoryview": lambda: memoryview(b"x"),
    "complex": lambda: 1j,
    "range": lambda: range(3),
    "deque": deque,
    "str subclass": lambda: type("Name", (str,), {})("x"),
    "int subclass": lambda: type("Number", (int,), {})(1),
    "module": lambda: json,
    "dataclass itself": lambda: Row,
}


@pytest.mark.parametrize("make", NO_DATA.values(), ids=NO_DATA)
def test_anything_else_is_not(make: Callable[[], Any]) -> None:
    """It is found in every kind of container, with its path."""
    value = make()
    assert not is_plain(value)
    for path, holder in {
        "<root>": value,
        "[1]": [0, value],
        "a.b": {"a": {"b": value}},
        "[0]['two words']": ({"two words": value},),
        "inner.inner": Wrapper(Wrapper(value)),
        "[0]": Point(value, 1),
    }.items():
        found = find_non_serializable_value(holder)
        assert found is not None
        assert found.key_path == path
        assert found.value is value


def test_what_has_to_be_closed_is_found() -> None:
    """Sockets, files and coroutines are no data."""
    work = _coroutine()
    try:
        with socket.socket() as connection, open(__file__, encoding="utf-8") as file:
            for value in (connection, file, work):
                assert find_non_serializable_value({"a": [value]}) == ("a[0]", value)
    finally:
        work.close()


def test_the_first_in_order_is_returned() -> None:
    """Inner values come before what stands behind their container."""
    one, other = object(), object()
    value = {"a": 42, "b": {"b1": 1}, "c": [99, {"d": 123}, one, other, "test"], "d": other}
    assert find_non_serializable_value(value) == NonSerializableValue("c[2]", one)


def test_a_path_to_start_from_is_put_in_front() -> None:
    """It says where the value itself stands."""
    found = find_non_serializable_value({"a": print}, "payload")
    assert found == ("payload.a", print)
    assert find_non_serializable_value(print, "payload") == ("payload", print)


def test_what_contains_itself_is_found() -> None:
    """So is what is too deep for state; what merely stands in two places is fine."""
    value: dict[str, Any] = {"name": "x"}
    value["self"] = [value]
    assert find_non_serializable_value(value) == ("self[0]", value)
    shared = [1]
    assert find_non_serializable_value({"a": shared, "b": [shared, shared]}) is None
    deep: list[Any] = []
    for _ in range(63):
        deep = [deep]
    assert find_non_serializable_value(deep) is None
    assert find_non_serializable_value([deep]) is not None


def test_snapshots_of_state_are_not_looked_into() -> None:
    """Nothing but data gets there, so they cost nothing however large they are."""
    looked_at: list[object] = []

    def looking(value: object) -> bool:
        looked_at.append(value)
        return is_plain(value)

    with configure_store([board]) as store:
        store.dispatch(fill("a"))
        state = store.state
        snapshots = [state, state.board, state.board.rows, state.board.rows["a"]]
        snapshots += [state.board.order, state.board.sizes, state.board.tags]
        assert find_non_serializable_value(snapshots, is_serializable=looking) is None
    assert len(looked_at) == len(snapshots) + 1


def test_paths_can_be_ignored() -> None:
    """By name, with all that is below, or by a pattern that is found in the path."""
    value = {"a": print, "b": {"c": print, "d": [print]}, "e": {"f": print}}
    for ignored, expected in [
        ([], "a"),
        (["a"], "b.c"),
        (["a", "b"], "e.f"),
        (["a", "b.c"], "b.d[0]"),
        (["a", "b.c", "b.d[0]"], "e.f"),
        (["a", re.compile(r"^b\.")], "e.f"),
        ([re.compile("^[ab]$"), "e"], None),
    ]:
        found = find_non_serializable_value(value, ignored_paths=ignored)
        assert (found and found.key_path) == expected


def test_other_containers_can_be_opened() -> None:
    """``is_serializable`` says what is data, ``get_entries`` what is in it."""

    class Basket:
        def __init__(self, *items: object) -> None:
            self.items = items

    def serializable(value: object) -> bool:
        return isinstance(value, Basket) or is_plain(value)

    def entries(value: Any) -> Any:
        if isinstance(value, Basket):
            return [(f"item{number}", item) for number, item in enumerate(value.items)]
        return value.items() if isinstance(value, dict) else ()

    value = {"a": Basket(1, "B!", Basket(2, print))}
    assert find_non_serializable_value(value) == ("a", value["a"])
    assert find_non_serializable_value(value, is_serializable=serializable) is None
    found = find_non_serializable_value(value, is_serializable=serializable, get_entries=entries)
    assert found == ("a.item2.item1", print)


# The middleware


@pytest.fixture
def warned() -> Iterator[list[warnings.WarningMessage]]:
    """Yield the warnings of a test, which may have some."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def dispatched(action: Any, **options: Any) -> Any:
    return checked(create_serializable_state_invariant_middleware(**options))(action)


@pytest.mark.parametrize(
    "action",
    [
        Action("a"),
        Action("a", [{"b": (1, 2)}]),
        Action("a", 1, {"b": 2}, {"message": "x"}),
        {"type": "a", "payload": {"b": [1]}},
        {"type": 5, "payload": print},
        print,
        None,
    ],
    ids=repr,
)
def test_data_and_what_is_no_action_pass_in_silence(
    action: Any, warned: list[warnings.WarningMessage]
) -> None:
    """They go on as they came."""
    assert dispatched(action) is action
    assert warned == []


@pytest.mark.parametrize(
    ("action", "path"),
    [
        (Action("x", print), "payload"),
        (Action("x", {"a": [1, {"b": print}]}), "payload.a[1].b"),
        (Action("x", None, {"by": print}), "meta.by"),
        (Action("x", 1, None, ValueError("x")), "error"),
        ({"type": "x", "payload": [print]}, "payload[0]"),
        (type("Special", (Action,), {"__slots__": ()})("x", print), "payload"),
    ],
    ids=repr,
)
def test_anything_but_data_is_warned_of(
    action: Any, path: str, warned: list[warnings.WarningMessage]
) -> None:
    """The warning names the action, the path and the type, and says what to do; it goes on."""
    assert dispatched(action) is action
    [warning] = warned
    message = str(warning.message)
    assert warning.category is CrdtstoreWarning
    assert message.startswith(f"the action 'x' carries what is no data. {path}: expected a value")
    assert "got builtin_function_or_method; " in message or "got ValueError; store str" in message
    assert f"ignored_actions=['x'] or ignored_action_paths=['{path}']" in message


def test_each_thing_is_said_once(warned: list[warnings.WarningMessage]) -> None:
    """Once for an action type, a place (any item of a list is one) and a type of value."""
    dispatch = checked(create_serializable_state_invariant_middleware())
    for action in (
        Action("a", {"b": [print]}),
        Action("a", {"b": [0, print]}),
        Action("a", {"b": [0, print]}),
    ):
        dispatch(action)
    assert len(warned) == 1
    dispatch(Action("a", {"c": [print]}))
    dispatch(Action("a", {"b": [object()]}))
    dispatch(Action("b", {"b": [print]}))
    assert len(warned) == 4


def test_every_store_has_its_own_say(warned: list[warnings.WarningMessage]) -> None:
    """What one store warned of another may still warn of."""
    middleware = create_serializable_state_invariant_middleware()
    for _ in range(2):
        dispatch = checked(middleware)
        dispatch(Action("a", print))
        dispatch(Action("a", print))
    assert len(warned) == 2


def test_warnings_come_to_an_end(
    warned: list[warnings.WarningMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys without number make neither warnings nor memory without number."""
    monkeypatch.setattr(module, "_MOST_WARNINGS", 5)
    dispatch = checked(create_serializable_state_invariant_middleware())
    for number in range(50):
        dispatch(Action("a", {f"key{number}": print}))
    assert len(warned) == 5


def test_the_warning_points_to_the_dispatch(warned: list[warnings.WarningMessage]) -> None:
    """Whatever middleware lies in between, of the package or of the user's."""

    def between(api: Any) -> Callable[[Dispatch], Dispatch]:
        return lambda proceed: lambda action: proceed(action)

    check = create_serializable_state_invariant_middleware()
    with configure_store(
        [board], middleware=lambda _: [thunk_middleware(), between, check]
    ) as store:
        store.dispatch(Action("a", print))
        line = sys._getframe().f_lineno - 1
        store.dispatch(lambda dispatch, get_state: dispatch(Action("b", print)))
        store.dispatch(bind_action_creators(Action, store.dispatch)("c", print))
    assert [(each.filename, each.lineno) for each in warned] == [
        (__file__, line + number) for number in (0, 2, 3)
    ]


def test_what_an_async_thunk_comes_to_is_looked_at(
    warned: list[warnings.WarningMessage],
) -> None:
    """Its argument may be anything, its outcome is data: a payload, or an error made data."""

    async def fetch(what: Any) -> Any:
        if isinstance(what, Exception):
            raise what
        return what

    fetched = create_async_thunk("fetch", fetch)
    with opened() as store:
        for what in ({"a": [1]}, ValueError("x")):
            store.dispatch(fetched(what)).wait(60)
        assert warned == []
        store.dispatch(fetched(print)).wait(60)
    [warning] = warned
    assert str(warning.message).startswith("the action 'fetch/fulfilled' carries what is no data")


def test_as_an_error_the_warning_stops_the_action() -> None:
    """With warnings made errors, nothing has changed when ``dispatch`` raises."""
    with opened() as store:
        before = store.state
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(2):
                with pytest.raises(CrdtstoreWarning, match=r"payload: expected a value"):
                    store.dispatch(fill(print))  # type: ignore[arg-type]
        assert store.state is before


def test_values_of_ones_own_may_be_allowed(warned: list[warnings.WarningMessage]) -> None:
    """``is_serializable`` decides alone, of scalars too."""
    dispatched(Action("a", [print]), is_serializable=lambda value: True)
    assert warned == []
    dispatched(Action("a", {"b": 0.5}), is_serializable=lambda value: type(value) is not float)
    [warning] = warned
    assert "payload.b: expected data, got a float that is_serializable refuses" in str(
        warning.message
    )


def test_what_contains_itself_is_warned_of(warned: list[warnings.WarningMessage]) -> None:
    """The message says so."""
    circle: list[Any] = []
    circle.append(circle)
    dispatched(Action("a", circle))
    [warning] = warned
    assert "payload[0]: expected data, got a list" in str(warning.message)
    assert "contains itself" in str(warning.message)


def test_actions_can_be_ignored(warned: list[warnings.WarningMessage]) -> None:
    """By their types, and all of them."""
    asked: list[object] = []

    def asking(value: object) -> bool:
        asked.append(value)
        return True

    dispatch = checked(
        create_serializable_state_invariant_middleware(
            ignored_actions=["ignored"], is_serializable=asking
        )
    )
    dispatch(Action("ignored", [1]))
    assert asked == []
    dispatch(Action("other", [1]))
    assert asked == [[1], 1]
    dispatched(Action("a", print), ignored_actions=iter(["a"]))
    dispatched(Action("a", print), ignore_actions=True, is_serializable=asking)
    assert len(asked) == 2
    assert warned == []


def test_the_argument_of_a_thunk_is_ignored_unless_told_otherwise(
    warned: list[warnings.WarningMessage],
) -> None:
    """``meta.arg`` is what an async thunk was called with, which may be anything."""
    action = Action("a", None, {"arg": print, "argument": 1})
    dispatched(action)
    assert warned == []
    dispatched(action, ignored_action_paths=[])
    assert "meta.arg: " in str(warned.pop().message)
    dispatched(Action("a", {"arg": print}, {"arg": print}), ignored_action_paths=["payload.arg"])
    assert "meta.arg: " in str(warned.pop().message)
    both = ["payload", "meta.arg"]
    dispatched(Action("a", {"arg": print}, {"arg": print}), ignored_action_paths=both)
    pattern = re.compile(r"^payload\..*$")
    dispatched(Action("a", {"arg": print}), ignored_action_paths=[pattern])
    assert warned == []


def test_what_tells_a_middleware_what_to_call_is_not_looked_at(
    warned: list[warnings.WarningMessage],
) -> None:
    """Actions that add middleware or listeners carry functions, and mean to."""
    dynamic = create_dynamic_middleware()
    listener = create_listener_middleware()

    def added(api: Any) -> Callable[[Dispatch], Dispatch]:
        return lambda proceed: proceed

    def effect(action: Any, api: Any) -> None:
        """Do nothing."""

    check = create_serializable_state_invariant_middleware()
    layers = [thunk_middleware(), check, dynamic.middleware, listener.middleware]
    with configure_store([board], middleware=lambda _: layers) as store:
        store.dispatch(dynamic.with_middleware(added))
        store.dispatch(add_listener(type="x", effect=effect))
        store.dispatch(remove_listener(type="x", effect=effect))
    assert warned == []


def test_stores_have_the_checks_unless_told_otherwise(
    warned: list[warnings.WarningMessage],
) -> None:
    """The first layer refuses creators, the last looks at what comes to the reducers."""
    with configure_store([board]) as store:
        store.dispatch(Action("a", print))
        assert len(warned) == 1
        with pytest.raises(DispatchError, match="did you forget to call it"):
            store.dispatch(fill)
    with configure_store([board], middleware=lambda _: [thunk_middleware()]) as store:
        store.dispatch(Action("a", print))
        assert len(warned) == 1


# What it costs


@pytest.mark.parametrize(
    "payload",
    [
        list(range(100_000)),
        [[0] * 100 for _ in range(10_000)],
        {str(number): [number] for number in range(100_000)},
        [[[[[0] * 30] * 30] * 30] * 30] * 30,
        [Wrapper([number]) for number in range(10_000)],
    ],
    ids=["numbers", "rows", "table", "tree", "objects"],
)
def test_a_bounded_number_of_values_is_looked_at(payload: Any) -> None:
    """However large the payload is; with ``max_values=None`` all of it is."""
    asked: list[object] = []

    def asking(value: object) -> bool:
        asked.append(value)
        return is_plain(value)

    for most in (1, 10, module.MAX_VALUES):
        asked.clear()
        dispatched(Action("a", payload), is_serializable=asking, max_values=most)
        assert 1 <= len(asked) <= most + 1
    if len(payload) == 10_000:
        asked.clear()
        dispatched(
            Action("a", payload),
            is_serializable=asking,
            max_values=None,
            warn_after=float("inf"),
        )
        assert len(asked) > 20_000


def test_a_long_list_hides_nothing_behind_it(warned: list[warnings.WarningMessage]) -> None:
    """Of every container only the first items are looked at."""
    rows = [1] * 10_000
    dispatched(Action("a", {"rows": rows, "table": {"x": rows}, "callback": print}))
    [warning] = warned
    assert "payload.callback: " in str(warning.message)


def test_what_lies_beyond_is_found_only_by_a_full_look(
    warned: list[warnings.WarningMessage],
) -> None:
    """``max_values=None`` looks at everything."""
    action = Action("a", [*range(10_000), print])
    dispatched(action)
    assert warned == []
    dispatched(action, max_values=None, warn_after=float("inf"))
    assert "payload[10000]: " in str(warned[0].message)


def test_a_slow_look_is_warned_of_once(
    warned: list[warnings.WarningMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the milliseconds, the threshold, and what to turn."""
    now = [0.0]
    monkeypatch.setattr(module, "thread_time", lambda: now[0])

    def slow(value: object) -> bool:
        now[0] += 0.003
        return True

    for allowed, expected in ((6.5, 0), (5, 1)):
        dispatch = checked(
            create_serializable_state_invariant_middleware(is_serializable=slow, warn_after=allowed)
        )
        dispatch(Action("a", [1]))
        dispatch(Action("b", [1]))
        assert len(warned) == expected
    message = str(warned[0].message)
    assert "the action 'a' took 6.0 ms, more than warn_after=5; lower max_values" in message


def test_a_slow_reducer_is_not_blamed_on_the_look(
    warned: list[warnings.WarningMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the look itself is timed."""
    now = [0.0]
    monkeypatch.setattr(module, "thread_time", lambda: now[0])

    def slow(action: Any) -> Any:
        now[0] += 100
        return action

    middleware = create_serializable_state_invariant_middleware(warn_after=4)
    middleware(None)(slow)(Action("a", [[1]]))  # type: ignore[arg-type]
    assert warned == []


def test_optimised_python_leaves_the_checks_out() -> None:
    """Under ``python -O`` their layers are the next one itself."""
    code = (
        "from crdtstore.checks import *\n"
        "def last(action): return action\n"
        "print(create_serializable_state_invariant_middleware(max_values=None)(None)(last) is last,"
        " create_action_creator_invariant_middleware()(None)(last) is last)"
    )
    for flags, expected in ((["-O"], "True True\n"), ([], "False False\n")):
        done = subprocess.run(
            [sys.executable, *flags, "-c", code],
            timeout=60,
            check=True,
            capture_output=True,
            text=True,
        )
        assert done.stdout == expected


# Action creators


increment = create_action("counter/increment")


def test_actions_pass_the_check_for_creators() -> None:
    """They go on as they came, as do thunks and anything else that is no creator."""
    dispatch = checked(create_action_creator_invariant_middleware())
    for action in (increment(), {"type": "x"}, lambda dispatch, get_state: None, None):
        assert dispatch(action) is action


def test_a_creator_in_place_of_its_action_is_refused() -> None:
    """Those that only look like the package's, too: they would be run as thunks."""

    def add(*args: Any) -> dict[str, Any]:
        return {"type": "todos/add"}

    add.type = "todos/add"  # type: ignore[attr-defined]
    add.match = lambda action: True  # type: ignore[attr-defined]
    check = create_action_creator_invariant_middleware()
    with configure_store([board], middleware=lambda _: [check, thunk_middleware()]) as store:
        for creator, message in (
            (increment, r"'counter/increment' was dispatched.*dispatch\(increment\(\)\)"),
            (fill, r"'board/fill' was dispatched.*dispatch\(fill\(\)\)"),
            (add, r"'todos/add' was dispatched.*dispatch\(add\(\)\)"),
        ):
            with pytest.raises(DispatchError, match=message):
                store.dispatch(creator)


def test_what_a_creator_is_may_be_said() -> None:
    """The predicate is asked of everything that is dispatched."""
    asked: list[object] = []

    def never(value: object) -> bool:
        asked.append(value)
        return False

    dispatch = checked(create_action_creator_invariant_middleware(is_action_creator=never))
    action = increment()
    assert dispatch(action) is action
    assert dispatch(increment) is increment
    assert asked == [action, increment]
