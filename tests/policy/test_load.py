from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from guard.errors import PolicyError
from guard.policy.load import default_policy_path, load_policy
from guard.types import Action

FILES = {
    "policy.yaml": "name: test\nversion: '1'\ncategories: {insult: rude}\nwordlists: [words.yaml]\n"
    "replacements: replacements.yaml\n",
    "words.yaml": "category: insult\nrules:\n  mild:\n    severity: mild\n    action: substitute\n"
    "    terms: [idiot]\n    exact: [shut up]\n",
    "replacements.yaml": "words: {5: [apple]}\nphrases: [look up]\n",
}
BAD = [
    ("policy.yaml", "verify: true\ncolour: red\n", "policy.yaml:7:1: unknown key"),
    ("policy.yaml", "on_error: explode\n", "policy.yaml:6:11: expected one of"),
    ("policy.yaml", "verify: perhaps\n", "policy.yaml:6:9: expected true or false"),
    ("policy.yaml", "name: again\n", "policy.yaml:6:1: this key stands here twice"),
    ("policy.yaml", "allow: nowhere.yaml\n", "policy.yaml:6:8: the file named here"),
    ("policy.yaml", "extraction: [quoted]\n", "policy.yaml:6:13: expected a mapping"),
    ("policy.yaml", "verify: [\n", "policy.yaml:7:1: this is not YAML"),
    (
        "policy.yaml",
        "detoxify:\n  insult: {threshold: 1.5, category: insult, severity: mild, action: flag}\n",
        "policy.yaml:7:23: expected a number from 0 to 1",
    ),
    ("words.yaml", "    stems: [IDIOT]\n", "words.yaml:8:13: this term stands already at"),
    ("words.yaml", "    stems: [no]\n", "words.yaml:8:13: expected a string"),
    ("words.yaml", "    stems: ['!!']\n", "words.yaml:8:13: a term needs a letter"),
    ("words.yaml", "    severe: true\n", "words.yaml:8:5: unknown key"),
]


def write(folder: Path, **more: str) -> Path:
    for name, text in FILES.items():
        (folder / name).write_text(text + more.get(name.partition(".")[0], ""), encoding="utf-8")
    return folder / "policy.yaml"


def test_small_policy(tmp_path: Path) -> None:
    """A small policy loads, with the strict defaults."""
    policy = load_policy(write(tmp_path))
    assert (policy.name, policy.version, len(policy.entries)) == ("test", "1", 2)
    assert policy.on_error is Action.BLOCK
    assert policy.verify
    assert not policy.uses_classifier


@pytest.mark.parametrize(("file", "more", "message"), BAD, ids=map(str, range(len(BAD))))
def test_refused(tmp_path: Path, file: str, more: str, message: str) -> None:
    """What is not understood is refused, with file, line and column, without the value."""
    path = write(tmp_path, **{file.partition(".")[0]: more})
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_toxic_replacement_is_refused(tmp_path: Path) -> None:
    """A replacement that the lists flag themselves is refused."""
    path = write(tmp_path)
    (tmp_path / "replacements.yaml").write_text("words: {5: [idiot]}\nphrases: []\n")
    with pytest.raises(PolicyError, match=r"replacements\.yaml:1:13: the policy's own word lists"):
        load_policy(path)


def test_missing_policy(tmp_path: Path) -> None:
    """A policy that is not there is an error of the policy."""
    with pytest.raises(PolicyError, match=r"none\.yaml:1:1: "):
        load_policy(tmp_path / "none.yaml")


def test_digest_follows_every_file(tmp_path: Path) -> None:
    """Changing a word list changes the policy's digest."""
    before = load_policy(write(tmp_path)).digest
    assert load_policy(write(tmp_path)).digest == before
    assert load_policy(write(tmp_path, words="    stems: [loser]\n")).digest != before


def test_default_policy_fits_the_schema() -> None:
    """The default policy and its files fit the published schema."""
    root = default_policy_path().parent
    schema = json.loads((root / "policy.schema.json").read_text(encoding="utf-8"))
    policy = yaml.safe_load(default_policy_path().read_text(encoding="utf-8"))
    jsonschema.validate(policy, schema)
    kinds = [(name, "wordlist") for name in policy["wordlists"]]
    for name, kind in [*kinds, ("allow.yaml", "allow"), ("replacements.yaml", "replacements")]:
        data = yaml.safe_load((root / name).read_text(encoding="utf-8"))
        if kind == "replacements":
            data["words"] = {str(k): v for k, v in data["words"].items()}
        jsonschema.validate(data, {**schema["$defs"][kind], "$defs": schema["$defs"]})


def test_default_policy() -> None:
    """The default policy has a word for each length from 2 to 12, and rules that hold no term."""
    policy = load_policy()
    assert set(range(2, 13)) <= policy.replacements.words.keys()
    assert len(policy.entries) > 500
    assert all(e.term not in e.rule.partition("/")[2] for e in policy.entries)
