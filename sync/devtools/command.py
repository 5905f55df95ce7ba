"""The subcommand ``crdtstore devtools``: its arguments, what it needs, and its exit codes."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import signal
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any

from crdtstore import CrdtstoreError
from sync.devtools import bundle

__all__ = ["add"]

_PORT = 8000


def add(commands: Any) -> None:
    """Add ``devtools`` to the subcommands of a parser (what ``add_subparsers`` returns)."""
    devtools: argparse.ArgumentParser = commands.add_parser(
        "devtools",
        help="Redux DevTools and the timeline, of a store's file or of running programs",
        description=(
            "Serves the tools on this machine until it is interrupted. With FILE they show what "
            "lies in a store's file, which is neither locked nor changed; without, they wait for "
            "programs with sync.DevTools(store), which join whatever serves the port."
        ),
    )
    devtools.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a store's file")
    devtools.add_argument(
        "--slices",
        action="append",
        default=[],
        metavar="MODULE:NAME[,MODULE:NAME…]",
        help="the slices of the program that wrote FILE: without them there are actions, but no "
        "states; their modules are imported",
    )
    devtools.add_argument(
        "--port", type=int, default=_PORT, metavar="N", help=f"0 for any that is free ({_PORT})"
    )
    devtools.add_argument("--no-browser", action="store_true", help="only say where to look")
    devtools.add_argument(
        "--build-ui",
        action="store_true",
        help="build the Redux DevTools app with Node, once for this machine, and do nothing else",
    )
    devtools.set_defaults(command=_devtools)


def _devtools(arguments: argparse.Namespace) -> int:
    if arguments.build_ui:
        try:
            print(bundle.build())
        except bundle.BundleError as error:
            return _fail(str(error))
        return 0
    if importlib.util.find_spec("websockets") is None:
        return _fail('websockets is not installed: pip install "crdtstore[devtools]"')
    if not 0 <= arguments.port < 2**16:
        return _fail(f"a port is 0 to 65535, not {arguments.port}", 2)
    if arguments.slices and arguments.file is None:
        return _fail("--slices are those of FILE, and there is no FILE", 2)
    # Imported only where it is installed: websockets is an extra.
    shown = importlib.import_module("sync.devtools.shown")
    ended = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: ended.set())
    try:
        station = shown.station(arguments.file, ",".join(arguments.slices), arguments.port)
        station.start()
        try:
            _say(station.url, arguments.file)
            if not arguments.no_browser:
                webbrowser.open(station.url)
            ended.wait()
        finally:
            station.stop()
    except ValueError as error:
        return _fail(str(error), 2)
    except (CrdtstoreError, OSError) as error:
        return _fail(str(error))
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _say(url: str, file: Path | None) -> None:
    what = "what programs of this machine do" if file is None else f"what lies in {file}"
    print(f"{url} shows {what}; Ctrl-C ends it", flush=True)
    if bundle.find() is None:
        print("(the Redux DevTools app is not built: crdtstore devtools --build-ui)", flush=True)


def _fail(text: str, code: int = 1) -> int:
    print(f"crdtstore devtools: {text}", file=sys.stderr)
    return code
