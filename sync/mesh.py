"""All links of one peer, inside its event loop: listen, connect again, relay, wind up.

A commit that becomes durable goes to every link but the one it came from, so work travels through
any mesh, cycles included; it stops travelling because a duplicate merge makes no commit. Two peers
that connected to each other keep one of the two links: an initiator closes its own when another
link to the same session is open that the smaller session id made, or that it made itself before.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import get_ident

from .errors import PeerStoppedError, TransportError
from .frames import Hello, Reason, SliceInfo
from .goals import Goal, Goals
from .limits import Limits
from .link import Link
from .port import Commit, ReplicatedStore
from .session import Role, Session
from .status import LinkStatus
from .transports import Listener, transport_for
from .watermarks import Watermarks

__all__ = ["Mesh"]

logger = logging.getLogger("crdtstore.sync")

COMMITS_A_TURN = 1000


@dataclass(slots=True)
class Connector:
    """One address to stay connected to."""

    url: str
    state: str = "connecting"
    link: Link | None = None
    error: str | None = None


@dataclass(slots=True)
class Mesh:
    """The links of one peer; made and used inside its event loop, except for ``status``."""

    store: ReplicatedStore
    namespace: str
    token: str | None
    limits: Limits
    changed: Callable[[], None]
    """Called when the status of a link changed in kind."""
    store_closed: Callable[[], None]
    """Called when the store turns out to be closed."""
    marks: Watermarks = field(default_factory=Watermarks)
    goals: Goals = field(default_factory=Goals)
    links: list[Link] = field(default_factory=list)
    addresses: tuple[str, ...] = ()
    _connectors: list[Connector] = field(default_factory=list)
    _listeners: list[Listener] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _reaching: set[asyncio.Task[None]] = field(default_factory=set)
    _commits: deque[Commit] = field(default_factory=deque)
    _unsubscribe: list[Callable[[], None]] = field(default_factory=list)
    _draining: bool = False
    _restarting: bool = False
    _stopping: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    _thread: int = field(default_factory=get_ident)

    # ---- life ----

    async def open(self, listen: tuple[str, ...], connect: tuple[str, ...]) -> None:
        """Listen everywhere, and begin to connect; raises TransportError."""
        self._unsubscribe += [
            self.store.on_commit(self.marks.saw_applied),
            self.store.on_commit(self._on_durable, durable=True),
            self.store.on_inject(self._on_inject),
        ]
        # What was committed before is durable from here on, and what comes is watched.
        await self.store.flush()
        for url in listen:
            listener = await transport_for(url).listen(url, partial(self._accept, url))
            self._listeners.append(listener)
            self.addresses = (*self.addresses, listener.url)
        for url in connect:
            connector = Connector(url)
            self._connectors.append(connector)
            self._tasks.append(self._loop.create_task(self._stay_connected(connector)))
        self._tasks.append(self._loop.create_task(self._tick()))

    async def close(self, *, linger: bool) -> None:
        """Hand over what is queued, for a bounded time; say BYE; close everything."""
        self._stopping = True
        for listener in self._listeners:
            await listener.close()
        if linger:
            until = self._loop.time() + self.limits.linger_seconds
            while self._loop.time() < until and not self._idle():
                await asyncio.sleep(0.005)
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        tasks = (*self._tasks, *self._reaching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connector in self._connectors:
            connector.state = "stopped"
        links = tuple(self.links)
        for link in links:
            link.close(Reason.STOPPING)
        if links:
            await asyncio.wait(
                [link.closed for link in links], timeout=self.limits.linger_seconds + 1
            )
        self.goals.fail(PeerStoppedError("the peer was stopped before this was reached"))

    def _idle(self) -> bool:
        made = not self._commits and self.marks.durable >= self.marks.applied
        return made and all(link.idle for link in self.links)

    def status(self) -> tuple[LinkStatus, ...]:
        """Every link, and every address without one; from any thread."""
        connectors = tuple(self._connectors)
        links = tuple(self.links)
        idle = [
            # Between two tries: what was open a moment ago is not any more.
            LinkStatus(c.url, True, "waiting" if c.state == "open" else c.state, last_error=c.error)
            for c in connectors
            if c.link is None or c.link not in links
        ]
        errors = {id(c.link): c.error for c in connectors if c.link is not None}
        return (*(link.status(errors.get(id(link))) for link in links), *idle)

    # ---- goals ----

    def reach(self, goal: Goal) -> None:
        """Wait for everything that this store has now, as ``goal`` says."""
        task = self._loop.create_task(self._reach(goal))
        self._reaching.add(task)
        task.add_done_callback(self._reaching.discard)

    async def _reach(self, goal: Goal) -> None:
        try:
            # The store may tell of a commit a moment after the call that made it has returned.
            await self.store.flush()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            goal.fail(PeerStoppedError("the peer was stopped before this was reached"))
            raise
        except Exception as error:
            goal.fail(error)
            return
        goal.commit = self.marks.applied
        self.goals.add(goal)
        self.goals.evaluate(self._open_links())

    # ---- commits ----

    def _on_durable(self, commit: Commit) -> None:
        """From any thread, in commit order."""
        self._commits.append(commit)
        if not self._draining:
            self._draining = True
            if get_ident() == self._thread:
                self._loop.call_soon(self._drain)
            else:
                with suppress(RuntimeError):  # the loop is closed: stopped
                    self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._draining = False
        commits = self._commits
        batch = [commits.popleft() for _ in range(min(len(commits), COMMITS_A_TURN))]
        for commit in batch:
            self.marks.saw_durable(commit)
        for link in tuple(self.links):
            link.committed(batch)
        if commits and not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain)
        if self.goals:
            self.goals.evaluate(self._open_links())

    # ---- slices ----

    def _on_inject(self, name: str) -> None:
        """From any thread: what HELLO said of the slices is not true any more."""
        if not self._restarting:
            self._restarting = True
            with suppress(RuntimeError):  # the loop is closed: stopped
                self._loop.call_soon_threadsafe(self._restart)

    def _restart(self) -> None:
        """Close every link, so that it begins anew with a HELLO that names the new slices."""
        self._restarting = False
        for link in tuple(self.links):
            link.close(Reason.RESTART, "the slices of this side have changed; connect again")

    # ---- links ----

    def _open_links(self) -> list[Link]:
        return [link for link in self.links if link.is_open]

    def _new_link(self, role: Role, address: str) -> Link:
        kinds = self.store.schema()
        hello = Hello(
            self.store.replica,
            self.store.session,
            self.namespace,
            {name: SliceInfo(0, paths) for name, paths in kinds.items()},
            self.limits.message_bytes,
        )
        session = Session(
            role, hello, nonce=secrets.token_bytes(32), token=self.token, limits=self.limits
        )
        link = Link(self, session, address, self._loop)
        self.links.append(link)
        return link

    def _accept(self, url: str) -> Link:
        half_open = sum(not link.outgoing and not link.session.authenticated for link in self.links)
        link = self._new_link(Role.ACCEPTOR, url)
        if self._stopping:
            link.close(Reason.STOPPING)
        elif half_open >= self.limits.half_open:
            link.close(Reason.OVERLOADED, "too many connections that have not authenticated yet")
        return link

    def link_opened(self, link: Link) -> None:
        """Both sides are known: keep only one link between two sessions, and go."""
        remote = link.session.remote
        assert remote is not None
        if remote.replica == self.store.replica:
            logger.warning(
                "%s is another session of our own replica %s: a copied file?",
                link.address,
                remote.replica,
            )
        same = [x for x in self._open_links() if x.session.remote.session == remote.session]  # type: ignore[union-attr]
        ours = [x for x in same if x.outgoing]
        smaller = any(not x.outgoing for x in same) and remote.session < self.store.session
        for extra in ours if smaller else ours[1:]:
            extra.close(Reason.DUPLICATE, f"another link goes to session {remote.session}")
        if link.is_open:
            logger.info("linked with replica %s at %s", remote.replica, link.address)
            link.wake()
        self.changed()

    def link_worked(self, link: Link) -> None:
        """A link had its turn."""
        if self.goals:
            self.goals.evaluate(self._open_links())

    def link_changed(self, link: Link) -> None:
        """A link is in sync for the first time, or diverged."""
        self.changed()

    def link_closed(self, link: Link) -> None:
        """A link is gone."""
        self.links.remove(link)
        self.goals.forget(link)
        if not self._stopping:
            usual = link.reason in (Reason.STOPPING, Reason.RESTART, Reason.DUPLICATE, "lost")
            level = logging.INFO if usual else logging.WARNING
            logger.log(level, "link with %s closed: %s", link.replica or link.address, link.error)
        self.changed()

    # ---- staying connected ----

    async def _stay_connected(self, connector: Connector) -> None:
        limits = self.limits
        pause = limits.backoff_first_seconds
        while True:
            connector.state = "connecting"
            link: Link | None = None
            try:
                link = await self._connect(connector)
                await asyncio.wait([link.closed])  # cancelled, it leaves the future alone
                connector.error = link.error
            except (TransportError, TimeoutError) as error:
                before = connector.error
                connector.error = str(error) or f"no connection to {connector.url} in time"
                if connector.error != before:  # being offline is usual, and need not fill the log
                    logger.info("%s", connector.error)
            except Exception as error:
                logger.exception("connecting to %s failed", connector.url)
                connector.error = f"{type(error).__name__}: {error}"
            connector.link = None
            if link is not None and link.reason == Reason.SELF:
                connector.state = "self"
                logger.warning("%s is this peer itself; not connecting there again", connector.url)
                self.changed()
                return
            if link is not None and link.reason == Reason.DUPLICATE and not link.by_remote:
                connector.state, connector.error = "duplicate", None
                self.changed()
                await self._until_gone(link)
                pause = limits.backoff_first_seconds
                continue
            if link is not None and link.has_settled:
                pause = limits.backoff_first_seconds
            connector.state = "waiting"
            self.changed()
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, limits.backoff_last_seconds)

    async def _connect(self, connector: Connector) -> Link:
        """A connection that is made; raises TransportError or TimeoutError."""
        made: list[Link] = []

        def factory() -> Link:
            made.append(self._new_link(Role.INITIATOR, connector.url))
            return made[-1]

        try:
            async with asyncio.timeout(self.limits.connect_seconds):
                await transport_for(connector.url).connect(connector.url, factory)
        except BaseException:
            for link in made:
                if link in self.links:
                    link.connection_lost(None)
            raise
        connector.link, connector.state = made[-1], "open"
        return made[-1]

    async def _until_gone(self, duplicate: Link) -> None:
        """Wait while another link goes to the session that ``duplicate`` went to."""
        remote = duplicate.session.remote
        assert remote is not None
        while others := [
            link.closed
            for link in self._open_links()
            if link.session.remote is not None and link.session.remote.session == remote.session
        ]:
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)

    async def _tick(self) -> None:
        limits = self.limits
        pause = min(limits.heartbeat_seconds, limits.request_seconds, limits.handshake_seconds) / 4
        while True:
            await asyncio.sleep(pause)
            for link in tuple(self.links):
                link.tick()
