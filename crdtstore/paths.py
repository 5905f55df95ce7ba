"""How places are named: segments, paths, cell keys and the names of roots.

A path is segments joined by ``/``, each escaped so that it holds no separator; a cell's key is
``path@writer``, where the writer is the client id of the session that wrote it, in base 36. Texts
and list orders live in roots named ``text/<path>`` and ``list/<path>``, with ``#<hash>`` behind
where their content started from a declared default.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "SESSION_PATH",
    "base36",
    "below",
    "cell_key",
    "escape",
    "join",
    "list_root",
    "root_path",
    "split",
    "split_key",
    "text_root",
    "unescape",
]

SESSION_PATH = "!"
"""Where each session's own cell lives: ``!@writer → [stamp, replica]``."""

_ESCAPES = str.maketrans({c: f"%{ord(c):02X}" for c in "%/@#!"})
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def escape(segment: str) -> str:
    """Write a path segment so that it holds none of the separators and is not empty."""
    return segment if segment.isalnum() else (segment.translate(_ESCAPES) or "%")


def unescape(segment: str) -> str:
    """Undo ``escape``; a segment that ``escape`` would not write comes back as it is."""
    if "%" not in segment:
        return segment
    if segment == "%":
        return ""
    for char in "/@#!%":
        segment = segment.replace(f"%{ord(char):02X}", char)
    return segment


def join(path: Iterable[str]) -> str:
    """Join segments into the path of a cell."""
    return "/".join(map(escape, path))


def split(path: str) -> tuple[str, ...]:
    """Split the path of a cell into its segments."""
    if "%" in path:
        return tuple(map(unescape, path.split("/")))
    return tuple(path.split("/")) if path else ()


def cell_key(path: str, writer: str) -> str:
    """Name the cell of ``writer`` at ``path``."""
    return f"{path}@{writer}"


def split_key(key: str) -> tuple[str, str]:
    """Split a cell's key into path and writer."""
    path, _, writer = key.rpartition("@")
    return path, writer


def base36(number: int) -> str:
    """Write a client id as keys carry it."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def text_root(path: str, default_hash: str = "") -> str:
    """Name the root of a text; ``default_hash`` names the default content it starts with."""
    return f"text/{path}#{default_hash}" if default_hash else f"text/{path}"


def list_root(path: str, default_hash: str = "") -> str:
    """Name the root of a list's order."""
    return f"list/{path}#{default_hash}" if default_hash else f"list/{path}"


def below(path: str, segment: str) -> str:
    """Name the path one (unescaped) segment below ``path``."""
    return f"{path}/{escape(segment)}" if path else escape(segment)


def root_path(root: str) -> str:
    """Return the path that a text's or list's root belongs to."""
    return root[5:].partition("#")[0]
