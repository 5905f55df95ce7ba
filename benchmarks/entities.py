"""Entities: one row is updated and the sorted first page, or a page of an index, is read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.rows import Row, spaced
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, interleave
from crdtstore import Store, configure_store, create_slice
from crdtstore.entities import Update, create_entity_adapter

__all__ = ["entities"]

PAGE = 50
_AT_ONCE = 1000
_STATES = ("open", "doing", "done", "dropped")


@dataclass
class Ticket:
    """A row with the fields that such rows have."""

    id: str
    title: str = ""
    status: str = "open"
    points: int = 0
    note: str = ""


def _by_title(a: Ticket, b: Ticket) -> int:
    return (a.title > b.title) - (a.title < b.title)


adapter = create_entity_adapter(
    Ticket, sort_comparer=_by_title, indexes={"by_status": lambda ticket: ticket.status}
)
tickets = create_slice(
    name="tickets",
    initial_state=adapter.get_initial_state(),
    reducers={"added": adapter.add_many, "updated": adapter.update_one},
)
selectors = adapter.get_selectors(tickets.select_slice)

Read = Callable[[Any], Sequence[Ticket]]


class _Tickets:
    """A store of tickets, that are updated one after the other."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.store: Store = configure_store([tickets])
        self.store.subscribe(lambda: None)
        for start in range(0, rows, _AT_ONCE):
            made = [_ticket(number) for number in range(start, min(start + _AT_ONCE, rows))]
            self.store.dispatch(tickets.actions.added(made))
        self.store.compact().wait()  # else the store does so by itself, in the middle of a round

    def updating(self, changes: Callable[[int, int], dict[str, Any]], *reads: Read) -> Contestant:
        """Update another row each time, ``changes`` of its number and of how often; then read."""
        rows, store, update = self.rows, self.store, tickets.actions.updated
        for read in reads:  # what is derived is there, as in a program that runs
            read(store.state)

        def run(numbers: range) -> None:
            for number in numbers:
                at = number * 7919 % rows
                store.dispatch(update(Update(f"t{at}", changes(at, number // rows + 1))))
                for read in reads:
                    read(store.state)

        return Contestant(run)


def _ticket(number: int) -> Ticket:
    return Ticket(f"t{number}", f"ticket {number * 31 % 9973}", _STATES[number % len(_STATES)])


def _points(number: int, times: int) -> dict[str, Any]:
    return {"points": times}


def _note(number: int, times: int) -> dict[str, Any]:
    return {"note": f"read {times} times"}


def _status(number: int, times: int) -> dict[str, Any]:
    return {"status": _STATES[(number + times) % len(_STATES)]}


def _title(number: int, times: int) -> dict[str, Any]:
    return {"title": f"ticket {(number * 31 + times * 17) % 9973}"}


def _page(state: Any) -> Sequence[Ticket]:
    return selectors.select_all(state)[:PAGE]


def _open(state: Any) -> Sequence[Ticket]:
    return selectors.select_by(state, "by_status", "open")[:PAGE]


# Each case writes a field of its own, so that every write changes something.
_CASES: list[tuple[str, Callable[[int, int], dict[str, Any]], tuple[Read, ...]]] = [
    ("the sorted first page", _points, (_page,)),
    ("the same, its place changes", _title, (_page,)),
    ("a page of an index", _note, (_open,)),
    ("both, its group changes", _status, (_page, _open)),
]


def entities(scale: Scale) -> list[Row]:
    """One row of few and of very many is updated, then a page is read."""
    few, many = scale.tables[1] // 10, scale.tables[2]
    found: list[Row] = []
    stores = {size: _Tickets(size) for size in (few, many)}
    for what, changes, reads in _CASES:
        taken = interleave(
            {str(size): each.updating(changes, *reads) for size, each in stores.items()},
            rounds=scale.rounds,
            batch=scale.batch,
        )
        large, small = taken[str(many)], taken[str(few)]
        ratio = large.ratio(small)
        found.append(
            Row(
                f"entities: one of {spaced(many)} updated, {what}",
                large.figure,
                small.figure,
                f"the same with {spaced(few)} rows",
                ratio,
                "≤ 3×",
                ratio.value <= 3,
            )
        )
    for each in stores.values():
        each.store.close()
    return found
