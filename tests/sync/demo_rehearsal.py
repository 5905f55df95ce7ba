"""The demo's script without processes, cables and kills: stores in memory that merge by the hand.

Fast, and repeatable to the last bit of what matters, so that the account can be tried on many
scripts and against planted losses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from crdtstore import Store, configure_store
from sync.demo.account import Account, Receipt
from sync.demo.audit import audit, in_order
from sync.demo.script import PHASES, write_script
from sync.demo.slices import board, tally
from sync.demo.worker import StepClock, carry_out, report

EPOCH = 1_700_000_000_000


@dataclass
class Rehearsal:
    """What the director would have in the end."""

    receipts: list[Receipt]
    reports: dict[str, dict[str, Any]]
    before: dict[str, Any]

    def problems(self) -> list[str]:
        """Return what an audit finds."""
        account = Account(EPOCH)
        account.enter(self.receipts[:-1])
        order = list(in_order(account, self.before))
        account.enter(self.receipts[-1:])  # it sorts the list
        return [*order, *audit(account, self.reports)]


def _nothing(stores: Mapping[str, Store]) -> None:
    pass


def rehearse(
    peers: int,
    actions: int,
    seed: int,
    *,
    first: Callable[[Mapping[str, Store]], object] = _nothing,
    last: Callable[[Mapping[str, Store]], object] = _nothing,
) -> Rehearsal:
    """Play a script; who merges from whom, and when, is drawn from the seed too.

    ``first`` and ``last`` are given the stores by name, before anything is done and after all is.
    """
    script = write_script(peers, actions, seed)
    random = Random(seed)
    clocks = {name: StepClock() for name in script.peers}
    stores = {name: configure_store([board, tally], clock=clocks[name]) for name in script.peers}
    first(stores)
    receipts = []
    before: dict[str, Any] = {}

    def merge(into: str, of: str) -> None:
        stores[into].merge(stores[of].deltas_since(stores[into].state_vectors()))

    def merge_all() -> None:
        for _ in range(2):
            for into in script.peers:
                for of in script.peers:
                    merge(into, of)

    for phase in PHASES:
        if phase == "tidy":
            merge_all()
            before = report(stores[script.peers[0]])
        for step in script.phases[phase]:
            entry = carry_out(stores[step.by], clocks[step.by], EPOCH, step)
            session = stores[step.by].session
            receipts.append(Receipt(step, session, entry["seen"], entry["found"]))
            if phase in ("online", "healed"):
                for _ in range(random.randrange(3)):
                    merge(*random.sample(script.peers, 2))
    merge_all()
    reports = {name: report(store) for name, store in stores.items()}
    last(stores)
    for store in stores.values():
        store.close()
    return Rehearsal(receipts, reports, before)
