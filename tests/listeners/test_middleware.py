"""Adding and removing listeners, and what the middleware as a whole does to a store."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from crdtstore import Action, Middleware, Store, configure_store, create_action
from crdtstore.listeners import (
    ListenerApi,
    add_listener,
    clear_all_listeners,
    create_listener_middleware,
    remove_listener,
)
from crdtstore.matchers import is_any_of
from tests.listeners.stage import (
    LONG,
    PATIENCE,
    Seen,
    Stage,
    add,
    counts,
    in_loop,
    opened,
    other,
    others,
    sub,
    turns,
)

first = create_action("first")
second = create_action("second")
third = create_action("third")


# Setting up


@in_loop
async def test_the_extra_argument_reaches_effects() -> None:
    """``api.extra`` is what the middleware was made with."""
    extra = object()
    with Stage(extra=extra) as stage:
        stage.listener.start_listening(
            predicate=lambda: True, effect=lambda action, api: stage.seen(api.extra)
        )
        stage.store.dispatch(first())
        await turns()
        assert stage.seen.all == [extra]


def test_there_is_no_extra_argument_by_default() -> None:
    """Without one, ``api.extra`` is ``None``."""
    with Stage() as stage:
        stage.listener.start_listening(
            type="first", effect=lambda action, api: stage.seen(api.extra)
        )
        stage.store.dispatch(first())
        stage.seen.until(None)


def test_without_listeners_actions_pass_through() -> None:
    """``dispatch`` returns the action, and the reducers have run."""
    with Stage() as stage:
        action = add(3)
        assert stage.store.dispatch(action) is action
        assert stage.store.state.counts.n == 3


def test_the_object_is_the_middleware_and_names_it_too() -> None:
    """``middleware=[listener]`` and ``middleware=[listener.middleware]`` do the same."""
    for named in (False, True):
        seen = Seen()
        listener = create_listener_middleware()
        listener.start_listening(action_creator=add, effect=seen.effect)
        middleware: Middleware = listener.middleware if named else listener
        with configure_store([counts], middleware=[middleware]) as store:
            store.dispatch(add(2))
            seen.until(("counts/add", 2))


def test_it_may_stand_before_the_thunks() -> None:
    """What is no action passes through it, and actions of thunks are seen."""
    seen = Seen()
    listener = create_listener_middleware()
    with configure_store([counts], middleware=lambda d: [listener, *d]) as store:
        stop = store.dispatch(add_listener(action_creator=add, effect=seen.effect))
        assert store.dispatch(lambda dispatch, get_state: dispatch(add(2))) == add(2)
        seen.until(("counts/add", 2))
        stop()
        assert store.dispatch(remove_listener(action_creator=add, effect=seen.effect)) is False


def test_mappings_are_actions() -> None:
    """An action given as a mapping is one for effects."""
    with Stage() as stage:
        stage.listener.start_listening(action_creator=add, effect=stage.seen.effect)
        assert stage.store.dispatch({"type": "counts/add", "payload": 2}) == add(2)
        stage.seen.until(("counts/add", 2))


def test_kinds_of_actions_are_actions() -> None:
    """An object of a subclass of ``Action`` is matched like others, and handed on as it is."""

    class Special(Action[int]):
        __slots__ = ()

    with Stage() as stage:
        stage.listener.start_listening(
            action_creator=add, effect=lambda action, api: stage.seen(type(action))
        )
        stage.store.dispatch(Special("counts/add", 2))
        stage.seen.until(Special)
        assert stage.store.state.counts.n == 2


def test_what_fails_to_dispatch_starts_nothing() -> None:
    """An action whose reducer raises was not dispatched."""
    with Stage() as stage:
        stage.listener.start_listening(predicate=lambda: True, effect=stage.seen.effect)
        with pytest.raises(TypeError):
            stage.store.dispatch(add("nothing to add"))  # type: ignore[arg-type]
        stage.store.dispatch(first())
        stage.seen.until(("first", None))


# Adding and removing


@in_loop
async def test_a_listener_is_called_for_its_actions_only() -> None:
    """Other types start nothing."""
    with Stage() as stage:
        stage.listener.start_listening(action_creator=first, effect=stage.seen.effect)
        stage.store.dispatch(first("a"))
        stage.store.dispatch(second("b"))
        stage.store.dispatch(first("c"))
        await turns()
        assert stage.seen.all == [("first", "a"), ("first", "c")]


@in_loop
async def test_the_decorator_adds_and_leaves_the_effect_as_it_is() -> None:
    """It can be stacked, and the effect be removed by its name."""
    with Stage() as stage:

        @stage.listener.on(action_creator=first)
        @stage.listener.on(type="second")
        def effect(action: Action[Any], api: ListenerApi[Any]) -> None:
            stage.seen(action.payload)

        stage.store.dispatch(first("a"))
        stage.store.dispatch(second("b"))
        assert stage.listener.stop_listening(action_creator=second, effect=effect)
        stage.store.dispatch(second("c"))
        await turns()
        assert stage.seen.all == ["a", "b"]
        assert effect.__name__ == "effect"


def test_stop_listening_tells_whether_there_was_one() -> None:
    """What matches differently is not the same listener."""
    with Stage() as stage:
        stage.listener.start_listening(action_creator=first, effect=stage.seen.effect)
        stop = stage.listener.stop_listening
        assert stop(action_creator=second, effect=stage.seen.effect) is False
        assert stop(action_creator=first, effect=stage.seen.async_effect) is False
        assert stop(action_creator=first, effect=stage.seen.effect, origin="any") is False
        assert stop(action_creator=first, effect=stage.seen.effect) is True
        assert stop(action_creator=first, effect=stage.seen.effect) is False


def test_dispatching_remove_listener_tells_whether_there_was_one() -> None:
    """It does what ``stop_listening`` does."""
    with Stage() as stage:
        effect = stage.seen.effect
        stage.listener.start_listening(action_creator=first, effect=effect)
        assert stage.store.dispatch(remove_listener(action_creator=second, effect=effect)) is False
        assert stage.store.dispatch(remove_listener(action_creator=first, effect=effect)) is True


WAYS: dict[str, tuple[dict[str, Any], Any]] = {
    "type": ({"type": "counts/add"}, {"type": "counts/add"}),
    "action_creator": ({"action_creator": add}, {"type": "counts/add"}),
    "matcher": ({"matcher": add.match}, {"matcher": add.match}),
    "predicate": ({"predicate": add.match}, {"matcher": add.match}),
    "slices": ({"slices": counts}, {"slices": ["counts"]}),
}


@pytest.mark.parametrize("way", WAYS)
@in_loop
async def test_every_way_of_matching_adds_and_removes(way: str) -> None:
    """What was added is found again by what means the same: a type, or the same function."""
    what, same = WAYS[way]
    with Stage() as stage:
        stage.listener.start_listening(**what, effect=stage.seen.effect)
        stage.store.dispatch(add(1))
        stage.store.dispatch(other())
        await turns()
        assert stage.seen.all == [("counts/add", 1)]
        assert stage.listener.stop_listening(**same, effect=stage.seen.effect)
        stage.store.dispatch(add(2))
        await turns()
        assert len(stage.seen.all) == 1


@pytest.mark.parametrize("way", WAYS)
@in_loop
async def test_every_way_can_be_dispatched(way: str) -> None:
    """``add_listener`` and ``remove_listener`` take what the methods take."""
    what, same = WAYS[way]
    with Stage() as stage:
        stage.store.dispatch(add_listener(**what, effect=stage.seen.effect))
        stage.store.dispatch(add(1))
        await turns()
        assert stage.seen.all == [("counts/add", 1)]
        assert stage.store.dispatch(remove_listener(**same, effect=stage.seen.effect)) is True
        stage.store.dispatch(add(2))
        await turns()
        assert len(stage.seen.all) == 1


@in_loop
async def test_a_matcher_may_be_made_of_several() -> None:
    """``is_any_of`` and its kin are matchers."""
    with Stage() as stage:
        stop = stage.listener.start_listening(
            matcher=is_any_of(first, second), effect=stage.seen.effect
        )
        for action in (first("a"), second("b"), third("c")):
            stage.store.dispatch(action)
        stop()
        stage.store.dispatch(second("d"))
        await turns()
        assert stage.seen.all == [("first", "a"), ("second", "b")]


@in_loop
async def test_a_predicate_sees_the_state_after_and_before() -> None:
    """It takes as many of ``(action, current, previous)`` as it wants."""
    with Stage() as stage:
        start = stage.listener.start_listening
        start(
            predicate=lambda action, current: current.counts.n > 1,
            effect=lambda action, api: stage.seen("above"),
        )
        start(
            predicate=lambda action, current, previous: (
                current.counts.n > 1 and previous.counts.n % 2 == 0
            ),
            effect=lambda action, api: stage.seen("from even"),
        )
        for _ in range(4):
            stage.store.dispatch(add())
        await turns()
        assert stage.seen.all == ["above", "above", "from even", "above"]


@in_loop
async def test_slices_match_whatever_changed_them() -> None:
    """One slice, or any of several; what changed none of them is not for the listener."""
    with Stage() as stage:
        start = stage.listener.start_listening
        start(slices=counts, effect=lambda action, api: stage.seen("counts"))
        start(slices=[counts, "others"], effect=lambda action, api: stage.seen("both"))
        stage.store.dispatch(add())
        stage.store.dispatch(other())
        stage.store.dispatch(add(0))  # changes nothing
        stage.store.dispatch(first())
        await turns()
        assert stage.seen.all == ["counts", "both", "both"]


@in_loop
async def test_the_same_effect_for_the_same_is_one_listener() -> None:
    """As with event targets of the web; either ``unsubscribe`` removes it."""
    with Stage() as stage:
        start = stage.listener.start_listening
        start(action_creator=first, effect=stage.seen.effect)
        stop = start(type="first", effect=stage.seen.effect)
        start(predicate=second.match, effect=stage.seen.effect)
        start(matcher=second.match, effect=stage.seen.effect)
        stage.store.dispatch(first("a"))
        stage.store.dispatch(second("b"))
        await turns()
        assert stage.seen.all == [("first", "a"), ("second", "b")]
        stop()
        stop()
        stage.store.dispatch(first("c"))
        await turns()
        assert len(stage.seen.all) == 2


@in_loop
async def test_unsubscribing_lets_what_was_dispatched_before_run() -> None:
    """Only later actions start nothing."""
    with Stage() as stage:
        stop = stage.listener.start_listening(action_creator=first, effect=stage.seen.effect)
        stage.store.dispatch(first("a"))
        stop()
        stage.store.dispatch(first("b"))
        await turns()
        assert stage.seen.all == [("first", "a")]


def test_dispatching_add_listener_returns_what_unsubscribes() -> None:
    """The answer to the request is the one of ``start_listening``."""
    with Stage() as stage:
        stop = stage.store.dispatch(add_listener(action_creator=first, effect=stage.seen.effect))
        stage.store.dispatch(first("a"))
        stage.seen.until(("first", "a"))
        stop(cancel_active=True)
        stage.store.dispatch(first("b"))
        assert not stage.listener.stop_listening(action_creator=first, effect=stage.seen.effect)


def test_removing_what_is_not_there_is_no_error() -> None:
    """It is answered with ``False``."""
    with Stage() as stage:
        assert not stage.listener.stop_listening(matcher=first.match, effect=stage.seen.effect)


def test_effects_start_in_the_order_of_registration() -> None:
    """Whatever they match by, and for each action anew."""
    with Stage() as stage:
        for number in range(12):
            how: dict[str, Any] = (
                {"type": "first"} if number % 3 else {"predicate": lambda action: True}
            )

            async def effect(action: Any, api: Any, number: int = number) -> None:
                stage.seen(number)

            stage.listener.start_listening(**how, effect=effect)
        stage.store.dispatch(first())
        stage.store.dispatch(first())
        stage.seen.until(*range(12), *range(12))


@in_loop
async def test_what_an_effect_adds_and_removes_counts_from_the_next_action_on() -> None:
    """Neither is seen by the dispatch that is under way."""
    with Stage() as stage:
        start = stage.listener.start_listening

        def matches(action: Action[Any]) -> bool:
            start(action_creator=first, effect=stage.seen.effect)
            stop()
            return False

        start(predicate=matches, effect=stage.seen.effect)
        stop = start(action_creator=first, effect=lambda action, api: stage.seen("removed"))
        stage.store.dispatch(first(1))
        stage.store.dispatch(first(2))
        await turns()
        assert stage.seen.all == ["removed", ("first", 2)]


@pytest.mark.parametrize(
    "request_for",
    [add_listener, remove_listener, lambda **options: clear_all_listeners()],
)
def test_commands_are_not_forwarded(request_for: Callable[..., Any]) -> None:
    """What adds, removes or clears goes no further than the middleware."""
    seen = Seen()

    def after(api: Any) -> Any:
        def layer(proceed: Any) -> Any:
            def handle(action: Any) -> Any:
                seen(action)
                return proceed(action)

            return handle

        return layer

    listener = create_listener_middleware()
    with configure_store([counts], middleware=[listener, after]) as store:
        store.dispatch(first("a"))
        store.dispatch(request_for(action_creator=first, effect=seen.effect))
        store.dispatch(second("b"))
    assert [action for action in seen.all if isinstance(action, Action)] == [
        first("a"),
        second("b"),
    ]


# Cancelling from outside


CANCELLED: dict[str, Callable[[Stage, Any, Any], Any]] = {
    "unsubscribe": lambda stage, stop, effect: stop(cancel_active=True),
    "stop_listening": lambda stage, stop, effect: stage.listener.stop_listening(
        action_creator=first, effect=effect, cancel_active=True
    ),
    "remove_listener": lambda stage, stop, effect: stage.store.dispatch(
        remove_listener(action_creator=first, effect=effect, cancel_active=True)
    ),
    "clear_listeners": lambda stage, stop, effect: stage.listener.clear_listeners(),
    "clear_all_listeners": lambda stage, stop, effect: stage.store.dispatch(clear_all_listeners()),
    "close": lambda stage, stop, effect: stage.store.close(),
}


@pytest.mark.parametrize("how", CANCELLED)
@in_loop
async def test_running_effects_can_be_cancelled_when_removed(how: str) -> None:
    """A coroutine hears of it by a ``CancelledError`` where it awaits."""
    with Stage() as stage:

        async def effect(action: Any, api: Any) -> None:
            api.signal.add_callback(lambda: stage.seen(api.signal.reason))
            stage.seen("begun")
            try:
                await api.condition(second)
            except asyncio.CancelledError:
                stage.seen("told")
                raise

        stop = stage.listener.start_listening(action_creator=first, effect=effect)
        stage.store.dispatch(first())
        await turns()
        CANCELLED[how](stage, stop, effect)
        assert "told" not in stage.seen.all
        await turns()
        assert stage.seen.all[0] == "begun"
        assert sorted(stage.seen.all[1:]) == ["listener-cancelled", "told"]
        assert stage.errors.all == []


@pytest.mark.parametrize("how", CANCELLED)
def test_running_effects_on_threads_can_be_cancelled_when_removed(how: str) -> None:
    """A plain function hears of it by a ``TaskAbortError`` from what it waits for."""
    with Stage() as stage:

        def effect(action: Any, api: Any) -> None:
            stage.seen("begun")
            try:
                api.condition(second).wait()
            except Exception as error:
                stage.seen(str(error))
                raise

        stop = stage.listener.start_listening(action_creator=first, effect=effect)
        stage.store.dispatch(first())
        stage.seen.until("begun")
        CANCELLED[how](stage, stop, effect)
        stage.seen.until("begun", "task cancelled (reason: listener-cancelled)")
        assert stage.errors.all == []


@pytest.mark.parametrize("how", CANCELLED)
@in_loop
async def test_what_was_cancelled_before_it_began_never_does(how: str) -> None:
    """It is told to nobody."""
    with Stage() as stage:
        effect = stage.seen.effect
        stop = stage.listener.start_listening(action_creator=first, effect=effect)
        stage.store.dispatch(first())
        CANCELLED[how](stage, stop, effect)
        await turns()
        assert stage.seen.all == []
        assert stage.errors.all == []


@in_loop
async def test_unsubscribing_cancels_nothing_unless_told_to() -> None:
    """Effects under way go on."""
    with Stage() as stage:

        async def effect(action: Any, api: Any) -> None:
            await api.condition(second)
            stage.seen("done")

        stop = stage.listener.start_listening(action_creator=first, effect=effect)
        stage.store.dispatch(first())
        await turns()
        stop()
        stage.store.dispatch(second())
        await turns()
        assert stage.seen.all == ["done"]


@in_loop
async def test_clearing_removes_all_and_cancels_all() -> None:
    """A listener to the clearing itself is not called; one removed before is cancelled too."""
    with Stage() as stage:
        start = stage.listener.start_listening

        async def effect(action: Any, api: Any) -> None:
            api.unsubscribe()
            api.signal.add_callback(lambda: stage.seen(api.signal.reason))
            await api.condition(lambda: True)

        start(action_creator=first, effect=effect)
        start(action_creator=clear_all_listeners, effect=stage.seen.effect)
        start(predicate=lambda: True, effect=lambda action, api: stage.seen(action.type))
        stage.store.dispatch(first())
        await turns()
        assert stage.seen.all == ["first"]
        action = clear_all_listeners()
        assert stage.store.dispatch(action) is action
        stage.store.dispatch(first())
        await turns()
        assert stage.seen.all == ["first", "listener-cancelled"]


@in_loop
async def test_clearing_cancels_forked_tasks() -> None:
    """They never run, if they had not begun."""
    with Stage() as stage:

        @stage.listener.on(action_creator=first)
        async def effect(action: Any, api: Any) -> None:
            task = api.fork(lambda fork: api.dispatch(add(3)))
            stage.seen("forked")
            await task.result
            api.dispatch(add(4))

        stage.store.dispatch(first())
        await asyncio.sleep(0)
        assert stage.seen.all == ["forked"]
        stage.listener.clear_listeners()
        await turns()
        assert stage.store.state.counts.n == 0


# Errors


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
@in_loop
async def test_one_effect_that_raises_hurts_no_other(kind: str) -> None:
    """Nor the dispatch; the handler gets it."""
    boom = RuntimeError("boom")

    def plain(action: Any, api: Any) -> None:
        raise boom

    async def coroutine(action: Any, api: Any) -> None:
        raise boom

    with Stage() as stage:
        start = stage.listener.start_listening
        start(predicate=lambda: True, effect=plain if kind == "plain" else coroutine)
        start(predicate=lambda: True, effect=stage.seen.effect)
        assert stage.store.dispatch(first()) == first()
        await turns()
        assert stage.seen.all == [("first", None)]
        assert stage.errors.all == [(boom, "effect")]


def test_effects_on_threads_that_raise_are_reported() -> None:
    """Wherever they run, the handler gets what they raise, be it an exit."""
    failures: dict[str, BaseException] = {"boom": RuntimeError("boom"), "exit": SystemExit(3)}
    with Stage() as stage:

        @stage.listener.on(action_creator=first)
        def effect(action: Any, api: Any) -> None:
            raise failures[action.payload]

        for name in failures:
            stage.store.dispatch(first(name))
        stage.errors.wait_for(lambda all: len(all) == 2)
        assert {error for error, _ in stage.errors.all} == set(failures.values())
        assert {where for _, where in stage.errors.all} == {"effect"}


@in_loop
async def test_one_predicate_that_raises_hurts_no_other() -> None:
    """It counts as a no."""
    with Stage() as stage:
        start = stage.listener.start_listening
        start(predicate=lambda: 1 / 0 > 1, effect=lambda action, api: stage.seen("never"))
        start(matcher=lambda action: action.nothing, effect=lambda action, api: stage.seen("never"))
        start(predicate=lambda: True, effect=stage.seen.effect)
        stage.store.dispatch(first())
        await turns()
        assert stage.seen.all == [("first", None)]
        kinds = [(type(error), where) for error, where in stage.errors.all]
        assert kinds == [(ZeroDivisionError, "predicate"), (AttributeError, "predicate")]


@in_loop
async def test_cancelled_effects_are_never_reported() -> None:
    """Whatever they raise while they clean up."""
    with Stage() as stage:

        @stage.listener.on(action_creator=first)
        async def effect(action: Any, api: Any) -> None:
            try:
                await api.delay(LONG)
            finally:
                stage.seen("cleaning up")
                raise RuntimeError("while it was cancelled")

        stage.store.dispatch(first())
        await turns()
        stage.listener.clear_listeners()
        await turns()
        assert stage.seen.all == ["cleaning up"]
        assert stage.errors.all == []


# Wrong use


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"type": "a", "action_creator": add},
        {"predicate": add.match, "matcher": add.match},
        {"type": ""},
        {"type": 5},
        {"action_creator": "counts/add"},
        {"action_creator": len},
        {"matcher": 5},
        {"predicate": "counts/add"},
        {"predicate": lambda a, b, c, d: True},
        {"predicate": lambda a, *, b: True},
        {"slices": []},
        {"slices": 5},
        {"slices": [counts, 5]},
    ],
    ids=lambda wrong: ", ".join(wrong),
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    """Adding, removing and the decorator say what they expect; nothing is added."""
    listener = create_listener_middleware()
    effect: Any = print
    for refuse in (listener.start_listening, listener.stop_listening):
        with pytest.raises(TypeError):
            refuse(effect=effect, **wrong)
    with pytest.raises(TypeError):
        listener.on(**wrong)(effect)
    assert not listener._registry._entries


def test_predicates_that_are_coroutines_are_refused() -> None:
    """Their answer would always count as yes."""

    async def later(action: Any) -> bool:
        return False

    listener = create_listener_middleware()
    with pytest.raises(TypeError, match="coroutine function"):
        listener.start_listening(predicate=later, effect=print)
    with pytest.raises(TypeError, match="coroutine function"):
        listener.start_listening(matcher=later, effect=print)


@pytest.mark.parametrize("wrong", [None, 5, "effect"])
def test_effects_are_functions(wrong: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(TypeError, match=r"start_listening takes effect=, a function of \(action"):
        create_listener_middleware().start_listening(type="a", effect=wrong)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"actionCreator": add, "effect": print}, r"effect=, each by name; got actionCreator="),
        ({"type": "a"}, r"effect=, a function of \(action, api\); got None"),
    ],
)
def test_refusals_name_what_was_called_and_what_it_takes(
    options: dict[str, Any], words: str
) -> None:
    """Not what is behind it."""
    listener: Any = create_listener_middleware()
    start = f"^start_listening takes .*{words}$"
    with pytest.raises(TypeError, match=start):
        listener.start_listening(**options)
    with pytest.raises(TypeError, match=start.replace("start_listening", "add_listener")):
        Stage().store.dispatch(add_listener(**options))


def test_arguments_without_names_are_refused() -> None:
    """The decorator without its parentheses, for one."""
    listener: Any = create_listener_middleware()
    for name in ("start_listening", "stop_listening", "on"):
        with pytest.raises(TypeError, match=f"^{name} takes type=, .* got .* without a name$"):
            getattr(listener, name)(print)
    with pytest.raises(TypeError, match=r"^on takes .*origin=, each by name; got effect=$"):
        listener.on(type="a", effect=print)
    with pytest.raises(TypeError, match=r"^stop_listening takes effect=, "):
        listener.stop_listening(type="a")
    with pytest.raises(TypeError, match=r"^stop_listening takes .*cancel_active=, each by name; "):
        listener.stop_listening(type="a", effect=print, matches=print)


def test_effects_take_an_action_and_an_api_or_fewer() -> None:
    """Plain or not; what needs more is refused where it is added."""
    with Stage() as stage:

        async def alone(action: Any) -> None:
            stage.seen(("alone", action.payload))

        async def nothing() -> None:
            stage.seen("nothing")

        def optional(action: Any, api: Any = None) -> None:
            stage.seen(("optional", api is not None))

        def anything(*given: Any) -> None:
            stage.seen(("anything", len(given)))

        effects: list[Any] = [
            alone,
            nothing,
            optional,
            anything,
            lambda action: stage.seen(("lambda", action.payload)),
            lambda: stage.seen("lambda of nothing"),
        ]
        for effect in effects:
            stage.listener.start_listening(action_creator=add, effect=effect)
        stage.store.dispatch(add(3))
        assert set(stage.seen.wait_for(lambda all: len(all) >= len(effects))) == {
            ("alone", 3),
            "nothing",
            ("optional", True),
            ("anything", 2),
            ("lambda", 3),
            "lambda of nothing",
        }
        for effect in effects:  # it is found by what was added
            assert stage.listener.stop_listening(action_creator=add, effect=effect)
    assert stage.errors.all == []
    wrong: Any = lambda action, api, more: None  # noqa: E731
    with pytest.raises(TypeError, match=r"effect= is a function of \(action, api\), or of the f"):
        stage.listener.start_listening(type="a", effect=wrong)


def test_an_unknown_origin_is_refused() -> None:
    """There are three."""
    elsewhere: Any = "elsewhere"
    with pytest.raises(ValueError, match="'local', 'remote' or 'any'"):
        create_listener_middleware().start_listening(
            type="a", effect=lambda action, api: None, origin=elsewhere
        )


# Several stores


def test_one_middleware_serves_several_stores() -> None:
    """An effect runs in the store where the action was dispatched, with that store's API."""
    listener = create_listener_middleware()
    seen = Seen()

    @listener.on(action_creator=add)
    async def effect(action: Any, api: Any) -> None:
        seen((action.payload, api.get_state().counts.n))
        api.dispatch(sub(1))

    with opened(listener) as one, opened(listener) as two:
        one.dispatch(add(5))
        seen.until((5, 5))
        two.dispatch(add(7))
        seen.until((5, 5), (7, 7))
    assert (one.state.counts.n, two.state.counts.n) == (4, 6)


