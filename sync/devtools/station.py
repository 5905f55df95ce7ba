"""One port that every program of a machine can share: serve it, or join whoever does.

Whoever takes the port is the server; the others join it, and when it ends, whoever of them takes
the port first is the next. All of it runs on one daemon thread with one event loop, so no program
waits for it, or for who watches.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import logging
import os
import socket
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from websockets.exceptions import WebSocketException

from sync.devtools.hub import Hub
from sync.devtools.joining import Found, address, recognise, take_part
from sync.devtools.keeping import STEADY, Troubles, keep, pause
from sync.devtools.server import (
    DevToolsError,
    Opener,
    RefusedError,
    Server,
    listening,
    together,
)
from sync.devtools.website import VERSION

__all__ = ["LOOPBACK", "Station"]

LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "::1": "::1"}
"""The hosts that the tools are served on, as the addresses that they are."""

_STARTING = 15.0  # seconds that starting may take, beyond which something hangs
_STOPPING = 5.0
_LONGEST_PAUSE = 2.0  # seconds between attempts to be part of it again, at most
_REFUSED_PAUSE = 5.0  # the same, where a server said no
_SEEKING = 2.0  # seconds that a port may be neither free nor anybody's, at the start

logger = logging.getLogger("crdtstore.devtools")


class Station:
    """Takes part at ``host:port`` from ``start`` to ``stop``.

    ``sides`` begin this program's own conversations, by path, with whoever serves; it is called on
    the station's thread. ``name`` is what it is called where this program serves.
    """

    def __init__(
        self,
        host: str,
        port: int,
        sides: Callable[[], Mapping[str, Opener]],
        name: str,
    ) -> None:
        self.host = host
        self.port = port
        self.state = "new"
        self.about: Mapping[str, Any] = {}
        self.hub: Hub | None = None
        self._error: str | None = None
        self._troubles = Troubles()
        self._name = name
        self._sides = sides
        self._sockets: list[socket.socket] = []
        self._pid = os.getpid()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Return when the port was taken or joined; raise DevToolsError if neither can be."""
        if self.state != "new":
            raise DevToolsError(f"these tools are {self.state}; make new ones to start again")
        self.state = "searching"
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="crdtstore-devtools", daemon=True
        )
        _running.add(self)
        self._thread.start()
        try:
            ready.result(_STARTING)
        except concurrent.futures.TimeoutError:
            self.stop()
            why = f": {self.error}" if self.error else ""
            raise DevToolsError(
                f"port {self.port} of {self.host} could be neither taken nor joined{why}. Choose "
                "another port, or port=0 for any"
            ) from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Say goodbye to everybody and end the thread, within seconds; harmless when repeated."""
        loop, main, thread = self._loop, self._main, self._thread
        if self._pid != os.getpid():
            return  # a forked child has no part in it
        if loop is not None and main is not None:
            with suppress(RuntimeError):  # ended already
                loop.call_soon_threadsafe(main.cancel)
        if thread is not None and thread is not threading.current_thread():
            thread.join(_STOPPING)
            if thread.is_alive():
                logger.warning("the tools do not end; they go with the program")
        self.state = "stopped"

    @property
    def error(self) -> str | None:
        """What is wrong now, if anything is."""
        return self._error or self._troubles.text

    @property
    def url(self) -> str:
        """Where the pages are; empty before ``start``."""
        return f"http://{address(self.host, self.port)}/" if self.port else ""

    def forked(self) -> None:
        """In a forked child: let go of the port, which is the parent's, and of the rest."""
        self.state = "stopped"
        for taken in self._sockets:
            taken.close()

    # ---- the thread ----

    def _run(self, ready: concurrent.futures.Future[None]) -> None:
        try:
            asyncio.run(self._take_part(ready))
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._error = str(error) or type(error).__name__
            if ready.done():
                logger.exception("the tools failed")
            else:
                ready.set_exception(error)
        finally:
            self.state = "stopped"
            if not ready.done():
                ready.set_exception(DevToolsError("the tools were stopped while they started"))

    async def _take_part(self, ready: concurrent.futures.Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        began = self._loop.time()
        attempts = 0
        while True:
            try:
                taken = listening(self.host, self.port)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise DevToolsError(
                        f"port {self.port} of {self.host} cannot be taken: {error.strerror}. "
                        "Choose another port, or port=0 for any"
                    ) from error
            else:
                await self._serve(taken, ready)
            found = await recognise(self.host, self.port)
            if found.kind == "nobody" and not ready.done() and self._loop.time() - began > _SEEKING:
                raise DevToolsError(self._taken(found))
            since = self._loop.time()
            await self._join(found, ready)
            attempts = 1 if self._loop.time() - since >= STEADY else attempts + 1
            refused = self.state == "refused"
            await asyncio.sleep(_REFUSED_PAUSE if refused else pause(attempts, _LONGEST_PAUSE))

    async def _serve(
        self, taken: list[socket.socket], ready: concurrent.futures.Future[None]
    ) -> None:
        self._sockets = taken
        self.port = taken[0].getsockname()[1]
        own: list[asyncio.Task[None]] = []
        try:
            hub = Hub(self._name)
            server = Server(hub.website, hub.routes)
            try:
                await server.start(taken)
                for path, opener in self._sides().items():
                    hold = partial(together, opener, hub.routes[path].open)
                    own.append(asyncio.ensure_future(keep(path, hold, self._troubles)))
                self.hub, self.about = hub, {"pid": os.getpid()}
                self.state, self._error = "serving", None
                _done(ready)
                await asyncio.get_running_loop().create_future()  # until cancelled
            finally:
                self.hub = None
                for each in own:
                    each.cancel()
                await asyncio.gather(*own, return_exceptions=True)
                hub.close()
                await server.close()
        finally:
            for listener in taken:
                listener.close()

    async def _join(self, found: Found, ready: concurrent.futures.Future[None]) -> None:
        """Take part, if there is anything to take part in, until it ends."""
        sides = dict(self._sides())
        if found.kind == "redux":
            sides = {path: o for path, o in sides.items() if path == "/socketcluster/"}
        elif found.kind == "other" or (found.kind == "ours" and not _speaks(found)):
            self._cannot(self._taken(found), ready)
            return
        elif found.kind == "nobody":
            return
        if not sides:  # nothing to show; the next server, should this one end
            self.about, self.state, self._error = found.about, "joined", None
            _done(ready)
            await asyncio.sleep(_LONGEST_PAUSE)
            return

        def begun() -> None:
            self.about = found.about
            self.state, self._error = "joined", None
            _done(ready)

        refused = self.state == "refused"
        try:
            await take_part(self.host, self.port, sides, begun, self._troubles, careful=refused)
        except RefusedError as error:
            self._refused(str(error))
            _done(ready)
            return
        except (OSError, WebSocketException) as error:
            self._error = f"{self.url}: {error or type(error).__name__}"
        finally:
            self._troubles.clear()
        self.state, self.about = "searching", {}

    def _refused(self, why: str) -> None:
        why = f"{self.url} does not show {self._name}: {why}"
        if self._error != why:
            logger.warning("%s; tried again from time to time", why)
        self.state, self.about, self._error = "refused", {}, why

    def _taken(self, found: Found) -> str:
        if found.kind == "ours":
            what = f"the tools of another version (process {found.about.get('pid')})"
        elif found.kind == "nobody":
            what = "a program that does not listen on it"
        else:
            what = "a program that is no Redux DevTools server"
        return (
            f"port {self.port} of {self.host} is taken by {what}. Choose another port "
            "(port=0: any that is free), or end that program"
        )

    def _cannot(self, why: str, ready: concurrent.futures.Future[None]) -> None:
        if not ready.done():
            raise DevToolsError(why)
        if self._error != why:
            logger.warning("%s; tried again until it is free", why)
        self._error = why


def _speaks(found: Found) -> bool:
    return found.about.get("crdtstore-devtools") == VERSION


def _done(ready: concurrent.futures.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


_running: weakref.WeakSet[Station] = weakref.WeakSet()


def _forked() -> None:
    for station in list(_running):
        station.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
