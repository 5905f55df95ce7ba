"""What peers did: as actions, to listeners, and over the network."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgpack
import pytest

from crdtstore import Action, ActionInfo, Commit, RootState, Store, configure_store, create_action
from crdtstore.listeners import (
    ListenerApi,
    RemoteOrigin,
    add_listener,
    create_listener_middleware,
    merged,
)
from crdtstore.listeners.remote import remote_action
from sync import Peer
from tests.listeners.stage import (
    PATIENCE,
    Seen,
    Stage,
    add,
    counts,
    in_loop,
    label,
    opened,
    other,
    others,
    sub,
    turns,
)

go = create_action("go")


def carry(source: Store, target: Store, action: Action[Any]) -> None:
    """Dispatch in one store and merge into the other what a peer would send at once."""
    sent: list[Commit] = []
    stop = source.on_commit(sent.append)
    source.dispatch(action)
    stop()
    for commit in sent:
        target.merge(commit.deltas, info=commit.info, origin="a peer")


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A store with the middleware."""
    with Stage() as stage:
        yield stage


@pytest.fixture
def peer() -> Iterator[Store]:
    """A store elsewhere, without listeners."""
    with configure_store([counts, others]) as store:
        yield store


# Commits as actions


def commit_of(info: ActionInfo | None) -> Commit:
    """Make a merged commit."""
    state = RootState({})
    return Commit(1, {"counts": b"", "others": b""}, info, None, 77, False, state, state)


def test_a_commit_is_the_action_that_made_it() -> None:
    """Type and payload as the peer says, and whose it is as ``meta``."""
    info = ActionInfo("counts/add", "ada", 55, msgpack.packb({"by": 2}))
    action, origin = remote_action(commit_of(info))
    assert action == Action("counts/add", {"by": 2}, meta=origin)
    assert origin == RemoteOrigin(peer="ada", at=55, slices=("counts", "others"))


def test_a_catch_up_is_an_action_of_its_own() -> None:
    """Many actions of perhaps many replicas have no single name."""
    action, origin = remote_action(commit_of(None))
    assert merged.match(action)
    assert (action.type, action.payload) == ("@@sync/merged", None)
    assert origin == RemoteOrigin(peer="", at=77, slices=("counts", "others"))


@pytest.mark.parametrize("bad", [b"", b"\xc1", b"\x01\x02", b"\xd9\x05ab", b"\x91" * 2000])
def test_a_payload_that_is_none_is_left_out(bad: bytes) -> None:
    """A stranger's bytes are no reason to fail."""
    action, _ = remote_action(commit_of(ActionInfo("counts/add", "ada", 55, bad)))
    assert action.payload is None


def test_an_origin_is_a_mapping_that_cannot_change() -> None:
    """Like other ``meta``, and hashable."""
    origin = RemoteOrigin("ada", 55, ("counts",))
    assert dict(origin) == {"peer": "ada", "at": 55, "slices": ("counts",)}
    assert origin["peer"] == origin.peer == "ada"
    assert origin.get("request_id") is None
    assert "request_id" not in origin
    assert len(origin) == 3
    assert pickle.loads(pickle.dumps(origin)) == origin
    assert hash(origin) == hash(RemoteOrigin("ada", 55, ("counts",)))
    with pytest.raises(AttributeError):
        origin.peer = "eve"  # type: ignore[misc]


# Listeners


def test_a_remote_listener_is_told_what_a_peer_did(stage: Stage, peer: Store) -> None:
    """With the payload, if the slice shares payloads, and with the states around the merge."""

    @stage.listener.on(action_creator=add, origin="remote")
    async def effect(action: Action[Any], api: ListenerApi[None]) -> None:
        before, after = api.get_original_state(), api.get_state()
        stage.seen((action.type, action.payload, before.counts.n, after.counts.n))
        assert api.remote is not None
        stage.seen((api.origin, api.remote.peer, api.remote.slices, action.meta is api.remote))

    stage.store.dispatch(add(1))
    carry(peer, stage.store, add(2))
    stage.seen.until(("counts/add", 2, 1, 3), ("remote", peer.replica, ("counts",), True))


