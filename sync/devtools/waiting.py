"""What sources have told and is not taken yet, because others have to tell something first.

Each source's messages are taken in their order. A delivery waits until its acts have been told, by
authors whose source is there; one of whom nothing was heard before waits a moment for them to join.
A session waits until the one before it of the same replica is through. All of this has an end:
whoever tells nothing is not waited for any longer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set

from sync.devtools.events import Item, Lane, Session
from sync.devtools.told import Join, Key, Record

__all__ = ["GRACE", "HOLD", "LONGEST_HOLD", "Waiting"]

HOLD = 5.0
"""Seconds that a delivery waits for an author who tells nothing."""

LONGEST_HOLD = 30.0
"""Seconds that it waits for one who tells other things."""

GRACE = 1.0
"""Seconds that the first delivery of somebody's work waits for that author to join."""

MOST_WAITING = 50_000
"""How many records of one source wait at once; those before are then taken as they are."""

MOST_HEARD = 20_000


class Waiting:
    """The queues of all sessions.

    ``clients`` and ``lanes`` are the sessions by client and by replica, ``common`` the clients that
    are nobody's. ``take`` takes the next item of a session and returns of which slices and clients
    more is told now.
    """

    def __init__(
        self,
        clients: Mapping[str, Session],
        lanes: Mapping[str, Lane],
        common: Set[str],
        take: Callable[[Session, Item], Iterable[Key]],
    ) -> None:
        self._clients = clients
        self._lanes = lanes
        self._common = common
        self._take = take
        self._heard: dict[str, float] = {}
        self._for: dict[Key, dict[Session, None]] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._for)

    def put(self, session: Session, items: Iterable[Item], now: float) -> None:
        """Take what a source told, as soon as it can be."""
        items = list(items)
        for item in items:
            if isinstance(item, Record):
                for _, client, _, _ in item.ranges:
                    if client not in self._clients and client not in self._heard:
                        if len(self._heard) > MOST_HEARD:
                            self._heard.clear()
                        self._heard[client] = now
        session.queue.extend(items)
        self._pump((session,), now)

    def look(self, now: float) -> None:
        """See who has waited long enough, or needs not to wait any more."""
        if self._for:
            self._pump([each for waiting in self._for.values() for each in waiting], now)

    def _pump(self, sessions: Iterable[Session], now: float) -> None:
        """Take what sessions have queued, and what that sets free, until all wait."""
        work = list(sessions)
        for waiting in self._for.values():
            for session in work:
                waiting.pop(session, None)
        while work:
            session = work.pop()
            queue = session.queue
            while queue:
                item = queue[0]
                key = self._lacks(session, item, now)
                if key is not None:
                    self._for.setdefault(key, {})[session] = None
                    break
                queue.popleft()
                session.since = None
                session.progress = now
                for key in self._take(session, item):
                    if key in self._for:
                        work += self._for.pop(key)
            if not queue:
                work += self._for.pop(_lane(session), ())
        self._for = {key: waiting for key, waiting in self._for.items() if waiting}

    def _lacks(self, session: Session, item: Item, now: float) -> Key | None:
        """Return what has to be told by somebody else before ``item`` is taken."""
        for earlier in self._lanes[session.replica].sessions:
            if earlier is session:
                break
            if earlier.queue:
                return _lane(session)
        if isinstance(item, Join):
            wanted: Iterable[tuple[Key, int]] = item.clocks.items()
        elif item is None or item.local:
            return None
        else:
            wanted = [((slice, client), end) for slice, client, _, end in item.ranges]
        for key, end in wanted:
            client = key[1]
            if end <= session.clocks.get(key, 0) or client in self._common:
                continue
            author = self._clients.get(client)
            if author is not None and author.attached:
                there = author.online or author.queue
                if not there or author is session or author.clocks.get(key, 0) >= end:
                    continue
                since = session.since = now if session.since is None else session.since
                patience = min(max(since, author.progress) + HOLD, since + LONGEST_HOLD)
                if now < patience and len(session.queue) < MOST_WAITING:
                    return key
            elif author is None and now < self._heard.get(client, float("-inf")) + GRACE:
                return key
        return None


def _lane(session: Session) -> Key:
    """What a session waits for that waits for the one before it: no client has that name."""
    return session.replica, ""
