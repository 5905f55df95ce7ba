"""Versions of a program with other defaults live together, and converge."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtstore import Store, configure_store, create_slice
from crdtstore.document import Document
from properties.histories import check_kept, commands
from properties.kitchen import Command, Fresh, Kitchen, Row, Script, kitchen, run

newer = create_slice(
    name="kitchen",
    initial_state=Kitchen(
        label="newer",
        count=1,
        note="now with a default",
        essay="",
        tags={1},
        badges={"a", "new"},
        options={"y": 2, "z": 3},
        words=["w"],
        steps=["b"],
        plan=[Row("another", title="t")],
        team={"lead": Row("another"), "k": Row()},
    ),
)


@newer.reducer(name="run")
def _(state: Kitchen, script: Script) -> None:
    script(state)


batches = st.lists(commands, min_size=1, max_size=3).map(tuple)
acts = st.tuples(st.integers(0, 3), batches)
pulls = st.tuples(st.integers(0, 3), st.integers(0, 3))


def check(store: Store) -> None:
    """Compare a store with a document made from its bytes."""
    document = store._slots["kitchen"].document
    fresh = Document(document.shape, 1, "")
    fresh.load([document.whole()])
    assert repr(fresh.state) == repr(store.state.kitchen)
    assert fresh.digest() == document.digest()
    assert fresh.cells == document.cells


def pull(one: Store, other: Store) -> None:
    """Let one store get what another has."""
    before = one.state.kitchen
    one.merge(other.deltas_since(one.state_vectors()))
    check_kept(before, one.state.kitchen)
    check(one)


@given(st.lists(acts | pulls, max_size=15))
def test_versions_with_other_defaults_converge(steps: list[tuple[int, Any]]) -> None:
    """All have equal digests in the end, and those of one version equal states."""
    fresh = Fresh()
    stores = [configure_store([of]) for of in (kitchen, newer, kitchen, newer)]
    for at, what in steps:
        store = stores[at]
        if isinstance(what, int):
            if what != at:
                pull(store, stores[what])
            continue
        script = Script(tuple(Command(*command) for command in what), fresh)
        before = store.state.kitchen
        store.dispatch(run(script))
        if script.effects:
            assert repr(store.state.kitchen) == script.shown
        check_kept(before, store.state.kitchen)
        check(store)
    for _ in range(2):
        for one in stores:
            for other in stores:
                if one is not other:
                    pull(one, other)
    assert len({store.digest() for store in stores}) == 1
    assert stores[0].state == stores[2].state
    assert stores[1].state == stores[3].state
    assert repr(stores[0].state) == repr(stores[2].state)
    assert repr(stores[1].state) == repr(stores[3].state)
