"""What is made and what is durable, as a peer can tell."""

from __future__ import annotations

from sync.watermarks import Origin, Watermarks
from tests.sync.fake_store import FakeCommit


def commit(seq: int, origin: object = None) -> FakeCommit:
    return FakeCommit(seq, {}, None, origin)


def test_a_mark_is_covered_when_commits_and_merges_are_durable() -> None:
    """A store that tells late of a commit is no reason to call its merge durable."""
    marks = Watermarks()
    marks.saw_applied(commit(4))
    assert not marks.covers(marks.mark)
    marks.saw_durable(commit(4))
    assert marks.covers(marks.mark)
    marks.merged += 1  # the commit of this merge was not told yet
    mark = marks.mark
    assert not marks.covers(mark)
    marks.saw_durable(commit(5, Origin("r", b"", {}, marks, 1)))
    assert marks.covers(mark)


def test_merges_of_another_peer_of_the_same_store_are_not_counted() -> None:
    """Two peers over one store number their merges each for itself."""
    ours, theirs = Watermarks(), Watermarks()
    ours.merged = 1
    mark = ours.mark
    ours.saw_durable(commit(1, Origin("r", b"", {}, theirs, 1)))
    assert not ours.covers(mark)


def test_durable_implies_made() -> None:
    """A store without a file may tell that a commit is durable before it tells of the commit."""
    marks = Watermarks()
    marks.saw_durable(commit(3))
    assert marks.applied == 3
    marks.saw_applied(commit(2))
    assert marks.applied == 3
