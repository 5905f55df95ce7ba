"""Drafts of texts: a str that can be edited in place, and whole assignment as minimal edits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crdtstore.changes import Path, Splice
from crdtstore.draft.scope import Scope
from crdtstore.errors import StateValueError
from crdtstore.kinds import TextView
from crdtstore.shapes import check_text

__all__ = ["TextDraft", "TextPlace", "edits"]

_MOST_DIFFERENCES = 400


class TextPlace:
    """Where one text is edited: its current value, and the splices that made it."""

    __slots__ = ("_edit", "_value", "base", "path", "scope")

    def __init__(self, scope: Scope, path: Path, value: TextView) -> None:
        self.scope = scope
        self.path = path
        self.base = value
        self._value = value
        self._edit: tuple[int, int, str] | None = None

    @property
    def value(self) -> TextView:
        """The text as it reads now; the last edit is carried out only if somebody looks."""
        if self._edit is not None:
            index, delete, insert = self._edit
            text, self._edit = self._value, None
            self._value = TextView(f"{text[:index]}{insert}{text[index + delete :]}")
        return self._value

    def view(self) -> TextDraft:
        """Return the text as it reads now."""
        draft = TextDraft(self.value)
        draft._place = self
        return draft

    def twin(self) -> TextPlace:
        """Return a place that goes on from here."""
        return TextPlace(self.scope, self.path, self.value)

    def assign(self, value: Any) -> None:
        """Turn an assignment into the edits between the old text and the new."""
        if not isinstance(value, str):
            raise StateValueError(
                (self.scope.root, *self.path),
                f"expected str for a Text, got {type(value).__name__}: {value!r:.80}",
            )
        if value == self.value:
            return
        text = check_text(value, (self.scope.root, *self.path))
        for index, deleted, inserted in list(edits(self.value, text)):
            self.splice(index, deleted, inserted)

    def splice(self, index: int, delete: int, insert: str) -> None:
        """Record one edit."""
        self.scope.check()
        gone = self.value[index : index + delete]
        if gone == insert:
            return
        self._edit = (index, delete, insert)
        self.scope.changes.append(Splice(self.path, index, gone, insert))


class TextDraft(TextView):
    """A text inside a reducer; as a ``str`` it keeps the content it was read with."""

    _place: TextPlace

    def insert(self, index: int, text: str) -> None:
        length = len(self._place.value)
        if index < 0:
            index = max(0, length + index)
        self._splice(min(index, length), 0, text)

    def delete(self, index: int, length: int = 1) -> None:
        self._splice(index, length, "")

    def splice(self, index: int, delete: int, insert: str = "") -> None:
        self._splice(index, delete, insert)

    def _splice(self, index: int, delete: int, insert: str) -> None:
        place = self._place
        place.scope.check()
        length = len(place.value)
        start = index + length if index < 0 else index
        if not 0 <= start <= length or delete < 0 or start + delete > length:
            raise IndexError(
                f"cannot edit {delete} characters at {index}: the text has {length} characters"
            )
        where = (place.scope.root, *place.path)
        if not isinstance(insert, str):
            raise StateValueError(where, f"expected str to insert, got {type(insert).__name__}")
        place.splice(start, delete, check_text(insert, where))


def edits(old: str, new: str) -> Iterator[tuple[int, int, str]]:
    """Yield (index, deleted, inserted) that turn ``old`` into ``new``, applied one after another.

    The fewest inserted and deleted characters, by Myers' O(ND) algorithm ("An O(ND) Difference
    Algorithm and Its Variations", Algorithmica 1986) between the common prefix and suffix; texts
    that differ in more than a few hundred characters are replaced between those in one edit.
    """
    start = 0
    limit = min(len(old), len(new))
    while start < limit and old[start] == new[start]:
        start += 1
    end = 0
    while end < limit - start and old[-1 - end] == new[-1 - end]:
        end += 1
    before = old[start : len(old) - end]
    after = new[start : len(new) - end]
    if not before or not after:
        yield start, len(before), after
        return
    shift = start
    for kind, index, length in _runs(before, after):
        if kind == "keep":
            shift += length
        elif kind == "delete":
            yield shift, length, ""
        elif kind == "insert":
            yield shift, 0, after[index : index + length]
            shift += length
        else:
            yield shift, len(before), after


def _runs(before: str, after: str) -> list[tuple[str, int, int]]:
    """Return runs (keep | delete | insert, index, length), or one ``replace``."""
    trace: list[dict[int, int]] = []
    furthest = {1: 0}
    n, m = len(before), len(after)
    for distance in range(min(n + m, _MOST_DIFFERENCES) + 1):
        trace.append(dict(furthest))
        for k in range(-distance, distance + 1, 2):
            if k == -distance or (k != distance and furthest[k - 1] < furthest[k + 1]):
                x = furthest[k + 1]
            else:
                x = furthest[k - 1] + 1
            y = x - k
            while x < n and y < m and before[x] == after[y]:
                x += 1
                y += 1
            furthest[k] = x
            if x >= n and y >= m:
                return _backtrack(trace, n, m)
    return [("replace", 0, n)]


def _backtrack(trace: list[dict[int, int]], x: int, y: int) -> list[tuple[str, int, int]]:
    steps: list[tuple[str, int]] = []
    for distance in range(len(trace) - 1, -1, -1):
        furthest = trace[distance]
        k = x - y
        down = k == -distance or (k != distance and furthest[k - 1] < furthest[k + 1])
        previous = k + 1 if down else k - 1
        px = furthest[previous] if distance else 0
        py = px - previous if distance else 0
        while x > px and y > py:
            x -= 1
            y -= 1
            steps.append(("keep", x))
        if distance:
            if down:
                y -= 1
                steps.append(("insert", y))
            else:
                x -= 1
                steps.append(("delete", x))
    runs: list[tuple[str, int, int]] = []
    for kind, index in reversed(steps):
        if runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((kind, index, 1))
    return runs
