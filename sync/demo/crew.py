"""The processes of the demo, as the director has them: started, heard, killed, and ended for sure.

Each runs ``python -m sync.demo.worker`` in a session of its own, so that Ctrl-C reaches only the
director. Threads read their answers into one queue. Whatever happens, leaving the ``with`` block
ends every process, by its own handle.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Crew", "CrewError", "Message"]

_GRACE_SECONDS = 5.0
_SOURCES = Path(__file__).resolve().parents[2]


class CrewError(Exception):
    """A process did not do what it was told to."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a process said; ``what`` is ``"ended"`` when it will say no more."""

    name: str
    pid: int
    what: str
    body: dict[str, Any]


class Crew:
    """The processes by name; ``folder`` has their files, ``tools`` is the port of their tools."""

    def __init__(self, folder: Path, tools: int | None = None) -> None:
        self.folder = folder
        self.tools = tools
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._started: list[subprocess.Popen[bytes]] = []
        self._listeners: list[threading.Thread] = []
        self._heard: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def start(self, name: str, epoch: int) -> int:
        """Start a process with its store, and return its id; ``epoch`` is when all began, in ms."""
        paths = [str(_SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sync.demo.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
            )
        self._processes[name] = process
        self._started.append(process)
        listener = threading.Thread(
            target=self._listen, args=(name, process), name=f"demo-{name}", daemon=True
        )
        listener.start()
        self._listeners.append(listener)
        path = str(self.folder / f"{name}.db")
        self._write(name, {"name": name, "path": path, "epoch": epoch, "tools": self.tools})
        return process.pid

    def _listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith(b"\n"):  # a killed process may leave half a line
                body = json.loads(line)
                self._heard.put(Message(name, process.pid, body.pop("is"), body))
        self._heard.put(Message(name, process.pid, "ended", {}))

    def tell(self, name: str, order: str, /, **more: Any) -> None:
        """Give an order; raises ``CrewError`` if nobody takes it."""
        self._write(name, {"do": order, **more})

    def _write(self, name: str, order: dict[str, Any]) -> None:
        pipe = self._processes[name].stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps(order).encode() + b"\n")
            pipe.flush()
        except OSError as error:
            raise CrewError(f"{name} takes no orders any more; {self.last_words(name)}") from error

    def hear(self, seconds: float) -> Message | None:
        """Return the next thing that somebody said, or nothing after so many seconds."""
        try:
            return self._heard.get(timeout=seconds)
        except queue.Empty:
            return None

    def kill(self, name: str) -> None:
        """End a process at once (SIGKILL), and wait until it is gone."""
        process = self._processes[name]
        process.kill()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            raise CrewError(f"{name} is not gone {_GRACE_SECONDS:.0f} s after kill -9") from None

    def last_words(self, name: str) -> str:
        """Return how a process ended and what it wrote last to its log, for error messages."""
        code = self._processes[name].poll()
        state = "it still runs" if code is None else f"it ended with exit code {code}"
        log = (self.folder / f"{name}.log").read_text("utf-8", "replace").strip()
        return f"{state}; its log ends: …{log[-1500:]}" if log else f"{state}; its log is empty"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._dismiss()
        finally:
            for process in self._started:
                process.kill()
            for process in self._started:
                process.wait()
            for thread in self._listeners:
                thread.join()
            for process in self._started:
                for pipe in (process.stdin, process.stdout):
                    assert pipe is not None
                    with suppress(OSError):  # what nobody read is not wanted any more
                        pipe.close()

    def _dismiss(self) -> None:
        """Let everybody close their files; they do so when their orders end."""
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in self._processes.values():
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
        for process in self._processes.values():
            # Whoever takes longer is killed: the files are as safe as after any kill.
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
