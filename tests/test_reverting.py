"""Reverting: a new action, the inverse of a commit, as far as what it changed is still there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from crdtstore import (
    Action,
    Commit,
    Counter,
    DispatchError,
    List,
    Map,
    Revert,
    Set,
    Slice,
    Store,
    Table,
    Text,
    configure_store,
    create_slice,
    revert,
)
from crdtstore.reverting import REVERT


@dataclass
class Task:
    title: str = ""
    done: bool = False


@dataclass
class Board:
    name: str = "board"
    votes: Counter = Counter(0)
    note: Text = Text()
    tasks: Table[Task] = Table()
    steps: List[str] = List()
    plan: List[Task] = List()
    tags: Set[str] = Set()
    prefs: Map[Any] = Map()


def _edit(state: Board, change: Any) -> None:
    change(state)


def board(**options: Any) -> Slice[Board]:
    return create_slice(name="board", initial_state=Board(), reducers={"edit": _edit}, **options)


def do(store: Store, change: Any) -> Commit:
    """Dispatch what changes the board, and return the commit that it made."""
    commits: list[Commit] = []
    stop = store.on_commit(commits.append)
    store.dispatch({"type": "board/edit", "payload": change})
    stop()
    (commit,) = commits
    return commit


def undo(store: Store, commit: Commit) -> Revert:
    done = store.dispatch(revert(commit))
    assert isinstance(done, Revert)
    return done


@pytest.mark.filterwarnings("ignore:the action")
def test_only_the_change_is_taken_back() -> None:
    """What was done later to other places, and to the same counters and texts, stays."""
    with configure_store([board()]) as store:
        do(store, lambda s: s.note.insert(0, "one three"))
        act = do(store, lambda s: (s.note.insert(4, "two "), setattr(s, "votes", 5)))
        do(store, lambda s: (s.note.insert(0, ">> "), setattr(s, "votes", 7)))
        do(store, lambda s: (s.note.insert(len(s.note), "!"), setattr(s, "name", "later")))
        assert undo(store, act).skipped == []
        assert store.state.board.note == ">> one three!"
        assert store.state.board.votes == 2
        assert store.state.board.name == "later"


@pytest.mark.filterwarnings("ignore:the action")
def test_text_that_was_cut_out_comes_back_where_it_was() -> None:
    """Its place is known by what stands around it now."""
    with configure_store([board()]) as store:
        do(store, lambda s: s.note.insert(0, "keep this word"))
        act = do(store, lambda s: s.note.delete(4, 5))
        do(store, lambda s: s.note.insert(0, "we "))
        undo(store, act)
        assert store.state.board.note == "we keep this word"


@pytest.mark.filterwarnings("ignore:the action")
def test_words_that_were_edited_since_are_left_and_told() -> None:
    """What is not as the change left it cannot be cut out."""
    with configure_store([board()]) as store:
        act = do(store, lambda s: s.note.insert(0, "word"))
        do(store, lambda s: s.note.insert(2, "--"))
        assert undo(store, act).skipped == [("board", "note")]
        assert store.state.board.note == "wo--rd"


@pytest.mark.filterwarnings("ignore:the action")
def test_a_row_that_is_gone_is_skipped_and_told() -> None:
    """An edit of a row, and of a list element, that somebody removed since."""
    with configure_store([board()]) as store:
        do(store, lambda s: (s.tasks.update(a=Task("milk")), s.plan.append(Task("x"))))
        key = store.state.board.plan.key_at(0)

        def edit(state: Board) -> None:
            state.tasks["a"].done = state.plan[0].done = True
            state.name = "edited"

        act = do(store, edit)
        do(store, lambda s: (s.tasks.pop("a"), s.plan.pop()))
        assert undo(store, act).skipped == [("board", "tasks", "a"), ("board", "plan", key)]
        assert store.state.board.name == "board"
        assert not store.state.board.tasks


@pytest.mark.filterwarnings("ignore:the action")
def test_what_was_removed_comes_back_under_its_key() -> None:
    """Rows, elements in their order, entries and values; what was added is removed."""

    def fill(state: Board) -> None:
        state.tasks["a"] = Task("milk")
        state.steps.extend(["1", "2", "3", "4"])
        state.tags.add("x")
        state.prefs["p"] = None

    def spoil(state: Board) -> None:
        del state.tasks["a"]
        state.tasks["b"] = Task("bread")
        del state.steps[1:3]
        state.steps.append("5")
        state.tags.clear()
        del state.prefs["p"]
        state.prefs["q"] = 1

    with configure_store([board()]) as store:
        do(store, fill)
        keys = [store.state.board.steps.key_at(at) for at in range(4)]
        before = repr(store.state)
        act = do(store, spoil)
        do(store, lambda s: s.steps.insert(0, "0"))
        undo(store, act)
        assert list(store.state.board.steps) == ["0", "1", "2", "3", "4"]
        assert [store.state.board.steps.key_at(at) for at in range(1, 5)] == keys
        do(store, lambda s: s.steps.pop(0))
        assert repr(store.state) == before


@pytest.mark.filterwarnings("ignore:the action")
def test_of_values_that_are_equal_the_one_that_was_there_comes_back() -> None:
    """1 and True are one value of a set to Python, and are told apart all the same."""

    def replace(state: Board) -> None:
        tags: Any = state.tags
        tags.discard(1)
        tags.add(True)

    with configure_store([board()]) as store:
        do(store, lambda s: s.tags.add(1))
        act = do(store, replace)
        assert repr(store.state.board.tags) == "{True}"
        undo(store, act)
        assert repr(store.state.board.tags) == "{1}"


@pytest.mark.filterwarnings("ignore:the action")
def test_a_row_that_was_added_anew_is_not_replaced() -> None:
    """The removal of the old one cannot be taken back over it."""
    with configure_store([board()]) as store:
        do(store, lambda s: s.tasks.update(a=Task("old")))
        act = do(store, lambda s: s.tasks.pop("a"))
        do(store, lambda s: s.tasks.update(a=Task("new")))
        assert undo(store, act).skipped == [("board", "tasks", "a")]
        assert store.state.board.tasks["a"].title == "new"


@pytest.mark.filterwarnings("ignore:the action")
def test_many_elements_that_moved_go_back() -> None:
    """Sorting is taken back around what came since."""
    with configure_store([board()]) as store:
        do(store, lambda s: s.steps.extend(str(at * 7919 % 1009) for at in range(500)))
        before = list(store.state.board.steps)
        act = do(store, lambda s: s.steps.sort())
        assert list(store.state.board.steps) != before
        undo(store, act)
        assert list(store.state.board.steps) == before


@pytest.mark.filterwarnings("ignore:the action")
def test_what_a_peer_did_is_reverted_for_all() -> None:
    """A merged commit is reverted as an own one is, and a peer's revert replicates."""
    with configure_store([board()]) as one, configure_store([board()]) as two:
        do(one, lambda s: setattr(s, "name", "by one"))
        merged: list[Commit] = []
        two.on_commit(merged.append)
        two.merge(one.deltas_since(two.state_vectors()))
        assert not merged[0].local
        assert merged[0].action is None
        undo(two, merged[0])
        assert merged[1].local
        one.merge(two.deltas_since(one.state_vectors()))
        assert one.state.board.name == two.state.board.name == "board"


