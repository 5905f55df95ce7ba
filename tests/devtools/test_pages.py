"""The pages in a real browser, against a server with scripted histories.

What a page draws is compared by what is in it: texts, positions, and how many pixels of a
replica's colour there are around them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright  # noqa: E402

from tests.devtools.fake import HOSTILE, PAGES, Fake, Script, large, small  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(BROWSERS)} is installed"),
    # One browser for all of them, in whichever process they run.
    pytest.mark.xdist_group("pages"),
]

EXTENSION = """
window.said = [];
window.listeners = {};
window.__REDUX_DEVTOOLS_EXTENSION__ = {
  connect: (options) => ({
    init: (state) => window.said.push({ name: options.name, options, init: state }),
    send: (action, state) => window.said.push({ name: options.name, action, state }),
    subscribe: (listener) => { window.listeners[options.name] = listener; },
  }),
};
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this module."""
    with sync_playwright() as started:
        running = started.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Windows of one size; every test has a server, and so an origin and storage, of its own."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 760}, color_scheme="light", accept_downloads=True
    )
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; an error in it, or a breach of its content policy, fails the test."""
    errors: list[str] = []
    made = context.new_page()
    made.on("pageerror", lambda error: errors.append(str(error)))
    made.on(
        "console",
        lambda said: errors.append(said.text) if "Content Security" in said.text else None,
    )
    yield made
    made.close()
    assert errors == []


@pytest.fixture
def fake() -> Iterator[Fake]:
    """The small history, served."""
    with Fake(small()) as served:
        yield served


def until(page: Page, expression: str, *, within: float = 10) -> None:
    """Wait until an expression is true: the pages' policy forbids Playwright's own waiting."""
    end = time.monotonic() + within
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"still not true: {expression}"
        page.wait_for_timeout(20)


def open_timeline(page: Page, fake: Fake, fragment: str = "") -> None:
    """Open the timeline and wait until it shows all events."""
    page.goto(f"{fake.url}/timeline{fragment}")
    until(page, f"window.timeline && timeline.end >= {len(fake.script.events)}")
    until(page, "timeline.frames.length > 0")
    frame(page)


def frame(page: Page) -> None:
    """Wait until what changed is drawn."""
    page.evaluate(
        "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"
    )


def click_event(page: Page, n: int) -> None:
    """Click the mark of an event."""
    box = page.locator("#canvas").bounding_box()
    at = page.evaluate(f"timeline.position({n})")
    assert box is not None
    page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])


def pixels(page: Page, x: float, y: float, colour: str, *, around: int = 7) -> int:
    """Count the pixels of a colour, or nearly, around a point of the canvas."""
    count: int = page.evaluate(
        """([x, y, colour, around]) => {
          const canvas = document.getElementById("canvas");
          const ratio = window.devicePixelRatio;
          const wanted = colour.match(/\\d+/g).slice(0, 3).map(Number);
          const side = Math.round(2 * around * ratio);
          const left = Math.round((x - around) * ratio), top = Math.round((y - around) * ratio);
          const { data } = canvas.getContext("2d").getImageData(left, top, side, side);
          let found = 0;
          for (let at = 0; at < data.length; at += 4) {
            if (wanted.every((part, index) => Math.abs(part - data[at + index]) <= 12)) found += 1;
          }
          return found;
        }""",
        [x, y, colour, around],
    )
    return count


def texts(page: Page, selector: str) -> list[str]:
    """Return the texts of all elements that match."""
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


# ---- the timeline ----


def test_every_event_is_drawn_on_the_line_of_its_replica(page: Page, fake: Fake) -> None:
    """Marks ascend from left to right, one height a replica, in the replica's own colour."""
    open_timeline(page, fake)
    page.keyboard.press("0")
    frame(page)
    events = fake.script.events
    heights: dict[str, set[float]] = {}
    last = -1.0
    for event in events:
        at = page.evaluate(f"timeline.position({event['n']})")
        assert at["x"] > last
        last = at["x"]
        heights.setdefault(event["replica"], set()).add(at["y"])
        colour = page.evaluate(f"timeline.colour('{event['replica']}')")
        if event["kind"] == "act":
            assert pixels(page, at["x"], at["y"], colour) > 60
        if event["kind"] == "deliver":  # open, in the colour of who made it
            author = page.evaluate(f"timeline.colour('{event['peer']}')")
            assert pixels(page, at["x"], at["y"], author) > 12
            assert pixels(page, at["x"], at["y"], author) < 70
    assert [len(found) for found in heights.values()] == [1, 1, 1]
    assert texts(page, "#lanes .replica-tag") == ["A", "B", "C"]


