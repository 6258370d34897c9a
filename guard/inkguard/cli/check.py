"""The command `inkguard check`."""

from __future__ import annotations

import json
from typing import Any

from inkguard.cli import jsonl
from inkguard.cli.backend import Backend, Local, Remote
from inkguard.cli.options import PromptOptions, one_option_each
from inkguard.cli.terminal import show_decision, waiting
from inkguard.errors import GuardError
from inkguard.types import Method

__all__ = ["check"]


@one_option_each(PromptOptions)
def check(options: PromptOptions) -> None:
    """Say what the policy makes of a prompt; nothing is drawn.

    With --jsonl, each line is {"id": ..., "prompt": ...} and gets one line back, in order.
    """
    backend: Backend
    if options.server is not None:
        backend = Remote(options.server, options.tls, options.policy, None)
    else:
        with waiting("Loading the classifier"):
            backend = Local(options.policy, None, Method.SUBSTITUTE)
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
