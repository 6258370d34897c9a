"""Look-alikes that Unicode's own compatibility mappings leave alone. Data only.

Each pair of strings maps code points to the ASCII letters under them, after case folding. The small
table covers the scripts in which whole English words can be spelled: Cyrillic, Greek, Armenian,
Latin extensions, and squared or circled letters.
"""

from __future__ import annotations

__all__ = ["CONFUSABLES", "INVISIBLE", "LEET_I", "LEET_L"]

_PAIRS: tuple[tuple[str, str], ...] = (
    # Cyrillic (small letters: the table is used after case folding)
    ("абвгдезийклмнорстухьъіїјѕһҽԁԛԝӏүҫқңҡєѵғ", "a6brde3nnkamhopctyxbbiijshedqwlyckhkevf"),
    # Greek
    ("αβγεζηικνορτυχωϲϳσ", "abyeznikvoptuxwcjo"),
    # Armenian
    ("օսոհցզքյԁց", "ounhgqpjdg"),
    # Latin letters that do not decompose
    ("ıȷøđłħŧɑɡɩɪʏɴɢʀʙʜʟɛɔæœðþ", "ijodlhtagiiyngrbhleoaodp"),
    # Small capitals and the like
    ("ᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱ", "acdejkmoptuvwzfs"),
    # Regional indicators, then negative circled and negative squared letters
    ("🇦🇧🇨🇩🇪🇫🇬🇭🇮🇯🇰🇱🇲🇳🇴🇵🇶🇷🇸🇹🇺🇻🇼🇽🇾🇿", "abcdefghijklmnopqrstuvwxyz"),
    ("🅐🅑🅒🅓🅔🅕🅖🅗🅘🅙🅚🅛🅜🅝🅞🅟🅠🅡🅢🅣🅤🅥🅦🅧🅨🅩", "abcdefghijklmnopqrstuvwxyz"),
    ("🅰🅱🅲🅳🅴🅵🅶🅷🅸🅹🅺🅻🅼🅽🅾🅿🆀🆁🆂🆃🆄🆅🆆🆇🆈🆉", "abcdefghijklmnopqrstuvwxyz"),
)

CONFUSABLES: dict[str, str] = {
    odd: plain for odds, plains in _PAIRS for odd, plain in zip(odds, plains, strict=True)
}

INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Drawn as nothing, though their category says letter or symbol."""

LEET_I: dict[str, str] = {
    "0": "o",
    "1": "i",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "9": "g",
    "@": "a",
    "$": "s",
    "!": "i",
    "|": "i",
    "+": "t",
    "€": "e",
    "£": "l",
}

LEET_L: dict[str, str] = LEET_I | {"1": "l", "|": "l", "!": "l"}
