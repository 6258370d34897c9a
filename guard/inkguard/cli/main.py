"""The command `inkguard`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from inkguard.cli import jsonl
from inkguard.cli.backend import Backend, Local, Remote
from inkguard.cli.evaluate import evaluate
from inkguard.cli.localize import localize
from inkguard.cli.policy import app as policy_commands
from inkguard.cli.terminal import drawing, show_decision
from inkguard.errors import GuardError
from inkguard.extras import needs_extra
from inkguard.measure.progress import waiting
from inkguard.process import own_process
from inkguard.types import Method, Request, Result

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
    str | None,
    typer.Option(
        "--policy",
        help="Policy file; with --server the name of one of its policies. [default: the shipped one]",
    ),
]
_Jsonl = Annotated[
    str | None,
    typer.Option("--jsonl", help="Read JSON lines from this file, or - for standard input."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Prompt = Annotated[str | None, typer.Argument(help="What to draw.", show_default=False)]
_Server = Annotated[
    str | None,
    typer.Option("--server", help="Ask the sidecar at HOST:PORT, in place of this machine."),
]
_Ca = Annotated[
    Path | None, typer.Option("--tls-ca", help="Connect by TLS; the server's authority (PEM).")
]
_Certificate = Annotated[
    Path | None, typer.Option("--tls-cert", help="This client's certificate, for mTLS (PEM).")
]
_Key = Annotated[Path | None, typer.Option("--tls-key", help="Its private key (PEM).")]


@app.command()
def check(
    prompt: _Prompt = None,
    jsonl_file: _Jsonl = None,
    policy: _Policy = None,
    as_json: _Json = False,
    server: _Server = None,
    tls_ca: _Ca = None,
    tls_cert: _Certificate = None,
    tls_key: _Key = None,
) -> None:
    """Say what the policy makes of a prompt; nothing is drawn.

    With --jsonl, each line is {"id": ..., "prompt": ...} and gets one line back, in order.
    """
    _one_of(prompt, jsonl_file)
    backend: Backend
    if server is not None:
        backend = Remote(server, _tls(tls_ca, tls_cert, tls_key), policy, None)
    else:
        with waiting("Loading the classifier"):
            backend = Local(policy, None, Method.SUBSTITUTE)
    if prompt is not None:
        decision = backend.check_many([prompt])[0]
        if as_json:
            print(json.dumps(decision.to_json(), ensure_ascii=False))
        else:
            show_decision(decision)
        return

    def work(jobs: list[jsonl.Job]) -> list[dict[str, Any]]:
        return _each_or_all(jobs, lambda j: [d.to_json() for d in backend.check_many(j)])

    _run_jsonl(jsonl_file, _check_line, work)


@app.command()
def generate(
    prompt: _Prompt = None,
    out: Annotated[Path, typer.Option(help="Where the PNG goes.")] = Path("out.png"),
    seed: Annotated[int, typer.Option(help="The same seed draws the same picture.")] = 0,
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
    model: Annotated[
        str | None,
        typer.Option(
            help="An embedded model's name, or a diffusers folder; with --server one of its models. "
            "[default: sd3-tiny, or the server's]"
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="How toxic text is kept out.")] = Method.SUBSTITUTE,
    unreached: Annotated[
        bool, typer.Option("--unreached", help="Take a manifest that says `reached: false`.")
    ] = False,
    jsonl_file: _Jsonl = None,
    policy: _Policy = None,
    as_json: _Json = False,
    server: _Server = None,
    tls_ca: _Ca = None,
    tls_cert: _Certificate = None,
    tls_key: _Key = None,
) -> None:
    """Draw a guarded picture. A blocked prompt writes no file and exits 3.

    With --jsonl, each line is {"id": ..., "prompt": ..., "seed": ..., "out": ...}.
    """
    _one_of(prompt, jsonl_file)
    backend: Backend
    if server is not None:
        if unreached:
            raise typer.BadParameter("--unreached: with --server its settings decide that")
        backend = Remote(server, _tls(tls_ca, tls_cert, tls_key), policy, model)
    else:
        model = model or "sd3-tiny"
        with waiting(f"Loading {model}"):
            backend = Local(policy, model, method, unreached=unreached)
    if prompt is None:
        _run_jsonl(
            jsonl_file,
            _generate_line,
            lambda jobs: [_draw_line(backend, j, steps, method) for j in jobs],
            1,
        )
        return
    _check_out(out)
    with drawing() as on_step:
        outcome = backend.generate(
            Request(prompt=prompt, seed=seed, steps=steps, method=method), on_step
        )
    _save(outcome, out)
    if as_json:
        print(json.dumps(_outcome_json(outcome, out), ensure_ascii=False))
    else:
        show_decision(outcome.decision)
        if outcome.blocked:
            Console(stderr=True).print("[red]blocked[/red]: no picture was written")
        else:
            print(f"{out}  (rung: {outcome.rung}, verification: {outcome.verification})")
    if outcome.blocked:
        raise typer.Exit(BLOCKED)


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
    steps: Annotated[int, typer.Option(help="Denoising steps.")] = 20,
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


def _one_of(prompt: str | None, jsonl_file: str | None) -> None:
    if (prompt is None) == (jsonl_file is None):
        raise typer.BadParameter("give either a PROMPT or --jsonl FILE")


def _tls(ca: Path | None, certificate: Path | None, key: Path | None) -> Any:
    """TLS as soon as any of its files is named, plain text without."""
    from inkguard.client import Tls

    if (certificate is None) != (key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    if ca is None and certificate is None:
        return None
    return Tls(ca=ca, certificate=certificate, key=key)


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


def _draw_line(backend: Backend, job: jsonl.Job, steps: int, method: Method) -> dict[str, Any]:
    out = Path(job.data["out"])
    try:
        outcome = backend.generate(
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


def _save(outcome: Result, out: Path) -> None:
    if not outcome.blocked:
        out.write_bytes(outcome.pngs[0])


def _outcome_json(outcome: Result, out: Path) -> dict[str, Any]:
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
