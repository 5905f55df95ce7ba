"""One request: its actions, its result, what is raised to whom."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from typing import Any

import pytest

from crdtstore import Action
from crdtstore.errors import (
    AbortError,
    ConditionError,
    RejectedWithValue,
    ThunkError,
)
from crdtstore.tasks import Running
from crdtstore.thunks import (
    ConditionAPI,
    Meta,
    SerializedError,
    ThunkAPI,
    create_async_thunk,
    unwrap_result,
)
from crdtstore.waitable import Waitable
from tests.thunks.stage import TIMEOUT, Recorder, double, no_state, start

# The life of a request


def test_fulfilled() -> None:
    """Pending, then fulfilled with what was returned; the result is that last action."""
    passed: list[Any] = []

    async def creator(arg: int, api: ThunkAPI) -> int:
        passed.append((arg, api.request_id))
        return 42

    thunk = create_async_thunk("t", creator)
    dispatch = Recorder()
    result = start(thunk, 123, dispatch=dispatch)
    assert dispatch.actions[0] == thunk.pending(result.request_id, 123)  # before it returned
    action = result.wait(TIMEOUT)
    assert passed == [(123, result.request_id)]
    assert dispatch.actions[1:] == [thunk.fulfilled(42, result.request_id, 123)]
    assert action is dispatch.actions[1]
    assert result.arg == 123
    assert len(result.request_id) == 21
    assert isinstance(result, Running)
    assert result.done()
    assert not result.cancelled()
    assert repr(result) == "<AsyncThunkResult the thunk t: done>"


def test_rejected() -> None:
    """Pending, then rejected with the exception as data; waiting for it raises nothing."""

    async def creator(arg: int) -> int:
        raise ZeroDivisionError("Panic!")

    thunk = create_async_thunk("t", creator)
    dispatch = Recorder()
    result = start(thunk, 123, dispatch=dispatch)
    action = result.wait(TIMEOUT)
    assert dispatch.actions == [thunk.pending(result.request_id, 123), action]
    assert thunk.rejected.match(action)
    assert action.error.name == "ZeroDivisionError"
    assert action.error.message == "Panic!"
    assert action.error.stack is not None
    assert "raise ZeroDivisionError" in action.error.stack
    assert action.payload is None
    assert action.meta == {
        "arg": 123,
        "request_id": result.request_id,
        "request_status": "rejected",
        "rejected_with_value": False,
        "aborted": False,
        "condition": False,
    }


def test_a_handled_exception_decides_between_rejections() -> None:
    """What is raised again is serialized, what ``reject_with_value`` made of it is a payload."""

    async def creator(known: bool, api: ThunkAPI) -> None:
        try:
            raise KeyError("field")
        except KeyError as error:
            if not known:
                raise
            raise api.reject_with_value({"field": error.args[0]}) from error

    thunk = create_async_thunk("t", creator)
    assert start(thunk, False).wait(TIMEOUT).error.name == "KeyError"
    action = start(thunk, True).wait(TIMEOUT)
    assert action.error == SerializedError(message="Rejected")
    assert action.payload == {"field": "field"}


@pytest.mark.parametrize("how", ["returned", "raised"])
@pytest.mark.parametrize("where", ["coroutine", "plain"])
@pytest.mark.parametrize("value", [{"a": [1]}, "no", False, 0, "", None, [], 0.0])
def test_rejected_with_value(how: str, where: str, value: Any) -> None:
    """The value is the payload, be it falsy, and ``unwrap`` raises it in an exception."""

    def plain(arg: int, api: ThunkAPI) -> Any:
        rejection = api.reject_with_value(value, {"extra": "baz"})
        if how == "raised":
            raise rejection
        return rejection

    async def coroutine(arg: int, api: ThunkAPI) -> Any:
        return plain(arg, api)

    thunk = create_async_thunk("t", coroutine if where == "coroutine" else plain)
    dispatch = Recorder()
    result = start(thunk, 7, dispatch=dispatch)
    action = result.wait(TIMEOUT)
    assert dispatch.types == ["t/pending", "t/rejected"]
    assert action.payload == value
    assert type(action.payload) is type(value)
    assert action.error == SerializedError(message="Rejected")
    assert action.meta == {
        "extra": "baz",
        "arg": 7,
        "request_id": result.request_id,
        "request_status": "rejected",
        "rejected_with_value": True,
        "aborted": False,
        "condition": False,
    }
    for unwrap in (result.unwrap().wait, lambda: unwrap_result(action)):
        with pytest.raises(RejectedWithValue) as caught:
            unwrap()
        assert caught.value.value is action.payload
        assert caught.value.action is action


def test_fulfilled_with_additional_meta() -> None:
    """``fulfill_with_value`` adds to the meta, and cannot replace what is always there."""

    async def creator(arg: str, api: ThunkAPI) -> str:
        return api.fulfill_with_value("hooray!", {"extra": "bar", "arg": "mine"})

    result = start(create_async_thunk("t", creator), "x")
    action = result.wait(TIMEOUT)
    assert action.payload == "hooray!"
    assert action.meta == {
        "extra": "bar",
        "arg": "x",
        "request_id": result.request_id,
        "request_status": "fulfilled",
    }
    assert result.unwrap().wait(TIMEOUT) == "hooray!"


def test_additional_meta_is_a_mapping() -> None:
    """Anything else is a mistake in the payload creator, and so a rejection."""

    async def creator(arg: str, api: ThunkAPI) -> Any:
        return api.fulfill_with_value(1, 5)  # type: ignore[arg-type]

    action = start(create_async_thunk("t", creator), "x").wait(TIMEOUT)
    assert action.error.message == "meta is a mapping, got int: 5"


def test_pending_with_additional_meta() -> None:
    """``get_pending_meta`` gets the argument and the id, and what conditions get."""
    seen: list[Any] = []

    def more(base: Meta[Any], api: ConditionAPI) -> dict[str, Any]:
        seen.append((base.arg, base["request_id"], api.extra))
        return {"extra": "foo"}

    dispatch = Recorder()
    thunk = create_async_thunk("t", double, get_pending_meta=more)
    result = start(thunk, 5, dispatch=dispatch, extra="services")
    assert dispatch.actions[0] == Action(
        "t/pending",
        None,
        {
            "extra": "foo",
            "arg": 5,
            "request_id": result.request_id,
            "request_status": "pending",
        },
    )
    assert seen == [(5, result.request_id, "services")]
    nothing = create_async_thunk("t", double, get_pending_meta=lambda base: None)
    assert start(nothing, 5).unwrap().wait(TIMEOUT) == 10


def test_the_api_has_what_thunks_have_and_more() -> None:
    """``dispatch``, ``get_state`` and ``extra`` are those of the store."""
    seen: list[ThunkAPI] = []

    async def creator(arg: int, api: ThunkAPI) -> None:
        seen.append(api)
        api.dispatch(Action("progress", 50))

    dispatch = Recorder()
    thunk = create_async_thunk("t", creator)
    result = start(thunk, 1, dispatch=dispatch, extra="services")
    result.wait(TIMEOUT)
    (api,) = seen
    assert api.get_state is no_state
    assert api.extra == "services"
    assert api.request_id == result.request_id
    assert not api.signal.aborted
    assert dispatch.types == ["t/pending", "progress", "t/fulfilled"]


# Unwrapping


def test_unwrap_gives_the_payload_or_raises_the_exception_itself() -> None:
    """In scripts and in coroutines, once and again."""
    error = ZeroDivisionError("Panic!")

    async def creator(fail: bool) -> str:
        if fail:
            raise error
        return "fine"

    thunk = create_async_thunk("t", creator)

    async def main() -> None:
        assert await start(thunk, False).unwrap() == "fine"
        result = start(thunk, True)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError) as caught:
                await result.unwrap()
            assert caught.value is error

    asyncio.run(main())
    unwrapped = start(thunk, False).unwrap()
    assert isinstance(unwrapped, Waitable)
    assert unwrapped.wait(TIMEOUT) == "fine"
    assert unwrapped.done()
    with pytest.raises(ZeroDivisionError) as caught:
        start(thunk, True).unwrap().wait(TIMEOUT)
    assert caught.value is error


def test_unwrap_result_raises_what_the_action_says() -> None:
    """An action is data, so it has the error's name and message only."""

    async def creator(fail: bool) -> str:
        if fail:
            raise ZeroDivisionError("Panic!")
        return "fine"

    thunk = create_async_thunk("t", creator)
    assert unwrap_result(start(thunk, False).wait(TIMEOUT)) == "fine"
    action = start(thunk, True).wait(TIMEOUT)
    with pytest.raises(ThunkError, match=r"^ZeroDivisionError: Panic!$") as caught:
        unwrap_result(action)
    assert caught.value.error is action.error
    with pytest.raises(AbortError, match=r"^enough$"):
        unwrap_result(thunk.rejected(AbortError("enough"), "id"))
    with pytest.raises(ConditionError, match=r"^not now$"):
        unwrap_result(thunk.rejected(ConditionError("not now"), "id"))
    odd = create_async_thunk("t", creator, serialize_error=lambda error: {"odd": 1})
    with pytest.raises(ThunkError, match=r"rejected with \{'odd': 1\}"):
        unwrap_result(odd.rejected(ValueError(), "id"))
    assert unwrap_result(Action("any", 5)) == 5


