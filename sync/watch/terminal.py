"""Running it: the connection, the keys and the screen in one event loop.

The screen is drawn when something changed, ten times a second at most, so a busy program costs a
slow line no more than a quiet one. Whatever ends it, the terminal is given back as it was. Needs
``rich``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.text import Text

from sync.watch.browser import Browser
from sync.watch.connection import Connection, Lost
from sync.watch.keys import Keyboard
from sync.watch.lanes import ASCII, UNICODE
from sync.watch.model import Model
from sync.watch.screen import Screen

__all__ = ["Frame", "watch"]

_DRAW_SECONDS = 0.1
_LOOK_SECONDS = 1.0  # between two looks at the size, where no signal tells that it changed


class Frame:
    """Lines from the upper left corner on, of which each replaces what was there."""

    def __init__(self, lines: Sequence[Text], width: int) -> None:
        self._lines = lines
        self._width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        clear = Control((ControlType.ERASE_IN_LINE, 0)).segment
        yield Control.home().segment
        for at, line in enumerate(self._lines):
            if at:
                yield Segment("\n")
            yield from line.render(console)
            if line.cell_len < self._width:  # behind the last column it would clear that one
                yield clear


async def watch(url: str, *, peer: str = "", slices: Sequence[str] = ()) -> None:
    """Show the feed at ``url`` until somebody ends it; raises ``Unreachable`` and ``FeedError``."""
    await _Watch(url, peer, slices).run()


class _Watch:
    def __init__(self, url: str, peer: str, slices: Sequence[str]) -> None:
        self.connection = Connection(url)
        self.browser = Browser(Model(), wanted=peer, slices=slices)
        self.console = Console(highlight=False, soft_wrap=True)
        marks = UNICODE if self.console.encoding.startswith("utf") else ASCII
        self.screen = Screen(self.browser, url, marks=marks)
        self.keyboard = Keyboard(self._key)
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        self.interrupted = False
        self.since: int | None = None
        self.size = (0, 0)

    async def run(self) -> None:
        # The screen is taken only when there is something to show: until then errors are plain.
        async with aclosing(self.connection.messages()) as messages:
            self._take(await anext(messages))
            with self._signals(), self._alternate(), self.keyboard:
                tasks = [
                    asyncio.create_task(self._listen(messages)),
                    asyncio.create_task(self._draw()),
                    asyncio.create_task(self.ended.wait()),
                ]
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in tasks:
                        task.cancel()
                    results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        if self.interrupted:
            raise KeyboardInterrupt

    async def _listen(self, messages: AsyncIterator[Any]) -> None:
        async for message in messages:
            self._take(message)
            await self._ask()

    def _take(self, message: Any) -> None:
        if isinstance(message, Lost):
            self.browser.disconnected()
            self.screen.problem = f"lost, trying again: {message.why}"
        else:
            news = self.browser.model.receive(message)
            self.browser.heed(news)
            self.screen.problem = ""
            self.since = news.ask_since if news.ask_since is not None else self.since
        self.changed.set()

    async def _ask(self) -> None:
        if self.since is not None:
            since, self.since = self.since, None
            await self.connection.send({"type": "since", "n": since})
        request = None if self.screen.problem else self.browser.request()
        if request is not None:
            await self.connection.send(request)

    async def _draw(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self.changed.wait(), _LOOK_SECONDS)
            except TimeoutError:
                if _size() == self.size:
                    continue
            self.changed.clear()
            self._paint()
            await self._ask()
            await asyncio.sleep(_DRAW_SECONDS)

    def _paint(self) -> None:
        size = _size()
        if size != self.size:
            self.size = size
            self.console.size = ConsoleDimensions(*size)
            self.console.control(Control.clear())
        self.console.print(Frame(self.screen.draw(*size), size[0]), end="")

    def _key(self, key: str) -> None:
        if key == "redraw":
            self.size = (0, 0)
        elif not self.browser.key(key):
            self.ended.set()
        self.changed.set()

    # The terminal

    @contextmanager
    def _alternate(self) -> Iterator[None]:
        """Draw on the other screen of the terminal, so that the shell's is as before after."""
        self._show(True)
        try:
            yield
        finally:
            self._show(False)

    def _show(self, on: bool) -> None:
        self.size = (0, 0)
        self.console.control(Control.alt_screen(on), Control.show_cursor(not on))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if sys.platform == "win32":
            yield
            return
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGWINCH: self.changed.set,
            signal.SIGTERM: self._interrupt,
            signal.SIGHUP: self._interrupt,
            signal.SIGTSTP: self._pause,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _interrupt(self) -> None:
        """End as Ctrl-C does."""
        self.interrupted = True
        self.ended.set()

    def _pause(self) -> None:
        """Give the terminal back while a shell has stopped this process (Ctrl-Z)."""
        if sys.platform != "win32":
            self.keyboard.suspend()
            self._show(False)
            os.kill(os.getpid(), signal.SIGSTOP)
            self.keyboard.resume()
            self._show(True)
            self.changed.set()


def _size() -> tuple[int, int]:
    """Return the columns and lines of the terminal itself: COLUMNS does not change with it."""
    try:
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        columns, lines = 0, 0
    return columns or 80, lines or 24
