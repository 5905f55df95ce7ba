"""What effects and predicates raise, told to who wants to know; it goes nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from crdtstore.listeners.executions import is_coroutine_function

__all__ = ["Failures", "ListenerErrorHandler", "ListenerErrorInfo"]

logger = logging.getLogger("crdtstore")


@dataclass(frozen=True, slots=True)
class ListenerErrorInfo:
    """Where an exception comes from."""

    raised_by: Literal["effect", "predicate"]


ListenerErrorHandler = Callable[[BaseException, ListenerErrorInfo], Any]
"""Gets what an effect or a predicate raised, and where it comes from, on the thread it ran on."""


class Failures:
    """Calls the handler, and logs what it raises; without one, logs what it would get."""

    __slots__ = ("_handler",)

    def __init__(self, handler: ListenerErrorHandler | None) -> None:
        if handler is not None and (not callable(handler) or is_coroutine_function(handler)):
            raise TypeError(f"on_error= is a plain function of (error, info), got {handler!r:.80}")
        self._handler = handler

    def of_effect(self, error: BaseException) -> None:
        """Tell what an effect raised."""
        self._tell(error, ListenerErrorInfo("effect"))

    def of_predicate(self, error: BaseException) -> None:
        """Tell what a predicate or a matcher raised."""
        self._tell(error, ListenerErrorInfo("predicate"))

    def _tell(self, error: BaseException, info: ListenerErrorInfo) -> None:
        if self._handler is None:
            logger.error("the %s of a listener failed", info.raised_by, exc_info=error)
            return
        try:
            self._handler(error, info)
        except Exception:
            logger.exception(
                "on_error= failed, with what the %s of a listener raised", info.raised_by
            )
