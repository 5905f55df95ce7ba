"""A feed that plays what a test tells it, and the messages to play."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve

from sync.watch.model import Model

PATIENCE = 20.0
"""Seconds after which a test gives up; nothing here takes that long."""

A, B, C = "a" * 32, "b" * 32, "c" * 32
NOON = 1_700_000_000_000


def hello(version: int = 1) -> dict[str, Any]:
    return {"type": "hello", "version": version, "server": "the server", "redux": False}


def replica(id: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "name": name,
        "attached": True,
        "online": True,
        "sessions": ["1z"],
        "digest": "5730b7c2" * 4,
        "agrees": True,
        "in_sync": True,
        "links": [],
        "lag": 0,
        "features": {},
        **more,
    }


def replicas(*them: dict[str, Any]) -> dict[str, Any]:
    return {"type": "replicas", "replicas": list(them)}


def event(n: int, kind: str, where: str, **more: Any) -> dict[str, Any]:
    return {
        "n": n,
        "kind": kind,
        "replica": where,
        "peer": "",
        "label": "",
        "action": "",
        "at": NOON + n,
        "time": NOON + n,
        "causes": [],
        "slices": ["todos"],
        "bytes": 12,
        "changed": 1,
        "conflicts": [],
        "acts": [],
        "number": n,
        **more,
    }


def events(*them: dict[str, Any]) -> dict[str, Any]:
    return {"type": "events", "first": them[0]["n"] if them else 0, "events": list(them)}


def act(n: int, where: str, label: str, *causes: int, **more: Any) -> dict[str, Any]:
    action = label.split("(")[0]
    return event(n, "act", where, label=label, action=action, causes=list(causes), **more)


def deliver(n: int, where: str, acts: list[int], of: str, label: str, *causes: int) -> Any:
    made = {"label": label, "action": label.split("(")[0], "causes": [*acts, *causes]}
    return event(n, "deliver", where, peer=of, acts=acts, **made)


# A and B do something at the same time, then each gets the other's; C is known through B alone.
STORY = [
    event(0, "join", A, label="joined"),
    event(1, "join", B),
    act(2, A, "todos/add(title='milk')", 0),
    act(3, B, "todos/add(title='eggs')", 1),
    act(4, B, "todos/rename(title='bread')", 3),
    deliver(5, A, [3], B, "todos/add(title='eggs')", 2),
    deliver(6, B, [2], A, "todos/add(title='milk')", 4),
    event(7, "cut", A, peer=B, slices=[], causes=[5, 6], label="link to B broke"),
    act(8, A, "todos/rename(title='butter')", 7),
]
LINK = {
    "to": B,
    "address": "tcp://127.0.0.1:7001",
    "state": "open",
    "in_sync": False,
    "behind": 3,
    "behind_bytes": 412,
    "round_trip": 0.0012,
    "error": None,
}
PEERS = [replica(A, "A", links=[LINK], lag=2, agrees=False), replica(B, "B")]
DETAIL = {
    "payload": {"title": "milk"},
    "payload_shared": True,
    "diff": [
        {"path": ["todos", "items", "k1"], "kind": "added", "before": None, "after": {"n": 1}},
        {"path": ["todos", "filter"], "kind": "changed", "before": "all", "after": "open"},
    ],
    "truncated": 3,
    "deltas": {"todos": {"bytes": 2000, "hex": "00ff" * 10}},
    "meta": None,
    "conflicts": [
        {
            "path": ["todos", "filter"],
            "values": [
                {"value": "open", "replica": A, "at": NOON, "n": 2, "won": True},
                {"value": "done", "replica": B, "at": NOON, "n": 3, "won": False},
            ],
        }
    ],
    "concurrent": [3, 4],
}


def told(*messages: Mapping[str, Any]) -> Model:
    """A model that has received these messages."""
    model = Model()
    for message in messages:
        model.receive(dict(message))
    return model


def story() -> Model:
    return told(hello(), replicas(*PEERS), events(*(dict(each) for each in STORY)))


class Feed:
    """A server at ``url``; every viewer is told ``greeting`` first. All in a thread of its own.

    ``answer`` makes the answer to a request, from the request, or ``None`` to stay silent.
    ``asked`` is everything that viewers said.
    """

    def __init__(
        self,
        greeting: list[dict[str, Any]],
        *,
        port: int = 0,
        answer: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None,
    ) -> None:
        self.greeting = greeting
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.port = port
        self._news = threading.Condition()
        self._viewers: set[ServerConnection] = set()
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed"

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def tell(self, *messages: dict[str, Any]) -> None:
        """Send messages to every viewer."""
        self._run(self._tell(messages))

    def until_asked(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message of a viewer, or take it from those that came already."""
        with self._news:
            found = self._news.wait_for(
                lambda: next((each for each in self.asked if fits(each)), None), PATIENCE
            )
        assert found, self.asked
        return found

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _start(self) -> None:
        self._server = await serve(self._view, "127.0.0.1", self.port)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        for _ in range(10):
            await asyncio.sleep(0)  # in which transports close their sockets

    async def _tell(self, messages: tuple[dict[str, Any], ...]) -> None:
        for viewer in tuple(self._viewers):
            for message in messages:
                await viewer.send(json.dumps(message))

    async def _view(self, viewer: ServerConnection) -> None:
        for message in self.greeting:
            await viewer.send(json.dumps(message))
        self._viewers.add(viewer)
        try:
            async for text in viewer:
                request = json.loads(text)
                with self._news:
                    self.asked.append(request)
                    self._news.notify_all()
                answer = self.answer(request) if self.answer else None
                if answer is not None:
                    await viewer.send(json.dumps(answer))
        finally:
            self._viewers.discard(viewer)
