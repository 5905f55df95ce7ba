"""A pytest plugin for runs of mutants: notes the test that runs and the one that fails.

What it notes goes to the file named by ``MUTANTS_WITNESS``, a line each, at once: an interpreter
that dies or is ended takes nothing along.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import Phase, settings

__all__ = ["ENDED", "FAILED", "STARTED", "WITNESS"]

WITNESS = "MUTANTS_WITNESS"
STARTED, FAILED, ENDED = "started ", "failed ", "ended"


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Have Hypothesis neither shrink what it finds nor remember it."""
    settings.register_profile(
        "mutants",
        settings.get_profile("default"),
        phases=(Phase.explicit, Phase.generate),
        database=None,
    )
    settings.load_profile("mutants")


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note which test begins."""
    _note(STARTED + nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note which test failed."""
    if report.failed:
        _note(FAILED + report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note which file could not even be imported."""
    if report.failed:
        _note(f"{FAILED}{report.nodeid} (import)")


def pytest_sessionfinish() -> None:
    """Note that the run came to its end."""
    _note(ENDED)


def _note(line: str) -> None:
    path = os.environ.get(WITNESS)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line.replace("\n", " ") + "\n")
