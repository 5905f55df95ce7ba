"""A program that forks writers, kills them at any moment, and looks at what they left.

Run as ``python -m tests.storage.crashing moments FOLDER SEED KILLS DURABILITY`` or
``... statements FOLDER EVERY DURABILITY``; it prints a summary, or fails with what broke.

A writer appends batches numbered 1, 2, 3, …; each of its records says which part of which batch it
is, in its delta, and a snapshot is the list of what it replaces. So whatever is found afterwards
can be compared with what the writer had said, through a pipe, to be durable.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import struct
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NoReturn

from crdtstore.storage import Opened, Record, SqliteStorage
from crdtstore.storage import format as file_format

SLICES = ("a", "b", "c")
ENTRY = struct.Struct(">QQBB")  # sequence number, batch, part, parts


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, wherever it was found."""

    seq: int
    batch: int
    part: int
    parts: int

    @property
    def record(self) -> Record:
        """The record as the writer made it."""
        rng = random.Random(f"{self.batch}/{self.part}")
        delta = ENTRY.pack(0, self.batch, self.part, self.parts)
        filling = rng.randbytes(rng.choice((0, 20, 100, 100, 5000)))
        return Record(SLICES[rng.randrange(3)], delta + filling, rng.randbytes(8))


@dataclass(slots=True)
class Content:
    """What a storage holds: every entry, by its number, and which of them each slice has."""

    entries: dict[int, Entry] = field(default_factory=dict)
    by_slice: dict[str, list[Entry]] = field(default_factory=dict)

    def add(self, entry: Entry, slice: str) -> None:
        """Take in one entry; nothing may be there twice."""
        assert entry.seq not in self.entries, f"record {entry.seq} is there twice"
        self.entries[entry.seq] = entry
        self.by_slice.setdefault(slice, []).append(entry)

    @property
    def batches(self) -> int:
        """The number of the last batch."""
        return max((entry.batch for entry in self.entries.values()), default=0)


def understand(opened: Opened) -> Content:
    """Read what a storage holds, and check that it is whole in itself."""
    assert opened.quarantined == (), opened.quarantined
    content = Content()
    seqs = []
    for seq, record in opened.records:
        if record.meta:
            _, batch, part, parts = ENTRY.unpack(record.delta[: ENTRY.size])
            entry = Entry(seq, batch, part, parts)
            assert entry.record == record, f"record {seq} is not what was written"
            content.add(entry, record.slice)
            seqs.append(seq)
        else:
            for item in ENTRY.iter_unpack(record.delta):
                entry = Entry(*item)
                assert entry.record.slice == record.slice
                assert entry.seq <= seq, f"{entry} in a snapshot up to {seq}"
                content.add(entry, record.slice)
    assert seqs == sorted(seqs), "the log is out of order"
    expected = 0
    batch = part = parts = 0
    for expected, seq in enumerate(sorted(content.entries), 1):
        assert seq == expected, f"record {expected} is missing"
        entry = content.entries[seq]
        if part == parts:
            batch, part, parts = batch + 1, 0, entry.parts
        assert (entry.batch, entry.part, entry.parts) == (batch, part, parts), entry
        part += 1
    assert part == parts, f"batch {batch} was torn at record {expected}"
    return content


class Said:
    """What writers said through the pipe: which batch got which number, and what is durable."""

    def __init__(self) -> None:
        self.last_of: dict[int, int] = {}  # batch: the number of its last record
        self.durable = 0

    def hear(self, lines: str) -> None:
        """Take in whole lines; the last may be torn by the kill."""
        for line in lines.splitlines(keepends=True):
            if line.endswith("\n"):
                word, *numbers = line.split()
                if word == "appended":
                    self.last_of[int(numbers[0])] = int(numbers[1])
                else:
                    self.durable = max(self.durable, int(numbers[0]))

    def compare(self, content: Content) -> None:
        """Whatever was said to be durable is there, under the number that was said."""
        assert len(content.entries) >= self.durable, (
            f"{self.durable} records were durable, {len(content.entries)} are there"
        )
        for batch, last in self.last_of.items():
            if last <= self.durable:
                assert content.entries[last].batch == batch
        # What was not durable may be gone, and its numbers may be given to others.
        self.last_of = {b: last for b, last in self.last_of.items() if last <= self.durable}


def snapshot(entries: list[Entry], upto: int) -> bytes:
    """The fake snapshot of a slice: the list of what it replaces."""
    return b"".join(ENTRY.pack(e.seq, e.batch, e.part, e.parts) for e in entries if e.seq <= upto)


class Writer:
    """Appends and compacts, and says so."""

    def __init__(self, storage: SqliteStorage, say: Callable[[str], None]) -> None:
        self.storage = storage
        self.say = say
        opened = storage.open()
        self.content = understand(opened)
        self.compacted = max((seq for seq, record in opened.records if not record.meta), default=0)
        self.batch = self.content.batches
        storage.on_durable(lambda seq: say(f"durable {seq}\n"))

    def append(self, parts: int) -> None:
        """Append the next batch."""
        self.batch += 1
        entries = [Entry(0, self.batch, part, parts) for part in range(parts)]
        last = self.storage.append([entry.record for entry in entries])
        self.say(f"appended {self.batch} {last}\n")
        for part, entry in enumerate(entries):
            seq = last - parts + 1 + part
            self.content.add(Entry(seq, self.batch, part, parts), entry.record.slice)

    def compact(self, upto: int, *slices: str) -> Future[None]:
        """Compact some slices."""
        self.compacted = upto
        return self.storage.compact(
            upto,
            {name: snapshot(self.content.by_slice.get(name, []), upto) for name in slices},
        )

    def flush(self) -> None:
        """Wait until everything is durable, and say so."""
        self.storage.flush().result(60)
        self.say(f"durable {self.storage.durable_seq}\n")


