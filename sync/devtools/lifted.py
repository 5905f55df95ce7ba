"""One store as Redux DevTools sees it: its lifted state, and what the buttons of the UI mean.

The lifted state is the list of actions with the state after each, and which of them is looked at.
In Redux it *is* the store: skipping an action or going back computes the state anew. Here the
actions are shared with other replicas, and what is shared stays done. So every button changes what
is shown, and nothing else; only the dispatcher reaches the store, with a new action:

- Jump looks at a state. A view at the end follows the store, another stays where it is.
- Commit forgets the actions up to the one looked at; what came later stays.
- Revert looks at the first state that is left. Reset shows again all that the log has, at the end.
- Pause stops the list, not the store; what happened meanwhile is one ``@@devtools/paused``.
- Lock makes this tool dispatch nothing; the program and the other peers go on.
- Import shows a file instead of the store, until Reset or Commit.
- Skip and reorder are refused, and the state sent again so that the UI agrees.

Nothing is read from the log, and nothing written as JSON, before ``news`` or ``whole`` is called.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Mapping
from typing import Any, NamedTuple

import msgpack

from crdtstore import Action, Commit, RootState, Store
from sync.devtools.imported import ImportedLog, LogFileError, read_log
from sync.devtools.literals import parse_sent, signatures
from sync.devtools.log import Log
from sync.devtools.plain import INLINE, Sanitizer, plain
from sync.devtools.texts import Texts, quoted

__all__ = ["FEATURES", "MAX_AGE", "MAX_SIZE", "Instance", "Message", "action_of"]

Message = dict[str, Any]
"""What is told to the UI: ``type``, and more that depends on it, without the ids of who tells."""

MAX_AGE = 500
"""How many states are shown unless told otherwise, that before the first action included."""

MAX_SIZE = 4_000_000
"""Characters of one message unless told otherwise; older actions are forgotten to stay below."""

FEATURES: Mapping[str, bool | str] = {
    "lock": True,
    "pause": True,
    "jump": True,
    "dispatch": True,
    # The UI writes what it has to a file, and hands what is in a file to us.
    "export": True,
    "import": "custom",
    # What is shared cannot be skipped or reordered. The UI has one switch for the buttons "Skip"
    # and "Jump" of a row, so both are hidden; the slider jumps.
    "skip": False,
    "reorder": False,
    "persist": False,
    "sync": False,
    "test": False,
}
"""The buttons of the UI, unless told otherwise."""

_PAUSED, _DROPPED = "@@devtools/paused", "@@devtools/dropped"
_NOTICES, _NOTICE = 20, 1000  # errors at once, and characters of one
_BATCH = 100  # actions in one message; more at once are as well a whole state
_REFUSED = {
    "TOGGLE_ACTION": "An action that other replicas have cannot be skipped",
    "SET_ACTIONS_ACTIVE": "Actions that other replicas have cannot be skipped",
    "REORDER_ACTION": "Actions that other replicas have cannot be reordered",
}


def action_of(commit: Commit) -> Action[Any]:
    """Return the action of a commit, as shown: with its ``meta.origin`` if it came from a peer.

    A catch-up, which nobody told the actions of, is one ``@@sync/merged``.
    """
    info = commit.info
    if commit.local:
        if commit.action is not None:
            return commit.action
        return Action("@@local") if info is None else Action(info.type, _shared(info.payload))
    via = getattr(commit.origin, "replica", commit.origin)
    meta: dict[str, Any] = {"origin": "remote"}
    if info is not None:
        meta |= {"peer": info.replica, "at": info.at}
    if isinstance(via, str) and via and (info is None or via != info.replica):
        meta["via"] = via
    if info is None:
        return Action("@@sync/merged", meta={**meta, "slices": sorted(commit.deltas)})
    return Action(info.type, _shared(info.payload), meta)


def _shared(payload: bytes | None) -> Any:
    if payload is None:
        return None
    try:
        return msgpack.unpackb(payload, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException):
        return "(a payload that cannot be read)"


class _Step(NamedTuple):
    """An action in the list, and the state after it; the first step is where the list begins."""

    id: int
    action: Action[Any] | dict[str, Any]
    at: int
    state: object
    error: str | None = None


def _at_once(work: Callable[[], str | None], done: Callable[[str | None], None]) -> None:
    done(work())


class Instance:
    """The lifted state of one store: ``handle`` what the UI sends, and ``news`` is what it gets.

    ``dispatch`` (``store.dispatch`` unless given) is called with what the dispatcher of the UI
    sends, parsed; without it and ``store`` the UI has no dispatcher. ``run`` calls the first of its
    arguments on whatever thread is for the application's code, and then the second with the result
    on this one; unless given, both at once. ``creators`` are the action creators it offers, by
    name. ``action_sanitizer`` gets each action, ``state_sanitizer`` each root state, and what they
    return is shown instead; if one raises, nothing of what it was given is. ``since`` is when the
    log began, in ms since the epoch. ``features`` overrides some of ``FEATURES``.
    All methods want the same thread.
    """

    def __init__(
        self,
        log: Log,
        store: Store | None = None,
        *,
        name: str,
        instance_id: str,
        dispatch: Callable[[Any], object] | None = None,
        creators: Mapping[str, Callable[..., Any]] | None = None,
        max_age: int = MAX_AGE,
        max_size: int = MAX_SIZE,
        action_sanitizer: Callable[[Action[Any]], Any] | None = None,
        state_sanitizer: Callable[[RootState], Any] | None = None,
        since: int = 0,
        features: Mapping[str, bool | str] | None = None,
        run: Callable[[Callable[[], str | None], Callable[[str | None], None]], object] = _at_once,
    ) -> None:
        if max_age < 2:
            raise ValueError(f"max_age is how many states are shown, 2 at least; got {max_age!r}")
        if max_size < 1:
            raise ValueError(f"max_size is in characters, 1 at least; got {max_size!r}")
        self.name = name
        self.instance_id = instance_id
        self.locked = False
        self.paused = False
        self._log = log
        self._dispatch = dispatch if dispatch is not None or store is None else store.dispatch
        self._creators = dict(creators or {})
        self._run = run
        self._max_age = max_age
        self._max_size = max_size
        self._sanitizer = Sanitizer(action_sanitizer, state_sanitizer)
        self._state_sanitizer = state_sanitizer
        can = {"dispatch": self._dispatch is not None}
        self.features: dict[str, bool | str] = {**FEATURES, **can, **(features or {})}
        self._texts = Texts(max_size)
        self._since = since
        self._steps: list[_Step] = [_Step(0, Action("@@INIT"), since, log.initial)]
        self._index = 0
        self._ids = 1
        self._next = 0
        self._imported: ImportedLog | None = None
        self._whole = False
        self._notices: list[str] = []

    @property
    def next(self) -> int | None:
        """The number of the first commit that is not shown yet; ``None`` if none is to be now."""
        return None if self.paused or self._imported is not None else self._next

    @property
    def pending(self) -> bool:
        """Whether ``news`` has something to say."""
        after = self.next
        return self._whole or bool(self._notices) or (after is not None and self._log.end > after)

    # ---- what the UI gets ----

    def again(self) -> None:
        """Have ``news`` begin with the whole state."""
        self._whole = True

    def news(self) -> list[Message]:
        """Return what to tell the UI since the last time: errors, actions, or the whole state."""
        told: list[Message] = [{"type": "ERROR", "payload": text} for text in self._notices]
        self._notices.clear()
        if self._whole:
            return [*told, self.whole()]
        if self.next is None:
            return told
        fresh = self._read()
        if not fresh:
            return told
        if len(fresh) > _BATCH or len(fresh) >= self._max_age:
            return [*told, self.whole()]
        states = [self._shown(step) for step in fresh]
        texts = self._texts.fitting(states, self._max_size, "$[{}]".format)
        if len(texts) < len(fresh):
            return [*told, self.whole()]
        message: Message = {
            "type": "ACTION",
            "maxAge": self._max_age,
            "libConfig": self._config(),
            "nextActionId": self._ids,
        }
        if len(fresh) == 1:
            return [*told, message | {"payload": texts[0], "action": self._lifted(fresh[0])}]
        actions = ",".join(map(self._lifted, fresh))
        # Several: the UI takes a list of actions and of the states after each, and counts the ids.
        return [*told, message | {"payload": f"[{','.join(texts)}]", "action": f"[{actions}]"}]

    def whole(self) -> Message:
        """Return the message with the whole lifted state."""
        self._whole = False
        if self.next is not None:
            self._read()
        steps, index = self._view()
        states = [self._shown(step) for step in steps]
        texts = self._texts.fitting(states, self._max_size, "$.computedStates[{}].state".format)
        if left_out := len(steps) - len(texts):
            if self._imported is None:
                self._fold(left_out)
                steps, index = self._view()
            else:
                steps, index = steps[left_out:], max(0, index - left_out)
        ids = [0] + [step.id for step in steps[1:]]
        actions = ",".join(
            f'"{id}":{self._lifted(step)}' for id, step in zip(ids, steps, strict=True)
        )
        computed = ",".join(
            f'{{"state":{text}}}' if step.error is None else _failed(text, step.error)
            for step, text in zip(steps, texts, strict=True)
        )
        after = steps[-1].id + 1 if self._imported is not None else self._ids
        payload = (
            f'{{"monitorState":{{}},"actionsById":{{{actions}}},"nextActionId":{after},'
            f'"stagedActionIds":{ids},"skippedActionIds":[],"currentStateIndex":{index},'
            f'"computedStates":[{computed}],'
            '"committedState":{"$jsan":"$.computedStates[0].state"},'
            f'"isLocked":{quoted(self.locked)},"isPaused":{quoted(self.paused)}}}'
        )
        return {
            "type": "STATE",
            "payload": payload,
            "action": signatures(self._creators),
            "libConfig": self._config(),
        }

    def _config(self) -> dict[str, Any]:
        return {"name": self.name, "features": self.features}

    def _view(self) -> tuple[list[_Step], int]:
        """What is shown: the actions of the store, or those of a file."""
        if self._imported is None:
            return self._steps, self._index
        steps = [
            _Step(id, step.action, step.at, step.state, step.error)
            for id, step in enumerate(self._imported.steps)
        ]
        return steps, self._index

    def _shown(self, step: _Step) -> object:
        state = step.state
        if self._state_sanitizer is None or not isinstance(state, RootState) or self._imported:
            return state
        try:
            made = self._state_sanitizer(state)
        except (
            Exception,
            SystemExit,
        ) as error:  # anybody's function; what it should hide stays hidden
            return {"@@devtools/error": f"state_sanitizer raised {type(error).__name__}: {error}"}
        if not isinstance(made, Mapping):
            return plain(made, INLINE)
        own = vars(state)  # not by methods: a slice may be called "get", or "items"
        return {
            name: each if name in own and each is own[name] else plain(each, INLINE)
            for name, each in ItemsView(made)
        }

    def _lifted(self, step: _Step) -> str:
        action: Any = step.action
        if isinstance(action, Action):
            action = self._sanitizer.action(action, INLINE)
        else:
            action = plain(action, INLINE)
        text = self._texts.text(action)
        return f'{{"type":"PERFORM_ACTION","action":{text},"timestamp":{step.at}}}'

    # ---- reading the log ----

    def _read(self) -> list[_Step]:
        """Take over what the log has, and return what is new."""
        fresh: list[_Step] = []
        for number, commit in self._log.since(self._next):
            if number > self._next:
                gap = {"actions": number - self._next}
                fresh.append(self._step(Action(_DROPPED, meta=gap), commit.at, commit.previous))
            fresh.append(self._step(action_of(commit), commit.at, commit.state))
            self._next = number + 1
        self._append(fresh)
        return fresh

    def _append(self, fresh: list[_Step]) -> None:
        following = self._index == len(self._steps) - 1
        self._steps += fresh
        if following:
            self._index = len(self._steps) - 1
        if (excess := len(self._steps) - self._max_age) > 0:
            self._fold(excess)

    def _step(self, action: Action[Any], at: int, state: RootState) -> _Step:
        self._ids += 1
        return _Step(self._ids - 1, action, at, state)

    def _fold(self, count: int) -> None:
        """Forget the first ``count`` actions; the list begins with the state after them."""
        first = self._steps[count]
        self._steps = [self._steps[0]._replace(state=first.state), *self._steps[count + 1 :]]
        self._index = max(0, self._index - count)

    def _skip(self) -> None:
        """Show what the log has that is not shown yet as one step."""
        last = self._log.end - 1
        commit = self._log.commit(last)
        if commit is None or last < self._next:
            return
        meta = {"actions": last + 1 - self._next}
        self._next = last + 1
        self._append([self._step(Action(_PAUSED, meta=meta), commit.at, commit.state)])

    # ---- what the UI wants ----

    def _notice(self, text: str) -> None:
        if len(self._notices) < _NOTICES:
            self._notices.append(text if len(text) <= _NOTICE else text[:_NOTICE] + "…")

    def handle(self, message: Mapping[str, Any]) -> None:
        """Do what a message of the UI asks for; what is no such message is ignored."""
        match message.get("type"):
            case "DISPATCH":
                asked = message.get("action")
                if isinstance(asked, Mapping):
                    self._lift(asked)
            case "ACTION":
                self._perform(message.get("action"))
            case "IMPORT":
                self._import(message.get("state"))
            case "UPDATE":
                self._whole = True

    def _lift(self, asked: Mapping[str, Any]) -> None:
        kind = asked.get("type")
        steps, _ = self._view()
        match kind:
            case "JUMP_TO_STATE":
                at = asked.get("index")
                if type(at) is int and 0 <= at < len(steps):
                    self._index = at
                return
            case "JUMP_TO_ACTION":
                id = asked.get("actionId")
                ids = [0] + [step.id for step in steps[1:]]
                if type(id) is int and id in ids:
                    self._index = ids.index(id)
                return
            case "COMMIT":
                if self._imported is not None:
                    self._reset()
                    self._index = len(self._steps) - 1
                self._fold(self._index)
            case "ROLLBACK":
                self._index = 0
            case "RESET":
                self._reset()
            case "SWEEP":
                pass
            case "PAUSE_RECORDING":
                self._pause(asked.get("status") is True)
            case "LOCK_CHANGES":
                self.locked = asked.get("status") is True
            case "IMPORT_STATE":
                self._import(asked.get("nextLiftedState"))
            case str() if kind in _REFUSED:
                self._notice(f"{_REFUSED[kind]}. To undo one, dispatch one that undoes it.")
            case _:
                return
        self._whole = True

    def _pause(self, status: bool) -> None:
        if status == self.paused:
            return
        if self._imported is None:
            if status:
                self._read()
            else:
                self._skip()
        self.paused = status

    def _reset(self) -> None:
        self._imported = None
        self._steps = [_Step(0, Action("@@INIT"), self._since, self._log.initial)]
        self._index = self._next = 0
        self._read()

    def _import(self, text: object) -> None:
        try:
            self._imported = read_log(text)
        except LogFileError as error:
            self._notice(f"Import: {error}")
            return
        self._index = self._imported.index
        self._whole = True

    def _perform(self, sent: object) -> None:
        if self._dispatch is None:
            self._notice("Nothing can be dispatched: there is no running store")
        elif self.locked:
            self._notice("Nothing was dispatched: changes are locked. Unlock them first")
        elif self._imported is not None:
            self._notice("Nothing was dispatched: this is a file. Reset shows the store")
        else:
            self._run(lambda: self._dispatched(sent), self._told)

    def _dispatched(self, sent: object) -> str | None:
        """Dispatch, on whatever thread that is done; return what went wrong."""
        assert self._dispatch is not None
        try:
            self._dispatch(parse_sent(sent, self._creators))
        except BaseException as error:  # a reducer's or creator's, which may exit
            try:
                return f"{type(error).__name__}: {error}"
            except Exception:  # an exception of a stranger's
                return type(error).__name__
        return None

    def _told(self, failure: str | None) -> None:
        if failure is not None:
            self._notice(failure)


def _failed(state: str, error: str) -> str:
    return f'{{"state":{state},"error":{quoted(error)}}}'
