"""The tools that can show the demo: one server in the director's process, which every worker joins.

The server is in the one process that nobody kills, so what a killed process had told stays there.
They are an extra, and are imported only when they are asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crdtstore import CrdtstoreError, Store
from sync.peer import Peer

__all__ = ["ToolsError", "attached", "served"]


_LATENCY = 0.02  # seconds: what a process is killed before, nobody hears of


class ToolsError(Exception):
    """The tools cannot be shown."""


@contextmanager
def served(port: int | None) -> Iterator[str]:
    """Serve the tools at ``port`` (0: any that is free), or join who does, and yield their URL.

    Without a port there are none, and the URL is empty. Raises ToolsError, with what to do.
    """
    if port is None:
        yield ""
        return
    if not 0 <= port < 2**16:
        raise ToolsError(f"a port is 0 to 65535, not {port}")
    if importlib.util.find_spec("websockets") is None:
        raise ToolsError('websockets is not installed: pip install "crdtstore[devtools]"')
    station = importlib.import_module("sync.devtools.shown").station(None, "", port)
    try:
        station.start()
    except CrdtstoreError as error:
        raise ToolsError(str(error)) from error
    try:
        yield station.url
    finally:
        station.stop()


def attached(store: Store, peer: Peer, name: str, port: int) -> Callable[[], None]:
    """Show a store as ``name`` in the tools at ``port``; return what ends that.

    Begun before ``peer``, it misses nothing that is merged.
    """
    tools = importlib.import_module("sync.devtools.devtools").DevTools(
        store, peer, port=port, name=name, latency=_LATENCY
    )
    tools.start()
    stop: Callable[[], None] = tools.stop
    return stop
