"""Histories of several stores: they work, send, lose, repeat, restart; and all is checked.

A `World` holds real stores of one slice and plays steps, which are numbers only, as in `kitchen`.
After every step the store that took it is compared with the oracle, with a full reading of its own
document, with a fresh document made from its bytes, and with every other store that has ever seen
the same; and what did not change must be the very same objects.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from unittest import mock

from hypothesis import strategies as st

from crdtstore import Slice, Store, configure_store
from crdtstore.document import Document
from crdtstore.kinds import ListView, SetView, TextView
from crdtstore.paths import base36
from crdtstore.snapshot import ROOT, read
from crdtstore.storage import MemoryStorage, Storage
from crdtstore.updates import read_state_vector
from crdtstore.views import FrozenRecord, fields_of
from properties import model
from properties.kitchen import FIELDS, SHAPE, VERBS, Command, Fresh, Script, Stopped, kitchen, run

__all__ = ["Plan", "Step", "World", "check_kept", "commands", "plans", "untouched"]

DAY = 24 * 60 * 60 * 1000


class Step(NamedTuple):
    """What happens, to which store, and how, as numbers to be taken modulo whatever there is."""

    kind: str
    store: int = 0
    a: int = 0
    commands: tuple[Command, ...] = ()


WORKING = ["act"] * 8 + ["fail"]
OTHERS = (
    ["deliver"] * 6 + ["again", "drop", "pull", "jump"] * 2 + ["ask", "restart", "compact", "clone"]
)

numbers = st.integers(0, 63)
commands = st.builds(Command, st.sampled_from(VERBS), st.integers(0, 127), numbers, numbers)


class Plan(NamedTuple):
    """A history to be played: by how many stores, about which fields (none: all), and its steps."""

    stores: int
    seed: int
    theme: frozenset[str]
    steps: tuple[Step, ...]


@st.composite
def plans(draw: st.DrawFn, most: int = 40) -> Plan:
    """Draw histories whose steps meet: most are about few fields, and few rows of those."""
    verbs = ["insert", *draw(st.lists(st.sampled_from(VERBS), min_size=1, max_size=8))]
    which = st.integers(0, draw(st.sampled_from([1, 3, 15])))
    where = st.integers(0, draw(st.sampled_from([15, 127])))
    batches = st.lists(
        st.builds(Command, st.sampled_from(verbs), where, which, numbers),
        min_size=1,
        max_size=4,
    ).map(tuple)
    working = st.builds(Step, st.sampled_from(WORKING), st.integers(0, 3), numbers, batches)
    others = st.builds(Step, st.sampled_from(OTHERS), st.integers(0, 3), numbers, st.just(()))
    length = draw(st.integers(0, most))
    steps = draw(st.lists(working | others, min_size=length, max_size=length))
    theme = draw(st.frozensets(st.sampled_from(FIELDS), max_size=3))
    return Plan(draw(st.integers(2, 4)), draw(st.integers(0, 2**32)), theme, tuple(steps))


@dataclass(eq=False)
class Place:
    """One store, what it is kept in, what its clock says, and what is on its way to it."""

    storage: Storage
    store: Store
    now: int = 1_000
    inbox: list[dict[str, bytes]] = field(default_factory=list)
    commits: list[Any] = field(default_factory=list)


class World:
    """Several stores, and the oracle that knows what each must read."""

    def __init__(
        self,
        count: int,
        *,
        seed: int = 0,
        theme: frozenset[str] = frozenset(),
        storage: Callable[[], Storage] = MemoryStorage,
        copy: Callable[[Storage], Storage] | None = None,
        of: Slice[Any] = kitchen,
    ) -> None:
        self.random = random.Random(seed)
        self.theme = theme
        self.of = of
        self.history = model.History(SHAPE)
        self.fresh = Fresh()
        self.copy = copy or copy_memory
        self.spans: list[tuple[int, int, int]] = []  # event, client, the clock it ends at
        self.orders: dict[Any, model.Order] = {}
        self.known: dict[model.Seen, tuple[Any, ...]] = {}
        self.digests: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.tokens = 0
        self.places = [self._open(storage()) for _ in range(count)]

    def close(self) -> None:
        """Close every store."""
        for place in self.places:
            place.store.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @classmethod
    def of_plan(cls, plan: Plan, **options: Any) -> World:
        """Make the stores of a plan."""
        return cls(plan.stores, seed=plan.seed, theme=plan.theme, **options)

    # Steps

    def play(self, history: Sequence[Step]) -> None:
        """Play steps, one after another."""
        for step in history:
            place = self.places[step.store % len(self.places)]
            getattr(self, f"_{step.kind}")(place, step)

    def act(self, at: int, *commands: Command) -> None:
        """Dispatch commands at one store."""
        self._act(self.places[at], Step("act", at, 0, commands))

    def _act(self, place: Place, step: Step) -> None:
        store = place.store
        before, past = store.state, self.seen(place)
        clock = self._clock(place)
        script = Script(step.commands, self.fresh, self.theme)
        place.now += step.a % 2
        place.commits.clear()
        store.dispatch(run(script))
        if not place.commits:
            assert _come_to_nothing(script.effects), f"nothing was written for {script.effects}"
            assert store.state is before
            return
        assert script.effects, "something was written for nothing"
        (commit,) = place.commits
        end = self._clock(place)
        assert end > clock, "the delta does not advance its writer's clock (rule 8)"
        ids = self.history.add(store.session, place.now, past, script.effects)
        client = int(store.session, 36)
        self.spans += [(event, client, end) for event in ids]
        if self._closed(past):
            assert repr(store[self.of]) == script.shown, "the state is not what the reducer saw"
        for other in self.places:
            if other is not place:
                other.inbox.append(dict(commit.deltas))
        self.check(place, before)

    def _fail(self, place: Place, step: Step) -> None:
        store = place.store
        before, digest, vectors = store.state, store.digest(), store.state_vectors()
        store.flush().wait(10)
        seq = place.storage.durable_seq
        place.commits.clear()
        script = Script(step.commands, self.fresh, self.theme, step.a % (len(step.commands) + 1))
        try:
            store.dispatch(run(script))
        except Stopped:
            pass
        else:
            raise AssertionError("the script did not fail")
        assert not place.commits
        assert store.state is before
        assert (store.digest(), store.state_vectors()) == (digest, vectors)
        store.flush().wait(10)
        assert place.storage.durable_seq == seq

    def _deliver(self, place: Place, step: Step) -> None:
        if place.inbox:
            self._merge(place, place.inbox.pop(step.a % len(place.inbox)))

    def _again(self, place: Place, step: Step) -> None:
        if place.inbox:
            self._merge(place, place.inbox[step.a % len(place.inbox)])

    def _drop(self, place: Place, step: Step) -> None:
        if place.inbox:
            place.inbox.pop(step.a % len(place.inbox))

    def _pull(self, place: Place, step: Step) -> None:
        other = self.places[step.a % len(self.places)]
        self._merge(place, other.store.deltas_since(place.store.state_vectors()))

    def _ask(self, place: Place, step: Step) -> None:
        """Have another store answer what this one lacks; the answer is on its way."""
        other = self.places[step.a % len(self.places)]
        place.inbox.append(dict(other.store.deltas_since(place.store.state_vectors())))

    def _jump(self, place: Place, step: Step) -> None:
        jumps = [DAY, -DAY, 1_000, 0, -1_000, 2**53]
        place.now = max(1, place.now + jumps[step.a % len(jumps)])
        if step.a % len(jumps) == 3:  # the same millisecond as another store
            place.now = self.places[step.a % len(self.places)].now

    def _restart(self, place: Place, step: Step) -> None:
        before, digest, vectors = place.store.state, place.store.digest(), self._vector(place)
        place.store.close()
        self._reopen(place, place.storage)
        assert repr(place.store.state) == repr(before), "reload differs from live"
        assert place.store.state == before
        assert (place.store.digest(), self._vector(place)) == (digest, vectors)

    def _compact(self, place: Place, step: Step) -> None:
        before = place.store.state
        place.store.compact().wait(10)
        assert place.store.state is before

    def _clone(self, place: Place, step: Step) -> None:
        """Start this store anew from a copy of another one's storage."""
        other = self.places[step.a % len(self.places)]
        if other is place:
            return
        other.store.flush().wait(10)
        copied = self.copy(other.storage)
        place.store.close()
        self._reopen(place, copied)
        self.check(place, place.store.state)

    def _merge(self, place: Place, deltas: dict[str, bytes]) -> None:
        store = place.store
        before, vector, digest = store.state, self._vector(place), store.digest()
        place.commits.clear()
        merged = store.merge(deltas)
        assert bool(merged.changed) == bool(place.commits)
        if not merged.changed:
            assert store.state is before
            assert (self._vector(place), store.digest()) == (vector, digest)
            return
        assert self._vector(place) != vector
        slot = store._slots[self.of.name]
        for held in slot.held:
            assert slot.document.inspect(held).missing, "a delta is held that misses nothing"
        self.check(place, before if len(place.commits) == 1 else store.state)

    def settle(self) -> None:
        """Let everything arrive; then let every two stores exchange once what the other lacks."""
        for place in self.places:
            while place.inbox:
                self._merge(place, place.inbox.pop())
        for at, one in enumerate(self.places):
            for other in self.places[:at]:
                self.exchange(one, other)
        for one in self.places[:-1]:
            self.exchange(one, self.places[-1])
        for place in self.places:
            self.check_conflicts(place)
            self.check_mirror(place)

    def exchange(self, one: Place, other: Place) -> None:
        """Play one round of synchronisation; neither is behind then."""
        waiting = [len(place.store._slots[self.of.name].held) for place in (one, other)]
        for _ in range(1 + sum(waiting)):  # what waited for the other's work is news to the other
            mine, theirs = one.store.state_vectors(), other.store.state_vectors()
            to_one, to_other = other.store.deltas_since(mine), one.store.deltas_since(theirs)
            self._merge(one, to_one)
            self._merge(other, to_other)
        self._assert_equal(one, other)

    def _assert_equal(self, one: Place, other: Place) -> None:
        assert self._vector(one) == self._vector(other)
        assert one.store.digest() == other.store.digest()
        assert repr(one.store.state) == repr(other.store.state)
        assert one.store.state == other.store.state
        assert not one.store.deltas_since(other.store.state_vectors())

    # Checks

    def check(self, place: Place, before: Any) -> None:
        """Compare a store with the oracle, its own document, and all that saw the same."""
        seen = self.seen(place)
        state: Any = place.store[self.of]
        check_kept(before[self.of.name], state)
        shown = repr(state)
        self._check_fresh(place, shown)
        holds = (place.store.digest(), self._vector(place), shown)
        assert self.digests.setdefault(holds[0], shown) == shown, "one digest for two states"
        if seen in self.known:
            assert self.known[seen] == holds, "others saw the same and read otherwise"
            return
        where = model.differs(SHAPE, self.history.read(seen), state)
        assert not where, where
        self._check_orders(state, seen)
        self.known[seen] = holds

    def _check_fresh(self, place: Place, shown: str) -> None:
        document = place.store._slots[self.of.name].document
        fresh = Document(document.shape, 1, "")
        fresh.load([document.whole()])
        assert repr(fresh.state) == shown, "the patched state differs from a fresh document's"
        assert fresh.digest() == document.digest()
        assert fresh.state_vector() == document.state_vector()
        assert fresh.cells == document.cells
        fresh.close()

    def check_mirror(self, place: Place) -> None:
        """Compare the state with a full reading of what the document keeps in Python."""
        document = place.store._slots[self.of.name].document
        full = read(document.shape, ROOT, document.shape.default, document)
        assert repr(full) == repr(document.state), "the patched state differs from a full reading"

    def _check_orders(self, state: Any, seen: model.Seen) -> None:
        for path, text in _texts(SHAPE, state):
            life = self.history._lives_at(path, seen)[0].id
            order = self.orders.setdefault((path, life), model.Order())
            contradiction = order.contradicted_by(text)
            assert not contradiction, (path, contradiction)
            self._check_runs(path, text, seen)
        for name in ("words", "steps", "todo", "plan"):
            elements = getattr(state, name)
            keys = [elements.key_at(at) for at in range(len(elements))]
            shown = [(key, self.history.place_of((name,), key, seen)) for key in keys]
            contradiction = self.orders.setdefault(name, model.Order()).contradicted_by(shown)
            assert not contradiction, (name, contradiction)

    def _check_runs(self, path: model.Path, text: str, seen: model.Seen) -> None:
        """What was typed in one go is not torn apart by who did not know of it."""
        typed = self.history.typed(path, seen)
        owner = {char: event for event in typed for char in event.effect.inserted}
        for event in typed:
            at = [text.index(char) for char in event.effect.inserted if char in text]
            assert at == sorted(at), (path, event, text)
            for char in text[at[0] : at[-1] + 1] if at else "":
                other = owner.get(char)
                assert other is not None, (path, event, text)
                assert other is event or event.id in other.past, (path, event, other, text)

    def check_conflicts(self, place: Place) -> None:
        """What stands side by side in the oracle is what ``conflicts`` lists, exactly."""
        seen = self.seen(place)
        state: Any = place.store[self.of]
        for kind, path in _places(SHAPE, state):
            if kind is model.Register:
                self._check_sides(place, path, self.history.sides(path, seen))
            elif kind is model.Map or kind is model.Set:
                for key in self.history._entries(path, seen):
                    sides = self.history.entry_sides(path, key, seen)
                    self._check_sides(place, (*path, key), sides)

    def _check_sides(self, place: Place, path: tuple[Any, ...], sides: list[model.Side]) -> None:
        expected: list[tuple[Any, str, int]] = []
        for side in sides:
            if not any(model.identical(side.value, other[0]) for other in expected):
                expected.append((side.value, self.names.get(side.session, ""), side.stamp))
        if len(expected) < 2:
            expected = []
        found = place.store.conflicts(self.of, *path)
        assert len(found) == len(expected), (path, expected, found)
        for one, other in zip(expected, found, strict=True):
            assert model.identical(one[0], other.value), (path, expected, found)
            assert one[1:] == (other.replica, other.at), (path, expected, found)

    # Stores

    def seen(self, place: Place) -> model.Seen:
        """Return the events whose work is in a store."""
        clocks = read_state_vector(self._vector(place))
        return frozenset(e for e, client, end in self.spans if clocks.get(client, 0) >= end)

    def _closed(self, seen: model.Seen) -> bool:
        """Tell whether all is there that what was seen had seen itself."""
        return all(self.history.events[event].past <= seen for event in seen)

    def _vector(self, place: Place) -> bytes:
        return place.store.state_vectors()[self.of.name]

    def _clock(self, place: Place) -> int:
        return read_state_vector(self._vector(place)).get(int(place.store.session, 36), 0)

    def _open(self, storage: Storage) -> Place:
        place = Place(storage, None)  # type: ignore[arg-type]
        self._reopen(place, storage)
        return place

    def _reopen(self, place: Place, storage: Storage) -> None:
        client = self.random.randrange(1, 2**53)
        with mock.patch("crdtstore.store.new_client_id", return_value=client):
            store = configure_store(
                [self.of],
                storage=storage,
                clock=lambda: min(place.now, 2**53),
                token=self._token,
            )
        assert store.session == base36(client)
        self.names[store.session] = store.replica
        place.storage = storage
        place.store = store
        store.on_commit(place.commits.append)

    def _token(self) -> str:
        self.tokens += 1
        return f"e{self.tokens}"


