"""One run of one reducer: where its drafts record changes, and what ends them.

Every draft belongs to a scope. While the reducer runs, writes become changes in ``scope.changes``;
when it returns or raises the scope is revoked, and a draft that escaped raises at its next use.
A row that was removed is detached: it still reads and writes like a plain object, but what is
written to it goes nowhere.

A list, dict or object that a reducer puts into the state is copied, as everything in it is, but
stays followed until the reducer ends: what the reducer does to it afterwards is done to the state
too, as it would be with plain Python objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from crdtstore.changes import Change, Path, coalesce
from crdtstore.errors import RevokedDraftError
from crdtstore.values import Codec, FrozenDict, FrozenList, freeze, same, thaw, written

__all__ = ["THAWED", "Lent", "Opener", "Scope", "stored"]

Opener = Callable[["Scope", Any, Path, Any], Any]

THAWED = frozenset({FrozenList, FrozenDict, tuple})
"""The types of register values that are given out as mutable copies."""


_NOTHING: dict[Path, Any] = {}
"""Most reducers neither borrow nor lend, so scopes start with this and not with a dict each."""


class Lent(NamedTuple):
    """An object that was put into the state and may still be edited from outside of it.

    ``then`` is its content at that time; ``mark`` is what the draft must still be for another
    content to replace its own.
    """

    shape: Any
    value: Any
    then: Any
    mark: Any = None


class Scope:
    """The changes of one reducer run on the slice called ``root``.

    ``token`` makes names for new list elements; ``openers`` says how each kind of shape opens as a
    draft: ``(scope, shape, path, snapshot) -> draft``; ``catch_up`` brings a draft up to date with
    the object that was lent to its place.
    """

    __slots__ = (
        "_deepest",
        "catch_up",
        "changes",
        "detached",
        "lending",
        "lent",
        "openers",
        "revoked",
        "root",
        "thawed",
        "token",
    )

    def __init__(
        self,
        token: Callable[[], str],
        openers: Mapping[type, Opener],
        catch_up: Callable[[Scope, Path, Any], None],
        root: str = "",
    ) -> None:
        self.openers = openers
        self.catch_up = catch_up
        self.changes: list[Change] = []
        self.detached: list[Scope] | None = None
        self.lending = True
        self.lent: dict[Path, Lent] = _NOTHING
        self.revoked = False
        self.root = root
        self.thawed: dict[Path, tuple[Any, Any, Callable[[Any], Any]]] = _NOTHING
        self.token = token
        self._deepest = 0

    def check(self) -> None:
        """Raise ``RevokedDraftError`` if the reducer is over."""
        if self.revoked:
            raise RevokedDraftError(
                "this draft belongs to a reducer that has returned; read store.state instead, "
                "or take current(draft) inside the reducer"
            )

    def detach(self) -> Scope:
        """Return a scope whose changes go nowhere, and that ends with this one."""
        scope = Scope(self.token, self.openers, self.catch_up, self.root)
        if self.detached is None:
            self.detached = []
        self.detached.append(scope)
        return scope

    def thaw(self, path: Path, value: Any, assign: Callable[[Any], Any]) -> Any:
        """Give out a plain mutable copy of a register's list or dict, written back at the end."""
        kind = type(value)
        if kind not in THAWED:
            return value
        known = self.thawed.get(path)
        if known is not None and known[0] is value:
            return known[1]
        if kind is tuple and not any(type(item) in THAWED for item in value):
            return value
        copy = thaw(value)
        self.alias(path, value, copy, assign)
        return copy

    def alias(self, path: Path, value: Any, copy: Any, assign: Callable[[Any], Any]) -> None:
        """Let ``copy`` stand for a register's ``value`` until it is written back at the end."""
        if self.thawed is _NOTHING:
            self.thawed = {}
        self.thawed[path] = (value, copy, assign)
        self._deepest = max(self._deepest, len(path))

    def written(self, path: Path, value: Any) -> bool:
        """Tell whether ``value`` is the very copy given out for ``path``, edited in place."""
        known = self.thawed.get(path)
        if known is None:
            return False
        if known[1] is value:
            return True
        del self.thawed[path]
        return False

    def lend(self, path: Path, lent: Lent) -> None:
        """Follow an object that was put into the state at ``path``."""
        if self.lending:
            if self.lent is _NOTHING:
                self.lent = {}
            self.lent[path] = lent
            self._deepest = max(self._deepest, len(path))

    def write_back(self, path: Path) -> None:
        """Record what was edited in the copies given out below a place."""
        for below in self._below(self.thawed, path):
            before, copy, assign = self.thawed.pop(below)
            self.alias(below, before if same(before, copy) else assign(copy), copy, assign)

    def release(self, path: Path, to: Scope) -> None:
        """Hand the copies given out below a place that is gone to the scope of its drafts."""
        for below in self._below(self.thawed, path):
            to.alias(below, *self.thawed.pop(below))
        for below in self._below(self.lent, path):
            del self.lent[below]

    def forget(self, path: Path) -> None:
        """Drop the copies given out below a place that is gone, and what was put there."""
        for known in (self.thawed, self.lent):
            for below in self._below(known, path):
                del known[below]

    def _below(self, known: Mapping[Path, Any], path: Path) -> list[Path]:
        if not known:
            return []
        depth = len(path)
        if depth == self._deepest:
            return [path] if path in known else []
        return [below for below in known if below[:depth] == path]

    def finish(self) -> list[Change]:
        """Write edited copies back and return the changes, coalesced."""
        if self.thawed:
            thawed, self.thawed = self.thawed, _NOTHING
            for before, copy, assign in thawed.values():
                if not same(before, copy):
                    assign(copy)
        return coalesce(self.changes) if self.changes else self.changes

    def revoke(self) -> None:
        """End every draft of this run."""
        self.revoked = True
        for scope in self.detached or ():
            scope.revoke()


def stored(codec: Codec, value: Any, path: tuple[object, ...]) -> tuple[Any, Any]:
    """Return the encoding of ``value``, and ``value`` as every replica will read it.

    Raises ``StateValueError`` with the path for what state cannot hold.
    """
    value, encoded = written(codec, value, path)
    return encoded, _display(encoded, value, codec.decode)


def _display(encoded: Any, value: Any, decode: Callable[[Any], Any]) -> Any:
    """Return ``value`` as every replica will read it, given its encoding."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None or kind is float:
        return value
    if kind is tuple or kind is list or kind is dict:
        return freeze(value) if type(encoded) is not bytes else decode(encoded)
    return decode(encoded)
