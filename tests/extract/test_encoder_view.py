"""What a text encoder is meant to read of a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkguard.extract.encoder_view import as_encoder_reads

SEEN = [
    ("a red car", "a red car"),
    ("a (red:1.3) car", "a red car"),
    ("a ((red)) car", "a red car"),
    ("a c(a:1.1)r", "a car"),
    ("a [red|blue] car", "a red blue car"),
    ("a {red|blue} car", "a red blue car"),
    ("a [red:blue:0.5] car", "a red blue car"),
    ("(red)++ car", "red car"),
    ("a car :) (", "a car :) ("),
    ("say \\(hello\\)", "say \\(hello\\)"),
    ('say \\"hello\\"', 'say "hello"'),
    ("say &quot;hello&quot;", 'say "hello"'),
    ("say &#72;ello", "say Hello"),
    ("say &nonsense; 50%", "say &nonsense; 50%"),
    ("a%20car", "a car"),
    ("a\u200bcar", "acar"),
    ("a   car", "a car"),
    ("one\\ntwo", "one\ntwo"),
    ("one<br/>two", "one\ntwo"),
]
PROMPTS = st.text(alphabet="ab \"'()[]{}|:.13\\&;#quot%2<>-AND\n\u200b") | st.text()


@pytest.mark.parametrize(("prompt", "text"), SEEN)
def test_syntax_and_escapes_are_not_seen(prompt: str, text: str) -> None:
    """Weights, brackets and escapes vanish or become what they stand for."""
    assert as_encoder_reads(prompt).text == text


@settings(deadline=None)
@given(PROMPTS)
def test_the_map_leads_back(prompt: str) -> None:
    """Each character stands for a range of the prompt; ranges are in order and apart."""
    seen = as_encoder_reads(prompt)
    assert len(seen.text) == len(seen.starts) == len(seen.ends) <= len(prompt)
    at = 0
    for start, end in zip(seen.starts, seen.ends, strict=True):
        assert at <= start < end <= len(prompt)
        at = end


@settings(deadline=None)
@given(PROMPTS.filter(bool))
def test_ranges_go_there_and_back(prompt: str) -> None:
    """The range under an original range is the one that it came from."""
    seen = as_encoder_reads(prompt)
    if seen.text:
        assert seen.from_prompt(*seen.to_prompt(0, len(seen.text))) == (0, len(seen.text))
