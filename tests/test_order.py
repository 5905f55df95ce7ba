"""What the occurrences of a list show."""

from __future__ import annotations

from typing import Any

import pytest

from crdtstore.order import Occurrence, Order, parse_occurrence


class Bases:
    """Which elements have a live base."""

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)

    def __call__(self, key: str, inc: str) -> bool:
        return key in self.keys and inc == "i"


def at(key: str, stamp: int = 1, writer: str = "w", inc: str = "i") -> Occurrence:
    """Write an occurrence shortly."""
    return key, inc, stamp, writer


def order_of(bases: Bases, *items: Occurrence) -> Order:
    """Return the order that these occurrences make."""
    order = Order(bases)
    order.insert(0, items)
    order.settle()
    return order


def test_an_occurrence_reads_back_as_it_was_written() -> None:
    """Its stamp is an int again."""
    assert parse_occurrence(["k", "i", 5.0, "w"]) == ("k", "i", 5, "w")


@pytest.mark.parametrize(
    "raw", [None, [], ["k", "i", 5], ["k", "i", "5", "w"], ["k", "i", 1.5, "w"], [1, "i", 5, "w"]]
)
def test_what_no_version_writes_is_never_shown(raw: Any) -> None:
    """But it takes its place in the array."""
    order = order_of(Bases("a", ""), at("a"), parse_occurrence(raw))
    assert list(order.shown) == ["a"]
    assert len(order.items) == 2


def test_elements_show_in_array_order() -> None:
    """As they are inserted and deleted."""
    order = order_of(Bases("a", "b", "c"), at("a"), at("b"))
    order.insert(1, [at("c")])
    assert list(order.shown) == ["a", "c", "b"]
    assert order.delete(0, 2) == [at("a"), at("c")]
    assert list(order.shown) == ["b"]
    assert set(order.places) == {"b"}


def test_an_element_without_a_base_does_not_show() -> None:
    """Until its base comes, and again once that is gone."""
    bases = Bases("a")
    order = order_of(bases, at("a"), at("b"))
    assert list(order.shown) == ["a"]
    bases.keys.add("b")
    order.bases_changed("b")
    order.settle()
    assert list(order.shown) == ["a", "b"]
    bases.keys.remove("a")
    order.bases_changed("a")
    order.settle()
    assert list(order.shown) == ["b"]


def test_an_occurrence_of_a_dead_incarnation_does_not_show() -> None:
    """Though another incarnation of the element lives."""
    order = order_of(Bases("a"), at("a", stamp=9, inc="dead"), at("a", stamp=1))
    assert order.places == {"a": at("a", stamp=1)}


def test_of_several_occurrences_the_newest_shows() -> None:
    """By stamp, then by writer, wherever it lies."""
    bases = Bases("a", "b")
    order = order_of(bases, at("a", 1), at("b"), at("a", 2), at("a", 2, "v"))
    assert list(order.shown) == ["b", "a"]
    assert order.places["a"] == at("a", 2, "w")
    order.delete(2, 1)
    order.settle()
    assert order.places["a"] == at("a", 2, "v")
    order.delete(2, 1)
    order.settle()
    assert list(order.shown) == ["a", "b"]


@pytest.mark.parametrize(("first", "second", "shown"), [("w1", "w2", "ba"), ("w2", "w1", "ab")])
def test_of_occurrences_of_one_stamp_the_larger_writer_shows(
    first: str, second: str, shown: str
) -> None:
    """Wherever in the array it is."""
    order = order_of(Bases("a", "b"), at("a", 5, first), at("b"), at("a", 5, second))
    assert "".join(order.shown) == shown


def test_the_place_after_an_element_is_after_what_is_shown_of_it() -> None:
    """Not after a hidden occurrence; the front is the front, and the unknown the end."""
    order = order_of(Bases("a", "b"), at("a", 1), at("b"), at("a", 2))
    assert order.index_after("a") == 3
    assert order.index_after("b") == 2
    assert order.index_after(None) == 0
    assert order.index_after("gone") == 3


def test_every_occurrence_of_an_element_is_found_hidden_ones_too() -> None:
    """The last first, so that they can be deleted one after another."""
    order = order_of(Bases("a", "b"), at("a", 1), at("b"), at("a", 2))
    assert order.positions_of("a") == [2, 0]
    assert order.positions_of("gone") == []
    plain = order_of(Bases("a", "b"), at("a"), at("b"))
    assert plain.positions_of("b") == [1]
    assert plain.positions_of("gone") == []
