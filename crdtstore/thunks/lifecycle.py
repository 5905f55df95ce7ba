"""The actions in the life of an async thunk's request: pending, then fulfilled or rejected.

Each says in its ``meta`` whose it is: the thunk's argument, the request's id and its status. They
are ordinary actions in every respect; the classes exist for type checkers, which learn from
``thunk.fulfilled.match(action)`` what ``action.payload`` and ``action.meta.arg`` are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn

from crdtstore.actions import Action, ActionCreator
from crdtstore.thunks.serialized import SerializedError, name_of

if TYPE_CHECKING:
    from typing_extensions import TypeIs, TypeVar

    Error = TypeVar("Error", default=SerializedError)
else:
    from typing import TypeVar

    Error = TypeVar("Error")

Returned = TypeVar("Returned")
Arg = TypeVar("Arg")

__all__ = [
    "FulfilledAction",
    "FulfilledCreator",
    "Meta",
    "Padded",
    "PendingAction",
    "PendingCreator",
    "RejectedAction",
    "RejectedCreator",
]

_NOTHING: Any = object()


class Padded:
    """Lets ``Class[A]`` stand for ``Class[A, B]`` at run time, where ``B`` has a default.

    Type checkers know of such defaults; ``typing`` does so from Python 3.13 on only.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def __class_getitem__(cls, given):
            given = given if isinstance(given, tuple) else (given,)
            missing = len(cls.__parameters__) - len(given)
            return super().__class_getitem__((*given, *[Any] * missing))


class Meta(Mapping[str, Any], Generic[Arg]):
    """What an action says of its request: a read-only mapping with attribute access.

    ``meta.request_id`` is ``meta["request_id"]``. The three flags of rejected actions are ``False``
    as attributes of the others; everything else that is not there raises ``AttributeError``.
    """

    __slots__ = ("_items",)

    if TYPE_CHECKING:
        arg: Arg
        request_id: str
        request_status: Literal["pending", "fulfilled", "rejected"]
        rejected_with_value: bool
        aborted: bool
        condition: bool

    def __init__(self, items: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_items", dict(items))

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if name in self._items:
                return self._items[name]
            if name in ("rejected_with_value", "aborted", "condition"):
                return False
        raise AttributeError(f"meta has no {name!r}; it has {', '.join(self)}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"meta is read-only; {name!r} was set when the action was made")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"meta is read-only; {name!r} stays")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._items,)

    def __repr__(self) -> str:
        return f"Meta({self._items!r})"


class PendingAction(Action[None], Generic[Arg]):
    """An async thunk's request has begun."""

    __slots__ = ()

    meta: Meta[Arg]


class FulfilledAction(Padded, Action[Returned], Generic[Returned, Arg]):
    """An async thunk's request came to a good end, with a payload."""

    __slots__ = ()

    meta: Meta[Arg]


class RejectedAction(Padded, Action[Any], Generic[Arg, Error]):
    """An async thunk's request failed, was aborted or not admitted: ``error``, perhaps payload."""

    __slots__ = ()

    meta: Meta[Arg]
    error: Error


class PendingCreator(ActionCreator[..., None], Generic[Arg]):
    """Creates the action that says that a request has begun."""

    def __init__(self, type: str) -> None:
        super().__init__(type, _unpacked)

    def __call__(
        self,
        request_id: str,
        arg: Arg = None,  # type: ignore[assignment]
        meta: Mapping[str, Any] | None = None,
    ) -> PendingAction[Arg]:
        return PendingAction(self.type, None, _meta(meta, arg, request_id, "pending"))

    # TypeIs is invariant, so no override may narrow to a subclass of what its base narrows to.
    def match(self, action: object) -> TypeIs[PendingAction[Arg]]:  # type: ignore[override]
        """Tell whether ``action`` is one of this creator's."""
        return isinstance(action, Action) and action.type == self.type


class FulfilledCreator(ActionCreator[..., Returned], Generic[Returned, Arg]):
    """Creates the action that carries what a request came to."""

    def __init__(self, type: str) -> None:
        super().__init__(type, _unpacked)

    def __call__(
        self,
        payload: Returned,
        request_id: str,
        arg: Arg = None,  # type: ignore[assignment]
        meta: Mapping[str, Any] | None = None,
    ) -> FulfilledAction[Returned, Arg]:
        return FulfilledAction(self.type, payload, _meta(meta, arg, request_id, "fulfilled"))

    def match(  # type: ignore[override]
        self, action: object
    ) -> TypeIs[FulfilledAction[Returned, Arg]]:
        """Tell whether ``action`` is one of this creator's."""
        return isinstance(action, Action) and action.type == self.type


class RejectedCreator(Padded, ActionCreator[..., Any], Generic[Arg, Error]):
    """Creates the action that says why a request failed.

    ``error`` is an exception, or ``None`` for what was rejected with a value, which is ``payload``
    then: any value is one if it is given, be it ``None``.
    """

    def __init__(self, type: str, serialize_error: Callable[[Any], Error]) -> None:
        super().__init__(type, _unpacked)
        self._serialize = serialize_error

    def __call__(
        self,
        error: Any,
        request_id: str,
        arg: Arg = None,  # type: ignore[assignment]
        payload: Any = _NOTHING,
        meta: Mapping[str, Any] | None = None,
    ) -> RejectedAction[Arg, Error]:
        with_value = payload is not _NOTHING
        name = name_of(error)
        return RejectedAction(
            self.type,
            payload if with_value else None,
            _meta(
                meta,
                arg,
                request_id,
                "rejected",
                rejected_with_value=with_value,
                aborted=name == "AbortError",
                condition=name == "ConditionError",
            ),
            self._serialize("Rejected" if error is None else error),
        )

    def match(  # type: ignore[override]
        self, action: object
    ) -> TypeIs[RejectedAction[Arg, Error]]:
        """Tell whether ``action`` is one of this creator's."""
        return isinstance(action, Action) and action.type == self.type


def _meta(
    more: Mapping[str, Any] | None, arg: Any, request_id: str, status: str, **flags: bool
) -> Meta[Any]:
    return Meta(
        {**(more or {}), "arg": arg, "request_id": request_id, "request_status": status, **flags}
    )


def _unpacked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> NoReturn:
    raise AssertionError("the creators here make their actions themselves")
