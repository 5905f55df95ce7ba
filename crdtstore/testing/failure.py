"""The error of a convergence test; it carries the history, and later where that was drawn."""

from __future__ import annotations

from crdtstore.testing.history import History

__all__ = ["ConvergenceError"]


class ConvergenceError(AssertionError):
    """Replicas did not converge, or an invariant does not hold; ``history`` says how.

    ``files`` are the paths of what was written about it, ``replay`` is one line to run it again.
    """

    def __init__(
        self, message: str, history: History, *, files: tuple[str, ...] = (), replay: str = ""
    ) -> None:
        super().__init__(message)
        self.history = history
        self.files = files
        self.replay = replay
        self.__crdtstore_failure__ = True  # how the pytest plugin knows it without importing this
