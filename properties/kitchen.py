"""One slice with every kind in it, with and without defaults, and the same for the oracle.

`Script` is what a dispatch does to it: commands that are numbers only, each resolved against the
draft at the moment it is carried out (the third text there is, at this index), so that any numbers
make sense on any state. It notes what a user would say was done, as `model` effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from crdtstore import Counter, List, Map, Set, Table, Text, create_slice, current
from crdtstore.changes import Arrange
from crdtstore.kinds import ListView
from properties import model

__all__ = ["FIELDS", "INITIAL", "SHAPE", "VERBS", "Command", "Fresh", "Script", "kitchen", "run"]


@dataclass
class Inner:
    """A record inside a record."""

    size: Any = 1
    hits: Counter = Counter(0)


@dataclass
class Row:
    """What tables and lists hold."""

    name: Any = "row"
    done: bool = False
    inner: Inner = field(default_factory=Inner)
    votes: Counter = Counter(0)
    score: Counter[float] = Counter(0.0)
    title: Text = Text()
    tags: Set[Any] = Set()
    meta: Map[Any] = Map()


ESSAY = "dé漢🎈t"
BADGES = (1, "a", "gone")
OPTIONS = {"x": 1, "y": None, "a/b@c": [1]}


def _row(content: dict[str, Any]) -> Row:
    """Make a row of the oracle's plain data."""
    return Row(
        **{
            **deepcopy(content),
            "inner": Inner(**deepcopy(content["inner"])),
            "tags": set(content["tags"]),
            "meta": deepcopy(content["meta"]),
        }
    )


def _content(
    name: Any = "row",
    size: Any = 1,
    votes: int = 0,
    score: float = 0.0,
    title: str = "",
    tags: tuple[Any, ...] = (),
    meta: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "done": False,
        "inner": {"size": size, "hits": votes},
        "votes": votes,
        "score": score,
        "title": title,
        "tags": tags,
        "meta": meta or {},
    }


LEAD = _content("lead", 7, 3, 0.5, "lé漢🎈", (1, "x"), {"k": 1, "": None})
AIDE = _content()


@dataclass
class Kitchen:
    """Every kind."""

    label: Any = "label"
    size: Any = None
    inner: Inner = field(default_factory=lambda: Inner(2, 5))
    count: Counter = Counter(3)
    weight: Counter[float] = Counter(0.5)
    note: Text = Text()
    essay: Text = Text(ESSAY)
    tags: Set[Any] = Set()
    badges: Set[Any] = Set(BADGES)
    prefs: Map[Any] = Map()
    options: Map[Any] = Map(OPTIONS)
    words: List[Any] = List()
    steps: List[Any] = List(["a", [1, {"k": None}], "a"])
    todo: List[Row] = List()
    plan: List[Row] = List([_row(LEAD), _row(AIDE)])
    rows: Table[Row] = Table()
    team: Table[Row] = Table({"lead": _row(LEAD), "a/i@de": _row(AIDE)})


kitchen = create_slice(name="kitchen", initial_state=Kitchen())
INITIAL: Any = kitchen.get_initial_state()


@kitchen.reducer
def run(state: Kitchen, script: Script) -> None:
    """Carry a script out."""
    script(state)


def _keyed(name: str, contents: Sequence[Any]) -> dict[str, Any]:
    elements = getattr(INITIAL, name)
    return {elements.key_at(at): content for at, content in enumerate(contents)}


def _row_shape() -> model.Record:
    inner = model.Record({"size": model.Register(1), "hits": model.Counter(0)})
    return model.Record(
        {
            "name": model.Register("row"),
            "done": model.Register(False),
            "inner": inner,
            "votes": model.Counter(0),
            "score": model.Counter(0.0),
            "title": model.Text(),
            "tags": model.Set(),
            "meta": model.Map(),
        }
    )


SHAPE = model.Record(
    {
        "label": model.Register("label"),
        "size": model.Register(None),
        "inner": model.Record({"size": model.Register(2), "hits": model.Counter(5)}),
        "count": model.Counter(3),
        "weight": model.Counter(0.5),
        "note": model.Text(),
        "essay": model.Text(ESSAY),
        "tags": model.Set(),
        "badges": model.Set(BADGES),
        "prefs": model.Map(),
        "options": model.Map(OPTIONS),
        "words": model.List(model.Register()),
        "steps": model.List(model.Register(), _keyed("steps", ["a", [1, {"k": None}], "a"])),
        "todo": model.List(_row_shape()),
        "plan": model.List(_row_shape(), _keyed("plan", [LEAD, AIDE])),
        "rows": model.Table(_row_shape()),
        "team": model.Table(_row_shape(), {"lead": LEAD, "a/i@de": AIDE}),
    }
)

ROW = "*"


def _patterns(shape: Any, path: model.Path = ()) -> Iterator[tuple[type, model.Path]]:
    """Yield the kind and path of every place, with ``ROW`` for the key of a row."""
    yield type(shape), path
    if isinstance(shape, model.Record):
        for name, part in shape.fields.items():
            yield from _patterns(part, (*path, name))
    elif isinstance(shape, model.Table | model.List):
        yield from _patterns(shape.element, (*path, ROW))


