"""What must hold whatever the reducers do, and how a user's own invariants are asked.

Each check returns ``None``, or what is wrong in words. They compare with ways of reading that
share nothing with how the state came about: a full reading of the document in place of patches,
and another store opened from a copy of the storage in place of the one that lived through it all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from crdtstore.shapes import same_state
from crdtstore.snapshot import ROOT, read
from crdtstore.store import Store
from crdtstore.testing.showing import shown

__all__ = ["Check", "alike", "ask", "behind", "fully_read", "named", "plain", "reloaded"]

_C = TypeVar("_C", bound=Callable[..., Any])

Check = Callable[[Any], Any]
"""A function of ``store.state`` that raises ``AssertionError`` or returns ``False``."""


def named(check: Callable[..., Any]) -> str:
    """Return what a check is called, and where it stands if it has no name of its own."""
    name = getattr(check, "__name__", None) or repr(check)
    if name == "<lambda>":
        code = check.__code__
        return f"lambda in {Path(code.co_filename).name}:{code.co_firstlineno}"
    return str(name)


def plain(checks: Sequence[_C]) -> tuple[_C, ...]:
    """Return the checks; ``TypeError`` for what cannot be asked."""
    if callable(checks):
        raise TypeError(f"expected a list of functions, got one: write [{named(checks)}]")
    for check in checks:
        if not callable(check) or inspect.iscoroutinefunction(check):
            raise TypeError(f"a check is a plain function of the state, got {check!r:.80}")
    return tuple(checks)


def ask(check: Callable[..., Any], *given: Any) -> tuple[str, Exception | None] | None:
    """Call a check; return what it says is wrong, and the exception it said it with."""
    try:
        answer = check(*given)
    except AssertionError as error:
        return str(error) or _line(error) or "an assertion failed", error
    except Exception as error:
        return f"it raised {type(error).__name__}: {error}", error
    return ("it returned False", None) if answer is False else None


def _line(error: BaseException) -> str:
    """Return the source line that raised, where it can be read."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    frame = inspect.getframeinfo(trace) if trace is not None else None
    return "".join(frame.code_context or ()).strip() if frame is not None else ""


def alike(one: Store, other: Store) -> str | None:
    """Tell how the states or digests of two stores differ."""
    for name, slot in one._slots.items():
        mine, theirs = one.state[name], other.state[name]
        if not same_state(slot.slice.shape, mine, theirs):
            return (
                f"{name!r} reads\n{shown({name: mine})}\nhere and\n{shown({name: theirs})}\nthere"
            )
    if one.digests() != other.digests():
        return "the states read alike and the digests differ"
    return None


def behind(one: Store, others: Sequence[tuple[str, Store]]) -> str | None:
    """Tell what a store still lacks of others', after all has been exchanged."""
    for name, other in others:
        lacking = other.deltas_since(one.state_vectors())
        if lacking:
            return f"{name} still has work on {', '.join(sorted(lacking))} that is missing here"
    return None


def fully_read(store: Store) -> str | None:
    """Tell where the state, patched change by change, differs from a full reading."""
    for name, slot in store._slots.items():
        document = slot.document
        full = read(document.shape, ROOT, document.shape.default, document)
        if not same_state(document.shape, full, document.state):
            return (
                f"{name!r} was patched to\n{shown({name: document.state})}\n"
                f"and reads in full\n{shown({name: full})}"
            )
    return None


def reloaded(live: Store, again: Store) -> str | None:
    """Tell how a store opened from what another one's storage holds differs from that one."""
    wrong = alike(live, again)
    if wrong is None and live.state_vectors() != again.state_vectors():
        return "the state vectors differ"
    return wrong
