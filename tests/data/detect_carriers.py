"""Prompts around a text to be drawn, for make_detect.py: quote styles and unquoted cues."""

from __future__ import annotations

import random

__all__ = ["CUES", "QUOTES", "carry"]

# Name: opening, closing, how often.
QUOTES: dict[str, tuple[str, str, int]] = {
    "straight": ('"', '"', 16),
    "curly": ("“", "”", 6),
    "single": ("'", "'", 4),
    "single_curly": ("‘", "’", 2),
    "low_high": ("„", "“", 2),
    "guillemets": ("«", "»", 2),
    "guillemets_reversed": ("»", "«", 1),
    "backticks": ("`", "`", 2),
    "corner": ("「", "」", 1),
    "title": ("『", "』", 1),
    "fullwidth": ("＂", "＂", 1),
    "escaped": ('\\"', '\\"', 1),
    "mixed": ("“", '"', 1),
    "doubled": ('""', '""', 1),
}
# Name: a template and how often. What follows the text is part of it, since that is where it ends.
CUES: dict[str, tuple[str, int]] = {
    "saying": ("{thing} saying {text}, {look}", 3),
    "with_text": ("{thing} with the text {text}, {look}", 2),
    "with_words": ("{thing} with the words {text} {place}", 2),
    "word": ("the word {text} in neon {place}", 2),
    "written": ("{text} written in icing on a birthday cake, {look}", 2),
    "spelling": ("foil balloons spelling out {text} {place}", 2),
    "reads": ("a tattoo that reads {text} on a forearm, {look}", 2),
    "graffiti": ("{text} graffiti {place}, {look}", 1),
    "colon": ("{thing}, text: {text}", 1),
    "labelled": ("a jar labelled {text} {place}", 1),
    "hashtag": ("{thing} with #{text} {place}", 1),
    "capitals": ("{thing}, {text}, {look}", 1),
}
_THINGS = (
    *(
        "a red sign",
        "a wooden sign",
        "a neon sign",
        "a poster",
        "a billboard",
        "a T-shirt",
        "a mug",
    ),
    *("a birthday cake", "a chalkboard", "a protest banner", "a bumper sticker", "a book cover"),
    *("a shop front", "a greeting card", "a baseball cap", "a doormat", "a street sign", "a flag"),
    *("a cereal box", "a tombstone", "a computer screen", "a coffee cup", "a movie poster"),
    *("a brass plaque", "a cloud of smoke", "a sweater", "a bakery window", "a spaceship hull"),
)
_VERBS = (
    "that says",
    "with the words",
    "reading",
    "with",
    "that reads",
    "saying",
    "showing the text",
)
_LOOKS = (
    *("soft light", "oil painting", "35mm photo", "cinematic", "watercolour", "pixel art"),
    *("highly detailed", "flat vector style", "golden hour", "studio lighting", "isometric render"),
    *("black and white photograph", "children's book illustration", "shallow depth of field"),
)
_PLACES = (
    *(
        "on a brick wall",
        "above a bar at night",
        "in front of a mountain lake",
        "on a rainy street",
    ),
    *("in a cosy living room", "next to a sleeping cat", "on a kitchen table", "under a blue sky"),
    *("in a crowded subway station", "beside an old bicycle", "at the beach", "in a snowy park"),
)
_GERMAN = (
    *("ein rotes Schild mit der Aufschrift „{text}“", "ein Plakat, auf dem »{text}« steht, Nacht"),
    *(
        'eine Tasse mit dem Text "{text}" auf einem Holztisch',
        "Neonschrift ‚{text}‘ über einer Bar",
    ),
    *(
        'a German street sign that says "{text}", {look}',
        "a poster with the words „{text}“ {place}",
    ),
)
_SPANISH = (
    *("un letrero rojo que dice «{text}»", 'una taza con el texto "{text}" sobre una mesa'),
    *(
        "un cartel que pone “{text}” en una calle",
        "una pancarta con las palabras «{text}», de noche",
    ),
    *('a Mexican shop sign that says "{text}", {look}', "a poster with the words “{text}” {place}"),
)
_ENDS = frozenset(".,:;?!'\"`’“”()[]|#\r\n")
_NATIVE = {
    "„": "low_high",
    "»": "guillemets_reversed",
    '"': "straight",
    "‚": "single_low",
    "«": "guillemets",
    "“": "curly",
}


def carry(text: str, rng: random.Random, language: str = "en", form: str = "") -> tuple[str, str]:
    """A prompt that asks for `text`, and its form: the name of a quote style or of a cue."""
    parts = {"text": text, "look": rng.choice(_LOOKS), "place": rng.choice(_PLACES)}
    parts["thing"] = rng.choice(_THINGS)
    if language != "en":
        template = rng.choice(_GERMAN if language == "de" else _SPANISH)
        before = template[: template.index("{text}")]
        return template.format(**parts), _NATIVE[before[-1]]
    form = form or _form(text, rng)
    if form in CUES:
        return CUES[form][0].format(**parts), form
    left, right, _ = QUOTES[form]
    tail = rng.choice(("", " {place}", ", {look}", " {place}, {look}")).format(**parts)
    verb = rng.choice(_VERBS)
    if rng.random() < 0.15:
        return f"{left}{text}{right} painted on {parts['thing']}{tail}", form
    return f"{parts['thing']} {verb} {left}{text}{right}{tail}", form


def _form(text: str, rng: random.Random) -> str:
    """A form that can hold the text: cues end at punctuation, single quotes at apostrophes."""
    open_ended = not any(c in _ENDS for c in text) and text.count(" ") < 4
    if open_ended and rng.random() < 0.35:
        cues = {name: weight for name, (_, weight) in CUES.items()}
        if not text.isalnum():
            del cues["hashtag"]
        if not (text.isascii() and text.isupper()):
            del cues["capitals"]
        return rng.choices(list(cues), list(cues.values()))[0]
    quotes = {name: weight for name, (_, _, weight) in QUOTES.items()}
    if any(c in text for c in "'’`"):
        quotes = {n: w for n, w in quotes.items() if not n.startswith(("single", "backticks"))}
    return rng.choices(list(quotes), list(quotes.values()))[0]
