"""Drafts of records: instances of the user's own class whose assignments are recorded.

The draft class is generated once for each dataclass, as a subclass of it, so the user's methods
and properties work on drafts too. Reads come from what the reducer wrote so far, else from the
snapshot; nested kinds open as drafts of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from math import inf, isfinite
from typing import Any, NamedTuple

from crdtstore.advice import NUMBERS, advise
from crdtstore.changes import Add, Path, Put
from crdtstore.draft.scope import THAWED, Lent, Scope, stored
from crdtstore.draft.texts import TextPlace
from crdtstore.errors import StateValueError
from crdtstore.kinds import Kind
from crdtstore.persistent import MISSING
from crdtstore.shapes import (
    CounterShape,
    RecordShape,
    RegisterShape,
    TextShape,
    check_no_more_fields,
    check_number,
    freeze_element,
)
from crdtstore.values import same
from crdtstore.views import FrozenRecord, comparisons, read_field

__all__ = [
    "DictDraft",
    "RecordDraft",
    "assign",
    "detach",
    "lend_row",
    "open_record",
    "open_text",
    "read",
    "succeed",
    "write",
]


class Inner(NamedTuple):
    """What a record draft holds: one slot, as a draft is made for every row a reducer visits."""

    scope: Scope
    shape: RecordShape
    path: Path
    base: Any
    kids: dict[str, Any]
    over: dict[str, Any]


class RecordDraft:
    """The common base of all record drafts."""

    __slots__ = ("_crdt",)
    _crdt: Inner

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self._crdt.shape.fields
        field = fields.get(name)
        if field is None:
            own = getattr(type(self), name, None)
            if hasattr(own, "__set__"):  # a property of the user's
                object.__setattr__(self, name, value)
                return
            raise AttributeError(
                f"{type(self).__name__} has no field {name!r}; fields: {', '.join(fields)}"
            )
        write(self, name, field, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"the field {name!r} of a record cannot be deleted")

    def __eq__(self, other: object) -> Any:
        if self is other:
            return True
        names = self._crdt.shape.fields
        if isinstance(other, Mapping):
            return set(other) == set(names) and all(read(self, n) == other[n] for n in names)
        cls = self._crdt.shape.cls
        if cls is None or not isinstance(other, cls):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        scope = self._crdt.scope
        name = type(self).__name__
        if scope.revoked:
            return f"<revoked draft of {name}>"
        fields = ", ".join(f"{n}={read(self, n)!r}" for n in self._crdt.shape.fields)
        return f"{name}({fields})"

    def __copy__(self) -> Any:
        inner = self._crdt
        cls = inner.shape.cls
        if cls is None:
            return {name: read(self, name) for name in inner.shape.fields}
        copied: Any = object.__new__(cls)
        for name in inner.shape.fields:
            object.__setattr__(copied, name, read(self, name))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return deepcopy(freeze_element(self._crdt.shape, self, ()))

    def __reduce__(self) -> Any:
        raise TypeError("a draft cannot be pickled; take current(draft)")


class DictDraft(RecordDraft, Mapping[str, Any]):
    """A record declared by a plain dict: fields read and write as attributes and as items."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name not in self._crdt.shape.fields:
            raise AttributeError(
                f"the state has no field {name!r}; fields: {', '.join(self._crdt.shape.fields)}"
            )
        return read(self, name)

    def __getitem__(self, key: str) -> Any:
        if key not in self._crdt.shape.fields:
            raise KeyError(key)
        return read(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self._crdt.shape.fields:
            raise KeyError(
                f"{key!r} is not a field of this record (fields: "
                f"{', '.join(self._crdt.shape.fields)}); keys that come and go live in a Map"
            )
        write(self, key, self._crdt.shape.fields[key], value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._crdt.shape.fields)

    def __len__(self) -> int:
        return len(self._crdt.shape.fields)

    def __contains__(self, key: object) -> bool:
        return key in self._crdt.shape.fields

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Assign several fields."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value


def open_record(scope: Scope, shape: RecordShape, path: Path, base: Any) -> RecordDraft:
    """Open a draft of the record snapshot ``base`` at ``path``."""
    draft: RecordDraft = object.__new__(_draft_class(shape.cls, tuple(shape.fields)))
    _set_inner(draft, Inner(scope, shape, path, base, {}, {}))
    return draft


_set_inner: Callable[[RecordDraft, Inner], None] = RecordDraft.__dict__["_crdt"].__set__


@cache
def _draft_class(cls: type | None, names: tuple[str, ...]) -> type:
    if cls is None:
        hidden = {name: _field(name) for name in names if hasattr(DictDraft, name)}
        return type("DictDraft", (DictDraft,), {"__slots__": (), **hidden}) if hidden else DictDraft
    namespace: dict[str, Any] = {
        "__slots__": (),
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__setattr__": RecordDraft.__setattr__,
        "__delattr__": RecordDraft.__delattr__,
        "__new__": lambda _, *args, **kwargs: cls(
            *args, **kwargs
        ),  # as dataclasses.replace calls it
        "__copy__": RecordDraft.__copy__,
        "__deepcopy__": RecordDraft.__deepcopy__,
        "__reduce__": RecordDraft.__reduce__,
        "__repr__": RecordDraft.__repr__,
        "__hash__": None,
        **comparisons(cls),
    }
    for name in names:
        namespace[name] = _field(name)
    return type(cls)(cls.__name__, (RecordDraft, cls), namespace)


def _field(name: str) -> property:
    def get(self: RecordDraft) -> Any:
        return read(self, name)

    def put(self: RecordDraft, value: Any) -> None:
        write(self, name, self._crdt.shape.fields[name], value)

    return property(get, put)


def read(draft: RecordDraft, name: str) -> Any:
    """Read a field as the reducer sees it."""
    scope, shape, path, base, kids, over = draft._crdt
    if scope.revoked:
        scope.check()
    kid = kids.get(name)
    if kid is not None:
        if type(kid) is TextPlace:
            return kid.view()
        if scope.lent and (*path, name) in scope.lent:
            scope.catch_up(scope, (*path, name), kid)
        return kid
    field = shape.fields[name]
    kind = type(field)
    if kind is RegisterShape:
        value = over[name] if name in over else read_field(base, name)
        if type(value) in THAWED:
            return scope.thaw((*path, name), value, lambda copy: write(draft, name, field, copy))
        return value
    if kind is CounterShape:
        return over[name] if name in over else read_field(base, name)
    kid = scope.openers[kind](scope, field, (*path, name), read_field(base, name))
    kids[name] = kid
    return kid.view() if type(kid) is TextPlace else kid


def write(draft: RecordDraft, name: str, field: Any, value: Any) -> Any:
    """Record the assignment of a field; assigning an equal value records nothing.

    Returns what a register shows afterwards.
    """
    scope, _, prefix, base, kids, over = draft._crdt
    if scope.revoked:
        scope.check()
    path = (*prefix, name)
    kind = type(field)
    if kind is RegisterShape:
        before = over[name] if name in over else read_field(base, name)
        if scope.thawed and scope.written(path, value):
            return before
        encoded, shown = stored(field.codec, value, (scope.root, *path))
        if same(before, shown):
            shown = before
        else:
            if __debug__ and type(shown) in NUMBERS and type(before) in NUMBERS:
                advise(field, name, scope.root)
            over[name] = shown
            scope.changes.append(Put(path, shown, before, encoded))
        if type(value) is list or type(value) is dict:
            scope.alias(path, shown, value, lambda copy: write(draft, name, field, copy))
        return shown
    if kind is CounterShape:
        before = over[name] if name in over else read_field(base, name)
        if value is before:
            return before
        if isinstance(value, Kind):  # of a state that was declared by a dict
            value = value.default
        check_number(field, value, (scope.root, *path))
        if same(before, value):
            return before
        amount = _difference(before, value, (scope.root, *path))
        over[name] = value
        scope.changes.append(Add(path, amount))
        return value
    kid = kids.get(name)
    if kid is None:
        kid = kids[name] = scope.openers[kind](scope, field, path, read_field(base, name))
    elif value is kid:
        return None  # the second half of ``state.items += [...]``
    elif kind is not TextShape:  # whoever holds the old one must not see the new content
        kid = kids[name] = succeed(kid)
    assign(kid, value)
    return None


def _difference(before: Any, value: Any, path: tuple[object, ...]) -> int | float:
    """Return what an assignment adds to a counter."""
    try:
        amount: int | float = value - before
    except OverflowError:
        amount = inf
    if type(amount) is float and not isfinite(amount):
        raise StateValueError(
            path, f"the step from {before!r:.40} to {value!r:.40} is too large for a Counter"
        )
    return amount


def assign(kid: Any, value: Any) -> None:
    """Assign a whole nested record or container, as the edits it takes."""
    if isinstance(value, Kind):
        value = value.default
    if isinstance(kid, RecordDraft):
        _assign_record(kid, value)
    else:
        kid.assign(value)


def _assign_record(draft: RecordDraft, value: Any) -> None:
    scope, shape, path, *_ = draft._crdt
    where = (scope.root, *path)
    if shape.cls is not None and isinstance(value, shape.cls):
        check_no_more_fields(shape.cls, value, where)
        fields: dict[str, Any] = {name: getattr(value, name) for name in shape.fields}
    elif isinstance(value, Mapping):
        fields = {name: value[name] for name in value}
        unknown = [name for name in fields if name not in shape.fields]
        if unknown:
            raise StateValueError(
                where, f"unknown field {unknown[0]!r}; fields: {', '.join(shape.fields)}"
            )
    else:
        expected = shape.cls.__name__ if shape.cls is not None else "a dict"
        raise StateValueError(
            where, f"expected {expected}, got {type(value).__name__}: {value!r:.80}"
        )
    for name, field in shape.fields.items():
        item = fields.get(name, MISSING)
        write(draft, name, field, field.default if item is MISSING else item)
    lend_row(scope, shape, path, value)


def lend_row(scope: Scope, shape: Any, path: Path, value: Any, row: Any = None) -> None:
    """Follow the object that became the record ``row``, unless it can never change."""
    if scope.lending and isinstance(shape, RecordShape) and not isinstance(value, FrozenRecord):
        if row is None:
            row = freeze_element(shape, value, (scope.root, *path))
        scope.lend(path, Lent(shape, value, row))


def succeed(kid: Any) -> Any:
    """Return a draft that takes ``kid``'s place with its content, and detach ``kid``."""
    if isinstance(kid, RecordDraft):
        scope, shape, path, *_ = kid._crdt
        scope.write_back(path)
        twin: Any = open_record(scope, shape, path, freeze_element(shape, kid, ()))
    else:
        scope = kid.scope
        twin = kid.twin()
    detach(kid, scope.detach())
    return twin


def detach(kid: Any, scope: Scope) -> None:
    """Make a removed row and all that is nested in it plain objects: changes to them go nowhere."""
    if isinstance(kid, RecordDraft):
        inner = kid._crdt
        inner.scope.release(inner.path, scope)
        _set_inner(kid, inner._replace(scope=scope))
        for nested in inner.kids.values():
            detach(nested, scope)
    else:
        kid.scope.release(kid.path, scope)
        kid.scope = scope


def open_text(scope: Scope, shape: TextShape, path: Path, base: Any) -> TextPlace:
    """Open a draft of the text ``base`` at ``path``."""
    return TextPlace(scope, path, base)
