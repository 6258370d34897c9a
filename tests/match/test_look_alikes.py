from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkguard.match.look_alikes import FLIPPED, latin

WRITTEN = [
    ("cyrillic", "тнеу", "they"),
    ("cyrillic capitals", "АВСЕНІКМОРТХУ", "abcehikmoptxy"),
    ("greek capitals", "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "abezhikmnoptyx"),
    ("greek", "αειηορτυνχ", "aeinoptuvx"),
    ("cherokee", "ᏟᎻᎬᎡᎾᏦᎬᎬ", "cheroke" + "e"),
    ("fullwidth", "Ｈｅｌｌｏ", "hello"),
    ("mathematical", "𝕳𝖊𝖑𝖑𝖔", "hello"),
    ("circled", "ⒽⓔⓛⓛⓄ", "hello"),
    ("negative squares", "🅷🅴🅻🅻🅾", "hello"),
    ("parenthesized", "⒣⒠⒧⒧⒪", "hello"),
    ("flags", "🇭🇪🇱🇱🇴", "hello"),
    ("small capitals", "ʜᴇʟʟᴏ", "hello"),
    ("marks", "h\u0336é\u0301llô", "hello"),
    ("hooks", "ħɇłłø", "hello"),
    ("invisible", "h\u200be\u2060l\u00adl\ufe0fo", "hello"),
    ("ligatures", "æŒﬁß", "aeoefiss"),
]


@pytest.mark.parametrize(("text", "read"), [w[1:] for w in WRITTEN], ids=[w[0] for w in WRITTEN])
def test_styles(text: str, read: str) -> None:
    """Each way of writing Latin letters with other characters is read as these letters."""
    assert "".join(map(latin, text)) == read


def test_turned_letters() -> None:
    """Text that was turned upside down has a letter for each of the alphabet."""
    assert sorted(FLIPPED.values()) == [chr(c) for c in range(ord("a"), ord("z") + 1)]


@given(st.characters())
def test_rests_and_stays_small(char: str) -> None:
    """Reading what was read changes nothing, and no character grows beyond Unicode's own mappings."""
    read = latin(char)
    assert "".join(map(latin, read)) == read
    assert len(read) <= 3 * len(unicodedata.normalize("NFKD", char))


@pytest.mark.parametrize("char", ["中", "あ", "ع", "★", "😀"])
def test_others_are_themselves(char: str) -> None:
    """What looks like no Latin letter is kept as it is."""
    assert latin(char) == char
