"""The import graph is a tree that one can draw; the lists below are the drawing."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Lower never imports upper. A package counts as one layer, under its own name.
LAYERS = {
    "crdtstore": [
        "errors",
        "waitable",
        "advice",
        "frozen",
        "packed",
        "scalars",
        "equality",
        "plain",
        "values",
        "persistent",
        "paths",
        "kinds",
        "views",
        "difference",
        "next_state",
        "shapes",
        "declare",
        "changes",
        "draft",
        "cells",
        "order",
        "index",
        "snapshot",
        "writing",
        "updates",
        "document",
        "state",
        "actions",
        "nanoid",
        "notify",
        "replication",
        "reverting",
        "trail",
        "threads",
        "tasks",
        "middleware",
        "thunks",
        "matchers",
        "cases",
        "reducers",
        "namespace",
        "creators",
        "slice",
        "selectors",
        "entities",
        "bindings",
        "dynamic",
        "listeners",
        "checks",
        "history",
        "slot",
        "autobatch",
        "watching",
        "storage",
        "housekeeping",
        "subscriptions",
        "commits",
        "store",
        "combine",
        "configure",
        "testing",
        "__init__",
    ],
    "sync": [
        "errors",
        "limits",
        "vectors",
        "port",
        "frames",
        "codec",
        "wire",
        "session",
        "watermarks",
        "audit",
        "outbox",
        "outgoing",
        "incoming",
        "exchange",
        "status",
        "goals",
        "transports",
        "link",
        "mesh",
        "peer",
        "devtools",
        "watch",
        "hub",
        "demo",
        "cli",
        "__main__",
        "__init__",
    ],
}

# What each package may import from outside the standard library.
THIRD_PARTY = {
    "crdtstore": {"msgpack", "pycrdt"},
    "sync": {"crdtstore", "msgpack", "rich", "uvloop", "websockets"},
}

# What only the tools for tests may import, which an extra brings.
FOR_TESTING = {"hypothesis", "pytest"}

# The modules of crdtstore that users, and so sync, import from; from each only names in __all__.
PUBLIC_MODULES = {"crdtstore", "crdtstore.storage", "crdtstore.testing"}

PYCRDT_ONLY_IN = "crdtstore/document.py"

# No clock, randomness, thread or socket of their own: all of it is passed in.
PURE = [f"crdtstore/{name}.py" for name in ("cells", "changes", "snapshot", "updates", "writing")]
PURE += [f"sync/{name}.py" for name in ("codec", "exchange", "frames", "incoming", "outgoing")]
PURE += [f"sync/{name}.py" for name in ("audit", "outbox", "session", "wire")]
PURE += [f"sync/devtools/{name}.py" for name in ("broker", "client", "imported", "lifted")]
PURE += [f"sync/devtools/{name}.py" for name in ("literals", "texts", "diffs", "plain")]
IMPURE_MODULES = {"asyncio", "random", "secrets", "select", "socket", "ssl", "threading", "time"}

# (file, imported module): the reason why that import stands inside a function.
INSIDE_FUNCTIONS: dict[tuple[str, str], str] = {}

# (file, imported module): the reason why a lower module names an upper one's type.
TYPES_ONLY: dict[tuple[str, str], str] = {}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module (and name, in a ``from`` import) of one file."""

    file: str
    line: int
    module: str
    name: str | None
    inside_function: bool
    types_only: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}" + (
            f".{self.name}" if self.name else ""
        )


def files(package: str) -> list[str]:
    return sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / package).rglob("*.py"))


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports_of(file: str, source: str | None = None) -> list[Import]:
    """Every import statement of a file, wherever it stands, with relative ones made absolute."""
    tree = ast.parse((ROOT / file).read_text("utf-8") if source is None else source, file)
    package = file.removesuffix(".py").split("/")[:-1]
    return list(_walk(tree, file, package, False, False))


def _walk(
    node: ast.AST, file: str, package: list[str], inside_function: bool, types_only: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        how = (inside_function, types_only or for_types_only(node, child))
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(file, child.lineno, alias.name, None, *how)
        elif isinstance(child, ast.ImportFrom):
            start = package[: len(package) - child.level + 1] if child.level else []
            module = ".".join([*start, *([child.module] if child.module else [])])
            for alias in child.names:
                whole = f"{module}.{alias.name}"
                is_ours = module.split(".")[0] in LAYERS and is_module(whole)
                target, name = (whole, None) if is_ours else (module, alias.name)
                yield Import(file, child.lineno, target, name, *how)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, file, package, how[0] or function, how[1])


def for_types_only(node: ast.AST, child: ast.AST) -> bool:
    """Whether a statement is in the body (not the else branch) of ``if TYPE_CHECKING:``."""
    return (
        isinstance(node, ast.If)
        and ast.unparse(node.test) == "TYPE_CHECKING"
        and child in node.body
    )


def layer(dotted: str) -> str:
    """The layer of a module of ours: its first name below the package."""
    return dotted.split(".")[1] if "." in dotted else "__init__"


def layer_of_file(file: str) -> str:
    return file.removesuffix(".py").split("/")[1]


