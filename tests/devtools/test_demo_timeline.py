"""The timeline of the demo is right: held against what its processes say they did, knowing what.

What was known when something was done is in the journal that the demo's own account is made of:
each step is signed with how many steps of everybody were in the state that it worked on. That is
made by reducers and travels as state; the timeline is made of clocks and of what deliveries carry.
Neither knows of the other.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from random import Random
from typing import Any

import pytest

pytest.importorskip("websockets")

from websockets.sync.client import ClientConnection, connect

from crdtstore import Store
from sync.demo.account import Account, Receipt
from sync.demo.director import Options, run
from sync.demo.screen import PlainScreen
from sync.demo.script import Script, Step, write_script
from sync.devtools.graph import Graph
from sync.devtools.log import Log
from sync.devtools.source import Source
from tests.sync.demo_rehearsal import Rehearsal, rehearse

PATIENCE = 60.0
"""Seconds after which a test gives up; nothing here takes that long."""

Event = dict[str, Any]
Name = tuple[str, int]
"""A step: whose, and which of theirs."""


def known(receipts: Iterable[Receipt]) -> dict[Name, frozenset[Name]]:
    """All steps that each step knew, directly or through others."""
    cuts: dict[Name, dict[str, int]] = {}
    found: dict[Name, frozenset[Name]] = {}
    for receipt in sorted(receipts, key=lambda each: sum(each.seen.values())):
        cut = dict(receipt.seen)
        for by, n in receipt.seen.items():
            for other, m in cuts.get((by, n), {}).items():
                cut[other] = max(m, cut.get(other, 0))
        step = receipt.step
        cuts[step.by, step.n] = {**cut, step.by: step.n}
        found[step.by, step.n] = frozenset(
            (by, n) for by, last in cut.items() for n in range(1, last + 1)
        )
    return found


def happened_before(events: Sequence[Event]) -> dict[int, int]:
    """The events that lead to each event, as a set of bits."""
    causes = {event["n"]: event["causes"] for event in events}
    done: dict[int, int] = {}
    for start in causes:
        stack = [start]
        while stack:
            n = stack[-1]
            missing = [cause for cause in causes[n] if cause not in done]
            assert not set(missing) & set(stack), f"{n} comes before itself"
            if not missing:
                bits = 0
                for cause in causes[n]:
                    bits |= done[cause] | 1 << cause
                done[n] = bits
                stack.pop()
            else:
                stack += missing
    return done


def acts_of(events: Iterable[Event], replica: str) -> list[Event]:
    """What a replica did, in its order."""
    return [each for each in events if each["kind"] == "act" and each["replica"] == replica]


def check_knowledge(
    events: Sequence[Event], named: Mapping[Name, int], receipts: Sequence[Receipt]
) -> None:
    """Whatever a step knew happened before it, and nothing else did."""
    before = happened_before(events)
    names = {n: name for name, n in named.items()}
    wanted = known(receipts)
    assert len(wanted) == len(receipts) > 0
    for name, n in named.items():
        found = {names[m] for m in names if before[n] >> m & 1}
        assert found == {each for each in wanted[name] if each in named}, name


def check_deliveries(
    events: Sequence[Event], named: Mapping[Name, int], replicas: Iterable[str]
) -> None:
    """Every act arrived at everybody else, and once."""
    made = {n: name for name, n in named.items()}
    by = {event["n"]: event["replica"] for event in events}
    for replica in replicas:
        came = [
            n
            for event in events
            if event["kind"] == "deliver" and event["replica"] == replica
            for n in event["acts"]
            if n in made
        ]
        assert sorted(came) == sorted(n for n in made if by[n] != replica)


def check_conflicts(
    events: Sequence[Event], named: Mapping[Name, int], receipts: Sequence[Receipt]
) -> None:
    """Acts in conflict did not know of each other and wrote the same place.

    And of those who set the place of the same meeting at the same time, all others are named.
    """
    names = {n: name for name, n in named.items()}
    kinds = {(each.step.by, each.step.n): each.step for each in receipts}
    wanted = known(receipts)
    found = {
        (frozenset((event["n"], conflict["with"])), tuple(conflict["path"]))
        for event in events
        for conflict in event["conflicts"]
    }
    for pair, place in found:
        if pair <= set(names):  # not what was lost, and done again
            one, other = (names[n] for n in pair)
            assert one not in wanted[other], (one, other, place)
            assert other not in wanted[one], (one, other, place)
    meetings = [name for name in named if kinds[name].kind == "meet"]
    met = {
        (frozenset((named[one], named[other])), kinds[one].payload["day"])
        for one in meetings
        for other in meetings
        if kinds[one].payload["day"] == kinds[other].payload["day"]
        and one[0] < other[0]
        and one not in wanted[other]
        and other not in wanted[one]
    }
    # Who sets what is set already changes nothing, and so is in no conflict.
    seen = {(pair, place[-1]) for pair, place in found if place[:2] == ("board", "meetings")}
    cancelled = {kinds[name].payload["day"] for name in named if kinds[name].kind == "cancel"}
    assert {each for each in seen if each[1] not in cancelled} <= met
    assert len(met & seen) > len(met) / 2, (len(met), len(seen))


# By the parts, with stores in memory that merge by the hand


def _tell(graph: Graph, sources: Mapping[str, Source], random: Random) -> None:
    """Let all sources tell everything, in pieces that come in any order."""
    now = 0.0
    sessions = {name: graph.join(source.join(), now) for name, source in sources.items()}
    told = dict.fromkeys(sources, 0)
    ends = {name: source.status()["end"] for name, source in sources.items()}
    while told != ends:
        name = random.choice([name for name in sources if told[name] < ends[name]])
        records = sources[name].records(told[name], random.randrange(1, 40))
        graph.receive(sessions[name], {"type": "records", "records": records}, now)
        told[name] = records[-1]["number"] + 1
        now += 0.01
        graph.tick(now)
    for name, source in sources.items():
        graph.receive(sessions[name], source.status(), now)
    assert not graph.holding


@pytest.mark.parametrize("seed", range(4))
def test_the_timeline_of_a_rehearsal_is_what_was_known(seed: int) -> None:
    """Every step is there once, with its causes: of 2 to 5 peers that merge in any order."""
    graph = Graph()
    sources: dict[str, Source] = {}
    ids: dict[str, str] = {}

    def first(stores: Mapping[str, Store]) -> None:
        for name, store in stores.items():
            ids[name] = store.replica
            sources[name] = Source(store, Log(store), name=name)

    def last(stores: Mapping[str, Store]) -> None:
        _tell(graph, sources, Random(seed))

    played: Rehearsal = rehearse(5 - seed, 300, seed, first=first, last=last)
    events = [event.as_json() for event in graph.events]
    named: dict[Name, int] = {}
    for name, replica in ids.items():
        steps = [receipt.step for receipt in played.receipts if receipt.step.by == name]
        acts = acts_of(events, replica)
        assert [act["action"] for act in acts] == [f"board/{step.kind}" for step in steps]
        named |= {(name, step.n): act["n"] for step, act in zip(steps, acts, strict=True)}
    assert len(named) == 300
    check_knowledge(events, named, played.receipts)
    check_deliveries(events, named, ids.values())
    check_conflicts(events, named, played.receipts)
    replicas = graph.replicas()
    assert {each["name"] for each in replicas} == set(ids)
    assert {(each["lag"], each["agrees"]) for each in replicas} == {(0, True)}


# The whole, with processes that are cut off and killed


class Viewer:
    """Reads a feed, as the timeline page does; ``model`` is for ``until`` to look at."""

    def __init__(self, url: str) -> None:
        self.events: dict[int, Event] = {}
        self.replicas: dict[str, dict[str, Any]] = {}
        self.hello: dict[str, Any] = {}
        self.problem: BaseException | None = None
        self._news = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._socket: ClientConnection | None = None
        self._thread = threading.Thread(target=self._read, args=(url,), daemon=True)
        self._thread.start()
        self.until(lambda: self.hello)

    def _read(self, url: str) -> None:
        try:
            with connect(url, proxy=None, compression=None, max_size=2**26) as self._socket:
                for text in self._socket:
                    self._take(json.loads(text))
        except Exception as error:  # whatever it is, it is for the one who waits
            with self._news:
                self.problem = error
                self._news.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self._news:
            kind = message["type"]
            if kind == "hello":
                self.hello = message
            elif kind == "replicas":
                self.replicas = {each["name"]: each for each in message["replicas"]}
            elif kind in ("events", "amended"):
                for event in message["events"]:
                    assert kind == "events" or event["n"] in self.events, event
                    self.events[event["n"]] = event
            elif kind == "response":
                self._answers[message["id"]] = message
            self._news.notify_all()

    def until(self, fits: Callable[[], Any]) -> Any:
        """Wait for what comes to fit."""
        with self._news:
            found = self._news.wait_for(lambda: self.problem or fits(), PATIENCE)
            assert self.problem is None, self.problem
            return found

    def ask(self, number: int, what: str, **more: Any) -> dict[str, Any]:
        """Ask something, and return the response."""
        assert self._socket is not None
        self._socket.send(json.dumps({"type": what, "id": number, **more}))
        assert self.until(lambda: number in self._answers), (what, more)
        return self._answers[number]

    def ordered(self) -> list[Event]:
        """The events by number."""
        with self._news:
            return [self.events[n] for n in sorted(self.events)]

    def close(self) -> None:
        assert self._socket is not None
        self._socket.close()
        self._thread.join(PATIENCE)


class Watched(PlainScreen):
    """Looks at the tools from the moment on that the demo says where they are, to the end."""

    def __init__(self, out: StringIO, look: Callable[[Viewer], None]) -> None:
        super().__init__(out)
        self.viewer: Viewer | None = None
        self.look = look

    def say(self, text: str) -> None:
        super().say(text)
        found = re.search(r"http://(\S+:\d+/)timeline", text)
        if found is not None:
            self.viewer = Viewer(f"ws://{found[1]}feed")

    def hold(self, tools: str) -> None:
        assert self.viewer is not None
        self.look(self.viewer)


def test_the_timeline_of_the_demo_is_what_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five processes, cut off from each other, one killed with kill -9: every action is there once.

    All but what the killed process did in its last moment, before the tools heard of it: of that
    its file and those who get it later tell that it was done, but not what it was.
    """
    receipts: list[Receipt] = []
    enter = Account.enter

    def noting(account: Account, entered: Iterable[Receipt]) -> None:
        entered = list(entered)
        receipts.extend(entered)
        enter(account, entered)

    monkeypatch.setattr(Account, "enter", noting)
    options = Options(5, 400, 23, None, 1.0, 0)
    script = write_script(options.peers, options.actions, options.seed)
    looked = []

    def look(viewer: Viewer) -> None:
        Timeline(viewer, script, receipts).check()
        looked.append(viewer)

    out = StringIO()
    assert run(options, Watched(out, look)), out.getvalue()
    (viewer,) = looked
    viewer.close()


