"""`inkguard policy ...`: what authors of policies need to see before and after an edit."""

from __future__ import annotations

import typer

from inkguard.cli.policy.diff import diff
from inkguard.cli.policy.explain import explain
from inkguard.cli.policy.import_ import import_
from inkguard.cli.policy.lint import lint
from inkguard.cli.policy.schema import schema
from inkguard.cli.policy.show import show
from inkguard.cli.policy.testing import run_tests

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help=(
        "Write policies: check them, try them, and see what an edit changes.\n\n"
        "Exit codes: 0 fine, 1 something was found, a test failed or decisions differ, "
        "2 a mistake in the call or in a policy."
    ),
)
app.command()(show)
app.command()(lint)
app.command("test")(run_tests)
app.command()(explain)
app.command()(diff)
app.command("import")(import_)
app.command()(schema)
