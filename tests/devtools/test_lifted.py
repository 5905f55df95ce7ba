"""The lifted state of a store, and what the buttons of Redux DevTools do with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgpack
import pytest

from crdtstore import Action, ActionInfo, Counter, RootState, Store, configure_store, create_slice
from sync.devtools.lifted import FEATURES, Instance, action_of
from sync.devtools.log import Log
from tests.devtools.monitors import Ui


@dataclass
class State:
    n: Counter = Counter(0)
    note: str = ""


counter = create_slice(name="counter", initial_state=State())
shared = create_slice(name="shared", initial_state={"text": ""}, share_payloads=True)


@counter.reducer
def inc(state: State, by: int = 1) -> None:
    state.n += by


@counter.reducer
def note(state: State, text: str) -> None:
    state.note = text


@counter.reducer
def fail(state: State) -> None:
    raise ValueError("on purpose")


@shared.reducer
def write(state: Any, text: str) -> None:
    state.text = text


CREATORS = {"counter/inc": inc, "counter/note": note, "counter/fail": fail}


class Screen:
    """An instance and a UI that shows it."""

    def __init__(self, store: Store, *, limit: int = 10_000, **options: Any) -> None:
        self.store = store
        self.log = Log(store, limit=limit)
        self.instance = Instance(
            self.log, store, name="A", instance_id="a", creators=CREATORS, **options
        )
        self.ui = Ui()
        self.instance.again()
        self.look()

    def look(self) -> list[str]:
        """Take the news, and return their types."""
        assert self.instance.pending or not self.ui.lifted
        told = self.instance.news()
        for message in told:
            self.ui.take(json.loads(json.dumps(message)))
        assert not self.instance.pending
        return [message["type"] for message in told]

    def press(self, kind: str, **more: Any) -> None:
        self.instance.handle({"type": "DISPATCH", "action": {"type": kind, **more}})

    def type(self, text: Any) -> None:
        self.instance.handle({"type": "ACTION", "action": text})

    def same(self) -> None:
        """The UI shows what it would show of the whole state."""
        fresh = Ui()
        self.instance.again()
        (message,) = self.instance.news()
        fresh.take(message)
        assert fresh.lifted == self.ui.lifted

    def numbers(self) -> list[int]:
        return [state["counter"]["n"] for state in self.ui.shown]


@pytest.fixture
def store() -> Iterator[Store]:
    with configure_store([counter, shared]) as made:
        yield made


@pytest.fixture
def screen(store: Store) -> Screen:
    return Screen(store)


# ---- what is shown ----


def test_the_whole_state_is_the_actions_with_the_state_after_each(store: Store) -> None:
    """And the state before the first, where the list begins."""
    store.dispatch(inc(5))
    log = Log(store)
    store.dispatch(inc(2))
    store.dispatch(note("x"))
    instance = Instance(log, store, name="A", instance_id="a", since=123)
    message = instance.whole()
    ui = Ui()
    ui.take(message)
    assert message["type"] == "STATE"
    assert message["libConfig"]["name"] == "A"
    assert ui.actions == [
        {"type": "counter/inc", "payload": 2},
        {"type": "counter/note", "payload": "x"},
    ]
    assert [state["counter"] for state in ui.shown] == [
        {"n": 5, "note": ""},
        {"n": 7, "note": ""},
        {"n": 7, "note": "x"},
    ]
    found = [commit.at for _, commit in log]
    lifted = ui.lifted
    assert [lifted["actionsById"][str(id)]["timestamp"] for id in (0, 1, 2)] == [123, *found]
    assert lifted["actionsById"]["0"]["action"] == {"type": "@@INIT"}
    assert lifted["committedState"] == ui.shown[0]
    assert (ui.index, lifted["nextActionId"], lifted["stagedActionIds"]) == (2, 3, [0, 1, 2])
    assert (lifted["skippedActionIds"], lifted["isLocked"], lifted["isPaused"]) == (
        [],
        False,
        False,
    )


def test_an_action_is_told_alone_or_with_others(screen: Screen) -> None:
    """One, several and very many at once lead to the same as the whole state."""
    for count, told in ((1, ["ACTION"]), (3, ["ACTION"]), (150, ["STATE"]), (1, ["ACTION"])):
        for _ in range(count):
            screen.store.dispatch(inc())
        assert screen.look() == told
        screen.same()
    assert len(screen.ui.types) == 155
    assert screen.numbers() == list(range(156))


def test_nothing_new_is_no_news(screen: Screen) -> None:
    """And what is not asked for is not read from the log."""
    assert screen.instance.news() == []
    assert screen.instance.next == 0
    screen.store.dispatch(inc())
    assert screen.instance.pending
    screen.look()
    assert screen.instance.next == 1


def test_an_action_of_a_peer_says_whose_it_is(store: Store) -> None:
    """With its payload where the slice shares it; what nobody told of is one merge."""
    with configure_store([counter, shared]) as peer:
        screen = Screen(store)
        commits = []
        peer.on_commit(commits.append)
        peer.dispatch(inc(3))
        peer.dispatch(write("hello"))
        for commit in commits:
            store.merge(commit.deltas, info=commit.info, origin="relay")
        peer.dispatch(inc(4))
        peer.dispatch(write("bye"))
        store.merge(peer.deltas_since(store.state_vectors()), origin="relay")
        screen.look()
        at = [commit.info.at for commit in commits if commit.info]
        of = {"origin": "remote", "peer": peer.replica, "via": "relay"}
        assert screen.ui.actions == [
            {"type": "counter/inc", "meta": {**of, "at": at[0]}},
            {"type": "shared/write", "payload": "hello", "meta": {**of, "at": at[1]}},
            {
                "type": "@@sync/merged",
                "meta": {"origin": "remote", "via": "relay", "slices": ["counter", "shared"]},
            },
        ]
        assert screen.ui.shown[-1] == peer.state.to_plain()


def test_an_action_that_cannot_be_read_is_shown_without_its_payload(store: Store) -> None:
    """A payload of a stranger's bytes, or none at all."""
    log = Log(store)
    store.dispatch(inc())
    (_, commit), *_ = log
    for payload in (b"\xc1", b"", b"\x81\x90\x01", msgpack.packb("x") + b"y"):
        info = ActionInfo("t", "r", 1, payload)
        action = action_of(commit._replace(local=False, info=info))
        assert action.type == "t"
        assert action.payload == "(a payload that cannot be read)"
        assert action.meta == {"origin": "remote", "peer": "r", "at": 1}


