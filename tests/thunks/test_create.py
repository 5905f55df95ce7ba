"""How async thunks are made: types, signatures, arguments, ids."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import DispatchError, configure_store, create_slice
from crdtstore.actions import ActionCreator
from crdtstore.thunks import (
    AsyncThunk,
    ThunkAPI,
    create_async_thunk,
)
from tests.thunks.stage import TIMEOUT, Recorder, double, start

# What is created


def test_action_types_and_the_prefix() -> None:
    """Each state of a request has an action type below the thunk's."""
    thunk = create_async_thunk("users/fetch", double)
    assert thunk.type_prefix == "users/fetch"
    assert thunk.pending.type == "users/fetch/pending"
    assert thunk.fulfilled.type == "users/fetch/fulfilled"
    assert thunk.rejected.type == "users/fetch/rejected"
    assert isinstance(thunk.pending, ActionCreator)
    assert repr(thunk) == "<async thunk users/fetch>"
    assert repr(thunk(17)) == "<users/fetch of 17>"
    assert thunk(17).arg == 17


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: create_async_thunk(""), "an action type first, a non-empty str; got ''"),
        (lambda: create_async_thunk(double), "an action type first"),
        (lambda: create_async_thunk("t", 5), "the payload creator of t is a function, got 5"),
        (
            lambda: create_async_thunk("t", lambda a, b, c: 1),
            r"at most \(arg, api\), got .*a, b, c",
        ),
        (lambda: create_async_thunk("t", lambda *, key: 1), r"at most \(arg, api\), got .*\*, key"),
        (lambda: create_async_thunk("t", double, condition=5), "condition of t is a function"),
        (lambda: create_async_thunk("t", double, wrong=5), "wrong"),
        (lambda: create_async_thunk("t", double)(), "t takes an argument"),
        (lambda: create_async_thunk("t", double)(1, 2), "positional"),
    ],
)
def test_mistakes_are_named(wrong: Callable[[], Any], message: str) -> None:
    """When the thunk is made, or called."""
    with pytest.raises(TypeError, match=message):
        wrong()


def test_the_decorator_makes_a_thunk_of_the_function() -> None:
    """With options or without; the thunk has the function's name and docstring."""

    @create_async_thunk("t/one")
    async def one(n: int) -> int:
        """Say one."""
        return n + 1

    @create_async_thunk("t/two", id_generator=lambda n: f"id-{n}")
    def two(n: int, api: ThunkAPI) -> str:
        return f"{n} {api.request_id}"

    assert start(one, 1).unwrap().wait(TIMEOUT) == 2
    assert start(two, 1).unwrap().wait(TIMEOUT) == "1 id-1"
    assert one.__name__ == "one"  # type: ignore[attr-defined]
    assert one.__doc__ == "Say one."


def test_options_can_be_preset() -> None:
    """A program's own ``create_async_thunk`` is a ``functools.partial``."""
    create_app_thunk = functools.partial(
        create_async_thunk, serialize_error=lambda error: "serialized!"
    )

    async def creator(_: None) -> None:
        raise ZeroDivisionError

    assert start(create_app_thunk("t", creator)).wait(TIMEOUT).error == "serialized!"


# Arguments


def test_a_payload_creator_takes_what_its_signature_says() -> None:
    """Nothing, the argument, or the argument and the api."""

    class Callable_:
        async def __call__(self, arg: int, api: ThunkAPI) -> Any:
            return arg, api.request_id

    class Methods:
        async def method(self, arg: int) -> Any:
            return arg

    async def both(arg: int, api: ThunkAPI) -> Any:
        return arg, api.request_id

    async def defaults(arg: int, size: int = 20) -> Any:
        return arg, size

    async def named(arg: int, api: ThunkAPI | None = None) -> Any:
        return arg, api and api.request_id

    async def spread(*given: Any) -> Any:
        return given[0], given[1].request_id

    def made(creator: Any) -> Any:
        thunk: Any = create_async_thunk("t", creator, id_generator=lambda: "id")
        return start(thunk, 1).unwrap().wait(TIMEOUT)

    async def nothing() -> str:
        return "nothing"

    assert made(nothing) == "nothing"
    assert made(double) == 2
    assert made(both) == (1, "id")
    assert made(defaults) == (1, 20)
    assert made(named) == (1, "id")
    assert made(spread) == (1, "id")
    assert made(Callable_()) == (1, "id")
    assert made(Methods().method) == 1
    assert made(functools.partial(both)) == (1, "id")
    assert made(functools.partial(defaults, size=3)) == (1, 3)
    assert made(str) == "1"
    assert made(lambda: 5) == 5
    assert made(lambda n: double(n)) == 2


def test_an_argument_may_be_left_out_where_that_means_something() -> None:
    """The parameter's default, or ``None`` where there is no argument to speak of."""

    async def page(number: int = 1) -> int:
        return number

    async def only_api(_: None, api: ThunkAPI) -> str:
        return api.request_id

    async def nothing() -> None: ...

    async def none(arg: None) -> None: ...

    async def underscore(_: Any) -> None: ...

    result = start(create_async_thunk("t", page))
    assert result.arg == 1
    assert result.wait(TIMEOUT).meta.arg == 1
    assert start(create_async_thunk("t", page), 5).unwrap().wait(TIMEOUT) == 5
    for creator in (only_api, nothing, none, underscore):
        thunk: AsyncThunk[Any, Any] = create_async_thunk("t", creator)
        assert start(thunk).wait(TIMEOUT).meta.arg is None
        assert start(thunk, None).wait(TIMEOUT).meta.arg is None


# Ids


def test_ids_can_be_generated_otherwise() -> None:
    """``id_generator`` gets the argument, if it takes one, once for each request."""
    count = iter(range(1, 100))
    counted = create_async_thunk("t", double, id_generator=lambda: f"id-{next(count)}")
    for n in (1, 2, 3):
        result = start(counted, 5)
        assert result.request_id == f"id-{n}"
        assert result.wait(TIMEOUT).meta.request_id == f"id-{n}"
    of_arg = create_async_thunk("t", double, id_generator=lambda n: f"id-of-{n}")
    assert start(of_arg, 7).request_id == "id-of-7"
    plain = create_async_thunk("t", double)
    assert start(plain, 1).request_id != start(plain, 1).request_id


@pytest.mark.parametrize("wrong", [5, None, ""])
def test_an_id_is_a_string(wrong: Any) -> None:
    """The dispatcher is told of a generator that makes something else, and nothing begins."""
    dispatch = Recorder()
    thunk = create_async_thunk("t", double, id_generator=lambda: wrong)
    with pytest.raises(
        TypeError, match=f"id_generator of t returns a non-empty str, got {wrong!r}"
    ):
        start(thunk, 1, dispatch=dispatch)
    assert dispatch.actions == []


def test_a_thunk_of_a_lambda_is_named_after_its_type() -> None:
    """So that a refusal can say what to call."""
    fetch = create_async_thunk("users/fetch", lambda: 1)
    assert fetch.__name__ == "fetch"
    with (
        configure_store([create_slice(name="n", initial_state=0)]) as store,
        pytest.raises(DispatchError, match=r"did you forget to call fetch\(\)"),
    ):
        store.dispatch(fetch)  # type: ignore[call-overload]
