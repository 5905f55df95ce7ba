"""Local work: one dispatch, of a counter, of a register, of one field of one row; reading state."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.app import TaskStore, bench, increment, rename
from benchmarks.bare import BareMap
from benchmarks.redux_peer import redux_counter
from benchmarks.rows import Row, skipped, spaced
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, Timing, interleave, summary
from crdtstore import Action, Store, configure_store

__all__ = ["dispatch", "fields", "reading"]

_BARE_SET = "one map set in its own transaction, update read (public pycrdt)"
_REDUX_TOOLKIT = summary([4_300_000], "ns")


def _dispatching(store: Store, action: Callable[[int], Action[object]]) -> Contestant:
    send = store.dispatch

    def run(numbers: range) -> None:
        for number in numbers:
            send(action(number))

    return Contestant(run)


def _versus(what: str, taken: Timing, floor: Timing, limit: float) -> Row:
    ratio = taken.ratio(floor)
    return Row(
        what, taken.figure, floor.figure, _BARE_SET, ratio, f"≤ {limit:g}×", ratio.value <= limit
    )


def dispatch(scale: Scale) -> list[Row]:
    """Reducer, transaction, delta, snapshot and one subscriber; python-redux beside it."""
    counting, naming = configure_store([bench]), configure_store([bench])
    for store in (counting, naming):
        store.subscribe(lambda: None)
    contestants = {
        "bare": Contestant(BareMap().run),
        "counter": _dispatching(counting, lambda number: increment()),
        "register": _dispatching(naming, lambda number: rename(f"name {number}")),
    }
    redux = redux_counter()
    if not isinstance(redux, str):
        contestants["redux"] = Contestant(redux)
    taken = interleave(contestants, rounds=scale.rounds, batch=scale.batch)
    counting.close()
    naming.close()
    rate = taken["counter"].per_second
    rows = [
        _versus("dispatch: one counter", taken["counter"], taken["bare"], 4),
        _versus("dispatch: one register", taken["register"], taken["bare"], 4),
        Row(
            "dispatches a second (counter)",
            rate,
            target="≥ 50 000/s",
            met=rate.value >= 50_000,
            note="over the whole run, full garbage collections and compaction included",
        ),
    ]
    if isinstance(redux, str):
        return [*rows, skipped("  python-redux: one counter", redux)]
    note = "compiled to C; one store, one subscriber; keeps no deltas and replicates nothing"
    beside = taken["redux"].ratio(taken["bare"])
    taken_by_redux = taken["redux"].figure
    return [
        *rows,
        Row(
            "  python-redux: one counter",
            taken_by_redux,
            taken["bare"].figure,
            "",
            beside,
            note=note,
        ),
    ]


def fields(scale: Scale) -> list[Row]:
    """One field of one of few, many and very many rows."""
    small, middling, large = scale.tables
    stores = {size: TaskStore(size) for size in scale.tables}
    taken = interleave(
        {"bare": Contestant(BareMap(middling).run)}
        | {str(size): Contestant(store.turn_over) for size, store in stores.items()},
        rounds=scale.rounds,
        batch=scale.batch,
    )
    for each in stores.values():
        each.store.close()
    found: list[Row] = []
    for size in scale.tables:
        time = taken[str(size)]
        chosen = size == middling
        row = Row(
            f"dispatch: one field of one of {spaced(size)} rows",
            time.figure,
            taken["bare"].figure,
            f"as above, one of {spaced(middling)} keys" if size == small else "",
            time.ratio(taken["bare"]),
            "≤ 20 µs" if chosen else "",
            time.figure.value <= 20_000 if chosen else None,
        )
        found.append(row)
    growth = taken[str(large)].ratio(taken[str(small)])
    found.append(
        Row(
            f"  {spaced(large)} rows against {small}",
            taken[str(large)].figure,
            taken[str(small)].figure,
            f"the same with {small} rows",
            growth,
            "≤ 2×",
            growth.value <= 2,
        )
    )
    found.append(
        Row(
            "  Redux Toolkit: one of 10 000 entities",
            _REDUX_TOOLKIT,
            note="NOT measured in this run: on Node, quoted from a "
            "measurement made elsewhere; on other hardware it differs",
        )
    )
    return found


class _Plain:
    """Something with an attribute."""

    def __init__(self, state: object) -> None:
        self.state = state


_READS = 10


def _reading(owner: Store | _Plain) -> Contestant:
    def run(numbers: range) -> None:
        for _ in numbers:
            owner.state  # noqa: B018 — the read is what is timed
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018
            owner.state  # noqa: B018

    return Contestant(run)


def reading(scale: Scale) -> list[Row]:
    """Reading the root state."""
    store = configure_store([bench])
    taken = interleave(
        {"store": _reading(store), "plain": _reading(_Plain(store.state))},
        rounds=scale.rounds,
        batch=scale.batch * 50,
    )
    store.close()
    each = {name: Timing(tuple(ns / _READS for ns in t.rounds)) for name, t in taken.items()}
    ratio = each["store"].ratio(each["plain"])
    return [
        Row(
            "reading store.state",
            each["store"].figure,
            each["plain"].figure,
            "the same attribute of a plain object",
            ratio,
            "an attribute read",
            ratio.value <= 1.5,
            "met where it takes at most 1.5 times as long",
        )
    ]
