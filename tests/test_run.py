"""run.py, the command for a machine with only Python: what it refuses, and its set-up."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "run.py"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The functions of a copy of run.py in a folder of its own, whose set-up steps only note."""
    folder = tmp_path / "a folder [1] ü"
    folder.mkdir()
    (folder / "run.py").write_text(RUN.read_text("utf-8"), "utf-8")
    (folder / "pyproject.toml").write_text("[project]\n", "utf-8")
    names = runpy.run_path(str(folder / "run.py"))
    # The functions see this dictionary as their globals.
    functions: dict[str, Any] = names["set_up"].__globals__
    functions["steps"] = []

    def create() -> None:
        functions["steps"].append("create")
        Path(names["VENV"]).mkdir(exist_ok=True)

    def install(extras: set[str]) -> None:
        functions["steps"].append(f"install {' '.join(sorted(extras))}")

    functions.update(create=create, install=install)
    return functions


def test_an_old_python_is_told_so() -> None:
    """A Python that is too old is named, with what to do, and nothing is set up."""
    script = (
        "import runpy, sys; sys.version_info = (3, 10, 1, 'final', 0);"
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(RUN)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; this is Python 3.10" in done.stderr


def test_an_old_python_can_read_it() -> None:
    """run.py holds no syntax that is newer than Python 2.7: ASCII, no f-strings, no annotations."""
    tree = ast.parse(RUN.read_bytes().decode("ascii"), feature_version=(3, 4))
    newer = ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Starred | ast.Nonlocal
    assert [node for node in ast.walk(tree) if isinstance(node, newer)] == []
    arguments = [node for node in ast.walk(tree) if isinstance(node, ast.arg)]
    assert all(argument.annotation is None for argument in arguments)


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["dem"], 2), (["--help"], 0)])
def test_it_says_how_to_use_it(arguments: list[str], code: int) -> None:
    """Without a known command it shows both commands and sets nothing up."""
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert "run.py demo" in done.stdout + done.stderr
    assert "run.py test" in done.stdout + done.stderr


def test_the_second_run_sets_nothing_up(run: dict[str, Any]) -> None:
    """What is installed is not installed again."""
    run["set_up"](["cli"])
    run["set_up"](["cli"])
    assert run["steps"] == ["create", "install cli"]


def test_more_extras_are_added_to_what_is_there(run: dict[str, Any]) -> None:
    """The test command adds to the demo's environment, and both stay satisfied."""
    run["set_up"](["cli"])
    run["set_up"](["cli", "test"])
    run["set_up"](["cli"])
    assert run["steps"] == ["create", "install cli", "install cli test"]


def test_a_changed_project_is_installed_again(run: dict[str, Any]) -> None:
    """New dependencies arrive without anybody deleting anything."""
    run["set_up"](["cli"])
    Path(run["ROOT"], "pyproject.toml").write_text("[project]\nname = 'x'\n", "utf-8")
    run["set_up"](["cli"])
    assert run["steps"] == ["create", "install cli", "install cli"]


@pytest.mark.parametrize("what", ["python", "base", "machine", "root"])
def test_another_place_or_python_starts_anew(run: dict[str, Any], what: str) -> None:
    """A folder that was moved or copied, or a Python that was replaced, gets a new environment."""
    run["set_up"](["cli"])
    run["write_stamp"]({**run["read_stamp"](), what: "another"})
    run["set_up"](["cli"])
    assert run["steps"] == ["create", "install cli", "create", "install cli"]


@pytest.mark.parametrize("step", ["create", "install"])
def test_an_interrupted_set_up_starts_anew(run: dict[str, Any], step: str) -> None:
    """An environment is used only once all of its set-up has succeeded."""
    whole = run[step]

    def interrupted(*args: object) -> None:
        whole(*args)
        raise KeyboardInterrupt

    run[step] = interrupted
    with pytest.raises(KeyboardInterrupt):
        run["set_up"](["cli"])
    run[step] = whole
    run["set_up"](["cli"])
    assert run["steps"][-2:] == ["create", "install cli"]


def test_a_broken_stamp_starts_anew(run: dict[str, Any]) -> None:
    """A stamp that cannot be read counts as none."""
    run["set_up"](["cli"])
    Path(run["STAMP"]).write_bytes(b"[\xff")
    run["set_up"](["cli"])
    assert run["steps"] == ["create", "install cli"] * 2


def test_two_set_ups_never_overlap(run: dict[str, Any]) -> None:
    """While one process sets up, another waits, and then finds its work done."""
    script = (
        "import runpy, sys, pathlib;"
        "f = runpy.run_path(sys.argv[1])['set_up'].__globals__;"
        "f['create'] = lambda: pathlib.Path(f['VENV']).mkdir(exist_ok=True);"
        "f['install'] = lambda extras: print('installed', flush=True);"
        "print('started', flush=True); f['set_up'](['cli']); print('ready', flush=True)"
    )
    command = [sys.executable, "-c", script, str(Path(run["ROOT"], "run.py"))]
    with run["lock"]():
        other = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        assert other.stdout is not None
        assert other.stderr is not None
        assert other.stdout.readline() == "started\n"
        if not run["WINDOWS"]:
            assert "waiting for another run.py" in other.stderr.readline()
        run["create"]()
        run["write_stamp"]({**run["identity"](), "extras": ["cli"]})
    out, _ = other.communicate(timeout=60)
    assert out == "ready\n"


def test_the_commands_reach_their_programs(
    run: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's arguments follow the command's own, in the environment's Python."""
    calls: list[tuple[str, list[str], dict[str, str]]] = []
    run["WINDOWS"] = False
    monkeypatch.setattr("os.execve", lambda *call: calls.append(call))
    monkeypatch.setattr("os.chdir", lambda folder: None)
    monkeypatch.setattr("subprocess.call", lambda *args, **kwargs: 0)
    run["main"](["demo", "--peers", "3"])
    run["main"](["test", "-k", "counter"])
    (python, demo, env), (_, test, _) = calls
    assert python == demo[0] == run["PYTHON"]
    assert demo[-3:] == ["demo", "--peers", "3"]
    assert test[1:3] == ["-m", "pytest"]
    assert test[-2:] == ["-k", "counter"]
    assert env["PYTHONPATH"] == run["ROOT"]
    assert env["PATH"].startswith(run["BIN"])


def test_a_failed_set_up_says_what_to_do(
    run: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that cannot set up gets advice and an exit code, not a traceback."""

    def install(extras: set[str]) -> None:
        raise run["SetupError"]("pip could not install; check the network")

    run["install"] = install
    assert run["main"](["demo"]) == 1
    assert "check the network" in capsys.readouterr().err
