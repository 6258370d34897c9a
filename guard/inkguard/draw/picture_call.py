"""One call of a guarded pipeline, from its arguments to its pictures: check, draw, read, and draw again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch

from inkguard.draw.callbacks import Callbacks
from inkguard.draw.declared import given_embeddings
from inkguard.draw.ladder import Row
from inkguard.draw.parts import Parts
from inkguard.draw.pictures import drawn_pictures, given_pictures, has_pictures, withheld
from inkguard.draw.preflight import (
    decide,
    prompts_of,
    refuse_uneditable,
    refuse_unread_embeddings,
    refuse_unreadable,
)
from inkguard.draw.watch import OnStep, Watch
from inkguard.errors import Blocked, SubstitutionError, VerificationError
from inkguard.extract import extract
from inkguard.families.call_arguments import ATTENTION, refuse_unknown, taken
from inkguard.families.call_defaults import pictures_each
from inkguard.policy.model import Mode
from inkguard.timing import Stages
from inkguard.types import (
    GIVEN_PICTURE,
    TOXIC_PICTURE,
    Action,
    Decision,
    Method,
    Request,
    Rung,
    Verification,
)
from inkguard.verify import readings_of, shows_toxic

__all__ = ["Drawing", "PictureCall", "call_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What was drawn for a call: the pipeline's output, and per prompt how it came about."""

    output: Any
    rows: tuple[Row, ...]

    @property
    def decisions(self) -> list[Decision]:
        """The decision on each prompt."""
        return [row.decision for row in self.rows]

    @property
    def rungs(self) -> list[Rung]:
        """How each prompt's pictures came about."""
        return [row.rung for row in self.rows]

    @property
    def verifications(self) -> list[Verification]:
        """What reading each prompt's pictures back showed."""
        return [row.verification for row in self.rows]


def call_for(request: Request) -> dict[str, Any]:
    """The arguments of the pipeline call that a request asks for; what it leaves open is the model's own."""
    generators = [
        torch.Generator("cpu").manual_seed(request.seed + n) for n in range(request.pictures)
    ]
    negative = request.negative_prompt
    optional = {
        "guidance_scale": request.guidance_scale,
        # Some pipelines want it to be a list where the prompt is one.
        "negative_prompt": None if negative is None else [negative],
        "width": request.width,
        "height": request.height,
    }
    return {
        "prompt": [request.prompt],
        "num_inference_steps": request.steps,
        "num_images_per_prompt": request.pictures,
        "generator": generators if request.pictures > 1 else generators[0],
        **{k: v for k, v in optional.items() if v is not None},
    }


