"""Things by name, to be read as attributes or as items: the actions and selectors of a slice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["Namespace"]

T = TypeVar("T")


class Namespace(Mapping[str, T]):
    """A read-only view of ``entries``; ``what`` says in messages what they are."""

    def __init__(self, what: str, entries: Mapping[str, T]) -> None:
        self._what = what
        self._entries = entries

    if not TYPE_CHECKING:  # checkers see __getattr__, with its type

        def __getattribute__(self, name: str) -> Any:
            if name[:1] != "_":  # what is called "items" or "get" hides the method of mappings
                entries = object.__getattribute__(self, "_entries")
                if name in entries:
                    return entries[name]
            return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            raise AttributeError(
                f"no {self._what} named {name!r}; there are: {', '.join(self._entries) or 'none'}"
            ) from None

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __dir__(self) -> list[str]:
        return sorted(self._entries)

    def __repr__(self) -> str:
        return f"<{self._what}s: {', '.join(self._entries) or 'none'}>"

    __hash__: Any = object.__hash__
