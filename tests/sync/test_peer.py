"""Peers over real connections, each with a store of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crdtstore import ActionInfo
from sync import (
    DivergenceError,
    Peer,
    PeerConfigError,
    PeerError,
    PeerStatus,
    PeerStoppedError,
    TransportError,
)
from tests.sync.fake_store import FakeStore
from tests.sync.watch import FAST, PATIENCE, Watch, until

LOOPBACK = "tcp://127.0.0.1:0"


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Everything entered here is left when the test ends."""
    with contextlib.ExitStack() as stack:
        yield stack


def ring(stack: contextlib.ExitStack, stores: list[FakeStore], **how: Any) -> list[Peer]:
    """Peers that each connect to the one before, and the first to the last as well."""
    peers: list[Peer] = []
    for store in stores:
        connect = [peers[-1].addresses[0]] if peers else []
        if len(peers) == len(stores) - 1 and len(stores) > 2:
            connect.append(peers[0].addresses[0])
        peer = Peer(store, listen=LOOPBACK, connect=connect, limits=FAST, **how)
        peers.append(stack.enter_context(peer))
    return peers


def has(store: FakeStore, count: int) -> bool:
    return len(store.content()) == count


def all_equal(*stores: FakeStore) -> bool:
    return len({store.digest() for store in stores}) == 1


# ---- one link ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["tcp", "unix", "memory"])
def test_two_peers_share_what_they_had_and_what_comes(scheme: str, tmp_path: Path) -> None:
    """Old work is exchanged when a link opens, new work as it happens, in both directions."""
    url = {"tcp": LOOPBACK, "unix": f"unix://{tmp_path}/s", "memory": "memory://pair"}[scheme]
    one, two = FakeStore("a", "b"), FakeStore("a", "b")
    one.add(b"old", "a", "b")
    two.add(b"older", "b")
    with Peer(one, listen=url) as first, Peer(two, connect=first.addresses) as second:
        second.synced().wait(PATIENCE)
        assert all_equal(one, two)
        two.add(b"new", "a")
        second.replicated().wait(PATIENCE)
        one.add(b"newer", "a")
        first.replicated().wait(PATIENCE)
        assert all_equal(one, two)
        assert len(one.content("a")) == 3


def test_all_slices_of_a_commit_arrive_in_one_merge_with_its_action() -> None:
    """One commit is one frame: its slices are merged together, and its action comes along."""
    one, two = FakeStore("a", "b"), FakeStore("a", "b")
    commits: list[Any] = []
    two.on_commit(commits.append)
    info = ActionInfo("todos/add", "me", 123, b"payload")
    with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
        second.synced().wait(PATIENCE)
        one.add(b"x", "a", "b", info=info)
        first.replicated().wait(PATIENCE)
    assert [(set(c.deltas), c.info) for c in commits] == [({"a", "b"}, info)]
    assert commits[0].origin.replica == one.replica


def test_nothing_is_sent_before_it_is_durable() -> None:
    """A commit that is not in the storage log is not on the wire, and nothing claims that it is."""
    one, two = FakeStore("a", durable="manual"), FakeStore("a")
    with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
        second.synced().wait(PATIENCE)
        one.add(b"x")
        waiting = first.replicated()
        second.synced(to=1).done()
        two.add(b"y")
        until(one, lambda: len(one.content()) == 2)
        assert two.content() == {(two.client, 0, b"y")}
        assert not waiting.done()
        one.settle()
        waiting.wait(PATIENCE)
        assert all_equal(one, two)


def test_what_is_not_durable_over_there_is_not_acknowledged() -> None:
    """``replicated`` waits for the other side's storage, not only for its memory."""
    one, two = FakeStore("a"), FakeStore("a", durable="manual")
    with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
        second.synced().wait(PATIENCE)
        one.add(b"x")
        waiting = first.replicated()
        until(two, lambda: len(two.content()) == 1)
        assert not waiting.done()
        two.settle()
        waiting.wait(PATIENCE)


def test_a_peer_works_inside_a_coroutine() -> None:
    """``async with`` and ``await`` do what ``with`` and ``wait`` do, without blocking the loop."""
    one, two = FakeStore("a"), FakeStore("a")
    one.add(b"x")

    async def main() -> None:
        async with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as peer:
            async with asyncio.timeout(PATIENCE):
                await peer.synced()

    asyncio.run(main())
    assert all_equal(one, two)


# ---- the mesh ----------------------------------------------------------------------------------


