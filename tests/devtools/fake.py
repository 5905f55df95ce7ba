"""A server of the pages with a scripted feed: histories whose every cause and conflict is known.

``Script`` writes a history as the feed tells it, one call an event; causes follow from who had what
then. ``Fake`` serves the pages and one script to browsers, answers what they ask from the script,
and notes what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import sync.devtools

__all__ = ["HOSTILE", "Fake", "Script", "large", "small"]

PAGES = Path(sync.devtools.__file__).parent / "pages"
START = 1_790_000_000_000
"""Milliseconds: when every scripted history begins."""

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
CHUNK = 1000
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_KINDS[".svg"] = "image/svg+xml"
_POLICY = "default-src 'self'; connect-src 'self' ws:"

Json = dict[str, Any]


class Script:
    """A history of replicas called ``names``, written event by event."""

    def __init__(self, names: Sequence[str], *, unwatched: Iterable[str] = ()) -> None:
        self.ids = {name: f"{index + 1:x}" * 32 for index, name in enumerate(names)}
        self.unwatched = frozenset(unwatched)
        self.events: list[Json] = []
        self.payloads: dict[int, Any] = {}
        self.writes: dict[int, dict[tuple[str, ...], Any]] = {}
        self.known: dict[str, set[int]] = {name: set() for name in names}
        self.last: dict[str, int] = {}
        self.numbers: dict[str, int] = dict.fromkeys(names, 0)
        self.online = set(names)
        self.now = START

    def act(
        self,
        who: str,
        action: str,
        writes: Mapping[str, Any] | None = None,
        *,
        payload: Any = None,
        label: str | None = None,
        after: int = 40,
    ) -> int:
        """``who`` dispatches an action that writes values at paths like ``todos/k1/title``."""
        parts = {tuple(path.split("/")): value for path, value in (writes or {}).items()}
        slices = sorted({path[0] for path in parts}) or [action.split("/")[0]]
        n = self._event("act", who, label or action, action, after, slices=slices)
        self.events[n]["bytes"] = 24 + len(json.dumps(payload))
        self.events[n]["changed"] = len(parts)
        self.payloads[n], self.writes[n] = payload, parts
        self.known[who].add(n)
        return n

    def deliver(self, to: str, *acts: int, after: int = 15) -> int:
        """What ``acts``, all of one replica, did arrives at ``to`` as one delta."""
        made = [self.events[n] for n in acts]
        peer = made[0]["replica"]
        slices = sorted({name for event in made for name in event["slices"]})
        single = len(acts) == 1
        label = made[0]["label"] if single else f"@@sync/merged({len(acts)} actions)"
        action = made[0]["action"] if single else "@@sync/merged"
        n = self._event("deliver", to, label, action, after, slices=slices, peer=peer)
        event = self.events[n]
        event["causes"] = sorted({*event["causes"], *acts})
        event["acts"] = list(acts)
        event["bytes"] = sum(event["bytes"] for event in made)
        event["changed"] = sum(event["changed"] for event in made)
        event["at"] = made[-1]["at"]
        self.known[to].update(acts)
        return n

    def spread(self, n: int, *others: str) -> None:
        """Deliver one act to ``others``, one after the other."""
        for other in others:
            self.deliver(other, n)

    def cut(self, who: str, other: str) -> int:
        """The link between two replicas breaks."""
        return self._event("cut", who, "", "", 5, peer=self.ids[other], record=False)

    def heal(self, who: str, other: str) -> int:
        """The link between two replicas is there again."""
        return self._event("heal", who, "", "", 5, peer=self.ids[other], record=False)

    def leave(self, who: str) -> int:
        """A replica's program ends, or can be watched no more."""
        self.online.discard(who)
        return self._event("leave", who, "", "", 5, record=False)

    def join(self, who: str) -> int:
        """A replica's program can be watched."""
        self.online.add(who)
        return self._event("join", who, "", "", 5, record=False)

    def conflict(self, path: str, *acts: int) -> None:
        """Concurrent ``acts`` wrote the same register; the later ones tell."""
        for index, n in enumerate(acts):
            told = [{"path": path.split("/"), "with": other} for other in acts[:index]]
            self.events[n]["conflicts"] = self.events[n]["conflicts"] + told

    def _event(
        self,
        kind: str,
        who: str,
        label: str,
        action: str,
        after: int,
        *,
        slices: list[str] | None = None,
        peer: str = "",
        record: bool = True,
    ) -> int:
        n = len(self.events)
        self.now += after
        number = None
        if record and who not in self.unwatched:
            number = self.numbers[who]
            self.numbers[who] += 1
        self.events.append(
            {
                "n": n,
                "kind": kind,
                "replica": self.ids[who],
                "peer": peer,
                "label": label,
                "action": action,
                "at": self.now,
                "time": self.now,
                "causes": [self.last[who]] if who in self.last else [],
                "slices": slices or [],
                "bytes": 0,
                "changed": 0,
                "conflicts": [],
                "acts": [],
                "number": number,
            }
        )
        self.last[who] = n
        return n

    # ---- what is asked about it ----

    def name(self, replica: str) -> str:
        """Return the name of the replica with an id."""
        return next(name for name, known in self.ids.items() if known == replica)

    def replicas(self) -> list[Json]:
        """Return what the feed says of all replicas."""
        acts = {n for n, event in enumerate(self.events) if event["kind"] == "act"}
        contents = {name: frozenset(known) for name, known in self.known.items()}
        same = len({contents[name] for name in self.ids if name not in self.unwatched}) == 1
        told = []
        for name, replica in self.ids.items():
            watched = name not in self.unwatched
            told.append(
                {
                    "id": replica,
                    "name": name,
                    "attached": watched,
                    "online": watched and name in self.online,
                    "sessions": [f"s{name.lower()}"],
                    "digest": f"{hash_of(contents[name]):032x}" if watched else None,
                    "agrees": same if watched else None,
                    "in_sync": same if watched else None,
                    "links": [],
                    "lag": len(acts - contents[name]) if watched else None,
                    "features": {"dispatch": True, "revert": True},
                }
            )
        return told

    def state(self, replica: str, upto: int) -> Json:
        """Return a replica's state after event ``upto``: the last writer of a place wins."""
        known: set[int] = set()
        # Of a long history the last part is enough to show something.
        for event in self.events[max(0, upto - 2000) : upto + 1]:
            if event["replica"] == replica:
                known.update([event["n"]] if event["kind"] == "act" else event["acts"])
        state: Json = {}
        for n in sorted(known):
            for path, value in self.writes[n].items():
                at = state
                for key in path[:-1]:
                    at = at.setdefault(key, {})
                at[path[-1]] = value
        return state

    def detail(self, n: int) -> Json:
        """Return what the feed answers when it is asked for the detail of an event."""
        event = self.events[n]
        acts = event["acts"] or [n]
        before = self.state(event["replica"], n - 1)
        diff = []
        for act in acts:
            for path, value in self.writes[act].items():
                old = lookup(before, path)
                kind = "added" if old is None else "changed"
                change = {"path": list(path), "kind": kind, "before": old, "after": value}
                diff.append(change)
        content = json.dumps([self.payloads[act] for act in acts]).encode()
        rivals = [(found["path"], found["with"]) for found in event["conflicts"]]
        for other in self.events[n + 1 :]:
            rivals += [(c["path"], other["n"]) for c in other["conflicts"] if c["with"] == n]
        conflicts = []
        for keys, rival in rivals:
            path = tuple(keys)
            both = sorted([n, rival])
            values = [
                {
                    "value": self.writes[act].get(path),
                    "replica": self.events[act]["replica"],
                    "at": self.events[act]["at"],
                    "n": act,
                    "won": act == both[-1],
                }
                for act in both
            ]
            conflicts.append({"path": keys, "values": values})
        return {
            "payload": self.payloads.get(n),
            "payload_shared": True,
            "diff": diff[:200],
            "truncated": max(0, len(diff) - 200),
            "deltas": {
                name: {"bytes": len(content), "hex": content[:512].hex()}
                for name in event["slices"]
            },
            "meta": None,
            "conflicts": conflicts,
            "event": event,
        }


