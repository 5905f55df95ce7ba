"""The thread that writes, in front of a journal that fails when it is told to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest

from crdtstore.errors import ClosedError, StorageError
from crdtstore.storage import LogSize, Opened, Record, SqliteStorage
from crdtstore.storage.acceptance import SECONDS, opened, records
from crdtstore.storage.writer import Batch, Writer
from tests.storage.programs import run


class Journal:
    """A journal in a list, which can be made to fail and to wait."""

    def __init__(self) -> None:
        self.seq = 0
        self.sizes: dict[str, LogSize] = {}
        self.groups: list[list[Batch]] = []
        self.fails: Exception | None = None
        self.may_write = threading.Event()
        self.may_write.set()
        self.tried = threading.Semaphore(0)
        self.recoveries = 0
        self.closed = False

    def write(self, batches: Iterable[Batch]) -> None:
        self.tried.release()
        assert self.may_write.wait(SECONDS)
        if self.fails is not None:
            raise self.fails
        self.groups.append(list(batches))

    def compact(
        self, upto: int, snapshots: Mapping[str, bytes], generations: Mapping[str, int]
    ) -> None:
        if self.fails is not None:
            raise self.fails

    def read(self, slice: str) -> list[tuple[int, Record]]:
        return []

    def recover(self) -> None:
        self.recoveries += 1

    def close(self) -> None:
        self.closed = True

    @property
    def stored(self) -> list[int]:
        """The number of the last record of every stored batch."""
        return [last for group in self.groups for last, _, _ in group]


def start(journal: Journal, limit: int = 1 << 20) -> Writer:
    writer = Writer("the file", lambda: (journal, Opened("r", {}, [], (), True)), limit)
    writer.start()
    return writer


@pytest.fixture
def journal() -> Iterator[Journal]:
    """A journal whose writer, if the test leaves it running, is let go in the end."""
    journal = Journal()
    yield journal
    journal.fails = None
    journal.may_write.set()


def test_what_waits_is_stored_as_one_group(journal: Journal) -> None:
    """While one group is being written, all that comes meanwhile gathers into the next."""
    writer = start(journal)
    journal.may_write.clear()
    writer.append(records("a", 1))
    assert journal.tried.acquire(timeout=SECONDS)
    for _ in range(10):
        writer.append(records("a", 2))
    journal.may_write.set()
    writer.close()
    assert [len(group) for group in journal.groups] == [1, 10]
    assert journal.stored == [1, *range(3, 22, 2)]
    assert journal.closed


def test_what_is_told_to_be_durable_is_stored(journal: Journal) -> None:
    """And nothing of what waits behind it."""
    writer = start(journal)
    told: list[tuple[int, list[int]]] = []
    writer.on_durable(lambda seq: told.append((seq, journal.stored)))
    journal.may_write.clear()
    writer.append(records("a", 1))
    assert journal.tried.acquire(timeout=SECONDS)
    writer.append(records("a", 2))
    journal.may_write.set()
    writer.close()
    assert told == [(1, [1]), (3, [1, 3])]


def test_what_waits_is_read_with_what_is_stored(journal: Journal) -> None:
    """A slice is rebuilt from all its records, those that could not be written yet included."""
    writer = start(journal)
    journal.fails = OSError("no space left on device")
    one, two = records("a", 2), records("b", 1)
    writer.append(one)
    writer.append(two)
    assert writer.read("a") == [(1, one[0]), (2, one[1])]
    assert writer.read("b") == [(3, two[0])]
    journal.fails = None
    writer.close()


def test_a_failure_loses_nothing(journal: Journal) -> None:
    """What could not be written stays, in its order; the next flush tries again and succeeds."""
    writer = start(journal)
    journal.fails = OSError("no space left on device")
    writer.append(records("a", 2))
    first = writer.flush()
    with pytest.raises(StorageError, match=r"to the file: no space left.*2 records"):
        first.result(SECONDS)
    writer.append(records("a", 1))
    with pytest.raises(StorageError, match="3 records wait in memory"):
        writer.flush().result(SECONDS)
    assert (writer.durable_seq, journal.stored) == (0, [])
    journal.fails = None
    writer.flush().result(SECONDS)
    assert (writer.durable_seq, journal.stored) == (3, [2, 3])
    writer.close()
    assert journal.recoveries >= 2


def test_writing_is_tried_again_without_being_asked(journal: Journal) -> None:
    """Where nobody appends or flushes any more, what waits is stored all the same."""
    writer = start(journal)
    durable = threading.Event()
    writer.on_durable(lambda seq: durable.set())
    journal.fails = OSError("no space left on device")
    writer.append(records("a", 1))
    for _ in range(3):
        assert journal.tried.acquire(timeout=SECONDS)
    journal.fails = None
    assert durable.wait(SECONDS)
    writer.close()


def test_a_failure_is_logged_once(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody who never flushes reads about it too, but not at every try."""
    writer = start(journal)
    for _ in range(2):
        journal.fails = OSError("no space left on device")
        writer.append(records("a", 1))
        for _ in range(3):
            with pytest.raises(StorageError):
                writer.flush().result(SECONDS)
        journal.fails = None
        writer.flush().result(SECONDS)
    writer.close()
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 2
    assert all("no space left on device" in error for error in errors)