def test_an_arrow_goes_from_an_act_to_its_delivery(page: Page, fake: Fake) -> None:
    """Between act 8 of A and its late delivery 16 at C there is a line in A's colour."""
    open_timeline(page, fake)
    page.keyboard.press("0")
    frame(page)
    start, end = (page.evaluate(f"timeline.position({n})") for n in (8, 16))
    # Arrows are a little transparent, and cross the bands: half of it is compared.
    ground = page.evaluate("timeline.theme('ground')")
    x, y = (start["x"] * 3 + end["x"]) / 4, (start["y"] * 3 + end["y"]) / 4
    assert pixels(page, x, y, ground, around=3) < 36
    assert pixels(page, x, y - 24, ground, around=3) == 36


def test_a_partition_is_a_band_from_cut_to_heal(page: Page, fake: Fake) -> None:
    """C is cut off from A and B: one band between the lines of B and C, until both are healed."""
    open_timeline(page, fake)
    page.keyboard.press("0")
    frame(page)
    bands = page.evaluate("timeline.bands")
    assert {"low": 1, "high": 2, "from": 7, "to": 15, "pairs": 2} in bands
    assert [(band["low"], band["high"], band["to"]) for band in bands if band["low"] == 0] == [
        (0, 2, 7)
    ]
    low, high = (page.evaluate(f"timeline.position({n})") for n in (10, 12))
    middle = (low["y"] + high["y"]) / 2
    ground = page.evaluate("timeline.theme('ground')")
    inside, outside = (page.evaluate(f"timeline.position({n}).x") for n in (9, 21))
    assert pixels(page, inside, middle + 20, ground) == 0
    assert pixels(page, outside - 12, middle + 20, ground, around=4) == 64


def test_what_was_cut_or_away_at_first_or_at_last_is_drawn_so(page: Page) -> None:
    """An absence without a leave, and a cut without a heal, reach to the ends."""
    script = Script(["A", "B"])
    script.act("A", "counter/incremented", {"counter/value": 1})
    script.join("B")
    script.cut("A", "B")
    with Fake(script) as fake:
        open_timeline(page, fake)
        assert page.evaluate("timeline.absences") == [{"row": 1, "from": None, "to": 1}]
        assert page.evaluate("timeline.bands") == [
            {"low": 0, "high": 1, "from": 2, "to": None, "pairs": 1}
        ]


def test_an_absence_is_from_leave_to_join(page: Page, fake: Fake) -> None:
    """C left at event 20 and joined at 23."""
    open_timeline(page, fake)
    assert page.evaluate("timeline.absences") == [{"row": 2, "from": 20, "to": 23}]


def test_conflicting_acts_have_a_ring(page: Page, fake: Fake) -> None:
    """Around acts 10 and 11, and no others, there is the colour of conflicts."""
    open_timeline(page, fake)
    page.keyboard.press("0")
    frame(page)
    colour = page.evaluate("timeline.theme('conflict')")
    for n in (3, 8, 10, 11, 12, 21):
        at = page.evaluate(f"timeline.position({n})")
        ringed = pixels(page, at["x"], at["y"], colour, around=13) > 40
        assert ringed == (n in (10, 11))


def test_past_future_and_concurrent_are_those_of_the_history(page: Page, fake: Fake) -> None:
    """What the page works out for every pair is the reachability over causes and lines."""
    open_timeline(page, fake)
    events = fake.script.events
    past: list[set[int]] = []
    for event in events:
        reached = {event["n"]}
        for cause in event["causes"]:
            reached |= past[cause]
        past.append(reached)
    told = page.evaluate(
        "timeline.shown.map((n) => timeline.shown.map((m) => timeline.relation(n, m)))"
    )
    for n, row in enumerate(told):
        for m, relation in enumerate(row):
            if n == m:
                expected = "self"
            elif m in past[n]:
                expected = "past"
            else:
                expected = "future" if n in past[m] else "concurrent"
            assert (n, m, relation) == (n, m, expected)


def test_a_cause_that_comes_to_light_later_is_heeded(page: Page) -> None:
    """An amended event may have a cause with a higher number; what is after it is after both."""
    script = Script(["A", "B"])
    first = script.act("A", "counter/incremented", {"counter/value": 1})
    second = script.act("B", "counter/incremented", {"counter/value": 2})
    later = script.act("B", "counter/incremented", {"counter/value": 3})
    with Fake(script) as fake:
        open_timeline(page, fake)
        assert page.evaluate(f"timeline.relation({later}, {first})") == "concurrent"
        script.events[first]["causes"] = [second]
        fake.amend(first)
        until(page, f"timeline.relation({first}, {second}) === 'past'")
        assert page.evaluate(f"timeline.relation({second}, {first})") == "future"
        assert page.evaluate(f"timeline.relation({later}, {first})") == "concurrent"


