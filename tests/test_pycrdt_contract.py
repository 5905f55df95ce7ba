"""What the code relies on in pycrdt, and each of its traps that the code absorbs, as facts.

Nothing here tests crdtstore. When one of these fails after an upgrade of pycrdt, the docstring says
which protection it is about: that code is then read again, before the pin in pyproject.toml moves.
What can kill or hang a process runs in one of its own, with its memory and processor time capped.
"""

from __future__ import annotations

import datetime
import gc
import json
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, get_update, merge_updates

MiB = 1 << 20


def document(client: int) -> tuple[Doc[Any], Map[Any], list[bytes]]:
    """A document with its root map, and the list that its updates arrive in."""
    doc: Doc[Any] = Doc(client_id=client)
    cells = doc.get("cells", type=Map)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    return doc, cells, updates


def at_a_peer(doc: Doc[Any]) -> dict[str, Any]:
    """The root map of another document that was given everything."""
    peer, cells, _ = document(2)
    peer.apply_update(doc.get_update())
    return dict(cells.to_py() or {})


def read_state_vector(data: bytes) -> dict[int, int]:
    """A state vector v1: a count, then client and clock for each, all as varints."""
    numbers, value, shift = [], 0, 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(value)
            value, shift = 0, 0
    assert numbers[0] * 2 == len(numbers) - 1
    return dict(zip(numbers[1::2], numbers[2::2], strict=True))


linux = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


def isolated(source: str, *, memory: int = 1024 * MiB) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own with capped memory (bytes) and 10 s of processor time."""
    pytest.importorskip("resource", reason="memory is capped with setrlimit")
    caps = f"""
        import resource
        resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        def peak():  # bytes; getrusage's is no use, a child starts with its parent's
            with open("/proc/self/status") as file:
                return next(int(line.split()[1]) for line in file if "VmHWM" in line) * 1024
        from pycrdt import Array, Doc, Map, Text
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(caps) + textwrap.dedent(source)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Panic:
    """A Rust panic: an exception that ``except Exception`` does not catch."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: object, _: object) -> bool:
        assert kind is not None, "did not panic"
        assert kind.__name__ == "PanicException"
        assert not issubclass(kind, Exception)
        return True


# Values: why `values` encodes everything before a transaction opens.


@pytest.mark.parametrize(
    ("given", "back"),
    [
        (1, 1.0),
        (-7, -7.0),
        (2**53 - 1, float(2**53 - 1)),
        ((1, 2), [1.0, 2.0]),
        ([1, (2,)], [1.0, [2.0]]),
        (b"x", bytearray(b"x")),
        ({"a": (1,)}, {"a": [1.0]}),
    ],
)
def test_values_come_back_as_other_types(given: Any, back: Any) -> None:
    """Integers come back as floats, tuples as lists, bytes as bytearray, here and at a peer."""
    doc, cells, _ = document(1)
    cells["k"] = given
    for found in (cells["k"], at_a_peer(doc)["k"]):
        assert found == back
        assert type(found) is type(back)


@pytest.mark.parametrize("value", [None, True, False, 1.5, -0.0, "", "é😀", [], {}])
def test_these_values_come_back_as_they_are(value: Any) -> None:
    """None, booleans, floats, text and empty containers keep type and value."""
    doc, cells, _ = document(1)
    cells["k"] = value
    for found in (cells["k"], at_a_peer(doc)["k"]):
        assert repr(found) == repr(value)


def test_big_integers_differ_between_replicas() -> None:
    """From 2**53 on, an integer is one value where it was written and another one at a peer."""
    doc, cells, _ = document(1)
    cells["type"] = 2**53
    cells["value"] = 2**63 - 1
    peer = at_a_peer(doc)
    assert type(cells["type"]) is int
    assert type(peer["type"]) is float
    assert cells["value"] == 2**63 - 1
    assert peer["value"] != 2**63 - 1


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63) - 1, [2**63], {1: 2}, {"a": {None: 1}}, "\ud800", {"\ud800": 1}],
    ids=ascii,
)
def test_some_values_panic(value: Any) -> None:
    """Integers beyond 64 bits, keys that are no text, and lone surrogates raise a BaseException."""
    _, cells, _ = document(1)
    with Panic():
        cells["k"] = value


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, bytearray(b"x"), datetime.date.min])
def test_an_unknown_value_is_refused_only_at_the_top(value: Any) -> None:
    """An unsupported value is a TypeError, but inside a container it silently becomes None."""
    _, cells, _ = document(1)
    with pytest.raises(TypeError):
        cells["k"] = value
    cells["k"] = [value, {"a": value}]
    assert cells["k"] == [None, {"a": None}]


def test_nan_is_accepted() -> None:
    """NaN, which equals nothing, itself included, is not refused by pycrdt."""
    _, cells, _ = document(1)
    cells["k"] = float("nan")
    assert cells["k"] != cells["k"]


# Transactions: why a reducer never touches a live document.


def test_a_transaction_that_raises_is_committed() -> None:
    """An exception does not roll back, and the update is emitted all the same."""
    doc, cells, updates = document(1)

    def half_way() -> None:
        with doc.transaction():
            cells["a"] = "written"
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        half_way()
    assert cells.to_py() == {"a": "written"}
    assert len(updates) == 1


def test_one_transaction_is_one_update() -> None:
    """Any number of writes to any number of roots leave as one update; nothing leaves none."""
    doc, cells, updates = document(1)
    with doc.transaction():
        cells["a"] = 1
        cells["b"] = 2
        doc.get("text/t", type=Text).insert(0, "x")
    assert len(updates) == 1
    with doc.transaction():
        pass
    assert len(updates) == 1


def test_another_thread_joins_the_open_transaction() -> None:
    """Two threads' writes become one update, so the store needs a lock of its own."""
    doc, cells, updates = document(1)
    errors: list[BaseException] = []

    def other() -> None:
        try:
            with doc.transaction():
                cells["b"] = 2
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=other)
    with doc.transaction():
        cells["a"] = 1
        thread.start()
        thread.join()
        assert updates == []
    assert errors == []
    assert len(updates) == 1


