"""A state to select from, and counting functions to select with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Counted", "State", "Thing", "a", "b", "replaced", "state"]


@dataclass(frozen=True, eq=False)
class State:
    """Part of it can be replaced, as in a store."""

    a: Any = 1
    b: Any = 2
    items: list[Any] = field(default_factory=lambda: [1, 2, 3])


class Thing:
    """An object that is only equal to itself, and that dies when nobody wants it any more."""

    def __init__(self, number: int = 0) -> None:
        self.number = number


class Counted:
    """A function that knows how often, and with what, it was called."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *args: Any) -> Any:
        self.calls.append(args)
        return self.func(*args)

    @property
    def times(self) -> int:
        """How often it was called."""
        return len(self.calls)


def a(state: Any) -> Any:
    """Select ``a``."""
    return state.a


def b(state: Any) -> Any:
    """Select ``b``."""
    return state.b


def state(first: Any = 1, second: Any = 2) -> State:
    """Make a state."""
    return State(first, second)


def replaced(old: State, **fields: Any) -> State:
    """Return a new state that shares all other fields with the old one."""
    return replace(old, **fields)