def test_closing_fails_without_losing_anything(journal: Journal) -> None:
    """A store that cannot be stored stays open, and may be closed when writing works again."""
    writer = start(journal)
    journal.fails = OSError("no space left on device")
    writer.append(records("a", 1))
    with pytest.raises(StorageError, match="1 records wait in memory"):
        writer.close()
    assert not journal.closed
    writer.append(records("a", 1))
    journal.fails = None
    writer.close()
    assert (journal.stored, journal.closed) == ([1, 2], True)


def test_appending_blocks_when_too_much_waits(journal: Journal) -> None:
    """Past the limit `append` waits until there is room, and then goes on."""
    writer = start(journal, limit=1000)
    journal.may_write.clear()
    writer.append([Record("a", bytes(2000), b"")])
    returned = threading.Event()

    def append() -> None:
        writer.append(records("a", 1))
        returned.set()

    thread = threading.Thread(target=append)
    thread.start()
    assert journal.tried.acquire(timeout=SECONDS)
    assert not returned.wait(0.05)
    journal.may_write.set()
    assert returned.wait(SECONDS)
    thread.join()
    writer.close()
    assert journal.stored == [1, 2]


def test_appending_fails_when_too_much_waits_and_nothing_can_be_written(journal: Journal) -> None:
    """A full queue in front of a broken disk is an error, not a dead lock; the queue is kept."""
    writer = start(journal, limit=1000)
    journal.fails = OSError("no space left on device")
    writer.append([Record("a", bytes(2000), b"")])
    with pytest.raises(StorageError, match="no space left on device"):
        writer.append(records("a", 1))
    journal.fails = None
    writer.flush().result(SECONDS)
    assert writer.append(records("a", 1)) == 2
    writer.close()
    assert journal.stored == [1, 2]


def test_closing_wakes_who_waits_for_room(journal: Journal) -> None:
    """A blocked `append` is refused when the store is closed; it was never taken."""
    writer = start(journal, limit=1000)
    journal.may_write.clear()
    writer.append([Record("a", bytes(2000), b"")])
    assert journal.tried.acquire(timeout=SECONDS)
    outcome: Future[int] = Future()

    def append() -> None:
        try:
            outcome.set_result(writer.append(records("a", 1)))
        except ClosedError as error:
            outcome.set_exception(error)

    appending = threading.Thread(target=append)
    closing = threading.Thread(target=writer.close)
    appending.start()
    closing.start()
    with pytest.raises(ClosedError):
        outcome.result(SECONDS)
    journal.may_write.set()
    appending.join()
    closing.join()
    assert journal.stored == [1]


def test_a_callback_may_append_although_the_queue_is_full(journal: Journal) -> None:
    """The thread would wait for itself, so it goes over the limit instead."""
    writer = start(journal, limit=100)
    seen: list[int] = []

    def callback(seq: int) -> None:
        seen.append(seq)
        if seq == 1:
            writer.append([Record("a", bytes(1000), b"")])
            writer.append([Record("a", bytes(1000), b"")])

    writer.on_durable(callback)
    writer.append(records("a", 1))
    for _ in range(3):
        writer.flush().result(SECONDS)
    writer.close()
    assert seen == sorted(seen)
    assert journal.stored == [1, 2, 3]


