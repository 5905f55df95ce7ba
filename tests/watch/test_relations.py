"""What happened before what."""

from __future__ import annotations

from sync.watch.relations import concurrent_with, past_of
from tests.watch.feed import A, B, act, events, story, told


def test_what_neither_knew_of_is_concurrent() -> None:
    """Work meets only by deliveries: B's two acts and A's first one did not know of each other."""
    past = past_of(story(), 2)
    assert past.before == {0}
    assert past.after == {5, 6, 7, 8}
    assert [n for n in range(9) if past.concurrent(n)] == [1, 3, 4]


def test_the_past_goes_through_others() -> None:
    """A's last act knows B's first by a delivery, and that B's second is nothing it had."""
    past = past_of(story(), 5)
    assert past.before == {0, 1, 2, 3}
    assert past.concurrent(4)


def test_a_cause_may_have_a_higher_number() -> None:
    """When it came to light only later."""
    late = told(events(act(0, A, "n/add", 2), act(1, A, "n/add", 0), act(2, B, "n/add")))
    assert past_of(late, 1).before == {0, 2}
    assert past_of(late, 2).after == {0, 1}


def test_a_delivery_is_concurrent_if_what_it_brought_is() -> None:
    """The moment of its arrival is of no account for that."""
    model = story()
    brought = model.event(5)
    own = model.event(8)
    assert brought is not None
    assert own is not None
    pasts = {2: past_of(model, 2)}
    assert concurrent_with(brought, pasts)
    assert not concurrent_with(own, pasts)
