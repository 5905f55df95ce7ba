"""Combining slices, and injecting more of them into stores that are open."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crdtstore import (
    Action,
    ClosedError,
    Counter,
    DispatchError,
    ShapeError,
    Table,
    configure_store,
    create_action,
    create_slice,
)
from crdtstore.combine import combine_slices
from crdtstore.reducers import create_reducer

TIMEOUT = 30

text = create_slice(name="text", initial_state="")
up = create_action("up")
boolean = create_reducer(False, lambda builder: builder.add_case(up, lambda state: not state))


@dataclass
class Row:
    n: Counter = Counter(0)


@dataclass
class Late:
    rows: Table[Row] = Table()
    n: Counter = Counter(5)


late = create_slice(name="late", initial_state=Late())


@late.reducer
def count(state: Late, key: str) -> None:
    state.n += 1
    state.rows.setdefault(key, Row()).n += 1


def sync(a: Any, b: Any) -> None:
    a.merge(b.deltas_since(a.state_vectors()))
    b.merge(a.deltas_since(b.state_vectors()))


def test_slices_and_reducers_are_combined() -> None:
    """Each at its path; the whole is a reducer as well."""
    combined = combine_slices(text, {"flag": boolean, "later": late})
    initial = combined.reduce(None, Action("dummy"))
    assert initial == {"text": "", "flag": False, "later": Late()}
    assert combined.reduce(initial, Action("dummy")) is initial
    assert combined.reduce(initial, up()).flag is True
    assert [each.reducer_path for each in combined] == ["text", "flag", "later"]
    assert len(combined) == 3
    assert text in combined
    assert late not in combined
    assert combine_slices(combined, create_slice(name="more", initial_state=0)).slices[0] is text


def test_a_store_is_made_of_the_combination() -> None:
    """And what is injected into the combination later is in the store at once."""
    combined = combine_slices(text)
    with configure_store(combined) as store, configure_store(combined) as other:
        assert store.slices == ("text",)
        assert combined.inject(late) is combined
        assert store.slices == other.slices == ("text", "late")
        store.dispatch(count("k"))
        assert store[late].n == 6
        sync(store, other)
        assert other[late].rows["k"].n == 1
    with configure_store(combined) as third:
        assert third.slices == ("text", "late")


def test_injecting_again_does_nothing_and_another_slice_is_refused() -> None:
    """Unless it is said to be replaced."""
    combined = combine_slices(text)
    other = create_slice(name="text", initial_state="other")
    with configure_store(combined) as store:
        combined.inject(text).inject(text)
        with pytest.raises(ValueError, match="another slice is at 'text' already; pass override"):
            combined.inject(other)
        assert combined.slices == (text,)
        with pytest.raises(ValueError, match="the store has another slice at 'text'"):
            store.inject(other)
        assert store.state.text == ""
        combined.inject(other, override_existing=True)
        assert store.state.text == "other"
        assert combined.slices == (other,)


def test_two_slices_at_one_place_are_refused() -> None:
    """Also when they come in different parts."""
    with pytest.raises(ValueError, match="two slices are named 'text'"):
        combine_slices(text, {"text": boolean})


@pytest.mark.parametrize("wrong", [5, "text", {"a": 5}, [5], None, lambda state, action: state])
def test_what_is_no_slice_is_refused(wrong: Any) -> None:
    """With what came."""
    with pytest.raises(TypeError):
        combine_slices(wrong)
    with pytest.raises(TypeError):
        combine_slices(text).inject(wrong)


def test_a_combination_keeps_no_store_alive() -> None:
    """It knows its stores weakly."""
    combined = combine_slices(text)
    store = configure_store(combined)
    store.close()
    del store
    gc.collect()
    assert not combined._stores
    combined.inject(late)


def test_selectors_show_the_initial_state_of_what_is_not_there_yet() -> None:
    """A state from before the injection is completed; one that has everything is handed on."""
    combined = combine_slices(text)
    before = combined.reduce(None, Action("x"))
    combined.inject({"flag": boolean})
    assert "flag" not in before
    assert combined.selector(lambda state: state.flag)(before) is False
    nested = combined.selector(lambda state, n: (state.flag, n), lambda root: root["inner"])
    assert nested({"inner": before}, 5) == (False, 5)
    now = combined.reduce(before, up())
    assert combined.selector(lambda state: state)(now) is now


def test_a_slice_injects_itself() -> None:
    """``inject_into`` returns the slice to read with, at another path if wanted."""
    numbers = create_slice(
        name="numbers",
        initial_state=42,
        extra_reducers={up: lambda state, action: state + 1},
        selectors={"times": lambda state, n: state * n},
    )
    combined = combine_slices(text)
    before = combined.reduce(None, up())
    injected = numbers.inject_into(combined)
    assert injected is numbers
    assert injected.select_slice(before) == 42
    assert injected.selectors.times(before, 2) == 84
    second = numbers.inject_into(combined, reducer_path="second")
    with configure_store(combined) as store:
        store.dispatch(up())
        assert (store.state.numbers, store.state.second) == (43, 43)
        assert second.selectors.times(store.state, 2) == 86
    elsewhere = create_slice(name="never", initial_state=0)
    with pytest.raises(AttributeError, match="the store has no slice 'never'"):
        elsewhere.select_slice(before)


def test_an_injected_slice_gets_what_storage_holds(tmp_path: Path) -> None:
    """Also what was compacted while the program did not know the slice."""
    file = tmp_path / "store.db"
    with configure_store([text, late], storage=file) as store:
        for key in "abc":
            store.dispatch(count(key))
        digest = store.digests()["late"]
    with configure_store([text], storage=file) as store:
        store.compact().wait(TIMEOUT)
    with configure_store([text], storage=file) as store:
        store.inject(late)
        assert store[late].n == 8
        assert list(store[late].rows) == ["a", "b", "c"]
        assert store.digests()["late"] == digest
        store.dispatch(count("a"))
    with configure_store([late], storage=file) as store:
        assert store[late].rows["a"].n == 2


def test_an_injected_slice_gets_what_peers_hold() -> None:
    """What a store could not use yet was not taken, so its vectors ask for it now."""
    with configure_store([text, late]) as full, configure_store([text]) as thin:
        full.dispatch(count("k"))
        merged = thin.merge(full.deltas_since(thin.state_vectors()))
        assert merged.unknown == {"late"}
        thin.inject(late)
        sync(full, thin)
        assert thin[late].rows["k"].n == 1
        assert thin.digest() == full.digest()


def test_work_in_an_overridden_slice_is_kept(tmp_path: Path) -> None:
    """The new declaration reads the same document."""

    @dataclass
    class Wider:
        n: Counter = Counter(5)
        more: str = "new"

    wider = create_slice(name="late", initial_state=Wider())
    with configure_store([late], storage=tmp_path / "s.db") as store:
        store.dispatch(count("k"))
        store.inject(wider, override_existing=True)
        assert (store[wider].n, store[wider].more) == (6, "new")
        store.dispatch(count("k"))
        assert store[wider].n == 6  # its reducers are gone with it
        store.inject(late, override_existing=True)
        store.dispatch(count("k"))
        assert store[late].n == 7
        assert store[late].rows["k"].n == 2


def test_subscribers_and_hooks_hear_of_an_injection() -> None:
    """The state has a new attribute, and a peer must tell the others."""
    with configure_store([text]) as store:
        heard: list[Any] = []
        store.subscribe(lambda: heard.append(store.slices))
        stop = store.on_inject(heard.append)
        store.inject(late)
        store.inject(late)
        stop()
        store.inject(create_slice(name="third", initial_state=0))
        assert heard == [("text", "late"), "late", ("text", "late", "third")]


def test_injection_is_refused_where_it_makes_no_sense() -> None:
    """Into a closed store, inside a reducer, or of what is wrong; nothing has changed then."""
    store = configure_store([text])
    with pytest.raises(TypeError, match="inject takes a slice, got str"):
        store.inject("late")  # type: ignore[arg-type]
    broken = create_slice(name="broken", initial_state=lambda: {"a": list})
    with pytest.raises((ShapeError, ValueError)):
        store.inject(broken)
    assert store.slices == ("text",)
    inner = create_slice(
        name="inner",
        initial_state=0,
        extra_reducers={up: lambda state, action: store.inject(late)},
    )
    store.inject(inner)
    with pytest.raises(DispatchError, match="inside a reducer"):
        store.dispatch(up())
    store.close()
    with pytest.raises(ClosedError):
        store.inject(late)


def test_a_store_that_is_closed_does_not_keep_the_others_from_a_slice() -> None:
    """It leaves the combination, which goes on."""
    combined = combine_slices(text)
    stores = [configure_store(combined) for _ in range(4)]
    for store in stores[::2]:
        store.close()
    combined.inject(late)
    combined.inject({"flag": boolean})
    for store in stores[1::2]:
        with store:
            assert store.slices == ("text", "late", "flag")
    assert set(combined._stores) == set(stores[1::2])


def test_what_could_not_be_injected_can_be_tried_again() -> None:
    """A combination has a slice once its stores have it."""
    combined = combine_slices(text)
    refusing = create_slice(
        name="refusing",
        initial_state=0,
        extra_reducers={up: lambda state, action: combined.inject(late)},
    )
    with configure_store(combined) as store:
        combined.inject(refusing)
        with pytest.raises(DispatchError, match="inside a reducer"):
            store.dispatch(up())
        assert late not in combined
        combined.inject(late)
        assert store.slices == ("text", "refusing", "late")


def test_the_same_reducer_or_instance_may_be_injected_again() -> None:
    """As modules do that are loaded twice."""
    combined = combine_slices({"flag": boolean})
    with configure_store(combined) as store:
        combined.inject({"flag": boolean})
        for _ in range(2):
            late.inject_into(combined, reducer_path="elsewhere")
            late.inject_into(store, reducer_path="elsewhere")
        assert store.slices == ("flag", "elsewhere")
        with pytest.raises(ValueError, match="another slice"):
            text.inject_into(combined, reducer_path="elsewhere")


def test_a_slice_may_be_called_like_a_method_of_the_state() -> None:
    """``replaced``, ``get``, ``items``: its field hides the method, and nothing breaks."""
    names = ("replaced", "get", "items", "keys", "values", "to_plain")
    slices = [
        create_slice(name=name, initial_state=0, reducers={"up": lambda state: state + 1})
        for name in names
    ]
    combined = combine_slices(*slices)
    with configure_store(combined) as store:
        for each in slices:
            store.dispatch(each.actions.up())
        store.inject(text)
        assert [store[each] for each in slices] == [1] * len(names)
        assert combined.reduce(store.state, slices[0].actions.up())["replaced"] == 2
    with pytest.raises(ShapeError, match="identifier"):
        create_slice(name="__class__", initial_state=0)


def test_reducers_added_to_an_injected_slice_work() -> None:
    """As for any slice."""
    made = create_slice(name="made", initial_state=0)
    with configure_store([text]) as store:
        store.inject(made)

        @made.reducer
        def add(state: int, n: int) -> int:
            return state + n

        store.dispatch(add(3))
        assert store[made] == 3


def test_injecting_from_many_threads_while_others_dispatch() -> None:
    """Each slice is there once, and no work is lost."""
    combined = combine_slices(late)
    slices = [create_slice(name=f"s{n}", initial_state=Counter(0)) for n in range(20)]
    with configure_store(combined) as store:
        failures: list[BaseException] = []

        def work(n: int) -> None:
            try:
                for each in slices:
                    combined.inject(each)
                    store.dispatch(count(f"{n}"))
                    store.schema()
                    store.state_vectors()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert len(store.slices) == 21
        assert store[late].n == 85
