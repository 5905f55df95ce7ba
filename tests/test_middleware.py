"""Middleware order and shapes, and thunks in scripts, threads and event loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import (
    Action,
    ClosedError,
    Counter,
    DispatchError,
    Middleware,
    MiddlewareAPI,
    Store,
    Waitable,
    configure_store,
    create_slice,
)
from crdtstore.middleware import Creator, Startable, thunk_middleware
from crdtstore.tasks import Running, Tasks

TIMEOUT = 30


@dataclass
class Count:
    n: Counter = Counter(0)


counts = create_slice(name="counts", initial_state=Count())


@counts.reducer
def add(state: Count, by: int = 1) -> None:
    state.n += by


def opened(**options: Any) -> Store:
    """Open a store of the counting slice."""
    return configure_store([counts], **options)


def tracing(name: str, trace: list[str]) -> Middleware:
    """Make a middleware that notes when it sees an action, and when the rest is done."""

    def middleware(api: MiddlewareAPI) -> Callable[[Any], Any]:
        def layer(proceed: Callable[[Any], Any]) -> Callable[[Any], Any]:
            def handle(action: Any) -> Any:
                before = api.get_state().counts.n
                trace.append(f"{name} sees {action.type} at {before}")
                result = proceed(action)
                trace.append(f"{name} done at {api.get_state().counts.n}")
                return result

            return handle

        return layer

    return middleware


# The chain


def test_the_first_middleware_sees_an_action_first_and_its_result_last() -> None:
    """Layers wrap the reducers in the order of the list."""
    trace: list[str] = []
    with opened(middleware=[tracing("a", trace), tracing("b", trace)]) as store:
        assert store.dispatch(add(2)) == add(2)
    assert trace == [
        "a sees counts/add at 0",
        "b sees counts/add at 0",
        "b done at 2",
        "a done at 2",
    ]


def test_a_function_gets_the_default_middleware_and_returns_all() -> None:
    """``middleware=lambda default: …`` can put layers before the thunks, or leave them out."""
    trace: list[str] = []
    with opened(middleware=lambda default: [tracing("a", trace), *default]) as store:
        store.dispatch(add())
        with pytest.raises(AttributeError):  # a function reaches the layer before the thunks
            store.dispatch(lambda dispatch, get_state: None)
    with opened(middleware=lambda default: []) as store:
        store.dispatch(add())
        with pytest.raises(DispatchError, match="dispatch takes an action"):
            store.dispatch(lambda dispatch, get_state: None)


def test_the_default_middleware_may_be_added_to_as_in_redux_toolkit() -> None:
    """The function may call what it gets, and add before or after, one or several."""
    trace: list[str] = []
    a, b, c = (tracing(name, trace) for name in "abc")
    for choose, order in (
        (lambda get_default: get_default().concat(a, [b, c]), "abc"),
        (lambda get_default: get_default().prepend([c, b], a), "cba"),
        (lambda get_default: get_default(), ""),
    ):
        with opened(middleware=choose) as store:
            store.dispatch(add())
            if order != "cba":  # where they come first, they see functions as well
                assert store.dispatch(lambda dispatch, get_state: 5) == 5
        seen = [line[0] for line in trace if "sees counts/add" in line]
        assert seen == list(order)
        trace.clear()


def test_a_middleware_may_change_swallow_answer_and_multiply_actions() -> None:
    """What ``next`` is given is dispatched; what the layer returns is what ``dispatch`` returns."""

    def odd(api: MiddlewareAPI) -> Any:
        def layer(proceed: Any) -> Any:
            def handle(action: Any) -> Any:
                if action.type == "swallow":
                    return "swallowed"
                if action.type == "twice":
                    api.dispatch(add(10))
                    return proceed(add(1))
                return proceed(action)

            return handle

        return layer

    with opened(middleware=[odd]) as store:
        result: Any = store.dispatch(Action("swallow"))
        assert result == "swallowed"
        assert store.state.counts.n == 0
        assert store.dispatch(Action("twice")) == add(1)
        assert store.state.counts.n == 11


def test_a_middleware_that_raises_changes_nothing() -> None:
    """Its exception is the dispatcher's."""

    def guard(api: MiddlewareAPI) -> Any:
        def layer(proceed: Any) -> Any:
            def handle(action: Any) -> Any:
                raise PermissionError("no")

            return handle

        return layer

    with opened(middleware=[guard]) as store, pytest.raises(PermissionError):
        store.dispatch(add())
    assert store.state.counts.n == 0


def test_dispatching_while_the_middleware_is_set_up_is_refused() -> None:
    """Not all layers would see the action, as in Redux; reading is fine."""

    def eager(api: MiddlewareAPI) -> Any:
        assert api.get_state().counts.n == 0
        api.dispatch(add())

    with pytest.raises(DispatchError, match="dispatch was called while the middleware is being"):
        opened(middleware=[eager])


