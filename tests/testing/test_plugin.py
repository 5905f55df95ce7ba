"""What pytest shows of a convergence test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAILING = """
from hypothesis import settings
from crdtstore.testing import convergence_test
from tests.testing.samples import never_below_zero, quick, shop

test_shop = convergence_test([shop], invariants=[never_below_zero], settings=quick)
test_right = convergence_test([shop], settings=settings(quick, max_examples=5))
"""


def pytest_run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, with this plugin and Hypothesis' only."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    for name in [name for name in environment if name.startswith("CRDTSTORE_")]:
        del environment[name]
    plugins = ["-p", "_hypothesis_pytestplugin", "-p", "crdtstore.testing.plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-W", "error", *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a failing test, and what pytest said of it."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "test_shop.py").write_text(FAILING, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    done = pytest_run(folder, "-v", "--crdtstore-artifacts=out", "--hypothesis-seed=7")
    return folder, done.stdout + done.stderr


def test_pytest_collects_the_functions_under_their_names(failed: tuple[Path, str]) -> None:
    """They are tests of the module they are assigned in."""
    _, said = failed
    assert re.search(r"^test_shop\.py::test_shop FAILED", said, re.MULTILINE), said
    assert re.search(r"^test_shop\.py::test_right PASSED", said, re.MULTILINE), said


def test_the_diagram_stands_alone(failed: tuple[Path, str]) -> None:
    """No traceback through the kit or Hypothesis surrounds it."""
    _, said = failed
    assert "never_below_zero at A: assert" in said
    assert "sold(pieces=1)" in said
    assert "Traceback" not in said
    assert "convergence.py" not in said


def test_the_summary_says_seed_files_and_replay(failed: tuple[Path, str]) -> None:
    """In the end stand the seed, where the files are, and the line that replays it."""
    folder, said = failed
    summary = said.partition(" convergence ")[2]
    assert "test_shop.py::test_shop\n" in summary
    assert "  seed:   7" in summary
    for suffix in ("html", "json"):
        path = folder / "out" / f"test_shop.py_test_shop.{suffix}"
        assert f"  drawn:  {path}" in summary
        assert path.is_file()
    assert "  replay: pytest test_shop.py::test_shop --crdtstore-replay=" in summary


def test_the_replay_line_replays(failed: tuple[Path, str]) -> None:
    """Its words, given to pytest, show the same failure of that test only."""
    folder, said = failed
    found = re.search(r"replay: pytest (\S+) (--crdtstore-replay=\S+)", said)
    assert found is not None
    again = pytest_run(folder, *found.groups())
    assert "1 failed" in again.stdout
    assert "never_below_zero at A: assert" in again.stdout
    cached = folder / ".pytest_cache" / "d" / "crdtstore" / "test_shop.py_test_shop.html"
    assert str(cached) in again.stdout, "without the option, files go to pytest's cache"
    assert cached.is_file()


def test_the_plugin_imports_nothing() -> None:
    """Those who have no convergence tests load neither Hypothesis nor the store for it."""
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('plugin', {str(PLUGIN)!r})\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print(sorted({'hypothesis', 'pycrdt', 'crdtstore'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


PLUGIN = ROOT / "crdtstore" / "testing" / "plugin.py"


def test_key_of_needs_no_hypothesis() -> None:
    """A program may mark its reducers without loading what only tests need."""
    script = (
        "import sys\n"
        "sys.modules['hypothesis'] = None\n"
        "from crdtstore.testing import History, kept, key_of\n"
        "import crdtstore.testing\n"
        "try:\n"
        "    crdtstore.testing.convergence_test\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert 'pip install "crdtstore[testing]"' in done.stdout, done.stderr
