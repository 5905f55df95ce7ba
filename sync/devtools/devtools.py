"""``DevTools(store)``: one store, shown in a browser while the program runs.

The application only ever appends to a log, by reference. All else, comparing, serialising and
sending, happens on a thread of the tools, and only while somebody looks.
"""

from __future__ import annotations

import threading
import time
import webbrowser
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from crdtstore import Slice, Store
from sync.devtools.client import Client
from sync.devtools.joining import Showing, Telling, Waker, Worker
from sync.devtools.lifted import Instance
from sync.devtools.log import LIMIT, Log
from sync.devtools.server import DevToolsError, Opener
from sync.devtools.source import Source
from sync.devtools.station import LOOPBACK, Station
from sync.peer import Peer

__all__ = ["PORT", "DevTools", "DevToolsStatus"]

PORT = 8000
"""The port that Redux DevTools of every language expect."""


@dataclass(frozen=True, slots=True)
class DevToolsStatus:
    """What a ``DevTools`` is doing.

    ``state`` is ``"new"``, ``"serving"``, ``"joined"`` (another process serves, whose process id is
    ``server``, if known), ``"searching"`` (for whom to join), ``"refused"`` (by a server that shows
    this store already, for other tools, until those end) or ``"stopped"``. ``viewers`` counts pages
    and terminals, ``monitors`` windows of Redux DevTools, where this process serves. ``error`` says
    what is wrong, until it is put right.
    """

    state: str
    url: str
    server: int | None
    viewers: int
    monitors: int
    error: str | None


class DevTools:
    """Shows ``store`` in a browser, from ``start`` (or ``with``) to ``stop``, at ``url``.

    ``peer``, if there is one, is asked for its links. ``port`` is shared with other programs of
    this machine: the first serves, the others join it; 0 takes a free one and joins nobody.
    ``host`` is 127.0.0.1, ::1 or localhost. ``name`` is what the tools call this store. The
    dispatcher offers the actions of the slices in ``creators``, or the functions of a mapping by
    their names. The last ``limit`` commits are kept. ``action_sanitizer`` and ``state_sanitizer``
    are given what is about to be shown and return what is shown instead. ``latency`` is the least
    time, in seconds, between two batches of news. With ``open_browser`` the page is opened when it
    is there.

    Nothing is compared or serialised before somebody looks. Raises DevToolsError for a ``host``
    beyond this machine.
    """

    def __init__(
        self,
        store: Store,
        peer: Peer | None = None,
        *,
        port: int = PORT,
        host: str = "127.0.0.1",
        name: str | None = None,
        creators: Iterable[Slice[Any]] | Mapping[str, Callable[..., Any]] = (),
        limit: int = LIMIT,
        action_sanitizer: Callable[[Any], Any] | None = None,
        state_sanitizer: Callable[[Any], Any] | None = None,
        latency: float = 0.1,
        open_browser: bool = False,
    ) -> None:
        check_host(host, port)
        if latency < 0:
            raise ValueError(f"latency is in seconds, 0 or more, not {latency!r}")
        if limit < 1:
            raise ValueError(f"limit is how many commits are kept, 1 at least, not {limit!r}")
        self.name = store.replica[:8] if name is None else name
        self._store = store
        self._peer = peer
        self._creators = _named(creators)
        self._limit = limit
        self._action_sanitizer = action_sanitizer
        self._state_sanitizer = state_sanitizer
        self._latency = latency
        self._open_browser = open_browser
        self._worker = Worker()
        self._log: Log | None = None
        self._since = 0  # ms since the epoch: when the log began
        self._station = Station(LOOPBACK[host], port, self._sides, self.name)

    def start(self) -> Self:
        """Begin to keep commits, and return when the port was taken or its server joined.

        Raises DevToolsError if the port is taken by something else, or these tools were started
        before.
        """
        log = self._log or Log(self._store, limit=self._limit)
        if self._log is None:
            self._log = log
            self._since = time.time_ns() // 1_000_000
        try:
            self._station.start()
        except BaseException:
            log.close()
            raise
        if self._open_browser:
            threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Show nothing any more, and keep no commits; harmless when called twice.

        Takes seconds at most, whatever those who look do. The store stays open.
        """
        self._station.stop()
        self._worker.close()
        if self._log is not None:
            self._log.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<DevTools of {self.name}: {self._station.state} {self.url}>"

    @property
    def url(self) -> str:
        """Where to look, as ``http://127.0.0.1:8000/``; empty before a free port was taken."""
        return self._station.url

    @property
    def status(self) -> DevToolsStatus:
        """Whether it serves or has joined, who looks, what went wrong last."""
        return status_of(self._station)

    def _sides(self) -> Mapping[str, Opener]:
        """Begin anew for a server: on the thread of the tools."""
        log = self._log
        assert log is not None
        waker = Waker(log)
        source = Source(
            self._store,
            log,
            name=self.name,
            peer=self._peer,
            action_sanitizer=self._action_sanitizer,
            state_sanitizer=self._state_sanitizer,
        )

        def run(work: Callable[[], str | None], done: Callable[[str | None], None]) -> None:
            def told(failure: str | None) -> None:
                done(failure)
                waker.wake()

            self._worker.run(work, told)

        instance = Instance(
            log,
            self._store,
            name=self.name,
            instance_id=f"{self._store.replica}/{self._store.session}",
            creators=self._creators,
            since=self._since,
            action_sanitizer=self._action_sanitizer,
            state_sanitizer=self._state_sanitizer,
            run=run,
        )
        client = Client(instance, interval=self._latency)

        def handled() -> None:
            source.locked = instance.locked

        return {
            "/join": lambda wire: Telling(source, waker, self._latency, wire, self._worker),
            "/socketcluster/": lambda wire: Showing(client, waker, handled, wire),
        }


def _named(
    creators: Iterable[Slice[Any]] | Mapping[str, Callable[..., Any]],
) -> dict[str, Callable[..., Any]]:
    if isinstance(creators, Mapping):
        return dict(creators)
    return {f"{each.name}/{name}": each.actions[name] for each in creators for name in each.actions}


def check_host(host: str, port: int) -> None:
    """Raise DevToolsError for a host beyond this machine, ValueError (TypeError) for no port."""
    if type(port) is not int:
        raise TypeError(f"port is a whole number from 0 to 65535, not {port!r:.80}")
    if not 0 <= port < 2**16:
        raise ValueError(f"port is 0 to 65535, not {port!r}")
    if host not in LOOPBACK:
        raise DevToolsError(
            f"host is {host!r}, but the tools show and change the whole state for whoever "
            "connects, so they are for this machine alone. Use 127.0.0.1, and from elsewhere an "
            f"SSH tunnel: ssh -L {port}:127.0.0.1:{port} this-machine"
        )


def status_of(station: Station) -> DevToolsStatus:
    """Return what a station is doing."""
    hub = station.hub
    return DevToolsStatus(
        station.state,
        station.url,
        station.about.get("pid"),
        0 if hub is None else hub.viewers,
        0 if hub is None else hub.monitors,
        station.error,
    )
