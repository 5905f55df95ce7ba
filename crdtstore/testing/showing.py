"""What a replica holds, as a person would write it down: one line for every field and row."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from crdtstore.testing.actions import code
from crdtstore.views import FrozenRecord, fields_of

__all__ = ["shown"]


def shown(root: Mapping[str, Any]) -> str:
    """Return a root state in several lines, in the order of its slices and fields."""
    states = ItemsView(root)  # by the class: a slice may be called "items"
    return "\n".join(line for name, state in states for line in _lines(name, state, 0))


def _lines(name: str, value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, FrozenRecord) and depth == 0:
        yield f"{indent}{name}:"
        for field, inner in fields_of(value):
            yield from _lines(field, inner, depth + 1)
    elif isinstance(value, Mapping) and not isinstance(value, FrozenRecord) and value:
        yield f"{indent}{name}:"
        for key, inner in value.items():
            yield f"{indent}  {key!r}: {_inline(inner)}"
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and value:
        yield f"{indent}{name}:"
        for index, inner in enumerate(value):
            yield f"{indent}  {index}: {_inline(inner)}"
    else:
        yield f"{indent}{name}: {_inline(value)}"


def _inline(value: Any) -> str:
    if isinstance(value, FrozenRecord):
        fields = ", ".join(f"{name}={_inline(inner)}" for name, inner in fields_of(value))
        name = getattr(value, "_crdt_class", None)
        return f"{name.__name__}({fields})" if name is not None else f"{{{fields}}}"
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, AbstractSet):
        return "{" + ", ".join(map(_inline, value)) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return code(value)
