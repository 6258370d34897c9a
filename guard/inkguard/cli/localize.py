"""The command `inkguard localize`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from inkguard.cli.options import one_option_each
from inkguard.cli.terminal import TerminalProgress
from inkguard.extras import needs_extra
from inkguard.localize.options import Options

if TYPE_CHECKING:
    from inkguard.localize.plan import LocalizationResult

__all__ = ["INTERRUPTED", "localize", "result_table"]

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it."""


@one_option_each(Options)
def localize(options: Options) -> None:
    """Find the attention layers that draw letters, and write their manifest and a report.

    Activation patching: for every site alone, then for growing sets, pictures are drawn in which
    only those sites read another text; OCR says whose text is drawn. Give the same command again
    after a kill, and it goes on.
    """
    with needs_extra("measure", "inkguard localize"):
        from inkguard.localize.run import run

    try:
        with TerminalProgress(Console(stderr=True)) as progress:
            result = run(options, progress)
    except KeyboardInterrupt:
        results = options.out / "results.jsonl"
        typer.echo(f"stopped; the same command goes on from {results}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _show(options, result)


def _show(options: Options, result: LocalizationResult) -> None:
    from inkguard.manifests.manifest import FILE_NAME

    console = Console(highlight=False)
    console.print(result_table(result))
    if not result.choice.reached:
        console.print(
            "[yellow]goal missed[/yellow]: "
            + (
                "the sites given read the donor's text worse than the bound asks"
                if result.search.override is not None
                else f"no set of up to {result.search.max_sites} sites reads the donor's text "
                f"within {result.search.within:g} of swapping the whole prompt"
            )
        )
    for name in ("report.html", "report.png", "sites.csv", "manifest.yaml"):
        console.print(str(options.out / name), markup=False, soft_wrap=True)
    if result.installed is not None:
        told = f"installed: the guard finds these sites in {result.installed}"
    elif options.install:
        told = "not installed, since the goal was missed: a guard would refuse such a manifest"
    elif not result.choice.reached:
        told = "A guard refuses such a manifest unless it is asked for with --unreached"
    else:
        told = (
            f"To guard the model with these sites, give the same command with --install, or copy "
            f"manifest.yaml into the model's folder as {FILE_NAME}"
        )
    console.print(told, markup=False, soft_wrap=True)


def result_table(result: LocalizationResult) -> Table:
    """`shown_patches` with what is read and what is kept, within 80 columns."""
    from inkguard.localize.patch import NONE
    from inkguard.localize.table import shown_patches

    table = Table(
        Column("donor text at", overflow="fold"),
        "share",
        "donor\nread",
        "exact",
        "source\nread",
        "MSE\nout*",
        "SSIM\nout",
        "SSIM\nin",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
        caption="read: OCR similarity. out, in: of the text. *x 1000",
        caption_justify="left",
    )
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for patch in shown_patches(result):
        score, chosen = result.scores[patch], patch == result.final
        every = len(patch.sites) == len(result.sites) > 1
        name = f"all {len(result.sites)} sites" if every else patch.key
        name = "unpatched" if patch == NONE else name
        table.add_row(
            f"{name}{' <- chosen' if chosen else ''}",
            "" if not patch.sites else f"{result.share(patch.sites):.1%}",
            f"{score['donor_similarity']:.3f}",
            f"{score['donor_exact']:.3f}",
            f"{score['source_similarity']:.3f}",
            f"{score.change * 1e3:.2f}",
            f"{score['ssim_outside']:.3f}",
            f"{score['ssim_inside']:.3f}",
            style="bold green" if chosen else None,
        )
    return table
