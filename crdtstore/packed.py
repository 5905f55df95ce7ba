"""The binary form of values that JSON cannot carry exactly: one msgpack item per value.

Plain parts are ordinary msgpack; what msgpack has no type for is an ext item (`Ext`). The writer
is msgpack's own; the reader is ours, because its input comes from strangers and msgpack's
unpacker reserves memory for whatever lengths are declared. The reader accepts exactly what the
writer writes, in its shortest form, so that ``pack(unpack(data)) == data`` or `ValueError`, with
two exceptions that keep old data readable: an alias of an Enum member reads as that member, and a
time zone that this machine does not know, or knows with other rules, reads as its fixed offset.
Its memory is bounded by the bytes it consumes and by `MAX_COST`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from typing import Any, Final, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack

from crdtstore.frozen import MAX_DEPTH, FrozenDict, FrozenList, is_text, plain_text

__all__ = [
    "ITEM_COST",
    "MAX_COST",
    "MAX_DIGITS",
    "MAX_INT_BITS",
    "datetime_text",
    "decimal_text",
    "pack",
    "time_text",
    "unpack",
    "zone_key",
]

MAX_INT_BITS = 4096
"""The widest int, in bits without its sign."""

MAX_DIGITS = 4096
"""The longest Decimal, in digits of its coefficient."""

MAX_COST = 1 << 24
"""How much one value may weigh: `ITEM_COST` for each item, key and container in it, plus the
UTF-8 bytes of its texts and the length of its bytes. 16 MiB."""

ITEM_COST = 8

Enums: TypeAlias = Mapping[str, type[Enum]]


class Ext:
    """The msgpack ext codes in use, and what their payloads are."""

    TUPLE: Final = 1  # its items, one after the other
    INT: Final = 2  # outside 64 bits: two's complement, big-endian, as few bytes as possible
    DECIMAL: Final = 3  # str() of it
    DATETIME: Final = 4  # datetime_text() of it
    DATE: Final = 5  # ISO 8601
    TIME: Final = 6  # time_text() of it
    TIMEDELTA: Final = 7  # microseconds, written as an INT is
    UUID: Final = 8  # its 16 bytes
    ENUM: Final = 9  # two strs: name of the class, name of the member


_FLOAT = struct.Struct(">Bd")
_EXACT = Context(
    prec=MAX_DIGITS, Emin=MIN_EMIN, Emax=MAX_EMAX, capitals=1, traps=[InvalidOperation]
)
_MICROSECOND = timedelta(microseconds=1)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]{0,31}(?:/[A-Za-z0-9][A-Za-z0-9_+\-]{0,31}){0,3}")
_CLOCK = r"\d\d:\d\d:\d\d(?:\.\d{6})?"
_OFFSET = r"(?P<sign>[+-])(?P<h>\d\d):(?P<m>\d\d)(?::(?P<s>\d\d)(?:\.(?P<us>\d{6}))?)?"
_DATETIME = re.compile(
    rf"(?P<iso>(?P<wall>\d{{4}}-\d\d-\d\dT{_CLOCK}){_OFFSET})"
    r"(?:\[(?P<zone>[A-Za-z0-9_+\-/]+)\])?(?P<fold>\[fold=1\])?",
    re.ASCII,
)
_TIME = re.compile(rf"(?P<iso>(?P<wall>{_CLOCK})(?:{_OFFSET})?)(?P<fold>\[fold=1\])?", re.ASCII)


# Writing


def pack(value: object) -> bytes:
    """Write one value that state can hold; whether it can is checked before, by the codec."""
    kind = type(value)
    if kind is float:
        return _FLOAT.pack(0xCB, value)
    writer = _PAYLOADS.get(kind)
    if writer is not None:
        code, payload = writer
        return _ext(code, payload(value))
    return _plain(value)


def _plain(value: object) -> bytes:
    # A packer of its own for every call: one that is shared mixes up its output when a hook, or
    # another thread, packs in the middle.
    packed: bytes = msgpack.Packer(default=_hook, strict_types=True, buf_size=512).pack(value)
    return packed


def _hook(value: Any) -> Any:
    """Turn what msgpack does not know into what it does."""
    kind = type(value)
    if kind is FrozenList:
        return list(value)
    if kind is FrozenDict:
        return dict(value)
    writer = _PAYLOADS.get(kind)
    if writer is not None:
        code, payload = writer
        return msgpack.ExtType(code, payload(value))
    if kind is int:
        return msgpack.ExtType(Ext.INT, _int_bytes(value))
    if isinstance(value, Enum):
        return msgpack.ExtType(Ext.ENUM, _enum_bytes(value))
    if is_text(kind):
        return plain_text(value)
    raise TypeError(f"{kind.__name__} was not checked before packing")


def _ext(code: int, payload: bytes) -> bytes:
    size = len(payload)
    fixed = _FIXEXT_OF_SIZE.get(size)
    if fixed is not None:
        return bytes((fixed, code)) + payload
    if size < 256:
        return bytes((0xC7, size, code)) + payload
    packed: bytes = msgpack.packb(msgpack.ExtType(code, payload))
    return packed


def _tuple_bytes(value: tuple[object, ...]) -> bytes:
    return b"".join([pack(item) for item in value])


def _int_bytes(value: int) -> bytes:
    # One bit more than the magnitude, for the sign; of -128 and its like the magnitude is one less.
    bits = (value if value >= 0 else ~value).bit_length() + 1
    return value.to_bytes((bits + 7) // 8, "big", signed=True)


def _timedelta_bytes(value: timedelta) -> bytes:
    return _int_bytes(value // _MICROSECOND)


def _enum_bytes(value: Enum) -> bytes:
    return _plain(type(value).__name__) + _plain(value._name_)


def zone_key(zone: object) -> str | None:
    """Return the key of a ZoneInfo that can be stored by its key; None for any other time zone."""
    if type(zone) is ZoneInfo:
        key = zone.key
        if isinstance(key, str) and _ZONE.fullmatch(key):
            return key
    return None


def decimal_text(value: Decimal) -> str:
    """Write a Decimal as ``str`` does where nobody changed the decimal context."""
    return _EXACT.to_sci_string(value)


def datetime_text(value: datetime) -> str:
    """Write an aware datetime as ISO 8601 with its offset, then ``[zone key]`` and ``[fold=1]``."""
    key = zone_key(value.tzinfo)
    text = value.isoformat()
    if key is not None:
        text += f"[{key}]"
    return text + "[fold=1]" if value.fold else text


def time_text(value: time) -> str:
    """Write a time as ISO 8601, with its offset if it has one, then ``[fold=1]``."""
    text = value.isoformat()
    return text + "[fold=1]" if value.fold else text


_PAYLOADS: Mapping[type, tuple[int, Callable[[Any], bytes]]] = {
    tuple: (Ext.TUPLE, _tuple_bytes),
    Decimal: (Ext.DECIMAL, lambda value: decimal_text(value).encode()),
    datetime: (Ext.DATETIME, lambda value: datetime_text(value).encode()),
    date: (Ext.DATE, lambda value: value.isoformat().encode()),
    time: (Ext.TIME, lambda value: time_text(value).encode()),
    timedelta: (Ext.TIMEDELTA, _timedelta_bytes),
    UUID: (Ext.UUID, lambda value: value.bytes),
}


# Reading

_FIXEXT_OF_SIZE = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
_SIZE_OF_FIXEXT = {head: size for size, head in _FIXEXT_OF_SIZE.items()}

_UINT, _SINT, _STR, _BIN, _ARRAY, _MAP, _EXT = range(7)

# First byte -> what it opens, the width of the number that follows, and the bounds within which
# that number needs this width: a number outside them has a shorter form, which the writer takes.
_HEADS: Mapping[int, tuple[int, int, int, int]] = {
    0xC4: (_BIN, 1, 0, 1 << 8),
    0xC5: (_BIN, 2, 1 << 8, 1 << 16),
    0xC6: (_BIN, 4, 1 << 16, 1 << 32),
    0xC7: (_EXT, 1, 0, 1 << 8),
    0xC8: (_EXT, 2, 1 << 8, 1 << 16),
    0xC9: (_EXT, 4, 1 << 16, 1 << 32),
    0xCC: (_UINT, 1, 1 << 7, 1 << 8),
    0xCD: (_UINT, 2, 1 << 8, 1 << 16),
    0xCE: (_UINT, 4, 1 << 16, 1 << 32),
    0xCF: (_UINT, 8, 1 << 32, 1 << 64),
    0xD0: (_SINT, 1, -(1 << 7), -(1 << 5)),
    0xD1: (_SINT, 2, -(1 << 15), -(1 << 7)),
    0xD2: (_SINT, 4, -(1 << 31), -(1 << 15)),
    0xD3: (_SINT, 8, -(1 << 63), -(1 << 31)),
    0xD9: (_STR, 1, 1 << 5, 1 << 8),
    0xDA: (_STR, 2, 1 << 8, 1 << 16),
    0xDB: (_STR, 4, 1 << 16, 1 << 32),
    0xDC: (_ARRAY, 2, 1 << 4, 1 << 16),
    0xDD: (_ARRAY, 4, 1 << 16, 1 << 32),
    0xDE: (_MAP, 2, 1 << 4, 1 << 16),
    0xDF: (_MAP, 4, 1 << 16, 1 << 32),
}


def unpack(data: bytes, enums: Enums) -> object:
    """Read what `pack` wrote, with frozen containers; Enum classes are looked up in ``enums``.

    Raises `ValueError` for anything else, whatever the bytes are. A value that would have
    travelled in its natural form (``5``, say) is accepted here all the same, so that a later
    version may draw that line elsewhere.
    """
    reader = _Reader(data, enums)
    value, end = reader.read_item(0, len(data), 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many after the value")
    return value


class _Reader:
    """One reading: ``read_item`` and what it calls return the value and the position after it."""

    __slots__ = ("data", "enums", "left")

    def __init__(self, data: bytes, enums: Enums) -> None:
        self.data = data
        self.enums = enums
        self.left = MAX_COST

    def spend(self, cost: int) -> None:
        self.left -= cost
        if self.left < 0:
            raise ValueError(f"a value that weighs more than {MAX_COST}")

    def read_item(self, at: int, end: int, depth: int) -> tuple[Any, int]:
        """Read the item that starts at ``at`` and may take the bytes up to ``end``."""
        if at >= end:
            raise ValueError("the value is cut off")
        data = self.data
        head = data[at]
        at += 1
        self.spend(ITEM_COST)
        if head < 0x80:
            return head, at
        if head >= 0xE0:
            return head - 0x100, at
        if head < 0x90:
            return self.read_map(head & 0x0F, at, end, depth)
        if head < 0xA0:
            return self.read_array(head & 0x0F, at, end, depth)
        if head < 0xC0:
            return self.read_text(head & 0x1F, at, end)
        if head == 0xC0:
            return None, at
        if head == 0xC2 or head == 0xC3:
            return head == 0xC3, at
        if head == 0xCB:
            return self.read_float(at, end)
        size = _SIZE_OF_FIXEXT.get(head)
        if size is not None:
            return self.read_ext(size, at, end, depth)
        if head not in _HEADS:
            raise ValueError(f"0x{head:02x} opens no item of a stored value")
        kind, width, least, beyond = _HEADS[head]
        number = int.from_bytes(self.take(width, at, end), "big", signed=kind == _SINT)
        at += width
        if not least <= number < beyond:
            raise ValueError("a number or length is not in its shortest form")
        if kind in (_UINT, _SINT):
            return number, at
        if kind == _STR:
            return self.read_text(number, at, end)
        if kind == _BIN:
            self.spend(number)
            return self.take(number, at, end), at + number
        if kind == _ARRAY:
            return self.read_array(number, at, end, depth)
        if kind == _MAP:
            return self.read_map(number, at, end, depth)
        if number in _FIXEXT_OF_SIZE:
            raise ValueError("an ext length is not in its shortest form")
        return self.read_ext(number, at, end, depth)

    def take(self, size: int, at: int, end: int) -> bytes:
        if size > end - at:
            raise ValueError("a length reaches beyond the value")
        return self.data[at : at + size]

    def read_float(self, at: int, end: int) -> tuple[float, int]:
        (value,) = struct.unpack(">d", self.take(8, at, end))
        if value != value:
            raise ValueError("NaN is not a value of state")
        return value, at + 8

    def read_text(self, size: int, at: int, end: int) -> tuple[str, int]:
        self.spend(size)
        return self.take(size, at, end).decode(), at + size

    def read_array(self, size: int, at: int, end: int, depth: int) -> tuple[FrozenList[Any], int]:
        items, at = self.read_items(size, at, end, depth)
        return FrozenList(items), at

    def read_items(self, size: int, at: int, end: int, depth: int) -> tuple[list[Any], int]:
        if depth >= MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} containers inside one another")
        items = []  # grown item by item: what is declared is not believed until it is read
        for _ in range(size):
            value, at = self.read_item(at, end, depth + 1)
            items.append(value)
        return items, at

    def read_map(
        self, size: int, at: int, end: int, depth: int
    ) -> tuple[FrozenDict[str, Any], int]:
        if depth >= MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} containers inside one another")
        pairs: dict[str, Any] = {}
        for _ in range(size):
            key, at = self.read_item(at, end, depth + 1)
            if type(key) is not str or key in pairs:
                raise ValueError("a key of a dict is not a str, or comes twice")
            pairs[key], at = self.read_item(at, end, depth + 1)
        return FrozenDict(pairs), at

    def read_ext(self, size: int, at: int, end: int, depth: int) -> tuple[Any, int]:
        code = self.take(1, at, end)[0]
        at += 1
        if size > end - at:
            raise ValueError("a length reaches beyond the value")
        end = at + size
        if code == Ext.TUPLE:
            return self.read_tuple(at, end, depth), end
        if code == Ext.ENUM:
            return self.read_enum(at, end), end
        read = _EXT_READERS.get(code)
        if read is None:
            raise ValueError(f"ext code {code} is not known")
        return read(self.data[at:end]), end

    def read_tuple(self, at: int, end: int, depth: int) -> tuple[Any, ...]:
        if depth >= MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} containers inside one another")
        items = []
        while at < end:
            value, at = self.read_item(at, end, depth + 1)
            items.append(value)
        return tuple(items)

    def read_name(self, at: int, end: int) -> tuple[str, int]:
        # Looked at before it is read, since any other item could hold a further Enum member, and
        # that one another, as deep as there are bytes.
        if at < end and (0xA0 <= self.data[at] < 0xC0 or 0xD9 <= self.data[at] <= 0xDB):
            return self.read_item(at, end, MAX_DEPTH)
        raise ValueError("an Enum member is not written as two names")

    def read_enum(self, at: int, end: int) -> Enum:
        name, at = self.read_name(at, end)
        member, at = self.read_name(at, end)
        if at != end:
            raise ValueError("an Enum member is written with more than its two names")
        enum = self.enums.get(name)
        if enum is None:
            raise ValueError(f"Enum {name!r} is not declared here")
        found = enum.__members__.get(member)
        if found is None:
            raise ValueError(f"Enum {name} has no member {member!r} here")
        return found


def _read_int(payload: bytes) -> int:
    value = _signed(payload)
    if -(1 << 63) <= value < 1 << 64 or value.bit_length() > MAX_INT_BITS:
        raise ValueError("an int is written as a big one and is not, or is too big")
    return value


def _signed(payload: bytes) -> int:
    if len(payload) > MAX_INT_BITS // 8 + 1:
        raise ValueError("an int is too big")
    value = int.from_bytes(payload, "big", signed=True)
    if _int_bytes(value) != payload:
        raise ValueError("an int is not in its shortest form")
    return value


def _read_decimal(payload: bytes) -> Decimal:
    if len(payload) > MAX_DIGITS + 32:
        raise ValueError("a Decimal is too long")
    text = payload.decode("ascii")
    try:
        value = Decimal(text, _EXACT)
    except InvalidOperation:
        raise ValueError("a Decimal is malformed") from None
    if value.is_nan() or decimal_text(value) != text or len(value.as_tuple().digits) > MAX_DIGITS:
        raise ValueError("a Decimal is not in the form of str(), or too long")
    return value


def _read_datetime(payload: bytes) -> datetime:
    text = payload.decode("ascii")
    match = _DATETIME.fullmatch(text)
    if match is None:
        raise ValueError("a datetime is malformed")
    stored = datetime.fromisoformat(match["wall"])
    stored = stored.replace(tzinfo=_read_offset(match), fold=1 if match["fold"] else 0)
    if stored.isoformat() != match["iso"]:
        raise ValueError("a datetime is not in ISO form with its offset")
    key = match["zone"]
    if key is None:
        return stored
    if not _ZONE.fullmatch(key):
        raise ValueError("the time zone of a datetime is malformed")
    zone = _zone(key)
    if zone is not None:
        local = stored.replace(tzinfo=zone)
        if local.utcoffset() == stored.utcoffset():
            return local
    return stored


@lru_cache(maxsize=256)
def _zone(key: str) -> ZoneInfo | None:
    """Find a time zone; failures are remembered too, since each one searches the disk."""
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError, ImportError):
        return None


def _read_date(payload: bytes) -> date:
    text = payload.decode("ascii")
    value = date.fromisoformat(text)
    if value.isoformat() != text:
        raise ValueError("a date is not in ISO form")
    return value


def _read_time(payload: bytes) -> time:
    match = _TIME.fullmatch(payload.decode("ascii"))
    if match is None:
        raise ValueError("a time is malformed")
    value = time.fromisoformat(match["wall"])
    zone = _read_offset(match) if match["sign"] else None
    value = value.replace(tzinfo=zone, fold=1 if match["fold"] else 0)
    if value.isoformat() != match["iso"]:
        raise ValueError("a time is not in ISO form")
    return value


def _read_offset(match: re.Match[str]) -> timezone:
    # Read here, because fromisoformat reads an offset of less than a second as none.
    hours, minutes, seconds, micros = (int(match[part] or 0) for part in ("h", "m", "s", "us"))
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=micros)
    return timezone(-offset if match["sign"] == "-" else offset)


def _read_timedelta(payload: bytes) -> timedelta:
    try:
        return timedelta(microseconds=_signed(payload))
    except OverflowError:
        raise ValueError("a timedelta is out of range") from None


def _read_uuid(payload: bytes) -> UUID:
    return UUID(bytes=payload)  # which raises ValueError unless these are 16 bytes


_EXT_READERS: Mapping[int, Callable[[bytes], object]] = {
    Ext.INT: _read_int,
    Ext.DECIMAL: _read_decimal,
    Ext.DATETIME: _read_datetime,
    Ext.DATE: _read_date,
    Ext.TIME: _read_time,
    Ext.TIMEDELTA: _read_timedelta,
    Ext.UUID: _read_uuid,
}
