"""The wheel and the source archive hold what they must, and the wheel works without the sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ["crdtstore", "sync"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both archives, built from a copy of the sources by the declared build backend."""
    folder = tmp_path_factory.mktemp("built")
    copy = folder / "sources"

    def ignored(folder: str, names: list[str]) -> set[str]:
        hidden = {name for name in names if name.startswith(".")} if Path(folder) == ROOT else set()
        return hidden | {"__pycache__"}

    shutil.copytree(ROOT, copy, ignore=ignored)
    shutil.copy(ROOT / ".gitignore", copy)
    script = (
        "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]));"
        "print(b.build_sdist(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        cwd=copy,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def sources(*packages: str) -> set[str]:
    """The files of some folders of the project, those that Python leaves behind excepted."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_two_packages_whole(built: dict[str, Path]) -> None:
    """Every file of crdtstore and sync is in the wheel, and nothing else but its metadata."""
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    code = {name for name in names if ".dist-info/" not in name}
    assert code == sources(*PACKAGES)
    assert {"crdtstore/py.typed", "sync/py.typed", "sync/PROTOCOL.md"} <= code
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def test_the_source_archive_holds_the_tests_too(built: dict[str, Path]) -> None:
    """Whoever packages the project further can run its tests from the source archive."""
    with tarfile.open(built["sdist"]) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    wanted = sources(*PACKAGES, "tests", "properties")
    wanted |= {"README.md", "LICENSE", "CHANGELOG.md", "conftest.py", "pyproject.toml", "run.py"}
    assert wanted <= names


def test_the_wheel_works_without_the_sources(built: dict[str, Path], tmp_path: Path) -> None:
    """Imported from the wheel alone, both packages and the command's entry point are there."""
    with zipfile.ZipFile(built["wheel"]) as wheel:
        wheel.extractall(tmp_path)
        metadata = next(n for n in wheel.namelist() if n.endswith("entry_points.txt"))
        assert "crdtstore = sync.cli:main" in wheel.read(metadata).decode()
    script = (
        "import crdtstore, sync, sync.cli;"
        "assert callable(sync.cli.main);"
        "print(crdtstore.__file__); print(sync.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [Path(line).parent.parent for line in done.stdout.splitlines()] == [tmp_path] * 2


def test_the_core_needs_pycrdt_and_msgpack_only() -> None:
    """Everything else is an extra, so installing the store stays cheap."""
    names = {text.split(">=")[0] for text in PROJECT["project"]["dependencies"]}
    assert names == {"msgpack", "pycrdt"}
