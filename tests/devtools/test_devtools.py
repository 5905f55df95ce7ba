"""sync.devtools.devtools and station: serving, joining, taking over, and staying out of the way."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from crdtstore import Counter, Store, configure_store, create_slice
from sync.devtools.broker import Broker
from sync.devtools.devtools import DevTools
from sync.devtools.lifted import Instance
from sync.devtools.server import DevToolsError
from sync.devtools.source import Source
from tests.devtools.monitors import Ui
from tests.devtools.test_joining import Mute, redux, serving, website

PATIENCE = 60.0


@dataclass
class Count:
    n: Counter = Counter(0)
    secret: str = "s3cret"


counter = create_slice(name="counter", initial_state=Count())


@counter.reducer
def inc(state: Count, by: int = 1) -> None:
    """Count on."""
    state.n += by


@counter.reducer
def leave(state: Count) -> None:
    """End the program, as some think."""
    sys.exit(3)


@pytest.fixture
def store() -> Iterator[Store]:
    """A store."""
    with configure_store([counter]) as store:
        yield store


@pytest.fixture
def other() -> Iterator[Store]:
    """Another one, with nothing in common."""
    with configure_store([counter]) as store:
        yield store


def port_of(tools: DevTools) -> int:
    return int(tools.url.rstrip("/").rpartition(":")[2])


def until(what: Callable[[], Any]) -> None:
    """Wait until something is so that nobody tells of."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def get(tools: DevTools, path: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port_of(tools), timeout=PATIENCE)) as link:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read()


class Monitor:
    """A window of Redux DevTools, as far as the protocol goes."""

    def __init__(self, port: int) -> None:
        self._open = ExitStack()
        url = f"ws://127.0.0.1:{port}/socketcluster/"
        self.socket = self._open.enter_context(connect(url, proxy=None, max_size=None))
        self.instances: dict[str, Ui] = {}
        self.connections: dict[str, str] = {}
        self._call("#handshake", {"authToken": None}, 1)
        self._call("login", {}, 2)
        self._call("#subscribe", {"channel": "log"}, 3)
        self._say("respond", {"type": "START"})

    def close(self) -> None:
        self._open.close()

    def until(self, what: Callable[[], Any]) -> None:
        """Take messages until something is so."""
        while not what():
            self._take()

    def names(self) -> set[str]:
        return set(self.instances)

    def dispatch(self, name: str, text: str) -> None:
        """What the dispatcher sends."""
        self._say(f"sc-{self.connections[name]}", {"type": "ACTION", "action": text})

    def press(self, name: str, action: dict[str, Any]) -> None:
        """What a button sends."""
        self._say(f"sc-{self.connections[name]}", {"type": "DISPATCH", "action": action})

    def _say(self, event: str, data: object, cid: int | None = None) -> None:
        message = {"event": event, "data": data}
        self.socket.send(json.dumps(message if cid is None else message | {"cid": cid}))

    def _call(self, event: str, data: object, cid: int) -> None:
        self._say(event, data, cid)
        while self._take().get("rid") != cid:
            pass

    def _take(self) -> dict[str, Any]:
        text = self.socket.recv(PATIENCE)
        if text == "":
            self.socket.send("")
            return {}
        packet: dict[str, Any] = json.loads(text)
        message = packet.get("data", {}).get("data", {}) if packet.get("event") else {}
        kind, name = message.get("type"), message.get("name")
        if kind == "DISCONNECTED":
            for gone in [n for n, id in self.connections.items() if id == message["id"]]:
                del self.instances[gone], self.connections[gone]
        elif kind == "START":
            self._say(f"sc-{message['id']}", {"type": "START", "id": message["id"]})
        elif kind == "STATE" or name in self.instances:
            self.connections[name] = message["id"]
            self.instances.setdefault(name, Ui()).take(message)
        return packet


@pytest.fixture
def watch() -> Iterator[Callable[[DevTools], Monitor]]:
    """Open windows that are closed in the end."""
    with ExitStack() as stack:

        def open_(tools: DevTools) -> Monitor:
            monitor = Monitor(port_of(tools))
            stack.callback(monitor.close)
            return monitor

        yield open_


