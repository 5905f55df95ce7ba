"""Our client against the server of the official ``@redux-devtools/cli``, installed by npm."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from crdtstore import Counter, configure_store, create_slice
from sync.devtools.client import Client
from sync.devtools.lifted import Instance
from sync.devtools.log import Log

VERSION = "4.0.3"
PATIENCE = 60.0

# The reports of the CLI are in a database whose driver is compiled when it is installed. Nothing
# here reports, so it gets a driver that refuses; and no Electron, which only shows a window.
PACKAGES = {
    "package.json": json.dumps(
        {
            "private": True,
            "dependencies": {"@redux-devtools/cli": VERSION},
            "overrides": {"sqlite3": "file:./sqlite3", "electron": "file:./electron"},
        }
    ),
    "sqlite3/package.json": '{"name": "sqlite3", "version": "5.1.7", "main": "index.js"}',
    "sqlite3/index.js": "exports.Database = class { constructor(file, mode, done) "
    "{ process.nextTick(done, new Error('no reports')); } };\n",
    "electron/package.json": '{"name": "electron", "version": "31.7.7", "main": "index.js"}',
    "electron/index.js": "",
    "database.json": '{"client": "sqlite3", "connection": {"filename": ":memory:"}}',
    # The CLI listens on all interfaces; a test listens on loopback only.
    "loopback.cjs": "const { Server } = require('net');\n"
    "const listen = Server.prototype.listen;\n"
    "Server.prototype.listen = function (port, ...rest) {\n"
    "  const where = typeof port === 'number' ? { port, host: '127.0.0.1' } : port;\n"
    "  return listen.call(this, where, ...rest);\n"
    "};\n",
}


@dataclass
class State:
    n: Counter = Counter(0)


counter = create_slice(name="counter", initial_state=State())


@counter.reducer
def inc(state: State, by: int = 1) -> None:
    state.n += by


@pytest.fixture(scope="module")
def cli(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the CLI is installed in."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node.js and npm")
    name = f"redux-devtools-cli-{VERSION}"
    cache = getattr(request.config, "cache", None)  # there is none if pytest is told so
    folder = tmp_path_factory.mktemp(name) if cache is None else Path(cache.mkdir(name))
    done = folder / "installed"
    if not done.exists():
        for name, text in PACKAGES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            ran = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=150, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm did not install the CLI in 150 s")
        if ran.returncode:
            pytest.skip(f"npm could not install the CLI: {ran.stderr[-300:]}")
        done.touch()
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The CLI on a free port of loopback, as the address of its WebSockets."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["node", "--require", "./loopback.cjs"]
    command += ["node_modules/@redux-devtools/cli/dist/bin/redux-devtools.js"]
    command += [f"--port={port}", "--dbOptions=database.json"]
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                said = (folder / "output.txt").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(0.05)
        yield f"ws://127.0.0.1:{port}/socketcluster/"
    finally:
        process.kill()
        process.wait()


class Monitor:
    """What the UI does on its connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.got: list[dict[str, Any]] = []
        self.id = ""
        self.say("#handshake", {"authToken": None}, cid=1)

    def say(self, event: str, data: Any, cid: int | None = None) -> None:
        packet = {"event": event, "data": data}
        self.socket.send(json.dumps(packet if cid is None else {**packet, "cid": cid}))

    def receive(self, text: str) -> None:
        if text == "":
            self.socket.send("")
            return
        packet = json.loads(text)
        if packet.get("rid") == 1:
            self.say("login", {}, cid=2)
        elif packet.get("rid") == 2:
            assert packet["data"] == "log"
            self.say("#subscribe", {"channel": "log"}, cid=3)
        elif packet.get("rid") == 3:
            self.say("respond", {"type": "START"})
        elif packet.get("event") == "#publish":
            message = packet["data"]["data"]
            self.got.append(message)
            if message["type"] == "START":
                self.id = message["id"]
                self.say(f"sc-{self.id}", {"type": "START", "id": self.id})

    def last(self, kind: str) -> dict[str, Any] | None:
        return next((each for each in reversed(self.got) if each["type"] == kind), None)


