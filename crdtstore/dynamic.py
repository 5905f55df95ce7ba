"""Middleware that is added while stores run.

One instance is one place in the chains of any number of stores. What is added to it works in all of
them, in the order in which it was added and each middleware once, and is set up once for each store
(``middleware(api)`` and then ``layer(proceed)``): at once for the stores that are there, and for a
later one while that is configured. So what cannot be set up fails where it is added. An action on
its way keeps to the middleware that was there when it came; the next one meets the new ones.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any

from crdtstore.actions import Action, ActionCreator
from crdtstore.middleware import Dispatch, Middleware, MiddlewareAPI, compose
from crdtstore.nanoid import nanoid

__all__ = [
    "ADD_MIDDLEWARE",
    "AddMiddleware",
    "DynamicMiddleware",
    "WithMiddleware",
    "create_dynamic_middleware",
]

ADD_MIDDLEWARE = "dynamic_middleware/add"
"""The type of the actions that ``with_middleware`` makes."""


class AddMiddleware(Action[tuple[Middleware, ...]]):
    """What ``with_middleware`` makes; to dispatch it returns the store's ``dispatch``."""

    __slots__ = ()


class WithMiddleware(ActionCreator[..., tuple[Middleware, ...]]):
    """The action creator ``with_middleware`` of one instance."""

    __slots__ = ("_instance_id",)

    def __init__(self, instance_id: str) -> None:
        super().__init__(ADD_MIDDLEWARE, lambda args, kwargs: args)
        self.__name__ = "with_middleware"
        self._instance_id = instance_id

    def __call__(self, *middleware: Middleware) -> AddMiddleware:
        _check(middleware)
        return AddMiddleware(self.type, middleware, {"instance_id": self._instance_id})


class DynamicMiddleware:
    """A middleware made of others, which may be added at any time and from any thread.

    ``configure_store(…, middleware=[dynamic])`` puts it into a store. ``instance_id`` tells this
    instance's actions from another's.
    """

    def __init__(self) -> None:
        self.instance_id: str = nanoid()
        self.with_middleware: WithMiddleware = WithMiddleware(self.instance_id)
        """Creates the action that adds middleware and, dispatched, returns ``dispatch``."""
        self._lock = threading.RLock()  # a middleware may add others while it is set up
        self._added: list[Middleware] = []
        self._places: weakref.WeakSet[_Place] = weakref.WeakSet()

    def middleware(self, api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        """Return the layer for one store: the middleware itself, for those who want to name it."""

        def layer(proceed: Dispatch) -> Dispatch:
            place = _Place(self, api, proceed)
            with self._lock:
                for each in self._added:
                    place.add(place.set_up(each))
                self._places.add(place)
            return place.handle

        return layer

    __call__ = middleware

    def add_middleware(self, *middleware: Middleware) -> None:
        """Add middleware behind what was added before; what is there already stays where it is.

        Raises ``TypeError`` for what is no middleware, and whatever setting one up raises in a
        store that is there; that one and those after it are not added then.
        """
        _check(middleware)
        with self._lock:
            for each in middleware:
                if not any(_same(each, known) for known in self._added):
                    ready = [(place, place.set_up(each)) for place in list(self._places)]
                    self._added.append(each)
                    for place, step in ready:
                        place.add(step)

    def __repr__(self) -> str:
        return f"<dynamic middleware {self.instance_id}: {len(self._added)} added>"


class _Step:
    """One middleware at one place; ``following`` is the number of the one after it."""

    __slots__ = ("following", "handle")

    def __init__(self) -> None:
        self.following = 0
        self.handle: Dispatch


class _Place:
    """What was added, as it is set up in the chain of one store."""

    def __init__(self, of: DynamicMiddleware, api: MiddlewareAPI, proceed: Dispatch) -> None:
        self._of = of
        self._api = api
        self._proceed = proceed
        self._steps: tuple[_Step, ...] = ()
        self._flight = _Flight()

    def set_up(self, middleware: Middleware) -> _Step:
        """Set a middleware up without letting an action near it yet."""
        step = _Step()
        flight = self._flight

        def proceed(action: Any) -> Any:
            steps = self._steps
            end = flight.end
            if step.following < (len(steps) if end is None else end):
                return steps[step.following].handle(action)
            return self._proceed(action)

        step.handle = compose(self._api, [middleware], proceed)
        return step

    def add(self, step: _Step) -> None:
        """Put what was set up behind the others."""
        step.following = len(self._steps) + 1
        self._steps = (*self._steps, step)

    def handle(self, action: Any) -> Any:
        """Take an action through the middleware that is there now."""
        if type(action) is AddMiddleware and action.meta["instance_id"] == self._of.instance_id:
            self._of.add_middleware(*action.payload)
            return self._api.dispatch
        steps = self._steps
        if not steps:
            return self._proceed(action)
        flight = self._flight
        before = flight.end
        flight.end = len(steps)
        try:
            return steps[0].handle(action)
        finally:
            flight.end = before


class _Flight(threading.local):
    """How many steps the action has that this thread is handling, if it is handling one.

    There is none where a middleware hands an action on later, or from another thread: that action
    goes through all the steps that are there by then.
    """

    end: int | None = None


def _check(middleware: tuple[object, ...]) -> None:
    for each in middleware:
        if not callable(each):
            raise TypeError(
                "a middleware is a function: middleware(api) returns layer(next), which returns "
                f"handle(action); got {type(each).__name__}: {each!r:.80}"
            )


def _same(one: Middleware, other: Middleware) -> bool:
    """Whether two are one function; every look at a method makes another object of it."""
    return one is other or (isinstance(one, MethodType) and one == other)


def create_dynamic_middleware() -> DynamicMiddleware:
    """Return a middleware to which others can be added after the store was configured."""
    return DynamicMiddleware()
