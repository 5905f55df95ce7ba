"""Middleware added later, checks, watches, bindings and the like: what type checkers see."""

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, assert_type

from crdtstore import (
    Action,
    ActionCreator,
    Counter,
    Middleware,
    MiddlewareAPI,
    RootState,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.autobatch import (
    SHOULD_AUTOBATCH,
    AutoBatch,
    AutoBatchOption,
    prepare_auto_batched,
    should_auto_batch,
)
from crdtstore.bindings import (
    bind_action_creators,
    compose,
    is_action,
    is_action_creator,
    is_flux_standard_action,
)
from crdtstore.checks import (
    NonSerializableValue,
    create_action_creator_invariant_middleware,
    create_serializable_state_invariant_middleware,
    find_non_serializable_value,
    is_plain,
)
from crdtstore.dynamic import AddMiddleware, DynamicMiddleware, create_dynamic_middleware
from crdtstore.next_state import create_next_state
from crdtstore.tasks import Running
from crdtstore.watching import Changes, Watch, watch


@dataclass
class Count:
    n: Counter = Counter(0)


counts = create_slice(name="counts", initial_state=Count())


@counts.reducer
def add(state: Count, by: int, *, twice: bool = False) -> None:
    state.n += by * (1 + twice)


@counts.reducer
def label(state: Count, action: Action[str]) -> None: ...


store = configure_store([counts])

# Dynamic middleware

dynamic = create_dynamic_middleware()
assert_type(dynamic, DynamicMiddleware)


def logging(api: MiddlewareAPI) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    return lambda proceed: lambda action: proceed(action)


configured: list[Middleware] = [dynamic.middleware]
assert_type(dynamic.add_middleware(logging, dynamic.middleware), None)
assert_type(dynamic.with_middleware(logging), AddMiddleware)
assert_type(dynamic.with_middleware(logging).payload, tuple[Middleware, ...])
assert_type(dynamic.instance_id, str)
creator: ActionCreator[..., tuple[Middleware, ...]] = dynamic.with_middleware
dynamic.add_middleware("logging")  # type: ignore[arg-type]
dynamic.with_middleware(print)  # type: ignore[arg-type]

# Checks

checks: list[Middleware] = [
    create_serializable_state_invariant_middleware(
        is_serializable=is_plain,
        ignored_actions=["a"],
        ignored_action_paths=["payload.a"],
        warn_after=32,
        max_values=None,
    ),
    create_action_creator_invariant_middleware(is_action_creator=callable),
]
create_serializable_state_invariant_middleware(ignored_actions=1)  # type: ignore[arg-type]
create_serializable_state_invariant_middleware(ignore_state=True)  # type: ignore[call-arg]
assert_type(find_non_serializable_value({"a": 1}, "payload"), NonSerializableValue | None)
assert_type(is_plain(1), bool)

# Batches

hows: list[AutoBatchOption] = [True, False, 0, 0.01, "tick", lambda notify: notify()]
batch = AutoBatch("tick")
assert_type(batch.pending, bool)
assert_type(should_auto_batch(add(1)), bool)
key: str = SHOULD_AUTOBATCH
batched = create_action("batched", prepare_auto_batched())
batched()
batched({"any": "payload"})
batched(1, 2)  # type: ignore[call-arg]
AutoBatch("raf")  # type: ignore[arg-type]

# Watches


def n(state: RootState) -> int:
    assert_type(state, RootState)
    return 1


assert_type(watch(store), Watch[RootState])
assert_type(watch(store, n), Watch[int])
assert_type(watch(store, lambda state: "text"), Watch[str])
assert_type(store.watch(n), Watch[int])
assert_type(store.watch(), Watch[RootState])
watch(store, "n")  # type: ignore[call-overload]


def plain() -> None:
    for value in watch(store, n):
        assert_type(value, int)
    changes = iter(watch(store, n))
    assert_type(changes, Changes[int])
    assert_type(changes.next(timeout=1.5), int)
    iterator: Iterator[int] = changes
    assert_type(next(iterator), int)
    with watch(store, n) as watched:
        assert_type(watched, Watch[int])


async def asynchronous() -> None:
    async with watch(store, n) as watched:
        assert_type(watched, Watch[int])
        async for value in watched:
            assert_type(value, int)
        assert_type(await anext(aiter(watched)), int)


# Bindings

bound = bind_action_creators(add, store.dispatch)
assert_type(bound(1, twice=True), Action[Any])
assert_type(bind_action_creators(label, store.dispatch)("x"), Action[str])
bound("1")  # type: ignore[arg-type]
bound(1, True)  # type: ignore[call-arg]
named = bind_action_creators({"add": add, "label": label}, store.dispatch)
assert_type(named["add"], Callable[..., Any])
assert_type(named.add, Callable[..., Any])
assert_type(bind_action_creators(counts.actions, store.dispatch).add, Callable[..., Any])
bind_action_creators(None, store.dispatch)  # type: ignore[call-overload]
bind_action_creators(add, store)  # type: ignore[call-overload]


def thunk_of(text: str) -> Callable[[Any, Any], Coroutine[Any, Any, int]]:
    """Make a thunk."""
    raise NotImplementedError


def dict_of(text: str) -> dict[str, Any]:
    """Make an action the old way."""
    raise NotImplementedError


def plain_thunk_of(text: str) -> Callable[[Any, Any], int]:
    """Make a thunk that is done at once."""
    raise NotImplementedError


assert_type(bind_action_creators(thunk_of, store.dispatch)("x"), Running[int])
assert_type(bind_action_creators(plain_thunk_of, store.dispatch)("x"), int)
assert_type(bind_action_creators(dict_of, store.dispatch)("x"), Action[Any])
bind_action_creators(thunk_of, store.dispatch)(1)  # type: ignore[arg-type]


def told_apart(value: object) -> None:
    """Predicates narrow."""
    if is_action_creator(value):
        assert_type(value, ActionCreator[..., Any])
    if is_action(value) and isinstance(value, Action):
        assert_type(value.type, str)
    if is_flux_standard_action(value) and not isinstance(value, Action):
        assert_type(value["type"], Any)


def half(number: int) -> float:
    return number / 2


def shown(number: float) -> str:
    return str(number)


assert_type(compose(shown, half)(1), str)
assert_type(compose(len, shown, half)(1), int)
assert_type(compose(half, len, shown, half)(1), float)
assert_type(compose(half)(1), float)
compose(shown, half)("1")  # type: ignore[arg-type]
compose(half, shown)  # type: ignore[arg-type]
assert_type(compose(len, str, half, len, shown, half)(1), int)
compose(half, 5)  # type: ignore[call-overload]

# The next state


def recipe(draft: Count) -> None:
    draft.n += 1


assert_type(create_next_state(Count(), recipe), Count)
assert_type(create_next_state(1, lambda number: number + 1), int)
assert_type(create_next_state([1], lambda numbers: numbers.append(2)), list[int])
create_next_state("text", recipe)  # type: ignore[arg-type]
