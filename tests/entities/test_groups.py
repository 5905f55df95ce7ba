"""The groups of an index, an immutable mapping."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest

from crdtstore.entities import groups
from crdtstore.entities.arranging import arranged, rows_in
from crdtstore.entities.groups import Groups
from crdtstore.entities.sequences import EntitySequence


def group(*ids: str) -> EntitySequence[str]:
    """Return a group of rows that are upper-case ids."""
    entries = [(id, id, id.upper()) for id in ids]
    return rows_in(arranged(entries), len(entries))


def test_it_is_a_mapping() -> None:
    """Of values to sequences, which misses as a dict does."""
    found = Groups([("x", group("a", "b")), (1, group("c"))])
    assert found["x"] == ["A", "B"]
    assert found[True] == found[1.0] == ["C"]
    assert found.get("y") is None
    assert "y" not in found
    assert len(found) == 2
    assert found == {"x": ["A", "B"], 1: ["C"]}
    assert repr(found) == "{'x': ['A', 'B'], 1: ['C']}"
    with pytest.raises(KeyError, match="y"):
        found["y"]
    with pytest.raises(TypeError, match="unhashable"):
        found[[]]  # type: ignore[index]
    with pytest.raises(TypeError, match="unhashable"):
        hash(found)
    changing: Any = found
    with pytest.raises(TypeError, match="assignment"):
        changing["x"] = group()
    assert pickle.loads(pickle.dumps(found)) == found


def test_it_goes_by_the_first_entities() -> None:
    """So it is in the same order everywhere, whatever the values hash to."""
    found: Groups[str] = Groups([("x", group("d")), (None, group("b", "e")), (7, group("a", "z"))])
    assert list(found) == list(found) == [7, None, "x"]
    assert list(found.evolve({"x": group("0"), 7: group("c")})) == ["x", None, 7]
    tied = Groups([("y", group("a")), ("x", group("a", "b")), (5, group("a"))])
    assert list(tied) == ["x", "y", 5]


def test_to_evolve_leaves_the_old_one_alone() -> None:
    """Nothing to change returns the very same; an empty group is none."""
    old = Groups([("x", group("a")), ("y", group("b"))])
    assert old.evolve({}) is old
    new = old.evolve({"x": group(), "z": group("c"), "none": group()})
    assert old == {"x": ["A"], "y": ["B"]}
    assert new == {"y": ["B"], "z": ["C"]}
    assert new["y"] is old["y"]


@pytest.mark.parametrize("seed", range(3))
def test_it_grows_and_shrinks(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Buckets are laid out anew as it grows, and every group stays found."""
    monkeypatch.setattr(groups, "BUCKET", 2)
    rng = random.Random(seed)
    found: Groups[str] = Groups()
    oracle: dict[Any, EntitySequence[str]] = {}
    for _ in range(300):
        values = [
            rng.choice([str, int, float])(rng.randrange(200)) for _ in range(rng.randrange(4))
        ]
        changes = {v: group(*rng.choice(["", "a", "bc"])) for v in values}
        found = found.evolve(changes)
        oracle |= changes
        oracle = {value: each for value, each in oracle.items() if each}
        assert found == oracle
        assert len(found) == len(oracle)
    assert len(found._buckets) > 4
    rebuilt: Groups[str] = Groups(found.items())
    assert rebuilt == found
    assert list(rebuilt) == list(found)
