"""What a document keeps in Python follows what it holds, and changes can be taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crdtstore.changes import Splice, invert
from crdtstore.document import Document
from crdtstore.draft import record
from crdtstore.index import Index
from crdtstore.order import Occurrence, Order
from crdtstore.paths import cell_key, escape, join, split, split_key, unescape
from properties.histories import commands
from properties.kitchen import Command, Fresh, Script, kitchen

batches = st.lists(commands, min_size=1, max_size=4).map(tuple)


@given(st.lists(batches, max_size=4), batches)
def test_taking_changes_back_restores_what_showed(
    before: list[tuple[Command, ...]], last: tuple[Command, ...]
) -> None:
    """Undo and redo are ordinary changes, for every kind."""
    document = Document(kitchen.shape, 7, "replica")
    fresh = Fresh()
    tokens = iter(range(10_000))

    def changes_of(batch: tuple[Command, ...]) -> list[Any]:
        script = Script(batch, fresh)
        return record(
            kitchen.shape, document.state, script, token=lambda: f"e{next(tokens)}", root="kitchen"
        )

    for batch in before:
        document.apply(changes_of(batch), 1_000)
    shown = repr(document.state)
    changes = changes_of(last)
    document.apply(changes, 1_001)
    done = repr(document.state)
    undo = invert(changes)
    document.apply(undo, 1_002)
    assert repr(document.state) == shown
    document.apply(invert(undo), 1_003)
    assert repr(document.state) == done


paths = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map("/".join)
writers = st.sampled_from(["x", "y", "z"])


@given(st.lists(st.tuples(paths, writers, st.none() | st.integers(0, 3))), st.booleans())
def test_an_index_holds_what_was_put_and_not_dropped(
    steps: list[tuple[str, str, int | None]], asked: bool
) -> None:
    """By path, by what is below a path, and by its digest."""
    index = Index()
    plain: dict[tuple[str, str], int] = {}
    for path, writer, value in steps:
        if value is None:
            index.drop(path, writer)
            plain.pop((path, writer), None)
        else:
            index.put(path, (value, writer, "v", None))
            plain[path, writer] = value
        if asked:
            index.digest()
    fresh = Index()
    for (path, writer), value in plain.items():
        fresh.put(path, (value, writer, "v", None))
    assert index.cells == fresh.cells
    assert index.digest() == fresh.digest()
    held = {path for path, _ in plain}
    assert set(index.cells) == held
    for path in ["", *held]:
        start = f"{path}/" if path else ""
        below = {p for p in held if p.startswith(start) and p != path}
        assert set(index.under(path)) == below
        steps_down = {start + p[len(start) :].split("/")[0] for p in below}
        assert set(index.children(path)) == steps_down


keys = st.sampled_from(["a", "b", "c"])
moves = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 5), st.lists(keys, min_size=1, max_size=3)),
    st.tuples(st.just("delete"), st.integers(0, 5), st.integers(1, 3)),
    st.tuples(st.just("base"), keys, st.booleans()),
    st.tuples(st.just("settle"), st.none(), st.none()),
)


@given(st.lists(moves, max_size=25))
def test_an_order_shows_the_newest_living_occurrence_of_each(steps: list[Any]) -> None:
    """However its array and its bases came about."""
    living: set[str] = {"a"}
    order = Order(lambda key, inc: key in living)
    items: list[Occurrence] = []
    stamp = 0
    for step, where, what in steps:
        if step == "insert":
            at = min(where, len(items))
            added = []
            for key in what:
                stamp += 7
                added.append((key, "i", stamp % 5, str(stamp)))
            items[at:at] = added
            order.insert(at, added)
        elif step == "delete":
            at = min(where, len(items))
            gone = items[at : at + what]
            del items[at : at + what]
            if gone:
                assert order.delete(at, len(gone)) == gone
        elif step == "base":
            (living.add if what else living.discard)(where)
            order.bases_changed(where)
        else:
            order.settle()
    order.settle()
    newest: dict[str, Occurrence] = {}
    for item in items:
        if item[0] in living:
            newest[item[0]] = max(item, newest.get(item[0], item), key=lambda i: (i[2], i[3]))
    assert order.items == items
    assert list(order.shown) == [i[0] for i in items if newest.get(i[0]) is i]
    assert order.places == newest


edits = st.tuples(
    st.integers(0, 1),
    st.floats(0, 1),
    st.integers(0, 2),
    st.text("aé€🍋", max_size=3),
    st.booleans(),
)


@given(st.lists(edits, max_size=20))
def test_the_text_that_shows_is_the_one_in_the_document(steps: list[Any]) -> None:
    """Wherever one edit after another is made, here and by a peer, in characters of any width."""
    pair = [Document(kitchen.shape, client, "replica") for client in (7, 8)]
    for who, share, deleted, inserted, pull in steps:
        document, peer = pair[who], pair[1 - who]
        text = document.state.note
        at = round(share * len(text))
        gone = text[at : at + deleted]
        if gone or inserted:
            delta = document.apply([Splice(("note",), at, gone, inserted)], 1_000)
            assert document.state.note == text[:at] + inserted + text[at + len(gone) :]
            if pull:
                peer.merge(delta)
        if pull:
            for one, other in ((document, peer), (peer, document)):
                lacking = one.delta_since(other.state_vector())
                if lacking is not None:
                    other.merge(lacking)
            assert document.state.note == peer.state.note
        loaded = Document(kitchen.shape, 9, "replica")
        loaded.load([document.whole()])
        assert loaded.state.note == document.state.note


@given(st.lists(st.text(), min_size=1), st.sampled_from(["0", "k2x"]))
def test_paths_and_keys_read_back(segments: list[str], writer: str) -> None:
    """Whatever names people give their fields, rows and keys."""
    path = join(segments)
    assert split(path) == tuple(segments)
    assert split_key(cell_key(path, writer)) == (path, writer)
    for segment in segments:
        assert unescape(escape(segment)) == segment
