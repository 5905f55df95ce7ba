"""The hub between sources, which tell of stores, and viewers, which look at all of them.

What sources tell becomes the graph; a viewer has a place in it, and gets what is new since then in
batches. Nothing is kept for a viewer but that place and which older events changed, so a slow one
costs nothing: while its connection has a backlog it is sent nothing, and goes on later from where
it was. Sources are told to watch while there are viewers. What a viewer asks is passed on to the
source that can answer.

No sockets, clocks or threads: messages are dicts, and time is passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from sync.devtools.answers import Answered, Answers
from sync.devtools.events import Session
from sync.devtools.graph import Graph
from sync.devtools.told import ToldError

__all__ = ["PAUSE", "Feed", "SourceConnection", "ViewerConnection"]

VERSION = 1

PAUSE = 0.05
"""Seconds between two batches, at least."""

SLOW_PAUSE = 0.2
"""Seconds between two looks at how the replicas are."""

MOST_EVENTS = 500
"""How many events one message has."""

MOST_MESSAGES = 4
"""How many such messages a viewer gets at once."""

MOST_BACKLOG = 4 << 20
"""How much a viewer may have in its connection before it is sent nothing more."""

MOST_AMENDED = 5_000
"""How many changed events are remembered for a viewer; beyond it, it gets all again from there."""

TIMEOUT = 10.0
"""Seconds that a source may take to answer."""

MOST_ASKED = 5_000
"""How many questions may be open at one source."""

MOST_ASKING = 100
"""How many questions of one viewer may be open."""

MOST_CONNECTIONS = 200
MOST_NAMES = 2_000
LONGEST_NAME = 200
LONGEST_ERROR = 2_000

Send = Callable[[Mapping[str, Any]], object]


class Feed:
    """All sources and viewers of one server.

    ``redux`` says whether Redux DevTools can be shown here; ``clock`` returns ms since the epoch.
    ``now``, everywhere, are seconds that never go back. Call ``tick`` every ``PAUSE`` while there
    are viewers, every second otherwise.
    """

    def __init__(
        self,
        name: str,
        *,
        redux: Callable[[], bool] = bool,
        clock: Callable[[], float] = lambda: time.time() * 1000,
    ) -> None:
        self.name = name
        self.graph = Graph(clock=clock)
        self.answers = Answers(self.graph, self._ask, self._can_ask)
        self._redux = redux
        self._sources: dict[Session, SourceConnection] = {}
        self._connected: list[SourceConnection] = []
        self._viewers: list[ViewerConnection] = []
        self._replicas: list[dict[str, Any]] = []
        self._names: dict[str, str] = {}
        self._revision = self._named = -1
        self._looked = float("-inf")
        self._sent = float("-inf")

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def add_source(
        self,
        send: Send,
        close: Callable[[], object] = bool,
        refuse: Callable[[str], object] = bool,
    ) -> SourceConnection:
        """Take a connection of a store; ``close`` has it closed, and ``refuse`` says why, too."""
        made = SourceConnection(self, send, close, refuse)
        self._connected.append(made)
        if len(self._connected) > MOST_CONNECTIONS:
            made.drop(0.0)
        return made

    def add_viewer(
        self,
        send: Send,
        close: Callable[[], object] = bool,
        *,
        backlog: Callable[[], int] = int,
    ) -> ViewerConnection:
        """Take a connection of a viewer; ``backlog`` says how much is still to be sent to it."""
        made = ViewerConnection(self, send, close, backlog)
        if len(self._viewers) >= MOST_CONNECTIONS:
            made.drop()
            return made
        self._viewers.append(made)
        made.send(
            {"type": "hello", "version": VERSION, "server": self.name, "redux": self._redux()}
        )
        if len(self._viewers) == 1:
            self._watch(True)
        return made

    def tick(self, now: float) -> None:
        """Do what is due: send viewers what is new, and give up what takes too long."""
        for source in list(self._connected):
            source.tick(now)
        self.graph.tick(now)
        self._tell_names()
        if now - self._sent < PAUSE:
            return
        self._sent = now
        news = self._news(now)
        amended, self.graph.amended = self.graph.amended, set()
        for viewer in list(self._viewers):
            viewer.update(news, amended)

    def _news(self, now: float) -> list[dict[str, Any]]:
        if now - self._looked >= SLOW_PAUSE and self.graph.revision != self._revision:
            self._looked, self._revision = now, self.graph.revision
            replicas = self.graph.replicas()
            if replicas != self._replicas:
                self._replicas = replicas
        return self._replicas

    def _tell_names(self) -> None:
        """Tell the sources who is called what: the next server may have met fewer replicas."""
        names = self.graph.names() if self.graph.revision != self._named else self._names
        self._named = self.graph.revision
        if names != self._names:
            self._names = names
            for source in self._sources.values():
                source.tell_names(names)

    def _can_ask(self, session: Session) -> bool:
        return session in self._sources

    def _ask(
        self, session: Session, what: str, fields: Mapping[str, Any], now: float, answered: Answered
    ) -> None:
        self._sources[session].ask(what, fields, now, answered)

    # For connections

    def rival(self, connection: SourceConnection) -> SourceConnection | None:
        """Return the connection of other tools of the same store, if there is one."""
        for other in self._sources.values():
            if other.of == connection.of and other.tools != connection.tools and other.tools:
                return other
        return None

    def joined(self, session: Session, connection: SourceConnection) -> None:
        """Take the newest connection for a session for its source; an older one is closed."""
        older = self._sources.get(session)
        self._sources[session] = connection
        if older is not None and older is not connection:
            older.session = None
            older.drop(0.0)
        if self._names:
            connection.tell_names(self._names)
        if self._viewers:
            connection.send({"type": "watch", "on": True})

    def source_closed(self, connection: SourceConnection, now: float) -> None:
        """Forget a source."""
        if connection in self._connected:
            self._connected.remove(connection)
        session = connection.session
        if session is not None and self._sources.get(session) is connection:
            del self._sources[session]
            self.graph.leave(session, now)

    def viewer_closed(self, viewer: ViewerConnection) -> None:
        """Forget a viewer; nobody is to tell anything if it was the last one."""
        if viewer in self._viewers:
            self._viewers.remove(viewer)
            if not self._viewers:
                self._watch(False)

    def _watch(self, on: bool) -> None:
        for source in self._sources.values():
            source.send({"type": "watch", "on": on})


def _names(told: Mapping[Any, Any]) -> dict[str, str]:
    """Return of a message's names those that can be some."""
    return {
        id: name[:LONGEST_NAME]
        for id, name in islice(told.items(), MOST_NAMES)
        if type(id) is str and len(id) <= LONGEST_NAME and type(name) is str and name
    }


