"""The way to a feed, and when there is none."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, aclosing
from typing import Any

import pytest

pytest.importorskip("websockets")

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from sync.watch.connection import Connection, Lost, Unreachable, url_of
from sync.watch.model import FeedError
from tests.watch.feed import PATIENCE, PEERS, Feed, hello, replicas


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("8001", "ws://127.0.0.1:8001/feed"),
        (":8001", "ws://127.0.0.1:8001/feed"),
        ("localhost:8001", "ws://localhost:8001/feed"),
        ("http://127.0.0.1:8001/", "ws://127.0.0.1:8001/feed"),
        ("https://far.example", "wss://far.example/feed"),
        ("ws://[::1]:9/feed", "ws://[::1]:9/feed"),
        ("ws://h:1/else", "ws://h:1/else"),
    ],
)
def test_addresses_are_taken_as_people_type_them(typed: str, url: str) -> None:
    """A port alone is one of this machine."""
    assert url_of(typed) == url


@pytest.mark.parametrize("typed", ["", "ftp://h:1", "ws://", "h:99999", "h:x", "ws://h/feed?x=1"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    """Before anything is tried."""
    with pytest.raises(ValueError, match=r"expected an address|[Pp]ort"):
        url_of(typed)


async def _first(url: str) -> Any:
    async with aclosing(Connection(url).messages()) as messages:
        return await asyncio.wait_for(anext(messages), PATIENCE)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def test_nobody_there_is_said_with_what_to_do() -> None:
    """A program has to offer its stores first."""
    with pytest.raises(Unreachable, match=r"(?s)no DevTools answers at .*sync.DevTools\(store\)"):
        asyncio.run(_first(f"ws://127.0.0.1:{_free_port()}/feed"))


def test_somebody_else_there_is_said_too() -> None:
    """Such as another server on that port, or one that speaks no WebSocket at all."""

    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(404, "nothing here\n")

    async def hang_up(viewer: ServerConnection) -> None:
        await viewer.close()

    async def babble(viewer: ServerConnection) -> None:
        await viewer.send("babble")

    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async def run() -> None:
        async with serve(hang_up, "127.0.0.1", 0, process_request=refuse) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(Unreachable, match=r"no feed of a DevTools.*HTTP status 404"):
                await _first(f"ws://127.0.0.1:{port}/feed")
        async with serve(hang_up, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(Unreachable, match="ended the connection at once"):
                await _first(f"ws://127.0.0.1:{port}/feed")
        async with serve(babble, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            with pytest.raises(FeedError, match="expected JSON, got 'babble'"):
                await _first(f"ws://127.0.0.1:{port}/feed")
        mail = await asyncio.start_server(mumble, "127.0.0.1", 0)
        async with mail:
            with pytest.raises(Unreachable, match="no DevTools of crdtstore"):
                await _first(f"ws://127.0.0.1:{mail.sockets[0].getsockname()[1]}/feed")

    asyncio.run(run())


def test_a_connection_that_breaks_is_made_again() -> None:
    """As soon as a server is there again, however often it was not."""

    async def run() -> None:
        heard: list[Any] = []

        async def until(count: int, kind: type) -> None:
            while sum(isinstance(each, kind) for each in heard) < count:
                heard.append(await asyncio.wait_for(anext(messages), PATIENCE))

        with ExitStack() as first, ExitStack() as second:
            feed = first.enter_context(Feed([hello(), replicas(*PEERS)]))
            connection = Connection(feed.url)
            messages = connection.messages()
            await until(2, dict)
            await connection.send({"type": "since", "n": 0})
            await asyncio.to_thread(feed.until_asked, lambda asked: asked["type"] == "since")
            await asyncio.to_thread(first.close)
            await until(2, Lost)
            await connection.send({"type": "since", "n": 1})
            second.enter_context(Feed([hello()], port=feed.port))
            await until(3, dict)
            await messages.aclose()
        assert heard[:2] == [hello(), replicas(*PEERS)]
        assert heard[-1] == hello()

    asyncio.run(run())