# Dispatches that fail


def test_a_failing_dispatch_of_pending_rejects() -> None:
    """The payload creator does not run."""
    ran: list[int] = []
    dispatch = Recorder()
    dispatch.failures["t/pending"] = ZeroDivisionError("in a reducer")
    thunk = create_async_thunk("t", lambda n: ran.append(n))
    result = start(thunk, 1, dispatch=dispatch)
    assert result.wait(TIMEOUT).error.message == "in a reducer"
    assert dispatch.types == ["t/pending", "t/rejected"]
    assert ran == []
    more = create_async_thunk("t", double, get_pending_meta=lambda base: 1 / 0)  # type: ignore[arg-type,return-value]
    assert start(more, 1).wait(TIMEOUT).error.name == "ZeroDivisionError"


def test_an_interrupted_dispatch_of_pending_is_an_interrupt() -> None:
    """The dispatcher gets it; slices that saw pending see rejected, too."""
    dispatch = Recorder()
    dispatch.failures["t/pending"] = KeyboardInterrupt()
    ran: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        start(create_async_thunk("t", lambda n: ran.append(n)), 1, dispatch=dispatch)
    assert dispatch.types == ["t/pending", "t/rejected"]
    assert ran == []


@pytest.mark.parametrize("end", ["fulfilled", "rejected"])
def test_a_failing_dispatch_of_the_last_action_is_raised(end: str) -> None:
    """It is no failure of the payload creator, and so no rejection; all who wait get it."""
    dispatch = Recorder()
    dispatch.failures[f"t/{end}"] = ZeroDivisionError("in a reducer")

    async def creator(_: None) -> None:
        if end == "rejected":
            raise ValueError

    async def main() -> None:
        result = start(create_async_thunk("t", creator), dispatch=dispatch)
        with pytest.raises(ZeroDivisionError, match="in a reducer"):
            await result
        with pytest.raises(ZeroDivisionError, match="in a reducer"):
            await result.unwrap()

    asyncio.run(main())
    assert dispatch.types == ["t/pending", f"t/{end}"]