def test_without_shared_payloads_there_is_none(stage: Stage, peer: Store) -> None:
    """A slice decides whether payloads travel; actions do not."""
    stage.listener.start_listening(action_creator=other, origin="remote", effect=stage.seen.effect)
    carry(peer, stage.store, other(2))
    stage.seen.until(("others/other", None))


@pytest.mark.parametrize(
    ("origin", "expected"),
    [("local", [1, 4]), ("remote", [2, 3]), ("any", [1, 2, 3, 4])],
)
def test_a_listener_hears_of_its_origin_only(
    stage: Stage, peer: Store, origin: Any, expected: list[int]
) -> None:
    """This store's dispatches, what was merged, or both, in the order in which it happened."""

    async def effect(action: Any, api: ListenerApi[None]) -> None:
        stage.seen(action.payload)

    stage.listener.start_listening(action_creator=add, origin=origin, effect=effect)
    stage.store.dispatch(add(1))
    carry(peer, stage.store, add(2))
    carry(peer, stage.store, add(3))
    stage.store.dispatch(add(4))
    stage.seen.until(*expected)


def test_a_catch_up_is_told_once(stage: Stage, peer: Store) -> None:
    """As ``@@sync/merged``, with the names of the slices."""

    @stage.listener.on(action_creator=merged, origin="remote")
    async def effect(action: Action[Any], api: ListenerApi[None]) -> None:
        assert api.remote is not None
        stage.seen((action.payload, api.remote.peer, sorted(api.remote.slices)))
        stage.seen((api.get_original_state().counts.n, api.get_state().counts.n))

    for number in range(3):
        peer.dispatch(add(number))
        peer.dispatch(other(number))
    stage.store.merge(peer.deltas_since(stage.store.state_vectors()))
    stage.store.merge(peer.deltas_since(stage.store.state_vectors()))  # nothing new
    stage.seen.until((None, "", ["counts", "others"]), (0, 3))


def test_slices_match_what_a_merge_changed(stage: Stage, peer: Store) -> None:
    """The fifth way, for work of both origins."""
    start = stage.listener.start_listening

    def noting(name: str) -> Any:
        async def effect(action: Any, api: ListenerApi[None]) -> None:
            stage.seen((name, action.type))

        return effect

    start(slices=counts, origin="remote", effect=noting("remote"))
    start(slices=["counts", others], origin="any", effect=noting("any"))
    stage.store.dispatch(add(1))
    carry(peer, stage.store, add(2))
    carry(peer, stage.store, other(2))
    stage.seen.until(
        ("any", "counts/add"),
        ("remote", "counts/add"),
        ("any", "counts/add"),
        ("any", "others/other"),
    )


def test_a_merge_that_changes_nothing_to_be_seen_changed_no_slice(stage: Stage) -> None:
    """A write that lost against a later one is merged, and is told by its type only."""
    start = stage.listener.start_listening
    start(slices=counts, origin="remote", effect=lambda action, api: stage.seen("slices"))
    start(action_creator=label, origin="remote", effect=stage.seen.async_effect)
    stage.store.dispatch(label("late"))
    with configure_store([counts, others], clock=lambda: 1) as slow:
        carry(slow, stage.store, label("early"))
        stage.seen.until(("counts/label", "early"))
        carry(slow, stage.store, add(1))
        stage.seen.until(("counts/label", "early"), "slices")
    assert stage.store.state.counts.label == "late"


def test_remote_predicates_see_the_states_around_the_merge(stage: Stage, peer: Store) -> None:
    """Even if there is more local work already."""

    async def effect(action: Any, api: ListenerApi[None]) -> None:
        stage.seen("three")

    stage.listener.start_listening(
        predicate=lambda action, current, previous: (previous.counts.n, current.counts.n) == (1, 3),
        origin="remote",
        effect=effect,
    )
    stage.store.dispatch(add(1))
    carry(peer, stage.store, add(2))
    stage.seen.until("three")


