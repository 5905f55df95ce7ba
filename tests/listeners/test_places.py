"""Where effects are started."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from crdtstore.errors import ClosedError
from crdtstore.listeners.executions import Execution
from crdtstore.listeners.places import Place
from crdtstore.tasks import Tasks
from tests.listeners.stage import PATIENCE, in_loop, turns


class Tells(Execution[str]):
    """Tells where it runs."""

    is_coroutine = True

    def __init__(self, *, apart: bool) -> None:
        super().__init__("what tells", apart, "cancelled", "completed")

    async def call(self) -> str:
        return threading.current_thread().name

    def told(self) -> Any:
        return self.outcome.result(PATIENCE)


@pytest.fixture
def place() -> Iterator[Place]:
    """A place with a loop thread."""
    tasks = Tasks("own")
    yield Place(tasks)
    tasks.stop()


def test_without_a_loop_here_is_nowhere(place: Place) -> None:
    """What is started there runs on the loop thread."""
    assert place.here() is None
    execution = Tells(apart=True)
    place.start(execution, None)
    assert execution.told().value == "own"


@in_loop
async def test_a_loop_of_the_programs_is_here() -> None:
    """What is started on it runs there; what is started apart does not."""
    tasks = Tasks("own")
    place = Place(tasks)
    loop = asyncio.get_running_loop()
    assert place.here() is loop
    assert place.of(loop) is loop
    here, apart = Tells(apart=False), Tells(apart=True)
    place.start(here, loop)
    await turns()
    assert here.told().value == threading.current_thread().name
    place.start(apart, None)
    assert apart.told().value == "own"
    tasks.stop()


def test_the_stores_own_loop_is_nowhere(place: Place) -> None:
    """Nobody's, that is: what is started there is apart."""
    answers: list[Any] = []
    execution = Tells(apart=True)

    async def work() -> None:
        own = asyncio.get_running_loop()
        answers.extend([place.here(), place.of(own)])
        place.start(execution, None)

    place.tasks.run(work(), "work").wait(PATIENCE)
    assert answers == [None, None]
    assert execution.told().value == "own"


@in_loop
async def test_a_loop_in_another_thread_can_be_started_on() -> None:
    """From a thread that has none, or one of its own."""
    tasks = Tasks("own")
    place = Place(tasks)
    loop = asyncio.get_running_loop()
    first, second = Tells(apart=False), Tells(apart=False)

    async def elsewhere() -> None:
        place.start(second, loop)

    await asyncio.to_thread(place.start, first, loop)
    await asyncio.to_thread(asyncio.run, elsewhere())
    await turns()
    names = [execution.told().value for execution in (first, second)]
    assert names == [threading.current_thread().name] * 2
    tasks.stop()


def test_a_loop_that_does_not_run_is_none(place: Place) -> None:
    """Be it closed or only not running."""
    loop = asyncio.new_event_loop()
    assert place.of(loop) is None
    loop.close()
    assert place.of(loop) is None
    assert place.of(None) is None


def test_what_cannot_be_started_is_cancelled(place: Place) -> None:
    """On a loop that was closed just now, say."""
    loop = asyncio.new_event_loop()
    loop.close()
    execution = Tells(apart=False)
    with pytest.raises(RuntimeError, match="closed"):
        place.start(execution, loop)
    assert execution.told().status == "cancelled"


@in_loop
async def test_nothing_is_started_after_the_end() -> None:
    """Neither here nor apart, nor what was on its way."""
    tasks = Tasks("own")
    place = Place(tasks)
    loop = asyncio.get_running_loop()
    on_its_way = Tells(apart=False)
    await asyncio.to_thread(place.start, on_its_way, loop)
    late = Tells(apart=False)
    thread = threading.Thread(target=place.start, args=(late, loop))
    thread.start()
    thread.join()  # it has told this loop, which has not listened yet
    tasks.stop()
    await turns()
    assert late.told().status == "cancelled"
    for target in (None, loop):
        execution = Tells(apart=target is None)
        with pytest.raises(ClosedError):
            place.start(execution, target)
        assert execution.told().status == "cancelled"
