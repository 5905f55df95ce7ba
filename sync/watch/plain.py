"""The feed as lines of text, for pipes, logs and terminals that cannot do more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import aclosing

from sync.watch.connection import Connection, Lost
from sync.watch.lines import lines_of
from sync.watch.model import Model

__all__ = ["follow"]


async def follow(url: str, *, peer: str = "", slices: Sequence[str] = ()) -> None:
    """Print the events at ``url`` as they come, until interrupted.

    News of the connection go to standard error. Raises ``Unreachable`` and ``FeedError``, and
    ``BrokenPipeError`` when nobody reads any more.
    """
    connection, model = Connection(url), Model()
    lost = False
    async with aclosing(connection.messages()) as messages:
        async for message in messages:
            if isinstance(message, Lost):
                if not lost:
                    _tell(f"lost {url} ({message.why}); trying again")
                lost = True
                continue
            if lost:
                _tell(f"connected to {url} again")
                lost = False
            news = model.receive(message)
            if news.ask_since is not None:
                await connection.send({"type": "since", "n": news.ask_since})
            for line in lines_of(news, model, peer=peer, slices=slices):
                print(line)
            sys.stdout.flush()


def _tell(text: str) -> None:
    print(f"crdtstore watch: {text}", file=sys.stderr, flush=True)
