"""What the keys do: which peer is shown, which event is selected, and what has to be asked for.

Nothing is drawn and nothing read here. What the server has to be asked, for the event selected, is
``request``; one question is open at a time, so that holding an arrow key down asks for little.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sync.watch.model import Event, Model, News
from sync.watch.relations import Past, concurrent_with, past_of

__all__ = ["Answer", "Browser"]

_ANSWERS = 200  # that are kept
_DIGITS = "123456789"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said to a request; ``error`` is for people, and ``""`` if it went well."""

    value: Any
    error: str


class Browser:
    """One person's view of a model.

    ``wanted`` is the name of the peer to begin with, or ``""`` for the first; ``slices`` are the
    slices to show, or none for all. ``mode`` is ``"list"``, ``"filter"`` while a filter is being
    typed, ``"state"`` or ``"help"``. ``page``, the rows that fit on the screen, is for the one who
    draws to say, as are the limits of ``scroll``.
    """

    def __init__(self, model: Model, *, wanted: str = "", slices: Collection[str] = ()) -> None:
        self.model = model
        self.wanted = wanted
        self.slices = frozenset(slices)
        self.peer = ""
        self.everybody = False
        self.follow = True
        self.detail = False
        self.filter = ""
        self.mode = "list"
        self.page = 10
        self.scroll = 0
        self.top = 0
        self.selected: int | None = None
        self._rows: tuple[object, list[Event], dict[int, int]] | None = None
        self._past: tuple[object, dict[int, Past]] | None = None
        self._turns: tuple[object, list[Event]] | None = None
        self._answers: dict[tuple[str, int], Answer] = {}
        self._open: tuple[int, str, int] | None = None
        self._next_id = 1

    # What is shown

    def rows(self) -> list[Event]:
        """Return the events of the list, oldest first, and keep the selection among them."""
        if self.peer not in self.model.replicas:
            self._choose()
        version = (self.model.version, self.peer, self.everybody, self.filter)
        if self._rows is None or self._rows[0] != version:
            found = [event for event in self.model if self._shown(event)]
            self._rows = version, found, {event.n: at for at, event in enumerate(found)}
        _, rows, places = self._rows
        if not rows:
            self.selected = None
        elif self.follow or self.selected is None:
            self.selected = rows[-1].n
        elif self.selected not in places:
            later = bisect_left(rows, self.selected, key=lambda event: event.n)
            self.selected = rows[min(later, len(rows) - 1)].n
        return rows

    def place(self) -> int:
        """Return where in the rows the selected event is; 0 if there is none."""
        self.rows()
        assert self._rows is not None
        return 0 if self.selected is None else self._rows[2][self.selected]

    def _choose(self) -> None:
        """Show the wanted peer, as soon as it is there, or the first that has a source here."""
        if self.wanted:
            self.peer = self.model.find(self.wanted) or ""
        else:
            replicas = self.model.replicas.values()
            attached = [replica.id for replica in replicas if replica.attached]
            self.peer = next(iter(attached or self.model.replicas), "")

    def _shown(self, event: Event) -> bool:
        here = event.replica == self.peer
        seen = event.kind in ("cut", "heal") and event.peer == self.peer  # from its other end
        if not (self.everybody or here or seen):
            return False
        if self.slices and event.slices and not self.slices & set(event.slices):
            return False
        if not self.filter:
            return True
        names = (self.model.name(event.replica), self.model.name(event.peer) if event.peer else "")
        text = "\n".join((event.label, event.action, event.kind, *event.slices, *names))
        return self.filter.lower() in text.lower()

    def current(self) -> Event | None:
        """Return the selected event."""
        self.rows()
        return None if self.selected is None else self.model.event(self.selected)

    def concurrent(self, event: Event) -> bool:
        """Tell whether the work of an event and that of the selected one are concurrent."""
        current = self.current()
        if current is None or current.n == event.n or not current.work:
            return False
        version = (self.model.version, current.n)
        if self._past is None or self._past[0] != version:
            # Of a catch-up of thousands the newest will do.
            acts = current.work[-3:]
            self._past = version, {n: past_of(self.model, n) for n in acts}
        return concurrent_with(event, self._past[1])

    def online(self, n: int) -> set[str]:
        """Return the replicas that were online right after event ``n``."""
        if self._turns is None or self._turns[0] != self.model.version:
            turns = [event for event in self.model if event.kind in ("join", "leave")]
            self._turns = self.model.version, turns
        turns = self._turns[1]
        # Before the first that is known of a replica it was the other way round.
        first = {event.replica: event.kind == "leave" for event in reversed(turns)}
        then = {**dict.fromkeys(self.model.replicas, True), **first}
        for event in turns:
            if event.n > n:
                break
            then[event.replica] = event.kind == "join"
        return {replica for replica, is_online in then.items() if is_online}

    # Questions and answers

    def answer(self, what: str) -> Answer | None:
        """Return the answer for the selected event: its ``"detail"``, or the ``"state"`` then."""
        return None if self.selected is None else self._answers.get((what, self.selected))

    def request(self) -> dict[str, Any] | None:
        """Return the next message to the server, if there is one; it counts as sent."""
        current = self.current()
        what = "state" if self.mode == "state" else "detail"
        wants = self.mode == "state" or (self.detail and self.mode in ("list", "filter"))
        if current is None or not wants or self._open or (what, current.n) in self._answers:
            return None
        self._open = (self._next_id, what, current.n)
        self._next_id += 1
        return {"type": what, "id": self._open[0], "n": current.n}

    def heed(self, news: News) -> None:
        """Take what the model made of a message."""
        if news.restarted:
            self._answers.clear()
            self.selected = None
        for _, event in news.amended:
            self._answers.pop(("detail", event.n), None)
        if news.response is not None:
            self._take(news.response)

    def disconnected(self) -> None:
        """No answer will come to what was asked."""
        self._open = None

    def _take(self, response: Mapping[str, Any]) -> None:
        if self._open is None or response.get("id") != self._open[0]:
            return
        _, what, n = self._open
        self._open = None
        error = "" if response.get("ok") else str(response.get("error") or "it gave no reason")
        self._answers[what, n] = Answer(response.get("value"), error)
        while len(self._answers) > _ANSWERS:
            del self._answers[next(iter(self._answers))]

    # Keys

    def key(self, key: str) -> bool:
        """Do what a key is for; False for the one that ends all."""
        if self.mode == "filter":
            self._type(key)
        elif key in ("q", "Q"):
            return False
        elif self.mode == "list":
            if key in _LIST:
                _LIST[key](self)
            elif key in _DIGITS:
                self._switch_to(int(key) - 1)
        elif key in ("escape", "enter", "s" if self.mode == "state" else "?"):
            self.mode, self.scroll = "list", 0
        elif key in _SCROLL:
            self.scroll = max(0, self.scroll + _SCROLL[key](self.page))
        return True

    def _type(self, key: str) -> None:
        if key == "enter":
            self.mode = "list"
        elif key == "escape":
            self.mode, self.filter = "list", ""
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif key == "space":
            self.filter += " "
        elif len(key) == 1 and key.isprintable():
            self.filter += key

    def _go(self, steps: int) -> None:
        rows = self.rows()
        if not rows:
            return
        self._select(rows[max(0, min(len(rows) - 1, self.place() + steps))].n)

    def _select(self, n: int) -> None:
        self.selected, self.follow, self.scroll = n, False, 0

    def _end(self) -> None:
        self.follow, self.scroll = True, 0

    def _next_conflict(self) -> None:
        rows = self.rows()
        found = [event.n for event in rows if event.conflicts]
        later = [n for n in found if self.selected is None or n > self.selected]
        if found:
            self._select((later or found)[0])

    def _cycle(self, steps: int) -> None:
        self.rows()
        ids = list(self.model.replicas)
        if ids:
            at = ids.index(self.peer) if self.peer in ids else -steps
            self._switch_to((at + steps) % len(ids))

    def _switch_to(self, at: int) -> None:
        ids = list(self.model.replicas)
        if at < len(ids):
            self.peer, self.wanted = ids[at], self.model.replicas[ids[at]].name

    def _open_mode(self, mode: str) -> None:
        if mode != "state" or self.current() is not None:
            # An old state does not change; following would show another one every moment.
            self.follow = self.follow and mode != "state"
            self.mode, self.scroll = mode, 0

    def _toggle_detail(self) -> None:
        self.detail, self.scroll = not self.detail, 0

    def _toggle_everybody(self) -> None:
        self.everybody = not self.everybody

    def _toggle_follow(self) -> None:
        self.rows()
        self.follow = not self.follow

    def _escape(self) -> None:
        if self.detail:
            self._toggle_detail()
        else:
            self.filter = ""

    def _scroll_detail(self, steps: int) -> None:
        self.scroll = max(0, self.scroll + steps)


