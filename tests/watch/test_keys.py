"""Keys as terminals send them."""

from __future__ import annotations

import pytest

from sync.watch.keys import Decoder, decode_console

EXPECTED = {
    b"q": ["q"],
    b"\r": ["enter"],
    b"\n": ["enter"],
    b"\t": ["tab"],
    b"\x1b[Z": ["backtab"],
    b"\x7f": ["backspace"],
    b" ": ["space"],
    b"\x1b[A\x1bOB": ["up", "down"],
    b"\x1b[5~\x1b[6~": ["pageup", "pagedown"],
    b"\x1b[H\x1b[4~\x1bOF": ["home", "end", "end"],
    b"\x1b[1;5C": ["right"],
    "é🍋".encode(): ["é", "🍋"],
    b"\x1b[20~x": ["x"],
    b"\x1bax": ["x"],
    b"\x00\x01": [],
    b"\x1b[" + b"9" * 30 + b"~q": ["9"] * 16 + ["~", "q"],
}


@pytest.mark.parametrize(("sent", "keys"), EXPECTED.items(), ids=repr)
def test_bytes_become_keys(sent: bytes, keys: list[str]) -> None:
    """Unknown sequences are dropped whole, as far as they can be told from text."""
    assert Decoder().feed(sent) == keys


@pytest.mark.parametrize(("sent", "keys"), EXPECTED.items(), ids=repr)
def test_it_does_not_matter_in_which_pieces_they_come(sent: bytes, keys: list[str]) -> None:
    """A slow line may split a sequence anywhere."""
    decoder = Decoder()
    found = []
    for at in range(len(sent)):
        found += decoder.feed(sent[at : at + 1])
    assert found == keys
    assert not decoder.pending


def test_an_escape_with_nothing_after_it_is_the_key() -> None:
    """It is held until that is clear."""
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.pending
    assert decoder.flush() == ["escape"]
    assert not decoder.pending
    assert decoder.feed(b"\x1b\x1b[A") == ["escape", "up"]


def test_a_console_of_windows_sends_other_codes() -> None:
    """Special keys are two characters there."""
    for codes, key in {"\xe0H": "up", "\x00Q": "pagedown", "\xe0?": "", "\r": "enter"}.items():
        rest = iter(codes[1:])
        assert decode_console(codes[0], lambda rest=rest: next(rest)) == key
    assert decode_console("\x1b", lambda: "") == "escape"
    assert decode_console("x", lambda: "") == "x"
