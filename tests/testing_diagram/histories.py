"""Histories to draw: written down by hand in few words, or drawn by Hypothesis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from crdtstore.testing.history import KINDS, Broken, Event, History

NASTY = [
    "</script><script>alert(1)</script>",
    "]]>--><!-- <svg/onload=x> &amp; &#0;",
    "\"quoted\" 'twice' \\ `ticked` ${x} $title",
    "\x1b[31mred\x1b[0m\r\n\x00\x07",
    "עברית ואז \u202eback\u202c",
    "👩\u200d👩\u200d👧 🎉 e\u0301 日本語",
    "lone \ud800 surrogate \ufffe",
    "x" * 10_000,
]


class Run:
    """Writes a history down, event by event."""

    def __init__(self, *replicas: str) -> None:
        self.replicas = replicas
        self.events: list[Event] = []
        self._last: dict[str, int] = {}

    def add(self, kind: str, replica: str, label: str, *causes: int, **rest: Any) -> int:
        """Add an event after its replica's last one and after ``causes``; return its number."""
        number = len(self.events)
        own = [self._last[replica]] if replica in self._last else []
        every = tuple(sorted({*own, *causes}))
        self.events.append(Event(number, kind, replica, label, every, **rest))
        self._last[replica] = number
        return number

    def act(self, replica: str, label: str = "sold(pieces=3)", **rest: Any) -> int:
        return self.add("act", replica, label, **rest)

    def deliver(self, replica: str, *sources: int, **rest: Any) -> int:
        peer = self.events[sources[-1]].replica
        label = f"from {peer}: {len(sources)} delta{'s' if len(sources) > 1 else ''}"
        return self.add("deliver", replica, label, *sources, peer=peer, **rest)

    def history(self, **rest: Any) -> History:
        return History(self.replicas, tuple(self.events), **rest)


def two_sales() -> History:
    """Two replicas sell the last pieces, and neither knows of the other's sale."""
    run = Run("A", "B")
    sale = run.act("A")
    run.act("B")
    broken = run.deliver("B", sale)
    return run.history(
        broken=(Broken(broken, "B", "stock_is_never_negative", "stock is -1"),),
        holds_at_break={"A": "stock: 2", "B": "stock: -1"},
        holds={"A": "stock: -1", "B": "stock: -1"},
        replay="pytest tests/test_shop.py --crdtstore-replay=AXicY2BgYGAEAAAFAAI=",
    )


def with_faults() -> History:
    """Three replicas with everything that can happen to them."""
    run = Run("A", "B", "C")
    first = run.act("A", "delivered(pieces=5)")
    run.deliver("B", first)
    run.deliver("C", first)
    run.add("cut", "A", "cut A–B", 1, peer="B")
    sale = run.act("A")
    other = run.act("B")
    run.add("clock", "B", "clock +1 day")
    run.add("crash", "C", "crash")
    name = run.act("A", "renamed(key='k-7f', name='A very long name which goes on and on')")
    run.add("restart", "C", "restart")
    run.act("C", "sold(pieces=9)", changed=False, detail="ValueError: not that many")
    run.deliver("C", sale)
    run.add("restore", "B", "backup from 1 commits ago")
    run.add("clone", "C", "copy of A's file", name, peer="A")
    run.add("heal", "A", "heal A–B", 12, peer="B")
    broken = run.deliver("A", other)
    run.deliver("B", sale, name)
    run.deliver("B", sale, name, changed=False)
    return run.history(
        broken=(
            Broken(broken, "A", "stock_is_never_negative", "assert -1 >= 0\n  where -1 = stock"),
            Broken(broken + 1, "B", "stock_is_never_negative", "and again"),
        ),
        holds_at_break={"A": "{'stock': -1}", "B": "{'stock': 2}", "C": "{'stock': 2}"},
        holds=dict.fromkeys("ABC", "{'stock': -1,\n 'names': []}"),
    )


def long_one(count: int, broken_after: int) -> History:
    """Three replicas that act in turn and tell the next one about it."""
    run = Run("A", "B", "C")
    while len(run.events) < count:
        at = "ABC"[len(run.events) // 2 % 3]
        sent = run.act(at, f"added(number={len(run.events)})")
        if len(run.events) < count:
            run.deliver("ABC"[("ABC".index(at) + 1) % 3], sent)
    at = run.events[broken_after].replica if broken_after < count else ""
    return run.history(broken=(Broken(broken_after, at, "adds_up", "it does not"),))


LABELS = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(), max_size=40),
    st.sampled_from(NASTY),
    st.just("sold(pieces=3)"),
)


@st.composite
def histories(draw: st.DrawFn, labels: st.SearchStrategy[str] = LABELS, most: int = 25) -> History:
    """Draw any history that a run could have made."""
    run = Run(*"ABCDE"[: draw(st.integers(1, 5))])
    for number in range(draw(st.integers(0, most))):
        replica = draw(st.sampled_from(run.replicas))
        earlier = st.lists(st.integers(0, number - 1), max_size=3) if number else st.just([])
        run.add(
            draw(st.sampled_from(KINDS)),
            replica,
            draw(labels),
            *draw(earlier),
            peer=draw(st.sampled_from(["", *run.replicas])),
            changed=draw(st.booleans()),
            detail=draw(labels),
        )
    broken = st.builds(
        Broken,
        st.integers(0, len(run.events)),
        st.sampled_from(["", *run.replicas]),
        labels,
        labels,
    )
    holds = st.dictionaries(st.sampled_from(run.replicas), labels)
    return run.history(
        broken=tuple(draw(st.lists(broken, max_size=3))),
        holds=draw(holds),
        holds_at_break=draw(holds),
        replay=draw(labels),
    )


def plainly(history: History) -> History:
    """The same history with labels that are harmless and short."""
    events = tuple(replace(e, label="did()", detail="") for e in history.events)
    return replace(history, events=events)