Watch = Callable[[DevTools], Monitor]


def test_a_store_is_shown_while_it_works(store: Store, watch: Watch) -> None:
    """What was there, and what comes, is seen by whoever looks."""
    with DevTools(store, port=0, name="A", latency=0.0) as tools:
        assert tools.status.state == "serving"
        assert tools.status.server == os.getpid()
        store.dispatch(inc(2))
        window = watch(tools)
        window.until(lambda: "A" in window.names() and window.instances["A"].types)
        assert window.instances["A"].types == ["counter/inc"]
        store.dispatch(inc(3))
        window.until(lambda: len(window.instances["A"].types) == 2)
        assert window.instances["A"].shown[-1]["counter"]["n"] == 5
        assert tools.status.monitors == 1
    assert tools.status.state == "stopped"
    with pytest.raises(ConnectionClosed):
        window.until(lambda: False)


def test_pages_are_served(store: Store) -> None:
    """The same port has the pages, and says who serves it."""
    with DevTools(store, port=0, name="A") as tools:
        status, body = get(tools, "/who")
        assert (status, json.loads(body)["pid"]) == (200, os.getpid())
        assert get(tools, "/timeline")[0] == 200
        assert get(tools, "/nothing")[0] == 404


def test_the_name_is_the_replicas_unless_one_is_given(store: Store) -> None:
    """A short form of the lasting name of the store."""
    assert DevTools(store).name == store.replica[:8]
    assert DevTools(store, name="A").name == "A"


