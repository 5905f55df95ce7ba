"""What the replicas do: a strategy of calls of action creators, from the reducers' signatures.

A ``Call`` keeps the arguments as they were drawn; only when it is dispatched are the keys looked
up in the acting replica's state and the creator called, so a call means something in any history.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, ResolutionFailed

from crdtstore.actions import Action, ActionCreator, action_of
from crdtstore.combine import Sliceable, slices_of
from crdtstore.slice import Slice
from crdtstore.testing.arguments import plain_values, values_of
from crdtstore.testing.keys import Pick, lookup, resolved

__all__ = ["Call", "Overrides", "actions_of", "code"]

Overrides = Mapping[Any, st.SearchStrategy[Any] | None]
"""Action creators, or types as ``"slice/reducer"``, to strategies of actions, or ``None``."""

_MOST = 60
_GIVEN = st.booleans()  # whether an argument with a default is


@dataclass(frozen=True, slots=True)
class Call:
    """An action creator and its arguments as drawn: ``resolved`` makes the action."""

    type: str
    shown: str
    """The creator's name, with its slice's where that is needed to tell it from others."""
    slice: str
    """Where the keys of its arguments are looked up first."""
    create: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()
    is_action: bool = False
    """Whether ``args`` holds not arguments but the action itself."""
    names: tuple[str, ...] = ()
    """The names of the creator's parameters, to show such an action with."""

    def resolved(self, root: Mapping[str, Any]) -> tuple[Action[Any], str, str]:
        """Return the action, and how it reads as code, shortened and in full.

        Raises ``Unresolved`` if it needs a key and there is none, and what the creator raises.
        """

        def pick(each: Pick) -> Any:
            return lookup(each, root, self.slice)

        args = tuple([resolved(arg, pick) for arg in self.args])
        kwargs = {name: resolved(value, pick) for name, value in self.kwargs}
        action = args[0] if self.is_action else action_of(self.create(*args, **kwargs))
        if self.is_action:
            payload = resolved(action.payload, pick)
            action = Action(action.type, payload, action.meta, action.error)
            args, kwargs = _arguments(payload, self.names)
        parts = [*map(code, args), *(f"{name}={code(value)}" for name, value in kwargs.items())]
        whole = f"{self.shown}({', '.join(parts)})"
        short = f"{self.shown}({', '.join(part[:_MOST] for part in parts)})"
        return action, whole if len(whole) <= 2 * _MOST else f"{short[: 2 * _MOST]}…", whole