def test_the_raw_transaction_is_enough() -> None:
    """The document module's own calls: insert, remove, commit (which emits), drop."""
    doc, cells, updates = document(1)
    items = doc.get("list/l", type=Array)
    text = doc.get("text/t", type=Text)
    raw = doc._doc
    transaction = raw.create_transaction()
    cells.integrated.insert(transaction, "a", [5, "x"])
    cells.integrated.insert(transaction, "b", b"y")
    cells.integrated.remove(transaction, "b")
    cells.integrated.remove(transaction, "was never there")
    items.integrated.insert(transaction, 0, ["id", "inc", 5, "w"])
    items.integrated.insert(transaction, 1, "second")
    items.integrated.remove_range(transaction, 1, 1)
    text.integrated.insert(transaction, 0, "héllo")
    text.integrated.remove_range(transaction, 1, 2)
    assert text.integrated.get_string(transaction) == "hllo"
    assert cells.integrated.get(transaction, "a") == [5.0, "x"]
    assert updates == []
    transaction.commit()
    assert len(updates) == 1
    transaction.drop()
    assert len(updates) == 1
    assert cells.to_py() == {"a": [5.0, "x"]}
    assert items.to_py() == [["id", "inc", 5.0, "w"]]
    peer, peers_cells, _ = document(2)
    peer.apply_update(updates[0])
    assert peers_cells.to_py() == cells.to_py()


def test_a_dropped_raw_transaction_is_committed() -> None:
    """Dropping without a commit does not discard anything either."""
    doc, cells, updates = document(1)
    transaction = doc._doc.create_transaction()
    cells.integrated.insert(transaction, "a", 1)
    transaction.drop()
    assert cells.to_py() == {"a": 1.0}
    assert len(updates) == 1


