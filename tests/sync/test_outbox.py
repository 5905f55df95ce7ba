"""What waits to be written."""

from __future__ import annotations

from sync.outbox import Outbox


def test_small_things_overtake_and_the_rest_keeps_its_order() -> None:
    """Control frames first, then the diff, then live deltas."""
    box = Outbox(100)
    box.put_diff([b"d1", b"d2"])
    assert box.put_delta([b"live"], 4)
    assert box.take(1) == b"d1"
    box.put([b"ack"])
    assert box.bulk
    assert box.take(1) == b"ack"
    assert box.queued_bytes == 6
    assert box.take(100) == b"d2live"
    assert not box
    assert box.queued_bytes == 0


def test_live_deltas_past_the_bound_are_noticed_and_dropped_alone() -> None:
    """A diff and control frames stay when live deltas are dropped."""
    box = Outbox(10)
    box.put_diff([b"diff"])
    box.put([b"ack"])
    assert box.put_delta([b"x" * 5, b"x" * 5], 10)
    assert not box.put_delta([b"y"], 1)
    box.drop_deltas()
    assert box.delta_bytes == 0
    assert box.take(100) == b"ackdiff"
    assert box.queued_bytes == 0
