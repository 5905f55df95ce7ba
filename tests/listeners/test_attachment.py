"""One store of a middleware: its hook for what peers do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crdtstore import ActionInfo, Commit, RootState
from crdtstore.listeners import create_listener_middleware
from crdtstore.listeners.attachment import Attachment
from crdtstore.tasks import Tasks


class FakeStore:
    """Calls back while it is subscribed to, as another thread might."""

    def __init__(self) -> None:
        self.tasks = Tasks("own")
        self.hooks: list[Callable[[Commit], Any]] = []
        self.meanwhile: Callable[[], Any] = lambda: None

    def get_state(self) -> RootState:
        return RootState({})

    def dispatch(self, action: Any, /) -> Any:
        return action

    def on_commit(
        self, callback: Callable[[Commit], Any], *, durable: bool = False
    ) -> Callable[[], None]:
        self.hooks.append(callback)
        self.meanwhile()

        def stop() -> None:
            self.hooks.remove(callback)

        return stop


def attached(store: FakeStore) -> tuple[Any, Attachment[Any]]:
    """Attach a middleware to a store."""
    listener = create_listener_middleware()
    layer: Any = listener.middleware(store)
    return listener, layer.__self__


def test_two_that_subscribe_at_once_keep_one_hook() -> None:
    """Whoever is second takes its own back, and meanwhile no commit is told twice."""
    store = FakeStore()
    listener, attachment = attached(store)
    told: list[str] = []
    listener.start_listening(
        predicate=lambda action: told.append(action.type), origin="any", effect=print
    )
    assert len(store.hooks) == 1
    attachment._stop = None
    store.hooks.clear()
    state = RootState({})

    def meanwhile() -> None:
        if len(store.hooks) == 1:
            attachment.hear_of_peers()
        else:
            for hook in list(store.hooks):
                info = ActionInfo("counts/add", "ada", 1)
                hook(Commit(7, {"counts": b""}, info, None, 1, False, state, state))

    store.meanwhile = meanwhile
    attachment.hear_of_peers()
    assert len(store.hooks) == 1
    assert told == ["counts/add"]


def test_local_commits_are_not_what_peers_did() -> None:
    """They were told when they were dispatched."""
    store = FakeStore()
    listener, _ = attached(store)
    told: list[str] = []
    listener.start_listening(
        predicate=lambda action: told.append(action.type), origin="any", effect=print
    )
    state = RootState({})
    for local in (True, False):
        info = ActionInfo(f"local {local}", "ada", 1)
        store.hooks[0](Commit(1, {"counts": b""}, info, None, 1, local, state, state))
    assert told == ["local False"]
