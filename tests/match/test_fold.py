from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.match.fold import fold, variants

READINGS = [
    "IDIOT",
    "ＩＤＩＯＴ",
    "ІDІОТ",
    "I\u0336D\u0336I\u0336O\u0336T\u0336",
    "I\u200bD\u200cI\u00adO\u202eT",
    "1D10T",
    "!d!0t",
    "I D I O T",
    "I.D.I.O.T",
    "i-d-i-o-t",
    "I_D_I_O_T",
    "I . D . I . O . T",
    "idi-ot",
    "🅸🅳🅸🅾🆃",
    "𝕀𝔻𝕀𝕆𝕋",
    "ⓘⓓⓘⓞⓣ",
]


@pytest.mark.parametrize("text", READINGS, ids=map(str, range(len(READINGS))))
def test_disguises(text: str) -> None:
    """Each disguise has a reading that is the plain word, over all of the original."""
    found = [v for v in variants(text) if v.text == "idiot"]
    assert found
    assert found[0].span(0, 5) == (0, len(text))


def test_words_stay_apart() -> None:
    """Joining spaced letters stops at a wider gap."""
    assert "an idiot" not in {v.text for v in variants("hello world")}
    assert "what idiot" in {v.text for v in variants("W H A T  I D I O T")} | {
        " ".join(v.text.split()) for v in variants("W H A T  I D I O T")
    }


def test_upside_down() -> None:
    """Letters that were turned, in the order in which they are read, lead back to where they stand."""
    found = [v for v in variants("a ʇoıpᴉ b") if v.how == "upside down"]
    assert [v.text.split()[1] for v in found] == ["idiot"]
    start = found[0].text.index("idiot")
    assert found[0].span(start, start + 5) == (2, 7)


@given(st.text() | st.text(alphabet="aA1!._- ɐʇ\u0301\u200bİßﬁІ𝕀\ud800"))
def test_offsets(text: str) -> None:
    """Offsets go one way and lie in the original, in every reading."""
    for reading in variants(text):
        assert len(reading.text) == len(reading.offsets) == len(reading.ends)
        one_way = reading.offsets[::-1] if reading.how == "upside down" else reading.offsets
        assert all(a <= b for a, b in pairwise(one_way))
        assert all(
            0 <= a < b <= len(text) for a, b in zip(reading.offsets, reading.ends, strict=True)
        )


@given(st.text())
def test_fold_rests(text: str) -> None:
    """Folding a fold changes nothing."""
    once = fold(text).text
    assert fold(once).text == once
