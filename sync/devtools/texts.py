"""States as JSON text, each part of them written once however many states it is in.

States share what did not change, as the same objects, so the text of a container is remembered by
its identity: after a change of one row of ten thousand, one row is written and the others joined.
Several states in one message share again: what an earlier one has is a reference of jsan
(``{"$jsan": "$.path"}``), the dialect of JSON that Redux DevTools reads, and the same object there.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, ItemsView, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from crdtstore import MapView, TableView
from sync.devtools.plain import INLINE, plain

__all__ = ["Texts", "quoted"]

REMEMBERED = 32_000_000
"""Characters that are remembered, about; twice as many for a while."""

_MAX_DEPTH = 100
_SHORT = 64  # characters that cost no more than a reference to them
_LONGEST = INLINE.text + 100  # of text, with the note of what was cut from it already
_SMALL = 16  # characters that are as soon written again as found
_SAFE = 2**53  # ints from here on are other numbers in JavaScript, so they are shown as text
_NAME = re.compile(r'"(\w+)"', re.ASCII)


_encode = json.JSONEncoder(separators=(",", ":")).encode  # ASCII: half a surrogate pair is no UTF-8


def quoted(value: object) -> str:
    """Return the JSON text of a JSON value, compact."""
    return _encode(value)


class Texts:
    """The texts of values that never change, remembered by their identity.

    A slice of more than ``most`` characters is shown cut, as `sync.devtools.plain` cuts.
    """

    def __init__(self, most: int, remembered: int = REMEMBERED) -> None:
        self._most = most
        self._room = remembered // 2
        # The value is kept with its text: an identity is only one while its object is alive.
        self._recent: dict[int, tuple[object, str]] = {}
        self._older: dict[int, tuple[object, str]] = {}
        self._size = 0
        self._fields: dict[type, tuple[tuple[str, str], ...]] = {}
        self._large: set[str] = set()

    def text(self, value: object) -> str:
        """Return ``value`` as JSON text."""
        return self._text(value, 0)

    def fitting(
        self, states: Sequence[object], room: int, place: Callable[[int], str]
    ) -> list[str]:
        """Return the texts of the last ``states``, as many as fit in ``room`` characters.

        One at least, if there is any. ``place`` says the path in the message of the first, the
        second of those returned, for references.
        """
        all_parts: list[dict[str, tuple[object, str]]] = []
        counted: set[int] = set()
        size = 0
        for state in reversed(states):
            parts = self._parts(state)
            for value, text in parts.values():
                size += _SHORT if id(value) in counted else len(text)
                counted.add(id(value))
            if size > room and all_parts:
                break
            all_parts.append(parts)
        seen: dict[int, str] = {}
        return [_joined(parts, place(at), seen) for at, parts in enumerate(reversed(all_parts))]

    def _parts(self, state: object) -> dict[str, tuple[object, str]]:
        """Each slice of a root state with its text; what is no mapping under no name."""
        if not isinstance(state, Mapping):
            return {"": (state, self._whole("", state))}
        return {_key(name): (each, self._whole(name, each)) for name, each in ItemsView(state)}

    def _whole(self, name: str, value: object) -> str:
        if name not in self._large:
            text = self._text(value, 1)
            if len(text) <= self._most:
                return text
            self._large.add(name)  # from now on without writing it first
        known = self._known(value)
        if known is None or len(known) > self._most:
            known = self._text(plain(value, INLINE), 1)
            self._recent[id(value)] = (value, known)
        return known

    def _text(self, value: Any, depth: int) -> str:
        kind = type(value)
        if kind is str:
            return quoted(value if len(value) <= _LONGEST else plain(value, INLINE))
        if value is None or kind is bool:
            return "null" if value is None else "true" if value else "false"
        if kind is float and isfinite(value):
            return repr(value)
        if kind is int and -_SAFE < value < _SAFE:
            return str(value)
        known = self._known(value)
        if known is not None:
            return known
        if depth > _MAX_DEPTH:
            return quoted("… (too deep)")
        fields = self._fields.get(kind)
        if fields is None and dataclasses.is_dataclass(kind):
            names = [field.name for field in dataclasses.fields(kind)]
            fields = self._fields[kind] = tuple((name, _key(name)) for name in names)
        depth += 1
        if fields is not None:
            parts = [f"{key}:{self._text(getattr(value, name), depth)}" for name, key in fields]
            text = "{" + ",".join(parts) + "}"
        elif isinstance(value, Mapping):
            parts = [f"{_key(key)}:{self._text(each, depth)}" for key, each in _entries(value)]
            text = "{" + ",".join(parts) + "}"
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            text = "[" + ",".join([self._text(each, depth) for each in value]) + "]"
        else:
            made = plain(value, INLINE)
            return self._text(made, depth) if isinstance(made, list | dict) else quoted(made)
        return self._remember(value, text) if len(text) > _SMALL else text

    def _known(self, value: object) -> str | None:
        found = self._recent.get(id(value))
        if found is not None:
            return found[1]
        found = self._older.get(id(value))
        return None if found is None else self._remember(value, found[1])

    def _remember(self, value: object, text: str) -> str:
        if self._size > self._room:
            self._older, self._recent, self._size = self._recent, {}, 0
        self._recent[id(value)] = (value, text)
        self._size += len(text)
        return text


def _key(key: object) -> str:
    # What jsan takes for one of its references is no key of a state's: anybody could write one.
    return '"\\\\$jsan"' if key == "$jsan" else quoted(str(key))


def _joined(parts: Mapping[str, tuple[object, str]], path: str, seen: dict[int, str]) -> str:
    """The text of one state; ``seen`` are the paths of what the states before have."""
    if "" in parts:
        return parts[""][1]
    written: list[str] = []
    for key, (value, text) in parts.items():
        name = _NAME.fullmatch(key)
        if name and len(text) > _SHORT and text[0] in "{[":
            own = f"{path}.{name[1]}"
            first = seen.setdefault(id(value), own)
            if first is not own:
                text = f'{{"$jsan":"{first}"}}'
        written.append(f"{key}:{text}")
    return "{" + ",".join(written) + "}"


def _entries(value: Mapping[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """The entries of a mapping, without a search for each in a large table."""
    # By the class: a field may be called "items".
    return value.copy().items() if isinstance(value, MapView | TableView) else ItemsView(value)
