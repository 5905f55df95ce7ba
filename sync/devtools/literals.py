"""JavaScript literals, as people type them into Redux DevTools: parsed, never run.

Other clients evaluate the text of its dispatcher. Here it is read by a parser that knows data and
nothing else: objects, arrays, strings, numbers, ``true``, ``false``, ``null`` and ``undefined``,
with comments and trailing commas. A name, call, operator, spread or ``${}`` is an error that says
where it stands. Text and nesting are bounded, so that none costs more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, NoReturn

from crdtstore import Action, CrdtstoreError

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "LiteralError",
    "parse_action",
    "parse_literal",
    "parse_sent",
    "signatures",
]

MAX_LENGTH = 1_000_000
"""Characters of a text that is parsed."""

MAX_DEPTH = 64
"""How many objects and arrays may stand inside one another."""

_MAX_DIGITS = 400

_SPACE = re.compile(r"(?:[\s\ufeff]+|//[^\n\r\u2028\u2029]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"(?:[eE][+-]|[\w.$])+")
_INTEGER = re.compile(r"(?:0|[1-9](?:_?\d)*)n?", re.ASCII)
_BASED = re.compile(r"0[xX][0-9a-fA-F]+n?|0[oO][0-7]+n?|0[bB][01]+n?")
_FRACTION = re.compile(
    r"(?:(?:0|[1-9](?:_?\d)*)?\.\d(?:_?\d)*|(?:0|[1-9](?:_?\d)*)\.?)(?:[eE][+-]?\d+)?", re.ASCII
)
_PLAIN = re.compile(r"[^'\"`\\\n\r$]+")
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\n": "",
    "\u2028": "",
    "\u2029": "",
}
_WORDS: dict[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "undefined": None,
    "Infinity": float("inf"),
    "NaN": float("nan"),
}
_FIELDS = ("type", "payload", "meta", "error")


class LiteralError(CrdtstoreError, ValueError):
    """A text that is no literal, or no action; says where, what was expected and what came."""


def parse_literal(text: str) -> Any:
    """Return the value of a JavaScript literal; ``undefined`` and ``null`` are ``None``.

    Numbers without fraction and exponent are ints. Raises ``LiteralError`` for anything else.
    """
    return _Parser(text).whole()


def parse_action(text: str) -> Action[Any]:
    """Return the action that an object literal like ``{type: 'todos/add', payload: 1}`` is.

    Raises ``LiteralError`` if it is no literal, or no action.
    """
    value = parse_literal(text)
    if not isinstance(value, dict):
        raise LiteralError(
            "expected an action, an object like {type: 'todos/add', payload: 'milk'}, "
            f"got {_shown(value)}"
        )
    if not isinstance(value.get("type"), str) or not value["type"]:
        raise LiteralError(
            "expected an action with a type, a string like 'todos/add'; "
            + (f"got the type {_shown(value['type'])}" if "type" in value else "got none")
        )
    unknown = [key for key in value if key not in _FIELDS]
    if unknown:
        raise LiteralError(
            f"an action has {', '.join(_FIELDS)}; got {unknown[0]!r} as well: put it into payload"
        )
    return Action(value["type"], value.get("payload"), value.get("meta"), value.get("error"))


def parse_sent(sent: object, creators: Mapping[str, Callable[..., Any]]) -> Any:
    """Return what the dispatcher wants dispatched.

    It sends the text of an action, or ``{name, selected, args, rest}``: one of the ``creators`` by
    name, a literal for each argument (``None`` where the field was left empty), and an array
    literal of more. Raises ``LiteralError`` for anything else, and for arguments that do not fit.
    """
    if isinstance(sent, str):
        return parse_action(sent)
    if not isinstance(sent, Mapping):
        raise LiteralError(f"expected the text of an action, got {_shown(sent)}")
    name = sent.get("name")
    creator = creators.get(name) if isinstance(name, str) else None
    if creator is None:
        raise LiteralError(
            f"there is no action creator {_shown(name)}; there are: {', '.join(creators) or 'none'}"
        )
    args, rest = sent.get("args") or [], sent.get("rest") or "[]"
    if not isinstance(args, Sequence) or isinstance(args, str):
        raise LiteralError(f"args of {name} is an array of texts, got {_shown(args)}")
    if not isinstance(rest, str):
        raise LiteralError(f"rest of {name} is the text of an array, got {_shown(rest)}")
    positional, named = _arguments(str(name), _parameters(creator), args)
    more = _of(f"rest of {name}", rest)
    if not isinstance(more, list):
        raise LiteralError(f"rest of {name} is an array like [1, 2], got {_shown(more)}")
    if more and named:
        raise LiteralError(f"{name}: fill in the fields before what is left empty, or leave rest")
    try:
        return creator(*positional, *more, **named)
    except TypeError as error:
        said = str(error)  # those of reducers begin with their names
        raise LiteralError(said if said.startswith(f"{name}:") else f"{name}: {said}") from None


def signatures(creators: Mapping[str, Callable[..., Any]]) -> list[dict[str, Any]]:
    """Return what the dispatcher is told of ``creators``: ``{"name", "args"}`` for each.

    What a creator takes with ``*`` goes into the field that the dispatcher has for the rest.
    """
    return [
        {"name": name, "args": _parameters(creator)} for name, creator in sorted(creators.items())
    ]


def _parameters(creator: Callable[..., Any]) -> list[str]:
    try:
        found = signature(creator).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [parameter.name for parameter in found if parameter.kind not in variadic]


def _arguments(
    name: str, parameters: list[str], args: Sequence[object]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments by place up to the first that was left empty, and the others by name."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    gap = False
    for at, text in enumerate(args):
        if text is None or text == "":
            gap = True
            continue
        label = parameters[at] if at < len(parameters) else f"argument {at + 1}"
        if not isinstance(text, str):
            raise LiteralError(f"{label} of {name} is the text of a literal, got {_shown(text)}")
        value = _of(f"{label} of {name}", text)
        if not gap:
            positional.append(value)
        elif at < len(parameters):
            named[label] = value
        else:
            raise LiteralError(f"{name}: {label} is given, but not what comes before it")
    return positional, named


def _of(what: str, text: str) -> Any:
    try:
        return parse_literal(text)
    except LiteralError as error:
        raise LiteralError(f"{what}: {error}") from None


def _shown(value: object) -> str:
    return f"{type(value).__name__} {value!r:.60}"


class _Parser:
    """One text and how far it is read. ``whole`` is all there is to call."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise LiteralError(f"expected at most {MAX_LENGTH:,} characters, got {len(text):,}")
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> Any:
        value = self._value("a value")
        self._space()
        if self._text[self._at : self._at + 1] == ";":
            self._at += 1
            self._space()
        if self._at < len(self._text):
            self._fail("expected the end")
        return value

    def _value(self, expected: str) -> Any:
        char = self._next()
        if char in "{[(" and char:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                self._fail(f"expected at most {MAX_DEPTH} objects and arrays inside one another")
            self._at += 1
            value = {"{": self._object, "[": self._array, "(": self._group}[char]()
            self._depth -= 1
            return value
        if char in "'\"`" and char:
            return self._string(char)
        if char in "+-" and char:
            return self._signed(char)
        if char.isdecimal() or char == ".":
            return self._number()
        word = self._word()
        if word not in _WORDS:
            hint = " (names and calls are not run; quote a text)" if word else ""
            self._fail(f"expected {expected}{hint}")
        self._at += len(word)
        return _WORDS[word]

    def _object(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while self._next() != "}":
            key = self._key()
            if self._next() != ":":
                self._fail(f"expected ':' after the key {key!r}")
            self._at += 1
            made[key] = self._value(f"the value of {key!r}")
            if not self._comma("}"):
                break
        self._at += 1
        return made

    def _array(self) -> list[Any]:
        made: list[Any] = []
        while self._next() != "]":
            made.append(self._value("an element"))
            if not self._comma("]"):
                break
        self._at += 1
        return made

    def _group(self) -> Any:
        value = self._value("a value")
        if self._next() != ")":
            self._fail("expected ')'")
        self._at += 1
        return value

    def _comma(self, end: str) -> bool:
        char = self._next()
        if char == ",":
            self._at += 1
            return True
        if char != end:
            self._fail(f"expected ',' or '{end}'")
        return False

    def _key(self) -> str:
        char = self._next()
        if char in "'\"" and char:
            return self._string(char)
        if char.isdecimal() or (
            char == "." and self._text[self._at + 1 : self._at + 2].isdecimal()
        ):
            number = self._number()
            whole = isinstance(number, float) and number.is_integer() and abs(number) < 1e21
            return str(int(number) if whole else number)
        word = self._word()
        if not word:
            self._fail("expected a key or '}'")
        self._at += len(word)
        return word

    def _signed(self, sign: str) -> Any:
        self._at += 1
        char = self._next()
        if char.isdecimal() or char == ".":
            value = self._number()
        elif (word := self._word()) in ("Infinity", "NaN"):
            self._at += len(word)
            value = _WORDS[word]
        else:
            self._fail(f"expected a number after '{sign}'")
        return value if sign == "+" else -value

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._at)
        written = found.group() if found else ""
        if len(written) > _MAX_DIGITS:
            self._fail(f"expected a number of at most {_MAX_DIGITS} characters")
        value: int | float
        if _INTEGER.fullmatch(written):
            value = int(written.removesuffix("n"))
        elif _BASED.fullmatch(written):
            value = int(written.removesuffix("n"), 0)
        elif _FRACTION.fullmatch(written):
            value = float(written)
        else:
            self._fail("expected a number")
        self._at += len(written)
        return value

    def _string(self, quote: str) -> str:
        start = self._at
        self._at += 1
        parts: list[str] = []
        while True:
            if found := _PLAIN.match(self._text, self._at):
                parts.append(found.group())
                self._at = found.end()
            char = self._text[self._at : self._at + 1]
            if char == quote:
                self._at += 1
                break
            if not char or (char in "\r\n" and quote != "`"):
                self._at = start
                self._fail(f"expected a string that ends with {quote}")
            if char == "$" and quote == "`" and self._text[self._at + 1 : self._at + 2] == "{":
                self._fail("expected a string without ${}, which is not run")
            self._at += 1
            parts.append(self._escape() if char == "\\" else char)
        text = "".join(parts)
        try:  # what JavaScript writes as two halves is one character
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._at = start
            self._fail("expected a string of whole characters (half a surrogate pair)")

    def _escape(self) -> str:
        char = self._text[self._at : self._at + 1]
        start = self._at
        self._at += 1
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char == "\r":
            self._at += self._text[self._at : self._at + 1] == "\n"
            return ""
        if char in "xu":
            pattern = r"[0-9a-fA-F]{2}" if char == "x" else r"[0-9a-fA-F]{4}|\{[0-9a-fA-F]{1,6}\}"
            found = re.compile(pattern).match(self._text, self._at)
            code = int(found.group().strip("{}"), 16) if found else -1
            if found is None or code > 0x10FFFF:
                self._at = start
                self._fail("expected an escape like \\x41, \\u0041 or \\u{41}")
            self._at = found.end()
            return chr(code)
        if char.isdecimal():
            if char == "0" and not self._text[self._at : self._at + 1].isdecimal():
                return "\0"
            self._at = start
            self._fail("expected no octal escape")
        return char

    def _word(self) -> str:
        end = self._at
        text = self._text
        while end < len(text) and (text[end] in "$_" or text[end].isalnum()):
            end += 1
        word = text[self._at : end]
        return word if word[:1] in "$_" or word[:1].isalpha() else ""

    def _space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _next(self) -> str:
        """The next character that is no space, '' at the end."""
        self._space()
        return self._text[self._at : self._at + 1]

    def _fail(self, expected: str) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - (self._text.rfind("\n", 0, self._at) + 1) + 1
        where = f"column {column}" if line == 1 else f"line {line}, column {column}"
        rest = self._text[self._at : self._at + 20].split("\n")[0]
        raise LiteralError(f"{where}: {expected}, got {rest!r}" if rest else f"{where}: {expected}")
