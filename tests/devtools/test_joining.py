"""sync.devtools.joining: what is on a port, and what a store tells whoever serves it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from crdtstore import Counter, Store, configure_store, create_slice
from sync.devtools import keeping
from sync.devtools.broker import Broker
from sync.devtools.client import Client
from sync.devtools.joining import Showing, Telling, Waker, Worker, recognise, take_part
from sync.devtools.keeping import Troubles
from sync.devtools.lifted import Instance
from sync.devtools.log import Log
from sync.devtools.server import Conversation, RefusedError, Route, Server, Wire, listening
from sync.devtools.source import Source
from sync.devtools.website import Answer, Website


@dataclass
class Count:
    n: Counter = Counter(0)


counter = create_slice(name="counter", initial_state=Count())


@counter.reducer
def inc(state: Count) -> None:
    """Count on."""
    state.n += 1


class Kept:
    """A wire that leads nowhere."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.was_closed = False
        self.failure: BaseException | None = None
        self.room = asyncio.Event()
        self.room.set()

    def send(self, text: str) -> None:
        self.texts.append(text)

    def close(self) -> None:
        self.was_closed = True

    def fail(self, error: BaseException) -> None:
        self.failure = error
        self.close()

    def refuse(self, why: str) -> None: ...

    def backlog(self) -> int:
        return 0 if self.room.is_set() else 1

    async def drained(self) -> None:
        await self.room.wait()

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in map(json.loads, self.texts) if m["type"] == kind]

    def numbers(self) -> list[int]:
        return [r["number"] for m in self.messages("records") for r in m["records"]]


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.001)


def run(main: Callable[[Store, Log], Awaitable[None]]) -> None:
    with configure_store([counter]) as store:
        log = Log(store)
        asyncio.run(main(store, log))  # type: ignore[arg-type]
        log.close()


class TestWaker:
    """One log, and all who follow it."""

    def test_all_who_wait_are_woken_by_one_commit(self) -> None:
        """From whatever thread it comes; who has not asked is woken too, and looks for nothing."""

        async def main(store: Store, log: Log) -> None:
            waker = Waker(log)
            events = [asyncio.Event(), asyncio.Event()]
            for event in events:
                waker.add(event)
                assert waker.arm(0)
            thread = threading.Thread(target=store.dispatch, args=(inc(),))
            thread.start()
            for event in events:
                await asyncio.wait_for(event.wait(), 30)
            thread.join()
            assert not waker.arm(0)  # there is one already
            waker.discard(events[0])
            events[0].clear()
            events[1].clear()
            assert waker.arm(1)
            store.dispatch(inc())
            await asyncio.wait_for(events[1].wait(), 30)
            assert not events[0].is_set()

        run(main)

    def test_a_commit_after_the_loop_is_no_error(self) -> None:
        """The program goes on when the tools have ended."""
        with configure_store([counter]) as store:
            log = Log(store)

            async def main() -> None:
                assert Waker(log).arm(0)

            asyncio.run(main())
            store.dispatch(inc())
            assert store.state.counter.n == 1


