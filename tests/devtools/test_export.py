"""Files made of what the tools saw: drawn by the convergence kit, and run by pytest."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crdtstore import Commit, Store, configure_store, revert
from crdtstore.testing import History
from crdtstore.testing.diagram import as_text
from sync.devtools.export import Known, history, known, log, replay
from sync.devtools.graph import Graph
from sync.devtools.log import Log
from sync.devtools.source import Source
from sync.devtools.waiting import HOLD
from tests.devtools import shop
from tests.devtools.telling import Told, joining

ROOT = Path(__file__).resolve().parents[2]

SHOP = Path(shop.__file__).read_text("utf-8")


class Run:
    """Three stores, their sources, and the graph that they tell all to."""

    def __init__(self) -> None:
        self.at = 1_700_000_000_000
        self.graph = Graph(clock=self.clock)
        self.stores: dict[str, Store] = {}
        self.sources: dict[str, Source] = {}
        self.made: list[Commit] = []
        self.told = dict.fromkeys("ABC", 0)
        for name in "ABC":
            store = configure_store(shop.slices, clock=self.clock)
            source = Source(store, Log(store), name=name)
            store.on_commit(self.note)
            self.stores[name], self.sources[name] = store, source
        self.sessions = {
            name: self.graph.join(source.join(), 0.0) for name, source in self.sources.items()
        }

    def clock(self) -> int:
        self.at += 1
        return self.at

    def note(self, commit: Commit) -> None:
        if commit.local:
            self.made.append(commit)

    def act(self, name: str, action: str, *args: Any) -> Commit:
        self.stores[name].dispatch(getattr(shop.shop.actions, action)(*args))
        self.tell()
        return self.made[-1]

    def deliver(self, name: str, *commits: Commit) -> None:
        for commit in commits:
            self.stores[name].merge(commit.deltas, info=commit.info)
        self.tell()

    def catch_up(self, name: str, other: str) -> None:
        store = self.stores[name]
        store.merge(self.stores[other].deltas_since(store.state_vectors()))
        self.tell()

    def tell(self) -> None:
        for name, source in self.sources.items():
            records = source.records(self.told[name])
            self.told[name] += len(records)
            message = {"type": "records", "records": records}
            self.graph.receive(self.sessions[name], json.loads(json.dumps(message)), 0.0)

    def details(self) -> dict[int, dict[str, Any]]:
        found = {}
        for event in self.graph.events:
            if event.number is not None:
                source = self.sources[self.graph.name(event.replica)]
                answer = source.answer({"id": 1, "what": "detail", "number": event.number})
                found[event.n] = answer["value"]
        return found

    def known(self) -> dict[int, Known]:
        found = {n: known(detail) for n, detail in self.details().items()}
        return {
            n: about
            for n, about in found.items()
            if about is not None and self.graph.event(n).kind == "act"
        }


@pytest.fixture
def run() -> Iterator[Run]:
    """Concurrent names, a partition that heals, texts, catch-ups, two slices."""
    made = Run()
    one = made.act("A", "named", "corner shop", "ann")
    two = made.act("B", "named", 'it\'s "the" shop\\', "bob")
    made.deliver("B", one)
    made.deliver("A", two)
    made.act("C", "sell")
    sold = made.act("C", "sell")
    made.deliver("A", made.made[2], sold)
    made.act("A", "price", "milk", 120)
    made.act("B", "note", "früh\n")
    made.catch_up("C", "B")
    made.act("C", "note", "#1 ")
    made.catch_up("A", "C")
    made.act("A", "sell")
    yield made
    for store in made.stores.values():
        store.close()


def settled(run: Run) -> str:
    """The digest that all replicas end with."""
    for name in run.stores:
        for other in run.stores:
            run.catch_up(name, other)
    (digest,) = {store.digest() for store in run.stores.values()}
    return digest


def pytest_in(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run pytest there, with nothing of this run in its way."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(folder)])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *args],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_history_can_be_read_and_drawn(run: Run) -> None:
    """It is the convergence kit's format, with the same order as the graph."""
    made = history(run.graph, holds={run.stores["A"].replica: {"shop": 1}, "nobody": 2})
    assert History.from_json(made.to_json()) == made
    assert made.replicas == ("A", "B", "C")
    assert dict(made.holds) == {"A": '{\n "shop": 1\n}'}
    assert [event.kind for event in made.events] == [
        event.kind for event in run.graph.events if event.kind not in ("join", "leave")
    ]
    picture = as_text(made, width=100)
    assert "shop/named(name='corner shop', by='ann')" in picture
    assert "from A: 1 action" in picture
    assert "catch-up: " in picture


