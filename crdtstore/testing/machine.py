"""``ConvergenceMachine``: the same replicas as a state machine, for rules of one's own.

The rules that the kit adds play the steps of ``plan``; what a subclass adds runs among them.
"""

from __future__ import annotations

import os
import sys
import unittest
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from hypothesis import HealthCheck, reproduce_failure
from hypothesis import __version__ as hypothesis_version
from hypothesis import settings as Settings
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from crdtstore.combine import Sliceable, slices_of
from crdtstore.store import Store
from crdtstore.testing.actions import Overrides, actions_of
from crdtstore.testing.checks import Check
from crdtstore.testing.convergence import Search, suited
from crdtstore.testing.intent import Intent
from crdtstore.testing.plan import FAULTS, Step, checked_faults, play, steps_of
from crdtstore.testing.report import REPLAY
from crdtstore.testing.world import World

__all__ = ["ConvergenceMachine"]


class _TestCases:
    """``Machine.TestCase``: made once for each machine, when it is first asked for."""

    def __get__(self, obj: object, kind: type[ConvergenceMachine]) -> type[unittest.TestCase]:
        made: type[unittest.TestCase] | None = vars(kind).get("_test_case")
        if made is None:
            made = kind._test_case = _test_case(kind)
        return made


def _test_case(machine: type[ConvergenceMachine]) -> type[unittest.TestCase]:
    class ConvergenceTestCase(unittest.TestCase):
        """Runs the machine; ``settings`` are those of Hypothesis."""

        settings = Settings(
            deadline=None, suppress_health_check=set(HealthCheck) - {HealthCheck.filter_too_much}
        )

        def runTest(self) -> None:
            __tracebackhide__ = True
            machine.run(self.settings)

        runTest.is_hypothesis_test = True  # type: ignore[attr-defined]

    ConvergenceTestCase.__name__ = f"{machine.__name__}.TestCase"
    ConvergenceTestCase.__qualname__ = f"{machine.__qualname__}.TestCase"
    ConvergenceTestCase.__module__ = machine.__module__
    return ConvergenceTestCase


class ConvergenceMachine(RuleBasedStateMachine):
    """Replicas as a Hypothesis state machine: subclass it, and give it ``slices``.

    ``TestShop = ShopMachine.TestCase`` is the test. The class attributes mean what the arguments
    of ``convergence_test`` mean; ``state_invariants`` are its ``invariants``, which in a state
    machine are methods. Rules of one's own reach the replicas through ``self.world``, and rules
    that only look through ``self.stores``; ``self.dispatch(at, action)`` acts.
    """

    slices: ClassVar[Sliceable] = ()
    state_invariants: ClassVar[Sequence[Check]] = ()
    at_quiescence: ClassVar[Sequence[Check]] = ()
    intent: ClassVar[Sequence[Intent]] = ()
    actions: ClassVar[Overrides | None] = None
    replicas: ClassVar[int] = 3
    faults: ClassVar[Sequence[str]] = tuple(FAULTS)
    setup: ClassVar[Callable[[Store], Any] | None] = None

    TestCase = _TestCases()  # type: ignore[assignment]
    _search: ClassVar[Search | None] = None
    _test_case: ClassVar[type[unittest.TestCase]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        given = vars(cls)
        if cls.slices and given.keys() & {"slices", "actions", "replicas", "faults"}:
            calls = actions_of(slices_of(cls.slices), cls.actions)
            steps = steps_of(calls, cls.replicas, checked_faults(cls.faults))
            cls._play = rule(step=steps)(_play)

    def __init__(self) -> None:
        super().__init__()
        kind = type(self)
        self.world = World(
            kind.slices,
            replicas=kind.replicas,
            invariants=kind.state_invariants,
            at_quiescence=kind.at_quiescence,
            intent=kind.intent,
            setup=kind.setup,
            tally=kind._search.tally if kind._search is not None else None,
        )

    @property
    def stores(self) -> Mapping[str, Store]:
        """The stores of the replicas that are up, by name: ``"A"``, ``"B"``, …."""
        return self.world.stores

    def dispatch(self, at: int | str, action: Any) -> None:
        """Have a replica dispatch an action."""
        self.world.act(at, action)

    def teardown(self) -> None:
        """Let all come to rest, unless something broke before, and close the stores."""
        try:
            if sys.exc_info()[0] is None:
                self.world.settle()
        finally:
            if self._search is not None:
                self._search.watch(self.world)
            self.world.close()

    @classmethod
    def run(cls, settings: Settings | None = None) -> None:
        """Run the machine as a test; raises as the function of ``convergence_test`` does."""
        __tracebackhide__ = True
        chosen = suited(settings)
        search = cls._search = Search(f"{cls.__module__}.{cls.__qualname__}", chosen)
        blob = os.environ.get(REPLAY)
        if blob:
            reproduce_failure(hypothesis_version, blob.encode())(cls)
        try:
            search.run(lambda: run_state_machine_as_test(cls, settings=chosen))
        finally:
            cls._search = None
            if blob:
                del cls._hypothesis_internal_use_reproduce_failure  # type: ignore[attr-defined]


def _play(self: ConvergenceMachine, step: Step) -> None:
    play(self.world, step)
