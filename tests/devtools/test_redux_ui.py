"""The real Redux DevTools app, in a real Chromium, before a store of this process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from crdtstore import Counter, List, Store, Text, configure_store, create_slice, to_plain
from sync.devtools import bundle
from sync.devtools.devtools import DevTools
from sync.devtools.literals import parse_literal

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NODE = shutil.which("node") and shutil.which("npm")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    pytest.mark.skipif(
        bundle.find() is None and not NODE, reason="the app is not built, and there is no Node"
    ),
]

PATIENCE = 30_000  # milliseconds: two cores, shared by everybody


@dataclass
class Todo:
    title: Text = Text()
    done: bool = False


@dataclass
class Todos:
    items: List[Todo] = List()
    filter: str = "all"


@dataclass
class Count:
    n: Counter = Counter(0)


todos = create_slice(name="todos", initial_state=Todos())
counter = create_slice(name="counter", initial_state=Count())


@todos.reducer
def add(state: Todos, title: str) -> None:
    """Another one."""
    state.items.append(Todo(title))


@todos.reducer
def show(state: Todos, which: str) -> None:
    """Which are shown."""
    state.filter = which


@counter.reducer
def inc(state: Count, by: int = 1) -> None:
    """Count on."""
    state.n += by


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all, and the app, which is built once a machine."""
    bundle.build()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Window:
    """A window of Redux DevTools, as a person uses it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def rows(self) -> Locator:
        """The actions of the list, in order."""
        return self.page.locator("[data-id]")

    def shows(self, *types: str) -> None:
        """Wait until the list is these actions."""
        expect(self.rows()).to_have_count(len(types), timeout=PATIENCE)
        for row, kind in enumerate(types):
            expect(self.rows().nth(row)).to_contain_text(kind, timeout=PATIENCE)

    def press(self, label: str) -> None:
        """Press the button that is called so."""
        self.page.get_by_role("button", name=label, exact=True).click()
        self.page.mouse.move(640, 300)  # or what it says of itself hides its neighbours

    def tab(self, name: str) -> None:
        """Choose a tab of the inspector."""
        self.page.get_by_text(name, exact=True).first.click()

    def tells(self, text: str) -> None:
        """Wait until the page has this text somewhere."""
        expect(self.page.locator("body")).to_contain_text(text, timeout=PATIENCE)

    def raw_state(self) -> Any:
        """Read the state that is shown, from its raw form."""
        self.tab("State")
        self.tab("Raw")
        return parse_literal(self.page.locator(".cm-content").inner_text())

    def picture(self, name: str) -> None:
        """Keep a screenshot where CRDTSTORE_SCREENSHOTS says, for people to look at."""
        folder = os.environ.get("CRDTSTORE_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=str(Path(folder, f"redux-{name}.png")))


@pytest.fixture
def store() -> Iterator[Store]:
    """A store that nobody else has."""
    with configure_store([todos, counter]) as store:
        yield store


@pytest.fixture
def tools(store: Store) -> Iterator[DevTools]:
    """Its tools, on a port of their own."""
    with DevTools(store, port=0, name="peer A", creators=[todos, counter], latency=0.01) as tools:
        yield tools


@pytest.fixture
def window(browser: Browser, tools: DevTools) -> Iterator[Window]:
    """A window on it, which must not complain about anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    window = Window(context.new_page())
    window.page.on(
        "console",
        lambda said: window.complaints.append(said.text) if said.type == "error" else None,
    )
    window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
    window.page.goto(f"{tools.url}redux/")
    yield window
    context.close()
    assert window.complaints == []


def test_actions_state_and_differences_are_seen(store: Store, window: Window) -> None:
    """What the program dispatches is listed, with its payload, the state after it and the diff."""
    window.shows("@@INIT")
    store.dispatch(add("milk"))
    store.dispatch(inc(3))
    window.shows("@@INIT", "todos/add", "counter/inc")
    window.rows().nth(2).click()
    window.tab("Diff")
    window.tells("0 => 3")
    window.picture("diff")
    window.tab("Action")
    window.tells("3")
    assert window.raw_state() == to_plain(store.state)
    window.rows().nth(1).click()
    assert window.raw_state()["counter"]["n"] == 0
    window.picture("state")


