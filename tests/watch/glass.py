"""A terminal made of a pseudo-terminal and just enough of an emulator to read the screen from."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.cells import cell_len

from tests.watch.feed import PATIENCE

_SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Glass:
    """Runs a program in a terminal of its own; ``screen`` is what one sees there."""

    def __init__(
        self, program: Sequence[str], environment: Mapping[str, str], size: tuple[int, int]
    ) -> None:
        self.columns, self.lines = size
        self.alternate = False
        self.cursor = True
        self.codes: set[str] = set()
        self.shell: list[str] = []
        self._held = ""
        self._clear()
        self._master, slave = pty.openpty()
        self.slave = os.dup(slave)
        self._resize()
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(
            program,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(environment),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0) and None,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self.slave)

    def type(self, keys: str) -> None:
        """Send keys as the terminal would."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Make the window another size; the kernel tells the program."""
        self.columns, self.lines = columns, lines
        self._clear()
        self._resize()

    def until(self, fits: Callable[[list[str]], Any]) -> list[str]:
        """Read until the screen fits, and return its lines."""
        deadline = time.monotonic() + PATIENCE
        while not fits(self.screen()):
            left = deadline - time.monotonic()
            assert left > 0, "\n".join(["not in time:", *self.screen(), *self.shell])
            ready, _, _ = select.select([self._master], [], [], min(left, 1.0))
            if ready:
                self._take()
        return self.screen()

    def sees(self, *words: str) -> list[str]:
        """Read until all these words are somewhere on the screen."""
        return self.until(lambda screen: all(any(w in line for line in screen) for w in words))

    def ends(self) -> int:
        """Read all that comes until the program has ended, and return its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.screen()
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if ready:
                self._take()
        while select.select([self._master], [], [], 0)[0]:
            if not self._take():
                break
        return self.process.returncode

    def screen(self) -> list[str]:
        """Return the lines, without the spaces at their ends."""
        return ["".join(line).rstrip() for line in self._grid]

    def settings(self) -> list[Any]:
        """Return how the terminal treats keys now."""
        return termios.tcgetattr(self.slave)

    # What programs send

    def _resize(self) -> None:
        size = struct.pack("HHHH", self.lines, self.columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _clear(self) -> None:
        self._grid = [[" "] * self.columns for _ in range(self.lines)]
        self._row = self._column = 0

    def _take(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody holds the other end
            return False
        self._held += data.decode(errors="ignore")
        while self._held:
            if self._held[0] != "\x1b":
                self._put(self._held[0])
                self._held = self._held[1:]
                continue
            found = _SEQUENCE.match(self._held)
            if found is None:
                assert len(self._held) < 20, f"unknown sequence: {self._held[:20]!r}"
                break
            self._held = self._held[found.end() :]
            self._obey(found[1], found[2])
        return True

    def _put(self, letter: str) -> None:
        if not self.alternate:
            if letter == "\n":
                self.shell.append("")
            elif letter != "\r":
                self.shell = [*self.shell[:-1], (self.shell or [""])[-1] + letter]
            return
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            assert self._row < self.lines - 1, "it scrolled"
            self._row += 1
        elif self._row < self.lines and self._column < self.columns:
            width = cell_len(letter)
            self._grid[self._row][self._column] = letter
            for at in range(1, width):
                self._grid[self._row][self._column + at] = ""
            self._column += width

    def _obey(self, arguments: str, final: str) -> None:
        if final == "H":
            self._row = self._column = 0
        elif final == "J":
            self._grid = [[" "] * self.columns for _ in range(self.lines)]
        elif final == "K":
            self._grid[self._row][self._column :] = [" "] * (self.columns - self._column)
        elif final == "m":
            self.codes.update(arguments.split(";"))
        elif arguments == "?1049":
            self.alternate = final == "h"
            self._clear()
        elif arguments == "?25":
            self.cursor = final == "h"
        else:
            raise AssertionError(f"unknown sequence {arguments}{final}")


def on_this_python(code: str, *arguments: str) -> list[str]:
    """A program for a terminal."""
    return [sys.executable, "-c", code, *arguments]


def stopped(pid: int) -> bool:
    """Wait until a child has stopped, and tell whether it has."""
    _, status = os.waitpid(pid, os.WUNTRACED)
    return os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP
