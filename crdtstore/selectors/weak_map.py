"""Memory for any number of arguments at once, which keeps none of them alive that can be let go.

Results hang in a tree, one level an argument. An object is found by its ``id``, and belongs only if
a weak reference says that it is still that object; when it dies, its branch goes with it. So
results for an old state go when the state goes, however many there are. What cannot be referred
to weakly (a plain list or dict, a tuple, text and numbers) has to be kept, and so has an argument
that its own result refers to. That is why the tree has a bound: when the results put into it, each
of them weighed, reach ``max_size``, it becomes the older generation in place of the one before. A
result found in the older generation moves to the younger; a result that nobody asked for during
a whole generation is dropped.

Nothing is locked. A branch is added or cut with single operations of ``dict``, and what is returned
was computed from the very arguments of the call: threads that race compute a result twice, and may
then hold two equal ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, update_wrapper
from gc import get_referents
from itertools import chain
from typing import Any, ParamSpec, TypeVar, cast
from weakref import ref

from crdtstore.selectors.identity import Held, held_as, kibibytes, value_key
from crdtstore.selectors.typed import Memoized

__all__ = ["MAX_SIZE", "weak_map_memoize"]

P = ParamSpec("P")
R = TypeVar("R")

MAX_SIZE = 10_000
"""The weight of the results in a generation, of which there are up to two.

