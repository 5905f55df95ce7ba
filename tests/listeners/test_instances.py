"""What the runs of one listener's effect do to one another."""

from __future__ import annotations

from typing import Any

import pytest

from crdtstore.listeners.instances import Instance, Instances


def instance(groups: tuple[Instances, Instances], **how: Any) -> Instance:
    """Make one that nobody starts."""
    options: dict[str, Any] = {"apart": False, "is_coroutine": True, **how}
    return Instance("an effect", failed=lambda error: None, groups=groups, **options)


@pytest.fixture
def groups() -> tuple[Instances, Instances]:
    """Those of a listener, and those of the middleware."""
    return Instances(), Instances()


def test_what_is_over_leaves(groups: tuple[Instances, Instances]) -> None:
    """Both groups."""
    one = instance(groups)
    assert list(groups[0]._all) == list(groups[1]._all) == [one]
    one.cancel()
    assert not groups[0]._all
    assert not groups[1]._all
    assert one.outcome.result(0).status == "cancelled"


@pytest.mark.parametrize(
    ("how", "waited", "expected"),
    [
        ({"apart": False, "is_coroutine": True}, False, True),
        ({"apart": False, "is_coroutine": False}, False, True),
        ({"apart": True, "is_coroutine": True}, False, True),
        ({"apart": True, "is_coroutine": False}, False, False),
        ({"apart": True, "is_coroutine": False}, True, True),
    ],
)
def test_who_cancels_whom(
    groups: tuple[Instances, Instances], how: dict[str, bool], waited: bool, expected: bool
) -> None:
    """Earlier ones always; later ones if they have begun, and on a thread only after a wait."""
    earlier, itself, later = (instance(groups, **how) for _ in range(3))
    itself.waited = waited
    assert itself.cancels(earlier)
    assert not itself.cancels(itself)
    assert not itself.cancels(later)
    later.begun = True
    assert itself.cancels(later) is expected
    for each in (earlier, itself, later):
        each.cancel()


def test_only_those_are_cancelled_that_are_meant(groups: tuple[Instances, Instances]) -> None:
    """All of them without a choice."""
    one, two = instance(groups), instance(groups)
    groups[0].cancel(lambda each: each is one)
    assert one.signal.reason == "listener-cancelled"
    assert not two.signal.aborted
    groups[1].cancel()
    assert two.signal.aborted


def test_what_came_after_an_unsubscription_is_not_wanted(
    groups: tuple[Instances, Instances],
) -> None:
    """What came before it is."""
    one, two, three = (instance(groups) for _ in range(3))
    assert three.is_wanted()
    groups[0].unsubscribed(two)
    assert [each.is_wanted() for each in (one, two, three)] == [True, True, False]
    groups[0].unsubscribed(three)
    assert not three.is_wanted()
    groups[0].subscribed(at_once=False)
    four = instance(groups)
    assert [each.is_wanted() for each in (two, three, four)] == [True, False, True]
    groups[0].subscribed(at_once=False)
    groups[0].subscribed(at_once=True)
    assert three.is_wanted()
    groups[1].cancel()
