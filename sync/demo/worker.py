"""One process of the demo: a store in a file, a peer, and orders from the director.

Orders come as lines of JSON on standard input, answers and news leave as lines of JSON on standard
output. A step is answered the moment it was dispatched and before it is durable, so the director
knows what a killed process had done; ``flushed`` tells what can no longer be lost. The process ends
with its standard input: it never outlives the director.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from crdtstore import Commit, Store, Waitable, configure_store, to_plain
from sync.demo.script import Step
from sync.demo.slices import Board, board, tally
from sync.demo.tools import attached
from sync.limits import Limits
from sync.peer import Peer

__all__ = ["StepClock", "carry_out", "main", "report"]

NAMESPACE = "crdtstore-demo"
LIMITS = Limits(backoff_first_seconds=0.05, backoff_last_seconds=0.25, connect_seconds=2.0)

_FLUSH_EVERY = 10  # steps
_FLUSH_SECONDS = 30.0
_STATUS_SECONDS = 0.04
_TAIL = 300  # characters of the notes


class StepClock:
    """The clock of a store: says when the step at hand happens, in ms."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def carry_out(store: Store, clock: StepClock, epoch: int, step: Step) -> dict[str, Any]:
    """Dispatch a step, and return what the journal says of it."""
    clock.now = epoch + step.at
    store.dispatch(board.actions[step.kind](step.by, step.n, **step.payload))
    return _last(store, step.by) or {}


def _last(store: Store, name: str) -> dict[str, Any] | None:
    entry = store[board].journal.get(name)
    return None if entry is None else to_plain(entry)


def report(store: Store) -> dict[str, Any]:
    """Return everything that a store holds, JSON-ready, with its conflicts."""
    state = store[board]
    places: list[tuple[object, ...]] = []
    for index in range(len(state.todos)):
        registers = [("done",), ("owner",), ("plan", "priority"), ("plan", "due"), ("title",)]
        places += [("todos", index, *register) for register in registers]
    for name in state.people:
        places += [("people", name, "role"), ("people", name, "note")]
    places += [("meetings", day) for day in state.meetings]
    conflicts = []
    for place in places:
        found = store.conflicts(board, *place)
        if found:
            named = list(place)
            if place[0] == "todos":
                named[1] = state.todos[place[1]].id  # type: ignore[call-overload]
            conflicts.append([named, [to_plain(conflict.value) for conflict in found]])
    return {
        "board": to_plain(state),
        "tally": to_plain(store[tally]),
        "conflicts": conflicts,
        "digest": store.digest(),
    }


class _Worker:
    """The store of the process called ``name``; ``epoch`` is when the demo began, in ms.

    ``tools`` is the port of the tools that show it, if any do.
    """

    def __init__(
        self, out: BinaryIO, name: str, path: str, epoch: int, tools: int | None = None
    ) -> None:
        self.out = out
        self.name = name
        self.tools = tools
        self.end_tools: Callable[[], None] = lambda: None
        self.epoch = epoch
        self.speaking = threading.Lock()
        self.news = threading.Event()
        self.ending = threading.Event()
        self.peer: Peer | None = None
        self.made = self.merged = 0
        self.worked = self.changed = 0.0
        self.clock = StepClock()
        self.store = configure_store([board, tally], storage=path, clock=self.clock)
        self.store.on_commit(self._count)
        self.teller = threading.Thread(target=self._tell, name="demo-status", daemon=True)
        self.teller.start()
        self.say(
            "opened",
            session=self.store.session,
            last=_last(self.store, name),
            quarantined=len(self.store.quarantined),
        )

    def say(self, what: str, **more: Any) -> None:
        line = json.dumps({"is": what, **more}).encode() + b"\n"
        with self.speaking:
            self.out.write(line)
            self.out.flush()

    # Orders

    def link(self, connect: list[str], token: str) -> None:
        self.peer = Peer(
            self.store,
            listen="tcp://127.0.0.1:0",
            connect=connect,
            namespace=NAMESPACE,
            token=token,
            limits=LIMITS,
            on_status=lambda status: self.news.set(),
        )
        if self.tools is not None:
            self.end_tools = attached(self.store, self.peer, self.name, self.tools)
        self.peer.start()
        self.say("linked", address=self.peer.addresses[0])

    def act(self, steps: list[dict[str, Any]], pace: float) -> None:
        """Carry out steps, with ``pace`` seconds between them, and make them durable."""
        flushes: list[tuple[int, Waitable[None]]] = []
        n = 0
        for count, raw in enumerate(steps, 1):
            step = Step(**raw)
            entry = carry_out(self.store, self.clock, self.epoch, step)
            self.worked = time.time()
            n = step.n
            self.say("acted", **entry, made=self.made, merged=self.merged)
            if count % _FLUSH_EVERY == 0:
                flushes.append((n, self.store.flush()))
            while flushes and flushes[0][1].done():
                self._flushed(*flushes.pop(0))
            if pace:
                time.sleep(pace)
        flushes.append((n, self.store.flush()))
        for flush in flushes:
            self._flushed(*flush)
        self.say("done")

    def _flushed(self, n: int, flush: Waitable[None]) -> None:
        flush.wait(_FLUSH_SECONDS)
        self.say("flushed", n=n)

    def sync(self, seconds: float) -> None:
        """Wait until the peer itself says that it and its neighbours have each other's work."""
        assert self.peer is not None
        self.peer.synced().wait(seconds)
        self.say("synced")

    def report(self) -> None:
        self.say("report", **report(self.store))

    # News

    def _count(self, commit: Commit) -> None:
        self.changed = time.time()
        if commit.origin is None:
            self.made += len(commit.deltas)
        else:
            self.merged += len(commit.deltas)
        self.news.set()

    def _tell(self) -> None:
        while not self.ending.is_set():
            self.news.wait()
            self.news.clear()
            try:
                self.say("status", **self._status())
            except OSError:  # the director is gone, and so is standard input
                return
            self.ending.wait(_STATUS_SECONDS)

    def _status(self) -> dict[str, Any]:
        state: Board = self.store[board]
        digest = self.store.digest()  # after the state: it covers all that is said to be seen
        links = () if self.peer is None else self.peer.status.connected
        return {
            "digest": digest,
            "seen": {name: entry["n"] for name, entry in state.journal.items()},
            "todos": len(state.todos),
            "people": len(state.people),
            "votes": sum(todo.votes for todo in state.todos),
            "words": state.notes.count(" "),
            "tail": state.notes[-_TAIL:],
            "links": len(links),
            "made": self.made,
            "merged": self.merged,
            "worked": self.worked,
            "changed": self.changed,
        }

    def close(self) -> None:
        self.ending.set()
        self.news.set()
        self.teller.join(_FLUSH_SECONDS)
        self.end_tools()
        if self.peer is not None:
            self.peer.stop()
        self.store.close()


def main(orders: BinaryIO, out: BinaryIO) -> int:
    """Open a store as the first order says, and carry out the others until there are no more."""
    # Ctrl-C reaches every process of the terminal; it is for the director to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s: %(message)s")
    first = orders.readline()
    if not first:
        return 0
    worker = _Worker(out, **json.loads(first))
    known: Mapping[str, Callable[..., None]] = {
        "link": worker.link,
        "act": worker.act,
        "sync": worker.sync,
        "report": worker.report,
    }
    try:
        for line in orders:
            order = json.loads(line)
            known[order.pop("do")](**order)
    except Exception:
        traceback.print_exc()
        worker.say("failed", error=traceback.format_exc())
        return 1
    finally:
        worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer, sys.stdout.buffer))
