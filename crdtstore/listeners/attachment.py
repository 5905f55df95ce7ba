"""One store of a listener middleware: what it dispatches and merges, and the effects of that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar

from crdtstore.actions import Action, action_of
from crdtstore.errors import ClosedError
from crdtstore.listeners.api import Context, ListenerApi
from crdtstore.listeners.commands import Command, ListenerRequest
from crdtstore.listeners.failures import Failures
from crdtstore.listeners.instances import Instance, Instances
from crdtstore.listeners.places import Place
from crdtstore.listeners.registry import Entry, Listener, Registry, Taker
from crdtstore.listeners.remote import RemoteOrigin, merged, remote_action
from crdtstore.middleware import Dispatch, MiddlewareAPI
from crdtstore.replication import Commit
from crdtstore.state import RootState

__all__ = ["Attachment"]

E = TypeVar("E")


class Attachment(Generic[E]):
    """What a listener middleware does in one store."""

    def __init__(
        self,
        store: MiddlewareAPI,
        registry: Registry,
        instances: Instances,
        failures: Failures,
        commands: Mapping[str, Command],
        extra: E,
    ) -> None:
        self._store = store
        self._registry = registry
        self._instances = instances
        self._failures = failures
        self._commands = commands
        self._place = Place(store.tasks)
        self._context = Context(store, self._place, registry, self.heed, extra)
        self._lock = threading.Lock()
        self._stop: Callable[[], None] | None = None
        self._seen = -1

    # What is dispatched

    def layer(self, proceed: Dispatch) -> Dispatch:
        """Return what handles a dispatched thing."""
        get_state, local, commands = self._store.get_state, self._registry.local, self._commands

        def handle(action: Any) -> Any:
            if type(action) is not Action:
                if isinstance(action, ListenerRequest):
                    action = action.action
                elif isinstance(action, Mapping) and isinstance(action.get("type"), str):
                    action = action_of(action)
                elif not isinstance(action, Action):
                    return proceed(action)
            command = commands.get(action.type)
            if command is not None:
                return command(action)
            previous = get_state()
            result = proceed(action)
            entries = local(action.type)
            if entries:
                self._tell(entries, action, get_state(), previous, None)
            return result

        return handle

    # What is merged

    def heed(self, entry: Entry) -> None:
        """Add an entry of this store, and hear of its peers if need be."""
        if isinstance(entry, Listener):
            self._registry.listener(entry)
        else:
            self._registry.add(entry)
        if entry.origin != "local":
            self.hear_of_peers()

    def hear_of_peers(self) -> None:
        """Subscribe to the store's commits, once; a store that nobody asks of peers has no cost.

        No lock is held meanwhile, for the store takes its own.
        """
        if self._stop is not None:
            return
        stop = self._store.on_commit(self._committed)
        with self._lock:
            first = self._stop is None
            if first:
                self._stop = stop
        if not first:
            stop()

    def _committed(self, commit: Commit) -> None:
        if commit.local or commit.seq <= self._seen:  # one merge may come as several commits
            return
        self._seen = commit.seq
        kind = merged.type if commit.info is None else commit.info.type
        entries = self._registry.remote(kind)
        if entries:
            action, origin = remote_action(commit)
            self._tell(entries, action, commit.state, commit.previous, origin)

    # Both

    def _tell(
        self,
        entries: tuple[Entry, ...],
        action: Action[Any],
        current: RootState,
        previous: RootState,
        remote: RemoteOrigin | None,
    ) -> None:
        for entry in entries:
            test = entry.pattern.test
            try:
                if not entry.heeds(self._store):
                    continue
                if test is not None and not test(action, current, previous):
                    continue
            except Exception as error:
                self._failures.of_predicate(error)
                continue
            if isinstance(entry, Taker):
                entry.found(action, current, previous)
            elif isinstance(entry, Listener):
                self._launch(entry, action, previous, remote)

    def _launch(
        self,
        listener: Listener,
        action: Action[Any],
        previous: RootState,
        remote: RemoteOrigin | None,
    ) -> None:
        place = self._place
        loop = place.here() if remote is None else place.of(listener.loop)
        instance = Instance(
            f"the effect of a listener to {action.type}",
            apart=loop is None,
            is_coroutine=listener.is_coroutine,
            failed=self._failures.of_effect,
            groups=(listener.instances, self._instances),
        )
        api = ListenerApi(instance, listener, self._context, previous, remote)
        instance.effect = partial(listener.call, action, api)
        try:
            place.start(instance, loop)
        except ClosedError:
            return  # between the dispatch and now
        except Exception as error:  # no thread could be started, say
            self._failures.of_effect(error)
