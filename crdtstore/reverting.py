"""Taking back one commit, local or merged, by an ordinary action of one's own.

Nothing that was shared is ever undone: what it changed is changed again, by the inverse, in a new
action that goes through middleware, is logged, travels to all peers and can be reverted in turn.
Every slice knows this action, as it knows ``reset``; a reducer of its own for the type replaces
that.
"""

from __future__ import annotations

from typing import Any, Final

from crdtstore.actions import Action
from crdtstore.draft.undoing import put_back
from crdtstore.errors import DispatchError
from crdtstore.replication import Commit
from crdtstore.shapes import CounterShape, RegisterShape, Shape

__all__ = ["REVERT", "Revert", "revert", "reverted"]

REVERT: Final = "@@devtools/revert"
"""The type of the actions that ``revert`` makes."""


class Revert(Action[dict[str, Any]]):
    """What ``revert`` makes; its payload tells which action it is that is taken back.

    ``skipped`` is filled while it is dispatched, each time anew: the paths of what could not be
    taken back, each beginning with a slice, with the lasting keys of list elements.
    """

    __slots__ = ("commit", "skipped")

    def __init__(self, commit: Commit) -> None:
        info = commit.info
        payload: dict[str, Any] = {"type": "@@sync/merged", "replica": "", "at": commit.at}
        if info is not None:
            payload = {"type": info.type, "replica": info.replica, "at": info.at}
        super().__init__(REVERT, payload)
        self.commit = commit
        self.skipped: list[tuple[Any, ...]] = []


def revert(commit: Commit) -> Revert:
    """Return the action that takes back what ``commit`` changed in the store it is dispatched to.

    Values are what they were before, whoever wrote them since; counters go back by as much as they
    had gone on; added rows, elements and entries are removed, and removed ones added again, under
    the same keys; of texts what was typed is cut out and what was cut out put in. What is not there
    any more is left alone, and listed in ``skipped``. Raises ``TypeError`` for what is no commit.
    """
    if not isinstance(commit, Commit):
        raise TypeError(
            "revert takes a commit, as on_commit and store.trail() give them, got "
            f"{type(commit).__name__}: {commit!r:.80}"
        )
    return Revert(commit)


def reverted(name: str, shape: Shape, draft: Any, action: Any) -> Any:
    """Answer ``action`` as a case reducer of the slice called ``name``.

    Raises ``DispatchError`` for an action that only has the type: it says not what to take back.
    Those of peers never come here, as only what they changed arrives.
    """
    if not isinstance(action, Revert):
        raise DispatchError(
            f"{REVERT!r} takes what revert(commit) returns, itself, got {type(action).__name__} "
            "of that type: it was made by hand, or by a middleware that passes on another action"
        )
    commit = action.commit
    action.skipped = [path for path in action.skipped if path[0] != name]  # of the time before
    if name not in commit.previous or name not in commit.state:
        return None
    before, after = commit.previous[name], commit.state[name]
    if before is after:
        return None
    kind = type(shape.default)
    if not isinstance(shape, (RegisterShape, CounterShape)) and not (
        kind is type(before) is type(after)
    ):
        action.skipped.append((name,))  # of a slice that was replaced by another
        return None
    return put_back(shape, draft, before, after, (name,), action.skipped)
