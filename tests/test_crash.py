"""A store killed with ``kill -9`` at any moment keeps every action that was flushed.

A child process dispatches numbered actions, compacts now and then, and prints the number of the
last flushed one; it is killed at a random moment, and the file is opened again. The number of kills
is CRDTSTORE_KILLS (default 10); the seed is printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from crdtstore import Counter, List, Table, Text, configure_store, create_slice

ROOT = Path(__file__).resolve().parent.parent
KILLS = int(os.environ.get("CRDTSTORE_KILLS", "10"))


@dataclass
class Row:
    number: int
    done: Counter = Counter(0)


@dataclass
class Journal:
    count: Counter = Counter(0)
    rows: Table[Row] = Table()
    order: List[int] = List()
    text: Text = Text()


journal = create_slice(name="journal", initial_state=Journal())


@journal.reducer
def write(state: Journal, number: int) -> None:
    """Do one numbered thing in every kind at once."""
    state.count += 1
    state.rows[f"r{number}"] = Row(number)
    state.rows[f"r{number}"].done += 1
    state.order.append(number)
    state.text.insert(len(state.text), f"{number},")
    if number % 3 == 2:
        del state.rows[f"r{number - 1}"]


def check(state: Journal, flushed: int) -> int:
    """Return how many actions the state holds, all of them whole and none missing."""
    done = state.count
    assert done >= flushed
    assert list(state.order) == list(range(done))
    assert state.text == "".join(f"{number}," for number in range(done))
    removed = {number - 1 for number in range(done) if number % 3 == 2}
    assert {row.number for row in state.rows.values()} == set(range(done)) - removed
    assert all(row.done == 1 for row in state.rows.values())
    return done


def child(path: str) -> None:
    """Write for ever; print each number that is flushed."""
    store = configure_store([journal], storage=path)
    start = store[journal].count
    for number in range(start, start + 100_000):
        store.dispatch(write(number))
        if number % 5 == 0:
            store.flush().wait(60)
            print(number + 1, flush=True)
        if number % 40 == 7:
            store.compact()


def test_kill_9_loses_no_flushed_action(tmp_path: Path) -> None:
    """After every kill the store opens with all flushed actions, each whole, in order."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    path = tmp_path / "journal.db"
    done = 0
    for _ in range(KILLS):
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.test_crash", str(path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert worker.stdout is not None
            flushed = int(worker.stdout.readline())  # it is up
            time.sleep(rng.random() * 0.15)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        for line in worker.stdout:
            if line.endswith("\n"):
                flushed = int(line)
        worker.stdout.close()
        with configure_store([journal], storage=path) as store:
            assert not store.quarantined
            now = check(store[journal], max(flushed, done))
        assert now > done
        done = now


if __name__ == "__main__":
    child(sys.argv[1])