def test_a_failing_remote_predicate_is_reported(stage: Stage, peer: Store) -> None:
    """The merge does not fail."""
    stage.listener.start_listening(
        predicate=lambda: 1 / 0 > 1, origin="remote", effect=stage.seen.effect
    )
    carry(peer, stage.store, add(2))
    assert [where for _, where in stage.errors.all] == ["predicate"]
    assert stage.store.state.counts.n == 2


def test_remote_work_adds_and_removes_no_listeners(stage: Stage, peer: Store) -> None:
    """What a peer calls its action commands nothing here."""
    stage.listener.start_listening(
        predicate=lambda: True, origin="remote", effect=lambda action, api: stage.seen(action.type)
    )
    peer.dispatch(add(1))
    deltas = peer.deltas_since(stage.store.state_vectors())
    stage.store.merge(
        deltas, info=ActionInfo("listener_middleware/remove_all", "eve", 1, msgpack.packb({}))
    )
    carry(peer, stage.store, add(1))
    stage.seen.until("listener_middleware/remove_all", "counts/add")


def test_deltas_that_waited_are_told_with_what_completed_them(stage: Stage, peer: Store) -> None:
    """One merge is told once, whatever it set free."""
    stage.listener.start_listening(
        action_creator=add,
        origin="remote",
        effect=lambda action, api: stage.seen(
            (action.payload, api.get_original_state().counts.n, api.get_state().counts.n)
        ),
    )
    sent: list[Commit] = []
    peer.on_commit(sent.append)
    for number in (1, 2, 3):
        peer.dispatch(add(number))
    for commit in (sent[1], sent[2], sent[0]):
        stage.store.merge(commit.deltas, info=commit.info)
    assert stage.store.state.counts.n == 6
    stage.seen.until((1, 0, 6))


# Waiting for peers


@pytest.mark.parametrize("origin", ["local", "remote", "any"])
def test_take_hears_of_what_its_listener_hears_of(stage: Stage, peer: Store, origin: Any) -> None:
    """Unless it says otherwise."""

    @stage.listener.on(action_creator=go, origin="any")
    async def steady(action: Any, api: ListenerApi[None]) -> None:
        stage.seen("heard")

    @stage.listener.on(type="counts/label", origin=origin)
    async def effect(action: Any, api: ListenerApi[None]) -> None:
        own = api.take(add)
        remote = api.take(add, origin="remote")
        either = api.condition(add, origin="any")
        stage.seen("waits")
        await either
        stage.seen([(await own)[0].payload, (await remote)[0].payload])

    if origin == "remote":
        carry(peer, stage.store, label("go"))
    else:
        stage.store.dispatch(label("go"))
    stage.seen.until("waits")
    first, second = (2, 1) if origin == "remote" else (1, 2)
    stage.store.dispatch(add(1))
    carry(peer, stage.store, add(2))
    expected = [first if origin != "any" else 1, second if origin != "remote" else 2]
    stage.seen.until("waits", expected)


# Where effects run


def names_its_thread(seen: Seen) -> Any:
    async def effect(action: Any, api: ListenerApi[None]) -> None:
        seen(threading.current_thread().name)

    return effect


def test_effects_of_remote_work_run_apart(stage: Stage, peer: Store) -> None:
    """Coroutines on the store's loop thread, even if a loop runs where the merge happens."""
    stage.listener.start_listening(
        action_creator=add, origin="remote", effect=names_its_thread(stage.seen)
    )
    stage.listener.start_listening(
        action_creator=sub,
        origin="remote",
        effect=lambda action, api: stage.seen(api.delay(0).wait() or "waited"),
    )

    async def network() -> None:
        carry(peer, stage.store, add(1))
        await asyncio.to_thread(stage.seen.until, "crdtstore-tasks")
        carry(peer, stage.store, sub(1))
        await asyncio.to_thread(stage.seen.until, "crdtstore-tasks", "waited")

    asyncio.run(network())
    assert stage.errors.all == []


