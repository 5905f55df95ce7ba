"""What everybody does, decided beforehand from a seed.

A step names its targets (a todo by id, a person by name, a word), never what they are at the time:
whether the todo is still there when a step is carried out depends on when messages arrive. The
script keeps a rough idea of who knows what, so that most targets are there, and aims often at a few
places, so that people get in each other's way. While the links are cut it sees to it that everybody
adds the same person, sets the same meeting and edits the same todos at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from random import Random
from string import ascii_uppercase
from typing import Any, NamedTuple

from sync.demo import words
from sync.demo.slices import DEFAULT_MEETINGS, WELCOME

__all__ = ["FEWEST_EACH", "MOST_PEERS", "PHASES", "Script", "Step", "write_script"]

MOST_PEERS = 20
FEWEST_EACH = 10
"""Steps a peer, below which there would be no story."""

PHASES = ("online", "cut", "killed", "healed", "tidy")
_SHARES = {"online": 0.25, "cut": 0.35, "killed": 0.2}  # healed takes the rest, tidy one step
_VICTIM_SHARE = 0.5  # of the phase in which it is killed: there must be something to interrupt
_HOT = 0.35  # how often a step aims at one of a few places
_SKEW_MS = 5000


@dataclass(frozen=True, slots=True)
class Step:
    """The ``n``-th thing that ``by`` does; ``at`` is in ms of its own clock since the start."""

    by: str
    n: int
    at: int
    kind: str
    payload: Mapping[str, Any]

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.payload.items())
        return f"{self.by}'s action {self.n}, {self.kind}({shown})"


@dataclass(frozen=True, slots=True)
class Script:
    """All steps by phase, in the order of time; who is killed, and after how many of its steps."""

    seed: int
    peers: tuple[str, ...]
    victim: str
    kill_after: int
    skew: Mapping[str, int]
    """By how many ms the clocks of the peers are wrong; included in ``Step.at``."""
    phases: Mapping[str, tuple[Step, ...]]

    def steps(self, phase: str, peer: str) -> list[Step]:
        """Return what one peer does in one phase."""
        return [step for step in self.phases[phase] if step.by == peer]

    @property
    def everything(self) -> list[Step]:
        """All steps of all peers."""
        return [step for phase in PHASES for step in self.phases[phase]]


def write_script(peers: int, actions: int, seed: int) -> Script:
    """Write a script for so many peers, with exactly so many actions; equal seeds, equal scripts.

    Raises ``ValueError`` for fewer than two or more than ``MOST_PEERS`` peers, or fewer than
    ``FEWEST_EACH`` actions a peer.
    """
    if not 2 <= peers <= MOST_PEERS:
        raise ValueError(f"the demo takes 2 to {MOST_PEERS} peers, not {peers}")
    if actions < FEWEST_EACH * peers:
        raise ValueError(
            f"{peers} peers need at least {FEWEST_EACH * peers} actions to tell a story, "
            f"not {actions}"
        )
    return _Author(tuple(ascii_uppercase[:peers]), seed).write(actions)


# What a target is called in a payload, by the pool that it is chosen from.
_POOLS: Mapping[str, tuple[str, ...]] = {
    "todos": ("id",),
    "titles": ("id", "word"),
    "tags": ("id", "tag"),
    "people": ("name",),
    "skills": ("name", "skill"),
    "notes": ("word",),
    "meetings": ("day",),
}


class _Kind(NamedTuple):
    """How steps of one kind are made.

    ``aim`` is the pool of the target, ``makes`` and ``ends`` the pools that gain from the step and
    that lose what it aimed at; ``typed`` is the most words that it types, ``more`` the rest of the
    payload.
    """

    weight: int
    aim: str = ""
    makes: str = ""
    ends: bool = False
    typed: int = 0
    more: Callable[[Random], dict[str, Any]] = lambda random: {}


def _anywhere(random: Random) -> dict[str, Any]:
    return {"where": random.randrange(1000) / 1000}


def _new_todo(random: Random) -> dict[str, Any]:
    title = f"{random.choice(words.VERBS)} {random.choice(words.THINGS)} "
    return {"title": title, "tags": random.sample(words.TAGS, random.randint(0, 2))}


_KINDS: Mapping[str, _Kind] = {
    "add": _Kind(14, makes="todos", more=_new_todo),
    "remove": _Kind(3, "todos", ends=True),
    "move": _Kind(5, "todos", more=_anywhere),
    "sort": _Kind(0),  # rare, and where it makes trouble: see _collisions
    "vote": _Kind(14, "todos", more=lambda r: {"votes": r.choice([1, 1, 1, 2, 3, -1])}),
    "finish": _Kind(7, "todos", more=lambda r: {"done": r.random() < 0.7}),
    "assign": _Kind(6, "todos", more=lambda r: {"owner": r.choice(words.PEOPLE)}),
    "prioritise": _Kind(4, "todos", more=lambda r: {"priority": r.randint(1, 5)}),
    "schedule": _Kind(
        3,
        "todos",
        more=lambda r: {"due": (date(2030, 1, 1) + timedelta(r.randrange(365))).isoformat()},
    ),
    "tag": _Kind(6, "todos", makes="tags", more=lambda r: {"tag": r.choice(words.TAGS)}),
    "untag": _Kind(3, "tags", ends=True),
    "retitle": _Kind(5, "todos", makes="titles", typed=2),
    "shorten": _Kind(2, "titles", ends=True),
    "join": _Kind(
        5,
        makes="people",
        typed=2,
        more=lambda r: {"name": r.choice(words.PEOPLE), "role": r.choice(words.ROLES)},
    ),
    "replace": _Kind(1, "people", typed=2, more=lambda r: {"role": r.choice(words.ROLES)}),
    "leave": _Kind(2, "people", ends=True),
    "work": _Kind(8, "people", more=lambda r: {"hours": r.randint(1, 16) / 4}),
    "promote": _Kind(3, "people", more=lambda r: {"role": r.choice(words.ROLES)}),
    "jot": _Kind(5, "people", typed=3, more=_anywhere),
    "learn": _Kind(4, "people", makes="skills", more=lambda r: {"skill": r.choice(words.SKILLS)}),
    "forget": _Kind(2, "skills", ends=True),
    "write": _Kind(14, makes="notes", typed=4, more=_anywhere),
    "strike": _Kind(4, "notes", ends=True),
    "meet": _Kind(
        3,
        makes="meetings",
        more=lambda r: {"day": r.choice(words.DAYS), "place": r.choice(words.PLACES)},
    ),
    "cancel": _Kind(1, "meetings", ends=True),
}


class _Author:
    """Makes up the steps; ``known`` is what each peer probably knows of, by pool."""

    def __init__(self, peers: tuple[str, ...], seed: int) -> None:
        self.random = Random(str(seed))  # of an int, Random ignores the sign
        self.seed = seed
        self.peers = peers
        self.known: dict[str, dict[str, list[tuple[str, ...]]]] = {
            peer: {pool: [] for pool in _POOLS} for peer in peers
        }
        self.ended: set[tuple[str, tuple[str, ...]]] = set()
        self.numbers = {peer: count(1) for peer in peers}
        self.skew = {peer: self.random.randint(-_SKEW_MS, _SKEW_MS) for peer in peers}
        self.now = 2 * _SKEW_MS
        self.linked = True
        self._hear(peers[0], "todos", (WELCOME,))
        for day in DEFAULT_MEETINGS:
            self._hear(peers[0], "meetings", (day,))

    def write(self, actions: int) -> Script:
        victim = self.peers[1]
        counts = {phase: int(actions * share) for phase, share in _SHARES.items()}
        counts["healed"] = actions - sum(counts.values()) - 1
        phases = {"online": self._anything(self._anybody(counts["online"]))}
        self.linked = False
        collisions = self._collisions(counts["cut"] // 2)
        rest = self._anybody(counts["cut"] - len(collisions))
        phases["cut"] = [*collisions, *self._anything(rest)]
        burst = max(1, int(counts["killed"] * _VICTIM_SHARE))
        others = [peer for peer in self.peers if peer != victim]
        actors = [victim] * burst + self.random.choices(others, k=counts["killed"] - burst)
        self.random.shuffle(actors)
        phases["killed"] = self._anything(actors)
        self._meet_again()
        phases["healed"] = self._anything(self._anybody(counts["healed"]))
        phases["tidy"] = [self._step(self.peers[0], "sort", {"by": "title"})]
        return Script(
            self.seed,
            self.peers,
            victim,
            max(1, int(burst * self.random.uniform(0.4, 0.7))),
            self.skew,
            {phase: tuple(phases[phase]) for phase in PHASES},
        )

    def _anybody(self, times: int) -> list[str]:
        return self.random.choices(self.peers, k=times)

    def _anything(self, actors: list[str]) -> list[Step]:
        kinds, weights = list(_KINDS), [kind.weight for kind in _KINDS.values()]
        steps = []
        for by in actors:
            step = None
            while step is None:
                step = self._try(by, self.random.choices(kinds, weights)[0])
            steps.append(step)
        return steps

    def _collisions(self, most: int) -> list[Step]:
        """Everybody does the same things, none knowing of the others; two sort the list."""
        (todo,) = self.known[self.peers[0]]["todos"][-1]
        day, role = self.random.choice(words.DAYS), self.random.choice(words.ROLES)
        rounds: list[tuple[str, Callable[[str], dict[str, Any]], int]] = [
            ("join", lambda by: {"name": "Sam", "role": f"{role} of {by}"}, 2),
            ("meet", lambda by: {"day": day, "place": f"at {by}'s"}, 0),
            ("assign", lambda by: {"id": todo, "owner": f"team {by}"}, 0),
            ("vote", lambda by: {"id": todo, "votes": 1}, 0),
            ("write", lambda by: {"where": 0.5}, 3),
            ("work", lambda by: {"name": "Sam", "hours": 0.25}, 0),
            ("jot", lambda by: {"name": "Sam", "where": 0.0}, 1),
        ]
        steps = [
            self._step(by, kind, payload(by), typed)
            for kind, payload, typed in rounds[: most // len(self.peers)]
            for by in self.peers
        ]
        if len(steps) == len(rounds) * len(self.peers):
            steps.append(self._step(self.peers[0], "sort", {"by": "votes"}))
            steps.append(self._step(self.peers[-1], "sort", {"by": "priority"}))
        return steps

    def _meet_again(self) -> None:
        self.linked = True
        for mine in self.known.values():
            for theirs in self.known.values():
                for pool, items in theirs.items():
                    mine[pool] += [item for item in items if item not in mine[pool]]

    # One step

    def _try(self, by: str, name: str) -> Step | None:
        """Make a step of a kind, unless there is nothing that it could aim at."""
        kind = _KINDS[name]
        payload = kind.more(self.random)
        target: tuple[str, ...] = ()
        if kind.aim:
            known = self.known[by][kind.aim]
            if not known:
                return None
            hot = self.random.random() < _HOT
            target = self.random.choice(known[:4] if hot else known)
            payload = {**dict(zip(_POOLS[kind.aim], target, strict=True)), **payload}
        if name == "add":
            known = self.known[by]["todos"]
            insert = known and self.random.random() < 0.4
            payload["after"] = self.random.choice(known)[0] if insert else None
        step = self._step(by, name, payload, self.random.randint(1, kind.typed or 1))
        if kind.ends:
            self.ended.add((kind.aim, target))
            self._forget(by, kind.aim, target)
        elif self.linked and self._is_gone(kind.aim, target):
            self.known[by][kind.aim].remove(target)  # seen by now
        return step

    def _step(self, by: str, name: str, payload: dict[str, Any], typed: int = 0) -> Step:
        n = next(self.numbers[by])
        self.now += self.random.randint(1, 40)
        if _KINDS[name].typed:
            chosen = self.random.sample(words.WORDS, typed)
            payload = {**payload, "words": [f"{word}.{by}{n}" for word in chosen]}
        if name == "add":
            payload = {"id": f"{by}{n}", **payload}
        if pool := _KINDS[name].makes:
            for item in _made(_POOLS[pool], payload):
                self._hear(by, pool, item)
        return Step(by, n, self.now + self.skew[by], name, payload)

    def _is_gone(self, pool: str, item: tuple[str, ...]) -> bool:
        rows = {"titles": "todos", "tags": "todos", "skills": "people"}.get(pool)
        return (pool, item) in self.ended or (rows is not None and (rows, item[:1]) in self.ended)

    def _audience(self, by: str) -> list[str]:
        return list(self.peers) if self.linked else [by]

    def _hear(self, by: str, pool: str, item: tuple[str, ...]) -> None:
        self.ended.discard((pool, item))
        for peer in self._audience(by):
            if item not in self.known[peer][pool]:
                self.known[peer][pool].append(item)

    def _forget(self, by: str, pool: str, item: tuple[str, ...]) -> None:
        """Whoever did it knows; the others go on aiming at what is gone, half of the time."""
        for peer in self._audience(by):
            known = self.known[peer][pool]
            if item in known and (peer == by or self.random.random() < 0.5):
                known.remove(item)


def _made(names: tuple[str, ...], payload: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield what a step adds to a pool: one item, or one for each word typed."""
    if "word" not in names:
        yield tuple(payload[name] for name in names)
        return
    for word in payload["words"]:
        yield tuple(word if name == "word" else payload[name] for name in names)
