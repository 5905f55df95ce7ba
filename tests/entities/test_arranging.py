"""Entries in order, edited."""

from __future__ import annotations

import random
from math import nan

import pytest

from crdtstore.entities import arranging
from crdtstore.entities.arranging import Edit, Entry, arranged, edited, ids_in, rows_in


@pytest.fixture(autouse=True, params=[256, 32, 4])
def load(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks of few entries are cut and joined often."""
    monkeypatch.setattr(arranging, "LOAD", request.param)
    return int(request.param)


def entry(number: int, rank: float | None = None) -> Entry:
    """Return the entry of a row that is a number."""
    id = f"k{number:04d}"
    return (number if rank is None else rank, id), id, number


def flat(chunks: list[list[Entry]]) -> list[Entry]:
    """Return all entries of chunks."""
    return [each for chunk in chunks for each in chunk]


def test_edits_are_made_singly_or_all_at_once() -> None:
    """With the same result."""
    rng = random.Random(1)
    entries = [entry(i, rng.randrange(50)) for i in range(200)]
    chunks = arranged(entries[:150])
    edits: list[Edit] = [(e, None) for e in entries[:40]]
    edits += [(None, e) for e in entries[150:]]
    edits += [(e, ((rng.randrange(50), e[1]), e[1], -1)) for e in entries[40:90]]
    rng.shuffle(edits)
    expected = {e[1]: e for e in entries[:150]}
    for old, new in edits:
        if old is not None:
            del expected[old[1]]
        if new is not None:
            expected[new[1]] = new
    wanted = sorted(expected.values(), key=lambda each: each[0])
    at_once = edited(chunks, edits)
    singly = chunks
    for edit in edits:
        singly = edited(singly, [edit])
    for found in (at_once, singly):
        assert flat(found) == wanted
    assert arranged([]) == edited([], []) == []


def test_the_old_chunks_stay_as_they_were() -> None:
    """And those that no edit touches are the same objects."""
    chunks = arranged(map(entry, range(2000)))
    before = [chunk[:] for chunk in chunks]
    changed = edited(chunks, [(entry(1000), entry(1000, 1000.5)), (entry(1001), None)])
    assert chunks == before
    assert sum(chunk not in changed for chunk in chunks) <= 2
    kept = {id(chunk) for chunk in changed}
    assert sum(id(chunk) not in kept for chunk in chunks) <= 2


@pytest.mark.parametrize("order", ["rising", "falling", "random"])
def test_chunks_stay_neither_too_large_nor_too_small(load: int, order: str) -> None:
    """However they grow and shrink, so what is left of many is not spread over many chunks."""
    numbers = list(range(1500))
    if order == "random":
        random.Random(1).shuffle(numbers)
    elif order == "falling":
        numbers.reverse()
    chunks: list[list[Entry]] = []
    for number in numbers:
        chunks = edited(chunks, [(None, entry(number))])
    assert flat(chunks) == list(map(entry, range(1500)))
    while numbers:
        sizes = list(map(len, chunks))
        assert max(sizes) <= 2 * load
        assert len(sizes) == 1 or min(sizes) >= load // 4
        for _ in range(min(50, len(numbers))):
            chunks = edited(chunks, [(entry(numbers.pop(0)), None)])
    assert chunks == []


def test_entries_that_cannot_be_found_are_sorted_anew() -> None:
    """None is lost, and none stays that is to go."""
    chunks = arranged(entry(i, nan if i % 7 == 0 else i) for i in range(100))
    after = edited(chunks, [(entry(7, nan), entry(7)), (entry(14, nan), None), (entry(3), None)])
    assert sorted(each[2] for each in flat(after)) == [i for i in range(100) if i not in (3, 14)]


def test_entries_show_their_ids_and_rows() -> None:
    """A chunk its ids, all chunks their rows."""
    chunks = arranged(map(entry, range(5)))
    assert rows_in(chunks, 5) == [0, 1, 2, 3, 4]
    assert ids_in([entry(3), entry(1)]) == ["k0003", "k0001"]
