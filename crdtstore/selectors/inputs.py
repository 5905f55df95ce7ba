"""The input selectors of a selector, and which of its arguments each of them gets.

A selector is called with the state and whatever else its inputs need: ``select_row(state, "a")``.
Most inputs want the state alone, so each gets as many of the arguments, from the left, as it has
places for. Arguments given by name are put into their places by the input that has most of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from os.path import basename
from sys import maxsize
from types import CodeType
from typing import Any

__all__ = ["Inputs", "code_of", "describe"]

_PLACED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_STATE = Signature([Parameter("state", Parameter.POSITIONAL_ONLY)])


@dataclass(frozen=True, slots=True)
class Inputs:
    """Input selectors, and how many arguments each of them takes at most."""

    functions: tuple[Callable[..., Any], ...]
    takes: tuple[int, ...]
    signature: Signature
    fewest: int
    most: int

    @classmethod
    def of(cls, functions: tuple[Callable[..., Any], ...]) -> Inputs:
        """Look at the parameters of input selectors.

        Raises ``TypeError`` for one with a parameter that can only be given by name.
        """
        signatures = [_placed(function) for function in functions]
        takes = tuple([_count(each) for each in signatures])
        most = max(takes)
        return cls(functions, takes, signatures[takes.index(most)], min(takes), most)

    def place(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Return all arguments by position; ``TypeError`` for those that have none."""
        bound = self.signature.bind(*args, **named)
        if bound.kwargs:  # one was left out in the middle
            bound.apply_defaults()
        return bound.args

    def run(self, args: tuple[Any, ...]) -> list[Any]:
        """Call every input with its share of the arguments."""
        count = len(args)
        if count <= self.fewest:
            return [function(*args) for function in self.functions]
        if count <= self.most:
            pairs = zip(self.functions, self.takes, strict=True)
            return [function(*args[:takes]) for function, takes in pairs]
        raise TypeError(
            f"the selector got {count} arguments, and none of its inputs takes more than "
            f"{self.most}: {', '.join(map(describe, self.functions))}"
        )


def _placed(function: Callable[..., Any]) -> Signature:
    """Return the parameters that arguments can have by position."""
    try:
        parameters = signature(function).parameters.values()
    except ValueError:  # some builtins have none: attrgetter("items"), str
        return _STATE
    for each in parameters:
        if each.kind is Parameter.KEYWORD_ONLY and each.default is Parameter.empty:
            raise TypeError(
                f"an input selector gets its arguments by position, and {describe(function)} has "
                f"the parameter {each.name!r} that can only be given by name"
            )
    return Signature([each for each in parameters if each.kind in (*_PLACED, _REST)])


_REST = Parameter.VAR_POSITIONAL


def _count(placed: Signature) -> int:
    kinds = [each.kind for each in placed.parameters.values()]
    return maxsize if _REST in kinds else len(kinds)


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function, also of one that was wrapped."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def describe(function: Callable[..., Any]) -> str:
    """Name a function for a message, with where it is defined if that is known."""
    name = getattr(function, "__qualname__", None) or f"{function!r:.80}"
    code = code_of(function)
    return f"{name} ({basename(code.co_filename)}:{code.co_firstlineno})" if code else name
