"""A policy as one policy file: whatever it says, the file says it too, and loads to the same policy."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inkguard.policy.effective import effective
from inkguard.policy.load import load_policy
from inkguard.policy.model import Policy
from inkguard.policy.rules import Condition, PolicyException, Rule, ScoreRange
from inkguard.policy.schema import (
    Extraction,
    Lint,
    OnError,
    PolicyFile,
    PolicyTest,
    ReplacementLists,
    Strategy,
    TermGroup,
    Threshold,
    WholePrompt,
    WordList,
)

FULL: dict[str, Any] = {
    "apiVersion": "inkguard/v1",
    "name": "full",
    "version": "7",
    "categories": {"insult": "rude", "slur": "hateful"},
    "wordlists": [
        {
            "category": "insult",
            "locale": "en",
            "rules": {
                "mild": {
                    **{"severity": "moderate", "action": "block", "locale": "de"},
                    **{"everywhere": True, "misspelled": False, "terms": ["idiot"]},
                    **{"exact": ["shut up"], "stems": ["doofus"], "patterns": ["x+y"]},
                }
            },
        },
        {
            "category": "slur",
            "rules": {"s": {"severity": "mild", "action": "flag", "terms": ["rotter"]}},
        },
    ],
    "replacements": {
        "words": {5: ["apple"], 6: ["garden"]},
        "phrases": ["look up"],
        "strategy": {"use": "mask", "glyph": "#"},
        "categories": {"slur": {"use": "fixed", "words": ["be kind"]}},
    },
    "allow": {"brands": ["Idiot Juice"]},
    "compound_parts": ["mega"],
    "detoxify": {
        "insult": {"threshold": 0.5, "category": "slur", "severity": "severe", "action": "flag"}
    },
    "match": "strictest",
    "rules": [
        {
            "name": "r",
            "when": {
                **{"category": "insult", "severity": ["mild", "severe"], "source": "joined"},
                **{"span": ["quoted", "outside"], "locale": "de"},
                "score": {"at_least": 0.25, "at_most": 0.75},
            },
            "action": "flag",
        }
    ],
    "exceptions": [
        {
            **{"name": "x", "owner": "o", "reason": "r", "expires": "2999-01-01"},
            **{"action": "flag", "text": "The Idiot", "rule": "insult.mild"},
        }
    ],
    "extraction": {"quoted": False, "unquoted": False},
    "whole_prompt": {"check": False, "classifier": True, "strictest": "block"},
    "on_error": {"extract": "flag", "lists": "allow", "classifier": "flag", "verify": "allow"},
    "verify": "all",
    "mode": "shadow",
    "tests": [{"prompt": "p", "action": "block", "category": "insult", "rule": "insult.mild"}],
    "lint": {"may_hit": ["Essex"]},
}
"""Every key of every section, with another value than the one that it has where it is left out."""
MODELS = (
    *(PolicyFile, WordList, TermGroup, ReplacementLists, Strategy, Threshold, Rule, Condition),
    *(ScoreRange, PolicyException, Extraction, WholePrompt, OnError, PolicyTest, Lint),
)
ELSEWHERE = {"extends"}
"""What is said of files, which `effective` has put together."""


def loaded(folder: Path, data: dict[str, Any]) -> Policy:
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return load_policy(path)


def same(one: Policy, other: Policy) -> bool:
    """Whether two policies say the same; their digests are those of other files."""
    return one == replace(other, digest=one.digest)


def keys(data: Any) -> set[str]:
    """All keys of plain data, at any depth."""
    if isinstance(data, list):
        return set().union(*map(keys, data))
    if not isinstance(data, dict):
        return set()
    return {str(key) for key in data} | set().union(*map(keys, data.values()))


def test_the_full_policy_is_full() -> None:
    """It has every key of every model, so that a new key has to be written into it."""
    missing = {f.alias or k for model in MODELS for k, f in model.model_fields.items()}
    assert missing - keys(FULL) == ELSEWHERE


def test_every_key_is_shown_and_loads_back(tmp_path: Path) -> None:
    """Nothing that differs from what holds where a key is left out gets lost."""
    policy = loaded(tmp_path, FULL)
    shown = effective(policy)
    assert keys(shown) >= keys(FULL) - {"brands"}
    again = loaded(tmp_path, shown)
    assert same(policy, again)
    assert effective(again) == shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.sampled_from(sorted(FULL.keys() - {"apiVersion", "name", "version"}))))
def test_any_part_loads_back(tmp_path: Path, left_out: set[str]) -> None:
    """Whichever keys are there, what is shown is the same policy."""
    needed = {"categories", "wordlists", "replacements"}
    data = {key: value for key, value in FULL.items() if key not in left_out - needed}
    policy = loaded(tmp_path, data)
    assert same(policy, loaded(tmp_path, effective(policy)))


def test_the_shipped_policy_loads_back(tmp_path: Path, default: Policy) -> None:
    """All lists in place of their files: the same terms, with the same ids."""
    again = loaded(tmp_path, effective(default))
    assert {(t.rule, t.term) for t in again.terms} == {(t.rule, t.term) for t in default.terms}
    parts = {"terms": (), "patterns": (), "digest": "", "allow": ()}
    assert replace(again, **parts) == replace(default, **parts)  # type: ignore[arg-type]
    assert set(again.allow) == set(default.allow)


def test_terms_are_counted(tmp_path: Path) -> None:
    """Unless they are asked for, what is shown holds no term, no allowed word and no test."""
    shown = str(effective(loaded(tmp_path, FULL), terms=False)).casefold()
    for word in ("shut up", "doofus", "juice", "mega", "apple", "essex", "rotter", "'p'"):
        assert word not in shown
    assert effective(loaded(tmp_path, FULL), terms=False)["tests"] == 1


def test_rows_that_differ_get_a_rule_of_their_own(tmp_path: Path) -> None:
    """A list of an organisation may treat single terms otherwise; a word list's rule may not."""
    (tmp_path / "house.csv").write_text("term,action,match\nrotter,,\ncad,block,exact\n")
    spec = {"file": "house.csv", "category": "insult", "severity": "mild", "action": "flag"}
    policy = loaded(tmp_path, {**FULL, "wordlists": [*FULL["wordlists"][:1], spec], "rules": []})
    rules = effective(policy)["wordlists"][0]["rules"]
    assert rules["house"] == {"severity": "mild", "action": "flag", "terms": ["rotter"]}
    assert rules["house_mild_block"]["exact"] == ["cad"]


def test_dates_stay_dates(tmp_path: Path) -> None:
    """An exception's last day, as text, is read as the day."""
    policy = loaded(tmp_path, effective(loaded(tmp_path, FULL)))
    assert policy.exceptions[0].expires == datetime.date(2999, 1, 1)


@pytest.mark.parametrize("key", sorted(k for k in FULL if k not in ("apiVersion", "allow")))
def test_a_policy_has_its_files_keys(key: str) -> None:
    """What a policy file says of a key is what the policy has under that name, but for lists."""
    assert key in {*Policy.__dataclass_fields__, "wordlists"}