def test_a_ring_relays_and_falls_silent(stack: contextlib.ExitStack) -> None:
    """In a cycle work reaches everybody, and a duplicate goes no further."""
    stores = [FakeStore("a") for _ in range(4)]
    for store in stores:
        store.add(b"early")
    peers = ring(stack, stores)
    for store in stores:
        for number in range(20):
            store.add(b"%d" % number)
    for peer in peers:
        peer.synced(to=2).wait(PATIENCE)
    for store in stores:
        until(store, partial(has, store, 84))
    assert all_equal(*stores)
    for peer in peers:
        peer.synced().wait(PATIENCE)
    merges = [store.merges for store in stores]
    for peer in peers:
        peer.synced().wait(PATIENCE)
    assert [store.merges for store in stores] == merges


def test_a_peer_that_was_away_gets_what_it_missed(stack: contextlib.ExitStack) -> None:
    """Stopping and starting again, over the same store, continues where it was."""
    one, two = FakeStore("a"), FakeStore("a")
    hub = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    with Peer(two, connect=hub.addresses, limits=FAST) as peer:
        peer.synced().wait(PATIENCE)
    one.add(b"while away")
    two.add(b"offline")
    with Peer(two, connect=hub.addresses, limits=FAST) as peer:
        peer.synced().wait(PATIENCE)
    assert all_equal(one, two)


def test_a_listener_that_comes_back_is_found_again(tmp_path: Path) -> None:
    """A peer keeps trying an address, whoever listens there later."""
    url = f"unix://{tmp_path}/s"
    one, two = FakeStore("a"), FakeStore("a")
    watch = Watch()
    with Peer(two, connect=url, limits=FAST, on_status=watch) as peer:
        watch.error("cannot connect")
        for _ in range(3):
            with Peer(one, listen=url, limits=FAST):
                peer.synced(to=1).wait(PATIENCE)
                one.add(b"x")
                until(two, partial(all_equal, one, two))
            one = one.crashed()


def test_two_peers_that_connect_to_each_other_keep_one_link(tmp_path: Path) -> None:
    """The usual configuration, each naming the other, does not send everything twice."""
    urls = [f"unix://{tmp_path}/{name}" for name in "ab"]
    one, two = FakeStore("a"), FakeStore("a")
    seen = Watch()
    with (
        Peer(one, listen=urls[0], connect=urls[1], limits=FAST, on_status=seen),
        Peer(two, listen=urls[1], connect=urls[0], limits=FAST) as second,
    ):
        second.synced(to=1).wait(PATIENCE)

        def single(status: PeerStatus) -> bool:
            states = sorted(link.state for link in status.links)
            return states in (["open"], ["duplicate", "open"]) and len(seen.seen) > 2

        seen.until(single)
        one.add(b"x")
        until(two, lambda: all_equal(one, two))


def test_a_link_made_twice_is_closed_and_comes_back_when_needed(tmp_path: Path) -> None:
    """Two addresses of one peer make one link; the second waits until the first is gone."""
    one, two = FakeStore("a"), FakeStore("a")
    watch = Watch()
    with (
        Peer(one, listen=[LOOPBACK, f"unix://{tmp_path}/s"], limits=FAST) as first,
        Peer(two, connect=first.addresses, limits=FAST, on_status=watch) as second,
    ):
        watch.until(lambda s: sorted(x.state for x in s.links) == ["duplicate", "open"])
        second.synced(to=1).wait(PATIENCE)


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [("right", "wrong"), ("right", None), (None, "right")])
def test_without_the_right_token_nothing_is_shared(
    tokens: tuple[str | None, str | None], stack: contextlib.ExitStack
) -> None:
    """A wrong or missing token closes the connection with that reason, on both sides."""
    one, two = FakeStore("a"), FakeStore("a")
    one.add(b"secret")
    here, there = Watch(), Watch()
    first = stack.enter_context(
        Peer(one, listen=LOOPBACK, token=tokens[0], limits=FAST, on_status=here)
    )
    stack.enter_context(
        Peer(two, connect=first.addresses, token=tokens[1], limits=FAST, on_status=there)
    )
    assert "the other side" in there.error("unauthorised")
    here.until(lambda status: not status.links)
    assert two.content() == set()
    assert first.status.connected == ()


def test_another_namespace_is_refused(stack: contextlib.ExitStack) -> None:
    """Peers of two namespaces do not mix, and are told why."""
    watch = Watch()
    first = stack.enter_context(Peer(FakeStore("a"), listen=LOOPBACK, namespace="x", limits=FAST))
    stack.enter_context(
        Peer(FakeStore("a"), connect=first.addresses, namespace="y", limits=FAST, on_status=watch)
    )
    assert "'x'" in watch.error("namespace")


