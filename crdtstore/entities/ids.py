"""Which id an entity has: a str, as it is the key of the entity's row.

Entities come as instances of their class, as the drafts and snapshots of such, or as mappings of
their fields, which is what comes out of JSON.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, get_origin

from crdtstore.declare import compile_state
from crdtstore.errors import StateValueError
from crdtstore.kinds import Table
from crdtstore.shapes import TableShape, freeze_element

__all__ = ["Ids"]

T = TypeVar("T")

Where = tuple[object, ...]


def _id_of(entity: Any) -> Any:
    return entity.id


class Ids(Generic[T]):
    """The class of an adapter's entities, and what tells their ids."""

    def __init__(self, entity: type[T], select_id: Callable[[T], str] | None) -> None:
        cls = get_origin(entity) or entity
        if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
            raise TypeError(
                "create_entity_adapter takes the dataclass of its entities first: "
                f"create_entity_adapter(Todo, ...); got {entity!r:.80}"
            )
        if select_id is None and not (
            "id" in cls.__dataclass_fields__ or isinstance(getattr(cls, "id", None), property)
        ):
            raise TypeError(
                f"{cls.__name__} has no field 'id'; tell what its id is: "
                f"create_entity_adapter({cls.__name__}, select_id=lambda entity: ...)"
            )
        self.entity = entity
        self.select_id: Callable[[T], str] = _id_of if select_id is None else select_id
        self._cls = cls
        self._shape: TableShape | None = None

    def table(self, entities: Mapping[str, Any] | None = None) -> Table[T]:
        """Return the declaration of a table of these entities."""
        declared: Any = Table[self.entity]  # type: ignore[name-defined]
        made: Table[T] = declared(entities)
        return made

    @property
    def shape(self) -> TableShape:
        """The shape of such a table. Raises ``ShapeError`` if there can be none."""
        if self._shape is None:
            made = compile_state("entities", self.table())
            assert isinstance(made, TableShape)
            self._shape = made
        return self._shape

    def of(self, entity: T | Mapping[str, Any], where: Where) -> str:
        """Return the id of an entity, which is to go to the table at ``where``.

        Raises ``StateValueError`` for what is no entity, and for an id that is no str.
        """
        found: Any
        if isinstance(entity, self._cls):
            found = self.select_id(entity)
        elif not isinstance(entity, Mapping):
            raise StateValueError(
                where,
                f"expected {self._cls.__name__} or a mapping of its fields, got "
                f"{type(entity).__name__}: {entity!r:.80}",
            )
        elif self.select_id is _id_of and "id" in self._cls.__dataclass_fields__:
            found = entity["id"] if "id" in entity else None  # noqa: SIM401 — or a field "get"
        else:
            found = self.select_id(freeze_element(self.shape.element, entity, where))
        if not isinstance(found, str):
            hint = "; return str(...)" if isinstance(found, int) else ""
            raise StateValueError(
                where,
                "ids are str, as they are the keys of the table; select_id returned "
                f"{found!r:.80} ({type(found).__name__}) for {entity!r:.80}{hint}",
            )
        return str(found)

    def check(self, id: Any, where: Where) -> str:
        """Return an id that somebody named. Raises ``StateValueError`` if it is no str."""
        if not isinstance(id, str):
            raise StateValueError(
                where,
                f"ids are str, as they are the keys of the table; got {type(id).__name__}: "
                f"{id!r:.80}",
            )
        return str(id)
