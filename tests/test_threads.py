"""Functions on threads of their own: results, cancelling, idle threads, forks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading

import pytest

from crdtstore.threads import in_thread

TIMEOUT = 60


def test_in_thread_returns_or_raises_what_the_function_does() -> None:
    """Each call has a thread of its own, with the caller's context."""

    def name() -> str:
        return threading.current_thread().name

    def stop() -> None:
        raise StopIteration

    def fail() -> None:
        raise ZeroDivisionError

    async def main() -> None:
        assert await in_thread(name, "mine") == "mine"
        with pytest.raises(ZeroDivisionError):
            await in_thread(fail, "mine")
        with pytest.raises(RuntimeError, match="StopIteration"):
            await in_thread(stop, "mine")

    asyncio.run(main())


def test_in_thread_never_runs_out_of_threads() -> None:
    """Functions that wait for one another all run; a shared pool would be used up."""
    count = 40
    barrier = threading.Barrier(count)

    async def main() -> None:
        await asyncio.gather(
            *(in_thread(lambda: barrier.wait(TIMEOUT), "it") for _ in range(count))
        )

    asyncio.run(main())


def test_in_thread_uses_idle_threads_again() -> None:
    """Sooner or later: one is idle a moment after its result was delivered."""

    async def main() -> None:
        seen = [await in_thread(threading.current_thread, "it")]
        while True:
            thread = await in_thread(threading.current_thread, "it")
            if thread in seen:
                break
            seen.append(thread)
        names: list[str] = []
        await in_thread(lambda: names.append(threading.current_thread().name), "mine")
        assert names == ["mine"]

    asyncio.run(asyncio.wait_for(main(), TIMEOUT))


def test_in_thread_keeps_few_threads_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those not for ever."""
    monkeypatch.setattr("crdtstore.threads._MOST_IDLE", 2)
    monkeypatch.setattr("crdtstore.threads._IDLE", 0.01)
    count = 20
    barrier = threading.Barrier(count)
    threads: set[threading.Thread] = set()

    def work() -> None:
        threads.add(threading.current_thread())
        barrier.wait(TIMEOUT)

    async def main() -> None:
        await asyncio.gather(*(in_thread(work, "it") for _ in range(count)))

    asyncio.run(main())
    assert len(threads) == count
    for thread in threads:
        thread.join(10 * TIMEOUT)
        assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_in_thread_after_a_fork_has_threads_of_its_own() -> None:
    """The idle ones of the parent are none in the child."""
    code = (
        "import asyncio, os, time\n"
        "from crdtstore.threads import Worker, in_thread\n"
        "asyncio.run(in_thread(int, 'it'))\n"
        "while not Worker.idle: time.sleep(0.001)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(asyncio.run(asyncio.wait_for(in_thread(lambda: 7, 'it'), 30)))\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], timeout=2 * TIMEOUT, check=False
    )
    assert done.returncode == 0


def test_in_thread_cancelled_ends_at_once() -> None:
    """The function goes on, and nobody hears of its result; the loop may even be gone."""
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(TIMEOUT)
        done.set()

    async def main() -> None:
        task = asyncio.ensure_future(in_thread(work, "it"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    go.set()
    assert done.wait(TIMEOUT)
