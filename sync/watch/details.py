"""What is shown of the selected event: payload, conflicts, diff, concurrency and delta bytes.

Values come from the server as JSON and are shown as such, on one line each, so that paths line up
and nothing has to be unfolded; lines that are too long are cut at the edge of the screen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from sync.watch.browser import Answer
from sync.watch.lanes import Marks
from sync.watch.model import Event, Model
from sync.watch.words import clock, compact, count, path, safe, size

__all__ = ["detail_lines", "state_lines"]

_CONCURRENT = 12  # that are named
_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_ENDS = {"True": ("won  ", "green"), "False": ("lost ", "dim")}
_ROW = 16  # bytes of a delta in one line


def detail_lines(event: Event, answer: Answer | None, model: Model, marks: Marks) -> list[Text]:
    """Return the lines for an event; ``answer`` is the server's, or none yet."""
    who = model.name(event.replica)
    if event.kind == "deliver":
        who = f"{who} {marks.arrow} {model.name(event.peer)}"
    lines = [
        Text.assemble(
            (f"#{event.n} ", "dim"),
            (event.action or event.kind, "bold"),
            f"  {who}  made {clock(event.at)}, here {clock(event.time)}",
            ("" if event.number is None else f"  record {event.number}", "dim"),
        )
    ]
    if answer is None:
        return [*lines, Text(f"asking{marks.more}", "dim")]
    if answer.error or not isinstance(answer.value, Mapping):
        return [*lines, Text(safe(answer.error) or "an answer of no known form came", "red")]
    value = answer.value
    lines += _payload(value)
    lines += _conflicts(value, model)
    lines += _diff(value, marks)
    lines += _concurrent(value, model, marks)
    lines += _deltas(value)
    if value.get("error"):
        lines.append(Text(compact(value["error"]), "red"))
    if value.get("meta"):
        lines.append(Text.assemble(("meta     ", "dim"), compact(value["meta"])))
    return lines


def _payload(value: Mapping[str, Any]) -> list[Text]:
    payload = value.get("payload")
    if payload is None and value.get("payload_shared") is False:
        said = Text("not shared: the slice does not let payloads travel", "dim")
    else:
        said = Text(compact(payload))
    return [Text.assemble(("payload  ", "dim"), said)]


def _conflicts(value: Mapping[str, Any], model: Model) -> list[Text]:
    lines = []
    for conflict in _all(value, "conflicts"):
        lines.append(
            Text.assemble(("conflict ", "bold red"), safe(path(_path(conflict))), style="")
        )
        for each in _all(conflict, "values"):
            word, style = _ENDS.get(str(each.get("won")), ("?    ", "dim"))  # not known yet
            lines.append(
                Text.assemble(
                    "         ",
                    (word, style),
                    compact(each.get("value")),
                    (f"  {model.name(str(each.get('replica', '')))}", "cyan"),
                    ("" if each.get("n") is None else f"  #{each['n']}", "dim"),
                )
            )
    return lines


def _diff(value: Mapping[str, Any], marks: Marks) -> list[Text]:
    changes = _all(value, "diff")
    truncated = value.get("truncated")
    more = truncated if isinstance(truncated, int) else 0
    lines = [Text.assemble(("diff     ", "dim"), count(len(changes) + more, "place"))]
    for change in changes:
        sign, style = _SIGNS.get(str(change.get("kind")), ("?", ""))
        before, after = compact(change.get("before")), compact(change.get("after"))
        shown = {"+": after, "-": before}.get(sign, f"{before} {marks.to} {after}")
        lines.append(Text.assemble((f" {sign} {safe(path(_path(change)))}: ", style), shown))
    if more:
        lines.append(Text(f"   {marks.more} and {more} more", "dim"))
    return lines


def _concurrent(value: Mapping[str, Any], model: Model, marks: Marks) -> list[Text]:
    found = value.get("concurrent")
    numbers = [n for n in found if isinstance(n, int)] if isinstance(found, list) else []
    if not numbers:
        return []
    named = []
    for n in numbers[:_CONCURRENT]:
        event = model.event(n)
        named.append(
            f"#{n}" if event is None else f"#{n} {model.name(event.replica)} {event.action}"
        )
    if len(numbers) > _CONCURRENT:
        named.append(f"{marks.more} {len(numbers) - _CONCURRENT} more")
    return [Text.assemble((f"{marks.concurrent} with   ", "yellow"), ", ".join(named))]


def _deltas(value: Mapping[str, Any]) -> list[Text]:
    deltas = value.get("deltas")
    lines = []
    for slice, delta in sorted(deltas.items()) if isinstance(deltas, Mapping) else ():
        if isinstance(delta, Mapping):
            amount, text = delta.get("bytes"), str(delta.get("hex") or "")
            total = size(amount) if isinstance(amount, int) else "?"
            lines.append(Text.assemble(("delta    ", "dim"), safe(str(slice)), f"  {total}"))
            for at in range(0, len(text), 2 * _ROW):
                row = text[at : at + 2 * _ROW]
                pairs = " ".join(row[i : i + 2] for i in range(0, len(row), 2))
                lines.append(Text(f"   {at // 2:04x}  {safe(pairs)}", "dim"))
    return lines


def state_lines(answer: Answer | None, marks: Marks) -> list[Text]:
    """Return the lines of the state at a moment."""
    if answer is None:
        return [Text(f"asking{marks.more}", "dim")]
    if answer.error:
        return [Text(safe(answer.error), "red")]
    value = answer.value.get("state") if isinstance(answer.value, Mapping) else answer.value
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return [Text(safe(line)) for line in text.split("\n")]


def _all(value: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = value.get(key)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _path(value: Mapping[str, Any]) -> list[str]:
    found = value.get("path")
    return [str(each) for each in found] if isinstance(found, list) else []
