"""What passes between a store and its carriers: commits, what is known of actions, merges."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from crdtstore import ActionInfo, Commit, Conflict, Merged


@pytest.mark.parametrize(
    "value",
    [
        ActionInfo("a", "b", 1),
        Commit(1, {"s": b"x"}, None, None, 2),
        Merged(),
        Conflict(1, "r", 2),
    ],
)
def test_they_are_immutable_data(value: Any) -> None:
    """Frozen, compared by content, without a dict of their own; ready to be pickled."""
    with pytest.raises(AttributeError):
        setattr(value, value._fields[0], 5)
    assert not hasattr(value, "__dict__")
    assert pickle.loads(pickle.dumps(value)) == value


def test_nothing_merged_is_three_empty_sets() -> None:
    """The defaults of ``Merged`` say that nothing happened."""
    assert Merged() == Merged(frozenset(), frozenset(), frozenset())
