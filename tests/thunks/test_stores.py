"""Async thunks in stores: dispatched by scripts, threads and loops, many, nested, at the end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from crdtstore import Action, Counter, DispatchError, Store, configure_store, create_slice
from crdtstore.errors import (
    AbortError,
    ClosedError,
)
from crdtstore.kinds import Map
from crdtstore.thunks import (
    AsyncThunk,
    AsyncThunkAction,
    AsyncThunkResult,
    ThunkAPI,
    create_async_thunk,
)
from tests.thunks.stage import TIMEOUT, Recorder, for_ever, no_state, start

# With a store


@dataclass
class Users:
    status: str = "idle"
    error: str | None = None
    names: Map[str] = field(default_factory=Map)
    count: Counter = Counter(0)


@create_async_thunk("users/fetch")
async def fetch_user(user_id: int, api: ThunkAPI) -> dict[str, Any]:
    """Ask a service for a user."""
    await asyncio.sleep(0)
    if user_id < 0:
        raise LookupError(f"no user {user_id}")
    return {"id": str(user_id), "name": f"User {user_id}"}


users = create_slice(name="users", initial_state=Users())


@users.add_case(fetch_user.pending)
def on_pending(state: Users, action: Action[None]) -> None:
    state.status = "loading"


@users.add_case(fetch_user.fulfilled)
def on_fulfilled(state: Users, action: Action[dict[str, Any]]) -> None:
    state.status = "idle"
    state.names[action.payload["id"]] = action.payload["name"]
    state.count += 1


@users.add_case(fetch_user.rejected)
def on_rejected(state: Users, action: Action[Any]) -> None:
    state.status = "aborted" if action.meta.aborted else "failed"
    state.error = action.error.message


def test_a_store_shows_every_step_of_a_request() -> None:
    """Pending when ``dispatch`` returns, the end when it was waited for."""
    with configure_store([users]) as store:
        result = store.dispatch(fetch_user(17))
        assert isinstance(result, AsyncThunkResult)
        assert result.unwrap().wait(TIMEOUT) == {"id": "17", "name": "User 17"}
        assert store[users].names == {"17": "User 17"}
        assert store[users].status == "idle"
        assert fetch_user.rejected.match(store.dispatch(fetch_user(-1)).wait(TIMEOUT))
        assert store[users].status == "failed"
        assert store[users].error == "no user -1"

        async def main() -> None:
            result = store.dispatch(fetch_user(18))
            assert store[users].status == "loading"
            assert fetch_user.fulfilled.match(await result)
            assert store[users].status == "idle"

        asyncio.run(main())


def test_a_condition_sees_what_a_request_before_has_dispatched() -> None:
    """Pending is dispatched within ``dispatch``, so one request at a time is three lines."""
    ran: list[bool] = []
    go = threading.Event()

    def creator(force: bool) -> None:
        ran.append(force)
        go.wait(TIMEOUT)

    once = create_async_thunk(
        "once", creator, condition=lambda force, api: force or api.get_state().once != "started"
    )
    states = create_slice(name="once", initial_state="")

    @states.add_case(once.pending)
    def started(state: str, action: Action[None]) -> str:
        return "started"

    with configure_store([states]) as store:
        results = [store.dispatch(once(force)) for force in (False, False, True)]
        go.set()
        assert [result.wait(TIMEOUT).meta.condition for result in results] == [False, True, False]
    assert sorted(ran) == [False, True]


def test_the_extra_argument_reaches_conditions_and_payload_creators() -> None:
    """It is what ``configure_store(extra_argument=…)`` was given."""

    async def creator(_: None, api: ThunkAPI) -> Any:
        return api.extra

    thunk = create_async_thunk("t", creator, condition=lambda _, api: api.extra == "services")
    with configure_store([users], extra_argument="services") as store:
        assert store.dispatch(thunk()).unwrap().wait(TIMEOUT) == "services"


def test_a_thunk_that_was_not_called_is_no_action() -> None:
    """The store says what was forgotten."""
    with configure_store([users]) as store:
        wrong: Any = fetch_user
        with pytest.raises(DispatchError, match=r"AsyncThunk: <async thunk users/fetch>"):
            store.dispatch(wrong)


def test_an_argument_may_be_anything() -> None:
    """It stands in the meta only, which no slice keeps, so no warning is given."""

    async def creator(anything: object) -> int:
        return 1

    with configure_store([users]) as store:
        anything = threading.Lock()
        action = store.dispatch(create_async_thunk("t", creator)(anything)).wait(TIMEOUT)
        assert action.meta.arg is anything


def test_a_plain_function_blocks_neither_loop_nor_others() -> None:
    """It has a thread of its own; what it dispatches there works as anywhere."""
    go = threading.Event()

    def blocking(user_id: int, api: ThunkAPI) -> str:
        assert go.wait(TIMEOUT)
        user = api.dispatch(fetch_user(user_id)).unwrap().wait(TIMEOUT)
        return f"{threading.current_thread().name}: {user['name']}"

    thunk = create_async_thunk("blocking", blocking)

    async def main(store: Store) -> None:
        result = store.dispatch(thunk(5))
        assert await store.dispatch(fetch_user(6)).unwrap() == {"id": "6", "name": "User 6"}
        assert not result.done()
        go.set()
        assert await result.unwrap() == "blocking: User 5"

    with configure_store([users]) as store:
        asyncio.run(main(store))
        go.clear()
        result = store.dispatch(thunk(7))
        assert store.dispatch(fetch_user(8)).wait(TIMEOUT)
        go.set()
        assert result.unwrap().wait(TIMEOUT) == "blocking: User 7"


def test_thunks_that_wait_for_thunks() -> None:
    """Coroutines in coroutines, plain functions in plain functions, however many."""

    async def sum_of(numbers: list[int], api: ThunkAPI) -> int:
        if len(numbers) == 1:
            return numbers[0]
        half = len(numbers) // 2
        parts = [api.dispatch(add_up(part)) for part in (numbers[:half], numbers[half:])]
        return sum([await part.unwrap() for part in parts])

    def plain_sum_of(numbers: list[int], api: ThunkAPI) -> int:
        if len(numbers) == 1:
            return numbers[0]
        half = len(numbers) // 2
        parts = [api.dispatch(plainly(part)) for part in (numbers[:half], numbers[half:])]
        return sum(part.unwrap().wait(TIMEOUT) for part in parts)

    add_up: AsyncThunk[int, list[int]] = create_async_thunk("sum", sum_of)
    plainly: AsyncThunk[int, list[int]] = create_async_thunk("plain", plain_sum_of)

    async def main(store: Store) -> None:
        assert await store.dispatch(add_up([*range(32)])).unwrap() == 496
        assert await store.dispatch(plainly([*range(32)])).unwrap() == 496

    with configure_store([users]) as store:
        assert store.dispatch(add_up([*range(32)])).unwrap().wait(TIMEOUT) == 496
        assert store.dispatch(plainly([*range(32)])).unwrap().wait(TIMEOUT) == 496
        asyncio.run(main(store))


def test_what_an_inner_thunk_rejected_with_is_an_error_of_the_outer_one() -> None:
    """Its value is the inner one's; the outer one is rejected by an exception like any other."""

    async def inner(_: None, api: ThunkAPI) -> None:
        raise api.reject_with_value("inner value")

    async def outer(_: None, api: ThunkAPI) -> Any:
        return await api.dispatch(create_async_thunk("inner", inner)()).unwrap()

    async def refused(_: None, api: ThunkAPI) -> Any:
        thunk = create_async_thunk("inner", inner, condition=lambda _: False)
        return await api.dispatch(thunk()).unwrap()

    with configure_store([users]) as store:
        action = store.dispatch(create_async_thunk("outer", outer)()).wait(TIMEOUT)
        assert not action.meta.rejected_with_value
        assert action.error.name == "RejectedWithValue"
        assert action.error.message == "rejected with 'inner value'"
    dispatch = Recorder()

    def dispatching(action: Any) -> Any:
        if isinstance(action, AsyncThunkAction):
            return action(dispatch, no_state)
        return dispatch(action)

    start(create_async_thunk("outer", refused), dispatch=dispatching).wait(TIMEOUT)
    assert dispatch.types == ["outer/pending", "outer/rejected"]  # no slice is left pending


