"""What the embedded toxicity classifier learns from, and what it is measured on.

Only sources that are public domain, MIT, Apache or CC-BY are read; rows from any other source are
left out, also where their licence is merely unclear. The text itself stays out of the repository.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")

_SWEAR = "words rated 2 by npm cuss, LDNOOBW, google-profanity-words; Latin script only"
_SCOWL = "SCOWL licence; Copyright 2000-2011 Kevin Atkinson, use, copy and modify with this notice"
# source (or its prefix, for lex_ml_*) -> licence and whom to name
SOURCES = {
    "civil_toxic_spans": "CC0-1.0; Pavlopoulos et al. 2021, 2022 (Civil Comments)",
    "civil_span_phrase": "CC0-1.0; Pavlopoulos et al. 2021, 2022 (Civil Comments)",
    "davidson": "MIT; Davidson et al. 2017",
    "paradetox": "CC0-1.0; Logacheva et al. 2022",
    "paradetox_untranslatable": "CC0-1.0; Logacheva et al. 2022",
    "edos": "CC0-1.0; Kirk et al. 2023",
    "hatemoji_build": "CC-BY-4.0; Kirk et al. 2022",
    "bias_madlibs": "Apache-2.0; Dixon et al. 2018",
    "surge_toxicity": "MIT; Surge AI",
    "openai_moderation": "MIT; Markov et al. 2023",
    "lex_surge_profanity": "MIT; Surge AI",
    "lex_english_lists": "MIT, WTFPL and CC-BY-4.0 (LDNOOBW, Shutterstock); words in two lists or more",
    "lex_cuss0_benign": "MIT; npm cuss",
    "lex_ml_": f"MIT and CC-BY-4.0 (LDNOOBW, Shutterstock); {_SWEAR}",
    "benign_scowl": _SCOWL,
    "benign_scowl_substring": _SCOWL,
    "benign_faker": "MIT; made with PyPI faker, no real persons",
    "benign_faker_words": "MIT; lorem words of PyPI faker",
    "benign_signs_synthetic": "CC0-1.0; templates of this project",
    "synthetic_toxic_windows": "CC0-1.0 and MIT parts in frames of this project",
}
WINDOWS = "benign_windows"  # cut here, from the rows below, in place of ones cut from Wikipedia
_CUT_FROM = ("civil_toxic_spans", "paradetox", "paradetox_untranslatable", "surge_toxicity")
NATURAL = (
    "civil_toxic_spans",
    "davidson",
    "paradetox",
    "paradetox_untranslatable",
    "edos",
    "hatemoji_build",
    "surge_toxicity",
    "openai_moderation",
)

# Harmless strings that a filter trips over: rude parts inside, names, hard words in mild use.
# Never trained on. One half sets thresholds, the other measures them.
TRICKY = tuple(
    """\
