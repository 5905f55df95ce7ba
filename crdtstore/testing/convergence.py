"""``convergence_test``: a test function from a list of slices, run by Hypothesis.

The function looks for a plan of steps that breaks a promise, lets Hypothesis shrink it, and raises
a ``ConvergenceError`` whose message is the diagram of the smallest one.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, reproduce_failure
from hypothesis import __version__ as hypothesis_version
from hypothesis import settings as Settings
from hypothesis.errors import Flaky

from crdtstore.combine import Sliceable, slices_of
from crdtstore.store import Store
from crdtstore.testing.actions import Overrides, actions_of
from crdtstore.testing.checks import Check, named, plain
from crdtstore.testing.failure import ConvergenceError
from crdtstore.testing.health import Tally
from crdtstore.testing.history import Broken, History
from crdtstore.testing.intent import Intent
from crdtstore.testing.plan import FAULTS, Plan, checked_faults, plans, play
from crdtstore.testing.report import REPLAY, drawn, replay_line
from crdtstore.testing.world import World

__all__ = ["Search", "convergence_test", "suited"]

_FLAKY = (
    "The same steps gave another result when they were played again: a reducer or a check depends "
    "on something outside its arguments, such as a global that it changes, the time, or chance. "
    "What is drawn above is the last run."
)


def suited(given_settings: Settings | None) -> Settings:
    """Return settings fit for whole runs of replicas: no deadline, one failure, with its blob."""
    base = given_settings or Settings()
    return Settings(
        base,
        deadline=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[phase for phase in base.phases if phase is not Phase.explain],
        suppress_health_check={
            *base.suppress_health_check,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
            HealthCheck.differing_executors,
        },
    )


class Search:
    """One search for a failing run: it remembers the last history, and tells how to get it again.

    ``run(test)`` calls a Hypothesis test (or a function that runs one) and turns its failure into
    the error that shows the history.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.tally = Tally()
        self._judged = HealthCheck.filter_too_much not in settings.suppress_health_check
        self.history: History | None = None

    def watch(self, world: World) -> None:
        """Remember what happened in a world, when it is over."""
        self.history = world.history

    def run(self, test: Callable[[], Any]) -> None:
        """Run a test; raise the ``ConvergenceError`` that is to be shown."""
        __tracebackhide__ = True
        self.history = None
        cause: BaseException | None = None
        try:
            test()
        except ConvergenceError as error:
            failure = self._failure(error, test, error.history)
            cause = error.__cause__
        except Flaky as error:
            if self.history is None:
                raise
            failure = self._failure(error, test, self.history, _FLAKY)
        except AssertionError as error:  # from a rule or an invariant of a user's own machine
            if self.history is None:
                raise
            what = f"a rule of {self.name.rpartition('.')[2]}"
            said = Broken(max(0, len(self.history.events) - 1), "", what, str(error))
            history = replace(self.history, broken=(said,), holds_at_break=self.history.holds)
            failure = self._failure(error, test, history)
            raise failure from error
        else:
            if self._judged:
                self.tally.check()
            return
        unexpected = cause is not None and not isinstance(cause, AssertionError)
        raise failure from (cause if unexpected else None)

    def _failure(
        self, error: BaseException, test: Any, history: History, hint: str = ""
    ) -> ConvergenceError:
        notes = getattr(error, "__notes__", ())
        seed = getattr(test, "_hypothesis_internal_use_generated_seed", None)
        replay = replay_line(notes, seed)
        title = _title(history.broken) or f"{self.name} is not reproducible"
        return drawn(history, title, self.name, replay, hint)


def _title(broken: Sequence[Broken]) -> str:
    if not broken:
        return ""
    first = broken[0]
    where = f" at {first.replica}" if first.replica else ""
    return f"{first.what}{where}: {first.message}"


