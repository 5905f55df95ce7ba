"""How replicas stand to each other: links that break and come back, digests that agree or not.

A link is between two replicas, and both tell of theirs; a pair is together when everybody of the
two who tells of the link says that it is open, so a break is seen by whoever notices it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sync.devtools.events import Session

__all__ = ["Links", "agrees"]


class Links:
    """Which pairs of replicas were seen to be linked, and whether they still are.

    ``current`` returns the session of a replica that can be asked, if there is one.
    """

    def __init__(self, current: Callable[[str], Session | None]) -> None:
        self._current = current
        self._together: dict[tuple[str, str], bool] = {}

    def told(self, session: Session) -> list[tuple[str, str]]:
        """Take the status of a session; return ``("cut" or "heal", other replica)`` of changes."""
        if session.status is None or not session.online:
            return []
        links = session.status.links
        open_to = {link["to"] for link in links if link["state"] == "open"}
        known = {link["to"]: None for link in links} | dict.fromkeys(session.reports)
        session.reports = {to: to in open_to for to in known if to and to != session.replica}
        found: list[tuple[str, str]] = []
        for other, open_ in session.reports.items():
            peer = self._current(other)
            if peer is None or not peer.online:
                continue
            together = open_ and peer.reports.get(session.replica, True)
            pair = _pair(session.replica, other)
            was = self._together.get(pair)
            if together:
                self._together[pair] = True
                if was is False:
                    found.append(("heal", other))
            elif was:
                self._together[pair] = False
                found.append(("cut", other))
        return found

    def left(self, session: Session) -> None:
        """Note that a session tells nothing any more: that its links are gone is no news."""
        for other in session.reports:
            pair = _pair(session.replica, other)
            if self._together.get(pair):
                del self._together[pair]
        session.reports.clear()


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def agrees(session: Session, others: Iterable[Session]) -> bool | None:
    """Whether a session's content equals that of all who know the same; ``None`` if nobody does.

    Slice by slice, and only where digests are known to be of what the clocks say.
    """
    verdict: bool | None = None
    for other in others:
        if other is session or not _settled(session) or not _settled(other):
            continue
        for slice in _same_clocks(session, other):
            if _digest(session, slice) != _digest(other, slice):
                return False
            verdict = True
    return verdict


def _settled(session: Session) -> bool:
    """Whether its digests are of exactly what its clocks say."""
    status = session.status
    return (
        status is not None
        and session.online
        and session.sure
        and not session.queue
        and session.next == status.end
    )


def _digest(session: Session, slice: str) -> str | None:
    return session.status.digests.get(slice) if session.status is not None else None


def _same_clocks(session: Session, other: Session) -> list[str]:
    """Return the slices of which two sessions know the same."""
    if session.join is None or other.join is None:
        return []
    return sorted(
        name
        for name in session.join.slices & other.join.slices
        if _clocks(session, name) == _clocks(other, name)
    )


def _clocks(session: Session, slice: str) -> dict[str, int]:
    return {
        client: clock for (name, client), clock in session.clocks.items() if clock and name == slice
    }
