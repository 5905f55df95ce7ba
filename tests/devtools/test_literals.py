"""The literals that people type into the dispatcher of Redux DevTools."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest

from crdtstore import Action, create_action, create_slice
from sync.devtools.literals import (
    MAX_DEPTH,
    MAX_LENGTH,
    LiteralError,
    parse_action,
    parse_literal,
    parse_sent,
    signatures,
)

LITERALS: dict[str, Any] = {
    "null": None,
    "undefined": None,
    "true": True,
    "false": False,
    "0": 0,
    "-0": 0,
    "42": 42,
    "+42": 42,
    "- 1": -1,
    "1_000": 1000,
    "0x1F": 31,
    "0o17": 15,
    "0b101": 5,
    "12345678901234567890n": 12345678901234567890,
    "1.5": 1.5,
    ".5": 0.5,
    "5.": 5.0,
    "-.5e3": -500.0,
    "1E+2": 100.0,
    "Infinity": math.inf,
    "-Infinity": -math.inf,
    "''": "",
    "'a\"b'": 'a"b',
    '"it\'s"': "it's",
    "`two\nlines $ {}`": "two\nlines $ {}",
    r"'\n\t\\\'\0\x41\u0042\u{1f600}\q'": "\n\t\\'\0AB\U0001f600q",
    r"'\ud83d\ude00'": "\U0001f600",
    "'one \\\nline'": "one line",
    "[]": [],
    "[1, 'a', [],]": [1, "a", []],
    "[" + "[{}]," * 100 + "]": [[{}]] * 100,
    "[" * MAX_DEPTH + "]" * MAX_DEPTH: json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH),
    "{}": {},
    "{a: 1, 'b c': 2, \"d\": 3, $_é: 4, 5: 6, 0x10: 7, .5: 8, true: 9,}": {
        "a": 1,
        "b c": 2,
        "d": 3,
        "$_é": 4,
        "5": 6,
        "16": 7,
        "0.5": 8,
        "true": 9,
    },
    "{a: 1, a: 2}": {"a": 2},
    "({a: (1)});": {"a": 1},
    " // before\n [1, /* within */ 2] /* after **/ ": [1, 2],
}


@pytest.mark.parametrize("text", LITERALS, ids=lambda text: text[:20])
def test_a_literal_is_its_value(text: str) -> None:
    """Each form of data that JavaScript can write has a Python value."""
    value = parse_literal(text)
    assert value == LITERALS[text]
    assert type(value) is type(LITERALS[text])


def test_nan_is_read() -> None:
    """NaN is a number of JavaScript's."""
    assert math.isnan(parse_literal("NaN"))


REFUSED = {
    "": "column 1: expected a value",
    "  ": "column 3: expected a value",
    "foo": "column 1: expected a value (names and calls are not run; quote a text), got 'foo'",
    "alert(1)": "names and calls are not run",
    "this.store": "names and calls are not run",
    "new Date()": "names and calls are not run",
    "() => 1": "column 2: expected a value, got ') => 1'",
    "1 + 1": "column 3: expected the end, got '+ 1'",
    "{a: f()}": "column 5: expected the value of 'a' (names and calls are not run",
    "{a}": "column 3: expected ':' after the key 'a', got '}'",
    "{a: 1 b: 2}": "column 7: expected ',' or '}', got 'b: 2}'",
    "{a: 1": "column 6: expected ',' or '}'",
    "{\n  a: 1,\n  ...b}": "line 3, column 3: expected a key or '}', got '...b}'",
    "{[a]: 1}": "column 2: expected a key or '}'",
    "{`a`: 1}": "column 2: expected a key or '}'",
    "[1,,2]": "column 4: expected an element, got ',2]'",
    "[1": "column 3: expected ',' or ']'",
    "(1": "column 3: expected ')'",
    "1 2": "column 3: expected the end",
    "'abc": "column 1: expected a string that ends with '",
    "'a\nb'": "column 1: expected a string that ends with '",
    "`a${b}`": "column 3: expected a string without ${}, which is not run",
    r"'\u12'": r"column 3: expected an escape like \x41, \u0041 or \u{41}",
    r"'\u{110000}'": "column 3: expected an escape",
    r"'\xg0'": "column 3: expected an escape",
    r"'\07'": "column 3: expected no octal escape",
    r"'\ud83d'": "column 1: expected a string of whole characters",
    "010": "column 1: expected a number, got '010'",
    "1.2.3": "column 1: expected a number",
    "3px": "column 1: expected a number",
    "1__0": "column 1: expected a number",
    "0x": "column 1: expected a number",
    "-a": "column 2: expected a number after '-'",
    "٣": "column 1: expected a number",
    "/* never closed": "column 1: expected a value, got '/* never closed'",
    "1" * 401: "column 1: expected a number of at most 400 characters",
    "[" * (MAX_DEPTH + 1): f"column {MAX_DEPTH + 1}: expected at most {MAX_DEPTH} objects",
    "(" * 100_000: f"expected at most {MAX_DEPTH} objects",
    " " * (MAX_LENGTH + 1): "expected at most 1,000,000 characters, got 1,000,001",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_anything_else_is_refused_with_where_and_what_was_expected(text: str) -> None:
    """An error names the place, what should be there, and what is."""
    with pytest.raises(LiteralError) as caught:
        parse_literal(text)
    assert REFUSED[text] in str(caught.value)


def test_what_json_writes_is_read_as_json_reads_it() -> None:
    """JSON is part of JavaScript: 500 random values come back the same."""
    random = Random(7)

    def value(depth: int) -> Any:
        kind = random.randrange(8 if depth < 5 else 6)
        if kind == 6:
            return [value(depth + 1) for _ in range(random.randrange(4))]
        if kind == 7:
            return {text(): value(depth + 1) for _ in range(random.randrange(4))}
        number = random.randrange(-(10**20), 10**20)
        return [None, True, False, number, number / 10**9, text()][kind]

    def text() -> str:
        return "".join(
            chr(random.choice((random.randrange(32, 127), random.randrange(0xD800))))
            for _ in range(5)
        )

    for ascii in (True, False):
        for _ in range(250):
            made = value(0)
            assert parse_literal(json.dumps(made, ensure_ascii=ascii)) == made


def test_random_text_is_a_value_or_an_error() -> None:
    """No text makes the parser fail in another way, 3 000 random ones of its own signs do not."""
    random = Random(8)
    signs = ["{", "}", "[", "]", "(", ")", ",", ":", "'", '"', "`", "\\", "\\u", "$", "${", "/*"]
    signs += [
        "*/",
        "//",
        "\n",
        "-",
        "+",
        ".",
        "0",
        "0x",
        "1e",
        "_",
        "n",
        "a",
        "true",
        " ",
        "\ud800",
    ]
    values = 0
    for _ in range(3000):
        text = "".join(random.choices(signs, k=random.randrange(1, 8)))
        try:
            parse_literal(text)
            values += 1
        except LiteralError:
            pass
    assert 20 < values < 1500


def test_an_action_is_an_object_with_a_type() -> None:
    """Its payload, meta and error are taken over."""
    assert parse_action("{type: 'todos/add', payload: {title: 'milk', tags: ['a', \"b\"]}}") == (
        Action("todos/add", {"title": "milk", "tags": ["a", "b"]})
    )
    assert parse_action("{type: 'x', meta: 1, error: true}") == Action("x", None, 1, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3", "expected an action, an object like {type: 'todos/add', payload: 'milk'}, got int 3"),
        ("{payload: 1}", "got none"),
        ("{type: 3}", "got the type int 3"),
        ("{type: ''}", "got the type str ''"),
        ("{type: 'x', by: 3}", "got 'by' as well: put it into payload"),
        ("{type: 'x'", "column 11: expected ',' or '}'"),
    ],
)
def test_what_is_no_action_is_refused(text: str, said: str) -> None:
    """The error says what an action has."""
    with pytest.raises(LiteralError) as caught:
        parse_action(text)
    assert said in str(caught.value)


