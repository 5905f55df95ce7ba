"""What the payload creator of an async thunk works with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Never, Protocol, cast, overload

from crdtstore.actions import Action
from crdtstore.errors import RejectedWithValue
from crdtstore.middleware import Startable
from crdtstore.tasks import Running
from crdtstore.thunks.lifecycle import Padded
from crdtstore.thunks.signals import AbortSignal

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    State = TypeVar("State", default=Any)
    Extra = TypeVar("Extra", default=Any)
else:
    from typing import TypeVar

    State = TypeVar("State")
    Extra = TypeVar("Extra")

R = TypeVar("R")
T = TypeVar("T")

__all__ = ["ConditionAPI", "Fulfilled", "ThunkAPI", "ThunkDispatch"]


class ThunkDispatch(Protocol):
    """A store's ``dispatch``."""

    @overload
    def __call__(self, action: Action[T], /) -> Action[T]: ...
    @overload
    def __call__(self, thunk: Startable[R], /) -> R: ...
    @overload
    def __call__(self, thunk: Callable[[Any, Any], Coroutine[Any, Any, R]], /) -> Running[R]: ...
    @overload
    def __call__(self, thunk: Callable[[Any, Any], R], /) -> R: ...
    @overload
    def __call__(self, action: Mapping[str, Any], /) -> Action[Any]: ...


class Abort(Protocol):
    """Aborts a request, for a reason that its last action names."""

    def __call__(self, reason: str | None = None) -> None: ...


@dataclass(frozen=True)
class ConditionAPI(Padded, Generic[State, Extra]):
    """What ``condition`` and ``get_pending_meta`` may read: the state and the extra argument."""

    get_state: Callable[[], State]
    extra: Extra


@dataclass(frozen=True)
class ThunkAPI(ConditionAPI[State, Extra], Generic[State, Extra]):
    """What a payload creator gets as its second parameter.

    Annotating it ``ThunkAPI[MyState, MyExtra]`` types ``get_state()`` and ``extra``. ``abort`` does
    to this request what ``abort`` of its result does; ``signal`` tells that this has happened.
    """

    dispatch: ThunkDispatch
    request_id: str
    signal: AbortSignal
    abort: Abort

    def reject_with_value(self, value: object, meta: Mapping[str, Any] | None = None) -> Never:
        """Return what to return, or raise, to be rejected with this payload and additional meta.

        That is a ``RejectedWithValue``. Type checkers take it for what fits everywhere, so that it
        can be returned whatever the payload creator returns otherwise.
        """
        return RejectedWithValue(value, _mapping(meta))  # type: ignore[misc]

    def fulfill_with_value(self, value: T, meta: Mapping[str, Any] | None = None) -> T:
        """Return what to return to be fulfilled with this payload and additional meta.

        Type checkers take it for ``value`` itself.
        """
        return cast(T, Fulfilled(value, _mapping(meta)))


@dataclass(frozen=True, slots=True)
class Fulfilled:
    """A payload together with additional meta."""

    payload: Any
    meta: Mapping[str, Any] | None


def _mapping(meta: Any) -> Mapping[str, Any] | None:
    if meta is None or isinstance(meta, Mapping):
        return meta
    raise TypeError(f"meta is a mapping, got {type(meta).__name__}: {meta!r:.80}")
