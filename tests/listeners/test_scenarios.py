"""Workflows that sagas are known for, in a few lines each; on event loops and on threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from crdtstore import create_action
from crdtstore.errors import TaskAbortError
from crdtstore.matchers import is_any_of
from tests.listeners.stage import LONG, PATIENCE, Stage, add, counts, in_loop, label, sub, turns

tick = create_action("tick")
start_polling = create_action("start polling")
stop_polling = create_action("stop polling")


@in_loop
async def test_take_every() -> None:
    """Every action has its effect, without further ado."""
    with Stage() as stage:
        stage.listener.start_listening(action_creator=add, effect=stage.seen.async_effect)
        for number in range(3):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [("counts/add", number) for number in range(3)]


@in_loop
async def test_throttle() -> None:
    """The first action counts, and the next one when some time is over."""
    with Stage() as stage:
        again = asyncio.Event()

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            stage.seen(action.payload)
            await again.wait()
            again.clear()
            api.subscribe()

        for number in range(3):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [0]
        again.set()
        await turns()
        for number in range(3, 5):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [0, 3]


@in_loop
async def test_throttle_with_a_plain_effect() -> None:
    """A plain effect may hand ``subscribe`` to a timer."""
    with Stage() as stage:
        timers: list[Callable[[], None]] = []

        @stage.listener.on(action_creator=add)
        def effect(action: Any, api: Any) -> None:
            stage.seen(action.payload)
            api.unsubscribe()
            timers.append(api.subscribe)

        for number in range(3):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [0]
        timers.pop()()
        for number in range(3, 5):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [0, 3]


@in_loop
async def test_debounce() -> None:
    """Each action cancels the wait of the one before; the work is done once, for the last."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            stage.seen("begun")
            api.cancel_active_listeners()
            await api.delay(0.01)
            stage.seen(action.payload)

        for number in range(3):
            stage.store.dispatch(add(number))
        await stage.seen.soon("begun", "begun", "begun", 2)


def test_debounce_without_a_loop() -> None:
    """The same dispatched by a script: coroutines on the store's loop thread."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            api.cancel_active_listeners()
            await api.delay(0.2)
            stage.seen(action.payload)

        for number in range(20):
            stage.store.dispatch(add(number))
        stage.seen.until(19)


def test_debounce_on_threads() -> None:
    """The same with plain effects, all on threads of their own: they do not cancel each other."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        def effect(action: Any, api: Any) -> None:
            api.cancel_active_listeners()
            api.delay(0.2).wait()
            stage.seen(action.payload)

        for number in range(20):
            stage.store.dispatch(add(number))
        stage.seen.until(19)


def test_take_latest_with_work_that_cannot_be_interrupted() -> None:
    """A thread in the middle of something finds out afterwards that nobody wants it any more."""
    with Stage() as stage:
        answered = {1: threading.Event(), 2: threading.Event()}

        @stage.listener.on(action_creator=add)
        def search(action: Any, api: Any) -> None:
            api.cancel_active_listeners()
            stage.seen(f"asked {action.payload}")
            answered[action.payload].wait(PATIENCE)
            try:
                api.throw_if_cancelled()
            except TaskAbortError:
                stage.seen(f"dropped {action.payload}")
                raise
            stage.seen(f"shown {action.payload}")

        stage.store.dispatch(add(1))
        stage.seen.until("asked 1")
        stage.store.dispatch(add(2))
        stage.seen.until("asked 1", "asked 2")
        answered[2].set()
        stage.seen.until("asked 1", "asked 2", "shown 2")
        answered[1].set()
        stage.seen.until("asked 1", "asked 2", "shown 2", "dropped 1")


@in_loop
async def test_take_leading() -> None:
    """Actions are ignored until the work for the first is done."""
    with Stage() as stage:
        done = asyncio.Event()

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            stage.seen(f"begun {action.payload}")
            await done.wait()
            stage.seen(f"done {action.payload}")
            api.subscribe()

        stage.store.dispatch(add(1))
        stage.store.dispatch(add(2))
        await turns()
        stage.store.dispatch(add(3))
        await turns()
        assert stage.seen.all == ["begun 1"]
        done.set()
        await turns()
        stage.store.dispatch(add(4))
        await turns()
        assert stage.seen.all == ["begun 1", "done 1", "begun 4", "done 4"]


