"""The binary form of values, and its strict reader."""

from __future__ import annotations

import struct
import subprocess
import sys
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Context, Decimal, localcontext
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import pytest

from crdtstore.frozen import FrozenDict, FrozenList
from crdtstore.packed import (
    ITEM_COST,
    MAX_COST,
    MAX_DIGITS,
    MAX_INT_BITS,
    datetime_text,
    pack,
    unpack,
    zone_key,
)
from properties.state_values import ENUMS, Color, Mood, exactly

ROOT = Path(__file__).resolve().parent.parent
DECLARED = {enum.__name__: enum for enum in ENUMS}
CET = timezone(timedelta(hours=1))
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NIGHT = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Test/Turning"))


def ext(code: int, payload: bytes) -> bytes:
    return bytes(msgpack.packb(msgpack.ExtType(code, payload)))


# These bytes are in people's files: a change to one of them is a new format.
@pytest.mark.parametrize(
    ("value", "data"),
    [
        (5.0, b"\xcb@\x14" + bytes(6)),
        (-0.0, b"\xcb\x80" + bytes(7)),
        (float("inf"), b"\xcb\x7f\xf0" + bytes(6)),
        (b"", b"\xc4\x00"),
        (b"ab", b"\xc4\x02ab"),
        (2**53, b"\xcf\x00\x20" + bytes(6)),
        (-(2**63), b"\xd3\x80" + bytes(7)),
        (2**64, b"\xc7\x09\x02\x01" + bytes(8)),
        (-(2**63) - 1, b"\xc7\x09\x02\xff\x7f" + b"\xff" * 7),
        ((), b"\xc7\x00\x01"),
        ((1, "a"), b"\xc7\x03\x01\x01\xa1a"),
        (((),), b"\xc7\x03\x01\xc7\x00\x01"),
        (Decimal("-0.50"), b"\xc7\x05\x03-0.50"),
        (Decimal("1E+3"), b"\xd6\x031E+3"),
        (NOON, b"\xc7\x19\x042024-05-01T12:00:00+00:00"),
        (NIGHT, b"\xc7\x27\x042024-10-27T02:30:00+02:00[Test/Turning]"),
        (
            NIGHT.replace(fold=1),
            b"\xc7\x2f\x042024-10-27T02:30:00+01:00[Test/Turning][fold=1]",
        ),
        (date(2024, 5, 1), b"\xc7\x0a\x052024-05-01"),
        (time(1, 2, 3), b"\xd7\x0601:02:03"),
        (time(1, 2, 3, 4, tzinfo=CET), b"\xc7\x15\x0601:02:03.000004+01:00"),
        (timedelta(0), b"\xd4\x07\x00"),
        (timedelta(microseconds=-129), b"\xd5\x07\xff\x7f"),
        (UUID(int=1), b"\xd8\x08" + bytes(15) + b"\x01"),
        (Color.CRIMSON, b"\xc7\x0a\x09\xa5Color\xa3RED"),
        (FrozenList([1.0]), b"\x91\xcb\x3f\xf0" + bytes(6)),
        (FrozenDict({"b": 1, "a": ()}), b"\x82\xa1b\x01\xa1a\xc7\x00\x01"),
        ([None, True, False, -1], b"\x94\xc0\xc3\xc2\xff"),
        ([-33, 128, "é", 0.5], b"\x94\xd0\xdf\xcc\x80\xa2\xc3\xa9\xcb\x3f\xe0" + bytes(6)),
    ],
)  # fmt: skip
def test_each_kind_of_value_has_its_bytes(value: Any, data: bytes) -> None:
    """Writing gives these bytes, and reading them gives the value back."""
    assert pack(value) == data
    assert exactly(unpack(data, DECLARED), value)