def test_the_slider_looks_back_and_changes_nothing(store: Store, window: Window) -> None:
    """A jump shows an old state; the store, and what others would get of it, stay as they are."""
    for _ in range(4):
        store.dispatch(inc())
    window.shows("@@INIT", *["counter/inc"] * 4)
    before, digest, commits = store.state, store.digest(), []
    stop = store.on_commit(commits.append)
    slider = window.page.get_by_role("slider")
    assert window.raw_state()["counter"]["n"] == 4
    window.press("Go back")
    window.press("Go back")
    expect(slider).to_have_value("2", timeout=PATIENCE)
    assert window.raw_state()["counter"]["n"] == 2
    window.picture("looking-back")
    slider.fill("0")
    assert window.raw_state()["counter"]["n"] == 0
    assert store.state is before
    assert store.digest() == digest
    assert commits == []
    stop()
    store.dispatch(inc())  # somebody who looks at the past is left there
    window.shows("@@INIT", *["counter/inc"] * 5)
    assert store.state.counter.n == 5


def test_the_dispatcher_changes_the_store(store: Store, window: Window) -> None:
    """What is typed is read as data, and dispatched; code is refused, with the reason."""
    window.shows("@@INIT")
    window.press("Show dispatcher")
    editor = window.page.locator(".cm-content").last
    editor.fill("{type: 'counter/inc', payload: 5}")
    window.press("Dispatch")
    window.shows("@@INIT", "counter/inc")
    assert store.state.counter.n == 5
    window.picture("dispatcher")
    editor.fill("{type: 'counter/inc', payload: alert(1)}")
    window.press("Dispatch")
    window.tells("alert")
    window.picture("refused")
    assert store.state.counter.n == 5
    window.page.get_by_role("combobox").last.click()
    window.page.get_by_role("option", name="counter/inc(by)").click()
    window.page.locator(".cm-content").first.fill("37")
    window.picture("creators")
    window.press("Dispatch")
    window.shows("@@INIT", "counter/inc", "counter/inc")
    assert store.state.counter.n == 42


def test_pausing_stops_the_list_and_not_the_store(store: Store, window: Window) -> None:
    """What happens meanwhile is one entry when recording goes on."""
    window.shows("@@INIT")
    window.press("Pause recording")
    expect(window.page.get_by_role("button", name="Start recording")).to_be_visible()
    for _ in range(3):
        store.dispatch(inc())
    window.press("Start recording")
    store.dispatch(add("bread"))
    window.shows("@@INIT", "@@devtools/paused", "todos/add")
    window.picture("paused")
    assert store.state.counter.n == 3


def test_a_lock_is_of_the_tools_alone(store: Store, window: Window) -> None:
    """Nothing is dispatched from a locked window; the program goes on."""
    window.shows("@@INIT")
    window.press("Show dispatcher")
    window.press("Lock changes")
    expect(window.page.get_by_role("button", name="Unlock changes")).to_be_visible()
    window.page.locator(".cm-content").last.fill("{type: 'counter/inc', payload: 1}")
    window.press("Dispatch")
    window.tells("ock")
    store.dispatch(inc(7))
    window.shows("@@INIT", "counter/inc")
    assert store.state.counter.n == 7
    window.picture("locked")
    window.press("Unlock changes")
    window.press("Dispatch")
    window.shows("@@INIT", "counter/inc", "counter/inc")
    assert store.state.counter.n == 8


def import_file(window: Window, text: str, folder: Path) -> None:
    """Choose a file with this text for the button that imports."""
    file = folder / "log.json"
    file.write_text(text, "utf-8")
    window.page.locator("input[type=file]").set_input_files(file)


LIFTED = {
    "monitorState": {},
    "actionsById": {
        "0": {"type": "PERFORM_ACTION", "action": {"type": "@@INIT"}, "timestamp": 1},
        "1": {"type": "PERFORM_ACTION", "action": {"type": "theirs/first"}, "timestamp": 2},
        "2": {"type": "PERFORM_ACTION", "action": {"type": "theirs/second"}, "timestamp": 3},
    },
    "nextActionId": 3,
    "stagedActionIds": [0, 1, 2],
    "skippedActionIds": [],
    "currentStateIndex": 2,
    "computedStates": [{"state": {"seen": n}} for n in range(3)],
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(LIFTED),
        json.dumps(
            {
                "payload": json.dumps([{"type": "theirs/first"}, {"type": "theirs/second"}]),
                "preloadedState": json.dumps({"seen": 0}),
            }
        ),
    ],
    ids=["lifted state", "actions"],
)
def test_a_log_is_imported_to_look_at(
    store: Store, window: Window, tmp_path: Path, text: str
) -> None:
    """A file of a bug report, in either form, is shown instead of the store, until Reset."""
    store.dispatch(inc())
    window.shows("@@INIT", "counter/inc")
    import_file(window, text, tmp_path)
    window.shows("@@INIT", "theirs/first", "theirs/second")
    window.picture("imported")
    assert store.state.counter.n == 1
    window.press("Reset to the state you created the store with")
    window.shows("@@INIT", "counter/inc")