def hash_of(numbers: frozenset[int]) -> int:
    """Return a number that is equal for equal sets, and the same in every run."""
    result = 1
    for n in sorted(numbers):
        result = (result * 1_000_003 + n + 7) % (1 << 128)
    return result


def lookup(state: Json, path: tuple[str, ...]) -> Any:
    """Return what is at a path, or ``None``."""
    at: Any = state
    for key in path:
        at = at.get(key) if isinstance(at, dict) else None
    return at


def small() -> Script:
    """Three replicas: C is cut off from A and B, a conflict, healed; C leaves and joins.

    The conflict is between acts 10 (B) and 11 (C), both about the title of the first item.
    """
    script = Script(["A", "B", "C"])
    first = script.act(
        "A",
        "todos/added",
        {"todos/items/k1/title": "milk", "todos/items/k1/done": False},
        payload={"id": "k1", "title": "milk"},
        label="todos/added(title='milk')",
    )
    script.spread(first, "B", "C")  # 1, 2
    second = script.act("B", "counter/incremented", {"counter/value": 1}, payload=1)  # 3
    script.spread(second, "A", "C")  # 4, 5
    script.cut("A", "C")  # 6
    script.cut("B", "C")  # 7
    third = script.act("A", "counter/incremented", {"counter/value": 2}, payload=1)  # 8
    script.deliver("B", third)  # 9
    title = {"todos/items/k1/title": "oat milk"}
    one = script.act("B", "todos/renamed", title, payload=["k1", "oat milk"])  # 10
    title = {"todos/items/k1/title": "soy milk"}
    two = script.act("C", "todos/renamed", title, payload=["k1", "soy milk"])  # 11
    script.conflict("todos/items/k1/title", one, two)
    three = script.act("C", "counter/incremented", {"counter/value": 3}, payload=1)  # 12
    script.deliver("A", one)  # 13
    script.heal("A", "C")  # 14
    script.heal("B", "C")  # 15
    script.deliver("C", third, after=120)  # 16
    script.deliver("C", one)  # 17
    script.deliver("A", two, three)  # 18
    script.deliver("B", two, three)  # 19
    script.leave("C")  # 20
    four = script.act("A", "todos/toggled", {"todos/items/k1/done": True}, payload="k1")  # 21
    script.deliver("B", four)  # 22
    script.join("C")  # 23
    script.deliver("C", four, after=90)  # 24
    return script


