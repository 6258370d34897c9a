"""`guard.wrap`: a diffusers pipeline that cannot draw what the policy forbids."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from guard.check import Checker
from guard.errors import Blocked, InvalidInput, SubstitutionError
from guard.generate.adapter import Adapter, adapter_for
from guard.generate.watch import OnStep, Watch
from guard.reading import check_as_read
from guard.substitute.manifest import Manifest
from guard.timing import Stages
from guard.types import Action, Decision, Method, Rung, Verification
from guard.verify import Reader, is_toxic

__all__ = ["Drawing", "GuardedPipeline"]


@dataclass(slots=True, kw_only=True)
class Drawing:
    """What was drawn for a call: the pipeline's output, and per prompt how it came about."""

    output: Any
    decisions: list[Decision]
    rungs: list[Rung]
    verifications: list[Verification]


class GuardedPipeline:
    """Called like the pipeline it wraps; raises `Blocked` where a prompt is blocked.

    A call is all or nothing: one blocked prompt in a batch blocks the call. Calls are serialised.
    Other attributes are the wrapped pipeline's.
    """

    def __init__(
        self,
        pipe: Any,
        checker: Checker,
        *,
        manifest: Manifest | None,
        reader: Reader | None,
        lock: threading.RLock | None = None,
    ) -> None:
        self._pipe = pipe
        self._adapter: Adapter = adapter_for(pipe)
        self._checker = checker
        self._manifest = manifest
        self._reader = reader
        self._lock = lock or threading.RLock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_pipe"], name)

    def __call__(self, prompt: Any = None, *args: Any, **call: Any) -> Any:
        """The wrapped pipeline's own output. Pass everything but the prompt by keyword."""
        if args:
            raise InvalidInput("arguments", "pass every one but the prompt by keyword")
        return self.draw({"prompt": prompt, **call}).output

    def check_size(self, width: int | None, height: int | None) -> None:
        """Raise InvalidInput for a size in pixels that the model cannot draw."""
        self._adapter.check_size(self._pipe, width, height)

    def draw(
        self,
        call: Mapping[str, Any],
        method: Method = Method.SUBSTITUTE,
        decisions: Sequence[Decision] | None = None,
        *,
        stages: Stages | None = None,
        on_step: OnStep | None = None,
    ) -> Drawing:
        """Check, draw and verify one pipeline call.

        `decisions` are the prompts' decisions where they are known already. `stages` gets the
        seconds per stage. `on_step` is called after every denoising step with (steps done, steps in
        all), again from 1 on each rung; an exception that it raises stops the call there, and
        nothing is decoded. Raises Blocked, and InvalidInput for text that
        cannot be checked.
        """
        with self._lock:
            return self._draw(dict(call), method, decisions, stages or Stages(), on_step)

    def _draw(
        self,
        call: dict[str, Any],
        method: Method,
        known: Sequence[Decision] | None,
        stages: Stages,
        on_step: OnStep | None,
    ) -> Drawing:
        call = {**(self._manifest.call if self._manifest else {}), **call}
        texts = self._texts(call)
        checked = self._check(call, texts, known, stages)
        decisions = [max(row.values(), key=lambda d: d.action.rank) for row in checked]
        for decision in decisions:
            if decision.action is Action.BLOCK:
                raise Blocked(decision)
        flagged = [n for n, d in enumerate(decisions) if d.action is Action.SUBSTITUTE]
        if method is Method.NONE:
            flagged = []
        first = Rung.SITES if method is Method.SUBSTITUTE and self._manifest else Rung.ALL_LAYERS
        rungs = [first if n in flagged else Rung.UNGUARDED for n in range(len(decisions))]
        donors = {
            key: [
                row[key].donor_prompt or text if key in row else text
                for row, text in zip(checked, values, strict=True)
            ]
            for key, values in texts.items()
        }
        restart = _generator_states(call)
        verify = self._checker.policy.verify and self._reader is not None and bool(flagged)
        while True:
            for generator, state in restart:
                generator.set_state(state)
            with Watch(self._pipe, stages, on_step):
                output = self._run(call, texts, donors, rungs)
            if not verify:
                break
            with stages("verify"):
                dirty = self._dirty(output, call, flagged, checked)
            if not dirty:
                break
            for row in dirty:
                if rungs[row] is Rung.ALL_LAYERS:
                    raise Blocked(_not_clean(decisions[row]))
                rungs[row] = Rung.ALL_LAYERS
        verifications = [
            self._verification(d, n in flagged, verify) for n, d in enumerate(decisions)
        ]
        return Drawing(output=output, decisions=decisions, rungs=rungs, verifications=verifications)

    def _verification(self, decision: Decision, flagged: bool, verify: bool) -> Verification:
        if flagged and verify:
            return Verification.CLEAN
        wanted = decision.action is Action.SUBSTITUTE
        return Verification.NOT_VERIFIED if wanted else Verification.NOT_NEEDED

    def _texts(self, call: Mapping[str, Any]) -> dict[str, list[str]]:
        """Every text argument as a list; embeddings cannot be read, so they are refused."""
        for name in self._adapter.embedding_arguments:
            if call.get(name) is not None:
                raise InvalidInput(name, "embeddings cannot be checked; pass the text itself")
        texts: dict[str, list[str]] = {}
        for name in self._adapter.text_arguments:
            value = call.get(name)
            if value is None:
                continue
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
                raise InvalidInput(name, "expected a string or a list of strings")
            texts[name] = values
        if not texts.get("prompt"):
            raise InvalidInput("prompt", "at least one prompt is needed")
        if len({len(v) for v in texts.values()}) > 1:
            raise InvalidInput("prompt", "prompt_2 and prompt_3 must have as many entries")
        return texts

    def _check(
        self,
        call: Mapping[str, Any],
        texts: Mapping[str, list[str]],
        known: Sequence[Decision] | None,
        stages: Stages,
    ) -> list[dict[str, Decision]]:
        """Per prompt the decision on each of its text arguments, as given and as the model reads it."""
        columns = []
        for name, values in texts.items():
            given = known if name == "prompt" else None
            decisions = self._checker.check_many(values, stages) if given is None else given
            read = partial(self._adapter.read_text, self._pipe, call, name)
            columns.append(check_as_read(self._checker, read, values, decisions, stages))
        return [dict(zip(texts, row, strict=True)) for row in zip(*columns, strict=True)]

    def _run(
        self,
        call: Mapping[str, Any],
        texts: Mapping[str, list[str]],
        donors: Mapping[str, list[str]],
        rungs: Sequence[Rung],
    ) -> Any:
        """One call of the pipeline, each prompt on its rung."""
        swapped = {
            key: [
                donor if rung is Rung.ALL_LAYERS else text
                for text, donor, rung in zip(values, donors[key], rungs, strict=True)
            ]
            for key, values in texts.items()
        }
        rows = [n for n, rung in enumerate(rungs) if rung is Rung.SITES]
        # A string stays one: a negative prompt must be of its prompt's type.
        actual = {
            **call,
            **{k: v[0] if isinstance(call[k], str) else v for k, v in swapped.items()},
        }
        edit: Any = nullcontext()
        if rows:
            if self._manifest is None:
                raise SubstitutionError("substitution at sites needs a manifest")
            edit = self._adapter.substituted(
                self._pipe, self._manifest, {**call, **swapped}, rows, {**donors}
            )
        with edit:
            return self._pipe(**actual)

    def _dirty(
        self,
        output: Any,
        call: Mapping[str, Any],
        flagged: Sequence[int],
        checked: Sequence[Mapping[str, Decision]],
    ) -> list[int]:
        """The flagged prompts any of whose pictures still shows toxic text."""
        images = output[0] if isinstance(output, tuple) else output.images
        if call.get("output_type", "pil") != "pil":
            raise InvalidInput(
                "output_type", "verification needs 'pil'; or set verify: false in the policy"
            )
        each = call.get("num_images_per_prompt") or 1
        dirty = []
        for row in flagged:
            words = [f.text for d in checked[row].values() for f in d.findings]
            for image in images[row * each : (row + 1) * each]:
                assert self._reader is not None
                if is_toxic(self._reader.read(image), words, self._checker.check_reading):
                    dirty.append(row)
                    break
        return dirty


def _not_clean(decision: Decision) -> Decision:
    return Decision(
        action=Action.BLOCK,
        policy=decision.policy,
        spans=decision.spans,
        findings=decision.findings,
        reason="toxic_text_in_picture",
    )


def _generator_states(call: Mapping[str, Any]) -> list[tuple[torch.Generator, torch.Tensor]]:
    """The random generators of a call with their states, so that a second rung draws the same noise.

    PyTorch's own are among them: a call without a generator uses those, and SD3's ControlNet pipelines
    take the control picture's noise from them in any case.
    """
    given = call.get("generator")
    generators = list(given) if isinstance(given, list) else [given] if given is not None else []
    generators.append(torch.default_generator)
    if torch.cuda.is_initialized():
        generators += torch.cuda.default_generators
    return [(g, g.get_state()) for g in generators]
