"""The server's side of Redux DevTools' remote protocol: instances and monitors meet here.

The protocol is SocketCluster's, version 2 (`sync.devtools.client` has it in a few words). Who logs
in as ``master`` is an instance, a store that is shown; anybody else is a monitor, a UI. What an
instance sends as ``log`` goes to all monitors; what a monitor sends as ``respond`` goes to all
instances, and as ``sc-ID`` to that one. Nothing is kept: a monitor that comes says START, and the
instances send it everything.

Two rules make that robust. A monitor gets nothing of an instance before its whole state: actions
that were under way when it came would be shown as the beginning. And a monitor that reads too
slowly gets nothing until it caught up, and then whole states again.

No socket and no clock here. Malformed or oversized input closes the connection it came from, and
events that are not known are ignored, or answered with an error if they want an answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sync.devtools.texts import quoted

__all__ = ["MAX_TEXT", "PING", "TIMEOUT", "Broker", "Connection"]

PING = 8.0
"""Seconds between two pings."""

TIMEOUT = 30.0
"""Seconds without a word after which a connection is closed."""

HANDSHAKE = 10.0
"""Seconds that the handshake may take."""

MAX_TEXT = 100_000_000
"""Characters of one text."""

MAX_CONNECTIONS = 200

BACKLOG = 64_000_000
"""Bytes that may wait for one monitor; what comes more is left out, and made up for later."""

_MAX_NAME = 200  # characters of a channel or of the id of an instance
_MAX_INSTANCES = 1000  # that one monitor is told of
_ANYTIME = frozenset({"START", "STOP", "ERROR", "DISCONNECTED"})  # no part of an instance's state
_WHOLE = frozenset({"STATE", "INIT"})


class Connection:
    """One WebSocket of an instance or a monitor; made by ``Broker.connect``."""

    __slots__ = (
        "_backlog",
        "_behind",
        "_broker",
        "_close",
        "_heard",
        "_open",
        "_pinged",
        "_seen",
        "_send",
        "_shaken",
        "_since",
        "channels",
        "id",
        "role",
    )

    def __init__(
        self,
        broker: Broker,
        id: str,
        send: Callable[[str], object],
        close: Callable[[], object],
        backlog: Callable[[], int],
        now: float,
    ) -> None:
        self.id = id
        self.role = ""
        """'instance' or 'monitor', '' before the login."""
        self.channels: set[str] = set()
        self._broker = broker
        self._send = send
        self._close = close
        self._backlog = backlog
        self._since = self._heard = self._pinged = now
        self._open = True
        self._shaken = False
        self._behind = False
        self._seen: set[tuple[str, str]] = set()

    @property
    def watching(self) -> bool:
        """Whether this is a monitor that listens."""
        return self.role == "monitor" and "log" in self.channels

    def receive(self, text: str, now: float) -> None:
        """Take one text of the other side."""
        if not self._open:
            return
        self._heard = now
        if text == "":  # a pong
            return
        if len(text) > MAX_TEXT:
            self._drop()
            return
        try:
            packet = json.loads(text, parse_constant=_refuse_constant)
            for each in packet if isinstance(packet, list) else [packet]:
                if not isinstance(each, dict):
                    self._drop()
                if not self._open:
                    return
                cid = each.get("cid")
                if isinstance(each.get("event"), str):
                    self._event(each["event"], each.get("data"), cid if type(cid) is int else None)
        except (ValueError, RecursionError):  # no JSON, or too deep to be read or passed on
            self._drop()

    def tick(self, now: float) -> None:
        """Do what is due: call it about every second."""
        if not self._open:
            return
        if now - self._heard > TIMEOUT or (not self._shaken and now - self._since > HANDSHAKE):
            self._drop()
            return
        if self._shaken and now - self._pinged >= PING:
            self._pinged = now
            self._send("")
        if self._behind and self._backlog() < BACKLOG // 4:
            self._behind = False
            self._broker._to_instances({"type": "START"})

    def closed(self) -> None:
        """Say that the connection is no more."""
        if self._open:
            self._open = False
            self._broker._gone(self)

    def _drop(self) -> None:
        if self._open:
            self._open = False
            self._close()
            self._broker._gone(self)

    def _event(self, event: str, data: Any, cid: int | None) -> None:
        if event == "#handshake":
            self._shaken = True
            told = {"id": self.id, "pingTimeout": int(TIMEOUT * 1000), "isAuthenticated": False}
            self._answer(cid, told)
        elif not self._shaken:
            self._drop()
        elif event == "login":
            self._leave()
            self.role = "instance" if data == "master" else "monitor"
            self._answer(cid, "respond" if self.role == "instance" else "log")
        elif event == "#subscribe":
            channel = data.get("channel") if isinstance(data, Mapping) else None
            if channel in self._allowed():
                self.channels.add(channel)
                self._answer(cid)
            else:
                self._refuse(cid, f"there is no channel {channel!r:.100} for you")
        elif event == "#unsubscribe":
            was = self.watching
            self.channels.discard(data if isinstance(data, str) else "")
            self._answer(cid)
            if was and not self.watching:
                self._unwatch()
        elif event == "#authenticate":
            self._answer(cid, {"isAuthenticated": False, "authError": None})
        elif isinstance(data, dict) and self._relay(event, data):
            self._answer(cid)
        else:
            self._refuse(cid, f"there is no event {event!r:.100} for you")

    def _allowed(self) -> tuple[str, ...]:
        if self.role == "instance":
            return ("respond", f"sc-{self.id}")
        return ("log", "report", f"sc-{self.id}") if self.role == "monitor" else ()

    def _relay(self, event: str, data: dict[str, Any]) -> bool:
        if self.role == "instance" and event in ("log", "log-noid"):
            inner = data.get("data") if event == "log-noid" else data
            if isinstance(inner, dict):
                self._broker._to_monitors(self.id, inner)
                return True
        elif self.role == "monitor" and event == "respond":
            self._broker._to_instances(data)
            return True
        elif self.role == "monitor" and event.startswith("sc-"):
            self._broker._to_instance(event.removeprefix("sc-"), data)
            return True
        return False

    def _answer(self, cid: int | None, data: object = None) -> None:
        if cid is not None:
            self._send(quoted({"rid": cid} if data is None else {"rid": cid, "data": data}))

    def _refuse(self, cid: int | None, message: str) -> None:
        if cid is not None:
            error = {"name": "InvalidActionError", "message": message}
            self._send(quoted({"rid": cid, "error": error}))

    def _leave(self) -> None:
        """Be neither instance nor monitor any more."""
        was, self.role = self.role, ""
        watching = was == "monitor" and "log" in self.channels
        self.channels.clear()
        if was == "instance":
            self._broker._to_monitors(self.id, {"type": "DISCONNECTED"})
        elif watching:
            self._unwatch()

    def _unwatch(self) -> None:
        self._seen.clear()
        self._behind = False
        if not self._broker.monitors:
            self._broker._to_instances({"type": "DISCONNECTED", "id": self.id})

    def _tell(self, text: str, kind: str, key: tuple[str, str]) -> None:
        """Pass on what an instance says."""
        if kind == "DISCONNECTED":
            self._seen = {seen for seen in self._seen if seen[0] != key[0]}
        elif self._backlog() > BACKLOG:
            self._behind = True
            self._seen.clear()
            return
        elif kind in _WHOLE:
            if len(self._seen) < _MAX_INSTANCES:
                self._seen.add(key)
        elif kind not in _ANYTIME and key not in self._seen:
            return
        self._send(text)


class Broker:
    """All connections of one server. All its methods want the same thread.

    ``send`` and ``close`` of a connection must only take note, not call back.
    """

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._made = 0

    @property
    def monitors(self) -> int:
        """How many monitors listen."""
        return sum(each.watching for each in self._connections.values())

    @property
    def instances(self) -> int:
        """How many connections are those of instances."""
        return sum(each.role == "instance" for each in self._connections.values())

    def connect(
        self,
        send: Callable[[str], object],
        close: Callable[[], object],
        now: float,
        *,
        backlog: Callable[[], int] = int,
    ) -> Connection:
        """Take a connection that was just opened; ``backlog`` says how many bytes wait to be sent.

        One too many is closed at once.
        """
        self._made += 1
        made = Connection(self, f"s{self._made}", send, close, backlog, now)
        if len(self._connections) < MAX_CONNECTIONS:
            self._connections[made.id] = made
        else:
            made._drop()
        return made

    def tick(self, now: float) -> None:
        """Do what is due on all connections: call it about every second."""
        for each in list(self._connections.values()):
            each.tick(now)

    def close(self) -> None:
        """Close all connections."""
        for each in list(self._connections.values()):
            each._drop()

    def _gone(self, connection: Connection) -> None:
        if self._connections.pop(connection.id, None) is not None:
            connection._leave()

    def _to_monitors(self, id: str, data: Mapping[str, Any]) -> None:
        watching = [each for each in self._connections.values() if each.watching]
        if not watching:
            return
        kind, instance = data.get("type"), data.get("instanceId", id)
        if not isinstance(kind, str) or len(str(instance)) > _MAX_NAME:
            return
        text = _published("log", {**data, "id": id})
        for each in watching:
            each._tell(text, kind, (id, str(instance)))

    def _to_instances(self, data: Mapping[str, Any]) -> None:
        text = _published("respond", data)
        for each in list(self._connections.values()):
            if "respond" in each.channels:
                each._send(text)

    def _to_instance(self, id: str, data: Mapping[str, Any]) -> None:
        found = self._connections.get(id)
        if found is None:
            return
        # The official client does not listen to its own channel, and does what comes on any.
        for channel in (f"sc-{id}", "respond"):
            if channel in found.channels:
                found._send(_published(channel, data))
                return


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON, which whoever gets it would not read")


def _published(channel: str, data: Mapping[str, Any]) -> str:
    return quoted({"event": "#publish", "data": {"channel": channel, "data": data}})
