"""What the tools saw, as files: a history to draw, a test that replays it, a log of one replica.

All three are made of the graph and of what sources said when asked for details, which is given as
plain data: nothing is asked for here. The history is that of ``crdtstore.testing``, so whatever
draws the runs of convergence tests draws what really happened. The test hands the same deltas over
at the same points: it dispatches every action whose payload is known in causal order, at the time
its author's clock showed, takes back what was taken back, and each delivery brings exactly the acts
that it brought then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from keyword import iskeyword
from typing import Any, NamedTuple

from crdtstore import Commit, revert
from crdtstore.testing import Event as HistoryEvent
from crdtstore.testing import History
from sync.devtools.events import Event
from sync.devtools.graph import Graph
from sync.devtools.told import MERGED

__all__ = ["Known", "history", "known", "log", "replay"]

_UNSHOWN = re.compile(r"… \(.* not shown\)$", re.DOTALL)

_DOTTED = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
_PLACE = re.compile(rf"({_DOTTED}):({_DOTTED})", re.ASCII)

_REVERT = revert(Commit(0, {}, None, None, 0)).type


class Known(NamedTuple):
    """What is known of an action beyond its type."""

    payload: Any
    meta: Any = None


def known(detail: Mapping[str, Any]) -> Known | None:
    """Return the payload that a source's detail tells, or ``None`` if it tells not all of it."""
    payload, meta = detail.get("payload"), detail.get("meta")
    if not detail.get("payload_shared") or _cut(payload) or _cut(meta):
        return None
    return Known(payload, meta)


def _cut(value: Any) -> bool:
    """Whether something was left out of a value because there was too much of it."""
    if isinstance(value, str):
        return _UNSHOWN.search(value) is not None
    if isinstance(value, dict):
        return "…" in value or any(map(_cut, value.values()))
    return isinstance(value, list) and any(map(_cut, value))


def history(graph: Graph, *, holds: Mapping[str, Any] | None = None) -> History:
    """Return what happened as a history; ``holds`` has the state of each replica, where known.

    That a source joined or left is no event of a history, but where a replica went on in another
    session, it was closed and opened again.
    """
    names = _names(graph)
    reopened = _reopened(graph)
    stands_for: dict[int, tuple[int, ...]] = {}  # its own number, or those of its causes
    events: list[HistoryEvent] = []
    for n in graph.sequence():
        event = graph.event(n)
        causes = sorted({m for cause in event.causes for m in stands_for.get(cause, ())})
        kind = reopened.get(n, event.kind)
        if kind in ("join", "leave"):
            stands_for[n] = tuple(causes)
            continue
        number = len(events)
        stands_for[n] = (number,)
        events.append(
            HistoryEvent(
                number=number,
                kind=kind,
                replica=names[event.replica],
                label=_label(event, names),
                causes=tuple(causes),
                peer=names.get(event.peer, ""),
                detail=_detail(event),
            )
        )
    return History(
        replicas=tuple(names.values()),
        events=tuple(events),
        holds={
            names[replica]: json.dumps(state, indent=1, ensure_ascii=False)
            for replica, state in (holds or {}).items()
            if replica in names
        },
    )


def _names(graph: Graph) -> dict[str, str]:
    """Return a name for each replica, each once."""
    names: dict[str, str] = {}
    for replica in graph.replicas():
        name = replica["name"] or replica["id"][:8]
        count = 1
        while name in names.values():
            count += 1
            name = f"{replica['name']}-{count}"
        names[replica["id"]] = name
    return names


def _reopened(graph: Graph) -> dict[int, str]:
    """Return where replicas were closed, and opened again."""
    found: dict[int, str] = {}
    left: dict[str, Event] = {}
    for event in graph.events:
        if event.kind == "leave":
            left[event.replica] = event
        elif event.kind == "join":
            before = left.pop(event.replica, None)
            if before is not None and before.session is not event.session:
                found[before.n] = "crash"
                found[event.n] = "restart"
    return found


def _label(event: Event, names: Mapping[str, str]) -> str:
    if event.kind == "cut" or event.kind == "heal":
        return f"{event.kind} {names[event.replica]}–{names.get(event.peer, event.peer)}"
    if event.kind == "join":
        return "opened again"
    if event.kind == "leave":
        return "closed"
    if event.kind == "deliver":
        count = len(event.acts)
        who = f"from {names.get(event.peer, event.peer[:8])}" if event.peer else "catch-up"
        return f"{who}: {count} action{'' if count == 1 else 's'}"
    return event.label


