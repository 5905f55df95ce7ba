"""Where the diagrams of tests that fail on purpose go, and how those tests are searched."""

from __future__ import annotations

from pathlib import Path

import pytest

from crdtstore.testing.report import ARTIFACTS, REPLAY


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own."""
    folder = tmp_path / "artifacts"
    monkeypatch.setenv(ARTIFACTS, str(folder))
    monkeypatch.delenv(REPLAY, raising=False)
    return folder
