"""Tests of pictures: well-formed whatever a label holds, and complete."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given

from crdtstore.testing.diagram import as_svg
from crdtstore.testing.diagram.layout import lay_out
from crdtstore.testing.diagram.lettering import lines
from crdtstore.testing.history import Broken, History
from tests.testing_diagram.histories import (
    NASTY,
    Run,
    histories,
    long_one,
    plainly,
    two_sales,
    with_faults,
)

SVG = "{http://www.w3.org/2000/svg}"


def parsed(history: History) -> ET.Element:
    return ET.fromstring(as_svg(history).encode())


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [each for each in root.iter() if name in each.get("class", "").split()]


def words(root: ET.Element) -> str:
    return "\n".join("".join(each.itertext()) for each in root.iter(f"{SVG}text"))


@given(histories())
def test_every_event_and_every_arrow_is_drawn_once(history: History) -> None:
    """The picture is well-formed XML with one box an event and one line an arrow."""
    root = parsed(history)
    numbers = [int(each.get("data-number", "")) for each in of_class(root, "event")]
    assert numbers == [event.number for event in history.events]
    arrows = [(each.get("data-from"), each.get("data-to")) for each in of_class(root, "arrow")]
    expected = [(str(a.source), str(a.target)) for a in lay_out(history).arrows]
    assert arrows == expected


@given(histories())
def test_a_label_adds_no_element(history: History) -> None:
    """However it is spelled, it stays text: the elements are those of a harmless history."""
    elements = [each.tag for each in of_class(parsed(history), "event")]
    assert elements == [each.tag for each in of_class(parsed(plainly(history)), "event")]
    root = parsed(history)
    known = "svg title style rect g text script defs marker path pattern line circle"
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= set(known.split())
    assert len(list(root.iter(f"{SVG}script"))) == 1
    assert not [name for each in root.iter() for name in each.attrib if name.startswith("on")]


@given(histories())
def test_the_history_can_be_taken_out_again(history: History) -> None:
    """The JSON in the picture is the history, to the last character."""
    (script,) = parsed(history).iter(f"{SVG}script")
    assert script.get("id") == "history"
    assert script.get("type") == "application/json"
    assert History.from_json(script.text or "") == history


@given(histories())
def test_boxes_of_one_lane_do_not_overlap(history: History) -> None:
    """As drawn, not only as planned."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for box in of_class(parsed(history), "box"):
        y, height = float(box.get("y", "")), float(box.get("height", ""))
        spans.setdefault(box.get("x", ""), []).append((y, y + height))
    for found in spans.values():
        ends = [value for span in found for value in span]
        assert ends == sorted(ends)


@given(histories())
def test_the_same_history_gives_the_same_picture(history: History) -> None:
    """A picture depends on its history alone, and asks for nothing else."""
    svg = as_svg(history)
    assert as_svg(History.from_json(history.to_json())) == svg
    outside = re.sub(r"<script.*?</script>|<title.*?</title>|<text.*?</text>", "", svg, flags=re.S)
    assert re.findall(r"https?://\S+?\"", outside) == ['http://www.w3.org/2000/svg"']
    assert set(re.findall(r"url\([^)]*\)", outside)) <= {"url(#history-head)", "url(#history-wall)"}


def test_it_says_what_the_text_says() -> None:
    """What broke, every label, what is held, and the line that runs it again."""
    history = two_sales()
    root = parsed(history)
    said = words(root)
    assert "✗ stock_is_never_negative broke at B after event 2" in said
    assert "stock is -1" in said
    assert "A holds at the break\nstock: 2\nB holds at the break\nstock: -1" in said
    assert "A, B hold at the end\nstock: -1" in said
    assert f"Replay\n{history.replay}" in said
    (broken,) = of_class(root, "broken")
    assert broken.get("id") == "event-2"
    assert len(of_class(root, "tag")) == 1


def test_faults_are_drawn() -> None:
    """A partition is a wall, a crash a gap, what changed nothing is marked."""
    root = parsed(with_faults())
    assert len(of_class(root, "partition")) == 1
    assert len(of_class(root, "gap")) == 1
    assert [each.get("id") for each in of_class(root, "unchanged")] == ["event-10", "event-17"]
    title = of_class(root, "event")[10].find(f"{SVG}title")
    assert title is not None
    assert title.text == "\n".join(
        [
            "10 at C: sold(pieces=9) (changed nothing)",
            "directly after 9",
            "ValueError: not that many",
        ]
    )


def test_a_break_once_all_is_quiet_closes_the_lanes() -> None:
    """It is said below the last event."""
    run = Run("A", "B")
    run.act("A")
    root = parsed(run.history(broken=(Broken(1, "", "all equal", ""), Broken(1, "B", "b", ""))))
    assert "✗ once quiet, between replicas: all equal\n✗ once quiet, at B: b" in words(root)
    assert len(of_class(root, "end")) == 1


def test_names_are_said_again_in_a_long_picture() -> None:
    """One who scrolls down still knows whose lane it is."""
    assert len(of_class(parsed(long_one(10, 10)), "name")) == 3
    assert len(of_class(parsed(long_one(60, 60)), "name")) > 3


def test_nasty_labels_are_shown() -> None:
    """In the title of their events, made visible."""
    run = Run("A")
    for label in NASTY:
        run.act("A", label)
    titles = [each.findtext(f"{SVG}title", "") for each in of_class(parsed(run.history()), "event")]
    for number, (title, label) in enumerate(zip(titles, NASTY, strict=True)):
        shown = "\n".join(lines(label))
        assert title.startswith(f"{number} at A: {shown}"[:1_990])
