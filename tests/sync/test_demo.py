"""The whole demo with real processes: it ends well, and notices when it should not."""

from __future__ import annotations

import tempfile
from io import StringIO
from pathlib import Path

import pytest

from crdtstore import configure_store
from sync.demo import director
from sync.demo.cables import Cables
from sync.demo.crew import Crew, CrewError, Message
from sync.demo.director import DemoError, Options, run
from sync.demo.screen import PlainScreen
from sync.demo.slices import board, tally

SMALL = Options(peers=2, actions=120, seed=4)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, for this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_everything_is_accounted_for(tmp_path: Path) -> None:
    """Three peers in a ring, cut, killed and healed, hold what the account says, also on disk."""
    out = StringIO()
    keep = tmp_path / "kept"
    assert run(Options(3, 200, 11, keep), PlainScreen(out)), out.getvalue()
    digests = set()
    for name in "ABC":
        with configure_store([board, tally], storage=keep / f"{name}.db") as store:
            digests.add(store.digest())
            assert store[tally].actions == 200
    assert len(digests) == 1
    assert out.getvalue().count(digests.pop()) == 3
    assert "everything is accounted for" in out.getvalue()


def test_nothing_is_left_behind(temporary: Path) -> None:
    """A demo that ends well takes its files away."""
    assert run(SMALL, PlainScreen(StringIO()))
    assert list(temporary.iterdir()) == []


def test_a_lost_file_is_noticed(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    """If what was flushed is gone after the kill, the demo fails, says so, and keeps the files."""
    start = Crew.start

    def forgetful(crew: Crew, name: str, epoch: int) -> int:
        for file in crew.folder.glob(f"{name}.db*"):
            file.unlink()
        return start(crew, name, epoch)

    monkeypatch.setattr(Crew, "start", forgetful)
    out = StringIO()
    assert not run(SMALL, PlainScreen(out))
    said = " ".join(out.getvalue().split())
    assert "was on disk, but its file ends at action 0" in said
    (folder,) = temporary.iterdir()
    assert {"A.db", "B.db", "A.log"} <= {file.name for file in folder.iterdir()}
    assert str(folder) in out.getvalue()


def test_a_process_that_dies_by_itself_ends_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its name, its exit code, the end of its log, and where the files are."""
    tell = Crew.tell

    def wrong(crew: Crew, name: str, order: str, /, **more: object) -> None:
        tell(crew, name, "dance" if (name, order) == ("B", "link") else order, **more)

    monkeypatch.setattr(Crew, "tell", wrong)
    with pytest.raises(
        DemoError, match=r"(?s)B failed.*dance.*files of all peers are in"
    ) as caught:
        run(SMALL, PlainScreen(StringIO()))
    folder = Path(str(caught.value).rsplit(" ", 1)[1])
    assert (folder / "B.log").is_file()


def test_waiting_in_vain_says_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that does not come is named after a limited time, with how everybody stands."""

    def useless(cables: Cables, name: str, address: str) -> None:
        monkeypatch.setattr(director, "_SECONDS", 1.0)

    monkeypatch.setattr(Cables, "connect", useless)
    with pytest.raises(DemoError, match=r"waited 1 s for every link.*A is .*links 0/1"):
        run(SMALL, PlainScreen(StringIO()))


def test_orders_to_the_dead_are_an_error(tmp_path: Path) -> None:
    """A process that was killed takes no orders, and its end is heard."""
    with Crew(tmp_path) as crew:
        pid = crew.start("A", epoch=0)
        crew.kill("A")
        heard: list[Message] = []
        while not heard or heard[-1].what != "ended":
            message = crew.hear(30.0)
            assert message is not None
            heard.append(message)
        with pytest.raises(CrewError, match="A takes no orders any more"):
            crew.tell("A", "report")
    assert {(message.name, message.pid) for message in heard} == {("A", pid)}
