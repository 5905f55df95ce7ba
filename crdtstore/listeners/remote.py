"""What peers did, as actions: what a listener with ``origin="remote"`` is called with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from crdtstore.actions import Action, create_action
from crdtstore.replication import Commit

__all__ = ["RemoteOrigin", "merged", "remote_action"]

merged = create_action("@@sync/merged")
"""The action that stands for many at once: what a peer sent to catch up with, or a bare merge."""


@dataclass(frozen=True, slots=True)
class RemoteOrigin(Mapping[str, Any]):
    """Who did something elsewhere: the ``meta`` of its action, a mapping of its own attributes.

    ``peer`` is the lasting name of the replica that did it (empty if it is several's work), ``at``
    the time of its clock in ms (of this store's, for several's), and ``slices`` are the names of
    the slices that were merged.
    """

    peer: str
    at: int
    slices: tuple[str, ...]

    def __getitem__(self, key: str) -> Any:
        if key in self.__dataclass_fields__:
            return getattr(self, key)
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dataclass_fields__)

    def __len__(self) -> int:
        return len(self.__dataclass_fields__)


def remote_action(commit: Commit) -> tuple[Action[Any], RemoteOrigin]:
    """Return what a merged commit did as an action, and whose it is.

    The payload is there only if the peer's slice shares payloads, and is what it says it is:
    nothing of it was checked.
    """
    slices = tuple(commit.deltas)
    info = commit.info
    if info is None:
        origin = RemoteOrigin("", commit.at, slices)
        return Action(merged.type, None, origin), origin
    origin = RemoteOrigin(info.replica, info.at, slices)
    return Action(info.type, _unpacked(info.payload), origin), origin


def _unpacked(payload: bytes | None) -> Any:
    if payload is None:
        return None
    try:
        return msgpack.unpackb(payload)
    except Exception:  # a stranger's bytes: msgpack alone raises six kinds
        return None
