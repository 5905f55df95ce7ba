"""Mistakes in ``document`` and ``slot``: deltas out, deltas in, what waits, and rebirth."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

DOCUMENT = "crdtstore.document"
SLOT = "crdtstore.slot"

GROUP = Group(
    "document",
    (
        "tests/test_document.py",
        "tests/test_slot.py",
        "tests/test_replication.py",
        "tests/test_cell_model.py",
        "tests/test_store.py",
        "properties/test_document.py",
        "properties/test_convergence.py",
    ),
    (
        Mutant(
            "deletions_forgotten",
            DOCUMENT,
            "a delta that only deletes does not move its writer's clock (rule 8 left out)",
            (("if not (self._wrote and self._session_written):", "if not self._session_written:"),),
        ),
        Mutant(
            "replica_never_said",
            DOCUMENT,
            "a session never says which replica it belongs to",
            (("if not (self._wrote and self._session_written):", "if not self._wrote:"),),
        ),
        Mutant(
            "gate_open",
            DOCUMENT,
            "the gate lets gaps through",
            (("        if update.missing:\n            return _LACKING\n", ""),),
        ),
        Mutant(
            "nothing_is_old",
            DOCUMENT,
            "a delta that was merged before counts as new",
            (("        if not (update.new or repair):\n            return _UNCHANGED\n", ""),),
        ),
        Mutant(
            "held_is_known",
            DOCUMENT,
            "a delta that waits for others counts as merged when it comes again",
            (
                (
                    "            return _LACKING\n",
                    "            self._remember(delta)\n            return _LACKING\n",
                ),
            ),
        ),
        Mutant(
            "merged_not_known",
            DOCUMENT,
            "what was merged is not remembered as known",
            (("        self._know().add(update)\n", ""),),
        ),
        Mutant(
            "own_session_from_outside",
            DOCUMENT,
            "work under this very session's id is taken from others",
            (("if client == self.client and end > known.clocks.get(client, 0):", "if False:"),),
        ),
        Mutant(
            "removed_cells_stay",
            DOCUMENT,
            "cells that a peer deleted stay in the mirror",
            (("                index.drop(path, writer)\n", "                pass\n"),),
        ),
        Mutant(
            "astral_deletion",
            DOCUMENT,
            "a text deletes as many bytes as it should delete characters",
            (
                (
                    "handle.remove_range(txn, at, len(text[index:end].encode()))",
                    "handle.remove_range(txn, at, deleted)",
                ),
            ),
        ),
        Mutant(
            "astral_position",
            DOCUMENT,
            "a text edit before the last one is placed by characters, not bytes",
            (("at -= len(text[index:known].encode())", "at -= known - index"),),
        ),
        Mutant(
            "astral_clocks",
            DOCUMENT,
            "a character outside the BMP counts as one clock of ours",
            (("utf16_length(inserted), inserted)", "len(inserted), inserted)"),),
        ),
        Mutant(
            "last_edit_outlives_merges",
            DOCUMENT,
            "the place of the last text edit is not forgotten when a peer edits",
            (("                self._last_edits.pop(root, None)\n", ""),),
        ),
        Mutant(
            "digest_misses_local_text",
            DOCUMENT,
            "an edit of a text here does not change the digest",
            (
                (
                    '{inserted}{text[end:]}")\n        self._dirty_roots.add(root)\n',
                    '{inserted}{text[end:]}")\n',
                ),
            ),
        ),
        Mutant(
            "digest_misses_remote_roots",
            DOCUMENT,
            "a peer's edit of a text or list does not change the digest",
            (
                (
                    "            self._dirty_roots.add(root)\n"
                    "            place = root_path(root)\n",
                    "            place = root_path(root)\n",
                ),
            ),
        ),
        Mutant(
            "digest_misses_loaded_roots",
            DOCUMENT,
            "texts and lists that were loaded are not in the digest",
            (("        self._dirty_roots.update(set(self._raw.roots(txn)) - {_CELLS})\n", ""),),
        ),
        Mutant(
            "array_events_misread",
            DOCUMENT,
            "positions in an array's events do not add up",
            (('index += int(step["retain"])', 'index = int(step["retain"])'),),
        ),
        Mutant(
            "long_delta_cut",
            DOCUMENT,
            "the delta of a long transaction lacks its first part",
            (("        self._pieces.append(self._box.update)\n", ""),),
        ),
        Mutant(
            "peer_ahead_is_asked",
            DOCUMENT,
            "a peer that knows more is answered by its own vector",
            (
                (
                    "theirs = known.within(read_state_vector(vector))",
                    "theirs = read_state_vector(vector)",
                ),
            ),
        ),
        Mutant(
            "held_never_retried",
            SLOT,
            "a delta that was held is never tried again",
            (("if applied and self.held:", "if False:"),),
        ),
        Mutant(
            "held_dropped_early",
            SLOT,
            "a held delta is dropped when it does not fit the first time",
            (
                (
                    "                if self.document.lacks(lacking):\n",
                    "                if self.document.lacks(lacking):\n"
                    "                    self._release(delta)\n",
                ),
            ),
        ),
        Mutant(
            "held_tried_once",
            SLOT,
            "what a held delta makes applicable is not tried again",
            (
                (
                    "                    self._release(delta)\n"
                    "                    progress = True\n",
                    "                    self._release(delta)\n",
                ),
            ),
        ),
        Mutant(
            "held_not_stored",
            SLOT,
            "what held deltas brought is applied and not stored",
            (("applied += self._retry()", "self._retry()"),),
        ),
        Mutant(
            "held_without_bound",
            SLOT,
            "any number of deltas is held",
            (
                (
                    "if delta in self.held or (bounded and full):",
                    "if delta in self.held:",
                ),
            ),
        ),
        Mutant(
            "rebuild_forgets_one",
            SLOT,
            "a document is rebuilt without the last record",
            (
                (
                    "        self._renew()\n        self.load(deltas)\n\n    def _renew(",
                    "        self._renew()\n"
                    "        self.load(list(deltas)[:-1])\n"
                    "\n"
                    "    def _renew(",
                ),
            ),
        ),
        Mutant(
            "rebuilt_under_the_old_id",
            SLOT,
            "a rebuilt document goes on under the session id of the broken one",
            (("new_client_id(), self.replica)", "self.document.client, self.replica)"),),
        ),
        Mutant(
            "one_bad_record_takes_all",
            SLOT,
            "one stored delta that does not apply takes all others along",
            (("self._renew_with([d for d in stored if d is not delta])", "self._renew_with([])"),),
        ),
    ),
)
