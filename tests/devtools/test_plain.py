"""What is shown: JSON of anything, bounded, sanitized, and never failing."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crdtstore import (
    Action,
    Counter,
    List,
    Map,
    Set,
    Store,
    Table,
    Text,
    configure_store,
    create_slice,
    to_plain,
)
from sync.devtools.plain import LIMITS, Limits, Sanitizer, label, plain


@dataclass
class Row:
    title: str = ""
    done: bool = False


@dataclass
class Everything:
    name: Any = "x"
    count: Counter = Counter(3)
    note: Text = Text("hello")
    rows: Table[Row] = Table({"a": Row("milk")})
    plan: List[Row] = List([Row("one")])
    tags: Set[Any] = Set(("t", 1))
    prefs: Map[Any] = Map({"p": [1, {"deep": None}]})
    data: Any = field(default=b"\x00\xff")


def everything() -> Store:
    return configure_store([create_slice(name="all", initial_state=Everything())])


def test_state_is_shown_as_to_plain_makes_it() -> None:
    """Every kind, as the store's own function for web pages has it."""
    with everything() as store:
        assert plain(store.state) == to_plain(store.state)
        assert plain(store.state["all"]) == to_plain(store.state["all"])


class Color(enum.Enum):
    RED = "red"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Broken(dict[str, Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("no entries today")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**53, str(2**53)),
        (2**53 - 1, 2**53 - 1),
        (10**5000, f"<an int of {(10**5000).bit_length()} bits>"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (b"\x00", "AA=="),
        (bytearray(b"\x00"), "AA=="),
        (Color.RED, "red"),
        (datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29T00:00:00+00:00"),
        ({1: "one", (2, 3): None}, {"1": "one", "(2, 3)": None}),
        (frozenset({3, 1, 2}), [1, 2, 3]),
        ((1, [2]), [1, [2]]),
        (ValueError("why"), "<ValueError: why>"),
        ("\ud800", "\\ud800"),
        ({"\ud800": 1}, {"\\ud800": 1}),
        (Row, "<<class 'tests.devtools.test_plain.Row'>>"),
        (Row("a"), {"title": "a", "done": False}),
        (Broken(a=1), "<Broken that cannot be shown: RuntimeError: no entries today>"),
        (Hostile(), "<Hostile that cannot be shown: RuntimeError: no>"),
    ],
    ids=map(str, range(19)),
)
def test_any_value_is_shown(value: Any, shown: Any) -> None:
    """What JSON has no form for becomes text, and what fails says why."""
    assert plain(value) == shown
    assert plain([value]) == [shown]


def test_what_contains_itself_ends() -> None:
    """The depth is limited, whatever is in there."""
    loop: list[Any] = []
    loop.append(loop)
    text = json.dumps(plain(loop))
    assert "not shown" in text


def test_long_strings_are_cut_and_say_so() -> None:
    """Ten million characters are a few thousand and a note; binary data too."""
    shown = plain("a" * 10_000_000)
    assert shown.endswith("… (9980000 of 10000000 characters are not shown)")
    assert len(shown) < 21_000
    shown = plain(b"\x00" * 1_000_000)
    assert shown.endswith("… (980000 of 1000000 bytes are not shown)")
    assert len(shown) < 30_000


def test_a_long_string_is_one_line_of_a_state_and_more_of_an_action() -> None:
    """Three million characters are two thousand in a state, and the present limit in a payload."""
    long = "a" * 3_000_000
    with configure_store([create_slice(name="big", initial_state={"text": long})]) as store:
        shown = Sanitizer().state(store.state)["big"]["text"]
    assert shown == "a" * 2_000 + "… (2998000 of 3000000 characters are not shown)"
    payload = Sanitizer().action(Action("big/put", long))["payload"]
    assert payload == "a" * 20_000 + "… (2980000 of 3000000 characters are not shown)"


def test_large_containers_are_cut_and_say_so() -> None:
    """What is left out is counted, in a last entry."""
    limits = Limits(items=3)
    assert plain([1, 2, 3, 4], limits) == [1, 2, 3, "… (1 of 4 items are not shown)"]
    assert plain(dict.fromkeys("abcd"), limits) == {
        **dict.fromkeys("abc"),
        "…": "1 of 4 entries are not shown",
    }
    none = "… (1 item is not shown)"
    assert plain([[1], [2], [3]], Limits(values=4)) == [[1], none, none]


def test_one_large_slice_leaves_room_for_the_others() -> None:
    """Each slice is cut for itself."""
    big = create_slice(
        name="big", initial_state={"rows": Map({f"k{at}": at for at in range(5000)})}
    )
    with configure_store([big, create_slice(name="small", initial_state={"n": 1})]) as store:
        shown = plain(store.state, Limits(values=100))
        assert shown["small"] == {"n": 1}
        assert shown["big"]["rows"]["…"] == "4901 of 5000 entries are not shown"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=30,
)


