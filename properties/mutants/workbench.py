"""A copy of the sources in a temporary folder, where one mutant after the other is tried out.

The copy is what is imported: it is the working directory, pytest's root and the head of
``PYTHONPATH``, so that programs which tests start see the mistake too. Each mutant's module is
written back before the next one; its bytecode is never kept, since two texts of one length, written
within one second, have the same stamp.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from properties.mutants.mutant import ROOT, Mutant
from properties.mutants.witness import ENDED, FAILED, STARTED, WITNESS

__all__ = ["Outcome", "Workbench"]

PARTS = ("crdtstore", "sync", "tests", "properties", "conftest.py", "pyproject.toml")
TEST_SECONDS = 60
RUN_SECONDS = 600
SEED = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run of tests went: ``killer`` is the first test that failed, ``""`` if none did."""

    killer: str
    seconds: float
    output: str = ""

    @property
    def killed(self) -> bool:
        """Whether a test noticed anything."""
        return bool(self.killer)


class Workbench:
    """One copy of the sources at ``root``, for one thread; ``close`` it, or use ``with``.

    A test that takes longer than ``test_seconds`` hangs, and so does a run longer than
    ``run_seconds``.
    """

    def __init__(
        self,
        root: Path = ROOT,
        *,
        test_seconds: float = TEST_SECONDS,
        run_seconds: float = RUN_SECONDS,
    ) -> None:
        self._test_seconds = test_seconds
        self._run_seconds = run_seconds
        self._process: subprocess.Popen[str] | None = None
        self._temporary = tempfile.TemporaryDirectory(prefix="mutants-")
        folder = Path(self._temporary.name)
        self.copy = folder / "copy"
        self._witness = folder / "witness"
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        self.copy.mkdir()
        for part in PARTS:
            if (root / part).is_dir():
                shutil.copytree(root / part, self.copy / part, ignore=ignored)
            else:
                shutil.copy2(root / part, self.copy / part)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def stop(self) -> None:
        """End the run that is under way, if any; from any thread."""
        if self._process is not None:
            _end(self._process)

    def close(self) -> None:
        """Delete the copy."""
        self._temporary.cleanup()

    def run(self, tests: Sequence[str], mutant: Mutant | None = None) -> Outcome:
        """Run test files up to the first failure, on sound code or on that of a mutant.

        Raises ``StaleMutantError`` if the mutant does not fit the sources.
        """
        with self._mistaken(mutant) if mutant else contextlib.nullcontext():
            return self._run(tests, keep_bytecode=mutant is None)

    @contextlib.contextmanager
    def _mistaken(self, mutant: Mutant) -> Iterator[None]:
        path = self.copy / mutant.path
        sound = path.read_text(encoding="utf-8")
        path.write_text(mutant.applied(sound), encoding="utf-8")
        try:
            self._forget_bytecode(path)
            yield
        finally:
            path.write_text(sound, encoding="utf-8")
            self._forget_bytecode(path)

    def _forget_bytecode(self, path: Path) -> None:
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()

    def _run(self, tests: Sequence[str], *, keep_bytecode: bool) -> Outcome:
        self._witness.write_text("", encoding="utf-8")
        began = time.monotonic()
        # A session of its own: whatever the tests have started ends with it.
        process = self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "--no-header"),
                *("-p", "no:cacheprovider", "-p", "properties.mutants.witness"),
                *("--hypothesis-seed", str(SEED), "--timeout", str(self._test_seconds)),
                *tests,
            ],
            cwd=self.copy,
            env=self._environment(keep_bytecode),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        late = False
        try:
            output, _ = process.communicate(timeout=self._run_seconds)
        except subprocess.TimeoutExpired:
            late = True
        finally:
            _end(process)
        if late:
            output, _ = process.communicate()
        self._process = None
        seconds = time.monotonic() - began
        return Outcome(self._killer(process.returncode, output, late=late), seconds, output)

    def _environment(self, keep_bytecode: bool) -> dict[str, str]:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(self.copy), os.environ.get("PYTHONPATH")])
            ),
            "PYTHONHASHSEED": "0",
            "HYPOTHESIS_PROFILE": "default",
            WITNESS: str(self._witness),
        }
        for name in list(environment):  # of a run of pytest that runs this, perhaps in a worker
            if name.startswith("PYTEST_") or name == "PYTHONPYCACHEPREFIX":
                del environment[name]
        environment["PYTHONDONTWRITEBYTECODE"] = "" if keep_bytecode else "1"
        return environment

    def _killer(self, code: int, output: str, *, late: bool) -> str:
        """Tell what ended the run, if not the end of the tests."""
        started, failed, ended = "the start", "", False
        for line in self._witness.read_text(encoding="utf-8").splitlines():
            if line.startswith(STARTED):
                started = line.removeprefix(STARTED)
            elif line.startswith(FAILED):
                failed = failed or line.removeprefix(FAILED)
            ended = ended or line == ENDED
        if failed:
            return f"{failed} (hangs)" if "from pytest-timeout" in output else failed
        if late or "+ Timeout +" in output:
            return f"{started} (hangs)"
        if code < 0:
            return f"{started} (dies: {signal.Signals(-code).name})"
        return f"{started} (ends with {code})" if code or not ended else ""


def _end(process: subprocess.Popen[str]) -> None:
    """End a run and all that it started, which is a process group of its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
