"""Hypothesis profiles, and the seed of a failing run.

``HYPOTHESIS_PROFILE`` or ``--hypothesis-profile`` chooses between ``default`` (a minute or two),
``ci`` and ``nightly`` (hours). Every run draws its own random seed, the same for all tests and
workers, so a failure is replayed with ``--hypothesis-seed``.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

EVERYWHERE = settings(
    deadline=None,  # two cores shared by workers say nothing about the speed of an example
    suppress_health_check=[HealthCheck.too_slow],  # for the same reason
    derandomize=False,
    print_blob=True,
)
settings.register_profile("default", EVERYWHERE, max_examples=100)
settings.register_profile("ci", EVERYWHERE, max_examples=200)
settings.register_profile("nightly", EVERYWHERE, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "default")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw the seed before Hypothesis reads the option; a worker takes its controller's.

    A shell lets what runs in the background ignore interrupts, and its children with it; some tests
    interrupt themselves or a child, so interrupts are heeded here as they are in the foreground.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.option.hypothesis_seed = config.workerinput["hypothesis_seed"]
    elif config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(secrets.randbits(32))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker of pytest-xdist."""
    node.workerinput["hypothesis_seed"] = node.config.option.hypothesis_seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names with addresses in them: workers that share the tests would not agree on them."""
    odd = [item.nodeid for item in items if re.search(r"0x[0-9a-f]{6}", item.nodeid)]
    if odd:
        raise pytest.UsageError(f"give these ids that are the same everywhere: {', '.join(odd)}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say after a failure how to get the same random examples again."""
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        seed = config.option.hypothesis_seed
        terminalreporter.section("random seed")
        terminalreporter.write_line(f"replay with: python3 run.py test --hypothesis-seed={seed}")