def test_a_changed_kind_at_one_path_is_refused(stack: contextlib.ExitStack) -> None:
    """The message names the path and both kinds."""
    watch = Watch()
    one = FakeStore(schema={"a": {"n": "counter", "x": "register"}})
    two = FakeStore(schema={"a": {"n": "register", "y": "text"}})
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    stack.enter_context(Peer(two, connect=first.addresses, limits=FAST, on_status=watch))
    error = watch.error("schema")
    assert "a.n" in error
    assert "counter" in error
    assert "register" in error


def test_new_and_old_versions_of_a_program_work_together() -> None:
    """More fields on one side, more slices on the other: what both have is shared."""
    one = FakeStore(schema={"a": {"x": "register", "y": "text"}, "only-here": {"z": "set"}})
    two = FakeStore(schema={"a": {"x": "register"}, "only-there": {}})
    one.add(b"1", "a", "only-here")
    with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
        second.synced().wait(PATIENCE)
        assert two.content() == one.content()
        assert first.status.links[0].unshared == ("only-here",)


def test_a_peer_does_not_connect_to_itself(stack: contextlib.ExitStack, tmp_path: Path) -> None:
    """A list of addresses may contain one’s own; it is recognised and left alone."""
    url = f"unix://{tmp_path}/s"
    watch = Watch()
    stack.enter_context(Peer(FakeStore("a"), listen=url, connect=url, limits=FAST, on_status=watch))
    watch.until(lambda status: [link.state for link in status.links] == ["self"])


def test_a_clone_of_a_session_is_refused(stack: contextlib.ExitStack) -> None:
    """Two processes with one session id would corrupt each other silently."""
    one, two = FakeStore("a"), FakeStore("a")
    two.session = one.session
    watch = Watch()
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    stack.enter_context(Peer(two, connect=first.addresses, limits=FAST, on_status=watch))
    watch.until(lambda status: [link.state for link in status.links] == ["self"])


@pytest.mark.parametrize("url", ["tcp://0.0.0.0:0", "tcp://[::]:0", "tcp://example.org:1"])
def test_listening_for_other_machines_needs_a_token(url: str) -> None:
    """The refusal says what to pass and what the token does not do."""
    with pytest.raises(PeerConfigError, match="token=") as caught:
        Peer(FakeStore("a"), listen=url)
    assert "TLS" in str(caught.value)
    Peer(FakeStore("a"), listen=url, token="long and random")


@pytest.mark.parametrize("url", ["", "tcp://", "tcp://host", "http://x", "unix://x", "memory://"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    """The message shows an address of the expected form."""
    with pytest.raises(TransportError, match="expected"):
        Peer(FakeStore("a"), connect=url)


def test_a_port_in_use_is_told_where_it_was_asked_for(stack: contextlib.ExitStack) -> None:
    """``start`` raises what the listening failed with, and leaves nothing behind."""
    first = stack.enter_context(Peer(FakeStore("a"), listen=LOOPBACK))
    second = Peer(FakeStore("a"), listen=first.addresses[0])
    with pytest.raises(TransportError, match="cannot listen"):
        second.start()
    assert second.status.state == "stopped"


# ---- bad company -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 100,
        b"\x00\x00\x00\x05" + b"\x00" * 13,
        b"\x7f\xff\xff\xff",
    ],
)
def test_bad_bytes_close_that_connection_and_no_other(
    data: bytes, stack: contextlib.ExitStack
) -> None:
    """Whoever sends rubbish is told BYE; the peers that work go on working."""
    one, two = FakeStore("a"), FakeStore("a")
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    second = stack.enter_context(Peer(two, connect=first.addresses, limits=FAST))
    second.synced().wait(PATIENCE)
    port = int(first.addresses[0].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        raw.sendall(data + b"\x00" * 64)
        heard = b""
        while piece := raw.recv(4096):
            heard += piece
    assert any(reason in heard for reason in (b"too-large", b"checksum"))
    one.add(b"x")
    first.replicated().wait(PATIENCE)
    assert first.status.connected == (two.replica,)


def test_a_connection_that_says_nothing_is_ended(stack: contextlib.ExitStack) -> None:
    """Who does not authenticate in time is hung up on."""
    first = stack.enter_context(Peer(FakeStore("a"), listen=LOOPBACK, limits=FAST))
    port = int(first.addresses[0].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
        heard = b""
        while piece := raw.recv(4096):
            heard += piece
    assert b"timeout" in heard


def test_connections_that_have_not_authenticated_are_counted(
    stack: contextlib.ExitStack,
) -> None:
    """Past the limit a newcomer is turned away, and the links that work are not touched."""
    limits = replace(FAST, half_open=2, handshake_seconds=PATIENCE)
    first = stack.enter_context(Peer(FakeStore("a"), listen=LOOPBACK, limits=limits))
    port = int(first.addresses[0].rsplit(":", 1)[1])
    for _ in range(2):
        raw = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
        assert raw.recv(1)
    extra = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
    heard = b""
    while piece := extra.recv(4096):
        heard += piece
    assert b"overloaded" in heard


def test_an_update_that_the_store_refuses_closes_that_link(stack: contextlib.ExitStack) -> None:
    """The reason is named on both sides, and other links go on."""
    bad, good, other = FakeStore("a"), FakeStore("a"), FakeStore("a")
    watch = Watch()
    hub = stack.enter_context(Peer(good, listen=LOOPBACK, limits=FAST))
    third = stack.enter_context(Peer(other, connect=hub.addresses, limits=FAST))
    first = stack.enter_context(Peer(bad, connect=hub.addresses, limits=FAST, on_status=watch))
    first.synced().wait(PATIENCE)
    third.synced().wait(PATIENCE)
    bad.lie(b"rubbish")
    assert "the other side" in watch.error("bad-update")
    good.add(b"x")
    third.synced().wait(PATIENCE)
    assert (good.client, 0, b"x") in other.content()


def test_a_slow_peer_gets_one_diff_instead_of_a_long_queue(stack: contextlib.ExitStack) -> None:
    """What does not fit the queue is dropped, memory stays bounded, and nothing is lost."""
    limits = replace(FAST, queue_bytes=200_000, timeout_seconds=PATIENCE)
    one, two = FakeStore("a"), FakeStore("a")
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=limits))
    second = stack.enter_context(Peer(two, connect=first.addresses, limits=limits))
    second.synced().wait(PATIENCE)
    with two._lock:  # the other side works on nothing now
        for _ in range(300):
            one.add(b"x" * 50_000)
            link = first.status.links[0]
            assert link.queued_bytes < 1_000_000
    first.replicated().wait(PATIENCE)
    assert all_equal(one, two)
    assert first.status.links[0].drops > 0
    assert two.merges < 300


