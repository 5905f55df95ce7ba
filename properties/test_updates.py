"""The strict reader lets through all that honest replicas write, and says exactly what it is."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, merge_updates

from crdtstore.updates import (
    Known,
    Update,
    read_state_vector,
    read_update,
    write_state_vector,
)
from properties.fuzz_updates import ROUND, fuzz
from properties.update_plans import Plan
from properties.update_writers import SEEDED, Writer, shown

SEEDS = st.integers(0, 2**32 - 1)


def history(rng: random.Random, steps: int) -> tuple[list[Writer], list[bytes]]:
    """Let replicas work and pull from one another; returns them and all updates made on the way."""
    clients = itertools.chain(rng.sample(range(1, 60), 30), itertools.count(2**53 - 1, -1))
    writers = [Writer(rng, next(clients)) for _ in range(3)]
    updates: list[bytes] = []
    for _ in range(steps):
        writer = rng.choice(writers)
        if rng.random() < 0.1:
            writer.open(next(clients))
        if rng.random() < 0.1:
            writer.seed(rng.choice(SEEDED))
        writer.work(rng.choice((0, 1, 1, 2, 5)))
        if rng.random() < 0.4:
            updates.append(rng.choice(writers).pull(writer))
    for writer in writers:
        updates += [*writer.events, *writer.sent, writer.doc.get_update()]
        vector = rng.choice(writers).doc.get_state()
        updates.append(writer.doc.get_update(vector))
        first = rng.randrange(len(writer.events) + 1)
        updates.append(merge_updates(*writer.events[first : first + rng.randint(1, 9)], b"\0\0"))
    return writers, updates


def lacking(data: bytes, known: Known) -> dict[int, int]:
    """Work out from the bytes alone what an update needs and nobody has."""
    plan = Plan.of(data)
    carried = plan.ranges()
    missing: dict[int, int] = {}
    for client, clock in plan.needs():
        first, end = carried.get(client, (0, 0))
        if not (clock < known.clocks.get(client, 0) or first <= clock < end):
            missing[client] = max(clock, missing.get(client, 0))
    return missing


def placed(known: Known) -> dict[tuple[int, int], str | None]:
    """Return the root of every known clock."""
    return {
        (client, clock): known.root_of(client, clock)
        for client, end in known.clocks.items()
        for clock in range(end)
    }


def middles(known: Known) -> set[tuple[int, int]]:
    """Return the clocks that may not be cut at."""
    return {at for at in placed(known) if known.cuts_pair(*at)}


@given(SEEDS, st.integers(1, 25))
def test_honest_updates_in_any_order(seed: int, steps: int) -> None:
    """What honest replicas write is never refused, and applied when nothing is missing."""
    rng = random.Random(seed)
    writers, updates = history(rng, steps)
    truth = {
        (client, clock): root
        for writer in writers
        for client, start, end, root in writer.truth
        for clock in range(start, end)
    }
    doc: Doc[Any] = Doc()
    known = Known()
    rng.shuffle(updates)
    for data in [*updates, *(writer.doc.get_update() for writer in writers)]:
        before = dict(known.clocks)
        update = read_update(data, known)
        assert known.clocks == before
        assert dict(update.missing) == lacking(data, known)
        assert update.new == any(end > before.get(client, 0) for client, _, end in update.ranges)
        if update.missing:
            assert not update.runs
            continue
        content = shown(doc)
        doc.apply_update(data)
        known.add(update)
        now = shown(doc)
        assert {root for root in now if now[root] != content[root]} <= update.roots
        assert known.clocks == read_state_vector(doc.get_state())
        check_runs(update, truth)
    assert known.clocks == {
        client: 1 + max(at for c, at in truth if c == client) for client, _ in truth
    }
    assert placed(known) == truth


def check_runs(update: Update, truth: dict[tuple[int, int], str]) -> None:
    """The runs of an update are its ranges, by root, and none could be longer."""
    runs = [(client, start, end) for client, start, end, _ in update.runs]
    assert all(start < end for _, start, end in runs)
    for run, after in itertools.pairwise(update.runs):
        if run[0] == after[0]:
            assert run[2] == after[1]
            assert run[3] != after[3]
    carried = {(c, at) for c, start, end in update.ranges for at in range(start, end)}
    written = {(c, at): root for c, start, end, root in update.runs for at in range(start, end)}
    assert written == {at: truth[at] for at in carried}


@given(SEEDS, st.integers(1, 25))
def test_own_work_is_known_as_if_it_had_been_read(seed: int, steps: int) -> None:
    """Recording local writes leaves the same knowledge as reading the updates they make."""
    writers, _ = history(random.Random(seed), steps)
    for writer in writers:
        reader, loader = Known(), Known()
        for data in writer.events:
            update = read_update(data, reader)
            assert not update.missing
            reader.add(update)
        loader.add(read_update(writer.doc.get_update(), loader))
        assert reader.clocks == loader.clocks == writer.known.clocks
        assert placed(reader) == placed(loader) == placed(writer.known)
        # What was deleted before it was written down is not known as text to those who read it.
        assert middles(loader) <= middles(writer.known)
        assert middles(reader) <= middles(writer.known)


@given(SEEDS, st.integers(1, 15))
def test_vectors(seed: int, steps: int) -> None:
    """State vectors survive writing and reading, and documents answer them."""
    rng = random.Random(seed)
    writers, _ = history(rng, steps)
    for writer, other in itertools.permutations(writers, 2):
        vector = write_state_vector(other.known.clocks)
        assert read_state_vector(vector) == other.known.clocks
        assert vector == write_state_vector(dict(reversed(other.known.clocks.items())))
        assert read_state_vector(other.doc.get_state()) == other.known.clocks
        update = read_update(writer.doc.get_update(vector), other.known)
        assert not update.missing
        wild = {client: rng.randint(1, 2 * end) for client, end in writer.known.clocks.items()}
        asked = writer.known.within({**wild, 2**52: 7})
        answer = writer.doc.get_update(write_state_vector(asked))
        assert all(
            asked.get(client, 0) == start
            for client, start, _ in read_update(answer, Known()).ranges
        )


@given(st.dictionaries(st.integers(1, 2**53 - 1), st.integers(1, 2**31 - 1)))
def test_any_vector_survives(clocks: dict[int, int]) -> None:
    """Reading what was written gives the same clocks."""
    assert read_state_vector(write_state_vector(clocks)) == clocks


def test_nothing_that_is_let_through_harms_a_document(pytestconfig: pytest.Config) -> None:
    """No mutant, forgery or noise that the reader lets through kills, hangs or damages anything."""
    inputs = 30 * settings().max_examples
    counts = fuzz(int(pytestconfig.getoption("hypothesis_seed")), inputs)
    assert counts["inputs"] >= inputs
    assert min(counts["refused"], counts["waiting"], counts["applied, new"]) > inputs // ROUND
