"""The account of the demo balances with what stores hold, and notices whatever is lost."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from sync.demo.account import Account, Receipt
from sync.demo.script import Step
from tests.sync.demo_rehearsal import EPOCH, Rehearsal, rehearse

Report = dict[str, Any]


@pytest.mark.parametrize("seed", range(12))
def test_the_account_balances(seed: int) -> None:
    """Stores that carried out a script and merged hold what the account says, at every peer."""
    played = rehearse(peers=2 + seed % 4, actions=240, seed=seed)
    assert played.problems() == []


@pytest.fixture(scope="module")
def played() -> Rehearsal:
    """One good run, long enough to have some of everything."""
    return rehearse(peers=3, actions=500, seed=2)


def _lose_todo(report: Report) -> None:
    del report["board"]["todos"][3]


def _double_todo(report: Report) -> None:
    todos = report["board"]["todos"]
    todos.insert(2, todos[2])


def _lose_vote(report: Report) -> None:
    report["board"]["todos"][1]["votes"] -= 1


def _lose_hours(report: Report) -> None:
    next(iter(report["board"]["people"].values()))["hours"] -= 0.25


def _lose_person(report: Report) -> None:
    report["board"]["people"].popitem()


def _lose_word(report: Report) -> None:
    words = report["board"]["notes"].split(" ")
    report["board"]["notes"] = " ".join(words[:4] + words[5:])


def _double_word(report: Report) -> None:
    report["board"]["notes"] += "bread.A1 " + report["board"]["notes"].split(" ")[3] + " "


def _tear_word(report: Report) -> None:
    report["board"]["notes"] = report["board"]["notes"].replace(".A", ". A", 1)


def _double_default(report: Report) -> None:
    report["board"]["notes"] = "Notes: " + report["board"]["notes"]


def _swap_words(report: Report) -> None:
    words = report["board"]["notes"].split(" ")
    report["board"]["notes"] = " ".join([*words[-2::-1], ""])


def _lose_tag(report: Report) -> None:
    next(todo for todo in report["board"]["todos"] if todo["tags"])["tags"].pop()


def _lose_skill(report: Report) -> None:
    next(person for person in report["board"]["people"].values() if person["skills"])[
        "skills"
    ].pop()


def _lose_title_word(report: Report) -> None:
    todo = next(todo for todo in report["board"]["todos"] if "." in todo["title"])
    todo["title"] = " ".join([*todo["title"].split(" ")[:-2], ""])


def _lose_meeting(report: Report) -> None:
    report["board"]["meetings"].popitem()


def _old_value(report: Report) -> None:
    todo = next(todo for todo in report["board"]["todos"] if todo["owner"])
    todo["owner"] = ""


def _hide_conflict(report: Report) -> None:
    report["conflicts"].pop()


def _turn_conflict(report: Report) -> None:
    report["conflicts"][0][1].reverse()


def _forget_action(report: Report) -> None:
    report["tally"]["actions"] -= 1


def _unsort(report: Report) -> None:
    report["board"]["todos"].reverse()


def _diverge(report: Report) -> None:
    report["digest"] = "0" * 32


PLANTED = [
    _lose_todo,
    _double_todo,
    _lose_vote,
    _lose_hours,
    _lose_person,
    _lose_word,
    _double_word,
    _tear_word,
    _double_default,
    _lose_tag,
    _lose_skill,
    _lose_title_word,
    _lose_meeting,
    _old_value,
    _hide_conflict,
    _turn_conflict,
    _forget_action,
    _unsort,
    _diverge,
]


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__.strip("_"))
def test_what_is_lost_at_one_peer_is_noticed(
    played: Rehearsal, plant: Callable[[Report], None]
) -> None:
    """A single loss, doubling or wrong value at one of several peers fails the audit."""
    reports = deepcopy(played.reports)
    plant(reports["C"])
    found = replace(played, reports=reports).problems()
    assert found
    assert len(found) < 4, "one loss is told in few words"


@pytest.mark.parametrize("plant", PLANTED[:-2], ids=lambda plant: plant.__name__.strip("_"))
def test_what_is_lost_everywhere_is_noticed(
    played: Rehearsal, plant: Callable[[Report], None]
) -> None:
    """That all peers agree is no excuse."""
    reports = deepcopy(played.reports)
    for report in reports.values():
        plant(report)
    assert replace(played, reports=reports).problems()


@pytest.mark.parametrize(
    "plant", [_swap_words, _unsort], ids=lambda plant: plant.__name__.strip("_")
)
def test_a_lost_order_is_noticed(played: Rehearsal, plant: Callable[[Report], None]) -> None:
    """Words typed together stay in their order, and so do todos that nobody moved."""
    before = deepcopy(played.before)
    plant(before)
    assert replace(played, before=before).problems()


def test_a_lost_receipt_is_noticed(played: Rehearsal) -> None:
    """An action that left traces but is not in the account is as wrong as the other way round."""
    receipts = [receipt for receipt in played.receipts if receipt.step.kind != "vote"]
    assert replace(played, receipts=receipts).problems()


def test_a_wrong_answer_is_noticed(played: Rehearsal) -> None:
    """A process that did not find what it had seen added is caught, even if all is there later."""
    at = next(n for n, r in enumerate(played.receipts) if r.step.kind == "vote" and r.found)
    receipts = list(played.receipts)
    receipts[at] = replace(receipts[at], found=False)
    problems = replace(played, receipts=receipts).problems()
    assert len(problems) == 1
    assert "was not there" in problems[0]


# The rules, one history each.


class _History:
    """Receipts by hand: ``seen`` names how many steps of the other peers were known."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    def do(self, by: str, kind: str, at: int = 0, *, seen: dict[str, int], **payload: Any) -> None:
        n = 1 + sum(receipt.step.by == by for receipt in self.receipts)
        step = Step(by, n, at, kind, payload)
        self.receipts.append(Receipt(step, f"session-{by}", {**seen, by: n - 1}, True))

    def holdings(self) -> dict[tuple[str, ...], Any]:
        account = Account(0)
        account.enter(self.receipts)
        assert account.problems == []
        return account.holdings()


