"""What the keys do."""

from __future__ import annotations

from typing import Any

import pytest

from sync.watch.browser import Browser
from tests.watch.feed import (
    DETAIL,
    PEERS,
    STORY,
    A,
    B,
    C,
    act,
    event,
    events,
    hello,
    replica,
    replicas,
    story,
    told,
)


@pytest.fixture
def browser() -> Browser:
    """A browser of two peers that did something at the same time."""
    return Browser(story())


def _press(browser: Browser, *keys: str) -> list[int]:
    for key in keys:
        assert browser.key(key)
    return [each.n for each in browser.rows()]


def _tell(browser: Browser, message: dict[str, Any]) -> None:
    browser.heed(browser.model.receive(message))


def test_the_first_peer_is_shown_with_what_concerns_it(browser: Browser) -> None:
    """Its own events, and cuts seen from either end."""
    assert _press(browser) == [0, 2, 5, 7, 8]
    assert _press(browser, "tab") == [1, 3, 4, 6, 7]
    assert _press(browser, "tab") == [0, 2, 5, 7, 8]
    assert _press(browser, "backtab") == [1, 3, 4, 6, 7]
    assert _press(browser, "1", "7") == [0, 2, 5, 7, 8]
    assert _press(browser, "a") == list(range(9))


def test_a_peer_that_is_wanted_is_waited_for() -> None:
    """And shown as soon as it is there, whatever else is."""
    browser = Browser(story(), wanted="C")
    assert browser.rows() == []
    assert browser.current() is None
    _tell(browser, replicas(*PEERS, replica(C, "C")))
    assert browser.rows() == []
    assert browser.peer == C


def test_a_peer_with_tools_of_its_own_comes_first() -> None:
    """One that is only known through others has less to show."""
    known = replicas(replica(A, "A", attached=False), replica(B, "B"))
    browser = Browser(told(hello(), known))
    browser.rows()
    assert browser.peer == B


def test_only_wanted_slices_are_shown() -> None:
    """And what concerns no slice, such as cuts."""
    model = told(
        hello(),
        replicas(*PEERS),
        events(
            act(0, A, "todos/add"),
            act(1, A, "notes/add", slices=["notes", "tags"]),
            event(2, "cut", A, peer=B, slices=[]),
        ),
    )
    assert [each.n for each in Browser(model, slices=["tags"]).rows()] == [1, 2]


def test_the_newest_is_selected_until_one_goes_elsewhere(browser: Browser) -> None:
    """End, or f, goes back to following."""
    _press(browser)
    assert browser.selected == 8
    _tell(browser, events(act(9, A, "todos/clear", 8)))
    assert _press(browser)[-1] == browser.selected == 9
    _press(browser, "up")
    assert browser.selected == 8
    _tell(browser, events(act(10, A, "todos/clear", 9)))
    _press(browser)
    assert browser.selected == 8
    _press(browser, "end")
    assert browser.selected == 10
    _press(browser, "f", "f")
    assert browser.follow


def test_moving_stops_at_both_ends(browser: Browser) -> None:
    """By rows, by pages, and all the way."""
    browser.page = 2
    path = []
    for key in ("home", "up", "down", "pagedown", "j", "j", "pageup", "k", "g", "G"):
        _press(browser, key)
        path.append(browser.selected)
    assert path == [0, 0, 2, 7, 8, 8, 5, 2, 0, 8]


def test_a_selection_that_is_filtered_out_goes_to_what_comes_next(browser: Browser) -> None:
    """Or to the last, if nothing does."""
    _press(browser, "home", "down")
    assert browser.selected == 2
    assert _press(browser, "/", "e", "g", "g") == [5]
    assert browser.selected == 5
    assert _press(browser, "backspace", "backspace", "backspace", "escape") == [0, 2, 5, 7, 8]
    assert _press(browser, "/", "z", "enter") == []
    assert (browser.selected, browser.mode, browser.filter) == (None, "list", "z")
    _press(browser, "up", "enter", "s")
    assert browser.mode == "list"
    assert len(_press(browser, "escape", "escape")) == 5


def test_letters_are_letters_while_a_filter_is_typed(browser: Browser) -> None:
    """Also those that are keys elsewhere; a filter does not care about capitals."""
    assert _press(browser, "/", "Q", "space", "q", "up") == []
    assert browser.filter == "Q q"
    assert _press(browser, "escape", "/", "M", "I", "L", "K") == [2]
    assert _press(browser, "enter", "tab") == [6]