class TestTelling:
    """The conversation of a source."""

    def test_it_introduces_itself_and_waits_to_be_asked(self) -> None:
        """Nobody watches at first, so nothing is told but who is there."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            telling = Telling(Source(store, log, name="A"), Waker(log), 0.0, wire)
            store.dispatch(inc())
            await asyncio.sleep(0.05)
            assert [json.loads(text)["type"] for text in wire.texts] == ["join"]
            assert wire.messages("join")[0]["replica"] == store.replica
            telling.receive('{"type":"watch","on":true}')
            await until(lambda: wire.numbers() == [0])
            store.dispatch(inc())
            await until(lambda: wire.numbers() == [0, 1])
            await until(lambda: wire.messages("status")[-1]["end"] == 2)
            telling.closed()

        run(main)

    def test_it_stops_when_nobody_watches_and_goes_on_where_it_was(self) -> None:
        """Every record is told once; the status again, as it is then."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            telling = Telling(Source(store, log, name="A"), Waker(log), 0.0, wire)
            telling.receive('{"type":"watch","on":true}')
            store.dispatch(inc())
            await until(lambda: wire.messages("status") and wire.numbers() == [0])
            telling.receive('{"type":"watch","on":false}')
            store.dispatch(inc())
            await asyncio.sleep(0.05)
            assert wire.numbers() == [0]
            before = len(wire.messages("status"))
            telling.receive('{"type":"watch","on":true}')
            await until(lambda: wire.numbers() == [0, 1])
            await until(lambda: len(wire.messages("status")) > before)
            telling.closed()

        run(main)

    def test_many_come_in_batches_as_they_are_read(self) -> None:
        """A whole history goes out as fast as it is read, and not at once."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            for _ in range(1_200):
                store.dispatch(inc())
            telling = Telling(Source(store, log, name="A"), Waker(log), 0.0, wire)
            wire.room.clear()
            telling.receive('{"type":"watch","on":true}')
            await until(lambda: wire.numbers())
            await asyncio.sleep(0.05)
            assert len(wire.numbers()) == 500
            wire.room.set()
            await until(lambda: wire.numbers() == list(range(1_200)))
            assert [len(m["records"]) for m in wire.messages("records")] == [500, 500, 200]
            telling.closed()

        run(main)

    def test_between_batches_there_is_a_pause(self) -> None:
        """What comes meanwhile is told together."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            telling = Telling(Source(store, log, name="A"), Waker(log), 0.2, wire)
            telling.receive('{"type":"watch","on":true}')
            await until(lambda: wire.messages("status"))
            for _ in range(20):
                store.dispatch(inc())
            await until(lambda: len(wire.numbers()) == 20)
            assert len(wire.messages("records")) == 1
            telling.closed()

        run(main)

    def test_requests_are_answered(self) -> None:
        """Also while nobody watches, and when they cannot be met."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            telling = Telling(Source(store, log, name="A"), None, 0.0, wire)
            request = {"type": "request", "id": 4, "what": "dispatch", "text": "{type:'a/b'}"}
            telling.receive(json.dumps(request))
            telling.receive(json.dumps({**request, "id": 5, "text": "alert(1)"}))
            told = wire.messages("response")
            assert [(m["id"], m["ok"]) for m in told] == [(4, True), (5, False)]
            telling.closed()

        run(main)

    def test_a_failure_ends_it_and_is_told_to_people(self) -> None:
        """Nobody waits for records that will never come; whoever holds it knows why."""

        class Broken(Source):
            def records(self, after: int, count: int = 500) -> list[dict[str, Any]]:
                raise RuntimeError("broken")

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            telling = Telling(Broken(store, log, name="A"), Waker(log), 0.0, wire)
            telling.receive('{"type":"watch","on":true}')
            await until(lambda: wire.was_closed)
            assert str(wire.failure) == "broken"
            telling.closed()

        run(main)

    def test_what_runs_the_applications_code_keeps_nobody_else_waiting(self) -> None:
        """A slow reducer has a thread of its own; other questions are answered meanwhile."""

        async def main(store: Store, log: Log) -> None:
            go_on, threads = threading.Event(), []

            class Slow(Source):
                def answer(self, request: Any) -> dict[str, Any]:
                    if request["what"] == "dispatch":
                        assert go_on.wait(30)
                        threads.append(threading.current_thread().name)
                    return super().answer(request)

            wire, worker = Kept(), Worker()
            telling = Telling(Slow(store, log, name="A"), None, 0.0, wire, worker)
            text = "{type: 'counter/inc'}"
            for id, what in enumerate(["dispatch", "dispatch", "conflicts"]):
                asked = {"type": "request", "id": id, "what": what, "text": text}
                telling.receive(json.dumps(asked))
            assert [m["id"] for m in wire.messages("response")] == [2]
            go_on.set()
            await until(lambda: len(wire.messages("response")) == 3)
            assert [m["id"] for m in wire.messages("response")] == [2, 0, 1]
            assert threads == ["crdtstore-devtools-work"] * 2
            assert store.state.counter.n == 2
            telling.closed()
            worker.close()

        run(main)

    def test_it_keeps_the_names_of_others(self) -> None:
        """They are told to the next server, should this one end."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            source = Source(store, log, name="A")
            telling = Telling(source, None, 0.0, wire)
            telling.receive('{"type":"names","names":{"f00":"alice"}}')
            assert source.join()["names"] == {"f00": "alice"}
            telling.closed()

        run(main)