def test_the_light_cone_of_the_selected_event_is_shaded(page: Page, fake: Fake) -> None:
    """Selecting act 10 colours the lines before and after it."""
    open_timeline(page, fake)
    page.keyboard.press("0")
    frame(page)
    click_event(page, 10)
    frame(page)
    past, future = (page.evaluate(f"timeline.theme('{name}')") for name in ("past", "future"))
    before, after = (page.evaluate(f"timeline.position({n})") for n in (9, 18))
    assert pixels(page, before["x"] - 12, before["y"], past, around=4) > 16
    assert pixels(page, after["x"] - 12, after["y"], future, around=4) > 16
    assert page.locator("#cone-legend").is_visible()


def test_keys_move_the_selection_event_by_event(page: Page, fake: Fake) -> None:
    """Arrows, Home, End and the slider scrub; Shift stays on the line, up and down change it."""
    open_timeline(page, fake)
    assert page.evaluate("timeline.selected") is None
    steps = [
        ("End", 24),
        ("ArrowLeft", 23),
        ("ArrowLeft", 22),
        ("ArrowRight", 23),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("ArrowRight", 1),
        ("Shift+ArrowRight", 3),
        ("ArrowUp", 4),
        ("ArrowDown", 3),
    ]
    for key, expected in steps:
        page.keyboard.press(key)
        assert (key, page.evaluate("timeline.selected")) == (key, expected)
    assert page.locator("#position").inner_text().startswith("4 of 25")
    page.locator("#slider").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("timeline.selected") == 4
    page.locator("#slider").fill("12")
    assert page.evaluate("timeline.selected") == 12
    page.keyboard.press("Escape")
    assert page.evaluate("timeline.selected") is None


def test_the_selected_event_is_brought_into_view(page: Page) -> None:
    """Scrubbing through a long history moves the window along, and zooming keeps it there."""
    with Fake(large(600)) as fake:
        open_timeline(page, fake)
        page.keyboard.press("Home")
        frame(page)
        assert page.evaluate("timeline.seen[0]") == 0
        assert page.evaluate("timeline.following") is False
        page.keyboard.press("PageDown")
        frame(page)
        assert page.evaluate("timeline.selected") > 5
        for key in ("+", "+", "-", "0"):
            page.keyboard.press(key)
            frame(page)
            first, end = page.evaluate("timeline.seen")
            assert first <= page.evaluate("timeline.selected") < end
        assert page.evaluate("timeline.seen") == [0, len(fake.script.events)]
        assert page.evaluate("timeline.single") is False


def test_the_wheel_zooms_at_the_pointer_and_dragging_moves(page: Page) -> None:
    """The event under the pointer stays there; a drag moves all events by its length."""
    with Fake(large(600)) as fake:
        open_timeline(page, fake)
        page.keyboard.press("Home")
        page.keyboard.press("PageDown")
        frame(page)
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        n = page.evaluate("timeline.selected")
        page.evaluate("document.getElementById('canvas').focus()")
        at = page.evaluate(f"timeline.position({n})")
        page.mouse.move(box["x"] + at["x"], box["y"] + at["y"])
        gap = page.evaluate(f"timeline.position({n + 1}).x - timeline.position({n}).x")
        page.mouse.wheel(0, -120)
        until(page, f"timeline.position({n + 1}).x - timeline.position({n}).x > {gap} * 1.2")
        assert page.evaluate(f"timeline.position({n}).x") == pytest.approx(at["x"], abs=1)
        page.mouse.move(box["x"] + 300, box["y"] + 40)
        page.mouse.down()
        page.mouse.move(box["x"] + 340, box["y"] + 40, steps=2)
        page.mouse.move(box["x"] + 360, box["y"] + 40)
        page.mouse.up()
        frame(page)
        assert page.evaluate(f"timeline.position({n}).x") == pytest.approx(at["x"] + 60, abs=1)
        assert page.evaluate("timeline.selected") == n


