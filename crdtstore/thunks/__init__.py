"""Async thunks: requests whose beginning and end slices can answer to.

Layered: what the actions say (``serialized``, ``lifecycle``), what a payload creator works with
(``signals``, ``api``), the life of one request (``result``), and how a thunk is made (``create``).
"""

from __future__ import annotations

from crdtstore.thunks.api import ConditionAPI, ThunkAPI, ThunkDispatch
from crdtstore.thunks.create import (
    AsyncThunk,
    AsyncThunkAction,
    AsyncThunkOptions,
    ThunkDecorator,
    create_async_thunk,
)
from crdtstore.thunks.lifecycle import FulfilledAction, Meta, PendingAction, RejectedAction
from crdtstore.thunks.result import AsyncThunkResult, unwrap_result
from crdtstore.thunks.serialized import SerializedError, mini_serialize_error
from crdtstore.thunks.signals import AbortController, AbortSignal

__all__ = [
    "AbortController",
    "AbortSignal",
    "AsyncThunk",
    "AsyncThunkAction",
    "AsyncThunkOptions",
    "AsyncThunkResult",
    "ConditionAPI",
    "FulfilledAction",
    "Meta",
    "PendingAction",
    "RejectedAction",
    "SerializedError",
    "ThunkAPI",
    "ThunkDecorator",
    "ThunkDispatch",
    "create_async_thunk",
    "mini_serialize_error",
    "unwrap_result",
]
