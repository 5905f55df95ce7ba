"""The actions in the life of a request, their creators and their meta."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from crdtstore import Action
from crdtstore.errors import (
    AbortError,
    ConditionError,
)
from crdtstore.thunks import (
    AsyncThunk,
    FulfilledAction,
    Meta,
    PendingAction,
    RejectedAction,
    SerializedError,
    ThunkAPI,
    create_async_thunk,
)
from tests.thunks.stage import double


def test_settled_matches_both_ends() -> None:
    """And not the beginning, nor another thunk's."""
    thunk = create_async_thunk("users/fetch", double)
    other = create_async_thunk("users/other", double)
    assert not thunk.settled(thunk.pending("id"))
    assert thunk.settled(thunk.rejected(None, "id"))
    assert thunk.settled(thunk.fulfilled(42, "id"))
    assert not thunk.settled(other.fulfilled(42, "id"))
    assert not thunk.settled("users/fetch/fulfilled")


def test_the_creators_can_be_called() -> None:
    """To test reducers with, say; what is left out is ``None``."""
    thunk = create_async_thunk("t", double)
    pending = thunk.pending("id", 5, {"more": 1})
    assert pending == Action(
        "t/pending",
        None,
        {"more": 1, "arg": 5, "request_id": "id", "request_status": "pending"},
    )
    assert isinstance(pending, PendingAction)
    fulfilled = thunk.fulfilled(10, "id", 5)
    assert fulfilled == Action(
        "t/fulfilled", 10, {"arg": 5, "request_id": "id", "request_status": "fulfilled"}
    )
    assert isinstance(fulfilled, FulfilledAction)
    rejected = thunk.rejected(ValueError("no"), "id", 5)
    assert isinstance(rejected, RejectedAction)
    assert rejected == Action(
        "t/rejected",
        None,
        {
            "arg": 5,
            "request_id": "id",
            "request_status": "rejected",
            "rejected_with_value": False,
            "aborted": False,
            "condition": False,
        },
        SerializedError("ValueError", "no"),
    )
    with_value = thunk.rejected(None, "id", 5, None, {"code": 1})
    assert with_value.meta["rejected_with_value"]
    assert with_value.meta["code"] == 1
    assert with_value.error == SerializedError(message="Rejected")
    assert thunk.rejected(AbortError("x"), "id").meta["aborted"]
    assert thunk.rejected(ConditionError("x"), "id").meta["condition"]


def test_meta_has_keys_and_attributes() -> None:
    """Both ways say the same; it compares with dicts, and is read-only."""
    meta = create_async_thunk("t", double).fulfilled(1, "id", 5, {"extra": "x", "items": 3}).meta
    assert meta == {
        "arg": 5,
        "extra": "x",
        "items": 3,
        "request_id": "id",
        "request_status": "fulfilled",
    }
    assert {**meta} == meta
    assert (meta.arg, meta.request_id, meta.request_status) == (5, "id", "fulfilled")
    assert meta.extra == "x"  # type: ignore[attr-defined]
    assert meta["items"] == 3
    assert isinstance(meta, Mapping)
    assert len(meta) == 5
    assert not meta.aborted
    assert not meta.condition
    assert not meta.rejected_with_value
    assert "aborted" not in meta
    with pytest.raises(AttributeError, match="meta has no 'nothing'; it has extra, items, arg"):
        meta.nothing  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(KeyError):
        meta["nothing"]
    with pytest.raises(AttributeError, match="meta is read-only"):
        meta.arg = 6
    with pytest.raises(AttributeError, match="meta is read-only"):
        del meta.arg
    with pytest.raises(TypeError):
        meta["arg"] = 6  # type: ignore[index]
    for again in (pickle.loads(pickle.dumps(meta)), copy.copy(meta), copy.deepcopy(meta)):
        assert again == meta
        assert type(again) is Meta
    assert repr(Meta({"arg": 1})) == "Meta({'arg': 1})"


def test_actions_can_be_pickled_and_copied() -> None:
    """With their meta and their error, and as what they are."""
    thunk = create_async_thunk("t", double)
    for action in (
        thunk.pending("id", 1),
        thunk.fulfilled(2, "id", 1),
        thunk.rejected(ValueError("no"), "id", 1),
    ):
        for again in (pickle.loads(pickle.dumps(action)), copy.deepcopy(action)):
            assert again == action
            assert type(again) is type(action)


def test_generics_may_be_given_in_part() -> None:
    """The rest are their defaults, at run time too."""
    assert AsyncThunk[int, str] == AsyncThunk[int, str, Any]
    assert ThunkAPI[int] == ThunkAPI[int, Any]
    assert RejectedAction[int] == RejectedAction[int, Any]
    with pytest.raises(TypeError):
        AsyncThunk[int, int, int, int]  # type: ignore[misc]
