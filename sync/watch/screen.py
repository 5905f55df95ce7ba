"""The screen: exactly as many lines as the terminal has, made anew whenever something changed.

From above: where from and which peers, the chosen peer with its digest, its links, the list with
the timeline beside it, the details if they are open, and the keys. What does not fit is cut: a line
at the right edge, and of the columns of the list first the clock's, then the timeline's. Nothing is
told by colour alone. Needs ``rich``.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sync.watch.browser import Browser
from sync.watch.details import detail_lines, state_lines
from sync.watch.lanes import UNICODE, Cell, Lanes, Marks
from sync.watch.model import Event, Link, Replica
from sync.watch.words import clock, count, short, size

__all__ = ["SMALLEST", "Screen"]

SMALLEST = (30, 8)
"""Columns and lines with which something useful can be shown."""

_COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "red")
_WITH_CLOCK = 64  # columns, from which on the list shows the time
_WITH_BYTES = 80
_WHO = 12
_NO_LINKS = ("duplicate", "self")  # addresses of who is reached otherwise, or of itself
_NOTES = {"cut": "cut from", "heal": "linked again with", "join": "online", "leave": "offline"}

_HELP = """\
up k, down j      one event up, down
PgUp, PgDn        a page up, down
Home g, End G     the first, the newest
f                 follow the newest
Enter             payload, conflicts, diff, delta bytes
left, right       scroll them
s                 the whole state at that moment
Tab, 1-9          another peer (Shift-Tab back)
a                 the events of all peers, or of one
/                 only what contains a text
c                 the next event with a conflict
Esc               close the details, clear the filter
q, Ctrl-C         end        Ctrl-L  draw again

The timeline has a column for each peer; time goes down.
{act} act   {deliver} delivery   {cut} link cut   {heal} linked again
{join} came   {leave} left   {offline} offline (also B?)
{concurrent}  in front: concurrent with the selected event,
   neither knew of the other
