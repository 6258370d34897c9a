"""`inkguard policy ...` as a user calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.testing import CliRunner

from inkguard.cli.main import app

if TYPE_CHECKING:
    from click.testing import Result

TESTS = """tests:
  - {prompt: 'a sign that says "IDIOT"', action: substitute, category: insult, rule: insult.mild}
  - {prompt: 'a sign that says "HELLO"', action: allow}
"""
"""Two tests that hold, to be written at the end of a policy."""


def call(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["policy", *map(str, arguments)])
    assert result.exit_code == code, (result.output, result.exception)
    return result
