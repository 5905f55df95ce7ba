"""The makers of selectors, as types: a signature for each number of input selectors up to six.

Each input has parameters of its own after the state, and the selector has those of the last. (That
mypy infers the types of a lambda as result function hangs on these parameters: with ``...`` in
their place it takes everything for ``Any``.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, Unpack, overload

from crdtstore.selectors.typed import Input, Options, Selector

__all__ = ["SelectorCreator", "TypedSelectorCreator"]

P = ParamSpec("P")
P1 = ParamSpec("P1")
P2 = ParamSpec("P2")
P3 = ParamSpec("P3")
P4 = ParamSpec("P4")
P5 = ParamSpec("P5")
S = TypeVar("S", bound=Any)  # which pyright takes for the state of a lambda, and not ``object``
T = TypeVar("T", bound=Any)
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")

Made: TypeAlias = Selector[Concatenate[S, P], R]


class SelectorCreator(Protocol):
    """What makes selectors, with options for all of them."""

    @overload
    def __call__(
        self, a: Input[S, P, A], result_func: Callable[[A], R], /, **options: Unpack[Options]
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P, B],
        result_func: Callable[[A, B], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P, C],
        result_func: Callable[[A, B, C], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P, D],
        result_func: Callable[[A, B, C, D], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P, E],
        result_func: Callable[[A, B, C, D, E], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P5, E],
        f: Input[S, P, F],
        result_func: Callable[[A, B, C, D, E, F], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        inputs: Sequence[Input[S, ..., Any]],
        result_func: Callable[..., R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, ..., R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, ..., Any],
        b: Input[S, ..., Any],
        c: Input[S, ..., Any],
        d: Input[S, ..., Any],
        e: Input[S, ..., Any],
        f: Input[S, ..., Any],
        g: Callable[..., Any],
        h: Callable[..., Any],
        /,
        *more: Callable[..., Any],
        **options: Unpack[Options],
    ) -> Made[S, ..., Any]:
        """Make a selector of input selectors and, last, the function of what they return.

        The inputs are given one by one, or as one list or tuple. Raises ``TypeError`` for what is
        not callable, and for an option that there is not.
        """

    @overload
    def over(
        self, a: Input[S, P, A], /, **options: Unpack[Options]
    ) -> Callable[[Callable[[A], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self, a: Input[S, P1, A], b: Input[S, P, B], /, **options: Unpack[Options]
    ) -> Callable[[Callable[[A, B], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P, C],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P, D],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C, D], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P, E],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C, D, E], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P5, E],
        f: Input[S, P, F],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C, D, E, F], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, ..., Any],
        b: Input[S, ..., Any],
        c: Input[S, ..., Any],
        d: Input[S, ..., Any],
        e: Input[S, ..., Any],
        f: Input[S, ..., Any],
        g: Input[S, ..., Any],
        /,
        *more: Input[S, ..., Any],
        **options: Unpack[Options],
    ) -> Callable[[Callable[..., R]], Made[S, ..., R]]:
        """Return a decorator that makes a selector of these input selectors and a function.

        ``@create_selector.over(select_items, select_filter)`` above ``def visible(items, filter)``.
        """

    def with_types(self, state: type[T], /) -> TypedSelectorCreator[T]:
        """Return this, for type checkers with the type of the state that all inputs take.

        Input selectors can then be lambdas: ``create_todos_selector(lambda todos: todos.items, …)``
        with ``create_todos_selector = create_selector.with_types(Todos)``.
        """
        ...


class TypedSelectorCreator(Protocol[S]):
    """A `SelectorCreator` whose input selectors take a known state."""

    @overload
    def __call__(
        self, a: Input[S, P, A], result_func: Callable[[A], R], /, **options: Unpack[Options]
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P, B],
        result_func: Callable[[A, B], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P, C],
        result_func: Callable[[A, B, C], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P, D],
        result_func: Callable[[A, B, C, D], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P, E],
        result_func: Callable[[A, B, C, D, E], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P5, E],
        f: Input[S, P, F],
        result_func: Callable[[A, B, C, D, E, F], R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, P, R]: ...
    @overload
    def __call__(
        self,
        inputs: Sequence[Input[S, ..., Any]],
        result_func: Callable[..., R],
        /,
        **options: Unpack[Options],
    ) -> Made[S, ..., R]: ...
    @overload
    def __call__(
        self,
        a: Input[S, ..., Any],
        b: Input[S, ..., Any],
        c: Input[S, ..., Any],
        d: Input[S, ..., Any],
        e: Input[S, ..., Any],
        f: Input[S, ..., Any],
        g: Callable[..., Any],
        h: Callable[..., Any],
        /,
        *more: Callable[..., Any],
        **options: Unpack[Options],
    ) -> Made[S, ..., Any]:
        """Make a selector of input selectors and, last, the function of what they return.

        The inputs are given one by one, or as one list or tuple. Raises ``TypeError`` for what is
        not callable, and for an option that there is not.
        """

    @overload
    def over(
        self, a: Input[S, P, A], /, **options: Unpack[Options]
    ) -> Callable[[Callable[[A], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self, a: Input[S, P1, A], b: Input[S, P, B], /, **options: Unpack[Options]
    ) -> Callable[[Callable[[A, B], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P, C],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P, D],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C, D], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P, E],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C, D, E], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, P1, A],
        b: Input[S, P2, B],
        c: Input[S, P3, C],
        d: Input[S, P4, D],
        e: Input[S, P5, E],
        f: Input[S, P, F],
        /,
        **options: Unpack[Options],
    ) -> Callable[[Callable[[A, B, C, D, E, F], R]], Made[S, P, R]]: ...
    @overload
    def over(
        self,
        a: Input[S, ..., Any],
        b: Input[S, ..., Any],
        c: Input[S, ..., Any],
        d: Input[S, ..., Any],
        e: Input[S, ..., Any],
        f: Input[S, ..., Any],
        g: Input[S, ..., Any],
        /,
        *more: Input[S, ..., Any],
        **options: Unpack[Options],
    ) -> Callable[[Callable[..., R]], Made[S, ..., R]]:
        """Return a decorator that makes a selector of these input selectors and a function.

        ``@create_selector.over(select_items, select_filter)`` above ``def visible(items, filter)``.
        """

    def with_types(self, state: type[T], /) -> TypedSelectorCreator[T]:
        """Return this with another type of state."""
        ...
