"""What passes between a store and whatever carries its work elsewhere: commits and merges, as data.

A commit is what one dispatch or one merge changed: the deltas of all its slices together, and what
is known of the action behind them. The same record goes to the log, to the network and to hooks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from crdtstore.actions import Action
from crdtstore.state import RootState

__all__ = ["ActionInfo", "Commit", "Conflict", "Merged"]

_NOTHING = RootState({})


class ActionInfo(NamedTuple):
    """Who did what when: the action's type, the replica's lasting name, ms since the epoch.

    ``payload`` is msgpack, and only there for slices created with ``share_payloads=True``.
    """

    type: str
    replica: str
    at: int
    payload: bytes | None = None


class Commit(NamedTuple):
    """One step of a store's history: ``{slice: delta}``, in the order of ``seq``.

    ``origin`` is what was passed to ``merge``, and ``None`` for local work; ``at`` is this store's
    clock in ms. ``local`` tells this store's own dispatches from what it merged; ``state`` and
    ``previous`` are the root state after and before. ``action`` is what was dispatched, itself and
    whole; ``None`` for what was merged, of whose action no more is known than ``info`` says.
    """

    seq: int
    deltas: Mapping[str, bytes]
    info: ActionInfo | None
    origin: Any
    at: int
    local: bool = True
    state: RootState = _NOTHING
    previous: RootState = _NOTHING
    action: Action[Any] | None = None


class Merged(NamedTuple):
    """What became of merged deltas, by slice.

    ``changed`` held news; ``missing`` waits for earlier work (ask its sender again, with this
    store's state vectors); ``unknown`` names slices that this store does not have.
    """

    changed: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


class Conflict(NamedTuple):
    """One of several concurrent values of a place; the first of them is what the state shows.

    ``replica`` is the lasting name of who wrote it (empty if unknown), ``at`` its stamp in ms.
    """

    value: Any
    replica: str
    at: int
