"""One request of an async thunk, from its dispatch to its last action.

Several parties may end it: the payload creator that returns or raises, whoever aborts, on any
thread, the loop that ends or the store that closes. The rule is that who claims the end first,
under a lock, dispatches the last action, and nobody else does anything. Only one thing comes
before even a claimed end: ``pending``. While that is being dispatched an abort is noted, and
carried out by who dispatches it, so that no slice ever sees the end of a request before its
beginning.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from crdtstore.actions import Action
from crdtstore.errors import (
    AbortError,
    ClosedError,
    ConditionError,
    ForkedStoreError,
    RejectedWithValue,
    ThunkError,
)
from crdtstore.tasks import Job, Outcome, Running, Tasks
from crdtstore.thunks.api import ConditionAPI, Fulfilled, ThunkAPI, ThunkDispatch
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
from crdtstore.thunks.serialized import SerializedError
from crdtstore.thunks.signals import AbortController, AbortSignal
from crdtstore.waitable import Waitable

if TYPE_CHECKING:
    from crdtstore.middleware import Dispatch

__all__ = ["AsyncThunkResult", "Recipe", "unwrap_result"]

T = TypeVar("T")

_CLOSED = (ClosedError, ForkedStoreError)


@dataclass(frozen=True, slots=True)
class Recipe(Generic[Returned, Arg, Error]):
    """What an async thunk is made of, every function brought to one signature."""

    type_prefix: str
    pending: PendingCreator[Arg]
    fulfilled: FulfilledCreator[Returned, Arg]
    rejected: RejectedCreator[Arg, Error]
    payload: Callable[[Any, ThunkAPI], Coroutine[Any, Any, Any]]
    condition: Callable[[Any, ConditionAPI], Any] | None
    get_pending_meta: Callable[[Any, ConditionAPI], Any] | None
    make_id: Callable[[Any], str]
    dispatch_condition_rejection: bool


class AsyncThunkResult(
    Padded,
    Running[FulfilledAction[Returned, Arg] | RejectedAction[Arg, Error]],
    Generic[Returned, Arg, Error],
):
    """What dispatching an async thunk returns: its request, to be waited for or aborted.

    ``await`` and ``wait`` give the last action, fulfilled or rejected, and do not raise for a
    rejection; ``unwrap()`` gives the payload, or raises. Both raise what a reducer or a middleware
    raised for the last action. If the store is closed by then, nobody is told of the last action,
    and what was fulfilled counts as aborted. Who gives up waiting aborts nothing: that is what
    ``abort`` does.
    """

    __slots__ = (
        "_cause",
        "_claimed",
        "_controller",
        "_dispatch",
        "_extra",
        "_get_state",
        "_lock",
        "_noted",
        "_opening",
        "_recipe",
        "_unlink",
        "arg",
        "request_id",
    )

    def __init__(
        self,
        recipe: Recipe[Returned, Arg, Error],
        arg: Arg,
        dispatch: Dispatch,
        get_state: Callable[[], Any],
        extra: Any,
    ) -> None:
        name = f"the thunk {recipe.type_prefix}"
        super().__init__(Outcome(name), name)
        self.arg = arg
        self.request_id = recipe.make_id(arg)
        self._recipe = recipe
        self._dispatch = dispatch
        self._get_state = get_state
        self._extra = extra
        self._controller = AbortController()
        self._lock = threading.Lock()
        self._claimed = False  # somebody ends the request, or has
        self._opening = False  # pending is being dispatched
        self._noted: AbortError | None = None  # an abort of that moment
        self._cause: BaseException | None = None
        self._unlink: Callable[[], None] | None = None

    # For those who dispatched it

    def abort(self, reason: str | None = None) -> None:
        """End the request now, from any thread: ``rejected`` is dispatched before this returns.

        Its error is an ``AbortError``, ``meta.aborted`` is true. A payload creator that is a
        coroutine is cancelled; a plain function goes on, and what it returns is dropped. To a
        request that is done nothing happens, but that its ``signal`` tells.
        """
        self._abort(reason)
        job = self._job
        if job is not None:
            job.cancel(reason)

    def cancel(self, reason: str | None = None) -> bool:
        """Abort; return ``False`` if there was nothing to abort any more."""
        was_open = not self._claimed
        self.abort(reason)
        return was_open

    def cancelled(self) -> bool:
        """Whether it was aborted, and is over."""
        future = self._future
        if not future.done() or future.cancelled():
            return future.cancelled()
        return future.exception() is None and future.result().meta.aborted

    def unwrap(self) -> Waitable[Returned]:
        """Return what to wait for to get the payload, or have the failure raised.

        That is the exception of the payload creator, ``RejectedWithValue`` if it rejected with a
        value, ``AbortError`` or ``ConditionError`` if it was aborted or not admitted.
        """
        return _Unwrapped(self)

    def payload(self) -> Returned:
        """Return the payload of what is done, or raise as ``unwrap`` says."""
        action = self._settled(asyncio.CancelledError)
        if self._cause is not None:
            raise self._cause
        return unwrap_result(action)

    # Its life

    def begin(self, tasks: Tasks, signal: AbortSignal | None) -> None:
        """Ask the condition, dispatch ``pending``, start the payload creator."""
        admitted = None
        if self._recipe.condition is not None:
            try:
                api = ConditionAPI(self._get_state, self._extra)
                admitted = self._recipe.condition(self.arg, api)
            except Exception as error:
                self._reject(error)
                return
        if admitted is False:
            self._refuse()
            return
        if signal is not None:
            self._unlink = signal.add_callback(lambda: self.abort("External signal was aborted"))
        if inspect.isawaitable(admitted):
            self._run(tasks, admitted)
        elif self._open():
            self._run(tasks, None)

    def _run(self, tasks: Tasks, admitted: Awaitable[Any] | None) -> None:
        def attach(job: Job[None]) -> None:
            self._job = job
            job.outcome.add_done_callback(
                lambda outcome: self._over(cast("Outcome[None]", outcome), admitted)
            )

        try:
            tasks.run(self._work(admitted), self.name, attach=attach)
        except ClosedError as error:  # just now
            self._abort(str(error))

    async def _work(self, admitted: Awaitable[Any] | None) -> None:
        if self._claimed:  # by an abort that came before there was anything to cancel
            return
        try:
            if admitted is not None:
                if await admitted is False:
                    self._refuse()
                    return
                if not self._open():
                    return
            value = await self._recipe.payload(self.arg, self._api())
        except asyncio.CancelledError as error:
            self._abort(str(error) or None)
            raise
        except GeneratorExit:  # collected as garbage: no time to dispatch anything
            self._claimed = True
            self._future.cancel()
            raise
        except Exception as error:
            self._reject(error)
        except BaseException as error:  # an interrupt: the loop's concern as well
            self._reject(error)
            raise
        else:
            self._fulfil(value)

    def _over(self, outcome: Outcome[None], admitted: Awaitable[Any] | None) -> None:
        outcome.asked = True  # what was raised, the action reports
        self._job = None
        if inspect.iscoroutine(admitted) and inspect.getcoroutinestate(admitted) == "CORO_CREATED":
            admitted.close()
        if not self._claimed:  # cancelled before its first step, or lost with its loop
            self._abort(outcome.reason)

    def _api(self) -> ThunkAPI:
        return ThunkAPI(
            self._get_state,
            self._extra,
            cast(ThunkDispatch, self._dispatch),
            self.request_id,
            self._controller.signal,
            self.abort,
        )

    def _open(self) -> bool:
        """Dispatch ``pending``; tell whether the payload creator is to run."""
        with self._lock:
            if self._claimed:
                return False
            self._opening = True
        failed: BaseException | None = None
        try:
            self._dispatch_pending()
        except BaseException as error:
            failed = error
        with self._lock:
            self._opening = False
        if self._noted is not None:
            self._end_rejected(self._noted)
        elif failed is not None:
            self._reject(failed)
        if failed is not None and not isinstance(failed, Exception):
            raise failed
        return self._noted is None and failed is None

    def _dispatch_pending(self) -> None:
        more = None
        if self._recipe.get_pending_meta is not None:
            base: Meta[Arg] = Meta({"arg": self.arg, "request_id": self.request_id})
            api = ConditionAPI(self._get_state, self._extra)
            more = self._recipe.get_pending_meta(base, api)
        self._dispatch(self._recipe.pending(self.request_id, self.arg, more))

    # Its end: claimed, then carried out

    def _claim(self) -> bool:
        with self._lock:
            mine = not self._claimed
            self._claimed = True
            return mine

    def _abort(self, reason: str | None = None) -> None:
        error = AbortError(reason or "Aborted")
        with self._lock:
            mine = not self._claimed
            self._claimed = True
            noted = mine and self._opening
            if noted:
                self._noted = error
        self._controller.abort(reason)
        if mine and not noted:
            self._end_rejected(error)

    def _refuse(self) -> None:
        if self._claim():
            error = ConditionError("Aborted due to condition callback returning false.")
            self._end_rejected(error, silent=not self._recipe.dispatch_condition_rejection)

    def _reject(self, error: BaseException) -> None:
        if self._claim():
            if isinstance(error, RejectedWithValue) and error.action is None:
                self._end_with_value(error)
            else:
                self._end_rejected(error)

    def _fulfil(self, value: Any) -> None:
        if not self._claim():
            return
        if isinstance(value, RejectedWithValue):
            self._end_with_value(value)
            return
        more = None
        if isinstance(value, Fulfilled):
            value, more = value.payload, value.meta
        make = self._recipe.fulfilled
        self._end(lambda: make(value, self.request_id, self.arg, more))

    def _end_with_value(self, value: RejectedWithValue) -> None:
        make = self._recipe.rejected
        self._end(lambda: make(None, self.request_id, self.arg, value.value, value.meta))

    def _end_rejected(self, error: BaseException, *, silent: bool = False) -> None:
        self._cause = error
        make = self._recipe.rejected
        self._end(lambda: make(error, self.request_id, self.arg), silent=silent)

    def _end(
        self,
        make: Callable[[], FulfilledAction[Returned, Arg] | RejectedAction[Arg, Error]],
        *,
        silent: bool = False,
    ) -> None:
        try:
            action = make()
            if not silent:
                try:
                    self._dispatch(action)
                except _CLOSED as closed:  # by the payload creator itself, or just now
                    if self._recipe.fulfilled.match(action):
                        action = self._closed(closed)
        except BaseException as failure:
            self._future.set_exception(failure)
            if not isinstance(failure, Exception):
                raise
        else:
            self._future.set_result(action)
        finally:
            if self._unlink is not None:
                self._unlink()

    def _closed(self, error: Exception) -> RejectedAction[Arg, Error]:
        """Return how a request ends whose result no slice will ever hear of."""
        self._controller.abort(str(error))
        self._cause = AbortError(str(error))
        return self._recipe.rejected(self._cause, self.request_id, self.arg)


class _Unwrapped(Waitable[Returned]):
    """The payload of a request to come."""

    __slots__ = ("_of",)

    def __init__(self, of: AsyncThunkResult[Returned, Any, Any]) -> None:
        super().__init__(cast(Any, of._future), of.name)
        self._of = of

    def wait(self, timeout: float | None = None) -> Returned:
        self._of.wait(timeout)
        return self._of.payload()

    def __await__(self) -> Generator[Any, None, Returned]:
        yield from self._of.__await__()
        return self._of.payload()


@overload
def unwrap_result(
    action: FulfilledAction[Returned, Any] | RejectedAction[Any, Any],
) -> Returned: ...
@overload
def unwrap_result(action: Action[T]) -> T: ...
def unwrap_result(action: Action[Any]) -> Any:
    """Return the payload of a fulfilled action, or raise what a rejected one says.

    Raises ``RejectedWithValue``, ``AbortError``, ``ConditionError``, or ``ThunkError`` with the
    serialized error: an action does not hold the exception itself, which ``result.unwrap()`` does.
    """
    meta = action.meta or {}
    if meta.get("rejected_with_value"):
        raise RejectedWithValue(action.payload, action=action)
    error = action.error
    if error is None:
        return action.payload
    if not isinstance(error, SerializedError):
        raise ThunkError(f"rejected with {error!r:.200}", error)
    for kind in (AbortError, ConditionError):
        if error.name == kind.__name__:
            raise kind(error.message or "", error)
    raise ThunkError(": ".join(filter(None, (error.name, error.message))), error)
