"""One run of several replicas, as data: what happened where, and what came of it.

A history is what the kit hands to diagrams, files and people, so it holds words and numbers only:
no store, no slice, nothing of Hypothesis. Events are listed in an order that respects causality,
and each names the events directly before it; happened-before is their transitive closure
(L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", 1978).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

__all__ = ["FORMAT", "KINDS", "VERSION", "Broken", "Event", "History"]

FORMAT = "crdtstore-history"
VERSION = 1

KINDS = (
    "act",
    "deliver",
    "cut",
    "heal",
    "crash",
    "restart",
    "restore",
    "clone",
    "clock",
    "sync",
)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at one replica.

    ``number`` is its place in the run, from 0; ``kind`` one of ``KINDS``; ``replica`` where it
    happened (``"A"``, ``"B"``, …; of a cut or a heal, the first of the two); ``label`` the action
    as code, ``sold(pieces=3)``, otherwise a few words, ``from B: 2 deltas``. ``causes`` are the
    events directly before it: the previous one of its replica and, of a delivery, those that made
    what arrived. ``peer`` is the other replica of a delivery, a sync, a cut, a heal or a clone.
    ``changed`` is false where the reducer raised, or what arrived held nothing new. ``detail`` is
    shown on demand: what was raised, the action in full, the size of what arrived.
    """

    number: int
    kind: str
    replica: str
    label: str
    causes: tuple[int, ...] = ()
    peer: str = ""
    changed: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """One check that did not hold.

    ``event`` is the first event after which it did not, or the number of all events if it did not
    once all was quiet; ``replica`` where, empty if between replicas; ``what`` the name of the
    invariant or check, ``message`` what it said.
    """

    event: int
    replica: str
    what: str
    message: str


@dataclass(frozen=True, slots=True)
class History:
    """A run: its replicas, its events, what broke, and what each replica held.

    ``holds`` says for each replica what it held at the end, in several lines, ``holds_at_break``
    the same at the first break. ``replay`` is one line that runs it again.
    """

    replicas: tuple[str, ...]
    events: tuple[Event, ...]
    broken: tuple[Broken, ...] = ()
    holds: Mapping[str, str] = field(default_factory=dict)
    holds_at_break: Mapping[str, str] = field(default_factory=dict)
    replay: str = ""

    def to_json(self) -> str:
        """Return the history as JSON, the same text for the same history.

        An object with ``"format": "crdtstore-history"``, ``"version": 1`` and one member for each
        field, named as the field; events and breaks are objects in their turn.
        """
        body = {"format": FORMAT, "version": VERSION} | asdict(self)
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> History:
        """Return the history that ``to_json`` wrote; raise ``ValueError`` for anything else."""
        body = json.loads(text)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError(
                f'expected an object with "format": "{FORMAT}", as to_json() writes it'
            )
        if body.get("version") != VERSION:
            raise ValueError(
                f"expected version {VERSION} of the format, got {body.get('version')!r}; "
                "read it with the release of crdtstore that wrote it"
            )
        try:
            return cls(
                replicas=tuple(body["replicas"]),
                events=tuple(_read(Event, event) for event in body["events"]),
                broken=tuple(_read(Broken, broken) for broken in body["broken"]),
                holds=dict(body["holds"]),
                holds_at_break=dict(body["holds_at_break"]),
                replay=body["replay"],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a history as to_json() writes it: {error!r}") from error


def _read(kind: type[_T], body: Mapping[str, Any]) -> _T:
    """Make one event or break; members that this version does not know are skipped."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in body.items()
            if name in names
        }
    )
