"""The whole thing in a real terminal: what one sees when one types."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are a thing of Unix", allow_module_level=True)
pytest.importorskip("rich")
pytest.importorskip("websockets")

from tests.watch.feed import (
    DETAIL,
    PEERS,
    STORY,
    A,
    Feed,
    act,
    events,
    hello,
    replica,
    replicas,
)
from tests.watch.glass import Glass, on_this_python, stopped
from tests.watch.test_command import MAIN, ROOT

GREETING = [hello(), replicas(*PEERS), events(*STORY)]
Start = Callable[..., Glass]


def _answer(request: dict[str, Any]) -> dict[str, Any] | None:
    value: dict[str, Any] | None = None
    if request["type"] == "detail":
        value = {**DETAIL, "payload": {"asked": request["n"]}}
    if request["type"] == "state":
        value = {"state": {"todos": {"items": {f"k{n}": n for n in range(100)}}}}
    response = {"type": "response", "id": request.get("id"), "ok": True, "value": value}
    return response if value is not None else None


@pytest.fixture
def start() -> Any:
    """Start ``crdtstore watch`` in a terminal of its own."""
    with ExitStack() as stack:

        def run(*arguments: str, size: tuple[int, int] = (90, 24), **more: str) -> Glass:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
            for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
                environment.pop(name, None)
            environment |= {"PYTHONIOENCODING": "utf-8", **more}
            program = on_this_python(MAIN, "watch", *arguments)
            return stack.enter_context(Glass(program, environment, size))

        yield run


def test_one_looks_around_with_keys(start: Start) -> None:
    """Details, the state at a moment, another peer, a filter, the help, and out."""
    with Feed(GREETING, answer=_answer) as feed:
        glass = start(feed.url)
        screen = glass.sees("> ● │", "5/5")
        assert screen[1] == "A  online  digest 5730b7c2 differs  lacks 2 acts"
        assert glass.alternate
        assert not glass.cursor

        glass.type("\r")
        glass.sees('payload  {"asked": 8}', " ~ todos/filter")
        glass.type("\x1b[A\x1b[A")
        glass.sees('payload  {"asked": 5}', "> ○─●")
        glass.type("\x1b")
        glass.until(lambda screen: not any("payload" in line for line in screen))

        glass.type("s")
        glass.sees("the state of A after #5", '      "k0": 0,')
        glass.type("G")
        glass.sees('"k99": 99')
        glass.type("\x1b")
        glass.sees("Enter details")

        glass.type("\t")
        glass.sees("B  online", "rename(title='bread')")
        glass.type("/milk\r")
        glass.sees("filter 'milk'", "1/1")
        glass.type("\x1b")
        glass.sees("/5")
        glass.type("?")
        glass.sees("down j", "Esc: back")
        glass.type("q")
        assert glass.ends() == 0
        assert not glass.alternate
        assert glass.cursor
        assert glass.settings() == glass.before
        assert "".join(glass.shell).strip() == ""


def test_what_happens_is_seen_as_it_happens(start: Start) -> None:
    """The newest at the bottom, until one looks at something else."""
    with Feed(GREETING) as feed:
        glass = start(feed.url)
        glass.sees("5/5")
        feed.tell(events(act(9, A, "todos/nine('日本語')", 8)), replicas(replica(A, "Anna")))
        screen = glass.sees("nine('日本語')", "6/6", "[Anna]")
        assert screen[10].startswith("> ● ")
        glass.type("k")
        glass.sees("not following")
        feed.tell(events(act(10, A, "todos/ten", 9)))
        screen = glass.sees("ten", "5/7")
        assert screen[9].startswith("> ●")


def test_a_restarted_program_is_found_again(start: Start) -> None:
    """Meanwhile it says that the connection is lost; another program's events replace these."""
    with ExitStack() as first:
        feed = first.enter_context(Feed(GREETING))
        glass = start(feed.url)
        glass.sees("5/5")
        first.close()
        glass.sees("lost, trying again", "> ● │")
        with Feed([*GREETING, events(act(9, A, "todos/nine", 8))], port=feed.port):
            glass.until(lambda screen: "the server" in screen[0] and "6/6" in screen[-1])
        glass.sees("lost, trying again")
        with Feed([hello(), replicas(*PEERS), events(act(0, A, "n/new"))], port=feed.port):
            glass.sees("n/new", "1/1")


