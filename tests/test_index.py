"""The live cells of a document by path."""

from __future__ import annotations

from crdtstore import index as module
from crdtstore.cells import Cell
from crdtstore.index import DIGEST_SIZE, Index, hash_item


def cell(writer: str, value: object = 1, stamp: int = 1, inc: str | None = None) -> Cell:
    """Write a cell shortly."""
    return stamp, writer, value, inc  # type: ignore[return-value]


def filled(*puts: tuple[str, Cell]) -> Index:
    """Return an index of these cells."""
    index = Index()
    for path, each in puts:
        index.put(path, each)
    return index


def test_a_writer_has_one_cell_at_a_path() -> None:
    """A later one takes its place, beside those of others, in the order of writers."""
    index = filled(("p", cell("b")), ("p", cell("a")), ("p", cell("c")), ("p", cell("b", 2)))
    assert index.cells == {"p": (cell("a"), cell("b", 2), cell("c"))}


def test_a_dropped_cell_is_gone_and_dropping_it_again_is_harmless() -> None:
    """With the last one its path goes too."""
    index = filled(("p", cell("a")), ("p", cell("b")))
    index.drop("p", "a")
    index.drop("p", "a")
    index.drop("nowhere", "a")
    assert index.cells == {"p": (cell("b"),)}
    index.drop("p", "b")
    assert index.cells == {}
    assert list(index.children("")) == []


def test_what_lies_below_a_path_is_found() -> None:
    """However deep, whether or not the steps between hold cells."""
    index = filled(("r/k/i/n", cell("a")), ("r/k", cell("a")), ("r/k/i/m/x", cell("a")))
    assert set(index.under("r")) == {"r/k", "r/k/i/n", "r/k/i/m/x"}
    assert set(index.under("r/k/i")) == {"r/k/i/n", "r/k/i/m/x"}
    assert set(index.under("")) == {"r/k", "r/k/i/n", "r/k/i/m/x"}
    assert set(index.under("r/k/i/n")) == set()


def test_children_are_one_segment_below() -> None:
    """Also those that hold nothing themselves but have something below them."""
    index = filled(("r/k/i/n", cell("a")), ("r/j", cell("a")), ("s", cell("a")))
    assert set(index.children("")) == {"r", "s"}
    assert set(index.children("r")) == {"r/k", "r/j"}
    index.drop("r/k/i/n", "a")
    assert set(index.children("r")) == {"r/j"}
    index.drop("r/j", "a")
    assert set(index.children("")) == {"s"}


def test_a_path_loses_its_cells_and_keeps_what_is_below() -> None:
    """And the other way round."""
    index = filled(("r", cell("a")), ("r/k", cell("a")))
    index.drop("r", "a")
    assert set(index.children("")) == {"r"}
    index.put("r", cell("a"))
    index.drop("r/k", "a")
    assert set(index.children("")) == {"r"}
    assert set(index.children("r")) == set()


def test_the_very_top_holds_cells_too() -> None:
    """A slice may be one value as a whole."""
    index = filled(("", cell("a")), ("!", cell("a")))
    index.drop("", "a")
    assert set(index.cells) == {"!"}


def test_a_digest_depends_on_the_live_cells_alone() -> None:
    """Not on the order, nor on what was there meanwhile, nor on when it was asked for."""
    one = filled(("p", cell("a")), ("q", cell("b", [1, "x"], 7, "inc")), ("p", cell("b")))
    other = filled(("p", cell("b")), ("gone", cell("a")), ("p", cell("a", "old")))
    other.digest()
    other.put("p", cell("a"))
    other.drop("gone", "a")
    other.put("q", cell("b", [1, "x"], 7, "inc"))
    assert one.digest() == other.digest() != Index().digest()
    for path, writers in {path: [c[1] for c in cells] for path, cells in one.cells.items()}.items():
        for writer in writers:
            one.drop(path, writer)
    assert one.digest() == Index().digest() == 0


def test_a_digest_tells_everything_in_a_cell_apart() -> None:
    """Path, writer, stamp, value with its type, and incarnation."""
    cells = [
        ("p", cell("a")),
        ("q", cell("a")),
        ("p", cell("b")),
        ("p", cell("a", 2)),
        ("p", cell("a", True)),
        ("p", cell("a", "1")),
        ("p", cell("a", stamp=2)),
        ("p", cell("a", inc="i")),
    ]
    assert len({filled(each).digest() for each in cells}) == len(cells)


def test_numbers_read_back_as_floats_have_the_same_digest() -> None:
    """The writer has ints where its peers are given floats."""
    assert filled(("p", cell("a", 1))).digest() == filled(("p", cell("a", 1.0))).digest()


def test_what_waits_to_be_hashed_is_bounded() -> None:
    """However many paths come and go, and the digest is right all the same."""
    index = Index()
    for number in range(2 * module._MOST_DIRTY + 10):
        index.put(f"p{number}", cell("a", number))
        if number > 3:
            index.drop(f"p{number}", "a")
        assert len(index._dirty) <= len(index.cells) + module._MOST_DIRTY + 1
    other = filled(*((f"p{number}", cell("a", number)) for number in reversed(range(4))))
    assert index.digest() == other.digest()


def test_hashes_are_remembered_of_few_paths() -> None:
    """And a digest that is asked for again and again is that of an index made anew."""
    index = Index()
    for number in range(3 * module._MOST_HASHED):
        index.put(f"p{number // 2}", cell("a", number))
        if number % 100 == 0:
            index.put("again", cell("a", number))
            index.drop(f"p{number // 3}", "a")
            index.digest()
            assert len(index._hashed) <= module._MOST_HASHED
    for path, cells in list(index.cells.items()):
        index.put(path, cells[0])  # more at a time than are remembered
    index.put("again", cell("b"))
    other = filled(*((path, each) for path, cells in index.cells.items() for each in cells))
    assert index.digest() == other.digest()
    index.drop("again", "b")
    other.drop("again", "b")
    assert index.digest() == other.digest()


def test_many_cells_are_put_at_once() -> None:
    """An empty index filled with them is one into which they were put."""
    puts = [("r/k", cell("b")), ("r/k/i/n", cell("a")), ("r/k", cell("a")), ("", cell("c"))]
    one, other = Index(), filled(*puts)
    one.fill(puts)
    assert one.cells == other.cells
    assert one.digest() == other.digest()
    for path in ("", "r", "r/k", "r/k/i"):
        assert set(one.children(path)) == set(other.children(path))


def test_a_hash_has_the_size_of_a_digest_and_knows_name_from_content() -> None:
    """Moving a byte from one to the other gives another hash."""
    assert hash_item("name", b"content") < 1 << (8 * DIGEST_SIZE)
    assert hash_item("ab", b"c") != hash_item("a", b"bc")
    assert hash_item("\ud800", b"") != hash_item("?", b"")