def test_only_one_raw_transaction_at_a_time() -> None:
    """A second one while the first is open is refused, not deadlocked."""
    doc, _, _ = document(1)
    transaction = doc._doc.create_transaction()
    with pytest.raises(RuntimeError, match="Already in a transaction"):
        doc._doc.create_transaction()
    transaction.drop()


def test_positions_out_of_range_panic() -> None:
    """A position beyond the end is a panic, except that inserting text there appends it."""
    doc, _, _ = document(1)
    items = doc.get("list/l", type=Array)
    text = doc.get("text/t", type=Text)
    transaction = doc._doc.create_transaction()
    with Panic():
        items.integrated.insert(transaction, 1, "x")
    with Panic():
        items.integrated.remove_range(transaction, 0, 1)
    with Panic():
        text.integrated.remove_range(transaction, 0, 1)
    text.integrated.insert(transaction, 100, "end")
    assert text.integrated.get_string(transaction) == "end"
    transaction.drop()


# Events: what `document` learns of what changed.


def test_the_map_event_names_each_changed_key_once() -> None:
    """Keys come with an action, and old and new values, for local and remote changes alike."""
    doc, cells, updates = document(1)
    peer, peers_cells, _ = document(2)
    seen: list[dict[str, Any]] = []
    subscriptions = [
        cells.integrated.observe(lambda event: seen.append(event.keys)),
        peers_cells.integrated.observe(lambda event: seen.append(event.keys)),
    ]
    with doc.transaction():
        cells["a"] = 1
        cells["a"] = [2, "x"]
        cells["b"] = b"y"
    with doc.transaction():
        cells["a"] = "new"
        del cells["b"]
    for update in updates:
        peer.apply_update(update)
    first = {
        "a": {"action": "add", "newValue": [2.0, "x"]},
        "b": {"action": "add", "newValue": bytearray(b"y")},
    }
    second = {
        "a": {"action": "update", "oldValue": [2.0, "x"], "newValue": "new"},
        "b": {"action": "delete", "oldValue": bytearray(b"y")},
    }
    assert seen == [first, second, first, second]
    assert len(subscriptions) == 2


def test_the_array_and_text_events_are_deltas() -> None:
    """Insertions carry their values; retained and deleted lengths of a text are UTF-8 bytes."""
    doc, _, _ = document(1)
    items = doc.get("list/l", type=Array)
    text = doc.get("text/t", type=Text)
    seen: list[Any] = []
    subscriptions = [
        items.integrated.observe(lambda event: seen.append(event.delta)),
        text.integrated.observe(lambda event: seen.append(event.delta)),
    ]
    items.extend([["a", 1], ["b", 2]])
    del items[0]
    text.insert(0, "é😀z")
    del text[2:6]
    assert seen == [
        [{"insert": [["a", 1.0], ["b", 2.0]]}],
        [{"delete": 1}],
        [{"insert": "é😀z"}],
        [{"retain": 2}, {"delete": 4}],
    ]
    assert len(subscriptions) == 2


def test_a_raw_subscription_ends_with_its_object() -> None:
    """Whoever lets go of the subscription hears nothing more, so the document keeps it."""
    _, cells, _ = document(1)
    seen: list[Any] = []
    subscription = cells.integrated.observe(lambda event: seen.append(event.keys))
    cells["a"] = 1
    assert len(seen) == 1
    del subscription
    cells["a"] = 2
    assert len(seen) == 1


def test_a_subscription_on_a_temporary_handle_never_fires() -> None:
    """The handle owns the subscription: without the handle there is none."""
    doc: Doc[Any] = Doc()
    seen: list[object] = []
    doc.get("cells", type=Map).observe(seen.append)
    gc.collect()
    doc.get("cells", type=Map)["a"] = 1
    assert seen == []


