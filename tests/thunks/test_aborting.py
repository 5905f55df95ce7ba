"""Requests that are aborted, by whom and whenever, or lost with their loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import Any

import pytest

from crdtstore import Action
from crdtstore.errors import (
    AbortError,
)
from crdtstore.tasks import Tasks
from crdtstore.thunks import (
    AbortController,
    AbortSignal,
    AsyncThunkResult,
    SerializedError,
    ThunkAPI,
    create_async_thunk,
    unwrap_result,
)
from tests.thunks.stage import TIMEOUT, Recorder, double, for_ever, no_state, start

# Aborting


def test_abort_rejects_at_once_and_cancels_the_payload_creator() -> None:
    """The rejected action is dispatched before ``abort`` returns; the coroutine hears of it."""
    started, cancelled = threading.Event(), threading.Event()

    async def creator(_: None) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    thunk = create_async_thunk("t", creator)
    dispatch = Recorder()
    result = start(thunk, dispatch=dispatch)
    assert started.wait(TIMEOUT)
    result.abort("AbortReason")
    assert dispatch.types == ["t/pending", "t/rejected"]
    assert result.done()
    assert result.cancelled()
    action = result.wait()
    assert action is dispatch.actions[1]
    assert action.error == SerializedError("AbortError", "AbortReason")
    assert action.meta.aborted
    assert not action.meta.condition
    assert not action.meta.rejected_with_value
    with pytest.raises(AbortError, match=r"^AbortReason$"):
        result.unwrap().wait()
    with pytest.raises(AbortError, match=r"^AbortReason$"):
        unwrap_result(action)
    assert cancelled.wait(TIMEOUT)
    assert len(dispatch.actions) == 2


def test_abort_does_not_wait_for_a_payload_creator_that_goes_on() -> None:
    """A coroutine that refuses to be cancelled, or a plain function: its result is dropped."""
    started, go, done = threading.Event(), threading.Event(), threading.Event()

    async def deaf(api: ThunkAPI) -> str:
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.to_thread(go.wait, TIMEOUT)
        return "finished"

    async def coroutine(_: None, api: ThunkAPI) -> str:
        try:
            return await deaf(api)
        finally:
            api.dispatch(Action("after"))
            done.set()

    def plain(_: None, api: ThunkAPI) -> str:
        started.set()
        go.wait(TIMEOUT)
        api.dispatch(Action("after"))
        done.set()
        return "finished"

    for creator in (coroutine, plain):
        for event in (started, go, done):
            event.clear()
        dispatch = Recorder()
        result = start(create_async_thunk("t", creator), dispatch=dispatch)
        assert started.wait(TIMEOUT)
        result.abort()
        assert result.wait(TIMEOUT).error == SerializedError("AbortError", "Aborted")
        go.set()
        assert done.wait(TIMEOUT)
        assert dispatch.types == ["t/pending", "t/rejected", "after"]


def test_abort_on_an_event_loop() -> None:
    """Before the payload creator's first step, or while it runs."""

    async def main() -> None:
        ran: list[int] = []

        async def creator(n: int) -> None:
            ran.append(n)
            await asyncio.Event().wait()

        thunk = create_async_thunk("t", creator)
        dispatch = Recorder()
        early = start(thunk, 1, dispatch=dispatch)
        early.abort("early")
        assert (await early).error.message == "early"
        late = start(thunk, 2, dispatch=dispatch)
        while not ran:
            await asyncio.sleep(0)
        late.abort("late")
        assert (await late).error.message == "late"
        with pytest.raises(AbortError, match="late"):
            await late.unwrap()
        assert ran == [2]
        assert dispatch.types == ["t/pending", "t/rejected"] * 2

    asyncio.run(main())


def test_abort_twice_and_abort_when_done() -> None:
    """The first end counts; the signal tells even of an abort that came too late."""
    signals: list[AbortSignal] = []
    called: list[int] = []

    async def creator(n: int, api: ThunkAPI) -> int:
        signals.append(api.signal)
        api.signal.add_callback(lambda: called.append(n))
        return n

    dispatch = Recorder()
    result = start(create_async_thunk("t", creator), 5, dispatch=dispatch)
    assert result.unwrap().wait(TIMEOUT) == 5
    assert not result.cancel("late")
    result.abort("again")
    assert not result.cancelled()
    assert result.unwrap().wait() == 5
    assert signals[0].aborted
    assert signals[0].reason == "late"
    assert called == [5]
    assert dispatch.types == ["t/pending", "t/fulfilled"]

    started = threading.Event()
    aborted = start(create_async_thunk("t", for_ever), started)
    assert aborted.cancel("first")
    aborted.abort("second")
    assert aborted.wait().error.message == "first"


