"""What reaches a terminal is harmless and short."""

from __future__ import annotations

import pytest

from sync.watch.words import clock, compact, count, safe, size


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("日本 🍋", "日本 🍋"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("two\nlines", r"two\nlines"),
        ("\u202etxt", r"\u202etxt"),
    ],
)
def test_nothing_reaches_the_terminal_that_it_would_obey(text: str, shown: str) -> None:
    """Control characters and those that turn text round are written as escapes."""
    assert safe(text) == shown
    assert compact(text) == '"' + shown.replace(r"\x1b", r"\u001b") + '"'


def test_numbers_have_units() -> None:
    """Bytes, and nouns in the right number."""
    assert [size(0), size(1023), size(1024), size(3_500_000)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "3.3 MiB",
    ]
    assert (count(1, "act"), count(0, "act")) == ("1 act", "0 acts")


def test_a_clock_that_is_wrong_by_ages_is_shown_as_none() -> None:
    """It came from another program, and is no reason to stop."""
    assert clock(1_700_000_000_042).endswith(":20.042")
    assert clock(10**30) == "--:--:--.---"