def _with_todo() -> _History:
    history = _History()
    history.do("A", "add", 10, seen={}, id="A1", title="Buy tea ", tags=["home"], after=None)
    return history


def test_concurrent_increments_add_up() -> None:
    """Two votes that know nothing of each other are two votes."""
    history = _with_todo()
    history.do("A", "vote", seen={}, id="A1", votes=1)
    history.do("B", "vote", seen={"A": 1}, id="A1", votes=1)
    assert history.holdings()["todos", "A1", "votes"] == 2


def test_a_removal_beats_concurrent_edits() -> None:
    """What others did to a todo meanwhile goes with it."""
    history = _with_todo()
    history.do("A", "remove", seen={}, id="A1")
    history.do("B", "vote", seen={"A": 1}, id="A1", votes=1)
    assert ("todos", "A1") not in history.holdings()


def test_the_later_write_shows_and_the_other_is_a_conflict() -> None:
    """Of two concurrent values the one with the larger stamp shows."""
    history = _with_todo()
    history.do("A", "assign", 30, seen={}, id="A1", owner="Ada")
    history.do("B", "assign", 20, seen={"A": 1}, id="A1", owner="Björn")
    held = history.holdings()
    assert held["todos", "A1", "owner"] == "Ada"
    assert held["todos", "A1", "owner", "conflicts"] == ["Ada", "Björn"]


def test_a_write_in_knowledge_of_another_replaces_it() -> None:
    """However slow its clock is."""
    history = _with_todo()
    history.do("A", "assign", 30, seen={}, id="A1", owner="Ada")
    history.do("B", "assign", 1, seen={"A": 2}, id="A1", owner="Björn")
    held = history.holdings()
    assert held["todos", "A1", "owner"] == "Björn"
    assert ("todos", "A1", "owner", "conflicts") not in held


def test_adding_beats_a_concurrent_discard() -> None:
    """A tag that was put on again stays, whoever took the first one off meanwhile."""
    history = _with_todo()
    history.do("A", "untag", seen={}, id="A1", tag="home")
    history.do("A", "tag", seen={}, id="A1", tag="home")
    history.do("B", "untag", seen={"A": 1}, id="A1", tag="home")
    assert history.holdings()["todos", "A1", "tags"] == ["home"]


def test_one_row_added_twice_is_one_row_with_the_work_of_both() -> None:
    """Hours given to either of two concurrent insertions count, and both notes are kept."""
    history = _History()
    for at, by in enumerate("AB"):
        history.do(by, "join", at, seen={}, name="Sam", role=f"role {by}", words=[f"x.{by}"])
        history.do(by, "work", at, seen={}, name="Sam", hours=0.5)
    held = history.holdings()
    assert held["people", "Sam", "hours"] == 1.0
    assert held["people", "Sam", "role"] == "role B"
    assert held["people", "Sam", "note", "conflicts"] == [["", "x.B"], ["", "x.A"]]


def test_defaults_are_there_once() -> None:
    """What everybody starts with is there without a single action, and once after many."""
    history = _History()
    assert history.holdings()["notes",] == ["", "Notes:"]
    for by in "AB":
        history.do(by, "write", seen={}, words=[f"tea.{by}1"], where=0.5)
    held = history.holdings()
    assert held["notes",] == ["", "Notes:", "tea.A1", "tea.B1"]
    assert held["todos", "welcome"] == "there"
    assert held["meetings", "monday"] == "office"


def test_a_cancelled_default_stays_cancelled() -> None:
    """A default that somebody removed does not show again when another peer looks."""
    history = _History()
    history.do("A", "cancel", seen={}, day="monday")
    assert ("meetings", "monday") not in history.holdings()


def test_the_rehearsal_clock_is_plausible() -> None:
    """The stamps of a rehearsal are those of a real clock, so that they fit where it fits."""
    assert EPOCH < 2**53
