"""sync.devtools.command: the subcommand, its errors, and what it serves of a file."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from crdtstore import Counter, configure_store, create_slice
from sync.devtools import bundle, command
from tests.devtools.test_devtools import Monitor

PROGRAM = """
import argparse, sys
from sync.devtools import command
parser = argparse.ArgumentParser()
command.add(parser.add_subparsers())
arguments = parser.parse_args(["devtools", *sys.argv[1:]])
sys.exit(arguments.command(arguments))
"""


@dataclass
class Count:
    n: Counter = Counter(0)


counter = create_slice(name="counter", initial_state=Count())


@counter.reducer
def inc(state: Count, by: int = 1) -> None:
    """Count on."""
    state.n += by


def call(*words: str) -> int:
    """Run the subcommand in this process."""
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    arguments = parser.parse_args(["devtools", *words])
    code: int = arguments.command(arguments)
    return code


@contextmanager
def running(*words: str) -> Iterator[str]:
    """Run it in another process, and yield its address; end it as a service manager does."""
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words, "--port", "0", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[0]
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a store in which something happened."""
    path = tmp_path / "count.db"
    with configure_store([counter], storage=path) as store:
        store.dispatch(inc(2))
        store.dispatch(inc(3))
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="ends the command with a signal")
class TestServing:
    """The command as a process."""

    def test_a_file_is_shown_and_left_alone(self, file: Path) -> None:
        """Its actions are seen with their states, if the slices are named."""
        before = file.read_bytes()
        slices = f"{__name__}:counter"
        with running(str(file), "--slices", slices) as url:
            window = Monitor(int(url.rstrip("/").rpartition(":")[2]))
            try:
                window.until(lambda: len(window.names()) == 1)
                (name,) = window.names()
                assert name == "count.db"
                assert window.instances[name].types == ["counter/inc"] * 2
                shown = [state["counter"]["n"] for state in window.instances[name].shown]
                assert shown == [0, 2, 5]
                assert window.instances[name].features["dispatch"] is False
            finally:
                window.close()
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.iterdir()] == ["count.db"]

    def test_without_a_file_it_waits_for_programs(self) -> None:
        """It is a server that others join."""
        with running() as url:
            assert url.startswith("http://127.0.0.1:")


def test_what_is_no_store_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the file and what is wrong with it."""
    assert call(str(tmp_path / "none.db"), "--no-browser", "--port", "0") == 1
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "text.db").write_text("no database")
    assert call(str(tmp_path / "text.db"), "--no-browser", "--port", "0") == 1
    assert "not the file of a store" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "65536"], "a port is 0 to 65535"),
        (["--slices", "os:path"], "there is no FILE"),
    ],
)
def test_a_wrong_call_is_told_apart(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits with 2, and says what was expected."""
    assert call(*words, "--no-browser") == 2
    assert said in capsys.readouterr().err


def test_wrong_slices_are_a_wrong_call(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names that lead to no slice are refused before anything is served."""
    assert call(str(file), "--slices", "os:path", "--no-browser", "--port", "0") == 2
    assert "is no slice" in capsys.readouterr().err


def test_a_build_without_node_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Building the app is the one thing that needs Node."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setattr(bundle, "_PACKAGED", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert call("--build-ui") == 1
    assert "no node and npm on the PATH" in capsys.readouterr().err