A result weighs 1, and 1 more for each KiB that it or an argument kept for it takes, elements not
counted. One that refers to an argument of its own weighs ``SELF_KEPT``: only the bound ends it.
"""

SELF_KEPT = 10

_NOTHING: Any = object()
_NAMED: Any = object()  # in a path, stands between the arguments and those given by name


class _Objects(dict[int, "_Node"]):
    """Nodes by the ``id`` of an object, which can itself be referred to weakly.

    What a dying object calls must not hold the dict that the reference to it is in: that circle
    would leave each branch that is cut to the garbage collector.
    """

    __slots__ = ("__weakref__",)


def _drop(objects: ref[_Objects], number: int, _: object) -> None:
    found = objects()
    if found is not None:
        found.pop(number, None)


class _Node:
    """Where the results for one argument hang, given those before it."""

    __slots__ = ("argument", "objects", "result", "values")

    def __init__(self, argument: Callable[[], Any]) -> None:
        self.argument = argument
        self.objects = _NO_OBJECTS
        self.values: dict[type, dict[Any, _Node]] = _NO_VALUES
        self.result: Any = _NOTHING


# Most nodes are leaves, so they start with these and not with two dicts each.
_NO_OBJECTS = _Objects()
_NO_VALUES: dict[type, dict[Any, _Node]] = {}


def _strongly(value: Any) -> Callable[[], Any]:
    return lambda: value


_root = partial(_Node, _strongly(None))


class _Tree:
    """Two generations of results. ``younger`` is one object for good; what hangs on it changes."""

    __slots__ = ("_most", "_older", "_weight", "younger")

    def __init__(self, most: int) -> None:
        self.younger = _root()
        self._most = most
        self._older: _Node | None = None
        self._weight = 0

    def clear(self) -> None:
        """Forget everything."""
        self._older = None
        self._begin()

    def _begin(self) -> None:
        node = self.younger
        node.objects, node.values, node.result = _NO_OBJECTS, _NO_VALUES, _NOTHING
        self._weight = 0

    def find(self, path: tuple[Any, ...]) -> Any:
        """Return the result for these arguments, or ``_NOTHING``."""
        found = _find(self.younger, path)
        older = self._older
        if found is _NOTHING and older is not None:
            found = _find(older, path)
            if found is not _NOTHING:
                self.put(path, found)
        return found

    def put(self, path: tuple[Any, ...], result: Any) -> None:
        """Keep a result; ``path`` is without drafts."""
        node = self.younger
        weight = 1 + kibibytes(result)
        weakly = []
        for argument in path:
            held = held_as(argument)
            node, new = _below(node, argument, held)
            if held is Held.WEAKLY:
                weakly.append(argument)
            elif new:
                weight += kibibytes(argument)
        node.result = result
        if weight == 1 and weakly and _refers(result, weakly):
            weight = SELF_KEPT
        self._weight += weight
        if self._weight >= self._most:
            younger, older = self.younger, _root()
            older.objects, older.values = younger.objects, younger.values
            older.result = younger.result
            self._older = older
            self._begin()


def _below(node: _Node, argument: Any, held: Held) -> tuple[_Node, bool]:
    """Return the node for an argument below ``node``, and whether it was made for this.

    What hangs on a node is looked at once, as another thread may begin a generation meanwhile.
    """
    if held is Held.BY_VALUE:
        values = node.values
        if values is _NO_VALUES:
            values = node.values = {}
        alike = values.setdefault(type(argument), {})
        key = value_key(argument)
        child = alike.get(key)
        if child is not None:
            return child, False
        child = alike[key] = _Node(_strongly(argument))
        return child, True
    objects = node.objects
    if objects is _NO_OBJECTS:
        objects = node.objects = _Objects()
    number = id(argument)
    child = objects.get(number)
    if child is not None and child.argument() is argument:
        return child, False
    if held is Held.WEAKLY:
        child = _Node(ref(argument, partial(_drop, ref(objects), number)))
    else:
        child = _Node(_strongly(argument))
    objects[number] = child
    return child, True


def _refers(result: Any, arguments: list[Any]) -> bool:
    """Tell whether a result is, or has in it at the first level, one of the arguments."""
    parts = get_referents(result)
    for part in parts:
        if type(part) is dict:  # of the fields of an object
            parts = [*parts, *part.values()]
    for argument in arguments:
        if result is argument:
            return True
        for part in parts:
            if part is argument:
                return True
    return False


def _find(node: _Node, path: tuple[Any, ...]) -> Any:
    for argument in path:
        child = node.objects.get(id(argument))
        if child is None or child.argument() is not argument:
            alike = node.values.get(type(argument))
            child = None if alike is None else alike.get(value_key(argument))
            if child is None:
                return _NOTHING
        node = child
    return node.result


def weak_map_memoize(
    func: Callable[P, R],
    *,
    result_equality_check: Callable[[R, R], object] | None = None,
    max_size: int = MAX_SIZE,
) -> Memoized[P, R]:
    """Return ``func`` with a memory of its results, by the identity of all its arguments.

    An argument counts as the same if it is the very same object; None, bool, int, float, str and
    bytes if type and value are the same. Arguments given by name are told from those by position.
    Drafts are passed on and nothing is remembered of them. Exceptions are not remembered.

    ``result_equality_check(previous, new)``: if it says that a new result equals the one before,
    the one before is returned in its place. ``max_size`` bounds what is kept: results weigh 1, and
    1 for each KiB that has to be kept for them; at most twice ``max_size`` stays. Raises
    ``ValueError`` if it is no positive int.
    """
    if type(max_size) is not int or max_size < 1:
        raise ValueError(f"max_size: expected a positive int, got {max_size!r}")
    tree = _Tree(max_size)
    younger = tree.younger
    results = 0
    last: Callable[[], Any] = _strongly(None)

    def memoized(first: Any = _NOTHING, /, *rest: Any, **named: Any) -> Any:
        # The way of a hit, most of all of one argument: an object first, then values or objects.
        node = younger.objects.get(id(first))
        if node is not None and node.argument() is first and not named:
            if not rest:
                result = node.result
                if result is not _NOTHING:
                    return result
            for argument in rest:
                alike = node.values.get(type(argument))
                child = node.objects.get(id(argument)) if alike is None else alike.get(argument)
                if child is None or (alike is None and child.argument() is not argument):
                    break
                node = child
            else:
                result = node.result
                if result is not _NOTHING:
                    return result
        return search(() if first is _NOTHING else (first, *rest), named)

    def search(args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        nonlocal last, results
        path = args
        if named:
            path = (*args, _NAMED, *chain.from_iterable(sorted(named.items())))
        result = tree.find(path)
        if result is not _NOTHING:
            return result
        for argument in path:
            if held_as(argument) is Held.NOT_AT_ALL:
                return func(*args, **named)
        result = func(*args, **named)
        results += 1
        if result_equality_check is not None:
            previous = last()
            if previous is not None and result_equality_check(previous, result):
                result = previous
                results = max(0, results - 1)
            last = ref(result) if held_as(result) is Held.WEAKLY else _strongly(result)
        tree.put(path, result)
        return result

    def clear_cache() -> None:
        nonlocal last
        tree.clear()
        last = _strongly(None)
        reset_results_count()

    def reset_results_count() -> None:
        nonlocal results
        results = 0

    made = cast(Any, update_wrapper(memoized, func))
    made.clear_cache = clear_cache
    made.results_count = lambda: results
    made.reset_results_count = reset_results_count
    return cast("Memoized[P, R]", made)
