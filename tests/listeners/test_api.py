"""What effects work with: the state, waiting for actions and time, and cancelling."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import Waitable, create_action
from crdtstore.errors import TaskAbortError
from crdtstore.listeners import ListenerApi
from tests.listeners.stage import LONG, Seen, Stage, add, in_loop, opened, sub, turns

go = create_action("go")


# The state


@in_loop
async def test_an_effect_sees_the_state_of_now_and_of_before_the_action() -> None:
    """The latter at any time while it runs."""
    with Stage() as stage:

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen((api.get_original_state().counts.n, api.get_state().counts.n))
            await api.condition(go)
            stage.seen((api.get_original_state().counts.n, api.get_state().counts.n))

        stage.store.dispatch(add(1))
        await turns()
        stage.listener.stop_listening(action_creator=add, effect=effect)
        stage.store.dispatch(add(2))
        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == [(0, 1), (0, 3)]


@in_loop
async def test_an_effect_dispatches_actions_and_thunks() -> None:
    """``api.dispatch`` is the store's, from the start of the chain."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            assert api.dispatch(add(2)) == add(2)

            async def thunk(dispatch: Any, get_state: Any) -> int:
                dispatch(add(3))
                return 7

            stage.seen(await api.dispatch(thunk))

        stage.listener.start_listening(action_creator=add, effect=stage.seen.effect)
        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == [("counts/add", 2), ("counts/add", 3), 7]
        assert stage.store.state.counts.n == 5


@in_loop
async def test_local_work_says_so() -> None:
    """``origin`` is ``"local"``, and there is no peer."""
    with Stage() as stage:
        stage.listener.start_listening(
            action_creator=go, effect=lambda action, api: stage.seen((api.origin, api.remote))
        )
        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == [("local", None)]


def test_an_api_says_whose_it_is() -> None:
    """In ``repr``."""
    with Stage() as stage:
        stage.listener.start_listening(
            action_creator=go, effect=lambda action, api: stage.seen(repr(api))
        )
        stage.store.dispatch(go())
        stage.seen.until("<ListenerApi of the effect of a listener to go>")


# take and condition


@in_loop
async def test_take_gives_the_action_and_both_states() -> None:
    """As the predicate saw them."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            taken, current, previous = await api.take(sub)
            stage.seen((taken.payload, current.counts.n, previous.counts.n))

        stage.store.dispatch(go())
        stage.store.dispatch(sub(1))  # before the effect has begun
        await turns()
        stage.store.dispatch(add(4))
        stage.store.dispatch(sub(2))
        stage.store.dispatch(sub(3))
        await turns()
        assert stage.seen.all == [(2, 1, 3)]


@in_loop
async def test_take_takes_any_kind_of_predicate() -> None:
    """A creator, its ``match``, and functions of as many arguments as they like."""
    with Stage() as stage:
        predicates: list[Any] = [
            sub,
            sub.match,
            lambda action: sub.match(action),
            lambda action, current: current.counts.n == -1,
            lambda action, current, previous: current.counts.n < previous.counts.n,
            lambda *all: sub.match(all[0]),
            lambda action, wanted=sub: wanted.match(action),
            lambda: True,
        ]

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            takes = [api.take(predicate) for predicate in predicates]
            conditions = [api.condition(predicate) for predicate in predicates]
            stage.seen([(await take)[0].payload for take in takes])
            stage.seen([await condition for condition in conditions])

        stage.store.dispatch(go())
        await turns()
        stage.store.dispatch(sub(1))
        await turns(30)
        assert stage.seen.all == [[1] * 8, [True] * 8]


@in_loop
async def test_take_and_condition_wait_for_the_next_action() -> None:
    """What would fit already is not asked for."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            await api.condition(lambda: True)
            stage.seen("done")

        stage.store.dispatch(go())
        await turns()
        assert stage.seen.all == []
        stage.store.dispatch(add())
        await turns()
        assert stage.seen.all == ["done"]


@in_loop
async def test_a_timeout_ends_take_and_condition() -> None:
    """With ``None`` and ``False``; seconds, be it none."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen(await api.take(add, 0.01))
            stage.seen(await api.condition(add, 0.01))
            stage.seen(await api.condition(add, 0))

        stage.store.dispatch(go())
        await stage.seen.soon(None, False, False)


@in_loop
async def test_what_comes_before_the_timeout_counts() -> None:
    """As if there were none."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            taken = await api.take(add, LONG)
            stage.seen(taken and taken[0].payload)
            stage.seen(await api.condition(lambda action, state: state.counts.n == 3, LONG))

        stage.store.dispatch(go())
        await turns()
        stage.store.dispatch(add(2))
        await turns()
        stage.store.dispatch(add(1))
        await turns()
        assert stage.seen.all == [2, True]


