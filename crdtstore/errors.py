"""Every exception of the package, in one tree; imports no other module of it.

``except CrdtstoreError`` catches all that this package raises on purpose. Each class also derives
from the built-in exception that a caller would guess (``TypeError``, ``ValueError``, …), so that
generic handlers keep working.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AbortError",
    "ClosedError",
    "ConditionError",
    "CrdtstoreError",
    "CrdtstoreWarning",
    "DispatchError",
    "ForkedStoreError",
    "FrozenStateError",
    "ReducerError",
    "RejectedWithValue",
    "RevokedDraftError",
    "ShapeError",
    "StateValueError",
    "StorageCorruptError",
    "StorageError",
    "StorageLockedError",
    "TaskAbortError",
    "ThunkError",
    "UpdateError",
    "format_path",
]


def format_path(path: tuple[object, ...]) -> str:
    """Write a key path as one would index: ``('items', 0, 'title')`` → ``items[0].title``."""
    out = ""
    for segment in path:
        if isinstance(segment, str) and segment.isidentifier():
            out += f".{segment}" if out else segment
        else:
            out += f"[{segment!r}]"
    return out or "the value"


class CrdtstoreError(Exception):
    """The root of the tree."""


class CrdtstoreWarning(UserWarning):
    """Advice to developers, given once for each place: what works now and will not always.

    An increment of a register, say, which is lost when two do it at once, or an action that carries
    what nobody else can read.
    """


class ShapeError(CrdtstoreError, TypeError):
    """A slice declares its state in a way that cannot be replicated."""


class StateValueError(CrdtstoreError, ValueError):
    """A value that state cannot hold; ``path`` is its key path within the slice."""

    def __init__(self, path: tuple[object, ...], message: str) -> None:
        super().__init__(f"{format_path(path)}: {message}")
        self.path = path


class FrozenStateError(CrdtstoreError, TypeError):
    """Somebody wrote to a snapshot; state changes only inside reducers."""


class RevokedDraftError(CrdtstoreError, RuntimeError):
    """A draft was used after its reducer had returned."""


class ReducerError(CrdtstoreError, RuntimeError):
    """A reducer broke the rules of reducers (mutate or return, never both; no async)."""


class DispatchError(CrdtstoreError, RuntimeError):
    """An action that cannot be dispatched, or not now (from inside a reducer)."""


class ClosedError(CrdtstoreError, RuntimeError):
    """The store was closed."""


class ForkedStoreError(CrdtstoreError, RuntimeError):
    """A store opened before ``os.fork`` was written to in the child process."""


class UpdateError(CrdtstoreError, ValueError):
    """Bytes from outside that no honest replica writes; ``reason`` is a short fixed name."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class StorageError(CrdtstoreError, OSError):
    """The storage could not do what was asked; what was not stored stays in memory."""


class StorageLockedError(StorageError):
    """Another process (or store) holds the file."""


class StorageCorruptError(StorageError):
    """The file is not a store, or is damaged beyond what quarantine can isolate."""


class TaskAbortError(CrdtstoreError, RuntimeError):
    """A listener's effect, or a task that it forked, was cancelled or is over; ``code`` says which.

    ``listener-cancelled``, ``listener-completed``, ``task-cancelled`` or ``task-completed``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"task cancelled (reason: {code})")
        self.code = code


class ThunkError(CrdtstoreError, RuntimeError):
    """An async thunk was rejected; ``error`` is what its action says of it, if it has one."""

    def __init__(self, message: str = "", error: object = None) -> None:
        super().__init__(message)
        self.error = error


class AbortError(ThunkError):
    """An async thunk was aborted, or something else that heeds an ``AbortSignal``."""


class ConditionError(ThunkError):
    """The ``condition`` of an async thunk said no, and it never ran."""


class RejectedWithValue(ThunkError):
    """An async thunk was rejected with a value of its own choice, ``value``.

    Payload creators get it from ``api.reject_with_value`` and raise or return it; ``unwrap`` raises
    it, and then ``action`` is the rejected action. ``meta`` is what the creator gave along.
    """

    def __init__(self, value: object = None, meta: object = None, action: object = None) -> None:
        super().__init__()
        self.args = (value, meta, action)
        self.value: Any = value
        self.meta: Any = meta
        self.action: Any = action

    def __str__(self) -> str:
        return f"rejected with {self.value!r:.200}"
