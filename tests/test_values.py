"""Which values can be state, and how a document carries them."""

from __future__ import annotations

import collections
import enum
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pytest

from crdtstore import values
from crdtstore.errors import ShapeError, StateValueError
from crdtstore.values import (
    ANY,
    MAX_COST,
    MAX_DEPTH,
    NATURAL_DEPTH,
    REMOVED,
    Codec,
    FrozenDict,
    FrozenList,
    canonical,
    freeze,
    normalise,
    same,
)
from properties.state_values import CODEC, Color, Level, Mood, exactly

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")
AnyColor = TypeVar("AnyColor", bound=Color)
OneOf = TypeVar("OneOf", Color, Mood)
Wrapped = NewType("Wrapped", Color)


class Box(Generic[T]):
    pass


class Title(str):
    __slots__ = ()
    __crdtstore_text__ = True


def namesake() -> Any:
    """Another class named Color."""
    return enum.Enum("Color", {"RED": 1})


def nested(depth: int, wrap: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        2**53 - 1,
        -(2**53) + 1,
        0.5,
        -1e-300,
        5e-324,
        "",
        "text",
        "é€𝄞\0\n",
        [],
        [1, None, "a", [0.5, {}]],
        {},
        {"a": 1, "b": {"c": []}},
        {"": 0, "A": 1, "a": 2, "é": 3, "\uffff": 4, "\U0001f600": 5},
    ],
)
def test_what_json_carries_exactly_travels_as_it_is(value: Any) -> None:
    """The encoding of a natural value is that value, in new containers."""
    encoded = ANY.encode(value, ())
    assert exactly(encoded, value)
    assert encoded is not value or not isinstance(value, list | dict)
    assert exactly(ANY.decode(encoded), value)


