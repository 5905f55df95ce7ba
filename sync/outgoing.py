"""One direction of one link, seen from its sender: live deltas, answers, acknowledgements.

The direction is *current* when everything this side has, except what came over this very link, is
in a numbered frame or was in a STATE of the other side. Answering a STATE makes it current; it
stops being so when live deltas are dropped for a slow receiver, who learns from the next ``head``
that it lacks something and asks. Live deltas are sent only while it is current.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from . import vectors as sv
from .audit import Audit, read
from .errors import RemoteProtocolError
from .frames import Delta, Diff, Reason, State, Verdict
from .limits import Limits
from .outbox import Outbox
from .port import Commit, ReplicatedStore
from .session import Session
from .watermarks import Mark, Origin, Watermarks

__all__ = ["Outgoing"]


@dataclass(slots=True)
class _Answer:
    """A DIFF that must not be sent before ``gate`` is durable, and the commits to send after it."""

    gate: Mark
    answers: int
    deltas: dict[str, bytes]
    verdicts: dict[str, int]
    waiting: list[Commit]


class Outgoing:
    """What goes to the other side."""

    def __init__(
        self,
        store: ReplicatedStore,
        session: Session,
        marks: Watermarks,
        limits: Limits,
        outbox: Outbox,
        audit: Audit,
    ) -> None:
        self.head = 0
        """The number of the last frame sent."""
        self.acked = 0
        """The last number of ours that the other side acknowledged."""
        self.current = False
        self.dropped = False
        """Live deltas were dropped, and the other side has not been told yet."""
        self.drops = 0
        """How often that happened."""
        self._store = store
        self._session = session
        self._marks = marks
        self._limits = limits
        self._outbox = outbox
        self._audit = audit
        self._question: State | None = None
        self._question_id = 0
        self._answer: _Answer | None = None
        self._skip = 0  # commits up to this one are in an answer, or the other side had them
        self._bytes = self._bytes_acked = 0
        self._sizes: deque[tuple[int, int]] = deque()  # (number, bytes sent up to it)

    @property
    def settled(self) -> bool:
        """Whether everything is sent and acknowledged."""
        return self.current and self._answer is None and self.acked == self.head

    @property
    def unacked_bytes(self) -> int:
        """Bytes sent and not yet durable over there."""
        return self._bytes - self._bytes_acked

    def target(self, commit: int) -> int | None:
        """The number whose ACK shows that commits up to ``commit`` are durable over there.

        None while that cannot be said yet.
        """
        if self.current and self._answer is None and self._marks.durable >= commit:
            return self.head
        return None

    # ---- acknowledgements ----

    def acknowledged(self, number: int) -> None:
        """The other side acknowledged frames up to ``number``."""
        if number > self.head:
            raise RemoteProtocolError(
                Reason.UNEXPECTED, f"an ACK of {number}, and {self.head} is the last frame sent"
            )
        if number > self.acked:
            self.acked = number
            while self._sizes and self._sizes[0][0] <= number:
                self._bytes_acked = self._sizes.popleft()[1]

    def _count(self, pieces: list[bytes]) -> int:
        size = len(pieces[0]) if len(pieces) == 1 else sum(map(len, pieces))
        self._bytes += size
        self._sizes.append((self.head, self._bytes))
        return size

    # ---- live deltas ----

    def committed(self, commit: Commit) -> None:
        """A commit became durable."""
        if commit.seq <= self._skip:
            return
        if self._answer is not None:
            self._answer.waiting.append(commit)
        elif self.current:
            self._send(commit)

    def _send(self, commit: Commit) -> None:
        deltas, origin, shared = commit.deltas, commit.origin, self._session.shared
        if isinstance(origin, Origin) and origin.link == self._session.link_id:
            if deltas == origin.deltas:
                return
            # What the gate let go together with it may have come from elsewhere.
            deltas = {name: d for name, d in deltas.items() if origin.deltas.get(name) != d}
        if not deltas.keys() <= shared:
            deltas = {name: d for name, d in deltas.items() if name in shared}
        if not deltas:
            return
        self.head += 1
        pieces = self._session.send(Delta(self.head, deltas, commit.info))
        fits = self._outbox.put_delta(pieces, self._count(pieces))
        if not fits or self.unacked_bytes > self._limits.unacked_bytes:
            self._outbox.drop_deltas()
            self.current = False
            self.dropped = True
            self.drops += 1

    # ---- answers ----

    def asked(self, question: State) -> None:
        """The other side sent a STATE; only the newest is answered."""
        if question.id > self._question_id:
            self._question, self._question_id = question, question.id

    def evaluate(self) -> None:
        """Answer, if there is a question and room for the answer."""
        if self._question is not None and self._answer is None and not self._outbox.bulk:
            self._reply(self._question)
            self._question = None

    def durable(self) -> None:
        """More became durable."""
        if self._answer is not None and self._marks.covers(self._answer.gate):
            self._release(self._answer)

    def _reply(self, question: State) -> None:
        try:
            theirs = {name: sv.decode(entry.vector) for name, entry in question.slices.items()}
        except ValueError as error:
            raise RemoteProtocolError(Reason.MALFORMED, str(error)) from None
        before = self._marks.applied
        vectors, digests = read(self._store)
        # What the other side has already, and slices it does not share, count as asked and known.
        known = dict(vectors)
        whole: dict[str, bytes] = {}
        verdicts: dict[str, int] = {}
        lacking = False
        for name, entry in question.slices.items():
            ours = sv.decode(vectors[name])
            if not sv.covers(theirs[name], ours):
                known[name] = entry.vector
                lacking = True
            elif theirs[name] == ours:
                verdict = self._audit.judge(name, entry, digests[name])
                if verdict is not None:
                    verdicts[name] = verdict
                if verdict == Verdict.UNEQUAL and not entry.repaired:
                    whole[name] = sv.EMPTY
        deltas = dict(self._store.deltas_since(known)) if lacking else {}
        if whole:
            deltas |= self._store.deltas_since({**vectors, **whole})
        self._skip = before
        gate = self._marks.mark if deltas else (0, 0)
        self._answer = _Answer(gate, question.id, deltas, verdicts, [])
        if self._marks.covers(gate):
            self._release(self._answer)

    def _release(self, answer: _Answer) -> None:
        self._answer = None
        self.head += 1
        pieces = self._session.send(Diff(self.head, answer.answers, answer.deltas, answer.verdicts))
        self._count(pieces)
        self._outbox.put_diff(pieces)
        self.current, self.dropped = True, False
        for commit in answer.waiting:
            self.committed(commit)