def test_the_history_says_what_happened_before_what(run: Run) -> None:
    """Happened-before in the file is that of the graph."""
    made = history(run.graph)
    past: list[set[int]] = []
    for event in made.events:
        past.append(set(event.causes).union(*(past[cause] for cause in event.causes)))
    numbers = [n for n in run.graph.sequence() if run.graph.event(n).kind in ("act", "deliver")]
    for m, later in enumerate(numbers):
        for n, earlier in enumerate(numbers):
            assert (n in past[m]) == run.graph.before(earlier, later)


def test_links_and_restarts_are_in_the_history() -> None:
    """A broken link is one, a new session a crash and a restart; joining alone is nothing."""
    graph = Graph(clock=lambda: 2**60)
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    a.status({"B": "open"})
    a.status({"B": "closed"})
    a.act()
    a.status({"B": "open"})
    b.leave()
    Told(graph, "B", 22).act()
    a.leave()
    back = Told(graph, "A", 1)
    back.number, back.clocks = a.number, a.clocks
    back.act(at=2**52)
    made = history(graph)
    assert [(event.kind, event.replica, event.causes) for event in made.events] == [
        ("cut", "A", ()),
        ("act", "A", ()),
        ("heal", "A", (1,)),
        ("crash", "B", ()),
        ("restart", "B", (3,)),
        ("act", "B", (4,)),
        ("act", "A", (1,)),
    ]
    assert History.from_json(made.to_json()) == made
    assert "cut A–B" in as_text(made, width=80)


def test_events_that_were_told_late_stand_after_their_causes() -> None:
    """A history has no cause with a higher number, whatever the graph was told in which order."""
    graph = Graph()
    a, b = Told(graph, "A", 1), Told(graph, "B", 2)
    other = Told(Graph(), "A", 1)
    mine = b.act()
    b.deliver(other.act())
    graph.tick(HOLD)
    a.deliver(mine, now=HOLD)
    a.act(now=HOLD)
    made = history(graph)
    assert any(cause > event.n for event in graph.events for cause in event.causes)
    assert all(cause < event.number for event in made.events for cause in event.causes)
    assert as_text(made, width=80)


def test_names_are_made_different() -> None:
    """Two replicas that are called the same are two lanes."""
    graph = Graph()
    graph_of = [Told(graph, name, number) for number, name in enumerate("AB", 1)]
    for lane in graph._replicas.values():
        lane.name = "demo"
    for each in graph_of:
        each.act()
    assert history(graph).replicas == ("demo", "demo-2")


