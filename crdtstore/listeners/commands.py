"""Adding and removing listeners by what is dispatched.

Redux Toolkit's actions ``addListener`` and ``removeListener`` are answered by the middleware, with
something else than an action. Here their creators return requests: thunks that dispatch that
action, so that type checkers know what ``dispatch`` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from crdtstore.actions import Action, create_action
from crdtstore.listeners.signatures import StartListening, StopListening, Unsubscribe

__all__ = [
    "AddListener",
    "Command",
    "ListenerRequest",
    "RemoveListener",
    "add_listener",
    "clear_all_listeners",
    "remove_listener",
]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Command = Callable[[Action[Any]], Any]

clear_all_listeners = create_action("listener_middleware/remove_all")
"""Dispatched, its action removes all listeners of the middleware and cancels their effects."""


class ListenerRequest(Generic[R_co]):
    """What ``dispatch`` answers with what the middleware does; ``action`` is what it sees."""

    __slots__ = ("action",)

    def __init__(self, action: Action[dict[str, Any]]) -> None:
        self.action = action

    def __call__(self, dispatch: Callable[[Any], Any], get_state: Callable[[], Any]) -> R_co:
        answer: R_co = dispatch(self.action)
        return answer

    def __repr__(self) -> str:
        return f"ListenerRequest({self.action!r})"


class _Creator(Generic[R]):
    """Makes requests of one type."""

    __slots__ = ("type",)

    def __init__(self, type: str) -> None:
        self.type = type

    def __call__(self, **options: Any) -> ListenerRequest[R]:
        return ListenerRequest(Action(self.type, options))

    def match(self, action: object) -> bool:
        """Tell whether ``action`` is one of this creator's."""
        if isinstance(action, ListenerRequest):
            action = action.action
        return isinstance(action, Action) and action.type == self.type

    def __str__(self) -> str:
        return self.type

    def __repr__(self) -> str:
        return f"<action creator {self.type}>"


class AddListener(StartListening[Any, ListenerRequest[Unsubscribe]], Protocol):
    """The type of ``add_listener``."""

    @property
    def type(self) -> str:
        """The type of the action that the middleware sees."""

    def match(self, action: object) -> bool:
        """Tell whether ``action`` is that action, or a request for it."""


class RemoveListener(StopListening[ListenerRequest[bool]], Protocol):
    """The type of ``remove_listener``."""

    @property
    def type(self) -> str:
        """The type of the action that the middleware sees."""

    def match(self, action: object) -> bool:
        """Tell whether ``action`` is that action, or a request for it."""


add_listener: AddListener = _Creator("listener_middleware/add")
"""Dispatched, what it returns does what ``start_listening`` does with the same arguments."""

remove_listener: RemoveListener = _Creator("listener_middleware/remove")
"""Dispatched, what it returns does what ``stop_listening`` does with the same arguments."""
