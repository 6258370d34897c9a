"""Quotation marks: which closes which.

Unicode publishes which characters are quotation marks, and a test compares; it does not publish
how languages pair them.
"""

from __future__ import annotations

__all__ = ["CLOSERS", "INNER_DOUBLE", "INNER_SINGLE", "MARKS", "NESTING", "SINGLE", "STRAY"]

INNER_DOUBLE, INNER_SINGLE = "\ue022", "\ue027"
"""Escaped quotes within unescaped ones, in a view."""

CLOSERS: dict[str, str] = {
    '"': '"”＂',
    "＂": '＂"',
    "“": "”\"“″'",
    "”": '”"',
    "„": '“”"„',
    "‟": '”"',
    "⹂": '“”"',
    "″": '″"”',
    "ʺ": 'ʺ"',
    "ˮ": 'ˮ"',
    "❝": "❞❝",
    "❞": "❞",
    "🙶": "🙷",
    "«": "»",
    "»": "«»",
    "‹": "›",
    "›": "‹›",
    "❮": "❯",
    "`": "`'´’",
    "｀": "｀＇",
    "´": "´`'",
    "「": "」",
    "『": "』",
    "｢": "｣",
    "﹁": "﹂",
    "﹃": "﹄",
    "〝": "〞〟",
    "《": "》",
    "〈": "〉",
    "【": "】",
    "〖": "〗",
    "〔": "〕",
    "'": "'’",
    "＇": "＇'",
    "‘": "’'",
    "‚": "‘’'",
    "‛": "’'",
    "’": "’'",
    "❛": "❜",
    "❜": "❜",
    INNER_DOUBLE: INNER_DOUBLE + '"',
    INNER_SINGLE: INNER_SINGLE + "'",
}
"""For each opening mark, its closers, best first: mixed pairs are common ("“HELLO\\"")."""

SINGLE = frozenset("'＇‘‚‛’" + INNER_SINGLE)
"""These are apostrophes as well."""

STRAY = frozenset('"＂”“″»›`」』｣﹂﹄〞〟》〉】〗〕❞❯🙷' + INNER_DOUBLE)
"""These may close what nothing opened."""

NESTING: dict[str, str] = {mark: CLOSERS[mark] for mark in "「『｢﹁﹃《〈【〖〔❮🙶"} | {
    "“": "”",
    "„": "“”",
    "«": "»",
    "‹": "›",
    "〝": "〞〟",
}
"""Marks with a direction: pairs of them may stand within each other."""

MARKS = frozenset(CLOSERS) | STRAY | frozenset("".join(CLOSERS.values()))
