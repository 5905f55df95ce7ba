"""What the tests of async thunks run them with."""

from __future__ import annotations

import asyncio
import copy
import threading
from typing import Any

from crdtstore.thunks import (
    AsyncThunk,
    AsyncThunkResult,
)

TIMEOUT = 30


class Recorder:
    """A dispatch that keeps what it is given; ``fail`` makes it raise for actions of one type."""

    def __init__(self) -> None:
        self.actions: list[Any] = []
        self.failures: dict[str, BaseException] = {}

    def __call__(self, action: Any) -> Any:
        self.actions.append(action)
        if action.type in self.failures:
            raise copy.copy(self.failures[action.type])  # whose traceback would keep all alive
        return action

    @property
    def types(self) -> list[str]:
        return [action.type for action in self.actions]


def no_state() -> None:
    """A store without state."""


def start(
    thunk: AsyncThunk[Any, Any, Any],
    *arg: Any,
    dispatch: Any = None,
    extra: Any = None,
    **options: Any,
) -> AsyncThunkResult[Any, Any, Any]:
    """Run a thunk without a store."""
    return thunk(*arg, **options)(dispatch or Recorder(), no_state, extra)


async def double(n: int) -> int:
    """A payload creator."""
    await asyncio.sleep(0)
    return n * 2


async def for_ever(started: threading.Event) -> None:
    """A payload creator that never ends by itself."""
    started.set()
    await asyncio.Event().wait()
