"""What two states are told to differ in is what a slow and obvious reader sees in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtstore import Commit, Difference, RootState, configure_store, differences
from crdtstore.kinds import ListView, SetView
from crdtstore.values import element_key, same
from crdtstore.views import FrozenRecord, fields_of
from properties.histories import commands
from properties.kitchen import Command, Fresh, Script, kitchen, run

batches = st.lists(st.lists(commands, min_size=1, max_size=4).map(tuple), min_size=1, max_size=6)


def children(value: Any) -> dict[str, Any] | None:
    """What a place holds, by lasting key; ``None`` for one value."""
    if isinstance(value, FrozenRecord):
        return dict(fields_of(value))
    if isinstance(value, ListView):
        return {value.key_at(index): item for index, item in enumerate(value)}
    if isinstance(value, SetView):
        return {element_key(item, ()): item for item in value}
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return {key: value[key] for key in value}
    return None


def expected(before: Any, after: Any, place: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Look at every place there is; what moved in a list is not told here."""
    old, new = children(before), children(after)
    if old is None or new is None:
        if not same(before, after):
            yield place, "changed", before, after
        return
    for key in {**old, **new}:
        inner = (*place, key)
        if key not in new:
            yield inner, "removed", old[key], None
        elif key not in old:
            yield inner, "added", None, new[key]
        elif not isinstance(before, SetView):
            yield from expected(old[key], new[key], inner)
        elif not same(old[key], new[key]):  # 1 and True are equal
            yield inner, "removed", old[key], None
            yield inner, "added", None, new[key]


def longest_run(numbers: list[int]) -> int:
    """How many numbers can stay for the rest of them to be in order."""
    best: list[int] = []
    for at, number in enumerate(numbers):
        best.append(1 + max([best[i] for i in range(at) if numbers[i] < number], default=0))
    return max(best, default=0)


def lists(before: Any, after: Any, place: tuple[str, ...]) -> Iterator[tuple[Any, Any, Any]]:
    """Every list that is in both states."""
    if isinstance(before, ListView):
        yield before, after, place
    old, new = children(before), children(after)
    for key in old or ():
        if new is not None and key in new and old is not None:
            yield from lists(old[key], new[key], (*place, key))


def check(before: RootState, after: RootState) -> None:
    """Hold what is told against what there is."""
    told = list(differences(before, after))
    moved: set[tuple[str, ...]] = set()
    for old, new, place in lists(before, after, ()):
        past, present = list(children(old) or ()), list(children(new) or ())
        both = [key for key in present if key in past]
        here = {
            each.place[-1]
            for each in told
            if each.place[:-1] == place and each.place[-1] in both and each.kind != "changed"
        }
        stayed = [key for key in both if key not in here]
        assert stayed == [key for key in past if key in stayed]
        assert len(stayed) == longest_run([past.index(key) for key in both])
        moved |= {(*place, key) for key in here}
    plain = [each for each in told if each.place not in moved]
    wanted = [
        each
        for each in expected(before, after, ())
        if not any(each[0][: len(place)] == place for place in moved)
    ]
    assert sorted(map(_shown, plain)) == sorted(_shown(Difference((), *each)) for each in wanted)
    for place in moved:
        kinds = [each.kind for each in told if each.place == place]
        assert kinds == ["removed", "added"]
    for each in told:
        past, present = before, after
        for part, key in zip(each.path[:-1], each.place[:-1], strict=True):
            assert part == named(present, key)
            past, present = inside(past, key), inside(present, key)
        key = each.place[-1]
        assert each.path[-1] == named(past if each.kind == "removed" else present, key)
        assert each.kind == "added" or repr(inside(past, key)) == repr(each.before)
        assert each.kind == "removed" or repr(inside(present, key)) == repr(each.after)


def inside(value: Any, key: str) -> Any:
    return (children(value) or {})[key]


def named(value: Any, key: str) -> Any:
    """What people call the place that has this key."""
    if isinstance(value, ListView):
        return list(children(value) or ()).index(key)
    return inside(value, key) if isinstance(value, SetView) else key


def _shown(each: Difference) -> str:
    return repr((each.place, each.kind, each.before, each.after))


@given(batches)
def test_differences_are_those_that_a_slow_reader_sees(
    script: list[tuple[Command, ...]],
) -> None:
    """Between the states before and after an act, and between any two of one store."""
    fresh = Fresh()
    with configure_store([kitchen]) as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        first = store.state
        for batch in script:
            store.dispatch(run(Script(batch, fresh)))
        for commit in commits:
            check(commit.previous, commit.state)
        check(first, store.state)
        check(store.state, first)
        assert list(differences(first, first)) == []
