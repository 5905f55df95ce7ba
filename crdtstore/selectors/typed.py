"""What a selector is to those who call it, and what it can be made of, as types.

The parameters of a selector are those of the *last* of its input selectors: the others may take
fewer, and are checked for the state alone. Nothing more can be said in Python's types of functions
that take different arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypedDict, TypeVar

__all__ = [
    "CreatorOptions",
    "DevModeChecks",
    "Frequency",
    "Input",
    "Memoized",
    "Options",
    "Selector",
]

P = ParamSpec("P")
S = TypeVar("S")
A = TypeVar("A")
R_co = TypeVar("R_co", covariant=True)

Input: TypeAlias = Callable[Concatenate[S, P], A]

Frequency: TypeAlias = Literal["always", "once", "never"]


class DevModeChecks(TypedDict, total=False):
    """How often a development check runs: at every computation, at the first one, or never."""

    input_stability_check: Frequency
    identity_function_check: Frequency


class CreatorOptions(TypedDict, total=False):
    """The options of a selector beside ``memoize``, see ``Options``."""

    memoize_options: Mapping[str, Any] | Sequence[Any] | Callable[..., Any]
    args_memoize: Callable[..., Any]
    args_memoize_options: Mapping[str, Any] | Sequence[Any] | Callable[..., Any]
    dev_mode_checks: DevModeChecks


class Options(CreatorOptions, total=False):
    """The options of a selector.

    ``memoize`` remembers results of the result function, ``args_memoize`` those of the selector as
    a whole; each gets a function and its own options: a mapping as keyword arguments, a list or
    tuple as positional ones, anything else as the one positional one.
    """

    memoize: Callable[..., Any]


class Memoized(Protocol[P, R_co]):
    """A function with a memory of its results."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...

    def clear_cache(self) -> None:
        """Forget all results."""

    def results_count(self) -> int:
        """Return how many results were computed and were not equal to the one before."""

    def reset_results_count(self) -> None:
        """Count from 0 again."""


class Selector(Memoized[P, R_co], Protocol[P, R_co]):
    """A function that reads something out of the state and computes it again only if need be.

    ``clear_cache`` and the count of results are those of ``args_memoize``: a memoizer of the user's
    own has them only if it gives them to the functions it makes. Whatever else it gives to them can
    be found on the selector too. The counts may miss some if several threads compute at once.
    """

    @property
    def __name__(self) -> str: ...

    @property
    def result_func(self) -> Callable[..., R_co]:
        """The last of the functions that the selector was made of."""

    @property
    def memoized_result_func(self) -> Memoized[..., R_co]:
        """``result_func`` with its memory, which ``clear_cache`` of the selector leaves alone."""

    @property
    def dependencies(self) -> tuple[Callable[..., Any], ...]:
        """The input selectors."""

    @property
    def memoize(self) -> Callable[..., Any]:
        """What remembers results of the result function."""

    @property
    def args_memoize(self) -> Callable[..., Any]:
        """What remembers results of the selector as a whole."""

    def last_result(self) -> R_co | None:
        """Return the result computed last, from whatever arguments; ``None`` before the first."""

    def recomputations(self) -> int:
        """Return how often the result function ran."""

    def reset_recomputations(self) -> None:
        """Count from 0 again."""

    def dependency_recomputations(self) -> int:
        """Return how often the input selectors ran."""

    def reset_dependency_recomputations(self) -> None:
        """Count from 0 again."""
