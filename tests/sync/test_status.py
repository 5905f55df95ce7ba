"""What a peer says about itself."""

from __future__ import annotations

import pytest

from sync import LinkStatus, PeerStatus

LINK = LinkStatus("tcp://h:1", True, "open", replica="0123456789", in_sync=True)


def peer(*links: LinkStatus) -> PeerStatus:
    return PeerStatus("abcdefghij", "s", "default", "running", ("tcp://me:1",), links)


def test_it_is_frozen() -> None:
    """A status is of one moment and does not change."""
    with pytest.raises(AttributeError):
        LINK.state = "closed"  # type: ignore[misc]


def test_in_sync_needs_a_link() -> None:
    """Nobody connected is not “in sync”, and one link behind is not either."""
    behind = LinkStatus("x", False, "open", replica="r", unacked_frames=3, unacked_bytes=99)
    assert not peer().in_sync
    assert peer(LINK).in_sync
    assert peer(LINK, LinkStatus("y", True, "waiting")).in_sync
    assert not peer(LINK, behind).in_sync
    assert peer(LINK, behind).connected == ("0123456789", "r")


def test_one_line_a_link_says_what_matters() -> None:
    """Direction, address, who, how far behind, what went wrong."""
    text = str(
        peer(
            LINK,
            LinkStatus("y", False, "open", replica="r", unacked_frames=3, unacked_bytes=99),
            LinkStatus("z", True, "waiting", last_error="cannot connect"),
            LinkStatus("q", True, "open", diverged=("a", "b")),
        )
    ).splitlines()
    assert text[0] == "peer abcdefgh in namespace 'default': running, listening on tcp://me:1"
    assert text[1].startswith("  -> tcp://h:1 01234567: open, in sync")
    assert "<- y r: open, 3 changes (99 bytes) behind" in text[2]
    assert text[3] == "  -> z: waiting; last error: cannot connect"
    assert "DIVERGED: a, b" in text[4]
    assert "no links" in str(peer())
