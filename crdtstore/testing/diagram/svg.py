"""A history as a picture: SVG that needs nothing else, light or dark as the reader's system is.

Every text is made visible first and then escaped, so no label can end an element, and the same
history always gives the same picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape

from crdtstore.testing.diagram.excerpt import alike, headline, said
from crdtstore.testing.diagram.layout import LINKS, Layout, breaking_places, lay_out
from crdtstore.testing.diagram.lettering import cells, lines, shorten, visible, wrap
from crdtstore.testing.diagram.palette import stylesheet
from crdtstore.testing.diagram.routes import BOX, EDGE, GAP, TALL, Plan, Route, plan
from crdtstore.testing.history import Broken, Event, History

_LETTER = 7.25
"""Width in pixels of a letter of the monospaced font at 12 pixels, with a little to spare."""
_LABEL = 21
_TAG = 22.0
_FALLEN = 14.0
_NAMED_EVERY = 14
"""Rows after which the names of the lanes are said again."""
_LINE = 17.0
_NARROWEST = 660.0
_MOST_LINES = 60
_LONGEST_TITLE = 2_000

_SIGNS = {
    "act": "●",
    "deliver": "→",
    "sync": "⇄",
    "cut": "✂",
    "heal": "=",
    "crash": "✗",
    "restart": "▲",
    "restore": "↺",
    "clone": "◈",
    "clock": "◷",
}


def as_svg(history: History) -> str:
    """Return the history as an SVG document on its own.

    Lanes and events, what broke, what each replica holds and the line that runs it again; the
    history itself as JSON in the element with the id ``history``. Raises ValueError for a history
    in which an event stands before its cause.
    """
    drawing = draw(history)
    width = max(_NARROWEST, drawing.width)
    above = _Writing(width)
    sign = "✗ " if history.broken else ""
    for line in wrap(sign + visible(headline(history)), int((width - 2 * EDGE) / 9.2)):
        above.line(line, "title loud" if history.broken else "title", 22)
    for broken in history.broken[:1]:
        above.block(broken.message, "loud", 12)
    below = _Writing(width)
    for title, text, style in words_below(history):
        below.line(title, "title", 26)
        below.block(text, style, _MOST_LINES)
    top = above.height + 24
    height = top + drawing.height + below.height + EDGE
    body = [
        above.at(EDGE),
        f'<g transform="translate(0 {_px(top)})">{drawing.body}</g>',
        below.at(top + drawing.height + 8),
        f'<script type="application/json" id="history">{embedded(history)}</script>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="history" role="img" '
        f'width="{_px(width)}" height="{_px(height)}" viewBox="0 0 {_px(width)} {_px(height)}">'
        f"<title>{escape(visible(headline(history)))}</title>\n<style>{stylesheet()}</style>\n"
        f'<rect class="page" width="100%" height="100%"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


@dataclass(frozen=True, slots=True)
class Drawing:
    """The lanes and events alone: elements of SVG, and the room they take in pixels."""

    body: str
    width: float
    height: float


def draw(history: History) -> Drawing:
    """Draw lanes, links, arrows and events, in this order, so that events lie on top."""
    layout = lay_out(history)
    places = breaking_places(history)
    first = next(iter(places), -1)
    below: dict[int, float] = {}
    if 0 <= first < len(history.events):
        below[layout.row[first]] = _TAG * len(places[first])
    for gap in layout.gaps:
        if gap.first >= 0:
            below[gap.first] = below.get(gap.first, 0.0) + _FALLEN
    named = range(_NAMED_EVERY - 1, layout.rows - _NAMED_EVERY // 2, _NAMED_EVERY)
    for row in named:
        below[row] = below.get(row, 0.0) + _TAG
    measures = plan(layout, below)
    at_end = places.get(len(history.events), [])
    parts = [_DEFINITIONS]
    parts += _lanes(layout, measures)
    parts += [_name(layout, measures, lane, 24.0) for lane in range(len(layout.lanes))]
    for row in named:
        y = measures.rows[row + 1] - TALL / 2 - 22
        parts += [_name(layout, measures, lane, y) for lane in range(len(layout.lanes))]
    parts += _links(history, layout, measures)
    parts += [_arrow(history, route) for route in measures.routes]
    for index, event in enumerate(history.events):
        which = [history.broken[each] for each in places.get(index, ())]
        x, y = measures.lanes[layout.lane[index]], measures.rows[layout.row[index]]
        parts.append(_event(history, event, which, x, y, loud=index == first))
    height = measures.height
    if at_end:
        parts += _end([history.broken[each] for each in at_end], measures)
        height += _TAG * len(at_end)
    return Drawing("\n".join(parts), measures.width, height)


def embedded(history: History) -> str:
    """The history as JSON that may stand inside an element of HTML or XML, as it is."""
    text = json.dumps(json.loads(history.to_json()))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def words_below(history: History) -> list[tuple[str, str, str]]:
    """What stands below the lanes: title, text of several lines, and style."""
    words: list[tuple[str, str, str]] = []
    found = [("at the break", history.holds_at_break), ("at the end", history.holds)]
    if history.holds == history.holds_at_break:
        found = [("at the break and at the end", history.holds)]
    for title, holds in found:
        for names, text in alike(holds, history.replicas):
            verb = "hold" if ", " in names else "holds"
            words.append((f"{visible(names)} {verb} {title}", text, ""))
    if history.replay:
        words.append(("Replay", history.replay, ""))
    return words


def describe(history: History, event: Event) -> str:
    """An event in full, in a few lines."""
    text = [f"{event.number} at {event.replica}: {said(event)}"]
    if event.causes:
        text.append(f"directly after {', '.join(map(str, event.causes))}")
    if event.detail:
        text.append(event.detail)
    for broken in history.broken:
        if broken.event == event.number:
            text.append(f"{broken.what} broke: {broken.message}")
    return "\n".join(line for each in text for line in lines(each))


_DEFINITIONS = (
    '<defs><marker id="history-head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
    'markerHeight="7" orient="auto-start-reverse"><path class="head" d="M0 0L10 5L0 10z"/></marker>'
    '<pattern id="history-wall" width="8" height="8" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="wall" x1="2" y1="0" x2="2" y2="8" '
    'stroke-width="3"/></pattern></defs>'
)


def _lanes(layout: Layout, measures: Plan) -> list[str]:
    parts: list[str] = []
    for lane, x in enumerate(measures.lanes):
        top = measures.row(-1)
        gaps = [gap for gap in layout.gaps if gap.lane == lane]
        for gap in gaps:
            start, end = measures.row(gap.first), measures.row(gap.last)
            parts.append(_line("lane", x, top, x, start))
            parts.append(_line("gap", x, start, x, end))
            top = end
        if top < measures.row(layout.rows):
            parts.append(_line("lane", x, top, x, measures.row(layout.rows)))
    return parts


def _name(layout: Layout, measures: Plan, lane: int, y: float) -> str:
    """The name of a lane on the lane, which it covers."""
    name = shorten(visible(layout.lanes[lane]), _LABEL)
    x, width = measures.lanes[lane], cells(name) * 9.2 + 12
    return _rect("page", x - width / 2, y - 14, width, 18) + _text("name", x, y, name, "middle")


def _links(history: History, layout: Layout, measures: Plan) -> list[str]:
    parts: list[str] = []
    for cut in layout.cuts:
        if cut.right == cut.left + 1:
            x = measures.lanes[cut.left] + BOX / 2 + 8
            y, end = measures.row(cut.first), measures.row(cut.last)
            parts.append(_rect("partition", x, y, GAP - 16, end - y))
    where = {name: lane for lane, name in enumerate(layout.lanes)}
    for index, event in enumerate(history.events):
        if event.kind in LINKS and event.peer in where:
            start = measures.lanes[layout.lane[index]]
            end, y = measures.lanes[where[event.peer]], measures.rows[layout.row[index]]
            parts.append(_line(f"link {event.kind}", start, y, end, y))
            if event.kind == "cut":
                parts += [
                    _line("link", end - 6, y - 6, end + 6, y + 6),
                    _line("link", end - 6, y + 6, end + 6, y - 6),
                ]
            else:
                parts.append(f'<circle class="link" cx="{_px(end)}" cy="{_px(y)}" r="6"/>')
    return parts


def _arrow(history: History, route: Route) -> str:
    source = history.events[route.arrow.source].number
    target = history.events[route.arrow.target].number
    path = "L".join(f"{_px(x)} {_px(y)}" for x, y in route.points)
    return (
        f'<path class="arrow" data-from="{source}" data-to="{target}" d="M{path}" '
        f'marker-end="url(#history-head)"><title>from {source} to {target}</title></path>'
    )


def _event(
    history: History, event: Event, which: list[Broken], x: float, y: float, *, loud: bool
) -> str:
    kind = event.kind if event.kind in _SIGNS else "other"
    style = f"event {kind}{'' if event.changed else ' unchanged'}{' broken' if which else ''}"
    left = x - BOX / 2
    number = f"{_SIGNS.get(event.kind, '·')} {event.number}"
    room = _LABEL - len(number)
    label = shorten(visible(event.label or f"{event.kind} {event.peer}".strip()), room + 2)
    title = escape(shorten(describe(history, event).replace("\n", "\x00"), _LONGEST_TITLE))
    parts = [
        f'<g class="{style}" id="event-{event.number}" data-number="{event.number}" tabindex="0" '
        f'role="img"><title>{title.replace(chr(0), chr(10))}</title>',
        _rect("box", left, y - TALL / 2, BOX, TALL),
        _text("number", left + 8, y + 4, number),
        _text("label", left + 8 + (len(number) + 1) * _LETTER, y + 4, label),
    ]
    if loud:
        for line, broken in enumerate(which):
            parts += _tag(broken, event.replica, x, y + TALL / 2 + 2 + line * _TAG)
    return "".join(parts) + "</g>"


def _tag(broken: Broken, replica: str, x: float, y: float) -> list[str]:
    at = f" at {broken.replica}" if broken.replica and broken.replica != replica else ""
    text = shorten(f"✗ {visible(broken.what)}{visible(at)}", _LABEL + 5)
    width = max(BOX, cells(text) * _LETTER + 16)
    return [
        _rect("tag", x - width / 2, y, width, _TAG - 3),
        _text("tagged", x, y + 14, text, "middle"),
    ]


def _end(which: list[Broken], measures: Plan) -> list[str]:
    """What broke only once all was quiet: a line across the ends of all lanes."""
    y = measures.row(len(measures.rows))
    parts = [_line("end", EDGE / 2, y, measures.width - EDGE / 2, y)]
    for line, broken in enumerate(which):
        where = _where(broken)
        text = shorten(
            f"✗ once quiet, {where}: {visible(broken.what)}", int(measures.width / _LETTER) - 4
        )
        parts.append(_text("loud", EDGE, y + 18 + line * _TAG, text))
    return parts


def _where(broken: Broken) -> str:
    """The replica at which it broke, in words."""
    return f"at {visible(broken.replica)}" if broken.replica else "between replicas"


@dataclass(slots=True)
class _Writing:
    """Lines of text one below the other."""

    width: float
    height: float = 0.0
    _parts: list[str] = field(default_factory=list)

    def line(self, text: str, style: str, height: float) -> None:
        self.height += height
        self._parts.append(_text(style, EDGE, self.height, visible(text)))

    def block(self, text: str, style: str, most: int) -> None:
        width = int((self.width - 2 * EDGE) / _LETTER)
        whole = [piece for line in lines(text) for piece in wrap(line, width)]
        for line in whole[:most]:
            self.line(line, style, _LINE)
        if len(whole) > most:
            self.line(f"{len(whole) - most} lines more", "dim", _LINE)

    def at(self, y: float) -> str:
        return f'<g transform="translate(0 {_px(y)})">' + "".join(self._parts) + "</g>"


def _text(style: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    where = f'x="{_px(x)}" y="{_px(y)}" text-anchor="{anchor}"'
    return f'<text class="{style}" {where}>{escape(text)}</text>'


def _rect(style: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{style}" x="{_px(x)}" y="{_px(y)}" '
        f'width="{_px(width)}" height="{_px(height)}" rx="5"/>'
    )


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{style}" x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}"/>'


def _px(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
