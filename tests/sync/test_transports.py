"""Every transport passes the one suite; what is special of each is here."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from sync.errors import TransportError
from sync.transports import transport_for
from tests.sync.transport_suite import Recorder, TransportSuite


class TestTcp(TransportSuite):
    """TCP."""

    @pytest.fixture
    def url(self) -> str:
        return "tcp://127.0.0.1:0"

    @pytest.fixture
    def nobody(self) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")
class TestUnix(TransportSuite):
    """Unix sockets."""

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"unix://{tmp_path}/socket"

    @pytest.fixture
    def nobody(self, tmp_path: Path) -> str:
        return f"unix://{tmp_path}/nobody"

    def test_the_socket_file_is_private_and_goes_with_its_listener(self, url: str) -> None:
        """Mode 0600 whatever the umask; removed at the end."""

        async def test() -> None:
            path = url.removeprefix("unix://")
            before = os.umask(0)
            try:
                listener = await transport_for(url).listen(url, Recorder)
            finally:
                os.umask(before)
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            await listener.close()
            assert not os.path.exists(path)

        self.run(test())

    def test_a_socket_left_behind_is_replaced(self, url: str) -> None:
        """A process that was killed leaves its file; the next one takes its place."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(url.removeprefix("unix://"))

        async def test() -> None:
            listener = await transport_for(url).listen(url, Recorder)
            await listener.close()

        self.run(test())

    def test_a_file_that_is_no_socket_is_not_touched(self, url: str) -> None:
        """Somebody’s data under that name stays."""
        path = Path(url.removeprefix("unix://"))
        path.write_text("precious")

        async def test() -> None:
            with pytest.raises(TransportError, match="cannot listen on"):
                await transport_for(url).listen(url, Recorder)

        self.run(test())
        assert path.read_text() == "precious"

    def test_a_path_too_long_is_refused_by_name(self, tmp_path: Path) -> None:
        """The system’s limit is an error of the address."""

        async def test() -> None:
            url = f"unix://{tmp_path}/{'x' * 200}"
            with pytest.raises(TransportError, match="cannot listen on"):
                await transport_for(url).listen(url, Recorder)

        self.run(test())


class TestMemory(TransportSuite):
    """Connections inside one process."""

    @pytest.fixture
    def url(self) -> str:
        return "memory://suite"

    @pytest.fixture
    def nobody(self) -> str:
        return "memory://nobody"


def test_port_zero_becomes_a_real_port() -> None:
    """The listener’s address is one to connect to."""

    async def test() -> None:
        for host in ("127.0.0.1", "[::1]", "localhost"):
            url = f"tcp://{host}:0"
            listener = await transport_for(url).listen(url, Recorder)
            assert not listener.url.endswith(":0")
            near = Recorder()
            await transport_for(listener.url).connect(listener.url, lambda near=near: near)  # type: ignore[misc]
            near.wire.abort()
            await near.until(lambda near=near: "lost" in near.events)  # type: ignore[misc]
            await listener.close()

    asyncio.run(test())


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.8.8.8:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://localhost:1", True),
        ("unix:///tmp/x", True),
        ("memory://x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://[::]:1", False),
        ("tcp://192.168.1.1:1", False),
        ("tcp://example.org:1", False),
    ],
)
def test_local_is_what_other_machines_cannot_reach(url: str, local: bool) -> None:
    """Names other than localhost count as reachable, without asking anybody."""
    assert transport_for(url).is_local(url) is local


@pytest.mark.parametrize(
    "url",
    [
        "tcp:/127.0.0.1:1",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:x",
        "tcp://127.0.0.1:99999",
        "tcp://127.0.0.1:1/path",
        "tcp://user@127.0.0.1:1",
        "tcp://[::1:1",
        "unix://relative",
        "unix:///",
        "unix:///dir/",
        "memory://",
        "memory://a/b",
        "ws://127.0.0.1:1",
        "nonsense",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(url: str) -> None:
    """The message shows the expected form."""
    with pytest.raises(TransportError, match="expected"):
        transport_for(url)
