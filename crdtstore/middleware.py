"""Middleware: what sits between ``store.dispatch`` and the reducers, composed as in Redux.

``middleware(api)(next)(action)``: ``api`` offers ``dispatch`` and ``get_state``, ``next`` hands
the action on. The thunk middleware, there by default, runs functions that are dispatched: plain
ones at once, coroutine functions where ``Tasks`` runs them.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar

from crdtstore.actions import Action, ActionCreator
from crdtstore.replication import Commit
from crdtstore.tasks import Tasks

__all__ = [
    "Creator",
    "DefaultMiddleware",
    "Dispatch",
    "Middleware",
    "MiddlewareAPI",
    "Startable",
    "compose",
    "thunk_middleware",
]

R_co = TypeVar("R_co", covariant=True)

Dispatch = Callable[[Any], Any]


class MiddlewareAPI(Protocol):
    """What a middleware sees of the store."""

    tasks: Tasks

    def dispatch(self, action: Any, /) -> Any:
        """Dispatch from the start of the chain."""

    def get_state(self) -> Any:
        """Return the current root state."""

    def on_commit(
        self, callback: Callable[[Commit], Any], *, durable: bool = False
    ) -> Callable[[], None]:
        """Call ``callback`` with every commit; return the function that stops it."""


Middleware = Callable[[MiddlewareAPI], Callable[[Dispatch], Dispatch]]


class DefaultMiddleware(list[Middleware]):
    """The middleware that a store has unless told otherwise: a list, to be added to.

    Calling it returns the list itself, so that ``lambda get_default: get_default().concat(mine)``
    reads as it does in Redux Toolkit.
    """

    def __call__(self) -> Self:
        return self

    def concat(self, *more: Middleware | Iterable[Middleware]) -> list[Middleware]:
        """Return a list of these and then ``more``, each a middleware or several."""
        return [*self, *_flat(more)]

    def prepend(self, *more: Middleware | Iterable[Middleware]) -> list[Middleware]:
        """Return a list of ``more``, each a middleware or several, and then these."""
        return [*_flat(more), *self]


def _flat(given: Iterable[Middleware | Iterable[Middleware]]) -> Iterator[Middleware]:
    for each in given:
        if callable(each):
            yield each
        else:
            yield from each


def compose(api: MiddlewareAPI, middleware: Sequence[Middleware], last: Dispatch) -> Dispatch:
    """Chain middleware around ``last``; the first one sees an action first."""
    chain = last
    for each, layer in reversed([(each, each(api)) for each in middleware]):
        chain = layer(chain) if callable(layer) else None
        if not callable(chain):
            raise TypeError(
                f"{getattr(each, '__name__', each)!r} is no middleware: middleware(api) returns "
                "layer(next), which returns handle(action)"
            )
    return chain


class Startable(ABC, Generic[R_co]):
    """What starts itself when it is dispatched, and knows where to run (an async thunk, say)."""

    __slots__ = ()

    @abstractmethod
    def start(
        self, dispatch: Dispatch, get_state: Callable[[], Any], extra: Any, tasks: Tasks
    ) -> R_co:
        """Start, and return what ``dispatch`` shall return; coroutines are for ``tasks.run``."""


class Creator:
    """Base of what makes things to dispatch by being called, and is no such thing itself."""

    __slots__ = ()


def thunk_middleware(extra: Any = None) -> Middleware:
    """Return the middleware that runs dispatched functions as ``f(dispatch, get_state)``.

    With an ``extra`` argument configured, a function that takes three parameters gets it as the
    third. A coroutine is run by ``api.tasks``, and its result comes as a ``Running``: ``await`` it,
    ``.wait(timeout)`` or ``.cancel()``. A ``Startable`` is started.
    """

    def middleware(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                if type(action) is Action:  # by far the most frequent
                    return proceed(action)
                if isinstance(action, Startable):
                    return action.start(api.dispatch, api.get_state, extra, api.tasks)
                if not callable(action) or isinstance(action, _CREATORS):
                    return proceed(action)  # a creator is a mistake, which the store explains
                arguments: tuple[Any, ...] = (api.dispatch, api.get_state)
                if extra is not None and _takes_three(action):
                    arguments = (*arguments, extra)
                result = action(*arguments)
                if inspect.iscoroutine(result):
                    return api.tasks.run(result, getattr(action, "__name__", "the thunk"))
                return result

            return handle

        return layer

    return middleware


_CREATORS = (type, ActionCreator, Creator)


def _takes_three(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None, None)
    except (TypeError, ValueError):
        return False
    return True
