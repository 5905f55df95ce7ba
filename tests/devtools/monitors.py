"""What the UI of Redux DevTools does with what it is told, in a few obvious lines.

Its instances reducer (``@redux-devtools/app-core`` 3.0.0) and the reader of jsan 3.1.14, as far as
they matter: a whole state replaces what was there, an action is appended, and what exceeds the
maximal age is committed.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["Ui", "unjsan"]

_STEP = re.compile(r'\.(\w+)|\[(\d+)\]|\["((?:[^\\"]|\\.)*)"\]', re.ASCII)


def unjsan(text: str) -> Any:
    """Read JSON with the references of jsan in it."""
    root = json.loads(text)

    def follow(path: str) -> Any:
        found = root
        for name, number, quoted in _STEP.findall(path):
            found = found[int(number)] if number else found[name or quoted.replace('\\"', '"')]
        return found

    def walk(value: Any) -> None:
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(each, dict) and each.get("$jsan"):
                assert each["$jsan"].startswith("$"), each
                value[key] = follow(each["$jsan"])
            elif isinstance(each, dict | list):
                walk(each)

    if isinstance(root, dict | list):
        walk(root)
    return root


class Ui:
    """One instance as a monitor shows it."""

    def __init__(self) -> None:
        self.lifted: dict[str, Any] = {}
        self.errors: list[str] = []
        self.states = 0
        self.creators: list[dict[str, Any]] = []
        self.features: dict[str, Any] = {}

    def take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "ERROR":
                self.errors.append(message["payload"])
            case "STATE":
                self.states += 1
                self.lifted = unjsan(message["payload"])
                self.creators = message["action"]
                self.features = message["libConfig"]["features"]
            case "ACTION":
                payload, action = unjsan(message["payload"]), json.loads(message["action"])
                if isinstance(action, list):
                    assert len(action) == len(payload)
                    for state, each in zip(payload, action, strict=True):
                        after = self.lifted["nextActionId"] + 1
                        self._perform(state, each, after, message["maxAge"])
                else:
                    self._perform(payload, action, message["nextActionId"], message["maxAge"])

    def _perform(self, state: Any, action: Any, after: int, most: int) -> None:
        lifted = self.lifted
        assert action["type"] == "PERFORM_ACTION"
        if lifted["currentStateIndex"] == len(lifted["stagedActionIds"]) - 1:
            lifted["currentStateIndex"] += 1
        lifted["stagedActionIds"].append(after - 1)
        lifted["actionsById"][str(after - 1)] = action
        lifted["nextActionId"] = after
        lifted["computedStates"].append({"state": state})
        excess = len(lifted["stagedActionIds"]) - most
        if excess > 0:
            for id in lifted["stagedActionIds"][1 : excess + 1]:
                del lifted["actionsById"][str(id)]
            lifted["stagedActionIds"] = [0, *lifted["stagedActionIds"][excess + 1 :]]
            lifted["committedState"] = lifted["computedStates"][excess]["state"]
            del lifted["computedStates"][:excess]
            lifted["currentStateIndex"] = max(0, lifted["currentStateIndex"] - excess)

    @property
    def index(self) -> int:
        index = self.lifted["currentStateIndex"]
        assert isinstance(index, int)
        return index

    @property
    def actions(self) -> list[dict[str, Any]]:
        """The actions in the list, without that before the first."""
        ids = self.lifted["stagedActionIds"][1:]
        return [self.lifted["actionsById"][str(id)]["action"] for id in ids]

    @property
    def types(self) -> list[str]:
        return [action["type"] for action in self.actions]

    @property
    def shown(self) -> list[Any]:
        return [computed["state"] for computed in self.lifted["computedStates"]]
