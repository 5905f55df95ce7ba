"""Mistakes in ``storage``: checksums, whole batches, order, durability, compaction."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

LOADING = "crdtstore.storage.loading"
JOURNAL = "crdtstore.storage.journal"
WRITER = "crdtstore.storage.writer"

GROUP = Group(
    "storage",
    (
        "tests/storage/test_memory.py",
        "tests/storage/test_sqlite.py",
        "tests/storage/test_opening.py",
        "tests/storage/test_salvage.py",
        "tests/storage/test_writer.py",
        "tests/storage/test_crash.py",
        "properties/test_storage.py",
    ),
    (
        Mutant(
            "records_unchecked",
            LOADING,
            "records are loaded without looking at their checksums",
            (("sound = check == checksum(seq, name, delta, meta)", "sound = True"),),
        ),
        Mutant(
            "snapshots_unchecked",
            LOADING,
            "snapshots are loaded without looking at their checksums",
            (("if check == snapshot_checksum(upto, name, generation, data):", "if True:"),),
        ),
        Mutant(
            "reread_unchecked",
            LOADING,
            "records are read again without looking at their checksums",
            (("if check != checksum(seq, name, delta, meta):", "if False:"),),
        ),
        Mutant(
            "gaps_unnoticed",
            LOADING,
            "records that are missing at the end or in between are not noticed",
            (("        if seq > before + 1:\n", "        if False:\n"),),
        ),
        Mutant(
            "losses_unnoticed",
            LOADING,
            "records that are missing below the floor are not noticed",
            (("    if lost > 0:\n", "    if False:\n"),),
        ),
        Mutant(
            "first_after_snapshot_lost",
            LOADING,
            "the first record after a snapshot is not loaded",
            (("        if seq > upto:\n", "        if seq > upto + 1:\n"),),
        ),
        Mutant(
            "compaction_deletes_one_more",
            LOADING,
            "a compaction deletes one record that the snapshot does not hold",
            (('AND seq <= ?", (name, upto))', 'AND seq <= ?", (name, upto + 1))'),),
        ),
        Mutant(
            "log_read_backwards",
            "crdtstore.storage.format",
            "the log is read newest first",
            (
                (
                    'WHERE seq BETWEEN ? AND ? ORDER BY seq"',
                    'WHERE seq BETWEEN ? AND ? ORDER BY seq DESC"',
                ),
            ),
        ),
        Mutant(
            "checksum_ignores_the_number",
            "crdtstore.storage.format",
            "a record in the place of another has a good checksum",
            (
                (
                    "(seq, len(name), len(first), name, first, second)",
                    "(0, len(name), len(first), name, first, second)",
                ),
            ),
        ),
        Mutant(
            "batches_in_pieces",
            JOURNAL,
            "half a batch may be in the file after a crash",
            (
                (
                    "        with _transaction(connection):\n            for rows in _ROWS:",
                    "        with contextlib.nullcontext():\n            for rows in _ROWS:",
                ),
            ),
        ),
        Mutant(
            "never_synced",
            JOURNAL,
            "an open file does not sync its commits",
            (
                (
                    "self.sizes = loaded.sizes\n"
                    "        synchronous(self._connected(), self._durability)",
                    'self.sizes = loaded.sizes\n        synchronous(self._connected(), "off")',
                ),
            ),
        ),
        Mutant(
            "stored_twice",
            JOURNAL,
            "after a failed sync what is in the file already is written again",
            (("if not self._found or not self._is_stored(seq, check):", "if True:"),),
        ),
        Mutant(
            "compaction_unverified",
            JOURNAL,
            "a compaction does not read its snapshots back from the file",
            (("            self._verify(ids, snapshots)\n", ""),),
        ),
        Mutant(
            "batches_reordered",
            JOURNAL,
            "the records of a batch are stored in another order",
            (
                (
                    "            for record in batch:\n",
                    "            for record in reversed(batch):\n",
                ),
            ),
        ),
        Mutant(
            "deleted_file_written_to",
            JOURNAL,
            "nobody notices that the file was deleted while it was open",
            (("        if not there:\n", "        if False:\n"),),
        ),
        Mutant(
            "durable_too_early",
            WRITER,
            "everything that was appended is told to be durable after each group",
            (
                (
                    "self._listeners.tell(lambda: self.durable_seq)",
                    "self._listeners.tell(lambda: self._seq)",
                ),
            ),
        ),
        Mutant(
            "durable_before_written",
            WRITER,
            "a group is told to be durable before it is written",
            (
                (
                    "            group = self._group()\n            try:\n",
                    "            group = self._group()\n"
                    "            self.durable_seq = group[-1][0]\n"
                    "            self._listeners.tell(lambda: self.durable_seq)\n"
                    "            try:\n",
                ),
            ),
        ),
        Mutant(
            "flush_hides_failures",
            WRITER,
            "flush is done although nothing could be stored",
            (
                (
                    "self._submit(lambda _: None, needs_all_stored=True)",
                    "self._submit(lambda _: None, needs_all_stored=False)",
                ),
            ),
        ),
        Mutant(
            "failed_group_forgotten",
            WRITER,
            "what could not be stored is forgotten",
            (
                (
                    "                self._fail(error)\n                journal.recover()\n",
                    "                self._fail(error)\n                self._backlog.clear()\n"
                    "                journal.recover()\n",
                ),
            ),
        ),
        Mutant(
            "queue_without_bound",
            WRITER,
            "appending never waits, however slow the disk is",
            (
                (
                    "if self._refusal is not None or self._queued >= self._limit or size",
                    "if self._refusal is not None or size",
                ),
            ),
        ),
        Mutant(
            "waiting_not_read",
            WRITER,
            "reading a slice misses what waits to be stored",
            (("journal.read(slice) + self._waiting(slice)", "journal.read(slice)"),),
        ),
        Mutant(
            "memory_compaction_takes_all",
            "crdtstore.storage.memory",
            "a compaction in memory also deletes what came after the snapshot",
            (("if r.slice not in snapshots or seq > upto]", "if r.slice not in snapshots]"),),
        ),
    ),
)