@in_loop
async def test_a_failing_predicate_of_take_is_reported_and_waits_on() -> None:
    """It counts as a no."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            await api.condition(lambda action: action.payload / 2 > 1)
            stage.seen("done")

        stage.store.dispatch(go())
        await turns()
        stage.store.dispatch(go(payload=None))
        await turns()
        assert [where for _, where in stage.errors.all] == ["predicate"]
        stage.store.dispatch(add(5))
        await turns()
        assert "done" in stage.seen.all
        stage.listener.clear_listeners()
        await turns()


def test_wrong_predicates_are_refused_where_they_are_given() -> None:
    """Before anything waits for them."""

    async def later(action: Any) -> bool:
        return True

    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: Any) -> None:
            for wrong in (None, 5, later, lambda a, b, c, d: True):
                with pytest.raises(TypeError, match="predicate"):
                    api.take(wrong)
            with pytest.raises(ValueError, match="origin"):
                api.take(add, origin="elsewhere")
            stage.seen("done")

        stage.store.dispatch(go())
        stage.seen.until("done")


@in_loop
async def test_takes_that_nobody_waits_for_are_given_up() -> None:
    """A wait that was timed out, or never awaited, asks no predicate any more."""
    with Stage() as stage:
        asked: list[str] = []

        def noting(name: str) -> Callable[[], bool]:
            def says_no() -> bool:
                asked.append(name)
                return False

            return says_no

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.take(noting("dropped"))
            try:
                async with asyncio.timeout(0):
                    await api.take(noting("timed out"))
            except TimeoutError:
                stage.seen("timed out")
            gc.collect()
            await api.take(noting("waited for"))

        stage.store.dispatch(go())
        await stage.seen.soon("timed out")
        await turns()
        stage.store.dispatch(add())
        assert asked == ["waited for"]
        assert not stage.errors.all


# delay and pause


@in_loop
async def test_delay_is_done_after_some_seconds() -> None:
    """It runs from when it is asked for, not from when it is awaited."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            longer = api.delay(0.02)
            shorter = api.delay(0.01)
            await longer
            stage.seen(shorter.done())

        stage.store.dispatch(go())
        await stage.seen.soon(True)


@in_loop
async def test_pause_ends_as_what_is_awaited() -> None:
    """A coroutine, a task, a future, a waitable: its result, its exception, its cancellation."""
    with Stage() as stage:

        async def returns() -> str:
            await asyncio.sleep(0)
            return "coroutine"

        async def raises() -> None:
            raise KeyError("coroutine")

        async def cancelled() -> None:
            raise asyncio.CancelledError

        class Thing:
            def __await__(self) -> Any:
                yield
                return "awaitable"

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            future: concurrent.futures.Future[str] = concurrent.futures.Future()
            future.set_result("future")
            goods: list[Any] = [
                returns(),
                asyncio.ensure_future(returns()),
                future,
                Waitable(future, "x"),
                Thing(),
            ]
            for good in goods:
                stage.seen(await api.pause(good))
            failed: concurrent.futures.Future[str] = concurrent.futures.Future()
            failed.set_exception(KeyError("future"))
            bads: list[Any] = [raises(), asyncio.ensure_future(raises()), failed]
            for bad in (*bads, Waitable(failed, "x")):
                with pytest.raises(KeyError):
                    await api.pause(bad)
            gone: concurrent.futures.Future[str] = concurrent.futures.Future()
            gone.cancel()
            bads = [cancelled(), asyncio.ensure_future(cancelled()), gone, Waitable(gone, "x")]
            for bad in bads:
                with pytest.raises(asyncio.CancelledError):
                    await api.pause(bad)
            with pytest.raises(TypeError, match="something to await"):
                api.pause(5)  # type: ignore[arg-type]
            stage.seen("done")

        stage.store.dispatch(go())
        await stage.seen.soon("coroutine", "coroutine", "future", "future", "awaitable", "done")
        assert stage.errors.all == []


