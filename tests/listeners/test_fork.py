"""Tasks that effects fork: how they run, end, and are cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import create_action
from crdtstore.errors import TaskAbortError
from crdtstore.listeners import ForkApi, ListenerApi, TaskCancelled, TaskRejected, TaskResolved
from tests.listeners.stage import LONG, Stage, add, in_loop, sub, turns

go = create_action("go")


@in_loop
async def test_tasks_run_soon_but_not_at_once() -> None:
    """Plain ones and coroutines alike."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            async def child(fork: ForkApi) -> None:
                stage.seen("coroutine")

            api.fork(lambda fork: stage.seen("plain"))
            api.fork(child)
            stage.seen("forked")
            await api.condition(add)

        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == ["forked", "plain", "coroutine"]


@pytest.mark.parametrize("wrong", [None, {}, 1, "child"])
@in_loop
async def test_what_is_forked_is_a_function(wrong: Any) -> None:
    """Anything else is refused at once."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            with pytest.raises(TypeError, match="fork takes a function"):
                api.fork(wrong)
            stage.seen("refused")

        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == ["refused"]


@in_loop
async def test_a_task_cancelled_before_it_begins_never_does() -> None:
    """Its result says so."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            task = api.fork(lambda fork: api.dispatch(sub(3)))
            task.cancel()
            result = await task.result
            assert result.status == "cancelled"
            assert result.error.code == "task-cancelled"
            stage.seen(api.get_state().counts.n)

        stage.store.dispatch(add(1))
        await turns()
        assert stage.seen.all == [1]


error = ValueError("2020")


def returns(fork: ForkApi) -> int:
    return 42


def raises(fork: ForkApi) -> int:
    raise error


async def returns_later(fork: ForkApi) -> int:
    await asyncio.sleep(0)
    return 21


async def raises_later(fork: ForkApi) -> int:
    await asyncio.sleep(0)
    raise error


async def pauses(fork: ForkApi) -> int:
    return await fork.pause(returns_later(fork))


async def pauses_for_a_failure(fork: ForkApi) -> int:
    return await fork.pause(raises_later(fork))


async def delays(fork: ForkApi) -> int:
    await fork.delay(0.001)
    return 5


def returns_a_coroutine(fork: ForkApi) -> Any:
    return returns_later(fork)


class Callable_:
    async def __call__(self, fork: ForkApi) -> int:
        await asyncio.sleep(0)
        return 7


ENDS: list[tuple[Callable[[ForkApi], Any], Any]] = [
    (returns, TaskResolved(42)),
    (raises, TaskRejected(error)),
    (returns_later, TaskResolved(21)),
    (raises_later, TaskRejected(error)),
    (pauses, TaskResolved(21)),
    (pauses_for_a_failure, TaskRejected(error)),
    (delays, TaskResolved(5)),
    (returns_a_coroutine, TaskResolved(21)),
    (Callable_(), TaskResolved(7)),
]


@pytest.mark.parametrize(("executor", "expected"), ENDS)
@in_loop
async def test_how_a_task_ends(executor: Callable[[ForkApi], Any], expected: Any) -> None:
    """With a value or an exception; cancelling it afterwards changes nothing."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            task = api.fork(executor)
            result = await task.result
            task.cancel()
            assert await task.result is result
            stage.seen(result)

        stage.store.dispatch(go())
        await stage.seen.soon(expected)
        assert stage.seen.all[0].status == expected.status


@pytest.mark.parametrize(("executor", "expected"), ENDS)
def test_how_a_task_of_a_plain_effect_ends(
    executor: Callable[[ForkApi], Any], expected: Any
) -> None:
    """The same on threads and the store's loop."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen(api.fork(executor).result.wait())

        stage.store.dispatch(go())
        stage.seen.until(expected)


async def delays_long(fork: ForkApi) -> None:
    await fork.delay(LONG)


async def pauses_long(fork: ForkApi) -> None:
    await fork.pause(asyncio.Event().wait())


async def awaits_long(fork: ForkApi) -> None:
    await asyncio.Event().wait()


def delays_long_on_a_thread(fork: ForkApi) -> None:
    fork.delay(LONG).wait()


