"""Advice given once, in development: what works today and loses work when two people do it.

``state.n += 1`` on a register reads, adds and writes, so of two concurrent increments one is lost.
Whether an assignment was written ``+=`` is read off the caller's bytecode (an in-place operator
directly before the instruction that stores), not guessed from the values. Every function is looked
through once, and afterwards an assignment costs a look-up.
"""

from __future__ import annotations

import dis
import warnings
from collections.abc import Iterator
from sys import _getframe
from types import CodeType

from crdtstore.errors import CrdtstoreWarning

__all__ = ["NUMBERS", "advise"]

NUMBERS = frozenset({int, float})
"""The types of register values whose increments are looked at."""

_MOST_CODES = 4096
_OPERATORS = frozenset({"+=", "-="})
_STORES = frozenset({"STORE_ATTR", "STORE_SUBSCR"})
_IGNORED = frozenset({"CACHE", "EXTENDED_ARG"})

# The offsets of the instructions that store an increment, by the id of the code object (to hash
# one reads all of it), and what keeps these ids from being given to others.
_increments: dict[int, frozenset[int]] = {}
_codes: list[CodeType] = []
# The fields that were advised on, by id, kept alive for the same reason.
_advised: dict[int, object] = {}


def advise(field: object, name: str, slice_name: str) -> None:
    """Warn, once for each field, if the frame two above the caller's increments a register.

    The caller is what ``__setattr__`` or ``__setitem__`` of a draft calls; ``field`` is the shape
    of the one field called ``name``. Issues a ``CrdtstoreWarning`` at the line with the ``+=``.
    """
    frame = _getframe(3)
    try:
        increments = _increments[id(frame.f_code)]
    except KeyError:
        increments = _look(frame.f_code)
    if increments and frame.f_lasti in increments and id(field) not in _advised:
        _advised[id(field)] = field
        warnings.warn(
            f"{slice_name}: {name!r} is a register, so of two concurrent increments one is lost; "
            f"declare it as a Counter ({name}: Counter = Counter(0)) and both count",
            CrdtstoreWarning,
            stacklevel=4,
        )


def _look(code: CodeType) -> frozenset[int]:
    if len(_codes) >= _MOST_CODES:  # code made at run time, again and again
        _increments.clear()
        _codes.clear()
    _codes.append(code)
    found = _increments[id(code)] = frozenset(_offsets(code))
    return found


def _offsets(code: CodeType) -> Iterator[int]:
    """Yield the offsets of the instructions that store the result of ``+=`` or ``-=``.

    CPython compiles ``x.n += y`` to BINARY_OP +=, SWAP, STORE_ATTR, and ``x[k] += y`` to
    BINARY_OP +=, SWAP, SWAP, STORE_SUBSCR; nothing else puts only SWAPs between the two.
    """
    swaps = 0
    after_increment = False
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name == "SWAP":
            swaps += 1
        elif name not in _IGNORED:
            if name in _STORES and after_increment and swaps:
                yield instruction.offset
            swaps = 0
            after_increment = name == "BINARY_OP" and instruction.argrepr in _OPERATORS
