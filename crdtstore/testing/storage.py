"""A storage that can lose its unsynced tail, be copied while open, and go back to a backup."""

from __future__ import annotations

from crdtstore.storage import MemoryStorage

__all__ = ["CrashingStorage"]


class CrashingStorage(MemoryStorage):
    """A storage in memory of which copies can be made that end earlier.

    ``synced`` is the number of the last record that a crash cannot take: what left for another
    replica had to be durable first. ``floor`` is that of the last one that no backup is without.
    """

    def __init__(self, replica: str) -> None:
        super().__init__()
        self._replica = replica
        self.synced = 0
        self.floor = 0

    def sync(self, seq: int) -> None:
        """Note that everything up to record ``seq`` is on the disk."""
        self.synced = max(self.synced, seq)

    def ends(self) -> list[int]:
        """Return the numbers after which a copy may end: batches are whole or not there."""
        return [self.floor, *(seq for seq, _ in self._batches if seq > self.floor)]

    def copy(self, upto: int | None = None) -> CrashingStorage:
        """Return a copy, of everything or of what was there up to record ``upto``."""
        made = CrashingStorage(str(self._replica))
        made.floor = self.floor
        made._snapshots = dict(self._snapshots)
        kept = [batch for batch in self._batches if upto is None or batch[0] <= upto]
        made._batches = kept
        made._seq = made.synced = kept[-1][0] if kept else 0
        return made
