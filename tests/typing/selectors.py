"""Selectors: what they take and give is told from the functions that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_type

from crdtstore import Counter, List, ListView, configure_store, create_slice
from crdtstore.selectors import (
    Memoized,
    Selector,
    SelectorCreator,
    create_draft_safe_selector,
    create_selector,
    create_selector_creator,
    create_structured_selector,
    lru_memoize,
    set_global_dev_mode_checks,
    weak_map_memoize,
)


@dataclass
class Todo:
    title: str = ""
    done: bool = False


@dataclass
class Todos:
    items: List[Todo] = List()
    filter: str = "all"
    votes: Counter = Counter(0)


todos = create_slice(name="todos", initial_state=Todos())
store = configure_store([todos])


def select_items(state: Todos) -> ListView[Todo]:
    return state.items


def select_filter(state: Todos) -> str:
    return state.filter


def select_at(state: Todos, at: int) -> Todo:
    return state.items[at]


def select_title(state: Todos, at: int, default: str = "") -> str:
    return state.items[at].title or default


# The parameters of a selector are those of its last input; the result is its function's.

titles = create_selector(select_items, lambda items: [item.title for item in items])
titles(store[todos])
first_title: list[str] = titles(store[todos])
assert_type(titles(store[todos]), list[str])
assert_type(titles.last_result(), list[str] | None)
assert_type(titles.recomputations(), int)
assert_type(titles.memoized_result_func(1), list[str])

shown = create_selector(
    select_items, select_filter, lambda items, wanted: [i for i in items if i.title == wanted]
)
assert_type(shown(store[todos]), list[Todo])

one = create_selector(select_filter, select_at, lambda wanted, todo: (wanted, todo.done))
assert_type(one(store[todos], 1), tuple[str, bool])
assert_type(one(store[todos], at=1), tuple[str, bool])

three = create_selector(
    select_items, select_at, select_title, lambda items, todo, title: {title: len(items)}
)
assert_type(three(store[todos], 1), dict[str, int])
assert_type(three(store[todos], 1, "none"), dict[str, int])
assert_type(three(store[todos], 1, default="none"), dict[str, int])


def combine(a: str, b: str, c: str, d: str, e: str, f: Todo) -> set[str]:
    return {a, b, c, d, e, f.title}


six = create_selector(
    select_filter, select_filter, select_filter, select_filter, select_filter, select_at, combine
)
assert_type(six(store[todos], 3), set[str])

# Selectors are inputs like any function.

counts = create_selector(titles, one, lambda names, found: len(names) + found[1])
assert_type(counts(store[todos], 2), int)
lengths = create_selector(select_items, len)
assert_type(lengths(store[todos]), int)

# What does not fit is refused.

titles()  # type: ignore[call-arg]
titles(5)  # type: ignore[arg-type]
titles(store[todos], 1)  # type: ignore[call-arg]
one(store[todos])  # type: ignore[call-arg]
one(store[todos], "1")  # type: ignore[arg-type]
one(store[todos], 1).nothing  # type: ignore[attr-defined]
titles.nothing  # type: ignore[attr-defined]
create_selector(select_items, "x")  # type: ignore[call-overload]
create_selector(select_items, select_filter, str.upper)  # type: ignore[arg-type]
create_selector(select_items, len, memoize=5)  # type: ignore[call-overload]

# The decorator, and inputs as one list


@create_selector.over(select_items, select_at)
def position(items: ListView[Todo], todo: Todo) -> int:
    return items.index(todo)


assert_type(position(store[todos], 1), int)
position(store[todos])  # type: ignore[call-arg]


@create_selector.over(select_items)  # type: ignore[arg-type]
def wrong(items: str) -> int:
    return len(items)


def both(items: ListView[Todo], wanted: str) -> float:
    return len(items) / len(wanted)


listed = create_selector([select_items, select_filter], both)
assert_type(listed(store[todos]), float)
assert_type(create_selector((select_items, select_at), both)(store[todos], 1), float)
listed(5)  # type: ignore[arg-type]

# With the type of the state said in advance, inputs can be lambdas.

create_todos_selector = create_selector.with_types(Todos)
votes = create_todos_selector(lambda state: state.votes, select_filter, lambda n, by: n + len(by))
count: int = votes(store[todos])
done = create_todos_selector.over(lambda state: state.items)(
    lambda items: [item.done for item in items]
)
flags: list[bool] = done(store[todos])
votes(5)  # type: ignore[arg-type]
create_todos_selector(lambda state: state.nothing, str)  # type: ignore[attr-defined]

# Creators, options and structure

create_lru = create_selector_creator(lru_memoize, args_memoize=lru_memoize)
assert_type(create_lru, SelectorCreator)
assert_type(create_lru(select_filter, len)(store[todos]), int)
safe = create_draft_safe_selector(
    select_filter,
    len,
    memoize=lru_memoize,
    memoize_options={"max_size": 3},
    args_memoize=weak_map_memoize,
    args_memoize_options=[],
    dev_mode_checks={"input_stability_check": "never"},
)
assert_type(safe(store[todos]), int)
set_global_dev_mode_checks(identity_function_check="always")
set_global_dev_mode_checks(identity_function_check="sometimes")  # type: ignore[arg-type]
create_selector(select_filter, len, dev_mode_checks={"x": "never"})  # type: ignore[call-overload]

structure = create_structured_selector({"shown": select_filter, "again": select_filter})
assert_type(structure(store[todos]), dict[str, str])
structure(5)  # type: ignore[arg-type]
mixed = create_structured_selector({"at": select_at, "shown": select_filter}, create_lru)
assert_type(mixed(store[todos], 1), dict[str, Any])

# Memoizers keep the signature of what they are given.


@weak_map_memoize
def area(width: int, height: int = 1) -> int:
    return width * height


def length(text: str) -> int:
    return len(text)


assert_type(area(1, height=2), int)
assert_type(area.results_count(), int)
area.clear_cache()
area("1")  # type: ignore[arg-type]
assert_type(lru_memoize(length, max_size=3)("x"), int)
weak_map_memoize(length, result_equality_check=lambda x, y: x == y, max_size="3")  # type: ignore[arg-type]


def takes(select: Selector[[Todos], int], memoized: Memoized[[str], int]) -> Callable[..., Any]:
    """Selectors can be named in annotations."""
    assert_type(select(store[todos]), int)
    return select.result_func


takes(lengths, lru_memoize(length))
takes(titles, lru_memoize(length))  # type: ignore[arg-type]
