"""Background coroutines: where they run, who waits for them, how they are cancelled and stopped."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import logging
import os
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crdtstore.errors import ClosedError
from crdtstore.tasks import Running, Tasks

TIMEOUT = 30

Gone = concurrent.futures.CancelledError


@pytest.fixture
def tasks() -> Iterator[Tasks]:
    """Make tasks that are stopped after the test."""
    made = Tasks("test-tasks")
    yield made
    made.stop()


async def answer() -> int:
    """Take a turn of the loop."""
    await asyncio.sleep(0)
    return 42


async def failing() -> None:
    """Fail after a turn of the loop."""
    await asyncio.sleep(0)
    raise ZeroDivisionError("by design")


async def for_ever(started: threading.Event | None = None) -> None:
    """Wait for nothing."""
    if started is not None:
        started.set()
    await asyncio.Event().wait()


def threads_named(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def collect_until(done: Callable[[], bool]) -> bool:
    """Collect garbage until it is so, or it is clear that it never will be."""
    for _ in range(200):
        gc.collect()
        if done():
            return True
        threading.Event().wait(0.01)
    return False


# Where it runs


def test_without_a_loop_it_runs_on_the_loop_thread(tasks: Tasks) -> None:
    """A script gets a thread with a loop, started when it is first needed and then shared."""

    async def where() -> str:
        return threading.current_thread().name

    assert not threads_named("test-tasks")
    assert tasks.run(where(), "where").wait(TIMEOUT) == "test-tasks"
    tasks.run(answer(), "answer").wait(TIMEOUT)
    assert len(threads_named("test-tasks")) == 1


def test_on_a_running_loop_it_is_a_task_of_that_loop(tasks: Tasks) -> None:
    """No thread is started for who has a loop, and its name is the task's."""

    async def where() -> tuple[threading.Thread, str]:
        task = asyncio.current_task()
        assert task is not None
        return threading.current_thread(), task.get_name()

    async def main() -> None:
        assert await tasks.run(where(), "here") == (threading.current_thread(), "here")

    asyncio.run(main())
    assert not threads_named("test-tasks")


def test_a_coroutine_of_the_loop_thread_runs_others_there(tasks: Tasks) -> None:
    """Inside, its loop is the running one."""

    async def outer() -> tuple[str, int]:
        return threading.current_thread().name, await tasks.run(answer(), "inner")

    assert tasks.run(outer(), "outer").wait(TIMEOUT) == ("test-tasks", 42)


def test_context_variables_are_those_of_who_starts_it(tasks: Tasks) -> None:
    """On another thread, too."""
    variable = contextvars.ContextVar("variable", default="unset")

    async def look() -> str:
        return variable.get()

    variable.set("mine")
    assert tasks.run(look(), "look").wait(TIMEOUT) == "mine"


# Waiting


def test_the_result_or_failure_reaches_everybody_who_waits(tasks: Tasks) -> None:
    """Threads and loops may wait for one coroutine, before and after it is done."""
    go = threading.Event()

    async def work() -> str:
        await asyncio.to_thread(go.wait, TIMEOUT)
        return "done"

    running = tasks.run(work(), "work")
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(running.wait(TIMEOUT))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()

    async def main() -> str:
        asyncio.get_running_loop().call_soon(go.set)
        first = await running
        return first + await running

    assert asyncio.run(main()) == "donedone"
    for thread in threads:
        thread.join()
    assert results == ["done"] * 4
    failed = tasks.run(failing(), "failing")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="by design"):
            failed.wait(TIMEOUT)


def test_a_timeout_says_what_was_not_done(tasks: Tasks) -> None:
    """The work goes on, and may be waited for again."""
    go = threading.Event()

    async def work() -> int:
        await asyncio.to_thread(go.wait, TIMEOUT)
        return 5

    running = tasks.run(work(), "the work")
    with pytest.raises(TimeoutError, match=r"the work was not done within 0\.01 s; it still goes"):
        running.wait(0.01)
    with pytest.raises(TimeoutError):
        running.wait(0)
    go.set()
    assert running.wait(TIMEOUT) == 5


