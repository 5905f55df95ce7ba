"""Which actions and changes a listener is for: the five ways of saying it, and one form of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from crdtstore.actions import Action
from crdtstore.cases import Matchable
from crdtstore.listeners.executions import is_coroutine_function
from crdtstore.slice import Slice
from crdtstore.state import RootState

__all__ = [
    "Origin",
    "Pattern",
    "Predicate",
    "Slices",
    "Test",
    "accepted",
    "asked",
    "checked_origin",
]

Origin = Literal["local", "remote", "any"]
"""Whose work a listener hears of: this store's dispatches, what was merged from peers, or both."""

Test = Callable[[Action[Any], RootState, RootState], object]

Predicate = (
    Callable[[Action[Any], RootState, RootState], object]
    | Callable[[Action[Any], RootState], object]
    | Callable[[Action[Any]], object]
    | Callable[[], object]
)
"""Tells whether an action matches: it takes ``(action, current, previous)``, or fewer of them."""

Slices = Slice[Any] | str | Iterable[Slice[Any] | str]
"""One slice or several, each itself or by the name it has in the state."""

_WAYS = ("type", "action_creator", "matcher", "predicate", "slices")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a listener is for: actions of one ``type``, or those that ``test`` says yes to.

    Two patterns that are for the same have equal ``key``s.
    """

    type: str | None
    test: Test | None
    key: tuple[str, object]

    @classmethod
    def of(
        cls,
        *,
        type: str | None = None,
        action_creator: Matchable | None = None,
        matcher: Matchable | Callable[[Any], object] | None = None,
        predicate: Predicate | None = None,
        slices: Slices | None = None,
    ) -> Pattern:
        """Make one of exactly one of these; raises ``TypeError`` and says what is expected."""
        given = (type, action_creator, matcher, predicate, slices)
        ways = [way for way, value in zip(_WAYS, given, strict=True) if value is not None]
        if len(ways) != 1:
            got = " and ".join(f"{way}=" for way in ways) or "none of them"
            raise TypeError(f"a listener takes exactly one of {', '.join(_WAYS)}; got {got}")
        if action_creator is not None:
            type = getattr(action_creator, "type", None)
            if not isinstance(type, str) or not hasattr(action_creator, "match"):
                raise TypeError(f"action_creator= is an action creator, got {action_creator!r:.80}")
        if type is not None:
            if not isinstance(type, str) or not type:
                raise TypeError(f"type= is an action type, a non-empty str; got {type!r:.80}")
            return cls(type, None, ("type", type))
        if slices is not None:
            names = _names(slices)
            return cls(None, _changed(names), ("slices", frozenset(names)))
        if matcher is not None:
            function = _function(matcher, "matcher=")
            return cls(None, _taking(function, 1), ("function", function))
        return cls(None, asked(predicate, "predicate="), ("function", _function(predicate, "")))


def accepted(caller: str, *more: str, given: tuple[Any, ...], options: Iterable[str]) -> None:
    """Raise ``TypeError`` in the name of ``caller`` for arguments that it does not take.

    It takes the five ways of saying what a listener is for, ``origin=``, and ``more``.
    """
    names = (*_WAYS, "origin", *more)
    unknown = [name for name in options if name not in names]
    if given or unknown:
        got = f"{unknown[0]}=" if unknown else f"{given[0]!r:.80} without a name"
        raise TypeError(
            f"{caller} takes {', '.join(f'{name}=' for name in names)}, each by name; got {got}"
        )


def checked_origin(origin: Any) -> Origin:
    """Return ``origin`` if it is one."""
    if origin not in ("local", "remote", "any"):
        raise ValueError(f"origin= is 'local', 'remote' or 'any', got {origin!r:.80}")
    return origin  # type: ignore[no-any-return]


def asked(predicate: Any, name: str) -> Test:
    """Return a predicate as it is called: with as many arguments as it takes."""
    function = _function(predicate, name)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return _taking(function, 1)
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return _taking(function, 3)
    needed = [parameter for parameter in parameters if parameter.default is parameter.empty]
    positional = [p for p in needed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    named = [p.name for p in needed if p.kind is p.KEYWORD_ONLY]
    if len(positional) > 3 or named:
        raise TypeError(
            f"{name} takes (action, current, previous), or the first of them; got a function of "
            f"({', '.join([p.name for p in positional] + named)})"
        )
    return _taking(function, len(positional))


def _function(predicate: Any, name: str) -> Callable[..., object]:
    function = getattr(predicate, "match", predicate)  # an action creator stands for its actions
    if not callable(function):
        raise TypeError(f"{name} is a function of an action, got {predicate!r:.80}")
    if is_coroutine_function(function):
        raise TypeError(
            f"{name} answers at once, but {function!r:.80} is a coroutine function: what takes "
            "time belongs in the effect"
        )
    return function  # type: ignore[no-any-return]


def _taking(function: Callable[..., object], count: int) -> Test:
    if count == 0:
        return lambda action, current, previous: function()
    if count == 1:
        return lambda action, current, previous: function(action)
    if count == 2:
        return lambda action, current, previous: function(action, current)
    return function


def _names(slices: Any) -> tuple[str, ...]:
    each = [slices] if isinstance(slices, str | Slice) else slices
    if not isinstance(each, Iterable):
        raise TypeError(f"slices= is a slice, its name, or several of them; got {slices!r:.80}")
    names = tuple(one.reducer_path if isinstance(one, Slice) else one for one in each)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong or not names:
        got = repr(wrong[0]) if wrong else "none at all"
        raise TypeError(f"slices= is a slice, its name, or several of them; got {got:.80}")
    return names


def _changed(names: tuple[str, ...]) -> Test:
    def changed(action: Action[Any], current: RootState, previous: RootState) -> bool:
        now, before = vars(current), vars(previous)
        return any(now.get(name) is not before.get(name) for name in names)

    return changed
