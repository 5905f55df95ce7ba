"""``crdtstore watch``: its arguments, its lines in a pipe, and its exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("websockets")

from sync.watch import command
from tests.watch.feed import PATIENCE, PEERS, STORY, A, Feed, act, events, hello, replicas

ROOT = Path(__file__).resolve().parent.parent.parent
MAIN = """
import argparse, sys
from sync.watch.command import add
parser = argparse.ArgumentParser()
add(parser.add_subparsers())
arguments = parser.parse_args()
try:
    sys.exit(arguments.command(arguments))
except KeyboardInterrupt:
    sys.exit(130)
"""
"""What sync/cli.py does with it."""


@contextmanager
def _watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "watch", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    return parser.parse_args(["watch", *arguments])


def _read(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def test_its_arguments_have_defaults() -> None:
    """The DevTools of this machine, the first peer, all slices."""
    found = _parse()
    assert (found.url, found.peer, found.slices, found.plain) == (
        command.DEFAULT_URL,
        "",
        [],
        False,
    )
    found = _parse("9000", "--peer", "B", "--slices", "a,b", "--slices=c", "--plain")
    assert (found.url, found.peer, found.slices) == ("9000", "B", ["a,b", "c"])


def test_events_are_lines_in_a_pipe() -> None:
    """As they come; the connection's news are no part of them; Ctrl-C ends with 130."""
    feed = Feed([hello(), replicas(*PEERS), events(*STORY)])
    with feed, _watching(str(feed.port)) as process:
        lines = _read(process, len(STORY))
        assert [line.split()[0] for line in lines] == [f"#{n}" for n in range(len(STORY))]
        feed.tell(events(act(9, A, "todos/add('\x1b[2J')")))
        (line,) = _read(process, 1)
        assert r"todos/add('\x1b[2J')" in line
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, errors) == (130, "", "")


def test_lines_go_on_after_the_program_was_restarted() -> None:
    """What is known is not repeated, and what another server tells is marked."""
    greeting = [hello(), replicas(*PEERS), events(*STORY)]
    with ExitStack() as first:
        port = first.enter_context(Feed(greeting)).port
        options = ("--plain", f"127.0.0.1:{port}", "--slices", "todos,notes")
        with _watching(*options) as process:
            _read(process, len(STORY))
            first.close()
            with Feed([*greeting, events(act(9, A, "todos/nine", 8))], port=port):
                assert "todos/nine" in _read(process, 1)[0]
            with Feed([hello(), replicas(*PEERS), events(act(0, A, "todos/new"))], port=port):
                marker, line = _read(process, 2)
                assert "another server answers" in marker
                assert "todos/new" in line
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=PATIENCE)
    assert errors.count("; trying again\n") == 2
    assert errors.count(" again\n") == 4


def test_who_reads_no_more_ends_it_quietly() -> None:
    """As ``head`` does, at the next line."""
    feed = Feed([hello(), replicas(*PEERS), events(*STORY)])
    with feed, _watching(feed.url) as process:
        _read(process, len(STORY))
        assert process.stdout is not None
        process.stdout.close()
        feed.tell(events(act(9, A, "todos/add")))
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["ftp://x"], 2, "expected an address such as"),
        (["1"], 1, "start one with sync.DevTools(store)"),
    ],
)
def test_what_does_not_work_is_explained(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit code of a wrong call, or of a failure."""
    parsed = _parse(*arguments)
    assert parsed.command(parsed) == code
    assert words in capsys.readouterr().err


def test_another_version_of_the_feed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With what to do."""
    with Feed([hello(version=2)]) as feed:
        parsed = _parse(feed.url)
        assert parsed.command(parsed) == 1
    assert "use the same version of crdtstore for both" in capsys.readouterr().err


def test_without_websockets_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an extra."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    parsed = _parse()
    assert parsed.command(parsed) == 1
    assert 'pip install "crdtstore[devtools]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("terminals", "rich", "plain", "term", "screen"),
    [
        ((True, True), True, False, "xterm", True),
        ((True, True), True, True, "xterm", False),
        ((True, True), False, False, "xterm", False),
        ((False, True), True, False, "xterm", False),
        ((True, False), True, False, "xterm", False),
        ((True, True), True, False, "dumb", False),
    ],
)
def test_the_screen_needs_a_terminal_and_rich(
    monkeypatch: pytest.MonkeyPatch,
    terminals: tuple[bool, bool],
    rich: bool,
    plain: bool,
    term: str,
    screen: bool,
) -> None:
    """Both for its keys and for what it shows; everywhere else it is lines."""
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "stdin", type("In", (), {"isatty": lambda self: terminals[0]})())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminals[1])
    monkeypatch.setenv("TERM", term)
    if not rich:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    module = command._runner(plain=plain).__module__
    assert module == ("sync.watch.terminal" if screen else "sync.watch.plain")
