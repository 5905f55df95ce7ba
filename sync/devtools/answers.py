"""What viewers ask, answered by whoever knows: the graph, or the source of the event in question.

Every question is answered once, by ``answered(True, value)`` or ``answered(False, why)``, at once
or when the sources have said what they know. Of an act whose author tells nothing, a delivery that
brought it alone is asked instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sync.devtools.events import Event, Session
from sync.devtools.export import Known, history, known, log, replay
from sync.devtools.graph import Graph
from sync.devtools.told import Path

__all__ = ["Answered", "Answers", "Ask"]

MOST_CONCURRENT = 200
"""How many concurrent acts are listed, those nearest in the order of events."""

MOST_PLACES = 20
MOST_VALUES = 8
"""Of how many registers in conflict, and acts that wrote one, values are shown."""

MOST_EXPORTED = 20_000
"""How many events are asked about for a file."""

AT_ONCE = 64
"""How many questions to sources an export has open."""

LONGEST_TEXT = 1_000_000
"""Characters of an action to be dispatched."""

Answered = Callable[[bool, Any], None]
"""Told whether it went well, and the value or what went wrong, for people."""

Ask = Callable[[Session, str, Mapping[str, Any], float, Answered], None]
"""Asks the source of a session."""

_EMPTY: Mapping[str, Any] = {
    "payload": None,
    "payload_shared": False,
    "diff": [],
    "truncated": 0,
    "deltas": {},
    "meta": None,
}


class _Refused(Exception):
    """A question that cannot be answered; the message is for people."""


class Answers:
    """Answers about one graph; ``can_ask`` says whether a session's source is there."""

    def __init__(self, graph: Graph, ask: Ask, can_ask: Callable[[Session], bool]) -> None:
        self._graph = graph
        self._ask = ask
        self._can_ask = can_ask

    def answer(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        """Answer a question; nothing in it is trusted, and nothing raised."""
        questions = {
            "detail": self._detail,
            "state": self._state,
            "dispatch": self._dispatch,
            "revert": self._revert,
            "conflicts": self._conflicts,
            "export": self._export,
        }
        question = questions.get(str(message.get("type")))
        try:
            if question is None:
                raise _Refused(f"{message.get('type')!r:.40} is nothing that can be asked here")
            question(message, now, answered)
        except _Refused as error:
            answered(False, str(error))

    # Events

    def _event(self, message: Mapping[str, Any]) -> Event:
        n = message.get("n")
        if type(n) is not int:
            raise _Refused(f"an event has a number, got {n!r:.40}")
        try:
            return self._graph.event(n)
        except KeyError:
            first, end = self._graph.first, self._graph.end
            raise _Refused(f"there is no event {n}: they go from {first} to {end - 1}") from None

    def _witness(self, event: Event) -> tuple[Session, int]:
        """Return whose source to ask about an event, and which of its records."""
        found = self._graph.witness(event, self._can_ask)
        if found is None or found.session is None or found.number is None:
            name = self._graph.name(event.replica)
            raise _Refused(f"{name} cannot be asked, and nobody else knows this action alone")
        return found.session, found.number

    def _current(self, message: Mapping[str, Any]) -> Session:
        replica = message.get("replica")
        session = self._graph.current(replica) if isinstance(replica, str) else None
        if session is None or not self._can_ask(session):
            raise _Refused(f"{self._graph.name(str(replica))[:80]} is not here to be asked")
        return session

    # Questions

    def _detail(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        event = self._event(message)
        if event.kind not in ("act", "deliver"):
            answered(True, self._whole(event, _EMPTY, []))
            return
        rivals = self._rivals(event)
        asked = [event.n, *{n: None for ns in rivals.values() for n in ns if n != event.n}]
        details: dict[int, Mapping[str, Any]] = {}

        def done(failed: Mapping[int, str]) -> None:
            if event.n in failed:
                answered(False, failed[event.n])
            else:
                told = [self._conflict(path, ns, details) for path, ns in rivals.items()]
                answered(True, self._whole(event, details[event.n], told))

        self._details(asked, now, details, done)

    def _whole(
        self, event: Event, detail: Mapping[str, Any], conflicts: list[dict[str, Any]]
    ) -> dict[str, Any]:
        if event.leaf:
            concurrent = []
        else:
            concurrent = self._graph.concurrent(event.n)
            concurrent.sort(key=lambda n: abs(n - event.n))
            concurrent = sorted(concurrent[:MOST_CONCURRENT])
        return {
            **detail,
            "conflicts": conflicts,
            "concurrent": concurrent,
            "event": event.as_json(),
        }

    def _rivals(self, event: Event) -> dict[Path, list[int]]:
        """Return the registers that an act is in conflict about, and all acts that are."""
        found: dict[Path, list[int]] = {}
        for path, n in self._graph.rivals(event.n):
            if path in found or len(found) < MOST_PLACES:
                ns = found.setdefault(path, [event.n])
                if len(ns) < MOST_VALUES:
                    ns.append(n)
        return found

    def _conflict(
        self, path: Path, ns: list[int], details: Mapping[int, Mapping[str, Any]]
    ) -> dict[str, Any]:
        graph = self._graph
        values = []
        for n in ns:
            event = graph.event(n)
            shown = [graph.won(n, m, path) for m in ns if m != n]
            won = False if False in shown else None if None in shown else True
            value = _value(details.get(n, {}).get("diff"), path)
            values.append(
                {"value": value, "replica": event.replica, "at": event.at, "n": n, "won": won}
            )
        return {"path": list(path), "values": values}

    def _state(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        if "n" in message and message["n"] is not None:
            session, number = self._moment(self._event(message))
        else:
            session = self._current(message)
            number = message.get("number", session.taken - 1)
            if type(number) is not int:
                raise _Refused(f"a record has a number, got {number!r:.40}")
        self._ask(session, "state", {"number": number}, now, answered)

    def _moment(self, event: Event) -> tuple[Session, int]:
        """Return the last record of a replica's source at an event."""
        session = event.session
        if session is None or not self._can_ask(session):
            raise _Refused(f"{self._graph.name(event.replica)} is not here to be asked")
        if event.number is not None:
            return session, event.number
        for n in reversed(session.events):
            number = self._graph.event(n).number
            if n < event.n and number is not None:
                return session, number
        return session, session.join.first - 1 if session.join is not None else -1

    def _dispatch(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        text = message.get("text")
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise _Refused("what is to be dispatched is a text: {type: 'counter/add', payload: 1}")
        self._ask(self._current(message), "dispatch", {"text": text}, now, answered)

    def _revert(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        session, number = self._witness(self._event(message))
        self._ask(session, "revert", {"number": number}, now, answered)

    def _conflicts(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        self._ask(self._current(message), "conflicts", {}, now, answered)

    # Files

    def _export(self, message: Mapping[str, Any], now: float, answered: Answered) -> None:
        what = message.get("format")
        if what == "history":
            self._export_history(now, answered)
        elif what == "test":
            slices = message.get("slices", "")
            self._export_test(slices if isinstance(slices, str) else "", now, answered)
        elif what == "log":
            self._export_log(self._current(message), now, answered)
        else:
            raise _Refused(f"expected the format history, test or log, got {what!r:.40}")

    def _export_history(self, now: float, answered: Answered) -> None:
        holds: dict[str, Any] = {}
        ids = [each["id"] for each in self._graph.replicas()]
        sessions = [session for id in ids if (session := self._graph.current(id)) is not None]
        waiting = [session for session in sessions if self._can_ask(session)]
        left = len(waiting)

        def finish() -> None:
            text = history(self._graph, holds=holds).to_json()
            answered(True, {"name": "crdtstore-history.json", "text": text})

        def took(session: Session, ok: bool, value: Any) -> None:
            nonlocal left
            if ok:
                holds[session.replica] = value.get("state")
            left -= 1
            if left == 0:
                finish()

        for session in waiting:
            number = session.taken - 1
            self._ask(
                session,
                "state",
                {"number": number},
                now,
                lambda ok, value, session=session: took(session, ok, value),  # type: ignore[misc]
            )
        if not waiting:
            finish()

    def _export_test(self, slices: str, now: float, answered: Answered) -> None:
        details: dict[int, Mapping[str, Any]] = {}

        def done(failed: Mapping[int, str]) -> None:
            payloads: dict[int, Known] = {}
            for n, detail in details.items():
                about = known(detail)
                if about is not None:
                    payloads[n] = about
            try:
                text = replay(self._graph, payloads, slices=slices)
            except ValueError as error:
                answered(False, str(error))
            else:
                answered(True, {"name": "test_replay.py", "text": text})

        acts = [event.n for event in self._graph.events if event.kind == "act"]
        self._details(self._bounded(acts), now, details, done)

    def _export_log(self, session: Session, now: float, answered: Answered) -> None:
        details: dict[int, Mapping[str, Any]] = {}
        replica = session.replica
        numbered = [n for n in session.events if self._graph.event(n).number is not None]
        first = self._graph.event(numbered[0]).number if numbered else None
        before = first - 1 if first is not None else session.taken - 1

        def done(failed: Mapping[int, str]) -> None:
            if self._can_ask(session):
                about = {"number": before, "whole": True}
                self._ask(session, "state", about, now, finish)
            else:
                finish(False, None)

        def finish(ok: bool, value: Any) -> None:
            initial = value.get("state") if ok else None
            text = log(self._graph, numbered, details, initial)
            name = "".join(c for c in self._graph.name(replica) if c.isalnum() or c in "-_")
            answered(True, {"name": f"redux-log-{name or replica[:8]}.json", "text": text})

        self._details(self._bounded(numbered), now, details, done)

    def _bounded(self, ns: list[int]) -> list[int]:
        if len(ns) > MOST_EXPORTED:
            raise _Refused(
                f"a file of {len(ns)} actions is too long: {MOST_EXPORTED} are the most; export "
                "the history instead, which has all of them without their payloads"
            )
        return ns

    def _details(
        self,
        ns: Iterable[int],
        now: float,
        details: dict[int, Mapping[str, Any]],
        done: Callable[[Mapping[int, str]], None],
    ) -> None:
        """Ask about events, a few at once; fill ``details``, then tell which failed and why."""
        left = list(dict.fromkeys(ns))
        left.reverse()
        failed: dict[int, str] = {}
        open_ = 0
        running = False

        def took(n: int, ok: bool, value: Any) -> None:
            nonlocal open_
            open_ -= 1
            if ok:
                details[n] = value
            else:
                failed[n] = value
            more()

        def more() -> None:
            nonlocal open_, running
            if running:  # answered at once, inside the loop below
                return
            running = True
            while left and open_ < AT_ONCE:
                n = left.pop()
                try:
                    session, number = self._witness(self._graph.event(n))
                except (KeyError, _Refused) as error:
                    failed[n] = str(error)
                    continue
                open_ += 1
                self._ask(
                    session,
                    "detail",
                    {"number": number},
                    now,
                    lambda ok, value, n=n: took(n, ok, value),  # type: ignore[misc]
                )
            running = False
            if not left and not open_:
                done(failed)

        more()


def _value(diff: Any, path: Path) -> Any:
    """Return what an act wrote to a place, found in its diff; ``None`` if it is not in there."""
    for change in diff if isinstance(diff, list) else ():
        if not isinstance(change, dict) or not isinstance(change.get("path"), list):
            continue
        start = tuple(change["path"])
        if path[: len(start)] == start:
            value = change.get("after")
            for part in path[len(start) :]:
                if not isinstance(value, dict) or part not in value:
                    return None
                value = value[part]
            return value
    return None
