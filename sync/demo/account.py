"""The account: what everybody must end up with, from what was done in knowledge of what.

It has no documents, no deltas and no network. It is given one receipt for each step: who did what
when, and how many steps of everybody had been seen by then. A step *knows* another if it had seen
it, directly or through others; two steps that do not know each other are concurrent. From that, the
rules that the state promises are applied in their own words:

1. What was done in knowledge of something replaces it; nothing else ever makes anything go away.
2. Of several values side by side the newest shows and the others are conflicts. Newer is the larger
   stamp: what the clock said, but always more than the stamps of all that was known of the place.
3. Every insertion of a row begins a *life*, ended by a removal that knows of it. What is done to a
   row counts while a life lives that it was done to: increments and words go to the newest life
   known, everything else to all that are known.
4. A default shows where nothing was written, and is there once, whoever touched it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import fsum, inf
from typing import Any

from sync.demo.script import Step
from sync.demo.slices import DEFAULT_MEETINGS, DEFAULT_NOTES, WELCOME, WELCOME_TITLE, Todo

__all__ = ["Account", "Place", "Receipt", "words_of"]

Place = tuple[str, ...]
"""Such as ``("todos", "A17", "votes")``."""
Cut = Mapping[str, float]
"""How many of everybody's steps are known."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a process says of a step that it carried out.

    ``seen`` counts everybody's steps that were in the state before; ``found`` tells whether what
    the step aimed at was there.
    """

    step: Step
    session: str
    seen: Mapping[str, int]
    found: bool


@dataclass(slots=True)
class _Mark:
    """One written value, typed word or set element, and the steps that replaced or removed it."""

    step: Step | None
    stamp: int
    session: str
    value: Any
    gone: list[Step] = field(default_factory=list)

    def lives(self, cut: Cut) -> bool:
        return _knows(cut, self.step) and not any(_knows(cut, step) for step in self.gone)


@dataclass(slots=True)
class _Life(_Mark):
    """One life of a row: ``value`` has its fields as inserted."""

    fields: dict[str, list[_Mark]] = field(default_factory=dict)
    amounts: dict[str, list[float]] = field(default_factory=dict)
    members: dict[str, list[_Mark]] = field(default_factory=dict)
    texts: dict[str, list[_Mark]] = field(default_factory=dict)


def _knows(cut: Cut, step: Step | None) -> bool:
    return step is None or cut.get(step.by, 0) >= step.n


def _newest(marks: Iterable[Any]) -> list[Any]:
    return sorted(marks, key=lambda mark: (mark.stamp, mark.session), reverse=True)


def words_of(text: str) -> list[str]:
    """Return the words of a text in a canonical order; garbage between words shows as words."""
    return sorted(text.split(" "))


class Account:
    """Takes receipts, and says what must be there.

    ``epoch`` is what the clocks said at the start, in ms. ``problems`` lists receipts that cannot
    be right: a process that did not find what, by all it had seen, was there, or the other way.
    """

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._all: Cut = {}
        self._rows: dict[tuple[str, str], list[_Life]] = {}
        self._meetings: dict[str, list[_Mark]] = {
            day: [_Mark(None, -1, "", place)] for day, place in DEFAULT_MEETINGS.items()
        }
        self._notes = [_Mark(None, 0, "", word) for word in DEFAULT_NOTES.split()]
        self._receipts: list[Receipt] = []
        self._moved: set[str] = set()
        self._runs: list[tuple[Place, list[str]]] = []
        self.problems: list[str] = []
        welcome = _todo_fields(WELCOME)
        life = _Life(None, 0, "", welcome, texts={"title": _phrase(WELCOME_TITLE)})
        self._rows["todos", WELCOME] = [life]

    def enter(self, receipts: Iterable[Receipt]) -> None:
        """Enter receipts, in any order; more may follow, of steps that know all of these."""
        # Who knows more comes later: an order in which everything known comes before who knows it.
        for receipt in sorted(receipts, key=lambda each: sum(each.seen.values())):
            step = receipt.step
            if receipt.seen.get(step.by, 0) != step.n - 1:
                self.problems.append(f"{step}: done after {receipt.seen.get(step.by, 0)} others")
            found = _ENTRIES[step.kind](self, receipt, **step.payload)
            if found is not receipt.found:
                said, known = ("was", "not") if receipt.found else ("was not", "indeed")
                self.problems.append(f"{step}: its target {said} there, and {known} in the account")
            self._receipts.append(receipt)
        self._all = {receipt.step.by: inf for receipt in self._receipts}

    # What steps do. Each returns whether what it aimed at was there.

    def _at(self, receipt: Receipt, known: Iterable[_Mark] = ()) -> int:
        now = self._epoch + receipt.step.at
        return max([now, *(mark.stamp + 1 for mark in known)])

    def _lives(self, kind: str, name: str, cut: Cut) -> list[_Life]:
        return _newest(life for life in self._rows.get((kind, name), ()) if life.lives(cut))

    def _insert(
        self, receipt: Receipt, kind: str, name: str, value: dict[str, Any], text: str, words: Any
    ) -> _Life:
        known = self._lives(kind, name, receipt.seen)
        for life in known:
            life.gone.append(receipt.step)
        new = _Life(receipt.step, self._at(receipt, known), receipt.session, value)
        new.texts[text] = []
        self._rows.setdefault((kind, name), []).append(new)
        self._type(receipt, (kind, name, text), new.texts[text], words)
        return new

    def _write(self, receipt: Receipt, lives: list[_Life], name: str, value: Any) -> bool:
        shown = _candidates(lives, name, receipt.seen)
        if not lives or shown[0].value == value:  # an equal value is not a change
            return bool(lives)
        known = [mark for life in lives for mark in life.fields.get(name, ())]
        known = [mark for mark in known if mark.lives(receipt.seen)]
        new = _Mark(receipt.step, self._at(receipt, [*lives, *known]), receipt.session, value)
        for mark in known:
            mark.gone.append(receipt.step)
        for life in lives:
            life.fields.setdefault(name, []).append(new)
        return True

    def _increase(self, lives: list[_Life], name: str, amount: float) -> bool:
        for life in lives[:1]:
            life.amounts.setdefault(name, []).append(amount)
        return bool(lives)

    def _member(self, lives: list[_Life], name: str, value: str, cut: Cut) -> list[_Mark]:
        marks = [mark for life in lives for mark in life.members.get(name, ())]
        return [mark for mark in marks if mark.value == value and mark.lives(cut)]

    def _include(self, receipt: Receipt, lives: list[_Life], name: str, value: str) -> bool:
        if not self._member(lives, name, value, receipt.seen):
            for life in lives:
                mark = _Mark(receipt.step, 0, receipt.session, value)
                life.members.setdefault(name, []).append(mark)
        return bool(lives)

    def _end(self, receipt: Receipt, marks: Iterable[_Mark]) -> bool:
        found = [mark for mark in marks if mark.lives(receipt.seen)]
        for mark in found:
            mark.gone.append(receipt.step)
        return bool(found)

    def _type(self, receipt: Receipt, path: Place, text: list[_Mark], words: Iterable[str]) -> None:
        words = list(words)
        text += [_Mark(receipt.step, 0, receipt.session, word) for word in words]
        self._runs.append((path, words))

    # Todos

    def _todos(self, receipt: Receipt, id: str) -> list[_Life]:
        return self._lives("todos", id, receipt.seen)

    def _add(self, receipt: Receipt, id: str, title: str, tags: list[str], after: Any) -> bool:
        life = self._insert(receipt, "todos", id, _todo_fields(id), "title", ())
        life.texts["title"] += _phrase(title)
        life.members["tags"] = [_Mark(receipt.step, 0, receipt.session, tag) for tag in tags]
        return True

    def _remove(self, receipt: Receipt, id: str) -> bool:
        return self._end(receipt, self._todos(receipt, id))

    def _move(self, receipt: Receipt, id: str, where: float) -> bool:
        self._moved.add(id)
        return bool(self._todos(receipt, id))

    def _sort(self, receipt: Receipt, by: str) -> bool:
        for kind, id in self._rows:
            if kind == "todos" and self._todos(receipt, id):
                self._moved.add(id)
        return True

    def _retitle(self, receipt: Receipt, id: str, words: list[str]) -> bool:
        lives = self._todos(receipt, id)
        for life in lives:
            self._type(receipt, ("todos", id, "title"), life.texts["title"], words)
        return bool(lives)

    def _shorten(self, receipt: Receipt, id: str, word: str) -> bool:
        lives = self._todos(receipt, id)
        marks = [mark for life in lives for mark in life.texts["title"] if mark.value == word]
        return self._end(receipt, marks)

    # People

    def _people(self, receipt: Receipt, name: str) -> list[_Life]:
        return self._lives("people", name, receipt.seen)

    def _join(self, receipt: Receipt, name: str, role: str, words: list[str]) -> bool:
        if self._people(receipt, name):
            return False
        return self._replace(receipt, name, role, words)

    def _replace(self, receipt: Receipt, name: str, role: str, words: list[str]) -> bool:
        self._insert(receipt, "people", name, {"role": role}, "note", words)
        return True

    def _leave(self, receipt: Receipt, name: str) -> bool:
        return self._end(receipt, self._people(receipt, name))

    def _jot(self, receipt: Receipt, name: str, words: list[str], where: float) -> bool:
        lives = self._people(receipt, name)
        for life in lives[:1]:
            self._type(receipt, ("people", name, "note"), life.texts["note"], words)
        return bool(lives)

    # Notes and meetings

    def _note(self, receipt: Receipt, words: list[str], where: float) -> bool:
        self._type(receipt, ("notes",), self._notes, words)
        return True

    def _strike(self, receipt: Receipt, word: str) -> bool:
        return self._end(receipt, [mark for mark in self._notes if mark.value == word])

    def _meet(self, receipt: Receipt, day: str, place: str | None) -> bool:
        marks = self._meetings.setdefault(day, [])
        known = [mark for mark in marks if mark.lives(receipt.seen)]
        values = [mark.value for mark in _newest(known) if mark.value is not None]
        if values[:1] != [place] and (values or place is not None):
            self._end(receipt, known)
            # A default that is removed must be remembered as removed: it would show again.
            if place is not None or day in DEFAULT_MEETINGS:
                stamp = self._at(receipt, known)
                marks.append(_Mark(receipt.step, stamp, receipt.session, place))
        return bool(values) or place is not None

    def _cancel(self, receipt: Receipt, day: str) -> bool:
        return self._meet(receipt, day, None)

    # What must be there

    def holdings(self) -> dict[Place, Any]:
        """Return every place that must be there with what it must hold.

        Texts are their words in a canonical order; a path that ends in ``"conflicts"`` lists the
        values side by side there, newest first, where there are several.
        """
        out: dict[Place, Any] = {("notes",): _text(self._notes, self._all)}
        for kind, name in self._rows:
            lives = self._lives(kind, name, self._all)
            if lives:
                out[kind, name] = "there"
                out.update(self._row(kind, name, lives))
        for day, marks in self._meetings.items():
            living = _newest(mark for mark in marks if mark.lives(self._all))
            places = [mark.value for mark in living if mark.value is not None]
            if places:
                out.update(_shown(("meetings", day), places))
        steps = [receipt.step for receipt in self._receipts]
        out["tally", "actions"] = len(steps)
        out["tally", "hours"] = fsum(step.payload.get("hours", 0.0) for step in steps)
        out["tally", "typed"] = sum(len(step.payload.get("words", ())) for step in steps)
        return out

    def _row(self, kind: str, name: str, lives: list[_Life]) -> Iterator[tuple[Place, Any]]:
        path = (kind, name)
        for register in lives[0].value:
            candidates = _candidates(lives, register, self._all)
            shown = _shown((*path, register), [mark.value for mark in candidates])
            yield from shown.items()
        counter, members, text = _PARTS[kind]
        amounts = [amount for life in lives for amount in life.amounts.get(counter, ())]
        yield (*path, counter), fsum(amounts)
        marks = [mark for life in lives for mark in life.members.get(members, ())]
        yield (*path, members), sorted({mark.value for mark in marks if mark.lives(self._all)})
        texts = [_text(life.texts[text], self._all) for life in lives]
        yield from _shown((*path, text), texts).items()

    def runs(self) -> list[tuple[Place, list[str]]]:
        """Return the words that were typed together, which must stand in this order, by text.

        Some may have been struck since, and none of them show where their row is gone.
        """
        return self._runs

    def ordered(self) -> Iterator[tuple[str, str]]:
        """Yield pairs of todos that nobody moved, of which the first must stand above the second.

        The second was added at the end of a list that had the first.
        """
        still = [
            (receipt.step.payload["id"], receipt)
            for receipt in self._receipts
            if receipt.step.kind == "add" and receipt.step.payload["id"] not in self._moved
        ]
        for (above, _), (below, second) in combinations(still, 2):
            if second.step.payload["after"] is None and any(
                life.lives(second.seen) for life in self._rows["todos", above]
            ):
                yield above, below


def _todo_fields(id: str) -> dict[str, Any]:
    fresh = Todo(id)
    return {
        "done": fresh.done,
        "owner": fresh.owner,
        "priority": fresh.plan.priority,
        "due": fresh.plan.due,
    }


def _phrase(text: str) -> list[_Mark]:
    return [_Mark(None, 0, "", word) for word in text.split()]


def _candidates(lives: list[_Life], name: str, cut: Cut) -> list[_Mark]:
    """Return what a field may hold, newest first: for each life what was written, or its start."""
    found: list[tuple[int, bool, str, _Mark]] = []
    for life in lives:
        own = [mark for mark in life.fields.get(name, ()) if mark.lives(cut)]
        found += [(mark.stamp, True, mark.session, mark) for mark in own]
        if not own:
            start = _Mark(life.step, life.stamp, life.session, life.value[name])
            found.append((life.stamp, False, life.session, start))
    found.sort(key=lambda candidate: candidate[:3], reverse=True)
    return [candidate[3] for candidate in found]


def _text(marks: Iterable[_Mark], cut: Cut) -> list[str]:
    return words_of("".join(f"{mark.value} " for mark in marks if mark.lives(cut)))


def _shown(path: Place, values: list[Any]) -> dict[Place, Any]:
    distinct = [value for at, value in enumerate(values) if value not in values[:at]]
    shown = {path: values[0]}
    return shown if len(distinct) == 1 else {**shown, (*path, "conflicts"): distinct}


# The counter, the set and the text of a row.
_PARTS = {"todos": ("votes", "tags", "title"), "people": ("hours", "skills", "note")}


def _on(rows: str, act: Callable[..., bool]) -> Callable[..., bool]:
    """Return the entry for a step on the known lives of one row."""

    def entry(account: Account, receipt: Receipt, **payload: Any) -> bool:
        name = payload.pop("id" if rows == "todos" else "name")
        lives = account._lives(rows, name, receipt.seen)
        return act(account, receipt, lives, **payload)

    return entry


_ENTRIES: Mapping[str, Callable[..., bool]] = {
    "add": Account._add,
    "remove": Account._remove,
    "move": Account._move,
    "sort": Account._sort,
    "vote": _on("todos", lambda a, r, lives, votes: a._increase(lives, "votes", votes)),
    "finish": _on("todos", lambda a, r, lives, done: a._write(r, lives, "done", done)),
    "assign": _on("todos", lambda a, r, lives, owner: a._write(r, lives, "owner", owner)),
    "prioritise": _on(
        "todos", lambda a, r, lives, priority: a._write(r, lives, "priority", priority)
    ),
    "schedule": _on("todos", lambda a, r, lives, due: a._write(r, lives, "due", due)),
    "tag": _on("todos", lambda a, r, lives, tag: a._include(r, lives, "tags", tag)),
    "untag": _on(
        "todos", lambda a, r, lives, tag: a._end(r, a._member(lives, "tags", tag, r.seen))
    ),
    "retitle": Account._retitle,
    "shorten": Account._shorten,
    "join": Account._join,
    "replace": Account._replace,
    "leave": Account._leave,
    "work": _on("people", lambda a, r, lives, hours: a._increase(lives, "hours", hours)),
    "promote": _on("people", lambda a, r, lives, role: a._write(r, lives, "role", role)),
    "jot": Account._jot,
    "learn": _on("people", lambda a, r, lives, skill: a._include(r, lives, "skills", skill)),
    "forget": _on(
        "people", lambda a, r, lives, skill: a._end(r, a._member(lives, "skills", skill, r.seen))
    ),
    "write": Account._note,
    "strike": Account._strike,
    "meet": Account._meet,
    "cancel": Account._cancel,
}
