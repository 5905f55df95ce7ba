"""The tests that every storage adapter passes; subclass, say how to make one, and run pytest.

    class TestMyStorage(StorageAcceptance):
        def storage(self, place: Path) -> Storage:
            return MyStorage(place / "store")

Each test stands for invariants of ``port``. What happens when a process dies is beyond a suite that
runs inside one, so adapters that outlive the process test that themselves.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from crdtstore.errors import ClosedError, StorageError, StorageLockedError
from crdtstore.storage.port import LogSize, Opened, Record, Storage

__all__ = ["StorageAcceptance"]

SECONDS = 60  # nothing takes that long, but nothing may hang either


class StorageAcceptance:
    """The suite; ``tmp_path`` is pytest's."""

    def storage(self, place: Path) -> Storage:
        """A storage that keeps its content at ``place``; each call is one more opener of it."""
        raise NotImplementedError

    def test_a_new_storage_is_empty_and_has_a_name(self, tmp_path: Path) -> None:
        """The first opening says that it made the storage, and the name is a lasting one."""
        with opened(self.storage(tmp_path)) as (_, first):
            assert first.created
            assert first.replica
            assert (list(first.records), dict(first.generations)) == ([], {})
            assert first.quarantined == ()
        with opened(self.storage(tmp_path)) as (_, second):
            assert not second.created
            assert second.replica == first.replica

    def test_places_have_names_of_their_own(self, tmp_path: Path) -> None:
        """Two storages are two replicas."""
        names = set()
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            with opened(self.storage(tmp_path / name)) as (_, content):
                names.add(content.replica)
        assert len(names) == 2

    def test_records_come_back_in_order(self, tmp_path: Path) -> None:
        """Every byte of every record is there after reopening, under its number."""
        batches = [
            [Record("todos", b"\x00\xff" * 50, b"meta"), Record("Ünïcode ☃", b"", b"")],
            [Record("", bytes(range(256)), b"\x00")],
            [Record("todos", b"x" * 3_000_000, b"large")],
            [Record("many", b"%d" % n, b"") for n in range(700)],
        ]
        with opened(self.storage(tmp_path)) as (storage, _):
            for batch in batches:
                storage.append(batch)
        records = [record for batch in batches for record in batch]
        assert self.reopened(tmp_path) == list(enumerate(records, 1))

    def test_a_batch_is_taken_as_it_is_when_given(self, tmp_path: Path) -> None:
        """What the caller does with its list afterwards changes nothing."""
        with opened(self.storage(tmp_path)) as (storage, _):
            batch = records("a", 2)
            storage.append(batch)
            batch.clear()
            storage.append(record for record in records("b", 1))
        assert numbers(self.reopened(tmp_path)) == [(1, "a"), (2, "a"), (3, "b")]

    def test_append_returns_the_number_of_the_last_record(self, tmp_path: Path) -> None:
        """Numbers rise by one a record and begin with 1; an empty batch takes none."""
        with opened(self.storage(tmp_path)) as (storage, _):
            assert storage.durable_seq == 0
            assert storage.append([]) == 0
            assert storage.append(records("a", 3)) == 3
            assert storage.append([]) == 3
            assert storage.append(records("a", 1)) == 4

    def test_numbers_go_on_after_reopening(self, tmp_path: Path) -> None:
        """No number is given twice, not even when compaction has emptied the log."""
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.append(records("a", 5))
        with opened(self.storage(tmp_path)) as (storage, _):
            assert storage.durable_seq == 5
            assert storage.append(records("a", 1)) == 6
            storage.compact(6, {"a": b"all"}).result(SECONDS)
        with opened(self.storage(tmp_path)) as (storage, _):
            assert storage.durable_seq == 6
            assert storage.append(records("a", 1)) == 7

    def test_flush_is_done_when_all_is_durable(self, tmp_path: Path) -> None:
        """After a flush the durable number is the last one; with nothing to do it is done too."""
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.flush().result(SECONDS)
            for _ in range(50):
                storage.append(records("a", 10))
            storage.flush().result(SECONDS)
            assert storage.durable_seq == 500

    def test_callbacks_hear_of_everything_in_order(self, tmp_path: Path) -> None:
        """Numbers rise and end with the last one, for a callback that comes late as well."""
        heard: list[int] = []
        late: list[int] = []
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.on_durable(heard.append)
            for _ in range(20):
                storage.append(records("a", 2))
            storage.flush().result(SECONDS)
            storage.on_durable(late.append)
            storage.append(records("a", 1))
            storage.flush().result(SECONDS)
        assert heard == sorted(heard)
        assert heard[-1] == 41
        assert late == [41]

    def test_a_callback_that_raises_hurts_nobody(self, tmp_path: Path) -> None:
        """Other callbacks are called, and writing goes on."""
        heard: list[int] = []

        def broken(seq: int) -> None:
            raise Panic(f"broken at {seq}")

        with opened(self.storage(tmp_path)) as (storage, _):
            storage.on_durable(broken)
            storage.on_durable(heard.append)
            for _ in range(2):
                storage.append(records("a", 1))
                storage.flush().result(SECONDS)
        assert heard == [1, 2]
        assert len(self.reopened(tmp_path)) == 2

    def test_a_callback_may_append(self, tmp_path: Path) -> None:
        """What a callback appends becomes durable like everything else, in order."""
        heard: list[int] = []
        done = threading.Event()
        with opened(self.storage(tmp_path)) as (storage, _):

            def echo(seq: int) -> None:
                if seq < 5:
                    storage.append(records("echo", 1))
                else:
                    done.set()

            storage.on_durable(echo)
            storage.on_durable(heard.append)
            storage.append(records("a", 1))
            assert done.wait(SECONDS)
        assert heard == sorted(heard)
        assert numbers(self.reopened(tmp_path))[:3] == [(1, "a"), (2, "echo"), (3, "echo")]

    def test_read_gives_one_slice_as_it_is_now(self, tmp_path: Path) -> None:
        """What was appended a moment ago is there as well, and the snapshot comes first."""
        with opened(self.storage(tmp_path)) as (storage, _):
            assert list(storage.read("a")) == []
            storage.append([*records("a", 2), *records("b", 1)])
            assert numbers(storage.read("a")) == [(1, "a"), (2, "a")]
            storage.compact(2, {"a": b"both"}).result(SECONDS)
            storage.append(records("a", 1))
            assert list(storage.read("a")) == [
                (2, Record("a", b"both", b"")),
                (4, records("a", 1)[0]),
            ]
            assert numbers(storage.read("b")) == [(3, "b")]

    def test_compaction_replaces_the_log_of_its_slices(self, tmp_path: Path) -> None:
        """Records up to the number are replaced; later ones and other slices stay."""
        with opened(self.storage(tmp_path)) as (storage, _):
            for name in ("a", "b", "a", "c", "a"):
                storage.append(records(name, 1))
            storage.compact(4, {"c": b"C", "a": b"A"}).result(SECONDS)
        expected = [(4, "a"), (4, "c"), (2, "b"), (5, "a")]
        content = self.reopened(tmp_path)
        assert numbers(content) == expected
        assert content[:2] == [(4, Record("a", b"A", b"")), (4, Record("c", b"C", b""))]

    def test_a_snapshot_replaces_the_one_before(self, tmp_path: Path) -> None:
        """A slice has one snapshot; compacting again at the same number is allowed."""
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.append(records("a", 3))
            storage.compact(2, {"a": b"old"}).result(SECONDS)
            storage.compact(3, {"a": b"new"}).result(SECONDS)
            storage.compact(3, {"a": b"newest", "empty": b""}).result(SECONDS)
        assert self.reopened(tmp_path) == [
            (3, Record("a", b"newest", b"")),
            (3, Record("empty", b"", b"")),
        ]

    def test_compaction_never_goes_back(self, tmp_path: Path) -> None:
        """A snapshot that holds less than the present one is refused, and nothing is changed."""
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.append(records("a", 3))
            storage.compact(3, {"a": b"all"}).result(SECONDS)
            with raises(StorageError, "compacted up to record 3"):
                storage.compact(2, {"b": b"", "a": b"less"}).result(SECONDS)
            storage.append(records("a", 1))
        assert numbers(self.reopened(tmp_path)) == [(3, "a"), (4, "a")]

    def test_compaction_up_to_the_future_is_refused(self, tmp_path: Path) -> None:
        """No snapshot can hold records that were never appended."""
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.append(records("a", 3))
            with raises(ValueError, "upto=4"):
                storage.compact(4, {"a": b"all"})
            with raises(ValueError, "upto=-1"):
                storage.compact(-1, {"a": b"all"})

    def test_generations_last_until_they_are_raised(self, tmp_path: Path) -> None:
        """A slice keeps its number through compactions that say nothing about it."""
        with opened(self.storage(tmp_path)) as (storage, _):
            storage.append([*records("a", 1), *records("b", 1)])
            storage.compact(2, {"a": b"A", "b": b"B"}, {"a": 1}).result(SECONDS)
            storage.compact(2, {"a": b"A"}).result(SECONDS)
        with opened(self.storage(tmp_path)) as (storage, content):
            assert dict(content.generations) == {"a": 1, "b": 0}
            storage.compact(2, {"a": b"A"}, {"a": 2}).result(SECONDS)
        with opened(self.storage(tmp_path)) as (_, content):
            assert dict(content.generations) == {"a": 2, "b": 0}

    def test_log_size_counts_since_the_last_snapshot(self, tmp_path: Path) -> None:
        """Records and bytes of delta and meta, per slice, also after reopening."""
        with opened(self.storage(tmp_path)) as (storage, _):
            assert dict(storage.log_size()) == {}
            storage.append([Record("a", b"123", b"4"), Record("b", b"", b"")])
            storage.append([Record("a", b"12", b"")])
            storage.flush().result(SECONDS)
            assert dict(storage.log_size()) == {"a": LogSize(2, 6), "b": LogSize(1, 0)}
            storage.compact(2, {"a": b"all"}).result(SECONDS)
            assert dict(storage.log_size()) == {"a": LogSize(1, 2), "b": LogSize(1, 0)}
        with opened(self.storage(tmp_path)) as (storage, _):
            assert dict(storage.log_size()) == {"a": LogSize(1, 2), "b": LogSize(1, 0)}

    def test_the_second_opener_is_refused(self, tmp_path: Path) -> None:
        """One opener at a time: the first goes on undisturbed, and afterwards another may."""
        first = self.storage(tmp_path)
        with opened(first):
            with raises(StorageLockedError, "open"):
                self.storage(tmp_path).open()
            first.append(records("a", 1))
            first.flush().result(SECONDS)
        assert numbers(self.reopened(tmp_path)) == [(1, "a")]

    def test_one_object_can_be_opened_again(self, tmp_path: Path) -> None:
        """After `close` the same object may be opened anew."""
        storage = self.storage(tmp_path)
        with opened(storage):
            storage.append(records("a", 1))
        with opened(storage) as (_, content):
            assert numbers(content.records) == [(1, "a")]
            assert storage.append(records("a", 1)) == 2

    def test_nothing_works_before_opening(self, tmp_path: Path) -> None:
        """Every method says that the storage is not open; closing it is no error."""
        storage = self.storage(tmp_path)
        for call in calls(storage):
            with raises(StorageError, "open"):
                call()
        storage.close()

    def test_nothing_works_after_closing(self, tmp_path: Path) -> None:
        """Every method says that the storage is closed; closing it again is no error."""
        storage = self.storage(tmp_path)
        storage.open()
        storage.append(records("a", 1))
        storage.close()
        storage.close()
        for call in calls(storage):
            with raises(ClosedError, "closed"):
                call()
        assert numbers(self.reopened(tmp_path)) == [(1, "a")]

    def test_threads_may_append_at_once(self, tmp_path: Path) -> None:
        """No number is given twice, batches stay whole, and each thread's order is kept."""
        returned: dict[str, list[int]] = {}
        with opened(self.storage(tmp_path)) as (storage, _):

            def work(name: str) -> None:
                returned[name] = [
                    storage.append([Record(name, b"%d" % n, b"%d" % part) for part in range(3)])
                    for n in range(100)
                ]

            threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            storage.flush().result(SECONDS)
        content = self.reopened(tmp_path)
        assert [seq for seq, _ in content] == list(range(1, 1201))
        for name in "abcd":
            mine = [(seq, r.delta, r.meta) for seq, r in content if r.slice == name]
            assert mine == [
                (seq - 2 + part, b"%d" % n, b"%d" % part)
                for n, seq in enumerate(returned[name])
                for part in range(3)
            ]

    def reopened(self, place: Path) -> list[tuple[int, Record]]:
        """What the storage at ``place`` holds for its next opener."""
        with opened(self.storage(place)) as (_, content):
            assert content.quarantined == ()
            return list(content.records)


