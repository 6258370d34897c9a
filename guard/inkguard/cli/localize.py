"""The command `inkguard localize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inkguard.dtypes import DTYPES
from inkguard.localize.options import Options

__all__ = ["localize"]

_INTERRUPTED = 130


def localize(
    out: Annotated[Path, typer.Option(help="Folder for the results; a killed run goes on there.")],
    model: Annotated[
        str,
        typer.Option(help="An embedded model's name, a diffusers folder, or ORG/NAME on the hub."),
    ] = "sd3-tiny",
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="Words or prompts, one a line, or JSON lines. [default: the synthetic world's]"
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Pairs of prompt and donor. [default: 24; with --prompts all lines]"
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Pictures of each pair.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the choice of words.")] = 77,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")] = 20,
    start_steps: Annotated[
        str | None,
        typer.Option(
            help="Steps at which the chosen sites begin, as 0,1,2. [default: 0, 5, 10 and 20 %]"
        ),
    ] = None,
    within: Annotated[
        float, typer.Option(min=0, max=1, help="How near to whole-prompt swap is good enough.")
    ] = 0.03,
    max_sites: Annotated[int, typer.Option(min=1, help="Largest set of sites.")] = 3,
    candidates: Annotated[
        int, typer.Option(min=1, help="How many of the best sites are tried at each growth.")
    ] = 8,
    sites: Annotated[
        str | None, typer.Option(help="Take these sites, as 4,5, whatever is measured.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures drawn at once.")] = 8,
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, cuda:1, mps.")] = (
        "cpu"
    ),
    dtype: Annotated[str, typer.Option(help=f"Number type: {', '.join(DTYPES)}.")] = "float32",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="In pixels.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="In pixels.")] = None,
    guidance: Annotated[float | None, typer.Option(min=0, max=100, help="Guidance scale.")] = None,
    max_sequence_length: Annotated[
        int | None, typer.Option(min=1, help="Text tokens (T5), where the pipeline takes it.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Pairs whose pictures are kept.")] = 6,
) -> None:
    """Find the attention layers that draw letters, and write their manifest and a report.

    Activation patching: for every site alone, then for growing sets, pictures are drawn in which
    only those sites read another text; OCR says whose text is drawn. Give the same command again
    after a kill, and it goes on.
    """
    options = Options(
        out=out,
        model=model,
        prompts=prompts,
        pairs=pairs,
        seeds=seeds,
        seed=seed,
        steps=steps,
        start_steps=start_steps,
        within=within,
        max_sites=max_sites,
        candidates=candidates,
        sites=sites,
        batch=batch,
        device=device,
        dtype=dtype,
        threads=threads,
        height=height,
        width=width,
        guidance=guidance,
        max_sequence_length=max_sequence_length,
        examples=examples,
    )
    from inkguard.localize.run import run

    try:
        run(options)
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {out / 'results.jsonl'}", err=True)
        raise typer.Exit(_INTERRUPTED) from None
