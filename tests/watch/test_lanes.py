"""The timeline in characters."""

from __future__ import annotations

import pytest

from sync.watch.lanes import ASCII, UNICODE, Lanes, Marks
from tests.watch.feed import A, B, C, act, deliver, event, events, told


def _rows(lanes: Lanes, online: set[str]) -> list[str]:
    model = told(
        events(
            act(0, A, "n/add"),
            deliver(1, C, [0], A, "n/add"),
            deliver(2, A, [], C, "n/add"),
            event(3, "cut", A, peer=C),
            event(4, "heal", C, peer=A),
            event(5, "join", B),
            event(6, "leave", B),
        )
    )
    return ["".join(cell.mark for cell in lanes.row(each, online)) for each in model]


@pytest.mark.parametrize(
    ("marks", "rows"),
    [
        (UNICODE, ["● ┊ │ ", "│─┼─○ ", "○─┼─│ ", "× ┊ × ", "◇─┼─◇ ", "│ ┬ │ ", "│ ┴ │ "]),
        (ASCII, ["* : | ", "|-+-o ", "o-+-| ", "x : x ", "+-+-+ ", "| v | ", "| ^ | "]),
    ],
)
def test_each_kind_of_event_has_its_mark(marks: Marks, rows: list[str]) -> None:
    """Deliveries come from the column of who made them, and who is offline has a broken line."""
    assert _rows(Lanes([A, B, C], A, 20, marks, merged=False), {A, C}) == rows


def test_a_list_of_one_peer_shows_where_deliveries_come_from() -> None:
    """The act has no row of its own there."""
    assert _rows(Lanes([A, B, C], A, 20, UNICODE, merged=True), {A, B, C})[1] == "●─┼─○ "


def test_columns_move_together_when_there_is_little_room() -> None:
    """And if even that is not enough, the chosen peer's is among those that are shown."""
    lanes = Lanes([A, B, C], A, 4, UNICODE, merged=False)
    assert (_rows(lanes, {A, C})[1], lanes.width) == ("│┼○", 3)
    lanes = Lanes([A, B, C], C, 2, UNICODE, merged=False)
    assert lanes.replicas == (A, C)
    assert _rows(lanes, {A, C})[:3] == ["●│", "│○", "○│"]


@pytest.mark.parametrize(
    ("names", "letters"),
    [
        (("A", "B"), "AB"),
        (("one", ""), "o?"),
        (("peer 1", "peer 2"), "12"),
        (("P", "P2"), "P2"),
        (("日本", "x"), "~x"),
    ],
)
def test_the_heading_has_a_letter_of_each_name(names: tuple[str, str], letters: str) -> None:
    """One that tells them apart, if there is one, and that is as wide as a column."""
    lanes = Lanes([A, B], A, 2, ASCII, merged=False)
    assert "".join(cell.mark for cell in lanes.heading(names)) == letters


def test_what_happens_to_somebody_without_a_column_leaves_the_others_alone() -> None:
    """Their lines go on."""
    lanes = Lanes([B], B, 2, UNICODE, merged=False)
    assert _rows(lanes, {B})[:2] == ["│ ", "│ "]
