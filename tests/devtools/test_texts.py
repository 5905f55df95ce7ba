"""JSON text of states that share structure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from crdtstore import Counter, List, Map, Set, Table, Text, configure_store, create_slice
from sync.devtools.texts import Texts, quoted
from tests.devtools.monitors import unjsan


@dataclass
class Row:
    title: Text = Text()
    votes: Counter = Counter(0)
    due: object = None


@dataclass
class State:
    rows: Table[Row] = Table()
    tags: Set[str] = Set()
    prices: Map[float] = Map()
    order: List[str] = List()
    note: object = None


board = create_slice(name="board", initial_state=State())
other = create_slice(name="other", initial_state={"texts": ["é"] * 30})


@board.reducer
def put(state: State, key: str, title: str) -> None:
    if key not in state.rows:
        state.rows[key] = Row()
    state.rows[key].title = title
    state.rows[key].votes += 1
    state.rows[key].due = date(2026, 1, len(key))
    state.tags.add(title)
    state.prices[key] = 0.5
    state.order.append(key)


@board.reducer
def note(state: State, value: Any) -> None:
    state.note = value


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -(2**53) + 1,
    1.5,
    -0.0,
    1e300,
    "",
    'quotes " \\ \n \u2028 é \U0001f600',
    [],
    {},
    [[1], {"a": [None]}],
    {"list": list(range(50)), "": {"é": "x" * 100}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_json_is_written_as_it_is(value: Any) -> None:
    """Reading the text back gives the value."""
    assert json.loads(Texts(1000).text(value)) == value
    assert json.loads(quoted(value)) == value


def test_a_state_is_written_as_to_plain_makes_it_plain() -> None:
    """Every kind of field and of scalar, the first and a second time."""
    with configure_store([board, other]) as store:
        for key, title in (("a", "milk"), ("b", "eggs"), ("a", "oat milk")):
            store.dispatch(put(key, title))
            store.dispatch(note({"deep": [1, {"x": b"bytes"}], "date": date(2026, 1, 1)}))
        texts = Texts(100_000)
        for _ in range(2):
            (text,) = texts.fitting([store.state], 100_000, "$[{}]".format)
            assert json.loads(text) == store.state.to_plain()


def test_what_javascript_would_round_is_text() -> None:
    """Ints from 2**53 on are shown with all their digits, infinities by name."""
    text = Texts(1000).text([2**53, -(2**60), float("inf")])
    assert json.loads(text) == [str(2**53), str(-(2**60)), "Infinity"]


def test_half_a_surrogate_pair_can_be_sent() -> None:
    """The text is ASCII, whatever is in it."""
    Texts(1000).text({"\ud800": "\udfff é"}).encode("ascii")


def test_states_share_in_a_message_what_they_share() -> None:
    """A slice that did not change is a reference to where it stands first."""
    with configure_store([board, other]) as store:
        states = [store.state]
        for number in range(5):
            store.dispatch(put(f"k{number}", "x" * 20))
            states.append(store.state)
        found = Texts(100_000).fitting(states, 100_000, "$[{}]".format)
        assert found[0].count("$jsan") == 0
        assert all(text.count('{"$jsan":"$[0].other"}') == 1 for text in found[1:])
        shown = unjsan(f"[{','.join(found)}]")
        assert shown == [state.to_plain() for state in states]
        assert all(state["other"] is shown[0]["other"] for state in shown)


def test_only_what_fits_is_written_and_one_at_least() -> None:
    """The newest states come first, and references point to what is there."""
    with configure_store([board, other]) as store:
        states = [store.state]
        for number in range(20):
            store.dispatch(put(f"k{number}", "x" * 20))
            states.append(store.state)
        texts = Texts(100_000)
        assert len(texts.fitting(states, 1, "$[{}]".format)) == 1
        found = texts.fitting(states, 6000, "$[{}]".format)
        assert 2 < len(found) < 20
        assert sum(map(len, found)) < 6500
        plain = [state.to_plain() for state in states[-len(found) :]]
        assert unjsan(f"[{','.join(found)}]") == plain
        assert texts.fitting([], 1, "$[{}]".format) == []


def test_an_unchanged_row_is_not_written_again() -> None:
    """After a change of one row of a thousand, only that row is looked at."""

    class Counting(Texts):
        written = 0

        def _remember(self, value: object, text: str) -> str:
            self.written += 1
            return super()._remember(value, text)

    with configure_store([board]) as store:
        for number in range(200):
            store.dispatch(put(f"key number {number}", "x" * 20))
        texts = Counting(10**6)
        texts.fitting([store.state], 10**6, "$[{}]".format)
        assert texts.written > 200
        texts.written = 0
        store.dispatch(put("key number 7", "y" * 20))
        texts.fitting([store.state], 10**6, "$[{}]".format)
        assert texts.written < 20


def test_what_is_remembered_has_a_bound() -> None:
    """Old texts are let go when new ones need their room."""
    texts = Texts(10**6, remembered=10_000)
    kept = [{"a": "x" * 1000, "n": number} for number in range(200)]
    for value in kept:
        texts.text(value)
    for generation in (texts._recent, texts._older):
        assert sum(len(text) for _, text in generation.values()) < 8000
    assert [json.loads(texts.text(value)) for value in kept] == kept


def test_a_slice_that_is_too_large_is_cut() -> None:
    """It says how much of it is not shown; other slices are whole."""
    huge = create_slice(name="huge", initial_state={"numbers": []})

    @huge.reducer
    def fill(state: Any, count: int) -> None:
        state.numbers = list(range(count))

    with configure_store([huge, other]) as store:
        texts = Texts(2000)
        for count in (5000, 6000, 6000):
            store.dispatch(fill(count))
            (text,) = texts.fitting([store.state], 10**6, "$[{}]".format)
            shown = json.loads(text)
            assert shown["other"] == store.state.to_plain()["other"]
            assert len(shown["huge"]["numbers"]) < 1100
            assert f"of {count} items are not shown" in shown["huge"]["numbers"][-1]


def test_a_long_string_is_cut_once_and_says_how_long_it_is() -> None:
    """In registers, texts and keys of states; what says so already is not cut again."""
    long = "a" * 3_000_000
    note = "a" * 2_000 + "… (2998000 of 3000000 characters are not shown)"
    assert json.loads(Texts(10**6).text([long, note])) == [note, note]
    big = create_slice(name="big", initial_state={"one": long, "two": Text(long)})
    with configure_store([big]) as store:
        (text,) = Texts(10**6).fitting([store.state], 10**6, "$[{}]".format)
    assert json.loads(text) == {"big": {"one": note, "two": note}}


def test_a_key_of_a_state_is_no_reference() -> None:
    """What a peer calls $jsan is shown under another name, as a UI would follow it."""
    text = Texts(1000).text({"$jsan": "$.secret", "a": [{"$jsan": ["f"]}]})
    assert '"$jsan"' not in text
    assert json.loads(text) == {"\\$jsan": "$.secret", "a": [{"\\$jsan": ["f"]}]}