def test_the_order_of_merges_is_the_order_of_effects(stage: Stage, peer: Store) -> None:
    """Whatever runs where they are merged."""

    async def effect(action: Any, api: ListenerApi[None]) -> None:
        stage.seen(action.payload)

    stage.listener.start_listening(action_creator=add, origin="remote", effect=effect)

    async def network() -> None:
        for number in range(1, 51):
            carry(peer, stage.store, add(number))

    asyncio.run(network())
    stage.seen.until(*range(1, 51))


@in_loop
async def test_effects_of_remote_work_run_on_the_loop_that_added_them() -> None:
    """As long as it runs: a program with a loop wants them there, plain ones too."""
    with Stage() as stage, configure_store([counts, others]) as peer:
        for effect in (names_its_thread(stage.seen), stage.seen.effect):
            stage.listener.start_listening(action_creator=add, origin="remote", effect=effect)
        await asyncio.to_thread(carry, peer, stage.store, add(1))
        await turns()
        assert stage.seen.all == [threading.current_thread().name, ("counts/add", 1)]
        carry(peer, stage.store, add(2))
        await turns()
        assert len(stage.seen.all) == 4


def test_effects_run_apart_when_the_loop_that_added_them_is_gone(stage: Stage, peer: Store) -> None:
    """Nothing is lost."""

    async def program() -> None:
        stage.listener.start_listening(
            action_creator=add, origin="remote", effect=names_its_thread(stage.seen)
        )

    asyncio.run(program())
    carry(peer, stage.store, add(1))
    stage.seen.until("crdtstore-tasks")


def test_plain_effects_of_what_the_stores_own_loop_does_get_threads(stage: Stage) -> None:
    """A thunk there dispatches as a script does; an effect there, too, and what is added there."""

    @stage.listener.on(action_creator=go)
    def effect(action: Any, api: ListenerApi[None]) -> None:
        stage.seen(api.delay(0).wait() or "waited")

    async def thunk(dispatch: Any, get_state: Any) -> None:
        dispatch(go())

    stage.store.dispatch(thunk).wait(PATIENCE)
    stage.seen.until("waited")
    assert stage.errors.all == []


def test_a_listener_added_on_the_stores_own_loop_gets_threads(stage: Stage, peer: Store) -> None:
    """That loop is nobody's."""

    async def thunk(dispatch: Any, get_state: Any) -> None:
        dispatch(
            add_listener(
                action_creator=add,
                origin="remote",
                effect=lambda action, api: stage.seen(api.delay(0).wait() or "waited"),
            )
        )

    stage.store.dispatch(thunk).wait(PATIENCE)
    carry(peer, stage.store, add(1))
    stage.seen.until("waited")


# Adding listeners


def test_a_listener_added_while_a_merge_is_told_of_does_not_deadlock(
    stage: Stage, peer: Store
) -> None:
    """Nor one that is added by an effect, a subscriber, or in the middle of a batch."""
    start = stage.listener.start_listening

    def adds() -> None:
        start(action_creator=add, origin="remote", effect=stage.seen.async_effect)

    stop = stage.store.subscribe(adds)
    done = threading.Event()

    def work() -> None:
        carry(peer, stage.store, add(1))  # subscribed afterwards
        stop()
        with stage.store.batch():
            start(action_creator=sub, origin="remote", effect=stage.seen.async_effect)
            carry(peer, stage.store, sub(2))
        carry(peer, stage.store, add(3))
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(PATIENCE)
    stage.seen.wait_for(lambda all: ("counts/add", 3) in all)
    assert ("counts/sub", 2) in stage.seen.all


