"""One opener of a file at a time: a lock on a side file, released by the death of its holder.

The lock is the operating system's (``flock``; a byte range on Windows), so ``kill -9`` and a crash
release it and nothing ever has to be cleaned up. It lies on ``<file>.lock`` and not on the file
itself, because closing any handle of the file would drop the locks that SQLite holds on it. The
side file says who holds it, for the message; it is deleted on release, and whoever locked a file
that was deleted meanwhile tries again.

A forked child inherits the handle, and with it the lock, beyond the life of the parent; so every
child closes its copy at once (which, unlike unlocking, leaves the parent's lock alone).
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import weakref

from crdtstore.errors import ForkedStoreError, StorageError, StorageLockedError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["FileLock"]

# Far behind the text: Windows locks are mandatory, and others must be able to read who holds it.
_BYTE = 1 << 30

_held: weakref.WeakSet[FileLock] = weakref.WeakSet()
# Files that the parent of this process held when it forked. SQLite's own bookkeeping of locks is
# inherited too and takes them for locked, so that nobody can safely open them here.
_inherited: set[str] = set()


class FileLock:
    """The right to use ``path``, held from construction to ``release``.

    Raises ``StorageLockedError`` where somebody else holds it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._side = path + ".lock"
        self._pid = os.getpid()
        if path in _inherited:
            raise ForkedStoreError(
                f"{path} was open when this process was forked, so this process cannot open it: "
                'open it only after the fork, or start the process afresh (method "spawn")'
            )
        try:
            self._handle = self._acquire()
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(
                f"cannot make {self._side}, which keeps two processes from using one file: {error}"
            ) from error
        _held.add(self)

    def release(self) -> None:
        """Let others have it; does nothing the second time and in a forked process."""
        if self not in _held:
            return
        _held.discard(self)
        # While still locked, or it could be the next holder's. Windows deletes no open file.
        with contextlib.suppress(OSError):
            os.unlink(self._side)
        os.close(self._handle)
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                os.unlink(self._side)

    def _acquire(self) -> int:
        while True:
            # Python opens files not inheritable, so no started program keeps the lock alive.
            handle = os.open(self._side, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if not _try_lock(handle):
                    raise StorageLockedError(self._who(handle))
                if _is_file(handle, self._side):
                    os.ftruncate(handle, 0)
                    os.write(handle, f"{self._pid} {socket.gethostname()}\n".encode())
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)

    def _who(self, handle: int) -> str:
        words = os.read(handle, 1000).decode("utf-8", "replace").split()
        if len(words) != 2:
            who = "another process"
        elif words == [str(self._pid), socket.gethostname()]:
            return (
                f"{self.path} is open in this process already: "
                "use that store, or close it before opening the file again"
            )
        else:
            who = f"process {words[0]} on {words[1]}"
        return (
            f"{self.path} is open in {who}: close it there first, or give this process a file of "
            "its own and connect the two"
        )

    def _abandon(self) -> None:
        """Called in a forked child: the parent goes on holding the lock, the child must not."""
        _held.discard(self)
        _inherited.add(self.path)
        os.close(self._handle)


def _try_lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(handle, _BYTE, os.SEEK_SET)
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(handle, 0, os.SEEK_SET)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_file(handle: int, path: str) -> bool:
    """Whether the open file is still the one that the path names."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _after_fork_in_child() -> None:
    for lock in list(_held):
        lock._abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
