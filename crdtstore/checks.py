"""Development checks of what is dispatched; under ``python -O`` they are not there at all.

State needs no check: what reducers write is checked value by value as they write it, and what is
read cannot be written to. What is left are actions, which reducers, middleware, logs and peers take
for data: one that carries a socket or a lock can be neither shown nor shared nor replayed. The
check looks at a bounded number of values, in the order in which they stand, and of every container
at its first items only, so that a long list in front hides nothing behind it.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from itertools import islice
from os.path import dirname, join
from time import thread_time
from types import FrameType
from typing import Any, Final, NamedTuple, TypeAlias

from crdtstore.actions import Action
from crdtstore.bindings import is_action_creator
from crdtstore.dynamic import ADD_MIDDLEWARE
from crdtstore.errors import CrdtstoreWarning, DispatchError, format_path
from crdtstore.frozen import MAX_DEPTH, is_text
from crdtstore.listeners import add_listener, remove_listener
from crdtstore.middleware import Dispatch, Middleware, MiddlewareAPI
from crdtstore.scalars import CHECKS, KeyPath, describe, refusal
from crdtstore.state import RootState
from crdtstore.views import FrozenRecord, ListSnapshot, MapSnapshot, SetSnapshot, TableSnapshot

__all__ = [
    "Entries",
    "IgnoredPaths",
    "NonSerializableValue",
    "create_action_creator_invariant_middleware",
    "create_serializable_state_invariant_middleware",
    "find_non_serializable_value",
    "is_plain",
]

IgnoredPaths: TypeAlias = Sequence[str | re.Pattern[str]]
"""Paths as messages show them (``"payload.items[0]"``), or patterns to be found in such paths."""

Entries: TypeAlias = Iterable[tuple[object, object]]
"""What a value holds: keys or indices, and values."""

MAX_VALUES: Final = 128
"""How many values of one action are looked at unless configured otherwise: tens of µs at most."""

_PACKAGE = join(dirname(__file__), "")
_FIELDS = 64  # entries of one dict or object that are looked at, where the values are limited
_ITEMS = 16  # items of one list, which are mostly alike
_MOST_WARNINGS = 256  # of one store: kinds of keys may be without number

_SCALARS = frozenset(CHECKS)
_LISTS = (list, tuple, set, frozenset)
_SNAPSHOTS = (FrozenRecord, ListSnapshot, TableSnapshot, MapSnapshot, SetSnapshot, RootState)


class NonSerializableValue(NamedTuple):
    """What is no data, and where it was found."""

    key_path: str
    value: object


# Looking


def is_plain(value: object) -> bool:
    """Tell whether a value is data, without looking at what it holds.

    Data is what state can hold, any list, tuple, dict and set, dataclass instances, and snapshots
    of state.
    """
    kind: Any = type(value)
    return kind in _SCALARS or _reader(kind) is not None


def find_non_serializable_value(
    value: object,
    path: str = "",
    *,
    is_serializable: Callable[[Any], bool] = is_plain,
    get_entries: Callable[[Any], Entries] | None = None,
    ignored_paths: IgnoredPaths = (),
    max_values: int | None = None,
) -> NonSerializableValue | None:
    """Return the first value in ``value`` that is no data, or ``None``; all is looked at.

    ``path`` is where ``value`` itself stands; without one, ``value`` is called ``<root>``. What
    contains itself, or is more than 64 containers deep, is no data either. For the options see
    ``create_serializable_state_invariant_middleware``.
    """
    search = _Search(is_serializable, get_entries, ignored_paths, max_values)
    found = search.find(value, *([path] if path else []))
    return None if found is None else NonSerializableValue(search.path or "<root>", found[0])


class _Search:
    """One look at one value, as deep as it goes and as far as ``max_values`` allows."""

    __slots__ = (
        "_above",
        "_all",
        "_entries",
        "_fine",
        "_ignored",
        "_serializable",
        "left",
        "where",
    )

    def __init__(
        self,
        is_serializable: Callable[[Any], bool],
        get_entries: Callable[[Any], Entries] | None,
        ignored: IgnoredPaths,
        max_values: int | None,
    ) -> None:
        self._serializable = is_serializable
        self._fine = _SCALARS if is_serializable is is_plain else frozenset[type]()
        self._entries = _entries if get_entries is None else get_entries
        self._ignored = ignored
        self._all = max_values is None
        self._above: list[object] = []
        self.left = sys.maxsize if max_values is None else max_values
        self.where: list[object] = []

    @property
    def path(self) -> str:
        """Where the search stands; where it ended, if it found something."""
        return format_path(tuple(self.where)) if self.where else ""

    def find(self, value: object, *where: object) -> tuple[object] | None:
        """Return the first value that is no data, in a tuple of one."""
        self.where = [*where]
        return self._find(value)

    def _find(self, value: object) -> tuple[object] | None:
        if self._ignored and self.where and _matches(self._ignored, self.path):
            return None
        if not self._serializable(value):
            return (value,)
        above = self._above
        if len(above) >= MAX_DEPTH:
            return (value,)
        for each in above:
            if each is value:
                return (value,)
        fine = self._fine
        where = self.where
        above.append(value)
        where.append(None)
        entries = self._entries(value)
        if not self._all:
            entries = islice(entries, _ITEMS if isinstance(value, _LISTS) else _FIELDS)
        for where[-1], item in entries:  # the path follows
            self.left -= 1
            if self.left < 0:
                break
            if type(item) not in fine and (found := self._find(item)) is not None:
                return found
        where.pop()
        above.pop()
        return None


@lru_cache(maxsize=1024)
def _reader(kind: type) -> Callable[[Any], Entries] | None:
    """Return what reads the entries of a type of data, and ``None`` for a type that is none."""
    if kind in _SCALARS or issubclass(kind, (*_SNAPSHOTS, Enum)) or is_text(kind):
        return _no_entries  # in a snapshot of state there is nothing but data
    if issubclass(kind, Mapping):
        return dict.items if issubclass(kind, dict) else kind.items
    if issubclass(kind, _LISTS):
        return enumerate
    if is_dataclass(kind):
        names = tuple(kind.__dataclass_fields__)
        return lambda value: [(name, getattr(value, name, None)) for name in names]
    return None


def _no_entries(value: object) -> Entries:
    return ()


def _entries(value: Any) -> Entries:
    kind: Any = type(value)
    return (_reader(kind) or _no_entries)(value)


def _matches(ignored: IgnoredPaths, path: str) -> bool:
    return any(
        each == path if isinstance(each, str) else each.search(path) is not None for each in ignored
    )


# The checks


def create_serializable_state_invariant_middleware(
    *,
    is_serializable: Callable[[Any], bool] = is_plain,
    get_entries: Callable[[Any], Entries] | None = None,
    ignored_actions: Iterable[str] = (),
    ignored_action_paths: IgnoredPaths = ("meta.arg",),
    ignore_actions: bool = False,
    warn_after: float = 32,
    max_values: int | None = MAX_VALUES,
) -> Middleware:
    """Return a middleware that warns of actions that carry anything but data.

    It looks at ``payload``, ``meta`` and ``error`` before the action goes on, and issues a
    ``CrdtstoreWarning`` once for each action type and place. ``is_serializable`` says of one value
    whether it is data (``is_plain``), and ``get_entries`` what it holds, as pairs of a key and a
    value. ``ignored_actions`` are action types, ``ignored_action_paths`` places that are not looked
    into; ``ignore_actions`` turns the check off. Actions that tell a middleware what to call are no
    data and not looked at. ``max_values`` are looked at in one action (all for ``None``); a look of
    more than ``warn_after`` ms is warned of, once.
    """
    if not __debug__ or ignore_actions:
        return _no_middleware
    ignored = _COMMANDS.union(ignored_actions)
    paths = {part: [p for p in ignored_action_paths if _is_in(part, p)] for part in _PARTS}
    fast = _SCALARS if is_serializable is is_plain else frozenset[type]()

    def middleware(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        advice = _Advice()

        def check(kind: str, parts: Iterable[object]) -> None:
            if kind in ignored:
                return
            started = thread_time()
            left = max_values
            for part, value in zip(_PARTS, parts, strict=True):
                if value is None:
                    continue
                search = _Search(is_serializable, get_entries, paths[part], left)
                if (found := search.find(value, part)) is not None:
                    advice.on_value(kind, tuple(search.where), *found)
                    return
                if left is not None:
                    left = search.left
            took = (thread_time() - started) * 1000
            if took > warn_after:
                advice.on_time(kind, took, warn_after)

        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                if isinstance(action, Action):
                    payload, meta, error = action.payload, action.meta, action.error
                    if meta is not None or error is not None or not _is_flat(payload, fast):
                        check(action.type, (payload, meta, error))
                elif isinstance(action, Mapping) and isinstance(action.get("type"), str):
                    check(action["type"], map(action.get, _PARTS))
                return proceed(action)

            return handle

        return layer

    return middleware


_PARTS = ("payload", "meta", "error")
_COMMANDS = frozenset({ADD_MIDDLEWARE, add_listener.type, remove_listener.type})


def _is_flat(value: Any, fast: frozenset[type]) -> bool:
    """Whether a payload is a single value or a few by name, as nearly all of them are."""
    kind = type(value)
    return kind in fast or (
        kind is dict and 0 < len(value) <= _FIELDS and fast.issuperset(map(type, value.values()))
    )


def _is_in(part: str, ignored: str | re.Pattern[str]) -> bool:
    """Whether a path that is ignored may lie in this part of an action."""
    return not isinstance(ignored, str) or re.match(rf"{part}(?!\w)", ignored) is not None


class _Advice:
    """What one store warns of: each thing once, and not without end."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: set[object] = set()

    def on_value(self, kind: str, where: KeyPath, wrong: object) -> None:
        """Warn of a value that is no data."""
        keys = [
            str(key) for key in where if type(key) is not int
        ]  # one item of a list is like others
        path = format_path(where)
        if is_plain(wrong):
            reason = (
                f"{path}: expected data, got a {describe(type(wrong))} that is_serializable "
                f"refuses, or that contains itself or lies in more than {MAX_DEPTH} containers"
            )
        else:
            reason = str(refusal(wrong, where))
        self._give(
            (kind, type(wrong), *keys),
            f"the action {kind!r} carries what is no data. {reason}. Actions are shown, shared and "
            "replayed: let it carry what the thing is made from or found by (a name, an id), or "
            f"allow it with ignored_actions=[{kind!r}] or ignored_action_paths=[{path!r}]",
        )

    def on_time(self, kind: str, took: float, allowed: float) -> None:
        """Warn that looking took too many ms."""
        self._give(
            None,
            f"looking for what is no data in the action {kind!r} took {took:.1f} ms, more than "
            f"warn_after={allowed:g}; lower max_values, or name the action in ignored_actions or "
            "the place in ignored_action_paths (python -O does not look at all)",
        )

    def _give(self, about: object, message: str) -> None:
        if about in self._given or len(self._given) >= _MOST_WARNINGS:
            return
        warnings.warn(message, CrdtstoreWarning, stacklevel=_level())
        self._given.add(about)  # warnings that are errors are raised every time