def _detail(event: Event) -> str:
    if event.kind not in ("act", "deliver"):
        return ""
    try:
        moment = datetime.fromtimestamp(event.time / 1000, UTC).isoformat(" ", "milliseconds")
    except (ValueError, OverflowError, OSError):  # beyond what a calendar has
        moment = f"at {event.time} ms"
    slices = f" in {', '.join(event.slices)}" if event.slices else ""
    return f"{event.action}, {event.bytes} bytes{slices}, {moment}"


# A test


def replay(graph: Graph, details: Mapping[int, Known], *, slices: str = "") -> str:
    """Return a pytest file that does it again; ``details`` has what is known of each act.

    ``slices`` says where the program's slices are, ``"shop.state:todos,shop.state:ui"``, as
    ``load_slices`` takes them; without it the file has a line to fill in. Acts that are not in
    ``details`` are left out, and say so, as do reverts of what is not known. Raises ``ValueError``
    if ``slices`` is not of that form.
    """
    names, reopened = _names(graph), _reopened(graph)
    lines: list[str] = []
    done: set[int] = set()
    has: _Has = {}
    missing = 0
    used: dict[str, None] = {}
    for n in graph.sequence():
        event = graph.event(n)
        name = names[event.replica]
        if event.kind == "act":
            call = _act(event, name, details[n], has) if n in details else None
            has.setdefault(_told(name, event), []).append(None if call is None else n)
        if event.kind == "act" and call is not None:
            used[name] = None
            done.add(n)
            lines.append(f"    {call}")
        elif event.kind == "act":
            missing += 1
            lines.append(
                f"    # {name} also did {_comment(event.label)}, of which more is not known"
            )
        elif event.kind == "deliver":
            acts = [m for m in event.acts if m in done]
            for m in event.acts:
                known_as = m if m in done else None
                has.setdefault(_told(name, graph.event(m)), []).append(known_as)
            if acts:
                used[name] = None
                lines.append(f"    run.deliver({name!r}, {', '.join(map(str, acts))})")
        elif event.leaf or n in reopened:
            lines.append(f"    # {_comment(name)}: {_comment(_label(event, names))}")
    return "".join(
        [
            _head(slices, [_comment(name) for name in names.values()], missing),
            _REPLAY,
            "\n\ndef test_replay() -> None:\n",
            '    """The same actions and deliveries end in one state everywhere."""\n',
            f"    run = Replay({', '.join([*map(repr, used), f'left_out={missing}'])})\n",
            "".join(f"{line}\n" for line in lines),
            "    run.settle()\n",
        ]
    )


_Told = tuple[str, Any, Any, Any]

_Has = dict[_Told, list[int | None]]
"""Which acts each replica knows, by what a revert there tells of them; None for one left out."""


def _told(name: str, event: Event) -> _Told:
    """What a revert at ``name`` tells of the act that it takes back."""
    return name, event.action, event.replica, event.at


def _act(event: Event, name: str, about: Known, has: _Has) -> str | None:
    """Return the call that does it again, or ``None`` if too little of it is known.

    Who reverts what a catch-up brought says no more of it than that, and of two actions of one type
    in one millisecond nobody can tell which was meant.
    """
    if event.action == _REVERT:
        payload = about.payload if isinstance(about.payload, dict) else {}
        told = [payload.get(part) for part in ("type", "replica", "at")]
        if not all(isinstance(part, str | int) for part in told):
            return None
        found = has.get((name, told[0], told[1], told[2]), [])
        if len(found) != 1 or found[0] is None:
            return None
        return f"run.revert({event.n}, {name!r}, {event.at}, {found[0]})"
    parts = [str(event.n), repr(name), str(event.at), repr(event.action)]
    if about.payload is not None or about.meta is not None:
        parts.append(_literal(about.payload))
    if about.meta is not None:
        parts.append(_literal(about.meta))
    return f"run.act({', '.join(parts)})"


def _literal(value: Any) -> str:
    """Return a JSON value as Python; what is no number of Python's repr is called by name."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    if isinstance(value, float) and repr(value) in ("inf", "-inf", "nan"):
        return f"float({repr(value)!r})"
    return repr(value)


def _comment(text: str) -> str:
    """Return a text that stays in its comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _head(slices: str, names: Iterable[str], missing: int) -> str:
    if slices:
        where = _imports(slices)
    else:
        where = (
            "\n# Fill in the slices of your program: from shop import todos; SLICES = [todos]\n"
            "SLICES: list[Any] = []\n"
        )
    left_out = (
        f"\n{missing} action{'' if missing == 1 else 's'} left out, of which too little is known: "
        "create_slice(…,\nshare_payloads=True) shares payloads. What depended on it may fail here."
        "\n"
        if missing
        else ""
    )
    who = ", ".join(names) or "nobody"
    return (
        f'"""What happened at {_quoted(who)}, as the tools of crdtstore saw it, to be done again.'
        f'\n{left_out}"""\n\nfrom __future__ import annotations\n\nfrom typing import Any\n\n'
        f"from crdtstore import Commit, combine_slices, configure_store, revert\n{where}"
    )


