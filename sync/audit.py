"""Digests compared at equal state vectors: agreement, a repair, or a divergence.

Every honest change moves a state vector, so two replicas with equal vectors have the same content,
and unequal digests mean that one of them lost or spoiled something. Then each side gets the whole
slice of the other once. If the digests still differ when both have merged the other's whole, that
is a divergence: nothing more is sent for it, and it is reported. A slice leaves these sets as soon
as a comparison finds it equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import vectors as sv
from .frames import Entry, Verdict
from .port import ReplicatedStore

__all__ = ["Audit", "read"]


def read(store: ReplicatedStore) -> tuple[Mapping[str, bytes], dict[str, bytes | None]]:
    """State vectors and digests of one moment; no digest for a slice that would not hold still."""
    vectors = store.state_vectors()
    for _ in range(3):
        digests = store.digests()
        again = store.state_vectors()
        moved = {n for n, v in again.items() if not _same(v, vectors.get(n, b""))}
        if not moved:
            break
        vectors = again
    return again, {n: None if n in moved else digests.get(n) for n in again}


def _same(one: bytes, two: bytes) -> bool:
    return one == two or (bool(two) and sv.decode(one) == sv.decode(two))


class Audit:
    """What one link knows about the agreement of its two ends, slice by slice."""

    __slots__ = ("diverged", "repaired", "suspect")

    def __init__(self) -> None:
        self.suspect: set[str] = set()
        """Found unequal, and not yet settled either way."""
        self.repaired: set[str] = set()
        """The other side's whole was merged here since they were last equal."""
        self.diverged: set[str] = set()
        """Unequal although both sides merged the other's whole."""

    @property
    def wants_whole(self) -> bool:
        """Whether to ask the other side again, for a whole slice of theirs."""
        return bool(self.suspect) and not self.suspect <= self.repaired

    def judge(self, name: str, theirs: Entry, digest: bytes | None) -> int | None:
        """Compare a slice of equal vectors; the verdict to send, None when there is none."""
        if theirs.digest is None or digest is None:
            return None
        if theirs.digest == digest:
            self._agree(name)
            return Verdict.EQUAL
        if theirs.repaired and name in self.repaired:
            self._diverge(name)
            return Verdict.DIVERGED
        self.suspect.add(name)
        return Verdict.UNEQUAL

    def learn(self, verdicts: Mapping[str, int], wholes: Iterable[str]) -> None:
        """Take the other side's verdicts, whose ``wholes`` have been merged by now."""
        self.repaired.update(wholes)
        self.suspect &= verdicts.keys()
        for name, verdict in verdicts.items():
            if verdict == Verdict.EQUAL:
                self._agree(name)
            elif verdict == Verdict.DIVERGED:
                self._diverge(name)
            elif name not in self.diverged:
                self.suspect.add(name)

    def _agree(self, name: str) -> None:
        self.suspect.discard(name)
        self.repaired.discard(name)
        self.diverged.discard(name)

    def _diverge(self, name: str) -> None:
        self.suspect.discard(name)
        self.diverged.add(name)
