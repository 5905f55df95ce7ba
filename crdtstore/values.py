"""Which Python values can be state, and how a document carries them exactly.

What JSON carries exactly travels as it is, in its *natural* form: None, bool, ints within
±(2**53 - 1), finite floats with a fraction, str, and lists and dicts of those, the dicts with their
keys in sorted order, since a document keeps none. Anything else, or containing anything else,
travels whole as one binary value (`crdtstore.packed`). So every value has one encoding, and what is
read back has the types, the order and the signs of what was written, here and at every peer. All
checks are made in Python before a document is touched: a document does not roll back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from functools import lru_cache
from math import copysign, isfinite, nan
from operator import is_not
from types import MappingProxyType, NoneType
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_origin

import msgpack

from crdtstore.equality import element_key, same
from crdtstore.errors import ShapeError, StateValueError, format_path
from crdtstore.frozen import (
    MAX_DEPTH,
    FrozenDict,
    FrozenList,
    freeze,
    is_text,
    plain_text,
    thaw,
)
from crdtstore.packed import ITEM_COST, MAX_COST, pack, unpack
from crdtstore.plain import to_plain
from crdtstore.scalars import CHECKS, KeyPath, check_member, check_text, describe, refusal

__all__ = [
    "ANY",
    "MAX_COST",
    "MAX_DEPTH",
    "NATURAL_DEPTH",
    "REMOVED",
    "Codec",
    "Encoded",
    "FrozenDict",
    "FrozenList",
    "canonical",
    "element_key",
    "freeze",
    "normalise",
    "same",
    "thaw",
    "to_plain",
    "written",
]

Encoded: TypeAlias = bool | int | float | str | bytes | list[Any] | dict[str, Any] | None
"""What goes into a document, and what `normalise` makes of what comes out of one."""

REMOVED: bytes = b""
"""The marker of a removed entry; never the encoding of a value."""

NATURAL_DEPTH = 32
"""Deeper values travel in binary form, so that no cell exceeds the depth that readers accept."""

_EXACT = 1 << 53  # below it every int is a float as well


class Codec:
    """How the values of one annotation are encoded; made by `Codec.of` only.

    An annotation matters for the Enum classes it names, which are looked up by their names when
    reading; types are not checked against it.
    """

    __slots__ = ("_enums",)

    def __init__(self, enums: Mapping[str, type[Enum]]) -> None:
        self._enums = enums

    @staticmethod
    def of(annotation: Any) -> Codec:
        """Return the codec of a resolved annotation, the same one for the same Enum classes.

        Raises `ShapeError` if two Enum classes in it have one name.
        """
        try:
            return _codec_of(annotation)
        except TypeError as error:
            if isinstance(error, ShapeError):
                raise
            return _codec(annotation)  # not hashable: Annotated[int, []]

    @property
    def enums(self) -> Mapping[str, type[Enum]]:
        """The declared Enum classes by name."""
        return MappingProxyType(dict(self._enums))

    def __repr__(self) -> str:
        return f"Codec({', '.join(self._enums)})"

    def encode(self, value: Any, path: KeyPath) -> Encoded:
        """Return what the document stores for ``value``: new containers, nothing of it shared.

        Raises `StateValueError` naming ``path``, or the path within, of what state cannot hold.
        """
        kind = type(value)
        if kind is str:
            if value.isascii() and len(value) < _SHORT:
                return value  # type: ignore[no-any-return]
        elif kind is int:
            if -_EXACT < value < _EXACT:
                return value  # type: ignore[no-any-return]
        elif kind is bool or value is None:
            return value  # type: ignore[no-any-return]
        elif kind is float and isfinite(value):
            return pack(value) if value.is_integer() else value
        if _Check(self._enums, value, path).natural(value, kind, path, 0):
            return thaw(value)  # type: ignore[no-any-return]
        return pack(value)

    def decode(self, encoded: Encoded) -> object:
        """Return the value that was encoded, lists and dicts in it frozen: ``freeze(value)``.

        Takes what `normalise` gives, from anybody. Raises `ValueError` for what no `encode` of a
        codec with the same Enum classes gives, unless it has but one meaning: see `unpack`. A
        document holds nothing but text in UTF-8, so strs are not checked again.
        """
        if type(encoded) is bytes:
            return unpack(encoded, self._enums)
        return _read(encoded, 0)


_SHORT = MAX_COST - ITEM_COST


def written(codec: Codec, value: Any, path: KeyPath) -> tuple[Any, Encoded]:
    """Return what is written for ``value``, as a value and encoded.

    A class whose instances may be written to state as plain data (a serialised error, say) has a
    method ``__crdtstore_data__`` that returns it, and that stands for them then, at any depth.
    Raises `StateValueError` as ``codec.encode`` does.
    """
    try:
        return value, codec.encode(value, path)
    except StateValueError:
        data = _data_of(value, 0)
        if data is value:
            raise
        return data, codec.encode(data, path)


def _data_of(value: Any, depth: int) -> Any:
    kind = type(value)
    if hasattr(kind, "__crdtstore_data__"):
        return value.__crdtstore_data__()
    if depth < MAX_DEPTH:
        if kind is list or kind is tuple or kind is FrozenList:
            items = [_data_of(item, depth + 1) for item in value]
            if any(map(is_not, items, value)):
                return tuple(items) if kind is tuple else items
        elif kind is dict or kind is FrozenDict:
            entries = {key: _data_of(item, depth + 1) for key, item in value.items()}
            if any(map(is_not, entries.values(), value.values())):
                return entries
    return value


# Which Enum classes an annotation names


@lru_cache(maxsize=1024)
def _codec_of(annotation: Any) -> Codec:
    return _codec(annotation)


def _codec(annotation: Any) -> Codec:
    enums: dict[str, type[Enum]] = {}
    for enum in _enums_in(annotation):
        if enums.setdefault(enum.__name__, enum) is not enum:
            raise ShapeError(
                f"expected Enum classes of different names, got {describe(enum)} and "
                f"{describe(enums[enum.__name__])}, and members are stored by those; rename one"
            )
    return Codec(enums) if enums else ANY


ANY = Codec({})


def _enums_in(annotation: Any) -> Iterable[type[Enum]]:
    pending: list[Any] = [annotation]
    seen: list[Any] = []
    while pending:
        part = pending.pop()
        if any(part is other for other in seen):  # a recursive alias
            continue
        seen.append(part)
        if isinstance(part, type) and issubclass(part, Enum):
            yield part
        elif isinstance(part, Enum):  # in a Literal
            yield type(part)
        elif isinstance(part, list):  # the parameters of a Callable
            pending += part
        elif isinstance(part, TypeVar):
            pending += [part.__bound__, *part.__constraints__]
        elif get_origin(part) is Annotated:
            pending.append(part.__origin__)
        else:
            pending += get_args(part)
            for of_new_type_or_alias in ("__supertype__", "__value__"):
                pending.append(getattr(part, of_new_type_or_alias, None))


# Checking what is to be written


class _Check:
    """One walk through a value: refuses what cannot be held, and says what is natural."""

    __slots__ = ("enums", "left", "path", "root")

    def __init__(self, enums: Mapping[str, type[Enum]], root: object, path: KeyPath) -> None:
        self.enums = enums
        self.root = root
        self.path = path
        self.left = MAX_COST

    def natural(self, value: Any, kind: type, path: KeyPath, depth: int) -> bool:
        """Say whether a value is in natural form; raise if it cannot be state."""
        if kind is list or kind is FrozenList:
            return self.items(value, enumerate(value), path, depth) and depth < NATURAL_DEPTH
        if kind is dict or kind is FrozenDict:
            ordered = self.keys(value, path)
            return (
                self.items(value, value.items(), path, depth) and depth < NATURAL_DEPTH and ordered
            )
        if kind is tuple:
            self.items(value, enumerate(value), path, depth)
            return False
        return self.scalar(value, kind, path)

    def scalar(self, value: Any, kind: type, path: KeyPath) -> bool:
        check = CHECKS.get(kind)
        if check is not None:
            self.spend(check(value, path))
            if kind is float:
                return isfinite(value) and not value.is_integer()
            return kind in _NATURAL and (kind is not int or -_EXACT < value < _EXACT)
        if issubclass(kind, Enum):
            if self.enums.get(kind.__name__) is not kind:
                raise refusal(value, path)
            self.spend(check_member(value, path))
            return False
        if is_text(kind):
            self.spend(check_text(plain_text(value), path))
            return True
        raise refusal(value, path)

    def keys(self, value: dict[Any, Any], path: KeyPath) -> bool:
        """Check the keys of a dict; say whether they are in sorted order."""
        for key in value:
            if type(key) is not str:
                raise StateValueError(
                    path,
                    f"expected a dict with str keys, got a key of type {describe(type(key))}; "
                    "use str(key), or a list of pairs",
                )
            self.spend(ITEM_COST + check_text(key, path))
        return list(value) == sorted(value)

    def items(
        self, container: Any, pairs: Iterable[tuple[Any, Any]], path: KeyPath, depth: int
    ) -> bool:
        if depth >= MAX_DEPTH:
            raise self.too_deep(path)
        self.spend(ITEM_COST * len(container))
        natural = True
        for key, item in pairs:
            kind = type(item)
            if kind is str:
                if item.isascii() and len(item) < _SHORT:
                    self.left -= len(item)
                    continue
            elif kind is int:
                if -_EXACT < item < _EXACT:
                    continue
            elif kind is bool or item is None:
                continue
            if not self.natural(item, kind, (*path, key), depth + 1):
                natural = False
        self.spend(0)
        return natural

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise StateValueError(
                self.path,
                f"expected a value of at most {MAX_COST} bytes, counting {ITEM_COST} for each "
                "item, got more; spread it over a Table or Map, or keep it in a file",
            )

    def too_deep(self, path: KeyPath) -> StateValueError:
        """Say whether the way down to ``path`` was long, or led round in a circle."""
        start = len(self.path)
        place: Any = self.root
        met = {id(place): start}
        for at in range(start, len(path)):
            place = place[path[at]]
            first = met.setdefault(id(place), at + 1)
            if first <= at:
                return StateValueError(
                    path[: at + 1],
                    f"expected a value that does not contain itself, got the "
                    f"{type(place).__name__} at {format_path(path[:first])} again; store a key or "
                    "an index that points to it",
                )
        return StateValueError(
            self.path,
            f"expected at most {MAX_DEPTH} containers inside one another, got more; keep the inner "
            "ones in a Table or Map and store their keys",
        )


_NATURAL = frozenset({NoneType, bool, int, float, str})

# Reading what was written


def _read(encoded: Any, depth: int) -> Any:
    """Check a value in natural form, and freeze it."""
    kind = type(encoded)
    if kind is str or kind is bool or encoded is None:
        return encoded
    if kind is int:
        if -_EXACT < encoded < _EXACT:
            return encoded
        raise ValueError("an int in natural form is not exact")
    if kind is float:
        if isfinite(encoded) and not encoded.is_integer():
            return encoded
        raise ValueError("a float in natural form is integral or not finite")
    if (kind is list or kind is dict) and depth >= NATURAL_DEPTH:
        raise ValueError(f"more than {NATURAL_DEPTH} containers inside one another in natural form")
    if kind is list:
        return FrozenList([_read(item, depth + 1) for item in encoded])
    if kind is dict:
        return FrozenDict({key: _read(encoded[key], depth + 1) for key in _sorted_keys(encoded)})
    raise ValueError(f"{kind.__name__} is no part of a value in natural form")


def _sorted_keys(encoded: dict[Any, Any]) -> list[str]:
    if not all(type(key) is str for key in encoded):
        raise ValueError("a key of a dict is not a str")
    return sorted(encoded)


def normalise(raw: object) -> Encoded:
    """Return a value as a document gives it back in the form in which it was encoded.

    Documents give ints as floats, bytes as bytearray and dicts in any order. Raises `ValueError`
    for what no codec could have written, `REMOVED` included; what is inside bytes is judged when
    they are decoded. Containers are new ones.
    """
    kind = type(raw)
    if kind is str or kind is bool or raw is None:
        return raw  # type: ignore[return-value]
    if kind is bytes or kind is bytearray:
        if not raw:
            raise ValueError("no bytes are no value")
        return bytes(raw)  # type: ignore[call-overload, no-any-return]
    return _normalise(raw, 0)  # type: ignore[no-any-return]


def _normalise(raw: Any, depth: int) -> Any:
    kind = type(raw)
    if kind is str or kind is bool or raw is None:
        return raw
    if kind is float:
        if not raw.is_integer():
            if isfinite(raw):
                return raw
        elif -_EXACT < raw < _EXACT and (raw or copysign(1.0, raw) > 0):
            return int(raw)
        raise ValueError(f"{raw!r} does not travel in natural form")
    if kind is int:
        if -_EXACT < raw < _EXACT:
            return raw
        raise ValueError("an int of this size does not travel in natural form")
    if (kind is list or kind is dict) and depth >= NATURAL_DEPTH:
        raise ValueError(f"more than {NATURAL_DEPTH} containers inside one another in natural form")
    if kind is list:
        return [_normalise(item, depth + 1) for item in raw]
    if kind is dict:
        return {key: _normalise(raw[key], depth + 1) for key in _sorted_keys(raw)}
    raise ValueError(f"{kind.__name__} is no part of a value in natural form")


def canonical(raw: object) -> bytes:
    """Return the same bytes for the same document value on every replica, for digests.

    Takes whatever a document gives back, what strangers wrote and `normalise` refuses included,
    and never raises on it: the walk keeps its own stack, however deep the value is. A container is
    written as a header with its size, then its items, dicts in the order of their keys.
    """
    tokens: list[Any] = []
    stack: list[Any] = [raw]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is float:
            if item.is_integer():
                # An int reads as int where it was written and as float elsewhere.
                if -_EXACT < item < _EXACT and (item or copysign(1.0, item) > 0):
                    item = int(item)
            elif item != item:
                item = nan
        elif kind is int:
            if not -_EXACT < item < _EXACT:
                item = float(item)
        elif kind is list or kind is tuple:
            stack += reversed(item)
            item = [len(item)]
        elif kind is dict:
            for key in sorted(item, reverse=True):
                stack += item[key], key
            item = {"": len(item)}
        tokens.append(item)
    packed: bytes = _pack(tokens)
    return packed


_pack = msgpack.Packer(strict_types=True).pack  # no code of ours runs in it, so threads may share