def test_a_timeout_error_of_the_work_is_no_timeout_of_the_wait(tasks: Tasks) -> None:
    """What the coroutine raised is raised as it is."""

    async def work() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        tasks.run(work(), "work").wait(TIMEOUT)


def test_waiting_on_the_loop_that_must_do_the_work_is_refused(tasks: Tasks) -> None:
    """``wait`` would stop that loop, and so the work; what is done can be waited for."""

    async def main() -> None:
        running = tasks.run(answer(), "the answer")
        with pytest.raises(RuntimeError, match="event loop that the answer runs on, for ever"):
            running.wait(TIMEOUT)
        assert await running == 42
        assert running.wait() == 42

    asyncio.run(main())
    tasks.run(main(), "main").wait(TIMEOUT)


def test_what_awaits_itself_is_told(tasks: Tasks) -> None:
    """It would wait for ever."""
    me: list[Running[None]] = []
    ready = threading.Event()

    async def work() -> None:
        await asyncio.to_thread(ready.wait, TIMEOUT)
        await me[0]

    me.append(tasks.run(work(), "work"))
    ready.set()
    with pytest.raises(RuntimeError, match="work waits for itself"):
        me[0].wait(TIMEOUT)


def test_cancelling_who_waits_cancels_no_work(tasks: Tasks) -> None:
    """On the loop of the work and on another one."""

    async def main() -> None:
        go = asyncio.Event()
        running = tasks.run(go.wait(), "waiting")
        impatient = asyncio.ensure_future(_await(running))
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        go.set()
        assert await running

    asyncio.run(main())
    started = threading.Event()
    elsewhere = tasks.run(for_ever(started), "elsewhere")

    async def give_up() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(elsewhere, 0.01)

    asyncio.run(give_up())
    assert started.wait(TIMEOUT)
    assert not elsewhere.done()


async def _await(running: Running[Any]) -> Any:
    return await running


def test_on_done_is_called_when_done_and_at_once_after(tasks: Tasks) -> None:
    """The callback gets the handle."""
    called = threading.Event()
    seen: list[Any] = []
    running = tasks.run(answer(), "answer")
    running.on_done(lambda it: (seen.append(it), called.set()))
    assert called.wait(TIMEOUT)
    running.on_done(seen.append)
    assert seen == [running, running]


def test_interrupts_reach_who_waits_and_the_loop_thread_survives(tasks: Tasks) -> None:
    """``SystemExit`` in one coroutine is no end for the others."""
    other = tasks.run(for_ever(), "other")

    async def leave() -> None:
        raise SystemExit(3)

    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        tasks.run(leave(), "leave").wait(TIMEOUT)
    with pytest.raises(KeyboardInterrupt):
        tasks.run(interrupted(), "interrupted").wait(TIMEOUT)
    assert tasks.run(answer(), "answer").wait(TIMEOUT) == 42
    assert not other.done()


@pytest.mark.skipif(
    not hasattr(signal, "pthread_kill")
    or threading.current_thread() is not threading.main_thread(),
    reason="needs to send a signal to the main thread",
)
def test_an_interrupted_wait_leaves_the_work_alone(tasks: Tasks) -> None:
    """Ctrl-C ends the waiting, and nothing else."""
    go, waiting = threading.Event(), threading.Event()

    async def work() -> str:
        await asyncio.to_thread(go.wait, TIMEOUT)
        return "done"

    running = tasks.run(work(), "work")
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        waiting.wait(TIMEOUT)
        signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()

    def wait() -> None:
        waiting.set()
        running.wait(TIMEOUT)

    with pytest.raises(KeyboardInterrupt):
        wait()
    thread.join()
    go.set()
    assert running.wait(TIMEOUT) == "done"