def test_take_leading_without_a_loop() -> None:
    """The same dispatched by a script: coroutines on the store's loop thread."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            waiting = api.condition(tick)
            stage.seen(f"begun {action.payload}")
            await waiting
            stage.seen(f"done {action.payload}")
            api.subscribe()
            stage.seen("again")

        for number in range(20):
            stage.store.dispatch(add(number))
        stage.seen.until("begun 0")
        stage.store.dispatch(tick())
        stage.seen.until("begun 0", "done 0", "again")
        stage.store.dispatch(add(20))
        stage.seen.until("begun 0", "done 0", "again", "begun 20")


@in_loop
@pytest.mark.parametrize("how", ["done", "sleep"])
async def test_what_came_while_unsubscribed_is_not_made_up_for(how: str) -> None:
    """Though the wait was over before the others could begin, and none had to be held back."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            stage.seen(action.payload)
            if how == "sleep":
                await asyncio.sleep(0)
            else:
                waiting = api.condition(tick)
                stage.store.dispatch(tick())
                await waiting
            api.subscribe()

        for number in range(3):
            stage.store.dispatch(add(number))
        await turns()
        stage.store.dispatch(add(3))
        await turns()
        assert stage.seen.all == [0, 3]


def test_take_leading_on_threads() -> None:
    """The same with a plain effect, from when it has unsubscribed."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            waiting = api.condition(tick)
            stage.seen(f"begun {action.payload}")
            waiting.wait()
            stage.seen(f"done {action.payload}")
            api.subscribe()
            stage.seen("again")

        stage.store.dispatch(add(1))
        stage.seen.until("begun 1")
        stage.store.dispatch(add(2))
        stage.store.dispatch(tick())
        stage.seen.until("begun 1", "done 1", "again")
        stage.store.dispatch(add(3))
        stage.seen.until("begun 1", "done 1", "again", "begun 3")


@in_loop
async def test_an_effect_that_resubscribes_at_once_ignores_nothing() -> None:
    """Removed and added again before its first wait, it misses no action."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            stage.seen(action.payload)
            api.subscribe()
            api.subscribe()

        for number in range(3):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [0, 1, 2]


@in_loop
async def test_fork_and_join() -> None:
    """A task starts, and its result is waited for."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            async def child(fork: Any) -> int:
                await api.delay(0)
                return 42

            result = await api.fork(child).result
            stage.seen(result.value)

        stage.store.dispatch(add())
        await stage.seen.soon(42)


@in_loop
async def test_fork_and_cancel() -> None:
    """A task that waits is interrupted when it is cancelled."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            async def child(fork: Any) -> None:
                stage.seen("begun")
                await api.delay(LONG)
                stage.seen("never")

            task = api.fork(child)
            await api.delay(0)
            task.cancel()
            stage.seen((await task.result).status)

        stage.store.dispatch(add())
        await stage.seen.soon("begun", "cancelled")


@in_loop
async def test_cancelled_work_knows() -> None:
    """By what is raised where it awaits, or by the signal where it looks."""
    with Stage() as stage:
        released = asyncio.Event()

        @stage.listener.on(matcher=is_any_of(add, sub, label))
        async def effect(action: Any, api: Any) -> None:
            if add.match(action):
                try:
                    await api.delay(LONG)
                except asyncio.CancelledError:
                    stage.seen("caught")
            elif label.match(action):
                waiting = asyncio.ensure_future(released.wait())
                while not waiting.done():  # work that heeds no cancellation
                    try:
                        await asyncio.shield(waiting)
                    except asyncio.CancelledError:
                        stage.seen("ignored")
                stage.seen((api.signal.aborted, api.signal.reason))
            else:
                api.cancel_active_listeners()

        stage.store.dispatch(add())
        stage.store.dispatch(sub())
        await turns()
        assert stage.seen.all == ["caught"]
        stage.store.dispatch(label("x"))
        stage.store.dispatch(sub())
        await turns()
        assert stage.seen.all == ["caught", "ignored"]
        released.set()
        await turns()
        assert stage.seen.all == ["caught", "ignored", (True, "listener-cancelled")]


