"""The requests that add and remove listeners when they are dispatched, and their actions."""

from __future__ import annotations

from typing import Any

import pytest

from crdtstore import Action, configure_store, create_action
from crdtstore.listeners import (
    add_listener,
    clear_all_listeners,
    create_listener_middleware,
    remove_listener,
)
from crdtstore.middleware import thunk_middleware
from tests.listeners.stage import Seen, counts

go = create_action("go")


def effect(action: Any, api: Any) -> None:
    """Do nothing."""


def test_their_types_are_fixed() -> None:
    """Other middleware may look for them."""
    assert [str(each) for each in (add_listener, remove_listener, clear_all_listeners)] == [
        "listener_middleware/add",
        "listener_middleware/remove",
        "listener_middleware/remove_all",
    ]
    assert add_listener.type == "listener_middleware/add"
    assert repr(add_listener) == "<action creator listener_middleware/add>"


def test_a_request_carries_its_arguments() -> None:
    """As the payload of the action that middleware sees."""
    request = add_listener(type="go", effect=effect, origin="any")
    assert request.action == Action(
        "listener_middleware/add", {"type": "go", "effect": effect, "origin": "any"}
    )
    assert "listener_middleware/add" in repr(request)


def test_requests_and_their_actions_match() -> None:
    """And nothing else does."""
    request = add_listener(type="go", effect=effect)
    assert add_listener.match(request)
    assert add_listener.match(request.action)
    assert not remove_listener.match(request)
    assert not add_listener.match(go())
    assert not add_listener.match(None)


def test_the_action_itself_can_be_dispatched() -> None:
    """By middleware that builds it, say; the answer is the same."""
    seen = Seen()
    listener = create_listener_middleware()
    with configure_store([counts], middleware=[listener]) as store:
        action: Any = add_listener(type="go", effect=seen.effect).action
        stop: Any = store.dispatch(action)
        store.dispatch(go(1))
        seen.until(("go", 1))
        stop()
        assert not listener.stop_listening(type="go", effect=seen.effect)


def test_requests_need_no_thunks() -> None:
    """A store without that middleware answers them as well."""
    listener = create_listener_middleware()
    with configure_store([counts], middleware=lambda defaults: [listener]) as store:
        store.dispatch(add_listener(type="go", effect=effect))
        assert store.dispatch(remove_listener(type="go", effect=effect)) is True


def test_the_first_of_several_middlewares_answers() -> None:
    """As in Redux Toolkit: the others do not see what is meant for one."""
    one, two = create_listener_middleware(), create_listener_middleware()
    with configure_store([counts], middleware=[one, two]) as store:
        store.dispatch(add_listener(type="go", effect=effect))
        assert not two.stop_listening(type="go", effect=effect)
        assert one.stop_listening(type="go", effect=effect)


def test_requests_refuse_what_they_do_not_take() -> None:
    """Where they are made, in their own name."""
    creators: tuple[Any, ...] = (add_listener, remove_listener)
    for create, name in zip(creators, ("add_listener", "remove_listener"), strict=True):
        with pytest.raises(TypeError, match=f"^{name} takes type=, .* got kind=$"):
            create(kind="go", effect=effect)
        with pytest.raises(TypeError, match=f"^{name} takes type=, .* got .* without a name$"):
            create(go, effect)


def test_a_request_is_answered_wherever_the_middleware_is() -> None:
    """In front of the thunk middleware, and behind it, where the thunk middleware starts it."""
    listener = create_listener_middleware()
    for layers in ([listener, thunk_middleware()], [thunk_middleware(), listener]):
        with configure_store([counts], middleware=lambda _, layers=layers: layers) as store:
            assert callable(store.dispatch(add_listener(type="go", effect=effect)))
            assert store.dispatch(remove_listener(type="go", effect=effect)) is True
