"""Listeners: effects that run after what was dispatched here, or merged from peers."""

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
