"""Check prompts for an engine that inkguard does not run: ComfyUI, a hosted API, another server.

inkguard cannot edit the layers of such an engine. It can refuse a prompt, or rewrite it before the engine sees it.
This needs `pip install inkguard` alone, without PyTorch.
"""

from __future__ import annotations

from dataclasses import replace

from inkguard import Action, Checker, load_checker, load_policy


def safe_prompt(checker: Checker, prompt: str) -> str | None:
    """The prompt for the engine, or None where there must be no picture."""
    decision = checker.check(prompt)
    if decision.action is Action.BLOCK:
        return None
    # `donor_prompt` has harmless words in place of toxic ones. An engine that draws it draws another
    # scene than for the prompt itself: only a model under inkguard's own guard keeps the scene.
    return decision.donor_prompt or prompt


# The shipped policy without the thresholds of the classifier, which needs the extra `classifier`.
checker = load_checker(replace(load_policy(), detoxify={}))
for prompt in ('a sign that says "HELLO"', 'a sign that says "LOSER"'):
    print(repr(safe_prompt(checker, prompt)))
