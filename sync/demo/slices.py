"""What the demo's processes share: a board of todos, people, notes and meetings, and a tally.

Every reducer of the board also signs the journal: which step of the script this was, and how many
steps of everybody else were in the state it worked on. The signature is part of the same atomic
change as the work, so it travels, survives and is lost together with it. That is all that the
account at the end needs to know: what was done, in knowledge of what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from crdtstore import (
    Action,
    Counter,
    List,
    Map,
    Set,
    Table,
    Text,
    TextView,
    create_slice,
    original,
)

__all__ = [
    "DEFAULT_MEETINGS",
    "DEFAULT_NOTES",
    "WELCOME",
    "WELCOME_TITLE",
    "Board",
    "Person",
    "Tally",
    "Todo",
    "board",
    "tally",
]

WELCOME = "welcome"
WELCOME_TITLE = "Say hello "
DEFAULT_NOTES = "Notes: "
DEFAULT_MEETINGS = {"monday": "office"}


@dataclass
class Plan:
    """When a todo is due: a record nested in a record."""

    priority: int = 3
    due: date | None = None


@dataclass
class Todo:
    """An element of the list; ``id`` is the name that the script uses."""

    id: str
    title: Text = Text()
    done: bool = False
    owner: str = ""
    votes: Counter = Counter(0)
    tags: Set[str] = Set()
    plan: Plan = field(default_factory=Plan)


@dataclass
class Person:
    """A row of the table, by first name."""

    role: str = ""
    hours: Counter[float] = Counter(0.0)
    note: Text = Text()
    skills: Set[str] = Set()


@dataclass
class Board:
    """What people work on, and in ``journal`` each process's last step."""

    todos: List[Todo] = List([Todo(WELCOME, WELCOME_TITLE)])
    people: Table[Person] = Table()
    notes: Text = Text(DEFAULT_NOTES)
    meetings: Map[str] = Map(DEFAULT_MEETINGS)
    journal: Map[dict[str, Any]] = Map()


@dataclass
class Tally:
    """A second slice, so that one action changes two: both or neither, whatever happens."""

    actions: Counter = Counter(0)
    hours: Counter[float] = Counter(0.0)
    typed: Counter = Counter(0)


board = create_slice(name="board", initial_state=Board())
tally = create_slice(name="tally", initial_state=Tally())


def _signed(by: str, n: int, /, **payload: Any) -> dict[str, Any]:
    return {"payload": payload, "meta": {"by": by, "n": n}}


def _counted(state: Tally, action: Action[Mapping[str, Any]]) -> None:
    state.actions += 1
    state.hours += action.payload.get("hours", 0.0)
    state.typed += len(action.payload.get("words", ()))


def step(change: Callable[..., bool]) -> Callable[..., bool]:
    """Make ``change`` a reducer of the board; it returns whether what it was to change is there.

    Its action creator takes who does it and the number of the step, then the payload by name.
    """

    def reducer(state: Board, action: Action[Mapping[str, Any]]) -> None:
        found = change(state, **action.payload)
        by, n = action.meta["by"], action.meta["n"]
        seen = {name: entry["n"] for name, entry in original(state.journal).items()}
        state.journal[by] = {"n": n, "found": found, "seen": seen}

    creator = board.reducer(name=change.__name__, prepare=_signed)(reducer)
    tally.add_case(creator)(_counted)
    return change


# Todos


def _position(state: Board, id: str) -> int | None:
    """Find a todo in the snapshot: that opens no draft of every todo before it."""
    for index, todo in enumerate(original(state.todos)):
        if todo.id == id:
            return index
    return None


def _todo(state: Board, id: str) -> Todo | None:
    index = _position(state, id)
    return None if index is None else state.todos[index]


@step
def add(state: Board, id: str, title: str, tags: Sequence[str], after: str | None) -> bool:
    """Add a todo after another one, or at the end."""
    before = _position(state, after) if after is not None else None
    index = len(state.todos) if before is None else before + 1
    state.todos.insert(index, Todo(id, title=title, tags=set(tags)))
    return True


@step
def remove(state: Board, id: str) -> bool:
    """Remove a todo."""
    index = _position(state, id)
    if index is not None:
        del state.todos[index]
    return index is not None


@step
def move(state: Board, id: str, where: float) -> bool:
    """Drag a todo somewhere else; ``where`` is a fraction of the list."""
    index = _position(state, id)
    if index is not None:
        state.todos.move(index, int(where * len(state.todos)))
    return index is not None


@step
def sort(state: Board, by: str) -> bool:
    """Sort the list by title, votes or priority."""
    keys: dict[str, Callable[[Todo], Any]] = {
        "title": lambda todo: str(todo.title),
        "votes": lambda todo: -todo.votes,
        "priority": lambda todo: todo.plan.priority,
    }
    state.todos.sort(key=keys[by])
    return True


