"""Watching values change: from threads and coroutines, and nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import ClosedError, RootState, Store, configure_store, create_slice
from crdtstore.watching import Changes, Watch, watch

TIMEOUT = 30

numbers = create_slice(name="numbers", initial_state={"a": 0, "b": 0})


@numbers.reducer
def set_a(state: Any, value: int) -> None:
    state.a = value


@numbers.reducer
def set_b(state: Any, value: int) -> None:
    state.b = value


def opened() -> Store:
    return configure_store([numbers])


def a_of(state: RootState) -> int:
    value: int = state.numbers.a
    return value


class FakeStore:
    """A store by hand: it holds a value, and tells only whom, when and how often a test wants."""

    def __init__(self, value: Any = 0) -> None:
        self.state = RootState({"value": value})
        self.closed = False
        self.listeners: list[Callable[[], Any]] = []
        self.closers: list[Callable[[], Any]] = []
        self.watched = threading.Event()

    def subscribe(self, listener: Callable[[], Any], /) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def on_close(self, callback: Callable[[], Any], /) -> Callable[[], None]:
        if self.closed:
            callback()
        self.closers.append(callback)
        self.watched.set()
        return lambda: self.closers.remove(callback)

    def set(self, value: Any) -> None:
        """Change the value without telling anybody."""
        self.state = RootState({"value": value})

    def tell(self) -> None:
        for listener in list(self.listeners):
            listener()

    def close(self) -> None:
        self.closed = True
        for callback in list(self.closers):
            callback()

    @property
    def known(self) -> int:
        """How many callbacks of others it holds."""
        return len(self.listeners) + len(self.closers)


def value_of(state: RootState) -> Any:
    return state.value


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run ``work`` in a thread; its result, or what it raised, is put into the list."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


async def asleep(store: FakeStore, sleepers: int = 1) -> None:
    """Wait until so many consumers sleep."""

    async def wait() -> None:
        while len(store.closers) < sleepers:
            await asyncio.sleep(0)

    await asyncio.wait_for(wait(), TIMEOUT)


# What one gets


def test_the_current_value_comes_first_and_then_every_change() -> None:
    """A loop in a thread sees what is committed while it sleeps."""
    with opened() as store:
        changes = iter(watch(store, a_of))
        assert next(changes) == 0
        for value in (1, 2):
            thread, outcome = in_thread(lambda: changes.next(TIMEOUT))
            store.dispatch(set_a(value))
            thread.join(TIMEOUT)
            assert outcome == [value]


def test_a_coroutine_gets_the_same() -> None:
    """``async for`` wakes up on its own loop for what is committed there."""

    async def main() -> None:
        seen: list[int] = []
        with opened() as store:

            async def consume() -> None:
                async for value in watch(store, a_of):
                    seen.append(value)
                    if value == 3:
                        break

            consumer = asyncio.create_task(consume())
            while len(seen) < 4:
                await asyncio.sleep(0)
                if seen and seen[-1] == len(seen) - 1 < 3:
                    store.dispatch(set_a(len(seen)))
            await asyncio.wait_for(consumer, TIMEOUT)
        assert seen == [0, 1, 2, 3]

    asyncio.run(main())


def test_a_commit_of_another_thread_wakes_a_coroutine() -> None:
    """The loop is woken while it has nothing else to do."""
    store = FakeStore()

    async def main() -> None:
        changes = aiter(watch(store, value_of))
        assert await anext(changes) == 0

        def commit() -> None:
            assert store.watched.wait(TIMEOUT)
            store.set(1)
            store.tell()

        thread, outcome = in_thread(commit)
        assert await asyncio.wait_for(anext(changes), TIMEOUT) == 1
        thread.join(TIMEOUT)
        assert outcome == [None]

    asyncio.run(main())


def test_without_a_selector_the_whole_state_is_watched() -> None:
    """Each value is a root state."""
    with opened() as store:
        changes = iter(watch(store))
        assert next(changes) is store.state
        store.dispatch(set_b(5))
        assert next(changes) is store.state
        assert store.state.numbers.b == 5


def test_a_slow_consumer_gets_the_newest() -> None:
    """What came in between is not queued."""
    with opened() as store:
        changes = iter(watch(store, a_of))
        assert next(changes) == 0
        for value in range(1, 1000):
            store.dispatch(set_a(value))
        assert next(changes) == 999
        with pytest.raises(TimeoutError):
            changes.next(0)


def test_what_was_committed_before_asking_is_seen() -> None:
    """Even if the store has not told of it yet, or never does."""
    store = FakeStore()
    changes = iter(watch(store, value_of))
    assert next(changes) == 0
    store.set(1)
    assert next(changes) == 1
    assert store.known == 0


def test_equal_values_are_not_repeated() -> None:
    """Another object that is equal is no change, nor is another state with the same value."""
    store = FakeStore([1])
    changes = iter(watch(store, value_of))
    assert next(changes) == [1]
    store.set([1])
    with pytest.raises(TimeoutError):
        changes.next(0)
    store.set([1, 2])
    assert next(changes) == [1, 2]


def test_a_value_that_came_and_went_is_not_seen() -> None:
    """Compared is with the value that was given last."""
    store = FakeStore(0)
    changes = iter(watch(store, value_of))
    assert next(changes) == 0
    store.set(1)
    store.set(0)
    with pytest.raises(TimeoutError):
        changes.next(0)


def test_a_selector_runs_once_for_each_state() -> None:
    """Being woken for nothing costs no more than a look at the state."""
    store = FakeStore()
    calls: list[RootState] = []
    changes = iter(watch(store, lambda state: (calls.append(state), state.value)[1]))
    next(changes)
    thread, outcome = in_thread(lambda: changes.next(TIMEOUT))
    assert store.watched.wait(TIMEOUT)
    for _ in range(10):
        store.tell()
    store.set(1)
    store.tell()
    thread.join(TIMEOUT)
    assert outcome == [1]
    assert len(calls) == 2


def test_every_loop_has_its_own_position() -> None:
    """Each starts with the current value, and one does not take values from another."""
    store = FakeStore()
    watched = watch(store, value_of)
    one = iter(watched)
    assert next(one) == 0
    store.set(1)
    other = iter(watched)
    assert next(other) == 1
    assert next(one) == 1
    store.set(2)
    assert (next(one), next(other)) == (2, 2)


def test_tasks_loops_and_threads_watch_at_once() -> None:
    """One change wakes all of them."""
    store = FakeStore()
    watched = watch(store, value_of)

    async def second(changes: Changes[Any]) -> Any:
        await anext(changes)
        return await anext(changes)

    async def both() -> list[Any]:
        return await asyncio.gather(second(aiter(watched)), second(aiter(watched)))

    def plain() -> Any:
        changes = iter(watched)
        next(changes)
        return changes.next(TIMEOUT)

    async def main() -> None:
        here = asyncio.create_task(both())
        elsewhere = in_thread(lambda: asyncio.run(both()))
        thread = in_thread(plain)
        await asleep(store, 5)
        store.set(1)
        store.tell()
        assert await asyncio.wait_for(here, TIMEOUT) == [1, 1]
        for each, _ in (elsewhere, thread):
            each.join(TIMEOUT)
        assert elsewhere[1] == [[1, 1]]
        assert thread[1] == [1]
        assert store.known == 0

    asyncio.run(main())


# The end


def test_a_loop_ends_when_the_store_closes() -> None:
    """It sleeps no longer, in a thread or in a coroutine."""
    store = FakeStore()
    thread, outcome = in_thread(lambda: list(watch(store, value_of)))
    assert store.watched.wait(TIMEOUT)

    async def main() -> None:
        async def consume() -> list[Any]:
            return [value async for value in watch(store, value_of)]

        consumer = asyncio.create_task(consume())
        await asleep(store, 2)
        store.close()
        assert await asyncio.wait_for(consumer, TIMEOUT) == [0]

    asyncio.run(main())
    thread.join(TIMEOUT)
    assert outcome == [[0]]
    assert store.known == 0


def test_a_real_store_ends_its_watches() -> None:
    """``close`` wakes who sleeps."""
    store = opened()
    changes = iter(watch(store, a_of))
    assert next(changes) == 0
    thread, outcome = in_thread(lambda: list(changes))
    store.dispatch(set_a(1))
    store.close()
    thread.join(TIMEOUT)
    assert outcome == [[1]]


def test_the_last_value_before_the_end_is_not_lost() -> None:
    """What was committed before the store closed is given, and then the loop ends."""
    store = FakeStore()
    changes = iter(watch(store, value_of))
    assert next(changes) == 0
    store.set(1)
    store.close()
    assert list(changes) == [1]
    assert list(changes) == []


def test_a_watch_of_a_closed_store_gives_its_state_once() -> None:
    """A closed store can still be read."""
    store = FakeStore(7)
    store.close()
    assert list(watch(store, value_of)) == [7]

    async def main() -> None:
        assert [value async for value in watch(store, value_of)] == [7]

    asyncio.run(main())


def test_closing_a_watch_ends_all_its_loops() -> None:
    """Who sleeps is woken, from any thread; nothing more is given; closing again is harmless."""
    store = FakeStore()
    watched = watch(store, value_of)
    other = iter(watch(store, value_of))
    thread, outcome = in_thread(lambda: list(watched))

    async def main() -> None:
        async def consume() -> list[Any]:
            return [value async for value in watched]

        consumer = asyncio.create_task(consume())
        await asleep(store, 2)
        store.set(1)
        watched.close()
        watched.close()
        assert await asyncio.wait_for(consumer, TIMEOUT) == [0]

    asyncio.run(main())
    thread.join(TIMEOUT)
    assert outcome == [[0]]
    assert list(watched) == []
    assert next(other) == 1
    assert repr(watched) == "<watch of value_of: closed>"


def test_a_with_block_closes_the_watch() -> None:
    """The plain one and the asynchronous one."""
    store = FakeStore()
    with watch(store, value_of) as watched:
        changes = iter(watched)
        assert next(changes) == 0
        store.set(1)
    assert list(changes) == []

    async def main() -> None:
        async with watch(store, value_of) as watched:
            changes = aiter(watched)
            assert await anext(changes) == 1
            store.set(2)
        assert [value async for value in changes] == []

    asyncio.run(main())


# Asking once


def test_next_gives_up_after_its_timeout() -> None:
    """It raises ``TimeoutError``, leaves nothing behind, and the value is still to come."""
    store = FakeStore()
    changes = iter(watch(store, value_of))
    assert changes.next() == 0
    with pytest.raises(TimeoutError, match=r"did not change within 0\.01 s"):
        changes.next(0.01)
    assert store.known == 0
    store.set(1)
    assert changes.next(0) == 1


def test_next_says_that_there_is_nothing_more() -> None:
    """Where a loop would end it raises ``ClosedError``."""
    store = FakeStore()
    changes = iter(watch(store, value_of))
    store.close()
    assert changes.next() == 0
    with pytest.raises(ClosedError, match="nothing more to watch"):
        changes.next()


def test_a_plain_loop_does_not_block_an_event_loop() -> None:
    """What is there is given; where it would have to wait it says what to write."""
    store = FakeStore()

    async def main() -> None:
        changes = iter(watch(store, value_of))
        assert next(changes) == 0
        with pytest.raises(RuntimeError, match="use async for"):
            next(changes)
        store.set(1)
        assert next(changes) == 1
        assert store.known == 0

    asyncio.run(main())


# Failures


def test_a_selector_that_raises_ends_the_loop_with_its_error() -> None:
    """At once or on waking up; other loops go on, and nothing is left behind."""
    store = FakeStore(1)
    watched = watch(store, lambda state: 1 / state.value)
    changes = iter(watched)
    assert next(changes) == 1
    thread, outcome = in_thread(lambda: changes.next(TIMEOUT))
    assert store.watched.wait(TIMEOUT)
    store.set(0)
    store.tell()
    thread.join(TIMEOUT)
    assert isinstance(outcome[0], ZeroDivisionError)
    assert list(changes) == []
    assert store.known == 0
    store.set(2)
    assert next(iter(watched)) == 0.5

    async def main() -> None:
        changes = aiter(watched)
        assert await anext(changes) == 0.5
        store.set(0)
        with pytest.raises(ZeroDivisionError):
            await anext(changes)
        assert [value async for value in changes] == []

    asyncio.run(main())


def test_values_that_cannot_be_compared_end_the_loop() -> None:
    """The error of ``!=`` is raised where the value would have been given."""

    class Sullen:
        def __eq__(self, other: object) -> bool:
            raise LookupError("incomparable")

        __hash__ = object.__hash__

    store = FakeStore(Sullen())
    changes = iter(watch(store, value_of))
    next(changes)
    store.set(Sullen())
    with pytest.raises(LookupError, match="incomparable"):
        next(changes)
    assert list(changes) == []


@pytest.mark.parametrize("wrong", [1, "numbers", numbers], ids=["int", "str", "slice"])
def test_a_selector_is_a_function(wrong: Any) -> None:
    """The message shows one."""
    with pytest.raises(TypeError, match=r"store\.watch\(lambda state: state\.todos\)"):
        watch(FakeStore(), wrong)


# Nothing left behind


def test_leaving_a_loop_leaves_nothing() -> None:
    """The store knows of a consumer only while it sleeps."""
    store = FakeStore()
    for _ in watch(store, value_of):
        break
    assert store.known == 0

    async def main() -> None:
        async for _ in watch(store, value_of):
            break
        assert store.known == 0

    asyncio.run(main())


@pytest.mark.parametrize("close", ["store", "watch"])
def test_a_loop_that_has_ended_does_not_hold_its_store(close: str) -> None:
    """Whoever keeps the iterator keeps nothing else."""
    store = opened()
    watched = watch(store, a_of)
    changes = iter(watched)
    assert next(changes) == 0
    (store if close == "store" else watched).close()
    assert list(changes) == []
    kept = weakref.ref(store)
    store.close()
    del store, watched
    gc.collect()
    assert kept() is None
    assert list(changes) == []
    with pytest.raises(ClosedError):
        changes.next(TIMEOUT)


def test_an_abandoned_watch_is_collected() -> None:
    """Neither the store nor a loop keeps it."""
    store = FakeStore()
    watched: Watch[Any] | None = watch(store, value_of)
    assert watched is not None
    changes: Changes[Any] | None = iter(watched)
    assert changes is not None
    next(changes)
    with pytest.raises(TimeoutError):
        changes.next(0)
    gone = weakref.ref(watched)
    watched = changes = None
    gc.collect()
    assert gone() is None


def test_a_cancelled_consumer_leaves_nothing_and_loses_nothing() -> None:
    """Its loop over the watch can go on where it was."""
    store = FakeStore()

    async def main() -> None:
        changes = aiter(watch(store, value_of))
        assert await anext(changes) == 0
        task = asyncio.ensure_future(anext(changes))
        await asleep(store)
        store.set(1)
        store.tell()  # woken and cancelled in one turn
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.known == 0
        assert await anext(changes) == 1

    asyncio.run(main())


def test_a_timeout_of_asyncio_loses_nothing() -> None:
    """``asyncio.timeout`` cancels the consumer, which may ask again."""
    store = FakeStore()

    async def main() -> None:
        changes = aiter(watch(store, value_of))
        assert await anext(changes) == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await anext(changes)
        assert store.known == 0
        store.set(1)
        assert await anext(changes) == 1

    asyncio.run(main())


def test_a_closed_loop_hurts_no_commit() -> None:
    """A consumer that sleeps on a loop that was closed is passed over."""
    store = FakeStore()
    watched = watch(store, value_of)
    changes = aiter(watched)

    async def ask_twice() -> None:
        await anext(changes)
        await anext(changes)

    loop = asyncio.new_event_loop()
    asleep_for_ever = ask_twice()
    task = loop.create_task(asleep_for_ever)
    loop.run_until_complete(asleep(store))
    loop.close()
    store.set(1)
    store.tell()
    watched.close()
    store.close()
    assert store.known == 2
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task
    asleep_for_ever.close()
    assert store.known == 0


# Many at once


def test_fast_changes_do_not_starve_the_loop() -> None:
    """A consumer that always finds news lets others run in between."""

    class Restless(FakeStore):
        """Changes whenever it is looked at."""

        count = 0

        @property
        def state(self) -> RootState:
            self.count += 1
            return RootState({"value": self.count})

        @state.setter
        def state(self, state: RootState) -> None:
            pass

    async def main() -> None:
        turns: list[int] = []
        got: list[int] = []

        async def others() -> None:
            while len(got) < 10:
                turns.append(len(got))
                await asyncio.sleep(0)

        other = asyncio.create_task(others())
        async for value in watch(Restless(), value_of):
            got.append(value)
            if len(got) == 10:
                break
        await asyncio.wait_for(other, TIMEOUT)
        assert len(turns) >= 9

    asyncio.run(main())


def test_many_consumers_of_many_writers_see_the_end() -> None:
    """Values come in order, and the last one comes to everybody."""
    store = opened()
    watched = watch(store, a_of)
    last = 300

    def consume() -> list[int]:
        seen = []
        for value in watched:
            seen.append(value)
            if value == last:
                break
        return seen

    async def consume_here() -> list[int]:
        seen = []
        async for value in watched:
            seen.append(value)
            if value == last:
                break
        return seen

    async def consume_twice() -> list[list[int]]:
        return list(await asyncio.gather(consume_here(), consume_here()))

    consumers = [in_thread(consume) for _ in range(3)]
    consumers += [in_thread(lambda: asyncio.run(consume_twice())) for _ in range(2)]
    noise, _ = in_thread(lambda: [store.dispatch(set_b(number)) for number in range(last)])
    for value in range(1, last + 1):
        store.dispatch(set_a(value))
    noise.join(TIMEOUT)
    for thread, _ in consumers:
        thread.join(TIMEOUT)
    store.close()
    runs = [outcome[0] for _, outcome in consumers]
    for seen in [*runs[:3], *runs[3], *runs[4]]:
        assert seen == sorted(set(seen))
        assert seen[-1] == last