def test_the_oldest_actions_are_forgotten(store: Store) -> None:
    """Here and in the UI in the same way, so that the list begins later."""
    screen = Screen(store, max_age=5)
    for number in range(1, 12):
        store.dispatch(inc())
        assert screen.look() == ["ACTION"]
        assert screen.numbers() == list(range(max(0, number - 4), number + 1))
        assert screen.ui.lifted["committedState"] == screen.ui.shown[0]
        screen.same()
    for _ in range(7):
        store.dispatch(inc())
    assert screen.look() == ["STATE"]
    assert screen.numbers() == [14, 15, 16, 17, 18]


def test_a_message_has_a_size(store: Store) -> None:
    """States too large for one are forgotten from the oldest on, and the newest is always there."""
    screen = Screen(store, max_size=3000)
    for number in range(8):
        store.dispatch(note(str(number) * 1000))
        screen.look()
    assert len(screen.ui.shown) <= 9
    screen.instance.again()
    screen.look()
    assert [state["counter"]["note"][:1] for state in screen.ui.shown] == ["6", "7"]
    screen.same()
    for number in range(4):
        store.dispatch(note("ab"[number % 2] * 1000))
    assert screen.look() == ["STATE"]
    assert [state["counter"]["note"][:1] for state in screen.ui.shown] == ["a", "b"]


def test_what_the_log_has_lost_is_said(store: Store) -> None:
    """Actions that came faster than they were read are one gap."""
    screen = Screen(store, limit=3)
    store.dispatch(inc())
    screen.look()
    for _ in range(8):
        store.dispatch(inc())
    screen.look()
    assert screen.ui.types == ["counter/inc", "@@devtools/dropped"] + ["counter/inc"] * 3
    assert screen.ui.actions[1]["meta"] == {"actions": 5}
    assert screen.numbers() == [0, 1, 6, 7, 8, 9]
    screen.same()


