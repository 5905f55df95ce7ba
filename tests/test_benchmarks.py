"""The benchmarks keep working: each one runs, at a size that says nothing about speed."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.redux_peer import redux_counter
from benchmarks.rows import Row, as_json, render, skipped, spaced
from benchmarks.scale import TINY
from benchmarks.suite import BENCHMARKS, measure
from benchmarks.texts import TRACES, read_trace
from benchmarks.timing import Contestant, Figure, Timing, interleave, summary


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """A folder with one trace of non-ASCII text, as in github.com/josephg/editing-traces."""
    text = "dé漢🎈t"
    patches = [[at % 5, 0, text[at % 5]] for at in range(30)] + [[2, 3, ""], [0, 1, "ß"]]
    trace = {"startContent": text, "txns": [{"patches": patches[:3]}, {"patches": patches[3:]}]}
    with gzip.open(tmp_path / f"{TRACES[0]}.json.gz", "wt", encoding="utf-8") as file:
        json.dump(trace, file)
    return tmp_path


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs(name: str, traces: Path) -> None:
    """Whatever is measured is a positive number, and whatever is not has a reason."""
    rows = BENCHMARKS[name](replace(TINY, traces=traces))
    assert rows
    for row in rows:
        if row.measured is None:
            assert row.note
            continue
        for figure in filter(None, (row.measured, row.floor, row.ratio)):
            assert 0 < figure.low <= figure.high
            assert figure.value > 0
        assert (row.met is not None) == bool(row.target)
    assert all(row.what in render(rows) for row in rows)


def test_what_cannot_be_measured_says_why(traces: Path) -> None:
    """No folder of traces, or not this trace in it."""
    assert all("--traces" in row.note for row in BENCHMARKS["text"](TINY))
    present, absent = BENCHMARKS["text"](replace(TINY, traces=traces))
    assert present.measured is not None
    assert (absent.measured, absent.met) == (None, None)
    assert TRACES[1] in absent.note


def test_a_trace_is_read_as_far_as_asked(traces: Path) -> None:
    """Patches of all transactions, one after the other."""
    whole = read_trace(traces / f"{TRACES[0]}.json.gz", 1000)
    assert (whole.start, len(whole.patches)) == ("dé漢🎈t", 32)
    assert whole.patches[-1] == (0, 1, "ß")
    part = read_trace(traces / f"{TRACES[0]}.json.gz", 5)
    assert part.patches == whole.patches[:5]


def test_python_redux_is_measured_where_it_is_installed() -> None:
    """Else the row says how to install it."""
    counter = redux_counter()
    if isinstance(counter, str):
        assert "crdtstore[bench]" in counter
    else:
        counter(range(3))


def test_contestants_take_turns() -> None:
    """Each prepares and runs the same numbers, in their order; the first rounds do not count."""
    seen: list[tuple[str, range]] = []
    contestants = {
        "a": Contestant(lambda n: seen.append(("a", n)), lambda n: seen.append(("before a", n))),
        "b": Contestant(lambda n: 50),
    }
    taken = interleave(contestants, rounds=2, batch=5, warmup=1)
    assert seen == [
        (who, range(start, start + 5)) for start in (0, 5, 10) for who in ("before a", "a")
    ]
    assert len(taken["a"].rounds) == 2
    assert taken["b"].rounds == (10.0, 10.0)  # a batch that times itself


def test_a_ratio_is_the_median_of_neighbours() -> None:
    """A machine that slows down half way slows both."""
    fast, slow = Timing((10.0, 100.0, 10.0)), Timing((20.0, 200.0, 50.0))
    assert slow.ratio(fast).value == 2
    assert fast.per_second == Figure(25e6, 55e6, 100e6, "/s")
    assert summary([3.0], "x") == Figure(3.0, 3.0, 3.0, "x")


def test_the_table_shows_what_was_measured() -> None:
    """Units fit the numbers, and floors and notes stand below."""
    rows = [
        Row("time", Figure(24_140, 23_000, 26_400, "ns"), summary([812.0], "ns"), "bare", None),
        Row("rate", summary([1_234_567.0], "/s"), None, "", None, "≥ 1", True, "a note"),
        Row("size", summary([2_300.0], "B"), None, "", summary([2.5], "x"), "≤ 1×", False),
        skipped("nothing", "no reason"),
    ]
    head, line, *shown = render(rows).splitlines()
    assert " ".join(head.split()) == "measured [quartiles] floor [quartiles] ratio target met noise"
    assert set(line) == {"-", " "}
    assert [" ".join(part.split()) for part in shown[:4]] == [
        "time 24.1 µs [23.0 26.4] 812 ns 1.15",
        "rate 1 234 567 /s ≥ 1 yes",
        "size 2.30 kB 2.50× ≤ 1× no",
        "nothing skipped: no reason",
    ]
    assert shown[4:] == ["", "time: floor: bare", "rate: a note"]
    assert spaced(999) == "999"
    assert json.loads(json.dumps(as_json(rows)))[0]["measured"]["value"] == 24_140


def test_the_command_prints_one_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the machine above it, for the benchmarks asked for; the same figures go into a file."""
    monkeypatch.delenv("CRDTSTORE_TRACES", raising=False)
    file = tmp_path / "figures.json"
    assert main(["--only", "reading", "--only", "text", "--json", str(file)], TINY) == 0
    printed = capsys.readouterr()
    assert printed.err == "reading …\ntext …\n"
    assert printed.out.startswith("cpu: ")
    assert "python: " in printed.out
    content = json.loads(file.read_text("utf-8"))
    assert content["machine"]["garbage collector"].startswith("on")
    assert [row["what"] for row in content["rows"]] == [
        "reading store.state",
        *(f"text: one patch of {name}" for name in TRACES),
    ]
    assert all(row["what"] in printed.out for row in content["rows"])


def test_the_folder_of_traces_can_come_from_the_environment(
    traces: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CRDTSTORE_TRACES stands in for --traces."""
    monkeypatch.setenv("CRDTSTORE_TRACES", str(traces))
    assert main(["--only", "text"], TINY) == 0
    assert f"{TRACES[0]}: floor:" in capsys.readouterr().out


def test_only_what_exists_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Another name is refused with the list of those there are."""
    with pytest.raises(SystemExit):
        main(["--only", "everything"])
    assert "dispatch" in capsys.readouterr().err


def test_all_are_measured_in_order() -> None:
    """Each is announced before it runs."""
    said: list[str] = []
    rows = measure(["reading", "merge"], TINY, said.append)
    assert said == ["reading", "merge"]
    assert [row.what.split()[0].rstrip(":") for row in rows] == ["reading", "merge", "merge"]
