"""Exceptions as data: what the action of a rejected thunk says of what went wrong.

A serialized error is a dict, so that it prints, compares and is written as JSON like the plain data
that it is; and it has its fields as attributes. ``state.error = action.error`` keeps it: what comes
back from the state is the plain dict.
"""

from __future__ import annotations

import asyncio
import errno
import traceback
from collections.abc import Mapping
from typing import Any

from crdtstore.frozen import FrozenDict

__all__ = ["SerializedError", "mini_serialize_error", "name_of"]

_FIELDS = ("name", "message", "stack", "code")


class SerializedError(FrozenDict[str, str | None]):
    """An exception as data: the name of its class, its message, its traceback, an error code.

    A read-only dict of these four, ``None`` where there is nothing to say, with attribute access.
    State keeps it as a plain dict: ``state.error = action.error``, ``state.error["message"]``.
    """

    __slots__ = ()

    __match_args__ = ("name", "message", "stack", "code")

    def __init__(
        self,
        name: str | None = None,
        message: str | None = None,
        stack: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(name=name, message=message, stack=stack, code=code)

    @property
    def name(self) -> str | None:
        """The name of the exception's class."""
        return self["name"]

    @property
    def message(self) -> str | None:
        """What the exception says."""
        return self["message"]

    @property
    def stack(self) -> str | None:
        """The traceback, in lines."""
        return self["stack"]

    @property
    def code(self) -> str | None:
        """An error code."""
        return self["code"]

    def __crdtstore_data__(self) -> dict[str, str | None]:
        """Return what state keeps of it."""
        return dict(self)

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none, as it may change
        return hash(tuple(self.values()))

    def __copy__(self) -> SerializedError:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SerializedError:
        return self

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return SerializedError, tuple(self.values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"SerializedError({shown})"


def mini_serialize_error(value: Any) -> SerializedError:
    """Return what can be said of an exception in strings; never raises.

    ``code`` is an exception's own ``code`` if that is a string, or an ``OSError``'s name
    (``"ENOENT"``). Of other objects and mappings the fields of those names are taken, where they
    are strings; what is a plain value becomes the message.
    """
    if isinstance(value, BaseException):
        return SerializedError(name_of(value), _message(value), _stack(value), _code(value))
    if value is None or isinstance(value, str | bytes | int | float | complex):
        return SerializedError(message=str(value))
    found = {name: _field(value, name) for name in _FIELDS}
    return SerializedError(**{name: v for name, v in found.items() if isinstance(v, str)})


def name_of(error: Any) -> str | None:
    """Return what kind of error this is: ``"AbortError"`` for what was cancelled, too."""
    if isinstance(error, asyncio.CancelledError):
        return "AbortError"
    if isinstance(error, BaseException):
        return type(error).__name__
    name = _field(error, "name")
    return name if isinstance(name, str) else None


def _field(value: Any, name: str) -> Any:
    try:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    except Exception:  # a property that fails
        return None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__}, which cannot be written out>"


def _stack(error: BaseException) -> str | None:
    if error.__traceback__ is None:
        return None
    try:
        return "".join(traceback.format_exception(error))
    except Exception:
        return None


def _code(error: BaseException) -> str | None:
    code = _field(error, "code")
    if isinstance(code, str):
        return code
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return errno.errorcode.get(error.errno)
    return None