def test_by_time_the_gaps_are_those_of_the_clock(page: Page, fake: Fake) -> None:
    """The axis switches to moments: 120 ms are eight times as wide as 15 ms."""
    open_timeline(page, fake)
    page.keyboard.press("t")
    frame(page)
    times = [event["time"] for event in fake.script.events]
    x = [page.evaluate(f"timeline.position({n}).x") for n in range(len(times))]
    scale = (x[-1] - x[0]) / (times[-1] - times[0])
    for n in range(1, len(times)):
        assert x[n] - x[n - 1] == pytest.approx((times[n] - times[n - 1]) * scale, abs=0.01)
    assert page.locator("#axis-time").get_attribute("aria-pressed") == "true"


def test_the_details_of_an_event(page: Page, fake: Fake) -> None:
    """Payload, diff, delta bytes, who won the conflict, concurrent acts, and who had it when."""
    open_timeline(page, fake)
    page.keyboard.press("0")
    frame(page)
    click_event(page, 10)
    pane = page.locator("#detail")
    pane.locator('[data-section="Payload"]').wait_for()
    assert pane.locator("h2").inner_text() == "todos/renamed"
    assert "oat milk" in pane.locator('[data-section="Payload"]').inner_text()
    assert texts(page, "#detail .before .scalar") == ['"milk"']
    assert texts(page, "#detail .after .scalar") == ['"oat milk"']
    assert texts(page, "#detail .conflict tr.won td:nth-child(2)") == ['"soy milk"']
    assert texts(page, "#detail .conflict tr.lost td:nth-child(2)") == ['"oat milk"']
    assert texts(page, "#detail .cones dd") == ["3", "2", "1"]
    assert texts(page, "#detail .events .event-link .muted") == ["#11", "#12"]
    who = page.locator("#detail .who tr").all_inner_texts()
    assert [row.split() for row in who] == [
        ["A", "+95", "ms", "#13"],
        ["B", "made", "it"],
        ["C", "+240", "ms", "#17"],
    ]
    pane.locator('[data-section="Delta bytes"] summary').click()
    first = pane.locator(".hex").inner_text().splitlines()[0]
    assert first.startswith("0000  5b 5b 22 6b 31 22 2c 20  22 6f 61 74")
    pane.locator(".events .event-link").first.click()
    assert page.evaluate("timeline.selected") == 11


def test_the_details_follow_what_happens(page: Page, fake: Fake) -> None:
    """Who got the selected act meanwhile is added where one reads."""
    n = fake.script.act("A", "counter/incremented", {"counter/value": 9})
    open_timeline(page, fake, f"#{n}")
    page.locator('#detail [data-section="Payload"]').wait_for()
    assert "has not got it" in page.locator("#detail .who tr").nth(1).inner_text()
    late = fake.script.deliver("B", n)
    fake.tell(late)
    page.locator("#detail .who tr").nth(1).get_by_text(f"#{late}").wait_for()
    assert "has not got it" in page.locator("#detail .who tr").nth(2).inner_text()


def test_a_delivery_shows_what_it_brought(page: Page, fake: Fake) -> None:
    """One delta with two actions in it lists both."""
    open_timeline(page, fake, "#18")
    until(page, "timeline.selected === 18")
    page.locator('#detail [data-section="What it brought"]').wait_for()
    labels = texts(page, '#detail [data-section="What it brought"] .label')
    assert labels == ["todos/renamed", "counter/incremented"]


def test_the_states_of_all_replicas_at_a_moment(page: Page, fake: Fake) -> None:
    """At event 12 the three replicas hold different titles; each state is asked for when opened."""
    open_timeline(page, fake, "#12")
    until(page, "timeline.selected === 12")
    page.locator("#tab-moment").click()
    boxes = page.locator("#moment details")
    until(page, "document.querySelectorAll('#moment details').length === 3")
    assert fake.asked("state") == []
    seen = []
    for index in range(3):
        boxes.nth(index).locator("summary").click()
        boxes.nth(index).locator(".tree").wait_for()
        boxes.nth(index).locator('[data-at="/todos/items"]').click()
        seen.append(boxes.nth(index).inner_text())
    assert ['"milk"' in seen[0], '"oat milk"' in seen[1], '"soy milk"' in seen[2]] == [True] * 3
    assert len(fake.asked("state")) == 3


