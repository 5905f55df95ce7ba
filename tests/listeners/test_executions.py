"""Runs of effects at the edges: where they cannot be started, at the end of a process, in time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crdtstore import create_action
from crdtstore.errors import TaskAbortError
from crdtstore.listeners import ForkApi, ListenerApi
from crdtstore.listeners.executions import Execution
from crdtstore.tasks import Running, Tasks
from tests.listeners.stage import LONG, PATIENCE, Seen, Stage, add, in_loop, opened, turns

ROOT = Path(__file__).resolve().parent.parent.parent

go = create_action("go")


class Effects:
    """Effects of every shape."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def plain(self, action: Any, api: Any) -> None:
        self._seen(threading.current_thread().name)

    async def coroutine(self, action: Any, api: Any) -> None:
        self._seen(threading.current_thread().name)

    def returns_a_coroutine(self, action: Any, api: Any) -> Any:
        return self.coroutine(action, api)

    def __call__(self, action: Any, api: Any) -> None:
        self.plain(action, api)


class Coroutine(Effects):
    async def __call__(self, action: Any, api: Any) -> None:  # type: ignore[override]
        await self.coroutine(action, api)


SHAPES: dict[str, tuple[Any, bool]] = {  # the effect, and whether it needs a thread
    "plain": (lambda seen: Effects(seen).plain, True),
    "plain partial": (lambda seen: partial(Effects(seen).plain), True),
    "plain object": (Effects, True),
    "coroutine": (lambda seen: Effects(seen).coroutine, False),
    "coroutine partial": (lambda seen: partial(Effects(seen).coroutine), False),
    "coroutine object": (Coroutine, False),
    "returns a coroutine": (lambda seen: Effects(seen).returns_a_coroutine, False),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_loop_coroutines_run_on_the_stores_and_functions_on_threads(shape: str) -> None:
    """What a plain function returns to be awaited is awaited on the loop."""
    make, on_thread = SHAPES[shape]
    with Stage() as stage:
        stage.listener.start_listening(type="go", effect=make(stage.seen))
        stage.store.dispatch(go())
        stage.seen.until("the effect of a listener to go" if on_thread else "crdtstore-tasks")


@pytest.mark.parametrize("shape", SHAPES)
@in_loop
async def test_where_a_loop_runs_everything_runs_there(shape: str) -> None:
    """And begins in its next turn, in order."""
    make, _ = SHAPES[shape]
    with Stage() as stage:
        stage.listener.start_listening(type="go", effect=make(stage.seen))
        stage.listener.start_listening(type="go", effect=lambda action, api: stage.seen("second"))
        stage.store.dispatch(go())
        assert stage.seen.all == []
        await asyncio.sleep(0)
        assert stage.seen.all == [threading.current_thread().name, "second"]


def test_a_dispatch_waits_for_no_effect() -> None:
    """It returns while they are blocked; each plain one has a thread of its own."""
    with Stage() as stage:
        release = threading.Event()

        @stage.listener.on(action_creator=go)
        def blocked(action: Any, api: ListenerApi[None]) -> None:
            stage.seen("blocked")
            release.wait()
            stage.seen("released")

        for _ in range(5):
            stage.store.dispatch(go())
        stage.seen.until(*["blocked"] * 5)
        assert not release.is_set()
        release.set()
        stage.seen.until(*["blocked"] * 5, *["released"] * 5)


def test_an_effect_that_cannot_be_started_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The dispatch does not know of it."""
    with Stage() as stage:
        stage.listener.start_listening(type="go", effect=stage.seen.effect)

        def refuse(*args: Any) -> Any:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(stage.store.tasks, "run", refuse)
        assert stage.store.dispatch(go()) == go()
        assert [(str(error), where) for error, where in stage.errors.all] == [
            ("can't start new thread", "effect")
        ]
        monkeypatch.undo()
        stage.store.dispatch(go())
        stage.seen.until(("go", None))


def test_an_effect_of_a_store_that_closes_is_dropped_silently() -> None:
    """Between the dispatch and its start, say."""
    with Stage() as stage:
        stage.listener.start_listening(type="go", effect=stage.seen.effect)
        stage.store.tasks.stop()
        assert stage.store.dispatch(go()) == go()
        assert stage.seen.all == []
        assert stage.errors.all == []


def test_an_effect_may_close_the_store() -> None:
    """Which cancels the others, and spares none of the rules."""
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def closes(action: Any, api: ListenerApi[None]) -> None:
            await api.delay(0)
            stage.store.close()
            stage.seen("closed")

        stage.store.dispatch(go())
        stage.seen.until("closed")
        assert stage.errors.all == []


@in_loop
async def test_a_listener_that_triggers_itself_goes_on_in_later_turns() -> None:
    """Its dispatches start further effects; none runs inside another."""
    with Stage() as stage:
        depth = 0

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            nonlocal depth
            depth += 1
            stage.seen(depth)
            if action.payload:
                api.dispatch(add(action.payload - 1))
            depth -= 1

        stage.store.dispatch(add(3))
        await turns()
        assert stage.seen.all == [1, 1, 1, 1]


def test_closing_waits_for_no_thread_that_heeds_nothing() -> None:
    """A thread that sleeps on is left alone; what it raises afterwards is dropped."""
    with Stage() as stage:
        release = threading.Event()

        @stage.listener.on(action_creator=go)
        def deaf(action: Any, api: ListenerApi[None]) -> None:
            stage.seen("begun")
            release.wait()
            stage.seen(api.signal.reason)
            raise RuntimeError("too late")

        stage.store.dispatch(go())
        stage.seen.until("begun")
        stage.store.close()
        release.set()
        stage.seen.until("begun", "listener-cancelled")
        assert stage.errors.all == []


class Waits(Execution[None]):
    """Waits for ever."""

    is_coroutine = True

    def __init__(self) -> None:
        super().__init__("what waits", True, "was cancelled", "was completed")
        self.started = threading.Event()

    async def call(self) -> None:
        self.started.set()
        await asyncio.Event().wait()

    def ended_as(self) -> str:
        result = self.outcome.result(PATIENCE)
        assert result.status == "cancelled"
        return result.error.code


def test_what_is_cancelled_while_it_is_started_is_cancelled() -> None:
    """Though it runs already when nobody can reach its coroutine yet."""

    class Slow(Tasks):
        def run(self, work: Any, name: str, **options: Any) -> Running[Any]:
            running = super().run(work, name, **options)
            execution.started.wait(PATIENCE)
            execution.cancel()
            return running

    execution = Waits()
    tasks = Slow("own")
    execution.start(tasks)
    assert execution.ended_as() == "was cancelled"
    tasks.stop()


@in_loop
async def test_what_ends_before_its_first_step_was_cancelled() -> None:
    """By the end of the store or of the loop, which ask nobody."""
    execution = Waits()
    tasks = Tasks("own")
    execution.start(tasks)
    tasks.stop()
    await turns()
    assert not execution.started.is_set()
    assert execution.ended_as() == execution.signal.reason == "was cancelled"


def test_what_is_cancelled_before_it_is_started_never_is() -> None:
    """Starting it does nothing then."""
    execution = Waits()
    execution.cancel("for a reason")
    tasks = Tasks("own")
    execution.start(tasks)
    tasks.stop()
    assert not execution.started.is_set()
    assert execution.ended_as() == "for a reason"


def test_who_waits_when_nothing_is_run_any_more_is_cancelled() -> None:
    """As it is about to be by who stopped it all."""
    tasks = Tasks("own")
    tasks.stop()
    waits: list[Callable[[ForkApi], Any]] = [
        lambda api: api.delay(LONG),
        lambda api: api.pause(asyncio.sleep(LONG)),
    ]
    for wait in waits:
        execution = Waits()
        with pytest.raises(TaskAbortError, match="was cancelled"):
            wait(ForkApi(execution, tasks)).wait()
        assert execution.ended_as() == "was cancelled"


PROGRAM = """
import sys, threading, time
from crdtstore import configure_store, create_slice, create_action
from crdtstore.listeners import create_listener_middleware

listener = create_listener_middleware()
go = create_action("go")
begun = threading.Barrier(4)

@listener.on(action_creator=go)
async def waits(action, api):
    api.fork(lambda fork: fork.delay(1000).wait())
    threading.Thread(target=begun.wait, daemon=True).start()
    await api.delay(1000)

@listener.on(action_creator=go)
def waits_on_a_thread(action, api):
    begun.wait()
    api.take(go, 1000).wait()

@listener.on(action_creator=go)
def sleeps(action, api):
    begun.wait()
    time.sleep(1000)

store = configure_store([create_slice(name="n", initial_state=0)], middleware=[listener])
store.dispatch(go())
begun.wait()
if sys.argv[1] == "close":
    store.close()
print("end")
"""


@pytest.mark.parametrize("how", ["close", "leave"])
def test_a_process_ends_whatever_its_effects_do(how: str) -> None:
    """Nothing keeps it, whether the store was closed or not, and nothing complains."""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", PROGRAM, how],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_loop_that_stops_with_effects_under_way_leaves_nothing_behind() -> None:
    """Closed without being told to cancel them, it is noticed by who cancels next."""
    seen = Seen()
    with Stage() as stage:

        @stage.listener.on(action_creator=go)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            seen("begun")
            await asyncio.sleep(LONG)

        loop = asyncio.new_event_loop()

        async def program() -> None:
            stage.store.dispatch(go())
            await turns()

        loop.run_until_complete(program())
        strays = asyncio.all_tasks(loop)
        loop.close()
        assert seen.all == ["begun"]
        stage.listener.clear_listeners()
        assert not stage.listener._instances._all
        for stray in strays:  # asyncio complains of what was pending when its loop was closed
            stray._log_destroy_pending = False  # type: ignore[attr-defined]


def test_many_effects_of_many_threads_and_loops_at_once() -> None:
    """Every one begins and ends, wherever it was dispatched."""
    with Stage() as stage:
        rounds = 20

        @stage.listener.on(action_creator=add)
        async def coroutine(action: Any, api: ListenerApi[None]) -> None:
            await api.delay(0)
            stage.seen("coroutine")

        @stage.listener.on(action_creator=add)
        def plain(action: Any, api: ListenerApi[None]) -> None:
            stage.seen("plain")

        def script() -> None:
            for _ in range(rounds):
                stage.store.dispatch(add())

        async def program() -> None:
            for _ in range(rounds):
                stage.store.dispatch(add())
                await asyncio.sleep(0)
            while asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.sleep(0)

        def looped() -> None:
            asyncio.run(program())

        threads = [threading.Thread(target=each) for each in [script, looped] * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = stage.seen.wait_for(lambda all: len(all) == 2 * 6 * rounds)
        assert found.count("plain") == 6 * rounds
        assert stage.errors.all == []


def test_what_is_over_is_let_go() -> None:
    """An instance that ended holds neither its action nor the state before it."""
    with Stage() as stage:
        kept: list[Any] = []

        @stage.listener.on(action_creator=add)
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            kept.append(api._instance)

        stage.store.dispatch(add())
        stage.store.dispatch(go())
        opened(stage.listener).close()
        stage.listener.on(action_creator=go)(lambda action, api: stage.seen("go"))
        stage.store.dispatch(go())
        stage.seen.until("go")
        assert kept[0].outcome.result(PATIENCE).status == "ok"
        assert "add" not in repr(kept[0].effect)
