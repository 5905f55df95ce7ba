"""What the replicas of a simulation do: small slices, the kitchen with every kind, one injected.

Keys, texts and lists are kept small, so that replicas meet and a long run stays as fast as a short
one. Many actions are counted in the ledger as well, in the same dispatch: its counter tells at any
time how many of them a store has, which the clocks of its state vector must bear out.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from crdtstore import Counter, List, Map, Set, Slice, Table, Text, create_slice
from crdtstore.actions import Action
from properties.kitchen import VERBS, Command, Fresh, Script, kitchen, run

__all__ = ["INJECTED", "LEDGER", "SLICES", "Workload"]

MOST_CHARS = 40
MOST_ELEMENTS = 8


@dataclass
class Ledger:
    """What was done by everybody."""

    done: Counter = Counter(0)
    last: str = ""


@dataclass
class Card:
    """A row of the board."""

    name: str = ""
    done: bool = False
    votes: Counter = Counter(0)
    title: Text = Text()
    tags: Set[str] = Set()


@dataclass
class Board:
    """A table, whose rows come and go."""

    cards: Table[Card] = Table()
    filter: str = "all"


@dataclass
class Notes:
    """Text and lists."""

    page: Text = Text("start")
    items: List[str] = List(["one", "two"])
    cards: List[Card] = List()


@dataclass
class Extra:
    """What only some have at first."""

    seen: Map[int] = Map()
    weight: Counter[float] = Counter(0.5)


ledger = create_slice(name="ledger", initial_state=Ledger())
board = create_slice(name="board", initial_state=Board())
notes = create_slice(name="notes", initial_state=Notes())
extra = create_slice(name="extra", initial_state=Extra())

SLICES: list[Slice[Any]] = [ledger, board, notes, kitchen]
INJECTED: Slice[Any] = extra
LEDGER = "ledger"


@ledger.reducer
def hit(state: Ledger, text: str) -> None:
    """Count, and say by whom."""
    state.done += 1
    state.last = text


@board.reducer
def put(state: Board, key: str, name: str) -> None:
    """Insert a row or replace it."""
    state.cards[key] = Card(name)


@board.reducer
def edit(state: Board, key: str, number: int) -> None:
    """Edit inside a row, or make it."""
    if key not in state.cards:
        state.cards[key] = Card(f"n{number}")
    card = state.cards[key]
    match number % 4:
        case 0:
            card.votes += 1
        case 1:
            card.done = not card.done
        case 2:
            if len(card.title) > MOST_CHARS:
                card.title = ""
            card.title.insert(number % (len(card.title) + 1), "ab"[number % 2])
        case _:
            tag = str(number % 5)
            if tag in card.tags:
                card.tags.discard(tag)
            else:
                card.tags.add(tag)


@board.reducer
def drop(state: Board, key: str) -> None:
    """Remove a row."""
    state.cards.pop(key, None)


@notes.reducer
def type_in(state: Notes, at: int, text: str) -> None:
    """Type into the page, and cut it when it is full."""
    page = state.page
    page.insert(at % (len(page) + 1), text)
    if len(page) > MOST_CHARS:
        page.delete(at % 7, MOST_CHARS // 2)


@notes.reducer
def arrange(state: Notes, at: int, to: int, text: str) -> None:
    """Insert, move or remove list elements."""
    items = state.items
    if len(items) > MOST_ELEMENTS:
        del items[at % len(items)]
    elif at % 3 and len(items):
        items.move(at % len(items), to % len(items))
    else:
        items.insert(to % (len(items) + 1), text)
    if len(state.cards) > MOST_ELEMENTS // 2:
        del state.cards[to % len(state.cards)]
    elif at % 5 == 0:
        state.cards.append(Card(text))
    elif len(state.cards):
        state.cards[at % len(state.cards)].votes += 1


@extra.reducer
def weigh(state: Extra, key: str, number: int) -> None:
    """Write an entry and a sum of floats."""
    state.seen[key] = number
    state.weight += number / 8


for _creator in (put, type_in):

    @ledger.add_case(_creator)
    def _count(state: Ledger, action: Action[Any]) -> None:
        state.done += 1


class _Chore(Script):
    """A kitchen script without the notes for the oracle that cost most."""

    def __call__(self, draft: Any) -> None:
        for command in self.commands:
            getattr(self, f"_{command.verb}")(draft, command)


class Workload:
    """Draws actions for stores of ``slices``."""

    def __init__(self, rng: Random) -> None:
        self._random = rng.random
        self._rng = rng
        self._fresh = Fresh()
        self._number = 0
        self.kitchen = rng.choice([0.0, 0.01, 0.03])
        self.slices = SLICES if self.kitchen else [of for of in SLICES if of is not kitchen]
        self.keys = [f"k{n}" for n in range(rng.choice([2, 6, 12]))]

    def action(self, slices: tuple[str, ...]) -> tuple[Action[Any], bool]:
        """One action for a store with ``slices``, and whether the ledger counts it."""
        random = self._random
        self._number = number = self._number + 1
        chance = random()
        key = self.keys[int(random() * len(self.keys))]
        at = int(random() * 64)
        if chance < self.kitchen:
            rng = self._rng
            commands = [Command(rng.choice(VERBS), rng.randrange(128), at, rng.randrange(64))]
            return run(_Chore(commands, self._fresh)), False
        if chance < 0.5:
            return hit(f"{number}"), True
        if chance < 0.6:
            return put(key, f"{number}"), True
        if chance < 0.75:
            return edit(key, at), False
        if chance < 0.8:
            return drop(key), False
        if chance < 0.87:
            return type_in(at, "xyz"[: 1 + at % 3]), True
        if chance < 0.95 or "extra" not in slices:
            return arrange(at, number, f"i{number}"), False
        return weigh(key, at), False
