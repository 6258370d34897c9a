"""The command `inkguard`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from guard import jsonl
from guard.errors import GuardError
from guard.types import Decision, Method, Outcome, Request

if TYPE_CHECKING:
    from guard.guard import Guard

__all__ = ["main"]

BLOCKED = 3
"""Exit code for a prompt that the policy blocks."""

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

_Policy = Annotated[
    Path | None, typer.Option("--policy", help="Policy file. [default: the one that is shipped]")
]
_Jsonl = Annotated[
    str | None,
    typer.Option("--jsonl", help="Read JSON lines from this file, or - for standard input."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Prompt = Annotated[str | None, typer.Argument(help="What to draw.", show_default=False)]


@app.command()
def check(
    prompt: _Prompt = None,
    jsonl_file: _Jsonl = None,
    policy: _Policy = None,
    as_json: _Json = False,
) -> None:
    """Say what the policy makes of a prompt; nothing is drawn.

    With --jsonl, each line is {"id": ..., "prompt": ...} and gets one line back, in order.
    """
    _one_of(prompt, jsonl_file)
    with _waiting("Loading the classifier"):
        from guard.check import load_checker

        checker = load_checker(policy)
    if prompt is not None:
        decision = checker.check(prompt)
        print(json.dumps(decision.to_json(), ensure_ascii=False)) if as_json else _show(
            prompt, decision
        )
        return

    def work(jobs: list[jsonl.Job]) -> list[dict[str, Any]]:
        return _each_or_all(jobs, lambda j: [d.to_json() for d in checker.check_many(j)])

    _run_jsonl(jsonl_file, _check_line, work)


@app.command()
def generate(
    prompt: _Prompt = None,
    out: Annotated[Path, typer.Option(help="Where the PNG goes.")] = Path("out.png"),
    seed: Annotated[int, typer.Option(help="The same seed draws the same picture.")] = 0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    model: Annotated[
        str, typer.Option(help="An embedded model's name, or a diffusers folder.")
    ] = "sd3-tiny",
    method: Annotated[Method, typer.Option(help="How toxic text is kept out.")] = Method.SUBSTITUTE,
    jsonl_file: _Jsonl = None,
    policy: _Policy = None,
    as_json: _Json = False,
) -> None:
    """Draw a guarded picture. A blocked prompt writes no file and exits 3.

    With --jsonl, each line is {"id": ..., "prompt": ..., "seed": ..., "out": ...}.
    """
    _one_of(prompt, jsonl_file)
    with _waiting(f"Loading {model}"):
        from guard.guard import Guard

        guard = Guard.load(model, policy, fallback=method is Method.PROMPT_SWAP)
    if prompt is None:
        _run_jsonl(
            jsonl_file,
            _generate_line,
            lambda jobs: [_draw_line(guard, j, steps, method) for j in jobs],
            1,
        )
        return
    _check_out(out)
    with _waiting("Drawing"):
        outcome = guard.generate(Request(prompt=prompt, seed=seed, steps=steps, method=method))
    _save(outcome, out)
    if as_json:
        print(json.dumps(_outcome_json(outcome, out), ensure_ascii=False))
    else:
        _show(prompt, outcome.decision)
        if outcome.blocked:
            Console(stderr=True).print("[red]blocked[/red]: no picture was written")
        else:
            print(f"{out}  (rung: {outcome.rung}, verification: {outcome.verification})")
    if outcome.blocked:
        raise typer.Exit(BLOCKED)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for demo.png and the pictures.")] = Path(
        "out/demo"
    ),
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
) -> None:
    """Draw six prompts unguarded, guarded and with the whole prompt swapped, side by side."""
    from guard.demo import run

    run(out, steps)


def main() -> None:
    """Entry point: a user's mistake is one line on standard error and exit code 2, no traceback."""
    try:
        app()
    except GuardError as error:
        Console(stderr=True, soft_wrap=True).print(
            f"[red]error:[/red] {error}", highlight=False, markup=True
        )
        sys.exit(2)


