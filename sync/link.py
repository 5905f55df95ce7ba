"""One connection: bytes between a transport and a session, frames between a session and a store.

Whatever happens in a round of the event loop (bytes arrived, commits became durable, time passed)
ends in a *turn*: the link works for a bounded time, decides what to send and writes it in one
piece. Whatever goes wrong in a turn closes this link, with a name for it, and no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol, cast

from crdtstore import ClosedError, UpdateError

from .errors import LocalProtocolError, RemoteProtocolError
from .exchange import Exchange
from .frames import Reason
from .limits import Limits
from .port import Commit, ReplicatedStore
from .session import Closed, Opened, Phase, Role, Session
from .status import LinkStatus
from .watermarks import Watermarks

__all__ = ["Host", "Link"]

logger = logging.getLogger("crdtstore.sync")

WRITE_BYTES = 256 * 1024
"""What is given to the transport at once, and how much it may hold back before it says so."""


class Host(Protocol):
    """What a link needs of the mesh it is part of."""

    @property
    def store(self) -> ReplicatedStore: ...
    @property
    def marks(self) -> Watermarks: ...
    @property
    def limits(self) -> Limits: ...
    def link_opened(self, link: Link) -> None: ...
    def link_worked(self, link: Link) -> None: ...
    def link_changed(self, link: Link) -> None: ...
    def link_closed(self, link: Link) -> None: ...
    def store_closed(self) -> None: ...


class Link(asyncio.Protocol):
    """One connection of a peer."""

    def __init__(
        self, host: Host, session: Session, address: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.session = session
        self.address = address
        self.outgoing = session.role is Role.INITIATOR
        self.exchange: Exchange | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        self.reason: str | None = None
        """Why it was closed, one of the close reasons or of the transport's words."""
        self.detail = ""
        self.by_remote = False
        self.has_settled = False
        """Whether it ever was in sync, so that it counts as a good connection."""
        self.began = loop.time()
        self._host = host
        self._loop = loop
        self._wire: asyncio.Transport | None = None
        self._scheduled = False
        self._writable = True
        self._reading = True
        self._bytes_in = self._bytes_out = self._frames_in = 0

    # ---- what the mesh asks ----

    @property
    def replica(self) -> str:
        remote = self.session.remote
        return "" if remote is None else remote.replica

    @property
    def is_open(self) -> bool:
        return self.session.phase is Phase.OPEN

    @property
    def idle(self) -> bool:
        """Whether everything is sent and acknowledged, so that stopping loses nobody time."""
        exchange = self.exchange
        if self.session.closed:
            return True
        if exchange is None:  # worth waiting for, if it is more than somebody who says nothing
            return not self.outgoing and not self.session.authenticated
        return exchange.outgoing.settled and not exchange.outbox

    def status(self, last_error: str | None = None) -> LinkStatus:
        """This link, for people; ``last_error`` is that of the link before it, if any."""
        exchange, session, remote = self.exchange, self.session, self.session.remote
        phase = session.phase
        state = phase.value if phase in (Phase.OPEN, Phase.CLOSED) else "handshake"
        shared = session.shared if remote is not None else session.hello.slices.keys()
        last_error = self.error or last_error
        queued = 0 if self._wire is None else self._wire.get_write_buffer_size()
        if exchange is None:
            return LinkStatus(
                self.address, self.outgoing, state, last_error=self.error or last_error
            )
        return LinkStatus(
            self.address,
            self.outgoing,
            state,
            replica=None if remote is None else remote.replica,
            session=None if remote is None else remote.session,
            in_sync=exchange.settled,
            diverged=tuple(sorted(exchange.audit.diverged)),
            unshared=tuple(sorted(session.hello.slices.keys() - shared)),
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            frames_in=self._frames_in,
            frames_out=session.frames_out,
            unacked_frames=exchange.outgoing.head - exchange.outgoing.acked,
            unacked_bytes=exchange.outgoing.unacked_bytes,
            queued_bytes=queued + exchange.outbox.queued_bytes,
            drops=exchange.outgoing.drops,
            round_trip=exchange.round_trip,
            last_error=last_error,
        )

    @property
    def error(self) -> str | None:
        """Why it was closed, for people."""
        if self.reason is None:
            return None
        who = " (said the other side)" if self.by_remote else ""
        return f"{self.reason}{who}: {self.detail}" if self.detail else f"{self.reason}{who}"

    # ---- what the mesh tells ----

    def wake(self) -> None:
        """Have a turn soon."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._woken)

    def committed(self, commits: Iterable[Commit]) -> None:
        """These commits became durable, in this order."""
        exchange = self.exchange
        if exchange is not None and self.is_open:

            def tell() -> None:
                for commit in commits:
                    exchange.outgoing.committed(commit)
                exchange.durable()

            self._guard(tell)
            self._turn()

    def tick(self) -> None:
        """Time passes."""
        now = self._loop.time()
        if self.exchange is None:
            if now - self.began >= self._host.limits.handshake_seconds:
                self.close(Reason.TIMEOUT, "the handshake took too long")
        elif not self.exchange.tick(now):
            self.close(Reason.TIMEOUT, "the other side has been silent for too long")
        else:
            self.wake()

    def close(self, reason: str, detail: str = "") -> None:
        """Say BYE and close the connection."""
        self._note(reason, detail, by_remote=False)
        self.session.close(reason, detail)
        self._hang_up()

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast("asyncio.Transport", transport)
        self._wire.set_write_buffer_limits(high=WRITE_BYTES)
        if not self.outgoing:
            self.address = _peer_address(self._wire) or self.address
        if self.session.closed:
            self._hang_up()
        else:
            self._write(self.session.data_to_send())

    def data_received(self, data: bytes) -> None:
        self._bytes_in += len(data)
        self._guard(lambda: self._receive(data))
        self._turn()

    def eof_received(self) -> None:
        return None  # the transport closes itself then

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._note("lost", "the connection was lost" if exc is None else str(exc), by_remote=False)
        self.session.close(Reason.STOPPING)
        self._wire = None
        if not self.closed.done():
            self.closed.set_result(None)
            self._host.link_closed(self)

    # ---- the turn ----

    def _receive(self, data: bytes) -> None:
        events = self.session.receive_data(data)
        self._frames_in += len(events)
        for event in events:
            if isinstance(event, Opened):
                self._open()
            elif isinstance(event, Closed):
                self._note(event.reason, event.detail, by_remote=True)
                self._hang_up()
            elif self.exchange is not None:
                self.exchange.receive(event, self._loop.time())

    def _open(self) -> None:
        host = self._host
        self.exchange = Exchange(
            host.store, self.session, host.marks, host.limits, self._loop.time(), self._diverged
        )
        host.link_opened(self)

    def _woken(self) -> None:
        self._scheduled = False
        self._turn()

    def _turn(self) -> None:
        if self._wire is None:
            return
        self._guard(self._work)
        self._host.link_worked(self)

    def _work(self) -> None:
        if self.session.has_data_to_send:  # the handshake, before all else
            self._write(self.session.data_to_send())
        exchange, loop = self.exchange, self._loop
        if exchange is not None and self.is_open:
            now = loop.time()
            if exchange.busy:
                until = now + self._host.limits.work_seconds
                while exchange.step(now):
                    if now >= until:
                        self.wake()
                        break
                    now = loop.time()
                self._read(not exchange.busy)
            elif not self._reading:
                self._read(True)
            exchange.evaluate(now)
            while self._writable and exchange.outbox and self._wire is not None:
                self._write(exchange.outbox.take(WRITE_BYTES))
            if not self.has_settled and exchange.settled:
                self.has_settled = True
                self._host.link_changed(self)

    def _read(self, wanted: bool) -> None:
        """Take no more from the transport while what it gave is not worked off."""
        if wanted is not self._reading and self._wire is not None:
            self._reading = wanted
            if wanted:
                self._wire.resume_reading()
            else:
                self._wire.pause_reading()

    def _write(self, data: bytes) -> None:
        if data and self._wire is not None:
            self._bytes_out += len(data)
            self._wire.write(data)

    def _guard(self, work: Callable[[], None]) -> None:
        """Do something; whatever it raises closes this link and is never lost."""
        try:
            work()
        except RemoteProtocolError as error:
            self.close(error.reason, error.detail)
        except UpdateError as error:
            self.close(Reason.BAD_UPDATE, str(error))
        except LocalProtocolError as error:
            self.close(Reason.TOO_LARGE, str(error))
        except ClosedError:
            self._host.store_closed()
        except Exception as error:
            logger.exception("the link to %s failed", self.address)
            self.close(Reason.INTERNAL, f"{type(error).__name__}: {error}")

    def _diverged(self, slices: frozenset[str]) -> None:
        logger.error(
            "DIVERGENCE: this store and replica %s have seen the same changes and differ in %s, "
            "after a full repair too",
            self.replica,
            ", ".join(sorted(slices)),
        )
        self._host.link_changed(self)

    def _note(self, reason: str, detail: str, *, by_remote: bool) -> None:
        if self.reason is None:
            self.reason, self.detail, self.by_remote = str(reason), detail, by_remote

    def _hang_up(self) -> None:
        wire = self._wire
        if wire is not None:
            self._write(self.session.data_to_send())
            wire.close()
            # A peer that reads nothing must not keep the connection for ever.
            self._loop.call_later(self._host.limits.linger_seconds, self._abort)

    def _abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()


def _peer_address(wire: asyncio.Transport) -> str | None:
    """Where an accepted connection comes from, when the transport knows."""
    name = wire.get_extra_info("peername")
    if not isinstance(name, tuple):
        return None
    host, port = name[:2]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
