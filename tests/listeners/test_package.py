"""The package as its documentation has it."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from crdtstore import configure_store, create_action
from crdtstore import listeners as package
from tests.listeners.stage import Seen, add, counts, until_over
from tests.listeners.test_remote import carry


def test_the_example_works(capsys: pytest.CaptureFixture[str]) -> None:
    """What the docstring shows runs as it stands, and does what it says."""
    assert package.__doc__ is not None
    example = textwrap.dedent(package.__doc__.split("::\n", 1)[1].split("\n**", 1)[0])
    seen = Seen()

    async def fetch(question: str) -> str:
        return f"about {question}"

    found = create_action("found")
    names: dict[str, Any] = {
        **vars(package),
        "configure_store": configure_store,
        "todos": counts,
        "add": add,
        "search": create_action("search"),
        "found": found,
        "fetch": fetch,
    }
    exec(example, names)
    with names["store"] as store, configure_store([counts]) as peer:
        names["listener"].start_listening(action_creator=found, effect=seen.effect)
        for question in ("c", "cr", "crdt"):
            store.dispatch(names["search"](question))
        seen.until(("found", "about crdt"))
        names["listener"].start_listening(action_creator=add, origin="remote", effect=seen.effect)
        carry(peer, store, add(3))
        seen.until(("found", "about crdt"), ("counts/add", 3))
        until_over(names["listener"])
    assert capsys.readouterr().out == f"{peer.replica} added 3\n"


def test_its_names_are_there() -> None:
    """Whatever ``__all__`` promises."""
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
