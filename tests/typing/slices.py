"""Slices, actions and creators: signatures are kept, payloads are typed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_type

from crdtstore import (
    Action,
    ActionCreator,
    Counter,
    FulfilledAction,
    RejectedAction,
    SerializedError,
    Slice,
    configure_store,
    create_action,
    create_async_thunk,
    create_slice,
    current,
    original,
    to_plain,
)
from crdtstore.cases import Cases
from crdtstore.reducers import Reducer, create_reducer


@dataclass
class Count:
    n: Counter = Counter(0)
    label: str = ""


counts = create_slice(name="counts", initial_state=Count())


@counts.reducer
def clear(state: Count) -> Count:
    return Count()


@counts.reducer
def add(state: Count, by: int, /, *, twice: bool = False) -> None:
    state.n += by * (1 + twice)


@counts.reducer
def label(state: Count, action: Action[str]) -> None:
    assert_type(action.payload, str)
    state.label = action.payload


@counts.reducer(name="other")
def named(state: Count, text: str) -> None:
    state.label = text


def as_text(value: int) -> dict[str, Any]:
    """Prepare a payload."""
    return {"payload": str(value)}


@counts.reducer(prepare=as_text)
def prepared(state: Count, action: Action[str]) -> None:
    state.label = action.payload


assert_type(clear(), Action[Any])
assert_type(add(1, twice=True), Action[Any])
assert_type(label, ActionCreator[[str], str])
assert_type(label("x"), Action[str])
assert_type(label("x").payload, str)
assert_type(label.type, str)
assert_type(named("x"), Action[Any])
assert_type(prepared(1), Action[Any])
assert_type(counts.actions.add(1), Any)
assert_type(counts.get_initial_state(), Count)
assert_type(counts.schema(), dict[str, str])

clear(1)  # type: ignore[call-arg]
add()  # type: ignore[call-arg]
add("1")  # type: ignore[arg-type]
add(1, True)  # type: ignore[call-arg]
label(5)  # type: ignore[arg-type]
label()  # type: ignore[call-arg]


def narrow(action: object) -> str:
    """``match`` tells a checker what the payload is."""
    if label.match(action):
        assert_type(action, Action[str])
        return action.payload
    return ""


ping = create_action("ping")
assert_type(ping(), Action[Any])


def shout(text: str, *, times: int = 1) -> dict[str, Any]:
    """Prepare a payload."""
    return {"payload": text * times}


loud = create_action("loud", shout)
assert_type(loud("x", times=2), Action[Any])
loud(5)  # type: ignore[arg-type]


# The Redux Toolkit way


def redux_add(state: Count, by: int) -> None:
    state.n += by


def redux_label(state: Count, action: Action[str]) -> None:
    state.label = action.payload


def redux_double(state: Count) -> int:
    return state.n * 2


redux = create_slice(
    name="redux",
    initial_state=Count(),
    reducers={
        "add": redux_add,
        "label": {"reducer": redux_label, "prepare": shout},
    },
    extra_reducers={
        ping: lambda state, action: state.label,
        "counts/add": redux_label,
    },
    selectors={"double": redux_double},
)
assert_type(redux, Slice[Count])
assert_type(redux.actions.add(1), Any)


@redux.add_case(add)
def also(state: Count, action: Action[Any]) -> None:
    state.n += 1


@redux.add_case(label)
def labelled(state: Count, action: Action[str]) -> None:
    state.label = assert_type(action.payload, str)


@create_async_thunk("fetch")
async def fetch(number: int) -> list[str]:
    return [str(number)]


@redux.add_case(fetch.fulfilled)
def fetched(state: Count, action: FulfilledAction[list[str], int]) -> None:
    assert_type(action.payload, list[str])
    assert_type(action.meta.arg, int)


@redux.add_case(fetch.fulfilled)
def fetched_too(state: Count, action: Action[list[str]]) -> None:
    assert_type(action.payload, list[str])


@redux.add_case(fetch.rejected)
def failed(state: Count, action: RejectedAction[int, SerializedError]) -> None:
    assert_type(action.error.message, str | None)


@redux.add_case("other/type")
def without_the_action(state: Count) -> None:
    state.n += 1


@redux.selector
def above(state: Count, least: int) -> bool:
    return state.n > least


assert_type(above(object(), 5), bool)
assert_type(above.unwrapped(Count(), 5), bool)
assert_type(redux.reduce(None, add(1)), Count)
assert_type(redux.instance("second"), Slice[Count])
above(object(), "5")  # type: ignore[arg-type]


@redux.add_case(label)  # type: ignore[arg-type]
def wrong_payload(state: Count, action: Action[int]) -> None:
    """Take another payload than the action has."""


# Lazy initial states


def make() -> Count:
    return Count()


assert_type(create_slice(name="lazy", initial_state=make), Slice[Count])
assert_type(create_slice(name="lazy", initial_state=lambda: Count()), Slice[Count])
assert_type(create_slice(name="lazy", initial_state=Count), Slice[Count])


# Reducers of their own


def build(builder: Cases[Count]) -> None:
    builder.add_case(label, redux_label).add_matcher(label, with_any).add_default_case(clear_it)
    builder.add_case(label, redux_add)  # type: ignore[arg-type]


def with_any(state: Count, action: Action[Any]) -> None:
    state.n += 1


def clear_it(state: Count) -> Count:
    return Count()


count_reducer = create_reducer(Count(), build)
configure_store({"todos": counts, "count": count_reducer})
assert_type(count_reducer, Reducer[Count])
assert_type(count_reducer(None, label("x")), Count)
assert_type(count_reducer.get_initial_state(), Count)

# Slices of one value, and of a dict

number = create_slice(name="number", initial_state=0)
table = create_slice(name="table", initial_state={"a": 1})
assert_type(number, Slice[int])
assert_type(table, Slice[dict[str, int]])
store = configure_store([counts, number, table])
assert_type(store[number], int)
assert_type(store[table], dict[str, int])
assert_type(store[counts].n, int)


@number.reducer
def plus(state: int, by: int) -> int:
    return state + by


plus("1")  # type: ignore[arg-type]

create_slice(initial_state=0)  # type: ignore[call-overload]
create_slice("name", 0)  # type: ignore[call-overload]


@counts.reducer  # type: ignore[arg-type]
def wrong(state: int, by: int) -> None:
    """Take the state of another slice."""


def within(state: Count) -> None:
    """Helpers for reducers keep the type of what they are given."""
    assert_type(current(state), Count)
    assert_type(original(state), Count)
    assert_type(to_plain(state), Any)


def as_data(action: Action[Mapping[str, int]]) -> None:
    """Actions are generic in their payload."""
    assert_type(action.payload["a"], int)
    assert_type(action.type, str)