def test_filters_hide_what_they_do_not_let_through(page: Page, fake: Fake) -> None:
    """By text, by slice and by replica; what is left moves together."""
    open_timeline(page, fake)
    page.keyboard.press("/")
    page.keyboard.type("RENAMED")
    until(page, "String(timeline.shown) === '10,11,13,17,18,19'")
    page.locator("#filter").fill("")
    until(page, "timeline.shown.length === 25")

    page.locator("#slices-button").click()
    page.locator("#slices").get_by_label("counter").uncheck()
    until(page, "timeline.shown.length < 25")
    assert 3 not in page.evaluate("timeline.shown")
    assert 10 in page.evaluate("timeline.shown")
    page.locator("#slices").get_by_label("counter").check()
    until(page, "timeline.shown.length === 25")
    page.keyboard.press("Escape")

    page.locator("#peers-button").click()
    page.locator("#peers").get_by_label("B", exact=True).uncheck()
    until(page, "timeline.shown.length < 25")
    replicas = {fake.script.events[n]["replica"] for n in page.evaluate("timeline.shown")}
    assert replicas == {fake.script.ids["A"], fake.script.ids["C"]}
    assert texts(page, "#lanes .replica-tag") == ["A", "C"]
    assert page.evaluate("timeline.position(10)") is None


def test_a_filter_that_lets_nothing_through_says_so(page: Page, fake: Fake) -> None:
    """Instead of an empty diagram there is a sentence."""
    open_timeline(page, fake)
    page.locator("#filter").fill("no such thing")
    until(page, "timeline.shown.length === 0")
    assert page.locator("#empty").inner_text() == "The filter lets no event through."


def test_exports_are_files(page: Page, fake: Fake) -> None:
    """The history, the replay test and each replica's log are downloaded under their names."""
    open_timeline(page, fake)
    names = []
    for item in ("History", "Replay test", "Redux log of B"):
        page.locator("#export-button").click()
        with page.expect_download() as waiting:
            page.locator("#export button", has_text=item).click()
        names.append(waiting.value.suggested_filename)
    assert names == ["history.json", "test.py", "log.json"]
    content = json.loads(waiting.value.path().read_text("utf-8"))
    assert content["replica"] == fake.script.ids["B"]


def test_the_list_has_the_same_events(page: Page, fake: Fake) -> None:
    """The table is the diagram in words; keys and clicks select in it."""
    open_timeline(page, fake)
    page.keyboard.press("l")
    assert page.locator("#diagram").is_hidden()
    page.keyboard.press("Home")
    assert page.locator("#list-scroller .row[aria-selected=true]").get_attribute("data-n") == "0"
    page.keyboard.press("ArrowDown")
    assert page.evaluate("timeline.selected") == 1
    page.locator('#list-scroller .row[data-n="11"]').click()
    assert page.evaluate("timeline.selected") == 11
    cells = page.locator('#list-scroller .row[data-n="11"] [role=gridcell]').all_inner_texts()
    assert cells[0] == "11"
    assert cells[2:4] == ["C", "action"]
    assert "conflict" in cells[4]
    cut = page.locator('#list-scroller .row[data-n="6"]').inner_text()
    assert "link to C cut" in cut


def test_it_follows_what_happens_until_one_looks_elsewhere(page: Page, fake: Fake) -> None:
    """New events move the window along; while looking elsewhere they are counted."""
    open_timeline(page, fake)
    assert page.evaluate("timeline.following") is True
    n = fake.script.act("A", "counter/incremented", {"counter/value": 9})
    fake.tell(n)
    until(page, f"timeline.seen[1] === {n + 1}")
    page.keyboard.press("Home")
    for _ in range(4):
        page.keyboard.press("+")
    frame(page)
    assert page.evaluate("timeline.following") is False
    seen = page.evaluate("timeline.seen")
    one, two = (fake.script.act("B", "counter/incremented", {"counter/value": k}) for k in (7, 8))
    fake.tell(one)
    until(page, f"timeline.end === {two + 1}")
    until(page, "document.getElementById('follow').textContent === '2 new'")
    assert page.evaluate("timeline.seen") == seen
    page.locator("#follow").click()
    until(page, f"timeline.seen[1] === {two + 1}")
    assert page.locator("#follow").inner_text() == "Following"


def test_an_amended_event_is_shown_as_it_is_now(page: Page, fake: Fake) -> None:
    """A conflict found later is one of both acts, also where only one of them tells of it."""
    open_timeline(page, fake)
    page.keyboard.press("l")
    page.keyboard.press("Home")
    for n in (3, 12):
        assert page.locator(f'.row[data-n="{n}"] .conflict-badge').count() == 0
    fake.script.conflict("counter/value", 3, 12)
    fake.amend(12)
    for n in (3, 12):
        page.locator(f'.row[data-n="{n}"] .conflict-badge').wait_for()
    fake.script.events[12]["conflicts"] = []
    fake.amend(12)
    for n in (3, 12):
        page.locator(f'.row[data-n="{n}"] .conflict-badge').wait_for(state="detached")


