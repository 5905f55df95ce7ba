"""Keys from a terminal, with the standard library only.

A terminal sends a key as a character or as a sequence that begins with ESC; over a slow line a
sequence may come in pieces, so what is unfinished is kept, and an ESC after which nothing comes for
a moment was the key itself. On Windows the console's own codes are read, by polling in a thread.
"""

from __future__ import annotations

import asyncio
import codecs
import importlib
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

__all__ = ["Decoder", "Keyboard", "decode_console"]

_ESCAPE_SECONDS = 0.1
_POLL_SECONDS = 0.03
_LONGEST = 16  # characters of a sequence; what is longer is none

_FINAL = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "H": "home",
    "F": "end",
    "Z": "backtab",
}
_NUMBERED = {"1": "home", "4": "end", "5": "pageup", "6": "pagedown", "7": "home", "8": "end"}
_PLAIN = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    " ": "space",
    "\x0c": "redraw",
}
_CONSOLE = {
    "H": "up",
    "P": "down",
    "M": "right",
    "K": "left",
    "G": "home",
    "O": "end",
    "I": "pageup",
    "Q": "pagedown",
    "\x0f": "backtab",
}


class Decoder:
    """Turns the bytes of a terminal into names of keys."""

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that are complete; characters that are no key stand for themselves."""
        self._held += self._text.decode(data)
        keys = []
        while self._held:
            key, used = _first(self._held)
            if not used:
                break
            self._held = self._held[used:]
            if key:
                keys.append(key)
        return keys

    @property
    def pending(self) -> bool:
        """Whether the beginning of a sequence waits for its rest."""
        return bool(self._held)

    def flush(self) -> list[str]:
        """Return what was held, as nothing came after it: ESC was the key."""
        rest, self._held = self._held[1:], ""
        return ["escape", *(self.feed(rest.encode()) if len(rest) > 1 else [])]


def _first(held: str) -> tuple[str, int]:
    """Return the first key and its length; 0 if more is needed, and ``""`` for none of ours."""
    if held[0] != "\x1b":
        key = _PLAIN.get(held[0], held[0])
        return (key if len(key) > 1 or key.isprintable() else ""), 1
    if len(held) == 1:
        return "", 0
    if held[1] == "O":
        return ("", 0) if len(held) == 2 else (_FINAL.get(held[2], ""), 3)
    if held[1] != "[":
        return ("escape", 1) if held[1] == "\x1b" else ("", 2)  # the second: Alt and a key
    for at in range(2, min(len(held), _LONGEST)):
        if "\x40" <= held[at] <= "\x7e":
            number = held[2:at].split(";")[0]
            key = _NUMBERED.get(number, "") if held[at] == "~" else _FINAL.get(held[at], "")
            return key, at + 1
    return ("", 0) if len(held) < _LONGEST else ("", _LONGEST)


def decode_console(first: str, read: Callable[[], str]) -> str:
    """Return the key of a Windows console, of which special ones come as two characters."""
    if first in ("\x00", "\xe0"):
        return _CONSOLE.get(read(), "")
    if first == "\x1b":
        return "escape"
    key = _PLAIN.get(first, first)
    return key if len(key) > 1 or key.isprintable() else ""


class Keyboard:
    """Calls ``take`` in the running event loop with every key, while the ``with`` block lasts.

    Keys are not echoed and need no Enter; Ctrl-C stays a signal. The terminal is as before after.
    """

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take
        self._decoder = Decoder()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._before: Any = None
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        if sys.platform == "win32":
            threading.Thread(target=self._poll, name="watch-keys", daemon=True).start()
        else:
            self.resume()
            self._loop.add_reader(sys.stdin.fileno(), self._read)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if sys.platform != "win32":
            self._loop.remove_reader(sys.stdin.fileno())
            self.suspend()
        if self._timer is not None:
            self._timer.cancel()

    def resume(self) -> None:
        """Take the terminal."""
        termios: Any = importlib.import_module("termios")  # Windows has none
        tty: Any = importlib.import_module("tty")
        descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor, termios.TCSADRAIN)

    def suspend(self) -> None:
        """Give the terminal back for a while."""
        termios: Any = importlib.import_module("termios")
        if self._before is not None:
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)
            self._before = None

    def _read(self) -> None:
        try:
            data = os.read(sys.stdin.fileno(), 1024)
        except OSError:  # the terminal is gone, and so is who watched
            data = b""
        if not data:
            self._loop.remove_reader(sys.stdin.fileno())
            self._take("q")
            return
        for key in self._decoder.feed(data):
            self._take(key)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._decoder.pending:
            self._timer = self._loop.call_later(_ESCAPE_SECONDS, self._flush)

    def _flush(self) -> None:
        for key in self._decoder.flush():
            self._take(key)

    def _poll(self) -> None:
        msvcrt: Any = importlib.import_module("msvcrt")
        while not self._ended.wait(_POLL_SECONDS):
            while msvcrt.kbhit():
                key = decode_console(msvcrt.getwch(), msvcrt.getwch)
                if key:
                    self._loop.call_soon_threadsafe(self._take, key)
