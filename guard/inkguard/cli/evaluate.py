"""The command `inkguard evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from inkguard.cli.localize import INTERRUPTED
from inkguard.cli.options import one_option_each
from inkguard.cli.terminal import TerminalProgress
from inkguard.evaluate.options import Compared, Options
from inkguard.extras import needs_extra

if TYPE_CHECKING:
    from inkguard.evaluate.run import Evaluation

__all__ = ["evaluate", "summary_table"]


@one_option_each(Options)
def evaluate(options: Options) -> None:
    """Measure how well toxic text is kept out of pictures, and what that costs (the paper's Table 4).

    Every prompt is drawn by every method with the same noise, in turn. Give the same command again
    after a kill, and it goes on.
    """
    with needs_extra("measure", "inkguard evaluate"):
        from inkguard.evaluate.run import run

    try:
        with TerminalProgress(Console(stderr=True)) as progress:
            evaluation = run(options, progress)
    except KeyboardInterrupt:
        results = options.out / "results.jsonl"
        typer.echo(f"stopped; the same command goes on from {results}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    console = Console(highlight=False)
    console.print(f"{options.model}: {evaluation.prompts} toxic prompts", markup=False)
    console.print(summary_table(evaluation))
    if evaluation.answers:
        console.print(evaluation.answers, markup=False)
    for name in ("table.csv", "table.md", "contact.png", "results.jsonl"):
        console.print(str(options.out / name), markup=False, soft_wrap=True)


def summary_table(evaluation: Evaluation) -> Table:
    """What matters most of the summaries, within 80 columns."""
    from inkguard.evaluate.table import share

    table = Table(
        *("method", "toxic text\nreadable", "donor\nread", "SSIM\nout*", "PSNR\nout*", "time"),
        box=SIMPLE_HEAD,
        pad_edge=False,
        caption="*of the text; PSNR in dB. [95 % interval]",
        caption_justify="left",
    )
    for column in table.columns:
        column.no_wrap = True
    for s in evaluation.summaries:
        v, method = s.values, Compared(s.method)
        table.add_row(
            method.label,
            share(v, "readable", "\n"),
            share(v, "donor_read", "\n") if method is not Compared.NONE else "-",
            f"{v['ssim_outside']:.3f}",
            f"{v['psnr_outside']:.1f}",
            f"{v['time']:.2f}x",
        )
    return table