def _arguments(payload: Any, names: tuple[str, ...]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if len(names) == 1:
        return (), {names[0]: payload}
    if isinstance(payload, dict) and all(isinstance(name, str) for name in payload):
        return (), payload
    return (() if payload is None else (payload,)), {}


def code(value: Any) -> str:
    """Write a value as one would in Python, enum members by their names."""
    return str(value) if isinstance(value, Enum) else repr(value)


def actions_of(slices: Sliceable, actions: Overrides | None = None) -> st.SearchStrategy[Call]:
    """Return a strategy of calls of the slices' action creators.

    ``actions`` replaces the strategy for some, adds others, and leaves out those that it maps to
    ``None``. Thunks, ``reset`` and cases of ``extra_reducers`` are drawn only if they are added.
    Raises ``InvalidArgument`` if it names no action, if a parameter's annotation says nothing to
    draw from, or if there is nothing to draw.
    """
    listed = slices_of(slices)
    derived = _derived(listed)
    short = [_name(kind) for kind in derived]
    several = {name for name in short if short.count(name) > 1}
    calls: dict[str, st.SearchStrategy[Call]] = {}
    own: dict[str, st.SearchStrategy[Any] | None] = {
        str(getattr(key, "type", key)): strategy for key, strategy in (actions or {}).items()
    }
    for kind, strategy in own.items():
        if strategy is None and kind not in derived and not _is_thunk(listed, kind):
            raise InvalidArgument(
                f"actions= leaves out {kind!r}, which is not drawn anyway; there are: "
                f"{', '.join(derived) or 'none'}"
            )
        if strategy is not None:
            shown = _short(kind, several)
            place = derived[kind][1].reducer_path if kind in derived else listed[0].reducer_path
            names = tuple(inspect.signature(derived[kind][0]).parameters) if kind in derived else ()
            calls[kind] = strategy.map(_given(kind, shown, place, names))
    for kind, (creator, of) in derived.items():
        if kind not in own:
            calls[kind] = _calls(creator, of, _short(kind, several))
    if not calls:
        raise InvalidArgument(
            "there is no action to draw: give the slices reducers, or strategies for actions in "
            'actions={"slice/reducer": st.builds(...)}'
        )
    return st.one_of([calls[kind] for kind in [*derived, *own] if kind in calls])


def _derived(slices: Iterable[Slice[Any]]) -> dict[str, tuple[ActionCreator[..., Any], Slice[Any]]]:
    found: dict[str, tuple[ActionCreator[..., Any], Slice[Any]]] = {}
    for each in slices:
        for creator in each.actions.values():
            if isinstance(creator, ActionCreator):
                found.setdefault(creator.type, (creator, each))
    return found


def _is_thunk(slices: Iterable[Slice[Any]], kind: str) -> bool:
    return any(
        kind == f"{each.name}/{name}" or kind == getattr(creator, "type_prefix", "")
        for each in slices
        for name, creator in each.actions.items()
    )


def _name(kind: str) -> str:
    return kind.rpartition("/")[2].removeprefix("@@")


def _short(kind: str, several: Iterable[str]) -> str:
    name = _name(kind)
    return f"{kind.rpartition('/')[0]}.{name}" if name in several else name


def _given(kind: str, shown: str, place: str, names: tuple[str, ...]) -> Callable[[Any], Call]:
    """Turn what a user's own strategy draws into calls."""

    def call(drawn: Any) -> Call:
        if isinstance(drawn, Call):
            return drawn
        if not isinstance(drawn, (Action, Mapping)):
            raise InvalidArgument(
                f"actions= for {kind!r} draws {type(drawn).__name__} {drawn!r:.60}; it draws "
                "actions, as st.builds(creator, ...) does"
            )
        action = action_of(drawn)
        return Call(action.type, shown, place, action_of, (action,), (), True, names)

    return call


def _calls(creator: ActionCreator[..., Any], of: Slice[Any], shown: str) -> st.SearchStrategy[Call]:
    function = inspect.unwrap(creator)
    signature = inspect.signature(creator)
    spreads = any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values())
    parameters = [
        (each, _values(function, each, creator.type), spreads or each.kind is each.POSITIONAL_ONLY)
        for each in signature.parameters.values()
        if each.kind is not each.VAR_KEYWORD
    ]

    @st.composite
    def calls(draw: st.DrawFn) -> Call:
        args: list[Any] = []
        kwargs: list[tuple[str, Any]] = []
        for parameter, values, positional in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                args += draw(st.lists(values, max_size=2))
            elif positional and parameter.kind is not parameter.KEYWORD_ONLY:
                args.append(draw(values))
            elif parameter.default is parameter.empty or draw(_GIVEN):
                kwargs.append((parameter.name, draw(values)))
        return Call(creator.type, shown, of.reducer_path, creator, tuple(args), tuple(kwargs))

    return calls()


def _values(function: Any, parameter: inspect.Parameter, kind: str) -> st.SearchStrategy[Any]:
    annotation = _annotation(function, parameter, kind)
    if annotation is parameter.empty:
        return plain_values
    if annotation is Action:
        return plain_values
    if typing.get_origin(annotation) is Action:
        (annotation,) = typing.get_args(annotation)
    try:
        values = values_of(annotation)
        values.validate()
    except (InvalidArgument, ResolutionFailed, NameError, TypeError) as error:
        raise InvalidArgument(
            f"the reducer {kind!r} takes {parameter}, and no values can be drawn for that: "
            f"{error}; say how with actions={{{kind!r}: st.builds(...)}}, or leave the action out "
            "with None"
        ) from error
    return values


def _annotation(function: Any, parameter: inspect.Parameter, kind: str) -> Any:
    """Return an annotation as an object, looked up where the reducer was written."""
    annotation = parameter.annotation
    if not isinstance(annotation, str):
        return annotation
    try:
        closure = inspect.getclosurevars(function).nonlocals if callable(function) else {}
        return eval(annotation, getattr(function, "__globals__", {}), dict(closure))
    except Exception as error:
        raise InvalidArgument(
            f"the annotation of {parameter} in the reducer {kind!r} cannot be looked up "
            f"({error!r}): define what it names at the top of a module, or say what to draw with "
            f"actions={{{kind!r}: st.builds(...)}}"
        ) from error
