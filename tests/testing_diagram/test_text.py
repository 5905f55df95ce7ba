"""Tests of diagrams for a terminal: a few in full, and all others read back line by line."""

from __future__ import annotations

import re
import textwrap

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.testing.diagram import as_text
from crdtstore.testing.diagram.layout import lay_out
from crdtstore.testing.diagram.lettering import cells, visible
from crdtstore.testing.history import Broken, History
from tests.testing_diagram.histories import (
    NASTY,
    Run,
    histories,
    long_one,
    two_sales,
    with_faults,
)


def golden(text: str) -> str:
    """A diagram as it stands in a test: without the indent, the first and the last line end."""
    return textwrap.dedent(text).strip("\n") + "\n"


def test_two_sales_of_the_last_pieces() -> None:
    """What broke, the lanes, who knew of whom, what is held, how to run it again."""
    assert as_text(two_sales(), width=80) == golden("""
        ✗ stock_is_never_negative broke at B after event 2

           A         B
        0  ●         │  A  sold(pieces=3)
        1  │         ●  B  sold(pieces=3)
        2  ├────────▶○  B  from A: 1 delta
        ━━━┿━━━━━━━━━┿━ BROKEN at B: stock_is_never_negative
           │         │  stock is -1

        ● an action   ○ something arrives

        Neither knew of the other
          0 A sold(pieces=3) ∥ 1 B sold(pieces=3)

        At the break
          A  stock: 2
          B  stock: -1

        At the end
          A, B  stock: -1

        Replay
          pytest tests/test_shop.py --crdtstore-replay=AXicY2BgYGAEAAAFAAI=
    """)


def test_everything_that_can_happen() -> None:
    """A cut is a wall, a crash a gap, a late arrow a line of its own, a long label a number."""
    assert as_text(with_faults(), width=80) == golden("""
        ✗ stock_is_never_negative broke at A after event 15

            A         B         C
         0  ●         │         │  A  delivered(pieces=5)
         1  ├────────▶○         │  B  from A: 1 delta
         2  ├─────────│────────▶○  C  from A: 1 delta
         3  ├╌╌╌╌×╌╌╌╌┤         │  A  cut A–B
         4  ●─╮     ░ │         │  A  sold(pieces=3)
         5  │ │╭──────●         │  B  sold(pieces=3)
         6  │ ││    ░ ◷         │  B  clock +1 day
         7  │ ││    ░ │         ✗  C  crash
         8  ●─││╮   ░ │         ┊  A  renamed(key='k-7f', name='A very long name which …
         9  │ │││   ░ │         ▲  C  restart
        10  │ │││   ░ │         ◌  C  sold(pieces=9) (changed nothing)
        11  │ ╰││─────│────────▶○  C  from A: 1 delta
        12  │  ││   ░ ↺         │  B  backup from 1 commits ago
        13  ├──││─────│────────▶◈  C  copy of A's file
        14  ├══││═════┤         │  A  heal A–B
        15  ○◀─╯│     │         │  A  from B: 1 delta
        ━━━━┿━━━┿━━━━━┿━━━━━━━━━┿━ BROKEN at A: stock_is_never_negative
            │   │     │         │  assert -1 >= 0
            │   │     │         │    where -1 = stock
        16  │   ├────▶○         │  B  from A: 2 deltas
        17  │   ╰────▶◌         │  B  from A: 2 deltas (changed nothing)

        ● an action   ○ something arrives   ✗ a crash   ▲ a restart
        ↺ a backup restored   ◈ a file copied   ◷ the clock jumps   ◌ changed nothing

        Neither knew of the other
          5 B sold(pieces=3) ∥ 8 A renamed(key='k-7f', name='A ver…
          4 A sold(pieces=3) ∥ 5 B sold(pieces=3)

        Broken later
          stock_is_never_negative at B after event 16: and again

        At the break
          A     {'stock': -1}
          B, C  {'stock': 2}

        At the end
          A, B, C  {'stock': -1,
                    'names': []}

        In full
          8  renamed(key='k-7f', name='A very long name which goes on and on')
    """)


def test_five_replicas_in_sixty_columns_of_ascii() -> None:
    """Lanes come closer, signs are plain; a break once all is quiet closes the lanes."""
    run = Run(*"ABCDE")
    first = run.act("A", "set(colour='größe')")
    second = run.act("C", "add()")
    run.deliver("E", first)
    run.deliver("D", second)
    run.add("sync", "C", "pulls what it lacks from E", 2, peer="E")
    run.act("A", "add()")
    run.deliver("B", second, first)
    history = run.history(broken=(Broken(7, "", "all replicas are equal", "A and B differ"),))
    assert as_text(history, width=60, ascii=True) == golden(r"""
        X all replicas are equal broke between replicas once all was
        quiet

           A   B   C   D   E
        0  *-+ |   |   |   |  A  set(colour='gr\xf6\xdfe')
        1  | | | +-*   |   |  C  add()
        2  +-|-|-|-|---|-->o  E  from A: 1 delta
        3  | | | | +-->o   |  D  from C: 1 delta
        4  | | | | o<--|---+  C  pulls what it lacks from E
        5  * | | | |   |   |  A  add()
        6  | +>o<+ |   |   |  B  from A: 2 deltas
        ===+===+===+===+===+= BROKEN between replicas once all was
           |   |   |   |   |  quiet: all replicas are equal
           |   |   |   |   |  A and B differ

        * an action   o something arrives

        Neither knew of the other
          1 C add() || 5 A add()
          0 A set(colour='gr\xf6\... || 1 C add()
    """)


