"""Mistakes in ``store``, ``commits``, ``housekeeping``: all or nothing, order, and compaction."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

STORE = "crdtstore.store"
COMMITS = "crdtstore.commits"
HOUSEKEEPING = "crdtstore.housekeeping"

GROUP = Group(
    "store",
    (
        "tests/test_store.py",
        "tests/test_replication.py",
        "tests/test_housekeeping.py",
        "tests/test_notify.py",
        "tests/test_crash.py",
        "properties/test_convergence.py",
    ),
    (
        Mutant(
            "malformed_is_skipped",
            STORE,
            "of several deltas the sound ones are merged although one is malformed",
            (
                (
                    "read.append((name, slot, delta, slot.document.inspect(delta)))",
                    "try:\n"
                    "                        update = slot.document.inspect(delta)\n"
                    "                        read.append((name, slot, delta, update))\n"
                    "                    except UpdateError:\n"
                    "                        unknown.append(name)",
                ),
            ),
        ),
        Mutant(
            "refused_merge_stays",
            STORE,
            "a merge that storage refuses stays visible",
            (
                (
                    "            except BaseException:\n"
                    "                self._rebuild(touched)\n"
                    "                raise\n",
                    "            except BaseException:\n                raise\n",
                ),
            ),
        ),
        Mutant(
            "refused_dispatch_stays",
            STORE,
            "a dispatch that storage refuses stays visible",
            (
                (
                    "            self._rebuild(touched)\n"
                    "            _raise_interrupt(error)\n"
                    "            raise\n",
                    "            _raise_interrupt(error)\n            raise\n",
                ),
            ),
        ),
        Mutant(
            "record_by_record",
            STORE,
            "the slices of one dispatch are stored one by one",
            (
                (
                    "seq = self._storage.append(records)",
                    "seq = [self._storage.append([record]) for record in records][-1]",
                ),
            ),
        ),
        Mutant(
            "one_delta_a_slice",
            STORE,
            "of several deltas of one slice in a commit hooks get the last only",
            (("            if name not in group:\n", "            if True:\n"),),
        ),
        Mutant(
            "merge_inside_a_reducer",
            STORE,
            "merge may be called inside a reducer",
            (
                (
                    "            if self._running:\n"
                    '                raise DispatchError("merge was called',
                    '            if False:\n                raise DispatchError("merge was called',
                ),
            ),
        ),
        Mutant(
            "digest_ignores_names",
            STORE,
            "two slices that swap their content leave the store's digest",
            (
                (
                    "whole.update(msgpack.packb((name, digest)))",
                    "whole.update(msgpack.packb(digest))",
                ),
                (
                    "in sorted(self.digests().items()):",
                    "in sorted(self.digests().items(), key=lambda i: i[1]):",
                ),
            ),
        ),
        Mutant(
            "hooks_out_of_order",
            COMMITS,
            "commit hooks are told the newest commit first",
            (
                (
                    "            self._news.put(commit)\n",
                    "            self._news.items.appendleft(commit)\n",
                ),
            ),
        ),
        Mutant(
            "durable_hooks_too_early",
            COMMITS,
            "durable hooks are told of commits that are not durable",
            (("while waiting and waiting[0].seq <= seq:", "while waiting:"),),
        ),
        Mutant(
            "durable_hooks_never",
            COMMITS,
            "durable hooks are told by the storage only, not by what is durable already",
            (("            self.durable(self._storage.durable_seq)\n", "            pass\n"),),
        ),
        Mutant(
            "queue_drained_by_many",
            "crdtstore.notify",
            "listeners run on several threads at a time",
            (
                (
                    "while items and self._lock.acquire(blocking=False):",
                    "while items and (self._lock.acquire(blocking=False) or True):",
                ),
                ("                self._lock.release()\n", "                pass\n"),
            ),
        ),
        Mutant(
            "unverified_snapshot",
            HOUSEKEEPING,
            "a snapshot is not read back before it replaces the log",
            (("if (copy.state_vector(), copy.digest()) != (vector, digest):", "if False:"),),
        ),
        Mutant(
            "compaction_takes_what_waits",
            HOUSEKEEPING,
            "a compaction deletes stored deltas that wait for damaged ones",
            (
                ("if not seq or slot.held:", "if not seq:"),
                (
                    "for name, slot in self._slots.items() if not slot.held]",
                    "for name in self._slots]",
                ),
            ),
        ),
        Mutant(
            "compaction_takes_what_came_later",
            HOUSEKEEPING,
            "a snapshot also replaces what was committed after it was made",
            (
                (
                    "self._storage.compact(seq, {name: snapshot})",
                    "self._storage.compact(self._seq, {name: snapshot})",
                ),
            ),
        ),
        Mutant(
            "compactions_at_once",
            HOUSEKEEPING,
            "several compactions run at a time",
            (("            before.join()\n", "            pass\n"),),
        ),
    ),
)
