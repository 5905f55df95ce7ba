"""Puts the built Redux DevTools app into wheels, where the builder asks for it.

With ``CRDTSTORE_BUILD_UI=1`` in the environment the app is built with Node and npm, and building
the wheel fails if that does; without, a wheel has no app and building it needs neither.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SWITCH = "CRDTSTORE_BUILD_UI"
PLACE = "sync/devtools/redux"


class AppHook(BuildHookInterface[Any]):
    """Builds ``sync/devtools/ui`` beside the tree and has the result included."""

    _built: Path | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the app, if asked to and for a wheel that is no editable one."""
        if os.environ.get(SWITCH, "0") in {"", "0"} or version == "editable":
            return
        node = shutil.which("node")
        if node is None:
            raise RuntimeError(f"{SWITCH} is set, and there is no node on the PATH")
        self._built = Path(tempfile.mkdtemp(prefix="crdtstore-redux-"))
        script = Path(self.root, "sync", "devtools", "ui", "build.mjs")
        subprocess.run([node, str(script), str(self._built)], check=True)
        build_data["force_include"][str(self._built)] = PLACE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built beside the tree: it is in the wheel now."""
        if self._built is not None:
            shutil.rmtree(self._built, ignore_errors=True)