def pauses_long_on_a_thread(fork: ForkApi) -> None:
    fork.pause(asyncio.sleep(LONG)).wait()


WAITING = [delays_long, pauses_long, awaits_long]
WAITING_ON_THREADS = [*WAITING, delays_long_on_a_thread, pauses_long_on_a_thread]


@pytest.mark.parametrize("executor", WAITING)
@in_loop
async def test_a_waiting_task_ends_when_it_is_cancelled(executor: Any) -> None:
    """At once, and its result tells who did."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            task = api.fork(executor)
            await api.delay(0)
            assert "pending" in repr(task)
            task.cancel()
            result = await task.result
            assert isinstance(result, TaskCancelled)
            assert "done" in repr(task)
            stage.seen(result.error.code)

        stage.store.dispatch(go())
        await stage.seen.soon("task-cancelled")


@pytest.mark.parametrize("executor", WAITING_ON_THREADS)
def test_a_waiting_task_of_a_plain_effect_ends_when_it_is_cancelled(executor: Any) -> None:
    """Whether it waits on a thread or on the loop."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            def begins(fork: ForkApi) -> Any:
                begun.set()
                return executor(fork)

            begun = threading.Event()
            task = api.fork(begins)
            begun.wait()
            task.cancel()
            result = task.result.wait()
            assert isinstance(result, TaskCancelled)
            stage.seen(result.error.code)

        stage.store.dispatch(go())
        stage.seen.until("task-cancelled")


@in_loop
async def test_the_result_is_cancelled_with_the_listener() -> None:
    """Who awaits it is, as everywhere; who asks later gets ``TaskAbortError``."""
    with Stage() as stage:
        tasks: list[Any] = []

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.cancel_active_listeners()
            tasks.append(api.fork(delays_long))
            try:
                await tasks[-1].result
            except asyncio.CancelledError:
                stage.seen("cancelled")
                raise

        stage.store.dispatch(go())
        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == ["cancelled"]
        with pytest.raises(TaskAbortError, match="listener-cancelled"):
            await tasks[0].result


@in_loop
async def test_what_is_forked_by_a_cancelled_effect_never_begins() -> None:
    """Its result is an abort as well."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.cancel()
            task = api.fork(lambda fork: stage.seen("never"))
            try:
                task.result.wait()
            except TaskAbortError as abort:
                stage.seen(abort.code)

        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == ["listener-cancelled"]


@pytest.mark.parametrize("executor", WAITING)
@in_loop
async def test_a_task_is_cancelled_with_its_listener(executor: Any) -> None:
    """Where it awaits, and its signal has the listener's reason."""
    with Stage() as stage:

        async def child(fork: ForkApi) -> None:
            try:
                await executor(fork)
            except asyncio.CancelledError:
                stage.seen(fork.signal.reason)
                raise

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            await api.fork(child).result
            stage.seen("never")

        stage.store.dispatch(go())
        await turns()
        stage.listener.clear_listeners()
        await turns()
        assert stage.seen.all == ["listener-cancelled"]


@pytest.mark.parametrize(
    ("auto_join", "cancelled", "reason"),
    [
        (True, False, "task-completed"),
        (False, False, "listener-completed"),
        (True, True, "listener-cancelled"),
        (False, True, "listener-cancelled"),
    ],
)
@in_loop
async def test_joined_tasks_are_completed_and_others_cut_short(
    auto_join: bool, cancelled: bool, reason: str
) -> None:
    """When the effect is over, a task that it does not join is as well."""
    with Stage() as stage:
        finish, released = asyncio.Event(), asyncio.Event()

        async def child(fork: ForkApi) -> None:
            fork.signal.add_callback(lambda: stage.seen(fork.signal.reason))
            await released.wait()

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.fork(child, auto_join=auto_join)
            await finish.wait()

        stop = stage.listener.start_listening(action_creator=go, effect=effect)
        stage.store.dispatch(go())
        await turns()
        if cancelled:
            stop(cancel_active=True)
        finish.set()
        await turns()
        released.set()
        await turns()
        assert stage.seen.all == [reason]


