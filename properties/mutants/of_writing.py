"""Mistakes in ``writing``: how local changes become cells, incarnations, occurrences, content."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

WRITING = "crdtstore.writing"

GROUP = Group(
    "writing",
    (
        "tests/test_cell_model.py",
        "tests/test_document.py",
        "properties/test_convergence.py",
        "properties/test_versions.py",
    ),
    (
        Mutant(
            "put_deletes_nothing",
            WRITING,
            "a put does not delete the other cells that it sees",
            (("            if other[1] != writer:\n", "            if False:\n"),),
        ),
        Mutant(
            "put_in_newest_only",
            WRITING,
            "a put writes the newest live incarnation only",
            (
                (
                    "for place in places:\n        path = place[0]\n        for other",
                    "for place in places[:1]:\n        path = place[0]\n        for other",
                ),
            ),
        ),
        Mutant(
            "stamp_of_newest_only",
            WRITING,
            "a stamp ignores cells under older live incarnations",
            (
                (
                    "    if len(places) == 1:\n        return next_stamp",
                    "    if places:\n        return next_stamp",
                ),
            ),
        ),
        Mutant(
            "increment_under_wrong_incarnation",
            WRITING,
            "an increment goes to the oldest live incarnation",
            (("path = places[0][0]  # rule 5", "path = places[-1][0]  # rule 5"),),
        ),
        Mutant(
            "increment_replaces_our_own",
            WRITING,
            "an increment replaces what the same session added before",
            (("amount = total(number(shape, cell[2]) or 0, [amount])", "amount = change.amount"),),
        ),
        Mutant(
            "increment_takes_others_along",
            WRITING,
            "an increment adds what other sessions added to our own cell",
            (
                (
                    "        if cell[1] == doc.writer:\n            amount",
                    "        if True:\n            amount",
                ),
            ),
        ),
        Mutant(
            "genesis_by_anybody",
            WRITING,
            "each replica writes a default's content as another client",
            (
                (
                    'return int.from_bytes(data, "big") % (2**53 - 2) + 1',
                    "return id(content) % (2**53 - 2) + 1",
                ),
            ),
        ),
        Mutant(
            "genesis_ignores_the_hash",
            "crdtstore.paths",
            "texts that started from different defaults share a root",
            (
                (
                    'return f"text/{path}#{default_hash}" if default_hash else f"text/{path}"',
                    'return f"text/{path}"',
                ),
            ),
        ),
        Mutant(
            "list_genesis_ignores_the_hash",
            "crdtstore.paths",
            "lists that started from different defaults share a root",
            (
                (
                    'return f"list/{path}#{default_hash}" if default_hash else f"list/{path}"',
                    'return f"list/{path}"',
                ),
            ),
        ),
        Mutant(
            "text_default_not_named",
            WRITING,
            "the first edit of a text does not say which default it started from",
            (
                (
                    "    if place[3] is ABSENT and chosen_hash(doc.cells.get(path, ())) is None:",
                    "    if False:",
                ),
            ),
        ),
        Mutant(
            "default_elements_not_planted",
            WRITING,
            "the default elements of a list vanish at its first edit",
            (("doc.plant(_list_genesis(shape, path, list_root(path, name), default))", "pass"),),
        ),
        Mutant(
            "default_entry_not_marked_removed",
            WRITING,
            "removing a default entry leaves no marker",
            (("if places[0][3] is ABSENT and key in defaults:", "if False:"),),
        ),
        Mutant(
            "default_row_not_marked_removed",
            WRITING,
            "removing a default row leaves no marker",
            (("    if key in default:  # rule 6\n", "    if False:  # rule 6\n"),),
        ),
        Mutant(
            "discard_in_newest_only",
            WRITING,
            "discarding an entry deletes it in the newest live incarnation only",
            (("for place in entries:\n", "for place in entries[:1]:\n"),),
        ),
        Mutant(
            "removed_row_keeps_its_cells",
            WRITING,
            "removing a row leaves the cells under its incarnations behind",
            (("            _drop_all(doc, inner)\n", "            pass\n"),),
        ),
        Mutant(
            "incarnation_revived",
            WRITING,
            "a row inserted again goes on under the incarnation that it had",
            (("inc = doc.new_incarnation()", 'inc = "1"'),),
        ),
        Mutant(
            "insert_clears_nothing",
            WRITING,
            "inserting a row leaves the live incarnations that it sees",
            (
                (
                    "seen = _clear_row(doc, row_path, virtual=key in default)\n    inc",
                    "seen = doc.cells.get(row_path, ())\n    inc",
                ),
            ),
        ),
        Mutant(
            "insert_stamp_is_now",
            WRITING,
            "the base of a row inserted again may be older than the one before",
            (("    stamp = next_stamp(now, (), seen)\n", "    stamp = now\n"),),
        ),
        Mutant(
            "remove_stamp_is_now",
            WRITING,
            "the removed marker of a row may be older than what it replaces",
            (("next_stamp(now, (), seen), doc.writer, REMOVED", "now, doc.writer, REMOVED"),),
        ),
        Mutant(
            "new_row_without_entries",
            WRITING,
            "the set and map entries of a new row are not written",
            (
                (
                    "for at, encoded in row_entries(shape.element, change.row, place):",
                    "for at, encoded in ():",
                ),
            ),
        ),
        Mutant(
            "run_inserted_backwards",
            WRITING,
            "elements inserted together come in reverse",
            (("index = index + 1 if follows", "index = index if follows"),),
        ),
        Mutant(
            "inserted_at_the_front",
            WRITING,
            "an element is inserted at the front, whatever it was to come after",
            (
                (
                    "else order.index_after(change.after)\n        doc.insert",
                    "else 0\n        doc.insert",
                ),
            ),
        ),
        Mutant(
            "move_leaves_the_old_place",
            WRITING,
            "a move leaves the occurrences that it sees",
            (("in _delete_occurrences(doc, root, set(keys)):", "in ():"),),
        ),
        Mutant(
            "move_ignores_earlier_moves",
            WRITING,
            "the stamp of a move ignores the moves that it replaces",
            (("[*bases, *gone.get(key, ())]", "bases"),),
        ),
        Mutant(
            "removed_element_keeps_its_place",
            WRITING,
            "removing a list element leaves its occurrence",
            (
                (
                    "_delete_occurrences(doc, root, {change.path[-1] for change in run})",
                    "pass",
                ),
            ),
        ),
        Mutant(
            "occurrences_deleted_in_part",
            WRITING,
            "of occurrences side by side only one is deleted",
            (("positions[stop - 1], stop - start)", "positions[stop - 1], 1)"),),
        ),
    ),
)