@given(values, st.integers(0, 5), st.integers(0, 5))
def test_everything_shown_is_json(value: Any, items: int, depth: int) -> None:
    """Whatever it is and however little of it is shown."""
    limits = Limits(text=3, items=items, values=10, depth=depth)
    for shown in (plain(value), plain(value, limits)):
        text = json.dumps(shown, allow_nan=False, ensure_ascii=False)
        assert json.loads(text) == shown
        text.encode()


def test_actions_are_shown_with_what_they_have() -> None:
    """``meta`` and ``error`` only where there is any."""
    show = Sanitizer()
    assert show.action(Action("a/b", {"x": (1,)})) == {"type": "a/b", "payload": {"x": [1]}}
    assert show.action(Action("a/b", None, {"m": 1}, ValueError("e"))) == {
        "type": "a/b",
        "meta": {"m": 1},
        "error": "<ValueError: e>",
    }


def test_sanitizers_stand_before_everything() -> None:
    """An action and a state are what they return, in labels as well."""

    def hide(action: Action[Any]) -> Any:
        return {"type": action.type, "payload": "secret"} if action.payload else action

    show = Sanitizer(hide, lambda state: {"slices": list(state)})
    assert show.action(Action("login", "password")) == {"type": "login", "payload": "secret"}
    assert show.label(Action("login", "password")) == ("login", "login('secret')")
    assert show.label(Action("logout")) == ("logout", "logout()")
    with everything() as store:
        assert show.state(store.state) == {"slices": ["all"]}
    assert show.hides_state
    assert not Sanitizer(hide).hides_state


@pytest.mark.parametrize("returned", [None, 3, {"payload": 1}, Action("")])
def test_a_sanitizer_that_fails_hides_what_it_was_given(returned: Any) -> None:
    """Its failure is shown, and nothing is raised."""

    def fail(given: Any) -> Any:
        raise KeyError("sanitizer")

    for bad in (fail, lambda _: returned):
        shown = Sanitizer(bad).action(Action("login", "password"))
        assert shown["type"] == "login"
        assert shown["payload"].startswith("<the action_sanitizer ")
        assert "password" not in str(Sanitizer(bad).label(Action("login", "password")))
    with everything() as store:
        assert Sanitizer(None, fail).state(store.state) == (
            "<the state_sanitizer failed: KeyError: 'sanitizer'>"
        )


def test_a_sanitizer_is_a_function() -> None:
    """Anything else is refused at once."""
    with pytest.raises(TypeError, match="state_sanitizer= is a function, got int"):
        Sanitizer(None, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("payload", "known", "shown"),
    [
        (None, True, "t/a()"),
        (None, False, "t/a"),
        ({"title": "milk", "n": 1}, True, "t/a(title='milk', n=1)"),
        ({}, True, "t/a()"),
        ("milk", True, "t/a('milk')"),
        ([1, None], True, "t/a([1, None])"),
        (dict.fromkeys("abcdefghij", 0), True, "t/a(a=0, b=0, c=0, d=0, e=0, f=0, g=0, h=0, …)"),
    ],
)
def test_a_label_looks_like_the_call_that_made_the_action(
    payload: Any, known: bool, shown: str
) -> None:
    """With the payload, if it is known."""
    assert label("t/a", payload, known=known) == shown


def test_a_label_has_a_limit() -> None:
    """However long the type and the payload are."""
    assert len(label("t" * 500, "x")) == 120
    assert len(label("t", {f"key{at}": "v" * 1000 for at in range(100)})) == 120
    assert label("t" * 500, None).endswith("t…")
    assert label("t", "v" * 1000) == f"t('{'v' * 60}… (940 of 1000 characters are not shown)')"
    assert LIMITS.depth > 32
