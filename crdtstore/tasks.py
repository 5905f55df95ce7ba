"""Where the store's background coroutines run, how one waits for them, and how they are stopped.

A coroutine runs on the event loop of the thread that starts it, if one runs there, else on a loop
thread of the store's. Either way its outcome is kept apart from the loop, so that threads, other
loops and code after ``asyncio.run`` can wait for it. Three things no coroutine is told of: that
its loop was closed, that its process is the child of a fork, that nobody cares. The first two
count as a cancellation, found out by who waits (once a second, for no loop announces its end); in
the third case a failure is logged when the last handle is collected, as asyncio does for tasks.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from crdtstore.errors import ClosedError
from crdtstore.waitable import Waitable

__all__ = ["Job", "Outcome", "Running", "Tasks", "running_loop"]

T = TypeVar("T")

logger = logging.getLogger("crdtstore")

_LOOK = 1.0  # seconds between two looks at whether the loop that must do the work is still there
_PATIENCE = 5.0  # seconds that stop() waits for what is slow to notice that it was cancelled


class Outcome(concurrent.futures.Future[T]):
    """How some work ended. A failure that nobody asked for is logged when this is collected."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.asked = False
        self.reason: str | None = None

    def result(self, timeout: float | None = None) -> T:
        """Return the result, or raise what the work failed with, which is then known to others."""
        self.asked = True
        return super().result(timeout)

    def __del__(self) -> None:
        if not self.asked and self.done() and not self.cancelled():
            error = self.exception()
            if error is not None:
                logger.error("%s failed, and nobody waited for it", self.name, exc_info=error)


class Running(Waitable[T]):
    """A coroutine under way: ``await`` it, ``.wait(timeout)`` for it, or ``.cancel()`` it.

    Who gives up waiting cancels nothing. Waiting for what was cancelled raises ``CancelledError``:
    asyncio's when awaited, that of ``concurrent.futures`` from ``wait``.
    """

    __slots__ = ("_job",)

    def __init__(
        self, future: concurrent.futures.Future[T], name: str, job: Job[Any] | None = None
    ) -> None:
        super().__init__(future, name)
        self._job = job

    def cancel(self, reason: str | None = None) -> bool:
        """Ask the coroutine to stop, from any thread; ``False`` if it is done already.

        It is told by an ``asyncio.CancelledError`` where it stands, and may clean up or refuse.
        """
        return self._job is not None and self._job.cancel(reason)

    def cancelled(self) -> bool:
        """Whether it was cancelled, and is over."""
        return self._future.cancelled()

    def wait(self, timeout: float | None = None) -> T:
        """Block this thread until done, ``timeout`` seconds at most, and return the result.

        Raises ``TimeoutError`` when the time is over (the work goes on), and ``RuntimeError`` on
        the event loop that must do the work, which would stand still.
        """
        job = self._job
        if job is None:
            return super().wait(timeout)
        if self._future.done():
            return self._settled(concurrent.futures.CancelledError)
        if running_loop() is job.loop:
            raise RuntimeError(
                f"wait() would block the event loop that {self.name} runs on, for ever; use await"
            )
        end = None if timeout is None else time.monotonic() + timeout
        while not self._future.done():
            left = _LOOK if end is None else min(_LOOK, end - time.monotonic())
            try:
                self._future.exception(max(left, 0))
            except concurrent.futures.CancelledError:
                break
            except TimeoutError:
                job.look()
                if end is not None and time.monotonic() >= end and not self._future.done():
                    raise TimeoutError(
                        f"{self.name} was not done within {timeout} s; it still goes on"
                    ) from None
        return self._settled(concurrent.futures.CancelledError)

    def __await__(self) -> Generator[Any, None, T]:
        job = self._job
        if job is not None and not self._future.done():
            if job.loop is asyncio.get_running_loop():
                if job.task is asyncio.current_task():
                    raise RuntimeError(f"{self.name} waits for itself, which would take for ever")
                yield from self._wake().__await__()
            else:
                waiter = self._wake()
                while not self._future.done():
                    yield from asyncio.wait([waiter], timeout=_LOOK).__await__()
                    job.look()
        return (yield from super().__await__())

    def _reason(self) -> tuple[str, ...]:
        reason = self._job.outcome.reason if self._job is not None else None
        return () if reason is None else (reason,)

    def __repr__(self) -> str:
        how = "pending" if not self.done() else "cancelled" if self.cancelled() else "done"
        return f"<{type(self).__name__} {self.name}: {how}>"


