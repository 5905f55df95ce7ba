"""What is drawn, line by line."""

from __future__ import annotations

import io
from typing import Any

import pytest

pytest.importorskip("rich")

from rich.console import Console

from sync.watch.browser import Browser
from sync.watch.lanes import ASCII, UNICODE
from sync.watch.model import Model
from sync.watch.screen import Screen
from sync.watch.terminal import Frame
from sync.watch.words import clock
from tests.watch.feed import (
    DETAIL,
    LINK,
    NOON,
    PEERS,
    STORY,
    A,
    B,
    act,
    events,
    hello,
    replica,
    replicas,
    story,
    told,
)

BROKEN = {**LINK, "state": "waiting", "error": "refused"}
URL = "ws://127.0.0.1:8000/feed"


def _screen(model: Model | None = None, *keys: str) -> Screen:
    screen = Screen(Browser(story() if model is None else model), URL)
    for key in keys:
        screen.browser.rows()
        screen.browser.key(key)
    return screen


def _answer(screen: Screen, value: Any) -> None:
    request = screen.browser.request()
    assert request is not None
    response = {"type": "response", "id": request["id"], "ok": True, "value": value}
    screen.browser.heed(screen.browser.model.receive(response))


def _drawn(screen: Screen, width: int = 90, height: int = 24) -> list[str]:
    return [line.plain.rstrip() for line in screen.draw(width, height)]


def test_one_peer_is_seen_at_a_glance() -> None:
    """Which peers there are, the chosen one's digest, lag and links, and what it did and got."""
    lines = _drawn(_screen())
    assert lines[0] == f"[A] B                                                 the server  {URL}"
    assert lines[1] == "A  online  digest 5730b7c2 differs  lacks 2 acts"
    assert lines[2] == "links  B 3 behind (412 B) 1.2 ms"
    assert lines[3].startswith("── following ──────")
    assert lines[4] == "  A B"
    milk, eggs = clock(NOON + 2), clock(NOON + 5)
    assert lines[6] == (
        f"  ● │  {milk} here         todos/add(title='milk')                    1 ch      12 B"
    )
    assert lines[7] == (
        f"  ○─●  {eggs} ← B          todos/add(title='eggs')                    1 ch      12 B"
    )
    assert lines[8] == f"  × ×  {clock(NOON + 7)} here         cut from B"
    assert lines[9].startswith("> ● │")
    assert lines[-1].startswith("Enter details")
    assert lines[-1].endswith("5/5")


def test_both_ends_of_a_cut_show_it() -> None:
    """Each names the other."""
    assert any(line.endswith("here         cut from A") for line in _drawn(_screen(None, "tab")))


def test_all_peers_can_be_shown_together() -> None:
    """With whose each event is, and what is concurrent with the selected one."""
    lines = _drawn(_screen(None, "a", "home", "down", "down"))
    shown = [line[:6].rstrip() for line in lines[5:14]]
    assert shown == [
        "  ┬ ┊",
        "  │ ┬",
        "> ● │",
        " ‖│ ●",
        " ‖│ ●",
        " ‖○─│",
        "  │─○",
        "  × ×",
        "  ● │",
    ]
    assert "A ← B        todos/add(title='eggs')" in lines[10]
    assert "all peers · not following" in lines[3]


@pytest.mark.parametrize("keys", [(), ("enter",), ("s",), ("?",), ("/", "x"), ("a", "enter")])
@pytest.mark.parametrize("size", [(60, 15), (30, 8), (200, 70), (80, 24), (5, 2), (61, 9)])
def test_it_always_fits(size: tuple[int, int], keys: tuple[str, ...]) -> None:
    """Exactly as many lines as there are, and none too wide, with wide characters as well."""
    width, height = size
    many = [act(9 + n, A, f"todos/add(title='日本語 {n} 🍋{'x' * n}')", 8 + n) for n in range(60)]
    conflicts = [{"path": ["todos", "title"], "with": 4}]
    crowd = [replica(f"{n:032x}", f"名前 {n}") for n in range(40)]
    model = told(
        hello(),
        replicas(replica(A, "A", links=[LINK] * 9), replica(B, "B", online=False), *crowd),
        events(*STORY, {**many[0], "conflicts": conflicts}, *many[1:]),
    )
    screen = _screen(model, *keys)
    if screen.browser.request() is not None:
        screen.browser.disconnected()
        _answer(screen, DETAIL)
    lines = screen.draw(width, height)
    assert len(lines) == height
    assert max(line.cell_len for line in lines) <= width
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, soft_wrap=True, highlight=False)
    console.print(Frame(lines, width), end="")
    assert len(out.getvalue().split("\n")) == height


