"""Files that Redux DevTools exports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync.devtools.imported import MAX_ACTIONS, MAX_IMPORT, LogFileError, read_log


def lifted(**changes: Any) -> dict[str, Any]:
    whole = {
        "monitorState": {},
        "actionsById": {
            "0": {"type": "PERFORM_ACTION", "action": {"type": "@@INIT"}, "timestamp": 5},
            "4": {"type": "PERFORM_ACTION", "action": {"type": "a", "payload": 1}, "timestamp": 6},
            "7": {"type": "PERFORM_ACTION", "action": {"type": "b"}, "timestamp": 7},
        },
        "nextActionId": 8,
        "stagedActionIds": [0, 4, 7],
        "skippedActionIds": [],
        "currentStateIndex": 1,
        "computedStates": [
            {"state": {"n": {"v": 0}, "m": [1]}},
            {"state": {"n": {"v": 1}, "m": [1]}},
            {"state": None, "error": "Interrupted"},
        ],
        "committedState": {"n": {"v": 0}},
    }
    return {**whole, **changes}


def test_a_lifted_state_is_its_actions_with_their_states() -> None:
    """In the order in which they are staged, with what is looked at."""
    log = read_log(json.dumps(lifted()))
    assert [(step.action, step.at, step.error) for step in log.steps] == [
        ({"type": "@@INIT"}, 5, None),
        ({"type": "a", "payload": 1}, 6, None),
        ({"type": "b"}, 7, "Interrupted"),
    ]
    first, second = log.steps[0].state, log.steps[1].state
    assert (first, second) == ({"n": {"v": 0}, "m": [1]}, {"n": {"v": 1}, "m": [1]})
    assert first["m"] is second["m"]  # type: ignore[index]
    assert log.index == 1


def test_what_a_lifted_state_does_not_say_is_not_made_up() -> None:
    """A missing state is an error in its place, a missing index the end."""
    log = read_log(lifted(computedStates=[{"state": 1}], currentStateIndex=None))
    assert [step.error is None for step in log.steps] == [True, False, False]
    assert log.index == 2
    assert read_log(lifted(currentStateIndex=99)).index == 2
    assert read_log(lifted(currentStateIndex=-1)).index == 0


def test_a_list_of_actions_has_no_states_after_the_first() -> None:
    """With or without the state that it begins with, and with or without envelopes."""
    actions = [{"type": "a"}, {"type": "PERFORM_ACTION", "action": {"type": "b"}, "timestamp": 9}]
    file = {"payload": json.dumps(actions), "preloadedState": json.dumps({"n": 1})}
    for text in (file, json.dumps(file), {"payload": actions, "preloadedState": {"n": 1}}):
        log = read_log(text)
        assert [(step.action["type"], step.at) for step in log.steps] == [
            ("@@INIT", 0),
            ("a", 0),
            ("b", 9),
        ]
        assert log.steps[0].state == {"n": 1}
        assert log.steps[0].error is None
        assert all("not the state" in (step.error or "") for step in log.steps[1:])
        assert log.index == 2
    assert read_log({"payload": "[]"}).steps[0].state is None


def test_a_payload_may_be_a_lifted_state() -> None:
    """The envelope with payload is only an envelope then."""
    assert read_log({"payload": json.dumps(lifted())}) == read_log(lifted())


def test_of_very_many_actions_the_newest_are_kept() -> None:
    """Both forms are bounded."""
    count = MAX_ACTIONS + 5
    log = read_log({"payload": [{"type": str(number)} for number in range(count)]})
    assert len(log.steps) == MAX_ACTIONS + 1
    assert log.steps[-1].action["type"] == str(count - 1)
    ids = list(range(count))
    log = read_log(
        lifted(
            actionsById={str(id): {"action": {"type": str(id)}} for id in ids},
            stagedActionIds=ids,
            computedStates=[{"state": id} for id in ids],
            currentStateIndex=count - 2,
        )
    )
    assert len(log.steps) == MAX_ACTIONS
    assert (log.steps[0].action["type"], log.steps[0].state) == ("5", 5)
    assert log.steps[log.index].state == count - 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "expected a file that Redux DevTools exported"),
        ("", "the file is no JSON"),
        ("{", "the file is no JSON"),
        ("[" * 100_000, "the file has too many objects and arrays inside one another"),
        ("[]", "expected a file that Redux DevTools exported"),
        ("{}", "got dict {}"),
        ({"payload": "x"}, "payload is no JSON"),
        ({"payload": "3"}, "got int 3"),
        ({"payload": [], "preloadedState": "{"}, "preloadedState is no JSON"),
        ({"payload": [3]}, "action 0 is an object with a type, got int 3"),
        (lifted(actionsById=[]), "got no actionsById, or no stagedActionIds"),
        (lifted(stagedActionIds=[]), "got no actionsById, or no stagedActionIds"),
        (lifted(stagedActionIds=[0, 5]), "the action 5 is an object with a type, got NoneType"),
        (lifted(computedStates={}), "computedStates is a list, got dict {}"),
        (" " * (MAX_IMPORT + 1), "expected at most 64,000,000 characters, got 64,000,001"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_exported_log_is_refused(text: object, said: str) -> None:
    """The error says what was expected and what came."""
    with pytest.raises(LogFileError) as caught:
        read_log(text)
    assert said in str(caught.value)