def test_nothing_is_read_before_somebody_looks(
    store: Store, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attached and unwatched, a commit is kept by reference and that is all."""
    calls: list[str] = []

    def counted(owner: type, name: str) -> None:
        real = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, call)

    for name in ["records", "status", "answer"]:
        counted(Source, name)
    for name in ["news", "whole"]:
        counted(Instance, name)
    with DevTools(store, port=0, name="A", latency=0.0) as tools:
        for _ in range(100):
            store.dispatch(inc())
        assert get(tools, "/who")[0] == 200  # its thread had its turn
        assert calls == []
        window = watch(tools)
        window.until(lambda: "A" in window.names() and len(window.instances["A"].types) == 100)
        assert "news" in calls


def test_sanitizers_are_asked_first(store: Store, watch: Watch) -> None:
    """What they hide leaves the program in no form."""
    with DevTools(
        store,
        port=0,
        name="A",
        action_sanitizer=lambda action: {"type": action.type, "payload": "***"},
        state_sanitizer=lambda state: {"n": state.counter.n},
    ) as tools:
        store.dispatch(inc(3))
        window = watch(tools)
        window.until(lambda: "A" in window.names() and window.instances["A"].types)
        assert window.instances["A"].actions == [{"type": "counter/inc", "payload": "***"}]
        assert window.instances["A"].shown[-1] == {"n": 3}


def test_the_program_does_not_wait_for_who_looks(store: Store, watch: Watch) -> None:
    """However long it takes to show something, dispatching takes no part in it."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(state: Any) -> Any:
        begun.set()
        assert go_on.wait(PATIENCE)
        return {}

    with DevTools(store, port=0, name="A", state_sanitizer=slow) as tools:
        window = watch(tools)
        assert begun.wait(PATIENCE)
        for _ in range(50):
            store.dispatch(inc())
        assert store.state.counter.n == 50
        go_on.set()
        window.until(lambda: "A" in window.names() and len(window.instances["A"].types) == 50)


def test_stopping_does_not_wait_for_who_looks(store: Store) -> None:
    """A window that reads nothing does not hold the program up."""
    with DevTools(store, port=0, name="A") as tools:
        port = port_of(tools)
        with socket.create_connection(("127.0.0.1", port)) as silent:
            tools.stop()
            assert tools.status.state == "stopped"
            silent.close()
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


class Viewer:
    """A page or a terminal, as far as the protocol goes."""

    def __init__(self, port: int) -> None:
        self._open = ExitStack()
        url = f"ws://127.0.0.1:{port}/feed"
        self.socket = self._open.enter_context(connect(url, proxy=None, max_size=None))
        self.events: dict[int, dict[str, Any]] = {}
        self.replicas: dict[str, dict[str, Any]] = {}
        self.responses: dict[int, dict[str, Any]] = {}

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def acts(self, name: str) -> list[str]:
        """What this replica did, so far."""
        return [
            event["action"]
            for _, event in sorted(self.events.items())
            if event["kind"] == "act"
            and self.replicas.get(event["replica"], {}).get("name") == name
        ]

    def until(self, what: Callable[[], Any]) -> None:
        while not what():
            message = json.loads(self.socket.recv(PATIENCE))
            match message["type"]:
                case "replicas":
                    self.replicas = {each["id"]: each for each in message["replicas"]}
                case "events" | "amended":
                    self.events |= {event["n"]: event for event in message["events"]}
                case "response":
                    self.responses[message["id"]] = message

    def ask(self, number: int, kind: str, **fields: Any) -> dict[str, Any]:
        self.socket.send(json.dumps({"type": kind, "id": number, **fields}))
        self.until(lambda: number in self.responses)
        return self.responses[number]


class TestFeed:
    """Pages and terminals, on the same port."""

    def test_all_programs_are_seen_and_asked(self, store: Store, other: Store) -> None:
        """Those of this process and those that joined; what is asked goes to whom it is about."""
        with (
            DevTools(store, port=0, name="A", latency=0.0) as first,
            DevTools(other, port=port_of(first), name="B", latency=0.0),
        ):
            store.dispatch(inc(1))
            other.dispatch(inc(2))
            with Viewer(port_of(first)) as viewer:
                viewer.until(lambda: viewer.acts("A") == viewer.acts("B") == ["counter/inc"])
                assert first.status.viewers == 1
                text = "{type: 'counter/inc', payload: 40}"
                answer = viewer.ask(1, "dispatch", replica=other.replica, text=text)
                assert answer["ok"], answer
                assert other.state.counter.n == 42
                viewer.until(lambda: viewer.acts("B") == ["counter/inc"] * 2)
                (n,) = [
                    e["n"]
                    for e in viewer.events.values()
                    if e["replica"] == store.replica and e["kind"] == "act"
                ]
                detail = viewer.ask(2, "detail", n=n)
                assert detail["ok"], detail
                assert detail["value"]["payload"] == 1
                assert viewer.ask(3, "nonsense")["ok"] is False
            until(lambda: first.status.viewers == 0)

    def test_a_lock_in_redux_devtools_is_one_here(self, store: Store, watch: Watch) -> None:
        """Locked in one window, the tools dispatch nothing from any."""
        with DevTools(store, port=0, name="A", latency=0.0) as tools:
            window = watch(tools)
            window.until(lambda: "A" in window.names())
            window.press("A", {"type": "LOCK_CHANGES", "status": True})
            window.until(lambda: window.instances["A"].lifted["isLocked"])
            with Viewer(port_of(tools)) as viewer:
                viewer.until(lambda: viewer.replicas)
                answer = viewer.ask(1, "dispatch", replica=store.replica, text="{type: 'a/b'}")
                assert "locked" in answer["error"]


class TestSharing:
    """Several programs, or several stores of one, and one port."""

    def test_the_second_joins_the_first(self, store: Store, other: Store, watch: Watch) -> None:
        """Both are in one window, and each gets what is meant for it."""
        with (
            DevTools(store, port=0, name="A", latency=0.0) as first,
            DevTools(other, port=port_of(first), name="B", latency=0.0) as second,
        ):
            assert second.status.state == "joined"
            assert second.status.server == os.getpid()
            assert second.url == first.url
            window = watch(second)
            window.until(lambda: window.names() == {"A", "B"})
            window.dispatch("B", "{type: 'counter/inc', payload: 4}")
            window.until(lambda: window.instances["B"].types)
            assert other.state.counter.n == 4
            store.dispatch(inc())
            window.until(lambda: window.instances["A"].types)
            assert window.instances["B"].types == ["counter/inc"]
            second.stop()
            window.until(lambda: window.names() == {"A"})

    def test_when_the_server_ends_another_takes_over(
        self, store: Store, other: Store, watch: Watch
    ) -> None:
        """The address stays; with three, the one that did not get the port joins again."""
        with (
            configure_store([counter]) as third_store,
            DevTools(store, port=0, name="A") as first,
            DevTools(other, port=port_of(first), name="B") as second,
            DevTools(third_store, port=port_of(first), name="C") as third,
        ):
            other.dispatch(inc(7))
            first.stop()
            until(lambda: {second.status.state, third.status.state} == {"serving", "joined"})
            window = watch(second)
            window.until(lambda: window.names() == {"B", "C"})
            window.until(lambda: window.instances["B"].types)
            assert window.instances["B"].shown[-1]["counter"]["n"] == 7
            with DevTools(store, port=port_of(second), name="A again"):
                window.until(lambda: window.names() == {"A again", "B", "C"})

    def test_of_many_at_once_one_serves(self) -> None:
        """However they start together, one has the port and the others have joined it."""
        with ExitStack() as stack:
            stores = [stack.enter_context(configure_store([counter])) for _ in range(4)]
            with closing(socket.socket()) as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            tools = [DevTools(each, port=port, name=f"{n}") for n, each in enumerate(stores)]
            threads = [threading.Thread(target=each.start) for each in tools]
            for thread in threads:
                thread.start()
            for thread, each in zip(threads, tools, strict=True):
                thread.join()
                stack.callback(each.stop)
            assert sorted(each.status.state for each in tools) == ["joined"] * 3 + ["serving"]

    def test_another_redux_devtools_server_is_joined_too(self, store: Store) -> None:
        """The store is shown there, by the one protocol that it speaks; when it ends, we serve."""
        began, end = threading.Event(), threading.Event()
        broker, ports = Broker(), []

        async def main() -> None:
            async with serving(website(Mute), {"/socketcluster/": redux(broker)}) as port:
                ports.append(port)
                began.set()
                await asyncio.to_thread(end.wait, PATIENCE)

        foreign = threading.Thread(target=asyncio.run, args=(main(),))
        foreign.start()
        assert began.wait(PATIENCE)
        try:
            with DevTools(store, port=ports[0], name="A") as tools:
                assert (tools.status.state, tools.status.server) == ("joined", None)
                until(lambda: broker.instances == 1)
                end.set()
                until(lambda: tools.status.state == "serving")
                assert get(tools, "/timeline")[0] == 200
        finally:
            end.set()
            foreign.join()

    def test_something_else_on_the_port_is_an_error(self, store: Store) -> None:
        """It says what to do about it, and leaves nothing behind."""
        with closing(socket.create_server(("127.0.0.1", 0))) as stranger:
            port = stranger.getsockname()[1]
            accepted: list[socket.socket] = []

            def refuse() -> None:
                try:
                    while True:
                        accepted.append(stranger.accept()[0])
                        accepted[-1].sendall(b"220 mail.example ESMTP\r\n")
                        accepted[-1].close()
                except OSError:
                    pass

            answering = threading.Thread(target=refuse)
            answering.start()
            tools = DevTools(store, port=port)
            with pytest.raises(DevToolsError, match="is taken by a program") as error:
                tools.start()
            assert f"port {port} of 127.0.0.1" in str(error.value)
            assert "port=0" in str(error.value)
            assert tools.status.state == "stopped"
            stranger.shutdown(socket.SHUT_RDWR)
            answering.join()

    def test_a_store_is_shown_by_one_of_its_tools(
        self, store: Store, other: Store, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The second is refused, says why, and does not fight the first for its place."""
        with (
            DevTools(other, port=0, name="server") as server,
            DevTools(store, port=port_of(server), name="one") as one,
            DevTools(store, port=port_of(server), name="two") as two,
        ):
            until(lambda: two.status.state == "refused")
            assert "shown here already" in str(two.status.error)
            assert one.status.state == "joined"
            assert one.status.error is None
            server.stop()
            until(lambda: one.status.state == "serving")
        assert len([r for r in caplog.records if "shown here already" in r.message]) == 1

    @pytest.mark.parametrize("serving", [True, False])
    def test_what_fails_in_one_window_is_seen_in_the_other(
        self, store: Store, other: Store, watch: Watch, monkeypatch: Any, serving: bool
    ) -> None:
        """Pages cannot be told, and why is in the status; Redux DevTools goes on."""

        def broken(self: Source, after: int, count: int = 500) -> list[dict[str, Any]]:
            if self.name == "broken":
                raise TypeError("broken")
            return []

        monkeypatch.setattr(Source, "records", broken)
        with (
            DevTools(store, port=0, name="broken" if serving else "A", latency=0.0) as first,
            DevTools(other, port=port_of(first), name="A" if serving else "broken") as second,
        ):
            window = watch(first)
            window.until(lambda: window.names() == {"A", "broken"})
            tools, shown = (first, store) if serving else (second, other)
            with Viewer(port_of(first)):
                until(lambda: "TypeError: broken" in str(tools.status.error))
                shown.dispatch(inc(3))
                window.until(lambda: window.instances["broken"].types == ["counter/inc"])
            assert tools.status.state == ("serving" if serving else "joined")

    def test_a_port_that_is_bound_and_silent_is_an_error_soon(self, store: Store) -> None:
        """Whether it accepts connections and says nothing, or does not even listen."""
        for listen in [True, False]:
            with closing(socket.socket()) as stranger:
                stranger.bind(("127.0.0.1", 0))
                if listen:
                    stranger.listen()
                with pytest.raises(DevToolsError, match="is taken by a program that"):
                    DevTools(store, port=stranger.getsockname()[1]).start()


class TestLife:
    """Start and stop, in every order."""

    def test_it_is_started_once(self, store: Store) -> None:
        """Another one is made for another time; stopping is harmless at any time."""
        tools = DevTools(store, port=0)
        tools.stop()
        assert tools.url == ""
        tools = DevTools(store, port=0)
        with tools:
            with pytest.raises(DevToolsError, match="make new ones"):
                tools.start()
            assert tools.status.state == "serving"
        tools.stop()
        with pytest.raises(DevToolsError, match="stopped"):
            tools.start()

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
    def test_beyond_this_machine_it_refuses(self, store: Store, host: str) -> None:
        """The tools can change everything, so the network does not get them."""
        with pytest.raises(DevToolsError, match="ssh -L 8000:"):
            DevTools(store, host=host)

    @pytest.mark.parametrize(
        "wrong", [{"port": -1}, {"port": 65536}, {"latency": -1.0}, {"limit": 0}]
    )
    def test_what_cannot_be_is_said_at_once(self, store: Store, wrong: dict[str, Any]) -> None:
        """Before anything is started."""
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DevTools(store, **wrong)

    @pytest.mark.parametrize("port", [8000.5, True, "8000", None])
    def test_a_port_is_a_whole_number(self, store: Store, port: Any) -> None:
        """What is none is said to be none."""
        with pytest.raises(TypeError, match="port is a whole number"):
            DevTools(store, port=port)

    def test_exiting_in_a_reducer_ends_nobody(self, store: Store, watch: Watch) -> None:
        """SystemExit is an error like any other, in the dispatchers and in the sanitizers."""

        def leave(state: Any) -> Any:
            raise SystemExit(4)

        with DevTools(store, port=0, name="A", latency=0.0, state_sanitizer=leave) as tools:
            window = watch(tools)
            window.until(lambda: "A" in window.names())
            window.dispatch("A", "{type: 'counter/leave'}")
            window.until(lambda: window.instances["A"].errors)
            assert "SystemExit: 3" in window.instances["A"].errors[0]
            with Viewer(port_of(tools)) as viewer:
                viewer.until(lambda: viewer.replicas)
                text = "{type: 'counter/leave'}"
                answer = viewer.ask(1, "dispatch", replica=store.replica, text=text)
                assert answer["error"] == "SystemExit: 3"
                answer = viewer.ask(2, "state", replica=store.replica)
                assert "SystemExit: 4" in str(answer)
            assert tools.status.state == "serving"

    def test_a_closed_store_can_still_be_looked_at(self, watch: Watch) -> None:
        """Its history stays until the tools are stopped; dispatching says why it fails."""
        store = configure_store([counter])
        with DevTools(store, port=0, name="A", latency=0.0) as tools:
            store.dispatch(inc(2))
            store.close()
            window = watch(tools)
            window.until(lambda: "A" in window.names() and window.instances["A"].types)
            window.dispatch("A", "{type: 'counter/inc', payload: 1}")
            window.until(lambda: window.instances["A"].errors)
            assert "closed" in window.instances["A"].errors[0]

    def test_it_does_not_keep_a_program_from_ending(self, tmp_path: Path) -> None:
        """A program that forgets to stop them ends as it would have."""
        program = tmp_path / "forgets.py"
        program.write_text(
            "from tests.devtools.test_devtools import *\n"
            "tools = DevTools(configure_store([counter]), port=0).start()\n"
            "print(tools.status.state)\n",
            "utf-8",
        )
        assert run(program) == "serving\n"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_child_lets_go_of_the_port(self, tmp_path: Path) -> None:
        """A child that lives longer does not keep the port from the next program."""
        program = tmp_path / "forks.py"
        program.write_text(
            "import warnings\n"
            "warnings.simplefilter('ignore')\n"
            "from tests.devtools.test_devtools import *\n"
            "from sync.devtools.server import listening\n"
            "tools = DevTools(configure_store([counter]), port=0).start()\n"
            "port = port_of(tools)\n"
            "done, child = os.pipe()\n"
            "if os.fork() == 0:\n"
            "    tools.stop()\n"
            "    state = tools.status.state\n"
            "    os.write(child, state.encode())\n"
            "    time.sleep(60)\n"
            "    os._exit(0)\n"
            "print(os.read(done, 100).decode(), tools.status.state, get(tools, '/who')[0])\n"
            "tools.stop()\n"
            "listening('127.0.0.1', port)[0].close()\n"
            "print('free')\n"
            "import signal; os.killpg(0, signal.SIGTERM)\n",
            "utf-8",
        )
        assert run(program) == "stopped serving 200\nfree\n"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_a_forked_child_keeps_no_connection_open(self, tmp_path: Path) -> None:
        """That a program was killed is seen though its child lives: by who looked, at once."""
        program = tmp_path / "forks.py"
        program.write_text(
            "import warnings\n"
            "warnings.simplefilter('ignore')\n"
            "import signal\n"
            "from tests.devtools.test_devtools import *\n"
            "from sync.devtools import server\n"
            "server.HEARTBEAT = server.UNHEARD = None\n"
            "ready, told = os.pipe()\n"
            "killed = os.fork()\n"
            "if killed == 0:\n"
            "    tools = DevTools(configure_store([counter]), port=0).start()\n"
            "    os.write(told, str(port_of(tools)).encode())\n"
            "    until(lambda: tools.status.viewers)\n"
            "    if os.fork():\n"
            "        os.kill(os.getpid(), signal.SIGKILL)\n"
            "    time.sleep(60)\n"
            "    os._exit(0)\n"
            "with Viewer(int(os.read(ready, 10))) as viewer:\n"
            "    try:\n"
            "        viewer.until(lambda: False)\n"
            "    except ConnectionClosed:\n"
            "        print('seen')\n"
            "os.waitpid(killed, 0)\n"
            "os.killpg(0, signal.SIGTERM)\n",
            "utf-8",
        )
        assert run(program) == "seen\n"


def run(program: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-u", str(program)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        timeout=PATIENCE,
        start_new_session=True,
    )
    return done.stdout
