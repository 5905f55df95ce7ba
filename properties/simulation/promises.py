"""What peers promise while everything goes wrong, held against what the disks hold.

``replicated`` and ``synced`` are asked now and then. Besides, each acknowledgement is a promise by
itself (rules 2 and 8 of PROTOCOL.md): one in a few is watched from the moment its frame was sent.
A file that lost durable work meanwhile, by a restored backup for one, excuses who promised.
"""

from __future__ import annotations

import concurrent.futures
from dataclasses import dataclass
from typing import Any

from sync.errors import PeerStoppedError
from sync.outgoing import Outgoing

from .checks import covers, lacks
from .disk import File, Seen
from .process import Process
from .scene import Scene

__all__ = ["Promises"]


@dataclass(frozen=True, slots=True)
class _Watch:
    """What must be in a file once a frame is acknowledged."""

    head: int
    seen: Seen
    near: str
    far: str
    file: File
    losses: int


class Promises:
    """The promises of one world."""

    def __init__(self, world: Scene) -> None:
        self.world = world
        self._watches: dict[Outgoing, _Watch] = {}

    def acknowledged(self, outgoing: Outgoing) -> None:
        """An acknowledgement came to ``outgoing``."""
        watch = self._watches.get(outgoing)
        if watch is None:
            if self.world.rng.random() < 0.25:
                watch = self.watch(outgoing)
                if watch is not None:
                    self._watches[outgoing] = watch
        elif outgoing.acked >= watch.head:
            del self._watches[outgoing]
            self.check(watch)

    def ask(self, process: Process) -> bool:
        store, peer = process.store, process.peer
        if store is None or peer is None or not process.awake or process.ends is None:
            return False
        stores, injected = self.world.stores, self.world.stores.injected
        losses, crashes, mine = self.world.losses, self.world.crashes, {**stores.seen(store)}
        others = [other for other in self.world.processes if other is not process]
        links = [link for link in process.links if link.is_open]
        remotes = [link.session.remote for link in links]
        if any(remote is not None and remote.session in self.world.bereft for remote in remotes):
            return False  # what it acknowledged was durable then; nobody told yet of its end
        if not (
            all(injected in each.slices for each in self.world.processes)
            and all(injected in link.session.shared for link in links)
        ):
            mine.pop(injected, None)  # what does not travel is not promised
        if self.world.rng.random() < 0.7:
            count = self.world.rng.randint(1, max(1, len(others) - 1))
            given = peer.replicated(to=count)
            self.world.say(f"{process.name} waits for replicated(to={count})")

            def check() -> None:
                there = [other for other in others if covers(other.file.seen, mine)]
                if len(there) < count and self.world.losses == losses:
                    self.world.fail(
                        f"replicated(to={count}) at {process.name} is done, and it is durable at "
                        f"{[o.name for o in there]}; "
                        + "; ".join(f"{o.name} lacks {lacks(o.file.seen, mine)}" for o in others)
                    )
        else:
            theirs: list[tuple[Process, Seen]] = []
            for link in links:
                for other in others:
                    remote = link.session.remote
                    there = other.store
                    if remote is not None and there is not None and there.session == remote.session:
                        seen = stores.seen(there)
                        theirs.append((other, {name: seen[name] for name in link.session.shared}))
            given = peer.synced()
            self.world.say(f"{process.name} waits for synced()")

            def check() -> None:
                now = stores.seen(store)
                for other, seen in theirs:
                    if self._twins(other):
                        continue  # a copy of its file, by the same name, may have spoken for it
                    if self.world.crashes == crashes and not covers(now, seen):
                        self.world.fail(
                            f"synced() at {process.name} is done, and it lacks {lacks(now, seen)} "
                            f"of {other.name}"
                        )

        def done(waitable: Any) -> None:
            try:
                waitable.wait(0)
            except (PeerStoppedError, concurrent.futures.CancelledError):
                return
            except Exception as error:
                self.world.fail(f"a promise of {process.name} failed: {error!r}")
                return
            self.world.result.promises += 1
            check()

        given.on_done(done)
        return True

    def _twins(self, process: Process) -> bool:
        """Whether another process has a copy of this one's file."""
        name = process.file.replica
        return sum(each.file.replica == name for each in self.world.processes) > 1

    def watch(self, outgoing: Outgoing) -> _Watch | None:
        """Note what the other side promises by acknowledging all that was sent so far."""
        session = outgoing._session
        near = self._by_session(session.hello.session)
        far = None if session.remote is None else self._by_session(session.remote.session)
        if near is None or far is None or near.peer is None or near.peer._mesh is None:
            return None
        if near.peer._mesh._draining or outgoing.target(0) is None:
            return None
        seen = {name: clocks for name, clocks in near.file.seen.items() if name in session.shared}
        return _Watch(outgoing.head, seen, near.name, far.name, far.file, self.world.losses)

    def _by_session(self, session: str) -> Process | None:
        for process in self.world.processes:
            if process.store is not None and process.store.session == session:
                return process
        return None

    def check(self, watch: _Watch) -> None:
        """It was acknowledged: is it there?"""
        self.world.result.promises += 1
        if watch.losses == self.world.losses and not covers(watch.file.seen, watch.seen):
            self.world.fail(
                f"{watch.far} acknowledged frame {watch.head} of {watch.near}, and its disk lacks "
                f"{lacks(watch.file.seen, watch.seen)}"
            )
