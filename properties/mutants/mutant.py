"""What a mutant is: one mistake, as exact texts of one module and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Edit", "Group", "Mutant", "StaleMutantError"]

ROOT = Path(__file__).resolve().parents[2]
"""Where the sources are."""

Edit = tuple[str, str]
"""A text that is in the module exactly once, and the text in its place"""


class StaleMutantError(Exception):
    """A mutant does not fit the sources any more: they changed, and it has to follow."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake in one module.

    ``broken`` says in one sentence what is wrong with it. ``survives`` is empty, or the reason why
    no test can notice.
    """

    name: str
    module: str
    broken: str
    edits: tuple[Edit, ...]
    survives: str = ""

    @property
    def path(self) -> str:
        """The module's file, below the root of the sources."""
        return f"{self.module.replace('.', '/')}.py"

    def applied(self, source: str) -> str:
        """Return the module's ``source`` with the mistake.

        Raises ``StaleMutantError`` unless each text is there exactly once, and makes a difference
        that compiles.
        """
        for old, new in self.edits:
            found = source.count(old)
            if found != 1:
                raise StaleMutantError(
                    f"{self.name}: {self.path} has this text {found} times, and must have it once; "
                    f"bring the mutant up to date:\n{old}"
                )
            if old == new:
                raise StaleMutantError(f"{self.name}: changes nothing:\n{old}")
            source = source.replace(old, new)
        try:
            compile(source, self.path, "exec")
        except SyntaxError as error:
            raise StaleMutantError(f"{self.name}: {self.path} does not compile: {error}") from error
        return source


@dataclass(frozen=True, slots=True)
class Group:
    """Mutants of one part of the code, and the test files that ought to kill them, in order."""

    name: str
    tests: tuple[str, ...]
    mutants: tuple[Mutant, ...]
