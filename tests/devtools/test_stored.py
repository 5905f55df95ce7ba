"""A store's file as a source: with its slices and without, while somebody has it open or not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crdtstore import (
    Commit,
    Counter,
    Slice,
    StorageCorruptError,
    StorageError,
    Store,
    Table,
    combine_slices,
    configure_store,
    create_reducer,
    create_slice,
)
from sync.devtools.stored import NO_STATE, StoredSource, load_slices
from sync.devtools.told import read_join, read_record, read_status


@dataclass
class Task:
    title: str = ""
    done: bool = False


@dataclass
class Board:
    name: str = ""
    votes: Counter = Counter(0)
    tasks: Table[Task] = Table()


board: Slice[Board] = Slice("board", Board(), share_payloads=True)


@board.reducer
def add(state: Board, id: str, title: str) -> None:
    state.tasks[id] = Task(title)
    state.votes += 1


@board.reducer
def rename(state: Board, name: str) -> None:
    state.name = name


notes: Slice[Any] = create_slice(
    name="notes",
    initial_state={"last": ""},
    extra_reducers={rename: lambda state, action: setattr(state, "last", action.payload)},
)

both = [board, notes]
combined = combine_slices(board, notes)
by_name = {"counter": create_reducer(0, lambda builder: builder)}
not_slices = ["board"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def work(store: Store) -> None:
    store.dispatch(add("a", "milk"))
    store.dispatch(rename("ours"))
    with configure_store(both, clock=lambda: 500) as other:
        commits: list[Commit] = []
        other.on_commit(commits.append)
        other.dispatch(add("b", "bread"))
        store.merge(commits[0].deltas, info=commits[0].info)
        other.dispatch(rename("theirs"))
        store.merge(other.deltas_since(store.state_vectors()))
    store.dispatch(add("c", "cheese"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed file with five acts in it."""
    path = tmp_path / "board.db"
    with configure_store(both, storage=path, clock=Clock()) as store:
        work(store)
    return path


def ask(source: StoredSource, what: str, **more: Any) -> Any:
    response = source.answer({"type": "request", "id": 1, "what": what, **more})
    assert json.loads(json.dumps(response)) == response
    assert response["ok"], response
    return response["value"]


