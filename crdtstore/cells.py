"""The cell model: how state is laid out in flat cells, and how concurrent cells resolve.

A cell is ``path@writer → [stamp, value]`` or, for the base of a row, ``[stamp, fields, inc]``; each
key has one writer ever, so the document's own conflict rule never decides anything. A writer puts
its own cell and deletes every other it sees (observed remove); its stamp is
``max(now, 1 + the largest stamp it sees)``, so what was written in knowledge of another write is
newer than it, whatever the clocks say. What several live cells of one path mean is a pure function
of those cells, given here, so replicas with the same cells read the same state.

A row or list element lives in *incarnations*: each insertion makes one, with a fresh random name,
and everything in the row lives under ``row/inc/…``. Cells under an incarnation without a live base
mean nothing, and a dead incarnation never lives again; that is how removing a row beats edits
inside it, and how a row inserted again starts fresh. Reading a row looks at its *places*: one for
each live incarnation, newest first. A default is virtual: it is read where nothing else is, and is
never written.

Sources: observed-remove sets and multi-value registers after Shapiro et al., "A comprehensive
study of Convergent and Commutative Replicated Data Types", INRIA RR-7506 (2011); stamps after
Kulkarni et al., "Logical Physical Clocks" (hybrid logical clocks, 2014).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from crdtstore.changes import ABSENT
from crdtstore.paths import escape
from crdtstore.shapes import CounterShape, RecordShape, Shape
from crdtstore.values import ANY, REMOVED, Encoded, normalise

__all__ = [
    "REMOVED",
    "STAMP_MAX",
    "VIRTUAL",
    "Cell",
    "Cells",
    "Place",
    "age",
    "bases_of",
    "candidates",
    "child",
    "entry",
    "increments",
    "next_stamp",
    "number",
    "parse_cell",
    "places_of",
    "total",
]

Cell = tuple[int, str, Encoded, str | None]
"""(stamp in ms, writer, value, incarnation or None)"""
Cells = tuple[Cell, ...]
Place = tuple[str, int, str, Any]
"""(path, stamp and writer of the base, the base's value for this path or ABSENT)"""

STAMP_MAX = 2**53 - 1
MAX_FLOAT = sys.float_info.max
VIRTUAL = "0"


# Cells


def parse_cell(writer: str, raw: Any) -> Cell | None:
    """Read a cell as the document gives it; ``None`` if no version known to us writes such."""
    if type(raw) is not list or not 2 <= len(raw) <= 3:
        return None
    stamp = raw[0]
    if type(stamp) is float and stamp.is_integer():
        stamp = int(stamp)
    if type(stamp) is not int or not 0 <= stamp <= STAMP_MAX:
        return None
    inc = raw[2] if len(raw) == 3 else None
    if inc is not None and not (type(inc) is str and inc.isascii() and inc.isalnum()):
        return None
    value = raw[1]
    kind = type(value)
    if kind is not str and kind is not bool and value is not None:
        try:
            value = _normalise_base(value) if kind is dict and inc else normalise_cell(value)
        except ValueError:
            return None
    return stamp, writer, value, inc


def normalise_cell(value: Any) -> Encoded:
    """Normalise a value, the removed marker included."""
    if isinstance(value, (bytes, bytearray)) and not value:
        return REMOVED
    return normalise(value)


def _normalise_base(fields: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    if depth > 32:
        raise ValueError("nested too deeply")
    out: dict[str, Any] = {}
    for name, value in fields.items():
        kind = type(value)
        if kind is str or kind is bool:
            out[name] = value
        elif kind is dict:
            try:
                out[name] = normalise(value)
            except ValueError:
                out[name] = _normalise_base(value, depth + 1)
        else:
            out[name] = normalise(value)
    return out


# Stamps


def next_stamp(now: int, places: Iterable[Place], cells: Iterable[Cell]) -> int:
    """Return the stamp of a write at ``now`` ms: newer than all bases and cells that it knows."""
    stamp = now
    for place in places:
        if place[1] >= stamp:
            stamp = place[1] + 1
    for cell in cells:
        if cell[0] >= stamp:
            stamp = cell[0] + 1
    return stamp if stamp < STAMP_MAX else STAMP_MAX


# Places


def child(places: Sequence[Place], name: str) -> list[Place]:
    """Step from the places of a record to those of one of its fields."""
    segment = escape(name)
    if len(places) == 1:
        path, stamp, writer, base = places[0]
        inner = base.get(name, ABSENT) if type(base) is dict else ABSENT
        return [(f"{path}/{segment}" if path else segment, stamp, writer, inner)]
    return [
        (
            f"{path}/{segment}" if path else segment,
            stamp,
            writer,
            base.get(name, ABSENT) if type(base) is dict else ABSENT,
        )
        for path, stamp, writer, base in places
    ]


def bases_of(element: Shape, cells: Cells) -> list[Cell]:
    """Return the live bases of a row or list element, newest first."""
    if len(cells) == 1:
        cell = cells[0]
        fits = cell[3] is not None and (type(cell[2]) is dict or type(element) is not RecordShape)
        return [cell] if fits else []
    bases = [cell for cell in cells if cell[3] is not None]
    if isinstance(element, RecordShape):
        bases = [cell for cell in bases if type(cell[2]) is dict]
    if len(bases) > 1:
        bases.sort(key=age, reverse=True)
    return bases


def age(cell: Cell) -> tuple[int, str]:
    """Order cells by age: newer is greater, and no two compare equal."""
    return cell[0], cell[1]


def places_of(path: str, bases: Sequence[Cell]) -> list[Place]:
    """Return the places of the row at ``path``: one for each live base, or the virtual one."""
    if not bases:
        return [(f"{path}/{VIRTUAL}", 0, "", ABSENT)]
    return [(f"{path}/{inc}", stamp, writer, value) for stamp, writer, value, inc in bases]


# Resolution


def candidates(
    places: Sequence[Place], cells: Mapping[str, Cells]
) -> list[tuple[int, int, str, Encoded]]:
    """Return what a register may hold, newest first: (stamp, is a field cell, writer, value).

    For each place the field's own cells if there are any, else its base; at equal stamps a field
    cell is newer than a base.
    """
    found: list[tuple[int, int, str, Encoded]] = []
    for path, stamp, writer, base in places:
        own = cells.get(path)
        if own:
            found += [(cell[0], 1, cell[1], cell[2]) for cell in own if cell[3] is None]
        elif base is not ABSENT:
            found.append((stamp, 0, writer, base))
    if len(found) > 1:
        found.sort(key=lambda candidate: candidate[:3], reverse=True)
    return found


def entry(places: Sequence[Place], key: str, cells: Mapping[str, Cells]) -> tuple[list[Cell], bool]:
    """Return the live cells of a map entry or set element, newest first, and if it was touched.

    Touched means that any cell is there, removed markers included, so no default shows through.
    """
    segment = escape(key)
    found: list[Cell] = []
    touched = False
    for path, _, _, _ in places:
        own = cells.get(f"{path}/{segment}" if path else segment)
        if own:
            touched = True
            found += [cell for cell in own if cell[2] != REMOVED]
    if len(found) > 1:
        found.sort(key=age, reverse=True)
    return found, touched


def increments(
    shape: CounterShape, places: Sequence[Place], cells: Mapping[str, Cells]
) -> list[int | float]:
    """Return what each writer added to a counter, in the order of the cells."""
    found: list[int | float] = []
    for path, _, _, _ in places:
        for cell in cells.get(path, ()):
            amount = number(shape, cell[2])
            if amount is not None:
                found.append(amount)
    return found


def number(shape: CounterShape, encoded: Any) -> int | float | None:
    """Decode what a counter can add; ``None`` for anything else."""
    if type(encoded) is bytes:
        try:
            encoded = ANY.decode(encoded)
        except ValueError:
            return None
    kind = type(encoded)
    if kind is int or (kind is float and shape.number is float and math.isfinite(encoded)):
        return encoded  # type: ignore[no-any-return]
    return None


def total(initial: int | float, amounts: list[int | float]) -> int | float:
    """Add up a counter: exactly for ints, correctly rounded (``math.fsum``) for floats."""
    if not amounts:
        return initial
    amounts.append(initial)
    if {*map(type, amounts)} == {int}:
        return sum(amounts)
    try:
        return math.fsum(amounts)
    except OverflowError:  # on the way, or in the end: then stay finite, and the same everywhere
        exact = sum(map(Fraction, amounts))
        try:
            return float(exact)
        except OverflowError:
            return MAX_FLOAT if exact > 0 else -MAX_FLOAT