def test_sanitizers_decide_what_is_shown(store: Store) -> None:
    """Of actions and of states; the store has what it has."""

    def action(given: Action[Any]) -> Any:
        return Action(given.type, "…") if given.type == "counter/note" else given

    def state(given: RootState) -> Any:
        return {**given, "counter": {"n": given.counter.n, "note": "…"}}

    screen = Screen(store, action_sanitizer=action, state_sanitizer=state)
    store.dispatch(note("secret"))
    store.dispatch(inc(2))
    screen.look()
    assert screen.ui.actions == [
        {"type": "counter/note", "payload": "…"},
        {"type": "counter/inc", "payload": 2},
    ]
    assert screen.ui.shown[-1] == {"counter": {"n": 2, "note": "…"}, "shared": {"text": ""}}
    assert "secret" not in json.dumps([screen.ui.lifted, screen.instance.whole()])
    assert store.state.counter.note == "secret"


def test_a_sanitizer_that_raises_hides_what_it_was_given(store: Store) -> None:
    """An error is shown in its place, and nothing fails."""

    def broken(given: Any) -> Any:
        raise LookupError("no such key")

    screen = Screen(store, action_sanitizer=broken, state_sanitizer=broken)
    store.dispatch(note("secret"))
    screen.look()
    assert screen.ui.actions[0]["type"] == "counter/note"
    assert "LookupError: no such key" in screen.ui.actions[0]["payload"]
    assert "LookupError: no such key" in screen.ui.shown[1]["@@devtools/error"]
    assert "secret" not in json.dumps(screen.ui.lifted)


def test_a_sanitizer_may_return_anything(store: Store) -> None:
    """A state need not be an object."""
    screen = Screen(store, state_sanitizer=lambda state: state.counter.n)
    store.dispatch(inc(2))
    screen.look()
    assert screen.ui.shown == [0, 2]
    screen.same()


def test_the_buttons_that_cannot_work_are_hidden(screen: Screen, store: Store) -> None:
    """Skip, reorder; and the dispatcher where there is no store. Features may be overridden."""
    assert screen.ui.features == dict(FEATURES)
    assert [FEATURES[name] for name in ("jump", "skip", "reorder")] == [True, False, False]
    log = screen.log
    silent = Instance(log, name="A", instance_id="a", features={"skip": True})
    assert silent.features == {**FEATURES, "dispatch": False, "skip": True}
    assert screen.ui.creators == [
        {"name": "counter/fail", "args": []},
        {"name": "counter/inc", "args": ["by"]},
        {"name": "counter/note", "args": ["text"]},
    ]


@pytest.mark.parametrize("options", [{"max_age": 1}, {"max_size": 0}])
def test_bounds_that_leave_nothing_are_refused(store: Store, options: Any) -> None:
    """One action at least is shown."""
    with pytest.raises(ValueError, match="at least; got"):
        Instance(Log(store), store, name="A", instance_id="a", **options)


# ---- what the buttons do ----


def filled(screen: Screen, count: int = 4) -> None:
    for _ in range(count):
        screen.store.dispatch(inc())
    screen.look()


def test_a_jump_is_a_look(screen: Screen) -> None:
    """The store keeps its state, and what comes does not pull the view along."""
    filled(screen)
    screen.press("JUMP_TO_STATE", index=1)
    screen.ui.lifted["currentStateIndex"] = 1  # which the UI does by itself
    assert not screen.instance.pending
    assert screen.store.state.counter.n == 4
    screen.store.dispatch(inc())
    assert screen.look() == ["ACTION"]
    assert (screen.ui.index, len(screen.ui.shown)) == (1, 6)
    screen.same()
    ids = screen.ui.lifted["stagedActionIds"]
    screen.press("JUMP_TO_ACTION", actionId=ids[3])
    screen.instance.again()
    screen.look()
    assert screen.ui.index == 3
    screen.press("JUMP_TO_ACTION", actionId=ids[-1])
    screen.ui.lifted["currentStateIndex"] = 5
    screen.store.dispatch(inc())
    screen.look()
    assert screen.ui.index == 6
    screen.same()


@pytest.mark.parametrize("index", [-1, 5, 10**9, True, 1.0, "1", None])
def test_a_jump_to_nowhere_is_ignored(screen: Screen, index: Any) -> None:
    """Neither by index nor by id."""
    filled(screen)
    screen.press("JUMP_TO_STATE", index=index)
    screen.press("JUMP_TO_ACTION", actionId=index)
    screen.instance.again()
    screen.look()
    assert screen.ui.index == 4


