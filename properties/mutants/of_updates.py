"""Mistakes in ``updates``: bytes that the strict reader must refuse, and gaps it must see."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

UPDATES = "crdtstore.updates"

GROUP = Group(
    "updates",
    ("tests/test_updates.py", "properties/test_updates.py"),
    (
        Mutant(
            "duplicate_sections",
            UPDATES,
            "a client may have two sections",
            (("if not 0 < client < previous:", "if not 0 < client:"),),
        ),
        Mutant(
            "unbounded_depth",
            UPDATES,
            "values may nest without bound",
            (("if depth > MAX_DEPTH or (tag", "if (tag"),),
        ),
        Mutant(
            "one_too_deep",
            UPDATES,
            "values may nest one level deeper than allowed",
            (("if depth > MAX_DEPTH or (tag", "if depth > MAX_DEPTH + 1 or (tag"),),
        ),
        Mutant(
            "any_root",
            UPDATES,
            "blocks may be in roots of any name",
            (("elif not _is_root(root):", "elif False:"),),
        ),
        Mutant(
            "text_in_arrays",
            UPDATES,
            "text may be linked into an array, and values into a text",
            (
                (
                    'or kind == (_ANY if root.startswith("text/") else _STRING):',
                    "or kind not in (_ANY, _STRING, _DELETED):",
                ),
            ),
        ),
        Mutant(
            "foreign_keys",
            UPDATES,
            "a client may write cells under another writer's name",
            (("if root != _CELLS or writer != _writer(client):", "if root != _CELLS:"),),
        ),
        Mutant(
            "foreign_origins",
            UPDATES,
            "a cell may follow another client's cell",
            (
                (
                    "if right or (left and left[0] != client) or kind == _STRING:",
                    "if right or kind == _STRING:",
                ),
            ),
        ),
        Mutant(
            "origins_of_two_roots",
            UPDATES,
            "the origins of a block may be in different roots",
            (("if roots[0] != roots[1] or left == right:", "if left == right:"),),
        ),
        Mutant(
            "origin_after_itself",
            UPDATES,
            "a block may come after a later block of its own client",
            (("if other == client and at >= clock:", "if False:"),),
        ),
        Mutant(
            "trailing_bytes",
            UPDATES,
            "bytes may follow the end of an update",
            (("        if i != len(self.data):\n            _end_of(self.data, i)\n", ""),),
        ),
        Mutant(
            "overlap_elsewhere",
            UPDATES,
            "a block may go on a known one in another root",
            (("if self.known.root_of(client, have - 1) != root:", "if False:"),),
        ),
        Mutant(
            "cycles",
            UPDATES,
            "sections may wait for one another",
            (("if any(self.waiting.values()):", "if False:"),),
        ),
        Mutant(
            "halved_characters",
            UPDATES,
            "a deletion or an origin may halve a character",
            (("            self._check_cuts(deletions)\n", "            pass\n"),),
        ),
        Mutant(
            "plain_gaps",
            UPDATES,
            "what most dispatches send is taken though a gap is before it",
            (("if not client or first != clocks.get(client, 0):", "if not client:"),),
        ),
        Mutant(
            "plain_foreign_keys",
            UPDATES,
            "a client may write cells under another's name, if it writes nothing else",
            (
                (
                    "_string(data, i + len(_IN_CELLS))\n"
                    '            if key.partition("@")[2] != _writer(client):\n',
                    "_string(data, i + len(_IN_CELLS))\n            if False:\n",
                ),
            ),
        ),
        Mutant(
            "short_foreign_keys",
            UPDATES,
            "cells under another writer's name are read as any",
            (
                (
                    "_string(data, i + 1 + len(_IN_CELLS))\n"
                    '            if key.partition("@")[2] != _writer(client):\n',
                    "_string(data, i + 1 + len(_IN_CELLS))\n            if False:\n",
                ),
            ),
        ),
        Mutant(
            "short_foreign_roots",
            UPDATES,
            "what follows an earlier block of its client counts as a cell, whatever that is",
            (
                (
                    "if at >= clock or self._root_at(client, clock, client, at) != _CELLS:",
                    "if at >= clock:",
                ),
            ),
        ),
        Mutant(
            "plain_foreign_roots",
            UPDATES,
            "a cell may follow what is no cell",
            (("if at >= clock or (at < first and", "if at >= clock or (False and"),),
        ),
        Mutant(
            "plain_unknown_deletions",
            UPDATES,
            "what most dispatches send may delete what is not known",
            (("if end > (clock if other == client else clocks.get(other, 0)):", "if False:"),),
        ),
        Mutant(
            "plain_halved_characters",
            UPDATES,
            "what most dispatches send may delete half a character",
            ((" or other in pairs:", ":"),),
        ),
        Mutant(
            "plain_roots_missed",
            UPDATES,
            "the texts and lists are missed in which what most dispatches send deletes",
            (("            if only != _CELLS:\n", "            if False:\n"),),
        ),
        Mutant(
            "touching_deletions",
            UPDATES,
            "ranges of deletions may touch and come in any order",
            (("if start <= end or not 0 < length", "if not 0 < length"),),
        ),
        Mutant(
            "unknown_deletions",
            UPDATES,
            "an update that deletes what is not known lacks nothing",
            (("            self._need(client, end - 1)\n", ""),),
        ),
        Mutant(
            "gap_in_a_section",
            UPDATES,
            "an update that begins after the next clock lacks nothing",
            (("if first > clocks.get(client, 0):", "if False:"),),
        ),
        Mutant(
            "unknown_origins",
            UPDATES,
            "an update whose origins are not known lacks nothing",
            (("                self._need(*origin)\n", "                pass\n"),),
        ),
        Mutant(
            "long_numbers",
            UPDATES,
            "numbers may be written longer than needed",
            (("if not byte or value > _MAX_NUMBER:", "if value > _MAX_NUMBER:"),),
        ),
        Mutant(
            "clock_overflow",
            UPDATES,
            "clocks may pass 2**31",
            (("if not 0 < length < _CLOCK_END - clock:", "if not 0 < length:"),),
        ),
        Mutant(
            "truncated_strings",
            UPDATES,
            "a string may end with the bytes",
            (
                (
                    "    if end > len(data):\n        raise IndexError\n    return data",
                    "    return data",
                ),
            ),
        ),
        Mutant(
            "broken_stamps",
            UPDATES,
            "stamps may be fractions",
            (("and stamp.is_integer()):", "):"),),
        ),
        Mutant(
            "client_twice_in_a_vector",
            UPDATES,
            "a state vector may name a client twice",
            (("if not client or client in clocks:", "if not client:"),),
        ),
        Mutant(
            "question_inside_a_character",
            UPDATES,
            "a peer may ask from inside a character on",
            (
                (
                    "return {c: clock - self.cuts_pair(c, clock) for c, clock in asked.items()}",
                    "return asked",
                ),
            ),
        ),
        Mutant(
            "pairs_counted_once",
            UPDATES,
            "a character outside the BMP takes one clock",
            (("                length += len(pairs)\n", ""),),
        ),
    ),
)
