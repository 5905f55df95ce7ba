"""A result that plain code and coroutines can both wait for."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from crdtstore.waitable import Waitable


def test_wait_returns_the_result_set_by_another_thread() -> None:
    """`wait` blocks until the work is done elsewhere and returns its result."""
    future: Future[int] = Future()
    waiting = threading.Event()

    def work() -> None:
        waiting.wait(10)
        future.set_result(42)

    thread = threading.Thread(target=work)
    thread.start()
    waitable = Waitable(future, "the answer")
    assert not waitable.done()
    waiting.set()
    assert waitable.wait(10) == 42
    assert waitable.done()
    thread.join()


def test_a_timeout_names_what_was_waited_for() -> None:
    """A timeout is a `TimeoutError` that says what was not done, and in which time."""
    future: Future[None] = Future()
    waitable = Waitable(future, "store.flush()")
    with pytest.raises(TimeoutError, match=r"store\.flush\(\) was not done within 0 s"):
        waitable.wait(0)
    future.set_result(None)
    waitable.wait(0)


def test_wait_and_await_raise_what_the_work_failed_with() -> None:
    """The failure of the work reaches each caller as it is, be it a `TimeoutError`."""
    future: Future[None] = Future()
    future.set_exception(TimeoutError("the disk timed out"))
    waitable = Waitable(future, "store.flush()")

    async def awaiting() -> None:
        await waitable

    with pytest.raises(TimeoutError, match="the disk timed out"):
        waitable.wait()
    with pytest.raises(TimeoutError, match="the disk timed out"):
        asyncio.run(awaiting())


def test_completed_is_done_at_once() -> None:
    """`Waitable.completed` is done without any thread, in plain code and in a coroutine."""
    waitable = Waitable.completed("value")

    async def awaiting() -> str:
        return await waitable

    assert waitable.done()
    assert waitable.wait(0) == "value"
    assert asyncio.run(awaiting()) == "value"


def test_await_works_in_any_loop_one_after_the_other() -> None:
    """One waitable can be awaited in several event loops, before and after it is done."""
    future: Future[int] = Future()
    waitable = Waitable(future, "the answer")

    async def pending() -> int:
        asyncio.get_running_loop().call_soon(future.set_result, 7)
        return await waitable

    async def finished() -> int:
        return await asyncio.wait_for(waitable, 10)

    assert asyncio.run(pending()) == 7
    assert asyncio.run(finished()) == 7


def test_a_cancelled_task_cancels_only_its_own_waiting() -> None:
    """Cancelling one awaiting task leaves the work, and everybody else who waits, untouched."""
    future: Future[int] = Future()
    waitable = Waitable(future, "the answer")

    complaints: list[object] = []

    async def scenario() -> int:
        async def awaiting() -> int:
            return await waitable

        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        impatient = asyncio.create_task(awaiting())
        patient = asyncio.create_task(awaiting())
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert not future.cancelled()
        future.set_result(1)
        return await patient

    assert asyncio.run(scenario()) == 1
    assert waitable.wait(0) == 1
    assert complaints == []


def test_cancelled_work_is_cancelled_for_who_awaits() -> None:
    """By asyncio's error, whether it was done before or while it was awaited."""
    future: Future[int] = Future()
    waitable = Waitable(future, "the answer")

    async def scenario() -> None:
        asyncio.get_running_loop().call_soon(future.cancel)
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await waitable

    asyncio.run(scenario())


def test_a_loop_closed_while_it_waited_hurts_nobody() -> None:
    """The work is done later, and the others hear of it."""
    future: Future[int] = Future()
    waitable = Waitable(future, "the answer")

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(waitable, 0.001)

    asyncio.run(give_up())
    heard: list[Waitable[int]] = []
    waitable.on_done(heard.append)
    future.set_result(1)
    assert heard == [waitable]


def test_the_repr_says_what_and_whether() -> None:
    """`repr` names what is waited for and whether it is done."""
    assert repr(Waitable(Future[None](), "store.flush()")) == "<Waitable store.flush(): pending>"
    assert repr(Waitable.completed(1, "store.flush()")) == "<Waitable store.flush(): done>"
