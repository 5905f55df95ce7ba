"""Convergence tests of your own slices: five lines, and a counterexample one can read.

``convergence_test([todos], invariants=[…])`` is a test function. ``key_of`` may be imported by the
program itself, and so this package loads what needs Hypothesis only when it is asked for; install
it with ``pip install "crdtstore[testing]"``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crdtstore.testing.failure import ConvergenceError
from crdtstore.testing.history import Broken, Event, History
from crdtstore.testing.intent import Act, Intent, Run, counted, kept
from crdtstore.testing.keys import KeyOf, key_of

if TYPE_CHECKING:
    from crdtstore.testing.actions import Call, Overrides, actions_of
    from crdtstore.testing.arguments import existing_key
    from crdtstore.testing.checks import Check
    from crdtstore.testing.convergence import convergence_test
    from crdtstore.testing.machine import ConvergenceMachine
    from crdtstore.testing.plan import FAULTS
    from crdtstore.testing.world import World

__all__ = [
    "FAULTS",
    "Act",
    "Broken",
    "Call",
    "Check",
    "ConvergenceError",
    "ConvergenceMachine",
    "Event",
    "History",
    "Intent",
    "KeyOf",
    "Overrides",
    "Run",
    "World",
    "actions_of",
    "convergence_test",
    "counted",
    "existing_key",
    "kept",
    "key_of",
]

_LATER = {
    "FAULTS": "plan",
    "Call": "actions",
    "Check": "checks",
    "ConvergenceMachine": "machine",
    "Overrides": "actions",
    "World": "world",
    "actions_of": "actions",
    "convergence_test": "convergence",
    "existing_key": "arguments",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_LATER[name]}")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ModuleNotFoundError(
            f'{__name__}.{name} needs Hypothesis: pip install "crdtstore[testing]"',
            name=error.name,
        ) from error
    value = globals()[name] = getattr(module, name)
    return value
