"""Mistakes in ``snapshot``, ``order`` and ``index``: what is read, patched, shown and digested."""

from __future__ import annotations

from properties.mutants.mutant import Group, Mutant

__all__ = ["GROUP"]

SNAPSHOT = "crdtstore.snapshot"
ORDER = "crdtstore.order"
INDEX = "crdtstore.index"

GROUP = Group(
    "reading",
    (
        "tests/test_snapshot.py",
        "tests/test_order.py",
        "tests/test_index.py",
        "tests/test_cell_model.py",
        "tests/test_document.py",
        "properties/test_document.py",
        "properties/test_convergence.py",
        "properties/test_versions.py",
    ),
    (
        Mutant(
            "text_of_oldest_incarnation",
            SNAPSHOT,
            "a text comes from the oldest live incarnation",
            (
                (
                    "source.text(text_root(places[0][0], default_hash))",
                    "source.text(text_root(places[-1][0], default_hash))",
                ),
            ),
        ),
        Mutant(
            "smallest_default_wins",
            SNAPSHOT,
            "of the defaults that a text started from the oldest is chosen",
            (("age(cell) > age(newest)", "age(cell) < age(newest)"),),
        ),
        Mutant(
            "removed_default_row_comes_back",
            SNAPSHOT,
            "a removed default row shows its default",
            (("if own or key not in default:", "if key not in default:"),),
        ),
        Mutant(
            "default_row_shines_through",
            SNAPSHOT,
            "a row inserted again shows the default row's values where nothing is written",
            (
                (
                    "return places_of(row_path, bases), shape.element.default",
                    "return places_of(row_path, bases), default.get(key, shape.element.default)",
                ),
            ),
        ),
        Mutant(
            "element_of_another_key",
            SNAPSHOT,
            "a set shows an element under the key of another",
            (("if element_key(value, ()) == key:", "if True:"),),
        ),
        Mutant(
            "patch_misses_sets",
            SNAPSHOT,
            "a patch never changes a set",
            (("    SetShape: _patch_set,", "    SetShape: lambda shape, before, *rest: before,"),),
        ),
        Mutant(
            "patch_misses_maps",
            SNAPSHOT,
            "a patch never changes a map",
            (("    MapShape: _patch_map,", "    MapShape: lambda shape, before, *rest: before,"),),
        ),
        Mutant(
            "patch_keeps_stale_row",
            SNAPSHOT,
            "a patch does not read a row again whose base changed",
            (("if old is ABSENT or any(len(p) <= depth for p in dirty):", "if old is ABSENT:"),),
        ),
        Mutant(
            "patch_of_newest_incarnation_only",
            SNAPSHOT,
            "a patch misses what changed under an older live incarnation",
            (("if p[depth] in live]", "if p[depth] == live[0]]"),),
        ),
        Mutant(
            "row_identity_lost",
            SNAPSHOT,
            "a row that was inserted again with equal values is another object",
            (
                (
                    "return kept(old, read(shape.element, places, row_default, source))",
                    "return read(shape.element, places, row_default, source)",
                ),
            ),
        ),
        Mutant(
            "value_identity_lost",
            SNAPSHOT,
            "writing an equal value makes another state",
            (
                (
                    "return before if before is value or same(before, value) else value",
                    "return value",
                ),
            ),
        ),
        Mutant(
            "reread_list_identity_lost",
            SNAPSHOT,
            "a list read from another root loses the identity of equal rows",
            (("kept(before._rows.get(k, ABSENT), row) for", "row for"),),
        ),
        Mutant(
            "kept_keeps_what_is_gone",
            SNAPSHOT,
            "a row inserted again keeps set and map entries of the one before",
            (("    changes.update({key: ABSENT for key in old if key not in new})\n", ""),),
        ),
        Mutant(
            "patch_misses_moves",
            SNAPSHOT,
            "a patch of a list misses moves",
            (
                (
                    "if None in groups and (shown := source.shown(root)) != keys:",
                    "if None in groups and len(shown := source.shown(root)) != len(keys):",
                ),
            ),
        ),
        Mutant(
            "patch_keeps_gone_elements",
            SNAPSHOT,
            "a patched list keeps the rows of elements that it does not show",
            (("            if key in order:\n", "            if True:\n"),),
        ),
        Mutant(
            "conflict_with_itself",
            SNAPSHOT,
            "two replicas that wrote the same value are in conflict",
            (
                (
                    "            if not any(same(value, other[0]) for other in found):\n"
                    "                found.append((value",
                    "            if True:\n                found.append((value",
                ),
            ),
        ),
        Mutant(
            "occurrence_tie_break_ignored",
            ORDER,
            "of occurrences with equal stamps the first in the array is shown",
            (("(item[2], item[3]) > (other[2], other[3])", "item[2] > other[2]"),),
        ),
        Mutant(
            "oldest_occurrence_shown",
            ORDER,
            "of several occurrences the oldest is shown",
            (
                (
                    "(item[2], item[3]) > (other[2], other[3])",
                    "(item[2], item[3]) < (other[2], other[3])",
                ),
            ),
        ),
        Mutant(
            "moved_element_shown_twice",
            ORDER,
            "an element that two replicas moved is shown twice",
            (("if best.get(item[0]) is item]", "if item[0] in best]"),),
        ),
        Mutant(
            "dead_element_shown",
            "crdtstore.document",
            "an occurrence of a dead incarnation shows the element inserted again",
            (("return any(base[3] == inc for base in bases)", "return bool(bases)"),),
        ),
        Mutant(
            "base_gone_unnoticed",
            ORDER,
            "an element whose base was removed elsewhere stays in the list",
            (
                (
                    "elif not self._is_live(key, item[1]):\n            self._stale = True",
                    "elif not self._is_live(key, item[1]):\n            pass",
                ),
            ),
        ),
        Mutant(
            "after_is_before",
            ORDER,
            "what is to come after an element comes before it",
            (("return self.items.index(item) + 1", "return self.items.index(item)"),),
        ),
        Mutant(
            "digest_never_forgets",
            INDEX,
            "the digest still counts cells that were replaced or removed",
            (("            total += now - known\n", "            total += now\n"),),
        ),
        Mutant(
            "digest_misses_drops",
            INDEX,
            "removing a cell does not change the digest",
            (("        self._touch(path, old)\n        if kept:", "        if kept:"),),
        ),
        Mutant(
            "digest_ignores_removed",
            INDEX,
            "removed markers are not in the digest",
            (
                (
                    "    return hash_item(key, canonical(",
                    '    if value == b"":\n        return 0\n    return hash_item(key, canonical(',
                ),
            ),
        ),
        Mutant(
            "digest_ignores_incarnations",
            INDEX,
            "incarnations are not in the digest",
            (
                (
                    "canonical([stamp, value, inc] if inc is not None else [stamp, value])",
                    "canonical([stamp, value])",
                ),
            ),
        ),
        Mutant(
            "digest_misses_loaded",
            INDEX,
            "what was loaded is not in the digest",
            (("self._dirty = dict.fromkeys(cells, _NONE)", "self._dirty = {}"),),
        ),
        Mutant(
            "one_cell_a_path",
            INDEX,
            "a writer's cell replaces those of others in the index",
            (("kept = [other for other in old if other[1] != cell[1]]", "kept = []"),),
        ),
        Mutant(
            "under_is_one_level",
            INDEX,
            "only the next level counts as being under a path",
            (("            yield from self.under(below)\n", ""),),
        ),
    ),
)
