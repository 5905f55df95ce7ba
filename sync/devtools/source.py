"""One store as the tools see it: messages made when somebody asks for them, and not before.

The log holds commits by reference. What they changed, what it looks like and whose work it was is
worked out here, on the thread of whoever watches, one record at a time; the application's thread
takes no part in it. What can be asked for beyond the records (details, states, and to dispatch or
to revert something) comes as a request and is answered by a response, which tells of failures
instead of raising them: nobody who watches can harm the store.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import msgpack

from crdtstore import (
    Action,
    Commit,
    Conflict,
    CrdtstoreError,
    RootState,
    clock_ranges,
    differences,
    merged,
    revert,
)
from sync.devtools.diffs import Change, Kinds, changes, diff_plain
from sync.devtools.literals import parse_action
from sync.devtools.plain import BRIEF, INLINE, LIMITS, Sanitizer, plain
from sync.status import PeerStatus
from sync.vectors import decode
from sync.watermarks import Origin

__all__ = ["Kept", "Source", "Told", "Watched", "action_of"]

VERSION = 1

MOST_PATHS = 50
MOST_CHANGES = 200
MOST_CONFLICTS = 200
MOST_NAME = 200
HEX_BYTES = 512
LATEST = 2**53 - 1
_LOOKED_AT = 2_000  # records whose places may be in conflict


class Told(Protocol):
    """What is read of a store, by every source."""

    @property
    def replica(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def slices(self) -> tuple[str, ...]: ...
    @property
    def state(self) -> RootState: ...
    def schema(self) -> dict[str, dict[str, str]]: ...
    def state_vectors(self) -> dict[str, bytes]: ...
    def digests(self) -> dict[str, bytes]: ...
    def digest(self) -> str: ...
    def conflicts(self, of: str, *path: object) -> tuple[Conflict, ...]: ...
    def dispatch(self, action: Action[Any], /) -> Action[Any]: ...


class Kept(Protocol):
    """What is read of a log."""

    @property
    def initial(self) -> RootState: ...
    @property
    def vectors(self) -> Mapping[str, bytes]: ...
    @property
    def first(self) -> int: ...
    @property
    def end(self) -> int: ...
    def since(self, number: int, count: int = ...) -> list[tuple[int, Commit]]: ...
    def commit(self, number: int) -> Commit | None: ...


class Watched(Protocol):
    """What is read of a peer."""

    @property
    def status(self) -> PeerStatus: ...


class Source:
    """The messages of one store; to be used by one thread at a time.

    ``name`` is what people call the replica. ``action_sanitizer`` and ``state_sanitizer`` return
    what is shown instead of an action, and instead of the root state; with the latter nothing else
    of the state is shown either. While ``locked`` is set, nothing is dispatched.
    """

    live = True
    """Whether the store is open here, so that it can be dispatched to."""

    def __init__(
        self,
        store: Told,
        log: Kept,
        *,
        name: str,
        peer: Watched | None = None,
        action_sanitizer: Callable[[Action[Any]], Any] | None = None,
        state_sanitizer: Callable[[Any], Any] | None = None,
    ) -> None:
        self.name = name
        self.locked = False
        self.sanitizer = Sanitizer(action_sanitizer, state_sanitizer)
        self._store = store
        self._log = log
        self._peer = peer
        self._kinds = Kinds({})
        self._digest: tuple[object, int, str, dict[str, str]] | None = None
        self._tools = secrets.token_hex(8)  # tells two tools of one store from one that is back
        self._names: dict[str, str] = {}

    @property
    def log(self) -> Kept:
        """What it tells of."""
        return self._log

    # Messages

    def join(self) -> dict[str, Any]:
        """Return the message that introduces the store."""
        first, clocks = self._clocks()
        return {
            "type": "join",
            "version": VERSION,
            "replica": self._store.replica,
            "session": self._store.session,
            "name": self.name,
            "names": dict(self._names),
            "tools": self._tools,
            "pid": os.getpid(),
            "slices": list(self._store.slices),
            "clocks": clocks,
            "first": first,
            "features": {"dispatch": self.live, "revert": self.live},
            "kinds": self._store.schema(),
        }

    def learn(self, names: Mapping[str, str]) -> None:
        """Keep what the server calls other replicas: the next one may not have heard of them."""
        self._names = dict(names)

    def _clocks(self) -> tuple[int, dict[str, dict[str, int]]]:
        """Return the number of the oldest record, and what was known of every session before it.

        Clocks only rise: what a session had before is where the oldest of its work that is kept
        begins, and where none is kept what it has now.
        """
        first = self._log.first
        if first == 0:
            vectors = self._log.vectors
            return 0, {
                name: {str(client): clock for client, clock in decode(vector).items()}
                for name, vector in vectors.items()
            }
        now = {name: dict(decode(each)) for name, each in self._store.state_vectors().items()}
        kept = self._log.since(first)
        for _, commit in reversed(kept):
            for name, delta in commit.deltas.items():
                clocks = now.setdefault(name, {})
                for client, (start, _) in _ranges(delta).items():
                    clocks[client] = min(start, clocks.get(client, start))
        number = kept[0][0] if kept else first
        return number, {
            name: {str(client): clock for client, clock in clocks.items() if clock}
            for name, clocks in now.items()
        }

    def records(self, after: int, count: int = 500) -> list[dict[str, Any]]:
        """Return the records from the one numbered ``after`` on, ``count`` at most, in their order.

        The first of them says so if others before it were asked for and are not kept any more.
        """
        found = self._log.since(after, count)
        made = [self._record(number, commit) for number, commit in found]
        if found and found[0][0] > max(after, 0):
            made[0]["dropped"] = True
        return made

    def _record(self, number: int, commit: Commit) -> dict[str, Any]:
        info = commit.info
        action, known = action_of(commit)
        kind, label = self.sanitizer.label(action, known=known)
        paths: list[list[str]] = []
        changed = 0
        if commit.previous is not commit.state:
            for _, place, how, _, _ in differences(commit.previous, commit.state):
                changed += 1
                if len(paths) < MOST_PATHS:
                    if place[0] not in self._kinds:
                        self._kinds = Kinds(self._store.schema())
                    if self._kinds.is_register(place, how):
                        paths.append([part[:MOST_NAME] for part in place])
        origin = commit.origin
        return {
            "number": number,
            "local": commit.local,
            "action": kind,
            "label": label,
            "author": self._author(commit),
            "at": _moment(info.at if info else commit.at),
            "time": _moment(commit.at),
            "via": origin.replica if isinstance(origin, Origin) else "",
            "slices": {
                name: {
                    "bytes": len(delta),
                    "ranges": [
                        [str(client), start, end] for client, (start, end) in _ranges(delta).items()
                    ],
                }
                for name, delta in commit.deltas.items()
            },
            "paths": paths,
            "changed": changed,
        }

    def _author(self, commit: Commit) -> str:
        if commit.local:
            return self._store.replica
        return "" if commit.info is None else commit.info.replica[:MOST_NAME]

    def status(self) -> dict[str, Any]:
        """Return how the store is now: its digests, its links, how far its log goes."""
        digest, digests = self._digests()
        status = None if self._peer is None else self._peer.status
        return {
            "type": "status",
            "digest": digest,
            "digests": digests,
            "in_sync": status is not None and status.in_sync,
            "links": [
                {
                    "to": link.replica or "",
                    "address": link.address,
                    "state": link.state,
                    "in_sync": link.in_sync,
                    "behind": link.unacked_frames,
                    "behind_bytes": link.unacked_bytes,
                    "round_trip": link.round_trip,
                    "error": link.last_error,
                }
                for link in (status.links if status is not None else ())
            ],
            "end": self._log.end,
            "locked": self.locked,
        }

    def _digests(self) -> tuple[str, dict[str, str]]:
        """Return the digests of the state there is; asked for again only when there is another."""
        state, end = self._store.state, self._log.end
        known = self._digest
        if known is None or known[0] is not state or known[1] != end:
            digests = {name: each.hex() for name, each in self._store.digests().items()}
            known = self._digest = (state, end, self._store.digest(), digests)
        return known[2], known[3]

    # Requests

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the response to a request; what goes wrong is its ``error``, and never raised."""
        number = request.get("id", 0)
        what = request.get("what")
        answers: dict[Any, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "detail": self._answer_detail,
            "state": self._answer_state,
            "dispatch": self._answer_dispatch,
            "revert": self._answer_revert,
            "conflicts": self._answer_conflicts,
        }
        response = {"type": "response", "id": number}
        try:
            if what not in answers:
                raise _Refused(f"{what!r:.40} is nothing that a store can be asked for")
            value = answers[what](request)
        except _Refused as error:
            return {**response, "ok": False, "error": str(error)}
        except BaseException as error:  # a reducer's, which may exit, or a closed store's
            return {**response, "ok": False, "error": str(plain(_said(error), BRIEF))}
        return {**response, "ok": True, "value": value}

    def runs_code(self, request: Mapping[str, Any]) -> bool:
        """Whether answering runs the application's code, which may take its time."""
        return request.get("what") in ("dispatch", "revert") or (
            self.sanitizer.hides_state and request.get("what") in ("detail", "state")
        )

    def _commit(self, request: Mapping[str, Any]) -> Commit:
        number = _number(request)
        commit = self._log.commit(number)
        if commit is None:
            raise _Refused(self._missing(number))
        return commit

    def _missing(self, number: int) -> str:
        first, end = self._log.first, self._log.end
        if 0 <= number < first:
            return f"record {number} is not kept any more: the oldest one has the number {first}"
        return f"there is no record {number}: the next one will have the number {end}"

    def _answer_detail(self, request: Mapping[str, Any]) -> dict[str, Any]:
        commit = self._commit(request)
        action, known = action_of(commit)
        shown = self.sanitizer.action(action)
        found = self._changes(commit.previous, commit.state)
        told = [
            {
                "path": list(each.path),
                "kind": each.kind,
                "before": plain(each.before, BRIEF),
                "after": plain(each.after, BRIEF),
            }
            for each in islice(found, MOST_CHANGES)
        ]
        hides = self.sanitizer.hides_state
        return {
            "payload": shown.get("payload") if known else None,
            "payload_shared": known,
            "diff": told,
            "truncated": sum(1 for _ in found),
            "deltas": {
                name: {
                    "bytes": len(delta),
                    "hex": "" if hides else bytes(delta[:HEX_BYTES]).hex(),
                }
                for name, delta in commit.deltas.items()
            },
            "meta": shown.get("meta"),
            **({"error": shown["error"]} if "error" in shown else {}),
        }

    def _changes(self, before: RootState, after: RootState) -> Iterator[Change]:
        if self.sanitizer.hides_state:
            shown = [self.sanitizer.state(each, LIMITS) for each in (before, after)]
            return diff_plain(*shown)
        return changes(before, after)

    def _answer_state(self, request: Mapping[str, Any]) -> dict[str, Any]:
        limits = LIMITS if request.get("whole") is True else INLINE  # for a file, or to look at
        return {"state": self.sanitizer.state(self._state(_number(request)), limits)}

    def _state(self, number: int) -> RootState:
        if number == -1:
            return self._log.initial
        commit = self._log.commit(number)
        if commit is not None:
            return commit.state
        after = self._log.commit(number + 1)  # the last one that is not kept is still known
        if after is None or number < 0:
            raise _Refused(self._missing(number))
        return after.previous

    def _answer_dispatch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._check_open()
        text = request.get("text")
        if not isinstance(text, str):
            raise _Refused("what is to be dispatched is a text: {type: 'counter/add', payload: 1}")
        try:
            action = parse_action(text)
        except ValueError as error:
            raise _Refused(str(error)) from error
        before = self._store.state
        self._store.dispatch(action)
        return {
            "action": self.sanitizer.action(action),
            "changed": self._store.state is not before,
        }

    def _answer_revert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._check_open()
        action = revert(self._commit(request))
        before = self._store.state
        self._store.dispatch(action)
        return {
            "action": self.sanitizer.action(action),
            "changed": self._store.state is not before,
            "skipped": [[str(part) for part in path] for path in action.skipped],
        }

    def _check_open(self) -> None:
        if not self.live:
            raise _Refused("this is a file and no running store: nothing can be changed here")
        if self.locked:
            raise _Refused("changes are locked: unlock them to dispatch")

    def _answer_conflicts(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Look at the places that the newest records wrote: whether a conflict is there now."""
        places: dict[tuple[str, ...], None] = {}
        end = self._log.end
        for _, commit in reversed(self._log.since(max(0, end - _LOOKED_AT), _LOOKED_AT)):
            for _, place, how, _, _ in differences(commit.previous, commit.state):
                if place[0] not in self._kinds:
                    self._kinds = Kinds(self._store.schema())
                if self._kinds.is_register(place, how):
                    places.setdefault(place)
        hides = self.sanitizer.hides_state
        told: list[dict[str, Any]] = []
        for place in places:
            try:
                found = self._store.conflicts(place[0], *place[1:])
            except (KeyError, ValueError):  # gone since
                continue
            if found:
                values = [
                    {
                        "value": None if hides else plain(value, BRIEF),
                        "replica": replica,
                        "at": at,
                        "won": rank == 0,
                    }
                    for rank, (value, replica, at) in enumerate(found)
                ]
                told.append({"path": list(place), "values": values})
                if len(told) == MOST_CONFLICTS:
                    break
        return {"conflicts": told}


class _Refused(Exception):
    """A request that cannot be met; the message is for people."""


def _said(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:  # an exception of a stranger's
        said = ""
    if isinstance(error, CrdtstoreError):
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _number(request: Mapping[str, Any]) -> int:
    number = request.get("number")
    if type(number) is not int:
        raise _Refused(f"a record has a number, got {number!r:.40}")
    return number


def _moment(at: int) -> int:
    """Return a time in ms that is one, whatever a peer says."""
    return min(max(0, at), LATEST)


def _ranges(delta: bytes) -> dict[int, tuple[int, int]]:
    try:
        return clock_ranges(delta)
    except CrdtstoreError:  # was merged, so it was sound: damaged in a file
        return {}


def action_of(commit: Commit) -> tuple[Action[Any], bool]:
    """Return what a commit did as an action, and whether its payload is known.

    That of the own actions always is, others' if their slices share payloads. A peer's payload is
    what it says it is: nothing of it was checked.
    """
    if commit.action is not None:
        return commit.action, True
    info = commit.info
    if info is None:
        return Action(merged.type), False
    if info.payload is None:
        return Action(info.type), False
    try:
        return Action(info.type, msgpack.unpackb(info.payload)), True
    except Exception:  # a stranger's bytes: msgpack alone raises six kinds
        return Action(info.type), False
