"""One line an event, for pipes and for terminals that cannot do more."""

from __future__ import annotations

from collections.abc import Collection

from sync.watch.model import Event, Model, News
from sync.watch.words import clock, count, path, size

__all__ = ["conflict_line", "event_line", "lines_of"]

_NAME = 8
_KIND = 8


def lines_of(
    news: News, model: Model, *, peer: str = "", slices: Collection[str] = ()
) -> list[str]:
    """Return the lines for what a message told, of the peer called ``peer`` if one is wanted."""
    lines = []
    if news.restarted:
        lines.append("-- another server answers; its events begin here --")
    shown = [event for event in news.fresh if _wanted(event, model, peer, slices)]
    lines += [event_line(event, model) for event in shown]
    for before, now in news.amended:
        if len(now.conflicts) > len(before.conflicts) and _wanted(now, model, peer, slices):
            lines.append(conflict_line(now, model))
    return lines


def _wanted(event: Event, model: Model, peer: str, slices: Collection[str]) -> bool:
    if peer:
        wanted = model.find(peer)
        sides = (event.replica, event.peer) if event.kind in ("cut", "heal") else (event.replica,)
        if wanted is None or wanted not in sides:
            return False
    return not slices or not event.slices or bool(set(slices) & set(event.slices))


def event_line(event: Event, model: Model) -> str:
    """Return what happened when, where, and from whom: columns that are two spaces apart."""
    parts = [
        f"#{event.n}",
        clock(event.time),
        f"{model.name(event.replica):{_NAME}}",
        f"{event.kind:{_KIND}}",
    ]
    if event.peer:
        parts.append(f"{'from' if event.kind == 'deliver' else 'with'} {model.name(event.peer)}")
    if event.kind in ("act", "deliver"):  # of others the label says what the columns say
        parts.append(event.label or event.action)
        if len(event.acts) > 1:
            parts.append(count(len(event.acts), "act"))
        parts += [count(event.changed, "change"), size(event.bytes)]
    if event.conflicts:
        parts.append(_rivals(event, model))
    return "  ".join(parts).rstrip()


def conflict_line(event: Event, model: Model) -> str:
    """Return the line for conflicts of an earlier act that were found only now."""
    parts = (
        f"#{event.n}",
        clock(event.time),
        f"{model.name(event.replica):{_NAME}}",
        f"{'conflict':{_KIND}}",
        event.label or event.action,
        _rivals(event, model),
    )
    return "  ".join(parts)


def _rivals(event: Event, model: Model) -> str:
    found = []
    for conflict in event.conflicts:
        rival = model.event(conflict.rival)
        whose = "" if rival is None else f" of {model.name(rival.replica)}"
        found.append(f"{path(conflict.path)} with #{conflict.rival}{whose}")
    return "conflicts: " + ", ".join(found)