def test_effects_of_one_store_wait_for_actions_of_that_store() -> None:
    """What another store of the same middleware dispatches does not concern them."""
    listener = create_listener_middleware()
    seen = Seen()

    @listener.on(action_creator=first)
    async def effect(action: Any, api: Any) -> None:
        taking = api.take(add)
        seen("waits")
        seen((await taking)[0].payload)

    with opened(listener) as one, opened(listener) as two:
        one.dispatch(first())
        seen.until("waits")
        two.dispatch(add(1))
        one.dispatch(add(2))
        seen.until("waits", 2)


def test_closing_one_store_leaves_the_others_effects_alone() -> None:
    """Only what runs in that store is cancelled."""
    listener = create_listener_middleware()
    seen = Seen()

    @listener.on(action_creator=first)
    async def effect(action: Any, api: Any) -> None:
        waiting = api.condition(add)
        seen(action.payload)
        try:
            await waiting
            seen("done")
        finally:
            seen(f"{action.payload} over")

    with opened(listener) as one, opened(listener) as two:
        one.dispatch(first("one"))
        seen.until("one")
        two.dispatch(first("two"))
        seen.until("one", "two")
        one.close()
        seen.until("one", "two", "one over")
        two.dispatch(add())
        seen.until("one", "two", "one over", "done", "two over")


