"""Tests of pages: markup that no label can break, and a history that can be taken out again."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from hypothesis import given

from crdtstore.testing.diagram import as_html
from crdtstore.testing.diagram.lettering import visible
from crdtstore.testing.history import History
from tests.testing_diagram.histories import (
    NASTY,
    Run,
    histories,
    plainly,
    two_sales,
    with_faults,
)

EMPTY = {"meta", "br", "img", "link", "input"}


class Page(HTMLParser):
    """The elements, attributes and texts of a page, which must be closed as they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in EMPTY:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.texts[tag][-1] += data


@given(histories())
def test_a_label_adds_no_element(history: History) -> None:
    """The page is closed as it was opened, with two scripts, no handler and no link outwards."""
    page, plain = Page(as_html(history)), Page(as_html(plainly(history)))
    folded = {"details", "summary", "bdi"}
    assert [tag for tag in page.elements if tag not in folded] == [
        tag for tag in plain.elements if tag not in folded
    ]
    assert page.elements.count("script") == 2
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "xlink:href"}
        assert name != "href" or re.fullmatch(r"#event-\d+", value)


@given(histories())
def test_the_history_can_be_taken_out_again(history: History) -> None:
    """The JSON in the page is the history, to the last character."""
    text = as_html(history)
    page = Page(text)
    embedded = page.texts["script"][0]
    assert History.from_json(embedded) == history
    found = re.search(r'<script type="application/json" id="history">(.*?)</script>', text, re.S)
    assert found is not None
    assert found[1] == embedded
    text.encode()


@given(histories())
def test_the_same_history_gives_the_same_page(history: History) -> None:
    """A page depends on its history alone."""
    assert as_html(History.from_json(history.to_json())) == as_html(history)


def test_only_its_own_script_may_run() -> None:
    """The policy names the script by its hash, and allows nothing from anywhere."""
    page = Page(as_html(two_sales()))
    digest = b64encode(sha256(page.texts["script"][1].encode()).digest()).decode()
    (policy,) = [v for _, name, v in page.attributes if name == "content" and "default-src" in v]
    assert policy.startswith("default-src 'none';")
    assert policy.endswith(f"script-src 'sha256-{digest}'")


def test_every_event_has_its_row() -> None:
    """With its label in full, its causes as links, and what it says on demand."""
    rows = Page(as_html(with_faults())).texts["tr"]
    assert len(rows) == 1 + 18
    assert rows[9] == "8Aactrenamed(key='k-7f', name='A very long name which goes on and on')4"
    assert rows[11] == "10Cactsold(pieces=9)9changed nothingValueError: not that many"
    assert rows[12] == "11Cdeliverfrom A: 1 delta4, 10"


def test_it_says_what_broke_and_who_knew_of_whom() -> None:
    """Every break with its message, the pairs, what is held, and the line that runs it again."""
    page = Page(as_html(with_faults()))
    assert page.texts["h1"] == ["stock_is_never_negative broke at A after event 15"]
    assert "stock_is_never_negative at B after event 16and again" in page.texts["li"]
    assert "4 at A: sold(pieces=3) ∥ 5 at B: sold(pieces=3)" in page.texts["li"]
    assert page.texts["figcaption"] == ["A", "B, C", "A, B, C"]
    assert page.texts["pre"][-1] == "{'stock': -1,\n 'names': []}"
    assert Page(as_html(two_sales())).texts["code"] == [two_sales().replay]


def test_nasty_labels_are_shown() -> None:
    """Made visible, in full: a long one behind its beginning."""
    run = Run("A")
    for label in NASTY:
        run.act("A", label)
    page = Page(as_html(run.history()))
    given = "\n".join(page.texts["bdi"])
    for label in NASTY:
        for line in label.split("\n"):
            assert visible(line) in given
    assert page.elements.count("details") == 1


def test_a_history_in_which_nothing_happened_has_its_page() -> None:
    """Without events, breaks or replicas there is still a page to read."""
    assert Page(as_html(Run().history())).texts["h1"] == ["nothing broke"]
