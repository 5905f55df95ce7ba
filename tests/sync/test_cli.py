"""The command ``crdtstore``: what it prints, refuses, and returns."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sync import cli
from sync.demo.director import DemoError, Options
from sync.demo.screen import Screen

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 120.0
MAIN = "import sys; from sync.cli import main; sys.exit(main())"


def _pretend(
    monkeypatch: pytest.MonkeyPatch, outcome: bool | BaseException = True
) -> list[Options]:
    """Replace the demo by one that ends at once, and return what it is asked for."""
    asked: list[Options] = []

    def run(options: Options, screen: Screen) -> bool:
        asked.append(options)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(cli, "run", run)
    return asked


def test_the_version_names_what_matters_in_a_bug_report(capsys: pytest.CaptureFixture[str]) -> None:
    """The project's version, the engine's, and Python's."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert re.match(r"crdtstore \S.*, pycrdt 0\.14\.\d+, Python 3\.\d+", capsys.readouterr().out)


def test_no_command_is_answered_with_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """And with the exit code of a wrong call."""
    assert cli.main([]) == 2
    assert "demo" in capsys.readouterr().err


def test_defaults_and_options_reach_the_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Three peers and 300 actions by default, with a seed that differs from run to run."""
    asked = _pretend(monkeypatch)
    for _ in range(20):
        assert cli.main(["demo"]) == 0
    assert {(options.peers, options.actions) for options in asked} == {(3, 300)}
    assert len({options.seed for options in asked}) > 1
    asked.clear()
    cli.main(["demo", "--peers", "5", "--actions=2000", "--seed", "7", "--keep", str(tmp_path)])
    assert asked == [Options(5, 2000, 7, tmp_path, 0.0)]
    asked.clear()
    for port in ([], ["--port", "0"]):
        cli.main(["demo", "--devtools", *port])
    assert [options.port for options in asked] == [8000, 0]


def test_the_seed_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a run can be repeated."""
    asked = _pretend(monkeypatch)
    cli.main(["demo"])
    assert f"--seed {asked[0].seed}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (True, 0),
        (False, 1),
        (DemoError("lost"), 1),
        (OSError("full"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=str,
)
def test_the_exit_code_tells_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, outcome: bool | BaseException, code: int
) -> None:
    """Only a demo in which everything is accounted for is a success."""
    _pretend(monkeypatch, outcome)
    assert cli.main(["demo"]) == code


def test_a_handler_of_sigterm_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls ``main`` as a function keeps the signals as they were."""
    before = signal.getsignal(signal.SIGTERM)
    _pretend(monkeypatch)
    cli.main(["demo"])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--peers", "1"], "2 to 20 peers, not 1"),
        (["--actions", "5"], "at least 30 actions"),
    ],
)
def test_wrong_numbers_are_explained(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what is possible, and without starting anything."""
    assert cli.main(["demo", *arguments]) == 2
    assert hint in capsys.readouterr().err


def test_files_of_an_earlier_run_are_not_mixed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--keep takes a folder that holds nothing."""
    (tmp_path / "A.db").touch()
    assert cli.main(["demo", "--keep", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("terminal", "rich", "plain", "live"),
    [
        (True, True, False, True),
        (True, True, True, False),
        (True, False, False, False),
        (False, True, False, False),
    ],
)
def test_the_live_screen_needs_a_terminal_and_rich(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, rich: bool, plain: bool, live: bool
) -> None:
    """Everywhere else, and with --plain, it is lines of text."""
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    if not rich:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    screen = cli._screen(300, plain=plain)
    assert type(screen).__name__ == ("LiveScreen" if live else "PlainScreen")


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to see children")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_an_interrupted_demo(sent: signal.Signals) -> None:
    """Ctrl-C and a plain kill end the demo and everything that it had started."""
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "demo", "--plain", "--peers", "2", "--actions", "2000"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            assert demo.stdout is not None
            for line in demo.stdout:
                if line.startswith("2."):
                    break
            workers = _children(demo.pid)
            demo.send_signal(sent)
            _, errors = demo.communicate(timeout=SECONDS)
        finally:
            demo.kill()
    assert demo.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert len(workers) == 2
    assert not any(map(_runs, workers))
