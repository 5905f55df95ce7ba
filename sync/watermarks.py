"""How far one store has got, as far as a peer can tell: what is made, and what is durable.

Commits are told by the store, perhaps a moment late when another thread is telling. So a peer
counts its own merges as well: a durable commit says by its origin which merge it was, and commits
become durable in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from .port import Commit

__all__ = ["Mark", "Origin", "Watermarks"]

Mark: TypeAlias = tuple[int, int]
"""A moment in the life of a store: the last commit, and the last merge of this peer."""


class Origin(NamedTuple):
    """What a commit merged from a link carries as its ``origin``."""

    replica: str
    """Whose link it was."""
    link: bytes
    deltas: Mapping[str, bytes]
    marks: Watermarks
    merge: int

    def __repr__(self) -> str:
        return f"Origin(replica={self.replica!r}, link={self.link!r})"


class Watermarks:
    """Shared by all links of one peer."""

    __slots__ = ("_told", "durable", "merged", "merged_durable")

    def __init__(self) -> None:
        self.durable = 0
        """The last commit that is durable."""
        self.merged = 0
        """How many merges of this peer changed something."""
        self.merged_durable = 0
        self._told = 0

    @property
    def applied(self) -> int:
        """The last commit that is known to be made."""
        return max(self._told, self.durable)

    @property
    def mark(self) -> Mark:
        """Everything so far."""
        return self.applied, self.merged

    def covers(self, mark: Mark) -> bool:
        """Whether everything up to ``mark`` is durable."""
        return mark[0] <= self.durable and mark[1] <= self.merged_durable

    def saw_applied(self, commit: Commit) -> None:
        """A commit was made (called from any thread, in commit order)."""
        self._told = commit.seq

    def saw_durable(self, commit: Commit) -> None:
        """A commit became durable."""
        self.durable = commit.seq
        origin = commit.origin
        if isinstance(origin, Origin) and origin.marks is self:
            self.merged_durable = origin.merge