def large(count: int = 10_000, names: Sequence[str] = ("A", "B", "C", "D", "E")) -> Script:
    """About ``count`` events of replicas that work at once, twice parted into two groups."""
    script = Script(names)
    waiting: list[tuple[str, int]] = []
    groups = (names[:2], names[2:])
    parted = False
    seed = 7

    def draw(below: int) -> int:
        nonlocal seed
        seed = (seed * 1_103_515_245 + 12_345) % (1 << 31)
        return (seed >> 8) % below

    while len(script.events) < count:
        progress = len(script.events) * 10 // count
        wanted = progress in (3, 7)
        if wanted != parted:
            parted = wanted
            change = script.cut if wanted else script.heal
            for one in groups[0]:
                for other in groups[1]:
                    change(one, other)
        who = names[draw(len(names))]
        key = f"k{draw(40)}"
        n = script.act(who, "todos/renamed", {f"todos/items/{key}/title": f"{who}{draw(1000)}"})
        if draw(400) == 0 and n > 20:
            acts = [m for m in range(n - 20, n) if script.events[m]["kind"] == "act"]
            script.conflict(f"todos/items/{key}/title", *acts[:1], n)
        waiting += [(other, n) for other in names if other != who]
        held = []
        for other, act in waiting:
            author = script.name(script.events[act]["replica"])
            apart = parted and (author in groups[0]) != (other in groups[0])
            if apart or draw(3) == 0:
                held.append((other, act))
            else:
                script.deliver(other, act, after=2)
        waiting = held
    return script


