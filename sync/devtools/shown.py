"""The tools without a program: for what lies in a store's file, or for programs that join."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import PathLike
from typing import cast

from sync.devtools.client import Client
from sync.devtools.joining import Showing, Telling
from sync.devtools.lifted import Instance
from sync.devtools.log import Log
from sync.devtools.server import Opener
from sync.devtools.station import Station
from sync.devtools.stored import StoredSource, load_slices

__all__ = ["station"]


def station(file: str | PathLike[str] | None, slices: str, port: int) -> Station:
    """Return what serves ``port`` of this machine, or joins who does, with the store in ``file``.

    ``slices`` are names as ``load_slices`` takes them. Raises ValueError for one that is none,
    StorageError for a file that is no store's.
    """
    if file is None:
        return Station("127.0.0.1", port, dict, "crdtstore devtools")
    source = StoredSource(file, load_slices(slices) if slices else ())
    return Station("127.0.0.1", port, partial(_sides, source), source.name)


def _sides(source: StoredSource) -> Mapping[str, Opener]:
    log = cast(Log, source._log)
    instance = Instance(log, name=source.name, instance_id=f"file/{source.name}")
    client = Client(instance)
    return {
        "/join": lambda wire: Telling(source, None, 0.0, wire),
        "/socketcluster/": lambda wire: Showing(client, None, bool, wire),
    }
