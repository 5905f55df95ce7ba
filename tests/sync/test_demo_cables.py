"""The cables of the demo carry bytes, can be cut in the middle, and carry again."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

from sync.demo.cables import Cables

SECONDS = 20.0


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(1024):
                self.request.sendall(data)
        except OSError:
            pass  # cut


@pytest.fixture
def echo() -> Iterator[str]:
    """The address of a server that sends everything back."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _call(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), SECONDS)


def _is_dead(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def _says(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        got += connection.recv(1024)
    return got


def test_a_cable_carries_both_ways_and_counts(echo: str) -> None:
    """What is sent comes back, and every byte was seen twice."""
    with Cables() as cables:
        near = cables.lay("A-B")
        cables.connect("A-B", echo)
        with _call(near) as connection:
            assert _says(connection, b"hello") == b"hello"
        assert cables.carried == 10


def test_a_cut_breaks_what_is_connected(echo: str) -> None:
    """A connection that was in use ends."""
    with Cables() as cables:
        near = cables.lay("A-B")
        cables.connect("A-B", echo)
        with _call(near) as connection:
            assert _says(connection, b"x") == b"x"
            cables.cut("A-B")
            assert _is_dead(connection)


def test_nothing_passes_while_cut_and_again_afterwards(echo: str) -> None:
    """New connections die at once until the cable is connected again, maybe to somewhere else."""
    with Cables() as cables:
        near = cables.lay("A-B")
        with _call(near) as connection:
            assert _is_dead(connection), "it leads nowhere yet"
        cables.connect("A-B", echo)
        cables.cut("A-B")
        with _call(near) as connection:
            assert _is_dead(connection)
        cables.connect("A-B", echo)
        with _call(near) as connection:
            assert _says(connection, b"again") == b"again"


def test_cutting_one_cable_leaves_the_others(echo: str) -> None:
    """Links break one by one."""
    with Cables() as cables:
        near = {name: cables.lay(name) for name in ("A-B", "B-C")}
        for name in near:
            cables.connect(name, echo)
        with _call(near["A-B"]) as cut, _call(near["B-C"]) as kept:
            assert _says(cut, b"1") + _says(kept, b"2") == b"12"
            cables.cut("A-B")
            assert _is_dead(cut)
            assert _says(kept, b"3") == b"3"


def test_a_cable_to_nobody_is_a_lost_connection() -> None:
    """When the far end has died, the near end hears of it."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"tcp://127.0.0.1:{gone.getsockname()[1]}"
    with Cables() as cables:
        near = cables.lay("A-B")
        cables.connect("A-B", address)
        with _call(near) as connection:
            assert _is_dead(connection)
