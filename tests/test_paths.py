"""Paths, keys and root names: what is written is read back, and nothing is mistaken for another."""

from __future__ import annotations

import pytest

from crdtstore.paths import (
    base36,
    below,
    cell_key,
    escape,
    join,
    list_root,
    root_path,
    split,
    split_key,
    text_root,
    unescape,
)

SEGMENTS = ["plain", "", "a/b", "@", "#", "!", "%", "%2F", "%%", "%25", "é漢🎈", " ", "0", "a\nb"]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_an_escaped_segment_reads_back(segment: str) -> None:
    """Whatever characters are in it."""
    assert unescape(escape(segment)) == segment


@pytest.mark.parametrize("segment", SEGMENTS)
def test_an_escaped_segment_holds_no_separator_and_is_not_empty(segment: str) -> None:
    """So paths, keys and root names can be taken apart again."""
    assert escape(segment)
    assert not set("/@#!") & set(escape(segment))


def test_different_segments_are_escaped_differently() -> None:
    """The empty one too."""
    assert len({escape(segment) for segment in SEGMENTS}) == len(SEGMENTS)


def test_a_segment_that_is_never_written_is_read_as_it_is() -> None:
    """Other versions may escape more."""
    assert unescape("%zz") == "%zz"


def test_paths_join_and_split() -> None:
    """Segments come back in order; the path of a slice's whole state has none."""
    assert split(join(SEGMENTS)) == tuple(SEGMENTS)
    assert join(["rows", "a/b", "name"]) == "rows/a%2Fb/name"
    assert split("") == ()
    assert join(()) == ""


def test_a_path_grows_by_one_segment() -> None:
    """From the top as well."""
    assert below("rows", "a/b") == "rows/a%2Fb"
    assert below("", "@") == "%40"


def test_a_key_is_a_path_and_a_writer() -> None:
    """Split at its only ``@``; the path may be empty."""
    assert cell_key("rows/%40", "k2x") == "rows/%40@k2x"
    assert split_key("rows/%40@k2x") == ("rows/%40", "k2x")
    assert split_key(cell_key("", "k2x")) == ("", "k2x")


@pytest.mark.parametrize("number", [0, 1, 35, 36, 2**31, 2**53 - 1])
def test_client_ids_are_written_in_base_36(number: int) -> None:
    """In lower case, without leading zeros, as ``int`` reads it."""
    assert int(base36(number), 36) == number
    assert base36(number) == base36(number).lower().lstrip("0") or number == 0


def test_roots_name_the_path_and_the_default_they_start_from() -> None:
    """Texts and lists of one path never share a root."""
    assert text_root("letter") == "text/letter"
    assert text_root("letter", "1f") == "text/letter#1f"
    assert list_root("items") == "list/items"
    assert list_root("items", "1f") == "list/items#1f"
    for root in ("text/a/%23/b", "text/a/%23/b#1f", "list/a/%23/b#1f"):
        assert root_path(root) == "a/%23/b"
    assert root_path(text_root("")) == ""
