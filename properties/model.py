"""The oracle: what a replica must read, from nothing but operations and what each had seen.

A history is a set of events. An event is one thing a user did (assign this, add that, remove this
row), with the session that did it, what its clock said, and its causal past: the events that had
been seen when it happened. `History.read` says what must be read by whoever has seen a given set of
events. There are no documents, cells, deltas or orders of arrival here, nothing is updated in
place, and every question is answered from the whole set, slowly and in the words of the rules:

1. Whatever is done replaces what stood there as far as was known; what nobody replaced stands, side
   by side. `History._standing` is the only place where that is decided.
2. Of several values side by side the newest shows, by (stamp, session). A stamp is what the clock
   said, or one more than the largest stamp of what the event knew about the place, if that is more.
3. Every insertion of a row begins a life of it. A life ends when a removal or an insertion of that
   row knows of it. What is done inside a row is done to the lives that were known to be alive (an
   increment and typing to the newest of them), and counts while one of these lives.
4. A default shows while nothing was done there.

Characters of one text, and the keys of one list, are all different from one another here; so a text
reads as the set of its characters, and a list as its elements by key. In which order they show is
not derived but watched by `Order`, which holds the replicas to an order seen once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import copysign, fsum
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "Assign",
    "Counter",
    "Drop",
    "Effect",
    "Event",
    "History",
    "Increase",
    "Insert",
    "Keep",
    "List",
    "Map",
    "Move",
    "Order",
    "Record",
    "Register",
    "Remove",
    "Set",
    "Side",
    "Table",
    "Text",
    "Type",
    "differs",
    "identical",
]

STAMP_MAX = 2**53 - 1
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "ABSENT"})()
Path: TypeAlias = tuple[str, ...]
Seen: TypeAlias = frozenset[int]


# What state is made of


class Register(NamedTuple):
    """One value."""

    default: Any = None


class Counter(NamedTuple):
    """A number that changes by differences."""

    default: int | float = 0


class Text(NamedTuple):
    """Characters, all different."""

    default: str = ""


class Set(NamedTuple):
    """Values, one of each that Python calls equal."""

    default: tuple[Any, ...] = ()


class Map(NamedTuple):
    """Values by key."""

    default: Mapping[str, Any] = {}


class Record(NamedTuple):
    """Fields by name."""

    fields: Mapping[str, Any]


class List(NamedTuple):
    """Elements by key; ``default`` by the keys that they have everywhere."""

    element: Any
    default: Mapping[str, Any] = {}


class Table(NamedTuple):
    """Records by key."""

    element: Record
    default: Mapping[str, Any] = {}


# What users do


class Assign(NamedTuple):
    """Assign to a register (an element of a list of plain values is one)."""

    path: Path
    value: Any


class Increase(NamedTuple):
    """Add to a counter."""

    path: Path
    amount: int | float


class Type(NamedTuple):
    """Insert characters in one place of a text, and delete others."""

    path: Path
    inserted: str
    deleted: frozenset[str]


class Keep(NamedTuple):
    """Put an entry into a map, or an element into a set (then ``key`` is the element)."""

    path: Path
    key: Any
    value: Any


class Drop(NamedTuple):
    """Remove an entry from a map or an element from a set."""

    path: Path
    key: Any


class Insert(NamedTuple):
    """Insert a row into a table or list, as plain data."""

    path: Path
    key: str
    row: Any


class Remove(NamedTuple):
    """Remove a row."""

    path: Path
    key: str


class Move(NamedTuple):
    """Give an element of a list another place."""

    path: Path
    key: str


Effect = Assign | Increase | Type | Keep | Drop | Insert | Remove | Move


@dataclass(frozen=True, eq=False)
class Event:
    """One effect; ``past`` are the ids of all events that had been seen, not its own."""

    id: int
    session: str
    now: int
    past: Seen
    effect: Any

    @property
    def path(self) -> Path:
        """Where it happened."""
        return self.effect.path  # type: ignore[no-any-return]

    @property
    def place(self) -> tuple[Any, ...]:
        """What else must happen at to replace this, or be replaced by it."""
        effect = self.effect
        if isinstance(effect, (Keep, Drop)):
            return (*effect.path, "entry", effect.key)
        if isinstance(effect, (Insert, Remove, Move)):
            return (*effect.path, "row", effect.key)
        return (*effect.path, "value")


class Life(NamedTuple):
    """One life of a row: the id of its insertion, 0 for a default row and for what is in no row.

    ``row`` is what it began with, and ``ABSENT`` where defaults show through.
    """

    id: int
    stamp: int
    session: str
    row: Any


class Contest(NamedTuple):
    """What competes for one place: all events there, of some kinds, that were done to one life."""

    place: tuple[Any, ...]
    kinds: tuple[type, ...]
    life: Life | None = None


class Side(NamedTuple):
    """One of the values that stand side by side."""

    stamp: int
    over: int  # at equal stamps an assignment is newer than the insertion of its row
    session: str
    value: Any


class Home(NamedTuple):
    """Where a path leads: the row on the way, if any, and the way on from there."""

    shape: Any
    container: Path | None
    key: str
    inside: Path
    default: Any


TOP = [Life(0, 0, "", ABSENT)]


@dataclass
class History:
    """Events, and what they come to. Ids rise: an event's id is above all in its past."""

    shape: Record
    events: dict[int, Event] = field(default_factory=dict)
    _by_place: dict[tuple[Any, ...], list[Event]] = field(default_factory=dict)
    _keys: dict[Path, list[Any]] = field(default_factory=dict)
    _stamps: dict[int, int] = field(default_factory=dict)
    _homes: dict[Path, Home] = field(default_factory=dict)
    _replacements: dict[Any, Seen] = field(default_factory=dict)
    _starters: dict[tuple[int, Path], bool] = field(default_factory=dict)

    def add(self, session: str, now: int, past: Iterable[int], effects: Iterable[Any]) -> list[int]:
        """Record what one reducer did, one thing after another; return the ids."""
        seen = set(past)
        ids = []
        for effect in effects:
            event = Event(len(self.events) + 1, session, now, frozenset(seen), effect)
            self.events[event.id] = event
            self._by_place.setdefault(event.place, []).append(event)
            if isinstance(effect, (Keep, Insert)):
                keys = self._keys.setdefault(effect.path, [])
                if effect.key not in keys:
                    keys.append(effect.key)
            seen.add(event.id)
            ids.append(event.id)
        return ids

    # Reading

    def read(self, seen: Seen) -> dict[str, Any]:
        """Return the state that whoever has seen ``seen`` must read.

        Texts are frozensets of characters, lists dicts by key, sets dicts from element to element.
        """
        return self._read(self.shape, (), seen)  # type: ignore[no-any-return]

    def _read(self, shape: Any, path: Path, seen: Seen) -> Any:
        if isinstance(shape, Register):
            sides = self.sides(path, seen)
            return sides[0].value if sides else self._home(path).default
        if isinstance(shape, Counter):
            return self._count(path, seen)
        if isinstance(shape, Text):
            return self.characters(path, self._lives_at(path, seen)[0], seen)
        if isinstance(shape, (Set, Map)):
            return self._entries(path, seen)
        if isinstance(shape, Record):
            return {
                name: self._read(part, (*path, name), seen) for name, part in shape.fields.items()
            }
        if isinstance(shape, List) and not self._started(path, seen):
            seen = frozenset()
        keys = [*shape.default, *self._keys.get(path, ())]
        return {
            key: self._read(shape.element, (*path, key), seen)
            for key in dict.fromkeys(keys)
            if self.lives(path, key, seen)
        }

    def sides(self, path: Path, seen: Seen) -> list[Side]:
        """Return what stands side by side in a register, newest first."""
        home = self._home(path)
        found = []
        for life in self._lives_at(path, seen):
            standing = self._standing(Contest((*path, "value"), (Assign,), life), seen)
            found += [Side(self.stamp(e), 1, e.session, e.effect.value) for e in standing]
            if not standing and life.row is not ABSENT:
                found.append(Side(life.stamp, 0, life.session, _inside(life.row, home.inside)))
        return sorted(found, key=lambda side: side[:3], reverse=True)

    def _count(self, path: Path, seen: Seen) -> int | float:
        home = self._home(path)
        lives = self._lives_at(path, seen)
        newest = lives[0]
        start = home.default if newest.row is ABSENT else _inside(newest.row, home.inside)
        amounts = [
            event.effect.amount
            for event in self._at(Contest((*path, "value"), (Increase,)), seen)
            if self._targets(event)[0] in lives
        ]
        if all(type(amount) is int for amount in (start, *amounts)):
            return int(start + sum(amounts))
        return fsum([start, *amounts])

    def characters(self, path: Path, life: Life, seen: Seen) -> frozenset[str]:
        """Return the characters of a text in one life of its row."""
        home = self._home(path)
        found = set(home.default if life.row is ABSENT else _inside(life.row, home.inside))
        typed = self._typed(path, life, seen)
        found.update(char for event in typed for char in event.effect.inserted)
        found.difference_update(char for event in typed for char in event.effect.deleted)
        return frozenset(found)

    def typed(self, path: Path, seen: Seen) -> list[Event]:
        """Return the events that typed into a text in the newest life of its row."""
        return self._typed(path, self._lives_at(path, seen)[0], seen)

    def _typed(self, path: Path, life: Life, seen: Seen) -> list[Event]:
        typed = self._at(Contest((*path, "value"), (Type,)), seen)
        return [event for event in typed if self._targets(event)[0] == life]

    def _entries(self, path: Path, seen: Seen) -> dict[Any, Any]:
        found = {}
        for key in dict.fromkeys(self._known_keys(path, seen)):
            sides = self.entry_sides(path, key, seen)
            if sides:
                found[key] = sides[0].value
        return found

    def _known_keys(self, path: Path, seen: Seen) -> list[Any]:
        home = self._home(path)
        keys = [*_items(home.default), *self._keys.get(path, ())]
        for life in self._lives_at(path, seen):
            if life.row is not ABSENT:
                keys += _items(_inside(life.row, home.inside))
        return keys

    def entry_sides(self, path: Path, key: Any, seen: Seen) -> list[Side]:
        """Return what stands side by side at a key of a map or set, newest first."""
        default = _items(self._home(path).default)
        found = []
        for life in self._lives_at(path, seen):
            standing = self._standing(Contest((*path, "entry", key), (Keep, Drop), life), seen)
            found += [
                Side(self.stamp(e), 1, e.session, e.effect.value)
                for e in standing
                if isinstance(e.effect, Keep)
            ]
            if not standing and life.row is ABSENT and key in default:
                found.append(Side(0, 0, "", default[key]))
        return sorted(found, key=lambda side: side[:3], reverse=True)

    # Rows

    def lives(self, container: Path, key: str, seen: Seen) -> list[Life]:
        """Return the lives of a row that go on, newest first."""
        standing = self._standing(Contest((*container, "row", key), (Insert, Remove)), seen)
        if not standing:
            return self._default_life(container, key)
        born = [e for e in standing if isinstance(e.effect, Insert)]
        lives = [Life(e.id, self.stamp(e), e.session, e.effect.row) for e in born]
        return sorted(lives, key=lambda life: (life.stamp, life.session), reverse=True)

    def _default_life(self, container: Path, key: str) -> list[Life]:
        shape = self._home(container).shape
        if key not in shape.default:
            return []
        return [Life(0, 0, "", shape.default[key] if isinstance(shape, List) else ABSENT)]

    def _started(self, container: Path, seen: Seen) -> bool:
        """Tell whether somebody began to edit a list: until then its default shows.

        Whoever edits a list that nobody had edited, as far as they know, begins to. An edit inside
        an element by somebody else may be seen before that, and shows only with it.
        """
        return any(
            event.id in seen and self._starts(container, event)
            for event in self.events.values()
            if event.path[: len(container)] == container
        )

    def _starts(self, container: Path, event: Event) -> bool:
        key = (event.id, container)
        if key not in self._starters:
            self._starters[key] = not self._started(container, event.past)
        return self._starters[key]

    def place_of(self, container: Path, key: str, seen: Seen) -> int:
        """Return the id of the insertion or move that says where an element shows (0: none)."""
        standing = self._standing(Contest((*container, "row", key), (Insert, Remove, Move)), seen)
        moved = [e for e in standing if not isinstance(e.effect, Remove)]
        newest = max(moved, key=lambda e: (self.stamp(e), e.session), default=None)
        return 0 if newest is None else newest.id

    def _lives_at(self, path: Path, seen: Seen) -> list[Life]:
        home = self._home(path)
        return TOP if home.container is None else self.lives(home.container, home.key, seen)

    def _targets(self, event: Event) -> list[Life]:
        """Return the lives that an event inside a row was done to, newest first."""
        return self._lives_at(event.path, event.past)

    # Stamps

    def stamp(self, event: Event) -> int:
        """Return when an event happened: after everything it knew about its place."""
        if event.id <= 0:  # what a row was inserted with
            return event.now
        stamp = self._stamps.get(event.id)
        if stamp is None:
            known = max(self._known_stamps(event), default=-1)
            stamp = self._stamps[event.id] = min(STAMP_MAX, max(event.now, known + 1))
        return stamp

    def _known_stamps(self, event: Event) -> list[int]:
        effect, past = event.effect, event.past
        if isinstance(effect, (Insert, Remove)):
            contests = [Contest(event.place, (Insert, Remove))]
            lives = []
        elif isinstance(effect, Move):
            contests = [Contest(event.place, (Insert, Remove, Move))]
            lives = self.lives(effect.path, effect.key, past)
        else:
            lives = self._targets(event)
            kinds = (Assign,) if isinstance(effect, Assign) else (Keep, Drop)
            contests = [Contest(event.place, kinds, life) for life in lives]
        standing = [e for contest in contests for e in self._standing(contest, past)]
        known = [self.stamp(e) for e in standing if self._remains(e)]
        return known + [life.stamp for life in lives]

    def _remains(self, event: Event) -> bool:
        """Tell whether an event leaves something to be seen: a removal does so over a default."""
        effect = event.effect
        if isinstance(effect, Remove):
            shape = self._home(effect.path).shape
            return isinstance(shape, Table) and effect.key in shape.default
        if isinstance(effect, Drop):
            home = self._home(effect.path)
            return self._targets(event)[0].row is ABSENT and effect.key in _items(home.default)
        return True

    # What replaces what

    def _standing(self, contest: Contest, seen: Seen) -> list[Event]:
        """Return the events that none of those seen replaced; empty only if none was seen."""
        found = self._at(contest, seen)
        return [e for e in found if not any(e.id in self._replaced(contest, by) for by in found)]

    def _replaced(self, contest: Contest, by: Event) -> Seen:
        """Return what an event replaced: all that stood there as far as it knew."""
        key = (contest.place, contest.kinds, contest.life and contest.life.id, by.id)
        if by.id <= 0:
            return frozenset()
        if key not in self._replacements:
            self._replacements[key] = frozenset(e.id for e in self._standing(contest, by.past))
        return self._replacements[key]

    def _at(self, contest: Contest, seen: Seen) -> list[Event]:
        """Return the events of a contest; what a row was inserted with is its first."""
        place, kinds, life = contest
        found = [
            event
            for event in self._by_place.get(place, ())
            if event.id in seen
            and isinstance(event.effect, kinds)
            and (life is None or life in self._targets(event))
        ]
        if life is not None and life.row is not ABSENT and Keep in kinds:
            path, key = place[:-2], place[-1]
            entries = _items(_inside(life.row, self._home(path).inside))
            if key in entries:
                effect = Keep(path, key, entries[key])
                found.append(Event(-life.id, life.session, life.stamp, frozenset(), effect))
        return found

    def _home(self, path: Path) -> Home:
        if path not in self._homes:
            self._homes[path] = self._find_home(path)
        return self._homes[path]

    def _find_home(self, path: Path) -> Home:
        shape: Any = self.shape
        container: Path | None = None
        key, default = "", ABSENT
        inside: Path = ()
        for at, part in enumerate(path):
            if isinstance(shape, Record):
                shape = shape.fields[part]
                inside = (*inside, part)
                if default is not ABSENT:
                    default = default[part]
            else:
                container, key, inside = path[:at], part, ()
                default = shape.default.get(part, ABSENT)
                shape = shape.element
        if default is ABSENT:
            default = getattr(shape, "default", ABSENT)
        return Home(shape, container, key, inside, default)