Scunthorpe|Essex|Sussex|Middlesex|Wessex|Penistone|Lightwater|Clitheroe|Cockermouth|Cockfosters
Dick Van Dyke|Dick Tracy|Moby Dick|Philip K. Dick|Dickens|Dickinson|Dickson & Sons|Emily Dickinson
Wang|Wang Restaurant|Dong|Nguyen Phuc|Phuket|Fuchs|Fuchsia|Fukuoka|Fukushima|Schmuck|Kuntz|Lipschitz
Hancock|Hitchcock|Alfred Hitchcock|Peacock|Woodcock|Babcock|Cockburn|Babcock University|Weiner|Weiner's Deli
cocktail|COCKTAIL BAR|cockpit|cockatoo|cockatiel|cockroach|cocker spaniel|shuttlecock|stopcock|hancock tower
assassin|Assassin's Creed|assembly|assess|asset|assistant|associate|assorted nuts|embassy|brass band
class|glass|grass|bass guitar|compass|passage|passion fruit|classic car|massage|sassafras|cassette|cassava
shiitake|shiitake mushrooms|Matsushita|sushi tasting
analysis|analog|banal|canal street|analyst|psychoanalysis|therapist|Speech Therapist|physical therapist
Titanic|title|constitution|titration|blue tit|great tit|titmouse|button|buttress|butter|butterscotch|rebuttal
cumin|cucumber|document|circumstance|cumulus|accumulate|Cumberland|magna cum laude
grape|grapefruit|drape|scrape|rapeseed oil|trapeze|skyscraper|therapeutic
pussycat|pussy willow|Octopus|puss in boots|octopussy
garbage truck|Garbage Collection Day|trash can|trash pickup|junk mail|junk shop|dumb waiter|dumbbell|dump truck
bloody mary|Bloody Sunday|bloodhound|blood orange|blood drive|blood bank|hell's kitchen|shell|Shell|hello|Hello Kitty
damn good coffee|Beaver Dam|Amsterdam|Rotterdam|Hoover Dam|Madame|Dammam
kill switch|kill the lights|Killarney|Kilkenny|killer whale|skills|To Kill a Mockingbird|kill bill|weed killer
shoot for the stars|photo shoot|bamboo shoots|shooting stars|shooting range|gunpowder tea|Gun Lake|bomb calorimeter
bath bomb|bomb cyclone|explosive growth|dynamite deals|attack of the clones|heart attack|death valley
fat free|fat tuesday|fathom|fatigue|low fat milk|skinny latte|stupidly simple|idiot-proof|for dummies|silly season
black coffee|black cat|white house|white bread|yellow pages|brown rice|black friday|white wine
niggle|niggardly|snigger|Niger|Nigeria|Montenegro|Rio Negro|denigrate|enigma|vinegar|Negroni
spice|spic and span|conspicuous|despicable me|chink in the armor|chinked log cabin|Chinatown|coonhound|raccoon|tycoon
homogeneous|homo sapiens|homeowner|faggots and peas|fagott|dyke repair|Van Dyke Park|Offa's Dyke
gay pride parade|Gay Street|The Gay Divorcee|lesbian book club|Muslim community center|Jewish deli|Black lives matter
retardant|fire retardant|flame retardant|cripple creek|lame duck|crazy horse|crazy golf|mad hatter
queen bee|Queens|witch hazel|sandwich|Greenwich|hitch|pitch|twitch|switch board
sexton|sextant|sextet|unisex salon|sex education|same sex marriage|sexagenarian|Sexsmith
grease nipple|hooker valve|Hooker Avenue|John Lee Hooker|tart|fruit tart|pop tart
pecker|woodpecker|willy wonka|free willy|johnson & johnson|Johnson|balls|tennis balls|meatballs|nuts and bolts
screw driver|screwdriver|screws|bugle|debugger|bum bag|bumblebee|album|bumper cars|jackass penguin|donkey
pissarro|pistachio|Pisces|Mississippi|Crapper|crepe|scrap metal|craps|Scrapbook|Prickly Pear
suck it and see|vacuum suction|suckling pig|sucker rod|seersucker|honeysuckle|slug and lettuce|slutsk|Slough
swank|Swansea|arsenal|Arsenal FC|arsenic|parse|coarse|hearse|horseshoe|shorthorn|Hornby|Horniman Museum
Thongs on sale|thong sandals|bra shop|library|bare necessities|barely used|naked juice|naked eye|strip mall|stripes
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One text. `labels` follow LABELS, from 0 to 1; NaN where the source does not say."""

    text: str = field(repr=False)
    labels: tuple[float, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """85 % to learn from, 5 % to calibrate on, 10 % to measure on, by a hash of the text."""

    train: list[Row]
    calibration: list[Row]
    test: list[Row]

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows by source for each part."""
        return {
            name: dict(sorted(Counter(row.source for row in getattr(self, name)).items()))
            for name in ("train", "calibration", "test")
        }


def load(path: Path) -> Splits:
    """Read the collection (csv.gz with text, LABELS, source), keep what the licences allow, split.

    Raises OSError where there is no such file and KeyError where a column is missing.
    """
    splits = Splits(train=[], calibration=[], test=[])
    rows = list(_allowed(path))
    seen = {row.text.casefold() for row in rows}
    for row in rows:
        part = _part(splits, row.text)
        part.append(row)
        if row.source in _CUT_FROM and row.labels[0] == 0.0:
            window = _window(row.text)
            if window is not None and window.casefold() not in seen:
                seen.add(window.casefold())
                part.append(_harmless(window, WINDOWS))
    for text in TRICKY:
        if text.casefold() not in seen:
            half = splits.calibration if _digest(text) % 2 else splits.test
            half.append(_harmless(text, "tricky"))
    return splits


def is_short(row: Row) -> bool:
    """As long as the words on a sign are: lists, names, phrases, cuts."""
    return row.source not in NATURAL and row.source != "bias_madlibs" and len(row.text) < 40


def _allowed(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        for record in csv.DictReader(stream):
            source, text = record["source"], record["text"]
            known = source in SOURCES or (source.startswith("lex_ml_") and _is_latin(text))
            if known and text.strip():
                labels = tuple(float(record[name] or math.nan) for name in LABELS)
                yield Row(text=text, labels=labels, source=source)


def _harmless(text: str, source: str) -> Row:
    return Row(text=text, labels=(0.0,) * len(LABELS), source=source)


def _digest(text: str) -> int:
    """Equal for texts that differ by case, spaces or punctuation: these must share a part."""
    letters = "".join(c for c in text.casefold() if c.isalnum()) or text
    return int.from_bytes(hashlib.sha256(letters.encode()).digest()[:8], "big")


def _part(splits: Splits, text: str) -> list[Row]:
    twentieth = _digest(text) % 20
    return splits.calibration if twentieth == 0 else splits.test if twentieth < 3 else splits.train


def _window(text: str) -> str | None:
    draw = random.Random(_digest(text))
    words = text.split()
    length = draw.randint(1, 6)
    if len(words) <= length:
        return None
    start = draw.randrange(len(words) - length)
    return " ".join(words[start : start + length]).strip(" .,;:!?\"'()")[:60] or None


def _is_latin(text: str) -> bool:
    return all(unicodedata.name(c, "").startswith("LATIN") for c in text if c.isalpha())


def texts(rows: Iterable[Row]) -> list[str]:
    """The texts alone, in order."""
    return [row.text for row in rows]
