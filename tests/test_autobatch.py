"""Low-priority actions: what marks them, and when their subscribers are told."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from crdtstore import Action, Store, configure_store, create_action, create_slice
from crdtstore import autobatch as module
from crdtstore.autobatch import (
    SHOULD_AUTOBATCH,
    AutoBatch,
    AutoBatchOption,
    prepare_auto_batched,
    should_auto_batch,
)

TIMEOUT = 30

Notify = Callable[[], None]


counter = create_slice(name="counter", initial_state=0)


@counter.reducer(prepare=prepare_auto_batched())
def later(state: int, action: Action[int]) -> int:
    return state + action.payload


@counter.reducer
def now(state: int, by: int) -> int:
    return state + by


class Told:
    """What a store makes of an ``AutoBatch``: it counts how often its subscribers are told."""

    def __init__(self, how: AutoBatchOption) -> None:
        self.batch = AutoBatch(how)
        self.times = 0
        self.threads: list[threading.Thread] = []
        self.now = threading.Event()
        self._lock = threading.Lock()
        self._deferred = False

    def low(self) -> None:
        """Commit an action of low priority."""
        with self._lock:
            self._deferred = True
        self.batch.defer(self.deferred)

    def normal(self) -> None:
        """Commit any other action."""
        with self._lock:
            self._deferred = False
        self.batch.settle()
        self._tell()

    def deferred(self) -> None:
        """Tell of actions of low priority."""
        with self._lock:
            if not self._deferred:
                return
            self._deferred = False
        self._tell()

    def _tell(self) -> None:
        self.times += 1
        self.threads.append(threading.current_thread())
        self.now.set()


class Scheduler:
    """Takes appointments, and keeps them when the test says so."""

    def __init__(self) -> None:
        self.waiting: deque[Notify] = deque()

    def __call__(self, notify: Notify) -> None:
        self.waiting.append(notify)

    def fire(self) -> None:
        with suppress(IndexError):
            while True:
                self.waiting.popleft()()


# Marks


def test_prepared_actions_are_marked() -> None:
    """The prepare callback takes one payload, or none, and marks the action in its meta."""
    increment = create_action("increment", prepare_auto_batched())
    assert increment(3) == Action("increment", 3, {SHOULD_AUTOBATCH: True})
    assert increment() == Action("increment", None, {SHOULD_AUTOBATCH: True})
    assert should_auto_batch(increment(3))


def test_a_reducer_can_have_its_actions_marked() -> None:
    """``prepare`` of a slice's reducer takes the callback as well."""
    assert should_auto_batch(later(2))
    assert later(2).payload == 2


@pytest.mark.parametrize(
    "action",
    [
        Action("a"),
        Action("a", {SHOULD_AUTOBATCH: True}),
        Action("a", None, {}),
        Action("a", None, {"other": True}),
        Action("a", None, {SHOULD_AUTOBATCH: False}),
        Action("a", None, "text"),
        None,
        "should_autobatch",
    ],
    ids=repr,
)
def test_other_actions_are_not_marked(action: object) -> None:
    """Only a true value in ``meta`` counts, whatever ``meta`` is."""
    assert not should_auto_batch(action)


# When subscribers are told


HOWS: dict[str, AutoBatchOption] = {
    "default": True,
    "tick": "tick",
    "at once, later": 0,
    "timer": 0.01,
}


@pytest.fixture(autouse=True)
def _no_idling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread ends as soon as it has nothing to wait for, so that a test can wait for that."""
    monkeypatch.setattr(module, "_IDLE", 0)


def normal_only(told: Told) -> int:
    for _ in range(3):
        told.normal()
    assert told.times == 3
    told.normal()
    return 4


def low_only(told: Told) -> int:
    for _ in range(4):
        told.low()
    assert told.times == 0
    return 1


def low_normal_low(told: Told) -> int:
    told.low()
    told.low()
    assert told.times == 0
    told.normal()
    assert told.times == 1
    told.low()
    return 2


def normal_last(told: Told) -> int:
    told.low()
    told.low()
    told.normal()
    assert told.times == 1
    told.low()
    told.normal()
    assert told.times == 2
    told.normal()
    return 3


CASES = [normal_only, low_only, low_normal_low, normal_last]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.__name__))
@pytest.mark.parametrize("how", HOWS)
def test_without_a_loop(how: str, case: Callable[[Told], int]) -> None:
    """Normal changes are told at once; low ones in a row once, by the next normal one or later."""
    told = Told(HOWS[how])
    expected = case(told)
    thread = told.batch._alarm._thread
    if thread is not None:
        thread.join(TIMEOUT)
        assert not thread.is_alive()
    assert told.times == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.__name__))
@pytest.mark.parametrize("how", HOWS)
def test_on_a_loop(how: str, case: Callable[[Told], int]) -> None:
    """The same, and subscribers run on the loop's thread; no other is started."""

    async def main() -> None:
        told = Told(HOWS[how])
        expected = case(told)
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        loop.call_later(0.011, lambda: loop.call_later(0, over.set_result, None))
        await asyncio.wait_for(over, TIMEOUT)
        assert told.times == expected
        assert set(told.threads) <= {threading.current_thread()}
        assert told.batch._alarm._thread is None

    asyncio.run(main())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.__name__))
