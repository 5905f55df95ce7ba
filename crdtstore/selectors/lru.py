"""Memory for the last few calls, with an equality of the user's choice."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from crdtstore.selectors.identity import Held, held_as, reference_equality_check
from crdtstore.selectors.typed import Memoized

__all__ = ["lru_memoize"]

P = ParamSpec("P")
R = TypeVar("R")


class _Call(NamedTuple):
    values: tuple[Any, ...]
    names: tuple[str, ...]  # of the last of the values
    result: Any


def lru_memoize(
    func: Callable[P, R],
    equality_check: Callable[[Any, Any], object] = reference_equality_check,
    *,
    max_size: int = 1,
    result_equality_check: Callable[[R, R], object] | None = None,
) -> Memoized[P, R]:
    """Return ``func`` with a memory of its ``max_size`` most recently used results.

    ``equality_check(previous, new)`` compares arguments one by one; it is called with those of
    every remembered call until one fits. ``result_equality_check(previous, new)``: if it says that
    a new result equals a remembered one, that one is returned in its place. Arguments and results
    are kept alive. Drafts are passed on and nothing is remembered of them. Exceptions are not
    remembered. A ``max_size`` below 1 counts as 1.
    """
    most = max(1, max_size)
    by_reference = equality_check is reference_equality_check
    calls: tuple[_Call, ...] = ()  # latest first; replaced as a whole, so threads see whole ones
    results = 0

    def fits(call: _Call, values: tuple[Any, ...], names: tuple[str, ...]) -> bool:
        if len(call.values) != len(values) or call.names != names:
            return False
        for previous, value in zip(call.values, values):  # noqa: B905 (they are, see above)
            if by_reference and previous is value:
                continue
            if not equality_check(previous, value):
                return False
        return True

    def memoized(*args: Any, **named: Any) -> Any:
        nonlocal calls, results
        names = tuple(sorted(named)) if named else ()
        values = (*args, *[named[name] for name in names]) if named else args
        known = calls
        for call in known:
            if fits(call, values, names):
                if call is not known[0]:
                    calls = (call, *[each for each in known if each is not call])
                return call.result
        result = func(*args, **named)
        for value in values:
            if held_as(value) is Held.NOT_AT_ALL:
                return result
        results += 1
        if result_equality_check is not None:
            for call in calls:
                if result_equality_check(call.result, result):
                    result = call.result
                    results = max(0, results - 1)
                    break
        calls = (_Call(values, names, result), *calls[: most - 1])
        return result

    def clear_cache() -> None:
        nonlocal calls
        calls = ()
        reset_results_count()

    def reset_results_count() -> None:
        nonlocal results
        results = 0

    made = cast(Any, update_wrapper(memoized, func))
    made.clear_cache = clear_cache
    made.results_count = lambda: results
    made.reset_results_count = reset_results_count
    return cast("Memoized[P, R]", made)
