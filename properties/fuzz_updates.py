"""Fuzzing of the strict reader of updates: ``python -m properties.fuzz_updates``.

A round lets a few honest replicas work, then offers one document, the `Target`, their updates,
mutants of them, forged updates and noise, in any order. What the reader refuses is forgotten; what
it lets through is applied, and the document must come out of it unharmed: alive, with the clocks
that the reader says, changed only where the reader says, readable, editable, and writing nothing
that the reader would not accept itself.

A round follows from the seed and its number alone. Rounds run in a child process with capped
memory, which reports each; a silent or dead child is the finding, and ``--seed S --round R``
replays that round, naming each input before it is offered. ``--corpus FILE`` offers the updates of
a file like ``tests/data/hostile-updates.jsonl``, as they are and moved into the roots of slices.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import queue
import random
import secrets
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pycrdt import Array, Doc, Map, Text

from crdtstore.errors import UpdateError
from crdtstore.paths import base36
from crdtstore.updates import (
    Known,
    Update,
    _Reader,
    read_state_vector,
    read_update,
    write_state_vector,
)
from properties.update_plans import (
    ANY,
    DELETED,
    KEY,
    LEFT,
    RIGHT,
    STRING,
    Block,
    Id,
    Plan,
    number,
    root,
    sized,
    values,
)
from properties.update_writers import (
    LISTS,
    SEEDED,
    TEXTS,
    Writer,
    random_text,
    random_value,
    shown,
    utf16,
)

MEMORY = 1 << 30  # bytes of address space that a child may have
PATIENCE = 60.0  # seconds without a report after which a child counts as hanging
ROUND = 100  # inputs
NUMBERS = (
    *(0, 1, 2, 3, 63, 64, 127, 128, 255, 256, 16383, 16384, 2**21 - 1, 2**21, 2**28, 2**31 - 2),
    *(2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32, 2**53 - 2, 2**53 - 1, 2**53, 2**63, 2**64 - 1),
)
OCCURRENCE = ["id", "inc", 7, "w"]

Counts = collections.Counter[str]


class Damaged(AssertionError):
    """The reader let something through that a document did not survive unharmed."""


class Mutator:
    """Makes dishonest updates out of honest ones and of what the target knows."""

    def __init__(self, rng: random.Random, pool: list[bytes], known: Known) -> None:
        self.rng = rng
        self.pool = pool
        self.known = known

    def input(self) -> bytes:
        """Return the next thing to offer."""
        rng = self.rng
        chance = rng.random()
        data = rng.choice(self.pool)
        if chance < 0.05:
            return data
        if chance < 0.08:
            return rng.randbytes(rng.randint(0, 60))
        if chance < 0.3:
            for _ in range(rng.choice((1, 1, 2, 4))):
                data = self._change_bytes(data)
            return data
        if chance < 0.6:
            plan = self._forge()
        else:
            plan = Plan.of(data)
            for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
                self._change_plan(plan)
        if rng.random() < 0.85:
            plan.tidy()
        return bytes(plan)

    def _change_bytes(self, data: bytes) -> bytes:
        rng = self.rng
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if at < len(data):
                return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]
            case 1:
                return data[:at] + rng.randbytes(rng.choice((1, 1, 2, 5))) + data[at:]
            case 2:
                return data[:at] + data[at + rng.choice((1, 1, 2, 5)) :]
            case 3:
                return data[:at] + number(rng.choice(NUMBERS)) + data[at + 1 :]
            case 4:
                other = rng.choice(self.pool)
                return data[:at] + other[rng.randrange(len(other) + 1) :]
            case _:
                return data[:at]

    def _id(self) -> Id:
        """Return some clock, mostly a known one or the next."""
        rng, clocks = self.rng, self.known.clocks
        if not clocks or rng.random() < 0.1:
            return rng.choice(NUMBERS), rng.choice(NUMBERS)
        client = rng.choice(list(clocks))
        if rng.random() < 0.1:
            return client, clocks[client] + rng.randrange(3)
        return client, rng.randrange(clocks[client])

    def _content(self, kind: int, name: str = "") -> tuple[bytes, int]:
        rng = self.rng
        if kind == ANY:
            items = [random_value(rng) for _ in range(rng.choice((1, 1, 2)))]
            if name == "cells":
                items = [[rng.choice((0, 1, 2**40)), items[0]]]
            elif name in LISTS:
                items = [OCCURRENCE for _ in items]
            return values(*items), len(items)
        if kind == STRING:
            text = random_text(rng)
            return sized(text.encode()), utf16(text)
        length = rng.choice((1, 1, 1, 2, 3, 8, rng.choice(NUMBERS)))
        return number(length), length

    def _forge(self) -> Plan:
        """Write an update by the rules of the format, with origins almost anywhere."""
        rng, clocks = self.rng, self.known.clocks
        plan = Plan()
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            client = rng.choice(list(clocks)) if clocks and rng.random() < 0.6 else self._stranger()
            first = clock = max(0, clocks.get(client, 0) - rng.choice((0, 0, 0, 1, 2, 3, 5)))
            blocks: list[Block] = []
            for _ in range(rng.choice((1, 1, 2, 3, 5))):
                blocks.append(
                    self._forge_block(client, clock, [*plan.sections, (client, first, blocks)])
                )
                clock += blocks[-1].length
            plan.sections.append((client, first, blocks))
        if len(plan.sections) > 1 and rng.random() < 0.5:  # origins in sections that come later
            for _, _, blocks in plan.sections:
                block = rng.choice(blocks)
                block.left = self._clock_in(rng.choice(plan.sections))
                block.info |= LEFT
        for _ in range(rng.choice((0, 0, 1, 2))):
            client, clock = self._id()
            plan.deletions.append((client, [(clock, rng.choice((1, 1, 2, 3, 9)))]))
        return plan

    def _stranger(self) -> int:
        return self.rng.randint(1, 60)

    def _clock_in(self, section: tuple[int, int, list[Block]]) -> Id:
        client, first, blocks = section
        return client, first + self.rng.randint(0, sum(min(block.length, 9) for block in blocks))

    def _forge_block(
        self, client: int, clock: int, sections: list[tuple[int, int, list[Block]]]
    ) -> Block:
        rng = self.rng
        name = rng.choice((*TEXTS, *LISTS, "cells", "cells"))
        kind = rng.choice((DELETED, STRING, STRING) if name in TEXTS else (DELETED, ANY, ANY))
        if rng.random() < 0.05:
            kind = rng.choice((DELETED, STRING, ANY))
        content, length = self._content(kind, name)
        block = Block(kind, parent=root(name), content=content, length=length)
        if name == "cells":
            block.info |= KEY
            block.key = f"{rng.choice('abc')}@{base36(client)}".encode()
        if rng.random() < 0.5:
            block.left, block.info = self._origin(name, client, clock, sections), block.info | LEFT
        if rng.random() < (0.02 if name == "cells" else 0.4):
            block.right, block.info = (
                self._origin(name, client, clock, sections),
                block.info | RIGHT,
            )
        return block

    def _origin(
        self, name: str, client: int, clock: int, sections: list[tuple[int, int, list[Block]]]
    ) -> Id:
        """Return an origin that may well do for a block in the root ``name``."""
        rng = self.rng
        chance = rng.random()
        if chance < 0.05:
            return self._id()
        if chance < 0.3:
            return self._clock_in(rng.choice(sections))
        for _ in range(30):
            origin = self._id()
            if self.known.root_of(*origin) == name and (name != "cells" or origin[0] == client):
                return origin
        return client, max(0, clock - 1)

    def _change_plan(self, plan: Plan) -> None:
        rng = self.rng
        if not plan.sections or rng.random() < 0.15:
            client, clock = self._id()
            plan.deletions.append((client, [(clock, rng.choice((1, 2, 3, 9, 0)))]))
            if rng.random() < 0.3:
                plan.deletions.pop(rng.randrange(len(plan.deletions)))
            return
        at = rng.randrange(len(plan.sections))
        client, clock, blocks = plan.sections[at]
        block = rng.choice(blocks) if blocks else Block(DELETED, content=b"\1")
        match rng.randrange(14):
            case 0:
                plan.sections[at] = rng.choice((self._id()[0], rng.choice(NUMBERS))), clock, blocks
            case 1:
                step = rng.choice((-3, -2, -1, 1, 2, 3))
                plan.sections[at] = client, max(0, clock + step), blocks
            case 2:
                plan.sections[at] = client, rng.choice(NUMBERS), blocks
            case 3:
                block.left, block.info = self._id(), block.info | LEFT
            case 4:
                block.right, block.info = self._id(), block.info | RIGHT
            case 5:
                block.info &= ~rng.choice((LEFT, RIGHT, KEY, LEFT | RIGHT))
                block.parent = block.parent or root(rng.choice(TEXTS))
            case 6:
                block.parent = root(rng.choice((*TEXTS, *LISTS, "cells", "text/new", "cell", "")))
            case 7:
                key = f"{rng.choice('abc')}@{base36(rng.choice((client, self._id()[0])))}"
                block.key, block.info = key.encode(), block.info ^ rng.choice((0, KEY))
            case 8:
                kind = rng.choice((DELETED, STRING, ANY))
                block.info = block.info & 0xE0 | kind
                block.content, block.length = self._content(kind)
            case 9:
                block.info = block.info & 0xE0 | rng.randrange(32)
            case 10:
                blocks.insert(rng.randrange(len(blocks) + 1), block)
            case 11 if blocks:
                blocks.pop(rng.randrange(len(blocks)))
            case 12:
                if others := Plan.of(rng.choice(self.pool)).sections:
                    plan.sections.append(rng.choice(others))
            case _:
                block.content = self._change_bytes(block.content)


class Target:
    """A document behind the strict reader, with observers as a store has them."""

    def __init__(self, client: int = 2**53 - 1) -> None:
        self.client = client
        self.known = Known()
        self.counts: Counts = collections.Counter()
        self.held: list[bytes] = []
        self.doc: Doc[Any] = Doc(client_id=client)
        self.cells = self.doc.get("cells", type=Map)
        self.texts = {name: self.doc.get(name, type=Text) for name in TEXTS}
        self.lists = {name: self.doc.get(name, type=Array) for name in LISTS}
        self.subscriptions: list[tuple[Any, Any]] = [
            (self.doc, self.doc.observe(lambda event: event.update)),
            (self.cells, self.cells.observe(lambda event: event.keys)),
            *((text, text.observe(lambda event: event.delta)) for text in self.texts.values()),
            *((items, items.observe(lambda event: event.delta)) for items in self.lists.values()),
        ]

    def close(self) -> None:
        """Stop observing, so that the document is freed."""
        for observed, subscription in self.subscriptions:
            observed.unobserve(subscription)

    def offer(self, data: bytes) -> str:
        """Read, and apply if allowed; returns ``refused``, ``waiting`` or ``applied``."""
        try:
            update = read_both_ways(data, self.known)
        except UpdateError as error:
            self.counts["refused"] += 1
            self.counts[f"refused: {error.reason}"] += 1
            return "refused"
        clocks = self.known.clocks
        if any(c == self.client and end > clocks.get(c, 0) for c, _, end in update.ranges):
            self.counts["refused"] += 1  # as documents do: nobody else writes under their client
            return "refused"
        if update.missing:
            self.counts["waiting"] += 1
            self.held = [*self.held[-4:], data]
            return "waiting"
        self.counts["applied"] += 1
        if update.new:
            self.counts["applied, new"] += 1
        before = shown(self.doc)
        self.doc.apply_update(data)
        self.known.add(update)
        self._check_clocks("the update")
        self._check_changes(before, update)
        return "applied"

    def _check_clocks(self, cause: str) -> None:
        clocks = read_state_vector(self.doc.get_state())
        if clocks != self.known.clocks:
            raise Damaged(f"after {cause}: the document has {clocks}, not {self.known.clocks}")

    def _check_changes(self, before: dict[str, Any], update: Update) -> None:
        """Only what the reader names has changed, and cells by their writers or by deletions."""
        after = shown(self.doc)
        changed = {name for name in after if after[name] != before[name]}
        if not changed <= update.roots:
            raise Damaged(f"{changed} changed, the reader says {set(update.roots)}")
        concerned = {base36(client) for client, _, _ in (*update.ranges, *update.deletions)}
        cells, old = after["cells"], before["cells"]
        for key in cells.keys() | old.keys():
            if cells.get(key) != old.get(key) and key.partition("@")[2] not in concerned:
                raise Damaged(f"cell {key!r} changed from {old.get(key)} to {cells.get(key)}")

    def check(self, rng: random.Random) -> None:
        """Load what the document writes into another one, ask it for differences, edit it."""
        whole = self.doc.get_update()
        update = read_update(whole, Known())
        if update.missing or {c: end for c, _, end in update.ranges} != self.known.clocks:
            raise Damaged("the document writes something else than it holds")
        for client, start, end, name in update.runs:
            found = {
                self.known.root_of(client, clock) for clock in range(start, min(end, start + 99))
            }
            if found != {name}:
                raise Damaged(f"{client}:{start} is in {found}, the document says {name}")
        copy: Doc[Any] = Doc()
        copy.apply_update(whole)
        if read_state_vector(copy.get_state()) != self.known.clocks:
            raise Damaged("a copy of the document has other clocks")
        if shown(copy) != shown(self.doc):
            self.counts["copies that differ"] += 1  # as dishonest origins can make replicas do
        self._check_answer(rng, update)
        self._edit(rng)

    def _check_answer(self, rng: random.Random, whole: Update) -> None:
        clocks = self.known.clocks
        asked = {c: rng.randint(1, 2 * end) for c, end in clocks.items() if rng.random() < 0.5}
        asked[rng.randint(1, 99)] = 3
        self.doc.get_update(write_state_vector(asked))
        asked = self.known.within(asked)
        asker = Known()
        for client, start, end, name in whole.runs:
            if (length := min(end, asked.get(client, 0)) - start) > 0:
                asker.advance(client, name, length)
        answer = read_update(self.doc.get_update(write_state_vector(asked)), asker)
        if answer.missing:
            raise Damaged(f"asked with {asked}, the answer lacks {answer.missing}")

    def _edit(self, rng: random.Random) -> None:
        with self.doc.transaction():
            self.cells[f"a@{base36(self.client)}"] = [1, 1]
            self.known.advance(self.client, "cells", 1)
            for name, text in self.texts.items():
                characters = str(text)
                at = len(characters[: rng.randint(0, len(characters))].encode())
                text.insert(at, "x")
                self.known.advance(self.client, name, 1)
                del text[: len(str(text)[0].encode())]
            for name, items in self.lists.items():
                items.insert(rng.randint(0, len(items)), OCCURRENCE)
                self.known.advance(self.client, name, 1)
                if len(items) > 1:
                    del items[rng.randrange(len(items))]
        shown(self.doc)
        self._check_clocks("an edit")


# What a child does


def read_both_ways(data: bytes, known: Known) -> Update:
    """Read an update, the short way if there is one, which must be the same as the long way."""
    last = known.last
    found: Update | None
    try:
        found = _Reader(data, known).read()
    except (UpdateError, IndexError, UnicodeDecodeError, struct.error):
        found = None
    known.last = last
    try:
        update = read_update(data, known)
    except UpdateError:
        if found is not None:
            raise Damaged("read_update refuses what the long way reads") from None
        raise
    if update != found:
        raise Damaged(f"the short way reads {update}, the long way {found}")
    return update


def honest_pool(rng: random.Random) -> list[bytes]:
    """Let a few replicas work and exchange updates; sometimes two of them use one client."""
    clients = [*rng.sample(range(2, 60), 2), rng.randint(2**20, 2**53 - 2)]
    writers = [Writer(rng, client) for client in clients]
    if rng.random() < 0.4:
        writers.append(Writer(rng, clients[0]))
    pool: list[bytes] = []
    for _ in range(rng.randint(2, 14)):
        writer, other = rng.choice(writers), rng.choice(writers)
        if rng.random() < 0.15:
            writer.seed(rng.choice(SEEDED))
        writer.work(rng.choice((1, 1, 2, 4)))
        if rng.random() < 0.6 and other.client != writer.client:
            pool.append(writer.doc.get_update(other.doc.get_state()))
            with contextlib.suppress(UpdateError, AssertionError):  # of twins
                other.receive(pool[-1])
    for writer in writers:
        pool += [*writer.events, *writer.sent, writer.doc.get_update()]
    return pool


def play(seed: int, index: int, trace: bool) -> Counts:
    """Run one round; raises what the document under attack raises, or `Damaged`."""
    rng = random.Random(f"{seed}/{index}")
    pool = honest_pool(rng)
    target = Target()
    for data in pool[: rng.randrange(len(pool))]:
        target.offer(data)
    target.counts.clear()
    mutator = Mutator(rng, pool, target.known)
    for offered in range(ROUND):
        data = mutator.input()
        if trace:
            print(offered, data.hex(), flush=True)
        if target.offer(data) == "applied" and rng.random() < 0.5:
            target.check(rng)
        if target.held and rng.random() < 0.1:
            target.offer(target.held.pop())
    target.check(rng)
    target.close()
    target.counts["inputs"] = ROUND
    return target.counts


def moved(data: bytes) -> Iterator[bytes]:
    """Yield a foreign update as it is, moved into the roots of slices, and without small faults.

    What is malformed only on its surface is mended step by step, so that the attack itself comes
    to be read: roots and keys, then contents of foreign kinds, then what is empty or out of order.
    """
    yield data
    for old, new in ((b"m", b"cells"), (b"a", LISTS[0].encode()), (b"t", TEXTS[0].encode())):
        data = data.replace(b"\1" + sized(old), b"\1" + sized(new))
    yield data
    for name in ("cells", LISTS[0], TEXTS[0]):
        try:
            plan = Plan.of(data)
        except (ValueError, IndexError):
            return
        for client, _, blocks in plan.sections:
            for block in blocks:
                _move(block, client, name)
        yield bytes(plan)
        for _, _, blocks in plan.sections:
            blocks[:] = [block for block in blocks if block.length]
        plan.sections = [section for section in plan.sections if section[2] and section[0]]
        plan.deletions = [
            (client, [(start, length) for start, length in ranges if length])
            for client, ranges in plan.deletions
            if client and any(length for _, length in ranges)
        ]
        plan.tidy()
        yield bytes(plan)


def _move(block: Block, client: int, name: str) -> None:
    if block.parent:
        name = (
            "cells" if block.info & KEY else TEXTS[0] if block.info & 0x1F == STRING else LISTS[0]
        )
        block.parent = root(name)
        if block.key is not None:
            block.key += b"@" + base36(client % 2**53).encode()
    if block.info & 0x1F not in (STRING, DELETED):
        block.info = block.info & (LEFT | RIGHT | KEY) | (DELETED if name in TEXTS else ANY)
        if name in TEXTS:
            block.content = number(block.length)
        elif block.length:
            items = [[7, 1] if name == "cells" else OCCURRENCE] * min(block.length, 99)
            block.content = values(*items)


def offer_corpus(path: Path) -> Iterator[Counts]:
    """Offer each update of a file to the kind of document that it was made for."""
    full: Doc[Any] = Doc()
    for client in range(1, 51):
        writer = Writer(random.Random(client), client)
        writer.work(5)
        full.apply_update(writer.doc.get_update())
    targets: dict[str, Target] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        counts: Counts = collections.Counter(updates=1)
        for data in moved(bytes.fromhex(entry["update"])):
            target = targets.get(entry["document"])
            if target is None:
                target = targets[entry["document"]] = Target()
                if entry["document"] == "full":
                    target.offer(full.get_update())
            target.counts = collections.Counter(inputs=1)
            if target.offer(data) == "applied":
                target.check(random.Random(0))
                target.offer(data)
                targets.pop(entry["document"]).close()
            counts += target.counts
        yield counts


def cap_memory() -> None:
    """Cap the memory of this process, where the system can."""
    with contextlib.suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


# What its parent does


def reports(*arguments: str) -> Iterator[Counts]:
    """Run this module in a child and yield its reports; `Damaged` if it dies or falls silent."""
    child = subprocess.Popen(
        [sys.executable, "-m", "properties.fuzz_updates", "--child", *arguments],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    errors: collections.deque[str] = collections.deque(maxlen=40)

    def pump(stream: Any, take: Callable[[str], None]) -> None:
        for line in stream:
            take(line)
        take("")

    drain = threading.Thread(target=pump, args=(child.stderr, errors.append), daemon=True)
    drain.start()
    threading.Thread(target=pump, args=(child.stdout, lines.put), daemon=True).start()
    try:
        while line := lines.get(timeout=PATIENCE):
            yield collections.Counter(json.loads(line))
        if child.wait(PATIENCE):
            drain.join(PATIENCE)
            raise Damaged(f"the child ended with {child.returncode}\n{''.join(errors)}")
    except queue.Empty:
        raise Damaged(f"the child hangs: it was silent for {PATIENCE:.0f} seconds") from None
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdout, child.stderr):
            assert stream is not None
            stream.close()


def fuzz(seed: int, inputs: int) -> Counts:
    """Offer ``inputs`` inputs, rounded up to whole rounds, in a child; returns what happened."""
    counts: Counts = collections.Counter()
    done = 0
    try:
        for report in reports(f"--seed={seed}", f"--inputs={inputs}"):
            counts += report
            done += 1
    except Damaged as damage:
        replay = f"python -m properties.fuzz_updates --seed {seed} --round {done}"
        raise Damaged(f"round {done} of seed {seed}: {damage}\nreplay with: {replay}") from None
    if counts["inputs"] < inputs:
        raise Damaged(f"seed {seed}: only {counts['inputs']} of {inputs} inputs were reported")
    return counts


def main() -> None:
    """Read the command line; prints the seed first, and at the end how often what happened."""
    parser = argparse.ArgumentParser(prog="python -m properties.fuzz_updates")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--round", type=int, default=None, help="replay one round, with its inputs")
    parser.add_argument("--corpus", type=Path, default=None, help="a file of hostile updates")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    if options.child or options.round is not None:
        cap_memory()
        rounds = range(-(-options.inputs // ROUND)) if options.round is None else (options.round,)
        played = (play(seed, index, trace=not options.child) for index in rounds)
        for counts in offer_corpus(options.corpus) if options.corpus else played:
            print(json.dumps(counts), flush=True)
        return
    total: Counts = collections.Counter()
    try:
        if options.corpus:
            for counts in reports(f"--corpus={options.corpus.resolve()}"):
                total += counts
        else:
            print(f"seed {seed}", flush=True)
            total = fuzz(seed, options.inputs)
    except Damaged as damage:
        sys.exit(str(damage))
    for what, count in sorted(total.items()):
        print(f"{what}: {count}")
    print("deaths, hangs, panics, damage: 0")


if __name__ == "__main__":
    main()