def test_a_diff_of_forty_megabytes_gets_through() -> None:
    """It travels in parts, and heartbeats between them keep the link alive."""
    one, two = FakeStore("a", "b"), FakeStore("a", "b")
    for number in range(10):
        one.add(bytes([number]) * 4_000_000, "a")
    one.add(b"small", "b")
    limits = replace(FAST, heartbeat_seconds=0.02)
    with (
        Peer(one, listen=LOOPBACK, limits=limits) as first,
        Peer(two, connect=first.addresses, limits=limits) as second,
    ):
        second.synced().wait(PATIENCE)
        assert all_equal(one, two)
        assert second.status.links[0].bytes_in > 40_000_000
        one.add(b"y" * 20_000_000, "a")
        first.replicated().wait(PATIENCE)
        assert all_equal(one, two)


def test_a_message_larger_than_the_other_side_accepts_is_named(
    stack: contextlib.ExitStack,
) -> None:
    """The link closes with the limit to raise, rather than hang or be cut off in the middle."""
    one, two = FakeStore("a"), FakeStore("a")
    one.add(b"x" * 3_000_000)
    watch = Watch()
    small = replace(FAST, message_bytes=1_000_000)
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    stack.enter_context(Peer(two, connect=first.addresses, limits=small, on_status=watch))
    assert "limits.message_bytes" in watch.error("too-large")


# ---- what one waits for ------------------------------------------------------------------------


def test_synced_waits_for_a_first_peer() -> None:
    """With nobody connected, “am I synced?” is not answered with yes."""
    one, two = FakeStore("a"), FakeStore("a")
    with Peer(one, listen=LOOPBACK, limits=FAST) as first:
        waiting = first.synced()
        with pytest.raises(TimeoutError, match="synced"):
            waiting.wait(0.01)
        with Peer(two, connect=first.addresses, limits=FAST):
            waiting.wait(PATIENCE)


def test_replicated_counts_distinct_peers(stack: contextlib.ExitStack) -> None:
    """Two links are not two replicas, and a third peer completes what two could not."""
    stores = [FakeStore("a") for _ in range(4)]
    hub = stack.enter_context(Peer(stores[0], listen=LOOPBACK, limits=FAST))
    peers = [
        stack.enter_context(Peer(store, connect=hub.addresses, limits=FAST))
        for store in stores[1:3]
    ]
    for peer in peers:
        peer.synced().wait(PATIENCE)
    stores[0].add(b"x")
    hub.replicated(to=2).wait(PATIENCE)
    three = hub.replicated(to=3)
    assert not three.done()
    stack.enter_context(Peer(stores[3], connect=hub.addresses, limits=FAST))
    three.wait(PATIENCE)
    assert (stores[0].client, 0, b"x") in stores[3].content()


