"""Actions and the functions that create them.

An action is a name and a payload, as in Redux: the payload of a reducer's creator is what the
reducer takes after ``state`` (nothing → ``None``, one argument → that argument, several → a dict
by parameter name), so that actions can be logged, shown and replayed as data. Creators keep the
signature of what they were made from.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import update_wrapper
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    ParamSpec,
    Union,
    cast,
    get_args,
    get_origin,
    overload,
)

from crdtstore.errors import DispatchError

if TYPE_CHECKING:
    from typing_extensions import TypeIs, TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

P = ParamSpec("P")

__all__ = ["Action", "ActionCreator", "Payload", "action_of", "create_action", "prepared"]


class Action(Generic[T]):
    """What happened: ``type`` (``"slice/reducer"``), ``payload`` and optional ``meta``, ``error``.

    Compares by value. Annotating a reducer's parameter ``Action[T]`` hands it the whole action.
    """

    __slots__ = ("error", "meta", "payload", "type")
    __match_args__ = ("type", "payload")

    type: str
    payload: T
    meta: Any
    error: Any

    def __init__(self, type: str, payload: T = None, meta: Any = None, error: Any = None) -> None:  # type: ignore[assignment]
        self.type = type
        self.payload = payload
        self.meta = meta
        self.error = error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Action):
            return NotImplemented
        return (self.type, self.payload, self.meta, self.error) == (
            other.type,
            other.payload,
            other.meta,
            other.error,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        extra = "".join(
            f", {name}={value!r}"
            for name, value in (("meta", self.meta), ("error", self.error))
            if value is not None
        )
        return f"Action({self.type!r}, {self.payload!r}{extra})"


def action_of(action: Any) -> Action[Any]:
    """Return ``action``, made of a mapping with a ``type`` if it is one.

    Raises ``DispatchError`` for anything else, and says what may have been meant.
    """
    if isinstance(action, Action):
        return action
    if isinstance(action, Mapping) and isinstance(action.get("type"), str):
        return Action(
            action["type"], action.get("payload"), action.get("meta"), action.get("error")
        )
    hint = ""
    if callable(action):
        name = getattr(action, "__name__", None) or getattr(action, "type", "it")
        hint = f"; did you forget to call {name}()?"
    raise DispatchError(
        "dispatch takes an action (what an action creator returns) or a thunk, got "
        f"{type(action).__name__}: {action!r:.80}{hint}"
    )


_POSITIONAL = inspect.Parameter.POSITIONAL_ONLY
_NAMED = inspect.Parameter.POSITIONAL_OR_KEYWORD


class Payload:
    """How the arguments of a reducer become a payload, and a payload its arguments again."""

    __slots__ = ("_name", "_names", "_optional", "_positional", "_spread", "signature", "whole")

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # a builtin without a signature: one payload
            signature = inspect.Signature(
                [
                    inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY)
                    for n in ("state", "payload")
                ]
            )
        parameters = list(signature.parameters.values())
        if not parameters:
            raise TypeError(f"the reducer {name!r} takes no parameter; the first one is the state")
        rest = parameters[1:]
        self.whole = len(rest) == 1 and _takes_action(function, rest[0])
        self.signature = signature.replace(parameters=rest, return_annotation=Action)
        kinds = {parameter.kind for parameter in rest}
        self._positional = kinds <= {_POSITIONAL, _NAMED}
        self._spread = kinds <= {_NAMED}
        self._name = name
        self._names = tuple(p.name for p in rest)
        self._optional = len(rest) == 1 and _refuses_none(function, rest[0])

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Bind a call of the creator into a payload; ``TypeError`` if it does not fit."""
        names = self._names
        if not kwargs and len(args) == len(names) and self._positional:
            if len(names) == 1:
                return args[0]
            return dict(zip(names, args, strict=True)) if names else None
        if self.whole and not args and not kwargs:
            return None
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._name}: {error}") from None
        bound.apply_defaults()
        if not names:
            return None
        if len(names) == 1 and self._positional:
            return bound.arguments[names[0]]
        return dict(bound.arguments)

    def case(self, function: Callable[..., Any]) -> Callable[[Any, Action[Any]], Any]:
        """Return how to call the reducer with a draft and an action."""
        if self.whole:
            return function
        if not self._names:
            return lambda state, action: function(state)
        if len(self._names) == 1 and self._positional:
            if self._optional:  # an action that was typed, say, has no payload for ``by: int = 1``
                return lambda state, action: (
                    function(state) if action.payload is None else function(state, action.payload)
                )
            return lambda state, action: function(state, action.payload)
        return lambda state, action: self._call(function, state, action)

    def _call(self, function: Callable[..., Any], state: Any, action: Action[Any]) -> Any:
        names = self._names
        payload = action.payload
        if not isinstance(payload, dict):
            raise DispatchError(
                f"{action.type!r} takes the payload fields {', '.join(names)} as a dict, "
                f"got {type(payload).__name__}: {payload!r:.80}"
            )
        if self._spread:
            return function(state, **payload)
        bound = inspect.BoundArguments(self.signature, OrderedDict(payload))
        return function(state, *bound.args, **bound.kwargs)


