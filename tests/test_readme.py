"""Every Python example of README.md and of docs/ runs as pasted.

The ``python`` blocks below one ``##`` heading are one script, run in order in a process and an
empty folder of its own, with warnings as errors. A block after the comment
``<!-- standalone -->`` is a script by itself. Ports of 127.0.0.1 are replaced by free ones, equal
ones alike; line numbers in tracebacks are those of README.md.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"

STANDALONE = "<!-- standalone -->"


def scripts(text: str) -> dict[str, str]:
    """The scripts of a Markdown text by the name of their section, each padded to its place."""
    out: dict[str, list[str]] = {}
    section, target, inside, previous = "top", "", False, ""
    for number, line in enumerate(text.splitlines()):
        if line.startswith("```"):
            inside = not inside and line.strip() == "```python"
            target = f"{section}, line {number + 1}" if previous == STANDALONE else section
        elif inside:
            lines = out.setdefault(target, [])
            lines.extend([""] * (number - len(lines)))
            lines.append(line)
        elif line.startswith("## "):
            section = line.removeprefix("## ").strip()
        previous = line.strip() or previous
    return {name: "\n".join(lines) + "\n" for name, lines in out.items()}


def with_free_ports(script: str) -> str:
    """Replace each port of 127.0.0.1 by one that is free now, equal ones by equal ones."""
    held = {port: socket.socket() for port in set(re.findall(r"127\.0\.0\.1:(\d+)", script))}
    try:
        for port, listener in held.items():
            listener.bind(("127.0.0.1", 0))
            free = listener.getsockname()[1]
            script = re.sub(rf"127\.0\.0\.1:{port}\b", f"127.0.0.1:{free}", script)
    finally:
        for listener in held.values():
            listener.close()
    return script


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "README.py").write_text(with_free_ports(script), "utf-8")
    return subprocess.run(
        [sys.executable, "-W", "error", "README.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


TEXT = README.read_text("utf-8") if README.is_file() else ""
SCRIPTS = scripts(TEXT)


def test_the_readme_has_examples() -> None:
    """README.md exists and shows Python, so the test below does run something."""
    assert SCRIPTS


@pytest.mark.parametrize("section", SCRIPTS)
def test_the_examples_of_a_section_run(section: str, tmp_path: Path) -> None:
    """What a reader pastes from README.md works."""
    done = run(SCRIPTS[section], tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


PAGES = {
    f"{page.name}: {section}": script
    for page in sorted((ROOT / "docs").glob("*.md"))
    for section, script in scripts(page.read_text("utf-8")).items()
}


@pytest.mark.parametrize("example", PAGES)
def test_the_examples_of_the_docs_run(example: str, tmp_path: Path) -> None:
    """What a reader pastes from docs/ works."""
    done = run(PAGES[example], tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("command", ["demo", "test"])
def test_the_readme_shows_both_commands(command: str) -> None:
    """The two commands for a machine with only Python are in README.md."""
    assert re.search(rf"^python3 run\.py {command}\b", TEXT, re.MULTILINE)


def test_blocks_of_one_section_share_a_script() -> None:
    """Sections, standalone blocks and other languages are told apart; lines keep their numbers."""
    text = (
        "# t\n```python\na = 1\n```\nmore\n```python\nb = a\n```\n```sh\nls\n```\n"
        "## Next\n```python\nc = 2\n```\n<!-- standalone -->\n\n```python\nd = 3\n```\n"
    )
    found = scripts(text)
    assert {name: " ".join(script.split()) for name, script in found.items()} == {
        "top": "a = 1 b = a",
        "Next": "c = 2",
        "Next, line 18": "d = 3",
    }
    for script in found.values():
        for number, line in enumerate(script.splitlines()):
            assert line in ("", text.splitlines()[number])


def test_a_failing_example_is_noticed(tmp_path: Path) -> None:
    """An assertion, an exception or a warning in an example fails, at its line of README.md."""
    done = run(scripts("```python\n\nassert 1 == 2\n```\n")["top"], tmp_path)
    assert done.returncode != 0
    assert 'README.py", line 3' in done.stderr


def test_ports_are_replaced_alike() -> None:
    """Two mentions of one port stay one port, and two ports stay two."""
    parts = with_free_ports('"tcp://127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7001"').split(",")
    ports = [int(part.rstrip('"').rsplit(":", 1)[1]) for part in parts]
    assert ports[0] == ports[2] != ports[1]
    assert not {7001, 7002} & set(ports)
