"""Links between stores, ``Peer(store, listen="tcp://…", connect=["tcp://…"])``, and ``DevTools``.

``DevTools``, ``DevToolsStatus`` and ``DevToolsError`` are imported when they are first asked for,
because they need websockets, which the extra ``devtools`` brings.
"""

import importlib as _importlib
import typing as _typing

from sync.errors import (
    DivergenceError,
    LocalProtocolError,
    PeerConfigError,
    PeerError,
    PeerStoppedError,
    ProtocolError,
    RemoteProtocolError,
    TransportError,
)
from sync.limits import Limits
from sync.peer import Peer
from sync.status import LinkStatus, PeerStatus

if _typing.TYPE_CHECKING:
    from sync.devtools.devtools import DevTools as DevTools
    from sync.devtools.devtools import DevToolsStatus as DevToolsStatus
    from sync.devtools.server import DevToolsError as DevToolsError

__all__ = [
    "DivergenceError",
    "Limits",
    "LinkStatus",
    "LocalProtocolError",
    "Peer",
    "PeerConfigError",
    "PeerError",
    "PeerStatus",
    "PeerStoppedError",
    "ProtocolError",
    "RemoteProtocolError",
    "TransportError",
]

_TOOLS = {
    "DevTools": "sync.devtools.devtools",
    "DevToolsError": "sync.devtools.server",
    "DevToolsStatus": "sync.devtools.devtools",
}


def __getattr__(name: str) -> _typing.Any:
    """Import the tools."""
    if name not in _TOOLS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = _importlib.import_module(_TOOLS[name])
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "websockets":
            raise
        raise ImportError(
            f"sync.{name} needs websockets, which is not installed: "
            'pip install "crdtstore[devtools]"'
        ) from error
    return getattr(module, name)