def test_handles_work_with_what_asyncio_has(tasks: Tasks) -> None:
    """``gather``, ``wait_for`` and ``ensure_future`` take what can be awaited."""

    async def main() -> None:
        runs = [tasks.run(answer(), "answer") for _ in range(3)]
        assert await asyncio.gather(*runs) == [42, 42, 42]
        assert await asyncio.wait_for(tasks.run(answer(), "answer"), TIMEOUT) == 42
        assert await asyncio.ensure_future(tasks.run(answer(), "answer")) == 42

    asyncio.run(main())


# Cancelling


def test_cancel_from_another_thread(tasks: Tasks) -> None:
    """The coroutine is told, with the reason; so is who waits, by asyncio's error when awaited."""
    started = threading.Event()
    told: list[tuple[Any, ...]] = []

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            told.append(error.args)
            raise

    running = tasks.run(work(), "work")
    assert started.wait(TIMEOUT)
    assert not running.cancelled()
    assert running.cancel("not needed")
    with pytest.raises(Gone, match="not needed"):
        running.wait(TIMEOUT)
    assert running.cancelled()
    assert not running.cancel("again")
    assert told == [("not needed",)]
    assert repr(running) == "<Running work: cancelled>"

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError, match="not needed"):
            await running

    asyncio.run(main())


def test_cancel_before_the_first_step(tasks: Tasks) -> None:
    """The coroutine never runs, on a loop of one's own or on the loop thread."""
    ran: list[int] = []

    async def work() -> None:
        ran.append(1)

    async def main() -> None:
        running = tasks.run(work(), "work")
        assert running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert running.cancelled()

    asyncio.run(main())
    block, blocked = threading.Event(), threading.Event()

    async def blocking() -> None:
        blocked.set()
        block.wait(TIMEOUT)

    tasks.run(blocking(), "blocking")
    assert blocked.wait(TIMEOUT)
    queued = tasks.run(work(), "queued")
    queued.cancel()
    block.set()
    with pytest.raises(Gone):
        queued.wait(TIMEOUT)
    assert ran == []


def test_cancel_before_it_was_handed_to_its_loop(tasks: Tasks) -> None:
    """Whoever gets hold of a job so early stops it, too."""

    async def main() -> None:
        running = tasks.run(for_ever(), "here", attach=lambda job: job.cancel("early"))
        with pytest.raises(asyncio.CancelledError, match="early"):
            await running

    asyncio.run(main())
    with pytest.raises(Gone, match="early"):
        tasks.run(for_ever(), "there", attach=lambda job: job.cancel("early")).wait(TIMEOUT)


def test_a_coroutine_may_refuse_to_be_cancelled(tasks: Tasks) -> None:
    """Then its result counts."""
    started = threading.Event()

    async def stubborn() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "finished all the same"

    running = tasks.run(stubborn(), "stubborn")
    assert started.wait(TIMEOUT)
    running.cancel()
    assert running.wait(TIMEOUT) == "finished all the same"
    assert not running.cancelled()


def test_cancelling_a_cancelled_work_awaited_by_another(tasks: Tasks) -> None:
    """Who awaits what is cancelled is cancelled with it, as with asyncio's tasks."""
    started = threading.Event()
    inner = tasks.run(for_ever(started), "inner")
    outer = tasks.run(_await(inner), "outer")
    assert started.wait(TIMEOUT)
    inner.cancel()
    with pytest.raises(Gone):
        outer.wait(TIMEOUT)


# The ends of loops and processes


def test_a_loop_that_ends_cancels_what_runs_on_it(tasks: Tasks) -> None:
    """``asyncio.run`` does so, and threads that wait are told."""

    async def main() -> Running[None]:
        running = tasks.run(for_ever(), "for ever")
        await asyncio.sleep(0)
        return running

    with pytest.raises(Gone):
        asyncio.run(main()).wait(TIMEOUT)


def test_a_result_of_the_last_turn_of_a_loop_is_not_lost(tasks: Tasks) -> None:
    """A loop that just stops, and is run no more, has delivered what was done by then."""
    loop = asyncio.new_event_loop()

    async def main() -> Running[int]:
        running = tasks.run(answer(), "answer")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return running

    running = loop.run_until_complete(main())
    assert running.wait(TIMEOUT) == 42
    loop.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("when", ["before waiting", "while waiting"])