def test_a_generated_test_runs(run: Run, tmp_path: Path) -> None:
    """It does everything again with fresh stores, and ends where the run ended."""
    text = replay(run.graph, run.known(), slices="shop:slices")
    assert text.count("run.act(") == 8
    assert text.count("run.deliver(") == 6
    assert "left out" not in text
    digest = settled(run)
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    # What the stores hold in the end is compared with the run's, which the file does not know.
    text = text.replace("        for store in stores:\n            store.close()\n", "", 1) + (
        "    states = [store.state for store in run.stores.values()]\n"
        f"    assert [state.shop.name for state in states] == [{_name(run)!r}] * 3\n"
        f"    assert [state.shop.notes for state in states] == [{_notes(run)!r}] * 3\n"
        "    assert [state.shop.sold for state in states] == [3] * 3\n"
        "    assert [state.staff.boss for state in states] == ['bob'] * 3\n"
    )
    (tmp_path / "test_replay.py").write_text(text, "utf-8")
    result = pytest_in(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed" in result.stdout
    assert digest


def _name(run: Run) -> str:
    name: str = run.stores["A"].state.shop.name
    return name


def _notes(run: Run) -> str:
    return str(run.stores["A"].state.shop.notes)


def test_a_generated_test_fails_where_the_program_is_wrong(run: Run, tmp_path: Path) -> None:
    """Without slices it says to fill them in; a reducer that raises is seen."""
    text = replay(run.graph, run.known())
    (tmp_path / "test_replay.py").write_text(text, "utf-8")
    result = pytest_in(tmp_path)
    assert result.returncode == 1
    assert "fill in SLICES at the top of this file" in result.stdout
    broken = SHOP.replace("state.sold += 1", "raise ValueError('sold out')")
    (tmp_path / "shop.py").write_text(broken, "utf-8")
    text = replay(run.graph, run.known(), slices="shop:slices")
    (tmp_path / "test_replay.py").write_text(text, "utf-8")
    result = pytest_in(tmp_path)
    assert result.returncode == 1
    assert "sold out" in result.stdout


def test_actions_without_a_known_payload_are_left_out(run: Run) -> None:
    """A comment stands in their place, and deliveries bring what else they brought."""
    acts = run.known()
    unknown = next(n for n, about in acts.items() if run.graph.event(n).action == "shop/price")
    del acts[unknown]
    text = replay(run.graph, acts)
    assert "# A also did shop/price(key='milk', cents=120), of which more is not known" in text
    assert "1 action left out" in text
    assert not any(str(unknown) in line.split(", ") for line in text.splitlines())
    ast.parse(text)


def took_back(run: Run, name: str, commit: Commit) -> None:
    run.stores[name].dispatch(revert(commit))
    run.tell()


def test_what_was_taken_back_is_taken_back_again(run: Run, tmp_path: Path) -> None:
    """One's own actions, a peer's, and reverts; the state in the end says that it was done."""
    run.act("A", "price", "milk", 1)
    own = run.act("A", "price", "milk", 2)
    theirs: list[Commit] = []
    run.stores["B"].on_commit(theirs.append)
    run.catch_up("B", "A")
    theirs.clear()
    sold = run.act("A", "sell")
    run.deliver("B", sold)
    took_back(run, "A", own)  # 1 again
    took_back(run, "A", run.made[-1])  # 2 again
    took_back(run, "B", theirs[0])
    assert run.stores["A"].state.shop.prices["milk"] == 2
    assert run.stores["B"].state.shop.sold == run.stores["A"].state.shop.sold - 1
    text = replay(run.graph, run.known(), slices="shop:shop, shop:staff")
    assert text.count("run.revert(") == 3
    assert "@@devtools" not in text
    assert "left_out=0" in text
    settled(run)
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    text = text.replace("        for store in stores:\n            store.close()\n", "", 1) + (
        "    shops = [store.state.shop for store in run.stores.values()]\n"
        "    assert [shop.prices['milk'] for shop in shops] == [2] * 3\n"
        f"    assert [shop.sold for shop in shops] == [{run.stores['A'].state.shop.sold}] * 3\n"
    )
    (tmp_path / "test_replay.py").write_text(text, "utf-8")
    result = pytest_in(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_revert_of_what_is_not_known_is_left_out(run: Run) -> None:
    """Of a catch-up, and of one of two actions of one type that were done at once."""
    caught: list[Commit] = []
    run.stores["B"].on_commit(caught.append)
    run.act("A", "sell")
    run.catch_up("B", "A")
    took_back(run, "B", caught[0])
    run.clock = lambda: run.at  # type: ignore[method-assign]
    frozen = run.at + 1
    with configure_store(shop.slices, clock=lambda: frozen) as store:
        source = Source(store, Log(store), name="D")
        session = run.graph.join(source.join(), 0.0)
        made: list[Commit] = []
        store.on_commit(made.append)
        for _ in range(2):
            store.dispatch(shop.shop.actions.sell())
        store.dispatch(revert(made[0]))
        run.graph.receive(session, {"type": "records", "records": source.records(0)}, 0.0)
        run.sources["D"] = source
        text = replay(run.graph, run.known(), slices="shop:slices")
    assert "run.revert(" not in text
    assert "2 actions left out" in text
    assert "# B also did @@devtools/revert(" in text
    assert "# D also did @@devtools/revert(" in text


def test_an_action_that_does_nothing_any_more_fails_a_generated_test(
    run: Run, tmp_path: Path
) -> None:
    """It changed something then, or it would not be there."""
    broken = SHOP.replace("state.sold += 1", "pass")
    (tmp_path / "shop.py").write_text(broken, "utf-8")
    text = replay(run.graph, run.known(), slices="shop:slices")
    (tmp_path / "test_replay.py").write_text(text, "utf-8")
    result = pytest_in(tmp_path)
    assert result.returncode == 1
    assert "{'type': 'shop/sell', 'payload': None} of C changed something then" in result.stdout


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        ("shop:slices", "from shop import slices as slices_1\n\nSLICES: list[Any] = [slices_1]\n"),
        (
            "todo:todos,a.b:App.ui",
            "from todo import todos as slices_1\nfrom a.b import App as slices_2\n\n"
            "SLICES: list[Any] = [slices_1, slices_2.ui]\n",
        ),
    ],
)
def test_slices_are_named_as_on_the_command_line(slices: str, expected: str) -> None:
    """One place, or several with commas between them."""
    text = replay(Graph(), {}, slices=slices)
    assert expected in text
    ast.parse(text)