def test_nothing_can_be_read_inside_a_document_observer() -> None:
    """Even a read fails there: collect first, act after the commit."""
    doc, cells, _ = document(1)

    def read(event: object) -> None:
        cells.to_py()

    doc.observe(read)
    with pytest.raises(ExceptionGroup) as caught:
        cells["a"] = 1
    assert isinstance(caught.value.exceptions[0], RuntimeError)
    assert "borrowed" in str(caught.value.exceptions[0])


def test_an_observer_that_fails_undoes_nothing() -> None:
    """The write stays although the writer sees an exception, raised after the commit."""
    doc, cells, _ = document(1)

    def fail(event: object) -> None:
        raise KeyError("observer")

    doc.observe(fail)
    with pytest.raises(ExceptionGroup):
        cells["a"] = 1
    assert cells.to_py() == {"a": 1.0}


def test_the_document_observer_fires_for_remote_updates_too() -> None:
    """A merge emits like a local commit does, so the code tells the two apart itself."""
    doc, cells, _ = document(1)
    peer, _, emitted = document(2)
    cells["a"] = 1
    peer.apply_update(doc.get_update())
    assert len(emitted) == 1


def test_an_update_that_was_seen_before_emits_nothing() -> None:
    """Applying twice is applying once."""
    doc, cells, updates = document(1)
    cells["a"] = 1
    doc.apply_update(updates[0])
    assert len(updates) == 1


@pytest.mark.parametrize("holds_document", [True, False])
def test_an_observed_document_is_never_collected(holds_document: bool) -> None:
    """A document leaks with its observers until it is unobserved, whatever they hold."""
    doc: Doc[Any] = Doc()
    alive = weakref.ref(doc)
    held = doc if holds_document else None
    subscription = doc.observe(lambda event, held=held: None)
    keep = [doc]
    del doc, held
    keep.clear()
    gc.collect()
    found = alive()
    assert found is not None
    found.unobserve(subscription)
    del found, subscription
    gc.collect()
    assert alive() is None


# Texts.


def test_text_positions_are_utf8_bytes() -> None:
    """Lengths and positions count the bytes of UTF-8, not characters."""
    doc, _, _ = document(1)
    text = doc.get("text/t", type=Text)
    text.insert(0, "aé😀z")
    assert len(text) == 8
    text.insert(7, "!")
    assert str(text) == "aé😀!z"
    del text[1:3]
    assert str(text) == "a😀!z"


def test_a_text_cut_inside_a_character_panics() -> None:
    """A position inside a character is a bug that must not reach pycrdt."""
    doc, _, _ = document(1)
    text = doc.get("text/t", type=Text)
    text.insert(0, "é")
    with Panic():
        del text[0:1]


@pytest.mark.parametrize(("text", "length"), [("a", 1), ("é", 1), ("😀", 2), ("a😀é", 4)])
def test_a_text_advances_the_clock_by_utf16_units(text: str, length: int) -> None:
    """Clocks count UTF-16 code units of text: `updates` counts the same way."""
    doc, _, _ = document(7)
    doc.get("text/t", type=Text).insert(0, text)
    assert read_state_vector(doc.get_state()) == {7: length}


def test_a_map_value_advances_the_clock_by_one() -> None:
    """A map entry is one unit whatever its size, an array item one unit each."""
    doc, cells, _ = document(7)
    cells["k"] = ["long", "value", b"x" * 100]
    assert read_state_vector(doc.get_state()) == {7: 1}
    doc.get("list/l", type=Array).extend(["a", "b", "c"])
    assert read_state_vector(doc.get_state()) == {7: 4}


def test_a_vector_inside_a_surrogate_pair_corrupts_the_answer() -> None:
    """Asked for what follows half an emoji, pycrdt ships a block that is one unit too short.

    So state vectors from outside are checked against the blocks, not only for their format.
    """
    doc, _, _ = document(21)
    doc.get("text/t", type=Text).insert(0, "x😀y")
    whole = read_state_vector(doc.get_state())
    assert whole == {21: 4}
    peer, _, _ = document(2)
    peer.apply_update(get_update(doc.get_update(), bytes([1, 21, 0])))
    assert str(peer.get("text/t", type=Text)) == "x😀y"
    inside_the_pair = doc.get_update(bytes([1, 21, 2]))
    assert b"y" in inside_the_pair
    assert "😀".encode() not in inside_the_pair


