"""One direction of one link, seen from its receiver: merging, gaps, questions, acknowledgements.

Frames are merged in any order. ``received`` counts: every number up to it is merged. A DIFF that
merged completely counts for every number before its own, because it was made from a vector of ours
and holds whatever those frames held that we lack. A number seen beyond ``received + 1``, or a delta
that lacks what it depends on, is a gap; a gap is answered by a STATE, one at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from crdtstore import ActionInfo

from .audit import Audit, read
from .errors import RemoteProtocolError
from .frames import Ack, Delta, Diff, Entry, Reason, State, Verdict
from .limits import Limits
from .outbox import Outbox
from .port import Merged, ReplicatedStore
from .session import Session
from .watermarks import Mark, Origin, Watermarks

__all__ = ["Incoming"]

TOGETHER = 256 * 1024
"""A DIFF of fewer bytes is merged in one call; a larger one slice by slice, others in between."""


@dataclass(slots=True)
class _Merging:
    """A DIFF being merged: what is left to merge (slice, delta, whole?), and how it went."""

    diff: Diff
    steps: deque[tuple[Mapping[str, bytes], bool]]
    missing: bool = False


class Incoming:
    """What comes from the other side, and what is asked of it."""

    def __init__(
        self,
        store: ReplicatedStore,
        session: Session,
        marks: Watermarks,
        limits: Limits,
        outbox: Outbox,
        audit: Audit,
        now: float,
    ) -> None:
        assert session.remote is not None
        self.received = 0
        self.answered = 0
        """The id of our last STATE whose answer is merged, completely."""
        self.ack = 0
        """Every frame up to this number is durable here."""
        self.asked_at = now
        self._store = store
        self._session = session
        self._marks = marks
        self._limits = limits
        self._outbox = outbox
        self._audit = audit
        self._replica = session.remote.replica
        self._seen = 0
        self._merging: _Merging | None = None
        self._owed: deque[tuple[int, Mark]] = deque()  # (number, what must be durable to ack it)
        self._ack_sent = 0
        self._asked = 0
        self._asked_repaired: frozenset[str] = frozenset()  # what that STATE called repaired
        self._replied = 0  # as answered, merged completely or not
        self._wanted = 1
        self._retry_at = now

    @property
    def settled(self) -> bool:
        """Whether all that is known to have been sent is merged."""
        return self.received == self._seen and self.answered > 0 and self._merging is None

    @property
    def merging(self) -> bool:
        """Whether a DIFF is being merged; other frames have to wait."""
        return self._merging is not None

    # ---- questions and acknowledgements ----

    def request(self) -> int:
        """Compare with the other side soon; the id of a STATE, to look for in ``answered``."""
        self._wanted = max(self._wanted, self._asked + 1)
        return self._asked + 1

    def saw_head(self, head: int) -> None:
        """The other side has sent frames up to ``head``."""
        self._seen = max(self._seen, head)

    def durable(self) -> None:
        """More became durable."""
        while self._owed and self._marks.covers(self._owed[0][1]):
            self.ack = self._owed.popleft()[0]

    def evaluate(self, now: float) -> None:
        """Ask, if something is missing or wanted and no question is open; acknowledge."""
        if self._audit.suspect and self._audit.wants_whole:
            self.request()
        if now >= self._retry_at:
            due = self._wanted > self._asked or self._seen > self.received
            pending = self._asked > self._replied
            if pending and now - self.asked_at >= self._limits.request_seconds:
                due, pending = True, False
            if due and not pending:
                self._ask(now)
        if self.ack > self._ack_sent:
            self._ack_sent = self.ack
            self._outbox.put(self._session.send(Ack(self.ack)))

    def _ask(self, now: float) -> None:
        vectors, digests = read(self._store)
        self._asked += 1
        self.asked_at = now
        self._asked_repaired = frozenset(self._audit.repaired)
        entries = {
            name: Entry(vectors[name], digests[name], name in self._asked_repaired)
            for name in sorted(self._session.shared)
        }
        self._outbox.put(self._session.send(State(self._asked, entries)))

    # ---- merging ----

    def _merge(
        self, deltas: Mapping[str, bytes], info: ActionInfo | None, *, repair: bool = False
    ) -> Merged:
        marks = self._marks
        origin = Origin(self._replica, self._session.link_id, deltas, marks, marks.merged + 1)
        merged = self._store.merge(deltas, info=info, origin=origin, repair=repair)
        if merged.changed:
            marks.merged += 1
        return merged

    def _count(self, number: int) -> None:
        self.received = number
        mark = self._marks.mark
        if not self._owed and self._marks.covers(mark):
            self.ack = number
        else:
            self._owed.append((number, mark))

    def delta(self, delta: Delta) -> None:
        """Merge one commit."""
        number = delta.number
        if number <= self.received:
            return
        if number > self._seen:
            self._seen = number
        missing = self._merge(delta.deltas, delta.info).missing
        if number == self.received + 1 and not missing:
            self._count(number)

    def diff(self, diff: Diff) -> None:
        """Begin to merge an answer; ``merge_next`` goes on."""
        if diff.answers > self._asked:
            raise RemoteProtocolError(
                Reason.UNEXPECTED, f"a DIFF answers STATE {diff.answers}, which was never sent"
            )
        if diff.number <= self.received:
            return
        steps: deque[tuple[Mapping[str, bytes], bool]] = deque()
        plain: dict[str, bytes] = {}
        for name, delta in diff.deltas.items():
            if name in diff.verdicts:
                steps.append(({name: delta}, True))
            else:
                plain[name] = delta
        if sum(map(len, plain.values())) < TOGETHER:
            if plain:
                steps.appendleft((plain, False))
        else:
            steps.extendleft(({name: delta}, False) for name, delta in plain.items())
        self._merging = _Merging(diff, steps)

    def merge_next(self, now: float) -> None:
        """Merge one more slice of the answer, or end it."""
        merging = self._merging
        assert merging is not None
        if merging.steps:
            deltas, repair = merging.steps.popleft()
            merging.missing |= bool(self._merge(deltas, None, repair=repair).missing)
            return
        self._merging = None
        diff = merging.diff
        self._replied = max(self._replied, diff.answers)
        self.saw_head(diff.number)
        if merging.missing:
            # Its own diff cannot be applied: asking again at once would only get the same.
            self._retry_at = now + self._limits.request_seconds
            return
        if self._seen > diff.number:
            # What was seen later was lost too. An honest side gets there in a few rounds.
            self._retry_at = now + self._limits.request_seconds / 10
        self.answered = max(self.answered, diff.answers)
        self._count(diff.number)
        # A whole may be empty; that it was asked for says that this was it.
        wholes = {name for name, v in diff.verdicts.items() if v == Verdict.UNEQUAL}
        if diff.answers == self._asked:
            wholes -= self._asked_repaired
        else:
            wholes &= diff.deltas.keys()
        self._audit.learn(diff.verdicts, wholes)
        if wholes:
            self.request()
