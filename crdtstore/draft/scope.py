"""One run of one reducer: where its drafts record changes, and what ends them.

Every draft belongs to a scope. While the reducer runs, writes become changes in ``scope.changes``;
when it returns or raises the scope is revoked, and a draft that escaped raises at its next use.
A row that was removed is detached: it still reads and writes like a plain object, but what is
written to it goes nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crdtstore.changes import Change, Path, coalesce
from crdtstore.errors import RevokedDraftError
from crdtstore.values import FrozenDict, FrozenList, freeze, same, thaw

__all__ = ["Opener", "Scope", "display"]

Opener = Callable[["Scope", Any, Path, Any], Any]


class Scope:
    """The changes of one reducer run on the slice called ``root``.

    ``token`` makes names for new list elements; ``openers`` says how each kind of shape opens as a
    draft: ``(scope, shape, path, snapshot) -> draft``.
    """

    __slots__ = ("changes", "detached", "openers", "revoked", "root", "thawed", "token")

    def __init__(
        self, token: Callable[[], str], openers: Mapping[type, Opener], root: str = ""
    ) -> None:
        self.openers = openers
        self.changes: list[Change] = []
        self.detached: list[Scope] | None = None
        self.revoked = False
        self.root = root
        self.thawed: dict[Path, tuple[Any, Any, Callable[[Any], None]]] = {}
        self.token = token

    def check(self) -> None:
        """Raise ``RevokedDraftError`` if the reducer is over."""
        if self.revoked:
            raise RevokedDraftError(
                "this draft belongs to a reducer that has returned; read store.state instead, "
                "or take current(draft) inside the reducer"
            )

    def detach(self) -> Scope:
        """Return a scope whose changes go nowhere, and that ends with this one."""
        scope = Scope(self.token, self.openers, self.root)
        self.detached = [*(self.detached or ()), scope]
        return scope

    def thaw(self, path: Path, value: Any, assign: Callable[[Any], None]) -> Any:
        """Give out a plain mutable copy of a register's list or dict, written back at the end."""
        if type(value) is not FrozenList and type(value) is not FrozenDict:
            return value
        known = self.thawed.get(path)
        if known is not None and known[0] is value:
            return known[1]
        copy = thaw(value)
        self.thawed[path] = (value, copy, assign)
        return copy

    def written(self, path: Path, value: Any) -> bool:
        """Tell whether ``value`` is the very copy given out for ``path``, edited in place."""
        known = self.thawed.get(path)
        if known is None:
            return False
        if known[1] is value:
            return True
        del self.thawed[path]
        return False

    def forget(self, path: Path) -> None:
        """Drop the copies given out below a place that is gone."""
        for known in [p for p in self.thawed if p[: len(path)] == path]:
            del self.thawed[known]

    def finish(self) -> list[Change]:
        """Write edited copies back and return the changes, coalesced."""
        if self.thawed:
            thawed, self.thawed = self.thawed, {}
            for before, copy, assign in thawed.values():
                if not same(before, copy):
                    assign(copy)
        return coalesce(self.changes) if self.changes else self.changes

    def revoke(self) -> None:
        """End every draft of this run."""
        self.revoked = True
        for scope in self.detached or ():
            scope.revoke()


def display(encoded: Any, value: Any, decode: Callable[[Any], Any]) -> Any:
    """Return ``value`` as every replica will read it, given its encoding."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None or kind is float:
        return value
    if kind is tuple or kind is list or kind is dict:
        return freeze(value) if type(encoded) is not bytes else decode(encoded)
    return decode(encoded)
