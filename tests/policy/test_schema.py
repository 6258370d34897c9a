from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from inkguard.policy import lists, load
from inkguard.policy.imported_lists import COLUMNS
from inkguard.policy.load import default_policy_path, load_policy
from tests.policy.test_load import BAD, BAD_WORDS

if TYPE_CHECKING:
    from tests.policy.conftest import Author

ROOT = default_policy_path().parent
SCHEMA: dict[str, Any] = json.loads((ROOT / "schema.json").read_text(encoding="utf-8"))


class Loader(yaml.SafeLoader):
    """Reads YAML as an editor with a JSON schema does."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regex) for tag, regex in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def data(path: Path) -> Any:
    return _keys(yaml.load(path.read_text(encoding="utf-8"), Loader))


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _keys(inner) for key, inner in value.items()}
    return [_keys(inner) for inner in value] if isinstance(value, list) else value


def part(name: str) -> dict[str, Any]:
    return {**SCHEMA["$defs"][name], "$defs": SCHEMA["$defs"]}


def test_default_policy_fits_the_schema() -> None:
    """The default policy and its files fit the published schema, to which it points editors."""
    policy = data(default_policy_path())
    jsonschema.validate(policy, SCHEMA)
    for name in policy["wordlists"]:
        jsonschema.validate(data(ROOT / name), part("wordlist"))
    jsonschema.validate(data(ROOT / "allow.yaml"), part("allow"))
    jsonschema.validate(data(ROOT / "replacements.yaml"), part("replacements"))
    assert (
        "$schema=schema.json" in default_policy_path().read_text(encoding="utf-8").splitlines()[0]
    )


def test_the_schema_has_the_loaders_keys() -> None:
    """What the loader knows of a policy, a word list and a row is what editors complete."""
    assert set(SCHEMA["properties"]) == load._REQUIRED | load._OPTIONAL
    rule = SCHEMA["$defs"]["wordlist"]["properties"]["rules"]["additionalProperties"]
    assert set(rule["properties"]) == lists._RULE | lists._SHARED
    own = set(SCHEMA["$defs"]["organisationList"]["properties"])
    assert own >= set(COLUMNS) - {"term"}


@pytest.mark.parametrize("said", ["true", "false", "all"])
def test_the_schema_knows_who_may_read(author: Author, said: str) -> None:
    """What the loader takes for `verify` is not underlined in an editor."""
    path = author.more(f"verify: {said}\n")
    load_policy(path)
    jsonschema.validate(data(path), SCHEMA)


# What only the loader can know: other files, names, doubles, and text that is not YAML.
UNSEEN = (
    "such",
    "stands here",
    "named here",
    "extends itself",
    "not YAML",
    "levels",
    "has this name",
)


@pytest.mark.parametrize(
    "more",
    [
        more
        for more, why in BAD
        if not any(word in why for word in (*UNSEEN, "at_most", "a letter"))
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(author: Author, more: str) -> None:
    """Unknown keys, values and types are underlined in an editor too."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data(author.more(more)), SCHEMA)


def test_the_schema_refuses_an_unknown_key_of_a_word_list(author: Author) -> None:
    """As above, for the files that a policy names."""
    (more,) = [more for more, why in BAD_WORDS if "unknown key" in why]
    author.more(more, "words.yaml")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data(author.folder / "words.yaml"), part("wordlist"))
