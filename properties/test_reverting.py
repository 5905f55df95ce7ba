"""What was done is taken back exactly, by actions that every replica follows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crdtstore import Commit, configure_store, revert
from properties.histories import check_kept, commands
from properties.kitchen import Command, Fresh, Script, kitchen, run

batches = st.lists(st.lists(commands, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


@given(batches)
def test_reverting_the_last_act_brings_the_state_before_it_back(
    script: list[tuple[Command, ...]],
) -> None:
    """After every act, and then from the last to the first, until nothing is left."""
    fresh = Fresh()
    with configure_store([kitchen]) as store, configure_store([kitchen]) as other:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        acts: list[Commit] = []
        for batch in script:
            before = store.state
            store.dispatch(run(Script(batch, fresh)))
            if store.state is before:
                continue
            act = commits[-1]
            done = store.dispatch(revert(act))
            assert repr(store.state) == repr(before)
            undone = commits[-1]
            if undone is not act:  # an act may come to nothing that is seen
                store.dispatch(revert(undone))
                assert repr(store.state) == repr(act.state)
                acts.append(commits[-1])
            assert done.payload["type"] == "kitchen/run"
            check_kept(before.kitchen, store.state.kitchen)
        for act in reversed(acts):
            store.dispatch(revert(act))
            assert repr(store.state) == repr(act.previous)
        other.merge(store.deltas_since(other.state_vectors()))
        assert repr(other.state) == repr(store.state)
        assert other.digest() == store.digest()


@given(batches, batches, st.randoms(use_true_random=False))
def test_any_act_can_be_reverted_at_any_time(
    mine: list[tuple[Command, ...]], theirs: list[tuple[Command, ...]], random: st.DrawFn
) -> None:
    """Own and merged ones, whatever came later: it never fails, and the replicas converge."""
    fresh = Fresh()
    with configure_store([kitchen]) as one, configure_store([kitchen]) as two:
        commits: list[Commit] = []
        one.on_commit(commits.append)
        for at in range(max(len(mine), len(theirs))):
            for store, script in ((one, mine), (two, theirs)):
                if at < len(script):
                    store.dispatch(run(Script(script[at], fresh)))
            one.merge(two.deltas_since(one.state_vectors()))
            if at % 2:
                two.merge(one.deltas_since(two.state_vectors()))
        for _ in range(3):
            if commits:
                one.dispatch(revert(random.choice(commits)))  # type: ignore[attr-defined]
        two.merge(one.deltas_since(two.state_vectors()))
        one.merge(two.deltas_since(one.state_vectors()))
        assert repr(one.state) == repr(two.state)
        assert one.digest() == two.digest()
