"""Low-priority actions: subscribers hear of many in a row at once.

An action marked in its ``meta`` changes the state at once and tells nobody yet. Subscribers are
told when the next unmarked change comes, or when what was scheduled for the first marked action
fires, whichever is earlier. ``AutoBatch`` keeps that one appointment. On an event loop it is made
with the loop, so that subscribers run where the action was dispatched; elsewhere a daemon thread
keeps it, which ends by itself when nothing has come for a second.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Literal, Protocol, TypeAlias

from crdtstore.notify import logger
from crdtstore.tasks import running_loop

__all__ = [
    "SHOULD_AUTOBATCH",
    "AutoBatch",
    "AutoBatchOption",
    "prepare_auto_batched",
    "should_auto_batch",
]

SHOULD_AUTOBATCH = "should_autobatch"
"""The key in an action's ``meta`` that makes it one of low priority, if its value is true."""

Notify = Callable[[], None]

AutoBatchOption: TypeAlias = bool | float | Literal["tick"] | Callable[[Notify], object]
"""When the subscribers of low-priority actions are told at the latest.

``True`` stands for 10 ms; a number for so many seconds; ``"tick"`` for the next turn of the event
loop (10 ms where none runs). A function is called with the function that tells them, and calls
that when it thinks fit, from any thread. ``False`` stands for at once: nothing is batched.
"""

_SECONDS = 0.01
_IDLE = 1.0  # seconds


class _Prepare(Protocol):
    def __call__(self, payload: Any = None, /) -> dict[str, Any]: ...


def prepare_auto_batched() -> _Prepare:
    """Return a ``prepare`` callback that takes a payload and marks the action as low priority."""

    def prepare(payload: Any = None, /) -> dict[str, Any]:
        return {"payload": payload, "meta": {SHOULD_AUTOBATCH: True}}

    return prepare


def should_auto_batch(action: object) -> bool:
    """Tell whether an action is marked as one of low priority."""
    meta = getattr(action, "meta", None)
    return isinstance(meta, Mapping) and bool(meta.get(SHOULD_AUTOBATCH))


class AutoBatch:
    """One appointment at a time to tell the subscribers of a store; ``how`` says when.

    Raises ``TypeError`` or ``ValueError`` for a ``how`` that is none.
    """

    def __init__(self, how: AutoBatchOption = True) -> None:
        self.enabled: bool = how is not False
        """Whether anything is put off at all."""
        self._schedule = self._scheduler(how)
        self._lock = threading.Lock()
        self._notify: Notify | None = None
        self._made: Callable[[], bool] | None = None
        """Set while there is an appointment: whether whoever has it will still keep it."""
        self._closed = False
        self._alarm = _Alarm()

    @property
    def pending(self) -> bool:
        """Whether there is anything to be told."""
        return self._notify is not None

    def defer(self, notify: Notify) -> None:
        """See to it that ``notify`` is called once: by the appointment there is, or by a new one.

        Call it without any lock held that ``notify`` takes: it may be called from here. After
        ``close`` nothing happens.
        """
        with self._lock:
            if self._closed:
                return
            self._notify = notify
            if self._made is not None and self._made():
                return
            self._made = _always
        try:
            made = self._schedule(self._fire)
        except Exception:
            logger.exception("auto_batch= failed; subscribers are told at once")
            self._fire()
            return
        with self._lock:
            if self._made is _always:  # not kept already
                self._made = made

    def settle(self) -> None:
        """Take note that subscribers were told otherwise: the appointment has nothing to tell."""
        self._notify = None

    def close(self) -> None:
        """Let go of the appointment and of the thread; harmless to call twice."""
        with self._lock:
            self._closed = True
            self._notify = None
        self._alarm.stop()

    def _fire(self) -> None:
        with self._lock:
            notify, self._notify, self._made = self._notify, None, None
        if notify is not None:
            notify()

    def _scheduler(self, how: Any) -> Callable[[Notify], Callable[[], bool]]:
        if how is False:
            return _kept(lambda notify: notify())
        if how is True:
            return self._in_seconds(_SECONDS)
        if how == "tick":
            return self._at_next_turn
        if isinstance(how, (int, float)):
            if not isfinite(how) or how < 0:
                raise ValueError(f"auto_batch= takes seconds, a finite number from 0, got {how!r}")
            return self._in_seconds(how)
        if callable(how):
            return _kept(how)
        raise TypeError(
            'auto_batch= takes True, False, seconds, "tick", or a function that is called with '
            f"the function that notifies; got {type(how).__name__}: {how!r:.80}"
        )

    def _in_seconds(self, seconds: float) -> Callable[[Notify], Callable[[], bool]]:
        return lambda notify: self._appoint(
            notify, seconds, lambda loop: loop.call_later(seconds, notify)
        )

    def _at_next_turn(self, notify: Notify) -> Callable[[], bool]:
        return self._appoint(notify, _SECONDS, lambda loop: loop.call_soon(notify))

    def _appoint(
        self,
        notify: Notify,
        seconds: float,
        on_loop: Callable[[asyncio.AbstractEventLoop], object],
    ) -> Callable[[], bool]:
        """Make an appointment with the running loop or else, in ``seconds``, with the thread."""
        loop = running_loop()
        if loop is None:
            self._alarm.set(seconds, notify)
            return _always
        on_loop(loop)
        return loop.is_running  # one that was stopped or closed keeps no appointment


def _always() -> bool:
    return True


def _kept(schedule: Callable[[Notify], object]) -> Callable[[Notify], Callable[[], bool]]:
    """Take a function at its word that it keeps the appointments it is given."""

    def scheduled(notify: Notify) -> Callable[[], bool]:
        schedule(notify)
        return _always

    return scheduled


class _Alarm:
    """A daemon thread that calls a function after a while; there is one only while it is needed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due = 0.0
        self._call: Notify | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False

    def set(self, seconds: float, call: Notify) -> None:
        """Call ``call`` after ``seconds``, in place of what was set before."""
        with self._changed:
            if self._stopped:
                return
            self._due = time.monotonic() + seconds
            self._call = call
            if self._thread is not None and self._thread.is_alive():
                self._changed.notify()
                return
            self._thread = threading.Thread(
                target=self._run, name="crdtstore-autobatch", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Forget what was set and end the thread."""
        with self._changed:
            self._stopped = True
            self._call = None
            self._changed.notify()

    def _run(self) -> None:
        while (call := self._next()) is not None:
            try:
                call()
            except Exception:
                logger.exception("telling the subscribers failed; the state is committed")
            del call  # while it waits this thread keeps no store alive

    def _next(self) -> Notify | None:
        """Wait for the time of what is set and return it, or ``None`` if nothing comes."""
        with self._changed:
            while not self._stopped:
                if self._call is None:
                    if not self._changed.wait(_IDLE) and self._call is None:
                        break
                    continue
                left = self._due - time.monotonic()
                if left <= 0:
                    call, self._call = self._call, None
                    return call
                self._changed.wait(left)
            self._thread = None
            return None
