"""Predicates over actions, made of others: for ``add_matcher``, listeners and conditions.

A matcher is a function of anything that answers whether it is an action of some kind; action
creators count as the ``match`` they have. Those for async thunks work in three ways, as in Redux
Toolkit: ``is_pending()`` knows requests by their ``meta``, whosever they are; ``is_pending(a, b)``
knows those of these thunks; ``is_pending(action)`` answers at once. Type checkers learn from all of
them what an action is, except where Python cannot say it: of "all of these" it names the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard, TypeVar, overload

from crdtstore.actions import Action
from crdtstore.thunks import AsyncThunk, FulfilledAction, PendingAction, RejectedAction

__all__ = [
    "Matcher",
    "is_all_of",
    "is_any_of",
    "is_async_thunk_action",
    "is_fulfilled",
    "is_pending",
    "is_rejected",
    "is_rejected_with_value",
]

_ALL = ("pending", "fulfilled", "rejected")

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
R1 = TypeVar("R1")
R2 = TypeVar("R2")
A1 = TypeVar("A1")
A2 = TypeVar("A2")
E1 = TypeVar("E1")
E2 = TypeVar("E2")

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    Matching: TypeAlias = "Creator[T] | Callable[[Any], TypeIs[T]]"
    ThunkAction: TypeAlias = PendingAction[A] | FulfilledAction[B, A] | RejectedAction[A, C]
    AnyThunkAction: TypeAlias = ThunkAction[Any, Any, Any]
    AnyThunk: TypeAlias = AsyncThunk[Any, Any, Any]

Predicate: TypeAlias = "Creator[Any] | Callable[[Any], Any]"


class Creator(Protocol[T]):
    """An action creator, or what else has a ``match``."""

    def match(self, action: object, /) -> TypeIs[T]: ...


class Matcher(Protocol[T]):
    """A predicate that says what an action is: that, or surely not that."""

    def __call__(self, action: object, /) -> TypeIs[T]: ...


class Guard(Protocol[T_co]):
    """A predicate that says what an action is, if it says yes."""

    def __call__(self, action: object, /) -> TypeGuard[T_co]: ...


@overload
def is_any_of(first: Matching[A], /) -> Matcher[A]: ...
@overload
def is_any_of(first: Matching[A], second: Matching[B], /) -> Matcher[A | B]: ...
@overload
def is_any_of(
    first: Matching[A], second: Matching[B], third: Matching[C], /
) -> Matcher[A | B | C]: ...
@overload
def is_any_of(
    first: Matching[A], second: Matching[B], third: Matching[C], fourth: Matching[D], /
) -> Matcher[A | B | C | D]: ...
@overload
def is_any_of(*matchers: Predicate) -> Callable[[object], bool]: ...
def is_any_of(*matchers: Any) -> Any:
    """Return a matcher that says yes if one of these does, asked in order."""
    asked = [_predicate(each) for each in matchers]
    return lambda action: any(matches(action) for matches in asked)


@overload
def is_all_of(first: Matching[A], /, *others: Predicate) -> Guard[A]: ...
@overload
def is_all_of(first: Callable[[Any], TypeGuard[A]], /, *others: Predicate) -> Guard[A]: ...
@overload
def is_all_of(*matchers: Predicate) -> Callable[[object], bool]: ...
def is_all_of(*matchers: Any) -> Any:
    """Return a matcher that says yes if all of these do, asked in order up to the first no."""
    asked = [_predicate(each) for each in matchers]
    return lambda action: all(matches(action) for matches in asked)


@overload
def is_pending() -> Matcher[PendingAction[Any]]: ...
@overload
def is_pending(  # type: ignore[overload-overlap]  # thunks are no actions
    thunk: AsyncThunk[Any, A1, Any], /
) -> Matcher[PendingAction[A1]]: ...
@overload
def is_pending(
    first: AsyncThunk[Any, A1, Any], second: AsyncThunk[Any, A2, Any], /
) -> Matcher[PendingAction[A1] | PendingAction[A2]]: ...
@overload
def is_pending(  # type: ignore[overload-overlap]
    *thunks: AnyThunk,
) -> Matcher[PendingAction[Any]]: ...
@overload
def is_pending(action: object, /) -> TypeIs[PendingAction[Any]]: ...
def is_pending(*given: Any) -> Any:
    """Match requests that began: all, those of some thunks, or this action."""
    return _of_thunks(given, is_pending, ("pending",))


@overload
def is_fulfilled() -> Matcher[FulfilledAction[Any, Any]]: ...
@overload
def is_fulfilled(  # type: ignore[overload-overlap]  # thunks are no actions
    thunk: AsyncThunk[R1, A1, Any], /
) -> Matcher[FulfilledAction[R1, A1]]: ...
@overload
def is_fulfilled(
    first: AsyncThunk[R1, A1, Any], second: AsyncThunk[R2, A2, Any], /
) -> Matcher[FulfilledAction[R1, A1] | FulfilledAction[R2, A2]]: ...
@overload
def is_fulfilled(  # type: ignore[overload-overlap]
    *thunks: AnyThunk,
) -> Matcher[FulfilledAction[Any, Any]]: ...
@overload
def is_fulfilled(action: object, /) -> TypeIs[FulfilledAction[Any, Any]]: ...
def is_fulfilled(*given: Any) -> Any:
    """Match requests that came to a good end: all, those of some thunks, or this action."""
    return _of_thunks(given, is_fulfilled, ("fulfilled",))


@overload
def is_rejected() -> Matcher[RejectedAction[Any, Any]]: ...
@overload
def is_rejected(  # type: ignore[overload-overlap]  # thunks are no actions
    thunk: AsyncThunk[Any, A1, E1], /
) -> Matcher[RejectedAction[A1, E1]]: ...
@overload
def is_rejected(
    first: AsyncThunk[Any, A1, E1], second: AsyncThunk[Any, A2, E2], /
) -> Matcher[RejectedAction[A1, E1] | RejectedAction[A2, E2]]: ...
@overload
def is_rejected(  # type: ignore[overload-overlap]
    *thunks: AnyThunk,
) -> Matcher[RejectedAction[Any, Any]]: ...
@overload
def is_rejected(action: object, /) -> TypeIs[RejectedAction[Any, Any]]: ...
def is_rejected(*given: Any) -> Any:
    """Match requests that failed: all, those of some thunks, or this action."""
    return _of_thunks(given, is_rejected, ("rejected",))


@overload
def is_rejected_with_value() -> Guard[RejectedAction[Any, Any]]: ...
@overload
def is_rejected_with_value(  # type: ignore[overload-overlap]  # thunks are no actions
    thunk: AsyncThunk[Any, A1, E1], /
) -> Guard[RejectedAction[A1, E1]]: ...
@overload
def is_rejected_with_value(
    first: AsyncThunk[Any, A1, E1], second: AsyncThunk[Any, A2, E2], /
) -> Guard[RejectedAction[A1, E1] | RejectedAction[A2, E2]]: ...
@overload
def is_rejected_with_value(  # type: ignore[overload-overlap]
    *thunks: AnyThunk,
) -> Guard[RejectedAction[Any, Any]]: ...
@overload
def is_rejected_with_value(action: object, /) -> TypeGuard[RejectedAction[Any, Any]]: ...
def is_rejected_with_value(*given: Any) -> Any:
    """Match requests that failed with a value: all, those of some thunks, or this action."""
    rejected = _of_thunks(given, is_rejected_with_value, ("rejected",))
    if isinstance(rejected, bool):
        return rejected and _has_value(given[0])
    return is_all_of(rejected, _has_value)


@overload
def is_async_thunk_action() -> Matcher[AnyThunkAction]: ...
@overload
def is_async_thunk_action(  # type: ignore[overload-overlap]  # thunks are no actions
    thunk: AsyncThunk[R1, A1, E1], /
) -> Matcher[ThunkAction[A1, R1, E1]]: ...
@overload
def is_async_thunk_action(
    first: AsyncThunk[R1, A1, E1], second: AsyncThunk[R2, A2, E2], /
) -> Matcher[
    PendingAction[A1]
    | FulfilledAction[R1, A1]
    | RejectedAction[A1, E1]
    | PendingAction[A2]
    | FulfilledAction[R2, A2]
    | RejectedAction[A2, E2]
]: ...
@overload
def is_async_thunk_action(  # type: ignore[overload-overlap]
    *thunks: AnyThunk,
) -> Matcher[AnyThunkAction]: ...
@overload
def is_async_thunk_action(action: object, /) -> TypeIs[AnyThunkAction]: ...
def is_async_thunk_action(*given: Any) -> Any:
    """Match what async thunks dispatch: any, that of some thunks, or this action."""
    return _of_thunks(given, is_async_thunk_action, _ALL)


def _of_thunks(given: tuple[Any, ...], again: Callable[..., Any], statuses: tuple[str, ...]) -> Any:
    if not given:
        return lambda action: _has_status(action, statuses)
    if not all(isinstance(each, AsyncThunk) for each in given):
        if len(given) > 1:
            raise TypeError(
                f"{again.__name__} takes async thunks, one action, or nothing; got {given!r:.200}"
            )
        return _has_status(given[0], statuses)
    types = {f"{thunk.type_prefix}/{status}" for thunk in given for status in statuses}
    return lambda action: isinstance(action, Action) and action.type in types


def _has_status(action: object, statuses: tuple[str, ...]) -> bool:
    meta = action.meta if isinstance(action, Action) else None
    return (
        isinstance(meta, Mapping)
        and isinstance(meta.get("request_id"), str)
        and meta.get("request_status") in statuses
    )


def _has_value(action: object) -> bool:
    return isinstance(action, Action) and bool((action.meta or {}).get("rejected_with_value"))


def _predicate(matcher: Any) -> Callable[[Any], bool]:
    matches = getattr(matcher, "match", matcher)
    if not callable(matches):
        raise TypeError(
            "a matcher is a function of an action that answers yes or no, or an action creator; "
            f"got {matcher!r:.80}"
        )
    return lambda action: bool(matches(action))
