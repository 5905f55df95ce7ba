"""Actions and their creators: how arguments become payloads, and payloads arguments again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import crdtstore
from crdtstore import Action, DispatchError, Store, configure_store, create_action, create_slice
from crdtstore.slice import Slice

IntAction = Action[int]


class Other:
    """Has a class of the same name inside, as many programs do."""

    class Action:
        """Not ours."""


def slice_and_calls() -> tuple[Slice[Any], list[Any]]:
    """Make a slice, and a list for its reducers to note what they were called with."""
    return create_slice(name="s", initial_state={"n": 0}), []


def dispatched(made: Slice[Any], action: Any) -> Any:
    """Dispatch one action to a fresh store."""
    with configure_store([made]) as store:
        return store.dispatch(action)


CALLS: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any, Any]] = [
    (lambda seen: lambda state: seen.append(()), (), {}, None, ()),
    (lambda seen: lambda state, title: seen.append(title), ("a",), {}, "a", "a"),
    (lambda seen: lambda state, title: seen.append(title), (), {"title": "a"}, "a", "a"),
    (lambda seen: lambda state, title="d": seen.append(title), (), {}, "d", "d"),
    (lambda seen: lambda state, title=None: seen.append(title), (), {}, None, None),
    (lambda seen: lambda state, a, b: seen.append((a, b)), (1, 2), {}, {"a": 1, "b": 2}, (1, 2)),
    (lambda seen: lambda state, a, b=5: seen.append((a, b)), (1,), {}, {"a": 1, "b": 5}, (1, 5)),
    (
        lambda seen: lambda state, a, b=5: seen.append((a, b)),
        (),
        {"b": 2, "a": 1},
        {"a": 1, "b": 2},
        (1, 2),
    ),
    (lambda seen: lambda state, *, key: seen.append(key), (), {"key": 1}, {"key": 1}, 1),
    (lambda seen: lambda state, *, key=3: seen.append(key), (), {}, {"key": 3}, 3),
    (lambda seen: lambda state, *args: seen.append(args), (1, 2), {}, {"args": (1, 2)}, (1, 2)),
    (lambda seen: lambda state, *args: seen.append(args), (), {}, {"args": ()}, ()),
    (
        lambda seen: lambda state, **options: seen.append(options),
        (),
        {"x": 1},
        {"options": {"x": 1}},
        {"x": 1},
    ),
    (
        lambda seen: lambda state, a, /, b, *c, d=4, **e: seen.append((a, b, c, d, e)),
        (1, 2, 3),
        {"f": 6},
        {"a": 1, "b": 2, "c": (3,), "d": 4, "e": {"f": 6}},
        (1, 2, (3,), 4, {"f": 6}),
    ),
    (lambda seen: lambda state, a, b, /: seen.append((a, b)), (1, 2), {}, {"a": 1, "b": 2}, (1, 2)),
    (lambda seen: lambda state, a, /: seen.append(a), (1,), {}, 1, 1),
]


@pytest.mark.parametrize(("make", "args", "kwargs", "payload", "called"), CALLS)
def test_arguments_become_the_payload_and_arguments_again(
    make: Any, args: tuple[Any, ...], kwargs: dict[str, Any], payload: Any, called: Any
) -> None:
    """No argument makes ``None``, one makes itself, several a dict by parameter name."""
    made, seen = slice_and_calls()
    creator = made.reducer(name="r")(make(seen))
    action = creator(*args, **kwargs)
    assert action == Action("s/r", payload)
    dispatched(made, action)
    dispatched(made, {"type": "s/r", "payload": payload})
    assert seen == [called, called]


def test_a_creator_takes_what_its_reducer_takes() -> None:
    """Wrong arguments raise ``TypeError`` with the action's name, when the action is made."""
    made, _ = slice_and_calls()

    @made.reducer
    def rename(state: Any, title: str, *, loud: bool = False) -> None:
        """Rename it."""

    for args, kwargs, message in (
        ((), {}, "s/rename: missing a required argument: 'title'"),
        (("a", "b"), {}, "s/rename: too many positional arguments"),
        (("a",), {"lout": True}, "s/rename: got an unexpected keyword argument 'lout'"),
    ):
        with pytest.raises(TypeError, match=message):
            rename(*args, **kwargs)  # type: ignore[arg-type]
    assert str(inspect.signature(rename)).startswith("(title: 'str', *, loud: 'bool' = False)")
    assert (rename.__name__, rename.__doc__) == ("rename", "Rename it.")  # type: ignore[attr-defined]
    assert (str(rename), repr(rename)) == ("s/rename", "<action creator s/rename>")


