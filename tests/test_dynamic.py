"""Middleware added while stores run: where it works, from when on, and how often it is set up."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import Action, Middleware, MiddlewareAPI, Store, configure_store, create_slice
from crdtstore.bindings import is_action_creator
from crdtstore.dynamic import create_dynamic_middleware

Dispatch = Callable[[Any], Any]

TIMEOUT = 30

numbers = create_slice(name="numbers", initial_state=0)


def opened(*middleware: Middleware) -> Store:
    """Open a store with some middleware behind the default ones."""
    return configure_store([numbers], middleware=list(middleware))


def probe(number: int) -> Action[int]:
    return Action("probe", number)


def answering(number: int) -> Middleware:
    """Make a middleware that answers the probe with this number, and hands on all else."""

    def middleware(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                return number if action == probe(number) else proceed(action)

            return handle

        return layer

    return middleware


class Tracing:
    """A middleware, its method ``middleware``, that notes what happens to it."""

    def __init__(self, name: str, trace: list[str]) -> None:
        self.name = name
        self.trace = trace

    def middleware(self, api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        self.trace.append(f"{self.name} gets its store")

        def layer(proceed: Dispatch) -> Dispatch:
            self.trace.append(f"{self.name} gets its layer")

            def handle(action: Any) -> Any:
                self.trace.append(f"{self.name} sees {action.payload}")
                return proceed(action)

            return handle

        return layer


# Adding


def test_middleware_is_added_after_the_store_was_configured() -> None:
    """What is added works from the next dispatch on; static middleware is not touched."""
    dynamic = create_dynamic_middleware()
    with opened(dynamic.middleware, answering(1)) as store:
        assert store.dispatch(probe(2)) == probe(2)
        assert store.dispatch(probe(1)) == 1
        dynamic.add_middleware(answering(2))
        assert store.dispatch(probe(2)) == 2
        assert store.dispatch(probe(1)) == 1


def test_dispatching_with_middleware_adds_it_and_returns_dispatch() -> None:
    """What comes back dispatches through the whole chain, the added middleware included."""
    dynamic = create_dynamic_middleware()
    with opened(dynamic.middleware) as store:
        assert store.dispatch(probe(2)) == probe(2)
        dispatch = store.dispatch(dynamic.with_middleware(answering(2), answering(3)))
        assert callable(dispatch)
        assert dispatch(probe(2)) == 2
        assert dispatch(probe(3)) == 3
        assert store.dispatch(probe(2)) == 2


def test_with_middleware_is_an_action_creator() -> None:
    """It has a type, tells its actions from others, and names its instance in their meta."""
    dynamic = create_dynamic_middleware()
    action = dynamic.with_middleware(answering(1))
    assert is_action_creator(dynamic.with_middleware)
    assert action.type == dynamic.with_middleware.type == "dynamic_middleware/add"
    assert dynamic.with_middleware.match(action)
    assert action.meta == {"instance_id": dynamic.instance_id}


def test_an_instance_leaves_the_actions_of_another_alone() -> None:
    """They go on, to the instance that they are for or to nobody."""
    one, other, elsewhere = (create_dynamic_middleware() for _ in range(3))
    assert len({one.instance_id, other.instance_id, elsewhere.instance_id}) == 3
    with opened(one.middleware, other.middleware) as store:
        stray = elsewhere.with_middleware(answering(4))
        assert store.dispatch(stray) is stray
        store.dispatch(other.with_middleware(answering(2)))
        assert store.dispatch(probe(2)) == 2
        assert store.dispatch(probe(4)) == probe(4)
    assert "0 added" in repr(one)
    assert "1 added" in repr(other)


def test_middleware_sees_actions_in_the_order_of_adding_and_is_set_up_once() -> None:
    """Adding more sets up what is new, and nothing that was there before."""
    dynamic = create_dynamic_middleware()
    trace: list[str] = []
    with opened(dynamic.middleware, Tracing("static", trace).middleware) as store:
        dynamic.add_middleware(Tracing("a", trace).middleware, Tracing("b", trace).middleware)
        store.dispatch(probe(1))
        dynamic.add_middleware(Tracing("c", trace).middleware)
        store.dispatch(probe(2))
    assert trace == [
        "static gets its store",
        "static gets its layer",
        "a gets its store",
        "a gets its layer",
        "b gets its store",
        "b gets its layer",
        "a sees 1",
        "b sees 1",
        "static sees 1",
        "c gets its store",
        "c gets its layer",
        "a sees 2",
        "b sees 2",
        "c sees 2",
        "static sees 2",
    ]


def test_adding_the_same_again_does_nothing() -> None:
    """A function is there once; so is a method, though every look at it makes a new object."""
    dynamic = create_dynamic_middleware()
    trace: list[str] = []
    a, b = Tracing("a", trace), Tracing("b", trace)
    with opened(dynamic.middleware) as store:
        dynamic.add_middleware(a.middleware, b.middleware, a.middleware)
        store.dispatch(dynamic.with_middleware(b.middleware, a.middleware))
        dynamic.add_middleware()
        trace.clear()
        store.dispatch(probe(1))
    assert trace == ["a sees 1", "b sees 1"]


def test_state_kept_in_a_layer_survives_the_adding_of_others() -> None:
    """No layer is ever made again, so what it counts it goes on counting."""

    def counting(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            seen: list[Any] = []

            def handle(action: Any) -> Any:
                seen.append(action)
                return len(seen) if action.type == "count" else proceed(action)

            return handle

        return layer

    dynamic = create_dynamic_middleware()
    with opened(dynamic.middleware) as store:
        dynamic.add_middleware(counting)
        store.dispatch(probe(1))
        dynamic.add_middleware(answering(2))
        assert store.dispatch(probe(2)) == 2
        assert store.dispatch(Action("count")) == 3


# Several stores


def test_every_store_has_a_chain_of_its_own() -> None:
    """Each middleware is set up once for each store, and gets that store."""
    dynamic = create_dynamic_middleware()
    apis: list[MiddlewareAPI] = []

    def noting(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        apis.append(api)
        return lambda proceed: lambda action: api if action == probe(1) else proceed(action)

    with opened(dynamic.middleware) as one, opened(dynamic.middleware) as other:
        dynamic.add_middleware(noting)
        assert one.dispatch(probe(1)) is one
        assert other.dispatch(probe(1)) is other
        assert len(apis) == 2
        assert one.dispatch(dynamic.with_middleware(answering(2)))(probe(2)) == 2
        assert other.dispatch(probe(2)) == 2


def test_a_store_configured_later_has_what_was_added_before() -> None:
    """Adding does not need a store."""
    dynamic = create_dynamic_middleware()
    dynamic.add_middleware(answering(1))
    with opened(dynamic.middleware) as store:
        assert store.dispatch(probe(1)) == 1


def test_an_instance_keeps_no_store_alive() -> None:
    """A store that nobody holds any more is collected, with all that was set up for it."""
    dynamic = create_dynamic_middleware()
    dynamic.add_middleware(answering(1))
    store = opened(dynamic.middleware)
    dynamic.add_middleware(answering(2))
    store.close()
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
    dynamic.add_middleware(answering(3))


# From when on


def test_an_action_on_its_way_keeps_to_the_middleware_that_was_there() -> None:
    """Middleware that is added during a dispatch acts from the next one on, nested ones too."""
    dynamic = create_dynamic_middleware()
    trace: list[str] = []

    def adding(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                if action.type == "add":
                    dynamic.add_middleware(Tracing("new", trace).middleware)
                    trace.clear()
                    api.dispatch(probe(1))
                return proceed(action)

            return handle

        return layer

    dynamic.add_middleware(adding, Tracing("old", trace).middleware)
    with opened(dynamic.middleware) as store:
        store.dispatch(Action("add", 2))
        assert trace == ["old sees 1", "new sees 1", "old sees 2"]
        trace.clear()
        store.dispatch(probe(3))
        assert trace == ["old sees 3", "new sees 3"]


def test_an_action_handed_on_later_meets_what_is_there_by_then() -> None:
    """From another thread, or when the dispatch is over, the chain is that of the moment."""
    dynamic = create_dynamic_middleware()
    trace: list[str] = []
    kept: list[Callable[[], Any]] = []

    def holding(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        return lambda proceed: lambda action: kept.append(lambda: proceed(action))

    dynamic.add_middleware(holding)
    with opened(dynamic.middleware) as store:
        store.dispatch(probe(1))
        dynamic.add_middleware(Tracing("new", trace).middleware)
        trace.clear()
        assert kept.pop()() == probe(1)
        store.dispatch(probe(2))
        thread = threading.Thread(target=kept.pop())
        thread.start()
        thread.join(TIMEOUT)
    assert trace == ["new sees 1", "new sees 2"]


def test_a_middleware_that_raises_leaves_the_chain_as_it_was() -> None:
    """The next action goes through all of the middleware again."""
    dynamic = create_dynamic_middleware()

    def failing(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        def layer(proceed: Dispatch) -> Dispatch:
            def handle(action: Any) -> Any:
                if action == probe(0):
                    dynamic.add_middleware(answering(2))
                    raise LookupError("broken")
                return proceed(action)

            return handle

        return layer

    dynamic.add_middleware(failing)
    with opened(dynamic.middleware) as store:
        with pytest.raises(LookupError, match="broken"):
            store.dispatch(probe(0))
        assert store.dispatch(probe(2)) == 2


# What cannot be added


@pytest.mark.parametrize("wrong", [None, 1, "middleware"])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    """Nothing is added then, of what stands before it neither."""
    dynamic = create_dynamic_middleware()
    with opened(dynamic.middleware) as store:
        for add in (dynamic.add_middleware, dynamic.with_middleware):
            with pytest.raises(TypeError, match="a middleware is a function"):
                add(answering(1), wrong)
        assert store.dispatch(probe(1)) == probe(1)


def test_a_middleware_that_cannot_be_set_up_fails_where_it_is_added() -> None:
    """Stores go on without it, and without what stands behind it; it may be added again."""
    dynamic = create_dynamic_middleware()
    ready = False

    def late(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        if not ready:
            raise LookupError("not yet")
        return answering(2)(api)

    with opened(dynamic.middleware) as store:
        with pytest.raises(LookupError, match="not yet"):
            store.dispatch(dynamic.with_middleware(answering(1), late, answering(3)))
        assert [store.dispatch(probe(n)) for n in (1, 2, 3)] == [1, probe(2), probe(3)]
        ready = True
        dynamic.add_middleware(late, answering(3))
        assert [store.dispatch(probe(n)) for n in (1, 2, 3)] == [1, 2, 3]


def test_a_middleware_of_the_wrong_shape_is_named() -> None:
    """One that returns no layer is refused as it is by configure_store."""
    dynamic = create_dynamic_middleware()

    def shapeless(api: Any) -> Any:
        return None

    with opened(dynamic.middleware), pytest.raises(TypeError, match="'shapeless' is no middleware"):
        dynamic.add_middleware(shapeless)


def test_a_middleware_may_add_others_while_it_is_set_up() -> None:
    """They come before it, since they are ready first."""
    dynamic = create_dynamic_middleware()
    trace: list[str] = []
    inner = Tracing("inner", trace)

    def outer(api: MiddlewareAPI) -> Callable[[Dispatch], Dispatch]:
        dynamic.add_middleware(inner.middleware)
        return Tracing("outer", trace).middleware(api)

    with opened(dynamic.middleware) as one, opened(dynamic.middleware) as other:
        dynamic.add_middleware(outer)
        for store in (one, other):
            trace.clear()
            store.dispatch(probe(1))
            assert trace == ["inner sees 1", "outer sees 1"]


# Threads


def test_many_threads_add_and_dispatch() -> None:
    """Every middleware is set up once for each store, whoever adds it while others dispatch."""
    dynamic = create_dynamic_middleware()
    trace: list[str] = []
    tracing = [Tracing(str(number), trace) for number in range(40)]
    stores = [opened(dynamic.middleware) for _ in range(2)]
    start = threading.Barrier(6)
    failures: list[BaseException] = []

    def work(offset: int) -> None:
        try:
            start.wait(TIMEOUT)
            for number in range(40):
                dynamic.add_middleware(tracing[(number + offset) % 40].middleware)
                stores[offset % 2].dispatch(probe(number))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(offset * 7,)) for offset in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert failures == []
    assert sorted(line for line in trace if line.endswith("its layer")) == sorted(
        f"{number} gets its layer" for number in range(40) for _ in stores
    )
    trace.clear()
    for store in stores:
        store.dispatch(probe(-1))
        assert sorted(trace) == sorted(f"{number} sees -1" for number in range(40))
        trace.clear()
        store.close()


def test_it_is_a_middleware_itself() -> None:
    """``middleware=[dynamic]`` and ``middleware=[dynamic.middleware]`` are the same."""
    for configured in (lambda dynamic: dynamic, lambda dynamic: dynamic.middleware):
        dynamic = create_dynamic_middleware()
        with opened(configured(dynamic)) as store:
            dynamic.add_middleware(answering(1))
            assert store.dispatch(probe(1)) == 1