def test_a_lost_connection_is_said_and_made_again(page: Page, fake: Fake) -> None:
    """A banner tells of it; after it only what was missed is asked for."""
    open_timeline(page, fake)
    assert page.locator("#banner").is_hidden()
    fake.drop(refuse=True)
    page.locator("#banner").wait_for(state="visible")
    assert "lost" in page.locator("#banner").inner_text()
    n = fake.script.act("C", "counter/incremented", {"counter/value": 5})
    fake.open = True
    until(page, f"timeline.end === {n + 1}")
    page.locator("#banner").wait_for(state="hidden")
    assert [message["n"] for message in fake.asked("since")] == [n - 1]


@pytest.mark.parametrize("length", [3, 30])
def test_another_history_after_a_lost_connection_replaces_the_first(
    page: Page, fake: Fake, length: int
) -> None:
    """A program that was started anew begins at event 0: nothing of the old one stays."""
    open_timeline(page, fake)
    fake.drop(refuse=True)
    page.locator("#banner").wait_for(state="visible")
    script = Script(["X", "Y"])
    for value in range(length):
        script.act("X", "other/thing", {"other/value": value})
    fake.script = script
    fake.open = True
    until(page, f"timeline.end === {length} && timeline.shown.length === {length}")
    assert texts(page, "#lanes .replica-tag") == ["X", "Y"]


def test_a_history_whose_beginning_was_let_go(page: Page) -> None:
    """The first events are not kept by the server any more: the page begins with the others."""
    with Fake(large(300)) as fake:
        fake.first = 200
        open_timeline(page, fake)
        assert page.evaluate("timeline.shown[0]") == 200
        page.keyboard.press("Home")
        frame(page)
        assert page.evaluate("timeline.selected") == 200
        assert page.evaluate("timeline.relation(250, 250)") == "self"
        fake.drop(refuse=True)
        page.locator("#banner").wait_for(state="visible")
        for value in range(100):
            fake.script.act("A", "other/thing", {"other/value": value})
        fake.first = fake.script.act("A", "other/last", {"other/value": 100}) - 10
        fake.open = True
        until(page, f"timeline.end === {len(fake.script.events)}")
        until(page, f"timeline.shown[0] === {fake.first}")


@pytest.mark.parametrize("path", ["/timeline", "/", "/bridge"])
def test_hostile_texts_stay_texts(page: Page, path: str) -> None:
    """Names, labels, payloads, keys and errors with markup in them are shown as they are."""
    script = Script([HOSTILE, "B"])
    n = script.act(
        HOSTILE, HOSTILE, {f"{HOSTILE.replace('/', '|')}/key": HOSTILE}, payload={HOSTILE: HOSTILE}
    )
    script.deliver("B", n)
    if path == "/bridge":
        page.add_init_script(EXTENSION)
    with Fake(script) as fake:
        page.goto(fake.url + path)
        page.get_by_text("<img src=x").locator("visible=true").first.wait_for()
        if path == "/timeline":
            until(page, "window.timeline && timeline.end === 2")
            page.keyboard.press("Home")
            page.locator('#detail [data-section="Payload"]').wait_for()
            page.keyboard.press("l")
            page.locator("#tab-moment").click()
        elif path == "/":
            for tab in ("action", "diff", "state"):
                page.locator(f"#tab-{tab}").click()
                page.locator(f"#panel-{tab} ul").first.wait_for()
        assert page.locator("img, body script").count() == 0
        assert "owned" not in page.title()


def test_dark_and_light(browser: Browser, fake: Fake) -> None:
    """The system's theme is used until one is chosen, which lasts over a reload."""
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    open_timeline(page, fake)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    assert sum(int(part) for part in dark[4:-1].split(",")) < 150
    assert page.evaluate("timeline.theme('ground')") == dark
    page.locator("#theme").click()
    light = page.evaluate(ground)
    assert sum(int(part) for part in light[4:-1].split(",")) > 600
    assert page.evaluate("timeline.theme('ground')") == light
    page.reload()
    until(page, "window.timeline && timeline.end >= 25")
    assert page.evaluate(ground) == light
    context.close()


