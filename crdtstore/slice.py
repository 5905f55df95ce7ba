"""Slices: a name, an initial state, and the reducers that change it.

``create_slice`` compiles the initial state into a shape and collects reducers, from a dict as in
Redux Toolkit or by the ``@slice.reducer`` decorator, which turns the function into its action
creator. A slice holds no state; stores do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from crdtstore.actions import Action, ActionCreator, Payload, prepared
from crdtstore.declare import compile_state
from crdtstore.errors import ShapeError
from crdtstore.shapes import Shape, describe

__all__ = ["Slice", "create_slice"]

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")

Case = Callable[[Any, Action[Any]], Any]
_NAME = re.compile(r"[^\W\d]\w*")


class _Actions:
    """The action creators of a slice, by reducer name."""

    def __init__(self, creators: Mapping[str, ActionCreator[..., Any]]) -> None:
        self._creators = creators

    def __getattr__(self, name: str) -> ActionCreator[..., Any]:
        try:
            return self._creators[name]
        except KeyError:
            raise AttributeError(
                f"no reducer named {name!r}; reducers: {', '.join(self._creators) or 'none'}"
            ) from None

    def __getitem__(self, name: str) -> ActionCreator[..., Any]:
        return self._creators[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._creators)

    def __len__(self) -> int:
        return len(self._creators)

    def __dir__(self) -> list[str]:
        return sorted(self._creators)


class Slice(Generic[S]):
    """One named part of the state; ``S`` is the class of its state.

    ``actions`` holds the action creators, ``case_reducers`` the reducer functions, by name;
    ``selectors`` the selectors, to be called with the store's root state.
    """

    revision: ClassVar[int] = 0
    """Counts the reducers added to any slice, so that stores notice new ones."""

    def __init__(self, name: str, initial_state: S, *, share_payloads: bool = False) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ShapeError(
                "a slice's name is an identifier, as it names an attribute of store.state; "
                f"got {name!r}"
            )
        self.name = name
        self.initial_state = initial_state
        self.shape: Shape = compile_state(name, initial_state)
        self.case_reducers: dict[str, Callable[..., Any]] = {}
        self.cases: dict[str, Case] = {}
        self.share_payloads = share_payloads
        self._creators: dict[str, ActionCreator[..., Any]] = {}
        self.actions = _Actions(self._creators)
        self.selectors: dict[str, Callable[..., Any]] = {}

    @overload
    def reducer(self, function: Callable[[S, Action[T]], Any]) -> ActionCreator[[T], T]: ...
    @overload
    def reducer(self, function: Callable[Concatenate[S, P], Any]) -> ActionCreator[P, Any]: ...
    @overload
    def reducer(
        self, *, name: str | None = None, prepare: Callable[..., dict[str, Any]] | None = None
    ) -> Callable[[Callable[..., Any]], ActionCreator[..., Any]]: ...
    def reducer(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        prepare: Callable[..., dict[str, Any]] | None = None,
    ) -> Any:
        """Add a reducer and return its action creator.

        The parameters after ``state`` are the payload, and the creator takes them; a parameter
        annotated ``Action[T]`` gets the whole action. The action's type is ``"slice/function"``.
        """
        if function is None:
            return lambda f: self._add(name or f.__name__, f, prepare)
        if not callable(function):
            raise TypeError(
                f"reducer takes a function, got {function!r:.80}; write @{self.name}.reducer, or "
                f"@{self.name}.reducer(name=...)"
            )
        return self._add(name or function.__name__, function, prepare)

    def add_case(
        self, action: ActionCreator[..., Any] | str
    ) -> Callable[[Callable[[S, Action[Any]], Any]], Callable[[S, Action[Any]], Any]]:
        """Return a decorator: run this reducer for another slice's action (``extra_reducers``).

        The reducer takes ``(state, action)``, the whole action.
        """

        def decorate(function: Callable[[S, Action[Any]], Any]) -> Callable[[S, Action[Any]], Any]:
            self._add_case(action, function)
            return function

        return decorate

    def get_initial_state(self) -> S:
        """Return the state that a fresh store starts with, as a snapshot."""
        return cast(S, self.shape.default)

    def schema(self) -> dict[str, str]:
        """Return the kind of every place of the state, by path pattern."""
        return dict(describe(self.shape))

    def _add(
        self,
        name: str,
        function: Callable[..., Any],
        prepare: Callable[..., dict[str, Any]] | None = None,
    ) -> ActionCreator[..., Any]:
        kind = f"{self.name}/{name}"
        if not callable(function):
            raise TypeError(f"the reducer {kind!r} is no function: {function!r:.80}")
        if name in self.case_reducers:
            raise ShapeError(f"the slice {self.name!r} has a reducer named {name!r} already")
        if kind in self.cases:
            raise ShapeError(f"the slice {self.name!r} has a reducer for {kind!r} already")
        if prepare is not None:
            creator = ActionCreator[..., Any](kind, prepared(kind, prepare), prepare)
            case: Case = function
        else:
            payload = Payload(function, kind)
            creator = ActionCreator(kind, payload.pack, function, payload.signature)
            case = payload.case(function)
        self.case_reducers[name] = function
        self._creators[name] = creator
        self.cases[kind] = case
        Slice.revision += 1
        return creator

    def _add_case(self, action: ActionCreator[..., Any] | str, function: Case) -> None:
        kind = action if isinstance(action, str) else getattr(action, "type", None)
        if not isinstance(kind, str):
            raise TypeError(
                f"extra reducers of {self.name!r} are keyed by an action creator or an action "
                f"type, got {action!r:.80}"
            )
        if kind in self.cases:
            raise ShapeError(f"the slice {self.name!r} has a reducer for {kind!r} already")
        self.cases[kind] = function
        Slice.revision += 1

    def __repr__(self) -> str:
        return f"<slice {self.name}>"


def create_slice(
    *,
    name: str,
    initial_state: S,
    reducers: Mapping[str, Callable[..., Any] | Mapping[str, Callable[..., Any]]] | None = None,
    extra_reducers: Mapping[Any, Callable[[S, Action[Any]], Any]] | None = None,
    selectors: Mapping[str, Callable[..., Any]] | None = None,
    share_payloads: bool = False,
) -> Slice[S]:
    """Create a slice.

    ``initial_state`` is an instance of an ordinary dataclass (or a plain dict, a kind, or a plain
    value). ``reducers`` maps names to functions, or to ``{"reducer": …, "prepare": …}``;
    ``extra_reducers`` maps action types or creators to ``(state, action)`` functions; ``selectors``
    maps names to functions of the slice's state. With ``share_payloads`` peers see what an action
    carried and not only its type (deltas carry the state either way). Raises ``ShapeError`` or
    ``StateValueError`` for an initial state that cannot be replicated.
    """
    made = Slice(name, initial_state, share_payloads=share_payloads)
    for reducer_name, reducer in (reducers or {}).items():
        if isinstance(reducer, Mapping):
            made._add(reducer_name, cast(Any, reducer.get("reducer")), reducer.get("prepare"))
        else:
            made._add(reducer_name, reducer)
    if not isinstance(extra_reducers, Mapping | None):
        raise TypeError(
            "extra_reducers is a dict from actions to functions; where a builder would be, write "
            f"@{name}.add_case(action) on the function"
        )
    for action, function in (extra_reducers or {}).items():
        made._add_case(action, function)
    for selector_name, selector in (selectors or {}).items():
        made.selectors[selector_name] = _selector(name, selector)
    return made


def _selector(slice_name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def select(state: Any, *args: Any, **kwargs: Any) -> Any:
        return function(getattr(state, slice_name), *args, **kwargs)

    select.__name__ = getattr(function, "__name__", "select")
    select.unwrapped = function  # type: ignore[attr-defined]
    return select
