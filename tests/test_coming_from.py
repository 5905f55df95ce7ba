"""The page for those who come from Redux Toolkit is complete, and each row shows what it says."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import crdtstore

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "coming-from-redux-toolkit.md"
EXPORTS = ROOT / "tests" / "data" / "redux-toolkit-exports.txt"


def rows() -> list[tuple[str, str, str]]:
    """The rows of the page's tables: their names, what they are here, and the link."""
    text = PAGE.read_text("utf-8")
    text = text.partition("<!-- exports -->")[2].partition("<!-- end of exports -->")[0]
    found = []
    for line in text.splitlines():
        if line.startswith("| `"):
            names, here, shown = (cell.strip() for cell in line.strip("|").split(" | "))
            found.append((names, here, shown))
    return found


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


@cache
def functions_in(file: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {
        node.name: node
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


ROWS = rows()


def test_every_export_is_on_the_page_once() -> None:
    """Values and types alike, as the list of the original's exports has them."""
    exported = [
        line.split()[0]
        for line in EXPORTS.read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    listed = [name for cell, _, _ in ROWS for name in names(cell)]
    assert sorted(listed) == sorted(exported)
    assert len(set(listed)) == len(listed) > 150


@pytest.mark.parametrize("row", ROWS, ids=[cell for cell, _, _ in ROWS])
def test_a_row_links_a_test(row: tuple[str, str, str]) -> None:
    """It exists, in the file that the link goes to, and is not skipped."""
    link = re.fullmatch(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)", row[2])
    assert link, row[2]
    test = functions_in(link[2]).get(link[1])
    assert test is not None, f"{link[2]} has no {link[1]}"
    assert not [d for d in test.decorator_list if "skip" in ast.unparse(d)]


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("row", ROWS, ids=[cell for cell, _, _ in ROWS])
def test_a_row_names_what_is_there(row: tuple[str, str, str]) -> None:
    """It says what to write, with names that ``crdtstore`` exports, or that there is nothing."""
    _, here, _ = row
    code = " ".join(re.findall(r"`([^`]+)`", here))
    words = set(re.findall(r"(?<![.\w\"'])[A-Za-z_]\w+(?=[\[(`]|$|[ ,])", code))
    known = {word for word in words if hasattr(crdtstore, word)}
    assert (
        known
        or here.startswith("none")
        or "Callable" in here
        or "function" in here
        or ("`dict`" in here or "prepare" in here or "keyword arguments" in here)
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        for cell, here, _ in ROWS
        for name in names(cell)
        if name[0].islower() and not here.startswith("none")
    ],
)
def test_a_function_keeps_its_name_in_snake_case(name: str) -> None:
    """Users guess names; the few that have another one say so on the page."""
    elsewhere = {
        "createStore": "configure_store",
        "legacy_createStore": "configure_store",
        "combineReducers": "combine_slices",
        "applyMiddleware": "middleware=",
        "autoBatchEnhancer": "auto_batch=",
        "isPlainObject": "is_plain",
    }
    if name in elsewhere:
        here = next(text for cell, text, _ in ROWS if name in names(cell))
        assert elsewhere[name] in here
    else:
        assert snake(name) in crdtstore.__all__
