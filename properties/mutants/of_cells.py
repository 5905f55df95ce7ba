"""Mistakes in ``cells``: stamps, places, and what several live cells of one path mean."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

CELLS = "crdtstore.cells"

GROUP = Group(
    "cells",
    ("tests/test_cells.py", "tests/test_cell_model.py", "properties/test_convergence.py"),
    (
        Mutant(
            "writer_tie_break_ignored",
            CELLS,
            "a register at equal stamps ignores the writer",
            (("key=lambda candidate: candidate[:3]", "key=lambda candidate: candidate[:2]"),),
        ),
        Mutant(
            "base_beats_field",
            CELLS,
            "at equal stamps the base of a row beats a field cell",
            (("found.append((stamp, 0, writer, base))", "found.append((stamp, 2, writer, base))"),),
        ),
        Mutant(
            "overwritten_base_contends",
            CELLS,
            "the base of a row contends although the field was written",
            (("elif base is not ABSENT:", "if base is not ABSENT:"),),
        ),
        Mutant(
            "stamp_ignores_bases",
            CELLS,
            "a stamp ignores the bases that are visible",
            (
                (
                    "for place in places:\n        if place[1]",
                    "for place in ():\n        if place[1]",
                ),
            ),
        ),
        Mutant(
            "stamp_ignores_cells",
            CELLS,
            "a stamp ignores the cells that are visible",
            (("for cell in cells:\n        if cell[0]", "for cell in ():\n        if cell[0]"),),
        ),
        Mutant(
            "stamp_only_as_new",
            CELLS,
            "a stamp is as large as the largest visible one, not larger",
            (("stamp = cell[0] + 1", "stamp = cell[0]"),),
        ),
        Mutant(
            "stamp_grows_past_its_end",
            CELLS,
            "a stamp may pass 2**53 - 1",
            (("return stamp if stamp < STAMP_MAX else STAMP_MAX", "return stamp"),),
        ),
        Mutant(
            "any_stamp_is_read",
            CELLS,
            "a cell with a stamp past 2**53 - 1 is read",
            (("not 0 <= stamp <= STAMP_MAX", "not 0 <= stamp"),),
        ),
        Mutant(
            "incarnations_ignored",
            CELLS,
            "all incarnations of a row share one place",
            (
                (
                    'return [(f"{path}/{inc}", stamp, writer, value) for',
                    'return [(f"{path}/{VIRTUAL}", stamp, writer, value) for',
                ),
            ),
        ),
        Mutant(
            "newest_incarnation_only",
            CELLS,
            "of several live incarnations only the newest is read",
            (
                (
                    "for stamp, writer, value, inc in bases]",
                    "for stamp, writer, value, inc in bases[:1]]",
                ),
            ),
        ),
        Mutant(
            "oldest_incarnation_first",
            CELLS,
            "the oldest live incarnation comes first",
            (("bases.sort(key=age, reverse=True)", "bases.sort(key=age)"),),
        ),
        Mutant(
            "removed_default_comes_back",
            CELLS,
            "a removed marker does not hide the default of an entry",
            (("touched = True", "touched = bool(own[0][2] != REMOVED)"),),
        ),
        Mutant(
            "set_add_loses",
            CELLS,
            "a removed marker beats a concurrent add of the same entry",
            (
                (
                    "    return found, touched",
                    '    gone = [c for p in places for c in cells.get(f"{p[0]}/{segment}", ())]\n'
                    "    if any(cell[2] == REMOVED for cell in gone):\n"
                    "        found = []\n"
                    "    return found, touched",
                ),
            ),
        ),
        Mutant(
            "oldest_entry_wins",
            CELLS,
            "a map entry shows the oldest of its concurrent values",
            (("found.sort(key=age, reverse=True)", "found.sort(key=age)"),),
        ),
        Mutant(
            "increments_of_newest_only",
            CELLS,
            "increments under an older live incarnation are not counted",
            (
                (
                    "for path, _, _, _ in places:\n        for cell",
                    "for path, _, _, _ in places[:1]:\n        for cell",
                ),
            ),
        ),
        Mutant(
            "sum_in_order",
            CELLS,
            "floats are added up in the order of the cells, with all the rounding",
            (("return math.fsum(amounts)", "return sum(amounts)"),),
        ),
        Mutant(
            "whole_numbers_as_floats",
            CELLS,
            "counters of whole numbers are added up as floats",
            (("if {*map(type, amounts)} == {int}:", "if False:"),),
        ),
        Mutant(
            "sum_overflows",
            CELLS,
            "a counter that overflows becomes infinite",
            (("return MAX_FLOAT if exact > 0 else -MAX_FLOAT", "return math.inf * (exact > 0)"),),
        ),
        Mutant(
            "anything_counts",
            CELLS,
            "True and infinity count as increments",
            (
                (
                    "if kind is int or (kind is float and shape.number is float "
                    "and math.isfinite(encoded)):",
                    "if isinstance(encoded, (int, float)):",
                ),
            ),
        ),
    ),
)