def test_with_a_scheduler_of_ones_own(case: Callable[[Told], int]) -> None:
    """The function gets one appointment at a time, and calls when it thinks fit."""
    scheduler = Scheduler()
    told = Told(scheduler)
    expected = case(told)
    assert len(scheduler.waiting) == (0 if case is normal_only else 1)
    scheduler.fire()
    assert told.times == expected


def test_a_tick_is_the_next_turn_of_the_loop() -> None:
    """What is dispatched in one turn is told in the next, before what is scheduled after it."""

    async def main() -> None:
        told = Told("tick")
        told.low()
        told.low()
        assert told.times == 0
        await asyncio.sleep(0)
        assert told.times == 1
        told.low()
        assert told.times == 1
        await asyncio.sleep(0)
        assert told.times == 2

    asyncio.run(main())


def test_one_appointment_serves_what_comes_before_it() -> None:
    """After a normal change the appointment that is still there is used for the next low one."""
    scheduler = Scheduler()
    told = Told(scheduler)
    told.low()
    told.normal()
    assert not told.batch.pending
    told.low()
    assert told.batch.pending
    assert len(scheduler.waiting) == 1
    scheduler.fire()
    assert told.times == 2
    assert not told.batch.pending
    told.low()
    assert len(scheduler.waiting) == 1


def test_a_scheduler_may_call_at_once_or_many_times() -> None:
    """What was told is not told again, and the next low action makes another appointment."""
    kept: list[Notify] = []

    def hasty(notify: Notify) -> None:
        notify()
        notify()
        kept.append(notify)

    told = Told(hasty)
    told.low()
    assert told.times == 1
    told.low()
    assert told.times == 2
    for notify in kept:
        notify()
    assert told.times == 2


def test_a_scheduler_that_fails_delays_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its failure is logged, and subscribers are told at once."""

    def failing(notify: Notify) -> None:
        raise LookupError("no scheduler")

    told = Told(failing)
    with caplog.at_level(logging.ERROR, "crdtstore"):
        told.low()
        told.low()
    assert told.times == 2
    assert "auto_batch= failed" in caplog.text
    assert "no scheduler" in caplog.text


def test_off_means_at_once() -> None:
    """With ``False`` every action is of normal priority."""
    told = Told(False)
    assert not told.batch.enabled
    assert AutoBatch(True).enabled
    assert AutoBatch(0).enabled
    told.low()
    told.low()
    assert told.times == 2


@pytest.mark.parametrize("how", ["tick", 0])
def test_the_appointment_of_a_loop_that_is_gone_is_made_again(how: AutoBatchOption) -> None:
    """A loop that ended before its time keeps none, so the next low action asks another."""
    told = Told(how)
    loop = asyncio.new_event_loop()
    loop.call_soon(loop.stop)  # this turn is the last
    loop.call_soon(told.low)
    loop.run_forever()
    loop.close()
    assert told.times == 0
    assert told.batch.pending

    async def main() -> None:
        told.low()
        while not told.now.is_set():
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(main(), TIMEOUT))
    assert told.times == 1


# In a store


def counting(how: AutoBatchOption) -> tuple[Store, list[int]]:
    """Open a store and note the count at every notification."""
    store = configure_store([counter], auto_batch=how)
    seen: list[int] = []
    store.subscribe(lambda: seen.append(store[counter]))
    return store, seen


def test_a_store_puts_off_what_is_marked() -> None:
    """The state changes at once; subscribers hear of it with the next change, or in time."""
    scheduler = Scheduler()
    store, seen = counting(scheduler)
    with store:
        store.dispatch(later(1))
        store.dispatch(later(2))
        assert store[counter] == 3
        assert seen == []
        store.dispatch(now(4))
        assert seen == [7]
        store.dispatch(later(8))
        scheduler.fire()
        assert seen == [7, 15]
        store.dispatch(later(16))
        store.dispatch(now(32))
        scheduler.fire()
        assert seen == [7, 15, 63]


def test_a_store_tells_at_its_close_what_was_put_off() -> None:
    """Nothing remains untold."""
    store, seen = counting(60.0)
    store.dispatch(later(1))
    assert seen == []
    store.close()
    assert seen == [1]


def test_a_merge_is_told_at_once() -> None:
    """What peers did is of normal priority, and tells what was put off as well."""
    store, seen = counting(Scheduler())
    with store, configure_store([counter]) as peer:
        store.dispatch(later(1))
        assert seen == []
        peer.dispatch(now(5))
        store.merge(peer.deltas_since(store.state_vectors()))
        assert len(seen) == 1


# The thread


def test_one_daemon_thread_keeps_the_appointments(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used again and again, and does not keep the interpreter from ending."""
    monkeypatch.setattr(module, "_IDLE", TIMEOUT)
    told = Told(0)
    for times in range(1, 4):
        told.now.clear()
        told.low()
        assert told.now.wait(TIMEOUT)
        assert told.times == times
    assert len(set(told.threads)) == 1
    assert told.threads[0].daemon
    told.batch.close()
    told.threads[0].join(TIMEOUT)
    assert not told.threads[0].is_alive()