_SCROLL: dict[str, Callable[[int], int]] = {
    "up": lambda page: -1,
    "k": lambda page: -1,
    "down": lambda page: 1,
    "j": lambda page: 1,
    "pageup": lambda page: -page,
    "pagedown": lambda page: page,
    "space": lambda page: page,
    "home": lambda page: -(10**9),
    "g": lambda page: -(10**9),
    "end": lambda page: 10**9,
    "G": lambda page: 10**9,
}

_LIST: dict[str, Callable[[Browser], None]] = {
    "up": lambda browser: browser._go(-1),
    "k": lambda browser: browser._go(-1),
    "down": lambda browser: browser._go(1),
    "j": lambda browser: browser._go(1),
    "pageup": lambda browser: browser._go(-browser.page),
    "pagedown": lambda browser: browser._go(browser.page),
    "home": lambda browser: browser._go(-(10**9)),
    "g": lambda browser: browser._go(-(10**9)),
    "end": Browser._end,
    "G": Browser._end,
    "left": lambda browser: browser._scroll_detail(-1),
    "right": lambda browser: browser._scroll_detail(1),
    "enter": Browser._toggle_detail,
    "escape": Browser._escape,
    "tab": lambda browser: browser._cycle(1),
    "backtab": lambda browser: browser._cycle(-1),
    "/": lambda browser: browser._open_mode("filter"),
    "?": lambda browser: browser._open_mode("help"),
    "s": lambda browser: browser._open_mode("state"),
    "a": Browser._toggle_everybody,
    "c": Browser._next_conflict,
    "f": Browser._toggle_follow,
}
