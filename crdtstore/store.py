"""The store: every slice's document, one way in for local work and one for remote.

A dispatch runs all reducers on drafts first; only if none raised are their changes applied, logged
and shown, so an action happens in all slices or in none. A merge validates every delta before it
applies one. Both end in the same three steps: the storage's log, the new root state, and the news
for hooks and subscribers, who are called without any lock held, in commit order.

Sources of the surface: Redux (dispatch, subscribe, middleware, the re-entrancy guard) and Redux
Toolkit (``configureStore``).
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgpack

from crdtstore.actions import Action, action_of
from crdtstore.autobatch import AutoBatch, AutoBatchOption, should_auto_batch
from crdtstore.cases import Case, Cases
from crdtstore.changes import Change
from crdtstore.checks import (
    create_action_creator_invariant_middleware,
    create_serializable_state_invariant_middleware,
)
from crdtstore.commits import CommitHooks
from crdtstore.document import Broken, new_client_id
from crdtstore.draft import record
from crdtstore.dynamic import AddMiddleware
from crdtstore.errors import (
    ClosedError,
    DispatchError,
    ForkedStoreError,
    StateValueError,
    UpdateError,
)
from crdtstore.housekeeping import Housekeeper
from crdtstore.middleware import (
    DefaultMiddleware,
    Dispatch,
    Middleware,
    Startable,
    compose,
    thunk_middleware,
)
from crdtstore.notify import Listeners, logger
from crdtstore.paths import base36
from crdtstore.replication import ActionInfo, Commit, Conflict, Merged
from crdtstore.slice import Slice
from crdtstore.slot import Slot
from crdtstore.state import RootState, conflict_path, replaced
from crdtstore.storage import Quarantined, Record, Storage
from crdtstore.subscriptions import Subscriptions
from crdtstore.tasks import Running, Tasks
from crdtstore.trail import Trail
from crdtstore.updates import Update
from crdtstore.values import ANY
from crdtstore.waitable import Waitable
from crdtstore.watching import Watch, watch

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Store"]

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")

_Chosen = tuple[Slot, Case, Sequence[Case]]  # the reducers of one slice, in order

_PRELOADED = "@@crdtstore/preloaded"
_stores: weakref.WeakSet[Store] = weakref.WeakSet()


def _whole(clock: Callable[[], float]) -> Callable[[], int]:
    """Make stamps of what a clock says: other replicas take whole numbers from 0 on only."""
    return lambda: max(0, int(clock()))


class Store:
    """One shared state, reachable from every part of a program; made by ``configure_store``.

    All methods may be called from any thread. ``replica`` is this store's lasting name (it stays
    with the file), ``session`` the id of this opening.
    """

    def __init__(
        self,
        slices: Sequence[Slice[Any]],
        *,
        storage: Storage,
        middleware: Callable[[DefaultMiddleware], Sequence[Middleware]]
        | Sequence[Middleware]
        | None,
        extra_argument: Any,
        notify: Callable[[Callable[[], None]], Any] | None,
        auto_batch: AutoBatchOption,
        clock: Callable[[], float],
        token: Callable[[], str],
    ) -> None:
        self._clock = _whole(clock)
        self._token = token
        self._storage = storage
        self._lock = threading.RLock()
        self._running = False
        self._closed = False
        self._forked = False
        self._index: dict[str, list[_Chosen]] = {}
        self._open: list[Slot] = []
        self._revision = -1
        self._subscriptions = Subscriptions(
            self._lock, self.get_state, notify, AutoBatch(auto_batch)
        )
        self._commits = CommitHooks(storage)
        self._trails: tuple[Trail, ...] = ()
        self._inject_hooks: Listeners[str] = Listeners()
        self._close_hooks: Listeners[None] = Listeners()
        self.tasks = Tasks("crdtstore-tasks")
        self._pack: Callable[[Any], bytes] = msgpack.Packer().pack  # packb makes one each time

        opened = storage.open()
        try:
            self.replica = opened.replica
            client = self._client = new_client_id()
            self.session = base36(client)
            self.quarantined: tuple[Quarantined, ...] = opened.quarantined
            self._slots = {each.reducer_path: Slot(each, opened.replica, client) for each in slices}
            self._load(opened.records)
            self._state = RootState({name: slot.state for name, slot in self._slots.items()})
            self._empty = not opened.records
            self._keeper = Housekeeper(self._lock, storage, self._slots, storage.durable_seq)
            self._chain: Callable[[Any], Any] = _not_yet
            self._reindex()  # a builder of extra_reducers that is wrong says so here
            self._chain = compose(self, self._layers(middleware, extra_argument), self._dispatch)
        except BaseException:
            storage.close()
            raise
        _stores.add(self)

    def _layers(self, middleware: Any, extra: Any) -> Sequence[Middleware]:
        defaults = DefaultMiddleware([thunk_middleware(extra)])
        if __debug__:
            creators = create_action_creator_invariant_middleware()
            # Bounded by max_values; what the clock says of it is mostly the garbage collector's.
            values = create_serializable_state_invariant_middleware(warn_after=inf)
            defaults = DefaultMiddleware([creators, *defaults, values])
        if middleware is None:
            return defaults
        layers = middleware(defaults) if callable(middleware) else middleware
        if not isinstance(layers, Sequence):
            raise TypeError(
                "middleware= is a list to add to the default one, or a function from the default "
                f"list to the whole, lambda defaults: [*defaults, mine]; got {_shown(layers)}"
                + (" from the function" if callable(middleware) else "")
            )
        return layers if callable(middleware) else [*defaults, *layers]

    def _load(self, records: Iterable[tuple[int, Record]]) -> None:
        deltas: dict[str, list[bytes]] = {}
        for _, stored in records:
            deltas.setdefault(stored.slice, []).append(stored.delta)
        for bad in self.quarantined:
            logger.error("record %d of the slice %r is damaged: %s", bad.seq, bad.slice, bad.reason)
        for name, slot in self._slots.items():
            self._fill(slot, deltas.get(name, ()))

    def _fill(self, slot: Slot, deltas: Iterable[bytes]) -> None:
        name = slot.slice.reducer_path
        slot.load(deltas, damaged=any(bad.slice in (name, "") for bad in self.quarantined))
        if slot.held:
            logger.error(
                "%d stored deltas of the slice %r wait for damaged ones; they are kept, and "
                "a peer that has the missing work completes them",
                len(slot.held),
                name,
            )

    # Reading

    @property
    def state(self) -> RootState:
        """The root state: an immutable snapshot with one attribute for each slice."""
        return self._state

    def get_state(self) -> RootState:
        """Return the root state, as Redux spells it."""
        return self._state

    def __getitem__(self, of: Slice[S]) -> S:
        """Return the snapshot of a slice, typed: ``store[todos].items``."""
        try:
            state: S = self._state[of.reducer_path]
        except KeyError:
            raise KeyError(
                f"the store has no slice {of.reducer_path!r}; slices: {', '.join(self._slots)}"
            ) from None
        return state

    @property
    def slices(self) -> tuple[str, ...]:
        """The names of the slices, in the order they were given."""
        return tuple(self._slots)

    def conflicts(self, of: Slice[Any] | str, *path: object) -> tuple[Conflict, ...]:
        """Return the concurrent values of a place, newest first; empty if there is no conflict.

        ``path`` are field names, row keys, map keys, and list indices or element keys. The first
        entry is what the state shows; the next write of the place settles the conflict.
        Raises ``KeyError`` for a path that is not there.
        """
        name = of if isinstance(of, str) else of.reducer_path
        with self._lock:
            document = self._slots[name].document
            found = document.conflicts(conflict_path(document.shape, document.state, path))
            if len(found) < 2:
                return ()
            return tuple(Conflict(v, document.replica_of(writer), at) for v, writer, at in found)

    def inject(self, of: Slice[Any], *, override_existing: bool = False) -> None:
        """Add a slice to this open store: it shows what storage holds of it, and peers send theirs.

        A slice that is there already is left alone; another one at its place is replaced if
        ``override_existing`` says so, by reading the same document as what the new one declares.
        Raises ``ValueError`` otherwise; ``ShapeError`` for a lazy initial state that cannot be
        replicated; ``ClosedError``.
        """
        if not isinstance(of, Slice):
            raise TypeError(f"inject takes a slice, got {type(of).__name__}: {of!r:.80}")
        name = of.reducer_path
        with self._lock:
            self._check()
            if self._running:
                raise DispatchError(
                    "inject was called inside a reducer; reducers only change state"
                )
            present = self._slots.get(name)
            if present is not None and present.slice.is_same(of):
                return
            if present is not None and not override_existing:
                raise ValueError(
                    f"the store has another slice at {name!r}; pass override_existing=True to "
                    "replace it, or reducer_path= to put this one elsewhere"
                )
            of.check()
            slot = Slot(of, self.replica, self._client if present is None else new_client_id())
            self._fill(slot, [stored.delta for _, stored in self._storage.read(name)])
            self._slots[name] = slot
            self._revision = -1
            self._state = replaced(self._state, {name: slot.state})
            self._subscriptions.changed(self._state)
            if present is not None:
                present.document.close()
        self._tell()
        self._inject_hooks(name)

    # Local work

    @overload
    def dispatch(self, action: AddMiddleware, /) -> Dispatch: ...  # type: ignore[overload-overlap]
    @overload
    def dispatch(self, action: Action[T], /) -> Action[T]: ...
    @overload
    def dispatch(self, request: Startable[R], /) -> R: ...
    @overload
    def dispatch(self, thunk: Callable[[Any, Any], Coroutine[Any, Any, R]], /) -> Running[R]: ...
    @overload
    def dispatch(self, thunk: Callable[[Any, Any], R], /) -> R: ...
    @overload
    def dispatch(
        self, thunk: Callable[[Any, Any, Any], Coroutine[Any, Any, R]], /
    ) -> Running[R]: ...
    @overload
    def dispatch(self, thunk: Callable[[Any, Any, Any], R], /) -> R: ...
    @overload
    def dispatch(self, action: Mapping[str, Any], /) -> Action[Any]: ...
    def dispatch(self, action: Any, /) -> Any:
        """Dispatch an action (or a thunk) and return what the middleware chain returns.

        The state has changed when this returns, in every slice or, if a reducer raised, in none.
        Raises ``DispatchError`` for what is no action, or from inside a reducer;
        ``StateValueError`` for a value that state cannot hold; ``StorageError`` if the storage
        takes no more work (nothing has changed then); ``ClosedError`` and ``ForkedStoreError``.
        """
        return self._chain(action)

    def _dispatch(self, action: Any) -> Any:
        if not isinstance(action, Action):
            action = action_of(action)
        with self._lock:
            if self._closed or self._forked:
                self._check()
            if self._running:
                raise DispatchError(
                    f"{action.type!r} was dispatched inside a reducer; reducers only change their "
                    "state: dispatch from a thunk, a middleware or a subscriber"
                )
            if Cases.revision != self._revision:
                self._reindex()
            cases = self._index.get(action.type, ())
            if self._open:
                cases = [*cases, *self._matching(action)]
            recorded = self._record(cases, action) if cases else None
            if recorded:
                self._apply(recorded, action)
        if recorded:
            self._tell()
        else:
            self._subscriptions.unchanged(action)
        return action

    def _record(
        self, cases: Iterable[_Chosen], action: Action[Any]
    ) -> list[tuple[Slot, list[Change]]]:
        """Run the case reducers on drafts; nothing is changed yet."""
        recorded: list[tuple[Slot, list[Change]]] = []
        self._running = True
        try:
            for slot, case, more in cases:
                changes = record(
                    slot.slice.shape,
                    slot.document.state,
                    lambda draft, case=case: case(draft, action),  # type: ignore[misc]
                    token=self._token,
                    root=slot.slice.reducer_path,
                    after=[_bound(each, action) for each in more] if more else (),
                )
                if changes:
                    recorded.append((slot, changes))
        finally:
            self._running = False
        return recorded

    def _reindex(self) -> None:
        revision = Cases.revision
        index: dict[str, list[_Chosen]] = {}
        self._open = [slot for slot in self._slots.values() if slot.slice.cases.is_open]
        for slot in self._slots.values():
            cases = slot.slice.cases
            if not cases.is_open:
                for name, case in {**cases.builtin, **cases.exact}.items():
                    index.setdefault(name, []).append((slot, case, ()))
        self._index = index
        self._revision = revision  # last: what is interrupted before is done again

    def _matching(self, action: Action[Any]) -> Iterator[_Chosen]:
        """Yield what the slices with matchers or a default case run for ``action``."""
        for slot in self._open:
            chosen = slot.slice.cases.select(action)
            if chosen:
                yield slot, chosen[0], chosen[1:]

    def _apply(self, recorded: list[tuple[Slot, list[Change]]], action: Action[Any]) -> None:
        now = self._clock()
        touched: list[Slot] = []
        try:
            named: list[tuple[str, bytes]] = []
            payload: bytes | None = None
            for slot, changes in recorded:
                touched.append(slot)
                named.append((slot.slice.reducer_path, slot.document.apply(changes, now)))
                if slot.slice.share_payloads:
                    payload = _payload(action)
            self._commit(
                named,
                (action.type, self.replica, now, payload),
                None,
                now,
                local=True,
                action=action,
                defer=action.meta is not None and should_auto_batch(action),
            )
        except BaseException as error:  # what was not logged must not be seen
            self._rebuild(touched)
            _raise_interrupt(error)
            raise

    def _commit(
        self,
        named: list[tuple[str, bytes]],
        about: tuple[str, str, int, bytes | None] | None,
        origin: Any,
        now: int,
        *,
        local: bool,
        action: Action[Any] | None = None,
        defer: bool = False,
    ) -> None:
        meta = self._pack(about) if about is not None else b""
        records: list[Record] = []
        states: dict[str, Any] = {}
        for name, delta in named:
            records.append(Record(name, delta, meta))
            states[name] = self._slots[name].document.state
        seq = self._storage.append(records)
        self._empty = False
        previous = self._state
        state = self._state = replaced(previous, states)
        if self._commits.wanted:
            info = ActionInfo(*about) if about is not None else None
            for group in _frames(named):
                self._commits.put(
                    Commit(seq, group, info, origin, now, local, state, previous, action)
                )
        if self._trails:
            groups = (named,) if local else [list(group.items()) for group in _frames(named)]
            for each in groups:
                raw = (seq, each, about, origin, now, state, previous, action)
                for trail in self._trails:
                    trail.note(raw)
        self._subscriptions.changed(state, defer=defer)
        self._keeper.after_commit(seq)

    def _rebuild(self, slots: Iterable[Slot]) -> None:
        for slot in slots:
            name = slot.slice.reducer_path
            slot.rebuild(stored.delta for _, stored in self._storage.read(name))
            self._state = replaced(self._state, {name: slot.state})

    def _tell(self) -> None:
        self._commits.tell()
        self._subscriptions.tell()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Notify subscribers once, at the end, for everything dispatched inside."""
        self._check()
        with self._subscriptions.batch():
            yield

    # Hooks

    @overload
    def subscribe(self, listener: Callable[[], Any], /) -> Callable[[], None]: ...
    @overload
    def subscribe(
        self, selector: Callable[[RootState], V], listener: Callable[[V, V], Any], /
    ) -> Callable[[], None]: ...
    def subscribe(
        self, selector: Callable[..., Any], listener: Callable[..., Any] | None = None, /
    ) -> Callable[[], None]:
        """Call ``listener`` after every change of the state; return the function that stops it.

        ``subscribe(listener)`` calls ``listener()``; ``subscribe(selector, listener)`` calls
        ``listener(value, previous)`` when what the selector returns has changed. Listeners run on
        the thread that committed (or where ``notify`` sends them), one at a time, in commit order.
        """
        if not callable(selector) or not (listener is None or callable(listener)):
            raise TypeError("subscribe takes a listener, or a selector and a listener")
        return self._subscriptions.add(selector, listener)

    def on_commit(
        self, callback: Callable[[Commit], Any], *, durable: bool = False
    ) -> Callable[[], None]:
        """Call ``callback`` with every commit, local and merged; return the function that stops it.

        With ``durable`` it is called only once the commit is in the storage's log, perhaps from
        the storage's thread: be quick then. Always in commit order.
        """
        with self._lock:
            return self._commits.add(callback, durable=durable)

    def trail(self, limit: int = 10_000) -> Trail:
        """Return the commits from now on, the newest ``limit`` of them, to be read at any time.

        It costs a dispatch next to nothing, where ``on_commit`` costs a call: for tools that look
        back. ``Trail.close`` ends it.
        """
        with self._lock:
            trail = Trail(limit, self._state, self.state_vectors(), self._end_trail)
            self._trails = (*self._trails, trail)
        return trail

    def _end_trail(self, trail: Trail) -> None:
        with self._lock:
            self._trails = tuple(each for each in self._trails if each is not trail)

    def on_inject(self, callback: Callable[[str], Any]) -> Callable[[], None]:
        """Call ``callback`` with the name of every slice that ``inject`` adds from now on."""
        return self._inject_hooks.add(callback)

    def on_close(self, callback: Callable[[], Any]) -> Callable[[], None]:
        """Call ``callback`` when the store is closed, at once if it is; return what undoes that."""
        with self._lock:
            closed = self._closed
            undo = self._close_hooks.add(lambda _: callback())
        if closed:
            undo()
            callback()
        return undo

    @overload
    def watch(self) -> Watch[RootState]: ...
    @overload
    def watch(self, selector: Callable[[RootState], V]) -> Watch[V]: ...
    def watch(self, selector: Callable[[RootState], Any] | None = None) -> Watch[Any]:
        """Return what ``selector`` returns (or the whole state) as it changes, to be looped over.

        ``async for value in store.watch(selector)`` in a coroutine, a plain ``for`` in a thread. A
        loop starts with the current value, skips to the newest if it is slow, and ends when the
        store is closed.
        """
        return watch(self) if selector is None else watch(self, selector)

    # Replication

    def schema(self) -> dict[str, dict[str, str]]:
        """Return the kind of every place, by slice and path pattern."""
        with self._lock:
            return {name: slot.schema() for name, slot in self._slots.items()}

    def state_vectors(self) -> dict[str, bytes]:
        """Return what this store holds of every session's work, by slice (Yjs state vectors).

        Raises ``ClosedError`` after ``close``, as ``deltas_since`` and ``merge`` do.
        """
        with self._lock:
            if self._closed:
                self._check()
            return {name: slot.document.state_vector() for name, slot in self._slots.items()}

    def deltas_since(self, vectors: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return what a store with ``vectors`` lacks, by slice; those lacking nothing are left out.

        Slices missing in ``vectors`` are sent whole. Raises ``UpdateError`` for malformed vectors.
        """
        found: dict[str, bytes] = {}
        with self._lock:
            if self._closed:
                self._check()
            for name, slot in self._slots.items():
                delta = slot.document.delta_since(vectors.get(name, b"\x00"))
                if delta is not None:
                    found[name] = delta
        return found

    def digests(self) -> dict[str, bytes]:
        """Return 16 bytes for each slice, equal exactly where the content is equal."""
        with self._lock:
            return {name: slot.document.digest() for name, slot in self._slots.items()}

    def digest(self) -> str:
        """Return one digest of the whole state, in hex."""
        whole = blake2b(digest_size=16)
        for name, digest in sorted(self.digests().items()):
            whole.update(msgpack.packb((name, digest)))
        return whole.hexdigest()

    def merge(
        self,
        deltas: Mapping[str, bytes],
        *,
        info: ActionInfo | None = None,
        origin: Any = None,
        repair: bool = False,
    ) -> Merged:
        """Merge a peer's deltas, in any order, any number of times; safe with bytes of strangers.

        ``info`` tells of the action behind them and ``origin`` where they came from, for hooks and
        the log. ``repair`` applies deltas even if nothing in them seems new. Raises ``UpdateError``
        if any of them is malformed, and then none is merged.
        """
        slots = self._slots
        with self._lock:
            if self._closed or self._forked:
                self._check()
            if self._running:
                raise DispatchError("merge was called inside a reducer; reducers only change state")
            unknown: list[str] = []
            read: list[tuple[str, Slot, bytes, Update]] = []
            for name, given in deltas.items():
                slot = slots.get(name)
                if slot is None:
                    unknown.append(name)
                    continue
                delta = given if type(given) is bytes else _bytes(given)
                if repair or not slot.document.has(delta):
                    read.append((name, slot, delta, slot.document.inspect(delta)))
            applied: list[tuple[str, bytes]] = []
            missing: list[str] = []
            changed: list[str] = []
            touched: list[Slot] = []
            try:
                for name, slot, delta, update in read:
                    touched.append(slot)
                    done, lacks = slot.merge(delta, update, repair=repair)
                    for each in done:
                        applied.append((name, each))
                    if done:
                        changed.append(name)
                    if lacks:
                        missing.append(name)
                if applied:
                    about = (info.type, info.replica, info.at, info.payload) if info else None
                    self._commit(applied, about, origin, self._clock(), local=False)
            except Broken as error:
                self._rebuild(touched)
                _raise_interrupt(error)
                raise UpdateError("not-applicable", str(error)) from error
            except BaseException:
                self._rebuild(touched)
                raise
        if applied:
            self._tell()
        return Merged(frozenset(changed), frozenset(missing), frozenset(unknown))

    # Life

    def flush(self) -> Waitable[None]:
        """Return what is done when everything dispatched so far is durable."""
        self._check_fork()
        return Waitable(self._storage.flush(), "store.flush()")

    def compact(self) -> Waitable[None]:
        """Replace the log by one snapshot for each slice, verified before anything is deleted.

        Happens by itself when the log has grown; raises ``StorageError`` when waited for, if it
        could not be done.
        """
        with self._lock:
            self._check()
        return Waitable(self._keeper.compact(), "store.compact()")

    def close(self) -> None:
        """Write everything out and let go of the storage; harmless to call twice."""
        with self._lock:
            if self._running and not self._forked:
                raise DispatchError("close was called inside a reducer, which only changes state")
        if not self._closed and not self._forked:
            self.tasks.stop()  # first: what is cancelled may still dispatch that it was
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._forked:
            return
        self._subscriptions.close()
        self._keeper.stop()
        try:
            self._storage.close()
        except BaseException:  # not everything is stored yet: it may be tried again
            self._closed = False
            raise
        for slot in self._slots.values():
            slot.document.close()
        self._close_hooks(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        status = "closed" if self._closed else f"session {self.session}"
        return f"<Store {', '.join(self._slots)}: replica {self.replica[:8]}, {status}>"

    def _check(self) -> None:
        if self._closed:
            raise ClosedError("the store is closed; configure_store opens it again")
        if self._forked:
            self._check_fork()

    def _check_fork(self) -> None:
        if self._forked:
            raise ForkedStoreError(
                "this store was opened before os.fork; two processes writing as one session would "
                "corrupt every replica: open a store in the child (with a file or name of its own)"
            )

    def preload(self, preloaded: Mapping[str, Any]) -> None:
        unknown = [name for name in preloaded if name not in self._slots]
        if unknown:
            raise DispatchError(
                f"preloaded_state has no slice {unknown[0]!r}; slices: {', '.join(self._slots)}"
            )
        if not self._empty:
            return
        recorded: list[tuple[Slot, list[Change]]] = []
        for name, value in preloaded.items():
            slot = self._slots[name]
            changes = record(
                slot.slice.shape,
                slot.state,
                lambda _, value=value: value,  # type: ignore[misc]
                token=self._token,
                root=name,
            )
            if changes:
                recorded.append((slot, changes))
        if recorded:
            with self._lock:
                self._apply(recorded, Action(_PRELOADED))


def _shown(value: object) -> str:
    return f"{type(value).__name__}: {value!r:.80}"


def _bound(case: Case, action: Action[Any]) -> Callable[[Any], Any]:
    return lambda draft: case(draft, action)


def _not_yet(action: Any) -> Any:
    raise DispatchError(
        "dispatch was called while the middleware is being set up, when not all of it would see "
        f"the action {action!r:.80}; dispatch later"
    )


def _raise_interrupt(error: BaseException) -> None:
    """Raise the interrupt that broke a document as what it is; a panic of its own is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (KeyboardInterrupt, SystemExit)):
            raise cause from None
        cause = cause.__cause__ or cause.__context__


def _bytes(delta: Any) -> bytes:
    if isinstance(delta, (bytes, bytearray, memoryview)):
        return bytes(delta)
    raise TypeError(f"a delta is bytes, got {type(delta).__name__}: {delta!r:.80}")


def _frames(named: list[tuple[str, bytes]]) -> list[dict[str, bytes]]:
    """Group deltas so that each group has one for a slice, in order."""
    if len(named) == 1:
        return [dict(named)]
    groups: list[dict[str, bytes]] = []
    for name, delta in named:
        for group in groups:
            if name not in group:
                group[name] = delta
                break
        else:
            groups.append({name: delta})
    return groups


def _payload(action: Action[Any]) -> bytes | None:
    try:
        ANY.encode(action.payload, ())
        data: bytes = msgpack.packb(action.payload)
    except (StateValueError, TypeError, ValueError, OverflowError):
        return None  # shown without its payload, rather than not at all
    return data


def _after_fork() -> None:
    for store in list(_stores):
        store._forked = True
        store._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
