"""Pieces of text for terminals.

Names, labels and values come from other programs, and a terminal obeys what it is sent: nothing
that is not printable reaches it, other than as an escape that one can read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

__all__ = ["clock", "compact", "count", "path", "safe", "short", "size"]

_KIB = 1024
_DIGITS = 8  # of a replica's id or a digest, which is enough to tell a few apart


def safe(text: str) -> str:
    """Return ``text`` with everything unprintable written as an escape, such as ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def compact(value: Any) -> str:
    """Return a JSON value on one line."""
    return safe(json.dumps(value, ensure_ascii=False))


def path(parts: Sequence[str]) -> str:
    """Return ``todos/items/k1/done`` for the parts of a path."""
    return "/".join(parts)


def clock(at: int) -> str:
    """Return the local time of day of ``at`` milliseconds since 1970, as ``14:05:09.042``."""
    try:
        moment = datetime.fromtimestamp(at // 1000)
    except (ValueError, OverflowError, OSError):  # a clock that is wrong by centuries
        return "--:--:--.---"
    return f"{moment:%H:%M:%S}.{at % 1000:03}"


def size(amount: int) -> str:
    """Return a number of bytes, as ``812 B`` or ``3.4 KiB``."""
    if amount < _KIB:
        return f"{amount} B"
    if amount < _KIB * _KIB:
        return f"{amount / _KIB:.1f} KiB"
    return f"{amount / _KIB / _KIB:.1f} MiB"


def count(amount: int, noun: str) -> str:
    """Return ``1 act`` or ``2 acts``."""
    return f"{amount} {noun}" if amount == 1 else f"{amount} {noun}s"


def short(identity: str) -> str:
    """Return the beginning of a replica's id or a digest."""
    return identity[:_DIGITS]