def test_the_thread_ends_when_nothing_comes_and_starts_again() -> None:
    """A batch that is no longer used, closed or not, leaves no thread behind."""
    told = Told(0)
    for _ in range(2):
        told.now.clear()
        told.low()
        assert told.now.wait(TIMEOUT)
        told.threads[-1].join(TIMEOUT)
        assert not told.threads[-1].is_alive()
    assert told.threads[0] is not told.threads[1]


def test_the_thread_keeps_nothing_alive_that_it_has_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits for more, the store that it worked for may be collected."""
    monkeypatch.setattr(module, "_IDLE", TIMEOUT)
    told = Told(0)
    told.low()
    assert told.now.wait(TIMEOUT)
    alarm, gone = told.batch._alarm, threading.Event()
    weakref.finalize(told, gone.set)
    del told
    assert gone.wait(TIMEOUT)
    assert alarm._thread is not None
    alarm.stop()


def test_a_failure_to_tell_is_logged_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread goes on to the next appointment."""
    monkeypatch.setattr(module, "_IDLE", TIMEOUT)
    batch = AutoBatch(0)
    done = threading.Event()
    first = threading.Event()

    def failing() -> None:
        first.set()
        raise LookupError("nobody there")

    with caplog.at_level(logging.ERROR, "crdtstore"):
        batch.defer(failing)
        assert first.wait(TIMEOUT)
        batch.defer(done.set)
        assert done.wait(TIMEOUT)
    assert "nobody there" in caplog.text
    batch.close()


def test_close_cancels() -> None:
    """Nothing is told after it, whatever was pending and whatever comes; twice is harmless."""
    scheduler = Scheduler()
    told = Told(scheduler)
    told.low()
    told.batch.close()
    told.batch.close()
    scheduler.fire()
    told.low()
    assert not scheduler.waiting
    timed = Told(60.0)
    timed.low()
    thread = timed.batch._alarm._thread
    assert thread is not None
    timed.batch.close()
    thread.join(TIMEOUT)
    assert not thread.is_alive()
    assert (told.times, timed.times) == (0, 0)


def test_a_pending_appointment_does_not_keep_the_interpreter_alive() -> None:
    """A script ends at its end."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from crdtstore.autobatch import AutoBatch; AutoBatch(3600.0).defer(print)",
        ],
        timeout=TIMEOUT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("wrong", ["raf", None, [], -1, float("nan"), float("inf")], ids=repr)
def test_other_options_are_refused(wrong: Any) -> None:
    """The message says what there is."""
    expected = ValueError if isinstance(wrong, (int, float)) else TypeError
    with pytest.raises(expected, match="auto_batch= takes"):
        AutoBatch(wrong)


# Threads


def test_low_and_normal_changes_of_many_threads() -> None:
    """Whatever the interleaving, the last change is told, and none more often than it came."""
    scheduler = Scheduler()
    told = Told(scheduler)
    start = threading.Barrier(8)
    lows = 200

    def work(low: bool) -> None:
        start.wait(TIMEOUT)
        for _ in range(lows):
            if low:
                told.low()
            else:
                scheduler.fire()

    threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    told.low()
    scheduler.fire()
    assert not told._deferred
    assert 1 <= told.times <= 4 * lows + 1
