"""Two processes and a loopback TCP link: how long one edit takes, and how many go through.

The other process has a store of its own, a ``Peer`` with its thread, and an asyncio echo server on
another thread with the same kind of event loop. Both processes read one monotonic clock
(``time.perf_counter_ns`` counts from one start for the whole machine), so an edit carries the time
of its dispatch, and the remote subscriber subtracts. Edits and echoes take turns, one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from statistics import quantiles
from time import perf_counter_ns

from benchmarks.app import bench, increment, tick
from benchmarks.rows import Row, spaced
from benchmarks.scale import Scale
from benchmarks.timing import Figure, summary
from crdtstore import Store, configure_store
from sync import Peer

__all__ = ["latency", "throughput"]

_PATIENCE = 120.0  # seconds; nothing takes that long
_ECHOED = bytes(100)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Make the kind of loop that peers use."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    return loop


# The other process


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            writer.write(await reader.readexactly(len(_ECHOED)))
    writer.close()


def _serve_echo() -> int:
    """Serve echoes on a daemon thread; returns the port."""
    loop = _new_loop()
    server = loop.run_until_complete(asyncio.start_server(_echo, "127.0.0.1", 0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    port: int = server.sockets[0].getsockname()[1]
    return port


def _other_process(address: str, pipe: Connection) -> None:
    """Follow the peer at ``address``; tell of every tick, and when a counter is where asked."""
    with configure_store([bench]) as store:
        goal: list[int] = []
        last = [0]
        merges = [0]

        def listen() -> None:
            now = perf_counter_ns()
            state = store[bench]
            if state.sent != last[0]:
                last[0] = state.sent
                pipe.send(now - state.sent)
            elif goal and state.count >= goal[0]:
                goal.clear()
                pipe.send((now, merges[0]))

        def count(commit: object) -> None:
            merges[0] += 1

        store.on_commit(count)
        store.subscribe(listen)
        with Peer(store, connect=address) as peer:
            peer.synced().wait(_PATIENCE)
            pipe.send(_serve_echo())
            with contextlib.suppress(EOFError):
                while True:
                    goal.append(pipe.recv())
                    merges[0] = 0
                    pipe.send(None)


# This process


@contextlib.contextmanager
def _linked() -> Iterator[tuple[Store, Connection, int]]:
    """A store with a linked one in another process; yields it, the pipe, and the echo's port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with configure_store([bench]) as store, Peer(store, listen="tcp://127.0.0.1:0") as peer:
        process = context.Process(
            target=_other_process, args=(peer.addresses[0], theirs), daemon=True
        )
        process.start()
        theirs.close()
        try:
            yield store, ours, _receive(ours)
        finally:
            ours.close()
            process.join(_PATIENCE)
            if process.is_alive():
                process.kill()


def _receive(pipe: Connection) -> int:
    if not pipe.poll(_PATIENCE):
        raise TimeoutError("the other process has not answered")
    answer: int = pipe.recv()
    return answer


def latency(scale: Scale) -> list[Row]:
    """Dispatch here, a subscriber there."""
    edits: list[float] = []
    echoes: list[float] = []
    loop = _new_loop()
    with _linked() as (store, pipe, port):
        reader, writer = loop.run_until_complete(asyncio.open_connection("127.0.0.1", port))

        async def echo() -> int:
            start = perf_counter_ns()
            writer.write(_ECHOED)
            await reader.readexactly(len(_ECHOED))
            return perf_counter_ns() - start

        warmup = scale.latencies // 10
        for number in range(warmup + scale.latencies):
            store.dispatch(tick(perf_counter_ns()))
            edit = _receive(pipe)
            echoed = loop.run_until_complete(echo())
            if number >= warmup:
                edits.append(edit)
                echoes.append(echoed / 2)
        writer.close()
        loop.run_until_complete(writer.wait_closed())
    loop.close()
    taken, floor = summary(edits, "ns"), summary(echoes, "ns")
    ratio = taken.value / floor.value
    slow, slow_floor = _p99(edits), _p99(echoes)
    return [
        Row(
            "local edit to remote subscriber, p50",
            taken,
            floor,
            "half an asyncio echo of 100 bytes",
            summary([ratio], "x"),
            "≤ 2.5×",
            ratio <= 2.5,
            "two processes on loopback TCP, storage in memory, "
            + ("uvloop" if find_spec("uvloop") else "asyncio's own loop"),
        ),
        Row(
            "local edit to remote subscriber, p99",
            slow,
            slow_floor,
            "",
            summary([slow.value / slow_floor.value], "x"),
        ),
    ]


def _p99(values: list[float]) -> Figure:
    return summary([quantiles(values, n=100, method="inclusive")[98]], "ns")


def throughput(scale: Scale) -> list[Row]:
    """Dispatch as fast as it goes; count until the remote subscriber has seen the last one."""
    rates: list[float] = []
    local: list[float] = []
    merges: list[int] = []
    with _linked() as (store, pipe, _):
        for _ in range(3):
            pipe.send(store[bench].count + scale.stream)
            _receive(pipe)
            start = perf_counter_ns()
            for _ in range(scale.stream):
                store.dispatch(increment())
            dispatched = perf_counter_ns()
            end, merged = _receive_pair(pipe)
            rates.append(scale.stream * 1e9 / (end - start))
            local.append(scale.stream * 1e9 / (dispatched - start))
            merges.append(merged)
    rate = summary(rates, "/s")
    return [
        Row(
            "sustained replication, edits a second end to end",
            rate,
            target="≥ 60 000/s",
            met=rate.value >= 60_000,
            note=f"two processes on loopback TCP; {spaced(scale.stream)} edits, three times; "
            f"dispatched at {spaced(summary(local, '/s').value)}/s; the last run arrived in "
            f"{merges[-1]} commits",
        )
    ]


def _receive_pair(pipe: Connection) -> tuple[int, int]:
    if not pipe.poll(_PATIENCE):
        raise TimeoutError("the edits have not all arrived")
    answer: tuple[int, int] = pipe.recv()
    return answer