!1 behind: another act wrote the same register then
"""


class Screen:
    """Draws a browser; ``url`` is where its model comes from."""

    def __init__(self, browser: Browser, url: str, *, marks: Marks = UNICODE) -> None:
        self.browser = browser
        self.url = url
        self.marks = marks
        self.problem = ""
        """Why there is no connection just now, or ``""``."""
        self._state: tuple[object, list[Text]] | None = None

    def draw(self, width: int, height: int) -> list[Text]:
        """Return ``height`` lines of at most ``width`` columns."""
        if width < SMALLEST[0] or height < SMALLEST[1]:
            small = "{} columns and {} lines at least".format(*SMALLEST)
            return _fit([Text(small), Text("q: end")], width, height)
        if self.browser.mode in ("help", "state"):
            return _fit([*self._pager(height - 1), self._footer(width)], width, height)
        rows = self.browser.rows()
        head = [self._title(width), *self._peer(width, height)]
        left = height - len(head) - 1
        detail = self._detail(left // 2 if left < 14 else left - max(6, left // 3))
        body = self._list(rows, width, left - len(detail))
        return _fit([*head, *body, *detail, self._footer(width)], width, height)

    # Parts

    def _title(self, width: int) -> Text:
        browser = self.browser
        model = browser.model
        line = Text()
        for at, replica in enumerate(model.replicas.values()):
            name = model.name(replica.id)
            chosen = replica.id == browser.peer
            label = f"[{name}]" if chosen else f" {name} "
            style = (
                f"bold reverse {self._colour(replica.id)}" if chosen else self._colour(replica.id)
            )
            line.append(label if replica.online else label.replace(name, f"{name}?"), style)
            if at >= 30:  # a title of hundreds of peers is none
                line.append(self.marks.more)
                break
        if not model.replicas:
            line.append("no peers yet", "dim")
        where = self.problem or f"{model.server or 'crdtstore'}  {self.url}"
        style = "bold red" if self.problem else "dim"
        room = width - line.cell_len - 2
        if room < 12 and self.problem:
            line.truncate(max(0, width - 26))
            room = width - line.cell_len - 2
        if room >= 12:
            right = Text(where, style)
            right.truncate(room, overflow="crop")
            line.append(" " * (width - line.cell_len - right.cell_len))
            line.append_text(right)
        return line

    def _peer(self, width: int, height: int) -> list[Text]:
        browser = self.browser
        replica = browser.model.replicas.get(browser.peer)
        if replica is None:
            said = "waiting for a store"
            if browser.wanted:
                said = f"waiting for the peer {browser.wanted!r} (Tab: another)"
            return [Text(said, "yellow"), self._rule(width)]
        line = Text.assemble((browser.model.name(replica.id), f"bold {self._colour(replica.id)}"))
        line.append("  online" if replica.online else "  offline", "" if replica.online else "red")
        line.append(f"  digest {short(replica.digest or '') or '?'} ")
        line.append_text(_agreement(replica))
        if replica.lag is not None:
            lag = f"lacks {count(replica.lag, 'act')}" if replica.lag else "lacks nothing"
            line.append(f"  {lag}", "yellow" if replica.lag else "")
        lines = [line]
        if replica.links:
            most = 1 if height < 24 else 3
            lines += self._links(replica.links, width)[:most]
        elif replica.attached:
            lines.append(Text("no links", "dim"))
        else:
            lines.append(Text("no DevTools there: known from what others got of it", "dim"))
        return [*lines, self._rule(width)]

    def _links(self, links: Sequence[Link], width: int) -> list[Text]:
        lines = [Text.assemble(("links  ", "dim"))]
        for link in links:
            if link.state in _NO_LINKS:
                continue
            piece = self._link(link)
            if lines[-1].cell_len + piece.cell_len > width and lines[-1].cell_len > 7:
                lines.append(Text("       "))
            lines[-1].append_text(piece)
            lines[-1].append("  ")
        return lines

    def _link(self, link: Link) -> Text:
        name = self.browser.model.name(link.to) if link.to else link.address or "?"
        piece = Text(name, self._colour(link.to))
        if link.state != "open":
            piece.append(f" {link.state or 'closed'}", "yellow")
            return piece.append(f": {link.error}", "red") if link.error else piece
        if link.behind:
            amount = f" {link.behind} behind ({size(link.behind_bytes)})"
            piece.append(amount, "yellow")
        elif link.in_sync:
            piece.append(" in sync", "green")
        else:
            piece.append(" not in sync", "yellow")
        if link.round_trip is not None:
            piece.append(f" {link.round_trip * 1000:.1f} ms", "dim")
        return piece

    def _rule(self, width: int) -> Text:
        browser = self.browser
        notes = ["all peers" if browser.everybody else ""]
        notes += [f"slices {', '.join(sorted(browser.slices))}" if browser.slices else ""]
        notes += [f"filter {browser.filter!r}" if browser.filter else ""]
        notes += ["following" if browser.follow else "not following (f)"]
        note = f" {self.marks.separator} ".join(filter(None, notes))
        line = Text(f"{self.marks.rule * 2} {note} ", "dim", overflow="crop")
        return line.append(self.marks.rule * max(0, width - line.cell_len), "dim")

    def _list(self, rows: Sequence[Event], width: int, height: int) -> list[Text]:
        browser = self.browser
        lanes = self._lanes(width)
        names = [browser.model.name(replica) for replica in lanes.replicas]
        lines = [Text("  ").append_text(self._cells(lanes.heading(names), "bold"))]
        room = max(1, height - 1)
        browser.page = room
        at = browser.place()
        last = max(0, len(rows) - room)
        browser.top = max(0, min(max(browser.top, at - room + 1), at, last))
        window = rows[browser.top : browser.top + room]
        lines += [self._row(event, lanes, width) for event in window]
        if not rows:
            lines.append(Text("  nothing happened yet" if not browser.filter else "  nothing fits"))
        return _fit(lines, width, height)

    def _lanes(self, width: int) -> Lanes:
        browser = self.browser
        return Lanes(
            list(browser.model.replicas),
            browser.peer,
            max(2, width // 3),
            self.marks,
            merged=not browser.everybody,
        )

    def _row(self, event: Event, lanes: Lanes, width: int) -> Text:
        browser = self.browser
        chosen = event.n == browser.selected
        line = Text(">" if chosen else " ", "bold" if chosen else "")
        line.append(self.marks.concurrent if browser.concurrent(event) else " ", "bold yellow")
        line.append_text(self._cells(lanes.row(event, browser.online(event.n))))
        if width >= _WITH_CLOCK:
            line.append(f" {clock(event.time)}", "dim")
        line.append(" ")
        who = self._who(event)
        who.truncate(_WHO, pad=True)
        line.append_text(who)
        line.append(" ")
        right = Text()
        if event.conflicts:
            right.append(f" !{len(event.conflicts)}", "bold red")
        if width >= _WITH_BYTES and event.kind in ("act", "deliver"):
            right.append(f" {event.changed:>4} ch {size(event.bytes):>9}", "dim")
        what = Text(self._note(event) or event.label or event.action)
        if len(event.acts) > 1:
            what.append(f" ({len(event.acts)} acts)", "dim")
        what.truncate(max(1, width - line.cell_len - right.cell_len), overflow="ellipsis", pad=True)
        line.append_text(what)
        line.append_text(right)
        # Turned round, many colours would be a patchwork.
        return Text(line.plain, "reverse") if chosen else line

    def _who(self, event: Event) -> Text:
        name = self.browser.model.name
        if event.kind == "deliver":
            line = Text()
            if self.browser.everybody:
                line.append(f"{name(event.replica)} ", self._colour(event.replica))
            line.append(f"{self.marks.arrow} ")
            return line.append(name(event.peer), self._colour(event.peer))
        own = not self.browser.everybody  # of the chosen peer, like all others in the list
        replica = self.browser.peer if own else event.replica
        return Text("here" if own else name(replica), self._colour(replica))

    def _note(self, event: Event) -> str:
        note = _NOTES.get(event.kind, "")
        seen = not self.browser.everybody and event.peer == self.browser.peer  # from its other end
        other = event.replica if seen else event.peer
        return f"{note} {self.browser.model.name(other)}" if note and other else note

    def _detail(self, height: int) -> list[Text]:
        browser = self.browser
        event = browser.current()
        if not browser.detail or event is None:
            return []
        lines = detail_lines(event, browser.answer("detail"), browser.model, self.marks)
        return [self._seam(len(lines), height - 1), *self._window(lines, height - 1)]

    def _seam(self, total: int, room: int) -> Text:
        note = " details "
        if total > room:
            note = f" details: {total} lines, left right to scroll "
        return Text(f"{self.marks.rule * 2}{note}{self.marks.rule * 200}", "dim")

    def _pager(self, height: int) -> list[Text]:
        browser = self.browser
        browser.page = height - 1
        if browser.mode == "help":
            text = _HELP.format(**{name: getattr(self.marks, name) for name in Marks.__slots__})
            return self._window([Text(line) for line in text.splitlines()], height)
        event, answer = browser.current(), browser.answer("state")
        title = Text("the state", "bold")
        if event is not None:
            name = browser.model.name(event.replica)
            title.append(f" of {name} after #{event.n} {event.label or event.action}")
            title.append(f", {clock(event.time)}", "dim")
        if self._state is None or self._state[0] is not answer:
            self._state = answer, state_lines(answer, self.marks)
        return [title, *self._window(self._state[1], height - 1)]

    def _window(self, lines: Sequence[Text], height: int) -> list[Text]:
        browser = self.browser
        browser.scroll = max(0, min(browser.scroll, len(lines) - height))
        shown = list(lines[browser.scroll : browser.scroll + height])
        return shown + [Text()] * (height - len(shown))

    def _footer(self, width: int) -> Text:
        browser = self.browser
        if browser.mode == "filter":
            return Text(f"/{browser.filter}_   Enter: keep  Esc: clear", "bold")
        if browser.mode == "help":
            return Text("Esc: back  q: end", "dim")
        if browser.mode == "state":
            return Text("up down PgUp PgDn: scroll  Esc: back  q: end", "dim")
        rows = browser.rows()
        line = Text("Enter details  s state  Tab peer  / filter  f follow  ? help  q end", "dim")
        where = f" {browser.place() + 1 if rows else 0}/{len(rows)}"
        line.truncate(max(0, width - len(where)), overflow="crop", pad=True)
        return line.append(where)

    def _cells(self, cells: Sequence[Cell], style: str = "") -> Text:
        line = Text()
        for cell in cells:
            line.append(cell.mark, f"{style} {self._colour(cell.replica)}".strip())
        return line

    def _colour(self, replica: str) -> str:
        known = list(self.browser.model.replicas)
        return _COLOURS[known.index(replica) % len(_COLOURS)] if replica in known else ""


def _agreement(replica: Replica) -> Text:
    if replica.agrees is None:
        return Text("not compared", "dim")
    return Text("all agree", "green") if replica.agrees else Text("differs", "bold yellow")


def _fit(lines: Sequence[Text], width: int, height: int) -> list[Text]:
    """Return exactly ``height`` lines, none longer than ``width``."""
    fitted = []
    for line in lines[:height]:
        line.no_wrap = True
        if line.cell_len > width:
            line = line.copy()
            line.truncate(width, overflow="crop")
        fitted.append(line)
    return fitted + [Text() for _ in range(height - len(fitted))]