def _inside(row: Any, path: Path) -> Any:
    for name in path:
        row = row[name]
    return row


def _items(content: Any) -> dict[Any, Any]:
    """Return the entries that a set or map starts with, by key."""
    if isinstance(content, Mapping):
        return dict(content)
    found: dict[Any, Any] = {}
    for element in content:
        found.setdefault(element, element)
    return found


# Comparing


def identical(a: Any, b: Any) -> bool:
    """Tell whether two values are alike in value, type, sign and order, all the way down."""
    # subclasses of these stand for them in snapshots
    if isinstance(a, str) and isinstance(b, str):
        return str(a) == str(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(identical(a[key], b[key]) for key in a)
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(identical, a, b))
    if isinstance(a, float):
        return a == b and copysign(1, a) == copysign(1, b)
    if isinstance(a, Decimal):
        return str(a) == str(b)
    return bool(a == b)


def differs(shape: Any, expected: Any, found: Any, path: Path = ()) -> str:
    """Say where a snapshot is not what `History.read` expects; empty if it is that everywhere."""
    if isinstance(shape, Record):
        for name, part in shape.fields.items():
            where = differs(part, expected[name], getattr(found, name), (*path, name))
            if where:
                return where
        return ""
    if isinstance(shape, List):
        keys = [found.key_at(index) for index in range(len(found))]
        if len(set(keys)) < len(keys):
            return f"{path}: an element shows twice: {keys}"
        found = dict(zip(keys, found, strict=True))
    if isinstance(shape, (List, Table)):
        if set(expected) != set(found):
            return f"{path}: expected {sorted(expected)}, found {sorted(found)}"
        rows = (differs(shape.element, expected[k], found[k], (*path, k)) for k in expected)
        return next((where for where in rows if where), "")
    if isinstance(shape, Text):
        same = len(found) == len(expected) and set(found) == expected
    elif isinstance(shape, Set):
        same = len(found) == len(expected) and all(
            element in expected and identical(expected[element], element) for element in found
        )
    elif isinstance(shape, Map):
        same = set(found) == set(expected) and all(
            identical(expected[key], found[key]) for key in expected
        )
    else:
        same = identical(expected, found)
    return "" if same else f"{path}: expected {expected!r}, found {found!r}"


@dataclass
class Order:
    """An order that nobody may contradict: what was seen before something once stays before it."""

    before: dict[Any, set[Any]] = field(default_factory=dict)
    seen: set[tuple[Any, ...]] = field(default_factory=set)

    def contradicted_by(self, items: Iterable[Any]) -> str:
        """Note an order somebody sees; say what it contradicts, if it does."""
        shown = tuple(items)
        if shown not in self.seen:
            self.seen.add(shown)
            for at, item in enumerate(shown):
                for earlier in shown[:at]:
                    if item in self.before.get(earlier, ()):
                        return f"{item!r} was before {earlier!r}, but now: {shown!r}"
                    self.before.setdefault(item, set()).add(earlier)
        return ""
