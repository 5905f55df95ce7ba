"""Which case reducers run for an action, as in Redux Toolkit.

The exact case of the action's type runs first, then every matcher that says yes, in the order in
which they were added, each on what the one before left; the default case runs only if none did.
Cases, matchers and the default are added in this order, so that the code reads as it runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, overload

from crdtstore.actions import Action
from crdtstore.errors import ShapeError
from crdtstore.matchers import Creator

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Case", "Cases", "Matchable", "adapted"]

S = TypeVar("S")
A = TypeVar("A", bound=Action[Any])

Case = Callable[[Any, Action[Any]], Any]
"""A case reducer as it is called: with a draft and the action."""

_CASES, _MATCHERS, _DEFAULT = range(3)
_STAGES = ("add_case", "add_matcher", "add_default_case")


class Matchable(Protocol):
    """What has a type and matches actions: action creators."""

    @property
    def type(self) -> str:
        """The type of its actions."""

    def match(self, action: object, /) -> bool:
        """Tell whether an action is its."""


class Cases(Generic[S]):
    """The case reducers of one reducer, and the builder that ``create_reducer`` hands out.

    Reducers take ``(state, action)``, or only ``state``; each method returns the builder itself.
    Raises ``ShapeError`` for a second reducer of one action type and for a wrong order.
    """

    revision: ClassVar[int] = 0
    """Counts what was added to any reducer, so that stores notice."""

    __slots__ = ("_name", "_own_matchers", "_stage", "builtin", "default", "exact", "matchers")

    def __init__(self, name: str = "the reducer") -> None:
        self._name = name
        self._stage = _CASES
        self._own_matchers = 0
        self.exact: dict[str, Case] = {}
        self.builtin: dict[str, Case] = {}  # run unless there is an exact case of one's own
        self.matchers: list[tuple[Callable[[Any], Any], Case]] = []
        self.default: Case | None = None

    @property
    def is_open(self) -> bool:
        """Whether an action of any type may be answered."""
        return bool(self.matchers) or self.default is not None

    def select(self, action: Action[Any]) -> Sequence[Case]:
        """Return the case reducers that run for ``action``, in order."""
        exact = self.exact.get(action.type) or self.builtin.get(action.type)
        chosen = [exact] if exact is not None else []
        for matches, case in self.matchers:
            if matches(action):
                chosen.append(case)
        if not chosen and self.default is not None:
            chosen.append(self.default)
        return chosen

    @overload
    def add_case(
        self,
        action: Creator[A],
        reducer: Callable[[S, A], Any] | Callable[[S], Any],
    ) -> Self: ...
    @overload
    def add_case(
        self,
        action: Matchable | str,
        reducer: Callable[[S, Action[Any]], Any] | Callable[[S], Any],
    ) -> Self: ...
    def add_case(self, action: Any, reducer: Callable[..., Any]) -> Self:
        """Run ``reducer`` for actions of one type, given as the type or its action creator."""
        self._enter(_CASES)
        self.own(self._type(action), adapted(reducer, self._name))
        return self

    def add_async_thunk(
        self,
        thunk: Any,
        *,
        pending: Callable[..., Any] | None = None,
        fulfilled: Callable[..., Any] | None = None,
        rejected: Callable[..., Any] | None = None,
        settled: Callable[..., Any] | None = None,
    ) -> Self:
        """Run reducers for the actions of an async thunk; ``settled`` for both of its ends."""
        self._enter(_CASES)
        for state, reducer in (
            ("pending", pending),
            ("fulfilled", fulfilled),
            ("rejected", rejected),
        ):
            if reducer is not None:
                self.add_case(getattr(thunk, state), reducer)
        if settled is not None:
            self.own_matcher(thunk.settled, adapted(settled, self._name))
        return self

    def add_matcher(
        self,
        matcher: Matchable | Callable[[Any], Any],
        reducer: Callable[[S, Action[Any]], Any] | Callable[[S], Any],
    ) -> Self:
        """Run ``reducer`` for every action that ``matcher`` says yes to, after the exact case.

        ``matcher`` is a predicate, as ``is_any_of`` and its kin make them, or an action creator.
        """
        self._enter(_MATCHERS)
        self.matchers.append((self._predicate(matcher), adapted(reducer, self._name)))
        Cases.revision += 1
        return self

    def add_default_case(
        self, reducer: Callable[[S, Action[Any]], Any] | Callable[[S], Any]
    ) -> Self:
        """Run ``reducer`` for actions that nothing else here answers."""
        if self.default is not None:
            raise ShapeError(f"{self._name} has a default case already; there can be only one")
        self._enter(_DEFAULT)
        self.default = adapted(reducer, self._name)
        Cases.revision += 1
        return self

    def own(self, kind: str, case: Case) -> None:
        """Add the reducer of an own action, which has no place in the order."""
        if kind in self.exact:
            raise ShapeError(f"{self._name} has a reducer for {kind!r} already")
        self.exact[kind] = case
        Cases.revision += 1

    def own_matcher(self, matcher: Matchable | Callable[[Any], Any], case: Case) -> None:
        """Add a matcher that comes before those of ``add_matcher``, whenever it is added."""
        self.matchers.insert(self._own_matchers, (self._predicate(matcher), case))
        self._own_matchers += 1
        Cases.revision += 1

    def take(self, other: Cases[S]) -> None:
        """Add all that ``other`` has, its matchers before those added one by one."""
        if other.default is not None and self.default is not None:
            raise ShapeError(f"{self._name} has two default cases; there can be only one")
        twice = self.exact.keys() & other.exact.keys()
        if twice:
            raise ShapeError(f"{self._name} has a reducer for {min(twice)!r} already")
        self.exact |= other.exact
        self.matchers[self._own_matchers : self._own_matchers] = other.matchers
        self.default = self.default or other.default
        Cases.revision += 1

    def _enter(self, stage: int) -> None:
        if stage < self._stage:
            raise ShapeError(
                f"{self._name}: {_STAGES[stage]} comes before {_STAGES[self._stage]}: exact cases "
                "run first, then matchers, then the default"
            )
        self._stage = stage

    def _type(self, action: Any) -> str:
        kind = action if isinstance(action, str) else getattr(action, "type", None)
        if not isinstance(kind, str) or not kind:
            raise TypeError(
                f"{self._name}: a case is for an action creator or an action type (a non-empty "
                f"str), got {action!r:.80}"
            )
        return kind

    def _predicate(self, matcher: Any) -> Callable[[Any], Any]:
        matches = getattr(matcher, "match", matcher)
        if not callable(matches):
            raise TypeError(
                f"{self._name}: a matcher is a function of an action that answers yes or no, or an "
                f"action creator; got {matcher!r:.80}"
            )
        return matches  # type: ignore[no-any-return]


def adapted(reducer: Any, name: str) -> Case:
    """Return ``reducer`` as it is called; one that takes only the state gets only that."""
    if not callable(reducer):
        raise TypeError(f"{name}: a case reducer is a function, got {reducer!r:.80}")
    try:
        signature = inspect.signature(reducer)
    except (TypeError, ValueError):  # a builtin without one
        return reducer  # type: ignore[no-any-return]
    try:
        signature.bind(None, None)
    except TypeError:
        try:
            signature.bind(None)
        except TypeError:
            raise TypeError(
                f"{name}: a case reducer takes (state, action), got {reducer!r:.80}{signature}"
            ) from None
        return lambda state, action: reducer(state)
    return reducer  # type: ignore[no-any-return]