def test_a_payload_creator_may_abort_itself() -> None:
    """Rejected is dispatched at once; what it does afterwards is its own affair."""
    went_on = threading.Event()

    async def creator(_: None, api: ThunkAPI) -> str:
        api.abort("had enough")
        api.dispatch(Action("after"))
        went_on.set()
        await asyncio.sleep(0)
        api.dispatch(Action("never"))
        return "never"

    dispatch = Recorder()
    result = start(create_async_thunk("t", creator), dispatch=dispatch)
    assert result.wait(TIMEOUT).error.message == "had enough"
    assert went_on.wait(TIMEOUT)
    assert dispatch.types == ["t/pending", "t/rejected", "after"]


def test_abort_while_an_async_condition_is_awaited() -> None:
    """The request was aborted, not refused: that is dispatched, and the payload creator not run."""
    ran: list[int] = []
    asked = threading.Event()

    async def condition(n: int) -> bool:
        asked.set()
        await asyncio.Event().wait()
        return True

    dispatch = Recorder()
    thunk = create_async_thunk("t", lambda n: ran.append(n), condition=condition)
    result = start(thunk, 1, dispatch=dispatch)
    assert asked.wait(TIMEOUT)
    result.abort("TEST_ABORT")
    action = result.wait(TIMEOUT)
    assert dispatch.actions == [action]
    assert action.error == SerializedError("AbortError", "TEST_ABORT")
    assert action.meta.aborted
    assert not action.meta.condition
    assert ran == []

    async def early() -> None:
        result = start(thunk, 1)
        result.abort("before it was asked")
        assert (await result).meta.aborted

    asyncio.run(early())


def test_an_abort_during_pending_comes_after_it() -> None:
    """No slice sees the end before the beginning, whichever thread aborts."""
    controller = AbortController()
    ran: list[int] = []

    class Aborting(Recorder):
        def __call__(self, action: Any) -> Any:
            if action.type == "t/pending":
                thread = threading.Thread(target=controller.abort)
                thread.start()
                thread.join(TIMEOUT)
                assert self.types == []
            return super().__call__(action)

    dispatch = Aborting()
    thunk = create_async_thunk("t", lambda n: ran.append(n))
    result = start(thunk, 1, dispatch=dispatch, signal=controller.signal)
    assert dispatch.types == ["t/pending", "t/rejected"]
    assert result.done()
    assert result.wait().meta.aborted
    assert ran == []


def test_an_external_signal_aborts() -> None:
    """While the request runs; afterwards the signal is let go of."""
    controller = AbortController()
    started = threading.Event()
    result = start(create_async_thunk("t", for_ever), started, signal=controller.signal)
    finished = start(create_async_thunk("t", double), 1, signal=controller.signal)
    finished.wait(TIMEOUT)
    assert len(controller.signal._callbacks) == 1
    assert started.wait(TIMEOUT)
    controller.abort()
    with pytest.raises(AbortError, match="External signal was aborted"):
        result.unwrap().wait(TIMEOUT)
    assert finished.unwrap().wait(TIMEOUT) == 2


@pytest.mark.parametrize("options", [{}, {"condition": lambda n: True}])
def test_a_signal_aborted_before_is_no_refusal(options: Any) -> None:
    """Rejected is dispatched, with an ``AbortError``; a condition that says no comes first."""
    controller = AbortController()
    controller.abort()
    ran: list[int] = []
    dispatch = Recorder()
    thunk: Any = create_async_thunk("t", lambda n: ran.append(n), **options)
    result = start(thunk, 1, dispatch=dispatch, signal=controller.signal)
    action = result.wait(TIMEOUT)
    assert dispatch.actions == [action]
    assert action.error == SerializedError("AbortError", "External signal was aborted")
    assert action.meta.aborted
    assert not action.meta.condition
    assert ran == []
    refused = create_async_thunk("t", double, condition=lambda n: False)
    assert start(refused, 1, signal=controller.signal).wait(TIMEOUT).meta.condition


def test_the_reason_of_who_aborts_counts() -> None:
    """Not what the payload creator, told by its signal, makes of it."""

    async def main() -> None:
        woken = asyncio.Event()
        listening = asyncio.Event()

        async def creator(_: None, api: ThunkAPI) -> None:
            api.signal.add_callback(woken.set)
            listening.set()
            with contextlib.suppress(asyncio.CancelledError):
                await woken.wait()
            raise AbortError("Was aborted while running")

        dispatch = Recorder()
        result = start(create_async_thunk("t", creator), dispatch=dispatch)
        await listening.wait()
        result.abort("AbortReason")
        assert (await result).error.message == "AbortReason"
        await woken.wait()
        assert dispatch.types == ["t/pending", "t/rejected"]

    asyncio.run(main())


def test_a_payload_creator_that_raises_an_abort_is_aborted() -> None:
    """What its own work says of being aborted, or that it was cancelled, is believed."""

    async def aborts(_: None) -> None:
        raise AbortError("the connection was closed")

    async def cancels(_: None) -> None:
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel("from within")
        await task

    for creator, message in ((aborts, "the connection was closed"), (cancels, "from within")):
        action = start(create_async_thunk("t", creator)).wait(TIMEOUT)
        assert action.meta.aborted
        assert action.error.name == "AbortError"
        assert action.error.message == message


