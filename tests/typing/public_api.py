"""A user's program as mypy --strict sees it. It is read by mypy, and never run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import assert_type

from PIL import Image

import inkguard
from inkguard import (
    Action,
    Blocked,
    Checker,
    Decision,
    Finding,
    Guard,
    GuardedPipeline,
    GuardError,
    InvalidInput,
    Manifest,
    MissingExtra,
    Policy,
    PolicyError,
    Reader,
    Request,
    Result,
    Rung,
    Severity,
    TextSpan,
    Verification,
    load_checker,
    load_policy,
    wrap,
)
from inkguard.client import Client

assert_type(inkguard.__version__, str)

policy = load_policy(Path("shop.yaml"))
assert_type(policy, Policy)
checker = load_checker(policy)
assert_type(checker, Checker)
decision = checker.check('a sign that says "LOSER"')
assert_type(decision, Decision)
assert_type(decision.action, Action)
assert_type(decision.donor_prompt, str | None)
assert_type(decision.spans, tuple[TextSpan, ...])
for finding in decision.findings:
    assert_type(finding, Finding)
    assert_type(finding.severity, Severity)
if decision.action >= Action.SUBSTITUTE:
    print(decision.reason)
decision.action = Action.ALLOW  # type: ignore[misc]  # records are frozen

guard = Guard.load("sd3-tiny", policy, fallback=True)
assert_type(guard, Guard)
assert_type(guard.manifest, Manifest | None)
assert_type(guard.check_many(["a", "b"]), list[Decision])
outcome = guard.generate(Request(prompt="a sign", steps=8))
assert_type(outcome, Result)
assert_type(outcome.image, Image.Image | None)
assert_type(outcome.verification, Verification)
if outcome.rung is Rung.SITES:
    assert_type(outcome.sites, tuple[int, ...])
guard.generate("a sign")  # type: ignore[arg-type]  # a request is wanted, not a prompt
Request("a sign")  # type: ignore[call-arg]  # keywords only


class MyReader:
    """Any class with this method is a reader."""

    def read(self, image: Image.Image) -> str:
        return str(image.size)


reader: Reader = MyReader()
Guard.load(reader=reader)


def draw(pipe: object, prompts: Sequence[str]) -> None:
    guarded = wrap(pipe)
    assert_type(guarded, GuardedPipeline)
    try:
        guarded(list(prompts))
    except Blocked as blocked:
        assert_type(blocked.decision, Decision)
    except InvalidInput as error:
        assert_type(error.field, str)
    except MissingExtra as error:
        assert_type(error.extra, str)
    except (PolicyError, GuardError):
        raise


with Client("127.0.0.1:50051") as client:
    assert_type(client.check("a sign"), Decision)
    assert_type(client.generate(Request(prompt="a sign")), Result)
