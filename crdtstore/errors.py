"""Every exception of the package, in one tree; imports nothing.

``except CrdtstoreError`` catches all that this package raises on purpose. Each class also derives
from the built-in exception that a caller would guess (``TypeError``, ``ValueError``, …), so that
generic handlers keep working.
"""

from __future__ import annotations

__all__ = [
    "ClosedError",
    "CrdtstoreError",
    "CrdtstoreWarning",
    "DispatchError",
    "ForkedStoreError",
    "FrozenStateError",
    "ReducerError",
    "RevokedDraftError",
    "ShapeError",
    "StateValueError",
    "StorageCorruptError",
    "StorageError",
    "StorageLockedError",
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
    """Advice to developers, issued once: code that works, and loses work when two do it at once."""


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