def test_it_is_an_action_like_any_other() -> None:
    """Middleware sees it and may refuse it; its payload says what is taken back."""
    seen: list[Action[Any]] = []

    def watch(api: Any) -> Any:
        def layer(proceed: Any) -> Any:
            def handle(action: Any) -> Any:
                seen.append(action)
                return proceed(action) if action.type != REVERT or len(seen) > 2 else None

            return handle

        return layer

    counter = create_slice(
        name="counter", initial_state=0, reducers={"put": lambda state, value: value}
    )
    with configure_store([counter], middleware=[watch], clock=lambda: 77) as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        store.dispatch(counter.actions.put(3))
        assert commits[0].action is seen[0]
        assert store.dispatch(revert(commits[0])) is None
        assert store.state.counter == 3
        store.dispatch(revert(commits[0]))
        assert store.state.counter == 0
        assert seen[2].payload == {"type": "counter/put", "replica": store.replica, "at": 77}
        assert commits[1].info is not None
        assert commits[1].info.type == "@@devtools/revert"


def test_slices_that_are_one_value_go_back_too() -> None:
    """Registers and counters; to None a reducer cannot return, which is told."""
    plain = create_slice(
        name="plain", initial_state=None, reducers={"put": lambda state, value: value}
    )
    count = create_slice(
        name="count", initial_state=Counter(1), reducers={"add": lambda state, by: state + by}
    )
    with configure_store([plain, count]) as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        store.dispatch(plain.actions.put("a"))
        store.dispatch(plain.actions.put("b"))
        store.dispatch(count.actions.add(5))
        store.dispatch(count.actions.add(2))
        undo(store, commits[2])
        assert store.state.count == 3
        undo(store, commits[1])
        assert store.state.plain == "a"
        assert undo(store, commits[0]).skipped == [("plain",)]
        assert store.state.plain == "a"


