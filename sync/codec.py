"""Frames to bytes and back: one msgpack array each, its first item the frame's type.

Reading is strict: exact types, exact lengths, bounded sizes, nothing left over. The bytes of a
hostile peer end in ``RemoteProtocolError`` and cost memory in proportion to their number: large
bodies are walked token by token before anything is built from them, because sixteen megabytes of
msgpack can be eight million objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgpack

from crdtstore import ActionInfo

from .errors import LocalProtocolError, RemoteProtocolError
from .frames import (
    EXTENSIONS,
    MAGIC,
    Ack,
    Bye,
    Delta,
    Diff,
    Entry,
    Extension,
    Frame,
    Greet,
    Hello,
    Part,
    Ping,
    Pong,
    Proof,
    Reason,
    SliceInfo,
    State,
    Verdict,
)

__all__ = ["decode", "encode"]

NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32
DIGEST_BYTES: Final = 16
MAX_NUMBER: Final = 2**53
MAX_TEXT: Final = 64 * 1024
"""The longest string anywhere in a frame, in UTF-8 bytes."""

_packb: Final[Callable[[object], bytes]] = msgpack.packb


# ---- writing ------------------------------------------------------------------------------------


def encode(frame: Frame) -> bytes:
    """The body of a frame."""
    body: bytes
    match frame:
        case Delta(number, deltas, info):
            body = _packb([6, number, deltas, None if info is None else _info(info)])
        case Ack(number):
            body = _packb([7, number])
        case Diff(number, answers, deltas, verdicts):
            body = _packb([5, number, answers, deltas, verdicts])
        case State(id, slices):
            entries = {name: [e.vector, e.digest, e.repaired] for name, e in slices.items()}
            body = _packb([4, id, entries])
        case Ping(id, head, acked):
            body = _packb([8, id, head, acked])
        case Pong(id, head, acked):
            body = _packb([9, id, head, acked])
        case Part(series, index, count, data):
            body = _packb([11, series, index, count, data])
        case Bye(reason, detail):
            body = _packb([10, str(reason), _clip(detail)])
        case Greet(versions, nonce):
            body = _packb([1, MAGIC, list(versions), nonce])
        case Proof(mac):
            body = _packb([2, mac])
        case Hello(replica, session, namespace, slices, message_bytes, features):
            kept = {name: [s.generation, dict(s.kinds)] for name, s in slices.items()}
            body = _packb([3, replica, session, namespace, kept, message_bytes, list(features)])
        case Extension(type, body):
            if type not in EXTENSIONS or _type_of(body) != type:
                raise LocalProtocolError(f"{type} is not an extension frame with that type first")
    return body


def _info(info: ActionInfo) -> list[object] | None:
    """What the receiver accepts, or nothing: a name nobody can read must not stop the delta."""
    if len(info.type) + len(info.replica) > MAX_TEXT // 4 or not 0 <= info.at < MAX_NUMBER:
        return None
    return [info.type, info.replica, info.at, info.payload]


def _clip(text: str) -> str:
    """The beginning of ``text``, for people."""
    return text[:1000].encode("utf-8", "replace").decode("utf-8")


# ---- reading ------------------------------------------------------------------------------------

MAX_MAP: Final = 65_536
MAX_ARRAY: Final = 16
MAX_DEPTH: Final = 4
MAX_TOKENS: Final = 400_000
WALKED_FROM: Final = 64 * 1024
"""Bodies shorter than this cannot hold enough objects to matter."""


def decode(body: bytes) -> Frame:
    """The frame of a body; raises RemoteProtocolError for anything that is not exactly one."""
    number = _type_of(body)
    if number in EXTENSIONS:
        return Extension(number, body)
    reader = _READERS.get(number)
    if reader is None:
        raise RemoteProtocolError(Reason.MALFORMED, f"frame type {number} is not known")
    if len(body) > WALKED_FROM:
        _walk(body)
    try:
        items = msgpack.unpackb(
            body,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_unique,
            max_str_len=MAX_TEXT,
            max_bin_len=len(body),
            max_array_len=MAX_ARRAY,
            max_map_len=MAX_MAP,
            max_ext_len=0,
        )
        return reader(items)
    except RemoteProtocolError:
        raise
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        # ExtraData carries the rest of the input in its text.
        detail = "bytes after the frame" if isinstance(error, msgpack.ExtraData) else str(error)
        raise RemoteProtocolError(Reason.MALFORMED, detail[:200]) from None


def _type_of(body: bytes) -> int:
    """The frame type, without reading further: a short array that starts with a small integer."""
    if len(body) < 2 or not 0x91 <= body[0] <= 0x9F or body[1] > 0x7F:
        raise RemoteProtocolError(
            Reason.MALFORMED, f"a frame is an array that starts with its type, not {body[:8]!r}"
        )
    return body[1]


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands in a map twice")
    return out


# Of each msgpack first byte: how many bytes hold a length or value after it, and what it opens.
_SIZED: Final[Mapping[int, int]] = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4,
}  # fmt: skip
_FIXED: Final[Mapping[int, int]] = {
    0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4,
    0xD3: 8,
}  # fmt: skip
_ARRAYS: Final[Mapping[int, int]] = {0xDC: 2, 0xDD: 4}
_MAPS: Final[Mapping[int, int]] = {0xDE: 2, 0xDF: 4}


def _walk(body: bytes) -> None:
    """Count the tokens and the depth of a body without building anything from it."""
    at, left, tokens = 0, [1], 0
    while left:
        if left[-1] == 0:
            left.pop()
            continue
        left[-1] -= 1
        tokens += 1
        if tokens > MAX_TOKENS or len(left) > MAX_DEPTH:
            raise RemoteProtocolError(Reason.MALFORMED, "a frame of too many or too deep parts")
        if at >= len(body):
            raise RemoteProtocolError(Reason.MALFORMED, "a frame ends too early")
        first = body[at]
        at += 1
        if first <= 0x7F or first >= 0xE0:
            continue
        if first <= 0x8F:
            left.append(2 * (first & 0x0F))
        elif first <= 0x9F:
            left.append(first & 0x0F)
        elif first <= 0xBF:
            at += first & 0x1F
        elif first in _FIXED:
            at += _FIXED[first]
        elif first in _SIZED:
            width = _SIZED[first]
            at += width + int.from_bytes(body[at : at + width], "big")
        elif first in _ARRAYS:
            width = _ARRAYS[first]
            left.append(int.from_bytes(body[at : at + width], "big"))
            at += width
        elif first in _MAPS:
            width = _MAPS[first]
            left.append(2 * int.from_bytes(body[at : at + width], "big"))
            at += width
        else:
            raise RemoteProtocolError(Reason.MALFORMED, f"msgpack type {first:#x} in a frame")


def _items(items: Any, count: int, what: str) -> list[Any]:
    if type(items) is not list or len(items) != count:
        raise ValueError(f"{what} has {count} items")
    return items


def _number(value: Any, what: str, low: int = 0) -> int:
    if type(value) is not int or not low <= value < MAX_NUMBER:
        raise ValueError(f"{what} is an integer of {low} to 2**53, not {_show(value)}")
    return value


def _text(value: Any, what: str, least: int = 0) -> str:
    if type(value) is not str or len(value) < least:
        raise ValueError(f"{what} is a string, not {_show(value)}")
    return value


def _bytes(value: Any, what: str, count: int | None = None) -> bytes:
    if type(value) is not bytes or (count is not None and len(value) != count):
        size = "" if count is None else f"{count} "
        raise ValueError(f"{what} is {size}bytes, not {_show(value)}")
    return value


def _map(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"{what} is a map, not {_show(value)}")
    for key in value:
        if type(key) is not str:
            raise ValueError(f"the keys of {what} are strings, not {_show(key)}")
    return value


def _deltas(value: Any, what: str) -> dict[str, bytes]:
    deltas = _map(value, what)
    for delta in deltas.values():
        if type(delta) is not bytes:
            raise ValueError(f"{what} holds bytes, not {_show(delta)}")
    return deltas


def _show(value: Any) -> str:
    text = repr(value) if isinstance(value, int | str | bytes | None) else type(value).__name__
    return text[:60]


def _read_greet(items: Any) -> Greet:
    _, magic, versions, nonce = _items(items, 4, "GREET")
    if magic != MAGIC:
        raise ValueError("this is not a crdtstore peer")
    if type(versions) is not list or not versions:
        raise ValueError(f"the versions of GREET are a list, not {_show(versions)}")
    numbers = tuple(_number(v, "a version", 1) for v in versions)
    return Greet(numbers, _bytes(nonce, "the nonce", NONCE_BYTES))


def _read_proof(items: Any) -> Proof:
    _, mac = _items(items, 2, "PROOF")
    return Proof(_bytes(mac, "the proof", PROOF_BYTES))


def _read_hello(items: Any) -> Hello:
    _, replica, session, namespace, slices, message_bytes, features = _items(items, 7, "HELLO")
    kept = {}
    for name, value in _map(slices, "the slices of HELLO").items():
        generation, kinds = _items(value, 2, "a slice of HELLO")
        for kind in _map(kinds, "the kinds of a slice").values():
            _text(kind, "a kind")
        kept[name] = SliceInfo(_number(generation, "a generation"), kinds)
    if type(features) is not list:
        raise ValueError(f"the features of HELLO are a list, not {_show(features)}")
    return Hello(
        _text(replica, "the replica", 1),
        _text(session, "the session", 1),
        _text(namespace, "the namespace"),
        kept,
        _number(message_bytes, "the largest message", 1),
        tuple(_text(f, "a feature") for f in features),
    )


def _read_state(items: Any) -> State:
    _, id, slices = _items(items, 3, "STATE")
    entries = {}
    for name, value in _map(slices, "the slices of STATE").items():
        vector, digest, repaired = _items(value, 3, "a slice of STATE")
        if type(repaired) is not bool:
            raise ValueError(f"repaired is true or false, not {_show(repaired)}")
        if digest is not None:
            _bytes(digest, "a digest", DIGEST_BYTES)
        entries[name] = Entry(_bytes(vector, "a state vector"), digest, repaired)
    return State(_number(id, "the id of STATE", 1), entries)


def _read_diff(items: Any) -> Diff:
    _, number, answers, deltas, verdicts = _items(items, 5, "DIFF")
    for verdict in _map(verdicts, "the verdicts of DIFF").values():
        if type(verdict) is not int or not Verdict.EQUAL <= verdict <= Verdict.DIVERGED:
            raise ValueError(f"a verdict is 1, 2 or 3, not {_show(verdict)}")
    return Diff(
        _number(number, "the number of DIFF", 1),
        _number(answers, "the STATE that DIFF answers", 1),
        _deltas(deltas, "the deltas of DIFF"),
        verdicts,
    )


def _read_delta(items: Any) -> Delta:
    _, number, deltas, info = _items(items, 4, "DELTA")
    if info is not None:
        type_, replica, at, payload = _items(info, 4, "the action of DELTA")
        if payload is not None:
            _bytes(payload, "the payload")
        info = ActionInfo(
            _text(type_, "the action's type"),
            _text(replica, "the action's replica"),
            _number(at, "the action's time"),
            payload,
        )
    return Delta(
        _number(number, "the number of DELTA", 1), _deltas(deltas, "the deltas of DELTA"), info
    )


def _read_ack(items: Any) -> Ack:
    _, number = _items(items, 2, "ACK")
    return Ack(_number(number, "the number of ACK", 1))


def _read_ping(items: Any) -> Ping:
    _, id, head, acked = _items(items, 4, "PING")
    return Ping(_number(id, "the id of PING"), _number(head, "head"), _number(acked, "acked"))


def _read_pong(items: Any) -> Pong:
    _, id, head, acked = _items(items, 4, "PONG")
    return Pong(_number(id, "the id of PONG"), _number(head, "head"), _number(acked, "acked"))


def _read_bye(items: Any) -> Bye:
    _, reason, detail = _items(items, 3, "BYE")
    return Bye(_text(reason, "the reason", 1)[:64], _text(detail, "the detail"))


def _read_part(items: Any) -> Part:
    _, series, index, count, data = _items(items, 5, "PART")
    part = Part(
        _number(series, "the series"),
        _number(index, "the index"),
        _number(count, "the count", 1),
        _bytes(data, "the data"),
    )
    if part.index >= part.count:
        raise ValueError(f"part {part.index} of {part.count}")
    return part


_READERS: Final[Mapping[int, Callable[[Any], Frame]]] = {
    1: _read_greet,
    2: _read_proof,
    3: _read_hello,
    4: _read_state,
    5: _read_diff,
    6: _read_delta,
    7: _read_ack,
    8: _read_ping,
    9: _read_pong,
    10: _read_bye,
    11: _read_part,
}