def convergence_test(
    slices: Sliceable,
    *,
    invariants: Sequence[Check] = (),
    at_quiescence: Sequence[Check] = (),
    intent: Sequence[Intent] = (),
    actions: Overrides | None = None,
    replicas: int | tuple[int, int] = (2, 3),
    steps: int = 30,
    faults: Sequence[str] = tuple(FAULTS),
    settings: Settings | None = None,
    setup: Callable[[Store], Any] | None = None,
) -> Callable[..., None]:
    """Return a test that replicas of ``slices`` converge, whatever is done and whatever breaks.

    Assign it to a name that the test runner collects: ``test_todos = convergence_test([todos])``.
    It draws actions from the reducers' signatures (``actions`` replaces, adds or, with ``None``,
    leaves some out: ``{add: st.builds(add, ...), "todos/clear": None}``), schedules of up to
    ``steps`` steps and the ``faults`` among "duplicate", "reorder", "drop", "partition", "crash",
    "restore", "clone" and "clock", for ``replicas`` replicas (a number, or the fewest and the
    most). ``setup`` is called with one store before anything happens.

    Always checked: all replicas are equal once quiet, in state and digest; one round of
    synchronisation leaves nobody behind; a store opened anew from its storage equals the live one;
    the patched snapshot equals a full reading. ``invariants`` are functions of ``store.state``
    that raise ``AssertionError`` or return ``False``; they are asked at every replica after every
    step, ``at_quiescence`` only once all is quiet. ``intent`` checks the whole run, as
    ``kept("items")`` does. ``settings`` are those of Hypothesis.

    The test raises ``ConvergenceError`` with a diagram of the smallest history found, which is
    also written to files; ``FailedHealthCheck`` if reducers refuse most of what is drawn.
    """
    fewest, most = (replicas, replicas) if isinstance(replicas, int) else replicas
    if not 1 <= fewest <= most <= 26:
        raise ValueError(f"replicas is a number from 1 to 26, or two of them; got {replicas!r}")
    invariants, at_quiescence, intent = plain(invariants), plain(at_quiescence), plain(intent)
    some = checked_faults(faults)
    listed = slices_of(slices)
    chosen = suited(settings)
    calls = actions_of(listed, actions)
    what = " and ".join(each.name for each in listed)
    caller = sys._getframe(1)
    search_name = f"{caller.f_globals.get('__name__', '')}:{caller.f_lineno}"

    def build(search: Search) -> Any:
        def converges(plan: Plan) -> None:
            with World(
                listed,
                replicas=plan.replicas,
                invariants=invariants,
                at_quiescence=at_quiescence,
                intent=intent,
                setup=setup,
                tally=search.tally,
            ) as world:
                try:
                    for step in plan.steps:
                        play(world, step)
                    world.settle()
                finally:
                    search.watch(world)

        # What was found is kept under this name, and found again by the next run.
        converges.__qualname__ = f"{search.name}:{what}"
        return chosen(given(plans(calls, (fewest, most), steps, some))(converges))

    def test(*_: object) -> None:
        __tracebackhide__ = True
        search = Search(search_name, chosen)
        checked = build(search)
        blob = os.environ.get(REPLAY)
        if blob:
            checked = reproduce_failure(hypothesis_version, blob.encode())(checked)
        search.run(checked)

    promises = ", ".join(map(named, [*invariants, *at_quiescence, *intent]))
    test.__doc__ = f"Replicas of {what} converge{' and keep ' + promises if promises else ''}."
    test.__module__ = str(caller.f_globals.get("__name__", __name__))
    test.__name__ = test.__qualname__ = f"test_{'_'.join(each.name for each in listed)}"
    return _as_test(test, build(Search(search_name, chosen)), caller.f_code, caller.f_lineno)


def _as_test(
    test: Callable[..., None], checked: Any, code: types.CodeType, line: int
) -> Callable[..., None]:
    """Let pytest and Hypothesis' plugin see a test of theirs, where the user wrote it."""
    marked: Any = test
    marked.is_hypothesis_test = True
    marked.hypothesis = checked.hypothesis
    marked._hypothesis_internal_use_settings = checked._hypothesis_internal_use_settings
    place = test.__code__.replace(co_filename=code.co_filename, co_firstlineno=line)
    marked.place_as = types.FunctionType(place, {}, test.__name__, None, test.__closure__)
    return test
