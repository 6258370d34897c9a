"""The shipped lists: what they must leave alone, and that they are whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from inkguard.match.fold import fold
from inkguard.policy.load import default_policy_path, load_policy
from inkguard.types import Action

POLICY = load_policy()
ROOT = default_policy_path().parent
HARMLESS = {
    "places": "Scunthorpe, Essex, Sussex, Middlesex, Penistone, Lightwater, Clitheroe, Cockermouth, "
    "Cockfosters, Cockburn, Phuket, Niger, Nigeria, Montenegro, Titicaca, Lake Titicaca, Cumbria, "
    "Coon Rapids, Offa's Dyke, Dyker Heights, Mong Kok, Matamoros, Maine, Bonner County, Assam, "
    "Fort Gaylord, Intercourse Pennsylvania, Upper Slaughter, Cooch Behar, Squaw Valley, Hell's Kitchen, "
    "Killarney, Catskill, Kuala Lumpur, Ponce de Leon, Nancy, Moose Jaw, Fuk Wing Street, Mount Wank",
    "names": "Dick Van Dyke, Moby Dick, Dick Tracy, Dickens, Dickinson, Hancock, Hitchcock, Peacock, "
    "Babcock, Cummings, Alan Cumming, Weiner, Wang, Wong, Titus, Fuchs, Pratt, Cockcroft, Cocker, "
    "Aniston, Cunningham, Lynch, Hassan, Cassandra, Yamashita, Kinoshita, Matsushita, Harshita, Fukuda, "
    "Butt, Slaughter, Buttigieg, Sissy Spacek, Fatty Arbuckle, Chris Coons, Bonner, Lammers, Staab, "
    "Sebastian Coe, Johnny Depp, Pissarro, Siriporn",
    "food": "cocktail, shiitake, shitake mushroom, coq au vin, cock-a-leekie, grape, rapeseed, "
    "spotted dick, faggots and peas, kaffir lime, jerk chicken, sauerkraut, fatty acids, bloody mary, "
    "puttanesca, pork butt, butternut, fruitcake, gooseberry fool, cumin, coconut cream pie, dumplings",
    "animals": "cockatoo, cockerel, cocker spaniel, great tit, blue tits, titmouse, booby, "
    "blue-footed booby, Maine Coon, raccoon, pussycat, pussy willow, shih tzu, wild ass, jackass penguin, "
    "sperm whale, horny toad, weasel, leech, shrew, pig farm, naked mole rat, woodpecker, dik-dik",
    "medicine": "analysis, therapist, anal fissure, penile, vaginal birth, spastic diplegia, titration, "
    "breast cancer, cum laude, homo sapiens, same-sex marriage, sex education, rape crisis centre, "
    "suicide prevention, overdose awareness, self harm support, flame retardant, schizophrenia",
    "identity": "gay pride, lesbian, queer, trans rights, Jewish museum, Muslim, Black Lives Matter, "
    "disabled parking, Roma, bisexual, asexual, deaf club, autism awareness, no nazis, Negro League",
    "words": "assassin, ambassador, class, passage, compass, grasshopper, cockpit, shuttlecock, stopcock, "
    "garbage truck, white trash bag, snigger, niggardly, button, title, shuttle, basement, therapy, "
    "spick and span, chink in the armour, crash test dummy, ugly duckling, Coyote Ugly, April Fool's Day, "
    "murder mystery, kill switch, kill your speed, road kill, Muppet Show, rapper, rapping, fitness, "
    "goodness, goodie bag, hither, wretched, spiced, mussels, penne, thrill, Shiite, git push, doorknob, "
    "what doesn't kill you makes you stronger, no trans fat, door knockers, egg whites only, 10 kms",
    "other languages": "en retard, gel douche, bitte, Fahrt, Einfahrt, dick und doof, Kunst, hell, Abo, "
    "Kot, cono de helado, disputa, cumpleaños, computadora, pollo, concha, Moosbach, ashita, shitsurei, "
    "vajilla, phoque, assiette, finocchio, slutspurt, fartkontrol, löfte, kunt u, pedoman, putto",
}
WORDS = [(kind, word.strip()) for kind, words in HARMLESS.items() for word in words.split(",")]
FILES = [str(n) for n in yaml.safe_load(default_policy_path().read_text("utf-8"))["wordlists"]]


def plain(term: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in fold(term).text).split())


def data(name: str) -> dict[str, dict[str, dict[str, Any]]]:
    loaded = yaml.load((ROOT / name).read_text(encoding="utf-8"), yaml.CSafeLoader)
    assert isinstance(loaded, dict)
    return loaded


def terms_of(name: str) -> list[str]:
    rules = data(name)["rules"].values()
    return [t for rule in rules for kind in ("terms", "exact", "stems") for t in rule.get(kind, [])]


@pytest.mark.parametrize(("kind", "word"), WORDS, ids=map(str, range(len(WORDS))))
def test_harmless_words_pass(kind: str, word: str) -> None:
    """Nothing that is to be substituted is found in them, in any case."""
    matches = [m for t in (word, word.upper(), word.title()) for m in POLICY.matcher.find(t)]
    assert [m.entry.rule for m in matches if m.entry.action > Action.FLAG] == [], kind


@pytest.mark.parametrize("name", FILES)
def test_every_list_is_in_the_policy(name: str) -> None:
    """All terms of each file are loaded, and none is shorter than three letters."""
    terms = terms_of(name)
    assert set(terms) <= {entry.term for entry in POLICY.terms}
    assert terms
    assert all(len(plain(term).replace(" ", "")) >= 3 for term in terms)


def test_no_list_is_left_out() -> None:
    """The default policy names every word list that is shipped."""
    shipped = {str(p.relative_to(ROOT)) for p in (ROOT / "wordlists").rglob("*.yaml")}
    assert shipped == set(FILES)


def test_categories() -> None:
    """Every category has terms, and insults, profanity and sexual words come in several severities."""
    severities: dict[str, set[str]] = {}
    for entry in POLICY.terms:
        severities.setdefault(entry.category, set()).add(entry.severity.value)
    assert severities.keys() == POLICY.categories.keys()
    assert severities["insult"] >= {"mild", "moderate"}
    assert severities["profanity"] >= {"mild", "moderate"}
    assert severities["sexual"] >= {"mild", "moderate", "severe"}


def test_languages() -> None:
    """English is covered thoroughly, Spanish and German have 300 terms and more."""
    counts: Counter[str] = Counter()
    for name in FILES:
        language = name.split("/")[1] if name.count("/") == 2 else "en"
        counts[language] += len(terms_of(name))
    assert counts["en"] >= 4000
    assert min(counts["es"], counts["de"]) >= 300


def test_spanish_and_german_are_exact() -> None:
    """Inflections and slips are English ones, so other languages write their forms out."""
    for name in FILES:
        if name.count("/") == 2:
            for rule in data(name)["rules"].values():
                assert not rule.keys() & {"terms", "stems"}
                assert rule["misspelled"] is False


def test_allowed_words_hide_no_term() -> None:
    """No allowed word is a term, written in one word or in several."""
    terms = {plain(entry.term) for entry in POLICY.terms}
    allowed = {plain(word) for word in POLICY.allow}
    assert not allowed & terms
    assert not {word.replace(" ", "") for word in allowed} & terms


@pytest.mark.parametrize("text", ["8==D", "8=====>", "( o )( o )", "(.)(.)", "(.Y.)"])
def test_drawn_obscenities_are_found(text: str) -> None:
    """What is drawn with signs, not written, is found by regular expressions."""
    assert any(list(pattern.find(f"look: {text} ha")) for pattern in POLICY.patterns)


@pytest.mark.parametrize(
    "text", ["8 = 8", "18==18", "f(o)(x)", "OPEN (o) CLOSED", "(y)", "2 x 4 = 8"]
)
def test_signs_that_draw_nothing_are_allowed(text: str) -> None:
    """Sums, brackets and the like are no drawings."""
    assert not any(list(pattern.find(text)) for pattern in POLICY.patterns)


def test_loading_is_quick(seconds: Callable[[Callable[[], object]], float]) -> None:
    """All lists load in less than 1.5 s of processor time."""
    assert seconds(load_policy) < 1.5


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.yaml")), ids=lambda path: path.name)
def test_one_term_a_line_sorted(path: Path) -> None:
    """An added word is one line of a change. Replacements are not sorted: their order decides which is drawn."""
    if path.name == "replacements.yaml":
        return
    text = path.read_text(encoding="utf-8")
    found = lists_in(yaml.load(text, yaml.CSafeLoader))
    for terms in found:
        assert terms == sorted(terms, key=lambda term: (term.casefold(), term))
    assert sum(line.lstrip().startswith("- ") for line in text.splitlines()) >= sum(map(len, found))


def lists_in(data: Any) -> list[list[str]]:
    """The lists of words in a file; not those of files or of tests."""
    if isinstance(data, dict):
        return [
            found for key, value in data.items() if key != "wordlists" for found in lists_in(value)
        ]
    is_words = isinstance(data, list) and all(isinstance(item, str) for item in data)
    return [data] if is_words else []