class Fake:
    """The pages and the feed of ``script`` at ``url``, while the ``with`` block lasts."""

    def __init__(self, script: Script, *, redux: bool = False) -> None:
        self.script = script
        self.redux = redux
        self.received: list[Json] = []
        self.open = True
        self.first = 0  # the number of the oldest event that is kept
        self.connections: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake-feed", daemon=True)
        self._ready: Future[str] = Future()
        self._done = asyncio.Event()

    def __enter__(self) -> Fake:
        self._thread.start()
        self.url = self._ready.result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)
        self._loop.close()

    def asked(self, kind: str) -> list[Json]:
        """Return the requests of one type that came so far."""
        return [message for message in self.received if message.get("type") == kind]

    def tell(self, first: int) -> None:
        """Send the script's events from ``first`` on, and the replicas as they are now."""
        self._call(self._broadcast(first))

    def amend(self, *numbers: int) -> None:
        """Say that these events changed."""
        events = [self.script.events[n] for n in numbers]
        self._call(self._send_all({"type": "amended", "events": events}))

    def drop(self, *, refuse: bool = False) -> None:
        """Break all connections; ``refuse`` lets no new ones in until ``open`` is set again."""
        self.open = not refuse
        self._call(self._close_all())

    # ---- the server's thread ----

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server: Server
        async with serve(
            self._feed, "127.0.0.1", 0, process_request=self._http, compression=None
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set_result(f"http://127.0.0.1:{port}")
            await self._done.wait()
            await self._close_all()
        for _ in range(10):
            await asyncio.sleep(0)  # in which transports close their sockets

    def _http(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        if path == "/feed":
            if self.open:
                return None
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "not now\n")
        name = path.removeprefix("/") or "index.html"
        for candidate in (PAGES / name, PAGES / f"{name}.html"):
            if candidate.parent == PAGES and candidate.is_file():
                headers = Headers()
                headers["Content-Type"] = f"{_KINDS[candidate.suffix]}; charset=utf-8"
                headers["Content-Security-Policy"] = _POLICY
                headers["Connection"] = "close"
                body = candidate.read_bytes()
                headers["Content-Length"] = str(len(body))
                return Response(200, "OK", headers, body)
        return connection.respond(HTTPStatus.NOT_FOUND, "no such page\n")

    async def _feed(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        all_of_it: asyncio.Task[None] | None = None
        try:
            hello = {"type": "hello", "version": 1, "server": "fake", "redux": self.redux}
            await self._send(connection, hello)
            await self._send(connection, {"type": "replicas", "replicas": self.script.replicas()})
            # There is a moment to say what is known already.
            all_of_it = asyncio.create_task(self._send_later(connection))
            async for text in connection:
                message = json.loads(text)
                self.received.append(message)
                if message["type"] == "since":
                    all_of_it.cancel()
                    await self._send_from(connection, message["n"])
                else:
                    await self._send(connection, self._answer(message))
        except ConnectionClosed:
            pass
        finally:
            self.connections.discard(connection)
            if all_of_it is not None:
                all_of_it.cancel()

    async def _send(self, connection: ServerConnection, message: Json) -> None:
        await connection.send(json.dumps(message))

    async def _send_from(self, connection: ServerConnection, first: int) -> None:
        events = self.script.events
        for at in range(max(first, self.first), len(events), CHUNK):
            chunk = {"type": "events", "first": at, "events": events[at : at + CHUNK]}
            await self._send(connection, chunk)

    async def _send_later(self, connection: ServerConnection) -> None:
        await asyncio.sleep(0.03)
        with suppress(ConnectionClosed):
            await self._send_from(connection, 0)

    async def _send_all(self, message: Json) -> None:
        for connection in list(self.connections):
            await self._send(connection, message)

    def _later(self, n: int) -> None:
        task = asyncio.get_running_loop().create_task(self._broadcast(n))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _broadcast(self, first: int) -> None:
        for connection in list(self.connections):
            await self._send_from(connection, first)
        await self._send_all({"type": "replicas", "replicas": self.script.replicas()})

    async def _close_all(self) -> None:
        for connection in list(self.connections):
            await connection.close()

    def _answer(self, message: Json) -> Json:
        try:
            value = self._value(message)
        except ValueError as error:
            return {"type": "response", "id": message["id"], "ok": False, "error": str(error)}
        return {"type": "response", "id": message["id"], "ok": True, "value": value}

    def _value(self, message: Json) -> Json:
        script = self.script
        match message["type"]:
            case "detail":
                return script.detail(message["n"])
            case "state":
                if "n" in message:
                    n = message["n"]
                    return {"state": script.state(script.events[n]["replica"], n)}
                upto = -1 if message.get("number") == -1 else len(script.events)
                return {"state": script.state(message["replica"], upto)}
            case "dispatch":
                if "type" not in message["text"]:
                    raise ValueError("an action has a type, as in {type: 'counter/incremented'}")
                n = script.act(script.name(message["replica"]), "typed/dispatched")
                self._later(n)
                return {"action": {"type": "typed/dispatched"}}
            case "revert":
                who = script.name(script.events[message["n"]]["replica"])
                n = script.act(who, "@@devtools/revert")
                self._later(n)
                return {"action": {"type": "@@devtools/revert"}}
            case "export":
                suffix = "py" if message["format"] == "test" else "json"
                name = f"{message['format']}.{suffix}"
                return {"name": name, "text": json.dumps(message, sort_keys=True)}
        raise ValueError(f"there is no {message['type']} here")
