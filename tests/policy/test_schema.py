from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from inkguard.policy.imported_lists import COLUMNS
from inkguard.policy.json_schema import schema_of
from inkguard.policy.load import default_policy_path, load_policy
from inkguard.policy.schema import PolicyFile
from tests.policy.test_load import BAD, BAD_WORDS
from tools.policy_page import PAGE, policy_page, schema_files

if TYPE_CHECKING:
    from tests.policy.conftest import Author

ROOT = default_policy_path().parent
SCHEMA = schema_of("policy")


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


def test_the_shipped_files_fit_their_schemas() -> None:
    """The default policy and its files fit the schemas, to which they point editors."""
    policy = data(default_policy_path())
    jsonschema.validate(policy, SCHEMA)
    for name in policy["wordlists"]:
        jsonschema.validate(data(ROOT / name), schema_of("words"))
    jsonschema.validate(data(ROOT / "allow.yaml"), schema_of("allow"))
    jsonschema.validate(data(ROOT / "replacements.yaml"), schema_of("replacements"))


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.yaml")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_shipped_files_name_their_schema(path: Path) -> None:
    """An editor finds it by the first line, which names a file that is there."""
    first = path.read_text(encoding="utf-8").splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert name != first
    assert json.loads((path.parent / name).read_text(encoding="utf-8"))["$schema"]


def test_schemas_are_current() -> None:
    """The schemas in policies/ are those that the models make: `python -m tools.policy_page`."""
    for path, text in schema_files().items():
        assert path.read_text(encoding="utf-8") == text, path.name


def test_the_page_of_keys_is_current() -> None:
    """So is docs/reference/policy-keys.md."""
    assert PAGE.read_text(encoding="utf-8") == policy_page()


def test_the_schema_has_every_key() -> None:
    """What the loader knows of a policy, a word list and a row is what editors complete."""
    assert set(SCHEMA["properties"]) == {f.alias or k for k, f in PolicyFile.model_fields.items()}
    assert set(SCHEMA["$defs"]["OrganisationList"]["properties"]) >= set(COLUMNS) - {"term"}
    described = [SCHEMA, *SCHEMA["$defs"].values()]
    for part in described:
        assert all(
            key.keys() & {"description", "$ref"} for key in part.get("properties", {}).values()
        )


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
        jsonschema.validate(data(author.folder / "words.yaml"), schema_of("words"))
