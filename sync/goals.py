"""What somebody waits for: ``synced`` and ``replicated``, as conditions over the open links.

*Pushed* to a peer is everything up to a commit once its frames are acknowledged as durable there.
*Pulled* from a peer is everything it had when a STATE, sent after the question, is answered, merged
here, and no digest was found unequal. Neither trusts state vectors alone to say “equal”.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from .errors import DivergenceError
from .exchange import Exchange

__all__ = ["Goal", "Goals", "Linked"]


class Linked(Protocol):
    """An open link, as far as goals are concerned."""

    @property
    def replica(self) -> str: ...
    @property
    def exchange(self) -> Exchange | None: ...
    def wake(self) -> None: ...


@dataclass(slots=True)
class _Progress:
    target: int | None = None
    round: int | None = None


@dataclass(slots=True, eq=False)
class Goal:
    """Everything up to ``commit`` at ``count`` peers, all of ``replicas`` among them."""

    future: Future[None]
    commit: int
    count: int
    replicas: frozenset[str] = frozenset()
    pull: bool = False
    reached: set[str] = field(default_factory=set)
    progress: dict[Linked, _Progress] = field(default_factory=dict)

    def evaluate(self, links: Iterable[Linked]) -> bool:
        """Look at the links and ask for what is needed; True when there is nothing left to do."""
        if self.future.done():
            return True
        for link in links:
            exchange = link.exchange
            if exchange is None or link.replica in self.reached:
                continue
            if self.pull and exchange.audit.diverged:
                slices = tuple(sorted(exchange.audit.diverged))
                self.fail(DivergenceError(link.replica, slices))
                return True
            step = self.progress.setdefault(link, _Progress())
            if step.target is None:
                step.target = exchange.outgoing.target(self.commit)
            if self.pull and step.round is None:
                step.round = exchange.incoming.request()
                link.wake()
            pushed = step.target is not None and exchange.outgoing.acked >= step.target
            pulled = step.round is None or (
                exchange.incoming.answered >= step.round and not exchange.audit.suspect
            )
            if pushed and pulled:
                self.reached.add(link.replica)
        if len(self.reached) >= self.count and self.replicas <= self.reached:
            if not self.future.done():
                self.future.set_result(None)
            return True
        return False

    def fail(self, error: Exception) -> None:
        """This cannot be reached."""
        if not self.future.done():
            self.future.set_exception(error)


class Goals:
    """Everything that is waited for."""

    __slots__ = ("_goals",)

    def __init__(self) -> None:
        self._goals: list[Goal] = []

    def __bool__(self) -> bool:
        return bool(self._goals)

    def add(self, goal: Goal) -> None:
        """Wait for one more."""
        self._goals.append(goal)

    def evaluate(self, links: Iterable[Linked]) -> None:
        """Settle what can be settled."""
        links = tuple(links)
        self._goals = [goal for goal in self._goals if not goal.evaluate(links)]

    def forget(self, link: Linked) -> None:
        """A link is gone; a new one to the same peer starts from the beginning."""
        for goal in self._goals:
            goal.progress.pop(link, None)

    def fail(self, error: Exception) -> None:
        """Nothing can be reached any more."""
        for goal in self._goals:
            goal.fail(error)
        self._goals.clear()
