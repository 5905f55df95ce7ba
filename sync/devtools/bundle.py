"""Where the built Redux DevTools app is, and how it is built where Node is present.

It is built from the packages that ``ui/package-lock.json`` names by hash, either into a wheel
(``hatch_build.py``) or into a cache folder, whose name is a hash of all that it is built from: a
folder that is there is whole and right, because it got its name when it was, in one step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from crdtstore import CrdtstoreError

__all__ = ["FILES", "BundleError", "build", "cache", "find"]

FILES = ("THIRD_PARTY_LICENSES.txt", "app.css", "app.js", "icon.svg", "index.html")
"""What a built folder has; some of them also compressed, with ``.gz`` after the name."""

_HERE = Path(__file__).resolve().parent
_SOURCES = _HERE / "ui"
_PACKAGED = _HERE / "redux"  # only in wheels
_PATIENCE = 900.0  # seconds that one build may take, or that we wait for another's


class BundleError(CrdtstoreError, RuntimeError):
    """The Redux DevTools app could not be built; the message says what is missing."""


def find() -> Path | None:
    """Return the folder of the built app, or ``None`` if it has not been built."""
    for folder in (_PACKAGED, cache()):
        if all((folder / name).is_file() for name in FILES):
            return folder
    return None


def cache() -> Path:
    """Return the folder in which ``build`` leaves the app, whether it is there or not."""
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    digest = hashlib.sha256()
    for path in sorted(p for p in _SOURCES.iterdir() if p.is_file() and p.suffix):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return Path(home) / "crdtstore" / f"redux-devtools-{digest.hexdigest()[:16]}"


def build(log: Callable[[str], object] = print) -> Path:
    """Return the folder of the built app, and build it first unless that has been done.

    ``log`` is given lines for people. Who builds at the same time, in another process, is waited
    for. Takes half a minute and 250 MB of disk, of which 3 MB stay. Raises BundleError.
    """
    found = find()
    if found is not None:
        return found
    target = cache()
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = " and ".join(n for n, p in (("node", node), ("npm", npm)) if p is None)
        raise BundleError(
            f"Redux DevTools is built with Node, and there is no {missing} on the PATH. Install "
            "Node 18 or newer with npm and try again, or use the timeline page, which needs "
            "nothing"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.with_suffix(".lock")):
            found = find()
            if found is None:
                log(f"building Redux DevTools into {target} (once; about half a minute)")
                _build(node, target, log)
                found = target
            return found
    except (OSError, sqlite3.Error) as error:
        raise BundleError(f"Redux DevTools could not be built in {target}: {error}") from error


def _build(node: str, target: Path, log: Callable[[str], object]) -> None:
    out = Path(tempfile.mkdtemp(prefix="building-", dir=target.parent))
    try:
        done = subprocess.run(
            [node, str(_SOURCES / "build.mjs"), str(out)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_PATIENCE,
        )
        if done.returncode != 0:
            raise BundleError(f"Redux DevTools was not built:\n{done.stdout.strip()[-2000:]}")
        log(done.stdout.strip())
        missing = [name for name in FILES if not (out / name).is_file()]
        if missing:
            raise BundleError(f"Redux DevTools was not built whole; missing: {', '.join(missing)}")
        out.chmod(0o755)
        if target.exists():  # part of one, which find() did not take: somebody removed files
            shutil.rmtree(target)
        out.rename(target)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"building Redux DevTools took over {_PATIENCE:g} s") from error
    finally:
        shutil.rmtree(out, ignore_errors=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in here; one that died does not count, on any system."""
    with closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield
