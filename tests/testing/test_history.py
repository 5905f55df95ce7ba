"""Histories as files."""

import json

import pytest

from crdtstore.testing.history import Broken, Event, History

HISTORY = History(
    replicas=("A", "B"),
    events=(
        Event(0, "act", "A", "sold(pieces=1)"),
        Event(1, "act", "B", "sold(pieces=1)"),
        Event(2, "deliver", "A", "from B: 1 delta", causes=(0, 1), peer="B", detail="41 bytes"),
        Event(3, "clock", "B", "clock +1 day", causes=(1,), changed=False),
    ),
    broken=(Broken(2, "A", "never_below_zero", "stock is -1 “Ω”"),),
    holds={"A": "shop:\n  pieces: -1", "B": "shop:\n  pieces: 0"},
    holds_at_break={"A": "shop:\n  pieces: -1"},
    replay="pytest test_shop.py::test_shop",
)


def test_history_survives_json() -> None:
    """A history read back from its JSON is equal to it."""
    assert History.from_json(HISTORY.to_json()) == HISTORY


def test_json_names_its_format() -> None:
    """The file says what it is and in which version."""
    body = json.loads(HISTORY.to_json())
    assert (body["format"], body["version"]) == ("crdtstore-history", 1)


def test_json_keeps_letters_readable() -> None:
    """Letters outside ASCII stand in the file as themselves."""
    assert "“Ω”" in HISTORY.to_json()


def test_members_of_a_later_minor_writer_are_skipped() -> None:
    """A member that this reader does not know is no obstacle."""
    body = json.loads(HISTORY.to_json())
    body["events"][0]["colour"] = "red"
    assert History.from_json(json.dumps(body)) == HISTORY


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "crdtstore-history"),
        ({"version": 2}, "expected version 1"),
        ({"events": [{}]}, "not a history"),
        ({"replicas": None}, "not a history"),
    ],
)
def test_other_json_is_refused(change: dict[str, object], message: str) -> None:
    """What to_json did not write is refused with what was expected."""
    body = json.loads(HISTORY.to_json()) | change
    with pytest.raises(ValueError, match=message):
        History.from_json(json.dumps(body))


def test_a_list_is_refused() -> None:
    """A JSON text that is no object is refused."""
    with pytest.raises(ValueError, match="crdtstore-history"):
        History.from_json("[]")
