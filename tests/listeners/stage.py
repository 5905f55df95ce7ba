"""What the tests of listeners share: a counting slice, a record of what happened, and patience."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import Any

from crdtstore import Counter, Store, configure_store, create_slice
from crdtstore.listeners import ListenerMiddleware, create_listener_middleware
from crdtstore.tasks import running_loop

PATIENCE = 30.0
"""Seconds after which a test gives up; nothing here takes that long."""

LONG = 1000.0
"""Seconds that nobody waits for: what waits so long is cancelled."""


@dataclass
class Count:
    n: Counter = Counter(0)
    label: str = ""


counts = create_slice(name="counts", initial_state=Count(), share_payloads=True)


@counts.reducer
def add(state: Count, by: int = 1) -> None:
    state.n += by


@counts.reducer
def sub(state: Count, by: int = 1) -> None:
    state.n -= by


@counts.reducer
def label(state: Count, text: str) -> None:
    state.label = text


others = create_slice(name="others", initial_state=Count())


@others.reducer
def other(state: Count, by: int = 1) -> None:
    state.n += by


def opened(listener: ListenerMiddleware[Any], **options: Any) -> Store:
    """Open a store with this middleware."""
    return configure_store([counts, others], middleware=[listener], **options)


class Seen:
    """What happened, in order, on whatever threads; some of it can be waited for."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._news = threading.Condition()

    def __call__(self, what: Any) -> None:
        with self._news:
            self.all.append(what)
            self._news.notify_all()

    def effect(self, action: Any, api: Any) -> None:
        """Be a plain effect that notes its action."""
        self((action.type, action.payload))

    async def async_effect(self, action: Any, api: Any) -> None:
        """Be a coroutine that notes its action."""
        self((action.type, action.payload))

    def wait_for(self, fits: Callable[[list[Any]], bool]) -> list[Any]:
        """Block until the record fits."""
        with self._news:
            assert self._news.wait_for(lambda: fits(self.all), PATIENCE), self.all
            return list(self.all)

    def until(self, *expected: Any) -> None:
        """Block until the record has all these, and assert that it has nothing else."""
        assert self.wait_for(lambda all: len(all) >= len(expected)) == list(expected)

    async def soon(self, *expected: Any) -> None:
        """Let the loop run until the record has all these; assert that it has nothing else."""
        await asyncio.to_thread(self.wait_for, lambda all: len(all) >= len(expected))
        assert self.all == list(expected)


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), PATIENCE))

    return run


async def turns(count: int = 10) -> None:
    """Let everything that is due on this loop run: what was started begins in the first turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def until_over(listener: ListenerMiddleware[Any]) -> None:
    """Block until no effect is under way."""
    end = time.monotonic() + PATIENCE
    while listener._instances._all:
        assert time.monotonic() < end, "an effect is not over"
        time.sleep(0.001)


class Stage:
    """A middleware that records its errors, and a store with it."""

    def __init__(self, **options: Any) -> None:
        self.errors = Seen()
        self.listener = create_listener_middleware(
            on_error=lambda error, info: self.errors((error, info.raised_by)), **options
        )
        self.store = opened(self.listener)
        self.seen = Seen()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exc: object) -> None:
        self.store.close()
        if running_loop() is None:  # there, what was cancelled needs another turn
            until_over(self.listener)