class Timeline:
    """The timeline of one demo, against its script and the receipts of all its steps."""

    def __init__(self, viewer: Viewer, script: Script, receipts: Sequence[Receipt]) -> None:
        self.viewer = viewer
        self.script = script
        self.receipts = receipts
        self.steps = {
            peer: [step for step in script.everything if step.by == peer] for peer in script.peers
        }

    def check(self) -> None:
        viewer, script = self.viewer, self.script
        assert viewer.until(self._settled), viewer.replicas
        events = viewer.ordered()
        assert [event["n"] for event in events] == list(range(len(events)))
        ids = {name: viewer.replicas[name]["id"] for name in script.peers}
        named: dict[Name, int] = {}
        for name, replica in ids.items():
            if name != script.victim:
                acts = acts_of(events, replica)
                self._same(acts, self.steps[name])
                named |= self._named(name, acts)
        named |= self._of_the_victim(events, ids[script.victim])
        check_knowledge(events, named, self.receipts)
        survivors = [replica for name, replica in ids.items() if name != script.victim]
        check_deliveries(events, named, survivors)
        check_conflicts(events, named, self.receipts)
        self._links(events, ids)
        self._details(named)

    def _settled(self) -> bool:
        found = [self.viewer.replicas.get(name, {}) for name in self.script.peers]
        return len(self.viewer.replicas) == len(found) and all(
            (each.get("lag"), each.get("agrees"), each.get("in_sync")) == (0, True, True)
            for each in found
        )

    def _same(self, acts: Sequence[Event], steps: Sequence[Step]) -> None:
        assert [act["action"] for act in acts] == [f"board/{step.kind}" for step in steps]

    def _named(self, name: str, acts: Sequence[Event], start: int = 1) -> dict[Name, int]:
        return {(name, n): act["n"] for n, act in enumerate(acts, start)}

    def _of_the_victim(self, events: Sequence[Event], replica: str) -> dict[Name, int]:
        """What it did before it was killed, that it left, came back, and did the rest."""
        turns = [e for e in events if e["replica"] == replica and e["kind"] in ("join", "leave")]
        assert [turn["kind"] for turn in turns] == ["join", "leave", "join"]
        left, back = turns[1]["n"], turns[2]["n"]
        steps, name = self.steps[self.script.victim], self.script.victim
        acts = acts_of(events, replica)
        told = [act for act in acts if act["n"] < left and act["number"] is not None]
        after = [act for act in acts if act["n"] > back and act["number"] is not None]
        drawn = [act for act in acts if act["number"] is None]
        assert len(told) + len(after) + len(drawn) == len(acts)
        again = len(steps) - len(after)  # what was in its file
        self._same(told, steps[: len(told)])
        self._same(after, steps[again:])
        assert not drawn or len(told) < again, "only what it had not told yet is told by others"
        kept = told[:again]
        return self._named(name, kept) | self._named(name, after, again + 1)

    def _links(self, events: Sequence[Event], ids: Mapping[str, str]) -> None:
        """Every cable of the ring is seen to be cut, and then to be back."""
        peers = self.script.peers
        ring = {
            frozenset((ids[a], ids[b])) for a, b in zip(peers, peers[1:] + peers[:1], strict=True)
        }
        happened: dict[frozenset[str], list[str]] = {pair: [] for pair in ring}
        for event in events:
            if event["kind"] in ("cut", "heal"):
                happened[frozenset((event["replica"], event["peer"]))].append(event["kind"])
        assert all(kinds == ["cut", "heal"] for kinds in happened.values()), happened

    def _details(self, named: Mapping[Name, int]) -> None:
        """What the tools tell of an act is what its author signed for."""
        able = [name for name in named if name[0] != self.script.victim]
        for number, name in enumerate(Random(1).sample(able, 40)):
            response = self.viewer.ask(number, "detail", n=named[name])
            assert response["ok"], response
            value = response["value"]
            step = self.steps[name[0]][name[1] - 1]
            assert value["meta"] == {"by": step.by, "n": step.n}
            assert value["payload"] == json.loads(json.dumps(step.payload))
            assert any(change["path"][:2] == ["board", "journal"] for change in value["diff"])