def test_ten_thousand_events_are_drawn_within_a_frame(page: Page) -> None:
    """Whatever is in view, what is drawn is bounded: the page draws as pans and zooms ask it to."""
    with Fake(large(10_000)) as fake:
        open_timeline(page, fake)
        page.keyboard.press("0")
        frame(page)
        assert page.evaluate("timeline.seen") == [0, len(fake.script.events)]
        assert page.evaluate("timeline.single") is False
        for name in "ABCDE":
            replica = fake.script.ids[name]
            colour = page.evaluate(f"timeline.colour('{replica}')")
            act = next(e["n"] for e in fake.script.events[5000:] if e["replica"] == replica)
            at = page.evaluate(f"timeline.position({act})")
            assert pixels(page, at["x"], at["y"], colour) > 20
        page.keyboard.press("Home")
        page.evaluate("document.getElementById('canvas').focus()")
        for key in ("+", "+", "+", "PageDown", "ArrowRight", "t", "+", "+", "ArrowRight"):
            page.keyboard.press(key)
            frame(page)
        first, end = page.evaluate("timeline.seen")
        assert first <= page.evaluate("timeline.selected") < end


# ---- the inspector ----


def open_inspector(page: Page, fake: Fake, fragment: str = "") -> None:
    """Open the inspector and wait for the actions of its replica."""
    page.goto(f"{fake.url}/{fragment}")
    page.locator("#actions .row").first.wait_for()


def test_the_inspector_lists_a_replicas_actions(page: Page, fake: Fake) -> None:
    """What replica A did and got, in its order; another replica is chosen by a click or by keys."""
    open_inspector(page, fake)
    assert texts(page, "#actions .label") == [
        "todos/added(title='milk')",
        "counter/incremented",
        "counter/incremented",
        "todos/renamed",
        "@@sync/merged(2 actions)",
        "todos/toggled",
    ]
    page.locator("#replicas button", has_text="C").click()
    until(page, "document.querySelectorAll('#actions .row').length === 7")
    page.locator("#replicas [aria-checked=true]").focus()
    page.keyboard.press("ArrowUp")
    until(page, "document.querySelector('#replicas [aria-checked=true]').innerText.includes('B')")
    page.locator("#filter").fill("toggled")
    until(page, "document.querySelectorAll('#actions .row').length === 1")


def test_action_state_and_diff_of_an_action(page: Page, fake: Fake) -> None:
    """The three tabs show the chosen action; the state opens piece by piece."""
    open_inspector(page, fake)
    page.locator("#actions").focus()
    page.keyboard.press("Home")
    page.locator("#tab-action").click()
    page.locator("#panel-action .tree").wait_for()
    assert '"milk"' in page.locator("#panel-action").inner_text()
    page.locator("#tab-action").press("ArrowRight")
    page.locator("#panel-state .tree").wait_for()
    twig = page.locator('#panel-state [data-at="/todos/items/k1"]')
    assert twig.get_attribute("aria-expanded") == "false"
    assert texts(page, "#panel-state .leaf") == []
    twig.click()
    assert texts(page, "#panel-state .leaf .key") == ["title", "done"]
    assert texts(page, "#panel-state .leaf .scalar") == ['"milk"', "false"]
    page.locator("#tab-diff").click()
    page.locator("#panel-diff .changes").wait_for()
    assert len(texts(page, "#panel-diff .change.added")) == 2


def test_a_jump_is_a_look(page: Page, fake: Fake) -> None:
    """The old state is shown under a notice, and nothing is dispatched."""
    open_inspector(page, fake)
    until(page, "document.querySelector('#panel-state .tree')?.innerText.includes('3')")
    page.locator("#actions .row").nth(1).click()
    page.locator("#jump").click()
    page.locator("#look").wait_for(state="visible")
    until(page, "!document.querySelector('#panel-state .tree').innerText.includes('3')")
    assert fake.asked("dispatch") + fake.asked("revert") == []
    page.locator("#look-end").click()
    page.locator("#look").wait_for(state="hidden")
    until(page, "document.querySelector('#panel-state .tree').innerText.includes('3')")


def test_the_dispatcher_sends_text_and_shows_errors(page: Page, fake: Fake) -> None:
    """What was typed is sent as it is; a refusal is shown, an action appears in the list."""
    open_inspector(page, fake)
    page.locator("#text").fill("alert(1)")
    page.locator("#dispatch").click()
    until(page, "document.getElementById('dispatched').className === 'error'")
    assert "an action has a type" in page.locator("#dispatched").inner_text()
    page.locator("#text").fill("{type: 'typed/dispatched'}")
    page.locator("#text").press("Control+Enter")
    page.locator("#actions .label", has_text="typed/dispatched").wait_for()
    sent = fake.asked("dispatch")
    assert [message["text"] for message in sent] == ["alert(1)", "{type: 'typed/dispatched'}"]
    assert {message["replica"] for message in sent} == {fake.script.ids["A"]}


