"""Sources made by hand: each method tells the graph one message, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.devtools.graph import Graph, Session

Ranges = Mapping[str, Sequence[tuple[str, int, int]]]


def base36(number: int) -> str:
    """Return a number as sessions are written."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


def joining(name: str, client: int, **rest: Any) -> dict[str, Any]:
    """Return the message with which replica ``name`` joins."""
    return {
        "type": "join",
        "version": 1,
        "replica": name * 4,
        "session": base36(client),
        "name": name,
        "pid": 1,
        "slices": ["todos", "notes"],
        "clocks": {},
        "first": 0,
        "features": {"dispatch": True},
        "kinds": {},
        **rest,
    }


class Told:
    """One session of a replica, named by a letter, with the graph that it tells of itself."""

    def __init__(self, graph: Graph, name: str, client: int, now: float = 0.0, **rest: Any) -> None:
        self.graph, self.name, self.client = graph, name, client
        self.number = rest.get("first", 0)
        self.clocks: dict[str, int] = {}
        self.at = 1000
        self.session: Session = graph.join(joining(name, client, **rest), now)

    def act(
        self,
        *paths: str,
        now: float = 0.0,
        slices: Sequence[str] = ("todos",),
        action: str = "todos/add",
        at: int | None = None,
    ) -> dict[str, Any]:
        """Act, writing registers given as ``"todos.title"``; return the record."""
        ranges = {}
        for slice in slices:
            first = self.clocks.get(slice, 0)
            self.clocks[slice] = first + 2
            ranges[slice] = [(str(self.client), first, first + 2)]
        self.at += 1
        record = self.record(
            True, action, self.name * 4, ranges, paths, self.at if at is None else at
        )
        self.tell([record], now)
        return record

    def deliver(
        self, *records: Mapping[str, Any], paths: Sequence[str] = (), now: float = 0.0
    ) -> dict[str, Any]:
        """Get others' acts: one as what it is, several as a catch-up; return the record."""
        record = self.delivery(*records, paths=paths)
        self.tell([record], now)
        return record

    def delivery(self, *records: Mapping[str, Any], paths: Sequence[str] = ()) -> dict[str, Any]:
        """Return the record of a delivery without telling it."""
        ranges: dict[str, list[tuple[str, int, int]]] = {}
        for each in records:
            for slice, about in each["slices"].items():
                ranges.setdefault(slice, []).extend(tuple(found) for found in about["ranges"])
        if len(records) == 1:
            (one,) = records
            return self.record(False, one["action"], one["author"], ranges, paths, one["at"])
        return self.record(False, "@@sync/merged", "", ranges, paths, self.at)

    def record(
        self,
        local: bool,
        action: str,
        author: str,
        ranges: Ranges,
        paths: Sequence[str],
        at: int,
    ) -> dict[str, Any]:
        """Return the next record."""
        number, self.number = self.number, self.number + 1
        return {
            "number": number,
            "local": local,
            "action": action,
            "label": f"{action}()",
            "author": author,
            "at": at,
            "time": self.at,
            "via": "",
            "slices": {
                slice: {"bytes": 40, "ranges": [list(each) for each in found]}
                for slice, found in ranges.items()
            },
            "paths": [path.split(".") for path in paths],
            "changed": 1,
        }

    def tell(self, records: Sequence[Mapping[str, Any]], now: float = 0.0) -> None:
        """Send records."""
        self.graph.receive(self.session, {"type": "records", "records": list(records)}, now)

    def status(self, links: Mapping[str, str] | None = None, now: float = 0.0, **rest: Any) -> None:
        """Send a status, with the state of the link to each replica, named by its letter."""
        self.graph.receive(
            self.session,
            {
                "type": "status",
                "digest": "d",
                "digests": {"todos": "d", "notes": "d"},
                "in_sync": True,
                "links": [
                    {
                        "to": name * 4,
                        "address": "tcp://127.0.0.1:1",
                        "state": state,
                        "in_sync": True,
                        "behind": 0,
                        "behind_bytes": 0,
                        "round_trip": 0.01,
                        "error": None,
                    }
                    for name, state in (links or {}).items()
                ],
                "end": self.number,
                "locked": False,
                **rest,
            },
            now,
        )

    def leave(self, now: float = 0.0) -> None:
        """Leave."""
        self.graph.receive(self.session, {"type": "leave"}, now)


def lines(graph: Graph) -> list[str]:
    """Return the events in few words: ``"3 A act <- 0 2"``."""
    return [
        " ".join(
            [f"{event.n} {graph.name(event.replica)} {event.kind}", "<-", *map(str, event.causes)]
        )
        for event in graph.events
    ]
