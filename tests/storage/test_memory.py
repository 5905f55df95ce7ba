"""The storage in RAM."""

from __future__ import annotations

from pathlib import Path

from crdtstore.storage import MemoryStorage, Record, Storage
from crdtstore.storage.acceptance import StorageAcceptance


class TestMemoryStorage(StorageAcceptance):
    """The shared suite; a place is an object here, which lives as long as the test's instance."""

    def storage(self, place: Path) -> Storage:
        places: dict[Path, MemoryStorage] = self.__dict__.setdefault("places", {})
        return places.setdefault(place, MemoryStorage())


def test_everything_is_durable_at_once() -> None:
    """`append` has made its records durable, and has told so, when it returns."""
    heard: list[int] = []
    storage = MemoryStorage()
    storage.open()
    storage.on_durable(heard.append)
    assert storage.append([Record("a", b"", b""), Record("b", b"", b"")]) == 2
    assert storage.durable_seq == 2
    assert heard == [2]
    assert storage.flush().done()
    assert storage.compact(2, {"a": b"A"}).done()


def test_callbacks_belong_to_one_opening() -> None:
    """Who opens a storage again does not call what listened to it before."""
    heard: list[int] = []
    storage = MemoryStorage()
    storage.open()
    storage.on_durable(heard.append)
    storage.close()
    storage.open()
    storage.append([Record("a", b"", b"")])
    assert heard == []