class PictureCall:
    """`call` are the arguments of a pipeline call; `guarded` is what its callbacks are handed."""

    def __init__(
        self, parts: Parts, guarded: Any, call: Mapping[str, Any], method: Method, stages: Stages
    ) -> None:
        self._parts, self._method, self._stages = parts, method, stages
        self._callbacks = Callbacks(guarded)
        self._call = self._callbacks.watched(taken(call))
        self._texts: dict[str, list[str]] = {}
        self.rows: list[Row] = []

    def check(self, known: Sequence[Decision] | None) -> None:
        """Decide on every prompt. `known` are the decisions of `prompt` where they are there already.

        Raises InvalidInput, SubstitutionError or VerificationError for a call that could not be
        drawn under guard, and Blocked.
        """
        parts, call = self._parts, self._call
        refuse_unknown(call, parts.adapter.text_arguments, parts.adapter.settings)
        self._texts = prompts_of(parts, call)
        refuse_unread_embeddings(parts, call, self._texts)
        refuse_unreadable(parts, call)
        if self._method is Method.SUBSTITUTE:
            refuse_uneditable(parts, call)
        decisions = decide(parts, call, self._texts, known, self._stages)
        self.rows = [
            Row(
                texts=dict(zip(self._texts, texts, strict=True)),
                decisions=row,
                method=self._method,
                has_sites=parts.manifest is not None,
            )
            for texts, row in zip(zip(*self._texts.values(), strict=True), decisions, strict=True)
        ]
        for row in self.rows:
            if row.rung is Rung.BLOCK:
                raise Blocked(row.decision)
        self._read_given_pictures()

    def draw(self, on_step: OnStep | None) -> Any:
        """The pipeline's output, each prompt on the first rung whose picture shows no toxic text.

        Raises Blocked where there is none.
        """
        restart = _generator_states(self._call)
        while True:
            self._callbacks.restart()
            with Watch(self._parts.pipe, self._stages, on_step):
                output = self._run()
            rows = self._to_be_read()
            with self._stages("verify") if rows else nullcontext():
                dirty = self._dirty(output, rows)
            if not dirty:
                break
            for row in dirty:
                if row.climb() is Rung.BLOCK:
                    raise Blocked(_blocked(row.decision, TOXIC_PICTURE))
            for generator, state in restart:
                generator.set_state(state)
        for row in self.rows:
            if row in rows:
                row.verification = Verification.CLEAN
            elif row.decision.action is Action.SUBSTITUTE:
                row.verification = Verification.NOT_VERIFIED
        return output

    @property
    def _enforced(self) -> bool:
        """Whether this call may be changed: not by a policy in shadow mode, nor without the guard."""
        enforces = self._parts.checker.policy.mode is Mode.ENFORCE
        return enforces and self._method is not Method.NONE

    def _read_given_pictures(self) -> None:
        """Raise Blocked for a picture with toxic text in it, which drawing could give back."""
        reader = self._parts.reader
        if reader is None or not self._enforced:
            return
        for _, picture in given_pictures(self._parts.pipe, self._call):
            with self._stages("verify"):
                toxic = any(
                    self._parts.checker.check_reading(text) >= Action.SUBSTITUTE
                    for text in readings_of(reader, picture)
                )
            if toxic:
                # The picture is at fault, and no prompt: the decision names no finding.
                policy = self.rows[0].decision.policy
                raise Blocked(Decision(action=Action.BLOCK, policy=policy, reason=GIVEN_PICTURE))

    def _run(self) -> Any:
        """One call of the pipeline, each prompt on its rung."""
        parts = self._parts
        texts = {name: [row.text(name) for row in self.rows] for name in self._texts}
        # Pipelines write into these dictionaries.
        own = {n: dict(v) for n, v in self._call.items() if n in ATTENTION and v is not None}
        call = {**self._call, **own, **self._embeddings(texts)}
        edit: AbstractContextManager[Any] = nullcontext()
        edited = [n for n, row in enumerate(self.rows) if row.rung is Rung.SITES]
        if edited:
            if parts.manifest is None:
                raise SubstitutionError("no manifest says which layers are to be edited")
            donors = {name: [row.donor(name) for row in self.rows] for name in self._texts}
            edit = parts.adapter.substituted(
                parts.pipe, parts.manifest, {**call, **texts}, edited, donors
            )
        prompts = self._prompts(texts)
        call = {name: value for name, value in call.items() if name not in texts}
        with edit:
            return parts.pipe(**call, **prompts)

    def _embeddings(self, texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """The declared embeddings, with those of the donor prompt in rows that all layers are to read."""
        parts = self._parts
        given = given_embeddings(self._call, parts.adapter.declared_arguments)
        swapped = [n for n, row in enumerate(self.rows) if row.rung is Rung.ALL_LAYERS]
        if given and swapped:
            donors = parts.adapter.encode_declared(parts.pipe, self._call, texts)
            for name, embeddings in given.items():
                given[name] = embeddings.clone()
                given[name][swapped] = donors[name][swapped].to(embeddings)
        return given

    def _prompts(self, texts: Mapping[str, list[str]]) -> dict[str, str | list[str] | None]:
        """The pipeline's text arguments; none beside embeddings."""
        if self._call.get("prompt_embeds") is not None:
            return {"prompt": None}
        # A string stays one: a negative prompt must be of its prompt's type.
        return {n: v[0] if isinstance(self._call[n], str) else v for n, v in texts.items()}

    def _to_be_read(self) -> list[Row]:
        """The rows whose pictures are read: substituted ones, and all that came from a picture."""
        if self._parts.reader is None or not self._enforced:
            return []
        from_picture = self._callbacks.changed_latents or has_pictures(self._call)
        return [row for row in self.rows if row.substituted or from_picture]

    def _dirty(self, output: Any, rows: Sequence[Row]) -> list[Row]:
        """Those of `rows` any of whose pictures shows toxic text."""
        if not rows:
            return []
        reader = self._parts.reader
        if reader is None:
            raise VerificationError("no OCR engine is there to read the pictures back")
        pictures = drawn_pictures(self._parts.pipe, self._call, output)
        hidden = withheld(output) or [False] * len(pictures)
        each = pictures_each(self._parts.pipe, self._call)
        dirty = []
        for number, row in enumerate(self.rows):
            if row in rows:
                expected = _drawn_text(row)
                own = slice(number * each, (number + 1) * each)
                for picture, nothing in zip(pictures[own], hidden[own], strict=True):
                    if nothing:
                        continue
                    judge = self._parts.checker.check_reading
                    if shows_toxic(reader, picture, row.removed, judge, expected=expected):
                        dirty.append(row)
                        break
        return dirty


def _drawn_text(row: Row) -> str:
    """The text that the prompts of a row ask for, with what stands in place of what was removed."""
    prompts = [d.donor_prompt for d in row.decisions.values() if d.donor_prompt is not None]
    own = [s.text for d in row.decisions.values() if d.donor_prompt is None for s in d.spans]
    return " ".join([*own, *(s.text for prompt in prompts for s in extract(prompt))])


def _blocked(decision: Decision, reason: str) -> Decision:
    return replace(decision, action=Action.BLOCK, donor_prompt=None, reason=reason)


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