def test_a_narrow_terminal_loses_the_clock_and_not_the_action() -> None:
    """60 columns and 15 lines are enough to work with."""
    lines = _drawn(_screen(None, "enter"), 60, 15)
    assert lines[8] == "> ● │  here         todos/rename(title='butter')"
    assert lines[9].startswith("── details")
    assert lines[10].startswith("#8 todos/rename")


def test_the_selected_row_stays_in_sight() -> None:
    """However long the list is, and wherever one goes."""
    model = told(hello(), replicas(*PEERS), events(*(act(n, A, f"n/{n}") for n in range(300))))
    screen = _screen(model)
    for key, wanted in [("home", 0), ("pagedown", 18), ("pagedown", 36), ("up", 35), ("end", 299)]:
        screen.browser.key(key)
        (chosen,) = [line for line in _drawn(screen) if line.startswith(">")]
        assert f"n/{wanted} " in chosen
    assert len([line for line in _drawn(screen) if "n/" in line]) == 18


def test_details_show_everything_that_is_known() -> None:
    """Payload, conflicts and who won, diff, concurrent acts, and the delta's bytes."""
    screen = _screen(None, "enter")
    assert "asking…" in _drawn(screen)
    _answer(screen, DETAIL)
    lines = _drawn(screen, 100, 40)
    at = lines.index('payload  {"title": "milk"}')
    assert lines[at - 1].startswith("#8 todos/rename  A  made ")
    assert lines[at + 1 : at + 11] == [
        "conflict todos/filter",
        '         won  "open"  A  #2',
        '         lost "done"  B  #3',
        "diff     5 places",
        ' + todos/items/k1: {"n": 1}',
        ' ~ todos/filter: "all" → "open"',
        "   … and 3 more",
        "‖ with   #3 B todos/add, #4 B todos/rename",
        "delta    todos  2.0 KiB",
        "   0000  00 ff 00 ff 00 ff 00 ff 00 ff 00 ff 00 ff 00 ff",
    ]


def test_details_that_do_not_fit_are_scrolled() -> None:
    """And never beyond their end."""
    screen = _screen(None, "enter")
    _answer(screen, DETAIL)
    for _ in range(50):
        screen.browser.key("right")
    lines = _drawn(screen, 60, 15)
    assert lines[-2] == "   0010  00 ff 00 ff"
    screen.browser.key("left")
    assert _drawn(screen, 60, 15)[-2].startswith("   0000  00 ff")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"payload": None, "payload_shared": False}, "payload  not shared: the slice does not"),
        ({"payload": None, "payload_shared": True}, "payload  null"),
        ({"payload": "\x1b[2J"}, r'payload  "\u001b[2J"'),
        (
            {"conflicts": [{"path": ["n"], "values": [{"value": 1, "replica": A, "won": None}]}]},
            "         ?    1  A",
        ),
        ({"meta": {"peer": "B"}}, 'meta     {"peer": "B"}'),
        ([1], "an answer of no known form came"),
        (
            {"diff": [3, {"path": 1}], "deltas": {"n": 5, "x": {}}, "conflicts": "?"},
            "delta    x  ?",
        ),
    ],
    ids=str,
)
def test_answers_of_any_form_can_be_shown(value: Any, shown: str) -> None:
    """They come from another program."""
    screen = _screen(None, "enter")
    _answer(screen, value)
    assert any(line.startswith(shown) for line in _drawn(screen, 90, 40))


def test_what_the_server_refuses_is_told() -> None:
    """In its words."""
    screen = _screen(None, "enter")
    assert screen.browser.request() is not None
    screen.browser.heed(
        screen.browser.model.receive(
            {"type": "response", "id": 1, "ok": False, "error": "A is gone; nobody can be asked"}
        )
    )
    assert "A is gone; nobody can be asked" in _drawn(screen)