def test_commit_forgets_up_to_what_is_looked_at(screen: Screen) -> None:
    """What came later stays, as it stays in the store."""
    filled(screen)
    screen.press("JUMP_TO_STATE", index=2)
    screen.press("COMMIT")
    assert screen.look() == ["STATE"]
    assert (screen.numbers(), screen.ui.index) == ([2, 3, 4], 0)
    assert screen.ui.lifted["committedState"] == screen.ui.shown[0]
    screen.press("JUMP_TO_STATE", index=2)
    screen.press("COMMIT")
    screen.look()
    assert (screen.numbers(), screen.ui.types) == ([4], [])
    screen.store.dispatch(inc())
    screen.look()
    assert (screen.numbers(), screen.ui.index) == ([4, 5], 1)
    screen.same()


def test_revert_and_reset_change_the_view_only(screen: Screen) -> None:
    """Revert looks at the beginning, and reset shows all there is again."""
    filled(screen)
    screen.press("JUMP_TO_STATE", index=2)
    screen.press("COMMIT")
    screen.press("JUMP_TO_STATE", index=2)
    screen.press("ROLLBACK")
    screen.look()
    assert (screen.numbers(), screen.ui.index) == ([2, 3, 4], 0)
    screen.press("RESET")
    screen.look()
    assert (screen.numbers(), screen.ui.index) == ([0, 1, 2, 3, 4], 4)
    assert screen.store.state.counter.n == 4
    assert screen.log.end == 4


@pytest.mark.parametrize("kind", ["TOGGLE_ACTION", "REORDER_ACTION", "SET_ACTIONS_ACTIVE"])
def test_what_cannot_be_undone_is_refused(screen: Screen, kind: str) -> None:
    """The UI is told why, and gets the state again as it is."""
    filled(screen)
    before = screen.ui.lifted
    screen.press(kind, id=1, actionId=1, beforeActionId=2, start=1, end=2, active=False)
    assert screen.look() == ["ERROR", "STATE"]
    assert "that other replicas have cannot be" in screen.ui.errors[0]
    assert screen.ui.lifted == before


def test_a_pause_stops_the_list_and_not_the_store(screen: Screen) -> None:
    """What happened meanwhile is one step."""
    filled(screen, 2)
    screen.press("PAUSE_RECORDING", status=True)
    assert screen.look() == ["STATE"]
    assert screen.ui.lifted["isPaused"] is True
    assert screen.instance.next is None
    for _ in range(3):
        screen.store.dispatch(inc())
    assert not screen.instance.pending
    screen.instance.again()
    screen.look()
    assert screen.numbers() == [0, 1, 2]
    screen.press("PAUSE_RECORDING", status=True)
    screen.press("PAUSE_RECORDING", status=False)
    screen.look()
    assert screen.ui.lifted["isPaused"] is False
    assert screen.ui.actions[-1] == {"type": "@@devtools/paused", "meta": {"actions": 3}}
    assert (screen.numbers(), screen.ui.index) == ([0, 1, 2, 5], 3)
    screen.store.dispatch(inc())
    screen.look()
    assert screen.numbers() == [0, 1, 2, 5, 6]
    screen.press("PAUSE_RECORDING", status=True)
    screen.press("PAUSE_RECORDING", status=False)
    screen.look()
    assert screen.numbers() == [0, 1, 2, 5, 6]


def test_a_pause_does_not_pull_a_view_along(store: Store) -> None:
    """Who looks at the past is left there, and the list has no more than its maximal age."""
    screen = Screen(store, max_age=5)
    filled(screen)
    screen.press("JUMP_TO_STATE", index=2)
    screen.press("PAUSE_RECORDING", status=True)
    filled(screen)
    screen.press("PAUSE_RECORDING", status=False)
    screen.look()
    assert screen.numbers() == [1, 2, 3, 4, 8]
    assert screen.numbers()[screen.ui.index] == 2