def _takes_action(function: Callable[..., Any], parameter: inspect.Parameter) -> bool:
    hint = parameter.annotation
    if hint is inspect.Parameter.empty:  # (state, action), as Redux Toolkit has it
        return parameter.name == "action"
    hint = _resolved(function, hint)
    if isinstance(hint, str):
        return hint.partition("[")[0].rpartition(".")[2].strip() == "Action"
    return hint is Action or get_origin(hint) is Action


def _refuses_none(function: Callable[..., Any], parameter: inspect.Parameter) -> bool:
    """Whether a parameter has a default, and is of types that ``None`` clearly is not of."""
    if parameter.default is inspect.Parameter.empty:
        return False
    hint = _resolved(function, parameter.annotation)
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return all(kind in _NEVER_NONE for kind in kinds)


_NEVER_NONE = (bool, int, float, str, bytes, list, dict, tuple, set)


def _resolved(function: Callable[..., Any], hint: Any) -> Any:
    """Return an annotation; one that only type checkers, or the function around, can see as str."""
    if isinstance(hint, str):  # postponed annotations
        with suppress(Exception):
            return eval(hint, getattr(function, "__globals__", {}))
    return hint


class ActionCreator(Generic[P, T]):
    """A function that makes actions of one type; ``type`` names it, ``match`` tests for it."""

    __slots__ = ("__dict__", "_pack", "type")

    def __init__(
        self,
        type: str,
        pack: Callable[[tuple[Any, ...], dict[str, Any]], Any],
        function: Callable[..., Any] | None = None,
        signature: inspect.Signature | None = None,
    ) -> None:
        self.type = type
        self._pack = pack
        if function is not None:
            update_wrapper(self, function)
            if getattr(function, "__name__", "") == "<lambda>":
                vars(self)["__name__"] = vars(self)["__qualname__"] = type.rpartition("/")[2]
        if signature is not None:
            self.__signature__ = signature

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Action[T]:
        packed: Any = self._pack(args, kwargs)
        if type(packed) is _Prepared:
            return Action(self.type, cast("T", packed.payload), packed.meta, packed.error)
        return Action(self.type, packed)

    def match(self, action: object) -> TypeIs[Action[T]]:
        """Tell whether ``action`` is one of this creator's."""
        return isinstance(action, Action) and action.type == self.type

    def __str__(self) -> str:
        return self.type

    def __repr__(self) -> str:
        return f"<action creator {self.type}>"


class _Prepared:
    """What a ``prepare`` callback made of its arguments."""

    __slots__ = ("error", "meta", "payload")

    def __init__(self, prepared: Any, type: str) -> None:
        if not isinstance(prepared, dict) or not set(prepared) <= {"payload", "meta", "error"}:
            raise TypeError(
                f"prepare of {type!r} returns a dict with payload and, if wanted, meta and error; "
                f"got {prepared!r:.120}"
            )
        self.payload = prepared.get("payload")
        self.meta = prepared.get("meta")
        self.error = prepared.get("error")


def prepared(type: str, prepare: Callable[..., Any]) -> Callable[..., Any]:
    """Return how a creator with a ``prepare`` callback packs its arguments."""
    return lambda args, kwargs: _Prepared(prepare(*args, **kwargs), type)


@overload
def create_action(type: str) -> ActionCreator[..., Any]: ...
@overload
def create_action(type: str, prepare: Callable[P, dict[str, Any]]) -> ActionCreator[P, Any]: ...
def create_action(type: str, prepare: Callable[..., Any] | None = None) -> ActionCreator[..., Any]:
    """Return an action creator for ``type``.

    It takes one optional payload; with ``prepare`` it takes that function's arguments, and
    ``prepare`` returns ``{"payload": …, "meta": …, "error": …}`` (any but payload optional).
    """
    if not isinstance(type, str) or not type:
        raise TypeError(f"an action type is a non-empty str, got {type!r}")
    if prepare is not None:
        return ActionCreator(type, prepared(type, prepare), prepare)
    return ActionCreator(type, lambda args, kwargs: _single(type, args, kwargs))


def _single(type: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if kwargs or len(args) > 1:
        if not args and set(kwargs) == {"payload"}:
            return kwargs["payload"]
        raise TypeError(f"{type} takes one payload; use prepare= for more arguments")
    return args[0] if args else None
