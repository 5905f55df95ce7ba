"""The director: starts the processes, cuts and mends the cables, kills one, and checks the account.

Everything waits with a time limit, and says what for. What the processes say of each step goes to
the account, which knows nothing else of them; at the end every one of them must hold exactly what
the account says, whatever happened in between.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sync.demo.account import Account, Receipt
from sync.demo.audit import audit, conflicts_left, in_order
from sync.demo.cables import Cables
from sync.demo.crew import Crew, CrewError, Message
from sync.demo.screen import Phase, Screen, View
from sync.demo.script import Script, Step, write_script
from sync.demo.tools import ToolsError, served

__all__ = ["DemoError", "Options", "run"]

_SECONDS = 60.0
"""How long anything may take, on a machine that is busy with something else."""
_STEP_SECONDS = 0.002  # between two steps, so that what others do gets in between
_BURST_SECONDS = 0.004  # the same for the process that is killed: it must not be done before
_MOST_PROBLEMS = 25


class DemoError(Exception):
    """The demo could not be played to its end."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the demo is asked for; ``pace`` is how many seconds a part takes at least.

    ``port`` is where Redux DevTools and the timeline show it (0: any that is free), if they do.
    """

    peers: int = 3
    actions: int = 300
    seed: int = 0
    keep: Path | None = None
    pace: float = 0.0
    port: int | None = None


def run(options: Options, screen: Screen) -> bool:
    """Play the demo; True if everything is accounted for at every peer.

    Raises ``ValueError`` for numbers it cannot be played with or a ``keep`` that is in use, and
    ``DemoError`` if it cannot go on. No process is left behind either way, and no files either,
    unless they are to be kept or could help to find out what went wrong.
    """
    script = write_script(options.peers, options.actions, options.seed)
    try:
        with served(options.port) as tools:
            return _run(options, script, screen, tools)
    except ToolsError as error:
        raise DemoError(f"its tools cannot be shown: {error}") from error


def _run(options: Options, script: Script, screen: Screen, tools: str) -> bool:
    """Play the demo, with the tools that are at the URL ``tools``, if there are any."""
    folder = _folder(options.keep)
    keep = options.keep is not None
    port = urlsplit(tools).port if tools else None
    try:
        with Cables() as cables, Crew(folder, port) as crew:
            try:
                director = _Director(script, folder, crew, cables, screen, options.pace, tools)
                good = director.play()
                if tools:
                    screen.hold(tools)
            finally:
                screen.close()
        keep = keep or not good
        return good
    except (DemoError, CrewError) as error:
        keep = True
        raise DemoError(f"{error}\nThe files of all peers are in {folder}") from error
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(keep: Path | None) -> Path:
    """Make the folder of the files."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="crdtstore-demo-"))
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise ValueError(f"{keep} is not empty; --keep takes a new or an empty folder")
    return keep.resolve()


