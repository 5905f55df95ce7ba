"""Telling subscribers: batches, low-priority actions, and the end of a store."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import Counter, Store, configure_store, create_slice
from crdtstore.autobatch import SHOULD_AUTOBATCH, prepare_auto_batched

TIMEOUT = 30

counts = create_slice(name="counts", initial_state={"n": Counter(0)})


@counts.reducer
def loud(state: Any) -> None:
    state.n += 1


@counts.reducer(prepare=prepare_auto_batched())
def quiet(state: Any) -> None:
    state.n += 1


class Later:
    """A scheduler that is fired by hand."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def __call__(self, notify: Callable[[], None]) -> None:
        self.calls.append(notify)


def opened(how: Any) -> tuple[Store, list[int]]:
    store = configure_store([counts], auto_batch=how)
    seen: list[int] = []
    store.subscribe(lambda: seen.append(store.state.counts.n))
    return store, seen


def test_a_marked_action_carries_its_mark() -> None:
    """In ``meta``, beside the payload that it was given."""
    assert quiet(5).meta == {SHOULD_AUTOBATCH: True}
    assert quiet(5).payload == 5


def test_low_priority_actions_change_the_state_at_once_and_tell_later() -> None:
    """Several in a row are one notification."""
    later = Later()
    store, seen = opened(later)
    with store:
        for n in range(1, 4):
            store.dispatch(quiet())
            assert store.state.counts.n == n
        assert seen == []
        assert len(later.calls) == 1
        later.calls[0]()
        assert seen == [3]
        store.dispatch(quiet())
        later.calls[-1]()
        assert seen == [3, 4]


def test_a_normal_action_tells_of_the_others_too() -> None:
    """At once, and the appointment has nothing more to tell."""
    later = Later()
    store, seen = opened(later)
    with store:
        store.dispatch(quiet())
        store.dispatch(loud())
        assert seen == [2]
        for call in later.calls:
            call()
        assert seen == [2]


def test_a_merge_is_of_normal_priority() -> None:
    """What peers did is told at once."""
    later = Later()
    store, seen = opened(later)
    with store, configure_store([counts]) as other:
        store.dispatch(quiet())
        other.dispatch(quiet())
        store.merge(other.deltas_since(store.state_vectors()))
        assert seen == [2]


def test_nothing_is_put_off_without_auto_batching() -> None:
    """``False`` makes marked actions like all others."""
    store, seen = opened(False)
    with store:
        store.dispatch(quiet())
        assert seen == [1]


@pytest.mark.parametrize("how", [True, 0.001, "tick"])
def test_the_timer_tells(how: Any) -> None:
    """From a thread where no loop runs, from the loop where one does."""
    store = configure_store([counts], auto_batch=how)
    told = threading.Event()
    threads: list[int] = []
    store.subscribe(lambda: (threads.append(threading.get_ident()), told.set()))
    with store:
        store.dispatch(quiet())
        assert told.wait(TIMEOUT)
        assert threads != [threading.get_ident()]

        async def on_a_loop() -> None:
            arrived = asyncio.Event()
            stop = store.subscribe(arrived.set)
            threads.clear()
            store.dispatch(quiet())
            assert not arrived.is_set()
            await asyncio.wait_for(arrived.wait(), TIMEOUT)
            stop()

        asyncio.run(on_a_loop())
        assert threads == [threading.get_ident()]


def test_a_batch_ends_all_waiting() -> None:
    """Marked actions in a batch are told at its end, with the rest."""
    later = Later()
    store, seen = opened(later)
    with store:
        store.dispatch(quiet())
        with store.batch():
            store.dispatch(quiet())
            store.dispatch(loud())
        assert seen == [3]
        for call in later.calls:
            call()
        assert seen[-1] == 3


def test_closing_tells_what_was_put_off() -> None:
    """No change goes untold because the program ends."""
    store, seen = opened(Later())
    store.dispatch(quiet())
    store.close()
    assert seen == [1]


def test_a_listener_may_dispatch_what_is_put_off() -> None:
    """From inside a notification that was put off itself."""
    later = Later()
    store, seen = opened(later)
    stop = store.subscribe(lambda: store.dispatch(quiet()) if len(seen) < 3 else None)
    with store:
        store.dispatch(quiet())
        while later.calls:
            later.calls.pop(0)()
        assert seen == [1, 2, 3]
        stop()


@pytest.mark.parametrize("how", ["raf", -1, None, float("nan"), [1]])
def test_an_unknown_way_is_refused(how: Any) -> None:
    """When the store is made, and nothing stays open."""
    with pytest.raises((TypeError, ValueError), match="auto_batch= takes"):
        configure_store([counts], auto_batch=how)


def test_the_end_of_a_store_is_told_once() -> None:
    """To those who asked before, in order, and at once to those who ask after."""
    store = configure_store([counts])
    heard: list[str] = []
    store.on_close(lambda: heard.append("first"))
    store.on_close(lambda: heard.append("never"))()
    store.on_close(lambda: heard.append(f"sees {store.state.counts.n}"))
    store.dispatch(loud())
    store.close()
    store.close()
    assert heard == ["first", "sees 1"]
    store.on_close(lambda: heard.append("late"))
    assert heard[2:] == ["late"]


def test_a_store_is_watched() -> None:
    """``store.watch`` is the iterator of ``crdtstore.watching``."""
    with configure_store([counts]) as store:
        changes = iter(store.watch(lambda state: state.counts.n))
        assert next(changes) == 0
        store.dispatch(loud())
        assert next(changes) == 1
        whole = iter(store.watch())
        assert next(whole) is store.state
    assert list(changes) == []