def test_many_threads_may_be_the_first_to_hear_of_peers(peer: Store) -> None:
    """Each merge is told once all the same, and to all."""
    for _ in range(20):
        with Stage() as stage:
            go_on = threading.Barrier(4)

            def adds(stage: Stage = stage, go_on: threading.Barrier = go_on) -> None:
                async def effect(action: Any, api: ListenerApi[None]) -> None:
                    stage.seen(action.payload)

                go_on.wait(PATIENCE)
                stage.listener.start_listening(action_creator=add, origin="remote", effect=effect)

            threads = [threading.Thread(target=adds) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            peer.dispatch(add(1))
            stage.store.merge(
                peer.deltas_since(stage.store.state_vectors()),
                info=ActionInfo("counts/add", "ada", 1, msgpack.packb(9)),
            )
            stage.seen.until(9, 9, 9, 9)


def test_a_store_that_nobody_asks_of_peers_has_no_hook() -> None:
    """Commits are told to nobody until a listener for them is there; then once."""

    class Counted(Store):
        hooks = 0

        def on_commit(self, callback: Any, *, durable: bool = False) -> Any:
            Counted.hooks += 1
            return super().on_commit(callback, durable=durable)

    listener = create_listener_middleware()
    with opened(listener) as store:
        store.__class__ = Counted
        listener.start_listening(predicate=lambda: True, effect=lambda action, api: None)
        assert Counted.hooks == 0
        for _ in range(3):
            listener.start_listening(
                predicate=lambda: True, origin="remote", effect=lambda action, api: None
            )
        assert Counted.hooks == 1


def test_a_listener_for_peers_may_be_there_before_the_store(peer: Store) -> None:
    """As most are, that modules add when they are imported."""
    seen = Seen()
    listener = create_listener_middleware()
    listener.start_listening(action_creator=add, origin="remote", effect=seen.async_effect)
    with opened(listener) as store:
        carry(peer, store, add(1))
        seen.until(("counts/add", 1))


# Real peers


def test_listeners_over_the_network() -> None:
    """A change here starts an effect there, which answers, and an effect here takes the answer."""
    seen = Seen()
    asks, answers = create_listener_middleware(), create_listener_middleware()

    @answers.on(action_creator=label, origin="remote")
    async def answer(action: Action[Any], api: ListenerApi[None]) -> None:
        assert api.remote is not None
        seen(("asked by", api.remote.peer, action.payload))
        api.dispatch(add(len(action.payload)))

    @asks.on(action_creator=go)
    def ask(action: Action[str], api: ListenerApi[None]) -> None:
        taking = api.take(add, origin="remote")  # before the question, for the answer is quick
        api.dispatch(label(action.payload))
        taken, current, previous = taking.wait()
        seen(("answer", taken.payload, current.counts.n - previous.counts.n))

    @answers.on(action_creator=merged, origin="remote")
    async def caught_up(action: Action[Any], api: ListenerApi[None]) -> None:
        seen(("caught up", api.get_state().counts.label))

    with ExitStack() as stack:
        here = stack.enter_context(opened(asks))
        there = stack.enter_context(opened(answers))
        here.dispatch(label("offline"))
        with (
            Peer(here, listen="tcp://127.0.0.1:0") as first,
            Peer(there, connect=first.addresses) as second,
        ):
            second.synced().wait(PATIENCE)
            seen.until(("caught up", "offline"))
            here.dispatch(go("how long?"))
            seen.until(
                ("caught up", "offline"),
                ("asked by", here.replica, "how long?"),
                ("answer", 9, 9),
            )
            assert first.status.connected == (there.replica,)


def test_plain_remote_effects_do_not_hold_up_the_network() -> None:
    """While one waits, in a thread of its own, the peer goes on merging."""
    seen = Seen()
    listener = create_listener_middleware()

    @listener.on(action_creator=add, origin="remote")
    def slow(action: Action[Any], api: ListenerApi[None]) -> None:
        waiting = api.condition(lambda other, state: state.counts.n == 3)
        seen("begun")
        waiting.wait()
        seen("done")

    with (
        opened(listener) as here,
        configure_store([counts, others]) as there,
        Peer(here, listen="tcp://127.0.0.1:0") as first,
        Peer(there, connect=first.addresses) as second,
    ):
        second.synced().wait(PATIENCE)
        there.dispatch(add(1))
        seen.until("begun")
        listener.stop_listening(action_creator=add, effect=slow, origin="remote")
        there.dispatch(add(1))
        there.dispatch(add(1))
        seen.until("begun", "done")