def _come_to_nothing(effects: list[model.Effect]) -> bool:
    """Tell whether a reducer undid itself: it may add to a counter and subtract it again."""
    sums: dict[Any, Any] = {}
    for effect in effects:
        if not isinstance(effect, model.Increase):
            return False
        sums[effect.path] = sums.get(effect.path, 0) + effect.amount
    return not any(sums.values())


def copy_memory(storage: Storage) -> Storage:
    """Copy a storage in memory, as a file is copied."""
    assert isinstance(storage, MemoryStorage)
    copied = MemoryStorage()
    for name in ("_seq", "_replica"):
        setattr(copied, name, getattr(storage, name))
    copied._batches = list(storage._batches)
    copied._snapshots = dict(storage._snapshots)
    return copied


def untouched(before: Any, after: Any, path: str = "") -> bool:
    """Tell whether two snapshots are alike; those that are must be one object."""
    if before is after:
        return True
    if isinstance(after, FrozenRecord):
        pairs = zip(fields_of(before), fields_of(after), strict=True)
        alike = [untouched(a, b, f"{path}.{name}") for (name, a), (_, b) in pairs]
        same = all(alike)
    elif isinstance(after, ListView):
        old = {before.key_at(at): row for at, row in enumerate(before)}
        new = {after.key_at(at): row for at, row in enumerate(after)}
        alike = [untouched(old[k], new[k], f"{path}[{k}]") for k in new if k in old]
        same = all(alike) and list(old) == list(new) and _root(before) == _root(after)
    elif isinstance(after, SetView):
        same = len(before) == len(after) and all(map(model.identical, before, after))
    elif hasattr(after, "_rows"):
        alike = [untouched(before[k], after[k], f"{path}[{k}]") for k in after if k in before]
        same = all(alike) and set(before) == set(after)
    else:
        same = model.identical(before, after)
        if not isinstance(after, (list, dict, TextView)):
            return same
    assert not same, f"{path} is the same as before but another object"
    return False


def _root(elements: Any) -> str:
    return elements._root  # type: ignore[no-any-return]


def check_kept(before: Any, after: Any) -> None:
    """Check that every part that did not change is the very same object."""
    untouched(before, after)


def _texts(shape: Any, state: Any) -> list[tuple[model.Path, str]]:
    return [
        (path, str(_read(state, path)))
        for kind, path in _places(shape, state)
        if kind is model.Text
    ]


def _places(shape: Any, state: Any, path: model.Path = ()) -> list[tuple[type, model.Path]]:
    found: list[tuple[type, model.Path]] = [(type(shape), path)]
    if isinstance(shape, model.Record):
        for name, part in shape.fields.items():
            found += _places(part, getattr(state, name), (*path, name))
    elif isinstance(shape, model.List):
        for at, row in enumerate(state):
            found += _places(shape.element, row, (*path, state.key_at(at)))
    elif isinstance(shape, model.Table):
        for key, row in state.items():
            found += _places(shape.element, row, (*path, key))
    return found


def _read(state: Any, path: model.Path) -> Any:
    for part in path:
        if isinstance(state, ListView):
            state = state[state.index_of(part)]
        else:
            state = getattr(state, part) if isinstance(state, FrozenRecord) else state[part]
    return state