def _imports(slices: str) -> str:
    lines: list[str] = []
    found: list[str] = []
    for at, place in enumerate(slices.split(","), 1):
        match = _PLACE.fullmatch(place.strip())
        if match is None or any(map(iskeyword, re.split(r"[.:]", match[0]))):
            raise ValueError(
                "slices= says where the slices are, 'shop.state:todos,shop.state:ui'; got "
                f"{slices!r:.80}"
            )
        name, *inside = match[2].split(".")
        lines.append(f"from {match[1]} import {name} as slices_{at}\n")
        found.append(".".join([f"slices_{at}", *inside]))
    return f"{''.join(lines)}\nSLICES: list[Any] = [{', '.join(found)}]\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "'")


_REPLAY = '''

class Meta(dict):  # type: ignore[type-arg]
    """What came with an action besides its payload; its members are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Replay:
    """A store for each replica, and what each action changed at whom it reached."""

    def __init__(self, *names: str, left_out: int) -> None:
        assert SLICES, "fill in SLICES at the top of this file"
        slices = combine_slices(*SLICES)
        self.left_out = left_out
        self.now = 0
        self.stores = {name: configure_store(slices, clock=lambda: self.now) for name in names}
        self.made: dict[int, list[Commit]] = {}
        self.known: dict[tuple[str, int], list[Commit]] = {}

    def act(
        self, number: int, name: str, at: int, type: str, payload: Any = None, meta: Any = None
    ) -> None:
        extra = {"meta": Meta(meta) if isinstance(meta, dict) else meta} if meta else {}
        self.dispatch(number, name, at, {"type": type, "payload": payload, **extra})

    def revert(self, number: int, name: str, at: int, reverted: int) -> None:
        """Take back what the action of another number changed at this replica."""
        (commit,) = self.known[name, reverted]
        self.dispatch(number, name, at, revert(commit))

    def dispatch(self, number: int, name: str, at: int, action: Any) -> None:
        self.now = at
        made = self.known[name, number] = self.made[number] = []
        stop = self.stores[name].on_commit(made.append)
        self.stores[name].dispatch(action)
        stop()
        if not self.left_out:  # or what it changed may not be there
            assert made, f"{number}: {action!r} of {name} changed something then, and nothing now"

    def deliver(self, name: str, *numbers: int) -> None:
        for number in numbers:
            came = self.known[name, number] = []
            stop = self.stores[name].on_commit(came.append)
            for commit in self.made[number]:
                self.stores[name].merge(commit.deltas, info=commit.info)
            stop()

    def settle(self) -> None:
        stores = list(self.stores.values())
        for store in stores:
            for other in stores:
                store.merge(other.deltas_since(store.state_vectors()))
        digests = {name: store.digest() for name, store in self.stores.items()}
        assert len(set(digests.values())) <= 1, digests
        for store in stores:
            store.close()
'''


# A log


def log(
    graph: Graph, events: Iterable[int], details: Mapping[int, Mapping[str, Any]], initial: Any
) -> str:
    """Return events of one replica as Redux DevTools imports them.

    ``details`` has what sources told of each event, ``initial`` the state before all. What arrived
    from others is there too, as far as its type is known, and says whose it was.
    """
    actions: list[dict[str, Any]] = []
    for event in map(graph.event, events):
        if event.kind not in ("act", "deliver"):
            continue
        about = details.get(event.n, {})
        action: dict[str, Any] = {"type": event.action or MERGED}
        if about.get("payload_shared"):
            action["payload"] = about.get("payload")
        meta = about.get("meta")
        if event.kind == "deliver":
            remote = {"replica": event.peer, "name": graph.name(event.peer) if event.peer else ""}
            meta = {**(meta if isinstance(meta, dict) else {}), "remote": remote}
        if meta is not None:
            action["meta"] = meta
        actions.append(action)
    whole = {
        "payload": json.dumps(actions, ensure_ascii=False),
        "preloadedState": json.dumps(initial, ensure_ascii=False),
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
