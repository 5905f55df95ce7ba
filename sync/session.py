"""One end of one link as a state machine: bytes in, events out; no clock, socket or randomness.

Both sides walk the same table, ``TRANSITIONS``: GREET tells the versions and a nonce, PROOF shows
that the token is known without showing it, HELLO says who is there and what is replicated, and
then the link is open. Nothing but a GREET, a PROOF and a BYE is read from a side that has not
proved itself, and those in small frames only. The rules:

1. The initiator proves itself first, so that a stranger who connects learns nothing that a token
   could be guessed from.
2. Everything after the PROOFs is tagged with keys made from the token and both nonces, one key a
   direction, so frames of another session, direction or author are damage like any other.
3. Bytes that are wrong in any way raise ``RemoteProtocolError`` with a close reason, and nothing
   else; the session is closed then and ``data_to_send`` holds the BYE to send.
4. A closed session reads and sends nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Final, TypeAlias

from .errors import LocalProtocolError, RemoteProtocolError
from .frames import (
    VERSION,
    Ack,
    Bye,
    Delta,
    Diff,
    Extension,
    Frame,
    Greet,
    Hello,
    Ping,
    Pong,
    Proof,
    Reason,
    SliceInfo,
    State,
)
from .limits import Limits
from .wire import Decoder, Encoder

__all__ = ["TRANSITIONS", "Closed", "Event", "Message", "Opened", "Phase", "Role", "Session"]


class Role(Enum):
    """Which side of the connection this is: they differ only in who proves itself first."""

    INITIATOR = b"initiator"
    ACCEPTOR = b"acceptor"

    @property
    def other(self) -> Role:
        return Role.ACCEPTOR if self is Role.INITIATOR else Role.INITIATOR


class Phase(Enum):
    """Where the conversation is, by what is expected next from the other side."""

    GREETING = "greeting"
    PROVING = "proving"
    INTRODUCING = "introducing"
    OPEN = "open"
    CLOSED = "closed"


TRANSITIONS: Final[Mapping[Phase, Mapping[type, Phase]]] = {
    Phase.GREETING: {Greet: Phase.PROVING, Bye: Phase.CLOSED},
    Phase.PROVING: {Proof: Phase.INTRODUCING, Bye: Phase.CLOSED},
    Phase.INTRODUCING: {Hello: Phase.OPEN, Bye: Phase.CLOSED},
    Phase.OPEN: {
        State: Phase.OPEN,
        Diff: Phase.OPEN,
        Delta: Phase.OPEN,
        Ack: Phase.OPEN,
        Ping: Phase.OPEN,
        Pong: Phase.OPEN,
        Extension: Phase.OPEN,
        Bye: Phase.CLOSED,
    },
    Phase.CLOSED: {},
}
"""What may be received in each phase, and the phase it leads to."""

SENDABLE: Final = (State, Diff, Delta, Ack, Ping, Pong, Extension)


@dataclass(frozen=True, slots=True)
class Opened:
    """Both HELLOs are there; ``shared`` are the slices that travel on this link."""

    hello: Hello
    shared: frozenset[str]


@dataclass(frozen=True, slots=True)
class Closed:
    """The other side said BYE."""

    reason: str
    detail: str


Message: TypeAlias = State | Diff | Delta | Ack | Ping | Pong | Extension
"""What open sessions say to each other."""

Event: TypeAlias = Opened | Closed | Message


class Session:
    """One end of one link; ``nonce`` is 32 random bytes that were never used before."""

    def __init__(
        self, role: Role, hello: Hello, *, nonce: bytes, token: str | None, limits: Limits
    ) -> None:
        self.role = role
        self.hello = hello
        self.phase = Phase.GREETING
        self.remote: Hello | None = None
        self.shared: frozenset[str] = frozenset()
        self.link_id = b""
        """The same 16 bytes on both sides and on no other link, once both nonces are known."""
        self.frames_out = 0
        self._limits = limits
        self._token = (token or "").encode()
        self._nonce = nonce
        self._nonces = b""
        self._encoder = Encoder(limits.part_bytes)
        self._decoder = Decoder(limits.greeting_bytes)
        self._out: list[bytes] = []
        self._put(Greet((VERSION,), nonce))

    @property
    def closed(self) -> bool:
        """Whether this side or the other has said BYE."""
        return self.phase is Phase.CLOSED

    @property
    def authenticated(self) -> bool:
        """Whether the other side has proved that it knows the token."""
        return self.phase in (Phase.INTRODUCING, Phase.OPEN)

    # ---- sending ----

    def send(self, frame: Frame) -> list[bytes]:
        """The bytes of ``frame``, in pieces between which other frames may be sent.

        Raises LocalProtocolError when the link is not open, when the frame belongs to the
        handshake, or when it is larger than what the other side accepts.
        """
        if self.phase is not Phase.OPEN or not isinstance(frame, SENDABLE):
            raise LocalProtocolError(
                f"{type(frame).__name__} cannot be sent while the session is {self.phase.value}"
            )
        pieces = self._encoder.encode(frame)
        self.frames_out += 1
        if len(pieces) > 1:
            assert self.remote is not None
            size = sum(map(len, pieces))
            if size > self.remote.message_bytes:
                raise LocalProtocolError(
                    f"a message of {size} bytes, and {self.remote.replica} accepts at most "
                    f"{self.remote.message_bytes}; raise limits.message_bytes over there"
                )
        return pieces

    def close(self, reason: str, detail: str = "") -> None:
        """Say BYE, unless the session is closed already; the bytes are in ``data_to_send``."""
        if not self.closed:
            self._put(Bye(reason, detail))
            self.phase = Phase.CLOSED

    @property
    def has_data_to_send(self) -> bool:
        """Whether ``data_to_send`` is not empty."""
        return bool(self._out)

    def data_to_send(self) -> bytes:
        """What the session itself has to say: its part of the handshake, and BYE."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _put(self, frame: Frame) -> None:
        self._out += self._encoder.encode(frame)

    # ---- receiving ----

    def receive_data(self, data: bytes) -> list[Event]:
        """The events that ``data`` completes; raises RemoteProtocolError on bad bytes."""
        events: list[Event] = []
        try:
            if not self.closed:
                for frame in self._decoder.frames(data):
                    event = self._receive(frame)
                    if event is not None:
                        events.append(event)
                    if self.closed:
                        break
        except RemoteProtocolError as error:
            self.close(error.reason, error.detail)
            raise
        return events

    def _receive(self, frame: Frame) -> Event | None:
        after = TRANSITIONS[self.phase].get(type(frame))
        if after is None:
            raise RemoteProtocolError(
                Reason.UNEXPECTED, f"{type(frame).__name__} while {self.phase.value}"
            )
        event: Event | None = None
        match frame:
            case Delta(_, deltas, _):
                self._check_shared(deltas)
                event = frame
            case Diff(_, _, deltas, verdicts):
                self._check_shared(deltas)
                self._check_shared(verdicts)
                event = frame
            case State(_, slices):
                if slices.keys() != self.shared:
                    raise RemoteProtocolError(
                        Reason.UNEXPECTED, "a STATE names every shared slice and no other"
                    )
                event = frame
            case Bye(reason, detail):
                event = Closed(reason, detail)
            case Greet():
                self._greeted(frame)
            case Proof():
                self._proved(frame)
            case Hello():
                event = self._introduced(frame)
            case Ack() | Ping() | Pong() | Extension():
                event = frame
        self.phase = after
        return event

    def _check_shared(self, slices: Mapping[str, object]) -> None:
        if not slices.keys() <= self.shared:
            names = ", ".join(sorted(slices.keys() - self.shared))
            raise RemoteProtocolError(Reason.UNEXPECTED, f"not shared on this link: {names}"[:500])

    # ---- the handshake ----

    def _greeted(self, greet: Greet) -> None:
        if VERSION not in greet.versions:
            spoken = ", ".join(map(str, greet.versions))
            raise RemoteProtocolError(
                Reason.VERSION, f"this side speaks protocol version {VERSION}, the other {spoken}"
            )
        if greet.nonce == self._nonce:
            raise RemoteProtocolError(Reason.SELF, "the greeting came back: connected to itself")
        pair = (self._nonce, greet.nonce)
        self._nonces = b"".join(pair if self.role is Role.INITIATOR else reversed(pair))
        self.link_id = blake2b(self._nonces, digest_size=16).digest()
        if self.role is Role.INITIATOR:
            self._put(Proof(self._mac(b"proof", self.role)))

    def _proved(self, proof: Proof) -> None:
        if not hmac.compare_digest(proof.mac, self._mac(b"proof", self.role.other)):
            raise RemoteProtocolError(
                Reason.UNAUTHORISED, "the two sides have different tokens, or one has none"
            )
        if self.role is Role.ACCEPTOR:
            self._put(Proof(self._mac(b"proof", self.role)))
        self._encoder.use_key(self._mac(b"frames", self.role))
        self._decoder.use_key(self._mac(b"frames", self.role.other))
        self._decoder.frame_bytes = self._limits.frame_bytes
        self._decoder.message_bytes = self._limits.message_bytes
        self._put(self.hello)

    def _mac(self, purpose: bytes, author: Role) -> bytes:
        message = b"\0".join((b"crdtstore/%d" % VERSION, purpose, author.value, self._nonces))
        return hmac.digest(self._token, message, "sha256")

    def _introduced(self, hello: Hello) -> Opened:
        own = self.hello
        if hello.session == own.session:
            raise RemoteProtocolError(
                Reason.SELF, f"both ends are session {own.session}: connected to itself, or a clone"
            )
        if hello.namespace != own.namespace:
            raise RemoteProtocolError(
                Reason.NAMESPACE,
                f"this side is in namespace {own.namespace!r}, the other in {hello.namespace!r}",
            )
        self.remote = hello
        self.shared = frozenset(
            name
            for name in own.slices.keys() & hello.slices.keys()
            if _compatible(name, own.slices[name], hello.slices[name])
        )
        return Opened(hello, self.shared)


def _compatible(name: str, own: SliceInfo, other: SliceInfo) -> bool:
    """Whether the slice can be shared; raises RemoteProtocolError for a changed kind."""
    for path in sorted(own.kinds.keys() & other.kinds.keys()):
        if own.kinds[path] != other.kinds[path]:
            raise RemoteProtocolError(
                Reason.SCHEMA,
                f"{name}.{path} is {own.kinds[path]} on this side and {other.kinds[path]} on the "
                "other; give the changed field a new name",
            )
    return own.generation == other.generation
