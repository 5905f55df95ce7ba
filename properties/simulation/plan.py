"""What kind of world a seed stands for: how many peers, linked how, with which limits and troubles.

Drawn once, at the beginning, so that a world has a character: one has tiny queues and slow links,
another loses power all the time, and a third has hardly any trouble, but many who write at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from sync.limits import Limits

__all__ = ["FAULTS", "HARMLESS", "SPOILT", "Plan"]

FAULTS = {
    # name: how often it happens, relative to the others
    "broken link": 6,
    "link cut in a frame": 6,
    "silent link": 4,
    "late chunk": 8,
    "lossy link": 4,
    "slow link": 4,
    "damaged byte": 3,
    "partition": 3,
    "stranger": 3,
    "crash": 4,
    "stop": 2,
    "pause": 3,
    "clock jump": 6,
    "slow disk": 4,
    "compaction": 4,
    "crash in compaction": 2,
    "backup": 3,
    "restored backup": 2,
    "cloned file": 1,
    "lost file": 1,
    "rotten record": 1,
    "injected slice": 2,
    "promise": 20,
}
"""Everything that is done to a world; what is in ``HARMLESS`` is none."""

SPOILT = "spoilt operation"
"""What besides happens to light stores only."""

HARMLESS = frozenset({"backup", "compaction", "injected slice", "promise"})
"""What belongs to the usual life of a store."""


@dataclass(frozen=True)
class Plan:
    """The character of a world."""

    peers: int
    links: tuple[tuple[int, int], ...]
    """Who connects to whom."""
    limits: Limits
    weights: dict[str, float]
    """How often each fault happens, relative to the others."""
    act_seconds: float
    """The mean time between two actions."""
    bursts: tuple[int, ...]
    """How many actions there are at once, all equally likely."""
    fault_seconds: float
    """The mean time between two faults."""
    latency: tuple[float, float]
    sync_seconds: float
    """How long a disk takes, mostly."""
    buffer_bytes: int
    """What the system takes of a connection before it says to wait."""
    chop: float
    compact_after: int
    rounds: int
    """How often it is made quiet and checked."""
    round_steps: int

    @classmethod
    def draw(cls, rng: Random, steps: int) -> Plan:
        """A plan for about ``steps`` steps."""
        peers = rng.choice([2, 3, 4, 4, 5, 5, 6, 6])
        heartbeat = rng.choice([1.0, 2.0, 5.0])
        limits = replace(
            Limits(),
            part_bytes=rng.choice([512, 4096, 256 * 1024]),
            queue_bytes=rng.choice([1024, 8192, 8 << 20]),
            unacked_bytes=rng.choice([4096, 1 << 20]),
            half_open=rng.choice([4, 64]),
            handshake_seconds=rng.choice([3.0, 10.0]),
            heartbeat_seconds=heartbeat,
            timeout_seconds=heartbeat * 6,
            sync_seconds=rng.choice([5.0, 10.0, 30.0]),
            request_seconds=rng.choice([2.0, 10.0]),
            backoff_last_seconds=rng.choice([1.0, 8.0]),
            connect_seconds=5.0,
        )
        act = rng.choice([0.01, 0.03, 0.1])
        return cls(
            peers=peers,
            links=topology(rng, peers),
            limits=limits,
            weights={
                name: weight * rng.choice([0.0, 0.5, 1.0, 3.0]) for name, weight in FAULTS.items()
            },
            act_seconds=act,
            bursts=rng.choice([(1,), (1,), (1, 1, 2, 4), (1, 1, 1, 1, 1, 20)]),
            fault_seconds=rng.choice([0.3, 1.0, 3.0]),
            latency=rng.choice([(0.0001, 0.001), (0.001, 0.03), (0.02, 0.2)]),
            sync_seconds=rng.choice([0.0005, 0.005, 0.02]),
            buffer_bytes=rng.choice([2048, 1 << 16]),
            chop=rng.choice([0.0, 0.0, 0.1]),
            compact_after=rng.choice([150, 1000]),
            rounds=2,
            round_steps=steps // 2,
        )


def topology(rng: Random, peers: int) -> tuple[tuple[int, int], ...]:
    """A connected graph: a tree, with more links here and there, some of them made by both ends."""
    links: list[tuple[int, int]] = []
    kind = rng.choice(["line", "star", "ring", "tree", "clique"])
    for node in range(1, peers):
        to = {"star": 0, "tree": rng.randrange(node)}.get(kind, node - 1)
        links.append((node, to) if rng.random() < 0.5 else (to, node))
    if kind == "ring" and peers > 2:
        links.append((peers - 1, 0))
    for one in range(peers):
        for two in range(one):
            known = (one, two) in links or (two, one) in links
            if not known and (kind == "clique" or rng.random() < 0.3):
                links.append((one, two))
            elif known and rng.random() < 0.15:
                links += [pair for pair in [(one, two), (two, one)] if pair not in links]
    return tuple(links)
