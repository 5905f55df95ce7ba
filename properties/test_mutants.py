"""The mutants fit the sources, and the tool that runs them tells the dead from the living.

A whole run takes minutes and is a command of its own: ``python -m properties.mutants``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from properties.mutants import __main__ as command
from properties.mutants.catalogue import GROUPS
from properties.mutants.mutant import ROOT, Mutant, StaleMutantError
from properties.mutants.workbench import Outcome, Workbench

ALL = [mutant for group in GROUPS for mutant in group.mutants]
CELLS = "crdtstore.cells"
IN_TOTAL = "    if not amounts:\n        return initial\n    amounts.append(initial)\n"


def named(name: str) -> Mutant:
    """Find a mutant of the catalogue."""
    return next(mutant for mutant in ALL if mutant.name == name)


def in_total(name: str, line: str) -> Mutant:
    """Make a mutant that does something in the middle of adding up a counter."""
    return Mutant(name, CELLS, "made for a test", ((IN_TOTAL, f"    {line}\n{IN_TOTAL}"),))


@pytest.fixture(scope="module")
def bench() -> Iterator[Workbench]:
    """One copy of the sources for all tests here."""
    with Workbench(test_seconds=5, run_seconds=60) as made:
        yield made


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_sources(mutant: Mutant) -> None:
    """Its texts are in its module exactly once, and the module compiles with the mistake."""
    source = (ROOT / mutant.path).read_text(encoding="utf-8")
    assert mutant.applied(source) != source


def test_mutants_have_names_of_their_own() -> None:
    """A name says one mutant or one group."""
    names = [mutant.name for mutant in ALL] + [group.name for group in GROUPS]
    assert len(names) == len(set(names))


def test_the_tests_of_groups_are_there() -> None:
    """No group relies on a file that has moved."""
    for group in GROUPS:
        for test in group.tests:
            assert (ROOT / test).is_file(), f"{group.name}: {test}"


@pytest.mark.parametrize(
    ("edit", "trouble"),
    [
        (("no such text", ""), "0 times"),
        (("import", ""), "import"),
        (("import math\n", "import math\n"), "changes nothing"),
        (("import math\n", "import\n"), "does not compile"),
    ],
)
def test_a_mutant_that_does_not_fit_says_so(edit: tuple[str, str], trouble: str) -> None:
    """Sources that change must not turn mutants into sound code in silence."""
    source = (ROOT / "crdtstore/cells.py").read_text(encoding="utf-8")
    with pytest.raises(StaleMutantError, match=trouble):
        Mutant("stale", CELLS, "made for a test", (edit,)).applied(source)


@pytest.mark.parametrize(
    ("name", "test", "killer"),
    [
        ("stamp_ignores_bases", "tests/test_cells.py", "test_a_stamp_is_the_clock"),
        ("digest_misses_drops", "tests/test_index.py", "tests/test_index.py::test_"),
        ("merges_not_waited_for", "tests/sync/test_watermarks.py", "test_a_mark_is_covered"),
    ],
)
def test_a_mutant_is_killed_by_a_test(bench: Workbench, name: str, test: str, killer: str) -> None:
    """The first test that fails is named, and the copy is sound again afterwards."""
    assert killer in bench.run([test], named(name)).killer
    assert bench.run([test]).killer == ""


def test_a_mutant_that_no_test_looks_at_survives(bench: Workbench) -> None:
    """Tests of something else pass."""
    outcome = bench.run(["tests/test_paths.py"], named("stamp_ignores_bases"))
    assert not outcome.killed
    assert "passed" in outcome.output


@pytest.mark.parametrize(
    ("line", "killer"),
    [
        ("while True: pass", "(hangs)"),
        ("import os; os.kill(os.getpid(), 9)", "(dies: SIGKILL)"),
        ("import os; os._exit(0)", "(ends with 0)"),
        ("raise SystemExit(3)", "tests/test_cells.py::test_"),
    ],
    ids=["hangs", "dies", "leaves", "exits"],
)
def test_hanging_and_dying_is_being_killed(bench: Workbench, line: str, killer: str) -> None:
    """A run that does not come to its end has noticed something, whatever its exit code."""
    assert killer in bench.run(["tests/test_cells.py"], in_total("made_for_this", line)).killer


def test_the_sources_are_left_alone(bench: Workbench) -> None:
    """Only the copy is ever changed."""
    assert bench.copy.resolve() != ROOT
    assert not bench.copy.resolve().is_relative_to(ROOT)


def test_a_tree_that_fails_by_itself_is_told_apart(tmp_path: Path) -> None:
    """Tests that fail on sound code prove nothing about mutants."""
    for part in ("crdtstore", "sync", "tests", "properties"):
        (tmp_path / part).mkdir()
    for part in ("conftest.py", "pyproject.toml"):
        (tmp_path / part).write_bytes((ROOT / part).read_bytes())
    mutants = tmp_path / "properties" / "mutants"
    mutants.mkdir()
    for name in ("__init__.py", "witness.py"):
        (mutants / name).write_bytes((ROOT / "properties" / "mutants" / name).read_bytes())
    (tmp_path / "tests" / "test_it.py").write_text("def test_it():\n    assert False\n")
    with Workbench(tmp_path) as bench:
        assert bench.run(["tests/test_it.py"]).killer == "tests/test_it.py::test_it"


def test_names_choose_mutants_and_groups() -> None:
    """No name is all of them."""
    assert len(command.chosen([])) == len(ALL) >= 40
    cells = command.chosen(["cells"])
    assert {group.name for group, _ in cells} == {"cells"}
    assert [m.name for _, m in command.chosen(["gate_open", "any_proof"])] == [
        "gate_open",
        "any_proof",
    ]
    with pytest.raises(KeyError, match="nobody"):
        command.chosen(["nobody", "cells"])


@pytest.mark.parametrize(("survivors", "enough"), [(0, True), (1, True), (2, False)])
def test_the_score_decides(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    survivors: int,
    enough: bool,
) -> None:
    """Under 95 of 100 killed is failure, and every survivor is named."""
    jobs = command.chosen([])[:20]
    spared = {mutant.name for _, mutant in jobs[:survivors]}

    def run(self: object, tests: object, mutant: Mutant) -> Outcome:
        return Outcome("" if mutant.name in spared else "tests/test_x.py::test_x", 0.1)

    with Workbench() as bench:
        monkeypatch.setattr(Workbench, "run", run)
        assert command.report(jobs, [bench]) is enough
    printed = capsys.readouterr().out
    assert f"score: {20 - survivors} of 20 killed" in printed
    assert all(f"survived: {name}" in printed for name in spared)


def test_the_list_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Without running any."""
    assert command.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(mutant.name in printed and mutant.broken in printed for mutant in ALL)


@pytest.mark.parametrize("arguments", [["nobody"], ["--jobs", "0"]])
def test_a_wrong_command_line_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A typing error must not look like a perfect score."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_stale_mutant_ends_the_command_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half an hour later would be late."""
    stale = Mutant("stale", CELLS, "made for a test", (("no such text", ""),))
    monkeypatch.setattr(command, "chosen", lambda _: [(GROUPS[0], stale)])
    monkeypatch.setattr(Workbench, "run", None)
    assert command.main([]) == 2
    assert "bring the mutant up to date" in capsys.readouterr().out


def test_tests_must_pass_on_sound_code_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each file is tried once, and a failure is no kill."""
    tried: list[str] = []

    def run(self: Workbench, tests: list[str], mutant: Mutant | None = None) -> Outcome:
        assert mutant is None
        tried.extend(tests)
        failed = "tests/test_store.py" in tests
        return Outcome("tests/test_store.py::test_x" if failed else "", 0.1, "what failed")

    monkeypatch.setattr(Workbench, "run", run)
    assert command.main(["cells", "writing", "store"]) == 2
    assert len(tried) == len(set(tried))
    assert "what failed" in capsys.readouterr().out