def test_reverting_asks_first(page: Page, fake: Fake) -> None:
    """Nothing is sent until one says yes."""
    open_inspector(page, fake)
    page.locator("#actions .row").nth(2).click()
    page.locator("#revert").click()
    page.locator("#confirm-no").click()
    assert fake.asked("revert") == []
    page.locator("#revert").click()
    assert page.locator("#confirm-text").inner_text() == "counter/incremented"
    page.locator("#confirm-yes").click()
    page.locator("#actions .label", has_text="@@devtools/revert").wait_for()
    assert [message["n"] for message in fake.asked("revert")] == [8]


@pytest.mark.parametrize("built", [True, False])
def test_the_inspector_says_how_redux_devtools_is_built(page: Page, built: bool) -> None:
    """The note is there only where the bundle is not."""
    with Fake(small(), redux=built) as fake:
        open_inspector(page, fake)
        assert page.locator("#redux-note").is_visible() is not built
        assert page.locator('nav a[href="redux/"]').count() == 1


# ---- the bridge ----


def test_the_bridge_says_when_there_is_no_extension(page: Page, fake: Fake) -> None:
    """Without the extension there is a plain sentence, and nothing is asked of the program."""
    page.goto(f"{fake.url}/bridge")
    assert "not installed" in page.locator("#extension-title").inner_text()
    assert fake.asked("state") == []


def test_the_bridge_feeds_the_extension(page: Page, fake: Fake) -> None:
    """Each replica is an instance with its own records in order, each with the state after it."""
    page.add_init_script(EXTENSION)
    page.goto(f"{fake.url}/bridge")
    until(page, "said.filter((one) => one.name === 'A').length === 7")
    said = [one for one in page.evaluate("said") if one["name"] == "A"]
    assert said[0]["init"] == {}
    assert said[0]["options"]["instanceId"] == fake.script.ids["A"]
    assert said[0]["options"]["features"]["skip"] is False
    actions = [one["action"]["action"]["type"] for one in said[1:]]
    assert actions == [
        "todos/added",
        "counter/incremented",
        "counter/incremented",
        "todos/renamed",
        "@@sync/merged",
        "todos/toggled",
    ]
    assert said[1]["action"]["timestamp"] == fake.script.events[0]["time"]
    assert said[1]["action"]["action"]["payload"] == {"id": "k1", "title": "milk"}
    assert said[1]["state"]["todos"]["items"]["k1"]["title"] == "milk"
    assert said[-1]["state"]["counter"]["value"] == 3
    n = fake.script.act("A", "counter/incremented", {"counter/value": 4})
    fake.tell(n)
    until(page, "said.filter((one) => one.name === 'A').at(-1).state.counter.value === 4")


def test_the_extension_looks_and_dispatches(page: Page, fake: Fake) -> None:
    """A jump is shown as a look, an action is dispatched, and what would rewrite is refused."""
    page.add_init_script(EXTENSION)
    page.goto(f"{fake.url}/bridge")
    until(page, "Object.keys(listeners).length === 3")

    def tell(message: dict[str, Any]) -> None:
        page.evaluate("(message) => listeners.B(message)", message)

    jump = {"type": "JUMP_TO_STATE", "actionId": 1, "index": 1}
    tell({"type": "DISPATCH", "payload": jump, "state": '{"counter":{"value":1}}'})
    row = page.locator(f'[data-replica="{fake.script.ids["B"]}"]')
    row.get_by_text("counter").wait_for()
    assert fake.asked("dispatch") == []
    tell({"type": "ACTION", "payload": "{type: 'typed/dispatched'}"})
    page.get_by_text("B dispatched").wait_for()
    assert [one["replica"] for one in fake.asked("dispatch")] == [fake.script.ids["B"]]
    tell({"type": "DISPATCH", "payload": {"type": "ROLLBACK"}, "state": "{}"})
    page.get_by_text("ROLLBACK cannot be done").wait_for()


# ---- the files ----


def test_no_page_has_inline_code_or_reaches_elsewhere() -> None:
    """Scripts and styles are files of our own: a strict content policy holds for all of them."""
    for path in PAGES.iterdir():
        text = path.read_text("utf-8")
        assert "innerHTML" not in text
        if path.suffix == ".html":
            assert "style=" not in text
            assert " onclick" not in text
            assert text.count("<script") == text.count("<script ") == 2
            assert "default-src 'self'; connect-src 'self' ws:" in text
        if path.suffix != ".svg":
            assert "http://" not in text.replace('"http://www.w3.org', "")
            assert "https://" not in text