def test_a_lock_stops_the_dispatcher_and_not_the_program(screen: Screen) -> None:
    """What the program dispatches is shown as ever."""
    screen.press("LOCK_CHANGES", status=True)
    screen.look()
    assert screen.ui.lifted["isLocked"] is True
    assert screen.instance.locked
    screen.type("{type: 'counter/inc'}")
    assert screen.look() == ["ERROR"]
    assert "changes are locked" in screen.ui.errors[0]
    screen.store.dispatch(inc())
    assert screen.look() == ["ACTION"]
    screen.press("LOCK_CHANGES", status=False)
    screen.look()
    screen.type("{type: 'counter/inc', payload: 4}")
    screen.look()
    assert screen.numbers() == [0, 1, 5]


def test_the_dispatcher_dispatches_what_it_can_read(screen: Screen) -> None:
    """An action as a literal, or one of the creators; what fails is told."""
    screen.type("{type: 'counter/inc', payload: 2}")
    screen.type({"name": "counter/note", "selected": 1, "args": ["'hi'"], "rest": "[]"})
    assert screen.look() == ["ACTION"]
    assert screen.store.state.counter == State(2, "hi")  # type: ignore[arg-type]
    for text in ("store.dispatch()", {"name": "nobody"}, 5):
        screen.type(text)
    screen.type("{type: 'counter/fail'}")
    assert screen.look() == ["ERROR"] * 4
    assert "column 1: expected a value (names and calls are not run" in screen.ui.errors[0]
    assert "on purpose" in screen.ui.errors[3]
    assert screen.store.state.counter.n == 2


def test_errors_are_bounded(screen: Screen) -> None:
    """A flood of wrong input is 20 errors of 1 000 characters."""
    for _ in range(50):
        screen.type("{type: '" + "x" * 5000 + "', y: 1}")
        screen.type({"name": "x" * 5000})
    screen.look()
    assert len(screen.ui.errors) == 20
    assert max(map(len, screen.ui.errors)) <= 1001


def test_without_a_store_nothing_is_dispatched(store: Store) -> None:
    """The UI is told so, though its button is hidden."""
    instance = Instance(Log(store), name="A", instance_id="a")
    instance.handle({"type": "ACTION", "action": "{type: 'counter/inc'}"})
    (told,) = instance.news()
    assert "no running store" in told["payload"]
    heard: list[Any] = []
    instance = Instance(Log(store), store, name="A", instance_id="a", dispatch=heard.append)
    instance.handle({"type": "ACTION", "action": "{type: 'counter/inc'}"})
    assert heard == [Action("counter/inc")]
    assert store.state.counter.n == 0


def exported(screen: Screen) -> str:
    """What the UI writes into a file."""
    return json.dumps(screen.ui.lifted)


def test_an_exported_log_can_be_imported(screen: Screen) -> None:
    """It is shown instead of the store, which goes on untouched, until reset."""
    with configure_store([counter, shared]) as other:
        there = Screen(other)
        other.dispatch(inc(10))
        other.dispatch(note("there"))
        there.look()
        there.ui.lifted["currentStateIndex"] = 1
        filled(screen, 2)
        screen.instance.handle({"type": "IMPORT", "state": exported(there)})
        assert screen.look() == ["STATE"]
        assert (screen.ui.actions, screen.ui.shown) == (there.ui.actions, there.ui.shown)
        assert screen.ui.index == 1
        assert screen.store.state.counter.n == 2
        screen.store.dispatch(inc())
        assert not screen.instance.pending
        screen.press("JUMP_TO_ACTION", actionId=2)
        screen.press("JUMP_TO_STATE", index=3)
        screen.instance.again()
        screen.look()
        assert screen.ui.index == 2
        screen.type("{type: 'counter/inc'}")
        assert screen.look() == ["ERROR"]
        assert "this is a file" in screen.ui.errors[0]
        screen.press("ROLLBACK")
        screen.look()
        assert (screen.ui.index, screen.ui.shown) == (0, there.ui.shown)
        screen.press("RESET")
        screen.look()
        assert (screen.numbers(), screen.ui.index) == ([0, 1, 2, 3], 3)


def test_commit_leaves_a_file_and_begins_anew(screen: Screen) -> None:
    """The list is that of the store again, and empty."""
    filled(screen, 2)
    screen.instance.handle({"type": "IMPORT", "state": exported(screen)})
    screen.store.dispatch(inc())
    screen.press("COMMIT")
    screen.look()
    assert (screen.numbers(), screen.ui.types) == ([3], [])
    screen.same()