@in_loop
async def test_cancelling_earlier_jobs() -> None:
    """The third job cancels the two that wait, which never go on."""
    with Stage() as stage:
        started = 0

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: Any) -> None:
            nonlocal started
            started += 1
            if started == 3:
                api.cancel_active_listeners()
                return
            try:
                await api.condition(sub)
                stage.seen("continued")
            except asyncio.CancelledError:
                stage.seen("cancelled")
                raise

        for _ in range(3):
            stage.store.dispatch(add())
        await turns()
        stage.store.dispatch(sub())
        await turns()
        assert stage.seen.all == ["cancelled", "cancelled"]


@in_loop
async def test_the_first_that_finishes_cancels_the_others() -> None:
    """After a wait, ``cancel_active_listeners`` reaches those that came later as well."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def race(action: Any, api: Any) -> None:
            await api.condition(
                lambda other: label.match(other) and other.payload == str(action.payload)
            )
            api.cancel_active_listeners()
            stage.seen(action.payload)

        for number in range(3):
            stage.store.dispatch(add(number))
        await turns()
        for name in ("1", "0", "2"):
            stage.store.dispatch(label(name))
            await turns()
        assert stage.seen.all == [1]


def test_the_first_thread_that_finishes_cancels_the_others() -> None:
    """The same where effects are plain functions on threads."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        def race(action: Any, api: Any) -> None:
            waiting = api.condition(
                lambda other: label.match(other) and other.payload == str(action.payload)
            )
            stage.seen("waits")
            try:
                waiting.wait()
            except TaskAbortError:
                stage.seen("lost")
                raise
            api.cancel_active_listeners()
            stage.seen(action.payload)

        for number in range(3):
            stage.store.dispatch(add(number))
        stage.seen.until("waits", "waits", "waits")
        stage.store.dispatch(label("1"))
        stage.seen.wait_for(lambda all: all.count("lost") == 2 and 1 in all)
        stage.store.dispatch(label("0"))
        assert 0 not in stage.seen.all


@in_loop
async def test_long_polling() -> None:
    """A task polls for ever, until an action says stop."""
    with Stage() as stage:
        events: asyncio.Queue[str] = asyncio.Queue()

        @stage.listener.on(action_creator=start_polling)
        async def polling(action: Any, api: Any) -> None:
            api.unsubscribe()

            async def poll(fork: Any) -> None:
                try:
                    while True:
                        stage.seen(await fork.pause(events.get()))
                except asyncio.CancelledError:
                    stage.seen("stopped")
                    raise

            task = api.fork(poll)
            await api.condition(stop_polling)
            task.cancel()

        stage.store.dispatch(start_polling())
        await turns()
        events.put_nowait("a")
        await stage.seen.soon("a")
        events.put_nowait("b")
        await stage.seen.soon("a", "b")
        stage.store.dispatch(stop_polling())
        await stage.seen.soon("a", "b", "stopped")
        events.put_nowait("c")
        await turns()
        assert stage.seen.all == ["a", "b", "stopped"]


@in_loop
async def test_one_shot() -> None:
    """An effect that unsubscribes first runs once."""
    with Stage() as stage:

        @stage.listener.on(slices=counts)
        def once(action: Any, api: Any) -> None:
            api.unsubscribe()
            stage.seen(action.payload)

        for number in range(1, 4):
            stage.store.dispatch(add(number))
        await turns()
        assert stage.seen.all == [1]


@in_loop
async def test_request_and_response_by_actions() -> None:
    """An effect fetches what an action asks for and dispatches what came."""
    requested, loaded = create_action("requested"), create_action("loaded")

    async def fetch(name: str) -> str:
        await asyncio.sleep(0)
        return f"<{name}>"

    with Stage(extra=fetch) as stage:

        @stage.listener.on(action_creator=requested)
        async def load(action: Any, api: Any) -> None:
            get: Callable[[str], Awaitable[str]] = api.extra
            api.dispatch(loaded(await get(action.payload)))

        stage.listener.start_listening(action_creator=loaded, effect=stage.seen.effect)
        stage.store.dispatch(requested("page"))
        await stage.seen.soon(("loaded", "<page>"))
