"""Both screens of the demo fit on a terminal of 80 columns and show what matters."""

from __future__ import annotations

from io import StringIO

import pytest

from sync.demo.screen import HEADER, Phase, PlainScreen, Screen, View, tail_of

VIEWS = [
    View("A", "online", 2, 2, 204, 11, 145, 508, "Notes: 寿司.A1 🍋.B2 tea.C3 " * 9, "ab" * 16),
    View("B", "killed", 0, 2, 3, 1, -12, 7, "Notes: ", "cd" * 16, {"A": 3, "B": 12}, 1234),
    View("C", "cut off", 0, 2),
]
PHASE = Phase(3, "kill -9 peer B", "The process is killed in the middle of its work. " * 3)


def _play(screen: Screen, problems: list[str]) -> None:
    screen.begin("crdtstore demo", "Peers A, B and C are programs of their own. " * 4)
    screen.phase(PHASE)
    screen.show(VIEWS, 12345)
    screen.say("B was killed after its action 77. " * 4)
    screen.pause(VIEWS, 12345)
    screen.end([("digest of A", "ab" * 16), ("account", "1712 facts checked. " * 6)], problems)
    screen.close()


def test_plain_lines_fit_and_tell_the_story() -> None:
    """No line is wider than 80 characters; phases, events, peers and results are all there."""
    out = StringIO()
    _play(PlainScreen(out), ["todos / A1 is missing"])
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for shown in ("3. kill -9 peer B", "B was killed", HEADER, "ab" * 16, "todos / A1 is missing"):
        assert shown in text


def test_columns_stand_below_their_names() -> None:
    """The numbers of a peer end where the header's words end."""
    out = StringIO()
    PlainScreen(out).pause(VIEWS[:1], 0)
    header, row = out.getvalue().splitlines()[:2]
    for name, value in [("todos", "204"), ("people", "11"), ("votes", "145"), ("words", "508")]:
        end = header.index(name) + len(name)
        assert row[:end].endswith(f" {value}")


def test_a_tail_is_the_end_of_a_text() -> None:
    """Cut at the front, with a sign that it was."""
    assert tail_of("abcdef", 6) == "abcdef"
    assert tail_of("abcdef", 4) == "…def"


@pytest.fixture
def rich_parts() -> tuple[type, type]:
    """What the live screen is made of, where rich is installed."""
    console = pytest.importorskip("rich.console")
    live = pytest.importorskip("sync.demo.live")
    return console.Console, live.LiveScreen


@pytest.mark.parametrize("height", [10, 40])
def test_the_live_screen_fits(rich_parts: tuple[type, type], height: int) -> None:
    """No line is wider than the terminal; notes are left out where they would not fit."""
    make_console, make_screen = rich_parts
    console = make_console(
        file=StringIO(), width=80, height=height, force_terminal=True, record=True
    )
    screen = make_screen(300, console)
    screen.begin("crdtstore demo", "")
    screen.show(VIEWS, 12345)
    screen.close()
    console.export_text()
    console.print(screen._table())
    cells = pytest.importorskip("rich.cells").cell_len
    lines = console.export_text().splitlines()
    assert max(map(cells, lines)) <= 80
    assert any("🍋" in line for line in lines) is (height == 40)


def test_the_live_screen_tells_the_story_too(rich_parts: tuple[type, type]) -> None:
    """What plain lines say, it says."""
    make_console, make_screen = rich_parts
    out = StringIO()
    _play(make_screen(300, make_console(file=out, width=80)), ["todos / A1 is missing"])
    for shown in ("3. kill -9 peer B", "B was killed", "ab" * 16, "todos / A1 is missing"):
        assert shown in out.getvalue()


def test_equal_digests_have_the_same_colour(rich_parts: tuple[type, type]) -> None:
    """Copies that differ are told apart at a glance, and equal ones are green."""
    colours = pytest.importorskip("sync.demo.live")._colours
    apart = colours(VIEWS)
    assert len(set(apart.values())) == 3
    assert colours([VIEWS[0], VIEWS[0]]) == {VIEWS[0].digest: "bold green"}
