"""What the adapter's reducers do to a table, written so that concurrent work survives.

What leads to the state that Redux Toolkit's functions lead to is not always what should travel. To
put an entity where one is already is done by writing the fields that differ, not by a new row,
which would bury what others do to the old one meanwhile; setting all removes what is not among the
new, writes what differs and leaves alone what is equal. Only a changed id makes a new row, as ids
are the keys of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from crdtstore.draft import current
from crdtstore.draft.containers import TableDraft
from crdtstore.draft.records import assign
from crdtstore.entities.ids import Ids
from crdtstore.errors import StateValueError
from crdtstore.values import same
from crdtstore.views import read_field

__all__ = [
    "Update",
    "add",
    "keyed",
    "listed",
    "place",
    "remove",
    "remove_where",
    "set_all",
    "set_each",
    "update",
    "upsert",
]


class Update(NamedTuple):
    """What to change in which entity; as a plain dict ``{"id": …, "changes": {…}}``."""

    id: str
    changes: Mapping[str, Any]


Where = tuple[object, ...]


def place(table: TableDraft, *more: object) -> Where:
    """Return where a table is, for messages."""
    return (table.scope.root, *table.path, *more)


def listed(values: Any, where: Where, what: str) -> list[Any]:
    """Return the items of a sequence, or the values of a mapping."""
    if isinstance(values, Mapping):
        return [values[key] for key in values]
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise StateValueError(
            where, f"expected {what}, got {type(values).__name__}: {values!r:.80}"
        )
    return list(values)


def keyed(ids: Ids[Any], table: TableDraft, entities: Any) -> list[tuple[str, Any]]:
    """Return entities with their ids."""
    where = place(table)
    found = listed(entities, where, "several entities, in a sequence or by id")
    return [(ids.of(entity, where), entity) for entity in found]


def add(table: TableDraft, entities: Iterable[tuple[str, Any]]) -> None:
    """Add entities whose ids are not there yet."""
    for id, entity in entities:
        if id not in table:
            table[id] = entity


def set_each(table: TableDraft, entities: Iterable[tuple[str, Any]]) -> None:
    """Put entities into their places, whole; of several with one id the last."""
    for id, entity in dict(entities).items():
        if id in table:
            assign(table[id], entity)
        else:
            table[id] = entity


def set_all(table: TableDraft, entities: Iterable[tuple[str, Any]]) -> None:
    """Make these all entities that there are."""
    found = dict(entities)
    for id in [id for id in table if id not in found]:
        del table[id]
    set_each(table, found.items())


def upsert(ids: Ids[Any], table: TableDraft, entities: Iterable[tuple[str, Any]]) -> None:
    """Add entities, or write the fields that are given for those that are there."""
    updates: list[tuple[str, Any]] = []
    for id, entity in entities:
        if id in table:
            updates.append((id, entity))
        else:
            table[id] = entity
    for id, entity in updates:
        if isinstance(entity, Mapping):
            write(ids, table, id, entity)
        else:
            assign(table[id], entity)


def remove(table: TableDraft, ids: Iterable[str]) -> None:
    """Remove the entities that are there of these."""
    for id in ids:
        if id in table:
            del table[id]


def remove_where(table: TableDraft, where: Mapping[str, Any]) -> None:
    """Remove the entities whose fields equal all of ``where``; an empty one removes nothing."""
    fields = table.shape.element.fields
    for name in where:
        if name not in fields:
            raise StateValueError(
                place(table, "*"), f"unknown field {name!r}; fields: {', '.join(fields)}"
            )
    if where:
        rows: Any = current(table)
        remove(
            table,
            [
                id
                for id in rows
                if all(same(read_field(rows[id], name), value) for name, value in where.items())
            ],
        )


def update(ids: Ids[Any], table: TableDraft, updates: Iterable[Any]) -> None:
    """Make changes in those entities that are there; of several to one field the last counts."""
    merged: dict[str, dict[str, Any]] = {}
    for each in updates:
        id, changes = read_update(ids, each, place(table))
        if id in table:
            merged.setdefault(id, {}).update(changes)
    for id, changes in merged.items():
        write(ids, table, id, changes)


def read_update(ids: Ids[Any], update: Any, where: Where) -> tuple[str, Mapping[str, Any]]:
    """Return the two parts of an update. Raises ``StateValueError`` if it is none."""
    if isinstance(update, Mapping) and set(update) == {"id", "changes"}:
        update = (update["id"], update["changes"])
    if isinstance(update, (tuple, list)) and len(update) == 2 and isinstance(update[1], Mapping):
        return ids.check(update[0], where), update[1]
    raise StateValueError(
        where,
        'expected Update(id, changes) or {"id": ..., "changes": {...}}, got '
        f"{type(update).__name__}: {update!r:.80}",
    )


def write(ids: Ids[Any], table: TableDraft, id: str, changes: Mapping[str, Any]) -> None:
    """Write some fields of an entity; if that gives it another id, it gets another row."""
    row = table[id]
    fields = table.shape.element.fields
    for name in changes:
        if name not in fields:
            raise StateValueError(
                place(table, id), f"unknown field {name!r}; fields: {', '.join(fields)}"
            )
    before = ids.of(row, place(table, id))
    for name, value in changes.items():
        setattr(row, name, value)
    after = ids.of(row, place(table, id))
    if after not in (before, id):
        moved: Any = current(row)
        del table[id]
        set_each(table, [(after, moved)])