@in_loop
async def test_a_joined_task_of_an_effect_that_failed_is_waited_for_too() -> None:
    """The error is told at once."""
    with Stage() as stage:

        async def child(fork: ForkApi) -> None:
            await fork.delay(0.001)
            stage.seen(len(stage.errors.all))

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.fork(child, auto_join=True)
            raise error

        stage.store.dispatch(go())
        await stage.seen.soon(1)


def test_a_plain_effect_joins_tasks_on_threads() -> None:
    """It is not over before they are."""
    with Stage() as stage:
        released = threading.Event()

        def child(fork: ForkApi) -> None:
            fork.signal.add_callback(lambda: stage.seen(fork.signal.reason))
            stage.seen("begun")
            released.wait()

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            api.signal.add_callback(lambda: stage.seen(api.signal.reason))
            api.fork(child, auto_join=True)

        stage.store.dispatch(go())
        stage.seen.until("begun")
        released.set()
        stage.seen.until("begun", "task-completed", "listener-completed")


@in_loop
async def test_what_a_task_does_not_wait_for_makes_no_noise() -> None:
    """Waits that nobody awaits end with it, completed or cancelled."""
    with Stage() as stage:

        async def child(fork: ForkApi) -> int:
            fork.delay(LONG)
            fork.pause(asyncio.Event().wait())
            return 4

        async def cancelled(fork: ForkApi) -> int:
            fork.delay(LONG)
            await fork.pause(asyncio.Event().wait())
            return 4

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen(await api.fork(child).result)
            task = api.fork(cancelled)
            await api.delay(0)
            task.cancel()
            stage.seen((await task.result).status)

        stage.store.dispatch(go())
        await stage.seen.soon(TaskResolved(4), "cancelled")
        assert stage.errors.all == []


@in_loop
async def test_work_after_a_cancelled_task_is_not_done() -> None:
    """Of two listeners' runs, the one that was cancelled does nothing more."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            async def child(fork: ForkApi) -> None:
                await fork.pause(asyncio.sleep(0.005))
                api.dispatch(add(action.payload))

            api.cancel_active_listeners()
            await api.fork(child).result
            api.dispatch(add(2 * action.payload))
            stage.seen("done")

        stage.store.dispatch(go(10))
        stage.store.dispatch(go(100))
        await stage.seen.soon("done")
        assert stage.store.state.counts.n == 300


@in_loop
async def test_a_task_may_check_whether_it_was_cancelled() -> None:
    """``throw_if_cancelled`` raises what makes its result a cancelled one."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            def child(fork: ForkApi) -> None:
                fork.throw_if_cancelled()
                task.cancel()
                fork.throw_if_cancelled()

            task = api.fork(child)
            stage.seen((await task.result).status)

        stage.store.dispatch(go())
        await stage.seen.soon("cancelled")


@in_loop
async def test_a_task_that_uses_its_listeners_waits_is_cancelled_too() -> None:
    """They end with the listener, which counts as a cancellation of the task."""
    with Stage() as stage:
        tasks: list[Any] = []

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            async def child(fork: ForkApi) -> None:
                await api.condition(add)

            tasks.append(api.fork(child))
            await api.delay(0)

        stage.store.dispatch(go())
        await turns()
        await asyncio.to_thread(lambda: tasks[0]._fork.outcome.result(10))
        assert tasks[0]._fork.outcome.result().status == "cancelled"


@in_loop
async def test_an_executor_may_leave_out_its_parameter() -> None:
    """Plain or not, on a loop; what needs more is refused before anything starts."""

    async def work() -> str:
        return "work"

    async def effect(action: Any, api: Any) -> None:
        for executor in (lambda: 5, work, lambda fork: fork is not None):
            result = await api.fork(executor).result
            stage.seen(result.value)
        try:
            api.fork(lambda fork, more: None)
        except TypeError as error:
            stage.seen(str(error).partition(";")[0])

    with Stage() as stage:
        stage.listener.start_listening(action_creator=add, effect=effect)
        stage.store.dispatch(add())
        await stage.seen.soon(
            5, "work", True, "what fork takes is a function of (fork_api), or of the first of them"
        )