def texts(socket: ClientConnection) -> Iterator[str]:
    """What has come in."""
    while True:
        try:
            text = socket.recv(timeout=0.01)
        except (TimeoutError, ConnectionClosed):
            return
        assert isinstance(text, str)
        yield text


def test_the_official_server_takes_our_client_for_one_of_its_own(cli: Path) -> None:
    """START, STATE and ACTION reach a monitor; a jump, an action and a farewell come back."""
    with ExitStack() as stack:
        address = stack.enter_context(served(cli))
        store = stack.enter_context(configure_store([counter]))
        store.dispatch(inc(1))
        log = Log(store)
        creators = {"counter/inc": inc}
        client = Client(Instance(log, store, name="A", instance_id="py-A", creators=creators))
        ours = stack.enter_context(connect(address, max_size=None))
        monitors: list[Monitor] = []

        def join() -> Monitor:
            monitors.append(Monitor(stack.enter_context(connect(address, max_size=None))))
            return monitors[-1]

        def pump(until: Callable[[], object]) -> None:
            deadline = time.monotonic() + PATIENCE
            while not until():
                assert time.monotonic() < deadline, [monitor.got for monitor in monitors]
                told = [answer for text in texts(ours) for answer in client.receive(text)]
                for text in [*told, *client.poll(time.monotonic())]:
                    ours.send(text)
                for monitor in monitors:
                    for text in texts(monitor.socket):
                        monitor.receive(text)

        for text in client.opened(time.monotonic()):
            ours.send(text)
        store.dispatch(inc(2))
        pump(lambda: client.ready)
        assert not client.watched

        ui = join()
        pump(lambda: ui.last("STATE"))
        message = ui.last("STATE")
        assert message is not None
        assert (message["name"], message["instanceId"]) == ("A", "py-A")
        assert message["action"] == [{"name": "counter/inc", "args": ["by"]}]
        lifted = json.loads(message["payload"])
        assert lifted["computedStates"][-1]["state"] == {"counter": {"n": 3}}
        assert lifted["actionsById"]["1"]["action"] == {"type": "counter/inc", "payload": 2}

        store.dispatch(inc(4))
        pump(lambda: ui.last("ACTION"))
        message = ui.last("ACTION")
        assert message is not None
        assert json.loads(message["payload"]) == {"counter": {"n": 7}}
        assert json.loads(message["action"])["action"] == {"type": "counter/inc", "payload": 4}
        assert message["nextActionId"] == lifted["nextActionId"] + 1

        of = {"instanceId": "py-A", "id": message["id"]}
        typed = "{type: 'counter/inc', payload: 10}"
        ui.say(f"sc-{message['id']}", {"type": "ACTION", "action": typed, **of})
        pump(lambda: store.state.counter.n == 17)
        called = {"name": "counter/inc", "selected": 0, "args": ["0x10"], "rest": "[]"}
        ui.say(f"sc-{message['id']}", {"type": "ACTION", "action": called, **of})
        pump(lambda: store.state.counter.n == 33)
        ui.say(f"sc-{message['id']}", {"type": "ACTION", "action": "alert(1)", **of})
        pump(lambda: ui.last("ERROR"))
        ui.say("respond", {"type": "DISPATCH", "action": {"type": "LOCK_CHANGES", "status": True}})
        ui.got.clear()
        pump(lambda: ui.last("STATE"))
        assert client.instance.locked
        jump = {"type": "JUMP_TO_STATE", "index": 1}
        ui.say(f"sc-{message['id']}", {"type": "DISPATCH", "action": jump, **of})
        ui.say(f"sc-{message['id']}", {"type": "UPDATE", **of})
        ui.got.clear()
        pump(lambda: ui.last("STATE"))
        message = ui.last("STATE")
        assert message is not None
        assert json.loads(message["payload"])["currentStateIndex"] == 1
        assert store.state.counter.n == 33

        ui.got.clear()
        other = join()
        pump(lambda: other.last("STATE") and ui.last("STATE"))
        other.socket.close()
        monitors.remove(other)
        ui.got.clear()  # who is left is asked, and watches on
        pump(lambda: ui.last("START") and ui.last("STATE"))
        assert client.watched
        ui.socket.close()
        monitors.remove(ui)
        pump(lambda: not client.watched)
