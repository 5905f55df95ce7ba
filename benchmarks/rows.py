"""The table: one row for each thing measured, beside the floor it stands on and its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.timing import Figure

__all__ = ["Row", "as_json", "render", "skipped", "spaced"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line; ``floor_is`` says what the floor is, ``met`` is ``None`` without a target."""

    what: str
    measured: Figure | None
    floor: Figure | None = None
    floor_is: str = ""
    ratio: Figure | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""


def skipped(what: str, reason: str) -> Row:
    """A row that says why it is empty."""
    return Row(what, None, note=reason)


_STEPS: dict[str, list[tuple[float, str]]] = {
    "ns": [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")],
    "B": [(1e6, "MB"), (1e3, "kB"), (1, "B")],
    "/s": [(1, "/s")],
    "x": [(1, "×")],
}


def spaced(number: float) -> str:
    """Write a large number in groups of three digits."""
    return f"{number:,.0f}".replace(",", " ")


def _number(value: float) -> str:
    if value >= 1000:
        return spaced(value)
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def shown(figure: Figure | None) -> str:
    """Write a figure as ``24.1 µs [23.0 26.4]``: the median and its quartiles."""
    if figure is None:
        return ""
    steps = _STEPS[figure.unit]
    size, unit = next((step for step in steps if figure.value >= step[0]), steps[-1])
    text = f"{_number(figure.value / size)} {unit}"
    if figure.low != figure.high:
        text += f" [{_number(figure.low / size)} {_number(figure.high / size)}]"
    return text


_HEADINGS = ("", "measured [quartiles]", "floor [quartiles]", "ratio", "target", "met", "noise")


def _cells(row: Row) -> tuple[str, ...]:
    if row.measured is None:
        return (row.what, f"skipped: {row.note}", "", "", row.target, "", "")
    ratio = f"{_number(row.ratio.value)}×" if row.ratio else ""
    met = {None: "", True: "yes", False: "no"}[row.met]
    noisiest = max((f.high / f.low for f in (row.measured, row.floor) if f and f.low), default=1.0)
    noise = f"{noisiest:.2f}" if noisiest > 1 else ""
    return (row.what, shown(row.measured), shown(row.floor), ratio, row.target, met, noise)


def render(rows: Sequence[Row]) -> str:
    """Return the table as text, and below it what the floors are and the notes."""
    lines = [_HEADINGS, *map(_cells, rows)]
    widths = [
        max(len(line[column]) for line in lines if not (column == 1 and line[1][:8] == "skipped:"))
        for column in range(len(_HEADINGS))
    ]
    out: list[str] = []
    for line in lines:
        out.append("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip())
        if line is _HEADINGS:
            out.append("  ".join("-" * width for width in widths))
    remarks = [(row.what.strip(), row.floor_is, row.note) for row in rows if row.measured]
    remarks = [remark for remark in remarks if remark[1] or remark[2]]
    if remarks:
        out.append("")
    for what, floor_is, note in remarks:
        text = "; ".join(part for part in (floor_is and f"floor: {floor_is}", note) if part)
        out.append(f"{what}: {text}")
    return "\n".join(out)


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as JSON-ready data; times are ns, sizes bytes."""
    return [asdict(row) for row in rows]
