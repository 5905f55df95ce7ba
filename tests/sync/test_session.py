"""The handshake and the phases of a session."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import count

import pytest

from sync.codec import encode
from sync.errors import LocalProtocolError, RemoteProtocolError
from sync.frames import (
    Ack,
    Bye,
    Delta,
    Diff,
    Entry,
    Extension,
    Frame,
    Greet,
    Hello,
    Ping,
    Proof,
    SliceInfo,
    State,
)
from sync.limits import Limits
from sync.session import TRANSITIONS, Closed, Event, Opened, Phase, Role, Session
from sync.wire import Encoder

_nonces = count(1)
_HELLO = Hello("replica", "", "default", {"a": SliceInfo(0, {"n": "counter"})}, 10_000)


def hello(session: str, **changes: object) -> Hello:
    return replace(_HELLO, session=session, **changes)  # type: ignore[arg-type]


def pair(
    one: Hello | None = None,
    two: Hello | None = None,
    tokens: tuple[str | None, str | None] = (None, None),
    limits: Limits | None = None,
) -> tuple[Session, Session]:
    limits = limits or replace(Limits(), part_bytes=1000)
    return (
        Session(
            Role.INITIATOR,
            one or hello("s1"),
            nonce=next(_nonces).to_bytes(32, "big"),
            token=tokens[0],
            limits=limits,
        ),
        Session(
            Role.ACCEPTOR,
            two or hello("s2"),
            nonce=next(_nonces).to_bytes(32, "big"),
            token=tokens[1],
            limits=limits,
        ),
    )


def talk(one: Session, two: Session) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways until neither has anything to say."""
    heard: tuple[list[Event], list[Event]] = ([], [])
    while True:
        first, second = one.data_to_send(), two.data_to_send()
        if not first and not second:
            return heard
        heard[0].extend(one.receive_data(second))
        heard[1].extend(two.receive_data(first))


@pytest.mark.parametrize("token", [None, "secret", "ключ"])
def test_two_sessions_open(token: str | None) -> None:
    """Both sides end open, know each other, and call the link by the same name."""
    one, two = pair(tokens=(token, token))
    heard = talk(one, two)
    assert heard == (
        [Opened(two.hello, frozenset("a"))],
        [Opened(one.hello, frozenset("a"))],
    )
    assert one.phase is two.phase is Phase.OPEN
    assert one.link_id == two.link_id != b""
    (piece,) = one.send(Ping(1, 2, 3))
    assert two.receive_data(piece) == [Ping(1, 2, 3)]


def test_the_token_is_never_on_the_wire() -> None:
    """What a listener sees contains neither the token nor anything that repeats."""
    said = []
    for _ in range(2):
        one, two = pair(tokens=("open sesame",) * 2)
        data = b""
        while one.phase is not Phase.OPEN or two.phase is not Phase.OPEN:
            first, second = one.data_to_send(), two.data_to_send()
            data += first + second
            one.receive_data(second)
            two.receive_data(first)
        assert b"open sesame" not in data
        said.append(data)
    assert said[0] != said[1]


def test_the_initiator_proves_itself_first() -> None:
    """A stranger who connects gets no proof to guess a token from."""
    one, two = pair(tokens=("guess", "right"))
    greeting = two.data_to_send()
    two.receive_data(one.data_to_send())
    assert two.data_to_send() == b""
    one.receive_data(greeting)
    with pytest.raises(RemoteProtocolError, match="unauthorised"):
        two.receive_data(one.data_to_send())
    (bye,) = one.receive_data(two.data_to_send())
    assert isinstance(bye, Closed)
    assert bye.reason == "unauthorised"


def test_a_reflected_conversation_is_refused() -> None:
    """Sending a session its own frames back proves nothing."""
    one, _ = pair(tokens=("secret",) * 2)
    with pytest.raises(RemoteProtocolError, match="self"):
        one.receive_data(one.data_to_send())
    one, two = pair(tokens=("secret",) * 2)
    two.receive_data(one.data_to_send())
    one.receive_data(two.data_to_send())
    proof = one.data_to_send()
    with pytest.raises(RemoteProtocolError, match="unauthorised"):
        one.receive_data(proof)


def test_frames_of_another_session_are_damage() -> None:
    """A recorded frame cannot be played into another link, nor back to its author."""
    one, two = pair(tokens=("secret",) * 2)
    talk(one, two)
    recorded = one.send(Ping(1, 0, 0))[0]
    three, four = pair(tokens=("secret",) * 2)
    talk(three, four)
    for session in (four, one):
        with pytest.raises(RemoteProtocolError, match="checksum"):
            session.receive_data(recorded)


@pytest.mark.parametrize(
    ("one", "two", "reason"),
    [
        ({"namespace": "x"}, {}, "namespace"),
        ({"session": "same"}, {"session": "same"}, "self"),
        ({"slices": {"a": SliceInfo(0, {"n": "register"})}}, {}, "schema"),
    ],
)
def test_what_cannot_work_together_closes_with_its_reason(
    one: dict[str, object], two: dict[str, object], reason: str
) -> None:
    """Both sides learn the same reason."""
    first, second = pair(
        hello(**{"session": "s1", **one}),  # type: ignore[arg-type]
        hello(**{"session": "s2", **two}),  # type: ignore[arg-type]
    )
    with pytest.raises(RemoteProtocolError) as caught:
        talk(first, second)
    assert caught.value.reason == reason
    assert Phase.CLOSED in (first.phase, second.phase)