def test_a_list_of_actions_can_be_imported(screen: Screen) -> None:
    """The states that are not in the file are said to be missing."""
    file = {"payload": json.dumps([{"type": "a"}, {"type": "b"}]), "preloadedState": '{"n": 1}'}
    screen.instance.handle({"type": "IMPORT", "state": json.dumps(file)})
    screen.look()
    assert screen.ui.types == ["a", "b"]
    assert screen.ui.lifted["computedStates"][0] == {"state": {"n": 1}}
    assert "not the state after it" in screen.ui.lifted["computedStates"][2]["error"]


def test_a_large_file_is_shown_from_its_newest_action_on(store: Store) -> None:
    """As many as fit in one message, with the one that was looked at if it is among them."""
    screen = Screen(store, max_size=3000)
    states = [{"state": {"a": {"n": number, "x": "x" * 500}}} for number in range(20)]
    actions = {str(id): {"action": {"type": f"t{id}"}, "timestamp": 1} for id in range(20)}
    file = {"actionsById": actions, "stagedActionIds": list(range(20)), "computedStates": states}
    for index, shown in ((18, 18), (3, 15)):
        text = json.dumps({**file, "currentStateIndex": index})
        screen.instance.handle({"type": "IMPORT", "state": text})
        screen.look()
        assert [state["a"]["n"] for state in screen.ui.shown] == [15, 16, 17, 18, 19]
        assert screen.ui.types == ["t16", "t17", "t18", "t19"]
        assert screen.ui.shown[screen.ui.index]["a"]["n"] == shown


def test_what_is_no_log_is_not_imported(screen: Screen) -> None:
    """The view stays, and the UI is told why."""
    filled(screen)
    for text in ("nonsense", None, 5):
        screen.instance.handle({"type": "IMPORT", "state": text})
    assert screen.look() == ["ERROR"] * 3
    assert screen.ui.errors[0].startswith("Import: the file is no JSON")
    assert screen.numbers() == [0, 1, 2, 3, 4]


def test_unknown_messages_are_ignored(screen: Screen) -> None:
    """Of a UI that can do more, or of a stranger."""
    for message in (
        {},
        {"type": 5},
        {"type": "SYNC", "state": "{}"},
        {"type": "DISPATCH"},
        {"type": "DISPATCH", "action": "x"},
        {"type": "DISPATCH", "action": {}},
        {"type": "DISPATCH", "action": {"type": ["COMMIT"]}},
        {"type": "DISPATCH", "action": {"type": "NEW"}},
    ):
        screen.instance.handle(message)
        assert not screen.instance.pending
    screen.instance.handle({"type": "UPDATE"})
    assert screen.look() == ["STATE"]


def test_the_view_is_the_same_however_it_was_reached() -> None:
    """300 random presses and dispatches, with the UI told at random moments."""
    for seed in range(6):
        random = Random(seed)
        with configure_store([counter, shared]) as store:
            screen = Screen(store, max_age=random.choice((2, 5, 50)), limit=40)
            expected = 0
            for _ in range(300):
                step = random.randrange(12)
                if step < 6:
                    store.dispatch(inc())
                    expected += 1
                elif step == 6:
                    index = random.randrange(len(screen.ui.shown))
                    if screen.instance.pending:
                        screen.look()
                        index = min(index, len(screen.ui.shown) - 1)
                    screen.press("JUMP_TO_STATE", index=index)
                    screen.ui.lifted["currentStateIndex"] = index
                elif step == 7:
                    kind = random.choice(("COMMIT", "RESET", "ROLLBACK", "SWEEP", "TOGGLE_ACTION"))
                    screen.press(kind)
                elif step == 8:
                    screen.press("PAUSE_RECORDING", status=random.random() < 0.3)
                elif step == 9 and random.random() < 0.2:
                    screen.instance.handle({"type": "IMPORT", "state": exported(screen)})
                elif screen.instance.pending:
                    screen.look()
                    screen.same()
            screen.press("RESET")
            screen.press("PAUSE_RECORDING", status=False)
            screen.look()
            screen.same()
            assert store.state.counter.n == expected
            assert screen.numbers()[-1] == expected
            assert screen.ui.index == len(screen.ui.shown) - 1
