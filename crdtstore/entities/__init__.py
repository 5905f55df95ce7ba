"""Entities: records by id in a table, with prebuilt reducers, and derived orders and indexes.

``create_entity_adapter`` is Redux Toolkit's. What is replicated is the table alone; ids are its
keys, and what is read in order or by index is derived from it, in the time of what changed.
"""

from __future__ import annotations

from crdtstore.entities.adapter import EntityAdapter, create_entity_adapter
from crdtstore.entities.editing import Update
from crdtstore.entities.indexes import Many
from crdtstore.entities.selectors import EntitySelectors
from crdtstore.entities.state import EntityState, WithEntities

__all__ = [
    "EntityAdapter",
    "EntitySelectors",
    "EntityState",
    "Many",
    "Update",
    "WithEntities",
    "create_entity_adapter",
]