@step
def vote(state: Board, id: str, votes: int) -> bool:
    """Vote for a todo (or against it)."""
    todo = _todo(state, id)
    if todo is not None:
        todo.votes += votes
    return todo is not None


@step
def finish(state: Board, id: str, done: bool) -> bool:
    """Tick a todo off, or open it again."""
    todo = _todo(state, id)
    if todo is not None:
        todo.done = done
    return todo is not None


@step
def assign(state: Board, id: str, owner: str) -> bool:
    """Say who does a todo."""
    todo = _todo(state, id)
    if todo is not None:
        todo.owner = owner
    return todo is not None


@step
def prioritise(state: Board, id: str, priority: int) -> bool:
    """Say how urgent a todo is."""
    todo = _todo(state, id)
    if todo is not None:
        todo.plan.priority = priority
    return todo is not None


@step
def schedule(state: Board, id: str, due: str) -> bool:
    """Say when a todo is due."""
    todo = _todo(state, id)
    if todo is not None:
        todo.plan.due = date.fromisoformat(due)
    return todo is not None


@step
def tag(state: Board, id: str, tag: str) -> bool:
    """Put a tag on a todo."""
    todo = _todo(state, id)
    if todo is not None:
        todo.tags.add(tag)
    return todo is not None


@step
def untag(state: Board, id: str, tag: str) -> bool:
    """Take a tag off a todo."""
    todo = _todo(state, id)
    if todo is None or tag not in todo.tags:
        return False
    todo.tags.discard(tag)
    return True


@step
def retitle(state: Board, id: str, words: Sequence[str]) -> bool:
    """Add words to a title by assigning the whole of it, as a form field would."""
    todo = _todo(state, id)
    if todo is not None:
        todo.title = todo.title + _typed(words)
    return todo is not None


@step
def shorten(state: Board, id: str, word: str) -> bool:
    """Strike a word from a title."""
    todo = _todo(state, id)
    return todo is not None and _struck(todo.title, word)


# People


@step
def join(state: Board, name: str, role: str, words: Sequence[str]) -> bool:
    """Add a person who is not there yet."""
    if name in state.people:
        return False
    state.people[name] = Person(role, note=_typed(words))
    return True


@step
def replace(state: Board, name: str, role: str, words: Sequence[str]) -> bool:
    """Put a new row in the place of whatever is there."""
    state.people[name] = Person(role, note=_typed(words))
    return True


@step
def leave(state: Board, name: str) -> bool:
    """Remove a person."""
    return state.people.pop(name, None) is not None


@step
def work(state: Board, name: str, hours: float) -> bool:
    """Write down hours of work."""
    person = state.people.get(name)
    if person is not None:
        person.hours += hours
    return person is not None


@step
def promote(state: Board, name: str, role: str) -> bool:
    """Change what somebody does."""
    person = state.people.get(name)
    if person is not None:
        person.role = role
    return person is not None


@step
def jot(state: Board, name: str, words: Sequence[str], where: float) -> bool:
    """Type words into the note about a person."""
    person = state.people.get(name)
    if person is not None:
        _type(person.note, words, where)
    return person is not None


@step
def learn(state: Board, name: str, skill: str) -> bool:
    """Add a skill."""
    person = state.people.get(name)
    if person is not None:
        person.skills.add(skill)
    return person is not None


@step
def forget(state: Board, name: str, skill: str) -> bool:
    """Discard a skill."""
    person = state.people.get(name)
    if person is None or skill not in person.skills:
        return False
    person.skills.discard(skill)
    return True


# Notes and meetings


@step
def write(state: Board, words: Sequence[str], where: float) -> bool:
    """Type words into the shared notes, before some other word or at the end."""
    _type(state.notes, words, where)
    return True


@step
def strike(state: Board, word: str) -> bool:
    """Strike a word from the shared notes."""
    return _struck(state.notes, word)


@step
def meet(state: Board, day: str, place: str) -> bool:
    """Say where the meeting of a day is."""
    state.meetings[day] = place
    return True


@step
def cancel(state: Board, day: str) -> bool:
    """Cancel the meeting of a day."""
    return state.meetings.pop(day, None) is not None


# Texts are words with a blank behind each, so that words are what people insert and delete.


def _typed(words: Sequence[str]) -> str:
    return "".join(f"{word} " for word in words)


def _type(text: TextView, words: Sequence[str], where: float) -> None:
    starts = [0, *(at + 1 for at, char in enumerate(text) if char == " ")]
    text.insert(starts[int(where * len(starts))], _typed(words))


def _struck(text: TextView, word: str) -> bool:
    at = f" {text}".find(f" {word} ")
    if at < 0:
        return False
    text.delete(at, len(word) + 1)
    return True
