"""The WebSocket to the feed of a running DevTools, made again whenever it breaks.

A first connection that fails is an error with what to do about it; one that worked before is tried
again until somebody stops it, as programs are restarted all the time. Needs ``websockets``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
)

from sync.watch.model import FeedError

__all__ = ["Connection", "Lost", "Unreachable", "url_of"]

_FIRST_SECONDS = 0.2  # before a lost connection is tried again; doubled up to
_LAST_SECONDS = 5.0
_OPEN_SECONDS = 5.0
_LARGEST = 256 * 1024 * 1024  # bytes of one message: the state at a moment may be large

_PATH = "/feed"


class Unreachable(Exception):
    """There is no feed, with what to do about it as its text."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection broke and is being made again."""

    why: str


def url_of(text: str) -> str:
    """Return the address of a feed from what people type: ``8000``, ``host:8000``, ``http://…``.

    Raises ``ValueError`` for what is none.
    """
    text = text.strip()
    if text.removeprefix(":").isdecimal():
        text = f"127.0.0.1:{text.removeprefix(':')}"
    parts = urlsplit(text if "://" in text else f"ws://{text}")
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"expected an address such as ws://127.0.0.1:8000/feed, got {text!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"  # raises ValueError beyond 65535
    path = parts.path if parts.path not in ("", "/") else _PATH
    return f"{scheme}://{host}{port}{path}"


class Connection:
    """Iterate over ``messages``, and ``send`` in between; what is sent while it is lost is lost."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._socket: ClientConnection | None = None

    async def messages(self) -> AsyncGenerator[Any, None]:
        """Yield every message, and a ``Lost`` whenever the connection broke.

        Raises ``Unreachable`` if it cannot be made at first.
        """
        pause = 0.0
        while True:
            try:
                async with connect(
                    self.url,
                    max_size=_LARGEST,
                    open_timeout=_OPEN_SECONDS,
                    compression=None,
                    proxy=None,
                ) as socket:
                    self._socket = socket
                    async for text in socket:
                        pause = _FIRST_SECONDS
                        yield _read(text)
                    why = "the server ended"
            except (OSError, TimeoutError, InvalidHandshake, InvalidMessage) as error:
                if not pause:
                    raise Unreachable(_advice(self.url, error)) from error
                why = _reason(error)
            except ConnectionClosed as error:
                why = _reason(error)
            finally:
                self._socket = None
            if not pause:  # it was there and said nothing at all
                raise Unreachable(
                    f"{self.url} answered, and ended the connection at once: {why}; "
                    "is it a DevTools of crdtstore?"
                )
            yield Lost(why)
            await asyncio.sleep(pause)
            pause = min(_LAST_SECONDS, 2 * pause)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message, if there is a connection just now."""
        socket = self._socket
        if socket is not None:
            with suppress(ConnectionClosed):  # which ``messages`` will tell
                await socket.send(json.dumps(message))


def _read(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FeedError(f"expected JSON, got {text[:40]!r}") from error


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _advice(url: str, error: Exception) -> str:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return (
            f"what answers at {url} is no feed of a DevTools of crdtstore (HTTP status {status}); "
            "give the address that sync.DevTools(store) prints"
        )
    if isinstance(error, InvalidHandshake | InvalidMessage):
        return f"what answers at {url} is no DevTools of crdtstore: {_reason(error)}"
    return (
        f"no DevTools answers at {url} ({_reason(error)}); "
        "start one with sync.DevTools(store) in the program, or give its address"
    )