@pytest.mark.parametrize(
    "value",
    [
        *("x" * size for size in (0, 31, 32, 255, 256, 65535, 65536)),
        *(b"x" * size for size in (0, 255, 256, 65535, 65536)),
        *([1.0] * size for size in (0, 15, 16, 65535, 65536)),
        *({str(i): () for i in range(size)} for size in (15, 16, 65535, 65536)),
        *((None,) * size for size in (0, 1, 2, 4, 8, 16, 17, 255, 256, 65535, 65536)),
        *(sign * 2**bits + more for bits in (5, 7, 8, 15, 16, 31, 32, 63, 64, 4095)
          for more in (-1, 0, 1) for sign in (-1, 1)),
        *(timedelta.min, timedelta.max, timedelta.resolution),
        *(Decimal("1E+999999999999999999"), Decimal("Infinity"), Decimal("1" * MAX_DIGITS)),
        *(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=CET), date.min, date.max),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(microseconds=1))),
        datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=timezone(-timedelta(hours=23, microseconds=5))),
        *(time(0, tzinfo=timezone(timedelta(seconds=1))), time.max, time(0, fold=1)),
    ],
    ids=lambda value: f"{value!r:.30}",
)  # fmt: skip
def test_every_length_and_width_is_read_back(value: Any) -> None:
    """Values on both sides of each change of form round trip."""
    assert exactly(unpack(pack(value), {}), value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (b"\x92\x01", "cut off"),
        (b"\x81\xa1a", "cut off"),
        (b"\x01\x01", "1 bytes too many"),
        (b"\xc1", "0xc1 opens no item"),
        (b"\xca\x3f\x00\x00\x00", "0xca opens no item"),
        (b"\xcb\x7f\xf8" + bytes(6), "NaN"),
        (b"\xcb\x00", "a length reaches beyond"),
        (b"\xa2a", "a length reaches beyond"),
        (b"\xc4\x05a", "a length reaches beyond"),
        (b"\xc7\x05\x01\x01", "a length reaches beyond"),
        (b"\xd8\x08\x00", "a length reaches beyond"),
        (b"\xd9", "a length reaches beyond"),
        (b"\xcc\x7f", "shortest form"),
        (b"\xd0\xe0", "shortest form"),
        (b"\xd3" + b"\xff" * 8, "shortest form"),
        (b"\xcd\x00\x01", "shortest form"),
        (b"\xd9\x01a", "shortest form"),
        (b"\xdc\x00\x01\x01", "shortest form"),
        (b"\xde\x00\x00", "shortest form"),
        (b"\xc5\x00\x01a", "shortest form"),
        (b"\xc7\x01\x01\x01", "shortest form"),
        (b"\xc8\x00\x03\x01\x01\x01\x01", "shortest form"),
        (b"\xdd\xff\xff\xff\xff", "cut off"),
        (b"\xdf\xff\xff\xff\xff", "cut off"),
        (b"\xdb\xff\xff\xff\xff", "weighs more"),
        (b"\xc6\xff\xff\xff\xff", "weighs more"),
        (b"\x91" * 65, "more than 64 containers"),
        (b"\x91" * 64 + ext(1, b""), "more than 64 containers"),
        (b"\x81\xa1a" * 65, "more than 64 containers"),
        (b"\xa1\xff", "can't decode"),
        (b"\xa3\xed\xa0\x80", "can't decode"),
        (b"\x81\x01\x01", "a key of a dict"),
        (b"\x82\xa1a\x01\xa1a\x02", "comes twice"),
        (ext(0, b""), "ext code 0 is not known"),
        (ext(10, b"a"), "ext code 10 is not known"),
        (ext(127, b"a"), "ext code 127 is not known"),
        (b"\xd6\xff" + bytes(4), "ext code 255 is not known"),
        (ext(1, b"\x92\x01"), "cut off"),
        (ext(2, b""), "shortest form"),
        (ext(2, b"\x05"), "is not"),
        (ext(2, bytes(4) + b"\x01" + bytes(8)), "shortest form"),
        (ext(2, b"\x01" + bytes(512)), "too big"),
        (ext(2, b"\x01" + bytes(100_000)), "too big"),
        (ext(3, b""), "malformed"),
        (ext(3, b"1_0"), "str"),
        (ext(3, b" 1"), "str"),
        (ext(3, b"1e5"), "str"),
        (ext(3, b"+1"), "str"),
        (ext(3, b"NaN"), "str"),
        (ext(3, b"sNaN"), "str"),
        (ext(3, b"inf"), "str"),
        (ext(3, b"1E+9999999999999999999"), "malformed|str"),
        (ext(3, b"1" * (MAX_DIGITS + 1)), "too long"),
        (ext(3, b"1" * 100_000), "too long"),
        (ext(3, "\u0661".encode()), "can't decode"),
        (ext(4, b""), "malformed"),
        (ext(4, b"2024-05-01T12:00:00"), "malformed"),
        (ext(4, b"2024-05-01T12:00:00Z"), "malformed"),
        (ext(4, b"2024-05-01 12:00:00+00:00"), "malformed"),
        (ext(4, b"2024-13-01T12:00:00+00:00"), "month"),
        (ext(4, b"2024-05-01T24:00:00+00:00"), "hour|ISO"),
        (ext(4, b"2024-05-01T12:00:00-00:00"), "ISO form"),
        (ext(4, b"2024-05-01T12:00:00+00:60"), "ISO form"),
        (ext(4, b"2024-05-01T12:00:00+01:00:00"), "ISO form"),
        (ext(4, b"2024-05-01T12:00:00.000000+01:00"), "ISO form"),
        (ext(4, b"2024-05-01T12:00:00+24:00"), "offset"),
        (ext(4, b"2024-05-01T12:00:00+00:00[fold=0]"), "malformed"),
        (ext(4, b"2024-05-01T12:00:00+00:00[../../etc/passwd]"), "malformed"),
        (ext(4, b"2024-05-01T12:00:00+00:00[/etc/localtime]"), "zone"),
        (ext(4, b"2024-05-01T12:00:00+00:00[UTC][UTC]"), "malformed"),
        (ext(4, b"2024-05-01T12:00:00+00:00[" + b"A" * 99 + b"]"), "zone"),
        (ext(4, b"2024-05-01T12:00:00+00:00\n"), "malformed"),
        (ext(5, b"2024-5-1"), "isoformat"),
        (ext(5, b"20240501"), "ISO form"),
        (ext(5, b"2024-W18-3"), "ISO form"),
        (ext(5, b"2024-02-30"), "day"),
        (ext(6, b"1:2:3"), "malformed"),
        (ext(6, b"25:00:00"), "hour"),
        (ext(6, b"01:02:03.000000"), "ISO form"),
        (ext(6, b"01:02:03[fold=1][fold=1]"), "malformed"),
        (ext(7, b""), "shortest form"),
        (ext(7, b"\x7f" + bytes(9)), "out of range"),
        (ext(7, b"\x7f" + bytes(400)), "out of range"),
        (ext(8, bytes(15)), "16"),
        (ext(8, bytes(17)), "16"),
        (ext(9, b"\xa5Color"), "two names"),
        (ext(9, b"\xa5Color\x01"), "two names"),
        (ext(9, b"\xa5Color\xc0"), "two names"),
        (ext(9, b"\xa5Color" + ext(9, b"\xa5Color\xa3RED")), "two names"),
        (ext(9, b"\xa5Color\xa3RED\x01"), "more than its two names"),
        (ext(9, b"\xa5Color\xa4PINK"), "Enum Color has no member 'PINK' here"),
        (ext(9, b"\xa5Color\xa8__init__"), "has no member"),
        (ext(9, b"\xa5Shade\xa3RED"), "Enum 'Shade' is not declared here"),
    ],
    ids=lambda part: f"{part!r:.40}",
)
def test_what_the_writer_never_writes_is_refused(data: bytes, reason: str) -> None:
    """Every way to be malformed is a ValueError that names it."""
    with pytest.raises(ValueError, match=reason):
        unpack(data, DECLARED)