def test_a_closed_store_is_let_go() -> None:
    """The middleware keeps no store alive that nobody uses any more."""
    listener = create_listener_middleware()
    listener.start_listening(action_creator=add, effect=lambda action, api: None, origin="any")
    gone: list[weakref.ref[Store]] = []

    def use() -> None:
        with opened(listener) as store:
            store.dispatch(add())
            gone.append(weakref.ref(store))

    use()
    gc.collect()
    assert gone[0]() is None
    with opened(listener) as store:
        listener.start_listening(action_creator=sub, effect=print, origin="any")
        store.dispatch(sub())


# Threads


def test_listening_starts_and_stops_while_many_threads_dispatch() -> None:
    """A listener that is always there misses nothing; nobody is hurt by those that come and go."""
    threads, rounds = 6, 40
    with Stage() as stage:
        steady = stage.seen.async_effect
        stage.listener.start_listening(action_creator=add, effect=steady)
        go = threading.Barrier(threads + 2)
        failures: list[BaseException] = []

        def guarded(work: Callable[[], None]) -> None:
            try:
                go.wait(PATIENCE)
                work()
            except BaseException as error:
                failures.append(error)

        def dispatches() -> None:
            for _ in range(rounds):
                stage.store.dispatch(add())

        def comes_and_goes() -> None:
            for number in range(rounds):

                async def effect(action: Any, api: Any, number: int = number) -> None:
                    await api.condition(lambda: False)

                how: Any = {"type": "counts/add"} if number % 2 else {"predicate": lambda: True}
                stop = stage.listener.start_listening(**how, effect=effect)
                stop(cancel_active=number % 3 == 0)

        work = [dispatches] * threads + [comes_and_goes] * 2
        running = [threading.Thread(target=guarded, args=(each,)) for each in work]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert failures == []
        stage.seen.wait_for(lambda all: len(all) == threads * rounds)
        assert stage.store.state.counts.n == threads * rounds
        stage.listener.clear_listeners()
        assert stage.errors.all == []
    assert others.name == "others"
