"""What users meant, against what is there in the end: CRDTs keep work, reducers may undo it.

An intent check is asked once, when all is quiet, with the whole run: the state all began with,
every act that took effect and whose work survived (a crash or a restored backup may have lost some
before anybody else had it), as the acting replica saw it, and the state that all have in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from crdtstore.actions import Action
from crdtstore.kinds import ListView

__all__ = ["Act", "Intent", "Run", "counted", "kept"]


@dataclass(frozen=True, slots=True)
class Act:
    """One action that took effect: who did it, and the root state there before and after."""

    number: int
    replica: str
    action: Action[Any]
    shown: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Run:
    """The root state at the start, all acts that survived, in order, and the state at the end."""

    start: Any
    acts: Sequence[Act]
    final: Any


Intent = Callable[[Run], Any]
"""A function of a run that raises ``AssertionError`` or returns ``False``."""


def kept(path: str) -> Intent:
    """Return the check that what was added at ``path`` and removed by nobody is there in the end.

    ``path`` is a list, table, map or set of a slice: ``"items"``, or ``"todos.items"`` where
    several slices have such a field. Elements of a ``List`` are told apart by their lasting keys;
    those of a register that holds a list, by their values.
    """

    def check(run: Run) -> None:
        added: dict[Any, Act] = {}
        removed: set[Any] = set()
        for act in run.acts:
            before, after = _keys(_at(act.before, path)), _keys(_at(act.after, path))
            removed |= before - after
            for key in after - before:
                added[key] = act
        there = _keys(_at(run.final, path))
        for key, act in added.items():
            assert key in removed or key in there, (
                f"{key!r}, added to {path} by {act.shown} at {act.replica} (event {act.number}) "
                "and removed by nobody, is not there"
            )

    check.__name__ = check.__qualname__ = f"kept({path!r})"
    return check


def counted(path: str) -> Intent:
    """Return the check that the number at ``path`` is the sum of what every act did to it.

    A counter passes. A register does not, where ``state.n += 1`` happens at two replicas at once;
    nor is it meant for numbers that are assigned on purpose.
    """

    def check(run: Run) -> None:
        steps = [(act, _at(act.after, path) - _at(act.before, path)) for act in run.acts]
        start, found = _at(run.start, path), _at(run.final, path)
        expected = start + sum(step for _, step in steps)
        done = ", ".join(f"{step:+} by {act.shown} at {act.replica}" for act, step in steps if step)
        assert found == expected, f"{path} is {found}; it was {start}, and {done} is {expected}"

    check.__name__ = check.__qualname__ = f"counted({path!r})"
    return check


def _at(root: Mapping[str, Any], path: str) -> Any:
    first, *rest = path.split(".")
    holders = [state for state in map(root.__getitem__, root) if hasattr(state, first)]
    if first in root and (rest or not holders):
        place = root[first]
    elif len(holders) == 1:
        place = getattr(holders[0], first)
    else:
        raise LookupError(
            f"{path!r}: {len(holders) or 'no'} slices have a field {first!r}; write "
            f'"slice.{first}", with one of {", ".join(root)}'
        )
    for name in rest:
        place = (
            place[name] if isinstance(place, Mapping) and name in place else getattr(place, name)
        )
    return place


def _keys(place: Any) -> set[Any]:
    if isinstance(place, ListView):
        return {place.key_at(index) for index in range(len(place))}
    if isinstance(place, (Mapping, AbstractSet)):
        return set(place)
    if isinstance(place, (list, tuple)):
        return {value if isinstance(value, Hashable) else repr(value) for value in place}
    raise LookupError(f"kept() takes a List, Table, Map or Set; got {type(place).__name__}")
