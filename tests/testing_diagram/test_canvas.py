"""Tests of lines that join or cross."""

from __future__ import annotations

from crdtstore.testing.diagram.canvas import DOWN, UP, Canvas, styled, to_ascii


def page(canvas: Canvas, rows: int, *, colour: bool = False, ascii: bool = False) -> str:
    return "\n".join(canvas.lines(range(rows), colour=colour, ascii=ascii))


def test_lines_that_are_not_joined_pass_behind() -> None:
    """A crossing shows the vertical line; a join shows a branch."""
    canvas = Canvas()
    for row in range(3):
        canvas.vertical(row, 2, UP | DOWN)
    canvas.horizontal(0, 0, 4)
    canvas.horizontal(1, 2, 4)
    canvas.join(1, 2)
    canvas.horizontal(2, 0, 4)
    canvas.join(2, 2)
    assert page(canvas, 3) == "╶─│─╴\n  ├─╴\n╶─┼─╴"
    assert page(canvas, 3, ascii=True) == "--|--\n  +--\n--+--"


def test_corners_are_round() -> None:
    """A line that turns goes on where it came from."""
    canvas = Canvas()
    canvas.horizontal(0, 0, 2)
    canvas.vertical(0, 2, DOWN)
    canvas.join(0, 2)
    canvas.vertical(1, 2, UP)
    canvas.horizontal(1, 2, 4)
    canvas.join(1, 2)
    canvas.sign(0, 0, "●")
    canvas.sign(1, 3, "▶")
    assert page(canvas, 2) == "●─╮\n  ╰▶╴"


def test_signs_lie_over_lines_and_fills_under_them() -> None:
    """A wall never hides an arrow, and an event is never hidden."""
    canvas = Canvas()
    for column in range(3):
        canvas.fill(0, column, "░")
    canvas.vertical(0, 1, UP | DOWN)
    canvas.vertical(0, 2, UP | DOWN)
    canvas.sign(0, 2, "●")
    canvas.text(0, 5, "words")
    assert page(canvas, 2) == "░│●  words\n"


def test_colours_come_only_when_asked_for() -> None:
    """Without them there is no escape in the page; blanks are never coloured."""
    canvas = Canvas()
    canvas.sign(0, 0, "●", "act")
    assert page(canvas, 1) == "●"
    assert page(canvas, 1, colour=True) == "\x1b[1;32m●\x1b[0m"
    assert styled("  ", "dim", True) == "  "


def test_every_sign_has_its_ascii() -> None:
    """What a diagram is made of can be said in ASCII, character by character."""
    signs = "╵╶╰╷│╭├╴╯─┴╮┤┬┼●○◌✗▲↺◈◷▶◀┊⋮░╌×═━┿·"
    assert to_ascii(signs).isascii()
    assert len(to_ascii(signs)) == len(signs)
