"""Links between stores: ``Peer(store, listen="tcp://…", connect=["tcp://…"])``."""

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
