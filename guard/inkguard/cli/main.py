"""The command `inkguard`."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from inkguard.cli.check import check
from inkguard.cli.evaluate import evaluate
from inkguard.cli.generate import generate
from inkguard.cli.localize import localize
from inkguard.cli.policy import app as policy_commands
from inkguard.errors import GuardError
from inkguard.extras import needs_extra
from inkguard.process import own_process

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "Draw what a prompt asks for, with other words where the words are toxic.\n\n"
        "inkguard finds the text that a prompt wants drawn, checks it against a policy, and feeds "
        "harmless text to the few attention layers that draw letters. Exit codes: 0 done, "
        "1 some input lines failed, 2 a mistake in the call, 3 blocked by the policy."
    ),
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"inkguard {version('inkguard')}")
        raise typer.Exit


@app.callback()
def _common(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    pass


app.command()(check)
app.command()(generate)


@app.command()
def serve(
    config: Annotated[
        Path | None, typer.Option(help="Settings in YAML; docs/reference/settings.md lists them.")
    ] = None,
    allow_unguarded: Annotated[
        bool,
        typer.Option("--allow-unguarded", help="Draw unguarded for whoever asks. For development."),
    ] = False,
) -> None:
    """Run the sidecar: gRPC in front, /metrics for Prometheus, until SIGTERM.

    When it is ready it prints one JSON line that tells its addresses.
    """
    with needs_extra("server", "the sidecar"):
        from inkguard_server.app import serve as run
        from inkguard_server.settings import load_settings

    run(load_settings(config, **({"allow_unguarded": True} if allow_unguarded else {})))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for demo.png and the pictures.")] = Path(
        "out/demo"
    ),
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")] = 20,
) -> None:
    """Start a sidecar, have it draw six prompts unguarded, guarded and swapped, and compare them."""
    from inkguard.cli.demo import run

    run(out, steps)


app.command()(localize)
app.command()(evaluate)
app.add_typer(policy_commands, name="policy")


def main() -> None:
    """Entry point: a user's mistake is one line on standard error and exit code 2, no traceback."""
    own_process()  # before a model library is imported
    try:
        with needs_extra("all", "this command"):
            app()
    except GuardError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"[red]error:[/red] {escape(str(error))}", highlight=False
        )
        sys.exit(2)