# Client ids and state vectors.


@pytest.mark.parametrize("client", [0, 1, 2**32, 2**53 - 1])
def test_client_ids_have_53_bits(client: int) -> None:
    """A chosen client id is kept as it is."""
    doc, cells, _ = document(client)
    cells["a"] = 1
    assert doc.client_id == client
    assert read_state_vector(doc.get_state()) == {client: 1}


@pytest.mark.parametrize("client", [2**53, 2**63])
def test_larger_client_ids_are_refused(client: int) -> None:
    """Beyond 53 bits a client id is a ValueError."""
    with pytest.raises(ValueError, match="53 bits"):
        Doc(client_id=client)


def test_one_client_id_in_two_documents_diverges_for_ever() -> None:
    """Equal state vectors and different contents: why ids are random, new and never reused."""
    a, a_cells, a_updates = document(5)
    b, b_cells, b_updates = document(5)
    a_cells["x"] = "A"
    b_cells["x"] = "B"
    a.apply_update(b_updates[0])
    b.apply_update(a_updates[0])
    assert a.get_state() == b.get_state()
    assert a_cells.to_py() == {"x": "A"}
    assert b_cells.to_py() == {"x": "B"}


def test_deletions_do_not_advance_the_state_vector() -> None:
    """A lost delete-only delta is invisible in vectors: why every delta also writes something."""
    doc, cells, updates = document(1)
    cells["a"] = 1
    before = doc.get_state()
    del cells["a"]
    assert doc.get_state() == before
    peer, peers_cells, _ = document(2)
    peer.apply_update(updates[0])
    assert peer.get_state() == doc.get_state()
    assert peers_cells.to_py() != cells.to_py()


def test_the_difference_to_an_equal_vector_ships_all_deletions() -> None:
    """Deletions are sent whole every time: deltas come from the event and not from a difference."""
    doc, cells, _ = document(1)
    for number in range(0, 200, 2):
        cells[f"k{number}"] = 1
        cells[f"k{number + 1}"] = 1
        del cells[f"k{number}"]
    assert len(doc.get_update(doc.get_state())) > 100


def test_a_state_vector_does_not_depend_on_the_order_of_arrival() -> None:
    """Its entries are the same; the order of its bytes is nobody's promise."""
    updates = []
    for client in (3, 2**40 + 1, 77, 2**52 - 9):
        _, cells, emitted = document(client)
        cells[f"k{client}"] = 1
        updates.append(emitted[0])
    one, _, _ = document(1)
    other, _, _ = document(2)
    for update in updates:
        one.apply_update(update)
    for update in reversed(updates):
        other.apply_update(update)
    expected = {3: 1, 2**40 + 1: 1, 77: 1, 2**52 - 9: 1}
    assert read_state_vector(one.get_state()) == expected
    assert read_state_vector(other.get_state()) == expected


# Dependencies: why the causal gate exists.


def test_a_pending_update_is_silent() -> None:
    """What waits for its dependencies is in no event, no state vector, no update: store it."""
    _, cells, updates = document(1)
    cells["a"] = 1
    cells["a"] = 2
    peer, peers_cells, emitted = document(2)
    seen: list[Any] = []
    subscription = peers_cells.integrated.observe(lambda event: seen.append(event.keys))
    peer.apply_update(updates[1])
    assert (emitted, seen, peers_cells.to_py()) == ([], [], {})
    assert peer.get_state() == b"\x00"
    assert peer.get_update() == b"\x00\x00"
    peer.apply_update(updates[0])
    assert peers_cells.to_py() == {"a": 2.0}
    assert subscription is not None