def test_every_truncation_of_a_value_is_refused() -> None:
    """No proper prefix of a value is a value."""
    parts = {"a": NOON, "b": b"x" * 300, "c": (2**70, Decimal("1.5"))}
    data = pack([1.0, parts, Color.RED, UUID(int=5)])
    assert pack(unpack(data, DECLARED)) == data
    for size in range(len(data)):
        with pytest.raises(ValueError):
            unpack(data[:size], DECLARED)


def test_an_alias_reads_as_its_member() -> None:
    """A renamed Enum member is found under its old name, if that was kept as an alias."""
    assert unpack(ext(9, b"\xa5Color\xa7CRIMSON"), DECLARED) is Color.RED


def test_members_are_found_among_the_declared_classes_only() -> None:
    """The same bytes name another member where another class is declared."""
    other: Any = Enum("Color", {"RED": "other"})  # type: ignore[misc]
    assert unpack(pack(Color.RED), {"Color": other}) is other["RED"]
    assert unpack(pack([Mood.RED]), DECLARED) == [Mood.RED]


def test_a_zone_that_is_unknown_here_reads_as_its_offset() -> None:
    """Without the rules of a time zone, the instant and the offset still come back."""
    for key in (b"Test/Nowhere", b"Test", b"a/b/c"):  # the second is a folder
        read: Any = unpack(ext(4, b"2024-05-01T12:00:00+05:30[" + key + b"]"), {})
        assert read == datetime(2024, 5, 1, 6, 30, tzinfo=UTC)
        assert read.tzinfo == timezone(timedelta(hours=5, minutes=30))


def test_a_zone_with_other_rules_here_reads_as_its_offset() -> None:
    """What the writer's clock showed counts, not what this machine makes of it."""
    read: Any = unpack(ext(4, b"2024-05-01T12:00:00+05:30[Test/Turning][fold=1]"), {})
    assert read.isoformat() == "2024-05-01T12:00:00+05:30"
    assert read.fold == 1
    assert type(read.tzinfo) is timezone


