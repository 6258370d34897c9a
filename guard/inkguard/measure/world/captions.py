"""Scenes and the captions that ask for them: what the reference models are trained on.

Captions leave things out, add phrases that change nothing, use several quote styles and, now and
then, no quotes at all, so that the models draw prompts that people write and ignore what they do
not know.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources

import numpy as np

from inkguard.measure.world.scene import COLORS, LETTERS, MAX_LETTERS, SHAPES, Scene

_SIGNS = ("sign", "sign", "sign", "banner", "board", "poster", "billboard", "plaque")
CUES = (
    "that says",
    "saying",
    "that reads",
    "reading",
    "with the text",
    "with the word",
    "with the words",
    "spelling out",
)
_QUOTES = ('""', '""', '""', '""', "“”", "''", "«»", "``", "「」")
_JOINTS = (" and ", " and ", " ", ", ", " and the word ", " next to ")
"""What stands between two words that are quoted one by one; they share a sign."""
_FILLERS = (
    "a photo of",
    "a painting of",
    "a drawing of",
    "at night",
    "in the rain",
    "highly detailed",
    "in a field",
    "on the street",
    "near the shop",
    "in front of a cafe",
    "beautiful light",
    "studio quality",
    "hanging on a wall",
    "early morning",
    "minimalist style",
    "cozy old town",
    "the big city",
    "very sharp focus",
)
_PLAIN_WORDS = (
    "a an the and of in on with background wall next to blank empty without any text says "
    "grey small large word words"
)
SCENE_WORDS = sorted(
    {w for phrase in (*CUES, *_FILLERS, *_SIGNS) for w in phrase.split()}
    | set(COLORS)
    | set(SHAPES)
    | set(_PLAIN_WORDS.split())
)
"""Lower-case words that the text encoders know; every other word outside quotes is ignored."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """A caption, its scene, and which of the scene's attributes the caption names."""

    caption: str
    scene: Scene
    named: frozenset[str]


@functools.cache
def held_out() -> frozenset[str]:
    """Texts that no training caption contains; the list's SHA-256 is in `heldout.sha256`."""
    folder = resources.files("inkguard.measure.world")
    data = (folder / "heldout.txt").read_bytes()
    expected = (folder / "heldout.sha256").read_text().split()[0]
    if hashlib.sha256(data).hexdigest() != expected:
        raise ValueError("heldout.txt is not the list that was hashed before training")
    return frozenset(data.decode().splitlines())


_ONSETS = [
    "B",
    "C",
    "D",
    "F",
    "G",
    "H",
    "J",
    "K",
    "L",
    "M",
    "N",
    "P",
    "QU",
    "R",
    "S",
    "T",
    "V",
    "W",
    "X",
    "Y",
    "Z",
    "BL",
    "BR",
    "CH",
    "CL",
    "CR",
    "DR",
    "FL",
    "FR",
    "GL",
    "GR",
    "PL",
    "PR",
    "SC",
    "SH",
    "SK",
    "SL",
    "SM",
    "SN",
    "SP",
    "ST",
    "SW",
    "TH",
    "TR",
    "TW",
    "WH",
]
_VOWELS = [
    "A",
    "E",
    "I",
    "O",
    "U",
    "A",
    "E",
    "I",
    "O",
    "U",
    "EA",
    "EE",
    "OO",
    "OU",
    "AI",
    "IE",
    "Y",
]
_CODAS = [
    "B",
    "CK",
    "D",
    "G",
    "L",
    "LL",
    "M",
    "N",
    "NG",
    "P",
    "R",
    "RD",
    "RK",
    "S",
    "SS",
    "ST",
    "T",
    "TH",
    "TS",
    "X",
    "Y",
    "NT",
    "ND",
    "RN",
]


def _pseudo_word(rng: np.random.Generator) -> str:
    """A pronounceable word, so that common letter sequences are seen without a dictionary."""
    word = ""
    for _ in range(int(rng.integers(1, 4))):
        word += str(rng.choice(_ONSETS)) if rng.random() < 0.85 else ""
        word += str(rng.choice(_VOWELS))
        word += str(rng.choice(_CODAS)) if rng.random() < 0.5 else ""
    return word