def test_a_slice_has_the_last_word() -> None:
    """An own reducer of the type replaces what would be done; matchers run after it."""
    stubborn = create_slice(
        name="stubborn",
        initial_state={"n": 0, "reverts": 0},
        reducers={"put": lambda state, n: setattr(state, "n", n)},
        extra_reducers={REVERT: lambda state, action: setattr(state, "reverts", 1)},
    )
    counting = create_slice(
        name="counting",
        initial_state={"n": 0, "seen": 0},
        reducers={"put": lambda state, n: setattr(state, "n", n)},
        extra_reducers=lambda builder: builder.add_matcher(
            lambda action: action.type == REVERT,
            lambda state, action: setattr(state, "seen", 1),
        ),
    )
    with configure_store([stubborn, counting]) as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        store.dispatch(stubborn.actions.put(1))
        store.dispatch(counting.actions.put(1))
        undo(store, commits[0])
        assert dict(store.state.stubborn) == {"n": 1, "reverts": 1}
        undo(store, commits[1])
        assert dict(store.state.counting) == {"n": 0, "seen": 1}


def test_the_bare_type_is_refused() -> None:
    """An action made by hand, or by a middleware, does not say what to take back."""
    counter = create_slice(
        name="counter", initial_state={"n": 0}, reducers={"put": lambda s, n: setattr(s, "n", n)}
    )
    with configure_store([counter]) as store:
        before = store.state
        with pytest.raises(DispatchError, match=r"takes what revert\(commit\) returns, itself"):
            store.dispatch({"type": REVERT})
        assert store.state is before

    def rebuild(api: Any) -> Any:
        return lambda proceed: lambda action: proceed(Action(action.type, action.payload))

    with configure_store([counter], middleware=[rebuild]) as store:
        commits: list[Commit] = []
        store.on_commit(commits.append)
        store.dispatch(counter.actions.put(1))
        with pytest.raises(DispatchError, match="by a middleware that passes on another action"):
            store.dispatch(revert(commits[0]))
        assert store.state.counter.n == 1


@pytest.mark.filterwarnings("ignore:the action")
def test_an_edit_of_a_map_entry_that_is_gone_is_skipped_and_told() -> None:
    """Only the removal of an entry is taken back by bringing it back."""
    with configure_store([board()]) as store:
        do(store, lambda s: s.prefs.update(p=1, q=1))
        edit = do(store, lambda s: s.prefs.update(p=2, q=2))
        gone = do(store, lambda s: s.prefs.pop("p"))
        assert undo(store, edit).skipped == [("board", "prefs", "p")]
        assert dict(store.state.board.prefs) == {"q": 1}
        assert undo(store, gone).skipped == []
        assert dict(store.state.board.prefs) == {"p": 2, "q": 1}


@pytest.mark.filterwarnings("ignore:the action")
def test_a_revert_dispatched_again_tells_of_that_time_only() -> None:
    """What was skipped the time before is not there twice, nor if it is there again."""
    with configure_store([board()]) as store:
        do(store, lambda s: s.tasks.update(a=Task("milk")))
        edit = do(store, lambda s: setattr(s.tasks["a"], "done", True))
        do(store, lambda s: s.tasks.pop("a"))
        action = revert(edit)
        for _ in range(2):
            store.dispatch(action)
            assert action.skipped == [("board", "tasks", "a")]
        do(store, lambda s: s.tasks.update(a=Task("milk", True)))
        store.dispatch(action)
        assert action.skipped == []
        assert not store.state.board.tasks["a"].done


@pytest.mark.parametrize("given", [None, 3, {"type": "board/edit"}])
def test_only_a_commit_can_be_reverted(given: Any) -> None:
    """Anything else is refused, with what was expected and what came."""
    with pytest.raises(TypeError, match=rf"revert takes a commit, .*got {type(given).__name__}: "):
        revert(given)


@pytest.mark.filterwarnings("ignore:the action")
def test_a_slice_that_was_replaced_by_another_is_skipped() -> None:
    """What it was cannot be told in terms of what there is now."""
    with configure_store([board()]) as store:
        act = do(store, lambda s: setattr(s, "name", "x"))
        other = create_slice(name="board", initial_state={"other": 1})
        store.inject(other, override_existing=True)
        assert undo(store, act).skipped == [("board",)]