def test_a_loop_closed_under_its_work_cancels_it_for_who_waits(tasks: Tasks, when: str) -> None:
    """Nobody is told that a loop was closed; who waits finds out, on a thread or a loop."""
    loop = asyncio.new_event_loop()

    async def start() -> tuple[Running[None], Running[None]]:
        made = tasks.run(for_ever(), "one"), tasks.run(for_ever(), "two")
        await asyncio.sleep(0)
        return made

    one, two = loop.run_until_complete(start())
    if when == "before waiting":
        loop.close()
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            one.wait(TIMEOUT)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()

    async def main() -> None:
        asyncio.get_running_loop().call_later(0.01, loop.close)
        with pytest.raises(asyncio.CancelledError, match="its event loop was closed before"):
            await two

    asyncio.run(main())
    thread.join(TIMEOUT)
    assert isinstance(caught[0], Gone)
    assert not one.cancel()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_cancelling_what_was_lost_with_its_loop(tasks: Tasks) -> None:
    """There is nothing to tell any more, but who waits is told."""
    loop = asyncio.new_event_loop()

    async def start() -> Running[None]:
        return tasks.run(for_ever(), "lost")

    running = loop.run_until_complete(start())
    loop.close()
    assert running.cancel("no use")
    with pytest.raises(Gone, match="closed before"):
        running.wait(TIMEOUT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_after_a_fork_the_child_has_a_loop_thread_of_its_own() -> None:
    """What ran in the parent is cancelled for the child's eyes, and goes on in the parent."""
    tasks = Tasks("test-tasks")
    go = threading.Event()

    ended: list[int] = []

    async def work() -> int:
        try:
            await asyncio.to_thread(go.wait, TIMEOUT)
        finally:
            ended.append(os.getpid())  # as if it closed a connection
        return 6

    running = tasks.run(work(), "work")
    assert tasks.run(answer(), "answer").wait(TIMEOUT) == 42
    child = os.fork()
    if not child:
        try:
            ok = tasks.run(answer(), "answer").wait(TIMEOUT) == 42
            try:
                running.wait(TIMEOUT)
            except Gone:
                del running
                tasks.stop()
                gc.collect()
                os._exit(5 if ok and not ended else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    go.set()
    assert running.wait(TIMEOUT) == 6
    tasks.stop()


# Stopping


def test_stop_cancels_on_all_loops_and_ends_the_thread() -> None:
    """Later work is refused, with its name, and its coroutine is closed."""
    tasks = Tasks("test-tasks")
    started = threading.Event()
    there = tasks.run(for_ever(started), "there")
    assert started.wait(TIMEOUT)

    async def main() -> None:
        here = tasks.run(for_ever(), "here")
        await asyncio.sleep(0)
        await asyncio.to_thread(tasks.stop)
        for running in (here, there):
            with pytest.raises(asyncio.CancelledError, match="the store was closed"):
                await running
        with pytest.raises(ClosedError, match="the store is closed: it does not run late any more"):
            tasks.run(answer(), "late")

    asyncio.run(main())
    assert not threads_named("test-tasks")
    with pytest.raises(ClosedError):
        tasks.run(answer(), "late")
    tasks.stop()


def test_stop_waits_for_what_cleans_up() -> None:
    """A coroutine may take a while to end; so may what it started and left behind."""
    tasks = Tasks("test-tasks")
    ended: list[str] = []
    started = threading.Event()

    async def stray() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append("stray")

    async def work() -> None:
        child = asyncio.create_task(stray())
        await asyncio.sleep(0)
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            assert not child.done()
            ended.append("work")

    tasks.run(work(), "work")
    assert started.wait(TIMEOUT)
    tasks.stop()
    assert ended == ["work", "stray"]
    assert not threads_named("test-tasks")


def test_stop_is_not_held_up_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What ignores its cancellation is left alone after a time, with a warning."""
    monkeypatch.setattr("crdtstore.tasks._PATIENCE", 0.05)
    tasks = Tasks("test-tasks")
    go, started = threading.Event(), threading.Event()

    async def deaf() -> str:
        started.set()
        while not go.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        return "at last"

    running = tasks.run(deaf(), "deaf")
    assert started.wait(TIMEOUT)
    tasks.stop()
    assert "takes no notice of being cancelled" in caplog.text
    go.set()
    assert running.wait(TIMEOUT) == "at last"


def test_who_stops_from_within_runs_to_its_end() -> None:
    """It neither waits for itself nor is cancelled half way; the others are."""
    tasks = Tasks("test-tasks")
    started = threading.Event()
    other = tasks.run(for_ever(started), "other")
    assert started.wait(TIMEOUT)

    async def stop() -> str:
        tasks.stop()
        await asyncio.sleep(0.01)
        with pytest.raises(ClosedError):
            tasks.run(answer(), "late")
        return "said goodbye"

    thread = threads_named("test-tasks")[0]
    assert tasks.run(stop(), "stop").wait(TIMEOUT) == "said goodbye"
    with pytest.raises(Gone):
        other.wait(TIMEOUT)
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_who_stops_from_a_child_task_runs_to_its_end() -> None:
    """A task that a coroutine started counts as who stops, too."""
    tasks = Tasks("test-tasks")
    said: list[str] = []

    async def stop() -> None:
        tasks.stop()
        await asyncio.sleep(0.01)
        said.append("goodbye")

    async def work() -> None:
        child = asyncio.create_task(stop())
        await asyncio.shield(child)

    running = tasks.run(work(), "work")
    thread = threads_named("test-tasks")[0]
    with pytest.raises(Gone):
        running.wait(TIMEOUT)
    thread.join(TIMEOUT)
    assert said == ["goodbye"]


def test_stop_on_a_loop_of_ones_own_spares_who_stops() -> None:
    """The same on the loop of the program."""
    tasks = Tasks("test-tasks")

    async def stop() -> str:
        tasks.stop()
        await asyncio.sleep(0)
        return "goodbye"

    async def main() -> None:
        other = tasks.run(for_ever(), "other")
        assert await tasks.run(stop(), "stop") == "goodbye"
        with pytest.raises(asyncio.CancelledError):
            await other

    asyncio.run(main())


def test_many_threads_run_and_stop_at_once() -> None:
    """Whatever was started is done, cancelled or was refused: nothing hangs."""
    for _ in range(20):
        tasks = Tasks("test-tasks")
        ends: list[str] = []

        def work(tasks: Tasks = tasks, ends: list[str] = ends) -> None:
            for _ in range(20):
                try:
                    ends.append(str(tasks.run(answer(), "answer").wait(TIMEOUT)))
                except Gone:
                    ends.append("cancelled")
                except ClosedError:
                    ends.append("refused")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        tasks.stop()
        for thread in threads:
            thread.join(TIMEOUT)
        assert len(ends) == 80
        assert set(ends) <= {"42", "cancelled", "refused"}


def test_tasks_collected_as_garbage_end_their_thread() -> None:
    """A store that is dropped, and not closed, leaves no thread behind."""
    tasks = Tasks("test-tasks")
    tasks.run(answer(), "answer").wait(TIMEOUT)
    thread = threads_named("test-tasks")[0]
    gone = weakref.ref(tasks)
    del tasks
    assert collect_until(lambda: gone() is None)
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_what_runs_keeps_its_tasks_alive() -> None:
    """Dropping every handle does not stop what is under way."""
    tasks = Tasks("test-tasks")
    go, started, done = threading.Event(), threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        await asyncio.to_thread(go.wait, TIMEOUT)
        done.set()

    tasks.run(work(), "work")
    assert started.wait(TIMEOUT)
    del tasks
    gc.collect()
    go.set()
    assert done.wait(TIMEOUT)


# Failures that nobody asked for


def test_a_failure_nobody_waited_for_is_logged(
    tasks: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    """With its traceback, as soon as the last handle is gone."""
    gc.disable()
    try:
        running = tasks.run(failing(), "failing")
        while not running.done():
            threading.Event().wait(0)
        tasks.run(answer(), "answer").wait(TIMEOUT)  # the loop has finished with the first
        assert caplog.text == ""
        del running
        assert "failing failed, and nobody waited for it" in caplog.text
        assert "ZeroDivisionError: by design" in caplog.text
    finally:
        gc.enable()

    async def main() -> None:
        running = tasks.run(failing(), "of a loop")
        while not running.done():
            await asyncio.sleep(0)

    asyncio.run(main())
    assert collect_until(lambda: "of a loop failed, and nobody" in caplog.text)


def test_a_failure_somebody_waited_for_is_not_logged(
    tasks: Tasks, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is a cancellation, nor a result."""
    caplog.set_level(logging.DEBUG)
    waited = tasks.run(failing(), "waited")
    with pytest.raises(ZeroDivisionError):
        waited.wait(TIMEOUT)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await tasks.run(failing(), "awaited")

    asyncio.run(main())
    started = threading.Event()
    cancelled = tasks.run(for_ever(started), "cancelled")
    assert started.wait(TIMEOUT)
    cancelled.cancel()
    tasks.run(answer(), "answer")
    tasks.stop()
    del waited, cancelled
    gc.collect()
    assert "nobody" not in caplog.text


def test_nothing_is_left_of_what_is_done(tasks: Tasks) -> None:
    """A handle that is dropped frees the result, without the help of the garbage collector."""

    class Result:
        pass

    async def work() -> Result:
        return Result()

    running = tasks.run(work(), "work")
    gone = weakref.ref(running.wait(TIMEOUT))
    assert gone() is not None
    tasks.run(answer(), "answer").wait(TIMEOUT)  # the loop has finished with the first
    gc.disable()
    try:
        del running
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks(tasks: Tasks) -> None:
    """A loop that runs a task's first step at once changes nothing else."""

    async def at_once() -> int:
        return 1

    async def stop() -> str:
        await tasks.run(at_once(), "at once")
        tasks.stop()
        await asyncio.sleep(0)
        return "goodbye"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        assert await tasks.run(at_once(), "at once") == 1
        with pytest.raises(ZeroDivisionError):
            await tasks.run(failing(), "failing")
        other = tasks.run(for_ever(), "other")
        assert await tasks.run(stop(), "stop") == "goodbye"
        with pytest.raises(asyncio.CancelledError):
            await other

    asyncio.run(main())


# Functions that block


def test_what_comes_while_the_loop_thread_is_busy_wakes_it_once(
    tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it runs, in the order in which it came; what comes later wakes it again."""
    own = tasks.own_loop()
    wake = own.call_soon_threadsafe
    busy, go, begun, woken = threading.Event(), threading.Event(), list[int](), list[Any]()

    def hold() -> None:
        busy.set()
        go.wait(TIMEOUT)

    def counted(*args: Any) -> Any:
        woken.append(args)
        return wake(*args)

    async def work(number: int) -> int:
        begun.append(number)
        return number

    own.call_soon_threadsafe(hold)
    assert busy.wait(TIMEOUT)
    monkeypatch.setattr(own, "call_soon_threadsafe", counted)
    running = [tasks.run(work(number), "work") for number in range(5)]
    cancelled = tasks.run(work(-1), "work")
    assert len(woken) == 1
    assert cancelled.cancel()
    go.set()
    assert [each.wait(TIMEOUT) for each in running] == [0, 1, 2, 3, 4] == begun
    with pytest.raises(Gone):
        cancelled.wait(TIMEOUT)
    before = len(woken)
    assert tasks.run(work(5), "work").wait(TIMEOUT) == 5
    assert len(woken) == before + 1
