"""Queues that one thread drains at a time, and listeners that hurt nobody."""

from __future__ import annotations

import logging
import threading

import pytest

from crdtstore.notify import Listeners, Queue


def test_news_is_delivered_in_order() -> None:
    """What was put first is told first."""
    told: list[int] = []
    queue: Queue[int] = Queue(told.append)
    for number in range(3):
        queue.put(number)
    assert told == []
    queue.drain()
    queue.drain()
    assert told == [0, 1, 2]


def test_news_that_comes_while_news_is_told_comes_after() -> None:
    """A delivery that puts and drains does not overtake what waits."""
    told: list[int] = []

    def deliver(number: int) -> None:
        told.append(number)
        if number < 10:
            queue.put(number + 10)
            queue.drain()
        told.append(-number)

    queue: Queue[int] = Queue(deliver)
    queue.put(1)
    queue.put(2)
    queue.drain()
    assert told == [1, -1, 2, -2, 11, -11, 12, -12]


def test_one_thread_delivers_at_a_time_and_nothing_is_left() -> None:
    """Many threads that put and drain are told for by one of them, all of it, one after another."""
    inside = threading.Semaphore(1)
    overlaps: list[int] = []
    told: list[int] = []

    def deliver(number: int) -> None:
        if not inside.acquire(blocking=False):
            overlaps.append(number)
            return
        told.append(number)
        inside.release()

    queue: Queue[int] = Queue(deliver)
    start = threading.Barrier(8)

    def work(offset: int) -> None:
        start.wait()
        for number in range(offset, offset + 200):
            queue.put(number)
            queue.drain()

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == []
    assert sorted(told) == [1000 * n + i for n in range(8) for i in range(200)]
    assert [n for n in told if n < 1000] == list(range(200))


def test_a_delivery_that_raises_leaves_the_rest_for_the_next_drain() -> None:
    """An interrupt in the middle loses only the news it hit."""
    told: list[int] = []

    def deliver(number: int) -> None:
        if number == 1:
            raise KeyboardInterrupt
        told.append(number)

    queue: Queue[int] = Queue(deliver)
    for number in range(3):
        queue.put(number)
    with pytest.raises(KeyboardInterrupt):
        queue.drain()
    queue.drain()
    assert told == [0, 2]


def test_a_listener_that_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The others are called all the same."""
    told: list[int] = []
    listeners: Listeners[int] = Listeners()

    def fail(number: int) -> None:
        raise ZeroDivisionError(number)

    listeners.add(fail)
    listeners.add(told.append)
    with caplog.at_level(logging.ERROR, logger="crdtstore"):
        listeners(7)
    assert told == [7]
    assert "a listener failed; the state is committed all the same" in caplog.text
    assert "ZeroDivisionError: 7" in caplog.text


def test_a_listener_can_be_added_twice_and_removed_once() -> None:
    """Each addition is removed by its own function, which may be called again."""
    told: list[int] = []
    listeners: Listeners[int] = Listeners()
    remove = listeners.add(told.append)
    listeners.add(told.append)
    remove()
    remove()
    listeners(1)
    assert told == [1]


def test_listeners_may_come_and_go_while_they_are_told() -> None:
    """A round tells those that were there when it began."""
    told: list[str] = []
    listeners: Listeners[int] = Listeners()

    def first(_: int) -> None:
        told.append("first")
        remove_second()
        listeners.add(lambda _: told.append("third"))

    listeners.add(first)
    remove_second = listeners.add(lambda _: told.append("second"))
    listeners(1)
    assert told == ["first", "second"]
    listeners(2)
    assert told == ["first", "second", "first", "third"]