@pytest.mark.parametrize("wrong", [lambda api: None, lambda api: lambda proceed: None])
def test_a_middleware_of_the_wrong_shape_is_refused_at_once(wrong: Any) -> None:
    """Each of the three functions inside one another is asked for when the store is made."""
    with pytest.raises(TypeError, match=r"'<lambda>' is no middleware: middleware\(api\)"):
        opened(middleware=[wrong])


# Plain thunks


def test_a_thunk_gets_dispatch_and_get_state_and_its_result_comes_back() -> None:
    """A function that is dispatched is called, and may dispatch in turn."""

    def thunk(dispatch: Any, get_state: Any) -> str:
        dispatch(add(3))
        inner = dispatch(lambda dispatch, get_state: get_state().counts.n * 2)
        return f"{get_state().counts.n} {inner}"

    with opened() as store:
        assert store.dispatch(thunk) == "3 6"


def test_the_extra_argument_is_the_third() -> None:
    """A thunk that takes three parameters gets what ``extra_argument`` was; others do not."""
    with opened(extra_argument={"api": 1}) as store:
        three: Any = lambda dispatch, get_state, extra: extra["api"]  # noqa: E731
        assert store.dispatch(three) == 1
        assert store.dispatch(lambda dispatch, get_state: 2) == 2


def test_a_thunk_that_raises_raises() -> None:
    """What it dispatched before stays done."""

    def thunk(dispatch: Any, get_state: Any) -> None:
        dispatch(add())
        raise ZeroDivisionError

    with opened() as store:
        with pytest.raises(ZeroDivisionError):
            store.dispatch(thunk)
        assert store.state.counts.n == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (add, r"the action creator of 'counts/add' was dispatched.*dispatch\(add\(\)\)"),
        (Count, r"dispatch takes an action .* got type: .*; did you forget to call Count\(\)\?"),
        (None, "dispatch takes an action .* got NoneType: None$"),
        (5, "dispatch takes an action .* got int: 5$"),
        ("counts/add", "dispatch takes an action .* got str: 'counts/add'$"),
        ({"payload": 1}, "dispatch takes an action .* got dict"),
        ({"type": 5}, "dispatch takes an action .* got dict"),
    ],
)
def test_what_is_no_action_is_refused(wrong: Any, message: str) -> None:
    """A forgotten call of a creator says so."""
    with opened() as store:
        with pytest.raises(DispatchError, match=message):
            store.dispatch(wrong)
        assert store.state.counts.n == 0


def test_an_action_creator_is_no_thunk() -> None:
    """It is not called with ``dispatch``; that it was meant to be called is said, in all modes."""
    with opened() as store, pytest.raises(DispatchError, match=r"did you forget to call .*add\(\)"):
        store.dispatch(add)  # type: ignore[call-overload]
    with (
        opened(middleware=lambda default: [thunk_middleware()]) as store,
        pytest.raises(
            DispatchError, match=r"got ActionCreator: .*; did you forget to call add\(\)"
        ),
    ):
        store.dispatch(add)  # type: ignore[call-overload]


# Coroutine thunks


async def later(dispatch: Any, get_state: Any) -> int:
    """Dispatch after a turn of the loop."""
    await asyncio.sleep(0)
    dispatch(add(5))
    n: int = get_state().counts.n
    return n


async def failing(dispatch: Any, get_state: Any) -> None:
    """Dispatch, then fail."""
    dispatch(add(1))
    raise ZeroDivisionError


def test_a_coroutine_thunk_in_a_script_is_waited_for() -> None:
    """Where no loop runs, a loop thread of the store runs it."""
    with opened() as store:
        result = store.dispatch(later)
        assert isinstance(result, Waitable)
        assert result.wait(TIMEOUT) == 5
        with pytest.raises(ZeroDivisionError):
            store.dispatch(failing).wait(TIMEOUT)
        assert store.state.counts.n == 6


def test_a_coroutine_thunk_on_a_running_loop_runs_there() -> None:
    """In asyncio it is a task of the loop, and its ``Waitable`` can be awaited."""
    threads: list[threading.Thread] = []

    async def here(dispatch: Any, get_state: Any) -> int:
        threads.append(threading.current_thread())
        return await dispatch(later) + 1  # type: ignore[no-any-return]

    async def main() -> None:
        async with opened() as store:
            assert await store.dispatch(here) == 6
            with pytest.raises(ZeroDivisionError):
                await store.dispatch(failing)

    asyncio.run(main())
    assert threads == [threading.current_thread()]


