"""Actions that reducers refuse."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.errors import FailedHealthCheck

from crdtstore import Counter, Table, create_slice
from crdtstore.testing import convergence_test
from crdtstore.testing.health import Tally
from tests.testing.samples import quick, sold


@dataclass
class Row:
    n: Counter = Counter(0)


@dataclass
class Rows:
    rows: Table[Row] = Table()


rows = create_slice(name="rows", initial_state=Rows())


@rows.reducer
def put(state: Rows, key: str) -> None:
    state.rows.setdefault(f"row {key}", Row())


@rows.reducer
def grown(state: Rows, key: str) -> None:
    state.rows[key].n += 1


def test_reducers_that_refuse_nearly_everything_fail_the_test() -> None:
    """The message names the reducer, what it raised mostly, and what to do."""
    test = convergence_test([rows], settings=quick)
    with pytest.raises(FailedHealthCheck) as caught:
        test()
    said = str(caught.value)
    assert "drawn actions 'rows/grown' raised in their reducer" in said
    assert "times it was KeyError: " in said
    assert 'Annotated[str, key_of("items")]' in said
    assert "actions={'rows/grown': st.builds(...)}" in said
    assert "rows/put" not in said


def test_the_health_check_can_be_suppressed() -> None:
    """Reducers may refuse most of what comes, if somebody says that it is meant."""
    chosen = settings(quick, suppress_health_check=[HealthCheck.filter_too_much], max_examples=30)
    convergence_test([rows], settings=chosen)()


def test_a_few_refusals_are_no_matter() -> None:
    """Half may be refused; and too few say nothing."""
    tally = Tally()
    for _ in range(30):
        tally.add(sold.type, None)
        tally.add(sold.type, ValueError("sold out"))
    for _ in range(19):
        tally.add("rare/one", ValueError("never"))
    tally.check()
    tally.add(sold.type, ValueError("sold out"))
    with pytest.raises(FailedHealthCheck, match="31 of 61 drawn actions 'shop/sold'"):
        tally.check()
