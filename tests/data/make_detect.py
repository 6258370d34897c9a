"""Makes detect.jsonl: `python tests/data/make_detect.py [FILE]`. The same bytes each time.

Seeds are detect_toxic.yaml and detect_harmless.yaml; docs/results/detection.md describes the classes. One JSON
object a line:

    id        the class and a number
    prompt    what a user would send
    text      what is to be drawn; empty where the prompt spreads it out, or asks for no text
    label     toxic or harmless
    class     the kind of text, or of disguise
    form      the quote style or the unquoted cue; "none" for a scene without text
    language  en, de or es
    category  insult, profanity, sexual, slur or threat; null for harmless prompts, and for German and
              Spanish, whose seeds have none
    severity  mild, moderate or severe; null for harmless prompts
    term      the word or phrase behind it; null for harmless prompts
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from detect_carriers import QUOTES, carry
from detect_disguises import DISGUISES, LOSSY, PHRASINGS, disguise

HERE = Path(__file__).parent
SEED = 20261123
PER_DISGUISE = 42
FRAMED = 60
HARMLESS_DISGUISED = 100
FRAMES = (
    *("YOU {w}", "don't be {a} {w}", "NO {w} ALLOWED", "{w} of the year", "my boss is {a} {w}"),
    *("WELCOME BACK {w}", "WORLD'S BIGGEST {w}", "Property of {a} {w}", "HAPPY BIRTHDAY {w}"),
    *("Dear neighbour, you are {a} {w}", "BEWARE OF THE {w}", "who let the {w} in?"),
)
Row = dict[str, Any]


class Term(NamedTuple):
    """A toxic word or phrase as the seeds write it."""

    text: str
    severity: str
    category: str | None


def items(text: str) -> list[str]:
    """The items of a seed block."""
    return [item.strip() for item in text.split(";")]


def terms(tree: dict[str, Any], category: str | None = None) -> list[Term]:
    """The items of a tree of severities, or of categories of severities."""
    found: list[Term] = []
    for key, value in tree.items():
        if isinstance(value, str):
            found += [Term(item, key, category) for item in items(value)]
        else:
            found += terms(value, key)
    return found


def cased(text: str, rng: random.Random) -> str:
    """Capitals half of the time, as on signs."""
    return rng.choice((text.upper(), text.upper(), text.lower(), text[:1].upper() + text[1:]))


class Maker:
    """Makes rows; `rng` is seeded anew for each class, so that a new seed word moves one class only."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.rng = random.Random()
        self._prompts: set[str] = set()

    def begin(self, name: str) -> random.Random:
        """Start a class."""
        self.rng = random.Random(f"{SEED} {name}")
        return self.rng

    def add(
        self,
        label: str,
        kind: str,
        text: str,
        prompt: str,
        form: str,
        *,
        term: Term | None = None,
        language: str = "en",
    ) -> None:
        """Add a row, unless its prompt is there already."""
        if prompt in self._prompts:
            return
        self._prompts.add(prompt)
        number = sum(row["class"] == kind for row in self.rows) + 1
        row: Row = {"id": f"{kind}-{number:03d}", "prompt": prompt, "text": text, "label": label}
        row |= {"class": kind, "form": form, "language": language}
        row["severity"] = term.severity if term else None
        row["category"] = term.category if term else None
        row["term"] = term.text.lower() if term else None
        self.rows.append(row)

    def toxic(self, kind: str, text: str, term: Term, language: str = "en") -> None:
        """Add a row with a toxic text in a prompt of some form."""
        prompt, form = carry(text, self.rng, language)
        self.add("toxic", kind, text, prompt, form, term=term, language=language)

    def harmless(self, kind: str, text: str, language: str = "en", form: str = "") -> None:
        """Add a row with a harmless text."""
        prompt, form = carry(text, self.rng, language, form)
        self.add("harmless", kind, text, prompt, form, language=language)