def test_another_version_is_refused() -> None:
    """The message names the versions of both sides."""
    one, _ = pair()
    greeting = Encoder(1000).encode(Greet((2, 3), b"x" * 32))[0]
    with pytest.raises(RemoteProtocolError, match="version 1, the other 2, 3"):
        one.receive_data(greeting)
    newer, _ = pair()
    newer.receive_data(Encoder(1000).encode(Greet((1, 2), b"x" * 32))[0])
    assert newer.phase is Phase.PROVING


def test_only_common_slices_of_one_generation_are_shared() -> None:
    """A slice or path that only one side has is no conflict."""
    kinds = {"n": "counter"}
    one = hello("s1", slices={n: SliceInfo(0, {**kinds, "x": "text"}) for n in "abc"})
    two = hello("s2", slices={"a": SliceInfo(0, kinds), "b": SliceInfo(1, kinds)})
    first, second = pair(one, two)
    talk(first, second)
    assert first.shared == second.shared == {"a"}


HANDSHAKE: list[Frame] = [Greet((1,), b"x" * 32), Proof(b"y" * 32), hello("s3")]
OPEN: list[Frame] = [
    State(1, {"a": Entry(b"\x00", None)}),
    Diff(1, 1, {}, {}),
    Delta(1, {"a": b"x"}, None),
    Ack(1),
    Ping(1, 0, 0),
    Extension(64, b"\x91\x40"),
]


@pytest.mark.parametrize("phase", list(TRANSITIONS))
def test_only_what_the_table_allows_is_received(phase: Phase) -> None:
    """Every other frame is “unexpected”, in every phase."""
    for frame in [*HANDSHAKE, *OPEN, Bye("stopping")]:
        one, two = pair()
        if phase in (Phase.OPEN, Phase.CLOSED):
            talk(one, two)
        one.phase = phase
        piece = one._decoder._hash.copy()
        body = encode(frame)
        piece.update(body)
        data = len(body).to_bytes(4, "big") + piece.digest() + body
        if phase is Phase.CLOSED:
            assert one.receive_data(data) == []
        elif type(frame) in TRANSITIONS[phase]:
            after = TRANSITIONS[phase][type(frame)]
            if isinstance(frame, Proof):  # not a right one
                after = Phase.CLOSED
            with suppress(RemoteProtocolError):
                one.receive_data(data)
            assert one.phase is after
        else:
            with pytest.raises(RemoteProtocolError, match="unexpected"):
                one.receive_data(data)


@pytest.mark.parametrize(
    "frame",
    [
        State(1, {}),
        State(1, {"a": Entry(b"\x00", None), "b": Entry(b"\x00", None)}),
        Diff(1, 1, {"b": b""}, {}),
        Diff(1, 1, {}, {"b": 1}),
        Delta(1, {"b": b""}, None),
    ],
)
def test_slices_that_are_not_shared_are_refused(frame: Frame) -> None:
    """STATE names every shared slice; no frame names another."""
    one, two = pair()
    talk(one, two)
    with pytest.raises(RemoteProtocolError, match="unexpected"):
        two.receive_data(b"".join(one.send(frame)))


def test_sending_out_of_turn_is_our_own_mistake() -> None:
    """Not before the link is open, not after, and no handshake frames by hand."""
    one, two = pair()
    with pytest.raises(LocalProtocolError, match="greeting"):
        one.send(Ping(1, 0, 0))
    talk(one, two)
    with pytest.raises(LocalProtocolError, match="Hello"):
        one.send(hello("s1"))
    one.close("stopping")
    with pytest.raises(LocalProtocolError, match="closed"):
        one.send(Ping(1, 0, 0))


def test_a_message_the_other_side_does_not_accept_is_not_sent() -> None:
    """The error says which limit to raise, and where."""
    one, two = pair(two=hello("s2", message_bytes=5000))
    talk(one, two)
    assert one.send(Delta(1, {"a": b"x" * 4000}, None))
    with pytest.raises(LocalProtocolError, match=r"limits\.message_bytes"):
        one.send(Delta(2, {"a": b"x" * 6000}, None))


def test_goodbye_is_said_once_and_ends_everything() -> None:
    """BYE is the last thing either side reads or says."""
    one, two = pair()
    talk(one, two)
    one.close("stopping", "good night")
    one.close("stopping", "again")
    late = two.send(Ping(1, 0, 0))[0]
    assert two.receive_data(one.data_to_send() + b"rubbish") == [Closed("stopping", "good night")]
    assert two.phase is Phase.CLOSED
    assert two.data_to_send() == b""
    assert one.receive_data(late) == []


def test_a_stranger_gets_small_frames_only() -> None:
    """Before the proof, the limit is that for greetings."""
    limits = replace(Limits(), greeting_bytes=100)
    one, _ = pair(limits=limits)
    with pytest.raises(RemoteProtocolError, match="too-large"):
        one.receive_data((101).to_bytes(4, "big") + b"\x00" * 8)
