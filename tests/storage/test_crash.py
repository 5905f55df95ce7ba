"""Processes that die at any moment, and what they leave.

``CRDTSTORE_KILLS`` is the number of processes that are killed at random moments; 25 by default.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from tests.storage.programs import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

KILLS = int(os.environ.get("CRDTSTORE_KILLS") or 25)


@pytest.mark.timeout(60 + 10 * KILLS)
@pytest.mark.parametrize("durability", ["full", "normal"])
def test_kill_at_random_moments_loses_nothing_durable(tmp_path: Path, durability: str) -> None:
    """Every record that was durable is there once, under its number, in order, in whole batches."""
    seed = random.randrange(1 << 32)
    kills = -(-KILLS // 2)
    ended = run(
        *("-m", "tests.storage.crashing", "moments", str(tmp_path), str(seed), str(kills)),
        durability,
        seconds=50 + 10 * KILLS,
    )
    summary = json.loads(ended.stdout)
    assert summary["kills"] == kills
    assert summary["durable"] > kills


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_dying_before_any_statement_loses_nothing_durable(tmp_path: Path, durability: str) -> None:
    """The same at each step of creation, append, compaction and of the opening that follows."""
    every = "1" if KILLS >= 200 else "32"
    ended = run("-m", "tests.storage.crashing", "statements", str(tmp_path), every, durability)
    summary = json.loads(ended.stdout)
    assert summary["deaths"] > 50
    assert summary["openings"] > 20
