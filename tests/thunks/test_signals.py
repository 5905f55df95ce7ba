"""Abort signals."""

from __future__ import annotations

import threading

import pytest

from crdtstore.errors import (
    AbortError,
)
from crdtstore.thunks import (
    AbortController,
    ThunkAPI,
    create_async_thunk,
)
from tests.thunks.stage import TIMEOUT, start


def test_signals() -> None:
    """They tell whether, why and when; callbacks are called once, and one may fail."""
    controller = AbortController()
    signal = controller.signal
    called: list[str] = []
    signal.throw_if_aborted()
    assert not signal.aborted
    assert signal.reason is None
    assert not signal.wait(0)
    assert repr(signal) == "<AbortSignal: not aborted>"
    signal.add_callback(lambda: 1 / 0)
    signal.add_callback(lambda: called.append("kept"))
    remove = signal.add_callback(lambda: called.append("removed"))
    remove()
    remove()
    controller.abort("why")
    controller.abort("why not")
    assert called == ["kept"]
    assert signal.aborted
    assert signal.reason == "why"
    assert signal.wait(0)
    assert repr(signal) == "<AbortSignal: aborted (why)>"
    with pytest.raises(AbortError, match=r"^why$"):
        signal.throw_if_aborted()
    signal.add_callback(lambda: called.append("late"))()
    assert called == ["kept", "late"]


def test_a_plain_function_hears_of_an_abort_by_the_signal() -> None:
    """``signal.wait`` is a sleep that ends early."""
    waiting, heard = threading.Event(), threading.Event()

    def creator(_: None, api: ThunkAPI) -> None:
        waiting.set()
        if api.signal.wait(TIMEOUT):
            heard.set()

    result = start(create_async_thunk("t", creator))
    assert waiting.wait(TIMEOUT)
    result.abort()
    assert heard.wait(TIMEOUT)
