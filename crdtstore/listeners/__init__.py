"""Listeners: effects that run after what was dispatched here, or merged from peers.

``create_listener_middleware`` of Redux Toolkit, for coroutines and for plain functions::

    listener = create_listener_middleware()

    @listener.on(action_creator=search)
    async def look_up(action, api):
        api.cancel_active_listeners()  # of several searches, the last one counts
        await api.delay(0.3)
        api.dispatch(found(await fetch(action.payload)))

    @listener.on(action_creator=add, origin="remote")
    def tell(action, api):
        print(f"{api.remote.peer} added {action.payload}")

    store = configure_store([todos], middleware=[listener])

**Where an effect runs.** ``dispatch`` only starts it, never waits for it and never fails because of
it. Where an event loop runs, the effect is a task of that loop, and a plain function must not block
there. In scripts and threads a coroutine runs on the store's loop thread, and a plain function in a
thread of its own. Effects of remote work never run on the network's loop: they run on the loop on
which their listener was added, or as those of scripts do. On one loop effects begin in the order in
which their actions were dispatched and their listeners added.

**Cancelling**, by the API, by ``clear_listeners``, by closing the store or because the loop ends:

=====================  =========================================  ==============================
who                    is told                                    of further waits gets
=====================  =========================================  ==============================
a coroutine            ``asyncio.CancelledError`` where it        ``TaskAbortError``
                       awaits, whatever that is
a plain function       ``TaskAbortError`` from ``.wait()``        ``TaskAbortError``
what asks              ``api.signal.aborted``;
                       ``api.throw_if_cancelled()`` raises
                       ``TaskAbortError``
``fork(…).result``     status ``"cancelled"``, with a
                       ``TaskAbortError`` as ``error``
=====================  =========================================  ==============================

``on_error`` is never told of a cancelled effect.

**Unlike Redux Toolkit**: seconds, not milliseconds; ``get_original_state`` works at any time;
cancelling interrupts a coroutine at every ``await`` and not only at those of the API; an effect
cancelled before it began never begins; the effects of one dispatch begin after it has returned.
"""

from __future__ import annotations

from crdtstore.listeners.api import ListenerApi
from crdtstore.listeners.commands import (
    ListenerRequest,
    add_listener,
    clear_all_listeners,
    remove_listener,
)
from crdtstore.listeners.failures import ListenerErrorHandler, ListenerErrorInfo
from crdtstore.listeners.fork import ForkApi, ForkedTask
from crdtstore.listeners.middleware import ListenerMiddleware, create_listener_middleware
from crdtstore.listeners.patterns import Origin
from crdtstore.listeners.remote import RemoteOrigin, merged
from crdtstore.listeners.results import TaskCancelled, TaskRejected, TaskResolved, TaskResult
from crdtstore.listeners.signatures import Effect, Unsubscribe
from crdtstore.listeners.waits import Wait

__all__ = [
    "Effect",
    "ForkApi",
    "ForkedTask",
    "ListenerApi",
    "ListenerErrorHandler",
    "ListenerErrorInfo",
    "ListenerMiddleware",
    "ListenerRequest",
    "Origin",
    "RemoteOrigin",
    "TaskCancelled",
    "TaskRejected",
    "TaskResolved",
    "TaskResult",
    "Unsubscribe",
    "Wait",
    "add_listener",
    "clear_all_listeners",
    "create_listener_middleware",
    "merged",
    "remove_listener",
]
