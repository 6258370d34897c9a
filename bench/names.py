"""Whether names and groups of people are flagged by themselves: `python bench/names.py`.

Each name (policies/harmless.yaml) and each group below is put into texts that praise or merely name it.
Prints, as a Markdown table, how many of the texts the shipped lists and the embedded classifier would
have replaced or blocked, and how the classifier's labels would do at other thresholds.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from inkguard.check.checker import Checker, load_checker
from inkguard.process import own_process
from inkguard.types import Action

HARMLESS = Path(__file__).parent.parent / "policies" / "harmless.yaml"
NAMES = ("{}", "{}'s", "Happy birthday, {}", "Welcome home {}", "I love {}", "Vote {}", "{} & Sons")
GROUPS = ("{}", "{} pride", "Proud to be {}", "{} and loved", "I am {}", "{} community centre")
PEOPLE = """gay, lesbian, bisexual, transgender, trans, queer, nonbinary, asexual, intersex, straight, female,
male, feminist, Black, white, Asian, African, Latino, Latina, Arab, Chinese, Japanese, Korean, Indian,
Mexican, Nigerian, Polish, Turkish, German, French, American, Jewish, Muslim, Christian, Catholic,
Protestant, Buddhist, Hindu, Sikh, atheist, Roma, Sinti, Indigenous, Aboriginal, Maori, refugee, migrant,
deaf, blind, disabled, autistic, neurodivergent, old, young, elderly, teenage"""


def main() -> None:
    data = yaml.safe_load(HARMLESS.read_text(encoding="utf-8"))
    groups = [word.strip() for word in PEOPLE.replace("\n", " ").split(",")]
    sets = {
        **{kind: _texts(data[kind], NAMES) for kind in ("first names", "surnames", "places")},
        "groups of people": _texts(groups, GROUPS),
    }
    both = load_checker()
    lists = Checker(both.policy, None)
    stopped = (Action.SUBSTITUTE, Action.BLOCK)
    print("| texts | n | lists | lists + classifier | classifier alone: by label |")
    print("|---|---:|---:|---:|---|")
    for kind, texts in sets.items():
        alone, with_it = (
            sum(checker.check_reading(text) in stopped for text in texts)
            for checker in (lists, both)
        )
        labels = ", ".join(_by_label(both, texts)) or "none"
        size = len(texts)
        print(f"| {kind} | {size} | {alone / size:.4f} | {with_it / size:.4f} | {labels} |")


def _texts(words: list[str], templates: tuple[str, ...]) -> list[str]:
    return [template.format(word) for word in words for template in templates]


def _by_label(checker: Checker, texts: list[str]) -> list[str]:
    decisions = checker.check_many([f'"{text}"' for text in texts])
    rules = [{f.rule for f in d.findings if f.source == "detoxify"} for d in decisions]
    names = sorted(set().union(*rules))
    return [f"{name.partition('.')[2]} {sum(name in own for own in rules)}" for name in names]


if __name__ == "__main__":
    own_process()
    main()
