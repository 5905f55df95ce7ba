"""Futures that are settled once, by whoever comes first."""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import Any

import pytest

from crdtstore.listeners.waits import Wait, deliver, fail, settle
from tests.listeners.stage import PATIENCE


def future_of() -> concurrent.futures.Future[Any]:
    return concurrent.futures.Future()


def test_the_first_result_counts() -> None:
    """Whoever comes later is told that it was too late."""
    future = future_of()
    assert settle(future, 1)
    assert not settle(future, 2)
    assert not fail(future, KeyError())
    assert future.result() == 1
    failed = future_of()
    assert fail(failed, KeyError("one"))
    assert not settle(failed, 2)
    with pytest.raises(KeyError):
        failed.result()
    cancelled = future_of()
    cancelled.cancel()
    assert not settle(cancelled, 1)
    assert not fail(cancelled, KeyError())


def raising(error: BaseException) -> Any:
    def result() -> Any:
        raise error

    return result


def test_a_result_is_delivered_as_it_came() -> None:
    """A value, an exception, or that it was cancelled."""
    future = future_of()
    deliver(future, lambda: 1)
    assert future.result() == 1
    future = future_of()
    deliver(future, raising(KeyError("one")))
    with pytest.raises(KeyError):
        future.result()
    for error in (asyncio.CancelledError(), concurrent.futures.CancelledError()):
        future = future_of()
        deliver(future, raising(error))
        assert future.cancelled()


def test_a_thread_that_starts_to_wait_is_noted() -> None:
    """Not one that need not wait."""
    began: list[str] = []
    future = future_of()
    wait: Wait[int] = Wait(future, "it", lambda: began.append("began"))
    with pytest.raises(TimeoutError, match="it was not done within 0 s"):
        wait.wait(0)
    assert began == ["began"]
    settle(future, 1)
    assert wait.wait(PATIENCE) == 1
    assert began == ["began"]


def test_a_loop_must_not_stand_still() -> None:
    """Where one runs, ``wait`` refuses, and awaiting works."""
    future = future_of()
    wait: Wait[int] = Wait(future, "it", lambda: None)

    async def main() -> int:
        with pytest.raises(RuntimeError, match="wait\\(\\) for it would block the event loop"):
            wait.wait()
        asyncio.get_running_loop().call_soon(settle, future, 1)
        return await wait

    assert asyncio.run(main()) == 1


def test_an_idle_wait_is_given_up_when_nobody_has_it() -> None:
    """Others go on."""
    kept, idle = future_of(), future_of()
    wait: Wait[int] = Wait(idle, "it", lambda: None)
    wait.idle = True
    del wait
    Wait(kept, "it", lambda: None)
    assert idle.cancelled()
    assert not kept.done()
