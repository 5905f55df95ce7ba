"""How a selector is put together from input selectors, a result function and two memories.

Called, a selector first asks its memory of arguments: for a state that it has seen nothing runs.
Else its input selectors run, which read and do not compute; and only if they gave something that
the second memory does not know does the result function run. The selector is the very function
that ``args_memoize`` made, with fields, so what it takes to find a result is one call.

A draft as an argument is replaced by a snapshot of what it shows now, which is the state's own
object wherever nothing was edited. So selectors can be called in reducers, and are right after
every edit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ParamSpec, TypeAlias, TypeVar, Unpack, cast, overload

from crdtstore.selectors.checks import (
    check_identity,
    check_stability,
    validated,
    wanted,
    without_result_equality_check,
)
from crdtstore.selectors.creators import SelectorCreator
from crdtstore.selectors.identity import undrafted
from crdtstore.selectors.inputs import Inputs, describe
from crdtstore.selectors.lru import lru_memoize
from crdtstore.selectors.typed import CreatorOptions, DevModeChecks, Options, Selector
from crdtstore.selectors.weak_map import weak_map_memoize

__all__ = [
    "create_draft_safe_selector",
    "create_draft_safe_selector_creator",
    "create_selector",
    "create_selector_creator",
    "create_structured_selector",
]

P = ParamSpec("P")
V = TypeVar("V")

Function: TypeAlias = Callable[..., Any]

_OPTIONS = sorted(Options.__optional_keys__)


class _Creator:
    """Makes selectors of input selectors and, last, the function of what they return.

    ``create_selector(select_items, select_filter, visible)``; inputs can be given as one list too.
    Options are keyword arguments: ``memoize``, ``memoize_options``, ``args_memoize``,
    ``args_memoize_options``, ``dev_mode_checks``. See `SelectorCreator` for the types.
    """

    __slots__ = ("_options",)

    def __init__(self, options: Options) -> None:
        self._options = options

    def __call__(self, *functions: Any, **options: Unpack[Options]) -> Any:
        inputs, result_func = _parted(functions)
        unknown = [name for name in options if name not in _OPTIONS]
        if unknown:
            raise TypeError(
                f"create_selector has no option {unknown[0]!r}; options: {', '.join(_OPTIONS)}"
            )
        given = self._options
        if "memoize" in options and options["memoize"] is not given.get("memoize"):
            given = _without(given, "memoize_options")
        if "args_memoize" in options and options["args_memoize"] is not given.get("args_memoize"):
            given = _without(given, "args_memoize_options")
        every: dict[str, Any] = {**given, **options}
        return _assemble(Inputs.of(inputs), result_func, **every)

    def over(self, *inputs: Any, **options: Unpack[Options]) -> Any:
        """Return a decorator: ``@create_selector.over(select_items)`` above a result function."""
        return lambda result_func: self(inputs, result_func, **options)

    def with_types(self, state: object, /) -> Any:
        """Return this: the type of the state is for type checkers."""
        return self


def _without(options: Options, name: str) -> Options:
    """The options of one memoizer mean nothing to the one that takes its place."""
    return cast("Options", {each: value for each, value in options.items() if each != name})


def _parted(functions: tuple[Any, ...]) -> tuple[tuple[Function, ...], Function]:
    """Tell input selectors from the result function; refuse what cannot be called."""
    *first, result_func = functions or (None,)
    inputs = tuple(first[0]) if len(first) == 1 and isinstance(first[0], (list, tuple)) else first
    if not callable(result_func):
        hint = ""
        if isinstance(result_func, (list, tuple)):
            hint = "; the result function comes after the list of input selectors"
        elif isinstance(result_func, Mapping):
            hint = "; options are keyword arguments"
        raise TypeError(
            "create_selector expects a result function after the input selectors, but got "
            f"{_kind(result_func)}: {result_func!r:.80}{hint}"
        )
    wrong = [at for at, each in enumerate(inputs) if not callable(each)]
    if wrong:
        raise TypeError(
            "create_selector expects all input selectors to be functions, but got "
            f"[{', '.join(map(_kind, inputs))}]; number {wrong[0] + 1} is {inputs[wrong[0]]!r:.80}"
        )
    if not inputs:
        raise TypeError(
            f"create_selector expects input selectors before {describe(result_func)}, its result "
            "function, but got none"
        )
    return tuple(inputs), result_func


def _kind(value: object) -> str:
    if callable(value):
        return f"function {getattr(value, '__name__', type(value).__name__)}()"
    return type(value).__name__


def _assemble(
    inputs: Inputs,
    result_func: Function,
    *,
    memoize: Function,
    memoize_options: Any = (),
    args_memoize: Function = weak_map_memoize,
    args_memoize_options: Any = (),
    dev_mode_checks: Mapping[str, Any] | None = None,
) -> Any:
    for option, each in (("memoize", memoize), ("args_memoize", args_memoize)):
        if not callable(each):
            raise TypeError(
                f"create_selector expects a memoizer as {option}=, a function of a function such "
                f"as lru_memoize; got {_kind(each)}: {each!r:.80}"
            )
    own = validated(cast("DevModeChecks", dev_mode_checks or {}))
    recomputations = dependency_recomputations = 0
    last_result: Any = None
    first = True

    def recompute(*values: Any) -> Any:
        nonlocal recomputations
        recomputations += 1
        return result_func(*values)

    memoized_result_func = _with(memoize, memoize_options)(recompute)

    def select(*args: Any, **named: Any) -> Any:
        nonlocal dependency_recomputations, first, last_result
        dependency_recomputations += 1
        args = undrafted(inputs.place(args, named) if named else args)
        values = inputs.run(args)
        result = last_result = memoized_result_func(*values)
        if __debug__:
            stability, identity = wanted(own, first)
            first = False
            if identity:
                check_identity(result_func, values, result)
            if stability:
                probe = _with(memoize, without_result_equality_check(memoize_options))
                again = inputs.run(args)
                check_stability(describe(result_func), inputs.functions, probe, values, again)
        return result

    def reset_recomputations() -> None:
        nonlocal recomputations
        recomputations = 0

    def reset_dependency_recomputations() -> None:
        nonlocal dependency_recomputations
        dependency_recomputations = 0

    selector = _with(args_memoize, args_memoize_options)(select)
    if args_memoize not in (weak_map_memoize, lru_memoize):  # these never remember a draft
        selector = _draft_safe(selector)
    _name_after(result_func, inputs, selector)
    selector.result_func = result_func
    selector.memoized_result_func = memoized_result_func
    selector.dependencies = inputs.functions
    selector.last_result = lambda: last_result
    selector.recomputations = lambda: recomputations
    selector.reset_recomputations = reset_recomputations
    selector.dependency_recomputations = lambda: dependency_recomputations
    selector.reset_dependency_recomputations = reset_dependency_recomputations
    selector.memoize = memoize
    selector.args_memoize = args_memoize
    return selector


def _with(memoize: Function, options: Any) -> Function:
    """Return a memoizer that gets its options."""
    if isinstance(options, Mapping):
        return partial(memoize, **options)
    given = options if isinstance(options, (list, tuple)) else (options,)
    return lambda func: memoize(func, *given)


def _draft_safe(memoized: Any) -> Any:
    """Return a function that shows no drafts to a memory, and has all that it has."""

    def selector(*args: Any, **named: Any) -> Any:
        if named:
            named = dict(zip(named, undrafted(tuple(named.values())), strict=True))
        return memoized(*undrafted(args), **named)

    for name in dir(memoized):
        if not name.startswith("__"):
            setattr(selector, name, getattr(memoized, name))
    return selector


def _name_after(result_func: Any, inputs: Inputs, selector: Any) -> None:
    selector.__wrapped__ = result_func
    selector.__module__ = getattr(result_func, "__module__", None)
    selector.__name__ = getattr(result_func, "__name__", type(result_func).__name__)
    selector.__qualname__ = getattr(result_func, "__qualname__", selector.__name__)
    selector.__doc__ = getattr(result_func, "__doc__", None)
    selector.__annotations__ = {}
    selector.__signature__ = inputs.signature


def create_selector_creator(
    memoize: Function, *its_options: Any, **options: Unpack[CreatorOptions]
) -> SelectorCreator:
    """Return a ``create_selector`` whose selectors remember in another way.

    ``memoize(func, *its_options)`` makes what remembers results of the result function; its options
    can be given as ``memoize_options`` too, and all others as to `create_selector`, where each can
    be overridden. Options of a memoizer that is overridden are dropped with it.
    """
    if not callable(memoize):
        raise TypeError(f"create_selector_creator expects a memoizer, got {memoize!r:.80}")
    if its_options and "memoize_options" in options:
        raise TypeError("create_selector_creator got memoize_options by position and by name")
    if its_options:
        options["memoize_options"] = its_options
    every: Any = {"memoize": memoize, **options}
    return cast("SelectorCreator", _Creator(every))


create_selector = create_selector_creator(weak_map_memoize)
"""Make a selector of input selectors and a result function: see `SelectorCreator`."""

create_draft_safe_selector_creator = create_selector_creator
"""The same as `create_selector_creator`, as all selectors can be given drafts."""

create_draft_safe_selector = create_selector
"""The same as `create_selector`, as all selectors can be given drafts."""


@overload
def create_structured_selector(
    selectors: Mapping[str, Callable[P, V]], selector_creator: SelectorCreator = ...
) -> Selector[P, dict[str, V]]: ...
@overload
def create_structured_selector(
    selectors: Mapping[str, Function], selector_creator: SelectorCreator = ...
) -> Selector[..., dict[str, Any]]: ...
def create_structured_selector(
    selectors: Mapping[str, Function], selector_creator: SelectorCreator = create_selector
) -> Any:
    """Make a selector of a dict, with the result of one input selector at each key.

    The dict is a new one only if one of the results is. Raises ``TypeError`` for anything but a
    mapping of selectors by name.
    """
    if not isinstance(selectors, Mapping):
        raise TypeError(
            "create_structured_selector expects a mapping of input selectors by name, got "
            f"{_kind(selectors)}"
        )
    result_func: Any = partial(_structure, tuple(selectors))
    result_func.__name__ = result_func.__qualname__ = (
        f"create_structured_selector({', '.join(selectors)})"
    )
    return selector_creator(list(selectors.values()), result_func)


def _structure(names: tuple[str, ...], *values: V) -> dict[str, V]:
    return dict(zip(names, values, strict=True))
