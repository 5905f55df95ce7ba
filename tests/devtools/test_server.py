"""sync.devtools.server and website: who may ask, what is answered, and conversations by path."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sync.devtools import bundle
from sync.devtools import server as server_module
from sync.devtools.server import Conversation, Route, Server, Wire, listening, together
from sync.devtools.website import Answer, Website

OURS = ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST:1", "127.0.0.1"]
NOT_OURS = [
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "127.0.0.1:8000@evil",
    "",
    "0.0.0.0:8000",
]


def website(folder: Path | None = None) -> Website:
    return Website(bundle=lambda: folder, who=lambda: {"name": "A", "pid": 7})


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers)[name]


class TestWebsite:
    """Plain HTTP, without a socket."""

    @pytest.mark.parametrize("host", OURS)
    def test_this_machine_is_answered(self, host: str) -> None:
        """Any port of this machine will do, as somebody may forward one of theirs to ours."""
        assert website().refusal(host, None) is None
        assert website().refusal(host, f"http://{host.lower()}") is None

    @pytest.mark.parametrize("host", [*NOT_OURS, None])
    def test_other_names_are_refused(self, host: str | None) -> None:
        """A name that somebody else points at this machine does not make its pages ours."""
        assert "not for" in str(website().refusal(host, None))

    @pytest.mark.parametrize(
        "origin",
        [
            "http://evil.example",
            "null",
            "http://127.0.0.1:8001",
            "https://127.0.0.1:8000",
            "file://",
        ],
    )
    def test_pages_from_elsewhere_are_refused(self, origin: str) -> None:
        """Not even a page of another port of this machine may open a WebSocket here."""
        assert "may not use" in str(website().refusal("127.0.0.1:8000", origin))

    @pytest.mark.parametrize(
        "path",
        [
            "/../website.py",
            "/%2e%2e/website.py",
            "/..%2fwebsite.py",
            "/pages/../website.py",
            "//etc/passwd",
            "/redux/../index.html",
            "/website.py",
            "/redux/app.js",
            "/.",
            "/favicon.ico",
        ],
    )
    def test_only_what_is_meant_to_be_read_is(self, path: str) -> None:
        """Paths are looked up, so there is none that leads out."""
        assert website().answer(path).status == 404

    def test_every_answer_forbids_what_no_page_of_ours_needs(self) -> None:
        """No framing, no scripts from elsewhere, no guessing of types, no referrers."""
        for answer in [website().answer("/who"), website().answer("/no"), website().refused("no")]:
            policy = header(answer, "Content-Security-Policy")
            assert policy.startswith("default-src 'none'; script-src 'self';")
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-eval" not in policy
            assert header(answer, "X-Content-Type-Options") == "nosniff"
            assert header(answer, "Referrer-Policy") == "no-referrer"
            assert header(answer, "Content-Length") == str(len(answer.body))

    def test_it_says_who_it_is(self) -> None:
        """Other programs know by it that they can join."""
        answer = website().answer("/who")
        assert answer.body == b'{"crdtstore-devtools": 1, "name": "A", "pid": 7}'

    def test_pages_have_names_without_endings(self) -> None:
        """The pages of the tools are there, with their scripts, each as what it is."""
        assert header(website().answer("/timeline"), "Content-Type") == "text/html; charset=utf-8"
        assert website().answer("/timeline?n=3").body == website().answer("/timeline.html").body
        assert header(website().answer("/feed.js"), "Content-Type").startswith("text/javascript")

    def test_without_the_app_a_page_says_how_to_get_it(self) -> None:
        """Redux DevTools is optional; the timeline is always there."""
        answer = website().answer("/redux/")
        assert answer.status == 200
        assert b"crdtstore devtools --build-ui" in answer.body
        assert b'href="/timeline"' in answer.body
        assert header(website().answer("/redux"), "Location") == "/redux/"

    def test_the_app_is_served_packed_to_who_can_unpack(self, tmp_path: Path) -> None:
        """Both forms are there; licences too, under a short name."""
        for name in bundle.FILES:
            (tmp_path / name).write_text(name)
        (tmp_path / "app.js.gz").write_bytes(b"packed")
        site = website(tmp_path)
        assert site.answer("/redux/").body == b"index.html"
        assert site.answer("/redux/app.js", "br").body == b"app.js"
        packed = site.answer("/redux/app.js", "gzip, br")
        assert packed.body == b"packed"
        assert header(packed, "Content-Encoding") == "gzip"
        assert site.answer("/redux/licenses.txt", "gzip").body == b"THIRD_PARTY_LICENSES.txt"
        assert site.answer("/redux/app.js.gz").status == 404
        (tmp_path / "app.css").unlink()
        assert site.answer("/redux/app.css").status == 404


class Echo:
    """A conversation that repeats, and does what it is told."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.ended = 0

    def receive(self, text: str) -> None:
        if text == "fail":
            raise RuntimeError("as asked")
        if text == "bye":
            self.wire.send("bye")
            self.wire.close()
        elif text == "flood":
            for _ in range(100):
                self.wire.send("x" * 2**18)
        else:
            self.wire.send(text)

    def closed(self) -> None:
        self.ended += 1


