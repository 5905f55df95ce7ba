"""sync.devtools.bundle: what the Redux DevTools app is built from, and where it is built to."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sync.devtools import bundle

UI = Path(bundle.__file__).parent / "ui"


def package() -> dict[str, dict[str, str]]:
    return json.loads((UI / "package.json").read_text("utf-8"))


def lock() -> dict[str, dict[str, object]]:
    return json.loads((UI / "package-lock.json").read_text("utf-8"))["packages"]


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing was built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setattr(bundle, "_PACKAGED", tmp_path / "no wheel")
    return tmp_path


@pytest.fixture
def built_by(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> object:
    """Have ``build`` run a program of ours instead of Node, with the script and OUT."""

    def use(program: str) -> None:
        script = empty_cache / "builder.py"
        script.write_text(f"import pathlib, sys\nout = pathlib.Path(sys.argv[2])\n{program}\n")
        fake = empty_cache / "node"
        fake.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        fake.chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda name: str(fake))

    return use


WHOLE = f"""
for name in {bundle.FILES!r}:
    (out / name).write_text(name)
with open({{log!r}}, "a") as log:
    log.write("built\\n")
print("done")
"""


def test_every_package_is_pinned_exactly() -> None:
    """What is bundled is one version each, and the lock was made from these pins."""
    pins = package()["dependencies"] | package()["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in pins.values())
    for name, version in pins.items():
        assert lock()[f"node_modules/{name}"]["version"] == version
    assert pins["@redux-devtools/app"] == "8.0.0"


def test_the_lock_names_hashes_and_no_addresses() -> None:
    """Whatever registry somebody's npm asks, it must give the same bytes."""
    packages = {name: about for name, about in lock().items() if name}
    assert len(packages) > 100
    assert [
        n for n, a in packages.items() if not str(a.get("integrity")).startswith("sha512-")
    ] == []
    assert [n for n, a in packages.items() if "resolved" in a] == []


def test_nothing_is_found_where_nothing_was_built(empty_cache: Path) -> None:
    """A machine without the app has none, rather than part of one."""
    assert bundle.find() is None
    bundle.cache().mkdir(parents=True)
    (bundle.cache() / "index.html").write_text("only this")
    assert bundle.find() is None


def test_the_app_of_a_wheel_comes_first(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wheel has the app, nothing needs to be built."""
    packaged = empty_cache / "packaged"
    packaged.mkdir()
    for name in bundle.FILES:
        (packaged / name).write_text("")
    monkeypatch.setattr(bundle, "_PACKAGED", packaged)
    assert bundle.find() == packaged
    assert bundle.build() == packaged


def test_another_source_is_another_folder(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A changed lock or entry is built anew, and never mixed with what was built before."""
    before = bundle.cache()
    copy = tmp_path / "ui"
    shutil.copytree(UI, copy)
    monkeypatch.setattr(bundle, "_SOURCES", copy)
    assert bundle.cache() == before
    (copy / "package-lock.json").write_text("{}")
    assert bundle.cache() != before


def test_without_node_it_says_what_to_install(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names what is missing and what works without it."""
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/node" if name == "node" else None)
    with pytest.raises(bundle.BundleError, match=r"there is no npm on the PATH.*timeline"):
        bundle.build()
    assert list(empty_cache.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for Node with a shell script")
class TestBuilding:
    """The steps round Node, with a program of ours in its place."""

    def test_it_is_built_once(self, built_by: object, empty_cache: Path) -> None:
        """The second time it is there; what was told of the first is what the script printed."""
        log = empty_cache / "log"
        built_by(WHOLE.format(log=str(log)))  # type: ignore[operator]
        said: list[str] = []
        folder = bundle.build(said.append)
        assert bundle.find() == folder == bundle.cache()
        assert said[-1] == "done"
        assert bundle.build(said.append) == folder
        assert log.read_text() == "built\n"

    def test_who_builds_at_the_same_time_waits(self, built_by: object, empty_cache: Path) -> None:
        """Of four that need it at once, one builds."""
        log = empty_cache / "log"
        built_by(WHOLE.format(log=str(log)))  # type: ignore[operator]
        got: list[Path] = []
        threads = [
            threading.Thread(target=lambda: got.append(bundle.build(lambda _: None)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert got == [bundle.cache()] * 4
        assert log.read_text() == "built\n"

    @pytest.mark.parametrize(
        ("program", "message"),
        [
            ("sys.exit('the disk is full')", "the disk is full"),
            ("(out / 'app.js').write_text('')", "missing: THIRD_PARTY_LICENSES.txt, app.css"),
        ],
    )
    def test_what_failed_leaves_nothing(
        self, built_by: object, empty_cache: Path, program: str, message: str
    ) -> None:
        """A build that fails, or forgets a file, says so and leaves no folder behind."""
        built_by(program)  # type: ignore[operator]
        with pytest.raises(bundle.BundleError, match=message):
            bundle.build(lambda _: None)
        assert bundle.find() is None
        assert [p for p in (empty_cache / "crdtstore").iterdir() if p.is_dir()] == []

    def test_a_folder_with_a_missing_file_is_made_anew(
        self, built_by: object, empty_cache: Path
    ) -> None:
        """Somebody who clears half a cache gets it back."""
        built_by(WHOLE.format(log=str(empty_cache / "log")))  # type: ignore[operator]
        folder = bundle.build(lambda _: None)
        (folder / "app.js").unlink()
        assert bundle.find() is None
        assert bundle.build(lambda _: None) == folder
        assert (folder / "app.js").is_file()


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_script_says_how_it_is_called() -> None:
    """Called without a folder, it builds nowhere."""
    done = subprocess.run(
        ["node", str(UI / "build.mjs")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "usage: node build.mjs OUT" in done.stderr