@pytest.mark.parametrize(
    "wrong", ["todo", "todo:", "todo:todos,", "todo:class", "a:b,os; import c"]
)
def test_what_is_no_place_of_slices_is_refused(wrong: str) -> None:
    """The message says what one looks like."""
    with pytest.raises(ValueError, match=r"'shop\.state:todos,shop\.state:ui'"):
        replay(Graph(), {}, slices=wrong)


def test_hostile_texts_stay_texts() -> None:
    """Labels, names and payloads of strangers are quoted, or stay in their comments."""
    graph = Graph()
    evil = 'x"""\nimport os\n#\r\u2028\\'
    a = Told(graph, "A", 1)
    a.graph.join(joining("A", 1) | {"name": evil}, 0.0)
    b = Told(graph, "B", 2)
    act = a.act(action=evil)
    b.deliver(act)
    b.act(action=evil)
    payload = {evil: [evil, 1.5, float("inf"), None, True]}
    text = replay(graph, {2: Known(payload, {"arg": evil})})
    tree = ast.parse(text)
    assert {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    } == {"annotations", "Any", "Commit", "combine_slices", "configure_store", "revert"}
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.act"
    ]
    scope = {"float": float, "__builtins__": {}}
    assert eval(ast.unparse(call.args[4]), scope) == payload
    assert as_text(history(graph), width=80)
    with pytest.raises(ValueError, match="slices="):
        replay(graph, {}, slices="os; import sys")


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"payload": 3, "payload_shared": True, "meta": None}, Known(3)),
        ({"payload": None, "payload_shared": True, "meta": {"a": 1}}, Known(None, {"a": 1})),
        ({"payload": None, "payload_shared": False}, None),
        ({"payload": "x… (9 of 99 characters are not shown)", "payload_shared": True}, None),
        ({"payload": [1, "… (9 of 99 items are not shown)"], "payload_shared": True}, None),
        ({"payload": {"a": {"…": "9 entries"}}, "payload_shared": True}, None),
        ({"payload": 1, "payload_shared": True, "meta": ["… (9 items not shown)"]}, None),
    ],
    ids=range(7),
)
def test_a_payload_is_known_if_all_of_it_is(detail: dict[str, Any], expected: Known | None) -> None:
    """What was cut because it was too long cannot be done again."""
    assert known(detail) == expected


def test_a_log_is_what_redux_devtools_imports(run: Run) -> None:
    """Its actions in order, with payloads where known, and the state before."""
    session = run.sessions["A"]
    text = log(run.graph, session.events, run.details(), {"shop": {}})
    body = json.loads(text)
    assert sorted(body) == ["payload", "preloadedState"]
    assert json.loads(body["preloadedState"]) == {"shop": {}}
    actions = json.loads(body["payload"])
    assert [action["type"] for action in actions] == [
        "shop/named",
        "shop/named",
        "shop/sell",
        "shop/sell",
        "shop/price",
        "@@sync/merged",
        "shop/sell",
    ]
    assert actions[0] == {"type": "shop/named", "payload": {"name": "corner shop", "by": "ann"}}
    assert actions[1]["meta"]["remote"] == {"replica": run.stores["B"].replica, "name": "B"}
    assert "payload" not in actions[1]


def test_exporting_needs_no_hypothesis() -> None:
    """The tools run where only their own extra is installed."""
    code = "import sys; sys.modules['hypothesis'] = None; import sync.devtools.export"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