def test_a_failure_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Of the last dispatch, that is: a rejection is an action, and handled by it."""
    dispatch = Recorder()
    done = threading.Event()

    async def creator(fail: bool) -> None:
        if fail:
            raise ValueError("rejected")

    thunk = create_async_thunk("t", creator)
    dispatch.failures["t/fulfilled"] = ZeroDivisionError("in a reducer")
    for fail in (True, False):
        done.clear()
        start(thunk, fail, dispatch=dispatch).on_done(lambda _: done.set())
        assert done.wait(TIMEOUT)
    for _ in range(100):
        gc.collect()
        if "in a reducer" in caplog.text:
            break
        done.wait(0.01)
    assert "the thunk t failed, and nobody waited for it" in caplog.text
    assert "in a reducer" in caplog.text
    assert "ValueError" not in caplog.text


def test_nothing_is_left_of_a_request_that_is_over() -> None:
    """Without the help of the garbage collector, when the result is dropped."""

    class Payload:
        pass

    async def creator(_: None) -> Payload:
        return Payload()

    thunk = create_async_thunk("t", creator)

    def ignore(action: Any) -> None:
        pass

    result = start(thunk, dispatch=ignore)
    gone = weakref.ref(result.unwrap().wait(TIMEOUT))
    start(thunk, dispatch=ignore).wait(TIMEOUT)  # the loop has finished with the first
    assert gone() is not None
    gc.disable()
    try:
        del result
        assert gone() is None
    finally:
        gc.enable()
