"""Conversations that are held again and again, each for itself, and what is wrong with them.

One that fails is begun anew, after a pause that grows while it does not last, and takes no other
one with it. What went wrong is logged once and told to whoever asks, until it has worked for a
while.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from crdtstore import CrdtstoreError
from sync.devtools.server import Record, RefusedError

__all__ = ["Troubles", "keep", "pause"]

STEADY = 5.0
"""Seconds after which something works."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 10.0
"""Seconds between two attempts, at least and at most."""

_WHAT = {
    "/join": "what happens in the store cannot be told",
    "/socketcluster/": "Redux DevTools cannot be told what happens",
}


class Troubles:
    """What is wrong with the conversations of a program, by their paths."""

    def __init__(self) -> None:
        self._record = Record()
        self._texts: dict[str, str] = {}

    @property
    def text(self) -> str | None:
        """Say what is wrong now; ``None`` if nothing is."""
        return "; ".join(self._texts.values()) or None

    def failed(self, path: str, error: BaseException) -> None:
        """Note that a conversation failed, or was refused."""
        self._record.write(error)
        if isinstance(error, RefusedError):
            self._texts[path] = str(error)
        else:
            kind = "" if isinstance(error, CrdtstoreError) else f"{type(error).__name__}: "
            what = _WHAT.get(path, f"{path} fails")
            self._texts[path] = f"{what}, and is tried again: {kind}{error}"[:1_000]

    def works(self, path: str) -> None:
        """Note that a conversation works."""
        self._texts.pop(path, None)

    def clear(self) -> None:
        """Note that all begins anew."""
        self._texts.clear()


async def keep(
    path: str, hold: Callable[[], Awaitable[BaseException | None]], troubles: Troubles
) -> None:
    """Have a conversation held, again whenever it ends, until ``hold`` raises.

    ``hold`` returns when it ended, and why if it failed.
    """
    loop = asyncio.get_running_loop()
    attempts = 0
    while True:
        began = loop.time()
        steady = loop.call_later(STEADY, troubles.works, path)
        try:
            failure = await hold()
        finally:
            steady.cancel()
        attempts = 1 if loop.time() - began >= STEADY else attempts + 1
        if failure is not None:
            troubles.failed(path, failure)
            if isinstance(failure, RefusedError):
                attempts = 100
        await asyncio.sleep(pause(attempts, LONGEST_PAUSE))


def pause(attempts: int, longest: float) -> float:
    """Return how long to wait, in seconds, after so many attempts that did not last.

    Not all wait equally long: of many that lost their server one is to be the next.
    """
    most = min(longest, FIRST_PAUSE * 2 ** min(attempts, 20))
    return random.uniform(most / 4 if attempts > 1 else 0.0, most)