# Giving up, interrupts, and the ends of loops and stores


def test_giving_up_waiting_aborts_nothing() -> None:
    """A timeout, or the cancellation of who awaits."""

    async def main() -> None:
        go = asyncio.Event()

        async def creator(_: None) -> str:
            await go.wait()
            return "done"

        result = start(create_async_thunk("t", creator))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(result, 0.01)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(result.unwrap(), 0.01)
        go.set()
        assert await result.unwrap() == "done"

    asyncio.run(main())
    started = threading.Event()
    result = start(create_async_thunk("t", for_ever), started)
    assert started.wait(TIMEOUT)
    with pytest.raises(TimeoutError, match=r"the thunk t was not done within 0\.01 s"):
        result.wait(0.01)
    with pytest.raises(TimeoutError):
        result.unwrap().wait(0.01)
    assert not result.done()
    result.abort()


def test_waiting_on_the_loop_of_the_thunk_is_refused() -> None:
    """As for coroutine thunks."""

    async def main() -> None:
        result = start(create_async_thunk("t", double), 1)
        for waiting in (result, result.unwrap()):
            with pytest.raises(RuntimeError, match="the thunk t runs on, for ever; use await"):
                waiting.wait(TIMEOUT)
        assert await result.unwrap() == 2
        assert result.unwrap().wait() == 2

    asyncio.run(main())


def test_an_abort_before_there_is_anything_to_cancel() -> None:
    """Between pending and the payload creator, which then does not run."""
    controller = AbortController()
    ran: list[int] = []

    class Slow(Tasks):
        def run(self, *args: Any, **options: Any) -> Any:
            controller.abort()
            return super().run(*args, **options)

    async def creator(n: int) -> None:
        ran.append(n)

    async def main() -> None:
        tasks, dispatch = Slow("slow"), Recorder()
        action = create_async_thunk("t", creator)(1, signal=controller.signal)
        result = action.start(dispatch, no_state, None, tasks)
        assert result.cancelled()
        assert (await result).meta.aborted
        await asyncio.sleep(0)
        assert ran == []
        assert dispatch.types == ["t/pending", "t/rejected"]

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_collected_as_garbage_dispatches_nothing() -> None:
    """Amidst anything else, that is: only who still waits is told."""
    dispatch = Recorder()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        action = create_async_thunk("t", for_ever)(threading.Event())
        action.start(dispatch, no_state, None, Tasks("dropped"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    gc.collect()
    assert dispatch.types == ["t/pending"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupts_are_rejections_and_go_on(
    kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """No slice is left pending; ``unwrap`` raises them; on a loop of one's own they end it."""

    async def creator(_: None) -> None:
        raise kind("stop")

    thunk = create_async_thunk("t", creator)
    dispatch = Recorder()
    result = start(thunk, dispatch=dispatch)
    assert result.wait(TIMEOUT).error == dispatch.actions[1].error
    assert dispatch.actions[1].error.name == kind.__name__
    assert dispatch.types == ["t/pending", "t/rejected"]
    with pytest.raises(kind):
        result.unwrap().wait()

    async def main() -> None:
        await start(thunk, dispatch=dispatch)

    with pytest.raises(kind):
        asyncio.run(main())
    assert dispatch.types == ["t/pending", "t/rejected"] * 2
    del result
    gc.collect()
    assert "nobody" not in caplog.text


def test_a_loop_that_ends_aborts() -> None:
    """The rejected action is dispatched, and threads that wait get it."""
    dispatch = Recorder()
    thunk = create_async_thunk("t", for_ever)

    async def main(turns: int) -> AsyncThunkResult[Any, Any]:
        result = start(thunk, threading.Event(), dispatch=dispatch)
        for _ in range(turns):
            await asyncio.sleep(0)
        return result

    for turns in (0, 3):  # before its first step, and amidst
        action = asyncio.run(main(turns)).wait(TIMEOUT)
        assert action.meta.aborted
    assert dispatch.types == ["t/pending", "t/rejected"] * 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_closed_under_a_request_aborts_it_for_who_waits() -> None:
    """The rejected action is dispatched by who finds out."""
    dispatch = Recorder()
    loop = asyncio.new_event_loop()

    async def main() -> AsyncThunkResult[Any, Any]:
        result = start(create_async_thunk("t", for_ever), threading.Event(), dispatch=dispatch)
        await asyncio.sleep(0)
        return result

    result = loop.run_until_complete(main())
    loop.close()
    with pytest.raises(AbortError, match="its event loop was closed"):
        result.unwrap().wait(TIMEOUT)
    assert dispatch.types == ["t/pending", "t/rejected"]