class SourceConnection:
    """One store's connection; ``receive`` and ``closed`` are for the server."""

    def __init__(
        self,
        feed: Feed,
        send: Send,
        close: Callable[[], object],
        refuse: Callable[[str], object],
    ) -> None:
        self.send = send
        self.session: Session | None = None
        self.of: tuple[Any, Any] = (None, None)
        self.tools = ""
        self._names = False  # whether it wants to know what replicas are called
        self._feed = feed
        self._close = close
        self._refuse = refuse
        self._open = True
        self._ids = 0
        self._now = float("-inf")  # the latest that anybody said
        self._asked: dict[int, tuple[float, Answered]] = {}

    def receive(self, message: Any, now: float) -> None:
        """Take a message; one that no source sends closes the connection."""
        if not self._open:
            return
        self._now = max(now, self._now)
        try:
            if not isinstance(message, dict):
                raise ToldError(f"expected an object, got {message!r:.40}")
            self._receive(message, now)
        except ToldError as error:
            if self.session is None:
                self.refuse(f"what this program says is not understood: {error}", now)
            else:
                self.drop(now)

    def _receive(self, message: dict[str, Any], now: float) -> None:
        graph, kind = self._feed.graph, message.get("type")
        if kind == "join":
            tools, names = message.get("tools"), message.get("names")
            if self.session is None and isinstance(tools, str):
                self.tools, self.of = tools, (message.get("replica"), message.get("session"))
                if self._feed.rival(self) is not None:
                    self.refuse("this store is shown here already, by other tools", now)
                    return
            session = graph.join(message, now)
            if isinstance(names, dict):
                self._names = True
                graph.hear(_names(names))
            if self.session is None:
                self.session = session
                self._feed.joined(session, self)
            elif session is not self.session:
                raise ToldError("expected one session in a connection")
        elif self.session is None:
            raise ToldError(f"expected a join first, got {kind!r:.40}")
        elif kind == "response":
            self._answer(message)
        else:
            graph.receive(self.session, message, now)
            if kind == "leave":
                self.drop(now)

    def _answer(self, message: dict[str, Any]) -> None:
        number = message.get("id")
        if type(number) is not int:
            raise ToldError("expected the id of a request in a response")
        _, answered = self._asked.pop(number, (0.0, None))
        if answered is not None:
            if message.get("ok") is True and isinstance(message.get("value"), dict):
                answered(True, message["value"])
            else:
                answered(False, str(message.get("error", "no reason was given"))[:LONGEST_ERROR])

    def ask(self, what: str, fields: Mapping[str, Any], now: float, answered: Answered) -> None:
        """Ask the source; an answer that does not come in time is that it did not."""
        if len(self._asked) >= MOST_ASKED:
            answered(False, "too much is asked at once; ask again")
            return
        self._ids += 1
        self._now = max(now, self._now)
        self._asked[self._ids] = (self._now + TIMEOUT, answered)
        self.send({"type": "request", "id": self._ids, "what": what, **fields})

    def tick(self, now: float) -> None:
        """Give up questions that were not answered in time."""
        self._now = max(now, self._now)
        late = [number for number, (due, _) in self._asked.items() if due <= now]
        for number in late:
            _, answered = self._asked.pop(number)
            answered(False, f"no answer came within {TIMEOUT:.0f} seconds")

    def tell_names(self, names: Mapping[str, str]) -> None:
        """Say what replicas are called, to a source that wants to know."""
        if self._names:
            self.send({"type": "names", "names": names})

    def refuse(self, why: str, now: float) -> None:
        """Have the connection closed, and the source told why."""
        if self._open:
            self._refuse(why)
            self._close()
            self.closed(now)

    def drop(self, now: float) -> None:
        """Have the connection closed."""
        if self._open:
            self._close()
            self.closed(now)

    def closed(self, now: float) -> None:
        """Note that the connection is closed, by whomever; harmless twice."""
        if self._open:
            self._open = False
            self._feed.source_closed(self, now)
            asked, self._asked = self._asked, {}
            for _, answered in asked.values():
                answered(False, "the process that knows has gone")