@asynccontextmanager
async def serving(routes: Mapping[str, Route]) -> AsyncIterator[tuple[Server, str]]:
    sockets = listening("127.0.0.1", 0)
    server = Server(website(), routes)
    await server.start(sockets)
    try:
        yield server, f"127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        await server.close()


async def raw(address: str, request: str) -> bytes:
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


class TestServer:
    """The same, and conversations, on a real port."""

    def test_pages_are_served_to_this_machine_alone(self) -> None:
        """What the website answers is what a client gets, whatever it sends."""

        async def main() -> None:
            async with serving({}) as (_, address):
                good = await raw(address, f"GET /who HTTP/1.1\r\nHost: {address}\r\n\r\n")
                assert good.startswith(b"HTTP/1.1 200 OK\r\n")
                assert good.endswith(b'"pid": 7}')
                rebound = await raw(address, "GET /who HTTP/1.1\r\nHost: evil.example\r\n\r\n")
                assert rebound.startswith(b"HTTP/1.1 403 ")
                twice = f"GET /who HTTP/1.1\r\nHost: {address}\r\nHost: evil.example\r\n\r\n"
                assert (await raw(address, twice)).startswith(b"HTTP/1.1 403 ")
                assert (await raw(address, "GET /who HTTP/1.0\r\n\r\n")).startswith(
                    b"HTTP/1.1 403 "
                )
                assert b" 200 " not in (await raw(address, "nonsense\r\n\r\n"))[:20]

        asyncio.run(main())

    def test_who_would_speak_another_protocol_gets_the_page(self) -> None:
        """As curl --http2 does: that it could do better is no WebSocket."""

        async def main() -> bytes:
            async with serving({}) as (_, address):
                return await raw(
                    address,
                    f"GET /who HTTP/1.1\r\nHost: {address}\r\nUpgrade: h2c\r\n"
                    "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
                )

        assert asyncio.run(main()).startswith(b"HTTP/1.1 200 OK\r\n")

    def test_who_answers_no_ping_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A socket that stays open, in a forked child or a program that hangs, deceives nobody."""
        monkeypatch.setattr(server_module, "HEARTBEAT", 0.01)
        monkeypatch.setattr(server_module, "UNHEARD", 0.01)

        async def main() -> None:
            made: list[Echo] = []

            def open_(wire: Wire) -> Conversation:
                made.append(Echo(wire))
                return made[-1]

            async with serving({"/echo": Route(open_)}) as (_, address):
                client = await connect(f"ws://{address}/echo", proxy=None)
                client.transport.pause_reading()
                while not made or not made[0].ended:
                    await asyncio.sleep(0)
                client.transport.abort()

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_conversations_are_by_path_and_origin(self) -> None:
        """Programs send no origin; browsers do, and only our own pages' is accepted."""

        async def main() -> None:
            made: list[Echo] = []

            def open_(wire: Wire) -> Conversation:
                made.append(Echo(wire))
                return made[-1]

            async with serving({"/echo": Route(open_)}) as (_, address):
                async with connect(f"ws://{address}/echo?a=1", proxy=None) as client:
                    await client.send("hello")
                    assert await client.recv() == "hello"
                async with connect(
                    f"ws://{address}/echo", origin=f"http://{address}", proxy=None
                ) as client:
                    await client.send("bye")
                    assert await client.recv() == "bye"
                    with pytest.raises(ConnectionClosed):
                        await client.recv()
                for path, origin, status in [
                    ("/echo", "http://evil.example", 403),
                    ("/echo", "http://127.0.0.1:1", 403),
                    ("/other", None, 404),
                ]:
                    with pytest.raises(InvalidStatus) as refused:
                        await connect(f"ws://{address}{path}", origin=origin, proxy=None)
                    assert refused.value.response.status_code == status
            assert [each.ended for each in made] == [1, 1]

        asyncio.run(main())

    def test_a_failing_conversation_ends_alone(self, caplog: pytest.LogCaptureFixture) -> None:
        """The others of the server go on, and the failure is in the log."""

        async def main() -> None:
            async with (
                serving({"/echo": Route(Echo, largest=10)}) as (_, address),
                connect(f"ws://{address}/echo", proxy=None) as good,
            ):
                for wrong, code in [("fail", 1011), ("x" * 11, 1009), (b"bytes", 1009)]:
                    async with connect(f"ws://{address}/echo", proxy=None) as bad:
                        await bad.send(wrong)
                        with pytest.raises(ConnectionClosed) as closed:
                            await bad.recv()
                        assert closed.value.rcvd is not None
                        assert closed.value.rcvd.code == code
                await good.send("still")
                assert await good.recv() == "still"

        with caplog.at_level(logging.ERROR, "crdtstore.devtools"):
            asyncio.run(main())
        assert [record.getMessage() for record in caplog.records] == [
            "a conversation of the tools failed"
        ]

    def test_who_does_not_read_is_cut_off(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What waits for one reader has a bound, and is not the server's to keep for ever."""
        monkeypatch.setattr(server_module, "_MOST_WAITING", 2**22)

        async def main() -> None:
            made: list[Echo] = []

            def open_(wire: Wire) -> Conversation:
                made.append(Echo(wire))
                return made[-1]

            async with serving({"/echo": Route(open_)}) as (_, address):
                client = await connect(f"ws://{address}/echo", proxy=None, max_size=None)
                await client.send("flood")
                client.transport.pause_reading()
                while not made or not made[0].ended:
                    await asyncio.sleep(0.01)
                client.transport.abort()

        asyncio.run(asyncio.wait_for(main(), 60))
        assert "reads too slowly" in caplog.text

    def test_closing_is_bounded(self) -> None:
        """Clients that never answer a goodbye do not hold a program up."""

        async def main() -> None:
            async with serving({"/echo": Route(Echo)}) as (server, address):
                host, _, port = address.partition(":")
                silent = socket.create_connection((host, int(port)))
                client = await connect(f"ws://{address}/echo", proxy=None)
                client.transport.pause_reading()
                await asyncio.wait_for(server.close(), 10)
                silent.close()
                client.transport.abort()

        asyncio.run(main())


def test_a_taken_port_is_not_taken_twice() -> None:
    """Whoever is first has it, on every system."""
    first = listening("127.0.0.1", 0)
    port = first[0].getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        listening("127.0.0.1", port)
    first[0].close()
    second = listening("127.0.0.1", port)
    second[0].close()


def test_two_conversations_of_one_process_talk() -> None:
    """Each gets what the other sends, later and in order; one that fails ends both."""
    said: list[str] = []

    class Listener(Echo):
        def receive(self, text: str) -> None:
            said.append(text)

    async def main() -> tuple[int, int]:
        sides: list[Echo] = []

        def keep(side: Echo) -> Echo:
            sides.append(side)
            return side

        def begin(wire: Wire) -> Echo:
            wire.send("one")
            wire.send("two")
            return keep(Listener(wire))

        pair = asyncio.ensure_future(together(begin, lambda wire: keep(Echo(wire))))
        await asyncio.sleep(0)
        assert said == []
        while said != ["one", "two"]:
            await asyncio.sleep(0)
        sides[0].wire.send("fail")
        assert str(await pair) == "as asked"
        return sides[0].ended, sides[1].ended

    assert asyncio.run(main()) == (1, 1)