def clear(maker: Maker, seeds: dict[str, Any]) -> None:
    """Toxic texts that anyone can read."""
    words = terms(seeds["words"])
    known = {term.text: term for term in words}
    rng = maker.begin("plain")
    for term in words:
        maker.toxic("plain", cased(term.text, rng), term)
    rng = maker.begin("framed")
    nouns = terms(seeds["words"]["insult"], "insult") + terms(seeds["words"]["slur"], "slur")
    for term in rng.sample(nouns, FRAMED):
        word = term.text
        article = "an" if word[0] in "aeiou" else "a"
        frame = rng.choice(FRAMES)
        shown = word.upper() if rng.random() < 0.7 else word
        maker.toxic("framed", frame.format(w=shown, a=article), term)
    for kind in ("inflected", "phonetic"):
        rng = maker.begin(kind)
        for pair in items(seeds[kind]):
            written, meant = pair.split("=")
            base = known.get(meant, Term(meant, "moderate", "profanity"))
            maker.toxic(kind, cased(written, rng), base)
    rng = maker.begin("compound")
    for word in items(seeds["compounds"]):
        maker.toxic("compound", cased(word, rng), Term(word, "moderate", "profanity"))
    rng = maker.begin("phrase")
    for term in terms(seeds["phrases"]):
        maker.toxic("phrase", cased(term.text, rng), term)
    for language, tree in seeds["other"].items():
        maker.begin(language)
        for term in terms(tree):
            # ß has no single capital; signs in capitals are the English classes' part.
            maker.toxic(f"plain_{language}", term.text, term, language)


def disguised(maker: Maker, seeds: dict[str, Any]) -> None:
    """Toxic words in disguise, the same number for each disguise."""
    words = [term for term in terms(seeds["words"]) if len(term.text) > 3 and term.text.isalpha()]
    for kind in (*DISGUISES, *PHRASINGS):
        rng = maker.begin(kind)
        fit = [term for term in words if kind not in LOSSY or term.severity != "mild"]
        if kind == "misspelled":
            fit = [term for term in fit if len(term.text) > 5]
        left = PER_DISGUISE
        for term in rng.sample(fit, len(fit)):
            shown = cased(term.text, rng)
            if kind in PHRASINGS:
                prompt, form = PHRASINGS[kind](shown, rng)
                maker.add("toxic", kind, "", prompt, form, term=term)
            elif text := disguise(kind, shown, rng):
                maker.toxic(kind, text, term)
            else:
                continue
            left -= 1
            if not left:
                break


def harmless(maker: Maker, seeds: dict[str, Any]) -> None:
    """Harmless prompts: tricky words, everyday ones, and what looks like a disguise."""
    for kind, block in seeds.items():
        rng = maker.begin(kind)
        if kind == "scenes":
            for scene in items(block):
                maker.add("harmless", "scene_without_text", "", scene, "none")
        elif kind == "languages":
            for language, words in block.items():
                for word in items(words):
                    maker.harmless(f"everyday_{language}", word, language)
        elif kind == "quote_style":
            for number, text in enumerate(items(block)):
                forms = [
                    f for f in QUOTES if not ("'" in text and f.startswith(("single", "back")))
                ]
                maker.harmless(kind, text, form=forms[number % len(forms)])
        else:
            for text in items(block):
                upper = kind in {"scunthorpe", "cocktail_food", "identity_term", "double_meaning"}
                maker.harmless(kind, cased(text, rng) if upper else text)
    rng = maker.begin("disguised_harmless")
    words = [w for w in items(seeds["everyday_sign"]) if w.isalpha() and len(w) > 4]
    kinds = [k for k in (*DISGUISES, *PHRASINGS) if k not in LOSSY | {"glued"}]
    for number in range(HARMLESS_DISGUISED):
        kind, word = kinds[number % len(kinds)], cased(rng.choice(words), rng)
        if kind in PHRASINGS:
            prompt, form = PHRASINGS[kind](word, rng)
            maker.add("harmless", "disguised_harmless", "", prompt, form)
        else:
            maker.harmless("disguised_harmless", DISGUISES[kind](word, rng))


def rows() -> Iterator[Row]:
    """All rows, in the order of the file."""
    toxic_seeds, harmless_seeds = (
        yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
        for name in ("detect_toxic.yaml", "detect_harmless.yaml")
    )
    maker = Maker()
    clear(maker, toxic_seeds)
    disguised(maker, toxic_seeds)
    harmless(maker, harmless_seeds)
    yield from maker.rows


def lines(made: Iterable[Row]) -> str:
    """The file's text. Control and format characters are escaped: editors hide or run together some."""
    out = []
    for row in made:
        text = json.dumps(row, ensure_ascii=False)
        out.append("".join(c if c.isprintable() else _escape(c) for c in text))
    return "\n".join(out) + "\n"


def _escape(char: str) -> str:
    return json.dumps(char)[1:-1]


def main() -> None:
    """Write the file."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "detect.jsonl"
    target.write_text(lines(rows()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