PATTERNS = list(_patterns(SHAPE))
FIELDS = list(SHAPE.fields)

VALUES: list[Any] = [
    0, 1, True, 1.0, 0.0, -0.0, 1.5, None, "", "a", "é/🎈", 2**60, (1, "t"), [], [1, {"k": [2]}],
    {"b": 1, "a": 2}, b"\x00", Decimal("1.0"), datetime(2024, 2, 29, tzinfo=UTC), False,
]  # fmt: skip
ELEMENTS: list[Any] = [1, True, 1.0, "a", "gone", None, (1, 2), "", "!", "a/b@c#d%", Decimal(1), 0]
KEYS = ["x", "y", "", "a/b@c", "!", "é"]
ROW_KEYS = ["lead", "a/i@de", "k", "", "%#!"]
INTS = [1, -1, 5, 2**60, -3]
FLOATS = [0.5, -0.25, 1.0, 2.0, -1.5]


def _value(number: int) -> Any:
    return deepcopy(VALUES[number % len(VALUES)])


class Command(NamedTuple):
    """What to do, where, and how, as numbers to be taken modulo whatever there is."""

    verb: str
    where: int = 0
    a: int = 0
    b: int = 0


VERBS = ["assign", "add", "type", "put", "drop", "insert", "remove", "move", "turn"]


class Fresh:
    """Characters that were never given out before, of one to four bytes in UTF-8."""

    def __init__(self) -> None:
        self._given = 0

    def __call__(self, count: int) -> str:
        """Return that many characters."""
        chars = ""
        for _ in range(count):
            at, kind = divmod(self._given, 4)
            start = [0x21 if at < 0x40 else 0x3000, 0x100, 0x4E00, 0x1F300][kind]
            chars += chr(start + at)
            self._given += 1
        return chars


class Stopped(Exception):
    """Raised by a script that is to fail."""


