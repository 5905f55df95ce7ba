"""What must hold of a world that is quiet, and of what was promised while it was not.

Nothing here trusts digests alone: states are compared, stores are opened anew from copies of their
files, and what they show is held against what was done (``Stores.check``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .disk import Disk, Seen
from .process import Process

__all__ = ["check_links", "check_quiet", "covers", "is_quiet", "lacks", "union"]


def covers(mine: Seen, theirs: Seen, slices: Iterable[str] | None = None) -> bool:
    """Whether one has seen all that another has, in ``slices`` (by default all)."""
    for name in theirs if slices is None else slices:
        if name in theirs:
            clocks = mine.get(name, {})
            for client, clock in theirs[name].items():
                if clocks.get(client, 0) < clock:
                    return False
    return True


def lacks(mine: Seen, theirs: Seen) -> str:
    """What one lacks of another, for people."""
    return ", ".join(
        f"{name}: {mine.get(name, {}).get(client, 0)} of {clock} by {client}"
        for name, clocks in sorted(theirs.items())
        for client, clock in sorted(clocks.items())
        if mine.get(name, {}).get(client, 0) < clock
    )


def union(seen: Iterable[Seen]) -> Seen:
    """What has been seen by any of several."""
    whole: Seen = {}
    for each in seen:
        for name, clocks in each.items():
            known = whole.setdefault(name, {})
            for client, clock in clocks.items():
                if known.get(client, 0) < clock:
                    known[client] = clock
    return whole


def is_quiet(processes: list[Process], pairs: Iterable[tuple[int, int]]) -> str:
    """Why the world is not quiet yet; empty when it is."""
    for one, two in pairs:
        near, far = processes[one], processes[two]
        if near.store is None or far.store is None:
            return f"{near.name} or {far.name} is down"
        for a, b in ((near, far), (far, near)):
            assert b.store is not None
            session = b.store.session
            ends = [
                link
                for link in a.links
                if link.is_open
                and link.session.remote is not None
                and link.session.remote.session == session
            ]
            if not ends:
                return f"{a.name} has no open link to {b.name}"
            for link in ends:
                if link.exchange is None or not link.exchange.settled:
                    return f"{a.name} is not in sync with {b.name}: {describe(link)}"
    for process in processes:
        if process.peer is None or not process.peer.status.in_sync:
            return f"the status of {process.name} is not in sync"
    stores = [process.store for process in processes if process.store is not None]
    if len({store.digest() for store in stores}) > 1:
        return "digests differ"
    return ""


def describe(link: Any) -> str:
    """An exchange, for people."""
    exchange = link.exchange
    if exchange is None:
        return "no exchange"
    out, into = exchange.outgoing, exchange.incoming
    return (
        f"head {out.head} acked {out.acked} current {out.current} dropped {out.dropped}; "
        f"received {into.received} seen {into._seen} answered {into.answered} of {into._asked}; "
        f"suspect {sorted(exchange.audit.suspect)} diverged {sorted(exchange.audit.diverged)}"
    )


def check_links(processes: list[Process]) -> str:
    """Whether the queues are as bounded as the limits say; empty if so."""
    for process in processes:
        for link in process.links:
            exchange = link.exchange
            if exchange is None:
                continue
            limits = link._host.limits
            if exchange.outbox.delta_bytes > limits.queue_bytes:
                return f"{process.name} queues {exchange.outbox.delta_bytes} bytes of live deltas"
            if exchange.outbox.delta_bytes > exchange.outbox.queued_bytes:
                return f"{process.name} counts the bytes of a queue wrongly"
    return ""


def check_quiet(processes: list[Process], must: Seen, *, held: bool) -> str:
    """What is wrong with a quiet world; empty if nothing is.

    ``must`` is what was durable anywhere and may not be lost. ``held`` says that work was lost
    which deltas may wait for.
    """
    stores = [process.store for process in processes if process.store is not None]
    first = stores[0]
    for process, store in zip(processes, stores, strict=True):
        where = process.name
        if store.digest() != first.digest():
            return f"{where} has another digest than {processes[0].name}"
        if store.state != first.state:
            return f"{where} shows another state than {processes[0].name}, at equal digests"
        seen = process.stores.seen(store)
        if not covers(seen, must):
            return f"{where} has lost what was durable: {lacks(seen, must)}"
        vectors = store.state_vectors()
        for other, there in zip(processes, stores, strict=True):
            behind = there.deltas_since(vectors)
            if behind:
                return f"{where} is behind {other.name} in {sorted(behind)}"
        wrong = (
            process.stores.check(store)
            or _check_memory(process, held=held)
            or _check_reload(process)
        )
        if wrong:
            return f"{where}: {wrong}"
    return ""


def _check_memory(process: Process, *, held: bool) -> str:
    store = process.store
    assert store is not None
    assert process.peer is not None
    mesh = process.peer._mesh
    assert mesh is not None
    if mesh._commits or process.stores.waits(store):
        return "commits wait, though all is quiet"
    for link in process.links:
        exchange = link.exchange
        if exchange is not None and (exchange.outbox.queued_bytes or exchange.outbox):
            return f"{exchange.outbox.queued_bytes} bytes wait, though all is quiet"
        if exchange is not None and exchange.incoming._owed:
            return "acknowledgements are owed, though all is quiet"
    if not held and process.stores.holds(store):
        return "deltas are held that wait for others, though nothing is missing"
    return ""


def _check_reload(process: Process) -> str:
    store = process.store
    assert store is not None
    stores = process.stores
    again = stores.open(process.slices, Disk(process.file.copy(), lambda work: work(), lambda: ""))
    try:
        if again.digest() != store.digest():
            return "opened anew, it has another digest"
        if not stores.same(again, store):
            return "opened anew, it shows another state"
        if stores.seen(again) != stores.seen(store):
            return "opened anew, it has other clocks"
    finally:
        again.close()
    return ""
