"""``configure_store``: everything a store is made of, with defaults that suit most programs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crdtstore.autobatch import AutoBatchOption
from crdtstore.combine import CombinedSlices, Sliceable, slices_of
from crdtstore.middleware import DefaultMiddleware, Middleware
from crdtstore.storage import MemoryStorage, SqliteStorage, Storage
from crdtstore.store import Store

__all__ = ["configure_store"]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def configure_store(
    slices: Sliceable = (),
    *,
    storage: str | os.PathLike[str] | Storage | None = None,
    durability: str = "full",
    middleware: Callable[[DefaultMiddleware], Sequence[Middleware]]
    | Sequence[Middleware]
    | None = None,
    preloaded_state: Mapping[str, Any] | None = None,
    extra_argument: Any = None,
    notify: Callable[[Callable[[], None]], Any] | None = None,
    auto_batch: AutoBatchOption = True,
    clock: Callable[[], float] = _now_ms,
    token: Callable[[], str] | None = None,
    **unknown: Any,
) -> Store:
    """Open a store of ``slices``: a list of them, ``combine_slices(…)``, or a dict by name.

    ``storage`` is the path of a SQLite file, a ``Storage``, or nothing for a store that lives in
    memory only. ``durability``, for files: ``"full"`` syncs to disk in groups (after
    ``store.flush()`` work survives a power cut), ``"normal"`` leaves that to the system (work
    survives the process). ``middleware`` is a list to add to the default one, or a function from
    the default list to the whole. ``preloaded_state`` maps slice names to state that this replica
    brings along: it is dispatched once, into a store that holds nothing yet (what every replica
    starts with belongs in ``initial_state``). ``notify`` is called with the function that notifies
    subscribers, to run it elsewhere (``loop.call_soon_threadsafe``). ``auto_batch`` says when they
    are told of actions marked by ``prepare_auto_batched`` at the latest: ``True`` for 10 ms, a
    number of seconds, ``"tick"`` for the loop's next turn, a function, or ``False`` for at once.
    ``clock`` returns ms.

    Raises ``StorageLockedError`` if another process has the file, ``StorageError`` and
    ``StorageCorruptError`` if it cannot be used.
    """
    if "reducer" in unknown:
        raise TypeError("configure_store takes slices, not reducer=: configure_store([todos])")
    if unknown:
        raise TypeError(f"configure_store got an unexpected argument {next(iter(unknown))!r}")
    listed = slices_of(slices)
    if not listed:
        raise ValueError("configure_store needs at least one slice")
    if durability not in ("full", "normal"):
        raise ValueError(f"durability= is 'full' or 'normal', got {durability!r:.80}")
    _check("notify", notify, "a function of the function that notifies", optional=True)
    _check("clock", clock, "a function that returns ms", optional=False)
    _check("token", token, "a function that returns a new str", optional=True)
    if not isinstance(preloaded_state, Mapping | None):
        raise TypeError(
            "preloaded_state= maps slice names to states, got "
            f"{type(preloaded_state).__name__}: {preloaded_state!r:.80}"
        )
    if storage is None:
        storage = MemoryStorage()
    elif isinstance(storage, (str, os.PathLike)):
        storage = SqliteStorage(storage, durability=durability)  # type: ignore[arg-type]
    elif not callable(getattr(storage, "append", None)):
        raise TypeError(
            "storage= is the path of a file, or a Storage, got "
            f"{type(storage).__name__}: {storage!r:.80}"
        )
    store = Store(
        listed,
        storage=storage,
        middleware=middleware,
        extra_argument=extra_argument,
        notify=notify,
        auto_batch=auto_batch,
        clock=clock,
        token=_random_token if token is None else token,
    )
    try:
        if isinstance(slices, CombinedSlices):
            slices.attach(store)
        if preloaded_state:
            store.preload(preloaded_state)
    except BaseException:
        store.close()
        raise
    return store


def _check(name: str, given: Any, wanted: str, *, optional: bool) -> None:
    if not (callable(given) or (optional and given is None)):
        raise TypeError(f"{name}= is {wanted}, got {type(given).__name__}: {given!r:.80}")


def _random_token() -> str:
    return os.urandom(8).hex()
