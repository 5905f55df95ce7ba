"""Matchers: predicates over actions, and those that know the requests of async thunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import Action, configure_store, create_action, create_slice
from crdtstore.matchers import (
    is_all_of,
    is_any_of,
    is_async_thunk_action,
    is_fulfilled,
    is_pending,
    is_rejected,
    is_rejected_with_value,
)
from crdtstore.thunks import AsyncThunk, ThunkAPI, create_async_thunk

a = create_action("a")
b = create_action("b")


async def result() -> str:
    """A payload creator."""
    return "result"


thunk_a, thunk_b, thunk_c = (create_async_thunk(name, result) for name in ("a", "b", "c"))


def actions_of(thunk: AsyncThunk[Any, Any]) -> dict[str, Action[Any]]:
    """One action of each kind."""
    return {
        "pending": thunk.pending("id"),
        "fulfilled": thunk.fulfilled("result", "id"),
        "rejected": thunk.rejected(ValueError("no"), "id"),
        "with value": thunk.rejected(None, "id", None, "value"),
    }


def is_special(action: Any) -> bool:
    """A predicate of one's own."""
    return bool(action.payload == "SPECIAL")


# Any, all


def test_any_of_action_creators_thunks_creators_and_predicates() -> None:
    """Creators count as their ``match``; one yes is enough."""
    for matchers in ((a, b), (a.match, b.match), (lambda action: action.type == "a",)):
        assert is_any_of(*matchers)(Action("a", 1)) is True
        assert is_any_of(*matchers)(Action("c", 1)) is False
    action = thunk_a.fulfilled("test", "id")
    assert is_any_of(thunk_a.fulfilled, thunk_b.fulfilled)(action)
    assert not is_any_of(thunk_a.pending, thunk_a.rejected, thunk_b.fulfilled)(action)
    assert is_any_of(thunk_a.settled)(action)
    assert not is_any_of()(action)


def test_all_of_asks_up_to_the_first_no() -> None:
    """So a later matcher may rely on the ones before it."""
    special = is_all_of(a, is_special)
    assert special(Action("a", "SPECIAL")) is True
    assert special(Action("a", "ORDINARY")) is False
    assert special("no action at all") is False
    thunks = is_all_of(thunk_a.fulfilled, is_special)
    assert thunks(thunk_a.fulfilled("SPECIAL", "id"))
    assert not thunks(thunk_a.fulfilled("ORDINARY", "id"))
    assert is_all_of()(Action("a"))


def test_they_can_be_nested() -> None:
    """A matcher is a predicate like others."""
    nested = is_any_of(is_all_of(a, is_special), b)
    assert nested(Action("b"))
    assert nested(Action("a", "SPECIAL"))
    assert not nested(Action("a"))


def test_what_is_no_matcher_is_refused() -> None:
    """When the matcher is made."""
    wrong: Any = "a"
    for make in (is_any_of, is_all_of):
        with pytest.raises(TypeError, match=r"a matcher is a function of an action .* got 'a'"):
            make(a, wrong)


# Requests


KINDS: dict[Any, set[str]] = {
    is_pending: {"pending"},
    is_fulfilled: {"fulfilled"},
    is_rejected: {"rejected", "with value"},
    is_rejected_with_value: {"with value"},
    is_async_thunk_action: {"pending", "fulfilled", "rejected", "with value"},
}

kinds = pytest.mark.parametrize("matcher", KINDS, ids=lambda it: it.__name__)


@kinds
def test_without_thunks_requests_are_known_by_their_meta(matcher: Callable[..., Any]) -> None:
    """As a matcher, or asked about an action at once."""
    for name, action in actions_of(thunk_a).items():
        assert matcher()(action) is (name in KINDS[matcher])
        assert matcher(action) is (name in KINDS[matcher])


@kinds
def test_with_thunks_requests_are_known_by_whose_they_are(matcher: Callable[..., Any]) -> None:
    """Of one thunk, or of several."""
    match_ac, match_b = matcher(thunk_a, thunk_c), matcher(thunk_b)
    for thunk, expected in ((thunk_a, True), (thunk_b, False), (thunk_c, True)):
        for name, action in actions_of(thunk).items():
            assert match_ac(action) is (expected and name in KINDS[matcher])
            assert match_b(action) is (not expected and name in KINDS[matcher])


@kinds
@pytest.mark.parametrize(
    "other",
    [
        Action("a/pending"),
        Action("a/pending", meta={"request_status": "pending"}),
        Action("a/pending", meta={"request_status": "pending", "request_id": 5}),
        Action("a/pending", meta={"request_status": "other", "request_id": "id"}),
        Action("a/pending", meta="meta"),
        Action("any", "payload"),
        a,
        lambda dispatch, get_state: None,
        None,
        "a/pending",
        {"type": "a/pending", "meta": {"request_status": "pending", "request_id": "id"}},
    ],
    ids=lambda other: type(other).__name__,
)
def test_nothing_else_is_a_request(matcher: Callable[..., Any], other: Any) -> None:
    """Whatever it is."""
    assert matcher(other) is False
    assert matcher()(other) is False


@kinds
def test_actions_from_elsewhere_are_known_by_plain_dicts(matcher: Callable[..., Any]) -> None:
    """Developer tools send ``meta`` as plain data."""
    for name, action in actions_of(thunk_a).items():
        plain = Action(action.type, action.payload, dict(action.meta), action.error)
        assert matcher(plain) is (name in KINDS[matcher])
        assert matcher(thunk_a)(plain) is (name in KINDS[matcher])


@kinds
def test_thunks_and_actions_do_not_mix(matcher: Callable[..., Any]) -> None:
    """Nor are several actions asked about at once."""
    action = thunk_a.pending("id")
    for given in ((thunk_a, action), (action, action)):
        with pytest.raises(TypeError, match=f"{matcher.__name__} takes async thunks, one action"):
            matcher(*given)


def test_rejected_with_value_by_a_payload_creator() -> None:
    """A request that really was."""

    async def reject(_: None, api: ThunkAPI) -> None:
        raise api.reject_with_value(0)

    thunk = create_async_thunk("r", reject)
    action = thunk()(lambda action: action, lambda: None).wait(30)
    assert is_rejected_with_value(action)
    assert is_rejected_with_value(thunk)(action)
    assert not is_rejected_with_value(thunk_a)(action)


def test_slices_answer_to_matchers() -> None:
    """One reducer for the failures of all requests, say."""

    log = create_slice(name="log", initial_state={"failed": 0, "touched": False})

    @log.add_matcher(is_rejected(thunk_a, thunk_b))
    def count(state: Any, action: Action[Any]) -> None:
        state.failed = state.failed + 1

    @log.add_matcher(is_any_of(a, b))
    def touch(state: Any) -> None:
        state.touched = True

    with configure_store([log]) as store:
        store.dispatch(thunk_a.rejected(None, "1"))
        store.dispatch(thunk_b.rejected(None, "2"))
        store.dispatch(thunk_c.rejected(None, "3"))
        assert store.state.log == {"failed": 2, "touched": False}
        store.dispatch(b())
        assert store.state.log.touched
