"""Adding and removing listeners by what is dispatched.

Redux Toolkit's actions ``addListener`` and ``removeListener`` are answered by the middleware, with
something else than an action. Here their creators return requests, which dispatch that action, so
that type checkers know what ``dispatch`` returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from crdtstore.actions import Action, create_action
from crdtstore.listeners.patterns import accepted
from crdtstore.listeners.signatures import StartListening, StopListening, Unsubscribe
from crdtstore.middleware import Dispatch, Startable
from crdtstore.tasks import Tasks

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


class ListenerRequest(Startable[R_co], Generic[R_co]):
    """What ``dispatch`` answers with what the middleware does; ``action`` is what it sees."""

    __slots__ = ("action",)

    def __init__(self, action: Action[dict[str, Any]]) -> None:
        self.action = action

    def start(
        self, dispatch: Dispatch, get_state: Callable[[], Any], extra: Any, tasks: Tasks
    ) -> R_co:
        """Dispatch the action, where the middleware did not see the request itself before."""
        answer: R_co = dispatch(self.action)
        return answer

    def __repr__(self) -> str:
        return f"ListenerRequest({self.action!r})"


class _Creator(Generic[R]):
    """Makes requests of one type, which take these ``options`` and those of all."""

    __slots__ = ("__name__", "_options", "type")

    def __init__(self, name: str, type: str, *options: str) -> None:
        self.__name__ = name
        self.type = type
        self._options = options

    def __call__(self, *given: Any, **options: Any) -> ListenerRequest[R]:
        accepted(self.__name__, *self._options, given=given, options=options)
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


add_listener: AddListener = _Creator("add_listener", "listener_middleware/add", "effect")
"""Dispatched, what it returns does what ``start_listening`` does with the same arguments."""

remove_listener: RemoveListener = _Creator(
    "remove_listener", "listener_middleware/remove", "effect", "cancel_active"
)
"""Dispatched, what it returns does what ``stop_listening`` does with the same arguments."""