def write_for_ever(writer: Writer, rng: random.Random) -> NoReturn:
    """Append, with a flush or a compaction from time to time."""
    while True:
        writer.append(rng.randint(1, 5))
        chance = rng.random()
        if chance < 0.1:
            writer.flush()
        elif chance < 0.13 and writer.storage.durable_seq >= writer.compacted:
            upto = rng.randint(writer.compacted, writer.storage.durable_seq)
            done = writer.compact(upto, *rng.sample(SLICES, rng.randint(1, 3)))
            if rng.random() < 0.5:
                done.result(60)


def write_a_little(writer: Writer) -> None:
    """A fixed history with everything in it."""
    writer.append(3)
    writer.append(20)
    writer.flush()
    writer.compact(20, "a", "b").result(60)
    writer.append(2)
    writer.flush()
    writer.compact(25, "a", "c").result(60)
    writer.append(1)
    writer.storage.close()


def forked(work: Callable[[Callable[[str], None]], None]) -> tuple[int, int]:
    """Start ``work`` in a forked process; return its id and the pipe on which it speaks."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    try:
        work(lambda text: void(os.write(writing, text.encode())))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def void(_: object) -> None:
    """Nothing."""


def rest_of(pipe: int) -> str:
    """Everything that is still in a pipe; closes it."""
    with open(pipe, "rb") as file:
        return file.read().decode()


def look(path: str, said: Said, durability: str) -> Content:
    """Open what was left and check it."""
    storage = make(path, durability)
    opened = storage.open()
    try:
        content = understand(opened)
        said.compare(content)
        assert not (said.durable and opened.created), "a store was there and is gone"
        return content
    finally:
        storage.close()


def make(path: str, durability: str) -> SqliteStorage:
    """The storage under test."""
    assert durability in ("full", "normal")
    return SqliteStorage(path, durability="full" if durability == "full" else "normal")


def at_random_moments(folder: str, seed: int, kills: int, durability: str) -> dict[str, int]:
    """Kill writers on one file again and again, and now and then on a new one."""
    rng = random.Random(seed)
    silent = durable = 0
    for number in range(kills):
        if number % 25 == 0:
            path = os.path.join(folder, f"{number}.db")
            said = Said()
        writer_seed = rng.random()

        def work(
            say: Callable[[str], None], path: str = path, writer_seed: float = writer_seed
        ) -> None:
            writer = Writer(make(path, durability), say)
            write_for_ever(writer, random.Random(writer_seed))

        child, pipe = forked(work)
        # One in four is killed while it opens; the others after they have begun to write.
        head = os.read(pipe, 100).decode() if number % 4 else ""
        time.sleep(rng.uniform(0, 0.06))  # the moment
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), f"the writer ended by itself: {status}"
        text = head + rest_of(pipe)
        silent += not text
        durable -= said.durable
        said.hear(text)
        durable += said.durable
        try:
            look(path, said, durability)
        except BaseException:
            print(f"kill {number} of seed {seed}", file=sys.stderr)
            raise
    return {"kills": kills, "before the first word": silent, "durable": durable}


def dying_at(statement: int, work: Callable[[Callable[[str], None]], None]) -> tuple[bool, str]:
    """Run ``work`` in a process that dies before its n-th SQL statement; whether it died, and what
    it said before."""

    def mortal(say: Callable[[str], None]) -> None:
        connect = sqlite3.connect
        counter = iter(range(1, sys.maxsize))

        def count(_: str) -> None:
            if next(counter) == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        def traced(database: str, *, uri: bool) -> sqlite3.Connection:
            connection = connect(database, uri=uri)
            connection.set_trace_callback(count)
            return connection

        file_format.sqlite3.connect = traced  # type: ignore[attr-defined]
        work(say)

    child, pipe = forked(mortal)
    text = rest_of(pipe)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, f"the writer failed: {status}"
    return os.WIFSIGNALED(status), text


def at_every_statement(folder: str, every: int, durability: str) -> dict[str, int]:
    """Die before each statement of a fixed history; after every n-th of these deaths, also before
    each statement of the opening that follows."""
    openings = 0
    for statement in range(1, 1000):
        path = os.path.join(folder, f"{statement}.db")

        def work(say: Callable[[str], None], path: str = path) -> None:
            write_a_little(Writer(make(path, durability), say))

        said = Said()
        died, text = dying_at(statement, work)
        said.hear(text)
        if died and statement % every == 0:
            openings += die_while_opening(path, durability)
        content = look(path, said, durability)
        if not died:
            assert content.batches == 4
            return {"deaths": statement - 1, "openings": openings}
    raise AssertionError("the history never ends")


def die_while_opening(path: str, durability: str) -> int:
    """Open what was left again and again, dying one statement later each time."""

    def work(say: Callable[[str], None]) -> None:
        storage = make(path, durability)
        storage.open()
        storage.close()

    deaths = 0
    while dying_at(deaths + 1, work)[0]:
        deaths += 1
    return deaths


def main() -> None:
    """Run the mode that is asked for."""
    mode, folder, *options = sys.argv[1:]
    if mode == "moments":
        seed, kills, durability = options
        summary = at_random_moments(folder, int(seed), int(kills), durability)
    else:
        every, durability = options
        summary = at_every_statement(folder, int(every), durability)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