class Job(Generic[T]):
    """One coroutine on one loop: started, delivered, cancelled, or lost with its loop."""

    __slots__ = ("_early", "_owner", "_pid", "_work", "loop", "outcome", "task")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, T],
        name: str,
        owner: Tasks,
    ) -> None:
        self.loop = loop
        self.outcome: Outcome[T] = Outcome(name)
        self.task: asyncio.Task[None] | None = None
        self._work = work
        self._owner: Tasks | None = owner
        self._pid = os.getpid()
        self._early = False  # cancelled before it began

    def start(self) -> None:
        """Make it a task of its loop; on that loop's thread."""
        if self.outcome.done():
            self._work.close()
            return
        task = self.loop.create_task(_follow(self, self._work), name=self.outcome.name)
        if not task.done():  # a loop with eager tasks may have run it already
            self.task = task
            if self._early:
                self._cancel()
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._work.close()  # cancelled before its first step, it was never awaited
        if not task.cancelled():
            task.exception()  # delivered, if there is one; asyncio need not log it
        self.end(None)
        self.task = None

    def deliver(self, value: T) -> None:
        """Take the result."""
        try:
            self.outcome.set_result(value)
        except concurrent.futures.InvalidStateError:
            return  # given up as lost
        self._release()

    def fail(self, error: BaseException) -> None:
        """Take what the coroutine raised."""
        try:
            self.outcome.set_exception(error)
        except concurrent.futures.InvalidStateError:
            return
        self._release()

    def end(self, reason: str | None) -> None:
        """Take it that nothing more will come, if nothing has."""
        if not self.outcome.done():
            if reason is not None:
                self.outcome.reason = reason
            self.outcome.cancel()
        self._release()

    def _release(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.forget(self)

    def cancel(self, reason: str | None) -> bool:
        """Ask the coroutine to stop, from any thread."""
        if self.outcome.done():
            return False
        if reason is not None:
            self.outcome.reason = reason
        if running_loop() is self.loop:
            self._cancel()
        elif not self.look():
            try:
                self.loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:  # closed just now
                self.look()
        return True

    def _cancel(self) -> None:
        if self.task is not None:
            self.task.cancel(self.outcome.reason)
        else:
            self._early = True

    def look(self) -> bool:
        """Tell whether the loop is gone, and the work with it."""
        if not self.loop.is_closed() and self._pid == os.getpid():
            return False
        self.end("its event loop was closed before it was done")
        return True


async def _follow(job: Job[T] | None, work: Coroutine[Any, Any, T]) -> None:
    assert job is not None
    job.task = asyncio.current_task()
    try:
        value = await work
    except (asyncio.CancelledError, GeneratorExit) as error:
        job.end(error.args[0] if error.args and isinstance(error.args[0], str) else None)
        raise
    except BaseException as error:
        job.fail(error)
        if not isinstance(error, Exception):  # an interrupt is the loop's concern as well
            raise
    else:
        job.deliver(value)
    finally:
        job = None  # the traceback of a failure must not keep alive whose end logs it


class Tasks:
    """The background coroutines of one store.

    ``run`` starts one, from any thread, with a loop or without; ``stop`` ends all.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._jobs: set[Job[Any]] = set()
        self._own: _LoopThread | None = None
        self.stopped = False

    def run(
        self,
        work: Coroutine[Any, Any, T],
        name: str,
        *,
        attach: Callable[[Job[T]], Any] | None = None,
    ) -> Running[T]:
        """Run a coroutine: here if an event loop runs in this thread, else on the loop thread.

        ``name`` stands in messages. ``attach`` gets the job before it begins. Raises
        ``ClosedError`` after ``stop``.
        """
        self._check_fork()
        loop = running_loop()
        with self._lock:
            try:
                self.check(name)
                job = Job(loop or self._loop(), work, name, self)
            except BaseException:
                work.close()
                raise
            if attach is not None:
                attach(job)
            self._jobs.add(job)
            if loop is None and self._own is not None:
                self._own.begin(job)
        if loop is not None:
            job.start()
        return Running(job.outcome, name, job)

    def check(self, name: str) -> None:
        """Raise ``ClosedError`` if nothing more is run, ``name`` for one."""
        if self.stopped:
            raise ClosedError(f"the store is closed: it does not run {name} any more")

    def is_own(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Tell whether a loop is that of the loop thread."""
        own = self._own
        return own is not None and own.loop is loop

    def own_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the loop thread, started if need be, whatever loop runs here.

        Raises ``ClosedError`` after ``stop``.
        """
        self._check_fork()
        with self._lock:
            self.check("anything")
            return self._loop()

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._own is None:
            self._own = _LoopThread(self._name)
            weakref.finalize(self, self._own.end, ()).atexit = False
        return self._own.loop

    def forget(self, job: Job[Any]) -> None:
        """Let go of what is done."""
        self._jobs.discard(job)

    def stop(self) -> None:
        """Cancel all that still runs, on whatever loop, and end the loop thread.

        The coroutine that calls this is spared, and runs to its end. Waits some seconds at most
        for what is slow to end on the loop thread, and not for what runs on other loops.
        """
        self._check_fork()
        with self._lock:
            self.stopped = True
            jobs, own = list(self._jobs), self._own
        caller = asyncio.current_task() if running_loop() is not None else None
        for job in jobs:
            if caller is None or job.task is not caller:
                job.cancel("the store was closed")
        if own is not None:
            own.end(jobs, spared=caller)
            own.join()

    def _check_fork(self) -> None:
        if self._pid != os.getpid():  # threads do not survive a fork, and locks may be held
            self._pid = os.getpid()
            self._lock = threading.Lock()
            self._jobs = set()
            self._own = None


class _LoopThread:
    """An event loop on a daemon thread of its own."""

    __slots__ = ("_due", "_end_task", "_ended", "_ending", "_pid", "_thread", "_woken", "loop")

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._pid = os.getpid()
        self._ending = False
        self._ended = False
        self._due: deque[Job[Any]] = deque()
        self._woken = False  # it was told that there is something due, and has not looked yet
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.loop.close()
            raise

    def _serve(self) -> None:
        try:
            while not self._ended:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    continue  # raised by a coroutine, which has it as its outcome; others go on
        finally:
            self.loop.close()

    def begin(self, job: Job[Any]) -> None:
        """Start a job, from any thread, one at a time; raises ``RuntimeError`` after the end.

        Waking the thread is most of what that costs, so one that was woken and has not looked yet
        is not woken again.
        """
        self._due.append(job)
        if not self._woken:
            self._woken = True
            try:
                self.loop.call_soon_threadsafe(self._begin_due)
            except RuntimeError:
                self._woken = False
                raise

    def _begin_due(self) -> None:
        self._woken = False  # before looking: what comes from now on wakes again
        for _ in range(len(self._due)):
            self.loop.call_soon(self._due.popleft().start)

    def end(self, jobs: Sequence[Job[Any]], spared: asyncio.Task[Any] | None = None) -> None:
        """End the loop when those jobs (cancelled, but for ``spared``) have ended."""
        if self._pid == os.getpid():  # the loop of a parent process is not ours to wake
            with suppress(RuntimeError):  # ended before
                self.loop.call_soon_threadsafe(self._begin_end, jobs, spared)

    def _begin_end(self, jobs: Sequence[Job[Any]], spared: asyncio.Task[Any] | None) -> None:
        if not self._ending:
            self._ending = True
            self._end_task = self.loop.create_task(self._end(jobs, spared))

    async def _end(self, jobs: Sequence[Job[Any]], spared: asyncio.Task[Any] | None) -> None:
        tasks = {job.task for job in jobs if job.loop is self.loop and job.task is not None}
        if tasks:
            await asyncio.wait(tasks)
        while strays := asyncio.all_tasks() - {asyncio.current_task()}:  # what they left behind
            for task in strays:
                if task is not spared:
                    task.cancel()
            await asyncio.wait(strays)
        await self.loop.shutdown_asyncgens()
        self._ended = True
        self.loop.stop()

    def join(self) -> None:
        """Wait for the end, for some time; not at all on the loop thread itself."""
        if self._thread is threading.current_thread():
            return
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            logger.warning(
                "%s: something there takes no notice of being cancelled, and still runs",
                self._thread.name,
            )


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs in this thread."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
