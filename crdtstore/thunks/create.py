"""Async thunks: a type, and a function that makes a payload of an argument.

``create_async_thunk`` brings the functions it is given to one signature each. The payload creator
always runs beside the caller, on an event loop if it is a coroutine function and on a thread of its
own if it is a plain one, which is free to block. Where it runs makes no other difference: scripts,
threads and event loops dispatch, wait and abort in the same way.

Source of the surface: Redux Toolkit's ``createAsyncThunk``. Its ``withTypes`` has no counterpart:
annotate ``api: ThunkAPI[MyState, MyExtra]``, and ``functools.partial`` presets options.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, overload

from crdtstore.errors import RejectedWithValue
from crdtstore.middleware import Creator, Startable
from crdtstore.nanoid import nanoid
from crdtstore.tasks import Tasks
from crdtstore.threads import in_thread
from crdtstore.thunks.api import ConditionAPI, ThunkAPI
from crdtstore.thunks.lifecycle import (
    Arg,
    Error,
    FulfilledAction,
    FulfilledCreator,
    Meta,
    Padded,
    PendingCreator,
    RejectedAction,
    RejectedCreator,
    Returned,
)
from crdtstore.thunks.result import AsyncThunkResult, Recipe
from crdtstore.thunks.serialized import mini_serialize_error
from crdtstore.thunks.signals import AbortSignal

if TYPE_CHECKING:
    from typing import TypeAlias, TypeVar, Unpack

    from typing_extensions import TypeIs

    from crdtstore.middleware import Dispatch

    A = TypeVar("A")

    Coming: TypeAlias = Awaitable[Returned | RejectedWithValue]
    # What a plain function returns. It may be an awaitable, too; and were it only the rest, mypy
    # would see no difference between coroutine functions and others where ``Any`` is involved.
    Made: TypeAlias = Coming[Returned] | Returned | RejectedWithValue

__all__ = [
    "AsyncThunk",
    "AsyncThunkAction",
    "AsyncThunkOptions",
    "ThunkDecorator",
    "create_async_thunk",
]

_OMITTED: Any = object()

_direct = Tasks("crdtstore-thunks")  # for thunk actions that are called, not dispatched


class AsyncThunkOptions(TypedDict, Generic[Arg, Error], total=False):
    """The options of ``create_async_thunk``, which says what they do."""

    condition: (
        Callable[[Arg, ConditionAPI[Any, Any]], bool | Awaitable[bool | None] | None]
        | Callable[[Arg], bool | Awaitable[bool | None] | None]
    )
    dispatch_condition_rejection: bool
    id_generator: Callable[[Arg], str] | Callable[[], str]
    serialize_error: Callable[[Any], Error]
    get_pending_meta: (
        Callable[[Meta[Arg], ConditionAPI[Any, Any]], Mapping[str, Any] | None]
        | Callable[[Meta[Arg]], Mapping[str, Any] | None]
    )


class AsyncThunkAction(
    Padded,
    Startable[AsyncThunkResult[Returned, Arg, Error]],
    Generic[Returned, Arg, Error],
):
    """What an async thunk makes of an argument: dispatching it starts a request.

    In tests it may be called as a thunk, ``action(dispatch, get_state, extra)``.
    """

    __slots__ = ("_recipe", "_signal", "arg")

    def __init__(
        self, recipe: Recipe[Returned, Arg, Error], arg: Arg, signal: AbortSignal | None
    ) -> None:
        self._recipe = recipe
        self._signal = signal
        self.arg = arg

    def start(
        self, dispatch: Dispatch, get_state: Callable[[], Any], extra: Any, tasks: Tasks
    ) -> AsyncThunkResult[Returned, Arg, Error]:
        """Begin a request; its coroutines run where ``tasks`` runs them."""
        tasks.check(f"the thunk {self._recipe.type_prefix}")
        result = AsyncThunkResult(self._recipe, self.arg, dispatch, get_state, extra)
        result.begin(tasks, self._signal)
        return result

    def __call__(
        self, dispatch: Dispatch, get_state: Callable[[], Any], extra: Any = None
    ) -> AsyncThunkResult[Returned, Arg, Error]:
        return self.start(dispatch, get_state, extra, _direct)

    def __repr__(self) -> str:
        return f"<{self._recipe.type_prefix} of {self.arg!r:.80}>"


class AsyncThunk(Padded, Creator, Generic[Returned, Arg, Error]):
    """Makes what to dispatch: ``store.dispatch(fetch_user(17))``.

    ``pending``, ``fulfilled`` and ``rejected`` create the actions of its requests, and ``settled``
    matches both of the last.
    """

    def __init__(
        self, recipe: Recipe[Returned, Arg, Error], payload_creator: Callable[..., Any]
    ) -> None:
        update_wrapper(self, payload_creator, updated=())
        del self.__dict__["__wrapped__"]  # whose signature is not that of what is made of it
        self.type_prefix = recipe.type_prefix
        if not getattr(self, "__name__", "").isidentifier():  # "<lambda>" says nothing
            self.__name__ = self.__qualname__ = recipe.type_prefix.rpartition("/")[2]
        self.pending = recipe.pending
        self.fulfilled = recipe.fulfilled
        self.rejected = recipe.rejected
        self._recipe = recipe
        self._default = _default(payload_creator)

    @overload
    def __call__(
        self: AsyncThunk[Returned, A | None, Error],
        arg: A | None = None,
        *,
        signal: AbortSignal | None = None,
    ) -> AsyncThunkAction[Returned, A | None, Error]: ...
    @overload
    def __call__(
        self, arg: Arg, *, signal: AbortSignal | None = None
    ) -> AsyncThunkAction[Returned, Arg, Error]: ...
    def __call__(self, arg: Any = _OMITTED, *, signal: AbortSignal | None = None) -> Any:
        """Return what to dispatch; it is aborted when ``signal`` is.

        An argument left out is the default of the payload creator's parameter, or ``None`` for one
        that is annotated ``None`` or called ``_``.
        """
        if arg is _OMITTED:
            arg = self._default
            if arg is _OMITTED:
                raise TypeError(f"{self.type_prefix} takes an argument: {self!r}(...)")
        return AsyncThunkAction(self._recipe, arg, signal)

    def settled(
        self, action: object
    ) -> TypeIs[FulfilledAction[Returned, Arg] | RejectedAction[Arg, Error]]:
        """Tell whether ``action`` is the last one of a request."""
        return self.fulfilled.match(action) or self.rejected.match(action)

    def __repr__(self) -> str:
        return f"<async thunk {self.type_prefix}>"


class ThunkDecorator(Protocol[Error]):
    """Makes an async thunk of the payload creator that it decorates."""

    @overload
    def __call__(
        self,
        payload_creator: Callable[[Arg, ThunkAPI[Any, Any]], Coming[Returned]],
        /,
    ) -> AsyncThunk[Returned, Arg, Error]: ...
    @overload
    def __call__(
        self, payload_creator: Callable[[Arg], Coming[Returned]], /
    ) -> AsyncThunk[Returned, Arg, Error]: ...
    @overload
    def __call__(
        self, payload_creator: Callable[[], Coming[Returned]], /
    ) -> AsyncThunk[Returned, None, Error]: ...
    @overload
    def __call__(
        self,
        payload_creator: Callable[[Arg, ThunkAPI[Any, Any]], Made[Returned]],
        /,
    ) -> AsyncThunk[Returned, Arg, Error]: ...
    @overload
    def __call__(
        self, payload_creator: Callable[[Arg], Made[Returned]], /
    ) -> AsyncThunk[Returned, Arg, Error]: ...
    @overload
    def __call__(
        self, payload_creator: Callable[[], Made[Returned]], /
    ) -> AsyncThunk[Returned, None, Error]: ...


@overload
def create_async_thunk(
    type: str,
    payload_creator: Callable[[Arg, ThunkAPI[Any, Any]], Coming[Returned]],
    /,
    **options: Unpack[AsyncThunkOptions[Arg, Error]],
) -> AsyncThunk[Returned, Arg, Error]: ...
@overload
def create_async_thunk(
    type: str,
    payload_creator: Callable[[Arg], Coming[Returned]],
    /,
    **options: Unpack[AsyncThunkOptions[Arg, Error]],
) -> AsyncThunk[Returned, Arg, Error]: ...
@overload
def create_async_thunk(
    type: str,
    payload_creator: Callable[[], Coming[Returned]],
    /,
    **options: Unpack[AsyncThunkOptions[None, Error]],
) -> AsyncThunk[Returned, None, Error]: ...
@overload
def create_async_thunk(
    type: str,
    payload_creator: Callable[[Arg, ThunkAPI[Any, Any]], Made[Returned]],
    /,
    **options: Unpack[AsyncThunkOptions[Arg, Error]],
) -> AsyncThunk[Returned, Arg, Error]: ...
@overload
def create_async_thunk(
    type: str,
    payload_creator: Callable[[Arg], Made[Returned]],
    /,
    **options: Unpack[AsyncThunkOptions[Arg, Error]],
) -> AsyncThunk[Returned, Arg, Error]: ...
@overload
def create_async_thunk(
    type: str,
    payload_creator: Callable[[], Made[Returned]],
    /,
    **options: Unpack[AsyncThunkOptions[None, Error]],
) -> AsyncThunk[Returned, None, Error]: ...
@overload
def create_async_thunk(
    type: str, /, **options: Unpack[AsyncThunkOptions[Any, Error]]
) -> ThunkDecorator[Error]: ...
def create_async_thunk(
    type: str,
    payload_creator: Callable[..., Any] | None = None,
    /,
    *,
    condition: Callable[..., Any] | None = None,
    dispatch_condition_rejection: bool = False,
    id_generator: Callable[..., str] | None = None,
    serialize_error: Callable[[Any], Any] = mini_serialize_error,
    get_pending_meta: Callable[..., Any] | None = None,
) -> Any:
    """Return an async thunk, or, without ``payload_creator``, the decorator that makes one.

    ``payload_creator(arg, api)`` makes the payload, as a coroutine function on the event loop or as
    a plain one on a thread of its own; it may leave out ``api``, or both. Dispatching
    ``thunk(arg)`` dispatches ``"type/pending"`` before it returns, and later ``"type/fulfilled"``
    with what was returned, or ``"type/rejected"`` with what was raised.

    ``condition(arg, api)`` returning ``False``, or an awaitable of it, stops the request before
    ``pending``; its rejected action is dispatched only with ``dispatch_condition_rejection``.
    ``id_generator(arg)`` makes request ids. ``serialize_error(exception)`` makes ``action.error``.
    ``get_pending_meta(base, api)`` adds to the ``meta`` of ``pending``. ``api`` has ``get_state``
    and ``extra`` in both, and may be left out.
    """
    if not isinstance(type, str) or not type:
        raise TypeError(
            f"create_async_thunk takes an action type first, a non-empty str; got {type!r:.80}"
        )
    if payload_creator is None:
        return partial(
            create_async_thunk,
            type,
            condition=condition,
            dispatch_condition_rejection=dispatch_condition_rejection,
            id_generator=id_generator,
            serialize_error=serialize_error,
            get_pending_meta=get_pending_meta,
        )
    recipe: Recipe[Any, Any, Any] = Recipe(
        type_prefix=type,
        pending=PendingCreator(f"{type}/pending"),
        fulfilled=FulfilledCreator(f"{type}/fulfilled"),
        rejected=RejectedCreator(f"{type}/rejected", serialize_error),
        payload=_payload(payload_creator, type),
        condition=None if condition is None else _taking_two(condition, f"condition of {type}"),
        get_pending_meta=None
        if get_pending_meta is None
        else _taking_two(get_pending_meta, f"get_pending_meta of {type}"),
        make_id=_make_id(id_generator, type),
        dispatch_condition_rejection=dispatch_condition_rejection,
    )
    return AsyncThunk(recipe, payload_creator)


def _payload(creator: Callable[..., Any], type: str) -> Callable[..., Any]:
    count = _count(creator, f"the payload creator of {type}")
    if _is_coroutine_function(creator):

        async def create(*given: Any) -> Any:
            return await creator(*given[:count])

    else:

        async def create(*given: Any) -> Any:
            made = await in_thread(partial(creator, *given[:count]), type)
            return await made if inspect.isawaitable(made) else made

    return create


def _taking_two(function: Callable[..., Any], name: str) -> Callable[[Any, Any], Any]:
    count = _count(function, name)
    return function if count == 2 else lambda *given: function(*given[:count])


def _make_id(generator: Callable[..., str] | None, type: str) -> Callable[[Any], str]:
    if generator is None:
        return lambda arg: nanoid()
    count = _count(generator, f"id_generator of {type}", most=1)

    def make(arg: Any) -> str:
        made = generator(*(arg,)[:count])
        if not isinstance(made, str) or not made:
            raise TypeError(f"id_generator of {type} returns a non-empty str, got {made!r:.80}")
        return made

    return make


def _count(function: Callable[..., Any], name: str, most: int = 2) -> int:
    """Return how many of ``(arg, api)`` a function takes; what has a default is no ``api``."""
    if not callable(function):
        raise TypeError(f"{name} is a function, got {function!r:.80}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a builtin without one
        return 1
    for count in range(most, -1, -1):
        try:
            bound = signature.bind(*[None] * count)
        except TypeError:
            continue
        last = [signature.parameters[name] for name in bound.arguments][-1:]
        optional = last and last[0].default is not inspect.Parameter.empty
        if count < 2 or not optional or last[0].name == "api":
            return count
    raise TypeError(f"{name} takes at most (arg, api), got {function!r:.80}{signature}")


def _default(creator: Callable[..., Any]) -> Any:
    """Return what stands for an argument that is left out, if it may be."""
    try:
        parameters = list(inspect.signature(creator).parameters.values())
    except (TypeError, ValueError):
        return _OMITTED
    first = parameters[0] if parameters else None
    if first is None or first.kind is inspect.Parameter.VAR_POSITIONAL:
        return None
    if first.default is not inspect.Parameter.empty:
        return first.default
    ignored = first.name.startswith("_") or first.annotation in (None, "None")
    return None if ignored else _OMITTED


def _is_coroutine_function(function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return inspect.iscoroutinefunction(function)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )
