"""The pytest plugin: where diagrams go, playing a failure again, and what to read in the end.

It talks to the kit by environment variables and attributes of exceptions, and imports nothing of
it, so it costs nothing where no convergence test runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import Any

import pytest

_ARTIFACTS = "CRDTSTORE_ARTIFACTS"
_REPLAY = "CRDTSTORE_REPLAY"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("crdtstore", "crdtstore: convergence tests")
    group.addoption(
        "--crdtstore-artifacts",
        metavar="DIR",
        help="Write the diagrams of failed convergence tests to DIR (default: pytest's cache)",
    )
    group.addoption(
        "--crdtstore-replay",
        metavar="BLOB",
        help="Play only the one example that a failed convergence test printed",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell the kit where to write, and what to play."""
    folder = config.getoption("--crdtstore-artifacts")
    if folder:
        _tell(config, _ARTIFACTS, str(config.invocation_params.dir / folder))
    blob = config.getoption("--crdtstore-replay")
    if blob:
        _tell(config, _REPLAY, blob)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have diagrams written to pytest's cache, if there are convergence tests at all."""
    config = session.config
    asked = os.environ.get(_ARTIFACTS)
    if not asked and "crdtstore.testing.report" in sys.modules and hasattr(config, "cache"):
        _tell(config, _ARTIFACTS, str(config.cache.mkdir("crdtstore")))


def _tell(config: pytest.Config, name: str, value: str) -> None:
    before = os.environ.get(name)
    os.environ[name] = value

    def undo() -> None:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before

    config.add_cleanup(undo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """Show of a failed convergence test its diagram and no traceback through the kit."""
    report: Any = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if hasattr(error, "__crdtstore_failure__"):
        shown: Any = error
        seed = item.config.getoption("hypothesis_seed", None)
        files = list(shown.files)
        report.crdtstore = {"replay": shown.replay, "files": files, "seed": seed}  # xdist sends it
        if shown.__cause__ is None:
            report.longrepr = str(shown)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in the end how to play failures again, and where their diagrams are."""
    failed = [each for each in terminalreporter.getreports("failed") if hasattr(each, "crdtstore")]
    if not failed:
        return
    terminalreporter.section("convergence")
    for report in failed:
        about = report.crdtstore
        terminalreporter.write_line(report.nodeid)
        if about["seed"] is not None:
            terminalreporter.write_line(f"  seed:   {about['seed']}")
        for file in about["files"]:
            terminalreporter.write_line(f"  drawn:  {file}")
        if about["replay"]:
            terminalreporter.write_line(f"  replay: {about['replay']}")
