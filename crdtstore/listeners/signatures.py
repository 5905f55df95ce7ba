"""The signatures that several functions share, written out for type checkers.

An effect's action is typed by what it is matched with. That of a peer's work is not: what another
program sends was checked by nobody, and is ``Action[Any]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

from crdtstore.actions import Action
from crdtstore.cases import Matchable
from crdtstore.listeners.api import ListenerApi
from crdtstore.listeners.patterns import Origin, Predicate, Slices
from crdtstore.matchers import Creator

if TYPE_CHECKING:
    from typing_extensions import TypeIs

A = TypeVar("A", bound=Action[Any])

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

__all__ = ["Decorator", "Effect", "On", "StartListening", "StopListening", "Unsubscribe"]

Effect = Callable[[A, ListenerApi[E]], object] | Callable[[A], object] | Callable[[], object]
"""What a listener runs: a coroutine function, or a plain one, of ``(action, api)`` or fewer."""


class Unsubscribe(Protocol):
    """Removes a listener; with ``cancel_active``, cancels its running effects as well."""

    def __call__(self, *, cancel_active: bool = False) -> None: ...


class StartListening(Protocol[E_co, R_co]):
    """Adds a listener, for what exactly one of the five ways of saying it is for."""

    @overload
    def __call__(
        self,
        *,
        action_creator: Creator[A],
        effect: Effect[A, E_co],
        origin: Literal["local"] = "local",
    ) -> R_co: ...
    @overload
    def __call__(
        self,
        *,
        action_creator: Creator[Any],
        effect: Effect[Action[Any], E_co],
        origin: Literal["remote", "any"],
    ) -> R_co: ...
    @overload
    def __call__(
        self,
        *,
        matcher: Callable[[Any], TypeIs[A]],
        effect: Effect[A, E_co],
        origin: Literal["local"] = "local",
    ) -> R_co: ...
    @overload
    def __call__(
        self,
        *,
        matcher: Matchable | Callable[[Any], object],
        effect: Effect[Action[Any], E_co],
        origin: Origin = "local",
    ) -> R_co: ...
    @overload
    def __call__(
        self,
        *,
        type: str,
        effect: Effect[Action[Any], E_co],
        origin: Origin = "local",
    ) -> R_co: ...
    @overload
    def __call__(
        self,
        *,
        predicate: Predicate,
        effect: Effect[Action[Any], E_co],
        origin: Origin = "local",
    ) -> R_co: ...
    @overload
    def __call__(
        self,
        *,
        slices: Slices,
        effect: Effect[Action[Any], E_co],
        origin: Origin = "local",
    ) -> R_co: ...


class Decorator(Protocol[A, E]):
    """Adds the effect that it decorates, and leaves it as it is."""

    @overload
    def __call__(
        self, effect: Callable[[A, ListenerApi[E]], R], /
    ) -> Callable[[A, ListenerApi[E]], R]: ...
    @overload
    def __call__(self, effect: Callable[[A], R], /) -> Callable[[A], R]: ...
    @overload
    def __call__(self, effect: Callable[[], R], /) -> Callable[[], R]: ...


class On(Protocol[E]):
    """``StartListening`` as a decorator: everything but the effect."""

    @overload
    def __call__(
        self, *, action_creator: Creator[A], origin: Literal["local"] = "local"
    ) -> Decorator[A, E]: ...
    @overload
    def __call__(
        self, *, action_creator: Creator[Any], origin: Literal["remote", "any"]
    ) -> Decorator[Action[Any], E]: ...
    @overload
    def __call__(
        self, *, matcher: Callable[[Any], TypeIs[A]], origin: Literal["local"] = "local"
    ) -> Decorator[A, E]: ...
    @overload
    def __call__(
        self, *, matcher: Matchable | Callable[[Any], object], origin: Origin = "local"
    ) -> Decorator[Action[Any], E]: ...
    @overload
    def __call__(self, *, type: str, origin: Origin = "local") -> Decorator[Action[Any], E]: ...
    @overload
    def __call__(
        self, *, predicate: Predicate, origin: Origin = "local"
    ) -> Decorator[Action[Any], E]: ...
    @overload
    def __call__(
        self, *, slices: Slices, origin: Origin = "local"
    ) -> Decorator[Action[Any], E]: ...


class StopListening(Protocol[R_co]):
    """Removes a listener that was added with the same arguments."""

    def __call__(
        self,
        *,
        type: str | None = None,
        action_creator: Creator[Any] | None = None,
        matcher: Matchable | Callable[[Any], object] | None = None,
        predicate: Predicate | None = None,
        slices: Slices | None = None,
        effect: Callable[..., object],
        origin: Origin = "local",
        cancel_active: bool = False,
    ) -> R_co: ...
