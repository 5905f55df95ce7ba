"""Schedules: who acts, what arrives where, when, how often and in which order, and what breaks.

A plan is a list of steps that hold numbers, to be taken modulo whatever there is when they are
played. So every part of a plan is a plan, and Hypothesis can leave out steps and lower numbers
until only what matters is left. Each plan uses some of the faults only (swarm testing: A. Groce et
al., "Swarm Testing", ISSTA 2012), since some hide what others would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st

from crdtstore.testing.actions import Call
from crdtstore.testing.world import World

__all__ = ["FAULTS", "Plan", "Step", "checked_faults", "plans", "play", "steps_of"]

FAULTS: dict[str, tuple[str, ...]] = {
    "duplicate": ("again",),
    "reorder": ("deliver any", "deliver any"),
    "drop": ("drop",),
    "partition": ("cut", "heal"),
    "crash": ("crash", "restart"),
    "restore": ("restore",),
    "clone": ("clone",),
    "clock": ("clock",),
}
"""The faults, and the steps that they add."""

# The first is what Hypothesis puts in the place of what does not matter: one that draws nothing
# more, as steps of few choices are those that it finds out to leave away.
_ALWAYS = ("deliver",) * 4 + ("act",) * 10 + ("deliver all", "sync", "sync")
_PLAIN = frozenset({"deliver", "deliver all", "restart"})
_MANY = 1 << 10


class Step(NamedTuple):
    """What happens, to which replica, and how."""

    kind: str
    at: int
    number: int = 0
    call: Call | None = None


class Plan(NamedTuple):
    """How many replicas there are, and all that happens."""

    replicas: int
    steps: tuple[Step, ...]


def checked_faults(faults: Sequence[str]) -> tuple[str, ...]:
    """Return the faults in their order; raise ``ValueError`` for one that is none."""
    unknown = [name for name in faults if name not in FAULTS]
    if isinstance(faults, str) or unknown:
        raise ValueError(f"faults are some of {', '.join(FAULTS)}; got {faults!r}")
    return tuple(name for name in FAULTS if name in faults)


def steps_of(
    calls: st.SearchStrategy[Call], replicas: int, faults: Sequence[str]
) -> st.SearchStrategy[Step]:
    """Return a strategy of steps."""
    kinds = [*_ALWAYS, *(kind for fault in faults for kind in FAULTS[fault])]
    places = [(kind, at) for kind in kinds for at in range(replicas)]
    which = st.integers(0, len(places) - 1)  # one number draws faster than two
    small = st.integers(0, 7)

    @st.composite
    def steps(draw: st.DrawFn) -> Step:
        kind, at = places[draw(which)]
        if kind == "act":
            return Step(kind, at, 0, draw(calls))
        if kind in _PLAIN:
            return Step(kind, at)
        return Step(kind, at, draw(small))

    return steps()


def plans(
    calls: st.SearchStrategy[Call],
    replicas: tuple[int, int],
    steps: int,
    faults: Sequence[str],
) -> st.SearchStrategy[Plan]:
    """Return a strategy of plans; ``replicas`` are the fewest and the most, ``steps`` the most."""
    counts, lengths, mask = (
        st.integers(*replicas),
        st.integers(0, max(0, steps - 1)),
        st.integers(0, 15),
    )

    @cache  # to make and validate a strategy takes as long as to draw from it
    def lists(count: int, some: tuple[str, ...], fewest: int) -> st.SearchStrategy[list[Step]]:
        return st.lists(step(count, some), min_size=fewest, max_size=steps)

    @cache
    def step(count: int, some: tuple[str, ...]) -> st.SearchStrategy[Step]:
        return steps_of(calls, count, some)

    @st.composite
    def drawn(draw: st.DrawFn) -> Plan:
        count = draw(counts)
        some: list[str] = []
        for at in range(0, len(faults), 4):  # four at a time, as small numbers are drawn evenly
            which = draw(mask)
            some += [name for bit, name in enumerate(faults[at : at + 4]) if which >> bit & 1]
        fewest = draw(lengths)
        return Plan(count, tuple(draw(lists(count, tuple(some), fewest))))

    return drawn()


def play(world: World, step: Step) -> None:
    """Play a step."""
    kind, at, number, call = step
    other = at + 1 + number
    match kind:
        case "act":
            world.act(at, call)
        case "deliver":
            world.deliver(at)
        case "deliver all":
            world.deliver(at, most=_MANY)
        case "deliver any":
            world.deliver(at, number)
        case "again":
            world.deliver(at, number, again=True)
        case "sync":
            world.sync(at, other)
        case "cut":
            world.cut(at, other)
        case "heal":
            world.heal(at, other)
        case _:
            lone = {
                "drop": world.drop,
                "crash": world.crash,
                "restore": world.restore,
                "clock": world.clock,
            }
            if kind in lone:
                lone[kind](at, number)
            elif kind == "restart":
                world.restart(at)
            else:
                world.clone(at, other)
