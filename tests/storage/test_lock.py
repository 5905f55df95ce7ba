"""One opener of a file at a time, released by the death of its holder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crdtstore.errors import StorageError, StorageLockedError
from crdtstore.storage.lock import FileLock
from tests.storage.programs import start

HOLD = """
import sys
from crdtstore.storage.lock import FileLock
lock = FileLock(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""

FORK_AND_HOLD = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from crdtstore.storage.lock import FileLock
lock = FileLock(sys.argv[1])
if os.fork() == 0:
    print("held", flush=True)
    sys.stdin.read()  # the child lives until the test lets it end
    os._exit(0)
os.kill(os.getpid(), 9)
"""

START_AND_HOLD = """
import subprocess, sys
from crdtstore.storage.lock import FileLock
lock = FileLock(sys.argv[1])
subprocess.Popen([sys.executable, "-c", "print('held', flush=True); input()"], close_fds=False)
import os
os.kill(os.getpid(), 9)
"""

Holder = Callable[[str, Path], "subprocess.Popen[str]"]


@pytest.fixture
def holder() -> Iterator[Holder]:
    """Start programs that say "held" when they hold a lock, and end them with the test."""
    started: list[subprocess.Popen[str]] = []

    def hold(code: str, path: Path) -> subprocess.Popen[str]:
        process = start("-c", code, str(path))
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()  # closes its stdin, at which children of it end as well


def test_the_message_names_the_holder(tmp_path: Path, holder: Holder) -> None:
    """Who is refused reads which process on which machine to look at, and what to do."""
    process = holder(HOLD, tmp_path / "store.db")
    with pytest.raises(StorageLockedError) as caught:
        FileLock(str(tmp_path / "store.db"))
    message = str(caught.value)
    assert f"is open in process {process.pid} on {socket.gethostname()}" in message
    assert "close it there" in message


def test_this_process_is_told_so(tmp_path: Path) -> None:
    """A second store on one file in the same process is refused with another message."""
    lock = FileLock(str(tmp_path / "store.db"))
    with pytest.raises(StorageLockedError, match="in this process already"):
        FileLock(str(tmp_path / "store.db"))
    lock.release()


def test_a_lock_that_says_nothing_is_a_lock(tmp_path: Path) -> None:
    """The holder may not have written its name yet."""
    lock = FileLock(str(tmp_path / "store.db"))
    (tmp_path / "store.db.lock").write_bytes(b"\xff")
    with pytest.raises(StorageLockedError, match="is open in another process"):
        FileLock(str(tmp_path / "store.db"))
    lock.release()


def test_release_leaves_nothing_and_may_be_repeated(tmp_path: Path) -> None:
    """After release the file is gone and the next one may lock."""
    lock = FileLock(str(tmp_path / "store.db"))
    lock.release()
    assert list(tmp_path.iterdir()) == []
    other = FileLock(str(tmp_path / "store.db"))
    lock.release()
    with pytest.raises(StorageLockedError):
        FileLock(str(tmp_path / "store.db"))
    other.release()


def test_what_a_dead_process_left_is_no_lock(tmp_path: Path) -> None:
    """The side file of a holder that died is taken over."""
    (tmp_path / "store.db.lock").write_text("1 elsewhere\n")
    lock = FileLock(str(tmp_path / "store.db"))
    assert (tmp_path / "store.db.lock").read_text() == f"{os.getpid()} {socket.gethostname()}\n"
    lock.release()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_killing_the_holder_releases_the_lock(
    tmp_path: Path, holder: Holder, signum: signal.Signals
) -> None:
    """Nothing has to be cleaned up after `kill -9`."""
    process = holder(HOLD, tmp_path / "store.db")
    process.send_signal(signum)
    process.wait(60)
    FileLock(str(tmp_path / "store.db")).release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("code", [FORK_AND_HOLD, START_AND_HOLD])
def test_children_do_not_keep_the_lock_of_a_dead_parent(
    tmp_path: Path, holder: Holder, code: str
) -> None:
    """Neither a forked child nor a started program holds on to the parent's lock."""
    process = holder(code, tmp_path / "store.db")
    process.wait(60)
    FileLock(str(tmp_path / "store.db")).release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_ends_leaves_the_parent_its_lock(tmp_path: Path, holder: Holder) -> None:
    """Closing the inherited handle is not unlocking."""
    code = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from crdtstore.storage.lock import FileLock
lock = FileLock(sys.argv[1])
child = os.fork()
if child == 0:
    lock.release()
    sys.exit()
os.waitpid(child, 0)
print("held", flush=True)
sys.stdin.read()
"""
    holder(code, tmp_path / "store.db")
    with pytest.raises(StorageLockedError):
        FileLock(str(tmp_path / "store.db"))


def test_a_place_where_no_lock_can_be_is_named(tmp_path: Path) -> None:
    """The message says which file could not be made, and what it is for."""
    (tmp_path / "store.db.lock").mkdir()
    with pytest.raises(StorageError, match=r"store\.db\.lock, which keeps two processes"):
        FileLock(str(tmp_path / "store.db"))