def test_another_size_is_another_picture(start: Start) -> None:
    """Down to 60 by 15, whatever the shell once said about the size; nothing scrolls."""
    with Feed(GREETING) as feed:
        glass = start(feed.url, COLUMNS="200", LINES="70")
        glass.until(lambda screen: screen[-1].endswith("5/5"))
        glass.resize(60, 15)
        screen = glass.until(lambda screen: screen[-1].endswith("5/5"))
        assert screen[3].endswith("─" * 20)
        assert any(line == "> ● │  here         todos/rename(title='butter')" for line in screen)
        glass.resize(120, 40)
        glass.until(lambda screen: screen[-1].endswith("5/5") and len(screen[-1]) == 120)


def test_a_terminal_without_colours_is_left_without(start: Start) -> None:
    """NO_COLOR is heeded; what is selected is still to be seen."""
    with Feed(GREETING) as feed:
        plain = start(feed.url, NO_COLOR="1")
        plain.sees("> ● │")
        plain.type("q")
        plain.ends()
        coloured = start(feed.url)
        coloured.sees("> ● │")
    assert "36" in coloured.codes
    assert not any(code.startswith("3") for code in plain.codes)
    assert "7" in plain.codes


def test_a_terminal_that_knows_few_characters_gets_only_those(start: Start) -> None:
    """Whatever else would be a mark is a letter or a sign of ASCII."""
    with Feed(GREETING) as feed:
        glass = start(feed.url, PYTHONIOENCODING="ascii:replace")
        screen = glass.sees("> * |", "5/5")
        assert "".join(screen).isascii()
        assert "?" not in "".join(screen[:-1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(start: Start, number: int) -> None:
    """Ctrl-C above all."""
    with Feed(GREETING) as feed:
        glass = start(feed.url)
        glass.sees("5/5")
        if number == signal.SIGINT:
            glass.type("\x03")
        else:
            os.kill(glass.process.pid, number)
        assert glass.ends() == 130
        assert not glass.alternate
        assert glass.cursor
        assert glass.settings() == glass.before
        assert "Traceback" not in "".join(glass.shell)


def test_it_can_be_stopped_and_gone_on_with(start: Start) -> None:
    """Ctrl-Z gives the terminal back, and fg draws anew."""
    with Feed(GREETING) as feed:
        glass = start(feed.url)
        glass.sees("5/5")
        glass.type("\x1a")
        glass.until(lambda screen: not glass.alternate)
        assert stopped(glass.process.pid)
        assert glass.settings() == glass.before
        os.kill(glass.process.pid, signal.SIGCONT)
        glass.sees("> ● │", "5/5")
        glass.type("q")
        assert glass.ends() == 0


def test_a_gap_is_asked_for(start: Start) -> None:
    """What did not come is asked for once more."""
    with Feed(GREETING) as feed:
        glass = start(feed.url)
        glass.sees("5/5")
        feed.tell(events(act(11, A, "todos/eleven")))
        asked = feed.until_asked(lambda request: request["type"] == "since")
        assert asked["n"] == 9
        feed.tell(events(*(act(n, A, f"todos/{n}") for n in range(9, 12))))
        glass.sees("todos/11", "8/8")


def test_where_nobody_is_no_screen_is_taken(start: Start) -> None:
    """The message is in the shell's window, where it stays."""
    glass = start("1")
    assert glass.ends() == 1
    assert not glass.alternate
    assert "start one with sync.DevTools(store)" in "".join(glass.shell)


def test_a_terminal_that_can_do_nothing_gets_lines(start: Start) -> None:
    """Such as that of an editor."""
    with Feed(GREETING) as feed:
        glass = start(feed.url, TERM="dumb")
        glass.until(lambda screen: any("butter" in line for line in glass.shell))
        assert not glass.alternate


def test_a_crowd_is_drawn_in_time(start: Start) -> None:
    """Ten thousand events of many peers; holding a key down keeps up."""
    crowd = [replica(f"{n:032x}", f"P{n}") for n in range(12)]
    many = [
        act(n, f"{n % 12:032x}", f"todos/add({n})", *range(max(0, n - 5), n, 4))
        for n in range(10_000)
    ]
    with Feed([hello(), replicas(*crowd), events(*many)]) as feed:
        glass = start(feed.url, "--peer", "P3")
        glass.sees("834/834", "[P3]")
        glass.type("a")
        glass.sees("10000/10000")
        glass.type("\x1b[A" * 500)
        glass.sees(" 9500/10000")
