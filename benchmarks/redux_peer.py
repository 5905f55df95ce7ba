"""The peer that people compare with: python-redux, where it is installed (the extra ``bench``)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["redux_counter"]


def redux_counter() -> Callable[[range], object] | str:
    """Return a batch of increments of a python-redux store, or the reason why there is none."""
    try:
        redux: Any = import_module("redux")
        immutable: Any = import_module("immutable")
    except ImportError as error:
        return f"{error}; pip install crdtstore[bench]"

    class State(immutable.Immutable):  # type: ignore[misc]
        count: int

    class Increment(redux.BaseAction):  # type: ignore[misc]
        pass

    def reduce(state: Any, action: Any) -> Any:
        if state is None:
            return State(count=0)
        if isinstance(action, Increment):
            return State(count=state.count + 1)
        return state

    store = redux.Store(reduce, redux.StoreOptions(auto_init=True, side_effect_threads=0))
    seen: list[object] = []

    def listen(state: Any) -> None:
        seen[:] = [state]

    store._subscribe(listen, keep_ref=True)

    def run(numbers: range) -> None:
        dispatch = store.dispatch
        for _ in numbers:
            dispatch(Increment())

    return run
