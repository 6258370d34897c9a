"""One call of a guarded pipeline, from its arguments to its pictures.

Everything that can fail for the way in which a pipeline is used fails in `PictureCall.check`, before anything is
drawn and whatever the prompt says: what works with harmless prompts is not to fail with the first
toxic one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch

from guard.check import Checker
from guard.draw.callbacks import Callbacks
from guard.draw.declared import check_declared, given_embeddings
from guard.draw.pictures import OUTPUT_TYPES, drawn_pictures, given_pictures
from guard.errors import Blocked, InvalidInput
from guard.extract import extract
from guard.generate.adapter import Adapter
from guard.generate.arguments import first_step, pictures_each, steps_made
from guard.generate.call_arguments import (
    ATTENTION,
    EMBEDDINGS,
    LATENTS,
    PICTURES,
    refuse_unknown,
    taken,
)
from guard.generate.tokenized import readings, refuse_learned_tokens, written_out
from guard.generate.watch import OnStep, Watch
from guard.reading import check_as_read
from guard.substitute.compiled import plain
from guard.substitute.manifest import Manifest
from guard.timing import Stages
from guard.types import Action, Decision, Method, Rung, Verification
from guard.verify import Reader, is_toxic

__all__ = ["GIVEN_PICTURE", "TOXIC_PICTURE", "Parts", "PictureCall", "Row"]

TOXIC_PICTURE = "toxic_text_in_picture"
"""The reason of a block after drawing: OCR reads toxic text in the picture."""
GIVEN_PICTURE = "toxic_text_in_given_picture"
"""The reason of a block before drawing: OCR reads toxic text in a picture that was handed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a guarded pipeline is made of. `token_texts` say what learned tokens stand for."""

    pipe: Any
    adapter: Adapter
    checker: Checker
    manifest: Manifest | None
    reader: Reader | None
    token_texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """A prompt of the call: its decision by text argument, and how its pictures come about."""

    decisions: Mapping[str, Decision]
    rung: Rung = Rung.UNGUARDED
    verification: Verification = Verification.NOT_NEEDED

    @property
    def decision(self) -> Decision:
        """The strictest one."""
        return max(self.decisions.values(), key=lambda d: d.action.rank)

    @property
    def flagged(self) -> bool:
        return self.rung is not Rung.UNGUARDED

    @property
    def removed(self) -> list[str]:
        """The words that are to be kept out of the picture."""
        found = [f for d in self.decisions.values() for f in d.findings]
        return [f.text for f in found if f.action >= Action.SUBSTITUTE]


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
        refuse_unknown(self._call)
        self._texts = self._read_texts()
        self._refuse_embeddings()
        self._refuse_undrawable()
        self.rows = [Row(decisions=row) for row in self._decide(known)]
        for row in self.rows:
            if row.decision.action is Action.BLOCK:
                raise Blocked(row.decision)
        self._start_rungs()
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
                if row.rung in (Rung.ALL_LAYERS, Rung.UNGUARDED):
                    raise Blocked(_blocked(row.decision, TOXIC_PICTURE))
                row.rung = Rung.ALL_LAYERS
            for generator, state in restart:
                generator.set_state(state)
        for row in self.rows:
            if row in rows:
                row.verification = Verification.CLEAN
            elif row.decision.action is Action.SUBSTITUTE:
                row.verification = Verification.NOT_VERIFIED
        return output

    def _read_texts(self) -> dict[str, list[str]]:
        """Every text argument as a list."""
        texts: dict[str, list[str]] = {}
        for name in self._parts.adapter.text_arguments:
            value = self._call.get(name)
            if value is None:
                continue
            values = [value] if isinstance(value, str) else value
            if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
                raise InvalidInput(name, "expected a string or a list of strings")
            for text in values:
                refuse_learned_tokens(self._parts.pipe, name, text, self._parts.token_texts)
            texts[name] = values
        if not texts.get("prompt"):
            self._refuse_embeddings(without_text=True)
            raise InvalidInput("prompt", "at least one prompt is needed")
        if len({len(v) for v in texts.values()}) > 1:
            raise InvalidInput("prompt", "prompt_2 and prompt_3 must have as many entries")
        return texts

    def _refuse_embeddings(self, *, without_text: bool = False) -> None:
        """Embeddings cannot be read, so they are refused; but for those whose text is given with them."""
        adapter = self._parts.adapter
        declared = frozenset() if without_text else frozenset(adapter.declared_arguments)
        for name in sorted(EMBEDDINGS.union(adapter.embedding_arguments) - declared):
            if self._call.get(name) is not None:
                instead = "picture" if "image" in name else "text"
                beside = " (or beside its prompt)" if name in adapter.declared_arguments else ""
                raise InvalidInput(
                    name, f"embeddings cannot be checked; pass the {instead} itself{beside}"
                )
        if given_embeddings(self._call, sorted(declared)):
            check_declared(adapter, self._parts.pipe, self._call, self._texts)

    def _refuse_undrawable(self) -> None:
        """Raise for what would fail later, and with a flagged prompt only."""
        parts, manifest = self._parts, self._parts.manifest
        kind = self._call.get("output_type") or "pil"
        if parts.reader is not None and kind not in OUTPUT_TYPES:
            raise InvalidInput(
                "output_type",
                f"pictures of the form {kind!r} cannot be read back; choose one of "
                f"{', '.join(OUTPUT_TYPES)}, or set verify: false in the policy",
            )
        if manifest is None or self._method is not Method.SUBSTITUTE:
            return
        denoiser = plain(parts.adapter.denoiser(parts.pipe))
        parts.adapter.edit.refuse_unsupported(denoiser, manifest.sites)
        start, made = (
            first_step(parts.pipe, self._call, manifest),
            steps_made(parts.pipe, self._call),
        )
        if start >= made:
            raise InvalidInput(
                "num_inference_steps",
                f"the call makes {made} steps (a strength, a denoising_start or a denoising_end "
                f"leaves out the others), and the manifest {manifest.name!r} edits from step {start} on: "
                f"a toxic word could not be kept out",
            )

    def _decide(self, known: Sequence[Decision] | None) -> list[dict[str, Decision]]:
        """Per prompt the decision on each of its text arguments, as given and as the model reads it."""
        parts = self._parts
        columns = []
        for name, values in self._texts.items():

            def read(text: str, name: str = name) -> str:
                return parts.adapter.read_text(
                    parts.pipe, self._call, name, written_out(text, parts.token_texts)
                )

            given = known if name == "prompt" else None
            decisions = parts.checker.check_many(values, self._stages) if given is None else given
            tokenized = partial(
                readings, parts.pipe, self._call, in_template=parts.adapter.in_template
            )
            columns.append(
                check_as_read(
                    parts.checker, read, values, decisions, self._stages, tokenized=tokenized
                )
            )
        return [dict(zip(self._texts, row, strict=True)) for row in zip(*columns, strict=True)]

    def _start_rungs(self) -> None:
        by_sites = self._method is Method.SUBSTITUTE and self._parts.manifest is not None
        for row in self.rows:
            if row.decision.action is Action.SUBSTITUTE and self._method is not Method.NONE:
                row.rung = Rung.SITES if by_sites else Rung.ALL_LAYERS

    def _read_given_pictures(self) -> None:
        """Raise Blocked for a picture with toxic text in it, which drawing could give back."""
        reader = self._parts.reader
        if reader is None or self._method is Method.NONE:
            return
        for _, picture in given_pictures(self._parts.pipe, self._call):
            with self._stages("verify"):
                text = reader.read(picture)
            if self._parts.checker.check_reading(text) >= Action.SUBSTITUTE:
                raise Blocked(_blocked(self.rows[0].decision, GIVEN_PICTURE))

    def _run(self) -> Any:
        """One call of the pipeline, each prompt on its rung."""
        parts = self._parts
        donors = {
            name: [
                row.decisions[name].donor_prompt or text
                for row, text in zip(self.rows, values, strict=True)
            ]
            for name, values in self._texts.items()
        }
        texts = {
            name: [
                donor if row.rung is Rung.ALL_LAYERS else text
                for text, donor, row in zip(values, donors[name], self.rows, strict=True)
            ]
            for name, values in self._texts.items()
        }
        # Pipelines write into these dictionaries.
        own = {n: dict(v) for n, v in self._call.items() if n in ATTENTION and v is not None}
        call = {**self._call, **own, **self._embeddings(texts)}
        edit: AbstractContextManager[Any] = nullcontext()
        flagged = [n for n, row in enumerate(self.rows) if row.rung is Rung.SITES]
        if flagged:
            assert parts.manifest is not None
            edit = parts.adapter.substituted(
                parts.pipe, parts.manifest, {**call, **texts}, flagged, donors
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
        """The rows whose pictures are read: flagged ones, and all that came from a picture."""
        if self._parts.reader is None or self._method is Method.NONE:
            return []
        from_picture = self._callbacks.changed_latents or any(
            self._call.get(name) is not None for name in PICTURES | LATENTS
        )
        return [row for row in self.rows if row.flagged or from_picture]

    def _dirty(self, output: Any, rows: Sequence[Row]) -> list[Row]:
        """Those of `rows` any of whose pictures shows toxic text."""
        if not rows:
            return []
        reader = self._parts.reader
        assert reader is not None
        pictures = drawn_pictures(self._parts.pipe, self._call, output)
        each = pictures_each(self._parts.pipe, self._call)
        dirty = []
        for number, row in enumerate(self.rows):
            if row in rows:
                expected = _drawn_text(row)
                for picture in pictures[number * each : (number + 1) * each]:
                    read = reader.read(picture)
                    if is_toxic(
                        read, row.removed, self._parts.checker.check_reading, expected=expected
                    ):
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
