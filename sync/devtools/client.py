"""The client's side of Redux DevTools' remote protocol: one instance at a server of monitors.

The protocol is SocketCluster's, version 2, as JSON text over a WebSocket: requests have a ``cid``
and get an answer with that ``rid``, an empty text is a ping and answered with one. An instance logs
in as ``master``, listens to the channels ``respond`` (all instances) and ``sc-ID`` (this one), and
sends ``log`` events, which monitors get. No socket and no clock here: texts come in and go out.

Until a monitor says START, nothing is read or written as JSON. After that news are sent at once if
there were none for a while, and otherwise together, the later the larger they are. When a monitor
leaves, whoever is left is asked to say START again, as it is not said how many there are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sync.devtools.lifted import Instance, Message
from sync.devtools.texts import quoted
from sync.errors import RemoteProtocolError

__all__ = ["INTERVAL", "MAX_TEXT", "Client"]

INTERVAL = 0.1
"""Seconds between two messages with news, unless told otherwise."""

RATE = 2_000_000
"""Characters a second that are sent at most, on average."""

MAX_TEXT = 100_000_000
"""Characters of one text from the server."""

_SILENCE = 40.0  # seconds without anything from the server; it pings every 8
_HANDSHAKE, _LOGIN, _RESPOND, _OWN = 1, 2, 3, 4


class Client:
    """One connection for ``instance``; ``opened`` begins it, and begins anew after a reconnect.

    Each method returns the texts to send, in order. Whoever drives it calls ``poll`` after each
    ``receive``, at ``deadline``, and when the log has a commit numbered ``wake_after`` or higher,
    but not before what it returned last has been sent: what waits, waits in the log.
    """

    def __init__(
        self, instance: Instance, *, interval: float = INTERVAL, rate: float = RATE
    ) -> None:
        self.instance = instance
        self.id = ""
        """What the server calls this connection; '' until it said so."""
        self.watched = False
        """Whether a monitor is there."""
        self._interval = interval
        self._rate = rate
        self.ready = False
        """Whether the server knows the instance."""
        self._heard = True
        self._heard_at = 0.0
        self._quiet_until = float("-inf")

    @property
    def wake_after(self) -> int | None:
        """From which commit on ``poll`` has something to do; ``None`` if from none."""
        return self.instance.next if self.watched else None

    @property
    def deadline(self) -> float | None:
        """When ``poll`` has something to do though nothing else happens."""
        return self._quiet_until if self.watched and self.instance.pending else None

    def opened(self, now: float) -> list[str]:
        """Begin, on a connection that was just opened."""
        self.id = ""
        self.watched = self.ready = False
        self._heard = True
        self._heard_at = now
        self._quiet_until = float("-inf")
        return [_request("#handshake", {"authToken": None}, _HANDSHAKE)]

    def receive(self, text: str) -> list[str]:
        """Take one text of the server.

        Raises ``RemoteProtocolError`` for what is not of this protocol: give the connection up.
        """
        self._heard = True
        if text == "":
            return [""]
        if len(text) > MAX_TEXT:
            raise RemoteProtocolError("too-large", f"{len(text):,} characters in one text")
        try:
            packet = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError("malformed", f"expected JSON: {error}"[:200]) from None
        told: list[str] = []
        for each in packet if isinstance(packet, list) else [packet]:
            if isinstance(each, dict):
                told += self._packet(each)
        return told

    def poll(self, now: float) -> list[str]:
        """Return the news, if somebody watches and it is time for some.

        Raises ``RemoteProtocolError`` if the server has not been heard of for too long.
        """
        if self._heard:
            self._heard, self._heard_at = False, now
        elif now - self._heard_at > _SILENCE:
            raise RemoteProtocolError("timeout", f"nothing came for {now - self._heard_at:.0f} s")
        if not self.watched or not self.instance.pending or now < self._quiet_until:
            return []
        told = [self._log(message) for message in self.instance.news()]
        self._quiet_until = now + max(self._interval, sum(map(len, told)) / self._rate)
        return told

    def closing(self) -> list[str]:
        """Take leave, before the connection is closed."""
        self.watched = False
        return [self._log({"type": "STOP"})] if self.ready else []

    def _packet(self, packet: Mapping[str, Any]) -> list[str]:
        if packet.get("event") == "#publish":
            data = packet.get("data")
            if isinstance(data, Mapping) and isinstance(data.get("data"), Mapping):
                return self._told(data.get("channel"), data["data"])
            return []
        rid = packet.get("rid")
        if type(rid) is not int:
            return []
        if packet.get("error") is not None:
            raise RemoteProtocolError("refused", f"request {rid}: {packet['error']!r:.200}")
        if rid == _HANDSHAKE and not self.id:
            data = packet.get("data")
            id = data.get("id") if isinstance(data, Mapping) else None
            if not isinstance(id, str) or not id:
                raise RemoteProtocolError("malformed", f"expected an id, got {data!r:.100}")
            self.id = id
            return [_request("login", "master", _LOGIN)]
        if rid == _LOGIN and self.id:
            return [
                _request("#subscribe", {"channel": "respond"}, _RESPOND),
                _request("#subscribe", {"channel": f"sc-{self.id}"}, _OWN),
            ]
        if rid == _OWN and self.id:
            self.ready = True
            return [self._log({"type": "START"})]
        return []

    def _told(self, channel: object, message: Mapping[str, Any]) -> list[str]:
        """What a monitor says, to all instances or to this one."""
        own = channel == f"sc-{self.id}"
        if not self.ready or not (own or channel == "respond"):
            return []
        match message.get("type"):
            case "START":
                self.watched = True
                self.instance.again()
            case "STOP":
                self.watched = False
            case "DISCONNECTED":
                was, self.watched = self.watched, False
                return [self._log({"type": "START"})] if was else []
            case _:
                asked = message.get("instanceId")
                if self.watched and (not own or asked in (None, self.instance.instance_id)):
                    self.instance.handle(message)
        return []

    def _log(self, message: Message) -> str:
        of = {"id": self.id, "name": self.instance.name, "instanceId": self.instance.instance_id}
        return quoted({"event": "log", "data": {**message, **of}})


def _request(event: str, data: object, cid: int) -> str:
    return quoted({"event": event, "data": data, "cid": cid})
