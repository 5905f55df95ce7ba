"""Which of several links stays, and what links are told; ``test_peer`` has meshes at work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from sync.frames import Hello, Reason
from sync.limits import Limits
from sync.mesh import Mesh
from sync.watermarks import Watermarks
from tests.sync.fake_store import FakeCommit, FakeStore


@dataclass
class Stub:
    """A link that is open until it is closed, and does nothing else."""

    outgoing: bool
    remote: str
    address: str = "memory://stub"
    reason: Reason | None = None
    session: Any = field(init=False)
    marks: Watermarks | None = None
    durable: list[int] = field(default_factory=list)
    """What counted as durable whenever it was told of commits."""

    def __post_init__(self) -> None:
        hello = Hello(f"replica of {self.remote}", self.remote, "default", {}, 1)
        self.session = SimpleNamespace(remote=hello)

    @property
    def is_open(self) -> bool:
        return self.reason is None

    def close(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason

    def wake(self) -> None:
        pass

    def committed(self, commits: Iterable[FakeCommit]) -> None:
        assert self.marks is not None
        self.durable.append(self.marks.durable)


def mesh_of(store: FakeStore) -> Mesh:
    """A mesh without links."""
    return Mesh(store, "default", None, Limits(), lambda: None, lambda: None)


def kept(own: str, *links: Stub) -> list[int]:
    """Open these links one after the other at session ``own``; return which are open then."""

    async def run() -> None:
        store = FakeStore("a")
        store.session = own
        mesh = mesh_of(store)
        for link in links:
            mesh.links.append(link)  # type: ignore[arg-type]
            mesh.link_opened(link)  # type: ignore[arg-type]

    asyncio.run(run())
    return [number for number, link in enumerate(links) if link.is_open]


@pytest.mark.parametrize("made_by_small", [0, 1])
def test_of_two_sessions_that_connect_to_each_other_the_smaller_ones_link_stays(
    made_by_small: int,
) -> None:
    """Each side closes at most its own, so exactly one is left, whichever opened first."""
    at_small = [Stub(outgoing=n == made_by_small, remote="z") for n in range(2)]
    at_large = [Stub(outgoing=n != made_by_small, remote="b") for n in range(2)]
    assert kept("b", *at_small) == [0, 1]
    assert kept("z", *at_large) == [made_by_small]


def test_of_two_links_to_one_session_the_first_stays() -> None:
    """Two addresses of one peer are one peer; links to others are not touched."""
    links = [Stub(outgoing=True, remote="z") for _ in range(2)]
    links.insert(1, Stub(outgoing=True, remote="y"))
    assert kept("b", *links) == [0, 1]
    assert links[2].reason == Reason.DUPLICATE


def test_links_are_told_of_commits_that_count_as_durable_already() -> None:
    """An answer that waits for a commit goes out in the same turn, not in the next."""

    async def run() -> None:
        mesh = mesh_of(FakeStore("a"))
        link = Stub(outgoing=True, remote="z", marks=mesh.marks)
        mesh.links.append(link)  # type: ignore[arg-type]
        mesh._on_durable(FakeCommit(1, {}, None, None))
        mesh._on_durable(FakeCommit(2, {}, None, None))
        await asyncio.sleep(0)
        assert link.durable == [2]

    asyncio.run(run())
