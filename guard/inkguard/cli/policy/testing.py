"""`inkguard policy test`: a policy's own tests and a file of prompts, for people and for CI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

import typer

from inkguard.cli.policy.common import (
    FOUND,
    Json,
    ListsOnly,
    PolicyArgument,
    checker_for,
    joined,
    out,
    table,
    timed_decisions,
)
from inkguard.policy.load import load_policy
from inkguard.policy.prompt_files import PromptTest, read_tests
from inkguard.policy.rules import rule_matches
from inkguard.types import Decision

__all__ = ["Result", "judge", "junit", "run_tests"]


@dataclass(frozen=True, slots=True)
class Result:
    """A test and the decision on its prompt; `problem` is empty where it passed.

    `seconds` is the test's share of the batch that it was decided in.
    """

    test: PromptTest
    decision: Decision
    problem: str
    seconds: float = 0.0


def run_tests(
    policy: PolicyArgument = None,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help='JSON lines with "prompt" and "action", or "label": "toxic" or "harmless".'
        ),
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", help="Write the results in JUnit's XML.")
    ] = None,
    lists_only: ListsOnly = False,
    as_json: Json = False,
) -> None:
    """Run the tests of a policy, and those of a file of prompts. Exits 1 where one fails.

    A policy in shadow mode is tested as if it were enforced. Reports name places, not prompts.
    """
    loaded = load_policy(policy)
    tests = [
        *map(PromptTest.of, loaded.tests),
        *(read_tests(prompts) if prompts is not None else ()),
    ]
    if not tests:
        raise typer.BadParameter("the policy has no tests, and no --prompts are given")
    checker = checker_for(loaded, lists_only)
    made = timed_decisions(checker, [t.prompt for t in tests])
    results = [Result(t, d, judge(t, d), s) for t, (d, s) in zip(tests, made, strict=True)]
    failed = [r for r in results if r.problem]
    if junit_file is not None:
        try:
            junit_file.write_bytes(junit(loaded.name, results))
        except OSError as error:
            raise typer.BadParameter(f"--junit {junit_file}: {error.strerror}") from None
    if as_json:
        _print_json(loaded.name, loaded.digest, results)
    else:
        _print(results, failed)
    if failed:
        raise typer.Exit(FOUND)


def judge(test: PromptTest, decision: Decision) -> str:
    """What is wrong with a decision; empty where it is as the test asks."""
    found = decision.findings
    if decision.action not in test.actions:
        wanted = " or ".join(map(str, test.actions))
        rules = joined(dict.fromkeys(f.rule for f in found))
        return f"expected {wanted}, got {decision.action} ({decision.reason}: {rules})"
    if test.category is not None and all(f.category != test.category for f in found):
        return f"expected a finding in {test.category}, got {joined({f.category for f in found})}"
    if test.rule is not None and not any(rule_matches(test.rule, f.rule) for f in found):
        return f"expected a finding of {test.rule}, got {joined(f.rule for f in found)}"
    return ""


def junit(name: str, results: Sequence[Result]) -> bytes:
    """The results in the XML that JUnit made and CI servers read."""
    failures = sum(bool(r.problem) for r in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"policy {name}",
        tests=str(len(results)),
        failures=str(failures),
        time=f"{sum(r.seconds for r in results):.6f}",
    )
    for result in results:
        file, _, line = result.test.place.partition(":")
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=file,
            name=f"{Path(file).name}:{line}",
            time=f"{result.seconds:.6f}",
        )
        if result.problem:
            ElementTree.SubElement(case, "failure", message=result.problem)
    data: bytes = ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)
    return data


def _print(results: Sequence[Result], failed: Sequence[Result]) -> None:
    console = out()
    if failed:
        rows = table("test", "problem")
        for result in failed:
            rows.add_row(result.test.place, result.problem, style="red")
        console.print(rows)
    color = "red" if failed else "green"
    passed = len(results) - len(failed)
    console.print(f"[{color}]{passed} of {len(results)} tests passed[/]")


def _print_json(name: str, digest: str, results: Sequence[Result]) -> None:
    rows = [
        {"at": r.test.place, "action": str(r.decision.action), "problem": r.problem or None}
        for r in results
    ]
    failed = sum(bool(r.problem) for r in results)
    whole = {"policy": name, "digest": digest, "tests": len(rows), "failed": failed}
    print(json.dumps({**whole, "results": rows}, ensure_ascii=False))
