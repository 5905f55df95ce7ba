"""What type checkers see: the files of tests/typing, checked by mypy --strict and by pyright.

Those files say what they expect with ``assert_type``; a line that must be refused carries
``# type: ignore[code]``, and both checkers complain about such a comment where nothing is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "tests" / "typing").glob("*.py"))

CHECKERS = {
    "mypy": ["mypy", "--strict", "--no-incremental", "--cache-dir", os.devnull],
    "pyright": ["pyright", "--warnings", "--pythonpath", sys.executable],
}


def check(checker: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run one checker over some files with the project's settings, which it finds in its folder."""
    return subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_there_are_files_to_check() -> None:
    """The public types are pinned somewhere."""
    assert FILES


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_public_types_are_as_pinned(checker: str) -> None:
    """Every ``assert_type`` holds, every expected refusal happens, and nothing else is found."""
    done = check(checker, FILES)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


WRONG = {
    "a type that is not so": "from typing import assert_type\n\nassert_type(len(''), str)\n",
    "an untyped name": "def f(x):\n    return x\n",
    "a refusal that does not happen": "x: int = 1  # type: ignore[assignment]\n",
    "a package without its types": "import crdtstore\n\ncrdtstore.there_is_no_such_name\n",
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("checker", CHECKERS)
def test_a_wrong_expectation_is_noticed(checker: str, wrong: str, tmp_path: Path) -> None:
    """Each checker runs for real and with strict settings: it refuses what is wrong."""
    file = tmp_path / "wrong.py"
    file.write_text(WRONG[wrong], "utf-8")
    done = check(checker, [file])
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert "wrong.py:" in done.stdout