class TestShowing:
    """The conversation of an instance."""

    def test_it_says_nothing_more_than_what_can_be_sent(self) -> None:
        """While a slow server reads, the log waits, and then goes out in one."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            instance = Instance(log, store, name="A", instance_id="a")
            showing = Showing(Client(instance, interval=0.0), Waker(log), lambda: None, wire)
            for text in [
                '{"rid":1,"data":{"id":"X"}}',
                '{"rid":2,"data":"respond"}',
                '{"rid":4}',
            ]:
                showing.receive(text)
            start = {"channel": "respond", "data": {"type": "START"}}
            showing.receive(json.dumps({"event": "#publish", "data": start}))
            await until(lambda: any("computedStates" in text for text in wire.texts))
            before = len(wire.texts)
            wire.room.clear()
            for _ in range(5):
                store.dispatch(inc())
                await asyncio.sleep(0.01)
            assert len(wire.texts) - before <= 1
            wire.room.set()
            await until(lambda: log.end == 5 and not instance.pending)
            assert len(wire.texts) - before <= 2
            showing.closed()

        run(main)

    def test_a_server_that_breaks_the_protocol_is_left(self) -> None:
        """The connection is closed; another attempt may find a better one."""

        async def main(store: Store, log: Log) -> None:
            wire = Kept()
            client = Client(Instance(log, store, name="A", instance_id="a"))
            handled: list[int] = []
            showing = Showing(client, Waker(log), lambda: handled.append(1), wire)
            showing.receive("not JSON")
            assert wire.was_closed
            assert handled == [1]
            showing.closed()

        run(main)


class Mute(Website):
    """A Redux DevTools server of somebody else's: it does not say who it is."""

    def answer(self, target: str, accept_encoding: str = "") -> Answer:
        return self.missing(target)


@asynccontextmanager
async def serving(website: Website, routes: dict[str, Route]) -> AsyncIterator[int]:
    sockets = listening("127.0.0.1", 0)
    server = Server(website, routes)
    await server.start(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        await server.close()


def redux(broker: Broker) -> Route:
    class End:
        def __init__(self, wire: Wire) -> None:
            self.connection = broker.connect(wire.send, wire.close, 0.0)

        def receive(self, text: str) -> None:
            self.connection.receive(text, 0.0)

        def closed(self) -> None:
            self.connection.closed()

    return Route(End)


def website(kind: type[Website] = Website) -> Website:
    return kind(bundle=lambda: None, who=lambda: {"pid": 7})


class TestRecognise:
    """What is on a port of this machine."""

    def test_servers_are_told_apart(self) -> None:
        """Ours says who it is; any other Redux DevTools server shakes hands."""

        async def main() -> None:
            async with serving(website(), {}) as port:
                found = await recognise("127.0.0.1", port)
                assert (found.kind, found.about["pid"]) == ("ours", 7)
            async with serving(website(Mute), {"/socketcluster/": redux(Broker())}) as port:
                assert (await recognise("127.0.0.1", port)).kind == "redux"
            async with serving(website(Mute), {}) as port:
                assert (await recognise("127.0.0.1", port)).kind == "other"
            assert (await recognise("127.0.0.1", port)).kind == "nobody"

        asyncio.run(main())

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"220 mail.example ESMTP\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n[1, 2]",
            b"HTTP/1.1 200 OK\r\n\r\nnot JSON",
            b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000,
            b"\xff" * 1000,
        ],
    )
    def test_whatever_strangers_say_is_something_else(self, said: bytes) -> None:
        """And never an error of ours."""

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(said)
            await writer.drain()
            writer.close()

        async def main() -> str:
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            try:
                return (await recognise("127.0.0.1", port)).kind
            finally:
                server.close()

        assert asyncio.run(main()) == "other"


