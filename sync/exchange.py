"""Replication over one open link: what to send, what is owed, what is acknowledged.

Each event changes state, and then one ``evaluate`` decides what to send. No clock, socket or
randomness inside: time is passed in, the store is called, bytes come out of ``outbox``. The
invariants, numbered as in PROTOCOL.md:

1. DELTAs and DIFFs of one direction are numbered together, 1, 2, 3, … in the order they are sent.
2. A DELTA or DIFF carries only what is durable at its sender.
3. Live deltas are sent only while the direction is current (``outgoing``).
4. A DIFF that merged completely counts for every frame before it (``incoming``).
5. A gap is answered by a STATE, and at most one STATE is unanswered at a time.
6. An ACK of n says that everything up to n, and everything this side had when it merged n, is
   durable here; so what a STATE claimed, and was therefore not sent, is covered too.
7. Two sides that are settled send nothing but heartbeats and, from time to time, a STATE.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .audit import Audit
from .frames import Ack, Delta, Diff, Extension, Ping, Pong, State
from .incoming import Incoming
from .limits import Limits
from .outbox import Outbox
from .outgoing import Outgoing
from .port import ReplicatedStore
from .session import Message, Session
from .watermarks import Watermarks

__all__ = ["Exchange"]


class Exchange:
    """One end of the replication on one link."""

    def __init__(
        self,
        store: ReplicatedStore,
        session: Session,
        marks: Watermarks,
        limits: Limits,
        now: float,
        on_divergence: Callable[[frozenset[str]], None],
    ) -> None:
        self.outbox = Outbox(limits.queue_bytes)
        self.audit = Audit()
        self.outgoing = Outgoing(store, session, marks, limits, self.outbox, self.audit)
        self.incoming = Incoming(store, session, marks, limits, self.outbox, self.audit, now)
        self.round_trip: float | None = None
        """Seconds between the last ping and its pong."""
        self._session = session
        self._limits = limits
        self._on_divergence = on_divergence
        self._diverged: frozenset[str] = frozenset()
        self._inbox: deque[Message] = deque()
        self._pings = 0
        self._pinged_at = now
        self._heard_at = now

    @property
    def settled(self) -> bool:
        """Whether nothing that is known of is outstanding in either direction."""
        return (
            self.outgoing.settled
            and self.incoming.settled
            and not self._inbox
            and not self.audit.suspect
            and not self.audit.diverged
        )

    @property
    def busy(self) -> bool:
        """Whether ``step`` has work."""
        return bool(self._inbox) or self.incoming.merging

    def receive(self, event: Message, now: float) -> None:
        """Take an event of the session; ``step`` works on it."""
        self._heard_at = now
        self._inbox.append(event)

    def step(self, now: float) -> bool:
        """Do one bounded piece of work; False when there is none.

        Raises RemoteProtocolError for frames that make no sense, and what the store raises.
        """
        if self.incoming.merging:
            self.incoming.merge_next(now)
            return True
        if not self._inbox:
            return False
        event = self._inbox.popleft()
        match event:
            case Delta():
                self.incoming.delta(event)
            case Ack(number):
                self.outgoing.acknowledged(number)
            case Diff():
                self.incoming.diff(event)
            case State():
                self.outgoing.asked(event)
            case Ping(id, head, acked):
                self._on_heads(head, acked)
                pong = Pong(id, self.outgoing.head, self.incoming.ack)
                self.outbox.put(self._session.send(pong))
            case Pong(id, head, acked):
                self._on_heads(head, acked)
                if id == self._pings:
                    self.round_trip = now - self._pinged_at
            case Extension():
                pass
        return True

    def durable(self) -> None:
        """``Watermarks.durable`` grew: let go what waited for it."""
        self.incoming.durable()
        self.outgoing.durable()

    def tick(self, now: float) -> bool:
        """Time passes; False when the other side has been silent for too long."""
        silence = now - self._heard_at
        if silence >= self._limits.timeout_seconds:
            return False
        heartbeat = self._limits.heartbeat_seconds
        if silence >= heartbeat and now - self._pinged_at >= heartbeat:
            self._ping(now)
        if now - self.incoming.asked_at >= self._limits.sync_seconds:
            self.incoming.request()
        return True

    def evaluate(self, now: float) -> None:
        """Decide what to send."""
        outgoing = self.outgoing
        outgoing.evaluate()
        if (
            outgoing.dropped
            and not self.outbox
            and outgoing.unacked_bytes <= self._limits.unacked_bytes
        ):
            # The other side sees from `head` that it lacks something, and asks.
            outgoing.dropped = False
            self._ping(now)
        self.incoming.evaluate(now)
        if self.audit.diverged != self._diverged:
            news = self.audit.diverged - self._diverged
            self._diverged = frozenset(self.audit.diverged)
            if news:
                self._on_divergence(self._diverged)

    def _on_heads(self, head: int, acked: int) -> None:
        self.incoming.saw_head(head)
        self.outgoing.acknowledged(acked)

    def _ping(self, now: float) -> None:
        self._pings += 1
        self._pinged_at = now
        self.outbox.put(
            self._session.send(Ping(self._pings, self.outgoing.head, self.incoming.ack))
        )
