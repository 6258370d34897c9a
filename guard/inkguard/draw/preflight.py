"""What is looked at before anything is drawn, whatever the prompts say.

Everything that can fail for the way in which a pipeline is used fails here: what works with harmless
prompts is not to fail with the first toxic one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from inkguard.check.as_encoder_reads import check_as_read
from inkguard.draw.declared import check_declared, given_embeddings
from inkguard.draw.parts import Parts
from inkguard.draw.pictures import OUTPUT_TYPES
from inkguard.edit.diffusers_internals import plain
from inkguard.errors import InvalidInput
from inkguard.families.call_arguments import EMBEDDINGS
from inkguard.families.call_defaults import first_step, steps_made
from inkguard.families.tokenized import readings, refuse_learned_tokens, written_out
from inkguard.timing import Stages
from inkguard.types import Decision

__all__ = [
    "decide",
    "prompts_of",
    "refuse_uneditable",
    "refuse_unread_embeddings",
    "refuse_unreadable",
]


def prompts_of(parts: Parts, call: Mapping[str, Any]) -> dict[str, list[str]]:
    """Every text argument of a pipeline call as a list.

    Raises InvalidInput for what is no text, for a learned token that is not declared, and for
    lists of different lengths.
    """
    texts: dict[str, list[str]] = {}
    for name in parts.adapter.text_arguments:
        value = call.get(name)
        if value is None:
            continue
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
            raise InvalidInput(name, "expected a string or a list of strings")
        for text in values:
            refuse_learned_tokens(parts.adapter, parts.pipe, name, text, parts.token_texts)
        texts[name] = values
    if not texts.get("prompt"):
        refuse_unread_embeddings(parts, call, {})
        raise InvalidInput("prompt", "at least one prompt is needed")
    if len({len(v) for v in texts.values()}) > 1:
        raise InvalidInput("prompt", "prompt_2 and prompt_3 must have as many entries")
    return texts


def refuse_unread_embeddings(
    parts: Parts, call: Mapping[str, Any], texts: Mapping[str, list[str]]
) -> None:
    """Raise InvalidInput for embeddings, which cannot be read; but for those of the `texts` beside them."""
    adapter = parts.adapter
    declared = frozenset(adapter.declared_arguments if texts else ())
    for name in sorted(EMBEDDINGS.union(adapter.embedding_arguments) - declared):
        if call.get(name) is not None:
            instead = "picture" if "image" in name else "text"
            beside = " (or beside its prompt)" if name in adapter.declared_arguments else ""
            raise InvalidInput(
                name, f"embeddings cannot be checked; pass the {instead} itself{beside}"
            )
    if given_embeddings(call, sorted(declared)):
        check_declared(adapter, parts.pipe, call, texts)


def refuse_unreadable(parts: Parts, call: Mapping[str, Any]) -> None:
    """Raise InvalidInput for a form of pictures that could not be read back."""
    kind = call.get("output_type") or "pil"
    if parts.reader is not None and kind not in OUTPUT_TYPES:
        raise InvalidInput(
            "output_type",
            f"pictures of the form {kind!r} cannot be read back; choose one of "
            f"{', '.join(OUTPUT_TYPES)}, or set verify: false in the policy",
        )


def refuse_uneditable(parts: Parts, call: Mapping[str, Any]) -> None:
    """Raise where the manifest's sites could not be edited, or not in time.

    SubstitutionError for the denoiser as it is, InvalidInput for a call that ends before the edit begins.
    """
    manifest = parts.manifest
    if manifest is None:
        return
    denoiser = plain(parts.adapter.denoiser(parts.pipe))
    parts.adapter.edit.refuse_unsupported(denoiser, manifest.sites)
    start, made = first_step(parts.pipe, call, manifest), steps_made(parts.pipe, call)
    if start >= made:
        raise InvalidInput(
            "num_inference_steps",
            f"the call makes {made} steps (a strength, a denoising_start or a denoising_end "
            f"leaves out the others), and the manifest {manifest.name!r} edits from step {start} on: "
            f"a toxic word could not be kept out",
        )


def decide(
    parts: Parts,
    call: Mapping[str, Any],
    texts: Mapping[str, list[str]],
    known: Sequence[Decision] | None,
    stages: Stages,
) -> list[dict[str, Decision]]:
    """Per prompt the decision on each of its text arguments, as given and as the model reads it.

    `known` are the decisions on `prompt` as given, where they are there already.
    """
    tokenized = partial(readings, parts.adapter, parts.pipe, call)
    columns = []
    for name, values in texts.items():

        def read(text: str, name: str = name) -> str:
            written = written_out(text, parts.token_texts)
            return parts.adapter.read_text(parts.pipe, call, name, written)

        given = known if name == "prompt" else None
        decisions = parts.checker.check_many(values, stages) if given is None else given
        columns.append(
            check_as_read(parts.checker, read, values, decisions, stages, tokenized=tokenized)
        )
    return [dict(zip(texts, row, strict=True)) for row in zip(*columns, strict=True)]
