"""The command `inkguard generate`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from inkguard.cli import jsonl
from inkguard.cli.backend import Backend, Local, Remote
from inkguard.cli.options import PromptOptions, one_option_each
from inkguard.cli.terminal import drawing, show_decision, waiting
from inkguard.errors import GuardError
from inkguard.measure.options import Dtype
from inkguard.types import LIMITS, Method, Request, Result

__all__ = ["BLOCKED", "bad_line", "generate"]

BLOCKED = 3
"""Exit code for a prompt that the policy blocks."""
_KEYS = ("id", "prompt", "seed", "out")
_LOCAL = {
    "device": "its settings say where the model runs",
    "dtype": "its settings name the number type",
    "negative_prompt": "its requests have no negative prompt",
    "unreached": "its settings decide that",
}
"""Options that a sidecar does not take, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(PromptOptions):
    """What to draw, and how. Raises BadParameter, also for what a sidecar cannot be asked for."""

    out: Annotated[
        Path, typer.Option(help="Where the PNG goes; several pictures are numbered: out-1.png.")
    ] = Path("out.png")
    seed: Annotated[
        int,
        typer.Option(min=0, help="The same seed draws the same picture; the next has the next."),
    ] = 0
    steps: Annotated[int, typer.Option(min=1, max=LIMITS.steps, help="Denoising steps.")] = 20
    pictures: Annotated[
        int, typer.Option(min=1, max=LIMITS.pictures, help="Pictures of each prompt.")
    ] = 1
    width: Annotated[
        int | None, typer.Option(min=1, help="In pixels. (default: the model's own)")
    ] = None
    height: Annotated[
        int | None, typer.Option(min=1, help="In pixels. (default: the model's own)")
    ] = None
    guidance: Annotated[
        float | None,
        typer.Option(
            min=0, max=LIMITS.guidance_scale, help="Guidance scale. (default: the model's own)"
        ),
    ] = None
    negative_prompt: Annotated[
        str | None, typer.Option(help="What the picture is drawn away from.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            help="An embedded model's name, or a diffusers folder; with --server one of its models. "
            "(default: sd3-tiny, or the server's)"
        ),
    ] = None
    device: Annotated[
        str | None, typer.Option(help="Where the model runs: cpu, cuda, mps. (default: cpu)")
    ] = None
    dtype: Annotated[Dtype | None, typer.Option(help="Number type. (default: float32)")] = None
    method: Annotated[Method, typer.Option(help="How toxic text is kept out.")] = Method.SUBSTITUTE
    unreached: Annotated[
        bool, typer.Option("--unreached", help="Take a manifest that says `reached: false`.")
    ] = False

    def __post_init__(self) -> None:
        PromptOptions.__post_init__(self)
        for name, why in _LOCAL.items():
            if self.server is not None and getattr(self, name):
                option = f"--{name.replace('_', '-')}"
                raise typer.BadParameter(f"{option} does not go with --server: {why}")
        if self.prompt is not None and not self.out.parent.is_dir():
            raise typer.BadParameter(
                f"--out {self.out}: the folder {self.out.parent} does not exist"
            )

    def request(self, prompt: str, seed: int) -> Request:
        """One prompt with what the options say of all of them."""
        return Request(
            prompt=prompt,
            seed=seed,
            steps=self.steps,
            guidance_scale=self.guidance,
            negative_prompt=self.negative_prompt,
            width=self.width,
            height=self.height,
            pictures=self.pictures,
            method=self.method,
        )


@one_option_each(Options)
def generate(options: Options) -> None:
    """Draw a guarded picture. A blocked prompt writes no file and exits 3.

    With --jsonl, each line is {"id": ..., "prompt": ..., "seed": ..., "out": ...}.
    """
    backend: Backend
    if options.server is not None:
        backend = Remote(options.server, options.tls, options.policy, options.model)
    else:
        model = options.model or "sd3-tiny"
        with waiting(f"Loading {model}"):
            backend = Local(
                options.policy,
                model,
                options.method,
                device=options.device or "cpu",
                dtype=options.dtype or Dtype.FLOAT32,
                unreached=options.unreached,
            )
    if options.prompt is None:
        jsonl.run_file(
            options.jsonl,
            bad_line,
            lambda jobs: [_draw_line(backend, job, options) for job in jobs],
            batch=1,
        )
        return
    with drawing() as on_step:
        result = backend.generate(options.request(options.prompt, options.seed), on_step)
    files = _save(result, options.out)
    if options.json:
        print(json.dumps(_to_json(result, files), ensure_ascii=False))
    else:
        show_decision(result.decision)
        if result.blocked:
            Console(stderr=True).print("[red]blocked[/red]: no picture was written")
        else:
            named = ", ".join(map(str, files))
            print(f"{named}  (rung: {result.rung}, verification: {result.verification})")
    if result.blocked:
        raise typer.Exit(BLOCKED)


def bad_line(data: dict[str, Any]) -> str | None:
    """What is wrong with a JSON line of `generate`, or None."""
    if problem := jsonl.bad_keys(data, _KEYS) or jsonl.bad_prompt(data):
        return problem
    if not isinstance(data.get("out"), str) or not data["out"]:
        return "out: a file name is needed"
    if type(data.get("seed", 0)) is not int:
        return "seed: a whole number is needed"
    return None


def _draw_line(backend: Backend, job: jsonl.Job, options: Options) -> dict[str, Any]:
    request = options.request(job.data["prompt"], job.data.get("seed", options.seed))
    try:
        result = backend.generate(request)
        return _to_json(result, _save(result, Path(job.data["out"])))
    except GuardError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"out: {error.strerror}"}


def _save(result: Result, out: Path) -> list[Path]:
    """Write the pictures, and say where: one to `out`, several to OUT-1, OUT-2 and so on."""
    files = [out]
    if len(result.pngs) != 1:
        numbers = range(1, len(result.pngs) + 1)
        files = [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in numbers]
    for png, file in zip(result.pngs, files, strict=True):
        file.write_bytes(png)
    return files


def _to_json(result: Result, files: list[Path]) -> dict[str, Any]:
    """`out` is a file name, a list of them where there are several pictures, null where none is."""
    names = [str(file) for file in files]
    return {
        **result.decision.to_json(),
        "reason": result.decision.reason,
        "blocked": result.blocked,
        "out": None if not names else names[0] if len(names) == 1 else names,
        "seed": result.seed,
        "method": str(result.method),
        "rung": str(result.rung),
        "verification": str(result.verification),
        "sites": list(result.sites),
        "timings": {k: round(v, 4) for k, v in result.timings.items()},
    }