@pytest.mark.parametrize(
    "value",
    [
        5.0,
        0.0,
        -0.0,
        1e300,
        float("inf"),
        2**53,
        -(2**53),
        2**63,
        2**4095,
        b"",
        b"bytes",
        (),
        (1,),
        {"b": 1, "a": 2},
        [5.0],
        [[[b""]]],
        {"a": {"b": (1,)}},
        datetime(2024, 5, 1, tzinfo=UTC),
        date(2024, 5, 1),
        timedelta(1),
        UUID(int=1),
        Decimal("1.50"),
        Color.RED,
        Mood.GOOD,
        Level.HIGH,
        nested(NATURAL_DEPTH + 1),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_everything_else_travels_whole_in_one_binary_value(value: Any) -> None:
    """Whatever is, or holds, what JSON cannot carry becomes bytes, never the removed marker."""
    encoded = CODEC.encode(value, ())
    assert type(encoded) is bytes
    assert encoded != REMOVED
    assert exactly(CODEC.decode(encoded), value)


def test_the_order_of_a_dict_comes_back() -> None:
    """A dict is natural only in sorted order; any other order is carried in binary form."""
    ordered = {"a": 1, "b": 2}
    reverse = {"b": 2, "a": 1}
    assert ANY.encode(ordered, ()) == ordered
    assert list(ANY.decode(ANY.encode(reverse, ()))) == ["b", "a"]  # type: ignore[call-overload]
    # A document gives keys in any order, so what is natural reads in sorted order.
    assert list(ANY.decode(normalise({"b": 2.0, "a": 1.0}))) == ["a", "b"]  # type: ignore[call-overload]


def test_what_is_decoded_is_frozen() -> None:
    """Lists and dicts come back frozen at any depth, in either form."""
    for value in ([1, {"a": [2]}], [1.0, {"a": [2]}, ([3],)]):
        decoded: Any = ANY.decode(ANY.encode(value, ()))
        assert decoded == value
        assert same(decoded, freeze(value))
        assert type(decoded) is FrozenList
        assert type(decoded[1]) is FrozenDict
        assert type(decoded[1]["a"]) is FrozenList
    assert type(ANY.decode(ANY.encode(([3],), ()))[0]) is FrozenList  # type: ignore[index]


def test_frozen_values_are_encoded_as_their_plain_selves() -> None:
    """What was read can be written elsewhere, and shares no container with its encoding."""
    for value in ([1, {"a": [2]}], [1.0, {"b": (), "a": [2]}], {"a": [Title("x")]}):
        frozen = freeze(value)
        encoded = ANY.encode(frozen, ())
        assert exactly(encoded, ANY.encode(value, ()))
        if isinstance(encoded, list | dict):
            assert type(encoded) in (list, dict)


def test_marked_text_is_stored_as_plain_text() -> None:
    """A str class that stands for text of the state leaves only its characters behind."""
    for value in (Title("a"), [Title("a")], (Title("a"), 1.0)):
        decoded = ANY.decode(ANY.encode(value, ()))
        assert same(decoded, value)
        assert type(decoded[0]) is str  # type: ignore[index]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "f: expected a number, got NaN"),
        ([0, {"a": (1, float("nan"))}], "f[1].a[1]: expected a number, got NaN"),
        (Decimal("sNaN"), "f: expected a number, got NaN"),
        ("a\udc80", "f: expected text, got the lone surrogate '\\udc80' at index 1"),
        ({"a": ["\ud800"]}, "f.a[0]: expected text, got the lone surrogate"),
        ({"\ud800": 1}, "f: expected text, got the lone surrogate"),
        ([Title("\ud800")], "f[0]: expected text, got the lone surrogate"),
        (datetime(2024, 1, 1), "f: expected an aware datetime, got the naive datetime"),
        ([datetime(2024, 1, 1)], "f[0]: expected an aware datetime, got the naive datetime"),
        (1 << 4096, "f: expected an int of at most 4096 bits"),
        (bytearray(), "f: expected a value that state can hold, got bytearray; store bytes(value)"),
        ({"a": {1}}, "f.a: expected a value that state can hold, got set; declare the field as"),
        ([1j], "f[0]: expected a value that state can hold, got complex"),
        (object(), "f: expected a value that state can hold, got object; state holds None, bool"),
        (
            {"a": collections.OrderedDict()},
            "f.a: expected a value that state can hold, got collections.OrderedDict; it is a subcl",
        ),
        ({1: 2}, "f: expected a dict with str keys, got a key of type int; use str(key), or a li"),
        ([{"a": {None: 2}}], "f[0].a: expected a dict with str keys, got a key of type NoneType"),
        ({Mood.GOOD: 2}, "f: expected a dict with str keys, got a key of type properties.state_va"),
        ({Title("a"): 2}, "f: expected a dict with str keys, got a key of type tests.test_values."),
        (
            {"two words": [{1}]},
            "f['two words'][0]: expected a value that state can hold, got set",
        ),
    ],
    ids=lambda part: type(part).__name__ if not isinstance(part, str) else part[:30],
)
def test_what_state_cannot_hold_is_refused_with_the_path_to_it(value: Any, message: str) -> None:
    """The error names the very place within the value, what came and what to do."""
    with pytest.raises(StateValueError) as caught:
        CODEC.encode(value, ("f",))
    assert str(caught.value).startswith(message)
    assert caught.value.path[0] == "f"


def test_self_containing_values_are_refused_where_the_circle_closes() -> None:
    """The error names both ends of the circle."""
    circle: list[Any] = [1]
    circle.append({"back": circle})
    with pytest.raises(
        StateValueError,
        match=r"^f\.x\[1\]\.back: expected a value that does not contain itself, got the list at "
        r"f\.x again; store a key or an index that points to it$",
    ):
        ANY.encode({"x": circle, "y": 1}, ("f",))
    box: dict[str, Any] = {}
    box["me"] = (box,)
    with pytest.raises(StateValueError, match=r"^f\.me\[0\]: expected .* got the dict at f again"):
        ANY.encode(box, ("f",))
    alone: list[Any] = []
    alone.append(alone)
    with pytest.raises(
        StateValueError, match=r"^\[0\]: expected .* got the list at the value again"
    ):
        ANY.encode(alone, ())


