"""``python -m benchmarks``: measure, and print one table."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.rows import as_json, render
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.suite import BENCHMARKS, measure

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, scale: Scale | None = None) -> int:
    """Run from the command line; ``scale`` stands in for ``--quick`` or not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, noisier figures")
    parser.add_argument("--only", action="append", choices=list(BENCHMARKS), help="may be repeated")
    parser.add_argument(
        "--traces",
        type=Path,
        default=os.environ.get("CRDTSTORE_TRACES") or None,
        help="folder of rustcode.json.gz and sveltecomponent.json.gz",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    options = parser.parse_args(arguments)
    chosen = scale or (QUICK if options.quick else FULL)
    traces = Path(options.traces) if options.traces else None
    machine = describe()
    rows = measure(
        options.only or BENCHMARKS,
        replace(chosen, traces=traces),
        lambda name: print(f"{name} …", file=sys.stderr, flush=True),
    )
    for name, value in machine.items():
        print(f"{name}: {value}")
    print()
    print(render(rows))
    if options.json is not None:
        content = {"machine": machine, "rows": as_json(rows)}
        options.json.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
