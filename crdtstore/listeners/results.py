"""What became of a forked task, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from crdtstore.errors import TaskAbortError

__all__ = ["TaskCancelled", "TaskRejected", "TaskResolved", "TaskResult"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TaskResolved(Generic[T]):
    """It returned ``value``; ``status`` is ``"ok"``."""

    value: T
    status: Literal["ok"] = field(default="ok", init=False)


@dataclass(frozen=True, slots=True)
class TaskRejected:
    """It raised ``error``; ``status`` is ``"rejected"``."""

    error: BaseException
    status: Literal["rejected"] = field(default="rejected", init=False)


@dataclass(frozen=True, slots=True)
class TaskCancelled:
    """It was cancelled; ``error.code`` says by whom, and ``status`` is ``"cancelled"``."""

    error: TaskAbortError
    status: Literal["cancelled"] = field(default="cancelled", init=False)


TaskResult = TaskResolved[T] | TaskRejected | TaskCancelled
"""How a task ended; ``status`` tells which of the three it is, and checkers understand it."""
