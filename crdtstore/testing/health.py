"""Whether the drawn actions do anything: a test whose actions are all refused tests nothing."""

from __future__ import annotations

from collections import Counter

from hypothesis.errors import FailedHealthCheck

__all__ = ["Tally"]

_ENOUGH = 20
"""How many actions of a type must have been drawn to judge it by."""


class Tally:
    """Counts, over all examples of one test, how often each type of action was refused."""

    def __init__(self) -> None:
        self._drawn: Counter[str] = Counter()
        self._raised: dict[str, Counter[str]] = {}

    def add(self, kind: str, error: Exception | None) -> None:
        """Note a dispatch, and what its reducer raised."""
        self._drawn[kind] += 1
        if error is not None:
            said = f"{type(error).__name__}: {error}"
            self._raised.setdefault(kind, Counter())[said[:200]] += 1

    def check(self) -> None:
        """Raise ``FailedHealthCheck`` if more than half of the actions of a type were refused."""
        for kind, raised in sorted(self._raised.items()):
            drawn, refused = self._drawn[kind], raised.total()
            if drawn >= _ENOUGH and 2 * refused > drawn:
                (commonest, times), *_ = raised.most_common(1)
                raise FailedHealthCheck(
                    f"{refused} of {drawn} drawn actions {kind!r} raised in their reducer, so they "
                    f"tested nothing; {times} times it was {commonest}\n"
                    "Draw arguments that it takes: annotate keys and indices with those that "
                    'exist, key: Annotated[str, key_of("items")], or give a strategy, '
                    f"actions={{{kind!r}: st.builds(...)}}, or leave the action out with None. If "
                    "refusing is its trade, pass settings="
                    "settings(suppress_health_check=[HealthCheck.filter_too_much])."
                )
