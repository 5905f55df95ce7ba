"""The end of a reducer: every draft that escaped it is revoked."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import FrozenStateError, RevokedDraftError, current, original
from tests.draft.running import Todo, opened, state_after


def escaped(read: Callable[[Any], Any]) -> Any:
    """Let what ``read`` takes from a draft escape from a reducer."""
    kept: list[Any] = []
    _, dispatch = opened()
    dispatch(lambda state: kept.append(read(state)))
    return kept[0]


USES: dict[str, list[Callable[[Any], Any]]] = {
    "record": [
        lambda d: d.memo,
        lambda d: d.items,
        lambda d: d.votes,
        lambda d: setattr(d, "memo", 1),
        lambda d: setattr(d, "votes", 1),
        lambda d: d == d.__class__(),
        lambda d: current(d),
        lambda d: original(d),
        lambda d: copy.copy(d),
        lambda d: copy.deepcopy(d),
    ],
    "items": [
        len,
        list,
        lambda d: d[0],
        lambda d: d[:],
        lambda d: d == [],
        lambda d: 1 in d,
        lambda d: d.append(Todo()),
        lambda d: d.extend([]),
        lambda d: d.insert(0, Todo()),
        lambda d: d.pop(),
        lambda d: d.clear(),
        lambda d: d.sort(),
        lambda d: d.reverse(),
        lambda d: d.move(0, 1),
        lambda d: d.key_at(0),
        lambda d: d.index_of("x"),
        lambda d: d.remove(1),
        lambda d: d.index(1),
        lambda d: d.count(1),
        lambda d: d.copy(),
        lambda d: d.to_plain(),
        lambda d: operator.add(d, []),
        lambda d: d * 2,
        lambda d: operator.iadd(d, []),
        lambda d: operator.imul(d, 2),
        lambda d: operator.setitem(d, 0, Todo()),
        lambda d: operator.setitem(d, slice(0), []),
        lambda d: operator.delitem(d, 0),
        lambda d: operator.delitem(d, slice(0)),
        lambda d: list(reversed(d)),
        lambda d: copy.deepcopy(d),
        lambda d: current(d),
    ],
    "rows": [
        len,
        list,
        lambda d: d["x"],
        lambda d: d.get("x"),
        lambda d: "x" in d,
        lambda d: list(d.items()),
        lambda d: list(d.values()),
        lambda d: d == {},
        lambda d: d.pop("x"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.update(z=Todo()),
        lambda d: d.setdefault("z", Todo()),
        lambda d: d.copy(),
        lambda d: d | {},
        lambda d: {} | d,
        lambda d: operator.ior(d, {"z": Todo()}),
        lambda d: operator.setitem(d, "z", Todo()),
        lambda d: operator.delitem(d, "x"),
        lambda d: d.to_plain(),
        lambda d: copy.deepcopy(d),
        lambda d: current(d),
    ],
    "tags": [
        len,
        list,
        lambda d: "t" in d,
        lambda d: d.add("u"),
        lambda d: d.discard("t"),
        lambda d: d.remove("t"),
        lambda d: d.pop(),
        lambda d: d.clear(),
        lambda d: d.update(["u"]),
        lambda d: d.difference_update(["t"]),
        lambda d: d.intersection_update(["u"]),
        lambda d: d.symmetric_difference_update(["u"]),
        lambda d: d | {1},
        lambda d: {1} & d,
        lambda d: d <= {1},
        lambda d: d == {1},
        lambda d: operator.ior(d, {1}),
        lambda d: operator.iand(d, {1}),
        lambda d: operator.isub(d, {"t"}),
        lambda d: operator.ixor(d, {1}),
        lambda d: d.union({1}),
        lambda d: d.copy(),
        lambda d: d.to_plain(),
        lambda d: current(d),
    ],
}
USES["values"] = USES["items"]
USES["entries"] = [*USES["rows"][:2], *[use for use in USES["rows"] if "Todo" not in repr(use)][2:]]


@pytest.mark.parametrize(
    ("field", "use"),
    [(field, at) for field, uses in USES.items() for at in range(len(uses))],
)
def test_every_use_of_an_escaped_draft_raises(field: str, use: int) -> None:
    """Reading, writing, comparing and copying a revoked draft all say what to do instead."""
    draft = escaped(lambda s: s if field == "record" else getattr(s, field))
    with pytest.raises(RevokedDraftError, match=r"read store\.state instead, or take current"):
        USES[field][use](draft)


def test_rows_removed_rows_and_iterators_are_revoked_too() -> None:
    """Everything that was reached through a draft ends with it."""

    def reach(state: Any) -> tuple[Any, ...]:
        removed = state.items[0]
        nested = removed.address
        del state.items[0]
        old = state.owner
        state.owner = Todo("new")
        return state.rows["x"], removed, nested, old, state.rows["y"].address

    for draft in escaped(reach):
        with pytest.raises(RevokedDraftError):
            _ = draft.title if hasattr(type(draft), "title") else draft.street
    iterator = escaped(lambda s: iter(s.values))
    with pytest.raises(RevokedDraftError):
        next(iterator)


def test_a_revoked_draft_can_be_shown() -> None:
    """``repr`` never raises, so that tracebacks and debuggers work."""
    assert repr(escaped(lambda s: s)) == "<revoked draft of State>"
    for field in ("items", "rows", "entries", "tags"):
        assert repr(escaped(lambda s, f=field: getattr(s, f))) == "<revoked draft>"


def test_drafts_of_a_reducer_that_raised_are_revoked() -> None:
    """A reducer that fails ends its drafts as one that returns does."""
    kept: list[Any] = []

    def program(state: Any) -> None:
        kept.append(state)
        raise ZeroDivisionError

    _, dispatch = opened()
    with pytest.raises(ZeroDivisionError):
        dispatch(program)
    with pytest.raises(RevokedDraftError):
        _ = kept[0].memo


def test_a_draft_of_an_earlier_reducer_cannot_be_put_into_the_state() -> None:
    """A draft that escaped is of no use in another reducer either."""
    row = escaped(lambda s: s.items[0])
    with pytest.raises(RevokedDraftError):
        state_after(lambda state: state.items.append(row))


def test_current_can_be_kept() -> None:
    """What ``current`` gave is an immutable snapshot that outlives the reducer."""

    def program(state: Any) -> Any:
        state.items[0].votes += 1
        state.entries["k"].append(2)
        state.values[0] = 9
        kept = [
            current(state),
            current(state.items),
            current(state.entries),
            current(state.items[0]),
        ]
        state.items[0].votes += 1
        state.entries["k"].append(3)
        return kept

    state, items, entries, row = escaped(program)
    assert state.items[0].votes == items[0].votes == row.votes == 1
    assert state.entries == entries == {"k": [1, 2], "n": 1}
    assert list(state.values) == [9, 1, 2]
    with pytest.raises(FrozenStateError):
        state.memo = 1
    with pytest.raises(FrozenStateError):
        items.append(1)
    with pytest.raises(FrozenStateError):
        entries["k"].append(1)
    assert pickle.loads(pickle.dumps(row)) == row


def test_current_and_original_pass_other_values_through() -> None:
    """Outside of drafts both give what they got; lists and dicts come back frozen from current."""
    for value in (1, "a", None, (1,), Todo("t")):
        assert current(value) is value
        assert original(value) is value
    assert current([1]) == [1]
    with pytest.raises(FrozenStateError):
        current([1]).append(2)


def test_original_is_the_snapshot_before_the_reducer() -> None:
    """``original`` of any draft is the very object that ``store.state`` showed."""
    store, dispatch = opened()
    before = store.state.s

    def program(state: Any) -> None:
        state.items[0].votes += 1
        state.tags.add("u")
        assert original(state) is before
        assert original(state.items) is before.items
        assert original(state.items[0]) is before.items[0]
        assert original(state.rows["x"].address) is before.rows["x"].address
        assert original(state.tags) is before.tags
        assert original(state.entries) is before.entries

    dispatch(program)