def wrong_orders(keys: str) -> list[list[int]]:
    """The orders of delivery, of one client's map writes, that end in another state than his."""
    done = isolated(
        f"""
        import itertools, json
        keys = {keys!r}
        doc = Doc(client_id=1)
        cells = doc.get("cells", type=Map)
        updates = []
        doc.observe(lambda event: updates.append(event.update))
        for number, key in enumerate(keys):
            cells[key] = number
        wrong = []
        for order in itertools.permutations(range(len(keys))):
            peer = Doc(client_id=2)
            peers_cells = peer.get("cells", type=Map)
            for index in order:
                peer.apply_update(updates[index])
            if peers_cells.to_py() != cells.to_py():
                wrong.append(order)
        print(json.dumps(wrong))
        """
    )
    assert done.returncode == 0, done.stderr
    return [list(order) for order in json.loads(done.stdout)]


@pytest.mark.parametrize(("keys", "count"), [("abca", 8), ("abab", 12), ("aabb", 6)])
def test_out_of_order_delivery_loses_writes(keys: str, count: int) -> None:
    """One honest client's writes, delivered out of order, end wrong: why there is a causal gate."""
    wrong = wrong_orders(keys)
    assert len(wrong) == count
    assert [0, 1, 2, 3] not in wrong


@pytest.mark.parametrize("keys", ["abcd", "aaaa"])
def test_out_of_order_delivery_is_sometimes_right(keys: str) -> None:
    """Four keys, or one key four times, survive every order, so a shallow test proves nothing."""
    assert wrong_orders(keys) == []


# Bytes from outside: why `updates` reads every byte before pycrdt does.

FULL_DOCUMENT = """
doc = Doc(client_id=999)
for client in range(1, 51):
    other = Doc(client_id=client)
    other.get("cells", type=Map)[f"k{client}"] = [1, "v"]
    other.get("text/t", type=Text).insert(0, "hello")
    other.get("list/l", type=Array).append(["i", "n", 1, "w"])
    doc.apply_update(other.get_update())
"""


def apply(update: str, document: str) -> subprocess.CompletedProcess[str]:
    """Apply an update (hex) to a document, read all of it, and print what came of it."""
    attempt = f"""
        before = doc.get_state()
        try:
            doc.apply_update(bytes.fromhex({update!r}))
            print("accepted", end=" ")
        except BaseException as error:
            print(type(error).__name__, end=" ")
        doc.get("cells", type=Map).to_py()
        print("changed" if doc.get_state() != before else "unchanged")
    """
    return isolated(document + textwrap.dedent(attempt))


@pytest.mark.parametrize(
    ("update", "document"),
    [
        ("0100150500", FULL_DOCUMENT),
        ("01001501010200", FULL_DOCUMENT),
        ("01001500010b00", FULL_DOCUMENT),
    ],
)
def test_a_few_bytes_panic(update: str, document: str) -> None:
    """Five to seven bytes raise a BaseException out of `apply_update`."""
    done = apply(update, document)
    assert (done.returncode, done.stdout) == (0, "PanicException unchanged\n")


def test_a_few_bytes_kill_the_process() -> None:
    """At least one of three updates of 12 or 13 bytes reads freed memory and dies of it."""
    hostile = [
        "020115000000010b00000100",
        "0101150000000103026401010a",
        "010115000000020b0000010000",
    ]
    assert any(apply(update, FULL_DOCUMENT).returncode < 0 for update in hostile)


def test_deep_nesting_overflows_the_stack() -> None:
    """A value nested 200 000 deep kills the process: why depth is bounded before."""
    done = isolated("""
        value = bytes([117, 1]) * 200_000 + bytes([126])
        update = bytes([1, 1, 5, 0, 40, 1, 1]) + b"c" + bytes([1]) + b"k" + bytes([1]) + value
        Doc().apply_update(update + bytes([0]))
    """)
    assert done.returncode < 0


