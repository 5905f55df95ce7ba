"""Somebody who speaks the protocol by hand, over a plain socket."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Mapping
from typing import Self

from sync.frames import Frame, Hello, SliceInfo
from sync.limits import Limits
from sync.session import Closed, Event, Role, Session
from tests.sync.watch import PATIENCE


class Stranger:
    """A connection on which anything may be sent, handshake included."""

    def __init__(
        self, url: str, slices: Mapping[str, Mapping[str, str]], token: str | None = None
    ) -> None:
        host, port = url.removeprefix("tcp://").rsplit(":", 1)
        limits = Limits()
        name = secrets.token_hex(8)
        kinds = {slice: SliceInfo(0, paths) for slice, paths in slices.items()}
        hello = Hello(name, name, "default", kinds, limits.message_bytes)
        nonce = secrets.token_bytes(32)
        self.session = Session(Role.INITIATOR, hello, nonce=nonce, token=token, limits=limits)
        self.events: list[Event] = []
        self._socket = socket.create_connection((host, int(port)), PATIENCE)

    def __enter__(self) -> Self:
        while self.session.remote is None:
            self._socket.sendall(self.session.data_to_send())
            self._receive()
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send(self, *frames: Frame) -> None:
        """Send frames, whether they make sense or not."""
        pieces = [piece for frame in frames for piece in self.session.send(frame)]
        self._socket.sendall(self.session.data_to_send() + b"".join(pieces))

    def until(self, fits: Callable[[Event], bool]) -> Event:
        """The first event that fits, of all so far."""
        while not (found := [event for event in self.events if fits(event)]):
            self._receive()
        return found[0]

    def bye(self) -> Closed:
        """What the other side says when it hangs up."""
        closed = self.until(lambda event: isinstance(event, Closed))
        assert isinstance(closed, Closed)
        return closed

    def _receive(self) -> None:
        data = self._socket.recv(1 << 16)
        assert data, "hung up without a word"
        self.events += self.session.receive_data(data)
