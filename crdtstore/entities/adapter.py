"""The entity adapter: prebuilt reducers and selectors for a table of records.

Every reducer takes a state and a payload, or a state and an action that carries it, so each may be
given to ``create_slice`` as it is (``reducers={"todo_added": todos.add_one}``, or for the actions
of others) or be called inside a reducer of one's own. On a draft it records what it does, like any
other edit; on a snapshot or plain data it returns a new state and leaves the old one as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

from crdtstore.actions import Action
from crdtstore.draft.containers import TableDraft
from crdtstore.entities import editing
from crdtstore.entities.editing import Update
from crdtstore.entities.ids import Ids
from crdtstore.entities.indexes import Indexes, Many
from crdtstore.entities.order import Sorting, by_comparer, by_id, by_key
from crdtstore.entities.selectors import EntitySelectors
from crdtstore.entities.state import (
    EntityState,
    OpenState,
    WithEntities,
    edited_state,
    with_entities,
)
from crdtstore.state import RootState

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    V = TypeVar("V", default=Any)
else:
    from typing import TypeVar

    V = TypeVar("V")

__all__ = ["EntityAdapter", "create_entity_adapter"]

T = TypeVar("T")
S = TypeVar("S")

Fields = Mapping[str, Any]
Several = Iterable[T | Fields] | Mapping[str, T | Fields]
Edit = Callable[[TableDraft, Any], None]


class EntityAdapter(Generic[T]):
    """Reducers and selectors for entities of class ``T``; made by ``create_entity_adapter``.

    Entities are given as instances of ``T`` or as mappings of their fields; several as a sequence,
    or as a mapping, whose keys do not matter. All reducers raise ``StateValueError`` for a payload
    that is not what they take, and then nothing is changed.
    """

    def __init__(
        self,
        entity: type[T],
        *,
        select_id: Callable[[T], str] | None,
        sort_comparer: Callable[[T, T], float] | None,
        sort_key: Callable[[T], Any] | None,
        indexes: Mapping[str, Callable[[T], Hashable] | Many[T]],
    ) -> None:
        self._ids = Ids(entity, select_id)
        self.entity = entity
        self.select_id = self._ids.select_id
        self.sort_comparer = sort_comparer
        self.sort_key = sort_key
        if sort_comparer is not None:
            self._sorting: Sorting[T] = Sorting(by_comparer(sort_comparer))
        elif sort_key is not None:
            self._sorting = Sorting(by_key(sort_key), keyed=repr(self))
        else:
            self._sorting = Sorting(by_id)
        self._indexes = Indexes(indexes, self._sorting)

    def __repr__(self) -> str:
        return f"<entity adapter of {self.entity.__name__}>"

    # States

    @overload
    def get_initial_state(
        self, extra: None = None, entities: Several[T] = ()
    ) -> EntityState[T]: ...
    @overload
    def get_initial_state(
        self, extra: Mapping[str, Any] | None = None, entities: Several[T] = (), **fields: Any
    ) -> OpenState[T]: ...
    @overload
    def get_initial_state(self, extra: S, entities: Several[T] = ()) -> S: ...
    def get_initial_state(
        self, extra: Any = None, entities: Several[Any] = (), **fields: Any
    ) -> Any:
        """Return an initial state for ``create_slice``: a field ``entities``, and others.

        These are given by name, or as a mapping: ``get_initial_state(loading="idle")``. In its
        place ``extra`` may be an instance of a dataclass with a field ``entities: Table[T]``, which
        then is what is returned, with its type.
        """
        if extra is None or isinstance(extra, Mapping):
            extra = {"entities": self._ids.table(), **(extra or {}), **fields}
        elif fields:
            raise TypeError(
                f"get_initial_state of {type(extra).__name__}(...) takes no more fields: that "
                f"class says which there are; got {', '.join(fields)}"
            )
        else:
            extra = with_entities(extra, {})
        return self.set_all(extra, entities)

    @overload
    def get_selectors(self, select_state: None = None) -> EntitySelectors[T, WithEntities[T]]: ...
    @overload
    def get_selectors(
        self, select_state: Callable[[RootState], WithEntities[T]]
    ) -> EntitySelectors[T, Any]: ...
    @overload
    def get_selectors(
        self, select_state: Callable[[V], WithEntities[T]]
    ) -> EntitySelectors[T, V]: ...
    def get_selectors(self, select_state: Callable[[Any], Any] | None = None) -> Any:
        """Return selectors that take the state of the entities, or what ``select_state`` takes.

        ``select_state`` finds that state: ``lambda root: root.todos``, or a slice's
        ``select_slice``.
        """
        return EntitySelectors(self._ids, self._sorting, self._indexes, select_state)

    # Reducers

    def add_one(self, state: S, entity: T | Fields | Action[Any]) -> S:
        """Add an entity, unless its id is there already."""
        return self.add_many(state, _single(entity))

    def add_many(self, state: S, entities: Several[T] | Action[Any]) -> S:
        """Add entities whose ids are not there yet; of several with one id the first."""
        return self._edit(state, entities, lambda t, p: editing.add(t, self._keyed(t, p)))

    def set_one(self, state: S, entity: T | Fields | Action[Any]) -> S:
        """Put an entity into its place, whole, whether its id is there or not.

        The fields that differ are written to the row that is there, those that a mapping leaves
        out with their defaults: what others do to its other fields at the same time stays.
        """
        return self.set_many(state, _single(entity))

    def set_many(self, state: S, entities: Several[T] | Action[Any]) -> S:
        """Put entities into their places, as ``set_one``; of several with one id the last."""
        return self._edit(state, entities, lambda t, p: editing.set_each(t, self._keyed(t, p)))

    def set_all(self, state: S, entities: Several[T] | Action[Any]) -> S:
        """Make these all the entities that there are; what is equal already is not touched."""
        return self._edit(state, entities, lambda t, p: editing.set_all(t, self._keyed(t, p)))

    def upsert_one(self, state: S, entity: T | Fields | Action[Any]) -> S:
        """Add an entity, or write the given fields of the one that is there.

        An instance of the class gives all its fields, a mapping those that are in it.
        """
        return self.upsert_many(state, _single(entity))

    def upsert_many(self, state: S, entities: Several[T] | Action[Any]) -> S:
        """Add entities, or write their given fields, as ``upsert_one``."""
        return self._edit(
            state, entities, lambda t, p: editing.upsert(self._ids, t, self._keyed(t, p))
        )

    def update_one(self, state: S, update: Update | Fields | Action[Any]) -> S:
        """Write some fields of an entity, if it is there: ``{"id": …, "changes": {…}}``.

        Only those fields are written. Changes that give the entity another id move it to a new
        row, in place of one that was there: what others do to the old row at the same time is lost.
        """
        return self.update_many(state, _single(update))

    def update_many(
        self,
        state: S,
        updates: Iterable[Update | Fields] | Mapping[str, Update | Fields] | Action[Any],
    ) -> S:
        """Write some fields of several entities; of several changes of a field the last counts."""
        return self._edit(state, updates, self._update)

    def remove_one(self, state: S, id: str | Action[Any]) -> S:
        """Remove an entity, if it is there."""
        return self.remove_many(state, _single(id))

    def remove_many(self, state: S, ids: Iterable[str] | Fields | Action[Any]) -> S:
        """Remove those entities of some ids that are there.

        With ``{"where": {…}}`` in place of ids, all whose fields equal those: of the same type,
        too, so ``1`` is not ``True``. An empty ``where`` removes nothing.
        """
        return self._edit(state, ids, self._remove)

    def remove_all(self, state: S) -> S:
        """Remove all entities."""
        return edited_state(self._ids, state, lambda table: table.clear())

    # How they are done

    def _edit(self, state: S, argument: Any, edit: Edit) -> S:
        payload = argument.payload if isinstance(argument, Action) else argument
        return edited_state(self._ids, state, lambda table: edit(table, payload))

    def _keyed(self, table: TableDraft, entities: Any) -> list[tuple[str, Any]]:
        return editing.keyed(self._ids, table, entities)

    def _update(self, table: TableDraft, updates: Any) -> None:
        where = editing.place(table)
        editing.update(self._ids, table, editing.listed(updates, where, "several updates"))

    def _remove(self, table: TableDraft, ids: Any) -> None:
        where = editing.place(table)
        if isinstance(ids, Mapping) and set(ids) == {"where"} and isinstance(ids["where"], Mapping):
            editing.remove_where(table, ids["where"])
            return
        found = editing.listed(ids, where, 'several ids, or {"where": {...}}')
        editing.remove(table, [self._ids.check(id, where) for id in found])


def _single(argument: Any) -> Any:
    """Return one payload as the payload of the function that takes several."""
    return (argument.payload if isinstance(argument, Action) else argument,)


def create_entity_adapter(
    entity: type[T],
    *,
    select_id: Callable[[T], str] | None = None,
    sort_comparer: Callable[[T, T], float] | None = None,
    sort_key: Callable[[T], Any] | None = None,
    indexes: Mapping[str, Callable[[T], Hashable] | Many[T]] | None = None,
) -> EntityAdapter[T]:
    """Create an adapter for the entities of one dataclass.

    ``select_id`` tells an entity's id, a str: its field ``id`` if not given. ``sort_key`` tells
    what entities are sorted by, or ``sort_comparer`` compares two of them (a number below 0 if the
    first comes first, 0, or above 0); without either, and among equals, they go by their ids.
    ``indexes`` maps names to functions that tell in which group an entity is: any hashable value,
    or ``None`` for no group; a function in ``Many`` tells several. All these functions get
    snapshots, and must depend on nothing else; what they raise is raised where a selector reads,
    with a note that says for which entity.

    Orders and indexes are derived from the state and never part of it. They are computed when they
    are first read, and from then on brought up to date by what changed, here or at a peer.
    """
    if sort_comparer is not None and sort_key is not None:
        raise TypeError("create_entity_adapter takes sort_comparer or sort_key, not both")
    for name, function in (indexes or {}).items():
        if not callable(function) and not isinstance(function, Many):
            raise TypeError(f"the index {name!r} is no function: {function!r:.80}")
    return EntityAdapter(
        entity,
        select_id=select_id,
        sort_comparer=sort_comparer,
        sort_key=sort_key,
        indexes=indexes or {},
    )
