"""Honest replicas as pycrdt makes them, with what `Known` should make of their work.

A `Writer` keeps to the layout of slices: own cells only, plain strings in texts, occurrences in
lists, every transaction advancing the clock. It is the source of updates for the properties and
for the fuzzing of the strict reader.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pycrdt import Array, Doc, Map, Text

from crdtstore.paths import base36
from crdtstore.updates import Known, Run, read_state_vector, read_update

TEXTS = ("text/a", "text/b/%2F", "text/c#0123456789abcdef")
LISTS = ("list/x", "list/y#fedcba9876543210")
SEEDED = (TEXTS[2], LISTS[1])  # roots that may have a genesis
ALPHABET = "ab \n\0é漢\U0001f600\U0001f3f4"
STAMPS = (0, 1, 2**24 + 1, 1_795_326_996_221, 2**53 - 1)


def utf16(text: str) -> int:
    """Return a text's length as clocks count it."""
    return len(text.encode("utf-16-le")) // 2


def random_text(rng: random.Random, longest: int = 5) -> str:
    """Return a text with characters of every width."""
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(1, longest)))


def random_value(rng: random.Random, depth: int = 0) -> Any:
    """Return a value as cells hold them."""
    if depth < 3 and rng.random() < 0.3:
        items = [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        return items if rng.random() < 0.5 else {f"k{n}é": item for n, item in enumerate(items)}
    choices = (None, True, False, 0, -1, 2**52, 0.5, 1e300, "", "é\U0001f600", b"\x00" * 3, b"")
    return rng.choice(choices)


def shown(doc: Doc[Any]) -> dict[str, Any]:
    """Return what a document shows, by root."""
    content: dict[str, Any] = {"cells": doc.get("cells", type=Map).to_py()}
    content.update({root: str(doc.get(root, type=Text)) for root in TEXTS})
    content.update({root: doc.get(root, type=Array).to_py() for root in LISTS})
    return content


class Writer:
    """An honest replica: its document, its updates, and what it wrote where."""

    def __init__(self, rng: random.Random, client: int) -> None:
        self.rng = rng
        self.known = Known()
        self.events: list[bytes] = []  # one for each transaction, own and received
        self.sent: list[bytes] = []  # one for each own transaction or genesis
        self.truth: list[Run] = []  # the own writes and those of genesis
        self.doc: Doc[Any] = Doc()
        self.open(client)

    def open(self, client: int) -> None:
        """Begin a new session with the content there is."""
        before = self.doc.get_update()
        self.client = client
        self.writer = base36(client)
        self.doc = Doc(client_id=client)
        self.cells = self.doc.get("cells", type=Map)
        self.texts = {root: self.doc.get(root, type=Text) for root in TEXTS}
        self.lists = {root: self.doc.get(root, type=Array) for root in LISTS}
        self.doc.apply_update(before)

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Keep the update of the transaction inside; a document observed longer is never freed."""
        subscription = self.doc.observe(lambda event: self.events.append(event.update))
        try:
            yield
        finally:
            self.doc.unobserve(subscription)

    def work(self, changes: int) -> None:
        """Do a transaction of random changes; it always advances the clock."""
        with self._recording(), self.doc.transaction():
            for _ in range(changes):
                self._change()
            self._put("!")
        self.sent.append(self.events[-1])

    def receive(self, update: bytes) -> None:
        """Take in an update of which nothing is missing."""
        read = read_update(update, self.known)
        assert not read.missing
        with self._recording():
            self.doc.apply_update(update)
        self.known.add(read)

    def pull(self, other: Writer) -> bytes:
        """Take in what ``other`` has and this one lacks, by state vector; returns the update."""
        update = other.doc.get_update(self.doc.get_state())
        self.receive(update)
        return update

    def seed(self, root: str) -> None:
        """Write the genesis of a root, byte for byte as every replica that needs it does."""
        client = 10_000 + sum(root.encode())
        if client in read_state_vector(self.doc.get_state()):
            return
        genesis: Doc[Any] = Doc(client_id=client)
        if root in TEXTS:
            genesis.get(root, type=Text).insert(0, "default \U0001f600")
            length = utf16("default \U0001f600")
        else:
            genesis.get(root, type=Array).extend([["i", "i", 0, base36(client)]] * 2)
            length = 2
        self.sent.append(genesis.get_update())
        self.receive(genesis.get_update())
        self.truth.append((client, 0, length, root))

    def _wrote(self, root: str, length: int, text: str = "") -> None:
        start = self.known.clocks.get(self.client, 0)
        self.known.advance(self.client, root, length, text)
        self.truth.append((self.client, start, start + length, root))

    def _put(self, path: str) -> None:
        cell = [self.rng.choice(STAMPS), random_value(self.rng)]
        self.cells[f"{path}@{self.writer}"] = cell if self.rng.random() < 0.7 else [*cell, "inc"]
        self._wrote("cells", 1)

    def _change(self) -> None:
        rng = self.rng
        chance = rng.random()
        if chance < 0.3:
            self._put(rng.choice(("a", "b/é", "c/%")))
        elif chance < 0.4:
            if keys := sorted(self.cells.keys()):
                del self.cells[rng.choice(keys)]
        elif chance < 0.7:
            self._edit_text(rng.choice(TEXTS))
        else:
            self._edit_list(rng.choice(LISTS))

    def _edit_text(self, root: str) -> None:
        rng, text = self.rng, self.texts[root]
        content = str(text)
        at = rng.randint(0, len(content))
        index = len(content[:at].encode())
        if rng.random() < 0.4:
            gone = content[at : at + rng.randint(1, 6)].encode()
            if gone:
                del text[index : index + len(gone)]
        else:
            inserted = random_text(rng)
            text.insert(index, inserted)
            self._wrote(root, utf16(inserted), inserted)

    def _edit_list(self, root: str) -> None:
        rng, items = self.rng, self.lists[root]
        at = rng.randint(0, len(items))
        if rng.random() < 0.4:
            if at < len(items):
                del items[at : min(len(items), at + rng.randint(1, 2))]
        else:
            new = [[f"i{n}", "inc", 5, self.writer] for n in range(rng.randint(1, 3))]
            for offset, item in enumerate(new):
                items.insert(at + offset, item)
            self._wrote(root, len(new))
