"""The listener middleware: effects that run when something was dispatched, or merged from a peer.

One object holds the listeners and may serve several stores: an effect gets the API of the store
where it happened. Source of the surface: Redux Toolkit (``createListenerMiddleware``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload
from weakref import WeakSet

from crdtstore.actions import Action
from crdtstore.listeners.attachment import Attachment
from crdtstore.listeners.commands import (
    Command,
    add_listener,
    clear_all_listeners,
    remove_listener,
)
from crdtstore.listeners.failures import Failures, ListenerErrorHandler
from crdtstore.listeners.instances import Instances
from crdtstore.listeners.patterns import Pattern, accepted, checked_origin
from crdtstore.listeners.registry import Listener, Registry
from crdtstore.listeners.signatures import On, StartListening, StopListening, Unsubscribe
from crdtstore.middleware import Dispatch, MiddlewareAPI
from crdtstore.tasks import running_loop

__all__ = ["ListenerMiddleware", "create_listener_middleware"]

E = TypeVar("E")
F = TypeVar("F", bound=Callable[..., Any])


class ListenerMiddleware(Generic[E]):
    """The listeners of a store; made by ``create_listener_middleware``, and itself a middleware.

    ``configure_store(slices, middleware=[listener])``. All methods may be called from any thread;
    what they change counts from the next action on.
    """

    def __init__(self, extra: E, on_error: ListenerErrorHandler | None) -> None:
        self._extra = extra
        self._failures = Failures(on_error)
        self._registry = Registry()
        self._instances = Instances()
        self._attachments: WeakSet[Attachment[E]] = WeakSet()
        self._lock = threading.Lock()
        self._commands: dict[str, Command] = {
            add_listener.type: lambda action: self._add("add_listener", **action.payload),
            remove_listener.type: lambda action: self._drop("remove_listener", **action.payload),
            clear_all_listeners.type: self._clear,
        }

    def middleware(self, api: MiddlewareAPI, /) -> Callable[[Dispatch], Dispatch]:
        """Serve a store: the middleware itself, for those who want to name it."""
        attachment = Attachment(
            api, self._registry, self._instances, self._failures, self._commands, self._extra
        )
        with self._lock:
            self._attachments.add(attachment)
        if self._registry.hears_of_peers:  # asked after adding, and told before it is asked below
            attachment.hear_of_peers()
        return attachment.layer

    __call__ = middleware

    @property
    def start_listening(self) -> StartListening[E, Unsubscribe]:
        """Run ``effect(action, api)`` after what it listens for; return what removes it again.

        An effect may leave out ``api``, or both.
        Exactly one of these says what that is: ``type=``, an action type; ``action_creator=``;
        ``matcher=``, a function of an action; ``predicate=``, a function of ``(action, current,
        previous)`` or fewer of them; ``slices=``, for whatever changed them. With
        ``origin="remote"`` it is the work of peers, with ``"any"`` theirs and this store's: an
        action of theirs has a payload only where the slice shares payloads (unchecked: what
        another program sends), and what came in one piece, to catch up, is one ``merged`` action.

        The same effect for the same is one listener, however often it is added. Raises
        ``TypeError`` for anything else.
        """
        return self._start

    @property
    def on(self) -> On[E]:
        """``start_listening`` as a decorator of the effect: ``@listener.on(action_creator=add)``.

        The effect stays as it is; ``stop_listening`` removes it.
        """
        return self._on

    @property
    def stop_listening(self) -> StopListening[bool]:
        """Remove the listener that was added with these arguments; tell whether there was one.

        Its running effects go on; ``cancel_active=True`` cancels them.
        """
        return self._stop

    def clear_listeners(self) -> None:
        """Remove all listeners, and cancel all their effects and tasks."""
        self._registry.clear()
        self._instances.cancel()

    def _start(self, *given: Any, **options: Any) -> Unsubscribe:
        accepted("start_listening", "effect", given=given, options=options)
        return self._add("start_listening", **options)

    def _add(
        self, caller: str, *, effect: Any = None, origin: Any = "local", **what: Any
    ) -> Unsubscribe:
        if not callable(effect):
            raise TypeError(
                f"{caller} takes effect=, a function of (action, api); got {effect!r:.80}"
            )
        new = Listener(Pattern.of(**what), checked_origin(origin), effect, running_loop())
        listener = self._registry.listener(new)
        if self._registry.hears_of_peers:
            with self._lock:
                attachments = list(self._attachments)
            for attachment in attachments:
                attachment.hear_of_peers()

        def unsubscribe(*, cancel_active: bool = False) -> None:
            self._remove(listener, cancel_active)

        return unsubscribe

    def _on(self, *given: Any, **options: Any) -> Any:
        accepted("on", given=given, options=options)

        def decorate(effect: F) -> F:
            self._add("on", effect=effect, **options)
            return effect

        return decorate

    def _stop(self, *given: Any, **options: Any) -> bool:
        accepted("stop_listening", "effect", "cancel_active", given=given, options=options)
        return self._drop("stop_listening", **options)

    def _drop(
        self,
        caller: str,
        *,
        effect: Any = None,
        origin: Any = "local",
        cancel_active: bool = False,
        **what: Any,
    ) -> bool:
        if effect is None:
            raise TypeError(f"{caller} takes effect=, the effect of the listener to be removed")
        listener = self._registry.find(Pattern.of(**what), checked_origin(origin), effect)
        return listener is not None and self._remove(listener, cancel_active)

    def _remove(self, listener: Listener, cancel_active: bool) -> bool:
        removed = self._registry.remove(listener)
        if cancel_active:
            listener.instances.cancel()
        return removed

    def _clear(self, action: Action[Any]) -> Action[Any]:
        self.clear_listeners()
        return action


@overload
def create_listener_middleware(
    *, on_error: ListenerErrorHandler | None = None
) -> ListenerMiddleware[None]: ...
@overload
def create_listener_middleware(
    *, extra: E, on_error: ListenerErrorHandler | None = None
) -> ListenerMiddleware[E]: ...
def create_listener_middleware(
    *, extra: Any = None, on_error: ListenerErrorHandler | None = None
) -> ListenerMiddleware[Any]:
    """Return a middleware with listeners, to which effects are added at any time.

    ``extra`` is what effects find as ``api.extra``. ``on_error(error, info)`` gets what effects and
    predicates raise (``info.raised_by`` says which of the two); without it, it is logged. Effects
    that were cancelled raise nothing that anybody is told of, and no effect, predicate or
    ``on_error`` ever makes a dispatch or a merge fail.
    """
    return ListenerMiddleware(extra, on_error)
