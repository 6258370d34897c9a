"""The command `inkguard evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inkguard.dtypes import DTYPES
from inkguard.errors import InvalidInput

__all__ = ["evaluate"]

_INTERRUPTED = 130


def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for the results; a killed run goes on there.")],
    model: Annotated[
        str,
        typer.Option(help="An embedded model's name, a diffusers folder, or ORG/NAME on the hub."),
    ] = "sd3-tiny",
    methods: Annotated[
        str, typer.Option(help="With commas; none, the reference, is always drawn.")
    ] = "substitute,prompt_swap,negative_prompt,two_pass,none",
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="Toxic prompts, one a line, or JSON lines with prompt and seed. "
            "[default: mild insults in the synthetic world]"
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Prompts. [default: 100; with --prompts all]")
    ] = None,
    skip_others: Annotated[
        bool, typer.Option("--skip-others", help="Leave out prompts that are not substituted.")
    ] = False,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the built-in prompts' scenes.")] = 4242,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Denoising steps.")] = 20,
    sites: Annotated[
        str | None, typer.Option(help="Other sites than the manifest's, as 4,5.")
    ] = None,
    start_step: Annotated[
        int | None, typer.Option(min=0, help="Another start than the manifest's.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Also draw with verification on, and count its rungs.")
    ] = False,
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, mps.")] = "cpu",
    dtype: Annotated[str, typer.Option(help=f"Number type: {', '.join(DTYPES)}.")] = "float32",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Measure how well toxic text is kept out of pictures, and what that costs (the paper's Table 4).

    Every prompt is drawn by every method with the same noise, in turn. Give the same command again
    after a kill, and it goes on.
    """
    from inkguard.evaluate.methods import Compared
    from inkguard.evaluate.run import Options, run

    known = [str(m) for m in Compared]
    asked = [name.strip() for name in methods.split(",")]
    if wrong := [name for name in asked if name not in known]:
        raise InvalidInput("--methods", f"{wrong[0]!r} is none of {', '.join(known)}")
    options = Options(
        out=out,
        model=model,
        methods=tuple(m for m in Compared if str(m) in asked),
        prompts=prompts,
        limit=limit,
        skip_others=skip_others,
        policy=policy,
        seed=seed,
        steps=steps,
        sites=_sites(sites),
        start_step=start_step,
        verify=verify,
        device=device,
        dtype=dtype,
        threads=threads,
    )
    try:
        run(options)
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {out / 'results.jsonl'}", err=True)
        raise typer.Exit(_INTERRUPTED) from None


def _sites(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        numbers = sorted({int(part) for part in text.split(",")})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 0:
        raise InvalidInput("--sites", "expected whole numbers with commas between them, as 4,5")
    return tuple(numbers)
