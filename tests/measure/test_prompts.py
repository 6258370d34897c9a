"""Pairs of prompts, from the synthetic world and from files."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.errors import MeasureError
from inkguard.measure.prompts import Pair, digest_pairs, read_pairs, world_pairs
from inkguard.measure.world.captions import held_out


def file(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_world_pairs_are_held_out_and_of_both_kinds() -> None:
    """Half have texts of equal length; prompts differ in the word alone; words were never trained."""
    pairs = world_pairs(10)
    assert [p.equal_length for p in pairs] == [True, False] * 5
    for pair in pairs:
        assert {pair.word, pair.donor} <= held_out()
        assert pair.scene is not None
        assert pair.prompt.replace(pair.word, pair.donor) == pair.donor_prompt != pair.prompt


def test_more_seeds_are_more_pictures_of_the_same_prompts() -> None:
    """Prompts come again with noise that no other pair has; the first ones stay as they were."""
    once, thrice = world_pairs(4, 1), world_pairs(4, 3)
    assert thrice[:4] == once
    assert [p.prompt for p in thrice] == [p.prompt for p in once] * 3
    assert len({p.seed for p in thrice}) == 12


def test_pairs_without_scenes_use_the_papers_template() -> None:
    """For models that know nothing of our world."""
    pair = world_pairs(1, scenes=False)[0]
    assert pair.scene is None
    assert pair.prompt == f'A sign that says "{pair.word}".'


def test_a_word_list_goes_into_the_template(tmp_path: Path) -> None:
    """The paper's format: one word a line; donors are other words of the list."""
    pairs = read_pairs(file(tmp_path, "Hello", "world", "", "  Tree  ", "Paint"))
    assert [p.word for p in pairs] == ["Hello", "world", "Tree", "Paint"]
    assert pairs[0].prompt == 'A sign that says "Hello".'
    for pair in pairs:
        assert pair.donor != pair.word
        assert pair.donor in {"Hello", "world", "Tree", "Paint"}
        assert pair.donor_prompt == f'A sign that says "{pair.donor}".'
    assert pairs[0].equal_length
    assert not pairs[1].equal_length


def test_all_kinds_of_lines_may_stand_in_one_file(tmp_path: Path) -> None:
    """Words, prompts with their own quotation marks, and JSON with or without a donor."""
    pairs = read_pairs(
        file(
            tmp_path,
            "apple",
            "a neon board reading “OPEN” at night",
            json.dumps({"prompt": 'a cup with "MILK" on it', "donor": "BREAD"}),
            json.dumps({"prompt": 'a cup with "TEA"'}),
        )
    )
    assert [p.word for p in pairs] == ["apple", "OPEN", "MILK", "TEA"]
    assert pairs[1].donor_prompt == f"a neon board reading “{pairs[1].donor}” at night"
    assert pairs[2].donor_prompt == 'a cup with "BREAD" on it'


def test_the_same_file_and_seed_give_the_same_pairs(tmp_path: Path) -> None:
    """Also by digest; another seed chooses other donors."""
    path = file(tmp_path, *(f"word{chr(97 + n)}" for n in range(20)))
    assert digest_pairs(read_pairs(path)) == digest_pairs(read_pairs(path))
    assert digest_pairs(read_pairs(path)) != digest_pairs(read_pairs(path, seed=1))
    assert read_pairs(path, 3) == read_pairs(path)[:3]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("two words", "several words without a quoted text"),
        ("!!!", "no letter"),
        ('a "sign', "without its partner"),
        ('a "" sign', "nothing between"),
        ('"A" and "B"', "2 quoted texts"),
        ('a sign that says "?!"', "no letter in the quoted text"),
        ("{", "not JSON"),
        ('{"text": 3}', '"prompt" must be a string'),
        ('{"prompt": "no quotes here"}', "0 quoted texts"),
        ('{"prompt": "a \\"B\\"", "donor": 3}', '"donor" must be a string'),
        ('{"prompt": "a \\"B\\"", "donor": "b"}', "the text of the prompt itself"),
        ('{"prompt": "a \\"B\\"", "donor": "x\\"y"}', "without quotation marks"),
        ('{"prompt": "a \\"B\\"", "seed": 3}', "unknown keys"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, wrong: str) -> None:
    """One error says file:line, what is wrong and what is expected, for every bad line."""
    path = file(tmp_path, "good", line, "fine", line)
    with pytest.raises(MeasureError) as caught:
        read_pairs(path)
    message = str(caught.value)
    assert f"{path}:2: " in message
    assert f"{path}:4: " in message
    assert wrong in message
    assert "expected one word" in message


def test_files_that_hold_no_pairs_are_refused(tmp_path: Path) -> None:
    """Absent, empty, not UTF-8, or with no second text for a donor."""
    with pytest.raises(MeasureError, match="No such file"):
        read_pairs(tmp_path / "absent.txt")
    with pytest.raises(MeasureError, match="no prompt"):
        read_pairs(file(tmp_path, "", " "))
    with pytest.raises(MeasureError, match="second text"):
        read_pairs(file(tmp_path, "lonely", "LONELY"))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(MeasureError, match="not UTF-8 at byte 3"):
        read_pairs(tmp_path / "latin.txt")


@given(st.lists(st.text(max_size=20), max_size=6))
def test_any_file_gives_pairs_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    """Never another exception, and never a pair whose prompts are the same."""
    path = tmp_path_factory.mktemp("any") / "p.txt"
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    pairs: list[Pair] = []
    with suppress(MeasureError):
        pairs = read_pairs(path)
    assert all(p.prompt != p.donor_prompt and p.donor for p in pairs)
