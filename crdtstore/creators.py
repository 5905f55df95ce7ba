"""Reducers that are more than a function, as ``create_slice`` takes them in ``reducers``.

``reducers=lambda create: {…}`` gets a ``create`` that makes them: with a ``prepare`` callback, or
as an async thunk with its own case reducers. Each is data that tells a slice what to define.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["AsyncThunkDefinition", "ReducerCreators", "ReducerDefinition", "create"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ReducerDefinition:
    """A case reducer, and what prepares the payload of its action."""

    reducer: Callable[..., Any]
    prepare: Callable[..., Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class AsyncThunkDefinition:
    """An async thunk and the case reducers of its actions; ``options`` are the thunk's."""

    payload_creator: Callable[..., Any]
    pending: Callable[..., Any] | None = None
    fulfilled: Callable[..., Any] | None = None
    rejected: Callable[..., Any] | None = None
    settled: Callable[..., Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cases(self) -> dict[str, Callable[..., Any] | None]:
        """The case reducers by what they are for."""
        return {
            "pending": self.pending,
            "fulfilled": self.fulfilled,
            "rejected": self.rejected,
            "settled": self.settled,
        }


class ReducerCreators:
    """What ``reducers=lambda create: {…}`` is called with."""

    def reducer(self, reducer: F) -> F:
        """Return a case reducer as it is."""
        return reducer

    def prepared_reducer(
        self, prepare: Callable[..., Mapping[str, Any]], reducer: Callable[..., Any]
    ) -> ReducerDefinition:
        """Return a case reducer whose action creator takes the arguments of ``prepare``."""
        return ReducerDefinition(reducer, prepare)

    def async_thunk(
        self,
        payload_creator: Callable[..., Any],
        config: Mapping[str, Any] | None = None,
        /,
        *,
        pending: Callable[..., Any] | None = None,
        fulfilled: Callable[..., Any] | None = None,
        rejected: Callable[..., Any] | None = None,
        settled: Callable[..., Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> AsyncThunkDefinition:
        """Return an async thunk with the case reducers of its actions.

        ``settled`` runs for both ends; ``options`` are those of ``create_async_thunk``, which may
        also be given one by one. All of it may be in one dict, as Redux Toolkit has it.
        """
        if config is not None:
            return self.async_thunk(payload_creator, **config)
        return AsyncThunkDefinition(
            payload_creator, pending, fulfilled, rejected, settled, {**(options or {}), **more}
        )


create = ReducerCreators()
"""The one that everybody gets."""
