"""All mutants there are, by group."""

from __future__ import annotations

from properties.mutants import (
    of_cells,
    of_document,
    of_reading,
    of_storage,
    of_store,
    of_sync,
    of_updates,
    of_writing,
)
from properties.mutants.mutant import Group

__all__ = ["GROUPS"]

GROUPS: tuple[Group, ...] = (
    of_cells.GROUP,
    of_writing.GROUP,
    of_reading.GROUP,
    of_updates.GROUP,
    of_document.GROUP,
    of_store.GROUP,
    of_storage.GROUP,
    of_sync.GROUP,
)
