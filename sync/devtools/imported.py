"""Files that Redux DevTools exports, read strictly: a list of actions and the state after each.

There are two forms. The lifted state has the states; ``{"payload", "preloadedState"}`` has them
only up to the first action, and what is not in a file is not made up: no reducer runs here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crdtstore import CrdtstoreError, RootState

__all__ = ["MAX_ACTIONS", "MAX_IMPORT", "ImportedLog", "ImportedStep", "LogFileError", "read_log"]

MAX_IMPORT = 64_000_000
"""Characters of a file that is read."""

MAX_ACTIONS = 10_000
"""Actions of a file that are kept, the newest."""

_NO_STATE = "this file has the action only, not the state after it"
_FORMS = (
    "a file that Redux DevTools exported: the lifted state, with actionsById, stagedActionIds and "
    'computedStates, or {"payload": [actions], "preloadedState": state}'
)


class LogFileError(CrdtstoreError, ValueError):
    """A file that is no exported log; says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class ImportedStep:
    """One action, as JSON, when it was (ms), and the state after it, or why there is none."""

    action: dict[str, Any]
    at: int
    state: object
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ImportedLog:
    """The steps of a file, the first of which is where it begins; ``index`` is the one shown."""

    steps: tuple[ImportedStep, ...]
    index: int


def read_log(text: object) -> ImportedLog:
    """Return the log that a file's text, or what it decodes to, holds.

    Raises ``LogFileError``.
    """
    value = _decoded(text, "the file")
    if isinstance(value, Mapping) and "payload" in value:
        first = _decoded(value.get("preloadedState"), "preloadedState")
        value = _decoded(value["payload"], "payload")
        if isinstance(value, list):
            return _actions(value, first)
    if isinstance(value, Mapping) and "computedStates" in value:
        return _lifted(value)
    raise LogFileError(f"expected {_FORMS}; got {_kind(value)}")


def _decoded(value: object, what: str) -> Any:
    """A JSON text, decoded; what is none already as it is."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_IMPORT:
        raise LogFileError(f"expected at most {MAX_IMPORT:,} characters, got {len(value):,}")
    try:
        return json.loads(value)
    except ValueError as error:
        raise LogFileError(f"{what} is no JSON: {error}") from None
    except RecursionError:
        raise LogFileError(f"{what} has too many objects and arrays inside one another") from None


def _actions(actions: list[Any], first: Any) -> ImportedLog:
    same: dict[str, object] = {}
    steps = [ImportedStep({"type": "@@INIT"}, 0, _frozen(first, same))]
    for number, action in enumerate(actions[-MAX_ACTIONS:]):
        inner, at = _action(action, f"action {number}")
        steps.append(ImportedStep(inner, at, None, _NO_STATE))
    return ImportedLog(tuple(steps), len(steps) - 1)


def _lifted(value: Mapping[str, Any]) -> ImportedLog:
    by_id, staged, states = (
        value.get(name) for name in ("actionsById", "stagedActionIds", "computedStates")
    )
    if not isinstance(by_id, Mapping) or not isinstance(staged, list) or not staged:
        raise LogFileError(f"expected {_FORMS}; got no actionsById, or no stagedActionIds")
    if not isinstance(states, list):
        raise LogFileError(f"computedStates is a list, got {_kind(states)}")
    left_out = max(0, len(staged) - MAX_ACTIONS)
    same: dict[str, object] = {}
    steps: list[ImportedStep] = []
    for number in range(left_out, len(staged)):
        id = staged[number]
        action, at = _action(by_id.get(str(id)), f"the action {id!r:.40}")
        computed = states[number] if number < len(states) else None
        if not isinstance(computed, Mapping) or "state" not in computed:
            error = computed.get("error") if isinstance(computed, Mapping) else None
            steps.append(ImportedStep(action, at, None, str(error or _NO_STATE)))
        else:
            error = computed.get("error")
            state = _frozen(computed["state"], same)
            steps.append(ImportedStep(action, at, state, None if error is None else str(error)))
    index = value.get("currentStateIndex")
    index = index - left_out if type(index) is int else len(steps)
    return ImportedLog(tuple(steps), min(max(index, 0), len(steps) - 1))


def _action(value: Any, what: str) -> tuple[dict[str, Any], int]:
    """An action, with or without the envelope that says when it was."""
    at = 0
    if isinstance(value, Mapping) and isinstance(value.get("action"), Mapping):
        at = value.get("timestamp") or 0
        value = value["action"]
    if not isinstance(value, Mapping):
        raise LogFileError(f"{what} is an object with a type, got {_kind(value)}")
    return dict(value), at if type(at) is int else 0


def _frozen(state: Any, same: dict[str, object]) -> object:
    """A state whose slices are the same objects as those that are equal in the states before."""
    if not isinstance(state, Mapping):
        return state
    return RootState(
        {name: same.setdefault(json.dumps(each), each) for name, each in state.items()}
    )


def _kind(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}"
