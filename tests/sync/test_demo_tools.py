"""The demo in the tools: served by the director, joined by the workers, and only if wanted."""

from __future__ import annotations

import socket
import sys
from io import StringIO
from urllib.request import urlopen

import pytest

from sync.demo.director import DemoError, Options, run
from sync.demo.screen import PlainScreen
from sync.demo.tools import ToolsError, served


def test_without_a_port_there_are_none() -> None:
    """And nothing of them is imported, as they are an extra."""
    with served(None) as url:
        assert url == ""


def test_they_are_served_while_the_demo_runs() -> None:
    """At a port that is said, and not a moment longer."""
    pytest.importorskip("websockets")
    with served(0) as url, urlopen(f"{url}who", timeout=20) as answer:
        assert b"crdtstore-devtools" in answer.read()
    with pytest.raises(OSError, match="refused"):
        urlopen(f"{url}who", timeout=20)


def test_without_websockets_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started, and as a failure of the demo."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolsError, match=r'pip install "crdtstore\[devtools\]"'), served(0):
        pass
    with pytest.raises(DemoError, match="its tools cannot be shown: websockets is not"):
        run(Options(2, 30, port=0), PlainScreen(StringIO()))


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    """Before anything is started."""
    with pytest.raises(ToolsError, match=f"a port is 0 to 65535, not {port}"), served(port):
        pass


def test_a_port_of_somebody_else_is_refused() -> None:
    """With what to do."""
    pytest.importorskip("websockets")
    with socket.create_server(("127.0.0.1", 0)) as mail:
        port = mail.getsockname()[1]
        with pytest.raises(DemoError, match=r"cannot be shown.*Choose another port"):
            run(Options(2, 30, port=port), PlainScreen(StringIO()))


@pytest.mark.parametrize(
    ("terminal", "typed", "asks"),
    [
        (True, "\n", True),
        (True, "", True),
        (False, "\n", False),
    ],
)
def test_the_live_screen_waits_for_enter(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, typed: str, asks: bool
) -> None:
    """Or for the end of what is typed; where nobody can type it goes on at once."""
    console = pytest.importorskip("rich.console")
    live = pytest.importorskip("sync.demo.live")
    typing = StringIO(typed)
    monkeypatch.setattr(typing, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdin", typing)
    out = StringIO()
    screen = live.LiveScreen(10, console.Console(file=out, width=80))
    screen.hold("http://127.0.0.1:8000/")
    assert ("http://127.0.0.1:8000/timeline" in out.getvalue()) is asks
    assert PlainScreen(out).hold("http://127.0.0.1:8000/") is None
