"""Programs that run on a draft and on its plain Python twin, step by step, and must agree.

``both`` compares the result or exception of every step and the content after it; ``differential``
also compares the snapshot that the store shows afterwards, and that of a peer that merged it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from crdtstore import (
    RevokedDraftError,
    Slice,
    Store,
    TextView,
    configure_store,
    create_slice,
)
from crdtstore.values import thaw
from properties.state_values import exactly

__all__ = [
    "Holder",
    "Step",
    "alike",
    "atoms",
    "bare",
    "bind",
    "both",
    "differential",
    "draws",
    "elements",
    "indices",
    "inplace",
    "lists",
    "on",
    "outcome",
    "programs",
    "slice_of",
    "slices",
    "stores",
    "unshared",
]

Step = Callable[[Any], Any]
ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def bare(value: Any) -> Any:
    """Copy whatever a draft or a snapshot gives into plain Python data, types kept."""
    if type(value) in ATOMS:
        return value
    if isinstance(value, TextView):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: bare(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: bare(value[key]) for key in value}
    if isinstance(value, Set):
        return set(value)
    if isinstance(value, tuple):
        return tuple(bare(item) for item in value)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [bare(item) for item in value]
    return thaw(value)


def alike(a: Any, b: Any) -> bool:
    """Compare content exactly; the order of mappings is not content, equal set elements are one."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and type(a) is type(b):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, Set) and isinstance(b, Set):
        return a == b
    return exactly(a, b)


def outcome(step: Step, target: Any) -> tuple[str, Any]:
    """Run one step and say what came of it: a value, or the type of an exception."""
    try:
        result = step(target)
    except RevokedDraftError:
        raise
    except Exception as error:
        return "raised", type(error)
    return "returned", bare(result)


def both(step: Step, draft: Any, plain: Any) -> None:
    """Run one step on both, and compare what came of it and what they hold afterwards."""
    wanted = outcome(step, plain)
    found = outcome(step, draft)
    assert found[0] == wanted[0], (found, wanted)
    assert alike(found[1], wanted[1]), (found, wanted)
    assert alike(bare(draft), bare(plain)), (bare(draft), bare(plain))


@cache
def slice_of(initial: Callable[[], Any]) -> tuple[Slice[Any], Any]:
    """Make a slice whose one reducer runs the program that is its payload."""
    made: Slice[Any] = create_slice(name="s", initial_state=initial())

    @made.reducer
    def run(state: Any, program: Step) -> None:
        program(state)

    return made, run


def stores(initial: Callable[[], Any]) -> tuple[Store, Store, Callable[[Step], None]]:
    """Open a store and a peer; return them, and what dispatches a program."""
    made, run = slice_of(initial)
    store, peer = configure_store([made]), configure_store([made])

    def dispatch(program: Step) -> None:
        store.dispatch(run(program))
        peer.merge(store.deltas_since(peer.state_vectors()))
        assert peer.digest() == store.digest()

    return store, peer, dispatch


def differential(initial: Callable[[], Any], plain: Any, programs: list[list[Step]]) -> None:
    """Run programs, one a dispatch, on the field ``x`` of a state and on a plain container."""
    store, peer, dispatch = stores(initial)
    held = Holder(plain)
    for program in programs:

        def run(state: Any, program: list[Step] = program) -> None:
            for step in program:
                both(step, state, held)

        dispatch(run)
        for each in (store, peer):
            assert alike(bare(each.state.s), bare(held))
        held.x = unshared(held.x)


@dataclass
class Holder:
    """The plain counterpart of a state: one field ``x``."""

    x: Any


def on(step: Callable[..., Any], *arguments: Any) -> Step:
    """Make a step that works on the container in ``x``; its arguments are copied for each side."""

    def run(holder: Any) -> Any:
        return step(holder.x, *copy.deepcopy(arguments))

    run.__qualname__ = f"{step.__qualname__}{arguments!r}"
    return run


def inplace(function: Callable[[Any, Any], Any]) -> Callable[[Any], Step]:
    """Make steps of an in-place operator: ``holder.x += value`` binds the result again."""

    def make(value: Any) -> Step:
        def run(holder: Any) -> None:
            holder.x = function(holder.x, copy.deepcopy(value))

        return run

    return make


def bind(value: Any) -> Step:
    """Make the step that assigns a whole new value."""

    def run(holder: Any) -> None:
        holder.x = copy.deepcopy(value)

    return run


def programs(*steps: st.SearchStrategy[Step]) -> st.SearchStrategy[list[list[Step]]]:
    """Draw a few programs of a few steps each."""
    return st.lists(st.lists(st.one_of(*steps), max_size=6), max_size=4)


def draws(function: Callable[..., Any], *strategies: st.SearchStrategy[Any]) -> Any:
    """Draw steps that call ``function`` on the container with drawn arguments."""
    return st.builds(on, st.just(function), *strategies)


def unshared(value: Any) -> Any:
    """Copy a state as the store holds it after a reducer: as a tree, in which nothing is shared."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made = object.__new__(type(value))
        for each in dataclasses.fields(value):
            setattr(made, each.name, unshared(getattr(value, each.name)))
        return made
    if isinstance(value, dict):
        return {key: unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unshared(item) for item in value]
    return copy.copy(value)


# What programs are made of

atoms = st.integers(0, 4) | st.sampled_from(["a", "b", "", None, True, 1.0, 2.5])
elements = atoms | st.lists(atoms, max_size=2) | st.dictionaries(st.sampled_from("ab"), atoms)
indices = st.integers(-6, 6)
bounds = st.none() | indices
slices = st.builds(slice, bounds, bounds, st.sampled_from([None, None, 1, 2, -1, -2, 3, 0]))
lists = st.lists(elements, max_size=5)