def _one_of(prompt: str | None, jsonl_file: str | None) -> None:
    if (prompt is None) == (jsonl_file is None):
        raise typer.BadParameter("give either a PROMPT or --jsonl FILE")


def _waiting(what: str) -> Any:
    console = Console(stderr=True)
    return console.status(f"{what} ...") if console.is_terminal else nullcontext()


def _run_jsonl(
    name: str | None,
    parse: Callable[[dict[str, Any]], str | None],
    work: Callable[[list[jsonl.Job]], list[dict[str, Any]]],
    batch: int = 64,
) -> None:
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(str(name)).open("rb") as source:
            failed = jsonl.run(source, sys.stdout, parse, work, batch=batch)
    except OSError as error:
        raise typer.BadParameter(f"--jsonl {name}: {error.strerror}") from None
    if failed:
        raise typer.Exit(1)


def _each_or_all(
    jobs: list[jsonl.Job], work: Callable[[list[str]], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Work on a batch at once; where it fails, line by line, so that good lines get their answer."""
    try:
        return work([job.data["prompt"] for job in jobs])
    except GuardError as error:
        if len(jobs) == 1:
            return [{"error": str(error)}]
        return [answer for job in jobs for answer in _each_or_all([job], work)]


def _check_line(data: dict[str, Any]) -> str | None:
    if not isinstance(data.get("prompt"), str):
        return "prompt: a string is needed"
    if any(0xD800 <= ord(c) <= 0xDFFF for c in data["prompt"]):
        return "prompt: lone surrogates are not text"
    return None


def _generate_line(data: dict[str, Any]) -> str | None:
    if problem := _check_line(data):
        return problem
    if not isinstance(data.get("out"), str) or not data["out"]:
        return "out: a file name is needed"
    if type(data.get("seed", 0)) is not int:
        return "seed: a whole number is needed"
    return None


def _draw_line(guard: Guard, job: jsonl.Job, steps: int, method: Method) -> dict[str, Any]:
    out = Path(job.data["out"])
    try:
        outcome = guard.generate(
            Request(
                prompt=job.data["prompt"], seed=job.data.get("seed", 0), steps=steps, method=method
            )
        )
        _save(outcome, out)
    except GuardError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"out: {error.strerror}"}
    return _outcome_json(outcome, out)


def _check_out(out: Path) -> None:
    if not out.parent.is_dir():
        raise typer.BadParameter(f"--out {out}: the folder {out.parent} does not exist")


def _save(outcome: Outcome, out: Path) -> None:
    if outcome.image is not None:
        outcome.image.save(out, format="PNG")


def _outcome_json(outcome: Outcome, out: Path) -> dict[str, Any]:
    return {
        **outcome.decision.to_json(),
        "blocked": outcome.blocked,
        "out": None if outcome.blocked else str(out),
        "seed": outcome.seed,
        "method": str(outcome.method),
        "rung": str(outcome.rung),
        "verification": str(outcome.verification),
        "sites": list(outcome.sites),
        "timings": {k: round(v, 4) for k, v in outcome.timings.items()},
    }


_COLORS = {"allow": "green", "flag": "yellow", "substitute": "cyan", "block": "red"}


def _show(prompt: str, decision: Decision) -> None:
    console = Console(soft_wrap=True)
    action = str(decision.action)
    console.print(
        f"[bold {_COLORS[action]}]{action}[/]  (policy {decision.policy.name} {decision.policy.version})"
    )
    if decision.findings:
        table = Table("where", "text", "source", "rule", "category", "severity", "score")
        for f in decision.findings:
            where = f"{f.start}:{f.end}"
            cells = (where, f.text, f.source, f.rule, f.category, str(f.severity), f"{f.score:.2f}")
            table.add_row(*(cell.replace("[", "\\[") for cell in cells))
        console.print(table)
    if decision.donor_prompt is not None:
        console.print("drawn instead: ", end="")
        console.print(decision.donor_prompt, markup=False)
