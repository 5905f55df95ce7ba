"""Python programs in processes of their own, which import what this one imports."""

from __future__ import annotations

import os
import subprocess
import sys

__all__ = ["run", "start"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def run(*arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; it fails the test if it fails."""
    ended = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=_environment(),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a program and leave it running."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
