"""The subcommand ``crdtstore watch``: its arguments, what it needs, and its exit codes."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from sync.watch.model import FeedError

__all__ = ["DEFAULT_URL", "add"]

DEFAULT_URL = "ws://127.0.0.1:8000/feed"


def add(commands: Any) -> None:
    """Add ``watch`` to the subcommands of a parser (what ``add_subparsers`` returns)."""
    watch: argparse.ArgumentParser = commands.add_parser(
        "watch",
        help="what a running program's stores do, in this terminal",
        description=(
            "Shows the actions of one peer as they come, with a timeline of all peers beside them: "
            "what was concurrent with what, what conflicted, and how far each peer is. Watches a "
            "running program that has sync.DevTools(store); over SSH, run it where the program "
            "runs. Keys: ? shows them. Without a terminal, or without the extra 'cli' (rich), it "
            "is one line an event."
        ),
    )
    watch.add_argument(
        "url",
        nargs="?",
        default=DEFAULT_URL,
        metavar="URL",
        help=f"where the DevTools are, also as PORT or HOST:PORT ({DEFAULT_URL})",
    )
    watch.add_argument(
        "--peer", default="", metavar="NAME", help="the peer to show, by name or by id (the first)"
    )
    watch.add_argument(
        "--slices",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        help="only what concerns these slices",
    )
    watch.add_argument("--plain", action="store_true", help="one line an event, and no keys")
    watch.set_defaults(command=_watch)


def _watch(arguments: argparse.Namespace) -> int:
    if importlib.util.find_spec("websockets") is None:
        return _fail('websockets is not installed: pip install "crdtstore[devtools]"')
    # Imported only where they are installed: websockets and rich are extras.
    connection = importlib.import_module("sync.watch.connection")
    try:
        url = connection.url_of(arguments.url)
    except ValueError as error:
        return _fail(str(error), 2)
    slices = [name for given in arguments.slices for name in given.split(",") if name]
    run = _runner(plain=arguments.plain)
    try:
        asyncio.run(run(url, peer=arguments.peer, slices=slices))
    except connection.Unreachable as error:
        return _fail(str(error))
    except FeedError as error:
        return _fail(f"what answers at {url} is no feed that can be watched: {error}")
    except BrokenPipeError:  # who read the lines has enough of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _runner(*, plain: bool) -> Callable[..., Coroutine[Any, Any, None]]:
    """Return what shows a feed here: the screen, if there is a terminal that can show one."""
    able = (
        not plain
        and sys.stdin.isatty()
        and sys.stdout.isatty()
        and os.environ.get("TERM", "") not in ("dumb", "unknown")
        and importlib.util.find_spec("rich") is not None
    )
    name, function = ("terminal", "watch") if able else ("plain", "follow")
    run: Callable[..., Coroutine[Any, Any, None]] = getattr(
        importlib.import_module(f"sync.watch.{name}"), function
    )
    return run


def _fail(text: str, code: int = 1) -> int:
    print(f"crdtstore watch: {text}", file=sys.stderr)
    return code