todos = create_slice(name="todos", initial_state={"items": []})


@todos.reducer
def add(state: Any, title: str, urgent: bool = False, owner: str = "") -> None:
    state.items.append(title)


@todos.reducer
def plan(state: Any, *entries: str) -> None:
    state.items += entries


CREATORS = {"todos/plan": plan, "todos/add": add, "ping": create_action("ping")}


def sent(name: str, args: list[Any], rest: Any = "[]") -> dict[str, Any]:
    return {"name": name, "selected": 0, "args": args, "rest": rest}


def test_the_dispatcher_is_told_what_each_creator_takes() -> None:
    """Sorted by name; what is taken with a star goes into the field for the rest."""
    assert signatures(CREATORS) == [
        {"name": "ping", "args": []},
        {"name": "todos/add", "args": ["title", "urgent", "owner"]},
        {"name": "todos/plan", "args": []},
    ]


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (sent("todos/add", ["'milk'"]), add("milk")),
        (sent("todos/add", ["'milk'", "true"], ""), add("milk", True)),
        (sent("todos/add", ["'milk'", None, "'Ann'"]), add("milk", owner="Ann")),
        (sent("todos/add", ["'milk'", "", "'Ann'"], None), add("milk", owner="Ann")),
        (sent("todos/add", ["'milk'"], "[true, 'Ann']"), add("milk", True, "Ann")),
        (sent("todos/plan", [], "['a', 'b']"), plan("a", "b")),
        (sent("ping", [], "[{n: 1}]"), Action("ping", {"n": 1})),
        ("{type: 'ping'}", Action("ping")),
    ],
)
def test_a_creator_is_called_with_literals(call: Any, action: Action[Any]) -> None:
    """What was left empty is left to its default; the rest comes after the fields."""
    assert parse_sent(call, CREATORS) == action


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (None, "expected the text of an action, got NoneType None"),
        (sent("eval", []), "no action creator str 'eval'; there are: todos/plan, todos/add, ping"),
        ({}, "there is no action creator NoneType None"),
        ({"name": "ping", "args": "1"}, "args of ping is an array of texts, got str '1'"),
        (sent("ping", [], 5), "rest of ping is the text of an array, got int 5"),
        (sent("ping", [], "5"), "rest of ping is an array like [1, 2], got int 5"),
        (sent("ping", [], "[1"), "rest of ping: column 3: expected ',' or ']'"),
        (sent("todos/add", ["milk"]), "title of todos/add: column 1: expected a value (names"),
        (sent("todos/add", [5]), "title of todos/add is the text of a literal, got int 5"),
        (sent("todos/add", []), "todos/add: missing a required argument: 'title'"),
        (sent("todos/add", [None, "true"], "[1]"), "todos/add: fill in the fields before"),
        (sent("ping", [None, "1"]), "ping: argument 2 is given, but not what comes before it"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(call: Any, said: str) -> None:
    """The error names the creator and its argument."""
    with pytest.raises(LiteralError) as caught:
        parse_sent(call, CREATORS)
    assert said in str(caught.value)