@in_loop
async def test_pause_cancels_coroutines_only() -> None:
    """A coroutine is this effect's own; a task or a future may be somebody else's too."""
    with Stage() as stage:

        async def for_ever(name: str) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stage.seen(name)
                raise

        task = asyncio.ensure_future(for_ever("task"))
        await turns()

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            other = api.pause(task)
            mine = api.pause(for_ever("coroutine"))
            await asyncio.gather(mine, other)

        stage.store.dispatch(go())
        await turns()
        stage.listener.clear_listeners()
        await turns()
        assert stage.seen.all == ["coroutine"]
        assert not task.done()
        task.cancel()
        await turns()


def test_a_plain_effect_pauses_for_coroutines_too() -> None:
    """They run on the store's loop thread."""
    with Stage() as stage:

        async def answer() -> tuple[int, str]:
            return 42, threading.current_thread().name

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen(api.pause(answer()).wait())

        stage.store.dispatch(go())
        stage.seen.until((42, "crdtstore-tasks"))


@in_loop
async def test_a_plain_effect_pauses_for_a_future_of_another_loop() -> None:
    """Whose loop tells it when it is done."""
    with Stage() as stage:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            waiting = api.pause(future)
            stage.seen("waits")
            stage.seen(waiting.wait())

        await asyncio.to_thread(stage.store.dispatch, go())
        await stage.seen.soon("waits")
        future.set_result(42)
        await stage.seen.soon("waits", 42)


# Cancellation


@in_loop
async def test_signals_tell_why() -> None:
    """Cancelled, or completed; completing ends waits that nobody awaited, without any noise."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.signal.add_callback(lambda: stage.seen((action.payload, api.signal.reason)))
            api.cancel_active_listeners()
            api.delay(LONG)
            api.take(add)
            api.pause(asyncio.Event().wait())
            if action.payload == 1:
                await api.delay(LONG)

        stage.store.dispatch(go(1))
        stage.store.dispatch(go(2))
        await turns()
        assert stage.seen.all == [(1, "listener-cancelled"), (2, "listener-completed")]
        assert not stage.listener._registry.local("counts/add")


@in_loop
async def test_a_cancelled_coroutine_that_goes_on_is_told_again_when_it_waits() -> None:
    """By ``TaskAbortError``, and so is whatever else uses its API after the end."""
    with Stage() as stage:
        kept: list[ListenerApi[None]] = []

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            kept.append(api)
            try:
                await api.delay(LONG)
            except asyncio.CancelledError:
                stage.seen("cancelled")
            for wait in (api.delay(0), api.take(add), api.condition(add, 1), api.pause(turns())):
                with pytest.raises(TaskAbortError, match="listener-cancelled") as error:
                    await wait
                assert error.value.code == "listener-cancelled"
            with pytest.raises(TaskAbortError):
                api.throw_if_cancelled()
            stage.seen("went on")

        stage.store.dispatch(go())
        await turns()
        stage.listener.clear_listeners()
        await turns()
        assert stage.seen.all == ["cancelled", "went on"]
        with pytest.raises(TaskAbortError):
            kept[0].delay(0).wait()
        assert stage.errors.all == []


@in_loop
async def test_an_effect_may_cancel_itself() -> None:
    """It stops where it awaits next, and asks until then."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.throw_if_cancelled()
            api.cancel()
            stage.seen(api.signal.aborted)
            if action.payload:
                api.throw_if_cancelled()
            await asyncio.sleep(0)
            stage.seen("never")

        stage.store.dispatch(go(True))
        stage.store.dispatch(go(False))
        await turns()
        assert stage.seen.all == [True, True]
        assert stage.errors.all == []


def test_a_plain_effect_may_cancel_itself() -> None:
    """What it waits for then raises."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            api.cancel()
            stage.seen("cancelled")
            api.delay(LONG).wait()
            stage.seen("never")

        stage.store.dispatch(go())
        stage.store.dispatch(go())
        stage.seen.until("cancelled", "cancelled")
        assert stage.errors.all == []


@in_loop
async def test_cancelling_reaches_whatever_a_coroutine_awaits() -> None:
    """Not only what is waited for through the API, as is Python's way."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                stage.seen("cleaned up")

        stage.store.dispatch(go())
        await turns()
        stage.listener.clear_listeners()
        await turns()
        assert stage.seen.all == ["cleaned up"]


