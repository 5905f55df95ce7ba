"""What sources tell, read strictly: the messages of other processes become data here, or nothing.

Each reader takes a decoded JSON object and returns a frozen record of it, or raises ``ToldError``
that names the member which is wrong. Texts are cut to what a page shows; lists that are longer than
any honest source makes them are refused, so what is kept of a stranger's message has a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, TypeVar

__all__ = [
    "MERGED",
    "VERSION",
    "Clocks",
    "Join",
    "Key",
    "Path",
    "Range",
    "Record",
    "Status",
    "ToldError",
    "read_join",
    "read_record",
    "read_records",
    "read_status",
]

VERSION = 1

MERGED = "@@sync/merged"
"""The action of a delivery of which nobody says whose it was: a catch-up."""

LONGEST_TEXT = 400
LONGEST_NAME = 200
MOST_RECORDS = 20_000
MOST_RANGES = 100_000
MOST_SLICES = 1_000
MOST_PATHS = 200
DEEPEST_PATH = 100
MOST_LINKS = 1_000
LARGEST = 2**53

Key = tuple[str, str]
"""A slice and a client (a Yjs client id, in decimal)."""

Clocks = dict[Key, int]
Range = tuple[str, str, int, int]
"""Slice, client, first clock, end: half open."""

Path = tuple[str, ...]
"""Where a register is: its slice first."""

_T = TypeVar("_T")


class ToldError(ValueError):
    """A message that no source of ours sends."""


@dataclass(frozen=True, slots=True)
class Join:
    """A source appears. ``clocks`` is what its store knew before its record ``first``."""

    replica: str
    session: str
    client: str
    name: str
    pid: int
    slices: frozenset[str]
    clocks: Clocks
    first: int
    features: Mapping[str, bool]
    kinds: Mapping[str, Any]


class Record(NamedTuple):
    """One commit of a store: its own work, or what it merged."""

    number: int
    local: bool
    action: str
    label: str
    author: str
    at: int
    time: int
    via: str
    ranges: tuple[Range, ...]
    slices: tuple[str, ...]
    bytes: int
    paths: tuple[Path, ...]
    changed: int
    dropped: bool


@dataclass(frozen=True, slots=True)
class Status:
    """How a store and its links are. ``end`` is the end of its log when the digests were taken."""

    digest: str
    digests: Mapping[str, str]
    in_sync: bool
    links: tuple[Mapping[str, Any], ...]
    end: int
    locked: bool


def read_join(raw: Mapping[str, Any]) -> Join:
    """Read a join; raise ``ToldError``."""
    version = raw.get("version")
    if version != VERSION:
        raise ToldError(
            f"expected version {VERSION} of the protocol between processes, got {version!r:.40}; "
            "run the same release of crdtstore in all of them"
        )
    session = _text(raw, "session", 20)
    try:
        client = str(int(session, 36))
    except ValueError:
        raise ToldError(f"expected 'session' in base 36, got {session!r:.40}") from None
    clocks: Clocks = {}
    for name, of_slice in _object(raw, "clocks", MOST_SLICES).items():
        if not isinstance(of_slice, dict) or len(of_slice) > MOST_RANGES:
            _refuse("clocks", "an object of clients for each slice", of_slice)
        for writer, clock in of_slice.items():
            if not _is_client(writer) or type(clock) is not int or not 0 <= clock < LARGEST:
                _refuse("clocks", "a clock for each client", of_slice)
            clocks[str(name)[:LONGEST_NAME], writer] = clock
    slices = raw.get("slices")
    if (
        not isinstance(slices, list)
        or len(slices) > MOST_SLICES
        or not all(type(name) is str and len(name) <= LONGEST_NAME for name in slices)
    ):
        _refuse("slices", "a list of names", slices)
    features = _object(raw, "features", 100) if "features" in raw else {}
    return Join(
        replica=_text(raw, "replica", LONGEST_NAME),
        session=session,
        client=client,
        name=_text(raw, "name", LONGEST_NAME, cut=True),
        pid=_whole(raw, "pid"),
        slices=frozenset(slices),
        clocks=clocks,
        first=_whole(raw, "first"),
        features={str(name)[:50]: bool(on) for name, on in features.items()},
        kinds=_object(raw, "kinds", MOST_SLICES) if "kinds" in raw else {},
    )


def read_records(raw: Mapping[str, Any]) -> list[Record]:
    """Read all records of a message, or none; raise ``ToldError``."""
    records = raw.get("records")
    if not isinstance(records, list) or len(records) > MOST_RECORDS:
        _refuse("records", f"a list of at most {MOST_RECORDS}", records)
    return [read_record(each) for each in records]


def read_record(raw: Any) -> Record:
    """Read one record; raise ``ToldError``."""
    if not isinstance(raw, dict):
        _refuse("records", "objects", raw)
    slices = raw.get("slices")
    if not isinstance(slices, dict) or len(slices) > MOST_SLICES:
        _refuse("slices", "an object", slices)
    ranges: list[Range] = []
    size = 0
    for name, about in slices.items():
        if not isinstance(about, dict) or type(name) is not str or len(name) > LONGEST_NAME:
            _refuse("slices", "an object for each slice", about)
        told = about.get("ranges")
        if not isinstance(told, list) or len(told) > MOST_RANGES:
            _refuse("ranges", "a list", told)
        for each in told:
            if not isinstance(each, list) or len(each) != 3:
                _refuse("ranges", "[client, first, end]", each)
            client, first, end = each
            if (
                not _is_client(client)
                or type(first) is not int
                or type(end) is not int
                or not 0 <= first <= end < LARGEST
            ):
                _refuse("ranges", "[client, first, end]", each)
            ranges.append((name, client, first, end))
        size += _whole(about, "bytes")
    paths = raw.get("paths", [])
    if not isinstance(paths, list) or len(paths) > MOST_PATHS:
        _refuse("paths", f"a list of at most {MOST_PATHS}", paths)
    local = raw.get("local")
    if type(local) is not bool:
        _refuse("local", "true or false", local)
    return Record(
        number=_whole(raw, "number"),
        local=local,
        action=_text(raw, "action", LONGEST_TEXT, cut=True),
        label=_text(raw, "label", LONGEST_TEXT, cut=True),
        author=_text(raw, "author", LONGEST_NAME),
        at=_whole(raw, "at"),
        time=_whole(raw, "time"),
        via=_text(raw, "via", LONGEST_NAME),
        ranges=tuple(ranges),
        slices=tuple(slices),
        bytes=size,
        paths=tuple([_path(path) for path in paths]),
        changed=_whole(raw, "changed"),
        dropped=raw.get("dropped") is True,
    )


def read_status(raw: Mapping[str, Any]) -> Status:
    """Read a status; raise ``ToldError``."""
    links = raw.get("links")
    if not isinstance(links, list) or len(links) > MOST_LINKS:
        _refuse("links", "a list", links)
    digests = _object(raw, "digests", MOST_SLICES)
    return Status(
        digest=_text(raw, "digest", LONGEST_NAME),
        digests={str(name): str(digest)[:LONGEST_NAME] for name, digest in digests.items()},
        in_sync=raw.get("in_sync") is True,
        links=tuple(_link(link) for link in links),
        end=_whole(raw, "end"),
        locked=raw.get("locked") is True,
    )


def _link(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        _refuse("links", "objects", raw)
    round_trip, error = raw.get("round_trip"), raw.get("error")
    return {
        "to": _text(raw, "to", LONGEST_NAME),
        "address": _text(raw, "address", LONGEST_TEXT, cut=True),
        "state": _text(raw, "state", LONGEST_NAME),
        "in_sync": raw.get("in_sync") is True,
        "behind": _whole(raw, "behind"),
        "behind_bytes": _whole(raw, "behind_bytes"),
        "round_trip": round_trip if type(round_trip) in (int, float) else None,
        "error": str(error)[:LONGEST_TEXT] if error is not None else None,
    }


def _path(raw: Any) -> Path:
    if (
        not isinstance(raw, list)
        or not 0 < len(raw) <= DEEPEST_PATH
        or not all(type(part) is str for part in raw)
    ):
        _refuse("paths", "lists of texts", raw)
    return tuple(raw)


def _is_client(text: Any) -> bool:
    return type(text) is str and len(text) <= 16 and text.isdigit() and text.isascii()


def _text(raw: Mapping[str, Any], name: str, longest: int, *, cut: bool = False) -> str:
    value = raw.get(name)
    if type(value) is not str or (len(value) > longest and not cut):
        _refuse(name, f"a text of at most {longest} characters", value)
    return value[:longest]


def _whole(raw: Mapping[str, Any], name: str) -> int:
    value = raw.get(name)
    if type(value) is float and 0 <= value < LARGEST:
        return int(value)
    if type(value) is not int or not 0 <= value < LARGEST:
        _refuse(name, "a whole number from 0 on", value)
    return value


def _object(raw: Mapping[str, Any], name: str, most: int) -> dict[str, Any]:
    value = raw.get(name)
    if not isinstance(value, dict) or len(value) > most:
        _refuse(name, f"an object of at most {most} members", value)
    return value


def _refuse(name: str, wanted: str, got: object) -> NoReturn:
    raise ToldError(f"expected {name!r} to be {wanted}, got {got!r:.80}")