def test_a_payload_of_the_wrong_shape_says_which_fields_are_missing() -> None:
    """An action made by hand for a reducer of several parameters needs a dict."""
    made, seen = slice_and_calls()
    made.reducer(name="r")(lambda state, a, b: seen.append((a, b)))
    with pytest.raises(
        DispatchError, match="'s/r' takes the payload fields a, b as a dict, got list"
    ):
        dispatched(made, {"type": "s/r", "payload": [1, 2]})


@pytest.mark.parametrize(
    "hint",
    [
        Action,
        Action[int],
        crdtstore.Action[Any],
        "Action",
        "Action[int]",
        "crdtstore.Action[int]",
        "IntAction",
        "Action[NotDefinedAnywhere]",
    ],
)
def test_a_parameter_annotated_action_gets_the_whole_action(hint: Any) -> None:
    """The annotation is found in every spelling, postponed or not."""
    made, seen = slice_and_calls()

    def take(state: Any, action: Any) -> None:
        seen.append(action)

    take.__annotations__["action"] = hint
    creator = made.reducer(name="take")(take)
    dispatched(made, creator(5))
    dispatched(made, creator())
    assert seen == [Action("s/take", 5), Action("s/take")]


@pytest.mark.parametrize("hint", ["Other.Action", int, "int", "Reaction[int]", "list[Action[int]]"])
def test_another_class_called_action_is_a_payload(hint: Any) -> None:
    """Only this package's ``Action`` asks for the whole action."""
    made, seen = slice_and_calls()

    def take(state: Any, action: Any) -> None:
        seen.append(action)

    take.__annotations__["action"] = hint
    dispatched(made, made.reducer(name="take")(take)(5))
    assert seen == [5]


def test_reducers_may_be_any_callable() -> None:
    """Partial functions, bound methods and objects with ``__call__`` are reducers too."""
    made, seen = slice_and_calls()

    class Reducers:
        def method(self, state: Any, value: int) -> None:
            seen.append(value)

        def __call__(self, state: Any, value: int, twice: bool = False) -> None:
            seen.append(value * (1 + twice))

    def three(first: int, state: Any, value: int) -> None:
        seen.append(first + value)

    one = made.reducer(name="one")(partial(three, 10))
    two = made.reducer(name="two")(Reducers().method)
    three_times = made.reducer(name="three")(Reducers())
    for action in (one(1), two(2), three_times(3, twice=True)):
        dispatched(made, action)
    assert seen == [11, 2, 6]


def test_a_reducer_takes_the_state_at_least() -> None:
    """A function without parameters cannot be a reducer."""
    made, _ = slice_and_calls()
    with pytest.raises(TypeError, match="the reducer 's/r' takes no parameter"):
        made.reducer(name="r")(lambda: None)


def test_match_tells_an_action_of_this_type() -> None:
    """``creator.match`` tests for the type, and takes anything."""
    made, _ = slice_and_calls()
    add = made.reducer(name="add")(lambda state, value: None)
    assert add.match(add(1))
    assert add.match(Action("s/add"))
    for other in (Action("s/other"), {"type": "s/add"}, None, add):
        assert not add.match(other)


def test_actions_compare_and_match_by_content() -> None:
    """Actions are data: equality, ``repr`` and patterns show type, payload, meta and error."""
    action = Action("a/b", [1], meta={"m": 1})
    assert action == Action("a/b", [1], {"m": 1})
    assert action != Action("a/b", [1])
    assert action != "a/b"
    assert repr(action) == "Action('a/b', [1], meta={'m': 1})"
    match action:
        case Action("a/b", [value]):
            assert value == 1
        case _:
            raise AssertionError
    with pytest.raises(TypeError, match="unhashable"):
        hash(action)


