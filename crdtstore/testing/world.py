"""Replicas that act, send, lose, repeat, crash and restart; and every step is checked.

A ``World`` is played step by step and writes down what happens. A delta leaves for the other
replicas when it is made and arrives when a step says so. What was sent is durable at its sender
(as in the sync layer), so a crash loses only what nobody else has got; a restored backup loses
more, and what others have comes back from them. The first check that does not hold ends the run
with a ``ConvergenceError``, which carries the history.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from crdtstore.actions import action_of
from crdtstore.combine import Sliceable, slices_of
from crdtstore.document import Broken as BrokenDocument
from crdtstore.errors import CrdtstoreWarning
from crdtstore.store import Store
from crdtstore.testing.actions import Call
from crdtstore.testing.checks import Check, alike, ask, behind, fully_read, named, plain, reloaded
from crdtstore.testing.failure import ConvergenceError
from crdtstore.testing.health import Tally
from crdtstore.testing.history import Broken, Event, History
from crdtstore.testing.intent import Act, Intent, Run
from crdtstore.testing.keys import Unresolved
from crdtstore.testing.replica import Message, Replica
from crdtstore.testing.showing import shown
from crdtstore.updates import read_state_vector

if TYPE_CHECKING:
    from typing import Self

__all__ = ["JUMPS", "World"]

_START = 1_704_067_200_000  # 2024-01-01

JUMPS = {
    "+1 day": 86_400_000,
    "-1 day": -86_400_000,
    "+1 s": 1_000,
    "-1 s": -1_000,
    "+200 years": 6_311_520_000_000,
}
"""How far a clock may jump, in ms."""


class World:
    """Some replicas of the same slices, named A, B, C…; use it in a ``with``."""

    def __init__(
        self,
        slices: Sliceable,
        *,
        replicas: int = 3,
        invariants: Sequence[Check] = (),
        at_quiescence: Sequence[Check] = (),
        intent: Sequence[Intent] = (),
        setup: Callable[[Store], Any] | None = None,
        tally: Tally | None = None,
    ) -> None:
        listed = slices_of(slices)
        self._invariants = plain(invariants)
        self._at_quiescence = plain(at_quiescence)
        self._intent = plain(intent)
        self._tally = tally or Tally()
        self._ticks = _START
        self._events: list[Event] = []
        self._broken: list[Broken] = []
        self._acts: list[tuple[Act, dict[tuple[str, int], int]]] = []
        self._cut: set[frozenset[str]] = set()
        self._at_break: dict[str, str] = {}
        names = [chr(ord("A") + number) for number in range(replicas)]
        self._replicas = [Replica(name, listed, lambda: self._ticks) for name in names]
        try:
            self._prepare(setup)
        except BaseException:
            self.close()
            raise

    def _prepare(self, setup: Callable[[Store], Any] | None) -> None:
        first, *others = self._replicas
        if setup is not None:
            with _lenient():
                setup(first.store)
            deltas = first.store.deltas_since({})
            for other in others:
                other.store.merge(deltas)
        for each in self._replicas:
            each.commits.clear()
            each.storage.synced = each.storage.floor = each.storage.durable_seq
        self._first = first.store.state
        self._examine(first)

    # Looking

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the replicas."""
        return tuple(each.name for each in self._replicas)

    @property
    def stores(self) -> Mapping[str, Store]:
        """The stores of the replicas that are up, by name."""
        return {each.name: each.store for each in self._replicas if each.up}

    @property
    def history(self) -> History:
        """What has happened so far; replicas to which nothing did are left out."""
        met = {name for event in self._events for name in (event.replica, event.peer)}
        met |= {broken.replica for broken in self._broken}
        some = met & set(self.names) or set(self.names)
        holds = {name: text for name, text in self._holds().items() if name in some}
        at_break = {name: text for name, text in self._at_break.items() if name in some}
        return History(
            replicas=tuple(name for name in self.names if name in some),
            events=tuple(self._events),
            broken=tuple(self._broken),
            holds=holds,
            holds_at_break=at_break,
        )

    def _holds(self) -> dict[str, str]:
        return {e.name: shown(e.store.state) if e.up else "(down)" for e in self._replicas}

    # Steps

    def act(self, at: int | str, call: Any) -> None:
        """Have a replica dispatch an action, or a ``Call`` as ``actions_of`` draws it.

        Nothing happens at a replica that is down, or where the call needs a key and there is none.
        A reducer that raises is noted and changes nothing.
        """
        replica = self._replica(at)
        if not replica.up:
            return
        if not isinstance(call, Call):
            action = action_of(call)
            slice_ = next(iter(replica.store.slices))
            name = action.type.rpartition("/")[2]
            call = Call(action.type, name, slice_, action_of, (action,), is_action=True)
        store, before, clocks = replica.store, replica.store.state, replica.clocks()
        replica.commits.clear()
        try:
            with _lenient():
                action, label, whole = call.resolved(before)
        except Unresolved:
            return
        error: Exception | None = None
        try:
            with _lenient():
                store.dispatch(action)
        except BrokenDocument:
            raise
        except Exception as raised:
            error = raised
        self._tally.add(call.type, error)
        said = "" if error is None else f"{type(error).__name__}: {error}"
        detail = "\n".join(part for part in (whole if whole != label else "", said) if part)
        changed = bool(replica.commits)
        event = self._note("act", replica, label, changed=changed, detail=detail)
        if error is not None and not changed and store.state is not before:
            self._break(replica, "a reducer that raises changes nothing", said, None)
        if changed:
            act = Act(event, replica.name, action, label, before, store.state)
            self._acts.append((act, self._written(replica, clocks)))
            self._send(replica, event)
        self._examine(replica)

    def deliver(
        self, to: int | str, number: int = 0, *, most: int = 1, again: bool = False
    ) -> None:
        """Let messages arrive at a replica, from number ``number`` of those that can on.

        ``most`` says how many at most; with ``again`` they stay on their way and come once more.
        """
        replica = self._replica(to)
        ready = [message for message in replica.inbox if self._linked(message.sender, replica)]
        if not replica.up or not ready:
            return
        start = number % len(ready)
        arriving = ready[start : start + most]
        if not again:
            replica.inbox = [each for each in replica.inbox if each not in arriving]
        for name, group in groupby(arriving, key=lambda message: message.sender.name):
            messages = list(group)
            deltas = [message.deltas for message in messages]
            for message in messages:
                message.storage.sync(message.seq)
            what = "1 delta" if len(deltas) == 1 else f"{len(deltas)} deltas"
            sources = tuple(message.event for message in messages)
            self._merge(replica, deltas, "deliver", f"from {name}: {what}", name, sources)

    def drop(self, to: int | str, number: int = 0) -> None:
        """Lose a message on its way to a replica."""
        inbox = self._replica(to).inbox
        if inbox:
            del inbox[number % len(inbox)]

    def sync(self, to: int | str, source: int | str) -> None:
        """Have a replica ask another one for all it lacks, and get it."""
        replica, other = self._replica(to), self._replica(source)
        if replica is other or not (replica.up and other.up and self._linked(replica, other)):
            return
        self._pull(replica, other)

    def cut(self, one: int | str, other: int | str) -> None:
        """Cut the link of two replicas: what is on its way between them waits."""
        self._link("cut", one, other)

    def heal(self, one: int | str, other: int | str) -> None:
        """Mend a link that was cut."""
        self._link("heal", one, other)

    def crash(self, at: int | str, lost: int = 0) -> None:
        """Stop a replica without warning; of what nobody else has got, up to ``lost`` acts go."""
        replica = self._replica(at)
        if not replica.up:
            return
        old = replica.storage
        ends = [end for end in old.ends() if end >= old.synced]
        upto = ends[-1 - lost % len(ends)]
        replica.close()
        replica.storage = old.copy(upto)
        for other in self._replicas:
            other.inbox = [m for m in other.inbox if m.storage is not old or m.seq <= upto]
        lost %= len(ends)
        label = f"crash, {lost} unsynced lost" if lost else "crash"
        self._note("crash", replica, label)

    def restart(self, at: int | str) -> None:
        """Start a replica again; one that is up is closed first, and must come back as it was."""
        replica = self._replica(at)
        if replica.up:
            self._reload(replica)
            replica.close()
        self._open(replica, replica.storage)
        self._note("restart", replica, "restart")
        self._examine(replica)

    def restore(self, at: int | str, lost: int = 0) -> None:
        """Start a replica again from a backup of its storage, older by up to ``lost`` commits."""
        replica = self._replica(at)
        ends = replica.storage.ends()
        lost %= len(ends)
        if replica.up:
            replica.close()
        self._open(replica, replica.storage.copy(ends[-1 - lost]))
        self._note("restore", replica, f"backup from {lost} commits ago")
        self._examine(replica)

    def clone(self, at: int | str, source: int | str) -> None:
        """Start a replica again from a copy of another one's storage."""
        replica, other = self._replica(at), self._replica(source)
        if replica is other:
            return
        if replica.up:
            replica.close()
        other.storage.sync(other.storage.durable_seq)
        self._open(replica, other.storage.copy())
        self._note("clone", replica, f"copy of {other.name}'s file", peer=other)
        self._examine(replica)

    def clock(self, at: int | str, number: int = 0) -> None:
        """Let a replica's clock jump: one of ``JUMPS``, or to what another replica's says."""
        replica = self._replica(at)
        names = list(JUMPS)
        number %= len(names) + 1
        if number < len(names):
            replica.offset += JUMPS[names[number]]
            self._note("clock", replica, f"clock {names[number]}")
        else:
            other = self._replicas[self._replicas.index(replica) - 1]
            replica.offset = other.offset - 1  # an act right after one of the other's: one time
            self._note("clock", replica, f"clock as {other.name}'s")

    def settle(self) -> None:
        """Let everything arrive and everybody exchange once; then all must be equal.

        Links heal, replicas that are down restart, messages arrive, one round of synchronisation
        (two where deltas had to wait for others); then all checks for quiet times are made.
        """
        for pair in sorted(tuple(sorted(pair)) for pair in self._cut):
            self.heal(*pair)
        for replica in self._replicas:
            if not replica.up:
                self.restart(replica.name)
        for replica in self._replicas:
            while replica.inbox:
                self.deliver(replica.name, most=len(replica.inbox))
        waiting = any(slot.held for each in self._replicas for slot in each.store._slots.values())
        hub, *others = self._replicas
        for _ in range(1 + len(others) * waiting):
            for other in others:
                self._pull(hub, other)
            for other in others:
                self._pull(other, hub)
        self._check_quiet()

    # What steps are made of

    def _replica(self, at: int | str) -> Replica:
        if isinstance(at, str):
            return self._replicas[self.names.index(at)]
        return self._replicas[at % len(self._replicas)]

    def _linked(self, one: Replica, other: Replica) -> bool:
        return frozenset((one.name, other.name)) not in self._cut

    def _link(self, kind: str, one: int | str, other: int | str) -> None:
        left, right = sorted((self._replica(one), self._replica(other)), key=lambda r: r.name)
        pair = frozenset((left.name, right.name))
        if left is right or (pair in self._cut) == (kind == "cut"):
            return
        self._cut ^= {pair}
        self._note(kind, left, f"{kind} {left.name}–{right.name}", peer=right)

    def _written(self, replica: Replica, before: Mapping[str, int]) -> dict[tuple[str, int], int]:
        """Return which clock each slice's document must show if what was just done is there."""
        client = int(replica.store.session, 36)
        after = replica.clocks()
        return {(name, client): end for name, end in after.items() if end > before[name]}

    def _send(self, replica: Replica, event: int) -> None:
        seq = replica.storage.durable_seq
        for commit in replica.commits:
            message = Message(replica, event, commit.deltas, replica.storage, seq)
            for other in self._replicas:
                if other is not replica:
                    other.inbox.append(message)

    def _pull(self, replica: Replica, other: Replica) -> None:
        deltas = other.store.deltas_since(replica.store.state_vectors())
        if not deltas:
            return
        other.storage.sync(other.storage.durable_seq)
        sources = () if other.last is None else (other.last,)
        label = f"pulls what it lacks from {other.name}"
        self._merge(replica, [deltas], "sync", label, other.name, sources)

    def _merge(
        self,
        replica: Replica,
        deltas: Sequence[Mapping[str, bytes]],
        kind: str,
        label: str,
        source: str,
        sources: tuple[int, ...],
    ) -> None:
        changed = waits = False
        failed: Exception | None = None
        try:
            for each in deltas:
                merged = replica.store.merge(each)
                changed |= bool(merged.changed)
                waits |= bool(merged.missing)
        except Exception as error:
            failed = error
        size = sum(len(delta) for each in deltas for delta in each.values())
        detail = f"{size} bytes" + (", which wait for others that are missing" if waits else "")
        peer = self._replica(source)
        self._note(kind, replica, label, peer=peer, also=sources, changed=changed, detail=detail)
        if failed is not None:
            said = f"{type(failed).__name__}: {failed}"
            self._break(replica, "what replicas send can be merged", said, failed)
        self._examine(replica)

    def _open(self, replica: Replica, storage: Any) -> None:
        try:
            replica.open(storage)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            self._break(replica, "what was stored can be opened", said, error)

    def _note(
        self,
        kind: str,
        replica: Replica,
        label: str,
        *,
        peer: Replica | None = None,
        also: tuple[int, ...] = (),
        changed: bool = True,
        detail: str = "",
    ) -> int:
        """Write an event down, and let a millisecond pass."""
        number = len(self._events)
        both = (
            [replica, peer] if peer is not None and kind in ("cut", "heal", "clone") else [replica]
        )
        causes = {each.last for each in both if each.last is not None} | set(also)
        name = peer.name if peer is not None else ""
        self._events.append(
            Event(number, kind, replica.name, label, tuple(sorted(causes)), name, changed, detail)
        )
        for each in both if kind != "clone" else [replica]:
            each.last = number
        self._ticks += 1
        return number

    # Checks

    def _examine(self, replica: Replica) -> None:
        """Check a replica, if what it shows has changed."""
        state = replica.store.state
        if state is replica.asked:
            return
        replica.asked = state
        self._found(replica, "patched snapshot equals full read", fully_read(replica.store))
        for check in self._invariants:
            self._ask(replica, check)

    def _ask(self, replica: Replica, check: Check, *, quiet: bool = False) -> None:
        said = ask(check, replica.store.state)
        if said is not None:
            self._break(replica, named(check), *said, quiet=quiet)

    def _found(
        self, replica: Replica, what: str, wrong: str | None, *, quiet: bool = False
    ) -> None:
        if wrong is not None:
            self._break(replica, what, wrong, None, quiet=quiet)

    def _reload(self, replica: Replica, *, quiet: bool = False) -> None:
        try:
            with replica.copied() as again:
                wrong = reloaded(replica.store, again)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        self._found(replica, "reload equals live", wrong, quiet=quiet)

    def _check_quiet(self) -> None:
        hub, *others = self._replicas
        pairs = [(each.name, each.store) for each in self._replicas]
        for each in self._replicas:
            lacks = behind(each.store, [pair for pair in pairs if pair[0] != each.name])
            self._found(each, "one sync round leaves nobody behind", lacks, quiet=True)
        for other in others:
            wrong = alike(hub.store, other.store)
            if wrong is not None:
                said = f"{hub.name} and {other.name}: {wrong}"
                self._break(None, "all replicas are equal once quiet", said, None, quiet=True)
        for each in self._replicas:
            self._reload(each, quiet=True)
            for check in self._at_quiescence:
                self._ask(each, check, quiet=True)
        run = Run(self._first, self._survived(hub), hub.store.state)
        for intent in self._intent:
            said_ = ask(intent, run)
            if said_ is not None:
                self._break(None, named(intent), *said_, quiet=True)

    def _survived(self, replica: Replica) -> list[Act]:
        """Return the acts whose work is there: the clocks of their sessions have got that far."""
        vectors = replica.store.state_vectors()
        clocks = {name: read_state_vector(vector) for name, vector in vectors.items()}
        return [
            act
            for act, ends in self._acts
            if all(clocks[name].get(client, 0) >= end for (name, client), end in ends.items())
        ]

    def _break(
        self,
        replica: Replica | None,
        what: str,
        message: str,
        error: Exception | None,
        *,
        quiet: bool = False,
    ) -> None:
        name = replica.name if replica is not None else ""
        event = len(self._events) if quiet or not self._events else len(self._events) - 1
        self._broken.append(Broken(event, name, what, message))
        self._at_break = self._holds()
        where = f" at {name}" if name else ""
        when = " once all is quiet" if quiet else ""
        raise ConvergenceError(
            f"{what}: does not hold{where}{when}: {message}", self.history
        ) from error

    # Life

    def close(self) -> None:
        """Close every store."""
        for replica in self._replicas:
            if replica.up:
                replica.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@contextmanager
def _lenient() -> Iterator[None]:
    """Let advice be shown and not raised: it is given once, and examples are played again."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", CrdtstoreWarning)
        yield
