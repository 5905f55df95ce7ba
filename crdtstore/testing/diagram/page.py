"""A history as a page of HTML on its own: the picture, and everything that did not fit into it.

The page asks the network for nothing and says so in its security policy, which also names the one
script it may run by its hash: were a label ever to slip through as markup, a browser would still
not run it. The script only marks what happened before, after and beside an event; without it the
page says all it has to say.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from crdtstore.testing.diagram.excerpt import alike, headline, where_broken
from crdtstore.testing.diagram.layout import lay_out, unaware
from crdtstore.testing.diagram.lettering import lines, shorten, visible
from crdtstore.testing.diagram.palette import stylesheet
from crdtstore.testing.diagram.svg import draw, embedded
from crdtstore.testing.diagram.template import PAGE, SCRIPT, STYLE
from crdtstore.testing.history import Event, History

_LONG = 300
_MOST_PAIRS = 20


def as_html(history: History) -> str:
    """The history as a page of HTML on its own, in which one click shows an event's causal past.

    Besides what ``as_svg`` draws: a table of all events with their labels and details in full. The
    history's JSON stands in ``<script type="application/json" id="history">``. Raises ValueError
    for a history in which an event stands before its cause.
    """
    drawing = draw(history)
    return PAGE.substitute(
        policy=_policy(),
        title=_one_line(headline(history)),
        style=STYLE + stylesheet(),
        broken=_broken(history),
        count=f"{len(history.replicas)} replicas, {len(history.events)} events",
        width=f"{drawing.width:g}",
        height=f"{drawing.height:g}",
        drawing=drawing.body,
        pairs=_pairs(history),
        holds=_held(history),
        rows="\n".join(_row(event) for event in history.events),
        replay=_replay(history),
        history=embedded(history),
        script=SCRIPT,
    )


def _policy() -> str:
    digest = b64encode(sha256(SCRIPT.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _one_line(text: str) -> str:
    return escape(visible(text))


def _whole(text: str) -> str:
    return escape("\n".join(lines(text)))


def _given(text: str) -> str:
    """A text of the user's: set apart, so that one from right to left reorders nothing else."""
    if len(text) <= _LONG:
        return f'<bdi class="given">{_whole(text)}</bdi>'
    beginning = escape(shorten(visible(text), 80))
    return (
        f"<details><summary><bdi>{beginning}</bdi></summary>"
        f'<bdi class="given">{_whole(text)}</bdi></details>'
    )


def _broken(history: History) -> str:
    parts = []
    for broken in history.broken:
        where = where_broken(history, broken.event, broken.replica)
        if any(event.number == broken.event for event in history.events):
            link = f'<a href="#event-{broken.event}">event {broken.event}</a>'
            where = escape(visible(where)).replace(f"event {broken.event}", link)
        else:
            where = escape(visible(where))
        parts.append(
            f"<li><strong>{_one_line(broken.what)}</strong> {where}"
            f"<pre>{_whole(broken.message)}</pre></li>"
        )
    return f'<ul class="breaks">{"".join(parts)}</ul>' if parts else ""


def _pairs(history: History) -> str:
    found = unaware(history, lay_out(history))
    if not found:
        return ""
    items = []
    for pair in found[:_MOST_PAIRS]:
        both = [
            f'<a href="#event-{event.number}">{event.number}</a> at {_one_line(event.replica)}: '
            f'<bdi class="given">{escape(shorten(visible(event.label), 60))}</bdi>'
            for event in (history.events[place] for place in pair)
        ]
        items.append(f"<li>{both[0]} <b>∥</b> {both[1]}</li>")
    if len(found) > _MOST_PAIRS:
        items.append(f"<li>and {len(found) - _MOST_PAIRS} pairs more</li>")
    return f"<h2>Actions of which neither knew of the other</h2><ul>{''.join(items)}</ul>"


def _held(history: History) -> str:
    parts = []
    for title, holds in (("at the break", history.holds_at_break), ("at the end", history.holds)):
        figures = [
            f"<figure><figcaption>{_one_line(names)}</figcaption><pre>{_whole(text)}</pre></figure>"
            for names, text in alike(holds, history.replicas)
        ]
        if figures:
            parts.append(
                f'<h2>What replicas hold {title}</h2><div class="held">{"".join(figures)}</div>'
            )
    return "".join(parts)


def _row(event: Event) -> str:
    causes = ", ".join(f'<a href="#event-{cause}">{cause}</a>' for cause in event.causes)
    changed = "" if event.changed else "changed nothing"
    return (
        f'<tr data-number="{event.number}">'
        f'<td><a href="#event-{event.number}">{event.number}</a></td>'
        f"<td>{_one_line(event.replica)}</td><td>{_one_line(event.kind)}</td>"
        f"<td>{_given(event.label)}</td><td>{causes}</td><td>{changed}</td>"
        f"<td>{_given(event.detail) if event.detail else ''}</td></tr>"
    )


def _replay(history: History) -> str:
    return (
        f"<h2>Replay</h2><pre><code>{_whole(history.replay)}</code></pre>" if history.replay else ""
    )
