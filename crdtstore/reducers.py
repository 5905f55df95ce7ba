"""Reducers on their own: a state and an action in, the next state out, and no store anywhere.

What a slice's case reducers do to a store they do here to any state, so that they can be tested
without one and combined. The state that comes out is an immutable snapshot, the very one that came
in where nothing changed, and no CRDT document is involved.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from crdtstore.actions import Action, action_of
from crdtstore.cases import Cases
from crdtstore.declare import compile_state
from crdtstore.draft import current, is_draft, record
from crdtstore.errors import ShapeError
from crdtstore.kinds import Kind
from crdtstore.shapes import CounterShape, RegisterShape, Shape, freeze_element

__all__ = ["Initial", "Reducer", "create_reducer", "reduced"]

S = TypeVar("S")


class Initial(Generic[S]):
    """An initial state, given as it is or as a function that makes it when first needed.

    The function is called once. It must return the same on every replica: defaults are shown and
    never sent, so what one replica computes differently the others never learn.
    """

    __slots__ = ("_given", "_lock", "_name", "_shape")

    def __init__(self, name: str, given: S | Callable[[], S]) -> None:
        self._name = name
        self._given = given
        self._lock = threading.Lock()
        self._shape: Shape | None = None
        if not self.is_lazy:
            self._shape = compile_state(name, given)

    @property
    def is_lazy(self) -> bool:
        """Whether a function was given."""
        return callable(self._given) and not isinstance(self._given, Kind)

    @property
    def given(self) -> S | Callable[[], S]:
        """What was given."""
        return self._given

    @property
    def shape(self) -> Shape:
        """The shape that the initial state compiles to.

        Raises ``ShapeError`` or ``StateValueError`` for one that cannot be replicated.
        """
        if self._shape is None:
            with self._lock:  # two stores may be opened at once
                if self._shape is None:
                    self._shape = compile_state(self._name, self._made())
        return self._shape

    def _made(self) -> S:
        make = cast("Callable[[], S]", self._given)
        try:
            return make()
        except TypeError as error:
            if not isinstance(self._given, type):
                raise
            raise ShapeError(
                f"{self._name}: initial_state is the class {self._given.__name__}, and {error}; "
                "pass an instance"
            ) from error


def reduced(shape: Shape, cases: Cases[Any], name: str, state: Any, action: Any) -> Any:
    """Return the state after ``action``; ``None`` stands for the initial state.

    A draft is edited in place and returned, as one reducer calls another.
    """
    action = action_of(action)
    if is_draft(state):
        return _redrafted(cases, state, action)
    before = shape.default if state is None else frozen(shape, state, name)
    chosen = cases.select(action)
    if not chosen:
        return before
    after: list[Any] = []

    def bound(case: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
        return lambda draft: case(draft, action)

    def look(draft: Any) -> None:
        after.append(current(draft))

    changes = record(
        shape,
        before,
        bound(chosen[0]),
        after=[*map(bound, chosen[1:]), look],
        token=lambda: secrets.token_hex(8),
        root=name,
    )
    return after[0] if changes else before


def _redrafted(cases: Cases[Any], draft: Any, action: Action[Any]) -> Any:
    """Run the cases on somebody's draft, inside that somebody's reducer."""
    for case in cases.select(action):
        result = case(draft, action)
        if result is not None and result is not draft:
            draft = result
    return draft


def frozen(shape: Shape, state: Any, name: str) -> Any:
    """Return ``state`` as a snapshot of ``shape``; itself, if it is one."""
    snapshot = type(shape.default)
    if type(state) is snapshot and not isinstance(shape, (RegisterShape, CounterShape)):
        return state
    return freeze_element(shape, state, (name,))


class Reducer(Generic[S]):
    """A function ``(state, action) -> state``, as ``create_reducer`` makes it.

    A store takes it under a name: ``configure_store({"counter": counter_reducer})``.
    """

    __slots__ = ("cases", "initial")

    def __init__(self, initial_state: S | Callable[[], S]) -> None:
        self.initial: Initial[S] = Initial("state", initial_state)
        self.cases: Cases[S] = Cases()

    def __call__(self, state: S | None, action: Action[Any]) -> S:
        """Return the state after ``action``; ``None`` stands for the initial state."""
        return cast(S, reduced(self.initial.shape, self.cases, "state", state, action))

    def get_initial_state(self) -> S:
        """Return the initial state, as a snapshot."""
        return cast(S, self.initial.shape.default)


def create_reducer(
    initial_state: S | Callable[[], S], builder_callback: Callable[[Cases[S]], Any]
) -> Reducer[S]:
    """Return a reducer of ``initial_state`` with the cases that ``builder_callback`` adds.

    ``builder_callback`` gets a builder with ``add_case``, ``add_async_thunk``, ``add_matcher`` and
    ``add_default_case``, to be called in this order. Raises ``ShapeError`` for another order, two
    cases of one action type, or an initial state that cannot be replicated.
    """
    if not callable(builder_callback):
        raise TypeError(
            "create_reducer takes a function of a builder: create_reducer(initial, lambda builder: "
            f"builder.add_case(increment, ...)); got {type(builder_callback).__name__}"
        )
    made = Reducer(initial_state)
    builder_callback(made.cases)
    return made
