"""The store: what goes in and what comes out of dispatch, subscribe, merge and the rest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_type

from crdtstore import (
    Action,
    ActionInfo,
    Commit,
    Conflict,
    Counter,
    List,
    Merged,
    Middleware,
    MiddlewareAPI,
    RootState,
    Running,
    Store,
    Waitable,
    configure_store,
    create_slice,
)


@dataclass
class Count:
    n: Counter = Counter(0)
    items: List[str] = List()


counts = create_slice(name="counts", initial_state=Count())


@counts.reducer
def label(state: Count, action: Action[str]) -> None:
    state.items.append(action.payload)


def quiet(api: MiddlewareAPI) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Pass everything on."""

    def layer(proceed: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return proceed

    return layer


plain = configure_store([counts])
assert_type(plain, Store)
on_disk = configure_store(
    [counts],
    storage=Path("store.db"),
    durability="normal",
    middleware=[quiet],
    preloaded_state={"counts": Count()},
    extra_argument=1,
    notify=lambda tell: tell(),
)
wrapped = configure_store((counts,), middleware=lambda default: [quiet, *default])
middleware: Middleware = quiet

configure_store(counts)  # type: ignore[arg-type]
configure_store([Count])  # type: ignore[list-item]
configure_store([counts], storage=5)  # type: ignore[arg-type]


def dispatching(store: Store) -> None:
    """Actions come back as they are, thunks as what they return, coroutines as waitables."""

    def thunk(dispatch: Any, get_state: Any) -> int:
        return 1

    async def later(dispatch: Any, get_state: Any) -> str:
        return "x"

    assert_type(store.dispatch(label("x")), Action[str])
    assert_type(store.dispatch(thunk), int)
    assert_type(store.dispatch(later), Running[str])
    assert_type(store.dispatch(later).wait(1.5), str)
    assert_type(store.dispatch({"type": "counts/label", "payload": "x"}), Action[Any])

    store.dispatch("counts/label")  # type: ignore[call-overload]
    store.dispatch(None)  # type: ignore[call-overload]


async def awaiting(store: Store) -> None:
    """Waitables can be awaited; stores are context managers of both sorts."""

    async def later(dispatch: Any, get_state: Any) -> str:
        return "x"

    assert_type(await store.dispatch(later), str)
    await store.flush()
    async with store as same:
        assert_type(same, Store)
    with store as again:
        assert_type(again, Store)


def subscribing(store: Store) -> None:
    """A listener takes nothing; one with a selector takes the new and the old value."""
    assert_type(store.subscribe(lambda: print("changed")), Callable[[], None])

    def pick(state: RootState) -> int:
        n: int = state.counts.n
        return n

    def changed(value: int, previous: int) -> None:
        print(value, previous)

    def wrong(value: str, previous: str) -> None:
        print(value, previous)

    assert_type(store.subscribe(pick, changed), Callable[[], None])
    store.subscribe(pick, wrong)  # type: ignore[misc]
    store.subscribe(5)  # type: ignore[call-overload]

    def committed(commit: Commit) -> None:
        assert_type(commit.info, ActionInfo | None)
        assert_type(commit.seq, int)

    assert_type(store.on_commit(committed), Callable[[], None])
    store.on_commit(committed, durable=True)
    with store.batch():
        store.dispatch(label("x"))


def replicating(store: Store, peer: Store) -> None:
    """Deltas and vectors are plain dicts."""
    assert_type(store.state_vectors(), dict[str, bytes])
    assert_type(store.deltas_since({}), dict[str, bytes])
    assert_type(store.digests(), dict[str, bytes])
    assert_type(store.schema(), dict[str, dict[str, str]])
    merged = store.merge(peer.deltas_since(store.state_vectors()), origin="a link")
    assert_type(merged, Merged)
    assert_type(merged.missing, frozenset[str])
    assert_type(store.conflicts(counts, "items", 0), tuple[Conflict, ...])
    assert_type(store.conflicts("counts", "n")[0].replica, str)
    assert_type(store.flush(), Waitable[None])
    assert_type(store.compact(), Waitable[None])

    store.merge({"counts": "text"})  # type: ignore[dict-item]


def reading(store: Store) -> None:
    """The root state is typed by slice, or dynamic."""
    assert_type(store.state, RootState)
    assert_type(store[counts], Count)
    assert_type(store.state["counts"], Any)
    assert_type(store.slices, tuple[str, ...])
    assert_type(store.replica, str)
    store.state = store.state  # type: ignore[misc]
