"""Conditions: requests that are not admitted."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from crdtstore.errors import (
    ConditionError,
)
from crdtstore.thunks import (
    ConditionAPI,
    SerializedError,
    create_async_thunk,
)
from tests.thunks.stage import TIMEOUT, Recorder, double, no_state, start


def test_a_condition_that_says_false_stops_the_request() -> None:
    """The rejected action is returned, and not dispatched; the payload creator never runs."""
    ran: list[int] = []
    thunk = create_async_thunk("t", lambda n: ran.append(n), condition=lambda n: False)
    dispatch = Recorder()
    result = start(thunk, 1, dispatch=dispatch)
    assert result.done()
    action = result.wait()
    assert thunk.rejected.match(action)
    assert action.error == SerializedError(
        "ConditionError", "Aborted due to condition callback returning false."
    )
    assert action.meta == {
        "aborted": False,
        "arg": 1,
        "condition": True,
        "rejected_with_value": False,
        "request_id": result.request_id,
        "request_status": "rejected",
    }
    assert dispatch.actions == ran == []
    with pytest.raises(ConditionError):
        result.unwrap().wait()
    result.abort("too late for that")
    assert result.wait() is action
    assert dispatch.actions == []


def test_the_rejection_by_a_condition_can_be_dispatched() -> None:
    """With ``dispatch_condition_rejection``, for a plain and for an async condition."""

    async def no(n: int) -> bool:
        return False

    for condition in (lambda n: False, no):
        thunk = create_async_thunk(
            "t", double, condition=condition, dispatch_condition_rejection=True
        )
        dispatch = Recorder()
        action = start(thunk, 1, dispatch=dispatch).wait(TIMEOUT)
        assert dispatch.actions == [action]
        assert action.meta.condition


@pytest.mark.parametrize("answer", [True, None, 0, "", 1])
def test_only_false_itself_stops_a_request(answer: Any) -> None:
    """A condition that forgets to answer says yes."""
    thunk = create_async_thunk("t", double, condition=lambda n: answer)
    dispatch = Recorder()
    assert start(thunk, 5, dispatch=dispatch).unwrap().wait(TIMEOUT) == 10
    assert dispatch.types == ["t/pending", "t/fulfilled"]


def test_a_condition_gets_the_argument_the_state_and_the_extra_argument() -> None:
    """It may take the argument only, or nothing."""
    seen: list[Any] = []

    def condition(n: int, api: ConditionAPI) -> bool:
        seen.append((n, api.get_state, api.extra))
        return False

    start(create_async_thunk("t", double, condition=condition), 5, extra="services").wait(TIMEOUT)
    assert seen == [(5, no_state, "services")]
    bare: Any = lambda: False  # noqa: E731
    assert start(create_async_thunk("t", double, condition=bare), 5).wait(TIMEOUT).meta.condition


def test_an_async_condition_is_awaited() -> None:
    """Nothing is dispatched until it has answered."""
    dispatch = Recorder()
    asked, go = threading.Event(), threading.Event()

    async def condition(n: int) -> bool:
        asked.set()
        await asyncio.to_thread(go.wait, TIMEOUT)
        return n > 0

    thunk = create_async_thunk("t", double, condition=condition)
    yes, no = start(thunk, 5, dispatch=dispatch), start(thunk, -5, dispatch=dispatch)
    assert asked.wait(TIMEOUT)
    assert dispatch.actions == []
    go.set()
    assert yes.unwrap().wait(TIMEOUT) == 10
    assert no.wait(TIMEOUT).meta.condition
    assert dispatch.types == ["t/pending", "t/fulfilled"]


def test_a_condition_that_raises_rejects() -> None:
    """The rejected action is dispatched then, without a pending one before it."""

    def plain(n: int) -> bool:
        raise ZeroDivisionError

    async def awaited(n: int) -> bool:
        raise ZeroDivisionError

    for condition in (plain, awaited):
        dispatch = Recorder()
        thunk = create_async_thunk("t", double, condition=condition)
        result = start(thunk, 5, dispatch=dispatch)
        assert result.wait(TIMEOUT).error.name == "ZeroDivisionError"
        assert dispatch.types == ["t/rejected"]
        assert not result.wait().meta.condition
