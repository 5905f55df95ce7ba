"""What the tools saw, as files: a history to draw, a test that replays it, a log of one replica.

All three are made of the graph and of what sources said when asked for details, which is given as
plain data: nothing is asked for here. The history is that of ``crdtstore.testing``, so whatever
draws the runs of convergence tests draws what really happened. The test hands the same deltas over
at the same points: it dispatches every action whose payload is known in causal order, at the time
its author's clock showed, and each delivery brings exactly the acts that it brought then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from crdtstore.testing import Event as HistoryEvent
from crdtstore.testing import History
from sync.devtools.events import Event
from sync.devtools.graph import Graph
from sync.devtools.told import MERGED

__all__ = ["Known", "history", "known", "log", "replay"]

_UNSHOWN = re.compile(r"… \(.* not shown\)$", re.DOTALL)

_MODULE = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)", re.ASCII)


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

    ``slices`` says where the program's list of slices is, ``"shop.state:slices"``; without it the
    file has a line to fill in. Acts that are not in ``details`` are left out, and say so.
    Raises ``ValueError`` if ``slices`` is not of that form.
    """
    names, reopened = _names(graph), _reopened(graph)
    lines: list[str] = []
    done: set[int] = set()
    missing = 0
    used: dict[str, None] = {}
    for n in graph.sequence():
        event = graph.event(n)
        name = names[event.replica]
        if event.kind == "act" and n in details:
            used[name] = None
            done.add(n)
            lines.append(f"    {_act(event, name, details[n])}")
        elif event.kind == "act":
            missing += 1
            lines.append(
                f"    # {name} also did {_comment(event.label)}, of which more is not known"
            )
        elif event.kind == "deliver":
            acts = [m for m in event.acts if m in done]
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
            f"    run = Replay({', '.join(map(repr, used))})\n",
            "".join(f"{line}\n" for line in lines),
            "    run.settle()\n",
        ]
    )


def _act(event: Event, name: str, about: Known) -> str:
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
        match = _MODULE.fullmatch(slices)
        if match is None:
            raise ValueError(
                f"slices= says where the list of slices is, 'shop.state:slices'; got {slices!r:.80}"
            )
        module, name = match.groups()
        where = f"from {module} import {name} as SLICES\n"
    else:
        where = (
            "\n# Fill in the slices of your program: from shop import todos; SLICES = [todos]\n"
            "SLICES: list[Any] = []\n"
        )
    left_out = (
        f"\n{missing} action{'' if missing == 1 else 's'} left out, of which the payload is not "
        "known: create_slice(…,\nshare_payloads=True) shares it. What depended on it may fail here."
        "\n"
        if missing
        else ""
    )
    who = ", ".join(names) or "nobody"
    return (
        f'"""What happened at {_quoted(who)}, as the tools of crdtstore saw it, to be done again.'
        f'\n{left_out}"""\n\nfrom __future__ import annotations\n\nfrom typing import Any\n\n'
        f"from crdtstore import configure_store\n{where}"
    )


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
    """A store for each replica, and the deltas of each action."""

    def __init__(self, *names: str) -> None:
        assert SLICES, "fill in SLICES at the top of this file"
        self.now = 0
        self.stores = {name: configure_store(SLICES, clock=lambda: self.now) for name in names}
        self.deltas: dict[int, list[Any]] = {}

    def act(
        self, number: int, name: str, at: int, type: str, payload: Any = None, meta: Any = None
    ) -> None:
        self.now = at
        made: list[Any] = []
        stop = self.stores[name].on_commit(made.append)
        extra = {"meta": Meta(meta) if isinstance(meta, dict) else meta} if meta else {}
        self.stores[name].dispatch({"type": type, "payload": payload, **extra})
        stop()
        self.deltas[number] = [commit.deltas for commit in made]

    def deliver(self, name: str, *numbers: int) -> None:
        for number in numbers:
            for deltas in self.deltas[number]:
                self.stores[name].merge(deltas)

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