def test_what_is_exported_can_be_imported(store: Store, window: Window, tmp_path: Path) -> None:
    """The file of the export button has the actions and states, and is read again."""
    store.dispatch(inc(2))
    store.dispatch(add("milk"))
    window.shows("@@INIT", "counter/inc", "todos/add")
    with window.page.expect_download() as download:
        window.press("Export to a file")
    text = Path(download.value.path()).read_text("utf-8")
    states = [computed["state"] for computed in json.loads(text)["computedStates"]]
    assert states[-1] == to_plain(store.state)
    store.dispatch(inc())
    window.shows("@@INIT", "counter/inc", "todos/add", "counter/inc")
    import_file(window, text, tmp_path)
    window.shows("@@INIT", "counter/inc", "todos/add")


SECOND = """
import sys
from sync.devtools.devtools import DevTools
from tests.devtools.test_redux_ui import add, configure_store, counter, inc, todos

with configure_store([todos, counter]) as store:
    with DevTools(store, port=int(sys.argv[1]), name="peer B", latency=0.01) as tools:
        store.dispatch(add("from another process"))
        print(tools.status.state, flush=True)
        sys.stdin.readline()
        store.dispatch(inc(9))
        sys.stdin.readline()
"""


def test_a_second_process_is_a_second_instance(
    store: Store, tools: DevTools, window: Window, tmp_path: Path
) -> None:
    """Two programs are seen in one window, and chosen by name; what ends disappears from it."""
    store.dispatch(inc())
    window.shows("@@INIT", "counter/inc")
    program = tmp_path / "second.py"
    program.write_text(SECOND, "utf-8")
    port = tools.url.rstrip("/").rpartition(":")[2]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(program), port],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as other:
        try:
            assert other.stdout is not None
            assert other.stdin is not None
            assert other.stdout.readline() == "joined\n"
            choose(window, "peer B")
            window.shows("@@INIT", "todos/add")
            other.stdin.write("go on\n")
            other.stdin.flush()
            window.shows("@@INIT", "todos/add", "counter/inc")
            assert window.raw_state()["counter"]["n"] == 9
            window.picture("second")
            choose(window, "peer A")
            window.shows("@@INIT", "counter/inc")
            assert window.raw_state()["counter"]["n"] == 1
            other.stdin.write("end\n")
            other.stdin.flush()
            other.wait(30)
        finally:
            other.kill()
    open_choice(window)
    expect(window.page.get_by_role("option", name="peer A")).to_be_visible(timeout=PATIENCE)
    expect(window.page.get_by_role("option", name="peer B")).to_have_count(0, timeout=PATIENCE)


def open_choice(window: Window) -> None:
    """Open the list of instances."""
    window.page.get_by_role("combobox").first.click()


def choose(window: Window, name: str) -> None:
    """Choose an instance by its name."""
    open_choice(window)
    window.page.get_by_role("option", name=name).click(timeout=PATIENCE)


def test_every_part_of_the_app_works_under_its_policy(store: Store, window: Window) -> None:
    """No monitor, tab or setting needs what the Content-Security-Policy forbids."""
    store.dispatch(inc())
    window.shows("@@INIT", "counter/inc")
    for name in ["Chart", "Log monitor", "RTK Query", "Inspector"]:
        window.press(name)
    for tab in ["Action", "State", "Chart", "Raw", "Tree", "Diff", "Trace"]:
        window.tab(tab)
    window.tab("Settings")
    window.tells("theme color")
    window.tab("State Tree")
    window.picture("settings")
    window.tab("Actions")
    window.shows("@@INIT", "counter/inc")


@pytest.mark.parametrize("path", ["", "timeline", "bridge"])
def test_our_own_pages_work_under_the_policy_too(
    store: Store, tools: DevTools, window: Window, path: str
) -> None:
    """They are served by the same server, with the same rules."""
    store.dispatch(inc())
    window.page.goto(f"{tools.url}{path}")
    if path == "timeline":
        window.tells("counter/inc")
    expect(window.page.locator("body")).to_contain_text("Redux DevTools", timeout=PATIENCE)
    window.picture(f"page-{path or 'index'}")


def test_licences_travel_with_the_app(browser: Browser, tools: DevTools) -> None:
    """The texts of all that is bundled are at /redux/licenses.txt."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{tools.url}redux/licenses.txt")
    text = page.inner_text("body")
    for name in ["@redux-devtools/app 8.0.0", "react 19.3.1", "socketcluster-client"]:
        assert name in text
    assert text.count("Permission is hereby granted") > 100
    context.close()
