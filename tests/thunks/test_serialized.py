"""Exceptions as data."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import Action, configure_store, create_slice
from crdtstore.errors import FrozenStateError
from crdtstore.frozen import FrozenDict
from crdtstore.thunks import (
    SerializedError,
    ThunkAPI,
    create_async_thunk,
    mini_serialize_error,
)
from tests.thunks.stage import TIMEOUT, Recorder, start


class Weird(Exception):
    """An exception that cannot be written out."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Coded(Exception):
    """An exception with a code."""

    code = "E_CODED"


class Trap:
    """An object whose attributes fail."""

    @property
    def message(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ValueError("x"), SerializedError("ValueError", "x")),
        (ValueError(), SerializedError("ValueError", "")),
        (KeyError("k"), SerializedError("KeyError", "'k'")),
        (Coded("x"), SerializedError("Coded", "x", code="E_CODED")),
        (OSError(2, "gone"), SerializedError("FileNotFoundError", "[Errno 2] gone", code="ENOENT")),
        (OSError("gone"), SerializedError("OSError", "gone")),
        (OSError(10**6, "odd"), SerializedError("OSError", "[Errno 1000000] odd")),
        (Weird(), SerializedError("Weird", "<Weird, which cannot be written out>")),
        (KeyboardInterrupt(), SerializedError("KeyboardInterrupt", "")),
        (asyncio.CancelledError("x"), SerializedError("AbortError", "x")),
        (
            ExceptionGroup("several", [ValueError("a"), Weird()]),
            SerializedError("ExceptionGroup", "several (2 sub-exceptions)"),
        ),
        (ValueError("\ud800"), SerializedError("ValueError", "\ud800")),
        ("Rejected", SerializedError(message="Rejected")),
        (5, SerializedError(message="5")),
        (None, SerializedError(message="None")),
        ({"why": "do this"}, SerializedError()),
        ({"name": "N", "message": "M", "code": "400"}, SerializedError("N", "M", code="400")),
        ({"code": 400, "stack": None}, SerializedError()),
        (object(), SerializedError()),
        (Trap(), SerializedError()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_mini_serialize_error(value: Any, expected: SerializedError) -> None:
    """Strings only, of what is known by the four names; it never raises."""
    assert mini_serialize_error(value) == expected


@pytest.mark.parametrize("error", [Weird(), ExceptionGroup("g", [Weird(), ValueError()])])
def test_weird_exceptions_are_rejections_like_others(error: Exception) -> None:
    """With a stack, if there is one to be had."""

    async def creator(_: None) -> None:
        raise error

    thunk = create_async_thunk("t", creator)
    action = start(thunk).wait(TIMEOUT)
    assert action.error.name == type(error).__name__
    assert action.error.stack is not None
    with pytest.raises(type(error)):
        start(thunk).unwrap().wait(TIMEOUT)


def test_serialize_error_replaces_how_errors_become_data() -> None:
    """It gets the exception, or ``"Rejected"`` for a rejection with a value."""
    given: list[Any] = []

    def serialize(error: Any) -> str:
        given.append(error)
        return "serialized!"

    async def creator(fail: bool, api: ThunkAPI) -> Any:
        if fail:
            raise ZeroDivisionError
        return api.reject_with_value(1)

    thunk = create_async_thunk("t", creator, serialize_error=serialize)
    action = start(thunk, True).wait(TIMEOUT)
    assert action.error == "serialized!"
    assert start(thunk, False).wait(TIMEOUT).error == "serialized!"
    assert isinstance(given[0], ZeroDivisionError)
    assert given[1] == "Rejected"


def test_a_serialize_error_that_raises_is_raised_to_who_waits() -> None:
    """No action can be made of it, so none is dispatched."""

    def serialize(error: Any) -> str:
        raise LookupError("in serialize_error")

    async def creator(_: None) -> None:
        raise ZeroDivisionError

    dispatch = Recorder()
    result = start(create_async_thunk("t", creator, serialize_error=serialize), dispatch=dispatch)
    with pytest.raises(LookupError, match="in serialize_error"):
        result.wait(TIMEOUT)
    with pytest.raises(LookupError):
        result.unwrap().wait(TIMEOUT)
    assert dispatch.types == ["t/pending"]


# As state


def test_a_serialized_error_is_a_read_only_dict() -> None:
    """It is written, compared, spread and matched as the plain data that it is."""
    error = SerializedError("E", "wrong", code="17")
    fields = {"name": "E", "message": "wrong", "stack": None, "code": "17"}
    assert error == fields
    assert {**error} == dict(error) == fields
    assert (error.name, error.message, error.stack, error.code) == ("E", "wrong", None, "17")
    assert json.loads(json.dumps(error)) == fields
    match error:
        case SerializedError(name="E", message=message):
            assert message == "wrong"
        case _:
            pytest.fail("it was not matched")
    with pytest.raises(FrozenStateError):
        error["name"] = "F"
    with pytest.raises(AttributeError):
        error.name = "F"  # type: ignore[misc]


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda error: pickle.loads(pickle.dumps(error)),
    ],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies_of_a_serialized_error_are_serialized_errors(copied: Any) -> None:
    """Equal, and with equal hashes."""
    error = SerializedError("E", "wrong", "a stack", "17")
    again = copied(error)
    assert type(again) is SerializedError
    assert again == error
    assert hash(again) == hash(error)
    assert repr(again) == ("SerializedError(name='E', message='wrong', stack='a stack', code='17')")


@dataclass
class Request:
    """State with a register for errors."""

    error: dict[str, Any] | None = None


@dataclass
class Anything:
    """State with a register for anything."""

    error: Any = None


@pytest.mark.parametrize(
    "written", [lambda error: error, dict, lambda error: {**error}], ids=["itself", "dict", "**"]
)
@pytest.mark.parametrize(
    "initial", [Request(), Anything(), {"error": None}], ids=["typed", "Any", "dict"]
)
def test_state_keeps_an_error_as_a_dict(initial: Any, written: Any) -> None:
    """What a slice of another replica shows after a merge is what the action said."""

    @create_async_thunk("t")
    async def fail(_: None) -> None:
        raise OSError(2, "gone")

    requests = create_slice(name="requests", initial_state=initial)

    @requests.add_case(fail.rejected)
    def failed(state: Any, action: Action[Any]) -> None:
        state.error = written(action.error)

    here, there = configure_store([requests]), configure_store([requests])
    action = here.dispatch(fail()).wait(TIMEOUT)
    there.merge(here.deltas_since(there.state_vectors()))
    for store in (here, there):
        error = store[requests].error
        assert type(error) is FrozenDict
        assert error == action.error
        assert (error["name"], error["code"]) == ("FileNotFoundError", "ENOENT")
        assert "in fail" in error["stack"]


def test_state_keeps_errors_inside_lists_and_dicts() -> None:
    """As it keeps them in a field of their own."""
    log = create_slice(name="log", initial_state={"last": []})

    @log.reducer
    def failed(state: Any, entries: Any) -> None:
        state.last = entries

    here, there = configure_store([log]), configure_store([log])
    error = SerializedError("E", "wrong")
    here.dispatch(failed([{"at": 1, "error": error}]))
    there.merge(here.deltas_since(there.state_vectors()))
    assert here[log].last == there[log].last == [{"at": 1, "error": dict(error)}]