def test_q_ends_it(browser: Browser) -> None:
    """From the list, from the help, and from the state."""
    assert not browser.key("q")
    _press(browser, "?")
    assert not browser.key("q")


def test_the_next_conflict_is_found(browser: Browser) -> None:
    """And after the last one, the first."""
    conflicts = [{"path": ["todos", "title"], "with": 4}]
    _tell(browser, {"type": "amended", "events": [{**STORY[2], "conflicts": conflicts}]})
    _press(browser, "c")
    assert browser.selected == 2
    _press(browser, "c")
    assert browser.selected == 2


def test_concurrency_is_that_of_the_work(browser: Browser) -> None:
    """A delivery is marked when what it brought was made without knowing of the selected act."""
    _press(browser, "home", "down")
    assert [each.n for each in browser.rows() if browser.concurrent(each)] == [5]
    _press(browser, "a")
    assert [each.n for each in browser.rows() if browser.concurrent(each)] == [3, 4, 5]


def test_who_was_online_is_known_for_every_moment() -> None:
    """From when somebody came to when it left; who is told nothing of was there all the time."""
    model = told(
        hello(),
        replicas(replica(A, "A"), replica(B, "B"), replica(C, "C")),
        events(event(0, "join", A), event(1, "leave", B), event(2, "join", B), act(3, A, "n/add")),
    )
    browser = Browser(model)
    assert [browser.online(n) for n in range(4)] == [{A, B, C}, {A, C}, {A, B, C}, {A, B, C}]


def test_details_are_asked_for_when_they_are_open(browser: Browser) -> None:
    """One question at a time, for what is selected, and once."""
    assert browser.request() is None
    _press(browser, "enter")
    assert browser.request() == {"type": "detail", "id": 1, "n": 8}
    _press(browser, "up")
    assert browser.request() is None
    _tell(browser, {"type": "response", "id": 7, "ok": True, "value": {}})
    assert browser.request() is None
    _tell(browser, {"type": "response", "id": 1, "ok": True, "value": DETAIL})
    assert browser.request() == {"type": "detail", "id": 2, "n": 7}
    _tell(browser, {"type": "response", "id": 2, "ok": False, "error": "forgotten"})
    answer = browser.answer("detail")
    assert answer is not None
    assert answer.error == "forgotten"
    _press(browser, "down")
    assert browser.request() is None
    answer = browser.answer("detail")
    assert answer is not None
    assert answer.value == DETAIL


def test_an_answer_is_forgotten_when_it_may_have_changed(browser: Browser) -> None:
    """When its event says more now; and a lost connection answers nothing."""
    _press(browser, "enter")
    assert browser.request() is not None
    browser.disconnected()
    assert browser.request() == {"type": "detail", "id": 2, "n": 8}
    _tell(browser, {"type": "response", "id": 2, "ok": True, "value": DETAIL})
    _tell(browser, {"type": "amended", "events": [{**STORY[8], "changed": 5}]})
    assert browser.answer("detail") is None
    assert browser.request() == {"type": "detail", "id": 3, "n": 8}


def test_the_state_of_a_moment_stands_still(browser: Browser) -> None:
    """Whatever happens meanwhile; it can be scrolled, and closed."""
    _press(browser, "s")
    assert browser.request() == {"type": "state", "id": 1, "n": 8}
    _tell(browser, events(act(9, A, "todos/clear", 8)))
    _tell(browser, {"type": "response", "id": 1, "ok": True, "value": {"state": {"n": 1}}})
    assert browser.request() is None
    answer = browser.answer("state")
    assert answer is not None
    assert answer.value == {"state": {"n": 1}}
    browser.page = 4
    _press(browser, "down", "pagedown", "up")
    assert browser.scroll == 4
    _press(browser, "home")
    assert browser.scroll == 0
    _press(browser, "s")
    assert browser.mode == "list"


def test_another_server_means_other_answers(browser: Browser) -> None:
    """Its events have the numbers of the former one's."""
    _press(browser, "enter")
    browser.request()
    _tell(browser, {"type": "response", "id": 1, "ok": True, "value": DETAIL})
    _tell(browser, hello())
    _tell(browser, events(*(act(n, A, "n/add") for n in range(9))))
    assert browser.answer("detail") is None
    assert _press(browser) == list(range(9))
