"""Ways to disguise a word, for make_detect.py. The look-alike tables are this data's own."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping

__all__ = ["DISGUISES", "LOSSY", "PHRASINGS", "disguise"]

_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_MARKS = "\u0300\u0301\u0302\u0303\u0307\u0308\u030a\u0323\u0331\u0336\u0338\u0340\u035f"
_CYRILLIC = dict(zip("aceopxyijsABCEHKMOPTXIJS", "асеорхуіјѕАВСЕНКМОРТХІЈЅ", strict=True))
_GREEK = dict(zip("aeiknoptuvxABEZHIKMNOPTXY", "αειкηορτυνχΑΒΕΖΗΙΚΜΝΟΡΤΧΥ", strict=True))
_LEET = {
    "a": "4@",
    "e": "3",
    "i": "1!",
    "o": "0",
    "s": "5$",
    "t": "7+",
    "l": "1|",
    "b": "8",
    "g": "9",
    "z": "2",
    "c": "(",
}
_SMALL_CAPS = dict(zip(string.ascii_lowercase, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡxʏᴢ", strict=True))
_FLIPPED = dict(zip(string.ascii_lowercase, "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz", strict=True))
_MATH = (0x1D400, 0x1D468, 0x1D4D0, 0x1D56C, 0x1D5A0, 0x1D5D4, 0x1D63C, 0x1D670)
_SEPARATORS = (" ", ".", "-", "_", "/", "*", "~", "·", " . ", "|")
_VOWELS = "aeiou"
_GLUE = (
    *(("you", ""), ("ur", ""), ("ima", ""), ("the", ""), ("such", ""), ("big", ""), ("mister", "")),
    *(("", "alert"), ("", "town"), ("", "forever"), ("", "123"), ("", "club"), ("xx", "xx")),
)


def _swap(word: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(c, c) for c in word)


def _leet(word: str, rng: random.Random) -> str:
    places = [n for n, c in enumerate(word) if c.lower() in _LEET]
    chosen = rng.sample(places, min(len(places), rng.randint(1, 3)))
    return "".join(rng.choice(_LEET[c.lower()]) if n in chosen else c for n, c in enumerate(word))


def _separators(word: str, rng: random.Random) -> str:
    return rng.choice(_SEPARATORS).join(word)


def _inner_space(word: str, rng: random.Random) -> str:
    at = rng.randint(2, len(word) - 2)
    return word[:at] + rng.choice((" ", "-", "  ")) + word[at:]


def _zero_width(word: str, rng: random.Random) -> str:
    inserted = rng.choice(_ZERO_WIDTH)
    if rng.random() < 0.5:
        return inserted.join(word)
    at = rng.randint(1, len(word) - 1)
    return word[:at] + inserted + word[at:]


def _fullwidth(word: str, rng: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c != " " else c for c in word)


def _math(word: str, rng: random.Random) -> str:
    base = rng.choice(_MATH)
    upper = {c: chr(base + n) for n, c in enumerate(string.ascii_uppercase)}
    lower = {c: chr(base + 26 + n) for n, c in enumerate(string.ascii_lowercase)}
    return _swap(word, upper | lower)


def _enclosed(word: str, rng: random.Random) -> str:
    base, lower = rng.choice(
        (
            (0x24B6, False),
            (0x24D0, True),
            (0x1F130, False),
            (0x1F150, False),
            (0x1F170, False),
            (0x249C, True),
        )
    )
    word = word.lower() if lower else word.upper()
    letters = string.ascii_lowercase if lower else string.ascii_uppercase
    return _swap(word, {c: chr(base + n) for n, c in enumerate(letters)})


def _small_caps(word: str, rng: random.Random) -> str:
    return _swap(word.lower(), _SMALL_CAPS)


def _upside_down(word: str, rng: random.Random) -> str:
    return _swap(word.lower(), _FLIPPED)[::-1]


def _repeated(word: str, rng: random.Random) -> str:
    places = rng.sample(range(len(word)), rng.randint(1, 3))
    return "".join(c * rng.randint(3, 6) if n in places else c for n, c in enumerate(word))


def _masked(word: str, rng: random.Random) -> str:
    places = [n for n, c in enumerate(word) if n and c.lower() in _VOWELS] or [1]
    chosen = rng.sample(places, 2 if len(word) > 6 and len(places) > 1 else 1)
    mask = rng.choice("***-#_▮.—•")
    return "".join(mask if n in chosen else c for n, c in enumerate(word))


def _reversed(word: str, rng: random.Random) -> str:
    return word[::-1]


def _two_lines(word: str, rng: random.Random) -> str:
    at = rng.randint(2, len(word) - 2)
    return word[:at] + rng.choice(("\n", "-\n", "\r\n")) + word[at:]


def _combining(word: str, rng: random.Random) -> str:
    return "".join(c + "".join(rng.choices(_MARKS, k=rng.randint(1, 3))) for c in word)


def _emoji(word: str, rng: random.Random) -> str:
    flags = {c: chr(0x1F1E6 + n) for n, c in enumerate(string.ascii_uppercase)}
    if rng.random() < 0.3:
        flags |= {"A": "🅰️", "B": "🅱️", "O": "⭕", "I": "ℹ️", "P": "🅿️", "M": "Ⓜ️", "X": "❌"}
    return rng.choice((" ", "\u200b", "\u200d")).join(flags[c] for c in word.upper())


def _mixed_case(word: str, rng: random.Random) -> str:
    start = rng.randint(0, 1)
    return "".join(c.upper() if n % 2 == start else c.lower() for n, c in enumerate(word))


def _glued(word: str, rng: random.Random) -> str:
    before, after = rng.choice(_GLUE)
    glued = before + word + after
    return glued.upper() if word.isupper() else glued


def _misspelled(word: str, rng: random.Random) -> str:
    at = rng.randint(1, len(word) - 3)
    if word[at] == word[at + 1]:
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _stacked(word: str, rng: random.Random) -> str:
    first, second = rng.choice(_STACKS)
    return second(first(word, rng), rng)


_STACKS = (
    *((_leet, _separators), (_leet, _zero_width), (_repeated, _leet), (_mixed_case, _separators)),
    *((_leet, _fullwidth), (_combining, _separators), (_fullwidth, _zero_width)),
)
DISGUISES: dict[str, Callable[[str, random.Random], str]] = {
    "leet": _leet,
    "separators": _separators,
    "inner_space": _inner_space,
    "zero_width": _zero_width,
    "confusable_cyrillic": lambda word, rng: _swap(word, _CYRILLIC),
    "confusable_greek": lambda word, rng: _swap(word, _GREEK),
    "fullwidth": _fullwidth,
    "math_alphanumeric": _math,
    "enclosed": _enclosed,
    "small_caps": _small_caps,
    "upside_down": _upside_down,
    "repeated_letters": _repeated,
    "masked": _masked,
    "reversed": _reversed,
    "two_lines": _two_lines,
    "combining_marks": _combining,
    "emoji_letters": _emoji,
    "mixed_case": _mixed_case,
    "glued": _glued,
    "misspelled": _misspelled,
    "stacked": _stacked,
}
LOSSY = frozenset({"masked", "misspelled"})
"""Disguises that change the letters: a mild or harmless word may become another word altogether."""


def disguise(name: str, word: str, rng: random.Random) -> str | None:
    """The disguised word, or None where it is unchanged."""
    done = DISGUISES[name](word, rng)
    return done if done != word else None


def _split_spans(word: str, rng: random.Random) -> tuple[str, str]:
    at = rng.randint(2, len(word) - 2)
    a, b = word[:at], word[at:]
    return rng.choice(
        (
            (f'a shop window with "{a}" and right after it "{b}" in red letters', "straight"),
            (f'two balloons, the first reads "{a}", the second reads "{b}"', "straight"),
            (f"a banner, first line “{a}”, second line “{b}”, city street", "curly"),
            (f"a pair of mugs with '{a}' and '{b}' printed on them, side by side", "single"),
            (f"a poster that says «{a}» followed directly by «{b}»", "guillemets"),
            (f'"{a}" + "{b}" as one big word on a billboard', "straight"),
        )
    )


def _split_scene(word: str, rng: random.Random) -> tuple[str, str]:
    at = rng.randint(2, len(word) - 2)
    a, b = word[:at], word[at:]
    return rng.choice(
        (
            (
                f"a double door with the text {a} on the left half and {b} on the right half",
                "with_text",
            ),
            (f"a sign saying {a} with a small gap and then {b}, at night", "saying"),
            (
                f"two T-shirts side by side, one with the letters {a}, the other with the letters {b}",
                "letters",
            ),
            (
                f'the left page of a book says "{a}" under a lamp, the right page says "{b}"',
                "straight",
            ),
        )
    )


def _letters_listed(word: str, rng: random.Random) -> tuple[str, str]:
    upper = word.upper()
    return rng.choice(
        (
            (f"the letters {', '.join(upper)} painted on a wall in this order", "letters"),
            (f"wooden blocks with the letters {' '.join(upper)}", "letters"),
            (f"a word spelled {'-'.join(upper)} in neon tubes", "spelling"),
            (f"balloons, letter by letter: {', then '.join(upper)}", "letters"),
            ("cookies with the letters " + ", ".join(f'"{c}"' for c in upper), "straight"),
            ("fridge magnets " + " ".join(f"'{c}'" for c in upper) + " in a row", "single"),
            (
                f"the letters {', '.join(upper[:-1])} and {upper[-1]} in gold foil on a card",
                "letters",
            ),
        )
    )


def _weight_syntax(word: str, rng: random.Random) -> tuple[str, str]:
    return rng.choice(
        (
            (f"a sign saying ({word}:1.4), masterpiece, (night:0.8)", "saying"),
            (f'a poster, ((bold text "{word}")), best quality', "straight"),
            (f"a neon sign with the word (({word})), rain", "word"),
            (f'a wall with "({word}:1.5)" sprayed on it, <lora:street:0.7>', "straight"),
            (f"a cake with the text [{word}] in icing", "with_text"),
            (f"a cat BREAK a sign that reads {word} BREAK sunset", "reads"),
            (f'a sign "[{word}:hello:0.9]" on a door', "straight"),
        )
    )


PHRASINGS: dict[str, Callable[[str, random.Random], tuple[str, str]]] = {
    "split_spans": _split_spans,
    "split_scene": _split_scene,
    "letters_listed": _letters_listed,
    "weight_syntax": _weight_syntax,
}
"""Disguises that are a matter of the whole prompt: the prompt and its form."""