def test_a_value_that_is_used_twice_contains_nothing_twice() -> None:
    """Sharing is no circle; what is read back shares nothing."""
    part = [1]
    decoded: Any = ANY.decode(ANY.encode([part, part, {"a": part}], ()))
    assert decoded == [[1], [1], {"a": [1]}]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: [inner],
        lambda inner: {"a": inner},
        lambda inner: (inner,),
        lambda inner: FrozenList([inner]),
    ],
)
def test_64_containers_may_lie_inside_one_another(wrap: Callable[[Any], Any]) -> None:
    """The 65th is refused, whatever it is, and so is the ten-thousandth."""
    value = nested(MAX_DEPTH, wrap)
    assert ANY.decode(ANY.encode(value, ())) == value
    for depth in (MAX_DEPTH + 1, 10_000):
        with pytest.raises(
            StateValueError,
            match=r"^f: expected at most 64 containers inside one another, got more; keep the ",
        ):
            ANY.encode(nested(depth, wrap), ("f",))


def test_deep_values_are_natural_down_to_32_levels() -> None:
    """Deeper ones go in binary form, so that no cell is deeper than readers of updates accept."""
    assert type(ANY.encode(nested(NATURAL_DEPTH), ())) is list
    assert type(ANY.encode(nested(NATURAL_DEPTH + 1), ())) is bytes
    assert type(ANY.encode([1, nested(NATURAL_DEPTH)], ())) is bytes
    for read in (ANY.decode, normalise):
        read(nested(NATURAL_DEPTH))
        with pytest.raises(ValueError, match="more than 32 containers"):
            read(nested(NATURAL_DEPTH + 1))


