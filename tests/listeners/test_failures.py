"""Who is told of what effects and predicates raise."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from crdtstore import create_action
from crdtstore.listeners import ListenerErrorInfo, create_listener_middleware
from crdtstore.listeners.failures import Failures
from tests.listeners.stage import Seen, opened

go = create_action("go")


def test_without_a_handler_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the traceback, and with whose they are."""
    failures = Failures(None)
    failures.of_effect(KeyError("one"))
    failures.of_predicate(KeyError("two"))
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("crdtstore", "the effect of a listener failed"),
        ("crdtstore", "the predicate of a listener failed"),
    ]
    assert [record.exc_info and str(record.exc_info[1]) for record in caplog.records] == [
        "'one'",
        "'two'",
    ]


def test_a_handler_gets_the_exception_and_where_it_comes_from(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Then nothing is logged."""
    told: list[Any] = []
    failures = Failures(lambda error, info: told.append((error, info)))
    one, two = KeyError("one"), KeyError("two")
    failures.of_effect(one)
    failures.of_predicate(two)
    assert told == [(one, ListenerErrorInfo("effect")), (two, ListenerErrorInfo("predicate"))]
    assert not caplog.records


def test_a_handler_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With both exceptions; nobody else hears of it."""
    boom = ValueError("boom")

    def handler(error: BaseException, info: ListenerErrorInfo) -> None:
        raise error from boom

    Failures(handler).of_effect(KeyError("one"))
    [record] = caplog.records
    assert "on_error= failed" in record.getMessage()
    assert record.levelno == logging.ERROR
    assert "boom" in caplog.text
    assert "one" in caplog.text


def test_a_failing_handler_hurts_no_dispatch_and_no_merge(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whether an effect failed or a predicate."""

    def handler(error: BaseException, info: ListenerErrorInfo) -> None:
        raise error

    seen = Seen()
    listener = create_listener_middleware(on_error=handler)
    listener.start_listening(predicate=lambda: 1 / 0 > 1, effect=seen.effect)
    listener.start_listening(type="go", effect=lambda action, api: 1 / 0)
    listener.start_listening(type="go", effect=seen.effect)
    with opened(listener) as store:
        assert store.dispatch(go()) == go()
        seen.until(("go", None))
    assert caplog.text.count("on_error= failed, with what the predicate") == 1


@pytest.mark.parametrize("wrong", [5, "handler"])
def test_a_handler_is_a_function(wrong: Any) -> None:
    """Anything else is refused when the middleware is made."""
    with pytest.raises(TypeError, match="on_error= is a plain function"):
        create_listener_middleware(on_error=wrong)


def test_a_handler_is_no_coroutine_function() -> None:
    """Nobody would run it."""

    async def handler(error: BaseException, info: ListenerErrorInfo) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="on_error= is a plain function"):
        create_listener_middleware(on_error=handler)
