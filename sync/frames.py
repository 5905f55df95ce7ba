"""The frames of the protocol as frozen data; PROTOCOL.md says what each is for.

The same classes serve as commands (what ``Session.send`` takes) and as events (what
``Session.receive_data`` returns). Their bytes are the business of ``codec``, and when each is
allowed that of ``session``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from crdtstore import ActionInfo

__all__ = [
    "EXTENSIONS",
    "MAGIC",
    "VERSION",
    "Ack",
    "Bye",
    "Delta",
    "Diff",
    "Entry",
    "Extension",
    "Frame",
    "Greet",
    "Hello",
    "Part",
    "Ping",
    "Pong",
    "Proof",
    "Reason",
    "SliceInfo",
    "State",
    "Verdict",
]

MAGIC: Final = "crdtstore"
VERSION: Final = 1

EXTENSIONS: Final = range(64, 96)
"""Frame types that a receiver ignores unless it knows them: presence (64), signals (65), …"""


class Reason(StrEnum):
    """Why a connection was closed, as BYE says it."""

    STOPPING = "stopping"
    RESTART = "restart"
    DUPLICATE = "duplicate"
    SELF = "self"
    VERSION = "version"
    UNAUTHORISED = "unauthorised"
    NAMESPACE = "namespace"
    SCHEMA = "schema"
    MALFORMED = "malformed"
    CHECKSUM = "checksum"
    TOO_LARGE = "too-large"
    UNEXPECTED = "unexpected"
    BAD_UPDATE = "bad-update"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


class Verdict:
    """What comparing the digests of one slice at equal state vectors showed."""

    EQUAL: Final = 1
    UNEQUAL: Final = 2
    DIVERGED: Final = 3


@dataclass(frozen=True, slots=True)
class Greet:
    """The first frame of either side: the versions it speaks, and 32 bytes drawn for this link."""

    versions: tuple[int, ...]
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """That the sender knows the shared token, without showing it."""

    mac: bytes


@dataclass(frozen=True, slots=True)
class SliceInfo:
    """What a peer keeps under one slice name; ``kinds`` maps a path pattern to its kind."""

    generation: int
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hello:
    """Who the sender is and what it replicates; ``message_bytes`` is the largest it accepts."""

    replica: str
    session: str
    namespace: str
    slices: Mapping[str, SliceInfo]
    message_bytes: int
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One slice in a STATE; ``repaired`` says that the other side's whole was merged already."""

    vector: bytes
    digest: bytes | None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """“This is what I have, durably; send me what I lack.” Numbered by the asker from 1."""

    id: int
    slices: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Diff:
    """The answer to one STATE: with it, the asker has all that the answerer has."""

    number: int
    answers: int
    deltas: Mapping[str, bytes]
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Delta:
    """One commit, all its slices together."""

    number: int
    deltas: Mapping[str, bytes]
    info: ActionInfo | None


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to ``number`` of the other side's DELTAs and DIFFs is durable here."""

    number: int


@dataclass(frozen=True, slots=True)
class Ping:
    """“Are you there?” ``head``: last number sent; ``acked``: last number acknowledged."""

    id: int
    head: int
    acked: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the ping of that id."""

    id: int
    head: int
    acked: int


@dataclass(frozen=True, slots=True)
class Bye:
    """The sender closes the connection; ``reason`` is a short fixed name, ``detail`` for people."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Piece ``index`` of ``count`` of a message too long for one frame."""

    series: int
    index: int
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Extension:
    """A frame of the extension range, unread; ``body`` is the whole msgpack array."""

    type: int
    body: bytes


Frame: TypeAlias = (
    Greet | Proof | Hello | State | Diff | Delta | Ack | Ping | Pong | Bye | Part | Extension
)
