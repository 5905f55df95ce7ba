"""What is shown, as JSON: of any state and any payload, bounded, and never failing.

Who watches a program must neither slow it down nor bring it down, so what is too much is cut and
says so in its place, and what cannot be read is replaced by a line that says why. What the user's
sanitizers hide is never shown in another way: where one fails, its failure is shown and not what it
was to sanitize.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, ItemsView, Iterable, Mapping, Sequence, Set
from enum import Enum
from itertools import islice
from math import isfinite
from typing import Any, Final

from crdtstore import Action, RootState, to_plain

__all__ = ["BRIEF", "INLINE", "LIMITS", "Limits", "Sanitizer", "label", "plain"]

LABEL = 120
"""How many characters a label has at most."""

_EXACT = 1 << 53  # beyond it JavaScript rounds


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much is shown of one value, and how deep."""

    text: int = 20_000
    """Characters of one string, and bytes of binary data."""
    items: int = 1_000
    """Items of one container."""
    values: int = 20_000
    """Values in all; of a root state, in each slice."""
    depth: int = 48


LIMITS: Final = Limits()
"""What a person can read, and a page can hold."""

INLINE: Final = Limits(text=2_000)
"""For whole states, where a text is one line among many."""

BRIEF: Final = Limits(text=2_000, items=100, values=500, depth=12)
"""For values that many others stand beside."""

_LABEL: Final = Limits(text=60, items=8, values=24, depth=3)


def plain(value: object, limits: Limits = LIMITS) -> Any:
    """Return ``value`` in dicts with str keys, lists, str, int, float, bool and None; never raises.

    State and values become what ``crdtstore.to_plain`` makes of them, and what that refuses a line
    of text. Strings beyond ``limits`` are cut, and say so at their end; containers too, in a last
    entry called ``…``. Integers that JavaScript would round become text.
    """
    if isinstance(value, RootState):
        return {name: _Reader(limits).read(each, 1) for name, each in ItemsView(value)}
    return _Reader(limits).read(value, 0)


