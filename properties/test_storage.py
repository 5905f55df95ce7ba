"""Storages hold what was put into them, whatever the history, and whatever happens to the file."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.errors import StorageError
from crdtstore.storage import LogSize, MemoryStorage, Opened, Record, SqliteStorage, Storage

SECONDS = 60

slices = st.sampled_from(["a", "b", "ü/☃"])
records = st.builds(
    Record,
    slice=slices,
    delta=st.binary(max_size=40) | st.binary(max_size=2).map(lambda b: b * 3000),
    meta=st.binary(max_size=8),
)


@dataclass(frozen=True)
class Append:
    batch: list[Record]


@dataclass(frozen=True)
class Compact:
    share: float  # of what was appended
    snapshots: dict[str, bytes]
    generations: dict[str, int]


@dataclass(frozen=True)
class Reopen:
    pass


steps = st.one_of(
    st.builds(Append, st.lists(records, max_size=20)),
    st.builds(
        Compact,
        st.floats(0, 1),
        st.dictionaries(slices, st.binary(max_size=20)),
        st.dictionaries(slices, st.integers(0, 5)),
    ),
    st.builds(Reopen),
)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def take(storage: Storage, step: Append | Compact | Reopen) -> object:
    """Do one step and return everything that can be seen afterwards."""
    outcome: object = None
    match step:
        case Append(batch):
            outcome = storage.append(batch)
        case Compact(share, snapshots, generations):
            storage.flush().result(SECONDS)
            try:
                upto = int(share * storage.durable_seq)
                storage.compact(upto, snapshots, generations).result(SECONDS)
            except StorageError as error:
                outcome = str(error)
        case Reopen():
            storage.close()
            opened = storage.open()
            outcome = (list(opened.records), dict(opened.generations), opened.quarantined)
    read = {name: list(storage.read(name)) for name in ("a", "b", "ü/☃", "never")}
    storage.flush().result(SECONDS)
    sizes: dict[str, LogSize] = dict(storage.log_size())
    return outcome, read, storage.durable_seq, sizes


@given(st.lists(steps, max_size=12))
def test_the_file_behaves_as_the_memory_does(history: list[Append | Compact | Reopen]) -> None:
    """Two adapters, one behaviour: after every step of any history they hold the same."""
    with folder() as place:
        memory = MemoryStorage()
        file = SqliteStorage(place / "store.db", durability="normal")
        memory.open()
        file.open()
        try:
            for step in [*history, Reopen()]:
                assert take(file, step) == take(memory, step), step
        finally:
            file.close()


@functools.cache
def sample() -> tuple[dict[str, bytes], dict[str, bytes], frozenset[tuple[int, Record]]]:
    """The files of a store that was closed, those of one that was killed, and what both hold."""
    with folder() as place:
        path = place / "store.db"
        storage = SqliteStorage(path, durability="normal")
        storage.open()
        for number in range(120):
            size = (5, 50, 300, 3000)[number % 4]
            storage.append(
                [Record("ab"[number % 2], b"%d " % number * size, b"meta") for _ in range(2)]
            )
            storage.flush().result(SECONDS)
            if number == 40:
                storage.compact(70, {"a": bytes(range(256)) * 20}).result(SECONDS)
        held = frozenset([*storage.read("a"), *storage.read("b")])
        killed = {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal")}
        storage.close()
        return {"": path.read_bytes()}, killed, held


@dataclass(frozen=True)
class Damage:
    """Bytes that change somewhere in a file; ``where`` is a share of its length."""

    where: float
    kind: str
    data: bytes

    def do(self, content: bytearray) -> None:
        at = min(int(self.where * len(content)), len(content) - 1)
        page = at - at % 4096
        match self.kind:
            case "flip":
                content[at] ^= 1 << (self.data[0] % 8)
            case "overwrite":
                content[at : at + len(self.data)] = self.data[: len(content) - at]
            case "zero a page":
                content[page : page + 4096] = bytes(len(content[page : page + 4096]))
            case "another page":
                other = self.data[0] * 4096 % len(content)
                copy = content[other : other + len(content[page : page + 4096])]
                content[page : page + len(copy)] = copy
            case _:
                del content[at:]


damages = st.builds(
    Damage,
    st.floats(0, 1),
    st.sampled_from(
        ["flip", "flip", "flip", "overwrite", "zero a page", "another page", "cut off"]
    ),
    st.binary(min_size=1, max_size=200),
)


def reopened(storage: SqliteStorage) -> Opened:
    storage.close()
    return storage.open()


@given(st.lists(damages, min_size=1, max_size=3))
def test_damage_is_never_silent(found: list[Damage]) -> None:
    """Whatever bytes of the file change: a record is intact, or its loss is reported, for ever."""
    files, _, held = sample()
    content = bytearray(files[""])
    for damage in found:
        if content:
            damage.do(content)
    with folder() as place:
        path = place / "store.db"
        path.write_bytes(content)
        storage = SqliteStorage(path, durability="normal")
        try:
            opened = storage.open()
        except StorageError:
            assert path.read_bytes() == content, "a file that was refused was changed"
            return
        try:
            if not content:
                assert opened.created  # nothing is left that could tell it from a new file
                return
            got = frozenset(opened.records)
            assert got <= held, "a record is not what it was"
            assert got == held or opened.quarantined, "a record is gone, and nobody was told"
            new = Record("a", b"new", b"")
            last = storage.append([new])
            again = reopened(storage)
            assert frozenset(again.records) == got | {(last, new)}
            assert again.quarantined == opened.quarantined
        finally:
            storage.close()


@given(st.floats(0, 1), st.sampled_from(["cut off", "flip", "overwrite"]), st.binary(min_size=1))
def test_a_damaged_write_ahead_log_is_never_silent(where: float, kind: str, data: bytes) -> None:
    """The log of SQLite may be torn, which loses its end; damage in the middle is reported."""
    _, files, held = sample()
    content = bytearray(files["-wal"])
    Damage(where, kind, data).do(content)
    with folder() as place:
        path = place / "store.db"
        path.write_bytes(files[""])
        Path(f"{path}-wal").write_bytes(content)
        storage = SqliteStorage(path, durability="normal")
        opened = storage.open()
        try:
            got = sorted(frozenset(opened.records), key=lambda pair: pair[0])
            every = sorted(held, key=lambda pair: pair[0])
            assert got == every[: len(got)], "what is left is not a beginning"
            assert len(got) % 2 == len(every) % 2, "a batch was torn"
            # The header of the last frame alone cannot tell damage from what never was finished.
            last_frame = len(content) - 24 - 4096
            if kind != "cut off" and int(where * len(content)) < last_frame:
                assert got == every or opened.quarantined
        finally:
            storage.close()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.floats(0, 1))
def test_batches_are_whole_after_any_cut(parts: list[int], share: float) -> None:
    """However short the log of SQLite is cut, no part of a batch is there without the others."""
    with folder() as place:
        path, left = place / "store.db", place / "left.db"
        storage = SqliteStorage(path, durability="normal")
        storage.open()
        try:
            for number, count in enumerate(parts):
                storage.append([Record(f"{number}", b"%d" % count, b"") for _ in range(count)])
                storage.flush().result(SECONDS)
            main, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
        finally:
            storage.close()
        left.write_bytes(main)
        Path(f"{left}-wal").write_bytes(wal[: int(share * len(wal))])
        storage = SqliteStorage(left, durability="normal")
        try:
            opened = storage.open()
            names = [record.slice for _, record in opened.records]
            every = [f"{number}" for number, count in enumerate(parts) for _ in range(count)]
            assert names == every[: len(names)]
            for _, record in opened.records:
                assert names.count(record.slice) == int(record.delta)
            assert opened.quarantined == ()
        finally:
            storage.close()
