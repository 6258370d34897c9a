"""`inkguard policy schema`: JSON schemas, with which editors complete and underline."""

from __future__ import annotations

from typing import Annotated

import typer

from inkguard.policy.json_schema import KINDS, schema_text
from inkguard.policy.schema_types import meant

__all__ = ["schema"]


def schema(
    kind: Annotated[
        str, typer.Argument(help=f"Of which file: {', '.join(KINDS)}.", show_default=True)
    ] = "policy",
) -> None:
    """Print the JSON schema of policies, or of the YAML lists that they name.

    Write it into a file, and name it in the first line of yours:
    # yaml-language-server: $schema=policy.schema.json
    """
    if kind not in KINDS:
        raise typer.BadParameter(meant(kind, KINDS, "expected one of"))
    print(schema_text(kind), end="")