class _Director:
    def __init__(
        self,
        script: Script,
        folder: Path,
        crew: Crew,
        cables: Cables,
        screen: Screen,
        pace: float,
        tools: str,
    ) -> None:
        self.script = script
        self.folder = folder
        self.crew = crew
        self.cables = cables
        self.screen = screen
        self.pace = pace
        self.tools = tools
        self.epoch = time.time_ns() // 1_000_000
        self.account = Account(self.epoch)
        self.token = secrets.token_hex(16)
        self.views = {name: View(name) for name in script.peers}
        self.pids: dict[str, int] = {}
        self.killed: set[int] = set()
        self.sessions: dict[str, str] = {}
        self.survived: dict[str, dict[str, Any] | None] = {}
        self.addresses: dict[str, str] = {}
        self.receipts: dict[tuple[str, int], Receipt] = {}
        self.steps = {(step.by, step.n): step for step in script.everything}
        self.flushed = dict.fromkeys(script.peers, 0)
        self.finished: set[str] = set()
        self.synced: set[str] = set()
        self.reports: dict[str, dict[str, Any]] = {}
        self.wanted = dict.fromkeys(script.peers, 0)
        self.lost = 0
        self.made = self.merged = 0  # by the process that is gone
        self.mended = self.caught_up = 0.0
        self.problems: list[str] = []
        self.links = list(zip(script.peers, script.peers[1:], strict=False))
        if len(script.peers) > 2:  # a ring: work travels both ways, and through others
            self.links.append((script.peers[-1], script.peers[0]))
        for name, view in self.views.items():
            view.cables = sum(name in link for link in self.links)

    # The story

    def play(self) -> bool:
        script = self.script
        everybody, victim = _names(script.peers), script.victim
        self.screen.begin(
            f"crdtstore demo: {len(script.peers)} peers, {len(self.steps)} actions, "
            f"seed {script.seed}",
            f"Peers {everybody} are programs of their own, each with its own database file. They "
            "share one board: a to-do list, a table of people, a page of notes. There is no "
            "server; each is connected to its neighbours by a cable. Below, “lacks” counts the "
            "actions of others that have not arrived yet, and digests are equal where everything "
            "is.",
        )
        if self.tools:
            self.screen.say(
                f"See it as it happens: {self.tools}timeline, {self.tools}redux/, "
                f"or in another terminal: crdtstore watch {urlsplit(self.tools).port}"
            )
        self._online()
        self._cut()
        self._kill(victim)
        self._heal()
        self._tidy()
        return self._audit()

    def _online(self) -> None:
        self._phase(
            1,
            "Everybody is online",
            "All work on the board at the same time. What one does, the others have a moment "
            "later.",
        )
        for a, b in self.links:
            self.addresses[f"{a}-{b}"] = self.cables.lay(f"{a}-{b}")
        for name in self.script.peers:
            self._start(name)
        self._until("every process to start", lambda: len(self.sessions) == len(self.views))
        for name in self.script.peers:
            self._link(name)
        for a, b in self.links:
            self.cables.connect(f"{a}-{b}", self.addresses[b])
        self._linked()
        self._act("online")
        self._converge()

    def _cut(self) -> None:
        self._phase(
            2,
            "The cables are cut",
            "Nobody reaches anybody. All go on working on copies of their own: on the same todos, "
            "the same people, the same page.",
        )
        for a, b in self.links:
            self.cables.cut(f"{a}-{b}")
        self._until("the links to break", lambda: not any(v.links for v in self.views.values()))
        self._act("cut")
        self._pause()

    def _kill(self, victim: str) -> None:
        script = self.script
        self._phase(
            3,
            f"kill -9 peer {victim}",
            f"The process of {victim} is killed in the middle of its work, without a warning, and "
            "started again from its file. Only what it had not written to disk yet may be gone.",
        )
        mine = script.steps("killed", victim)
        first = mine[0].n
        last = first + script.kill_after - 1
        self._tell_to_act("killed", _BURST_SECONDS)
        self._until(f"{victim} to be busy", lambda: (victim, last) in self.receipts)
        self.killed.add(self.pids[victim])
        self.crew.kill(victim)
        self._until(f"{victim} to be gone", lambda: victim not in self.pids)
        view = self.views[victim]
        self.made += view.made
        self.merged += view.merged
        self.finished.add(victim)
        view.state, view.links = "killed", 0
        done = max(n for by, n in self.receipts if by == victim)
        self.screen.say(
            f"{victim} was killed after its action {done}; the last one that it knew to be on "
            f"disk was action {self.flushed[victim]}"
        )
        self._until("the others to finish", self._all_finished)
        self._breathe()
        self._start(victim)
        self._until(f"{victim} to start again", lambda: victim in self.sessions)
        again = self._recover(victim, done)
        self._link(victim)
        redone = [step for step in mine if step.n > again]
        self.screen.say(
            f"{victim} is back from its file with everything up to its action {again}: "
            + (f"{self.lost} lost, " if self.lost else "nothing lost, ")
            + f"{len(redone)} of this part still to do"
        )
        self._order(victim, redone, _BURST_SECONDS)
        self._until(f"{victim} to finish", self._all_finished)
        self._pause()

    def _recover(self, victim: str, done: int) -> int:
        """Find out what the killed process had made durable, and check that it is enough."""
        entry = self.survived[victim]
        again = 0 if entry is None else int(entry["n"])
        if again < self.flushed[victim]:
            self.problems.append(
                f"{victim} had been told that action {self.flushed[victim]} was on disk, but its "
                f"file ends at action {again}"
            )
        if again > done + 1:
            self.problems.append(f"{victim} has action {again}, which it never did")
        if entry is not None and again == done + 1:
            # Killed between the dispatch and the answer: what it would have said is in the file.
            self._receive(victim, entry, self.receipts[victim, done].session)
        for n in range(again + 1, done + 1):
            del self.receipts[victim, n]
        self.lost = max(0, done - again)
        return again

    def _heal(self) -> None:
        self._phase(
            4,
            "The cables are back",
            "Everybody sends what the others lack, and nobody stops working for it.",
        )
        self.wanted.update(
            {name: max(n for by, n in self.receipts if by == name) for name in self.views}
        )
        for a, b in self.links:
            self.cables.connect(f"{a}-{b}", self.addresses[b])
        self.mended = time.time()
        self._act("healed")
        self._linked()
        self._converge()

    def _tidy(self) -> None:
        first = self.script.peers[0]
        self._phase(
            5,
            "One last action, then the audit",
            f"{first} sorts the to-do list by title. Then all tell what they hold, and it is "
            "compared with an account of who did what, in knowledge of what.",
        )
        self.account.enter(self.receipts.values())
        self.problems += in_order(self.account, self._report([first])[first])
        known = set(self.receipts)
        self._act("tidy")
        self._converge(pause=False)
        self.account.enter(self.receipts[key] for key in set(self.receipts) - known)
        for name in self.views:
            self.crew.tell(name, "sync", seconds=_SECONDS)
        self._until("peer.synced() at every peer", lambda: len(self.synced) == len(self.views))

    def _audit(self) -> bool:
        missing = sorted(set(self.steps) - set(self.receipts))
        reports = self._report(self.script.peers)
        problems = [
            *self.problems,
            *(f"{self.steps[key]} was never done" for key in missing),
            *audit(self.account, reports),
        ]
        more = len(problems) - _MOST_PROBLEMS
        shown = problems[:_MOST_PROBLEMS] + ([f"… and {more} more"] if more > 0 else [])
        if problems:
            shown.append(f"the files of all peers are in {self.folder}")
        self.screen.end(self._summary(reports, problems), shown)
        return not problems

    def _summary(
        self, reports: Mapping[str, Mapping[str, Any]], problems: list[str]
    ) -> list[tuple[str, str]]:
        views = self.views.values()
        expected = self.account.holdings()
        late = sum(not receipt.found for receipt in self.receipts.values())
        lost = f"{self.lost} that had not reached the disk (done again)" if self.lost else "none"
        made = self.made + sum(view.made for view in views)
        merged = self.merged + sum(view.merged for view in views)
        return [
            *((f"digest of {name}", report["digest"]) for name, report in reports.items()),
            (
                "actions",
                f"{len(self.receipts)} done, {late} of them on something that was gone by then; "
                f"the kill lost {lost}",
            ),
            ("deltas", f"{made} made, {merged} merged from others"),
            ("wire", f"{self.cables.carried:,} bytes through {len(self.links)} cables"),
            ("conflicts", conflicts_left(expected)),
            (
                "convergence",
                f"all offline work was everywhere {self.caught_up - self.mended:.2f} s after the "
                f"cables were back; all were equal {self.equal_after * 1000:.0f} ms after the "
                "last action",
            ),
            (
                "account",
                f"{len(expected)} facts checked at each of {len(views)} peers: "
                + (
                    f"NOT everything is accounted for, {len(problems)} findings:"
                    if problems
                    else "everything is accounted for"
                ),
            ),
        ]

    # Parts of the story

    def _phase(self, number: int, title: str, story: str) -> None:
        self.screen.phase(Phase(number, title, story))

    def _pause(self) -> None:
        self._breathe()
        self.screen.pause(list(self.views.values()), self.cables.carried)

    def _breathe(self) -> None:
        """Give people time to look, where there are any."""
        until = time.monotonic() + self.pace / 3
        while time.monotonic() < until:
            self._hear(0.02)

    def _start(self, name: str) -> None:
        self.sessions.pop(name, None)
        self.pids[name] = self.crew.start(name, self.epoch)

    def _link(self, name: str) -> None:
        self.addresses.pop(name, None)
        near = [self.addresses[f"{a}-{b}"] for a, b in self.links if a == name]
        self.crew.tell(name, "link", connect=near, token=self.token)
        self._until(f"{name} to listen", lambda: name in self.addresses)

    def _linked(self) -> None:
        self._until(
            "every link to be there",
            lambda: all(view.links == view.cables for view in self.views.values()),
        )

    def _rhythm(self, steps: int, least: float) -> float:
        return max(least, self.pace / max(steps, 1))

    def _order(self, name: str, steps: Sequence[Step], pace: float) -> None:
        self.finished.discard(name)
        self.crew.tell(name, "act", steps=[asdict(step) for step in steps], pace=pace)

    def _tell_to_act(self, phase: str, least: float = _STEP_SECONDS) -> None:
        for name in self.script.peers:
            steps = self.script.steps(phase, name)
            pace = 0.0 if phase == "tidy" else self._rhythm(len(steps), least)
            self._order(name, steps, pace)

    def _act(self, phase: str) -> None:
        self._tell_to_act(phase)
        self._until("everybody to finish their actions", self._all_finished)

    def _all_finished(self) -> bool:
        return len(self.finished) == len(self.views)

    def _converge(self, *, pause: bool = True) -> None:
        totals = {name: max(n for by, n in self.receipts if by == name) for name in self.views}

        def equal() -> bool:
            views = self.views.values()
            return len({view.digest for view in views}) == 1 and all(
                view.seen == totals for view in views
            )

        self._until("all peers to be equal", equal)
        views = self.views.values()
        self.equal_after = max(v.changed for v in views) - max(v.worked for v in views)
        if pause:
            self._pause()

    def _report(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        self.reports.clear()
        for name in names:
            self.crew.tell(name, "report")
        self._until("a report of what is held", lambda: len(self.reports) == len(names))
        return {name: self.reports[name] for name in names}

    # Hearing

    def _until(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise DemoError(f"waited {_SECONDS:.0f} s for {what}, in vain: {self._situation()}")
            self._hear(0.05)

    def _situation(self) -> str:
        return "; ".join(
            f"{view.name} is {view.state}, links {view.links}/{view.cables}, did {view.done}, "
            f"lacks {view.behind}, digest {view.digest[:8]}"
            for view in self.views.values()
        )

    def _hear(self, seconds: float) -> None:
        message = self.crew.hear(seconds)
        if message is None:
            return
        name, body = message.name, message.body
        if message.what == "ended":
            if message.pid not in self.killed:
                raise DemoError(f"{name} ended by itself: {self.crew.last_words(name)}")
            self.pids.pop(name)
        elif message.what == "acted":
            self._receive(name, body, self.sessions[name])
            self.views[name].made, self.views[name].merged = body["made"], body["merged"]
        elif message.what == "status":
            self._note(message)
        elif message.what == "flushed":
            self.flushed[name] = max(self.flushed[name], body["n"])
        elif message.what == "done":
            self.finished.add(name)
        elif message.what == "opened":
            self.sessions[name] = body["session"]
            self.survived[name] = body["last"]
            if body["quarantined"]:
                self.problems.append(f"{body['quarantined']} damaged records in the file of {name}")
        elif message.what == "linked":
            self.addresses[name] = body["address"]
        elif message.what == "synced":
            self.synced.add(name)
        elif message.what == "report":
            self.reports[name] = body
        else:
            raise DemoError(f"{name} failed:\n{body.get('error', message)}")

    def _receive(self, name: str, entry: dict[str, Any], session: str) -> None:
        step = self.steps[name, entry["n"]]
        self.receipts[name, step.n] = Receipt(step, session, entry["seen"], entry["found"])

    def _note(self, message: Message) -> None:
        view = self.views[message.name]
        if message.pid != self.pids.get(message.name):
            return  # what it said before it was killed
        for field, value in message.body.items():
            setattr(view, field, value)
        view.state = "online" if view.links else "cut off"
        views = list(self.views.values())
        latest = {other.name: other.done for other in views}
        for each in views:
            each.behind = sum(max(0, n - each.seen.get(by, 0)) for by, n in latest.items())
        if self.mended and not self.caught_up:
            offline = self.wanted.items()
            if all(each.seen.get(by, 0) >= n for each in views for by, n in offline):
                self.caught_up = time.time()
        self.screen.show(views, self.cables.carried)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1]
