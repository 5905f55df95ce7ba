"""Two mistakes that make a selector forget, found in development when it first computes.

An input selector that builds a new object at each call makes the result function run at each
change of the state; a result function that returns its input does nothing that the input could not
do. Neither is wrong, so both are warned of. Under ``python -O`` nothing is checked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from sys import _getframe
from types import FrameType
from typing import Any, Unpack, get_args

from crdtstore.errors import CrdtstoreWarning
from crdtstore.selectors.inputs import code_of, describe
from crdtstore.selectors.typed import DevModeChecks, Frequency

__all__ = [
    "check_identity",
    "check_stability",
    "set_global_dev_mode_checks",
    "validated",
    "wanted",
    "without_result_equality_check",
]

_PACKAGE = __name__.rpartition(".")[0]
_FREQUENCIES = get_args(Frequency)
_global: DevModeChecks = {"input_stability_check": "once", "identity_function_check": "once"}


def set_global_dev_mode_checks(**checks: Unpack[DevModeChecks]) -> None:
    """Set how often the checks run for selectors that do not say it themselves.

    ``input_stability_check`` and ``identity_function_check`` take ``"always"``, ``"once"`` (at the
    first computation of each selector; the default) or ``"never"``. Raises ``ValueError`` for
    anything else.
    """
    _global.update(validated(checks))


def validated(checks: DevModeChecks) -> DevModeChecks:
    """Return settings of checks; ``ValueError`` for names or frequencies that there are not."""
    for name, frequency in checks.items():
        if name not in _global:
            raise ValueError(f"there is no check {name!r}; checks: {', '.join(_global)}")
        if frequency not in _FREQUENCIES:
            raise ValueError(
                f"{name}: expected one of {', '.join(map(repr, _FREQUENCIES))}, got {frequency!r}"
            )
    return checks


def wanted(own: DevModeChecks, first: bool) -> tuple[bool, bool]:
    """Tell whether to check the stability of inputs and for an identity function, this time."""
    settings = {**_global, **own}
    stability, identity = settings["input_stability_check"], settings["identity_function_check"]
    return (
        stability == "always" or (first and stability == "once"),
        identity == "always" or (first and identity == "once"),
    )


def check_identity(result_func: Callable[..., Any], values: Sequence[Any], result: Any) -> None:
    """Warn if a result function returns its only input, whatever that is."""
    if len(values) != 1 or values[0] is not result:
        return
    anything = object()
    try:
        same = result_func(anything) is anything
    except Exception:  # it does something with its input
        return
    if same:
        _warn(
            result_func,
            f"the result function of a selector, {describe(result_func)}, returns its input as it "
            "is, so there is nothing to remember; use the input selector itself, or move the work "
            "from it into the result function",
        )


def check_stability(
    name: str,
    functions: Sequence[Callable[..., Any]],
    memoize: Callable[..., Any],
    first: Sequence[Any],
    second: Sequence[Any],
) -> None:
    """Warn of every input selector that gave something else at the second call with the same.

    ``memoize`` is what remembers for the result function, so it decides what counts as the same: a
    function that returns a new object at each call returns the same one for what is remembered.
    """
    remembers = memoize(_new)
    if remembers(*first) is remembers(*second):
        return
    for at, function in enumerate(functions):
        mixed = [*first[:at], second[at], *first[at + 1 :]]
        remembers = memoize(_new)
        if remembers(*first) is not remembers(*mixed):
            _warn(
                function,
                f"{name}: its input selector {at + 1} of {len(functions)}, {describe(function)}, "
                "gave a different object when it was called again with the same arguments, so the "
                "result is computed anew at every change of the state; let it return what the "
                "state holds, and build new objects in the result function",
            )


def _new(*_: object) -> object:
    return object()


def without_result_equality_check(options: Any) -> Any:
    """Return options of a memoizer for a check: its results are not of the user's kind."""
    if not isinstance(options, Mapping):
        return options
    return {name: each for name, each in options.items() if name != "result_equality_check"}


def _warn(culprit: Callable[..., Any], message: str) -> None:
    """Issue a warning at the function to be changed, or else where the selector was called."""
    code = code_of(culprit)
    if code is not None:
        warnings.warn_explicit(message, CrdtstoreWarning, code.co_filename, code.co_firstlineno)
        return
    frame: FrameType | None = _getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        frame = frame.f_back
    where = ("sys", 1) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
    warnings.warn_explicit(message, CrdtstoreWarning, *where)
