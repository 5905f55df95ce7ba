"""A peer: a store and its links to other peers, on a thread of its own.

The thread runs one event loop, with uvloop where that is installed; scripts, other loops and
notebooks never see it. Everything that it fails with ends in ``status.last_error`` and the log.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from crdtstore import Waitable

from .errors import PeerConfigError, PeerError, PeerStoppedError
from .goals import Goal
from .limits import Limits
from .mesh import Mesh
from .port import ReplicatedStore
from .status import PeerStatus
from .transports import transport_for

__all__ = ["Peer"]

logger = logging.getLogger("crdtstore.sync")


def _new_event_loop() -> asyncio.AbstractEventLoop:
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    return loop


class Peer:
    """Keeps ``store`` in sync with others, from ``start`` (or ``with``) to ``stop``.

    ``listen`` and ``connect`` are URLs, one or several of each: ``tcp://host:port`` (port 0 takes a
    free one, see ``addresses``), ``unix:///path``, ``memory://name``. Only peers of one
    ``namespace`` and one ``token`` talk to each other; to listen where other machines can connect,
    a token is required. It is never sent, but nothing that is sent is encrypted either: TLS comes
    later, until then use a VPN or an SSH tunnel across networks that are not yours.

    ``on_status`` is called in the peer's thread with each new status in which a link was opened,
    closed, in sync for the first time, or diverged, and with the last one of all, in which the
    peer is stopped; it must be quick.

    Raises TransportError for a bad address and PeerConfigError for what would not be safe.
    """

    def __init__(
        self,
        store: ReplicatedStore,
        listen: str | Iterable[str] = (),
        connect: str | Iterable[str] = (),
        *,
        namespace: str = "default",
        token: str | None = None,
        limits: Limits | None = None,
        on_status: Callable[[PeerStatus], None] | None = None,
    ) -> None:
        self._store = store
        self._listen = (listen,) if isinstance(listen, str) else tuple(listen)
        self._connect = (connect,) if isinstance(connect, str) else tuple(connect)
        self._namespace = namespace
        self._token = token
        self._limits = Limits() if limits is None else limits
        self._on_status = on_status
        self._replica = store.replica
        self._session = store.session
        self._state = "new"
        self._error: str | None = None
        self._mesh: Mesh | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Future[bool] | None = None
        if token is not None and not token:
            raise PeerConfigError("the token is empty; leave it out, or use a long random one")
        for url in (*self._listen, *self._connect):
            transport = transport_for(url)
            if token is None and url in self._listen and not transport.is_local(url):
                raise PeerConfigError(
                    f"listening on {url} needs token=...: whoever can connect could read and "
                    "change this store. Pass the same long random token to every peer, or listen "
                    "on 127.0.0.1. (The token protects who takes part, not the privacy of what "
                    "is sent: TLS comes later.)"
                )

    # ---- life ----

    def start(self) -> Self:
        """Listen and begin to connect; returns once every ``listen`` address is bound.

        Raises TransportError if one cannot be, PeerError if the peer was started before.
        """
        if self._state != "new":
            raise PeerError(f"this peer is {self._state}; make a new one to start again")
        self._state = "running"
        ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=self._main, args=(ready,), name="crdtstore-peer", daemon=True
        )
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Hand over what is queued, for a bounded time, say goodbye and close every link.

        Harmless when called twice. The store stays open.
        """
        self._ask_to_stop(linger=True)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._state = "stopped"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.stop)

    def __repr__(self) -> str:
        links = 0 if self._mesh is None else len(self.status.connected)
        return f"<Peer of replica {self._replica[:8]}: {self._state}, {links} connected>"

    # ---- questions ----

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where others can connect to, with real ports; empty before ``start``."""
        return () if self._mesh is None else self._mesh.addresses

    @property
    def status(self) -> PeerStatus:
        """Who is connected, how far behind, what went wrong last."""
        mesh = self._mesh
        return PeerStatus(
            self._replica,
            self._session,
            self._namespace,
            self._state,
            self.addresses,
            () if mesh is None else mesh.status(),
            self._error,
        )

    def synced(self, to: int | None = None) -> Waitable[None]:
        """Wait until we and others have each other's work.

        Everything this store has at the time of the call is then durable at the peers in question,
        and everything they have when they are asked is merged here. Those peers are all that are
        connected at the time of the call and at least one; or, with ``to``, any ``to`` distinct
        replicas, connected now or later.

        Fails with DivergenceError if a full repair left a difference, with PeerStoppedError when
        the peer is stopped.
        """
        name = "peer.synced()" if to is None else f"peer.synced(to={to})"
        return self._wait_for(name, to, pull=True)

    def replicated(self, to: int = 1) -> Waitable[None]:
        """Wait until everything dispatched so far is durable at ``to`` distinct replicas."""
        return self._wait_for(f"peer.replicated(to={to})", to, pull=False)

    def _wait_for(self, name: str, to: int | None, *, pull: bool) -> Waitable[None]:
        if to is not None and to < 1:
            raise PeerConfigError(f"to is a number of peers, at least 1, not {to}")
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        try:
            if self._loop is None or self._state != "running":
                raise RuntimeError
            self._loop.call_soon_threadsafe(self._begin, future, to, pull)
        except RuntimeError:
            future.set_exception(PeerStoppedError(f"{name}: this peer is {self._state}"))
        return Waitable(future, name)

    def _begin(self, future: concurrent.futures.Future[None], to: int | None, pull: bool) -> None:
        mesh = self._mesh
        assert mesh is not None
        links = [link for link in mesh.links if link.is_open]
        replicas = frozenset(link.replica for link in links) if to is None else frozenset()
        goal = Goal(future, 0, to or 1, replicas, pull)
        mesh.reach(goal)

    # ---- the thread ----

    def _main(self, ready: concurrent.futures.Future[None]) -> None:
        loop = _new_event_loop()
        self._stop = loop.create_future()
        self._loop = loop
        try:
            loop.run_until_complete(self._run(loop, self._stop, ready))
        except BaseException as error:
            if not ready.done():
                ready.set_exception(error)
            else:
                logger.exception("the peer failed")
                self._error = f"{type(error).__name__}: {error}"
        finally:
            self._state = "stopped"
            if self._mesh is not None:
                self._mesh.goals.fail(PeerStoppedError("the peer was stopped"))
            loop.close()
            self._changed()
            if not ready.done():
                ready.set_exception(PeerStoppedError("the peer was stopped while it started"))

    async def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        stop: asyncio.Future[bool],
        ready: concurrent.futures.Future[None],
    ) -> None:
        loop.set_exception_handler(self._failed)
        mesh = self._mesh = Mesh(
            self._store,
            self._namespace,
            self._token,
            self._limits,
            changed=self._changed,
            store_closed=self._store_closed,
        )
        linger = False
        try:
            await mesh.open(self._listen, self._connect)
            ready.set_result(None)
            self._changed()
            linger = await stop
        finally:
            await mesh.close(linger=linger)
            await loop.shutdown_default_executor()

    def _ask_to_stop(self, *, linger: bool) -> None:
        def tell() -> None:
            if self._stop is not None and not self._stop.done():
                self._stop.set_result(linger)

        if self._loop is not None:
            with suppress(RuntimeError):  # stopped already
                self._loop.call_soon_threadsafe(tell)

    def _store_closed(self) -> None:
        if self._stop is not None and not self._stop.done():
            logger.warning("the store was closed under a running peer; the peer stops")
            self._error = "the store was closed"
            self._stop.set_result(False)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Whatever nobody else caught."""
        error = context.get("exception")
        logger.error("in the peer's thread: %s", context.get("message"), exc_info=error)  # type: ignore[arg-type]
        self._error = f"{context.get('message')}: {error!r}"

    def _changed(self) -> None:
        if self._on_status is not None:
            try:
                self._on_status(self.status)
            except Exception:
                logger.exception("on_status failed")
