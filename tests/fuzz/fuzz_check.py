"""The fuzz target: `python tests/fuzz/fuzz_check.py CORPUS -max_total_time=300 -max_len=10000`.

Any text, with the shipped lists and no classifier. What must hold: no exception, offsets within the
prompt, no action without a finding, and a donor prompt that passes the same check. A text that takes
over a second of the process is a failure too (instrumented code is several times slower).
"""

from __future__ import annotations

import sys
import time

import atheris

with atheris.instrument_imports(include=["inkguard"]):
    from inkguard.check.checker import Checker
    from inkguard.policy.load import load_policy
    from inkguard.types import Action

_SLOWEST = 1.0  # seconds of this process for 10,000 code points
CHECKER = Checker(load_policy(), None)


def check(data: bytes) -> None:
    """One input: prompts are Unicode, so what is no UTF-8 is taken as Latin-1."""
    try:
        prompt = data.decode("utf-8")
    except UnicodeDecodeError:
        prompt = data.decode("latin-1")
    began = time.process_time()
    decision = CHECKER.check(prompt)
    assert time.process_time() - began < _SLOWEST * max(1.0, len(prompt) / 10_000), "too slow"
    for span in decision.spans:
        assert 0 <= span.start < span.end <= len(prompt)
    for finding in decision.findings:
        assert 0 <= finding.start < finding.end <= len(prompt)
    assert decision.findings or decision.action is Action.ALLOW
    assert (decision.donor_prompt is not None) == (decision.action is Action.SUBSTITUTE)
    if decision.donor_prompt is not None:
        assert CHECKER.check(decision.donor_prompt).action <= Action.FLAG


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
