"""The state that is measured: a counter, a register, a text, and a table of tasks."""

from __future__ import annotations

from dataclasses import dataclass

from crdtstore import Counter, Store, Table, Text, configure_store, create_slice

__all__ = [
    "Bench",
    "Task",
    "TaskStore",
    "bench",
    "check",
    "deltas",
    "edit",
    "increment",
    "rename",
    "tick",
]

_AT_ONCE = 1000


@dataclass
class Task:
    """A row with the fields that such rows have."""

    title: str = ""
    done: bool = False
    votes: Counter = Counter(0)


@dataclass
class Bench:
    """The whole state of the slice."""

    count: Counter = Counter(0)
    name: str = ""
    sent: int = 0
    body: Text = Text()
    tasks: Table[Task] = Table()


bench = create_slice(name="bench", initial_state=Bench())


@bench.reducer
def increment(state: Bench) -> None:
    """Write the counter."""
    state.count += 1


@bench.reducer
def rename(state: Bench, name: str) -> None:
    """Write a register."""
    state.name = name


@bench.reducer
def tick(state: Bench, sent: int) -> None:
    """Write the register that says when it was written."""
    state.sent = sent


@bench.reducer
def edit(state: Bench, at: int, deleted: int, inserted: str) -> None:
    """Patch the text."""
    state.body.splice(at, deleted, inserted)


@bench.reducer
def add_tasks(state: Bench, start: int, stop: int) -> None:
    """Insert rows."""
    for number in range(start, stop):
        state.tasks[f"k{number}"] = Task(title=f"task {number}")


@bench.reducer
def check(state: Bench, key: str, done: bool) -> None:
    """Write one field of one row."""
    state.tasks[key].done = done


class TaskStore:
    """A store of ``rows`` tasks, whose ``done`` flags are turned over one after the other."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.store: Store = configure_store([bench])
        self.store.subscribe(lambda: None)
        for start in range(0, rows, _AT_ONCE):
            self.store.dispatch(add_tasks(start, min(start + _AT_ONCE, rows)))
        self.store.compact().wait()  # else the store does so by itself, in the middle of a round

    def turn_over(self, numbers: range) -> None:
        """Dispatch one field of another row each time; every write changes something."""
        rows, dispatch = self.rows, self.store.dispatch
        for number in numbers:
            dispatch(check(f"k{number * 7919 % rows}", number // rows % 2 == 0))


def deltas(rows: int, edits: int) -> list[bytes]:
    """Return the deltas of a session that adds ``rows`` one by one and then edits them."""
    store = configure_store([bench])
    made: list[bytes] = []
    store.on_commit(lambda commit: made.append(commit.deltas["bench"]))
    for number in range(rows):
        store.dispatch(add_tasks(number, number + 1))
    for number in range(edits):
        store.dispatch(check(f"k{number * 7919 % rows}", number // rows % 2 == 0))
    store.close()
    return made