def sample_text(rng: np.random.Generator) -> str:
    """A text of 2 to MAX_LETTERS letters: pseudo-words and random letters, sometimes two words."""
    while True:
        if rng.random() < 0.15:
            text = f"{_pseudo_word(rng)} {_pseudo_word(rng)}"
        elif rng.random() < 0.45:
            text = _pseudo_word(rng)
        else:
            text = "".join(rng.choice(list(LETTERS[:26]), int(rng.integers(2, MAX_LETTERS + 1))))
        if 2 <= len(text) <= MAX_LETTERS and text not in held_out():
            return text


def sample_scene(rng: np.random.Generator, text: str | None = None) -> Scene:
    """A scene whose sign and shape can be told from the background."""
    names = list(COLORS)
    background = str(rng.choice(names))
    others = [c for c in names if c != background]
    if text is None:
        text = "" if rng.random() < 0.04 else sample_text(rng)
    return Scene(
        background=background,
        sign=str(rng.choice(others)),
        shape_color=str(rng.choice(others)),
        shape=str(rng.choice(SHAPES)),
        text=text,
    )


def plain_caption(scene: Scene) -> str:
    """The plainest caption of a scene: every attribute named, straight quotes."""
    return (
        f'a {scene.sign} sign that says "{scene.text}" on a {scene.background} background'
        f" with a {scene.shape_color} {scene.shape}"
    )


def _case(text: str, rng: np.random.Generator) -> str:
    draw = rng.random()
    return text if draw < 0.7 else text.lower() if draw < 0.88 else text.title()


def _sign_phrase(scene: Scene, rng: np.random.Generator, color: str) -> str:
    noun = str(rng.choice(_SIGNS))
    if not scene.text:
        return (
            f"a blank {color}{noun}"
            if rng.random() < 0.6
            else f"an empty {color}{noun} without any text"
        )
    cue = str(rng.choice(CUES))
    if rng.random() < 0.08:
        return f"a {color}{noun} {cue} {scene.text}"
    quotes = str(rng.choice(_QUOTES))
    text = _case(scene.text, rng)
    if " " in text and rng.random() < 0.5:
        joint = str(rng.choice(_JOINTS))
        text = f"{quotes[1]}{joint}{quotes[0]}".join(text.split(" "))
    return f"a {color}{noun} {cue} {quotes[0]}{text}{quotes[1]}"


def _unknown_word(rng: np.random.Generator) -> str:
    return _pseudo_word(rng).lower()


def caption(scene: Scene, rng: np.random.Generator) -> Captioned:
    """Word the scene in one of many ways; `named` tells which attributes were said."""
    named = {k for k in ("background", "sign", "shape") if rng.random() < 0.9}
    sign = _sign_phrase(scene, rng, f"{scene.sign} " if "sign" in named else "")
    shape = f"a {scene.shape_color} {scene.shape}" if "shape" in named else ""
    ground = ""
    if "background" in named:
        ground = str(
            rng.choice([f"on a {scene.background} background", f"on a {scene.background} wall"])
        )
    order = rng.random()
    if order < 0.4:
        words = [sign, ground, f"with {shape}" if shape else ""]
    elif order < 0.6:
        words = [shape and f"{shape} and", sign, ground]
    elif order < 0.8:
        words = [sign, f"next to {shape}" if shape else "", ground]
    else:
        words = [f"{scene.background} background," if ground else "", shape and f"{shape},", sign]
    if rng.random() < 0.4:
        filler = str(rng.choice(_FILLERS))
        words = [filler, *words] if rng.random() < 0.5 else [*words, filler]
    text = " ".join(w for w in words if w)
    if rng.random() < 0.35:
        text = _insert_unknown(text, rng)
    if rng.random() < 0.2:
        text = text[0].upper() + text[1:]
    if rng.random() < 0.2:
        text += "."
    if "shape" in named:
        named.add("shape_color")
    return Captioned(text, scene, frozenset(named))


def _insert_unknown(text: str, rng: np.random.Generator) -> str:
    """Put one to four unknown words at the front or the back, or one before a noun."""
    words = [_unknown_word(rng) for _ in range(int(rng.integers(1, 5)))]
    place = rng.random()
    if place < 0.35:
        return " ".join([*words, text])
    if place < 0.7:
        return " ".join([text + ",", *words])
    return (
        text.replace("a ", f"a {words[0]} ", 1) if text.startswith("a ") else f"{words[0]} {text}"
    )