def test_only_zones_with_a_key_keep_it() -> None:
    """Any other tzinfo is written as its offset at that time."""

    class Fixed(tzinfo):
        def dst(self, when: datetime | None) -> None:
            return None

        def tzname(self, when: datetime | None) -> None:
            return None

        def utcoffset(self, when: datetime | None) -> timedelta:
            return timedelta(hours=2)

    assert zone_key(ZoneInfo("Test/Half")) == "Test/Half"
    assert zone_key(CET) is None
    assert zone_key(None) is None
    with (Path(zoneinfo.TZPATH[0]) / "Test/Half").open("rb") as file:
        assert zone_key(ZoneInfo.from_file(file)) is None
    read: Any = unpack(pack(datetime(2024, 5, 1, tzinfo=Fixed())), {})
    assert read.tzinfo == timezone(timedelta(hours=2))
    assert read.utcoffset() == timedelta(hours=2)


def test_the_decimal_context_of_the_caller_does_not_matter() -> None:
    """A Decimal has the same bytes, and reads exactly, whatever the context says."""
    value = Decimal("1.2345678E+50")
    data = pack(value)
    with localcontext(Context(prec=2, capitals=0, Emax=5, Emin=-5)):
        assert pack(value) == data
        read: Any = unpack(data, {})
    assert str(read) == "1.2345678E+50"


def test_datetimes_are_written_for_people_too() -> None:
    """The text is ISO 8601 with the zone and the fold in brackets."""
    assert datetime_text(NIGHT) == "2024-10-27T02:30:00+02:00[Test/Turning]"
    assert datetime_text(NOON.replace(fold=1)) == "2024-05-01T12:00:00+00:00[fold=1]"


def test_a_value_may_weigh_so_much_and_no_more() -> None:
    """Items and their bytes are counted while reading."""
    fits = b"x" * (MAX_COST - ITEM_COST)
    assert unpack(pack(fits), {}) == fits
    with pytest.raises(ValueError, match="weighs more"):
        unpack(pack(fits + b"x"), {})
    with pytest.raises(ValueError, match="weighs more"):
        unpack(b"\xdd\x00\x20\x00\x00" + bytes(1 << 21), {})


BOMBS = """
import resource, sys, time
from crdtstore.packed import unpack
resource.setrlimit(resource.RLIMIT_AS, (3 << 28, 3 << 28))
size = 1 << 20
bombs = {
    "nested declared arrays": b"\\xdd\\x00\\x0f\\xff\\xff" * (size // 5),
    "nested declared maps": b"\\xdf\\x00\\x0f\\xff\\xff\\xa0" * (size // 6),
    "deep arrays": b"\\x91" * size,
    "deep tuples": b"".join(
        b"\\xc9" + (size - 6 * depth).to_bytes(4, "big") + b"\\x01" for depth in range(9999)
    ),
    "deep names": b"\\xc9\\x00\\x0f\\xff\\xff\\x09" * (size // 6),
    "empty arrays": b"\\xdd\\x00\\x10\\x00\\x00" + b"\\x90" * size,
    "empty maps": b"\\xdd\\x00\\x10\\x00\\x00" + b"\\x80" * size,
    "long text": b"\\xdb\\xff\\xff\\xff\\xff" + b"x" * size,
    "long bytes": b"\\xc6\\xff\\xff\\xff\\xff" + b"x" * size,
    "long ext": b"\\xc9\\xff\\xff\\xff\\xff\\x02" + b"x" * size,
    "long int": b"\\xc9\\x00\\x0f\\xff\\xff\\x02" + b"\\x01" * 0xFFFFF,
    "long decimal": b"\\xc9\\x00\\x0f\\xff\\xff\\x03" + b"1" * 0xFFFFF,
    "long time": b"\\xc9\\x00\\x0f\\xff\\xff\\x04" + b"1" * 0xFFFFF,
}
for name, data in bombs.items():
    start = time.process_time()
    try:
        unpack(data, {})
    except ValueError:
        print("refused", name)
    else:
        print("read", name)
    assert time.process_time() - start < 20, name
"""


def test_bombs_take_neither_memory_nor_time() -> None:
    """Declared lengths, depth and multitudes are refused or read within bounds."""
    done = subprocess.run(
        [sys.executable, "-c", BOMBS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == 13
    assert [line for line in answers if line.startswith("read")] == [
        "read empty arrays",
        "read empty maps",
    ]


def test_limits_are_what_the_documentation_says() -> None:
    """4096 bits, 4096 digits, 16 MiB."""
    assert (MAX_INT_BITS, MAX_DIGITS, MAX_COST) == (4096, 4096, 16 * 1024 * 1024)
    assert struct.calcsize(">d") == ITEM_COST
