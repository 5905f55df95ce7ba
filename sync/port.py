"""What ``sync`` needs of a store, as protocols; ``crdtstore.Store`` fits them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from crdtstore import ActionInfo

__all__ = ["Commit", "Merged", "ReplicatedStore"]


class Merged(Protocol):
    """What merging did, slice by slice."""

    @property
    def changed(self) -> frozenset[str]: ...
    @property
    def missing(self) -> frozenset[str]: ...
    @property
    def unknown(self) -> frozenset[str]: ...


class Commit(Protocol):
    """One change of the store, local or merged; ``seq`` grows with each."""

    @property
    def seq(self) -> int: ...
    @property
    def deltas(self) -> Mapping[str, bytes]: ...
    @property
    def info(self) -> ActionInfo | None: ...
    @property
    def origin(self) -> object: ...


class ReplicatedStore(Protocol):
    """The store surface of PROTOCOL.md; every call is thread-safe."""

    @property
    def replica(self) -> str: ...
    @property
    def session(self) -> str: ...
    def schema(self) -> Mapping[str, Mapping[str, str]]: ...
    def state_vectors(self) -> Mapping[str, bytes]: ...
    def digests(self) -> Mapping[str, bytes]: ...
    def deltas_since(self, vectors: Mapping[str, bytes], /) -> Mapping[str, bytes]: ...
    def merge(
        self,
        deltas: Mapping[str, bytes],
        /,
        *,
        info: ActionInfo | None = None,
        origin: object = None,
        repair: bool = False,
    ) -> Merged: ...
    def on_commit(
        self, callback: Callable[[Any], None], /, *, durable: bool = False
    ) -> Callable[[], None]: ...
    def on_inject(self, callback: Callable[[str], Any], /) -> Callable[[], None]: ...
    def flush(self) -> Any: ...
