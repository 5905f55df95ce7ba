"""Properties of what state can hold: exact round trips, equalities, and hostile bytes."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycrdt import Doc, Map

from crdtstore.packed import pack
from crdtstore.values import (
    ANY,
    REMOVED,
    canonical,
    element_key,
    freeze,
    normalise,
    same,
    thaw,
    to_plain,
)
from properties.state_values import CODEC, exactly, hashables, naturals, scalars, twins, values

ROOT = Path(__file__).resolve().parent.parent


def through_a_document(value: Any) -> tuple[Any, Any]:
    """Write a value into a document; return what it and a second replica read."""
    first: Doc[Any] = Doc()
    second: Doc[Any] = Doc()
    cells = first.get("cells", type=Map)
    cells["key"] = [0, value]
    second.apply_update(first.get_update())
    return cells["key"], second.get("cells", type=Map)["key"]


@given(values)
def test_every_value_round_trips_exactly_here_and_at_a_peer(value: Any) -> None:
    """What is encoded, stored and read back on either replica is what was put in."""
    encoded = CODEC.encode(value, ("field",))
    assert encoded != REMOVED
    for _, raw in through_a_document(encoded):
        read = normalise(raw)
        assert exactly(read, encoded)
        assert exactly(CODEC.decode(read), value)
        assert exactly(thaw(CODEC.decode(read)), thaw(value))


@given(values)
def test_replicas_agree_on_the_canonical_bytes_of_a_value(value: Any) -> None:
    """The writer, a reader and the encoding itself have the same canonical bytes."""
    encoded = CODEC.encode(value, ())
    assert {canonical(raw) for raw in through_a_document(encoded)} == {canonical([0, encoded])}


@given(values, values)
def test_canonical_bytes_differ_where_encodings_differ(a: Any, b: Any) -> None:
    """Two encodings have the same canonical bytes only if they are the same."""
    a, b = CODEC.encode(a, ()), CODEC.encode(b, ())
    assert (canonical(a) == canonical(b)) == exactly(a, b)


@given(naturals)
def test_natural_values_travel_as_they_are(value: Any) -> None:
    """What JSON carries exactly is its own encoding, in containers that are not shared."""
    encoded = ANY.encode(value, ())
    assert exactly(encoded, value)
    assert json.loads(json.dumps(encoded, allow_nan=False)) == value
    assert encoded is not value or not isinstance(value, list | dict)


@given(twins | st.tuples(values, values))
def test_encodings_are_equal_exactly_where_values_are_the_same(pair: tuple[Any, Any]) -> None:
    """`same` tells apart what reads back differently, and nothing else."""
    a, b = pair
    alike = exactly(a, b)
    assert same(a, b) == same(b, a) == alike
    assert exactly(CODEC.encode(a, ()), CODEC.encode(b, ())) == alike


@given(values)
def test_a_value_is_the_same_as_its_frozen_its_thawed_and_its_copied_self(value: Any) -> None:
    """Freezing, thawing, pickling and copying change nothing but who may write."""
    frozen = freeze(value)
    assert freeze(frozen) is frozen
    for other in (frozen, thaw(frozen), pickle.loads(pickle.dumps(frozen)), deepcopy(frozen)):
        assert exactly(value, other)
        assert same(value, other)


@given(twins | st.tuples(hashables, hashables) | st.tuples(twins, twins))
@example(((1, True), (1.0, 1)))
@example((1e300, int(1e300)))
@example((0.1, Decimal("0.1")))
def test_element_keys_are_equal_exactly_where_python_calls_values_equal(
    pair: tuple[Any, Any],
) -> None:
    """Set elements have one key for each class of equal values."""
    a, b = pair
    assert (element_key(a, ()) == element_key(b, ())) == bool(a == b)


@given(st.lists(st.one_of(st.integers(-3, 6), scalars), max_size=40))
def test_keys_count_what_a_python_set_counts(elements: list[Any]) -> None:
    """A set of any elements has as many members as there are keys."""
    pairs = itertools.combinations(elements, 2)
    assert all((element_key(a, ()) == element_key(b, ())) == bool(a == b) for a, b in pairs)


@given(hashables)
def test_an_element_keeps_its_key_through_a_document(value: Any) -> None:
    """Every replica computes the key the writer computed."""
    assert element_key(CODEC.decode(CODEC.encode(value, ())), ()) == element_key(value, ())


@given(values)
def test_all_state_becomes_plain_json(value: Any) -> None:
    """`to_plain` leaves nothing that JSON cannot write, frozen or not."""
    plain = to_plain(value)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert to_plain(freeze(value)) == plain


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(anything | st.binary())
def test_whatever_a_document_gives_back_is_normalised_or_refused(value: Any) -> None:
    """`normalise` answers only with what some codec writes, and `canonical` always answers."""
    for _, raw in through_a_document(value):
        assert canonical(raw) == canonical(raw)
        try:
            read = normalise(raw)
        except ValueError:
            continue
        if isinstance(read, bytes):
            continue
        assert exactly(ANY.encode(ANY.decode(read), ()), read)


@given(st.binary(max_size=40))
@example(b"")
def test_bytes_decode_to_one_value_or_not_at_all(data: bytes) -> None:
    """What is read from random bytes would be written as exactly these bytes."""
    try:
        value = CODEC.decode(data)
    except ValueError:
        return
    assert pack(value) == data


ROUNDS = 20_000
_FUZZ = """
import random, resource, sys
from crdtstore.packed import pack
from properties.state_values import CODEC
seed, rounds = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
rng = random.Random(seed)
seeds = [bytes.fromhex(line) for line in sys.stdin.read().split()]
read = 0
for _ in range(rounds):
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0: data[at:at + 1] = bytes([rng.randrange(256)])
            case 1: data[at:at] = bytes([rng.choice((0x91, 0xC7, 0xC9, 0xDD, 0xDF, 0xDB, 0xD4))])
            case 2: del data[at:at + rng.randint(1, 8)]
            case 3: data[at:at] = rng.choice(seeds)
            case 4: data[at:at + 1] = b"\\xff" * rng.randint(1, 4)
    data = bytes(data)
    try:
        value = CODEC.decode(data)
    except ValueError:
        continue
    read += 1
    CODEC.encode(value, ())
    assert pack(value) == data or b"[" in data or b"CRIMSON" in data, data.hex()
print(read)
"""


def test_damaged_bytes_are_refused_or_mean_what_they_say(
    request: pytest.FixtureRequest,
) -> None:
    """No bytes crash the reader, use up memory, or give a value with another encoding."""
    seed = str(request.config.option.hypothesis_seed)
    samples: list[str] = []

    @given(values.filter(lambda value: len(pack(CODEC.decode(CODEC.encode(value, ())))) < 400))
    def collect(value: Any) -> None:
        samples.append(pack(value).hex())

    collect()
    done = subprocess.run(
        [sys.executable, "-c", _FUZZ, seed, str(ROUNDS)],
        input="\n".join(samples),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    assert int(done.stdout) > 0


@given(st.floats(), st.sampled_from([ANY.decode, normalise]))
def test_floats_in_natural_form_have_a_fraction(
    value: float, read: Callable[[Any], object]
) -> None:
    """A float that is no int and no fraction is refused by whoever reads it."""
    try:
        result = read(value)
    except ValueError:
        return
    assert math.isfinite(value)
    assert result == value
    assert isinstance(result, int) == (value.is_integer() and read is normalise)
