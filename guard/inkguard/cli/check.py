"""The command `inkguard check`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from inkguard.cli import jsonl
from inkguard.cli.backend import Backend, Local, Remote
from inkguard.cli.options import PromptOptions, one_option_each
from inkguard.cli.terminal import show_decision, waiting
from inkguard.errors import GuardError
from inkguard.types import Method

__all__ = ["check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(PromptOptions):
    """What is checked, and by what. Raises BadParameter, also for what a sidecar cannot be asked for."""

    lists_only: Annotated[
        bool,
        typer.Option("--lists-only", help="Leave the classifier out: word lists need no PyTorch."),
    ] = False

    def __post_init__(self) -> None:
        PromptOptions.__post_init__(self)
        if self.lists_only and self.server is not None:
            raise typer.BadParameter(
                "--lists-only does not go with --server: its policies say what is asked"
            )


@one_option_each(Options)
def check(options: Options) -> None:
    """Say what the policy makes of a prompt; nothing is drawn.

    With --jsonl, each line is {"id": ..., "prompt": ...} and gets one line back, in order.
    """
    backend: Backend
    if options.server is not None:
        backend = Remote(options.server, options.tls, options.policy, None)
    else:
        with waiting("Loading the policy" if options.lists_only else "Loading the classifier"):
            backend = Local(options.policy, None, Method.SUBSTITUTE, lists_only=options.lists_only)
    if options.prompt is None:
        jsonl.run_file(options.jsonl, jsonl.bad_prompt, lambda jobs: _answers(backend, jobs))
        return
    decision = backend.check_many([options.prompt])[0]
    if options.json:
        told = {**decision.to_json(), "reason": decision.reason}
        print(json.dumps(told, ensure_ascii=False))
    else:
        show_decision(decision)


def _answers(backend: Backend, jobs: list[jsonl.Job]) -> list[dict[str, Any]]:
    """Check a batch at once; where that fails, line by line, so that good lines get their answer."""
    try:
        return [d.to_json() for d in backend.check_many([job.data["prompt"] for job in jobs])]
    except GuardError as error:
        if len(jobs) == 1:
            return [{"error": str(error)}]
        return [answer for job in jobs for answer in _answers(backend, [job])]