class ViewerConnection:
    """One viewer's connection; ``receive`` and ``closed`` are for the server."""

    def __init__(
        self, feed: Feed, send: Send, close: Callable[[], object], backlog: Callable[[], int]
    ) -> None:
        self.send = send
        self._feed = feed
        self._close = close
        self._backlog = backlog
        self._open = True
        self._asking = 0  # how many questions are not answered yet
        self._greeted = False
        self._next = 0  # the number of the event to be sent next
        self._amended: set[int] = set()
        self._replicas: list[dict[str, Any]] | None = None

    def receive(self, message: Any, now: float) -> None:
        """Take a message; one that no viewer sends closes the connection."""
        if not self._open:
            return
        if not isinstance(message, dict):
            self.drop()
            return
        kind = message.get("type")
        if kind == "since" and type(message.get("n")) is int:
            self._next = message["n"]
            return
        number = message.get("id")
        if type(number) is not int or not isinstance(kind, str) or kind == "since":
            self.drop()
            return
        if self._asking >= MOST_ASKING:
            self._answer(number, False, "too much is asked at once; ask again")
            return
        self._asking += 1

        def answered(ok: bool, value: Any) -> None:
            self._asking -= 1
            self._answer(number, ok, value)

        self._feed.answers.answer(message, now, answered)

    def _answer(self, number: int, ok: bool, value: Any) -> None:
        if self._open:
            said = {"value": value} if ok else {"error": value}
            self.send({"type": "response", "id": number, "ok": ok, **said})

    def update(self, replicas: list[dict[str, Any]], amended: set[int]) -> None:
        """Send what is new, as far as the connection takes it."""
        self._amended |= amended
        if len(self._amended) > MOST_AMENDED:
            self._next = min(self._next, *self._amended)
            self._amended.clear()
        if self._backlog() > MOST_BACKLOG:
            return
        graph = self._feed.graph
        if replicas is not self._replicas:
            self._replicas = replicas
            self.send({"type": "replicas", "replicas": replicas})
        if not self._greeted:  # time to say what it has already
            self._greeted = True
            return
        self._next = min(max(self._next, graph.first), graph.end)
        if self._amended:
            older = sorted(n for n in self._amended if graph.first <= n < self._next)
            self._amended.clear()
            for at in range(0, len(older), MOST_EVENTS):
                events = [graph.event(n).as_json() for n in older[at : at + MOST_EVENTS]]
                self.send({"type": "amended", "events": events})
        for _ in range(MOST_MESSAGES):
            if self._next >= graph.end or self._backlog() > MOST_BACKLOG:
                break
            first = self._next
            self._next = min(first + MOST_EVENTS, graph.end)
            events = [graph.event(n).as_json() for n in range(first, self._next)]
            self.send({"type": "events", "first": first, "events": events})

    def drop(self) -> None:
        """Have the connection closed."""
        if self._open:
            self._close()
            self.closed()

    def closed(self) -> None:
        """Note that the connection is closed, by whomever; harmless twice."""
        if self._open:
            self._open = False
            self._feed.viewer_closed(self)