def test_cleaning_up_may_take_its_time_when_the_store_closes() -> None:
    """A cancelled effect is cancelled once, and ``close`` waits for it."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen("begun")
            try:
                await api.condition(add)
            finally:
                await asyncio.sleep(0.01)
                api.dispatch(add(7))
                stage.seen("cleaned up")

        stage.store.dispatch(go())
        stage.seen.until("begun")
        stage.store.close()
        assert stage.seen.all == ["begun", "cleaned up"]
        assert stage.store.state.counts.n == 7


@in_loop
async def test_a_timeout_of_the_effects_own_is_no_cancellation() -> None:
    """``asyncio.timeout`` and task groups work in effects as anywhere."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            try:
                async with asyncio.timeout(0.01):
                    await api.delay(LONG)
            except TimeoutError:
                stage.seen(api.signal.aborted)
            await api.delay(0)
            stage.seen("goes on")

        stage.store.dispatch(go())
        await stage.seen.soon(False, "goes on")


@in_loop
async def test_the_end_of_the_loop_cancels() -> None:
    """What runs when ``asyncio.run`` ends is over, for who waits in other threads too."""
    seen = Seen()
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            api.signal.add_callback(lambda: seen(api.signal.reason))
            await api.condition(add)

        async def program() -> None:
            stage.store.dispatch(go())
            await turns()

        await asyncio.to_thread(asyncio.run, program())
        assert seen.all == ["listener-cancelled"]
        assert stage.errors.all == []


# Plain effects on loops


@in_loop
async def test_plain_effects_cannot_wait_where_a_loop_runs() -> None:
    """It would stand still; the handler is told what to do instead."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            api.take(add).wait()

        stage.store.dispatch(go())
        await turns()
        [(error, where)] = stage.errors.all
        assert isinstance(error, RuntimeError)
        assert str(error) == (
            "wait() for take(counts/add) would block the event loop that runs here; make the "
            "effect a coroutine function and await it"
        )
        assert where == "effect"


@in_loop
async def test_what_is_done_can_be_waited_for_anywhere() -> None:
    """It blocks nothing."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            waiting = api.delay(0)
            await waiting
            stage.seen(waiting.wait())

        stage.store.dispatch(go())
        await stage.seen.soon(None)


def test_a_wait_may_have_a_timeout_of_its_own() -> None:
    """Which ends that call only."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            taking = api.take(add)
            with pytest.raises(TimeoutError, match=r"take\(counts/add\) was not done within"):
                taking.wait(0)
            stage.seen("timed out")
            stage.seen(taking.wait()[0].payload)

        stage.store.dispatch(go())
        stage.seen.until("timed out")
        stage.store.dispatch(add(5))
        stage.seen.until("timed out", 5)


def test_an_effect_that_waits_when_the_store_closes_is_cancelled() -> None:
    """Also where it begins to wait only then."""
    with Stage() as stage:
        closed = threading.Event()

        @stage.listener.on(action_creator=go)
        def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen("begun")
            closed.wait()
            try:
                api.delay(LONG).wait()
            except TaskAbortError as error:
                stage.seen(error.code)
                raise

        stage.store.dispatch(go())
        stage.seen.until("begun")
        stage.store.close()
        closed.set()
        stage.seen.until("begun", "listener-cancelled")
        assert stage.errors.all == []


def test_actions_are_taken_from_any_thread() -> None:
    """Each of many effects gets the next action of its own, whoever dispatches it."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            taking = api.take(lambda other: add.match(other) and other.payload == action.payload)
            stage.seen("waits")
            stage.seen((await taking)[0].payload)

        count = 20
        for number in range(count):
            stage.store.dispatch(go(number))
        stage.seen.until(*["waits"] * count)
        threads = [
            threading.Thread(target=stage.store.dispatch, args=(add(number),))
            for number in range(count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = stage.seen.wait_for(lambda all: len(all) == 2 * count)[count:]
        assert sorted(found) == list(range(count))


def test_effects_of_two_stores_can_be_under_way_at_once() -> None:
    """Each with its own API."""
    with Stage() as stage, opened(stage.listener) as second:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            await api.condition(add)
            stage.seen(api.get_state().counts.n)

        for store in (stage.store, second):
            store.dispatch(go())
            store.dispatch(lambda dispatch, get_state: None)
        while not all(
            any(entry.heeds(store) for entry in stage.listener._registry.local("counts/add"))
            for store in (stage.store, second)
        ):
            threading.Event().wait(0.001)
        stage.store.dispatch(add(1))
        stage.seen.until(1)
        second.dispatch(add(2))
        stage.seen.until(1, 2)
