"""Selectors in reducers: a draft is taken as it shows, whatever remembers."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore.errors import RevokedDraftError
from crdtstore.selectors import (
    create_draft_safe_selector,
    create_draft_safe_selector_creator,
    create_selector,
    create_selector_creator,
    lru_memoize,
    weak_map_memoize,
)
from tests.draft.running import Todo, opened

SILENT: Any = {"input_stability_check": "never", "identity_function_check": "never"}


def naive_memoize(func: Callable[..., Any]) -> Callable[..., Any]:
    """Remember everything for ever, by identity; of drafts this knows nothing."""
    results: dict[Any, Any] = {}

    def memoized(*args: Any, **named: Any) -> Any:
        key = (*map(id, args), *named, *map(id, named.values()))
        if key not in results:
            results[key] = (args, named, func(*args, **named))
        return results[key][-1]

    return memoized


def every_creator() -> list[Any]:
    """Creators with every combination of memories."""
    memories = (weak_map_memoize, lru_memoize, naive_memoize)
    return [
        create_selector_creator(memoize, args_memoize=args)
        for memoize in memories
        for args in memories
    ]


@pytest.mark.parametrize("create", every_creator())
def test_selectors_are_right_after_every_edit_of_a_draft(create: Any) -> None:
    """Whatever remembers, a draft is never taken for what it was before."""
    votes = create(lambda s: s.votes, lambda n: n + 0.5)
    titles = create(lambda s: s.items, lambda items: [str(row.title) for row in items])
    row_of = create(lambda s, key: s.rows[key], lambda row: (row.done, str(row.title)))
    memo = create(lambda s: s.memo, repr)

    def program(s: Any) -> None:
        assert votes(s) == 0.5
        s.votes += 1
        assert votes(s) == votes(s) == 1.5
        assert titles(s) == ["a", "b", "c"]
        s.items.append(Todo("d"))
        s.items[0].title.insert(0, ">")
        assert titles(s) == [">a", "b", "c", "d"]
        assert row_of(s, "x") == (False, "row x")
        s.rows["x"].toggle()
        assert row_of(s, "x") == row_of(s=s, key="x") == (True, "row x")
        s.memo = [1]
        assert memo(s) == "[1]"
        s.memo.append(2)
        assert memo(s) == "[1, 2]"
        del s.items[1:]
        assert titles(s) == [">a"]

    store, dispatch = opened()
    dispatch(program)
    assert votes(store.state.s) == 1.5
    assert titles(store.state.s) == [">a"]


@pytest.mark.parametrize("create", every_creator())
def test_parts_of_a_draft_are_taken_as_they_show_too(create: Any) -> None:
    """Rows, containers and texts can be the argument, in any place, and drafts of them."""
    own = create(lambda part: part, lambda part: [str(each) for each in part])
    second = create(lambda _, row: row, lambda row: row.votes)
    text = create(lambda title: title, str.upper, dev_mode_checks=SILENT)

    def program(s: Any) -> None:
        for part, edit in (
            (s.values, lambda: s.values.append(7)),
            (s.tags, lambda: s.tags.add("u")),
            (s.entries, lambda: s.entries.update(z=1)),
            (s.rows, lambda: s.rows.pop("x")),
        ):
            before = own(part)
            assert before == [str(each) for each in part]
            edit()
            assert own(part) == [str(each) for each in part] != before
        row = s.rows["y"]
        assert second("anything", row) == second(0, row=row) == 0
        row.votes += 3
        assert second("anything", row) == second(0, row=row) == 3
        title = s.title
        assert text(title) == "TITLE"
        title.insert(0, "my ")
        assert text(title) == text(s.title) == "MY TITLE"

    opened()[1](program)


def test_a_draft_without_edits_is_the_state_that_it_began_from() -> None:
    """What was computed of the state is known in a reducer, and the other way round."""
    store, dispatch = opened()
    sizes = create_selector(lambda s: s.items, lambda s: s.rows, lambda x, y: [len(x), len(y)])
    known = sizes(store.state.s)

    def program(s: Any) -> None:
        assert sizes(s) is known
        s.count = 1
        assert sizes(s) is known

    dispatch(program)
    assert sizes(store.state.s) is known
    assert sizes.recomputations() == 1


@pytest.mark.parametrize("create", every_creator())
def test_a_draft_is_refused_after_its_reducer_and_not_kept(create: Any) -> None:
    """A selector that saw a draft does not hold it, and fails on it as everything does."""
    drafts: list[Any] = []
    selector = create(lambda s: s.votes, lambda n: n + 1)

    def program(s: Any) -> None:
        s.votes += 1
        selector(s)
        drafts.append(s)

    opened()[1](program)
    with pytest.raises(RevokedDraftError):
        selector(drafts[0])
    gone = weakref.ref(drafts[0])
    drafts.clear()
    gc.collect()
    assert gone() is None


def test_all_selectors_are_draft_safe() -> None:
    """The draft-safe names are other names for the same."""
    assert create_draft_safe_selector is create_selector
    assert create_draft_safe_selector_creator is create_selector_creator
