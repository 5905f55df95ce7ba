"""Everything random in the code under test, drawn from the seed of the simulation.

Session ids, nonces, incarnations and the jitter of reconnecting come from ``secrets`` and
``random``. While ``seeded`` lasts they come from one ``random.Random``, so a run is a function of
its seed. Compaction, which a store does on a thread, happens on its process's event loop instead,
and the transports are joined by ``sim://``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from sync.transports import TRANSPORTS, Transport

__all__ = ["seeded"]


class _Thread:
    """A thread that runs its work on the loop of its process, a moment later."""

    pause: Callable[[], float]

    def __init__(
        self, *, target: Callable[..., None], args: tuple[Any, ...], name: str, daemon: bool
    ) -> None:
        self._work: Callable[[], None] | None = lambda: target(*args)

    def start(self) -> None:
        """Begin soon."""
        asyncio.get_running_loop().call_later(self.pause(), self.join)

    def join(self) -> None:
        """Do the work, unless that has happened."""
        work, self._work = self._work, None
        if work is not None:
            work()

    def is_alive(self) -> bool:
        """Whether the work is still to be done."""
        return self._work is not None


@contextmanager
def seeded(rng: Random, transport: Transport, *, compact_after: int) -> Iterator[None]:
    """Patch the code under test; ``compact_after`` is how many records make a log too long."""

    def new_client_id() -> int:
        return rng.randrange(1, 2**53 - 1)

    secrets = SimpleNamespace(
        token_bytes=rng.randbytes, token_hex=lambda count: rng.randbytes(count).hex()
    )
    thread = type("Thread", (_Thread,), {"pause": staticmethod(lambda: rng.random() / 20)})
    patches = {
        "crdtstore.store.new_client_id": new_client_id,
        "crdtstore.slot.new_client_id": new_client_id,
        "crdtstore.housekeeping.new_client_id": new_client_id,
        "properties.simulation.light_store.new_client_id": new_client_id,
        "crdtstore.document.secrets": secrets,
        "crdtstore.housekeeping.threading": SimpleNamespace(
            Thread=thread, current_thread=lambda: None
        ),
        "crdtstore.housekeeping.CHECK_EVERY": 64,
        "crdtstore.housekeeping.MOST_RECORDS": compact_after,
        "sync.mesh.secrets": secrets,
        "sync.mesh.random": SimpleNamespace(uniform=rng.uniform),
    }
    with ExitStack() as stack:
        for name, value in patches.items():
            stack.enter_context(mock.patch(name, value))
        stack.enter_context(mock.patch.dict(TRANSPORTS, {"sim": transport}))
        yield
