"""JSON schemas of the policy language, for editors: made from `inkguard.policy.schema`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from inkguard.policy.schema import AllowGroups, PolicyFile, ReplacementLists, WordList

__all__ = ["KINDS", "schema_of", "schema_text"]

KINDS: dict[str, type[BaseModel]] = {
    "policy": PolicyFile,
    "words": WordList,
    "allow": AllowGroups,
    "replacements": ReplacementLists,
}
"""The kinds of YAML files: policies, word lists, allow-lists and replacements."""


class _Plain(GenerateJsonSchema):
    """Without a title for every key, which says nothing that the key does not."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of a kind of file, one of `KINDS`."""
    made = KINDS[kind].model_json_schema(schema_generator=_Plain)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"inkguard-v1-{kind}.json",
        "title": f"inkguard {kind}, inkguard/v1",
    }
    return {**head, **{key: value for key, value in made.items() if key not in head}}


def schema_text(kind: str) -> str:
    """The schema as it stands in a file."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"