def test_lost_content_is_repaired_and_synced_waits_for_that() -> None:
    """Equal vectors with unequal digests are not “synced” until a repair made them equal."""
    one, two = FakeStore("a"), FakeStore("a")
    one.add(b"x")
    one.add(b"y")
    with (
        Peer(one, listen=LOOPBACK, limits=FAST) as first,
        Peer(two, connect=first.addresses, limits=FAST) as second,
    ):
        second.synced().wait(PATIENCE)
        assert two.spoil()
        assert not all_equal(one, two)
        second.synced().wait(PATIENCE)
        assert all_equal(one, two)


def test_a_divergence_is_loud(
    stack: contextlib.ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the status, in the log as an error, and fails what waits for sync."""
    one, two = FakeStore("a"), FakeStore("a")
    one.add(b"x")
    watch = Watch()
    first = stack.enter_context(Peer(one, listen=LOOPBACK, limits=FAST))
    second = stack.enter_context(Peer(two, connect=first.addresses, limits=FAST, on_status=watch))
    second.synced().wait(PATIENCE)
    two.incurable = True
    assert two.spoil()
    with pytest.raises(DivergenceError, match="differ in a") as caught:
        second.synced().wait(PATIENCE)
    assert caught.value.slices == ("a",)
    status = watch.until(lambda s: any(link.diverged for link in s.links))
    assert "DIVERGED" in str(status)
    assert any(r.levelno == logging.ERROR and "DIVERGENCE" in r.message for r in caplog.records)


# ---- life --------------------------------------------------------------------------------------


def test_leaving_hands_over_what_was_dispatched_last() -> None:
    """The last line of a ``with`` block reaches the peers."""
    one, two = FakeStore("a", durable="thread"), FakeStore("a")
    with Peer(two, listen=LOOPBACK) as hub:
        with Peer(one, connect=hub.addresses) as peer:
            peer.synced().wait(PATIENCE)
            one.add(b"last words")
        assert all_equal(one, two)
    one.close()


def test_stopping_fails_what_was_waited_for() -> None:
    """Nobody waits for ever for a peer that is gone."""
    peer = Peer(FakeStore("a"), listen=LOOPBACK, limits=FAST).start()
    waiting = peer.synced()
    peer.stop()
    peer.stop()
    with pytest.raises(PeerStoppedError):
        waiting.wait(PATIENCE)
    with pytest.raises(PeerStoppedError):
        peer.replicated().wait(PATIENCE)
    with pytest.raises(PeerError, match="new one"):
        peer.start()


def test_a_store_closed_under_a_running_peer_stops_the_peer() -> None:
    """No traceback in a thread nobody sees: the peer stops and its status says why."""
    one, two = FakeStore("a"), FakeStore("a")
    watch = Watch()
    with (
        Peer(two, listen=LOOPBACK, limits=FAST) as hub,
        Peer(one, connect=hub.addresses, limits=FAST, on_status=watch) as peer,
    ):
        peer.synced().wait(PATIENCE)
        one.close()
        two.add(b"x")
        stopped = watch.until(lambda status: status.state == "stopped")
    assert stopped.last_error == "the store was closed"


def test_what_fails_in_the_thread_is_in_the_status(
    stack: contextlib.ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug or a full disk under one link closes it with its name, and is logged."""

    class Broken(FakeStore):
        def digests(self) -> dict[str, bytes]:
            raise ZeroDivisionError("broken")

    watch = Watch()
    first = stack.enter_context(Peer(Broken("a"), listen=LOOPBACK, limits=FAST))
    stack.enter_context(Peer(FakeStore("a"), connect=first.addresses, limits=FAST, on_status=watch))
    assert "ZeroDivisionError: broken" in watch.error("internal")
    assert any(record.exc_info for record in caplog.records)


def test_the_status_reads_well() -> None:
    """Who, where, how far behind: one line a link."""
    one, two = FakeStore("a"), FakeStore("a")
    with Peer(one, listen=LOOPBACK) as first, Peer(two, connect=first.addresses) as second:
        second.synced().wait(PATIENCE)
        status = second.status
        assert status.connected == (one.replica,)
        (link,) = status.links
        assert link.state == "open"
        assert link.outgoing
        assert link.address == first.addresses[0]
        assert link.frames_in > 0
        assert link.bytes_out > 0
        assert f"-> {first.addresses[0]}" in str(status)
    assert second.status.state == "stopped"
