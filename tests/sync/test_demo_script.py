"""What everybody does in the demo is decided by the seed alone."""

from __future__ import annotations

from collections import Counter

import pytest

from sync.demo.script import FEWEST_EACH, MOST_PEERS, PHASES, write_script
from sync.demo.slices import board


def test_equal_seeds_make_equal_scripts() -> None:
    """And other seeds, other ones."""
    assert write_script(4, 200, 7) == write_script(4, 200, 7)
    assert len({str(write_script(4, 200, seed).everything) for seed in (-7, 7, 8)}) == 3


@pytest.mark.parametrize("peers", [2, 3, 5, MOST_PEERS])
@pytest.mark.parametrize("each", [FEWEST_EACH, 73])
def test_a_script_has_exactly_as_many_actions_as_asked_for(peers: int, each: int) -> None:
    """Numbered from 1 for each peer in the order of the phases, and all of known kinds."""
    script = write_script(peers, each * peers, seed=peers)
    steps = script.everything
    assert len(steps) == each * peers
    for peer in script.peers:
        numbers = [step.n for phase in PHASES for step in script.steps(phase, peer)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert {step.kind for step in steps} <= set(board.actions)


def test_the_victim_has_something_to_be_interrupted_in() -> None:
    """It is killed before its last step of that phase and after its first."""
    for seed in range(30):
        script = write_script(3, 300, seed)
        assert 0 < script.kill_after < len(script.steps("killed", script.victim))


def test_clocks_are_wrong_by_seconds_but_never_go_back() -> None:
    """Each peer's own clock only goes forward, and no two show the same time."""
    script = write_script(5, 1000, 1)
    for peer in script.peers:
        times = [step.at for step in script.everything if step.by == peer]
        assert times == sorted(set(times))
        assert times[0] > 0
    assert len(set(script.skew.values())) == len(script.peers)


def test_everybody_does_the_same_while_the_cables_are_cut() -> None:
    """Each peer adds the same person, sets the same meeting and assigns the same todo."""
    script = write_script(3, 300, 1)
    wanted = Counter(
        (step.kind, step.payload.get("name") or step.payload.get("day") or step.payload.get("id"))
        for step in script.phases["cut"][: 3 * 7]
        if step.kind in ("join", "meet", "assign")
    )
    assert list(wanted.values()) == [3, 3, 3]


def test_every_typed_word_is_typed_once() -> None:
    """So that each of them can be looked for at the end."""
    words = [
        word
        for step in write_script(4, 2000, 3).everything
        for word in step.payload.get("words", ())
    ]
    assert len(words) == len(set(words)) > 500
    assert not any(" " in word for word in words)


def test_a_long_script_has_every_kind_of_action() -> None:
    """Nothing that the board can do is left out of the demo."""
    kinds = {step.kind for step in write_script(5, 2000, 1).everything}
    assert kinds == set(board.actions)


@pytest.mark.parametrize(("peers", "actions"), [(1, 300), (MOST_PEERS + 1, 3000), (3, 29)])
def test_numbers_without_a_story_are_refused(peers: int, actions: int) -> None:
    """With the numbers that are possible in the message."""
    with pytest.raises(ValueError, match=r"2 to 20 peers|at least 30 actions"):
        write_script(peers, actions, 0)
