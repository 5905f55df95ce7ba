"""Short random ids."""

from __future__ import annotations

import string
from typing import Any

import pytest

from crdtstore.nanoid import nanoid

ALPHABET = set(string.ascii_letters + string.digits + "-_")


def test_an_id_has_21_characters_that_are_safe_in_urls() -> None:
    """Or as many as are asked for."""
    assert len(nanoid()) == 21
    assert len(nanoid(1)) == 1
    assert len(nanoid(size=1000)) == 1000
    assert set(nanoid(20_000)) == ALPHABET


def test_characters_are_equally_frequent() -> None:
    """64 of them divide the 256 values of a byte evenly: each is there a 64th of the time."""
    text = nanoid(64_000)
    assert all(700 < text.count(each) < 1300 for each in ALPHABET)  # 1000 expected, sigma 31


def test_ids_differ() -> None:
    """Ten thousand of them, at that."""
    assert len({nanoid() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("size", [0, -1, -(2**63)])
def test_sizes_below_one_are_refused(size: int) -> None:
    """An empty id would be the id of everything."""
    with pytest.raises(ValueError, match=f"from 1 on, got {size}"):
        nanoid(size)


@pytest.mark.parametrize("size", [None, "21", 21.0, True])
def test_sizes_that_are_no_numbers_are_refused(size: Any) -> None:
    """With the type and the value."""
    with pytest.raises(TypeError, match=f"got {type(size).__name__}: {size!r}"):
        nanoid(size)