def test_a_thousand_requests_at_once() -> None:
    """All of them end, in scripts and on a loop, and every one is counted."""

    async def main(store: Store) -> None:
        results = [store.dispatch(fetch_user(n)) for n in range(1000)]
        for result in results:
            await result.unwrap()

    with configure_store([users]) as store:
        for result in [store.dispatch(fetch_user(n)) for n in range(1000)]:
            result.unwrap().wait(TIMEOUT)
        assert store[users].count == 1000
        asyncio.run(main(store))
        assert store[users].count == 2000
        assert len(store[users].names) == 1000
        assert not store.tasks._jobs


def test_many_threads_dispatch_abort_and_wait() -> None:
    """Each request has one pending and one end, in this order, whoever ends it."""
    seen: dict[str, list[str]] = {}
    lock = threading.Lock()

    def record(api: Any) -> Any:
        def layer(proceed: Any) -> Any:
            def handle(action: Any) -> Any:
                if fetch_user.pending.match(action) or fetch_user.settled(action):
                    with lock:
                        seen.setdefault(action.meta.request_id, []).append(
                            action.meta.request_status
                        )
                return proceed(action)

            return handle

        return layer

    with configure_store([users], middleware=[record]) as store:

        def work() -> None:
            for n in range(100):
                result = store.dispatch(fetch_user(n))
                if n % 2:
                    threading.Thread(target=result.abort).start()
                result.wait(TIMEOUT)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 400
    assert all(
        steps in (["pending", "fulfilled"], ["pending", "rejected"]) for steps in seen.values()
    )


