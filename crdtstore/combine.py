"""Combining slices, and adding more of them later to stores that are open already.

``combine_slices`` is the list of slices that a program is made of, kept where all its parts can
reach it. A part that is loaded later injects its slice there: every store of the combination gets
it at once, with what its storage and its peers hold of it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, Union, cast

from crdtstore.actions import Action
from crdtstore.errors import ClosedError, ForkedStoreError
from crdtstore.reducers import Reducer
from crdtstore.slice import Slice
from crdtstore.state import RootState

if TYPE_CHECKING:
    from typing import Self

__all__ = ["CombinedSlices", "Sliceable", "combine_slices", "slices_of"]

P = ParamSpec("P")
V = TypeVar("V")


class _Injectable(Protocol):
    def inject(self, of: Slice[Any], *, override_existing: bool = False) -> Any: ...


class CombinedSlices(Iterable[Slice[Any]]):
    """Some slices, each at its ``reducer_path``; made by ``combine_slices``."""

    def __init__(self, slices: Iterable[Slice[Any]]) -> None:
        self._lock = threading.Lock()
        self._slices = {each.reducer_path: each for each in slices}
        self._stores: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def slices(self) -> tuple[Slice[Any], ...]:
        """The slices, in the order in which they were added."""
        return tuple(self._slices.values())

    def __iter__(self) -> Iterator[Slice[Any]]:
        return iter(self.slices)

    def __len__(self) -> int:
        return len(self._slices)

    def __contains__(self, of: object) -> bool:
        return of in self.slices

    def inject(
        self, of: Slice[Any] | Mapping[str, Any], *, override_existing: bool = False
    ) -> Self:
        """Add a slice, to the stores made of this as well; return the combination.

        ``of`` may also be a dict of slices or reducers by name. Injecting a slice again does
        nothing. Raises ``ValueError`` if another slice is at its place, unless
        ``override_existing`` lets it be replaced.
        """
        for each in slices_of([of] if isinstance(of, Slice) else of):
            name = each.reducer_path
            present = self._slices.get(name)
            if present is not None and not present.is_same(each) and not override_existing:
                raise ValueError(
                    f"another slice is at {name!r} already; pass override_existing=True to "
                    "replace it, or reducer_path= to put this one elsewhere"
                )
            each.check()
            stores = set(self._stores)
            for store in stores:
                self._inject(store, each, override_existing)
            with self._lock:
                if present is None or not present.is_same(each):
                    self._slices[name] = each
                late = set(self._stores) - stores  # made meanwhile, of the slices before
            for store in late:
                self._inject(store, each, override_existing)
        return self

    def _inject(self, store: _Injectable, of: Slice[Any], override_existing: bool) -> None:
        try:
            store.inject(of, override_existing=override_existing)
        except (ClosedError, ForkedStoreError):  # it takes part in nothing any more
            self._stores.discard(store)

    def attach(self, store: _Injectable) -> None:
        """Inject into ``store``, too, what is injected from now on."""
        with self._lock:
            self._stores.add(store)
            slices = self.slices
        for each in slices:  # one may have been injected since the store was made
            store.inject(each)

    def selector(
        self,
        function: Callable[Concatenate[Any, P], V],
        select_state: Callable[[Any], Any] | None = None,
    ) -> Callable[Concatenate[Any, P], V]:
        """Return ``function`` for states in which a slice may not be yet: it shows its initial one.

        The state of a store has every injected slice; states from before do not.
        ``select_state`` finds the state in what the selector is called with.
        """

        def select(state: Any, *args: P.args, **kwargs: P.kwargs) -> V:
            found = state if select_state is None else select_state(state)
            return function(self._completed(found), *args, **kwargs)

        return cast("Callable[Concatenate[Any, P], V]", update_wrapper(select, function))

    def _completed(self, state: Any) -> Any:
        slices = self._slices
        if all(name in state for name in slices):
            return state
        absent = {n: s.get_initial_state() for n, s in slices.items() if n not in state}
        # One by one: a slice may be called "keys".
        return RootState({name: state[name] for name in state} | absent)

    def reduce(self, state: Mapping[str, Any] | None, action: Action[Any]) -> RootState:
        """Return the root state after ``action``, without a store; ``None`` is the initial one."""
        before = {} if state is None else state
        after = {
            # a slice may be called "get"
            name: each.reduce(before[name] if name in before else None, action)  # noqa: SIM401
            for name, each in self._slices.items()
        }
        same = isinstance(state, RootState) and len(state) == len(after)
        if same and all(name in before and before[name] is after[name] for name in after):
            return cast(RootState, state)
        return RootState(after)

    def __repr__(self) -> str:
        return f"<combined slices: {', '.join(self._slices)}>"


Sliceable = Union[  # noqa: UP007 — evaluated at run time
    CombinedSlices,
    Iterable[Slice[Any]],
    Mapping[str, Any],  # slices and reducers by name
]
"""What a store can be made of."""


def combine_slices(*parts: Slice[Any] | Mapping[str, Any] | CombinedSlices) -> CombinedSlices:
    """Combine slices (or dicts of slices and reducers by name) into what a store is made of.

    More can be added at any time with ``inject``. Raises ``ValueError`` for two at one place.
    """
    listed = [
        each for part in parts for each in slices_of([part] if isinstance(part, Slice) else part)
    ]
    return CombinedSlices(slices_of(listed))


def slices_of(given: Any) -> list[Slice[Any]]:
    """Return the slices in what ``configure_store`` or ``combine_slices`` was given.

    Raises ``TypeError`` for anything else, and ``ValueError`` for two slices at one place.
    """
    if isinstance(given, Slice):
        raise TypeError("configure_store takes a list of slices: configure_store([todos])")
    if isinstance(given, Mapping):
        listed = [_named(name, each) for name, each in given.items()]
    elif isinstance(given, Iterable):
        listed = list(given)
    elif isinstance(given, Reducer):
        raise TypeError("give the reducer a name: {'counter': reducer}")
    else:
        raise TypeError(f"expected slices, got {type(given).__name__}: {given!r:.80}")
    names: set[str] = set()
    for each in listed:
        if not isinstance(each, Slice):
            raise TypeError(
                f"configure_store takes slices, got {type(each).__name__}: {each!r:.80}"
                + ("; give a reducer a name: {'counter': reducer}" * isinstance(each, Reducer))
            )
        if each.reducer_path in names:
            raise ValueError(
                f"two slices are named {each.reducer_path!r}; names are what peers match"
            )
        names.add(each.reducer_path)
    return listed


def _named(name: str, given: Any) -> Slice[Any]:
    """Return the slice that is to live at ``name``."""
    if isinstance(given, Slice):
        if given.reducer_path == name:
            return given
        return given.instance(given.name, reducer_path=name)
    if isinstance(given, Reducer):
        return Slice.around(name, given)
    owner = getattr(given, "__self__", None)
    if isinstance(owner, Slice):
        raise TypeError(f"give the slice itself at {name!r}, and not its {given.__name__}")
    raise TypeError(
        f"expected a slice or a reducer at {name!r}, got {type(given).__name__}: {given!r:.80}"
    )