def test_room_is_made_before_callbacks_are_called(journal: Journal) -> None:
    """A callback may want a lock that is held by somebody whose `append` waits for room."""
    writer = start(journal, limit=100)
    theirs = threading.Lock()
    heard = threading.Event()

    def callback(seq: int) -> None:
        with theirs:
            heard.set()

    writer.on_durable(callback)
    journal.may_write.clear()
    with theirs:
        writer.append([Record("a", bytes(1000), b"")])
        journal.may_write.set()
        writer.append(records("a", 1))
    assert heard.wait(SECONDS)
    writer.close()


def test_a_batch_that_can_never_be_stored_is_refused() -> None:
    """SQLite's limit is met before the queue is, so that nothing behind it waits for ever."""
    journal = Journal()
    writer = start(journal, limit=1 << 40)

    class Huge(bytes):
        def __len__(self) -> int:
            return 1_000_000_000

    with pytest.raises(StorageError, match="more than the 500000000 that can be stored"):
        writer.append([Record("a", Huge(), b"")])
    assert writer.append(records("a", 1)) == 1
    writer.close()


def test_a_failed_compaction_fails_alone(journal: Journal) -> None:
    """Its future fails with `StorageError`; appending and flushing go on."""
    writer = start(journal)
    writer.append(records("a", 1))
    writer.flush().result(SECONDS)
    journal.fails = ValueError("broken")
    with pytest.raises(StorageError, match="cannot write to the file: broken"):
        writer.compact(1, {"a": b"all"}, {}).result(SECONDS)
    journal.fails = None
    writer.append(records("a", 1))
    writer.close()
    assert journal.stored == [1, 2]


def test_futures_cannot_be_cancelled(journal: Journal) -> None:
    """Several may wait for one flush, so none of them can take it from the others."""
    writer = start(journal)
    journal.may_write.clear()
    writer.append(records("a", 1))
    future = writer.flush()
    assert not future.cancel()
    journal.may_write.set()
    future.result(SECONDS)
    writer.close()


def test_failing_to_open_fails_only_that() -> None:
    """What opening raises reaches the caller, and closing afterwards is no error."""

    def refuse() -> tuple[Journal, Opened]:
        raise StorageError("not today")

    writer = Writer("the file", refuse, 1000)
    with pytest.raises(StorageError, match="not today"):
        writer.start()
    writer.close()
    with pytest.raises(ClosedError):
        writer.append(records("a", 1))


FULL_DISK = """
import resource, signal, sys
from crdtstore.errors import StorageError
from crdtstore.storage import Record, SqliteStorage

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file too large is then an error of writing
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
storage = SqliteStorage(sys.argv[1], queue_bytes=3_000_000)
storage.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
taken = 0
flushed = 0
try:
    while True:
        storage.append([Record("a", b"%09d" % taken * 11_111, b"")])
        taken += 1
        try:
            storage.flush().result(60)
            flushed = taken
        except StorageError as error:
            assert "records wait in memory" in str(error), error
except StorageError as error:
    print("refused", error, file=sys.stderr)
assert 0 < flushed < taken, (flushed, taken)
assert storage.durable_seq == flushed
try:
    storage.compact(flushed, {"a": bytes(2_000_000)}).result(60)
    raise SystemExit("compacted")
except StorageError:
    pass
try:
    storage.close()
    raise SystemExit("closed")
except StorageError:
    pass
if sys.argv[2] == "space":
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    storage.append([Record("a", b"%09d" % taken * 11_111, b"")])
    storage.close()
    taken += 1
print(flushed, taken)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("afterwards", ["space", "none"])
def test_a_full_disk_loses_nothing(tmp_path: Path, afterwards: str) -> None:
    """What was flushed is there in any case, and what waited is stored when there is room again."""
    path = tmp_path / "store.db"
    ended = run("-c", FULL_DISK, str(path), afterwards)
    assert "refused" in ended.stderr
    assert ("at the end of the program" in ended.stderr) == (afterwards == "none")
    flushed, taken = map(int, ended.stdout.split())
    with opened(SqliteStorage(path)) as (_, content):
        assert content.quarantined == ()
        found = [int(record.delta[:9]) for _, record in content.records]
    assert found == list(range(taken if afterwards == "space" else flushed))
