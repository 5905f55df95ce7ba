"""The memory for any number of arguments: what is the same, what it keeps, and where it ends."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import pytest

from crdtstore.selectors import reference_equality_check, weak_map_memoize
from crdtstore.selectors.weak_map import MAX_SIZE
from tests.draft.running import opened
from tests.selectors.states import Counted, Thing


def root_of(memoized: Any) -> Any:
    """Return what the results of a memoized function hang on."""
    cells = [cell.cell_contents for cell in memoized.__closure__]
    return next(content for content in cells if hasattr(content, "objects"))


def new(*_: Any) -> Thing:
    """Return a new object whatever comes."""
    return Thing()


# What is the same


def test_results_are_remembered_for_every_combination_of_arguments() -> None:
    """However many there are, and in whatever order they come again."""
    func = Counted(lambda *args: list(args))
    memoized = weak_map_memoize(func)
    first, second = Thing(1), Thing(2)
    calls: list[tuple[Any, ...]] = [
        (),
        (first,),
        (second,),
        (first, second),
        (second, first),
        (first, "a"),
        ("a", first),
        ("a",),
        (first, "a", second, None),
        (None, first),
    ]
    results = [memoized(*args) for args in calls]
    assert results == [list(args) for args in calls]
    for _ in range(2):
        for args, result in reversed([*zip(calls, results, strict=True)]):
            assert memoized(*args) is result
    assert func.times == memoized.results_count() == len(calls)


def test_objects_are_the_same_by_identity_whatever_they_say_of_equality() -> None:
    """Neither hash nor equality of an argument is ever asked."""

    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise AssertionError

    memoized = weak_map_memoize(new)
    odd, even = Odd(), Odd()
    assert memoized(odd) is memoized(odd) is not memoized(even)
    assert memoized([]) is not memoized([])
    kept: list[Any] = []
    assert memoized(kept) is memoized(kept)


@pytest.mark.parametrize(
    "values",
    [
        [None, "None"],
        [1, True, 1.0, "1", b"1"],
        [0, False, 0.0, -0.0, "0.0", "-0.0", "", b"", None],
        [float("nan"), float("inf")],
        [10**30, -(10**30), 1e30],
    ],
)
def test_values_are_the_same_by_type_and_value(values: list[Any]) -> None:
    """``1``, ``True`` and ``1.0`` are three arguments, both zeros are two; a copy is the same."""
    memoized = weak_map_memoize(lambda *args: repr(args))
    for place in (lambda v: (v,), lambda v: (memoized, v), lambda v: (v, memoized)):
        for _ in range(2):
            assert [memoized(*place(v)) for v in values] == [repr(place(v)) for v in values]
    assert memoized.results_count() == 3 * len(values)
    for value in values:
        copy = type(value)(value) if type(value) is not type(None) else None
        if type(value) in (int, str, bytes):
            copy = eval(repr(value))
        memoized(copy)
    assert memoized.results_count() == 3 * len(values)


def test_text_of_the_state_is_the_same_if_it_reads_the_same() -> None:
    """Two views of equal text are one argument, which is not the plain str of the same letters."""
    store, dispatch = opened()
    memoized = weak_map_memoize(lambda text: type(text))
    before = store.state.s.title
    first = memoized(before)
    dispatch(lambda s: s.title.insert(0, "x"))
    dispatch(lambda s: s.title.delete(0))
    after = store.state.s.title
    assert after is not before
    assert memoized(after) is first is not str
    assert memoized(str(after)) is str
    assert memoized.results_count() == 2


def test_arguments_by_name_are_remembered_too() -> None:
    """In any order; they are told from the same values by position."""
    func = Mock(side_effect=lambda *args, **named: [args, named])
    memoized = weak_map_memoize(func)
    assert memoized(1, x=2, y=3) is memoized(1, y=3, x=2)
    assert memoized(1, x=2, y=3) == [(1,), {"x": 2, "y": 3}]
    assert memoized(1, "x", 2, "y", 3) == [(1, "x", 2, "y", 3), {}]
    assert func.call_count == 2
    thing = Thing()
    assert memoized(thing) == [(thing,), {}]
    assert memoized(thing, x=2) == [(thing,), {"x": 2}]
    assert memoized(thing) is memoized(thing)


def test_it_can_decorate() -> None:
    """The name, the documentation and the function itself stay with it."""

    @weak_map_memoize
    def double(number: int) -> int:
        """Double it."""
        return number * 2

    assert double(4) == 8
    assert (double.__name__, double.__doc__) == ("double", "Double it.")


def test_a_draft_is_passed_on_and_never_remembered() -> None:
    """The function sees the draft itself at each call."""
    seen = Counted(lambda part, *_: len(part))
    memoized = weak_map_memoize(seen)

    def program(s: Any) -> None:
        for part in (s.values, s.rows, s.tags):
            assert memoized(part) == memoized(part, 1) == memoized(part, more=part) == len(part)
            part.clear()
            assert memoized(part) == memoized(part, 1) == memoized(part, more=part) == 0

    with pytest.raises(TypeError):  # Counted takes nothing by name
        opened()[1](program)
    seen = Mock(side_effect=lambda part, *_, **__: len(part))
    memoized = weak_map_memoize(seen)
    opened()[1](program)
    assert seen.call_count == 18
    assert memoized.results_count() == 0


# Results


def test_an_exception_is_not_remembered() -> None:
    """Nor does a call that fails leave anything behind."""
    func = Counted(lambda number: 1 // number)
    memoized = weak_map_memoize(func)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            memoized(0)
    assert func.times == 2
    assert memoized.results_count() == 0


def test_a_result_equal_to_the_last_one_is_the_last_one() -> None:
    """The check is not asked about the first result, and never about None."""
    equal = Counted(lambda x, y: x == y)
    memoized = weak_map_memoize(lambda x: None if x < 0 else [x // 10], result_equality_check=equal)
    first = memoized(1)
    assert equal.times == 0
    assert memoized(2) is first
    assert equal.calls == [([0], [0])]
    assert memoized(11) == [1]
    assert memoized(3) == [0]
    assert memoized(3) is not first
    assert memoized(-1) is None
    before = equal.times
    assert memoized(4) == [0]
    assert equal.times == before
    assert memoized.results_count() == 5


def test_the_last_result_is_compared_weakly_where_it_can_be() -> None:
    """The wish to compare with a result does not keep it alive."""
    memoized = weak_map_memoize(
        lambda source: Thing(source.number),
        result_equality_check=lambda x, y: x.number == y.number,
    )
    source: Any = Thing(1)
    result = memoized(source)
    assert memoized(Thing(1)) is result
    gone = weakref.ref(result)
    del source, result
    gc.collect()
    assert gone() is None
    assert memoized(Thing(1)).number == 1


def test_reference_equality_of_results_changes_nothing() -> None:
    """Two results that are two objects stay two."""
    memoized = weak_map_memoize(new, result_equality_check=reference_equality_check)
    assert memoized(1) is memoized(1) is not memoized(2)
    assert memoized.results_count() == 2


def test_the_cache_can_be_cleared_and_the_count_too() -> None:
    """Clearing sets the count of results to 0 as well."""
    memoized = weak_map_memoize(new, result_equality_check=lambda x, y: True)
    part = Thing()
    first = memoized(part)
    assert memoized(1) is first
    memoized.clear_cache()
    assert memoized.results_count() == 0
    assert memoized(part) is not first
    assert memoized.results_count() == 1
    memoized.reset_results_count()
    assert memoized.results_count() == 0
    memoized(part)
    assert memoized.results_count() == 0


# What it keeps alive


def test_results_go_with_any_of_their_arguments() -> None:
    """An argument is not kept alive; when it dies, so do the results for it, whatever its place."""
    memoized = weak_map_memoize(new)
    stays, goes = Thing(), Thing()
    dead = weakref.ref(goes)
    calls = [(goes,), (goes, 1), (goes, stays), (stays, goes), (1, goes, stays), (goes, stays, 1)]
    results = [weakref.ref(memoized(*args)) for args in calls]
    kept = memoized(stays)
    assert all(each() is memoized(*args) for each, args in zip(results, calls, strict=True))
    gc.disable()  # nothing here waits for the garbage collector
    try:
        del calls, goes
        assert dead() is None
        assert [each() for each in results] == [None] * len(results)
    finally:
        gc.enable()
    assert memoized(stays) is kept


def test_snapshots_of_every_kind_are_not_kept_alive() -> None:
    """Records, rows, containers, frozen lists and dicts can go when the state has moved on."""

    def everything(s: Any) -> None:
        s.memo, s.values[0] = [[1], {"k": [2]}], 9
        s.items[0].toggle()
        s.rows["x"].toggle()
        s.tags.add("v")
        s.entries["m"] = {}
        s.owner.toggle()

    store, dispatch = opened()
    dispatch(everything)
    memoized = weak_map_memoize(new)

    def parts() -> list[Any]:
        s = store.state.s
        return [store.state, s, s.items, s.items[0], s.rows, s.rows["x"], s.values, s.tags,
                s.entries, s.owner, s.memo, s.memo[1], s.entries["m"]]  # fmt: skip

    results = [weakref.ref(memoized(part)) for part in parts()]
    assert all(memoized(part) is result() for part, result in zip(parts(), results, strict=True))
    dispatch(lambda s: everything(s) or setattr(s, "memo", None) or s.values.clear())
    dispatch(lambda s: s.tags.clear())
    dispatch(lambda s: s.entries.clear())
    gc.collect()
    assert [result() for result in results] == [None] * len(results)


def test_a_dict_snapshot_of_a_plain_state_is_not_kept_alive() -> None:
    """Records that are declared by a dict can go as well."""
    store, dispatch = opened({"n": 0, "deep": {"k": "v"}})
    memoized = weak_map_memoize(new)
    results = [weakref.ref(memoized(part)) for part in (store.state.s, store.state.s.deep)]
    dispatch(lambda s: s.update(n=1))
    dispatch(lambda s: s.deep.update(k="w"))
    store.close()
    del store, dispatch
    gc.collect()
    assert results[0]() is None


def test_an_id_that_is_used_again_is_another_argument() -> None:
    """Objects that die at once leave their place in memory, and their id, to the next."""
    memoized = weak_map_memoize(lambda thing, *_: thing.number)
    ids = set()
    for number in range(2000):
        thing = Thing(number)
        ids.add(id(thing))
        assert memoized(thing) == memoized(thing, 1) == number
    assert len(ids) < 2000


def test_an_entry_under_the_id_of_another_object_is_not_found() -> None:
    """Even if nobody had removed what is known of a dead object, it would not be believed."""

    memoized: Any = weak_map_memoize(lambda thing: thing.number)
    old, other = Thing(1), Thing(2)
    memoized(old)
    tree = root_of(memoized)
    tree.objects[id(other)] = tree.objects[id(old)]
    assert memoized(other) == 2
    assert memoized(old) == 1
    memoized = weak_map_memoize(lambda _, thing: thing.number)
    memoized(other, old)
    below = root_of(memoized).objects[id(other)].objects
    below[id(other)] = below[id(old)]
    assert memoized(other, other) == 2


# Where it ends


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, None, "10"])
def test_the_bound_is_a_positive_int(wrong: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"^max_size: expected a positive int, got "):
        weak_map_memoize(new, max_size=wrong)


def test_at_most_twice_as_many_results_as_the_bound_are_kept() -> None:
    """The latest are known, those of long ago are computed again."""
    func = Counted(lambda number: [number])
    memoized = weak_map_memoize(func, max_size=10)
    results = [memoized(number) for number in range(1000)]
    assert func.times == 1000
    assert memoized(999) is results[999]
    assert memoized(991) is results[991]
    assert func.times == 1000
    assert memoized(0) is not results[0]
    assert func.times == 1001


def test_a_result_that_is_in_use_is_kept() -> None:
    """Found in the older generation, it moves to the younger one."""
    memoized = weak_map_memoize(new, max_size=4)
    first = memoized(1)
    for number in range(2, 100):
        memoized(number)
        assert memoized(1) is first


def test_a_result_that_is_not_in_use_is_dropped_after_two_generations() -> None:
    """In order: one generation is full, the next one too, and the first is gone."""
    func = Counted(new)
    memoized = weak_map_memoize(func, max_size=2)
    for number in (1, 2, 3, 4, 5):
        memoized(number)
    assert func.times == 5
    memoized(1)
    assert func.times == 6
    memoized(5)
    assert func.times == 6


def test_the_smallest_bound_still_remembers_the_last_call() -> None:
    """One result in each generation."""
    func = Counted(new)
    memoized = weak_map_memoize(func, max_size=1)
    assert memoized(1) is memoized(1) is memoized(1)
    memoized(2)
    assert func.times == 2


def test_objects_and_values_age_together() -> None:
    """A result for both an object and a value is found in the older generation as well."""
    func = Counted(lambda thing, factor: [thing.number * factor])
    memoized = weak_map_memoize(func, max_size=3)
    thing = Thing(2)
    results = [memoized(thing, factor) for factor in (10, 11, 12, 13)]
    assert results == [[20], [22], [24], [26]]
    assert memoized(thing, 10) is results[0]
    assert func.times == 4


def test_clearing_drops_both_generations() -> None:
    """And begins to count anew."""
    func = Counted(new)
    memoized = weak_map_memoize(func, max_size=2)
    for number in (1, 2, 3):
        memoized(number)
    memoized.clear_cache()
    for _ in range(2):
        memoized(1)
        memoized(2)
    assert func.times == 5


@pytest.mark.parametrize(
    "make",
    [
        lambda number: [Thing(number)],
        lambda number: {"k": Thing(number)},
        lambda number: (Thing(number),),
    ],
)
def test_arguments_that_must_be_kept_are_let_go_in_the_end(make: Callable[[int], Any]) -> None:
    """Plain lists, dicts and tuples allow no weak reference; the bound holds for them too."""
    memoized = weak_map_memoize(lambda part: str(part), max_size=50)
    alive: list[weakref.ref[Any]] = []
    for number in range(1000):
        part = make(number)
        alive.append(weakref.ref(next(iter(part.values() if type(part) is dict else part))))
        assert memoized(part) == str(part)
    del part
    assert 50 <= sum(each() is not None for each in alive) <= 100


@dataclass
class View:
    """What a user may make of a part of the state."""

    thing: Any
    title: str = ""


def touched(view: View) -> View:
    """Ask for the fields as a dict, which is what they are kept in from then on."""
    assert vars(view)
    return view


@pytest.mark.parametrize(
    ("result", "most"),
    [
        (lambda thing: thing, 5),
        (lambda thing: [1, thing], 5),
        (lambda thing: {"k": thing}, 5),
        (lambda thing: (thing, 2), 5),
        (View, 5),
        (lambda thing: touched(View(thing)), 5),
        (lambda thing: [[thing]], 50),  # so deep nobody looks
    ],
)
def test_results_that_refer_to_their_argument_are_let_go_in_the_end(
    result: Callable[[Any], Any], most: int
) -> None:
    """They keep it alive, so only the bound ends them: early, where this is plain to see."""
    memoized = weak_map_memoize(result, max_size=50)
    alive = []
    for number in range(1000):
        thing = Thing(number)
        alive.append(weakref.ref(thing))
        memoized(thing)
    del thing
    assert most <= sum(each() is not None for each in alive) <= 2 * most


def test_the_more_must_be_kept_for_a_result_the_fewer_are() -> None:
    """Each KiB that an argument or a result takes counts as much as a result."""
    kib = 1024
    for make in (
        lambda number: [number] * kib,  # 8 KiB
        lambda number: str(number) * kib * 4,  # 4 KiB for each digit
        lambda number: bytes(8 * kib) + str(number).encode(),
    ):
        func = Counted(lambda part: len(part))
        memoized = weak_map_memoize(func, max_size=100)
        parts = [make(number) for number in range(100, 150)]
        for part in parts:
            memoized(part)
        before = func.times
        for part in parts[-6:]:
            memoized(part)
        assert func.times == before
        for part in parts[:20]:
            memoized(part)
        assert func.times == before + 20
    func = Counted(lambda number: [number] * kib)
    memoized = weak_map_memoize(func, max_size=100)
    for number in range(50):
        memoized(number)
    memoized(0)
    assert func.times == 51


def test_calls_that_fail_leave_nothing_behind() -> None:
    """A memory that only sees failures stays empty."""

    def fail(_: Any) -> None:
        raise LookupError

    memoized: Any = weak_map_memoize(fail)
    for number in range(MAX_SIZE):
        with pytest.raises(LookupError):
            memoized(number)
    assert not root_of(memoized).values
    assert not root_of(memoized).objects