def dunder_all(dotted: str) -> set[str]:
    path = ROOT.joinpath(*dotted.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.parse(path.read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            assert isinstance(node, ast.Assign)
            return set(ast.literal_eval(node.value))
    return set()


def upward(found: Import) -> bool:
    """Whether an import goes from a lower layer to an upper one of the same package."""
    package = found.file.split("/")[0]
    if found.module.split(".")[0] != package:
        return False
    order = LAYERS[package]
    own, other = layer_of_file(found.file), layer(found.module)
    return own != other and order.index(other) > order.index(own)


ALL_IMPORTS = [found for package in LAYERS for file in files(package) for found in imports_of(file)]


@pytest.mark.parametrize("package", LAYERS)
def test_every_module_has_its_layer(package: str) -> None:
    """A new module is drawn into the tree before it is used."""
    unknown = {layer_of_file(file) for file in files(package)} - set(LAYERS[package])
    assert not unknown, f"add these to LAYERS[{package!r}], each below all that import it"


def test_lower_never_imports_upper() -> None:
    """Inside each package, a module imports only modules of its own or lower layers."""
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if upward(found) and not (found.types_only and (found.file, found.module) in TYPES_ONLY)
    ]
    assert wrong == []


def test_there_are_no_cycles() -> None:
    """Modules of one layer (a package's) do not import each other in a circle either."""
    graph: dict[str, set[str]] = {}
    for found in ALL_IMPORTS:
        if not found.types_only and found.module.split(".")[0] in LAYERS:
            own = found.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            graph.setdefault(own, set()).add(found.module)
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " imports ".join([*above[above.index(module) :], module])
        if module not in done:
            for lower in sorted(graph.get(module, ())):
                visit(lower, (*above, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_imports_stand_at_the_top() -> None:
    """No import hides inside a function, so the graph above is the whole graph."""
    hidden = [
        str(found)
        for found in ALL_IMPORTS
        if found.inside_function and (found.file, found.module) not in INSIDE_FUNCTIONS
    ]
    assert hidden == []


def test_exceptions_are_still_needed() -> None:
    """An allowed exception that nobody uses any more is struck off its list."""
    inside = {(found.file, found.module) for found in ALL_IMPORTS if found.inside_function}
    types = {(found.file, found.module) for found in ALL_IMPORTS if found.types_only}
    assert set(INSIDE_FUNCTIONS) <= inside
    assert set(TYPES_ONLY) <= types


def test_the_store_never_imports_sync() -> None:
    """The store works without the network half."""
    wrong = [str(f) for f in ALL_IMPORTS if f.file.startswith("crdtstore/")]
    assert [w for w in wrong if " imports sync" in w] == []


def test_sync_imports_only_public_names() -> None:
    """The network half stands on what every user of the store has."""
    wrong = []
    for found in ALL_IMPORTS:
        if found.file.startswith("sync/") and found.module.split(".")[0] == "crdtstore":
            public = found.module in PUBLIC_MODULES and (
                found.name is None or found.name in dunder_all(found.module)
            )
            if not public:
                wrong.append(str(found))
    assert wrong == []


def test_only_the_document_imports_pycrdt() -> None:
    """The CRDT library can be replaced, or its traps absorbed, in one file."""
    users = {f.file for f in ALL_IMPORTS if f.module.split(".")[0] == "pycrdt"}
    assert users <= {PYCRDT_ONLY_IN}


def test_drafts_and_documents_meet_only_in_changes() -> None:
    """What reducers hold knows nothing of how it is stored, and the other way round."""
    stored = {"cells", "document", "index", "order", "snapshot", "updates", "writing"}
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if found.file.startswith("crdtstore/") and found.module.startswith("crdtstore.")
        for pair in [{layer_of_file(found.file), layer(found.module)}]
        if "draft" in pair and pair & stored
    ]
    assert wrong == []


@pytest.mark.parametrize("package", LAYERS)
def test_nothing_else_is_needed(package: str) -> None:
    """Each package imports the standard library, itself, and what pyproject.toml lists for it."""
    allowed = set(sys.stdlib_module_names) | {package} | THIRD_PARTY[package]
    wrong = [
        str(found)
        for found in ALL_IMPORTS
        if found.file.startswith(f"{package}/")
        and found.module.split(".")[0] not in allowed
        and not (
            layer_of_file(found.file) == "testing" and found.module.split(".")[0] in FOR_TESTING
        )
        and not (found.types_only and found.module == "typing_extensions")  # checkers bring it
    ]
    assert wrong == []


@pytest.mark.parametrize("file", PURE)
def test_pure_modules_import_no_clock_randomness_or_socket(file: str) -> None:
    """What decides merging and the protocol is a function of its arguments."""
    wrong = [str(f) for f in imports_of(file) if f.module.split(".")[0] in IMPURE_MODULES]
    assert wrong == []


def test_the_reader_of_imports_sees_every_form() -> None:
    """Relative, nested, conditional and function-level imports are all found, so none can hide."""
    source = """
import os.path
from . import errors
from ..crdtstore.errors import CrdtstoreError
if TYPE_CHECKING:
    from crdtstore import errors as upper
else:
    import math
class A:
    def f(self):
        try:
            import crdtstore.errors as e
        finally:
            pass
"""
    found = imports_of("crdtstore/cells.py", source)
    assert [(f.module, f.name, f.inside_function, f.types_only) for f in found] == [
        ("os.path", None, False, False),
        ("crdtstore.errors", None, False, False),
        ("crdtstore.errors", "CrdtstoreError", False, False),
        ("crdtstore.errors", None, False, True),
        ("math", None, False, False),
        ("crdtstore.errors", None, True, False),
    ]
    assert upward(Import("crdtstore/errors.py", 1, "crdtstore.store", None, False, False))
    assert upward(Import("crdtstore/errors.py", 1, "crdtstore", "Store", False, False))
    assert not upward(Import("crdtstore/store.py", 1, "crdtstore.errors", None, False, False))
