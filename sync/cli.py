"""The command ``crdtstore``; each subcommand is a function that takes the parsed arguments."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import platform
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from sync.demo.director import DemoError, Options, run
from sync.demo.screen import PlainScreen, Screen
from sync.demo.script import FEWEST_EACH, MOST_PEERS
from sync.devtools import command as devtools
from sync.watch import command as watch

__all__ = ["main"]

_LIVE_PACE = 1.2  # seconds a part of the demo takes at least, for people to follow
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with ``argv`` (``sys.argv`` by default) and return its exit code.

    0 is success, 1 a failure of what was asked for, 2 a wrong call, 130 Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows few characters is no reason
            stream.reconfigure(errors="replace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    command: Callable[[argparse.Namespace], int] | None = getattr(arguments, "command", None)
    if command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return command(arguments)
    except KeyboardInterrupt:
        print("crdtstore: interrupted; everything it had started was stopped", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crdtstore", description="Redux Toolkit for Python, without a centre."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="watch processes edit offline, get killed, and lose nothing",
        description=(
            "Processes share a board, each with a file of its own. The cables between them are "
            "cut, one is killed with kill -9 while it writes and is started again, the cables come "
            "back, and an account of every action is held against what each of them has in the "
            "end. Exits with 1 unless everything is accounted for."
        ),
    )
    demo.add_argument(
        "--peers", type=int, default=3, metavar="N", help=f"processes, 2 to {MOST_PEERS} (3)"
    )
    demo.add_argument(
        "--actions",
        type=int,
        default=300,
        metavar="N",
        help=f"what they do together, {FEWEST_EACH} a peer at least (300)",
    )
    demo.add_argument(
        "--seed", type=int, metavar="N", help="play the same script again (default: a random one)"
    )
    demo.add_argument("--plain", action="store_true", help="lines of text, and no waiting")
    demo.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the database files, in a new or empty folder"
    )
    demo.add_argument(
        "--devtools",
        action="store_true",
        help="show it in a browser as well: the timeline, and Redux DevTools",
    )
    demo.add_argument(
        "--port", type=int, default=8000, metavar="N", help="of --devtools; 0 for a free one (8000)"
    )
    demo.set_defaults(command=_demo)
    devtools.add(commands)
    watch.add(commands)
    return parser


def _version() -> str:
    try:
        version = importlib.metadata.version("crdtstore")
    except importlib.metadata.PackageNotFoundError:
        version = "(not installed: run from its sources)"
    engine = importlib.metadata.version("pycrdt")
    return f"crdtstore {version}, pycrdt {engine}, Python {platform.python_version()}"


def _demo(arguments: argparse.Namespace) -> int:
    seed = secrets.randbelow(10_000) if arguments.seed is None else arguments.seed
    screen = _screen(arguments.actions, plain=arguments.plain)
    pace = 0.0 if isinstance(screen, PlainScreen) else _LIVE_PACE
    port = arguments.port if arguments.devtools else None
    options = Options(arguments.peers, arguments.actions, seed, arguments.keep, pace, port)
    again = f"crdtstore demo --peers {options.peers} --actions {options.actions} --seed {seed}"
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        good = run(options, screen)
    except ValueError as error:
        print(f"crdtstore demo: {error}", file=sys.stderr)
        return 2
    except (DemoError, OSError) as error:
        print(f"crdtstore demo: {error}\nThe same script again: {again}", file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"\nThe same script again: {again}")
    return 0 if good else 1


def _screen(actions: int, *, plain: bool) -> Screen:
    if plain or not sys.stdout.isatty() or importlib.util.find_spec("rich") is None:
        return PlainScreen(sys.stdout)
    # Imported only where it is installed: rich is an extra.
    screen: Screen = importlib.import_module("sync.demo.live").LiveScreen(actions)
    return screen


def _terminate(number: int, frame: object) -> NoReturn:
    """End as Ctrl-C does, so that no process stays behind."""
    raise KeyboardInterrupt