def test_two_stores_have_nothing_to_do_with_each_other() -> None:
    """One thunk serves both; closing one does not touch the other's requests."""
    started, go = threading.Event(), threading.Event()

    @create_async_thunk("users/fetch")  # the slice answers to the type
    async def slow(user_id: int) -> dict[str, str]:
        started.set()
        await asyncio.to_thread(go.wait, TIMEOUT)
        return {"id": "1", "name": "late"}

    a, b = configure_store([users]), configure_store([users])
    with b:
        result = b.dispatch(slow(1))
        assert started.wait(TIMEOUT)
        a.close()
        go.set()
        assert result.unwrap().wait(TIMEOUT)["name"] == "late"
        assert b[users].names == {"1": "late"}
        assert a[users].names == {}


# Closing


def test_closing_aborts_what_runs_and_says_so_in_the_state(tmp_path: Any) -> None:
    """The rejected action is dispatched before the store closes, so no file says "loading"."""
    started = threading.Event()

    @create_async_thunk("users/fetch")
    async def slow(user_id: int) -> None:
        started.set()
        await asyncio.Event().wait()

    store = configure_store([users], storage=tmp_path / "users.db")
    result = store.dispatch(slow(1))
    assert started.wait(TIMEOUT)
    store.close()
    action = result.wait(TIMEOUT)
    assert action.meta.aborted
    assert action.error.message == "the store was closed"
    with configure_store([users], storage=tmp_path / "users.db") as again:
        assert again[users].status == "aborted"
    with pytest.raises(ClosedError, match="it does not run the thunk users/fetch any more"):
        store.dispatch(slow(2))


def test_closing_on_the_loop_of_a_request() -> None:
    """It is aborted when the loop goes on, when the closed store takes no action any more."""

    async def main() -> None:
        store = configure_store([users])
        result = store.dispatch(create_async_thunk("t", for_ever)(threading.Event()))
        await asyncio.sleep(0)
        store.close()
        assert (await result).meta.aborted
        with pytest.raises(AbortError):
            await result.unwrap()

    asyncio.run(main())


def test_what_ends_after_the_store_was_closed_counts_as_aborted() -> None:
    """A payload creator that would not be cancelled has nowhere to put its payload."""
    started, go = threading.Event(), threading.Event()

    async def deaf(_: None) -> str:
        started.set()
        while not go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        return "late"

    async def main() -> None:
        store = configure_store([users])
        result = store.dispatch(create_async_thunk("t", deaf)())
        while not started.is_set():
            await asyncio.sleep(0)
        await asyncio.to_thread(store.close)
        go.set()
        assert (await result).meta.aborted

    asyncio.run(main())


def test_a_payload_creator_may_close_the_store() -> None:
    """It runs to its end, which no store hears of any more: to who waits, it was aborted."""

    async def main(store: Store) -> str:
        async def goodbye(_: None) -> str:
            store.close()
            await asyncio.sleep(0)
            said.append("goodbye")
            return "goodbye"

        said: list[str] = []
        result = store.dispatch(create_async_thunk("t", goodbye)())
        action = await result
        assert result.cancelled()
        assert action.meta.aborted
        assert action.error.name == "AbortError"
        assert "closed" in str(action.error.message)
        with pytest.raises(AbortError, match="closed"):
            await result.unwrap()
        return said[0]

    assert asyncio.run(main(configure_store([users]))) == "goodbye"


def test_a_payload_creator_on_a_thread_may_close_the_store() -> None:
    """Closing aborts its request, so what it returns is dropped."""
    store = configure_store([users])
    thunk = create_async_thunk("t", lambda: store.close())
    assert store.dispatch(thunk()).wait(TIMEOUT).meta.aborted


def test_a_failure_in_a_closed_store_is_the_failure_that_it_is() -> None:
    """That nobody but who waits is told of it makes no other thing of it."""

    async def main(store: Store) -> None:
        async def fail(_: None) -> None:
            store.close()
            raise LookupError("no such thing")

        result = store.dispatch(create_async_thunk("t", fail)())
        action = await result
        assert not action.meta.aborted
        assert action.error.name == "LookupError"
        with pytest.raises(LookupError):
            await result.unwrap()

    async def with_value(store: Store) -> None:
        async def fail(_: None, api: ThunkAPI) -> None:
            store.close()
            raise api.reject_with_value("a value")

        action = await store.dispatch(create_async_thunk("t", fail)())
        assert action.meta.rejected_with_value
        assert action.payload == "a value"

    asyncio.run(main(configure_store([users])))
    asyncio.run(with_value(configure_store([users])))