def test_waiting_on_the_loop_that_must_run_the_thunk_is_refused() -> None:
    """``.wait()`` would stop the loop, and so the thunk, for ever; it says to use ``await``."""

    async def main() -> None:
        with opened() as store:
            waiting = store.dispatch(later)
            with pytest.raises(RuntimeError, match=r"for ever; use await"):
                waiting.wait(TIMEOUT)
            assert await waiting == 5
            assert waiting.wait() == 5  # done by now

    asyncio.run(main())


def test_a_thunk_of_a_loop_can_be_waited_for_by_a_thread() -> None:
    """``.wait()`` on another thread is fine."""

    async def main() -> int:
        with opened() as store:
            return await asyncio.to_thread(store.dispatch(later).wait, TIMEOUT)

    assert asyncio.run(main()) == 5


def test_threads_share_the_loop_thread() -> None:
    """Thunks dispatched by many threads without loops all run, and all are waited for."""
    results: list[int] = []
    with opened() as store:

        def work() -> None:
            results.append(store.dispatch(later).wait(TIMEOUT))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.state.counts.n == 40
        assert len(results) == 8
    assert not any(thread.name == "crdtstore-tasks" for thread in threading.enumerate())


def test_a_cancelled_thunk_is_cancelled_for_who_waits() -> None:
    """A loop that ends cancels its thunks, and ``wait`` says so."""
    kept: list[Waitable[Any]] = []

    async def for_ever(dispatch: Any, get_state: Any) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        kept.append(store.dispatch(for_ever))
        await asyncio.sleep(0)

    with opened() as store:
        asyncio.run(main())
        with pytest.raises(CancelledError):
            kept[0].wait(TIMEOUT)


def test_closing_cancels_thunks_and_starts_no_more() -> None:
    """A thunk under way is cancelled by ``close``; a later one is refused."""
    started = threading.Event()

    async def for_ever(dispatch: Any, get_state: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    store = opened()
    waiting = store.dispatch(for_ever)
    assert started.wait(TIMEOUT)
    store.close()
    with pytest.raises(CancelledError):
        waiting.wait(TIMEOUT)
    with pytest.raises(ClosedError, match="it does not run later any more"):
        store.dispatch(later)


def test_a_thunk_may_close_the_store() -> None:
    """``close`` on the loop thread itself does not wait for it."""
    store = opened()

    async def close(dispatch: Any, get_state: Any) -> None:
        store.close()

    with contextlib.suppress(CancelledError):
        store.dispatch(close).wait(TIMEOUT)
    with pytest.raises(ClosedError):
        store.dispatch(add())


# What starts itself


class Greeting(Startable[str]):
    """Something to dispatch that is neither an action nor a function."""

    def start(self, dispatch: Any, get_state: Any, extra: Any, tasks: Tasks) -> str:
        dispatch(add(get_state().counts.n + 1))
        assert isinstance(tasks, Tasks)
        return f"hello {extra}"


def test_a_startable_is_started_with_all_there_is() -> None:
    """It gets what thunks get, always the extra argument, and where to run coroutines."""
    with opened(extra_argument="you") as store:
        assert store.dispatch(Greeting()) == "hello you"
        assert store.state.counts.n == 1


def test_what_creates_is_not_run() -> None:
    """A creator that was not called is explained, not called with ``dispatch``."""

    class Maker(Creator):
        def __call__(self, dispatch: Any, get_state: Any) -> None:
            raise AssertionError

    with opened() as store, pytest.raises(DispatchError, match="got Maker"):
        store.dispatch(Maker())


def test_middleware_may_run_coroutines_and_watch_commits() -> None:
    """``api`` has the store's tasks and its commits."""
    seen: list[Any] = []
    done = threading.Event()

    def watching(api: MiddlewareAPI) -> Any:
        async def note(seq: int) -> None:
            seen.append(seq)
            done.set()

        api.on_commit(lambda commit: api.tasks.run(note(commit.seq), "note"))
        return lambda proceed: proceed

    with opened(middleware=[watching]) as store:
        store.dispatch(add())
        assert done.wait(TIMEOUT)
    assert len(seen) == 1


def test_a_coroutine_thunk_can_be_cancelled() -> None:
    """Its ``Running`` does that, from any thread."""
    started = threading.Event()

    async def for_ever(dispatch: Any, get_state: Any) -> None:
        started.set()
        await asyncio.Event().wait()

    with opened() as store:
        running: Any = store.dispatch(for_ever)
        assert isinstance(running, Running)
        assert started.wait(TIMEOUT)
        running.cancel("enough")
        with pytest.raises(CancelledError, match="enough"):
            running.wait(TIMEOUT)


def test_a_coroutine_thunk_that_fails_unseen_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waited for it, and it does not fail in silence."""
    with opened() as store:
        store.dispatch(failing)
        store.dispatch(later).wait(TIMEOUT)
    gc.collect()
    assert "failing failed, and nobody waited for it" in caplog.text
    assert "ZeroDivisionError" in caplog.text
