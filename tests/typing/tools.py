"""The types of the tools: what a store keeps for them, and what they are given."""

from __future__ import annotations

from typing import assert_type

from crdtstore import Commit, Revert, Trail, clock_ranges, configure_store, create_slice, revert
from sync import DevTools, DevToolsStatus

counter = create_slice(name="counter", initial_state={"n": 0})
store = configure_store([counter])

trail = store.trail(100)
assert_type(trail, Trail)
assert_type(trail.since(0), list[tuple[int, Commit]])
commit = trail.commit(0)
assert_type(commit, Commit | None)
if commit is not None:
    back = revert(commit)
    assert_type(back, Revert)
    store.dispatch(back)
    assert_type(len(back.skipped), int)
    assert_type(clock_ranges(commit.deltas["counter"]), dict[int, tuple[int, int]])

with DevTools(store, port=0, creators=[counter], name="A", limit=50) as tools:
    assert_type(tools, DevTools)
    assert_type(tools.url, str)
    assert_type(tools.status, DevToolsStatus)

DevTools(store, port="8000")  # type: ignore[arg-type]
