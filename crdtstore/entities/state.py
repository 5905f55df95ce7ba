"""Where entities are in a state, and states with other entities in them.

The entities are one ``Table``: the state itself, or its field ``entities``. There is no list of ids
beside it: ids are the table's keys, so they are stored once and cannot disagree, and orders are
derived where they are read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Protocol, TypeVar, cast

from crdtstore.draft import current, record
from crdtstore.draft.containers import TableDraft
from crdtstore.entities.ids import Ids
from crdtstore.kinds import Table, TableView
from crdtstore.shapes import TableShape, freeze_table
from crdtstore.views import FrozenRecord, TableSnapshot, replace_field

__all__ = [
    "DeclaredState",
    "EntityState",
    "Located",
    "OpenState",
    "WithEntities",
    "edited_state",
    "located",
    "snapshot_of",
    "with_entities",
]

T = TypeVar("T")
S = TypeVar("S")

FIELD = "entities"

Edit = Callable[[TableDraft], None]


class EntityState(Protocol[T]):
    """A state that holds entities: it has a field ``entities`` that is a ``Table``."""

    @property
    def entities(self) -> TableView[T]:
        """The entities by id."""


class DeclaredState(Protocol[T]):
    """The same, for type checkers that do not follow the descriptor which the field is."""

    @property
    def entities(self) -> Table[T]:
        """The entities by id."""


WithEntities = EntityState[T] | DeclaredState[T] | TableView[T]
"""What selectors take and find: a state with entities, or a table alone."""


class OpenState(EntityState[T], Protocol[T]):
    """What ``get_initial_state`` makes of a mapping: more fields, which no type checker knows."""

    def __getattr__(self, name: str, /) -> Any: ...

    def __setattr__(self, name: str, value: Any, /) -> None: ...


Located = TableView[Any] | Table[Any] | Mapping[str, Any]


def located(state: Any) -> Located:
    """Return the table of a state: a draft, a snapshot, or plain data."""
    found = state
    if not isinstance(state, (TableView, Table)):
        if isinstance(state, Mapping):
            found = state[FIELD] if FIELD in state else None  # noqa: SIM401 — a field may be "get"
        else:
            found = getattr(state, FIELD, None)
    if not isinstance(found, (TableView, Table, Mapping)):
        raise TypeError(
            "expected a state with entities: a Table, or a state whose field 'entities' is one; "
            f"got {type(state).__name__}: {state!r:.80}"
        )
    return found


def snapshot_of(ids: Ids[Any], table: Located) -> TableSnapshot:
    """Return a table as a snapshot; a draft as it is now."""
    if isinstance(table, TableSnapshot):
        return table
    if type(table) is TableDraft:
        now: Any = current(table)
        return now  # type: ignore[no-any-return]
    rows = table.default if isinstance(table, Table) else table
    return freeze_table(ids.shape.element, rows, (FIELD,))


def edited_state(ids: Ids[Any], state: S, edit: Edit) -> S:
    """Edit the table of a state: a draft in place, and of anything else an edited copy.

    Returns the draft, or the copy; where nothing changed, the very state.
    """
    table = located(state)
    if type(table) is TableDraft:
        edit(table)
        return state
    before = snapshot_of(ids, table)
    after = _edited(ids.shape, before, edit)
    if after is before:
        return state
    if isinstance(table, TableSnapshot):
        return cast(S, after if state is table else replace_field(state, FIELD, after))
    rows = after.copy() if not isinstance(table, Table) else ids.table(after)
    return cast(S, rows if state is table else with_entities(state, rows))


def _edited(shape: TableShape, before: TableSnapshot, edit: Edit) -> TableSnapshot:
    after: list[TableSnapshot] = []
    changes = record(
        shape,
        before,
        edit,
        after=[lambda draft: after.append(current(draft))],
        token=str,  # rows need no names
        root=FIELD,
    )
    return after[0] if changes else before


def with_entities(state: Any, entities: Any) -> Any:
    """Return a copy of plain data, a mapping or an instance of a dataclass, with other entities."""
    if isinstance(state, Mapping) and not isinstance(state, FrozenRecord):
        return {**state, FIELD: entities}
    if not dataclasses.is_dataclass(state) or isinstance(state, type):
        raise TypeError(
            f"expected a mapping or an instance of a dataclass, got {type(state).__name__}: "
            f"{state!r:.80}"
        )
    changed = copy(state)
    setattr(changed, FIELD, entities)
    return changed
