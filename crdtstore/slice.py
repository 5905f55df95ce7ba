"""Slices: a name, an initial state, the reducers that change it and the selectors that read it.

``create_slice`` collects them from dicts as in Redux Toolkit, or decorators do, which turn a
reducer into its action creator. A slice holds no state; stores do, at its ``reducer_path``, which
is also the name that peers know it by. What was defined for a slice can be defined again under
another name, so one slice has as many instances as a program needs.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    overload,
)

from crdtstore.actions import Action, ActionCreator, Payload, create_action, prepared
from crdtstore.cases import Cases, Matchable, adapted
from crdtstore.creators import AsyncThunkDefinition, ReducerCreators, ReducerDefinition, create
from crdtstore.errors import ShapeError
from crdtstore.matchers import Creator
from crdtstore.namespace import Namespace
from crdtstore.reducers import Initial, Reducer, reduced
from crdtstore.reverting import REVERT, reverted
from crdtstore.shapes import Shape, describe
from crdtstore.thunks import AsyncThunk, create_async_thunk

if TYPE_CHECKING:
    from typing import Unpack

    from crdtstore.thunks.create import AsyncThunkOptions, ThunkDecorator
    from crdtstore.thunks.lifecycle import Error

__all__ = ["Slice", "SliceSelector", "create_slice", "reset_all"]

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A", bound=Action[Any])

reset_all: ActionCreator[..., Any] = create_action("@@crdtstore/reset_all")
"""Dispatched, it returns every slice of the store to its initial state."""

_building = threading.RLock()
"""Held while a builder runs: two stores may be opened at once. One for all: builders may meet."""

_NAME = re.compile(r"[^\W\d]\w*")


class SliceSelector(Generic[S, P, R]):
    """A selector of a slice: takes the root state, and hands on what its slice holds.

    ``unwrapped`` is the function as it was given, which takes the slice's own state.
    """

    def __init__(self, of: Slice[S], function: Callable[Concatenate[S, P], R]) -> None:
        update_wrapper(self, function)
        self._of = of
        self.unwrapped = function

    def __call__(self, root_state: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.unwrapped(self._of.select_slice(root_state), *args, **kwargs)

    def __repr__(self) -> str:
        return f"<selector {getattr(self.unwrapped, '__name__', '?')} of {self._of!r}>"


class CaseDecorator(Protocol[S, A]):
    """A decorator of a case reducer, which takes ``(state, action)``, or only the state."""

    @overload
    def __call__(self, function: Callable[[S, A], R], /) -> Callable[[S, A], R]: ...
    @overload
    def __call__(self, function: Callable[[S], R], /) -> Callable[[S], R]: ...


class Slice(Generic[S]):
    """One named part of the state; ``S`` is the class of its state.

    ``actions`` holds the action creators, ``case_reducers`` the reducer functions, ``selectors``
    the selectors, all by name; ``reset`` creates the action that brings the initial state back.
    """

    def __init__(
        self,
        name: str,
        initial_state: S | Callable[[], S],
        *,
        reducer_path: str | None = None,
        share_payloads: bool = False,
    ) -> None:
        path = name if reducer_path is None else reducer_path
        if not isinstance(name, str) or not name or (reducer_path is None and not _is_name(name)):
            raise ShapeError(
                "a slice's name is an identifier, as it names an attribute of store.state (or pass "
                f"reducer_path= for that one); got {name!r}"
            )
        if not _is_name(path):
            raise ShapeError(
                "reducer_path is an identifier, as it names an attribute of store.state; "
                f"got {path!r}"
            )
        self.name = name
        self.reducer_path: str = path
        self.initial: Initial[S] = Initial(path, initial_state)
        self._cases: Cases[S] = Cases(f"the slice {name!r}")
        self._builders: list[Callable[[Cases[S]], Any]] = []
        self._injected = False
        self._origin: tuple[object, str, str] | None = None
        self.case_reducers: dict[str, Any] = {}
        self.share_payloads = share_payloads
        self._creators: dict[str, Any] = {}
        self.actions: Namespace[Any] = Namespace("reducer", self._creators)
        self._selectors: dict[str, SliceSelector[S, ..., Any]] = {}
        self.selectors = Namespace("selector", self._selectors)
        self.reset: ActionCreator[[], None] = ActionCreator(f"{name}/@@reset", _no_payload)
        self._recipes: list[Callable[[Slice[S]], Any]] = []
        self._instances: weakref.WeakSet[Slice[S]] = weakref.WeakSet()
        for kind in (self.reset.type, reset_all.type):
            self._cases.builtin[kind] = lambda state, action: self.shape.default
        self._cases.builtin[REVERT] = lambda state, action: reverted(
            self.reducer_path, self.shape, state, action
        )

    @classmethod
    def around(cls, name: str, reducer: Reducer[S]) -> Slice[S]:
        """Return a slice called ``name`` whose cases are those of ``reducer``."""
        made = cls(name, reducer.initial.given)
        made._define(lambda of: of._cases.take(reducer.cases))
        made._origin = (reducer, name, name)
        return made

    def is_same(self, other: Slice[Any]) -> bool:
        """Tell whether two slices are one, or the same instance of one thing at the same place."""
        mine, theirs = self._origin, other._origin
        if self is other:
            return True
        return (
            mine is not None
            and theirs is not None
            and mine[0] is theirs[0]
            and mine[1:] == theirs[1:]
        )

    def check(self) -> None:
        """Raise what a lazy initial state or a builder of extra reducers raises, now."""
        self.shape  # noqa: B018
        self.cases  # noqa: B018

    @property
    def shape(self) -> Shape:
        """The shape of the state; a lazy initial state is asked for when it is first needed."""
        return self.initial.shape

    @property
    def cases(self) -> Cases[S]:
        """All case reducers, by what they answer.

        A builder in ``extra_reducers`` runs when they are first needed, so that slices can answer
        each other's actions wherever they are defined; this may then raise what the builder raises.
        """
        if self._builders:
            with _building:
                while self._builders:
                    extra: Cases[S] = Cases(f"extra_reducers of the slice {self.name!r}")
                    self._builders[0](extra)
                    self._cases.take(extra)
                    del self._builders[:1]
        return self._cases

    # Reducers

    @overload
    def reducer(self, function: Callable[[S, Action[T]], Any]) -> ActionCreator[[T], T]: ...
    @overload
    def reducer(self, function: Callable[Concatenate[S, P], Any]) -> ActionCreator[P, Any]: ...
    @overload
    def reducer(
        self, *, name: str | None = None, prepare: Callable[P, Mapping[str, Any]]
    ) -> Callable[[Callable[[S, Action[Any]], Any]], ActionCreator[P, Any]]: ...
    @overload
    def reducer(
        self, *, name: str | None = None, prepare: None = None
    ) -> Callable[[Callable[Concatenate[S, P], Any]], ActionCreator[P, Any]]: ...
    def reducer(
        self,
        function: Callable[..., Any] | None = None,
        *,
        name: str | None = None,
        prepare: Callable[..., Mapping[str, Any]] | None = None,
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

    def _add(
        self,
        name: str,
        function: Callable[..., Any],
        prepare: Callable[..., Mapping[str, Any]] | None = None,
    ) -> ActionCreator[..., Any]:
        return self._define(lambda of: of._add_reducer(name, function, prepare))

    def _add_reducer(
        self,
        name: str,
        function: Callable[..., Any],
        prepare: Callable[..., Mapping[str, Any]] | None,
    ) -> ActionCreator[..., Any]:
        kind = f"{self.name}/{name}"
        if not callable(function):
            raise TypeError(f"the reducer {kind!r} is no function: {function!r:.80}")
        self._check_new(name)
        if prepare is not None:
            creator = ActionCreator[..., Any](kind, prepared(kind, prepare), prepare)
            case = adapted(function, f"the reducer {kind!r}")
        else:
            payload = Payload(function, kind)
            creator = ActionCreator(kind, payload.pack, function, payload.signature)
            case = payload.case(function)
        self._cases.own(kind, case)
        self.case_reducers[name] = function
        self._creators[name] = creator
        return creator

    def _build_later(self, builder: Callable[[Cases[S]], Any]) -> None:
        self._builders.append(builder)
        Cases.revision += 1

    def _check_new(self, name: str) -> None:
        if name in self.case_reducers:
            raise ShapeError(f"the slice {self.name!r} has a reducer named {name!r} already")

    @overload
    def add_case(self, action: Creator[A]) -> CaseDecorator[S, A]: ...
    @overload
    def add_case(self, action: Matchable | str) -> CaseDecorator[S, Action[Any]]: ...
    def add_case(self, action: Any) -> CaseDecorator[S, Any]:
        """Return a decorator: run this reducer for another slice's action (``extra_reducers``).

        The reducer takes ``(state, action)``, the whole action, or only the state.
        """
        return self._decorator(lambda of, f: of._cases.add_case(of._instead_of(action, self), f))

    def _instead_of(self, action: Any, of: Slice[S]) -> Any:
        """Return what stands here for an action: one of ``of``'s own thunks has its like here."""
        kind = action if isinstance(action, str) else getattr(action, "type", None)
        if self.name == of.name or not isinstance(kind, str):
            return action
        if kind == of.reset.type:
            return self.reset
        own, _, rest = kind.removeprefix(f"{of.name}/").partition("/")
        if rest and own in of._creators and kind.startswith(f"{of.name}/"):
            return f"{self.name}/{own}/{rest}"
        return action

    def add_matcher(self, matcher: Matchable | Callable[[Any], Any]) -> CaseDecorator[S, Any]:
        """Return a decorator: run this reducer for every action that ``matcher`` says yes to."""
        return self._decorator(lambda of, f: of._cases.add_matcher(matcher, f))

    @overload
    def add_default_case(
        self, function: Callable[[S, Action[Any]], R]
    ) -> Callable[[S, Action[Any]], R]: ...
    @overload
    def add_default_case(self, function: Callable[[S], R]) -> Callable[[S], R]: ...
    def add_default_case(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Run this reducer for actions that nothing else of the slice answers."""
        return self._decorator(lambda of, f: of._cases.add_default_case(f))(function)

    def _decorator(self, add: Callable[[Slice[S], Any], Any]) -> CaseDecorator[S, Any]:
        def decorate(function: Any) -> Any:
            self._define(lambda of: add(of, function))
            return function

        return decorate

    # Thunks

    def async_thunk(
        self,
        *,
        name: str | None = None,
        pending: Callable[..., Any] | None = None,
        fulfilled: Callable[..., Any] | None = None,
        rejected: Callable[..., Any] | None = None,
        settled: Callable[..., Any] | None = None,
        **options: Unpack[AsyncThunkOptions[Any, Error]],
    ) -> ThunkDecorator[Error]:
        """Return a decorator that makes an async thunk of the slice: ``"slice/function"``.

        The reducers answer its actions, ``settled`` both of its ends; ``options`` are those of
        ``create_async_thunk``.
        """

        def decorate(payload_creator: Callable[..., Any]) -> AsyncThunk[Any, Any, Any]:
            cases = (pending, fulfilled, rejected, settled)
            definition = AsyncThunkDefinition(payload_creator, *cases, cast(Any, options))
            return self._add_thunk(name or payload_creator.__name__, definition)

        return cast("ThunkDecorator[Error]", decorate)

    def _add_thunk(self, name: str, given: AsyncThunkDefinition) -> AsyncThunk[Any, Any, Any]:
        def recipe(of: Slice[S]) -> AsyncThunk[Any, Any, Any]:
            of._check_new(name)
            thunk: AsyncThunk[Any, Any, Any] = create_async_thunk(
                f"{of.name}/{name}", given.payload_creator, **given.options
            )
            cases = {
                state: adapted(reducer, f"the {state} reducer of {thunk.type_prefix!r}")
                for state, reducer in given.cases.items()
                if reducer is not None
            }
            for state, case in cases.items():
                if state == "settled":
                    of._cases.own_matcher(thunk.settled, case)
                else:
                    of._cases.own(getattr(thunk, state).type, case)
            of.case_reducers[name] = given.cases
            of._creators[name] = thunk
            return thunk

        return self._define(recipe)

    # Selectors

    def selector(self, function: Callable[Concatenate[S, P], R]) -> SliceSelector[S, P, R]:
        """Add a selector, a function of the slice's state; return it as one of the root state."""
        name = getattr(function, "__name__", "select")
        return cast("SliceSelector[S, P, R]", self._add_selector(name, function))

    def _add_selector(self, name: str, function: Callable[..., Any]) -> SliceSelector[S, ..., Any]:
        if not callable(function):
            raise TypeError(f"the selector {name!r} of {self!r} is no function: {function!r:.80}")
        if name in self._selectors:
            raise ShapeError(f"the slice {self.name!r} has a selector named {name!r} already")

        def recipe(of: Slice[S]) -> SliceSelector[S, ..., Any]:
            made = of._selectors[name] = SliceSelector(of, function)
            return made

        return self._define(recipe)

    def select_slice(self, root_state: Any) -> S:
        """Return what the root state (of a store, or a plain mapping) holds of this slice.

        A slice that was injected shows its initial state in a state from before. Raises
        ``AttributeError`` or ``KeyError`` for any other state without the slice.
        """
        path = self.reducer_path
        if isinstance(root_state, Mapping):
            if path in root_state:
                return cast(S, root_state[path])
            if self._injected:
                return self.get_initial_state()
        return cast(S, getattr(root_state, path))

    def get_selectors(
        self, select_state: Callable[[Any], S] | None = None
    ) -> Namespace[Callable[..., Any]]:
        """Return the selectors as functions of something else than the root state.

        They take what ``select_state`` finds the slice's state in; without it, that state itself.
        """
        chosen = {name: made.unwrapped for name, made in self._selectors.items()}
        if select_state is None:
            return Namespace("selector", chosen)
        return Namespace(
            "selector", {name: _behind(select_state, made) for name, made in chosen.items()}
        )

    # The whole

    def get_initial_state(self) -> S:
        """Return the state that a fresh store starts with, as a snapshot."""
        return cast(S, self.shape.default)

    def reduce(self, state: S | None, action: Action[Any]) -> S:
        """Return the state after ``action``, without a store; ``None`` is the initial state.

        Made for testing reducers: nothing is replicated, and the state may be plain data.
        """
        return cast(S, reduced(self.shape, self.cases, self.reducer_path, state, action))

    def schema(self) -> dict[str, str]:
        """Return the kind of every place of the state, by path pattern."""
        return dict(describe(self.shape))

    def instance(self, name: str, *, reducer_path: str | None = None) -> Slice[S]:
        """Return another slice with the same initial state, reducers, thunks and selectors.

        Its actions are ``"name/reducer"``, so the two answer each to its own; what is added to this
        slice later, the instance gets too. Only matchers, which are functions, are shared as they
        are.
        """
        made = Slice(
            name,
            self.initial.given,
            reducer_path=reducer_path,
            share_payloads=self.share_payloads,
        )
        for recipe in self._recipes:
            made._define(recipe)
        made._origin = (self, name, made.reducer_path)
        self._instances.add(made)
        return made

    def inject_into(
        self, target: Any, *, reducer_path: str | None = None, override_existing: bool = False
    ) -> Slice[S]:
        """Add this slice to a store or to ``combine_slices``; return the slice that is there now.

        With ``reducer_path`` it goes to another place, as a slice that shares its actions.
        """
        injected = self
        if reducer_path is not None and reducer_path != self.reducer_path:
            injected = self.instance(self.name, reducer_path=reducer_path)
        target.inject(injected, override_existing=override_existing)
        injected._injected = True
        return injected

    def _define(self, recipe: Callable[[Slice[S]], R]) -> R:
        """Do something to this slice, and to all its instances, now and later."""
        made = recipe(self)
        self._recipes.append(recipe)
        for each in tuple(self._instances):
            each._define(recipe)
        return made

    def __repr__(self) -> str:
        at = "" if self.name == self.reducer_path else f" at {self.reducer_path}"
        return f"<slice {self.name}{at}>"


def _is_name(name: object) -> bool:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        return False
    return not name.startswith("__")


def _no_payload(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if args or kwargs:
        raise TypeError("reset takes no payload")


def _behind(select_state: Callable[[Any], Any], function: Callable[..., Any]) -> Any:
    def select(state: Any, *args: Any, **kwargs: Any) -> Any:
        return function(select_state(state), *args, **kwargs)

    return update_wrapper(select, function)


@overload
def create_slice(
    *,
    name: str,
    initial_state: Callable[[], S],
    reducers: Mapping[str, Any] | Callable[[ReducerCreators], Mapping[str, Any]] | None = None,
    extra_reducers: Mapping[Any, Callable[[S, Action[Any]], Any]]
    | Callable[[Cases[S]], Any]
    | None = None,
    selectors: Mapping[str, Callable[..., Any]] | None = None,
    reducer_path: str | None = None,
    share_payloads: bool = False,
) -> Slice[S]: ...
@overload
def create_slice(
    *,
    name: str,
    initial_state: S,
    reducers: Mapping[str, Any] | Callable[[ReducerCreators], Mapping[str, Any]] | None = None,
    extra_reducers: Mapping[Any, Callable[[S, Action[Any]], Any]]
    | Callable[[Cases[S]], Any]
    | None = None,
    selectors: Mapping[str, Callable[..., Any]] | None = None,
    reducer_path: str | None = None,
    share_payloads: bool = False,
) -> Slice[S]: ...
def create_slice(
    *,
    name: str,
    initial_state: Any,
    reducers: Mapping[str, Any] | Callable[[ReducerCreators], Mapping[str, Any]] | None = None,
    extra_reducers: Mapping[Any, Callable[[Any, Action[Any]], Any]]
    | Callable[[Cases[S]], Any]
    | None = None,
    selectors: Mapping[str, Callable[..., Any]] | None = None,
    reducer_path: str | None = None,
    share_payloads: bool = False,
) -> Slice[Any]:
    """Create a slice.

    ``initial_state`` is an instance of an ordinary dataclass (or a plain dict, a kind, or a plain
    value), or a function that makes it when it is first needed. ``reducers`` maps names to
    functions, or to ``{"reducer": …, "prepare": …}``, or is a function of ``create``, which makes
    reducers with ``create.prepared_reducer`` and ``create.async_thunk``; ``extra_reducers`` maps
    action types or creators to ``(state, action)`` functions, or is a function of a builder with
    ``add_case``, ``add_async_thunk``, ``add_matcher`` and ``add_default_case``; ``selectors`` maps
    names to functions of the slice's state. ``reducer_path`` is where the state lives, if not at
    ``name``. With ``share_payloads`` peers see what an action carried and not only its type (deltas
    carry the state either way). Raises ``ShapeError`` or ``StateValueError`` for an initial state
    that cannot be replicated.
    """
    made: Slice[Any] = Slice(
        name, initial_state, reducer_path=reducer_path, share_payloads=share_payloads
    )
    given = reducers(create) if callable(reducers) else reducers
    for what, mapping in (("reducers", given), ("selectors", selectors)):
        if not isinstance(mapping, Mapping | None):
            raise TypeError(
                f"{what} maps names to functions, got {type(mapping).__name__}: {mapping!r:.80}"
            )
    for reducer_name, reducer in (given or {}).items():
        if isinstance(reducer, AsyncThunkDefinition):
            made._add_thunk(reducer_name, reducer)
        elif isinstance(reducer, ReducerDefinition):
            made._add(reducer_name, reducer.reducer, reducer.prepare)
        elif isinstance(reducer, Mapping):
            made._add(reducer_name, cast(Any, reducer.get("reducer")), reducer.get("prepare"))
        else:
            made._add(reducer_name, reducer)
    if callable(extra_reducers):
        made._define(lambda of: of._build_later(extra_reducers))
    elif isinstance(extra_reducers, Mapping | None):
        for action, function in (extra_reducers or {}).items():
            made.add_case(action)(function)
    else:
        raise TypeError(
            "extra_reducers is a function of a builder, or a dict from actions to functions; got "
            f"{type(extra_reducers).__name__}: {extra_reducers!r:.80}"
        )
    for selector_name, selector in (selectors or {}).items():
        made._add_selector(selector_name, selector)
    return made
