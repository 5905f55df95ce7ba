"""What Redux offers round a store: binding action creators, telling actions, composing functions.

Nothing here needs a store: action creators are bound to whatever ``dispatch`` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import reduce, update_wrapper
from typing import Any, ParamSpec, TypeGuard, TypeVar, overload

from crdtstore.actions import Action, ActionCreator
from crdtstore.middleware import Dispatch, Startable
from crdtstore.namespace import Namespace
from crdtstore.tasks import Running

__all__ = [
    "bind_action_creators",
    "compose",
    "is_action",
    "is_action_creator",
    "is_flux_standard_action",
]

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

_KEYS = frozenset({"type", "payload", "meta", "error"})


@overload
def bind_action_creators(
    action_creators: Callable[P, Action[T]], dispatch: Dispatch
) -> Callable[P, Action[T]]: ...
@overload
def bind_action_creators(
    action_creators: Callable[P, Startable[R]], dispatch: Dispatch
) -> Callable[P, R]: ...
@overload
def bind_action_creators(
    action_creators: Callable[P, Callable[[Any, Any], Coroutine[Any, Any, R]]], dispatch: Dispatch
) -> Callable[P, Running[R]]: ...
@overload
def bind_action_creators(
    action_creators: Callable[P, Callable[[Any, Any], R]], dispatch: Dispatch
) -> Callable[P, R]: ...
@overload
def bind_action_creators(
    action_creators: Callable[P, Mapping[str, Any]], dispatch: Dispatch
) -> Callable[P, Action[Any]]: ...
@overload
def bind_action_creators(
    action_creators: Mapping[str, object], dispatch: Dispatch
) -> Namespace[Callable[..., Any]]: ...
def bind_action_creators(action_creators: Any, dispatch: Dispatch) -> Any:
    """Return ``action_creators`` such that calling one dispatches what it makes.

    One creator gives a function of the same signature, which returns what ``dispatch`` does. A dict
    of them, or a slice's ``actions``, gives their likes by the same names, as attributes and as
    items; what is no function in it is left out. Raises ``TypeError`` for anything else.
    """
    if not callable(dispatch):
        raise TypeError(
            "bind_action_creators takes a dispatch function, store.dispatch say; "
            f"got {type(dispatch).__name__}"
        )
    if isinstance(action_creators, Mapping):
        return Namespace(
            "bound action creator",
            {
                name: _bound(creator, dispatch)
                for name, creator in action_creators.items()
                if callable(creator)
            },
        )
    if callable(action_creators):
        return _bound(action_creators, dispatch)
    raise TypeError(
        "bind_action_creators takes an action creator, a dict of them, or the actions of a slice; "
        f"got {type(action_creators).__name__}: {action_creators!r:.80}"
    )


def _bound(creator: Callable[..., Any], dispatch: Dispatch) -> Callable[..., Any]:
    def bound(*args: Any, **kwargs: Any) -> Any:
        return dispatch(creator(*args, **kwargs))

    update_wrapper(bound, creator, updated=())
    return bound


def is_action(value: object) -> TypeGuard[Action[Any] | Mapping[str, Any]]:
    """Tell whether ``dispatch`` takes ``value`` for an action: one, or a dict with a str type."""
    if isinstance(value, Action):
        return True
    return isinstance(value, Mapping) and isinstance(value.get("type"), str)


def is_flux_standard_action(value: object) -> TypeGuard[Action[Any] | Mapping[str, Any]]:
    """Tell whether ``value`` is an action of nothing but type, payload, meta and error.

    Every ``Action`` is; a dict may hold more, which is lost when it is dispatched.
    """
    return is_action(value) and (isinstance(value, Action) or _KEYS.issuperset(value))


def is_action_creator(value: object) -> TypeGuard[ActionCreator[..., Any]]:
    """Tell whether ``value`` makes actions of one type: it has a str ``type`` and a ``match``."""
    return (
        callable(value)
        and isinstance(getattr(value, "type", None), str)
        and callable(getattr(value, "match", None))
        and not isinstance(value, type)
    )


@overload
def compose() -> Callable[..., Any]: ...
@overload
def compose(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def compose(last: Callable[[A], R], first: Callable[P, A], /) -> Callable[P, R]: ...
@overload
def compose(
    last: Callable[[B], R], then: Callable[[A], B], first: Callable[P, A], /
) -> Callable[P, R]: ...
@overload
def compose(
    last: Callable[[C], R],
    third: Callable[[B], C],
    second: Callable[[A], B],
    first: Callable[P, A],
    /,
) -> Callable[P, R]: ...
@overload
def compose(
    last: Callable[..., R],
    fourth: Callable[..., Any],
    third: Callable[..., Any],
    second: Callable[..., Any],
    /,
    *functions: Callable[..., Any],
) -> Callable[..., R]: ...
def compose(*functions: Callable[..., Any]) -> Callable[..., Any]:
    """Return the composition of functions, from right to left: ``compose(f, g)(x)`` is ``f(g(x))``.

    The last one given is called first, with all the arguments. One function comes back as it is;
    none at all give a function that returns its first argument. Raises ``TypeError`` for what is
    no function.
    """
    for each in functions:
        if not callable(each):
            raise TypeError(f"compose takes functions, got {type(each).__name__}: {each!r:.80}")
    return reduce(_after, functions) if functions else _first


def _after(outer: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: outer(inner(*args, **kwargs))


def _first(value: Any, *_: Any) -> Any:
    return value
