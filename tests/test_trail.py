"""The trail of commits: by reference, bounded, and waking whoever waits once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from crdtstore import configure_store, create_slice
from sync import vectors


def _put(state: Any, n: int) -> None:
    state.n = n


counter = create_slice(name="counter", initial_state={"n": 0}, reducers={"put": _put})


def test_commits_are_kept_as_they_are() -> None:
    """The states, the action and the deltas are the very objects of the commit."""
    with configure_store([counter]) as store:
        store.dispatch(counter.actions.put(1))
        trail = store.trail()
        assert trail.initial is store.state
        assert list(vectors.decode(trail.vectors["counter"])) == [int(store.session, 36)]
        assert (trail.first, trail.end, trail.since(0)) == (0, 0, [])
        action = store.dispatch(counter.actions.put(2))
        ((number, commit),) = trail
        assert number == 0
        assert commit.action is action
        assert commit.previous is trail.initial
        assert commit.state is store.state
        assert trail.commit(0) == commit
        assert trail.commit(1) is None
        assert trail.commit(-1) is None


def test_the_oldest_are_let_go() -> None:
    """Numbers stay, and what is asked for begins with what is kept."""
    with configure_store([counter]) as store:
        trail = store.trail(50)
        for n in range(1, 121):
            store.dispatch(counter.actions.put(n))
        assert (trail.first, trail.end) == (70, 120)
        for count in (1, 5, 16, 17, 40, 1000):
            for number in (-3, 0, 69, 70, 71, 100, 119, 120, 500):
                found = trail.since(number, count)
                wanted = range(max(number, 70), min(max(number, 70) + count, 120))
                assert [at for at, _ in found] == list(wanted)
                assert [commit.state.counter.n for _, commit in found] == [at + 1 for at in wanted]
        assert trail.commit(69) is None
        assert trail.commit(70) is not None


def test_whoever_waits_is_woken_once() -> None:
    """By the commit that was waited for, and not at all if it is there."""
    with configure_store([counter]) as store:
        trail = store.trail()
        woken: list[int] = []
        assert trail.wake(lambda: woken.append(trail.end), after=1)
        store.dispatch(counter.actions.put(1))
        assert woken == []
        store.dispatch(counter.actions.put(2))
        assert woken == [2]
        store.dispatch(counter.actions.put(3))
        assert woken == [2]
        assert not trail.wake(lambda: woken.append(0), after=2)
        assert woken == [2]
        assert trail.wake(lambda: woken.append(7), after=trail.end)
        thread = threading.Thread(target=store.dispatch, args=(counter.actions.put(4),))
        thread.start()
        store.dispatch(counter.actions.put(5))
        thread.join()
        assert woken == [2, 7]


def test_a_closed_trail_takes_no_more() -> None:
    """What it has stays readable."""
    with configure_store([counter]) as store:
        trail = store.trail()
        store.dispatch(counter.actions.put(1))
        trail.wake(lambda: pytest.fail("woken"), after=trail.end)
        trail.close()
        store.dispatch(counter.actions.put(2))
        assert len(trail.since(0)) == 1


def test_a_trail_keeps_one_at_least() -> None:
    """Any other limit is a mistake."""
    with configure_store([counter]) as store, pytest.raises(ValueError, match="1 at least; got 0"):
        store.trail(0)


def test_a_merge_is_noted_as_hooks_are_told_of_it() -> None:
    """With what is known of the action, its origin, and no action of this store."""
    with configure_store([counter]) as store, configure_store([counter]) as other:
        told: list[Any] = []
        store.on_commit(told.append)
        trail = store.trail()
        commits: list[Any] = []
        other.on_commit(commits.append)
        for n in (1, 2):
            other.dispatch(counter.actions.put(n))
        for commit in reversed(commits):  # the first waits, and then both come at once
            store.merge(commit.deltas, info=commit.info, origin="there")
        store.dispatch(counter.actions.put(3))
        assert [commit for _, commit in trail] == told
        assert [commit.local for _, commit in trail] == [False, False, True]
        assert all(commit.origin == "there" for _, commit in trail.since(0, 2))


def test_reading_while_others_commit() -> None:
    """Whoever reads sees numbers without a gap, each with its own commit, and waits for nobody."""
    with configure_store([counter]) as store:
        trail = store.trail(40)
        over = threading.Event()

        def work() -> None:
            for n in range(1, 3001):
                store.dispatch(counter.actions.put(n))
            over.set()

        thread = threading.Thread(target=work)
        thread.start()
        reads = 0
        while not over.is_set() or not reads:
            for start, count in ((trail.end - 5, 3), (trail.end - 30, 25), (0, 50)):
                found = trail.since(start, count)
                numbers = [at for at, _ in found]
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))[:count]
                assert all(commit.state.counter.n == at + 1 for at, commit in found)
                reads += 1
        thread.join()