@linux
def test_a_state_vector_allocates_what_it_announces() -> None:
    """Four bytes take more than 100 MiB: why counts are bounded by the bytes that are left."""
    done = isolated(
        """
        doc = Doc()
        before = peak()
        try:
            doc.get_update(bytes.fromhex("ffffff1f"))
        except ValueError:
            print(peak() - before)
        """,
        memory=4096 * MiB,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100 * MiB


def test_a_refused_update_can_be_half_applied() -> None:
    """A failed `apply_update` may leave changes behind: why the document is then rebuilt."""
    fuzzed = (
        "010829002101016d0164ffffffffffffffffff01000501010161012101016d0162010401"
        "01740568656c6c6fa82907017c5a000000a72900000800290e017b4120705618caeb1101"
        "29010008"
    )
    done = apply(fuzzed, FULL_DOCUMENT)
    assert (done.returncode, done.stdout) == (0, "PanicException changed\n")


def test_a_damaged_update_may_be_accepted() -> None:
    """A flipped bit is often taken for good: why records and frames carry a checksum."""
    done = isolated("""
        source = Doc(client_id=1)
        source.get("cells", type=Map)["key"] = ["a long enough text", 1, 2, 3]
        update = source.get_update()
        accepted = 0
        for byte in range(16, 30):
            damaged = bytearray(update)
            damaged[byte] ^= 1
            doc = Doc(client_id=2)
            cells = doc.get("cells", type=Map)
            try:
                doc.apply_update(bytes(damaged))
                accepted += cells.to_py() not in ({}, source.get("cells", type=Map).to_py())
            except BaseException:
                pass
        print(accepted)
    """)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


# Growth.


def peak_of_inserts(total: int, each: int) -> int:
    done = isolated(
        f"""
        doc = Doc()
        items = doc.get("list/l", type=Array)
        before = peak()
        for start in range(0, {total}, {each}):
            with doc.transaction():
                for index in range(start, start + {each}):
                    items.insert(index, "x")
        print(peak() - before)
        """,
        memory=2048 * MiB,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@linux
def test_array_inserts_in_one_transaction_take_quadratic_memory() -> None:
    """Twice the inserts take four times the memory: why bulk work is cut into transactions."""
    assert peak_of_inserts(4000, 4000) > 3 * peak_of_inserts(2000, 2000)
    assert peak_of_inserts(4000, 200) < peak_of_inserts(4000, 4000) / 5


def test_alternating_writes_grow_the_document_for_ever() -> None:
    """Overwriting two keys in turn keeps a trace of each write; overwriting one key does not."""

    def size(key: Callable[[int], str], writes: int) -> int:
        doc, cells, _ = document(1)
        for number in range(writes):
            cells[key(number)] = 1
        return len(doc.get_update())

    assert size(lambda number: "a", 2000) < size(lambda number: "a", 1000) + 10
    assert size(lambda number: "ab"[number % 2], 2000) > 5000


def test_converged_documents_differ_in_their_bytes() -> None:
    """Equal documents encode differently: why digests are taken of live content."""
    one, ones_cells, _ = document(1)
    two, twos_cells, _ = document(2)
    ones_cells["b"] = 1
    two.apply_update(one.get_update())
    del ones_cells["b"]
    twos_cells["a"] = 1
    ones_cells["b"] = 1
    ones_cells["b"] = 1
    del twos_cells["b"]
    twos_cells["b"] = 1
    two.apply_update(one.get_update(two.get_state()))
    one.apply_update(two.get_update(one.get_state()))
    assert ones_cells.to_py() == twos_cells.to_py()
    assert read_state_vector(one.get_state()) == read_state_vector(two.get_state())
    assert one.get_update() != two.get_update()


def test_merged_updates_are_worth_their_parts() -> None:
    """`merge_updates` of updates in causal order says what they say one by one."""
    doc, cells, updates = document(1)
    for number in range(20):
        cells[f"k{number % 3}"] = number
    peer, peers_cells, _ = document(2)
    peer.apply_update(merge_updates(*updates))
    assert peers_cells.to_py() == cells.to_py()
    assert peer.get_state() == doc.get_state()
