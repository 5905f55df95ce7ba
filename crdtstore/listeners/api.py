"""What the effect of a listener works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, overload

from crdtstore.actions import Action
from crdtstore.errors import ClosedError
from crdtstore.listeners.executions import is_coroutine_function, taking
from crdtstore.listeners.fork import Fork, ForkApi, ForkedTask
from crdtstore.listeners.instances import Instance
from crdtstore.listeners.patterns import Origin, Pattern, Predicate, asked, checked_origin
from crdtstore.listeners.places import Place
from crdtstore.listeners.registry import Entry, Listener, Registry, Taker
from crdtstore.listeners.remote import RemoteOrigin
from crdtstore.listeners.waits import Wait, settle
from crdtstore.matchers import Creator
from crdtstore.middleware import MiddlewareAPI
from crdtstore.state import RootState
from crdtstore.tasks import running_loop
from crdtstore.thunks.api import ThunkDispatch

if TYPE_CHECKING:
    from typing_extensions import TypeIs, TypeVar

    E_co = TypeVar("E_co", default=Any, covariant=True)
else:
    from typing import TypeVar

    E_co = TypeVar("E_co", covariant=True)

A = TypeVar("A", bound=Action[Any])
T = TypeVar("T")
V = TypeVar("V")

__all__ = ["Context", "ListenerApi"]


@dataclass(frozen=True, slots=True)
class Context(Generic[E_co]):
    """One store that a listener middleware serves. ``heed`` sees to it that an entry is told."""

    store: MiddlewareAPI
    place: Place
    registry: Registry
    heed: Callable[[Entry], None]
    extra: E_co


class ListenerApi(ForkApi, Generic[E_co]):
    """The second parameter of an effect: the store, what to wait with, and the listener itself.

    What waits is awaited in coroutines and ``.wait()``ed for in plain functions, in seconds (Redux
    Toolkit counts milliseconds). When the effect is cancelled, a coroutine gets
    ``asyncio.CancelledError`` where it awaits, whatever it awaits, and a plain function
    ``TaskAbortError`` from what it waits for here. Whoever goes on nevertheless gets
    ``TaskAbortError`` from every further wait; so does whoever still waits when the effect is over.
    """

    def __init__(
        self,
        instance: Instance,
        listener: Listener,
        context: Context[E_co],
        original: RootState,
        remote: RemoteOrigin | None,
    ) -> None:
        super().__init__(instance, context.place.tasks)
        self._instance = instance
        self._listener = listener
        self._context = context
        self._original = original
        self._remote = remote

    # The store

    @property
    def dispatch(self) -> ThunkDispatch:
        """The store's ``dispatch``."""
        return self._context.store.dispatch

    def get_state(self) -> RootState:
        """Return the store's state of this moment."""
        state: RootState = self._context.store.get_state()
        return state

    def get_original_state(self) -> RootState:
        """Return the state as it was before the action; at any time, unlike Redux Toolkit."""
        return self._original

    @property
    def extra(self) -> E_co:
        """What ``create_listener_middleware(extra=…)`` was given."""
        return self._context.extra

    @property
    def origin(self) -> Literal["local", "remote"]:
        """Whether the action was dispatched by this store, or merged from a peer."""
        return "local" if self._remote is None else "remote"

    @property
    def remote(self) -> RemoteOrigin | None:
        """Which peer did it when, if it was merged."""
        return self._remote

    # The listener

    def unsubscribe(self) -> None:
        """Remove the listener; its running effects go on.

        Other actions may have matched already before this effect began. Redux Toolkit would not
        have seen them, if this one has not waited for anything yet: as far as their effects have
        not begun, they never do.
        """
        self._listener.instances.unsubscribed(self._instance)
        if (loop := running_loop()) is not None:  # if it suspends, this comes next
            loop.call_soon(setattr, self._instance, "waited", True)
        self._context.registry.remove(self._listener)

    def subscribe(self) -> None:
        """Add the listener again, at the end, if it was removed.

        What matched meanwhile is not made up for. As in Redux Toolkit, nothing can have matched
        meanwhile if the effect has not waited for anything since it unsubscribed.
        """
        self._listener.instances.subscribed(at_once=not self._instance.waited)
        self._context.heed(self._listener)

    def cancel(self) -> None:
        """Cancel this effect: it is told where it waits next."""
        self._instance.cancel()

    def cancel_active_listeners(self) -> None:
        """Cancel all other running effects of this listener."""
        self._listener.instances.cancel(self._instance.cancels)

    # Waiting

    @overload
    def take(
        self, predicate: Creator[A], timeout: None = None, *, origin: Origin | None = None
    ) -> Wait[tuple[A, RootState, RootState]]: ...
    @overload
    def take(
        self, predicate: Creator[A], timeout: float | None, *, origin: Origin | None = None
    ) -> Wait[tuple[A, RootState, RootState] | None]: ...
    @overload
    def take(
        self,
        predicate: Callable[[Any], TypeIs[A]],
        timeout: None = None,
        *,
        origin: Origin | None = None,
    ) -> Wait[tuple[A, RootState, RootState]]: ...
    @overload
    def take(
        self,
        predicate: Callable[[Any], TypeIs[A]],
        timeout: float | None,
        *,
        origin: Origin | None = None,
    ) -> Wait[tuple[A, RootState, RootState] | None]: ...
    @overload
    def take(
        self, predicate: Predicate, timeout: None = None, *, origin: Origin | None = None
    ) -> Wait[tuple[Action[Any], RootState, RootState]]: ...
    @overload
    def take(
        self, predicate: Predicate, timeout: float | None, *, origin: Origin | None = None
    ) -> Wait[tuple[Action[Any], RootState, RootState] | None]: ...
    def take(
        self, predicate: Any, timeout: float | None = None, *, origin: Origin | None = None
    ) -> Wait[Any]:
        """Wait for the next action that matches: ``(action, current, previous)``.

        ``predicate`` is an action creator, or a function of as many of these three as it takes.
        After ``timeout`` seconds, if given, the result is ``None``. ``origin`` says whose actions
        count; without it, those that the listener itself is for. It takes from when it is called,
        not from when it is awaited: call it before dispatching what shall be answered.
        """
        return self._taken(
            f"take({_name(predicate)})",
            predicate,
            timeout,
            origin,
            lambda action, current, previous: (action, current, previous),
            None,
        )

    def condition(
        self,
        predicate: Predicate | Creator[Any],
        timeout: float | None = None,
        *,
        origin: Origin | None = None,
    ) -> Wait[bool]:
        """Wait as ``take`` does: ``True`` when an action matches, ``False`` after ``timeout``.

        It is asked when an action comes, not at once.
        """
        return self._taken(
            f"condition({_name(predicate)})",
            predicate,
            timeout,
            origin,
            lambda action, current, previous: True,
            False,
        )

    def _taken(
        self,
        name: str,
        predicate: Any,
        timeout: float | None,
        origin: Origin | None,
        found: Callable[[Action[Any], RootState, RootState], Any],
        otherwise: Any,
    ) -> Wait[Any]:
        test = asked(predicate, "predicate")
        heard = self._listener.origin if origin is None else checked_origin(origin)
        future, wait = self._pending(name)
        if future.done():
            return wait
        taker = Taker(
            Pattern(None, test, ("taker", future)),
            heard,
            self._context.store,
            lambda action, current, previous: settle(future, found(action, current, previous)),
        )
        self._context.heed(taker)
        future.add_done_callback(lambda _: self._context.registry.remove(taker))
        if timeout is not None:
            self._settle_after(timeout, future, otherwise)
        wait.idle = True
        return wait

    # Tasks

    @overload
    def fork(
        self,
        executor: Callable[[ForkApi], Awaitable[V]] | Callable[[], Awaitable[V]],
        *,
        auto_join: bool = False,
    ) -> ForkedTask[V]: ...
    @overload
    def fork(
        self, executor: Callable[[ForkApi], V] | Callable[[], V], *, auto_join: bool = False
    ) -> ForkedTask[V]: ...
    def fork(self, executor: Callable[..., Any], *, auto_join: bool = False) -> Any:
        """Start ``executor(fork_api)`` beside this effect; plain or not, it runs as effects do.

        It may leave out its parameter. It is cancelled when this effect is cancelled or over; with
        ``auto_join`` this effect is not over before it is.
        """
        if not callable(executor):
            raise TypeError(f"fork takes a function of the fork's API, got {executor!r:.80}")
        call = taking(executor, ("fork_api",), "what fork takes")
        place, instance = self._context.place, self._instance
        future, result = self._pending(f"the result of a task of {instance.name}")
        fork: Fork[Any] = Fork(
            call,
            instance,
            place.tasks,
            apart=place.here() is None,
            is_coroutine=is_coroutine_function(executor),
        )
        if auto_join:
            instance.joined.append(fork)
        fork.outcome.add_done_callback(lambda done: settle(future, done.result()))
        with suppress(ClosedError):  # then both are cancelled
            fork.start(place.tasks)
        task: ForkedTask[Any] = ForkedTask(fork, result)
        return task

    def __repr__(self) -> str:
        return f"<ListenerApi of {self._instance.name}>"


def _name(predicate: Any) -> str:
    return str(getattr(predicate, "type", None) or getattr(predicate, "__name__", "…"))
