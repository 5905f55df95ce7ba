"""What a failing convergence test says, and the files it leaves behind.

Only the last, smallest history is drawn. Where the files go and which example is played again is
told by environment variables: ``pytest --crdtstore-artifacts`` and ``--crdtstore-replay`` set
them, and other test runners can as well.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crdtstore.testing.diagram import as_html, as_text
from crdtstore.testing.failure import ConvergenceError
from crdtstore.testing.history import History

__all__ = ["ARTIFACTS", "REPLAY", "drawn", "replay_line"]

ARTIFACTS = "CRDTSTORE_ARTIFACTS"
REPLAY = "CRDTSTORE_REPLAY"

_BLOB = re.compile(r"@reproduce_failure\('[^']*', b'([^']*)'\)")
_LONGEST = 2_000


def replay_line(notes: Sequence[str], seed: object) -> str:
    """Return one line that plays the failing example again; ``notes`` are Hypothesis' own."""
    blobs = [found[1] for note in notes for found in [_BLOB.search(note)] if found]
    blob = blobs[0] if blobs else os.environ.get(REPLAY)
    test = _current_test()
    if blob and len(blob) <= _LONGEST:
        if test:
            return f"pytest {shlex.quote(test)} --crdtstore-replay={blob}"
        return f"{REPLAY}={blob} {shlex.join(['python', *sys.orig_argv[1:]])}"
    if test and seed is not None:
        return f"pytest {shlex.quote(test)} --hypothesis-seed={seed}"
    return ""


def drawn(history: History, title: str, name: str, replay: str, hint: str = "") -> ConvergenceError:
    """Write a history to files, and return the error that shows it."""
    history = replace(history, replay=replay)
    folder = Path(os.environ.get(ARTIFACTS) or Path(tempfile.gettempdir(), "crdtstore"))
    stem = re.sub(r"[^\w.-]+", "_", _current_test() or name).strip("_")[-120:]
    files: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, text in ((".html", as_html(history)), (".json", history.to_json())):
            path = folder / (stem + suffix)
            path.write_text(text, encoding="utf-8")
            files.append(str(path.resolve()))
        where = "\n".join(f"         {file}" for file in files)
        where = f"drawn:   {where.strip()}"
    except OSError as error:  # a full disk is no reason to keep the failure back
        where = f"the diagram could not be written to {folder}: {error}"
    parts = [title, as_text(history).rstrip(), hint, where]
    message = "\n\n".join(part for part in parts if part)
    return ConvergenceError(message, history, files=tuple(files), replay=replay)


def _current_test() -> str:
    """Return what pytest calls the test that runs now."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
