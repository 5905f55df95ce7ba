"""The root state people read: one attribute for each slice, and nothing to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crdtstore.errors import format_path
from crdtstore.kinds import frozen_error
from crdtstore.shapes import ListShape, MapShape, RecordShape, SetShape, Shape, TableShape
from crdtstore.values import element_key, to_plain
from crdtstore.views import read_field

__all__ = ["RootState", "conflict_path", "replaced"]


class RootState(Mapping[str, Any]):
    """The snapshots of all slices, as attributes and as items."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        vars(self).update(values)

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def __eq__(self, other: object) -> bool:  # a slice may be called "items"
        if isinstance(other, RootState):
            return self is other or self.__dict__ == other.__dict__
        return other == self.__dict__ if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"the store has no slice {name!r}; slices: {', '.join(self.__dict__)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise frozen_error()

    def __delattr__(self, name: str) -> None:
        raise frozen_error()

    def __setitem__(self, name: str, value: object) -> None:
        raise frozen_error()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"State({fields})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (RootState, (dict(self.__dict__),))

    def to_plain(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {name: to_plain(value) for name, value in self.__dict__.items()}


def replaced(state: RootState, values: Mapping[str, Any]) -> RootState:
    """Return a state with some slices replaced; a function, as slices may hide methods."""
    new = object.__new__(RootState)
    fields = new.__dict__
    fields.update(state.__dict__)
    fields.update(values)
    return new


def conflict_path(shape: Shape, state: Any, path: tuple[object, ...]) -> tuple[str, ...]:
    """Translate a path as people write it (indices, keys, set values) into segments.

    Raises ``KeyError`` naming the part that is not there.
    """
    out: list[str] = []
    for depth, part in enumerate(path):
        where = format_path(path[: depth + 1])
        if isinstance(shape, RecordShape):
            if not isinstance(part, str) or part not in shape.fields:
                raise KeyError(f"{where}: no such field; fields: {', '.join(shape.fields)}")
            out.append(part)
            shape, state = shape.fields[part], read_field(state, part)
        elif isinstance(shape, ListShape):
            key = state.key_at(part) if isinstance(part, int) else part
            if not isinstance(key, str) or key not in state._rows:
                raise KeyError(f"{where}: no such element")
            out.append(key)
            shape, state = shape.element, state._rows[key]
        elif isinstance(shape, TableShape):
            if not isinstance(part, str) or part not in state:
                raise KeyError(f"{where}: no such row")
            out.append(part)
            shape, state = shape.element, state[part]
        elif isinstance(shape, MapShape) and isinstance(part, str) and depth == len(path) - 1:
            out.append(part)
        elif isinstance(shape, SetShape) and depth == len(path) - 1:
            out.append(element_key(part, path))
        else:
            raise KeyError(f"{where}: nothing is kept below here")
    return tuple(out)