def test_a_long_history_leaves_out_what_is_far_from_the_break() -> None:
    """Beginning, end and what led to the break are shown; runs are counted."""
    text = as_text(long_one(300, 200), width=80)
    assert "160 events left out (4 to 163)" in text
    assert "89 events left out (207 to 295)" in text
    assert re.search(r"^200 .*added\(number=200\)$", text, re.M)
    assert re.search(r"^━.*BROKEN at B: adds_up$", text, re.M)
    assert len(text.splitlines()) < 90


def test_nothing_broke() -> None:
    """A history that holds, and one in which nothing happened, can be drawn, too."""
    assert as_text(Run("A").history(), width=80) == "nothing broke\n"
    run = Run("A")
    run.act("A", "add()")
    assert as_text(run.history(holds={"A": "1"}), width=80) == golden("""
        nothing broke

           A
        0  ●  A  add()

        ● an action

        At the end
          A  1
    """)


def test_it_is_never_narrower_than_sixty_columns() -> None:
    """The width of the terminal counts, down to where nothing would be readable."""
    assert as_text(with_faults(), width=10) == as_text(with_faults(), width=60)


@given(histories(), st.integers(60, 130), st.booleans())
def test_lines_fit(history: History, width: int, ascii: bool) -> None:
    """No line is wider than asked, but for the one that runs it again."""
    text = as_text(history, width=width, ascii=ascii)
    assert text.isascii() or not ascii
    replay = "  " + visible(history.replay, ascii=ascii)
    for line in text.splitlines():
        assert cells(line) <= width or line == replay
        assert visible(line) == line


@given(histories())
def test_colours_change_nothing_but_colours(history: History) -> None:
    """Without its escapes the coloured diagram is the plain one."""
    coloured = as_text(history, width=90, colour=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == as_text(history, width=90)


@given(histories())
def test_the_same_history_gives_the_same_text(history: History) -> None:
    """A diagram depends on its history alone."""
    again = History.from_json(history.to_json())
    assert as_text(again, width=80) == as_text(history, width=80)


def test_nasty_labels_stay_in_their_lines() -> None:
    """Each is shown, harmlessly, and in full below if it is long."""
    run = Run("A")
    for label in NASTY:
        run.act("A", label)
    text = as_text(run.history(), width=100)
    assert "\x1b" not in text
    for label in NASTY[:-1]:
        assert visible(label) in text
    assert text.count("x") >= 10_000


def read_back(text: str, history: History) -> set[tuple[int, int]]:
    """The arrows of a drawing, found by following its lines from their heads."""
    lines = text.splitlines()
    top = next(n for n, line in enumerate(lines) if n and line.startswith("   "))
    columns = {name: lines[top].index(name) for name in history.replicas}
    grid: list[str] = []
    last_at: list[dict[int, int]] = []
    events: dict[int, int] = {}
    last: dict[int, int] = {}
    for line in lines[top + 1 :]:
        if not line:
            break
        found = re.match(r" *(\d+) ", line)
        if found:
            number = int(found[1])
            events[len(grid)] = number
            last = last | {columns[history.events[number].replica]: number}
        last_at.append(last)
        grid.append(line.ljust(200))
    up, left, right = "╰├╯┴┤┼", "┤┴┼", "├┴┼"

    def level(row: int, column: int, step: int) -> set[int]:
        """Where a level line comes from, on that side of a column."""
        sources: set[int] = set()
        while True:
            column += step
            sign = grid[row][column]
            if sign in "─│":
                continue
            if column in columns.values():
                sources.add(last_at[row][column])
            else:
                sources |= climb(row, column)
            if sign not in (left if step < 0 else right):
                return sources

    def climb(row: int, column: int) -> set[int]:
        """Where a line beside a lane comes from."""
        assert grid[row][column] in up, (row, column)
        row -= 1
        while grid[row][column] in "│├┤┼┿":
            row -= 1
        assert grid[row][column] in "╭╮", (row, column)
        step = 1 if grid[row][column] == "╭" else -1
        while column + step not in columns.values():
            column += step
            assert grid[row][column] in "─│", (row, column)
        return {last_at[row][column + step]}

    arrows: set[tuple[int, int]] = set()
    for row, number in events.items():
        lane = columns[history.events[number].replica]
        for step, head in ((-1, "▶"), (1, "◀")):
            if grid[row][lane + step] == head:
                arrows |= {(source, number) for source in level(row, lane + step, step)}
    return arrows


@given(histories(st.just("did()"), most=30))
def test_the_arrows_can_be_read_back(history: History) -> None:
    """One who follows the lines finds who knew of whom: no arrow more, none fewer."""
    if not history.events:
        return
    text = as_text(history, width=400)
    arrows = lay_out(history, one_a_row=True).arrows
    assert read_back(text, history) == {(a.source, a.target) for a in arrows}


@given(histories(st.just("did()"), most=40))
def test_an_arrow_without_room_is_said_in_words(history: History) -> None:
    """Drawn or said: however narrow, every arrow is there."""
    if not history.events:
        return
    text = as_text(history, width=60)
    said = {
        (int(source), int(found[1]))
        for found in re.finditer(r"^ *(\d+) .*?\bafter ([\d, ]+): ", text, re.M)
        for source in found[2].split(", ")
    }
    arrows = lay_out(history, one_a_row=True).arrows
    assert read_back(text, history) | said == {(a.source, a.target) for a in arrows}
