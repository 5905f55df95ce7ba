"""What attached DevTools cost a program at which nobody looks."""

from __future__ import annotations

from benchmarks.app import bench, increment
from benchmarks.rows import Row
from benchmarks.scale import Scale
from benchmarks.timing import Contestant, interleave
from crdtstore import Store, configure_store
from sync import DevTools

__all__ = ["tools"]


def _dispatching(store: Store) -> Contestant:
    store.subscribe(lambda: None)
    send = store.dispatch

    def run(numbers: range) -> None:
        for _ in numbers:
            send(increment())

    return Contestant(run)


def tools(scale: Scale) -> list[Row]:
    """Dispatch with DevTools attached against without; two stores without say what is noise."""
    alone, again, shown = (configure_store([bench]) for _ in range(3))
    with DevTools(shown, port=0):
        taken = interleave(
            {
                "alone": _dispatching(alone),
                "again": _dispatching(again),
                "shown": _dispatching(shown),
            },
            rounds=scale.rounds,
            batch=scale.batch,
        )
    for store in (alone, again, shown):
        store.close()
    noise = taken["again"].ratio(taken["alone"])
    cost = taken["shown"].ratio(taken["alone"])
    return [
        Row(
            "dispatch with DevTools attached, nobody looking",
            taken["shown"].figure,
            taken["alone"].figure,
            "the same without",
            cost,
            "within noise (≤ 1.05×)",
            cost.value <= 1.05,
        ),
        Row(
            "  another store without: the noise",
            taken["again"].figure,
            taken["alone"].figure,
            "as above",
            noise,
        ),
    ]