@pytest.mark.parametrize(
    "value",
    [
        "x" * (MAX_COST + 1),
        b"x" * (MAX_COST + 1),
        "é" * (MAX_COST // 2 + 1),
        ["x" * (MAX_COST // 2)] * 2,
        [[b"x" * (MAX_COST // 4)] * 2] * 2,
        [None] * (MAX_COST // 8 + 1),
        {"x" * (MAX_COST // 2): "x" * (MAX_COST // 2)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_may_weigh_16_mib(value: Any) -> None:
    """Beyond that it is refused with the way round, whatever the weight is made of."""
    with pytest.raises(StateValueError, match=r"^f.*: expected a value of at most 16777216 bytes"):
        ANY.encode(value, ("f",))


def test_values_of_nearly_16_mib_pass() -> None:
    """The limit itself is allowed, in both forms."""
    text = "x" * (MAX_COST - 8)
    assert ANY.decode(ANY.encode([text[8:]], ())) == [text[8:]]
    data = text[8:].encode()
    assert ANY.decode(ANY.encode(data, ())) == data


BOMB = """
import resource
from crdtstore.errors import StateValueError
from crdtstore.values import ANY
resource.setrlimit(resource.RLIMIT_AS, (3 << 28, 3 << 28))
for wrap in (lambda x: [x, x], lambda x: (x, x), lambda x: {"a": x, "b": x}):
    value = "core"
    for _ in range(60):
        value = wrap(value)
    try:
        ANY.encode(value, ("f",))
    except StateValueError as error:
        print(error)
"""


def test_a_small_value_that_unfolds_without_end_is_refused_in_time() -> None:
    """Sixty lists that each hold the next one twice would have 2**60 items."""
    done = subprocess.run(
        [sys.executable, "-c", BOMB],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == 3
    assert all(line.startswith("f: expected a value of at most 16777216") for line in answers)


@pytest.mark.parametrize(
    "annotation",
    [
        Color,
        Optional[Color],  # noqa: UP045 - both spellings occur
        Color | None,
        Union[int, Color],  # noqa: UP007 - both spellings occur
        list[Color],
        dict[str, list[tuple[int, Color]]],
        tuple[Color, ...],
        Annotated[Color, "note"],
        Annotated[list[Color], []],
        Literal[Color.RED],
        Callable[[Color], int],
        Box[Color],
        AnyColor,
        OneOf,
        Wrapped,
        list[Wrapped | None],
        type[Color],
    ],
)
def test_an_enum_is_found_wherever_an_annotation_names_it(annotation: Any) -> None:
    """Optional, unions, containers, Annotated, Literal, NewType and type variables are searched."""
    codec = Codec.of(annotation)
    assert codec.enums["Color"] is Color
    assert codec.decode(codec.encode([Color.GREEN], ())) == [Color.GREEN]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type aliases are statements from 3.12 on")
def test_type_aliases_are_searched_even_recursive_ones() -> None:
    """An alias is as good as what it stands for, and one that names itself is no trap."""
    names: dict[str, Any] = {"Color": Color}
    exec("type Tree = list[Tree] | Color\ntype Pair[T] = tuple[T, T]", names)
    assert Codec.of(names["Tree"]).enums == {"Color": Color}
    assert Codec.of(names["Pair"][Color]).enums == {"Color": Color}


def test_codecs_are_cached_and_most_are_one() -> None:
    """Whatever names no Enum has the codec of Any."""
    assert Codec.of(Color) is Codec.of(Color)
    for annotation in (Any, int, None, list[int], "Color", Annotated[int, []], Literal["a"], 5):
        assert Codec.of(annotation) is ANY
    assert repr(Codec.of(Color | Mood)) in ("Codec(Color, Mood)", "Codec(Mood, Color)")


def test_undeclared_members_are_refused_with_the_way_to_declare_them() -> None:
    """Members are found by the name of their class, so the field has to name it."""
    other = namesake()
    for codec, member in ((ANY, Color.RED), (Codec.of(Mood), Color.RED), (CODEC, other["RED"])):
        with pytest.raises(
            StateValueError,
            match=r"^f\[0\]: expected a value that state can hold, got .*Color; name Color in the "
            r"field's annotation, or store the member's \.value or \.name$",
        ):
            codec.encode([member], ("f",))


def test_two_enums_of_one_name_in_one_annotation_are_refused() -> None:
    """Reading could not tell their members apart."""
    other = namesake()
    with pytest.raises(ShapeError, match=r"Enum classes of different names, got .*; rename one"):
        Codec.of(dict[str, Color | other])  # type: ignore[valid-type]
    assert Codec.of(Color | Color).enums == {"Color": Color}


def test_unknown_members_are_value_errors_when_read() -> None:
    """A member or class that this version of the program does not have does not fit."""
    data = CODEC.encode(Color.RED, ())
    for codec, reason in (
        (ANY, "Enum 'Color' is not declared here"),
        (Codec.of(enum.Enum("Color", {"PINK": 1})), "Enum Color has no member 'RED' here"),
    ):
        with pytest.raises(ValueError, match=reason):
            codec.decode(data)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xc1",
        b"\xcb\x7f\xf8" + bytes(6),
        5.0,
        -0.0,
        float("nan"),
        float("inf"),
        1e300,
        2**53,
        -(2**53),
        [b"a"],
        [5.0],
        {"a": [2**53]},
        {1: 2},
        bytearray(b"\x01"),
        (1,),
        object(),
        FrozenList(),
    ],
    ids=lambda part: type(part).__name__ if type(part) is object else repr(part),
)
def test_what_no_codec_writes_is_not_decoded(encoded: Any) -> None:
    """Nothing is read as a value that would have been written otherwise."""
    with pytest.raises(ValueError):
        ANY.decode(encoded)


def test_a_natural_value_in_binary_form_is_accepted() -> None:
    """Where the line between the forms lies may change; both forms have one meaning each."""
    assert ANY.decode(b"\x05") == 5
    assert ANY.decode(b"\x91\xa1a") == ["a"]


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        (5.0, 5),
        (-3.0, -3),
        (0.0, 0),
        (2.0**53 - 1, 2**53 - 1),
        (0.5, 0.5),
        (7, 7),
        (True, True),
        (None, None),
        ("a", "a"),
        (bytearray(b"ab"), b"ab"),
        (b"ab", b"ab"),
        ([1.0, [2.0, {"a": 3.0}]], [1, [2, {"a": 3}]]),
        ({"b": 1.0, "a": None}, {"a": None, "b": 1}),
    ],
)
def test_what_a_document_gives_back_is_put_right(raw: Any, encoded: Any) -> None:
    """Floats become the ints they were, bytearrays bytes, and dicts sorted."""
    assert exactly(normalise(raw), encoded)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytearray(),
        -0.0,
        float("nan"),
        float("inf"),
        2.0**53,
        -(2.0**53),
        1e300,
        2**53,
        [b"a"],
        {"a": bytearray(b"a")},
        [1e300],
        {"a": [float("nan")]},
        {1: 2},
        (1.0,),
        object(),
    ],
    ids=lambda part: type(part).__name__ if type(part) is object else repr(part),
)
def test_what_no_codec_writes_is_not_normalised(raw: Any) -> None:
    """A value from a document that nobody of ours wrote is refused."""
    with pytest.raises(ValueError):
        normalise(raw)


# These bytes are hashed into digests that peers compare: a change to one is a new protocol.
@pytest.mark.parametrize(
    ("raws", "data"),
    [
        ((5, 5.0), "9105"),
        ((0, 0.0), "9100"),
        ((-0.0,), "91cb8000000000000000"),
        ((0.5,), "91cb3fe0000000000000"),
        ((2**53, 2.0**53), "91cb4340000000000000"),
        ((float("nan"), -float("nan")), "91cb7ff8000000000000"),
        ((None,), "91c0"),
        ((True,), "91c3"),
        (("a",), "91a161"),
        ((b"a", bytearray(b"a")), "91c40161"),
        (([], ()), "919100"),
        (([1, "a"], [1.0, "a"]), "93910201a161"),
        (({},), "9181a000"),
        (({"b": 1.0, "a": [2]}, {"a": [2.0], "b": 1}), "9681a002a161910102a16201"),
    ],
    ids=lambda part: f"{part!r:.30}",
)
def test_canonical_bytes_are_the_same_on_every_replica(raws: tuple[Any, ...], data: str) -> None:
    """Numbers that documents give back differently and dicts in any order have one form."""
    assert [canonical(raw).hex() for raw in raws] == [data] * len(raws)


def test_canonical_bytes_differ_for_different_values() -> None:
    """No container looks like another, or like its contents."""
    raws: list[Any] = [
        *(None, False, 0, 1, 0.5, "", "a", b"", b"a", [], [[]], [[], []], [[[]]], {}, [{}]),
        *([1], [1, 1], [[1]], [[1], 1], [[1, 1]], {"a": 1}, {"a": [1]}, ["a", 1], {"": 2}, [2]),
        *({"a": 1, "b": 2}, {"a": {"b": 2}}, {"a": "b"}, -0.0),
    ]
    assert len({canonical(raw) for raw in raws}) == len(raws)


def test_canonical_bytes_are_made_at_any_depth() -> None:
    """A stranger may write deeper than any recursion goes."""
    assert canonical(nested(100_000)) != canonical(nested(100_001))


def test_the_module_offers_what_others_import_from_it() -> None:
    """Everything public about values is importable from here, and listed."""
    assert sorted(values.__all__) == sorted(set(values.__all__))
    for name in values.__all__:
        assert hasattr(values, name)
