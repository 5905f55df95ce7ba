"""What a server of the tools consists of: its pages, and the meeting points of both protocols."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sync.devtools import broker, bundle
from sync.devtools.broker import Broker
from sync.devtools.feed import PAUSE, Feed, SourceConnection, ViewerConnection
from sync.devtools.server import Conversation, Route, Wire
from sync.devtools.website import Website

__all__ = ["Hub"]

_TICK = 1.0  # seconds, while nobody looks
_LARGEST_QUESTION = 2**20  # characters of what a viewer says: it asks, and dispatches a line

Now = Callable[[], float]


class Hub:
    """The website and the routes of one server; made, and used, on the thread of its loop."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._broker = Broker()
        self._feed = Feed(name, redux=lambda: bundle.find() is not None)
        self.website = Website(bundle=bundle.find, who=lambda: {"name": name, "pid": os.getpid()})
        self.routes = {
            "/feed": Route(self._viewer, _LARGEST_QUESTION),
            "/join": Route(self._source),
            "/socketcluster/": Route(self._redux),
        }
        self._timers = [
            self._loop.call_later(_TICK, self._tick_broker),
            self._loop.call_later(_TICK, self._tick_feed),
        ]

    @property
    def monitors(self) -> int:
        """How many windows of Redux DevTools look."""
        return self._broker.monitors

    @property
    def viewers(self) -> int:
        """How many pages and terminals look."""
        return self._feed.viewers

    def close(self) -> None:
        """Let go of everybody."""
        for timer in self._timers:
            timer.cancel()
        self._broker.close()

    def _tick_broker(self) -> None:
        self._timers[0] = self._loop.call_later(_TICK, self._tick_broker)
        self._broker.tick(self._loop.time())

    def _tick_feed(self) -> None:
        pause = PAUSE if self._feed.viewers else _TICK
        self._timers[1] = self._loop.call_later(pause, self._tick_feed)
        self._feed.tick(self._loop.time())

    def _redux(self, wire: Wire) -> Conversation:
        now = self._loop.time
        made = self._broker.connect(wire.send, wire.close, now(), backlog=wire.backlog)
        return _ReduxEnd(made, now)

    def _source(self, wire: Wire) -> Conversation:
        made = self._feed.add_source(_sender(wire), wire.close, wire.refuse)
        return _SourceEnd(made, wire, self._loop.time)

    def _viewer(self, wire: Wire) -> Conversation:
        made = self._feed.add_viewer(_sender(wire), wire.close, backlog=wire.backlog)
        self._timers[1].cancel()
        self._tick_feed()  # the first one does not wait for the next second
        return _ViewerEnd(made, wire, self._loop.time)


def _sender(wire: Wire) -> Callable[[Mapping[str, Any]], None]:
    def send(message: Mapping[str, Any]) -> None:
        wire.send(json.dumps(message, separators=(",", ":")))

    return send


@dataclass(frozen=True, slots=True)
class _ReduxEnd:
    """The broker's side of one connection."""

    connection: broker.Connection
    now: Now

    def receive(self, text: str) -> None:
        self.connection.receive(text, self.now())

    def closed(self) -> None:
        self.connection.closed()


@dataclass(frozen=True, slots=True)
class _SourceEnd:
    """The feed's side of the connection of a store."""

    connection: SourceConnection
    wire: Wire
    now: Now

    def receive(self, text: str) -> None:
        _receive(self.connection, text, self.wire, self.now())

    def closed(self) -> None:
        self.connection.closed(self.now())


@dataclass(frozen=True, slots=True)
class _ViewerEnd:
    """The feed's side of the connection of a page or a terminal."""

    connection: ViewerConnection
    wire: Wire
    now: Now

    def receive(self, text: str) -> None:
        _receive(self.connection, text, self.wire, self.now())

    def closed(self) -> None:
        self.connection.closed()


class _Receiver(Protocol):
    def receive(self, message: Any, now: float, /) -> None: ...


def _receive(connection: _Receiver, text: str, wire: Wire, now: float) -> None:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        wire.close()
    else:
        connection.receive(message, now)