def test_the_state_of_a_moment_is_a_page_of_its_own() -> None:
    """Of the selected event, and long ones are scrolled."""
    screen = _screen(None, "s")
    assert "asking…" in _drawn(screen)
    _answer(screen, {"state": {"todos": {"items": [{"title": "é"}] * 50}}})
    lines = _drawn(screen, 90, 12)
    assert lines[0].startswith("the state of A after #8 todos/rename(title='butter'), ")
    assert lines[1:4] == ["{", '  "todos": {', '    "items": [']
    screen.browser.key("end")
    assert _drawn(screen, 90, 12)[-2] == "}"


def test_the_help_fits_on_a_small_terminal() -> None:
    """In width; it can be scrolled."""
    screen = _screen(None, "?")
    assert all("…" not in line for line in _drawn(screen, 60, 15))
    assert max(len(line) for line in _drawn(screen, 200, 40)) <= 60
    screen.browser.key("end")
    assert "register" in _drawn(screen, 60, 15)[-2]


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        (Model(), "waiting for a store"),
        (told(hello(), replicas(*PEERS)), "  nothing happened yet"),
        (
            told(hello(), replicas(replica(A, "A", attached=False, agrees=None, digest=None))),
            "no DevTools there: known from what others got of it",
        ),
        (
            told(hello(), replicas(replica(A, "A", agrees=None, lag=None, links=[]))),
            "A  online  digest 5730b7c2 not compared",
        ),
        (
            told(
                hello(),
                replicas(replica(A, "A", links=[BROKEN])),
            ),
            "links  bbbbbbbb waiting: refused",
        ),
        (
            told(
                hello(),
                replicas(replica(A, "A", links=[{**LINK, "behind": 0, "in_sync": True}])),
            ),
            "links  bbbbbbbb in sync 1.2 ms",
        ),
        (
            told(hello(), replicas(replica(A, "A", online=False))),
            "A  offline  digest 5730b7c2 all agree  lacks nothing",
        ),
    ],
)
def test_whatever_is_known_is_said_in_words(model: Model, shown: str) -> None:
    """And what is not, as well."""
    assert shown in _drawn(_screen(model))


def test_a_wanted_peer_that_is_not_there_is_named() -> None:
    """With how to see another one."""
    screen = Screen(Browser(story(), wanted="Z"), URL)
    assert "waiting for the peer 'Z' (Tab: another)" in _drawn(screen)
    screen.browser.key("tab")
    assert _drawn(screen)[1].startswith("A  online")


def test_a_lost_connection_is_the_first_thing_to_see() -> None:
    """What was there stays."""
    screen = _screen()
    screen.problem = "lost, trying again: refused"
    lines = _drawn(screen)
    assert lines[0].endswith("lost, trying again: refused")
    assert lines[9].startswith("> ● │")


def test_nothing_is_told_by_colour_alone() -> None:
    """Without colours it is the same text, and no code for any colour."""
    screen = _screen()
    out = io.StringIO()
    console = Console(
        file=out, width=90, height=24, force_terminal=True, color_system="standard", no_color=True
    )
    console.print(Frame(screen.draw(90, 24), 90), end="")
    codes = {part.split("m")[0] for part in out.getvalue().split("\x1b[") if "m" in part}
    colours = {str(n) for n in (*range(30, 38), *range(40, 48), *range(90, 98))}
    assert not {each for code in codes for each in code.split(";")} & colours
    assert "[A]\x1b[0m B" in out.getvalue()


def test_a_terminal_that_knows_few_characters_gets_only_those() -> None:
    """The timeline, the rules and the help are drawn with others then."""
    for keys in ((), ("?",), ("enter",), ("a", "home", "down", "down")):
        screen = _screen(None, *keys)
        screen.marks = ASCII
        assert all(line.isascii() for line in _drawn(screen))
    assert all(len(getattr(ASCII, name)) == 1 for name in ASCII.__slots__ if name != "to")
    assert all(len(getattr(UNICODE, name)) == 1 for name in UNICODE.__slots__)