def fingerprint(folder: Path) -> dict[str, str]:
    """All there is in a folder."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_a_file_is_told_act_by_act(path: Path) -> None:
    """Own acts and merged ones, an act of two slices as one, with the states in between."""
    source = StoredSource(path, both)
    join = read_join(source.join())
    assert join.name == "board.db"
    assert join.features == {"dispatch": False, "revert": False}
    assert join.slices == {"board", "notes"}
    records = source.records(0)
    assert [read_record(each).number for each in records] == [0, 1, 2, 3, 4]
    assert [each["label"] for each in records] == [
        "board/add(id='a', title='milk')",
        "board/rename('ours')",
        "board/add(id='b', title='bread')",
        "@@sync/merged",
        "board/add(id='c', title='cheese')",
    ]
    assert [each["local"] for each in records] == [True, True, False, False, True]
    assert records[0]["author"] == join.replica
    assert records[2]["author"] not in ("", join.replica)
    assert [each["at"] for each in records[:3]] == [1001, 1002, 500]
    assert [sorted(each["slices"]) for each in records] == [
        ["board"],
        ["board", "notes"],
        ["board"],
        ["board", "notes"],
        ["board"],
    ]
    assert records[1]["paths"] == [["board", "name"], ["notes", "last"]]
    states = [ask(source, "state", number=number)["state"] for number in range(-1, 5)]
    assert states[0] == {
        "board": {"name": "", "votes": 0, "tasks": {}},
        "notes": {"last": ""},
    }
    assert states[2]["notes"] == {"last": "ours"}
    with configure_store(both, storage=path) as store:
        assert states[5] == store.state.to_plain()
        assert source.status()["digest"] == store.digest()
    detail = ask(source, "detail", number=0)
    assert detail["payload"] == {"id": "a", "title": "milk"}
    assert [each["path"] for each in detail["diff"]] == [
        ["board", "votes"],
        ["board", "tasks", "a"],
    ]
    assert ask(source, "conflicts")["conflicts"][0]["path"] == ["board", "name"]


def test_without_slices_there_is_no_state_to_show(path: Path) -> None:
    """Who did what when, how large it was and whose clocks it moved; the rest is told missing."""
    source = StoredSource(path)
    told, full = source.records(0), StoredSource(path, both).records(0)
    for each, other in zip(told, full, strict=True):
        assert each["paths"] == []
        assert each["changed"] == 0
        assert {**each, "paths": 0, "changed": 0} == {**other, "paths": 0, "changed": 0}
    assert ask(source, "state", number=0) == {"state": {"notice": NO_STATE}}
    detail = ask(source, "detail", number=0)
    assert detail["notice"] == NO_STATE
    assert detail["payload"] == {"id": "a", "title": "milk"}
    assert detail["diff"] == []
    assert detail["deltas"]["board"]["hex"]
    assert ask(source, "conflicts") == {"conflicts": []}
    join = read_join(source.join())
    assert join.slices == {"board", "notes"}
    status = read_status(source.status())
    assert (status.digest, status.end) == ("", 5)


def test_some_of_the_slices_show_some_of_the_state(path: Path) -> None:
    """Acts of the others are there, and change nothing that is seen."""
    source = StoredSource(path, [notes])
    records = source.records(0)
    assert [each["changed"] for each in records] == [0, 1, 0, 0, 0]
    assert ask(source, "state", number=4) == {"state": {"notes": {"last": "ours"}}}


def test_a_file_cannot_be_changed(path: Path) -> None:
    """Neither dispatched to nor reverted."""
    source = StoredSource(path, both)
    for request in (
        {"what": "dispatch", "text": "{type: 'board/rename', payload: 'x'}"},
        {"what": "revert", "number": 0},
    ):
        response = source.answer({"id": 1, **request})
        assert response["ok"] is False
        assert "no running store" in response["error"]


def test_the_file_stays_as_it_is(path: Path) -> None:
    """Not a byte, and no file beside it, whether it was closed or its process died."""
    before = fingerprint(path.parent)
    StoredSource(path, both)
    assert fingerprint(path.parent) == before
    killed = path.parent / "killed"
    killed.mkdir()
    with configure_store(both, storage=path) as store:
        store.dispatch(rename("only in the log"))
        store.flush().wait(10)
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{killed / path.name}{end}")
    before = fingerprint(killed)
    assert len(before) == 2
    source = StoredSource(killed / path.name, both)
    assert fingerprint(killed) == before
    assert source.records(5)[0]["label"] == "board/rename('only in the log')"


KILLED = """
import os, signal, sys
from crdtstore import configure_store
from tests.devtools.test_stored import both, rename
store = configure_store(both, storage=sys.argv[1])
store.dispatch(rename("the last words"))
store.flush().wait(10)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_file_whose_process_was_killed_is_left_as_it_is(path: Path) -> None:
    """What it had written last is seen, and is still to be taken in by whoever opens the file."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    before = fingerprint(path.parent)
    assert {"board.db", "board.db-wal", "board.db-shm"} <= set(before)
    assert StoredSource(path).records(5)[0]["label"] == "board/rename('the last words')"
    after = fingerprint(path.parent)
    before["board.db-shm"] = after["board.db-shm"]  # says who reads at the moment
    assert after == before
    with configure_store(both, storage=path) as store:
        assert store.state.board.name == "the last words"


def test_a_file_that_is_open_is_read_beside_its_store(tmp_path: Path) -> None:
    """What is durable is seen; the store goes on, and is locked by nobody."""
    path = tmp_path / "open.db"
    with configure_store(both, storage=path, clock=Clock()) as store:
        work(store)
        store.flush().wait(10)
        assert len(StoredSource(path, both).records(0)) == 5
        store.dispatch(rename("more"))
        store.flush().wait(10)
        assert len(StoredSource(path).records(0)) == 6
        store.compact().wait(10)
    with configure_store(both, storage=path) as store:
        assert store.state.board.name == "more"


def test_history_begins_with_the_snapshot(path: Path) -> None:
    """What was compacted is the state before the first record."""
    with configure_store(both, storage=path, clock=Clock()) as store:
        compacted = store.state.to_plain()
        store.compact().wait(10)
        store.dispatch(rename("after"))
    for slices in (both, []):
        source = StoredSource(path, slices)
        (record,) = source.records(0)
        assert record["label"] == "board/rename('after')"
        client, start, _ = record["slices"]["board"]["ranges"][0]
        clocks = source.join()["clocks"]["board"]
        assert clocks.get(client, 0) == start
        assert len(clocks) == 2
        if slices:
            assert ask(source, "state", number=-1)["state"] == compacted
            assert ask(source, "state", number=0)["state"]["board"]["name"] == "after"


def test_only_the_newest_acts_are_kept(path: Path) -> None:
    """As in a log of a running store, and the clocks say what was known before them."""
    source = StoredSource(path, both, limit=2)
    records = source.records(0)
    assert [each["number"] for each in records] == [3, 4]
    assert records[0]["dropped"] is True
    join = source.join()
    assert join["first"] == 3
    client, start, _ = records[1]["slices"]["board"]["ranges"][0]
    assert join["clocks"]["board"][client] == start
    assert ask(source, "state", number=2)["state"]["board"]["votes"] == 2


def test_damaged_records_are_left_out_and_told(path: Path) -> None:
    """The rest is shown; nothing is put right in the file."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE log SET delta = x'00' WHERE seq = 1")
    connection.commit()
    connection.close()
    before = fingerprint(path.parent)
    source = StoredSource(path, both)
    assert [each.seq for each in source.quarantined] == [1]
    assert source.records(0)[0]["label"] == "board/rename('ours')"
    assert fingerprint(path.parent) == before


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """Whatever it is, the message names it."""
    text = tmp_path / "text.db"
    text.write_text("hello " * 1000)
    with pytest.raises(StorageCorruptError, match=r"text\.db"):
        StoredSource(text)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t(x)")
    connection.commit()
    connection.close()
    with pytest.raises(StorageCorruptError, match=r"other\.db is some other program's"):
        StoredSource(other)
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(StorageCorruptError, match=r"empty\.db is empty"):
        StoredSource(empty)
    with pytest.raises(StorageError, match=r"missing\.db does not exist"):
        StoredSource(tmp_path / "missing.db")
    with pytest.raises(StorageError, match="is a folder"):
        StoredSource(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["empty.db", "other.db", "text.db"]


HERE = __name__


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (f"{HERE}:board", ["board"]),
        (f"{HERE}:board, {HERE}:notes", ["board", "notes"]),
        (f"{HERE}:both,{HERE}:board", ["board", "notes"]),
        (f"{HERE}:combined", ["board", "notes"]),
        (f"{HERE}:by_name", ["counter"]),
    ],
)
def test_slices_are_named_by_module_and_name(names: str, expected: list[str]) -> None:
    """One, several, or what holds several."""
    assert [each.reducer_path for each in load_slices(names)] == expected


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("", "expected package.module:name, got ''"),
        ("board", "expected package.module:name, got 'board'"),
        ("no.such.module:board", "cannot import no.such.module: ModuleNotFoundError"),
        (f"{HERE}:nothing", "has nothing called nothing"),
        (f"{HERE}:not_slices", "is no slice and no list of slices"),
        (f"{HERE}:HERE", "is no slice and no list of slices"),
        (f"{HERE}:Board", "is no slice and no list of slices"),
    ],
)
def test_other_names_are_refused(names: str, reason: str) -> None:
    """With what is wrong about them."""
    with pytest.raises(ValueError, match=reason):
        load_slices(names)
