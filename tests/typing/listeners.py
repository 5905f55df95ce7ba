"""Listeners: an effect's action is typed by what it is matched with, its API by the extra."""

import asyncio
import concurrent.futures
from dataclasses import dataclass
from typing import Any, Literal, assert_type

from crdtstore import (
    Action,
    Counter,
    RootState,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.listeners import (
    ForkApi,
    ForkedTask,
    ListenerApi,
    ListenerErrorInfo,
    ListenerMiddleware,
    ListenerRequest,
    RemoteOrigin,
    TaskCancelled,
    TaskRejected,
    TaskResolved,
    TaskResult,
    Unsubscribe,
    Wait,
    add_listener,
    clear_all_listeners,
    create_listener_middleware,
    merged,
    remove_listener,
)
from crdtstore.matchers import is_any_of


@dataclass
class Count:
    n: Counter = Counter(0)
    label: str = ""


counts = create_slice(name="counts", initial_state=Count())


@counts.reducer
def label(state: Count, action: Action[str]) -> None:
    state.label = action.payload


@counts.reducer
def step(state: Count, action: Action[int]) -> None:
    state.n += action.payload


ping = create_action("ping")


class Service:
    """What effects are given."""

    name: str = "service"


plain = create_listener_middleware()
listener = create_listener_middleware(extra=Service())
assert_type(plain, ListenerMiddleware[None])
assert_type(listener, ListenerMiddleware[Service])

store = configure_store([counts], middleware=[listener, plain.middleware])


def handler(error: BaseException, info: ListenerErrorInfo) -> None:
    assert_type(info.raised_by, Literal["effect", "predicate"])


assert_type(
    create_listener_middleware(extra=1, on_error=handler),
    ListenerMiddleware[int],
)

# Effects


async def on_label(action: Action[str], api: ListenerApi[Service]) -> None:
    assert_type(action.payload, str)
    assert_type(api.extra, Service)
    assert_type(api.get_state(), RootState)
    assert_type(api.get_original_state(), RootState)
    assert_type(api.origin, Literal["local", "remote"])
    assert_type(api.remote, RemoteOrigin | None)
    assert_type(api.signal.aborted, bool)
    assert_type(api.dispatch(step(1)), Action[int])
    assert_type(await api.delay(0.5), None)
    assert_type(api.delay(0.5), Wait[None])
    assert_type(api.delay(0.5).wait(1), None)


def on_step(action: Action[int], api: ListenerApi[Service]) -> None:
    assert_type(action.payload, int)


def on_anything(action: Action[Any], api: ListenerApi[Any]) -> str:
    return "what effects return is ignored"


def on_bare(action: Action, api: ListenerApi) -> None:
    assert_type(api.extra, Any)


def on_other(action: Action[int], api: ListenerApi[int]) -> None:
    """Expect another extra argument."""


stop = listener.start_listening(action_creator=label, effect=on_label)
assert_type(stop, Unsubscribe)
assert_type(stop(), None)
stop(cancel_active=True)
listener.start_listening(action_creator=label, effect=on_anything)
listener.start_listening(action_creator=label, effect=on_bare)
listener.start_listening(type="counts/label", effect=on_label)
listener.start_listening(matcher=label.match, effect=on_label)
listener.start_listening(predicate=label.match, effect=on_label)
listener.start_listening(slices=counts, effect=on_anything, origin="any")
listener.start_listening(slices=["counts", counts], effect=on_anything, origin="remote")
listener.start_listening(action_creator=label, effect=on_label, origin="remote")
listener.start_listening(action_creator=ping, effect=on_step)

listener.start_listening(action_creator=label, effect=on_step)  # type: ignore[arg-type]
listener.start_listening(action_creator=step, effect=on_other)  # type: ignore[arg-type]
listener.start_listening(effect=on_anything)  # type: ignore[call-overload]
listener.start_listening(type="a", action_creator=step, effect=on_step)  # type: ignore[call-overload]
listener.start_listening(type="a", effect=on_anything, origin="elsewhere")  # type: ignore[call-overload]
listener.start_listening(type="a")  # type: ignore[call-overload]
plain.start_listening(action_creator=step, effect=on_step)  # type: ignore[arg-type]
stop(True)  # type: ignore[call-arg]


def two_more(action: Action[int], api: ListenerApi[Service], more: int) -> None:
    """Take too much."""


async def on_step_alone(action: Action[int]) -> None:
    """Take no API."""


def on_whatever() -> None:
    """Take nothing."""


listener.start_listening(action_creator=step, effect=on_step_alone)
listener.start_listening(action_creator=step, effect=on_whatever)
listener.start_listening(action_creator=step, effect=lambda: 1)
listener.start_listening(action_creator=step, effect=lambda action: action.payload + 1)
listener.start_listening(action_creator=step, effect=lambda action, api: api.extra)
listener.start_listening(action_creator=label, effect=on_step_alone)  # type: ignore[arg-type]
listener.start_listening(action_creator=step, effect=two_more)  # type: ignore[arg-type]


@listener.on(action_creator=step)
def decorated_alone(action: Action[int]) -> str:
    return f"{action.payload}"


assert_type(decorated_alone(step(1)), str)
listener.on(action_creator=label)(on_step_alone)  # type: ignore[arg-type]
listener.on(action_creator=label)(on_whatever)


async def on_either(action: Action[int] | Action[str], api: ListenerApi[Service]) -> None:
    assert_type(action.payload, int | str)


def changed(action: Action[Any], current: RootState, previous: RootState) -> bool:
    return current.counts is not previous.counts


def was_zero(action: Action[Any], current: RootState) -> bool:
    return bool(current.counts.n == 0)


listener.start_listening(matcher=is_any_of(step, label), effect=on_either)
listener.on(matcher=is_any_of(step, label))(on_either)
listener.on(matcher=is_any_of(step, label))(on_label)  # type: ignore[arg-type]
listener.start_listening(matcher=is_any_of(step, label), effect=on_anything)
listener.start_listening(predicate=changed, effect=on_anything)
listener.start_listening(predicate=was_zero, effect=on_anything)
listener.start_listening(predicate=lambda action: action.type == "x", effect=on_anything)
listener.start_listening(predicate=lambda action, now, old: now.n > old.n, effect=on_anything)
listener.start_listening(action_creator=merged, origin="remote", effect=on_anything)


def few(action: Action[Any]) -> bool:
    return True


listener.start_listening(predicate=few, effect=on_anything)

# The decorator


@listener.on(action_creator=label)
async def decorated(action: Action[str], api: ListenerApi[Service]) -> None:
    task = api.fork(child)
    assert_type(task, ForkedTask[int])
    assert_type(task.cancel(), None)
    assert_type(task.result, Wait[TaskResult[int]])
    result = await task.result
    assert_type(result, TaskResolved[int] | TaskRejected | TaskCancelled)
    if result.status == "ok":
        assert_type(result.value, int)
    elif result.status == "cancelled":
        assert_type(result.error.code, str)
    else:
        assert_type(result.error, BaseException)
    assert_type(api.fork(plain_child, auto_join=True), ForkedTask[str])
    assert_type(api.fork(lambda fork: 1.5), ForkedTask[float])
    assert_type(api.fork(lambda: 5), ForkedTask[int])
    assert_type(api.fork(number), ForkedTask[int])


@listener.on(type="counts/step", origin="any")
@listener.on(slices=counts)
def twice(action: Action[Any], api: ListenerApi[Service]) -> None:
    """Listen for two things."""


@listener.on(action_creator=label)  # type: ignore[arg-type]
def wrong(action: Action[int], api: ListenerApi[Service]) -> None:
    """Take the action of another creator."""


@listener.on()  # type: ignore[call-overload,untyped-decorator]
def nothing(action: Action[Any], api: ListenerApi[Service]) -> None:
    """Listen for nothing."""


assert_type(listener.stop_listening(action_creator=label, effect=decorated), bool)
assert_type(listener.stop_listening(type="x", effect=twice, origin="any", cancel_active=True), bool)
listener.stop_listening(action_creator=label)  # type: ignore[call-arg]
assert_type(listener.clear_listeners(), None)


# Waiting


async def child(fork: ForkApi) -> int:
    await fork.delay(1)
    fork.throw_if_cancelled()
    return 1


def plain_child(fork: ForkApi) -> str:
    fork.delay(1).wait()
    return fork.signal.reason or ""


async def number() -> int:
    return 1


async def waiting(action: Action[int], api: ListenerApi[Service]) -> None:
    assert_type(await api.take(label), tuple[Action[str], RootState, RootState])
    assert_type(await api.take(label, 1.5), tuple[Action[str], RootState, RootState] | None)
    assert_type(api.take(label).wait(), tuple[Action[str], RootState, RootState])
    assert_type(await api.take(label.match), tuple[Action[str], RootState, RootState])
    timeout: float | None = None if action.payload else 1
    assert_type(
        await api.take(label.match, timeout), tuple[Action[str], RootState, RootState] | None
    )
    assert_type(
        await api.take(lambda action, current: current.counts.n > 3, origin="any"),
        tuple[Action[Any], RootState, RootState],
    )
    assert_type(await api.take(lambda: True, 1), tuple[Action[Any], RootState, RootState] | None)
    assert_type(await api.condition(label), bool)
    assert_type(await api.condition(lambda action, current, previous: True, 2), bool)
    assert_type(await api.pause(number()), int)
    assert_type(await api.pause(asyncio.ensure_future(number())), int)
    assert_type(await api.pause(concurrent.futures.Future[str]()), str)
    assert_type(api.pause(store.flush()).wait(), None)
    assert_type(await api.pause(api.take(step)), tuple[Action[int], RootState, RootState])
    api.take(5)  # type: ignore[call-overload]
    api.delay("1")  # type: ignore[arg-type]
    api.fork(5)  # type: ignore[call-overload]


# Dispatched


def added(action: Action[int], api: ListenerApi[Any]) -> None:
    """Be added by what is dispatched."""


request = add_listener(action_creator=step, effect=added)
assert_type(request, ListenerRequest[Unsubscribe])
assert_type(store.dispatch(request), Unsubscribe)
assert_type(store.dispatch(remove_listener(action_creator=step, effect=added)), bool)
store.dispatch(clear_all_listeners())
assert_type(store.dispatch(add_listener(action_creator=step, effect=added)), Unsubscribe)
add_listener(action_creator=label, effect=added)  # type: ignore[arg-type]