def _level() -> int:
    """Return the stack level, as the caller counts, of the program's line that dispatched."""
    level = 0
    dispatched = False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        level += 1
        ours = frame.f_code.co_filename.startswith(_PACKAGE)
        if dispatched and not ours:
            return level
        dispatched = dispatched or (ours and frame.f_code.co_name == "dispatch")
        frame = frame.f_back
    return 2  # the middleware is used on its own


def create_action_creator_invariant_middleware(
    *, is_action_creator: Callable[[Any], bool] = is_action_creator
) -> Middleware:
    """Return a middleware that refuses an action creator in place of its action.

    ``store.dispatch`` refuses those of this package by itself. This is for others: whatever is
    called to make an action, and would otherwise be run as a thunk, so put it in front of the thunk
    middleware. ``is_action_creator`` says what is one. Dispatching one raises ``DispatchError``.
    """
    if not __debug__:
        return _no_middleware

    def middleware(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                if is_action_creator(action):
                    kind = getattr(action, "type", None)
                    name = getattr(action, "__name__", None) or ""
                    if not name.isidentifier():  # a lambda
                        name = str(kind or "action_creator").rpartition("/")[2]
                    raise DispatchError(
                        f"the action creator of {kind or 'unknown'!r} was dispatched, and not an "
                        f"action; did you forget to call it: dispatch({name}())?"
                    )
                return proceed(action)

            return handle

        return layer

    return middleware


def _no_middleware(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
    return lambda proceed: proceed