class Ends:
    """Conversations that are noted, by path; what is said ``fail`` to fails."""

    def __init__(self) -> None:
        self.made: dict[str, list[Any]] = {}

    def has(self, path: str, count: int) -> bool:
        return len(self.made[path]) == count

    def at(self, path: str) -> Callable[[Wire], Conversation]:
        noted = self.made.setdefault(path, [])

        class End:
            def __init__(self, wire: Wire) -> None:
                self.wire = wire
                self.over = False
                noted.append(self)

            def receive(self, text: str) -> None:
                raise KeyError(text)

            def closed(self) -> None:
                self.over = True

        return End


def test_each_conversation_is_begun_again_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is logged once, and told until it works; the others go on until the server ends."""

    async def main() -> None:
        ends, mine, troubles = Ends(), Ends(), Troubles()
        routes = {path: Route(ends.at(path)) for path in ["/a", "/b"]}
        openers = {path: mine.at(path) for path in routes}
        async with serving(website(), routes) as port:
            joined = asyncio.Event()
            part = asyncio.ensure_future(
                take_part("127.0.0.1", port, openers, joined.set, troubles)
            )
            await asyncio.wait_for(joined.wait(), 30)
            for count in range(1, 5):
                await until(partial(ends.has, "/a", count))
                ends.made["/a"][-1].wire.send("fail")
            await until(lambda: len(mine.made["/a"]) == 5)
            assert [end.over for end in mine.made["/a"]] == [True] * 4 + [False]
            assert [end.over for end in mine.made["/b"]] == [False]
            assert troubles.text == "/a fails, and is tried again: KeyError: 'fail'"
            assert not part.done()
        await asyncio.wait_for(part, 30)
        assert all(end.over for each in mine.made.values() for end in each)
        with pytest.raises(ConnectionRefusedError):
            await take_part("127.0.0.1", 1, openers, joined.set)

    asyncio.run(main())
    assert [r.getMessage() for r in caplog.records] == ["a conversation of the tools failed"]


def test_a_refusal_ends_it_all_and_says_why() -> None:
    """Who is refused does not come back at once; the reason is the server's."""

    async def main() -> None:
        def refuse(wire: Wire) -> Conversation:
            wire.refuse("you are here already")
            return Ends().at("/a")(wire)

        async with serving(website(), {"/a": Route(refuse)}) as port:
            joined: list[int] = []
            openers = {path: Ends().at(path) for path in ["/a", "/b"]}
            with pytest.raises(RefusedError, match="here already"):
                await take_part("127.0.0.1", port, openers, lambda: joined.append(1), careful=True)
            assert joined == []

    asyncio.run(asyncio.wait_for(main(), 30))


class TestKeep:
    """What ends is begun again, later and later."""

    def test_pauses_grow_while_it_does_not_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """And begin anew after it lasted; by then what was wrong is put right."""
        waits: list[int] = []
        monkeypatch.setattr(keeping, "STEADY", 0.01)

        def pause(attempts: int, longest: float) -> float:
            waits.append(attempts)
            return 0.0

        monkeypatch.setattr(keeping, "pause", pause)
        troubles = Troubles()

        async def hold() -> BaseException | None:
            if len(waits) == 3:
                await until(lambda: troubles.text is None)
            if len(waits) == 5:
                raise EOFError
            return ValueError("no")

        with pytest.raises(EOFError):
            asyncio.run(keeping.keep("/a", hold, troubles))
        assert waits == [1, 2, 3, 1, 2]
        assert troubles.text == "/a fails, and is tried again: ValueError: no"

    def test_a_pause_has_a_bound(self) -> None:
        """However often it was tried."""
        assert all(keeping.pause(n, 2.0) <= 2.0 for n in range(2_000))
        assert keeping.pause(10_000, 2.0) >= 0.5