def test_create_action_takes_one_optional_payload() -> None:
    """As in Redux Toolkit: nothing or one value, positional or ``payload=``."""
    ping = create_action("ping")
    assert ping() == Action("ping")
    assert ping(5) == ping(payload=5) == Action("ping", 5)
    assert ping.type == str(ping) == "ping"
    for args, kwargs in (((1, 2), {}), ((), {"other": 1}), ((1,), {"payload": 1})):
        with pytest.raises(TypeError, match="ping takes one payload; use prepare="):
            ping(*args, **kwargs)


@pytest.mark.parametrize("name", ["", None, 5])
def test_an_action_type_is_a_text(name: Any) -> None:
    """An empty or other type is refused when the creator is made."""
    with pytest.raises(TypeError, match="an action type is a non-empty str"):
        create_action(name)


def test_prepare_makes_payload_meta_and_error() -> None:
    """``prepare`` customises an action, for ``create_action`` and for reducers."""

    def prepare(text: str, *, loud: bool = False) -> dict[str, Any]:
        return {"payload": text.upper() if loud else text, "meta": {"loud": loud}}

    say = create_action("say", prepare)
    assert say("a", loud=True) == Action("say", "A", {"loud": True})
    assert str(inspect.signature(say)).startswith("(text: 'str', *, loud: 'bool' = False)")
    made, seen = slice_and_calls()
    tell = made.reducer(name="tell", prepare=prepare)(lambda state, action: seen.append(action))
    dispatched(made, tell("b"))
    assert seen == [Action("s/tell", "b", {"loud": False})]


@pytest.mark.parametrize("wrong", [None, "text", {"payload": 1, "other": 2}, [("payload", 1)]])
def test_prepare_returns_a_dict_of_known_keys(wrong: Any) -> None:
    """Anything else that ``prepare`` returns is refused with what it should have been."""
    with pytest.raises(TypeError, match="prepare of 'say' returns a dict with payload and, if"):
        create_action("say", lambda: wrong)()


def test_a_dict_can_be_dispatched() -> None:
    """A mapping with a type is an action, as in Redux."""
    made, seen = slice_and_calls()
    made.reducer(name="r")(lambda state, value: seen.append(value))
    action = dispatched(made, {"type": "s/r", "payload": 1, "meta": 2})
    assert action == Action("s/r", 1, 2)
    assert seen == [1]


def test_unknown_actions_are_nobody_s() -> None:
    """An action without a reducer changes nothing and is returned."""
    made, _ = slice_and_calls()
    store: Store = configure_store([made])
    before = store.state
    assert store.dispatch(Action("nobody/cares", 1)) == Action("nobody/cares", 1)
    assert store.state is before


def test_a_creator_of_a_lambda_is_called_as_its_action() -> None:
    """Messages that say what to call name something that can be called."""
    made = create_slice(name="s", initial_state=0, reducers={"up": lambda state: state + 1})
    assert made.actions.up.__name__ == "up"
    with configure_store([made]) as store:
        with pytest.raises(DispatchError, match=r"dispatch\(up\(\)\)"):
            store.dispatch(made.actions.up)
        with pytest.raises(DispatchError, match=r"did you forget to call up\(\)\?"):
            made.reduce(0, made.actions.up)


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        (lambda seen: lambda state, by=1: seen.append(by), None),
        (lambda seen: _typed(seen, int, 1), 1),
        (lambda seen: _typed(seen, "int | float", 1.5), 1.5),
        (lambda seen: _typed(seen, int | None, 1), None),
        (lambda seen: _typed(seen, Any, 1), None),
        (lambda seen: _typed(seen, object, 1), None),
        (lambda seen: _typed(seen, "unknown", 1), None),
    ],
    ids=["no type", "int", "int | float", "int | None", "Any", "object", "unknown"],
)
def test_no_payload_is_the_default_where_none_is_no_value(reducer: Any, expected: Any) -> None:
    """As typed into a dispatcher; a reducer that may take None gets it, as it always did."""
    made, seen = slice_and_calls()
    made.reducer(reducer(seen), name="like")
    dispatched(made, {"type": "s/like"})
    dispatched(made, {"type": "s/like", "payload": 7})
    assert seen == [expected, 7]


def _typed(seen: list[Any], hint: Any, default: Any) -> Any:
    def like(state: Any, by: Any = default) -> None:
        seen.append(by)

    like.__annotations__["by"] = hint
    return like
