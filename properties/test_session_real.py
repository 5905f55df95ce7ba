"""Real stores over a link that loses, repeats, reorders and breaks.

The same scripts as in ``test_session``, with documents, the causal gate and digests of the real
thing; the oracle is that every increment and every added tag is in every store at the end.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

from hypothesis import given
from hypothesis import strategies as st

from crdtstore import Counter, List, Set, Store, Text, configure_store, create_slice
from properties.fake_link import Mesh
from properties.test_session import CLIQUE, LINE, RING, assert_done, heal, play, steps


@dataclass
class Work:
    """A bit of everything that merges in its own way."""

    done: Counter = Counter(0)
    notes: Text = Text()
    last: str = ""
    tags: Set[str] = Set()
    items: List[str] = List()


SLICES = [create_slice(name=name, initial_state=Work()) for name in "ab"]


def _work(state: Work, payload: bytes) -> None:
    text = payload.hex()
    state.done += 1
    state.notes.insert(0, text[:20])
    state.last = text
    state.tags.add(text)
    if text.endswith("0") and state.items:
        del state.items[0]
        state.tags.discard(state.last)
    else:
        state.items.append(text[:9])


WORK = {each.name: each.reducer(name="work")(_work) for each in SLICES}


class RealStore:
    """A real store with the handles that a mesh needs; what is made is durable."""

    def __init__(self, before: Store | None = None) -> None:
        self.store = configure_store(SLICES)
        if before is not None:
            self.store.merge(before.deltas_since({}))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def add(self, payload: bytes, *names: str) -> None:
        for name in names:
            self.store.dispatch(WORK[name](payload))

    def content(self, name: str = "a") -> Any:
        return self.store.state[name]

    def settle(self, count: int | None = None) -> None:
        """Nothing to do: a store in memory is as durable as it gets."""

    def crashed(self) -> Self:
        again = type(self)(self.store)
        self.store.close()
        return again


@given(steps, st.sampled_from([RING, CLIQUE, LINE]))
def test_real_stores_converge_and_fall_silent(
    script: list[Any], topology: list[tuple[int, int]]
) -> None:
    """Whatever the links did, every store shows the same state and every increment is there."""
    count = 1 + max(max(pair) for pair in topology)
    mesh = Mesh([RealStore() for _ in range(count)], topology)
    with ExitStack() as stack:
        stack.callback(mesh.close)
        play(mesh, script)
        heal(mesh)
        assert_done(mesh)
        edits = {"a": 0, "b": 0}
        for what, *how in script:
            if what == "edit":
                for name in how[1]:
                    edits[name] += 1
            elif what == "big":
                edits["a"] += 1
        for node in mesh.nodes:
            for name, expected in edits.items():
                assert node.store.content(name).done == expected