@dataclass
class Script:
    """Commands for one dispatch; ``effects`` are what they came to, ``shown`` what it then saw.

    ``theme`` are the fields that it is about, none for all. With ``fail_at`` the script raises
    before that command (or at its end).
    """

    commands: Sequence[Command]
    fresh: Fresh
    theme: frozenset[str] = frozenset()
    fail_at: int | None = None
    error: type[BaseException] = Stopped
    effects: list[model.Effect] = field(default_factory=list)
    shown: str = ""
    touched: set[Any] = field(default_factory=set)
    born: set[model.Path] = field(default_factory=set)

    def __call__(self, draft: Any) -> None:
        for at, command in enumerate(self.commands):
            if at == self.fail_at:
                raise self.error
            getattr(self, f"_{command.verb}")(draft, command)
        if self.fail_at is not None:
            raise self.error
        self.shown = repr(current(draft))

    def _pick(self, draft: Any, where: int, *kinds: type) -> model.Path | None:
        """Choose a place of these kinds; ``None`` if there is no such row now."""
        patterns = [
            path
            for kind, path in PATTERNS
            if kind in kinds and (not self.theme or path[0] in self.theme)
        ]
        if not patterns:
            return None
        row, at = divmod(where, len(patterns))
        path = patterns[at]
        if len(path) == 1 or path[1] != ROW:
            return path
        keys = _keys(_at(draft, path[:1]))
        return (path[0], keys[row % len(keys)], *path[2:]) if keys else None

    def _once(self, *what: Any) -> bool:
        """Tell whether this place is new: what a reducer undoes itself is never written."""
        if what in self.touched:
            return False
        self.touched.add(what)
        return True

    def _assign(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Register)
        if path is None or not self._once(path):
            return
        owner, name = _at(draft, path[:-1]), path[-1]
        index = owner.index_of(name) if isinstance(owner, ListView) else None
        before = getattr(owner, name) if index is None else owner[index]
        value = _value(command.a)
        if isinstance(before, list) and command.b % 2:
            value = [*before, command.b]
            before.append(command.b)  # a list in a register, edited in place
        elif index is None:
            setattr(owner, name, value)
        else:
            owner[index] = value
        if (isinstance(before, list) and command.b % 2) or not model.identical(before, value):
            self.effects.append(model.Assign(path, deepcopy(value)))

    def _add(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Counter)
        if path is None:
            return
        owner, name = _at(draft, path[:-1]), path[-1]
        amounts: Sequence[Any] = FLOATS if name in ("weight", "score") else INTS
        amount = amounts[command.a % len(amounts)]
        setattr(owner, name, getattr(owner, name) + amount)
        self.effects.append(model.Increase(path, amount))

    def _type(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Text)
        if path is None:
            return
        owner, name = _at(draft, path[:-1]), path[-1]
        text = getattr(owner, name)
        at = command.a % (len(text) + 1)
        delete = min(command.b % 3, len(text) - at)
        inserted = self.fresh(command.b // 3 % 4)
        if not (delete or inserted):
            return
        if command.b // 12 % 2:
            setattr(owner, name, text[:at] + inserted + text[at + delete :])
        else:
            text.splice(at, delete, inserted)
        deleted = frozenset(str(text)[at : at + delete])
        self.effects.append(model.Type(path, inserted, deleted))

    def _put(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Set, model.Map)
        if path is None:
            return
        owner = _at(draft, path)
        if _is_set(path):
            value = ELEMENTS[command.a % len(ELEMENTS)]
            if self._once(path, value):
                if value not in owner:
                    self.effects.append(model.Keep(path, value, value))
                owner.add(value)
            return
        key, value = KEYS[command.a % len(KEYS)], _value(command.b)
        if self._once(path, key):
            before = owner.get(key, model.ABSENT)
            owner[key] = value
            if not model.identical(before, value):
                self.effects.append(model.Keep(path, key, deepcopy(value)))

    def _drop(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Set, model.Map)
        if path is None or not len(owner := _at(draft, path)):
            return
        key = list(owner)[command.a % len(owner)]
        if self._once(path, key):
            if _is_set(path):
                owner.discard(key)
            else:
                del owner[key]
            self.effects.append(model.Drop(path, key))

    def _insert(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Table, model.List)
        if path is None:
            return
        owner = _at(draft, path)
        plain = isinstance(_shape(path).element, model.Register)
        row: Any = _value(command.b) if plain else self._new_row(command.b)
        made: Any = deepcopy(row) if plain else _row(row)
        if isinstance(owner, ListView):
            index = command.a % (len(owner) + 1)
            owner.insert(index, made)
            self.effects.append(model.Insert(path, owner.key_at(index), row))
            self.born.add((*path, owner.key_at(index)))
            return
        key = ROW_KEYS[command.a % len(ROW_KEYS)]
        before = repr(current(owner[key])) if key in owner else ""
        if not before:
            self.born.add((*path, key))
        owner[key] = made
        if repr(current(owner[key])) != before:
            self.effects.append(model.Insert(path, key, row))

    def _new_row(self, number: int) -> dict[str, Any]:
        if not number % 4:
            return _content()
        return _content(
            name=_value(number),
            size=_value(number // 3),
            votes=number % 5,
            score=FLOATS[number % len(FLOATS)],
            title=self.fresh(number % 3),
            tags=tuple({ELEMENTS[number % len(ELEMENTS)], "t"}),
            meta={KEYS[number % len(KEYS)]: _value(number // 2)},
        )

    def _remove(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.Table, model.List)
        if path is None:
            return
        owner = _at(draft, path)
        if not len(owner):
            return
        index = command.a % len(owner)
        key = owner.key_at(index) if isinstance(owner, ListView) else list(owner)[index]
        del owner[index if isinstance(owner, ListView) else key]
        row = (*path, key)
        if row not in self.born:
            self.effects.append(model.Remove(path, key))
            return
        self.born.discard(row)  # it came and went: as if it had never been
        mine = [at for at, effect in enumerate(self.effects) if _is_row(row, effect)]
        gone = [at for at in mine if isinstance(self.effects[at], model.Remove)]
        birth = min(at for at in mine if at > max(gone, default=-1))
        later = [effect for effect in self.effects[birth:] if not _is_of(row, effect)]
        self.effects[birth:] = later

    def _move(self, draft: Any, command: Command) -> None:
        path = self._pick(draft, command.where, model.List)
        if path is None:
            return
        owner = _at(draft, path)
        if not len(owner):
            return
        index, to = command.a % len(owner), command.b % len(owner)
        if index != to:
            self.effects.append(model.Move(path, owner.key_at(index)))
        owner.move(index, to)

    def _turn(self, draft: Any, command: Command) -> None:
        """Reverse or sort a list. Which elements that moves is for the draft to say."""
        path = self._pick(draft, command.where, model.List)
        if path is None:
            return
        owner = _at(draft, path)
        recorded = owner.scope.changes
        before = len(recorded)
        if command.a % 2:
            owner.reverse()
        else:
            owner.sort(key=repr)
        for change in recorded[before:]:
            keys = change.keys if isinstance(change, Arrange) else change.path[-1:]
            self.effects += [model.Move(path, key) for key in keys]


def _keys(rows: Any) -> list[str]:
    listed = isinstance(rows, ListView)
    return [rows.key_at(at) for at in range(len(rows))] if listed else list(rows)


def _at(draft: Any, path: model.Path) -> Any:
    for part in path:
        if isinstance(draft, ListView):
            draft = draft[draft.index_of(part)]
        elif isinstance(draft, Kitchen | Row | Inner):
            draft = getattr(draft, part)
        else:
            draft = draft[part]
    return draft


def _shape(path: model.Path) -> Any:
    shape: Any = SHAPE
    for part in path:
        shape = shape.fields[part] if isinstance(shape, model.Record) else shape.element
    return shape


def _is_of(row: model.Path, effect: model.Effect) -> bool:
    """Tell whether an effect is to a row, or inside it."""
    return _is_row(row, effect) or effect.path[: len(row)] == row


def _is_row(row: model.Path, effect: model.Effect) -> bool:
    if not isinstance(effect, model.Insert | model.Move | model.Remove):
        return False
    return (*effect.path, effect.key) == row


def _is_set(path: model.Path) -> bool:
    return isinstance(_shape(path), model.Set)