class Panic(BaseException):
    """What extension modules raise, and no ``except Exception`` catches."""


@contextlib.contextmanager
def opened(storage: Storage) -> Iterator[tuple[Storage, Opened]]:
    """Open a storage and close it in the end."""
    content = storage.open()
    try:
        yield storage, content
    finally:
        storage.close()


@contextlib.contextmanager
def raises(expected: type[Exception], part: str) -> Iterator[None]:
    """Fail unless the body raises ``expected`` with ``part`` in its message."""
    message = None
    try:
        yield
    except expected as error:
        message = str(error)
    assert message is not None, f"{expected.__name__} was not raised"
    assert part in message


def records(slice: str, count: int) -> list[Record]:
    """``count`` records of one slice."""
    return [Record(slice, b"delta of " + slice.encode(), b"meta") for _ in range(count)]


def numbers(content: Sequence[tuple[int, Record]]) -> list[tuple[int, str]]:
    """Number and slice of each record."""
    return [(seq, record.slice) for seq, record in content]


def calls(storage: Storage) -> list[Callable[[], object]]:
    """Every method that needs an open storage."""
    return [
        lambda: storage.append(records("a", 1)),
        lambda: storage.on_durable(lambda seq: None),
        lambda: storage.flush(),
        lambda: storage.compact(0, {}),
        lambda: storage.read("a"),
        lambda: storage.log_size(),
    ]