class _Reader:
    """One value on its way to JSON."""

    __slots__ = ("_left", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.values

    def read(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if -_EXACT < value < _EXACT else _whole(value)
        if kind is float:
            return value if isfinite(value) else str(to_plain(value))
        try:
            return self._read(value, kind, depth)
        except Exception as error:  # a stranger's class may do anything when it is looked at
            return f"<{kind.__name__} that cannot be shown: {_said(error)}>"

    def _read(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, str) and not issubclass(kind, Enum):
            return self._text(str.__str__(value))
        if issubclass(kind, (bytes, bytearray)):
            return self._bytes(bytes(value[: self._limits.text]), len(value))
        if dataclasses.is_dataclass(kind) and not issubclass(kind, Enum):
            names = [field.name for field in dataclasses.fields(kind)]
            entries = ((name, getattr(value, name)) for name in names)
            return self._entries(entries, len(names), depth)
        if isinstance(value, Mapping):
            return self._entries(((key, value[key]) for key in value), len(value), depth)
        if isinstance(value, Set):
            members: Iterable[Any] = value
            if isinstance(value, (set, frozenset)):  # in an order that stays
                members = sorted(value, key=repr) if len(value) <= self._limits.items else value
            return self._items(members, len(value), depth)
        if isinstance(value, Sequence):
            return self._items(value, len(value), depth)
        if isinstance(value, BaseException):
            return f"<{_said(value)}>"
        try:
            made = to_plain(value)
        except Exception:
            made = f"<{value!r:.{self._limits.text}}>"
        return self.read(made, depth) if type(made) in (str, int, float) else made

    def _text(self, text: str) -> str:
        most = self._limits.text
        if len(text) > most:
            text = f"{text[:most]}… ({len(text) - most} of {len(text)} characters are not shown)"
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate is no text
        return text

    def _bytes(self, data: bytes, size: int) -> str:
        text = str(to_plain(data))
        if size > len(data):
            text += f"… ({size - len(data)} of {size} bytes are not shown)"
        return text

    def _entries(self, entries: Iterable[tuple[Any, Any]], size: int, depth: int) -> Any:
        most = self._most(size, depth)
        if most == 0 and size:
            return f"… ({_many(size, 'entries', 'entry')} not shown)"
        made = {self._key(key): self.read(value, depth + 1) for key, value in islice(entries, most)}
        if size > most:
            made["…"] = f"{size - most} of {size} entries are not shown"
        return made

    def _items(self, items: Iterable[Any], size: int, depth: int) -> Any:
        most = self._most(size, depth)
        if most == 0 and size:
            return f"… ({_many(size, 'items', 'item')} not shown)"
        made = [self.read(item, depth + 1) for item in islice(items, most)]
        if size > most:
            made.append(f"… ({size - most} of {size} items are not shown)")
        return made

    def _most(self, size: int, depth: int) -> int:
        """How many items of a container are shown; they are counted before what is in them."""
        if depth >= self._limits.depth:
            return 0
        most = min(size, self._limits.items, self._left)
        self._left -= most
        return most

    def _key(self, key: Any) -> str:
        if isinstance(key, str) and not isinstance(key, Enum):
            return self._text(str.__str__(key))
        return self._text(repr(key))


def _whole(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python likes to write
        return f"<an int of {value.bit_length()} bits>"


def _many(size: int, many: str, one: str) -> str:
    return f"1 {one} is" if size == 1 else f"{size} {many} are"


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


class Sanitizer:
    """Actions and states as they are shown: through the user's functions, if there are any.

    ``action`` takes an ``Action`` and returns one, or a mapping with a ``type``; ``state`` takes
    the root state and returns anything that can be shown instead.
    """

    __slots__ = ("_action", "_limits", "_state")

    def __init__(
        self,
        action: Callable[[Action[Any]], Any] | None = None,
        state: Callable[[Any], Any] | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        for name, given in (("action_sanitizer", action), ("state_sanitizer", state)):
            if given is not None and not callable(given):
                raise TypeError(f"{name}= is a function, got {type(given).__name__}: {given!r:.80}")
        self._action = action
        self._state = state
        self._limits = limits

    @property
    def hides_state(self) -> bool:
        """Whether state is shown only as the user's function returns it."""
        return self._state is not None

    def action(self, action: Action[Any], limits: Limits | None = None) -> dict[str, Any]:
        """Return an action to be shown: its ``type``, and what it has of the rest."""
        limits = limits or self._limits
        shown: Any = action
        if self._action is not None:
            try:
                shown = self._action(action)
            except (Exception, SystemExit) as error:
                return self._failed(action, f"the action_sanitizer failed: {_said(error)}")
        if isinstance(shown, Action):
            parts = {name: getattr(shown, name) for name in _PARTS}
        elif isinstance(shown, Mapping):
            parts = dict(ItemsView(shown))
        else:
            return self._failed(
                action,
                "the action_sanitizer returned no action and no mapping with a type, but "
                f"{type(shown).__name__}",
            )
        kind = parts.get("type")
        if not isinstance(kind, str) or not kind:
            return self._failed(action, "the action_sanitizer returned an action without a type")
        made = {str(name): plain(value, limits) for name, value in parts.items()}
        return {name: value for name, value in made.items() if value is not None}

    def state(self, state: Any, limits: Limits | None = None) -> Any:
        """Return a state to be shown, within ``INLINE`` unless told otherwise."""
        if self._state is not None:
            try:
                state = self._state(state)
            except (Exception, SystemExit) as error:
                return f"<the state_sanitizer failed: {_said(error)}>"
        return plain(state, limits or INLINE)

    def _failed(self, action: Action[Any], reason: str) -> dict[str, Any]:
        return {"type": action.type, "payload": f"<{reason}>"}

    def label(self, action: Action[Any], *, known: bool = True) -> tuple[str, str]:
        """Return the type of an action and what it is called in a list; see ``label``."""
        if self._action is None:
            return action.type, label(action.type, action.payload, known=known)
        shown = self.action(action, _LABEL)
        kind = str(shown["type"])
        return kind, label(kind, shown.get("payload"), known=known)


_PARTS = ("type", "payload", "meta", "error")


def label(kind: str, payload: Any, *, known: bool = True) -> str:
    """Return what an action is called in a list: ``todos/add(title='milk')``.

    At most 120 characters; without parentheses where the payload is not ``known``.
    """
    if not known:
        return _cut(plain(kind))
    if payload is None:
        return _cut(f"{plain(kind)}()")
    shown = plain(payload, _LABEL)
    if isinstance(shown, dict):
        inside = ", ".join(f"{name}={value!r}" for name, value in shown.items() if name != "…")
        if "…" in shown:
            inside += ", …"
    else:
        inside = repr(shown)
    return _cut(f"{plain(kind)}({inside})")


def _cut(text: str) -> str:
    return text if len(text) <= LABEL else f"{text[: LABEL - 1]}…"
